# SPDX-License-Identifier: Apache-2.0
"""When the CA wants its certificates to be renewed (RFC 9773)."""

import base64
import datetime
import email.utils
import subprocess
import time

import apache
import managed

INTERVAL = 2        # RenewalInfoIntervalSec: how often the CA is asked when it does not say
DAY = 86400


def setup(m):
    managed.install(m)
    managed.settings(m, ReloadIntervalSec=1, RenewalInfoIntervalSec=INTERVAL)
    managed.set_globally(m, MDPrivateKeys="P-256")


def rfc3339(at):
    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def window(m, start, end, url=None, retry_after=INTERVAL, **more):
    """The CA says this of every certificate."""
    body = {"suggestedWindow": {"start": rfc3339(start), "end": rfc3339(end)}}
    if url:
        body["explanationURL"] = url
    return m.ca.proxy.rule(kind="renewal-info", status=200, body=body, headers={"Content-Type": "application/json", "Retry-After": str(retry_after)}, **more)


def add(m, name, directives=""):
    managed.add(m, name, directives=directives)
    cursor = m.cursor()
    apache.reload(m)
    managed.wait_event(m, name, "installed", cursor)


def info(m, name):
    found = managed.job(m, name).get("renewal-info") or [{}]
    return found[0]


def at(text):
    return email.utils.parsedate_to_datetime(text).timestamp()


def wait_info(m, name, condition, deadline=20):
    m.wait_for(lambda: condition(info(m, name)), deadline, f"what the CA says of {name}")
    return info(m, name)


def ids(m, name):
    """The certificate's id as OpenSSL's own tools give it: authority key identifier and serial number, both whole."""
    pem = m.read(f"{managed.STORE}/domains/{name}/pubcert.p-256.pem")
    text = subprocess.run(["openssl", "x509", "-noout", "-ext", "authorityKeyIdentifier", "-serial"], input=pem, capture_output=True, text=True, check=True).stdout
    lines = [line.strip() for line in text.splitlines()]
    key = bytes.fromhex(next(line for line in lines if line.count(":") > 10).removeprefix("keyid:").replace(":", ""))
    serial = bytes.fromhex(next(line for line in lines if line.startswith("serial=")).partition("=")[2])
    serial = b"\0" + serial if serial[0] & 0x80 else serial
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (key, serial))


def test_real(m):
    """The CA's own window: it is asked with the right id, one moment inside the window is chosen, kept over a restart, and the timer is set to it when it is earlier than ours."""
    m.ca.proxy.clear()
    add(m, "real.test")
    found = wait_info(m, "real.test", lambda i: i.get("chosen"))
    assert at(found["start"]) <= at(found["chosen"]) <= at(found["end"]), found
    asked = m.ca.proxy.seen("renewal-info")[-1]
    assert asked.method == "GET" and asked.path.endswith("/" + ids(m, "real.test")) and asked.body in (b"", None), asked
    shown = managed.show(m, "real.test")
    assert abs(shown["RenewAtUSec"] / 1e6 - min(at(found["chosen"]), shown["RenewAtUSec"] / 1e6)) < 1, (shown, found)
    m.run("systemctl restart md-manager")
    m.wait_for(lambda: managed.is_known(m, "real.test"), 10, "the manager")
    assert info(m, "real.test")["chosen"] == found["chosen"]


def test_earlier(m):
    """A window before our own: the domain waits for the moment that was chosen in it, once; the moment stays while the window does."""
    now = time.time()
    rule = window(m, now + 10 * DAY, now + 11 * DAY)
    try:
        add(m, "earlier.test")
        found = wait_info(m, "earlier.test", lambda i: i.get("chosen"))
        assert now + 10 * DAY - 1 <= at(found["chosen"]) <= now + 11 * DAY + 1
        m.wait_for(lambda: managed.show(m, "earlier.test")["Reason"] == "renewal-info", 10, "the decision")
        shown = managed.show(m, "earlier.test")
        assert shown["Action"] == "wait" and abs(shown["NextUSec"] / 1e6 - at(found["chosen"])) < 1, shown
        polls = rule.used
        m.wait_for(lambda: rule.used > polls + 1, 20, "two more polls")
        assert info(m, "earlier.test")["chosen"] == found["chosen"]
    finally:
        m.ca.proxy.forget(rule)


def test_moved_into_the_past(m):
    """The window moves into the past: renewed within one poll, the order names the certificate that it replaces, and people are told why."""
    now = time.time()
    rule = window(m, now + 30 * DAY, now + 31 * DAY)
    add(m, "moved.test")
    wait_info(m, "moved.test", lambda i: i.get("chosen"))
    old = ids(m, "moved.test")
    cursor = m.cursor()
    m.ca.proxy.clear()
    window(m, now - 2 * DAY, now - DAY, url="https://ca.test/incident")
    try:
        begun = managed.wait_event(m, "moved.test", "renewing", cursor)
        assert "https://ca.test/incident" in begun["MESSAGE"], begun["MESSAGE"]
        told = m.journal("MD_NAME=moved.test", "MD_EVENT=renewal-info", after=cursor)
        assert told and "https://ca.test/incident" in told[0]["MESSAGE"], told
        managed.wait_event(m, "moved.test", "renewed", cursor)
        assert m.ca.proxy.seen("new-order")[-1].payload.get("replaces") == old, m.ca.proxy.seen("new-order")[-1].payload
    finally:
        m.ca.proxy.clear()


