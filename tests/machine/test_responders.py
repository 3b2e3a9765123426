# SPDX-License-Identifier: Apache-2.0
"""Responders that answer too late, with something else, by GET only, or not at all, beside a certificate whose responder is well."""

import time

import apache
import managed
import responder
from responder import CA, PORT, Front, Responder, ask, issue, kept, respond, stapled, static, wait_stapled

ODD = 8891


def setup(m):
    managed.install(m)
    managed.settings(m, ReloadIntervalSec=1)
    responder.make(m)
    issue(m, "old.test", port=ODD)
    m.old = respond(m, "old.test", life=("-nmin", "1"))
    m.old_until = time.time() + 61


def odd(m, name, answer):
    """A domain whose responder is an odd one."""
    if not m.exists(f"{CA}/{name}.pem"):
        issue(m, name, port=ODD)
    front = Front(m, ODD, answer)
    static(m, name)
    return front


def refused(m, name, answer, why):
    """Whether an answer is refused, the reason is told, and nothing is stapled."""
    front = odd(m, name, answer)
    cursor = m.cursor()
    apache.reload(m)
    told = managed.wait_event(m, name, "ocsp-errored", cursor, deadline=60)
    assert why in told["MESSAGE"], told["MESSAGE"]
    assert stapled(m, name) is None
    front.close()
    managed.remove(m, name)


def test_wrong_certificate(m):
    """A response about another certificate of the same CA is not believed."""
    issue(m, "another.test")
    another = respond(m, "another.test")
    refused(m, "wrong.test", lambda *_: (200, another), "about another certificate")


def test_nonce(m):
    """A response to somebody else's request, which has another nonce, is not believed."""
    issue(m, "nonce.test", port=ODD)
    replayed = respond(m, "nonce.test", nonce=True)
    refused(m, "nonce.test", lambda *_: (200, replayed), "another nonce")


def test_no_response(m):
    """Neither pages nor endless answers are taken for responses."""
    refused(m, "page.test", lambda *_: (200, b"<html>"), "no OCSP response")
    refused(m, "endless.test", lambda *_: (200, b"x" * 100000), "larger than any")


def test_get(m):
    """A responder that knows GET only is asked so, without nonce: always the same, which caches like."""
    issue(m, "get.test", port=ODD)
    signed = respond(m, "get.test")
    front = odd(m, "get.test", lambda method, path, body: (200, signed) if method == "GET" else (405, b""))
    apache.reload(m)
    wait_stapled(m, "get.test")
    assert [method for method, _, _ in front.asked] == ["POST", "GET"], front.asked
    m.run(f"systemctl stop md-manager && rm -r {managed.STORE}/ocsp/get.test && systemctl start md-manager")
    m.wait_for(lambda: kept(m, "get.test") and kept(m, "get.test")[0].get("response"), 30, "the response to be fetched again")
    paths = {path for method, path, _ in front.asked if method == "GET"}
    assert len(paths) == 1 and len(paths.pop()) < 200, front.asked
    front.close()
    managed.remove(m, "get.test")


def test_slow(m):
    """While a responder takes its time, visitors do not wait, and other responders are asked."""
    issue(m, "slow.test", port=ODD)
    issue(m, "quick.test")
    Responder(m).start(good=["slow.test", "quick.test"])

    def answer(method, path, body):
        time.sleep(8)
        return 200, ask(m, body)
    front = odd(m, "slow.test", answer)
    static(m, "quick.test")
    apache.reload(m)
    m.wait_for(lambda: front.asked, 30, "the slow one to be asked")
    begun = time.monotonic()
    assert stapled(m, "slow.test") is None
    assert time.monotonic() - begun < 5
    wait_stapled(m, "quick.test", deadline=7)
    assert stapled(m, "slow.test") is None
    wait_stapled(m, "slow.test")
    front.close()
    managed.remove(m, "slow.test")


def processes(m):
    return set(m.run("pgrep -P $(systemctl show --property=MainPID --value apache2.service)").out.split())


def test_reload(m):
    """With no responder in sight, the processes that graceful reloads start staple what was fetched before; what a reload adds has no staple until there is a responder again."""
    issue(m, "reload.test")
    issue(m, "added.test")
    well = Responder(m)
    well.start(good=["reload.test"])
    static(m, "reload.test")
    apache.reload(m)
    wait_stapled(m, "reload.test")
    well.stop()
    static(m, "added.test")
    cursor = m.cursor()
    for _ in range(3):
        before = processes(m)
        apache.reload(m)
        m.wait_for(lambda: not before & processes(m), 60, "the processes of before to go")
        assert stapled(m, "reload.test") == "good"
        managed.wait_event(m, "added.test", "ocsp-errored", cursor, deadline=60)
        assert stapled(m, "added.test") is None and stapled(m, "reload.test") == "good"
    assert not m.journal("MD_NAME=reload.test", "MD_EVENT=ocsp-errored", after=cursor)
    well.start(good=["reload.test", "added.test"])
    wait_stapled(m, "added.test", deadline=120)
    for name in ("reload.test", "added.test"):
        managed.remove(m, name)
    apache.reload(m)


def test_reboot(m):
    """With no responder in sight, what was fetched before is stapled after a reboot of the machine, at once."""
    issue(m, "reboot.test")
    well = Responder(m)
    well.start(good=["reboot.test"])
    static(m, "reboot.test")
    apache.reload(m)
    wait_stapled(m, "reboot.test")
    well.stop()
    m.reboot()
    m.wait_active("apache2.service", 60)
    assert stapled(m, "reboot.test") == "good"


def test_expired(m):
    """A response that has run out is not believed."""
    m.wait_for(lambda: time.time() > m.old_until, 90, "the end of the response")
    refused(m, "old.test", lambda *_: (200, m.old), "ran out")
