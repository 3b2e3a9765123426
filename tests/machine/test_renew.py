# SPDX-License-Identifier: Apache-2.0
"""The whole way: from MDomain to live https, and on."""

import apache
import managed
from machine import Certificate, Visitor

SUITES = ["trixie", "bookworm", "testing"]
PACKAGED = True
SECOND = 1000000

# Certificates of the last test, in seconds: how long they live, and how long before their end they are renewed.
LIFE, WINDOW = 36, 23


def setup(m):
    managed.install(m)


def test_first_certificate(m):
    """A new MDomain and one reload: https is served with the CA's certificate, without a second reload by hand."""
    cursor = m.cursor()
    managed.add(m, "example.org", "www.example.org")
    apache.reload(m)
    certificate = managed.wait_served(m, "example.org")
    assert sorted(certificate.names) == ["example.org", "www.example.org"], certificate
    status, _, body = m.https("example.org", roots=m.ca.root())
    assert status == 200 and body == b"example.org", (status, body)
    managed.wait_event(m, "example.org", "installed", cursor)
    assert managed.left_over(m) == []


def test_requests(m):
    """One name costs the CA no more requests than RFC 8555 needs, and no account that there is already."""
    m.ca.proxy.clear()
    log = m.ca.directory / "pebble.log"
    before, steps = len(log.read_text()), iter(("set VALID", "Issued certificate"))

    def let_ca_do_it(_):
        """The CA is done at every look, however busy the machine is."""
        step = next(steps, "")
        m.wait_for(lambda: step in log.read_text()[before:], 20, f"the CA to say '{step}'")

    m.ca.proxy.rule(kind="order", before=let_ca_do_it, delay=0.2)
    managed.add(m, "second.example.org")
    cursor = m.cursor()
    apache.reload(m)
    managed.wait_event(m, "second.example.org", "renewed", cursor)
    counts = m.ca.proxy.counts()
    at_most = {"directory": 1, "new-nonce": 1, "new-order": 1, "authorization": 2, "challenge": 1, "order": 2, "finalize": 1, "certificate": 1}
    assert set(counts) == set(at_most) and all(counts[kind] <= n for kind, n in at_most.items()), counts
    m.ca.proxy.clear()
    managed.remove(m, "second.example.org")
    apache.reload(m)


def ensure(m):
    """The first domain, when these tests are run without the one that adds it."""
    if not managed.is_known(m, "example.org"):
        test_first_certificate(m)


def test_timer(m):
    """systemctl list-timers shows when the renewal is due: a third of the certificate's life before its end, as the bus says."""
    ensure(m)
    certificate = m.certificate("example.org")
    due = certificate.not_after - (certificate.not_after - certificate.not_before) * 33 / 100
    shown = managed.show(m, "example.org")
    assert abs(shown["NextUSec"] - due * SECOND) <= SECOND and shown["NextUSec"] == shown["RenewAtUSec"], (due, shown)
    assert shown["TimerUnit"] == "md-renew@example.org.timer" and shown["Reason"] == "renew-window", shown
    assert managed.timer_is(m, "example.org", shown["NextUSec"]), (shown["NextUSec"], managed.timer(m, "example.org"))
    assert m.unit("md-renew@example.org.timer")["Unit"] == "md-renew@example.org.service"


def test_timer_stays(m):
    """The timer is there, with the same time, when the manager was restarted, killed, or the machine rebooted, whoever took it away meanwhile."""
    ensure(m)
    at = managed.show(m, "example.org")["NextUSec"]
    m.run("systemctl restart md-manager")
    m.wait_for(lambda: managed.timer_is(m, "example.org", at), 10, "the timer after a restart")
    m.run("systemctl stop md-renew@example.org.timer md-manager")
    assert managed.timer(m, "example.org") is None
    m.run("systemctl start md-manager")
    m.wait_for(lambda: managed.timer_is(m, "example.org", at), 10, "the timer that was stopped")
    managed.kill(m)
    m.run("systemctl stop md-renew@example.org.timer")
    m.wait_for(lambda: managed.timer_is(m, "example.org", at), 10, "the timer after the manager was killed")
    m.ca.proxy.clear()
    m.reboot()
    m.wait_for(lambda: managed.timer_is(m, "example.org", at), 20, "the timer after a reboot")
    assert managed.show(m, "example.org")["NextUSec"] == at
    assert m.https("example.org", roots=m.ca.root())[0] == 200
    assert m.ca.proxy.counts() == {}, m.ca.proxy.counts()


def test_renewals(m):
    """Certificates of half a minute are renewed by their timers, several in a row, and every request meanwhile is answered with a valid one."""
    name, rounds = "short.example.org", 3 if m.suite == "trixie" else 1
    managed.settings(m, ReloadIntervalSec=1)
    m.ca.restart(validity=LIFE)
    m.ca.proxy.clear()
    managed.add(m, name, directives=f"MDRenewWindow {WINDOW}s")
    apache.reload(m)
    certificate = managed.wait_served(m, name)
    served = [certificate.fingerprint]
    with Visitor(m, name, roots=m.ca.root(), pause=0.02) as visitor:
        for _ in range(rounds):
            cursor = m.cursor()
            due = managed.show(m, name)["RenewAtUSec"]
            assert due == (certificate.not_after - WINDOW) * SECOND, (due, certificate.not_after)
            assert managed.timer_is(m, name, due), (due, managed.timer(m, name))
            # The manager's own clock stands a minute behind the timer: what begins now was begun by the timer.
            begun = managed.wait_event(m, name, "renewing", cursor, LIFE)["at"]
            assert 0 <= begun - due < 2.5 * SECOND, (due, begun)
            certificate = managed.wait_served(m, name, 10, other_than=certificate)
            managed.wait_event(m, name, "installed", cursor, 10)
            served.append(certificate.fingerprint)
    assert not visitor.wrong and visitor.answered > 50 * rounds, (visitor.answered, visitor.wrong)
    assert [Certificate(der).fingerprint for _, der in visitor.certificates] == served
    counts = m.ca.proxy.counts()
    assert counts["finalize"] == rounds + 1 and counts["new-account"] == 1, counts
    # An archived set for each that was replaced; nothing half done.
    assert len([entry for entry in managed.files(m, "archive") if entry.startswith(name)]) == rounds
    assert managed.left_over(m) == []


def test_debug(m):
    """A drop-in for the unit of one domain has its conversation with the CA told, request by request; without it nothing of that is in the journal."""
    ensure(m)
    drop_in = "/etc/systemd/system/md-renew@example.org.service.d"
    m.write(f"{drop_in}/debug.conf", "[Service]\nEnvironment=SYSTEMD_LOG_LEVEL=debug\n")
    for wanted in (True, False):
        m.run("systemctl daemon-reload")
        cursor = m.cursor()
        managed.renew(m, "example.org")
        managed.wait_event(m, "example.org", "installed", cursor)
        told = [entry for entry in m.journal("MD_NAME=example.org", after=cursor) if "MD_URL" in entry]
        assert bool(told) == wanted, told
        assert all(entry["PRIORITY"] == "7" and entry["MD_URL"] in entry["MESSAGE"] for entry in told), told
        m.run(["rm", "-rf", drop_in])
        if wanted:
            assert any("/dir: 200, application/json" in entry["MESSAGE"] for entry in told) and any("POST" in entry["MESSAGE"] for entry in told), told
    m.run("systemctl daemon-reload")