def test_replaces_refused(m):
    """A CA that does not take an order which names its predecessor gets it again without, in the same run."""
    add(m, "again.test")
    m.ca.proxy.clear()
    m.ca.proxy.rule(kind="new-order", where=lambda r: (r.payload or {}).get("replaces"), problem="alreadyReplaced", status=409)
    try:
        cursor = m.cursor()
        managed.mdctl(m, "renew", "--force", "again.test")
        managed.wait_event(m, "again.test", "renewed", cursor)
        orders = [r.payload for r in m.ca.proxy.seen("new-order")]
        assert ["replaces" in o for o in orders] == [True, False], orders
        assert not m.journal("MD_EVENT=errored", after=cursor)
    finally:
        m.ca.proxy.clear()


def test_nonsense(m):
    """Windows that are none, errors, bytes without end: nothing of the domains changes, and the CA is asked less and less often."""
    now = time.time()
    bad = [dict(status=500), dict(status=404), dict(body="<html>", status=200), dict(status=200, body={"suggestedWindow": {"start": "soon", "end": "later"}}),
           dict(status=200, body={"suggestedWindow": {"start": rfc3339(now + DAY), "end": rfc3339(now - DAY)}}),
           dict(status=200, body={}), dict(status=200, body=[]), dict(size=3 << 20), dict(drop="before"),
           dict(status=200, body={"suggestedWindow": {"start": "0001-01-01T00:00:00Z", "end": "9999-12-31T23:59:59Z"}})]
    names = [f"nonsense{i}.test" for i in range(len(bad))]
    good = window(m, now + 80 * DAY, now + 81 * DAY)
    for name in names:
        managed.add(m, name)
    cursor = m.cursor()
    apache.reload(m)
    m.wait_for(lambda: {e["MD_NAME"] for e in m.journal("MD_EVENT=installed", after=cursor)} >= set(names), 60, "all to be installed")
    for name in names:
        wait_info(m, name, lambda i: i.get("chosen"))
    before = {name: managed.show(m, name)["NextUSec"] for name in names}
    for name, how in zip(names, bad):
        m.ca.proxy.rule(kind="renewal-info", path=ids(m, name).replace(".", "[.]") + "$", **how)
    m.ca.proxy.forget(good)         # last: what Pebble itself says comes with a Retry-After of six hours
    try:
        for name, how in zip(names, bad):
            def is_doubled(i):
                """What is due within a minute is asked for together: the last request was that of this failure."""
                wait = at(i["next-poll"]) - m.ca.proxy.seen("renewal-info")[-1].time
                return i.get("failures", 0) >= 6 and abs(wait - INTERVAL / 16 * 2 ** i["failures"]) < 2
            found = wait_info(m, name, is_doubled, 90)
            assert managed.show(m, name)["NextUSec"] == before[name] and found["chosen"], how
    finally:
        m.ca.proxy.clear()


def test_off(m):
    """MDRenewViaARI off, and manual mode: nobody asks, and orders name nothing."""
    rule = window(m, time.time() + 80 * DAY, time.time() + 81 * DAY)
    try:
        add(m, "off.test", directives="MDRenewViaARI off")
        add(m, "on.test")
        m.ca.proxy.requests.clear()
        off, on = ids(m, "off.test"), ids(m, "on.test")
        m.wait_for(lambda: sum(on in r.path for r in m.ca.proxy.seen("renewal-info")) > 1, 30, "the other one to be asked for twice")
        assert not any(off in r.path for r in m.ca.proxy.seen("renewal-info"))
        managed.mdctl(m, "renew", "--force", "off.test")
        assert "replaces" not in m.ca.proxy.seen("new-order")[-1].payload
    finally:
        m.ca.proxy.forget(rule)


def test_together(m):
    """One light run asks for the certificates of many domains, over one connection."""
    names = [f"together{i}.test" for i in range(6)]
    m.ca.proxy.clear()
    now = time.time()
    rule = window(m, now + 80 * DAY, now + 81 * DAY)
    for name in names:
        managed.add(m, name)
    cursor = m.cursor()
    apache.reload(m)
    m.wait_for(lambda: {e["MD_NAME"] for e in m.journal("MD_EVENT=installed", after=cursor)} >= set(names), 60, "all to be installed")
    wanted = {ids(m, name) for name in names}

    def one_run():
        by_connection = {}
        for r in m.ca.proxy.seen("renewal-info"):
            by_connection.setdefault(r.connection, set()).add(r.path.rpartition("/")[2])
        return any(wanted <= asked for asked in by_connection.values())
    try:
        m.wait_for(one_run, 30, "one run for all of them")
    finally:
        m.ca.proxy.forget(rule)
