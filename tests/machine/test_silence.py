# SPDX-License-Identifier: Apache-2.0
"""Never silent: what nobody renews is told more and more urgently, what is refused, limited or revoked is told to everybody, and what is missing is set again."""

import contextlib
import json
import time

import apache
import managed
from test_hooks import HOOK, HOOK_TEXT, calls, wait_call

PACKAGED = True

ME = "_SYSTEMD_UNIT=md-manager.service"
LIFE = 60           # seconds, of what nothing renews


def setup(m):
    m.write(HOOK, HOOK_TEXT, mode=0o755)
    managed.install(m)
    managed.settings(m, ReloadIntervalSec=1)
    m.write("/etc/apache2/conf-enabled/hook.conf", f"MDMessageCmd {HOOK} told\nMDRetryDelay 4s\n")


@contextlib.contextmanager
def site(m, name, *aliases, directives="", wait="installed"):
    managed.add(m, name, *aliases, directives=directives)
    cursor = m.cursor()
    apache.reload(m)
    if wait:
        managed.wait_event(m, name, wait, cursor)
    try:
        yield cursor
    finally:
        managed.remove(m, name)
        apache.reload(m)
        m.wait_for(lambda: not managed.is_known(m, name), 20, f"{name} to be forgotten")


def watch(m):
    """Signals of the manager, from now on."""
    watcher = m.start(["busctl", "monitor", "--json=short", "--match=type='signal',sender='org.mdmanager1',member='Event'", "--match=type='signal',member='NameOwnerChanged'"])
    m.wait_for(lambda: m.run("busctl call org.freedesktop.DBus / org.freedesktop.DBus GetId") and watcher.wait_line("NameOwnerChanged", 0.1), 10, "the bus to be watched")
    return watcher


def wait_signal(watcher, event, name):
    while True:
        line = watcher.line(30)
        assert line is not None, f"no signal {event} for {name}"
        message = json.loads(line) if line.startswith("{") else {}
        if message.get("member") == "Event" and message["payload"]["data"][:2] == [event, name]:
            return message["payload"]["data"]


def check_told(m, watcher, name, event, cursor):
    """The journal with id and explanation, the bus, the job's log, and the hook: the journal's entry."""
    entry = m.wait_journal(ME, f"MD_NAME={name}", f"MD_EVENT={event}", after=cursor)
    explained = m.run(["journalctl", "--catalog", "--no-pager", f"--cursor={entry['__CURSOR']}", "--lines=1"], check=False).out
    assert entry["MESSAGE_ID"] and "Subject:" in explained and "man:" in explained, explained
    assert wait_signal(watcher, event, name)[2] in entry["MESSAGE"]
    call = wait_call(m, name, event, cursor)
    assert call["arguments"] == ["told", event, name] and call["environment"]["MD_DETAIL"] in entry["MESSAGE"], call
    return entry


def test_rising_urgency(m):
    """The nearer its end, the more urgent: 'expiring' at each step, with rising priority, also to the hook; the steps are met without anybody looking; the end is a fault."""
    name = "ends.example.org"
    m.ca.restart(validity=LIFE)
    with site(m, name, directives="MDRenewMode manual\nMDWarnWindow 32s", wait=None) as cursor:
        m.wait_for(lambda: managed.is_known(m, name), 20, "the domain to be known")
        managed.renew(m, name)
        managed.wait_event(m, name, "installed", cursor)
        until = managed.show(m, name)["ValidUntilUSec"] / 1e6
        assert not m.journal(f"MD_NAME={name}", "MD_EVENT=expiring", after=cursor)
        assert managed.check(m) == []
        steps = [("noticed", "5", 32), ("near", "4", 16), ("nearer", "3", 8), ("last-day", "2", 4), ("passed", "1", 0)]
        at = cursor
        for _, priority, before in steps:
            entry = m.wait_journal(ME, f"MD_NAME={name}", "MD_EVENT=expiring", after=at, deadline=60)
            entry["at"] = int(entry["__REALTIME_TIMESTAMP"])
            assert entry["PRIORITY"] == priority and entry["MESSAGE_ID"], (priority, entry)
            assert -1 < entry["at"] / 1e6 - (until - before) < 4, (before, entry["MESSAGE"], entry["at"] / 1e6 - until)
            at = entry["__CURSOR"]
        m.wait_for(lambda: [call["environment"]["MD_URGENCY"] for call in calls(m, cursor, name) if call["arguments"][-2] == "expiring"] == [s[0] for s in steps], 20,
                   "the hook to be told each step")
        [[domain, fault]] = managed.check(m)
        assert domain == name and "expired" in fault, fault
        assert "1 with problems" in m.unit("md-manager.service")["StatusText"]
        # Told once a day, not by each manager.
        again = m.cursor()
        m.run("systemctl restart md-manager")
        managed.check(m)
        assert not m.journal(ME, f"MD_NAME={name}", "MD_EVENT=expiring", after=again)
    m.ca.restart(validity=90 * 86400)


def test_refused(m):
    """A domain that the server disables is told to journal, bus, job and hook, once; again when it was mended meanwhile; and is a fault with its reason."""
    name = "refused.example.org"
    watcher = watch(m)
    bad = "MDPrivateKeys no-such-curve"
    with site(m, name, directives=bad, wait=None) as cursor:
        entry = check_told(m, watcher, name, "configuration-refused", cursor)
        assert entry["PRIORITY"] == "3" and "no-such-curve" in entry["MESSAGE"], entry
        [[domain, fault]] = managed.check(m)
        assert domain == name and "The server disabled it" in fault, fault
        assert managed.job(m, name)["log"]["entries"][0]["type"] in ("refused", "message-configuration-refused")
        again = m.cursor()
        m.run("systemctl restart md-manager")
        managed.check(m)
        assert not m.journal(f"MD_NAME={name}", "MD_EVENT=configuration-refused", after=again)
        managed.add(m, name)
        apache.reload(m)
        managed.wait_event(m, name, "installed", again)
        managed.add(m, name, directives=bad)
        apache.reload(m)
        managed.wait_event(m, name, "configuration-refused", again)
    watcher.stop()


def test_snapshot_refused(m):
    """A server's file that cannot be read is told on the bus as well, and in the status line."""
    watcher = watch(m)
    m.write(f"{managed.STORE}/servers/torn.json", "{", owner="root:md-manager")
    assert "torn.json" in wait_signal(watcher, "snapshot-refused", "")[2]
    m.wait_for(lambda: "1 complaint;" in m.unit("md-manager.service")["StatusText"] or "1 complaint," in m.unit("md-manager.service")["StatusText"], 10, "the status line to count it")
    m.run(f"rm {managed.STORE}/servers/torn.json")
    m.wait_for(lambda: "complaint" not in m.unit("md-manager.service")["StatusText"], 20, "the status line to be as before")
    watcher.stop()


def test_rate_limited(m):
    """That a CA limits us is told to journal, bus, job and hook, with the time that it names."""
    name = "limited.example.org"
    watcher = watch(m)
    m.ca.proxy.rule(kind="new-order", problem="rateLimited", status=429, detail="too many of them", headers={"Retry-After": "5"}, times=1)
    with site(m, name, wait=None) as cursor:
        entry = check_told(m, watcher, name, "rate-limited", cursor)
        assert "too many of them" in entry["MESSAGE"] and "not again before" in entry["MESSAGE"] and entry["PRIORITY"] == "4", entry
        managed.wait_event(m, name, "installed", cursor, deadline=60)
    m.ca.proxy.clear()
    watcher.stop()


def test_revoked(m):
    """That a certificate was revoked is told to journal, bus, job and hook."""
    name = "revoked.example.org"
    watcher = watch(m)
    with site(m, name):
        cursor, serial = m.cursor(), managed.is_real(m, name).serial
        managed.mdctl(m, "revoke", name)
        entry = check_told(m, watcher, name, "revoked", cursor)
        assert serial in entry["MESSAGE"].lower(), entry
        assert "revoked" in [e["type"] for e in managed.job(m, name)["log"]["entries"]]
    watcher.stop()


def test_timer_stopped(m):
    """A timer that somebody stopped is found by the check, told, and set again as it was."""
    name = "timer.example.org"
    with site(m, name):
        at = managed.show(m, name)["NextUSec"]
        m.wait_for(lambda: managed.timer_is(m, name, at), 10, "the timer")
        m.run(["systemctl", "stop", managed.show(m, name)["TimerUnit"]])
        assert managed.timer(m, name) is None
        cursor = m.cursor()
        m.run("systemctl start md-manager-check.service")
        m.wait_for(lambda: managed.timer_is(m, name, at), 10, "the timer to be there again")
        assert m.wait_journal(ME, f"MD_NAME={name}", after=cursor, where=lambda e: "was not there any more; it is set again" in e["MESSAGE"])
        # One that is there is left alone.
        cursor = m.cursor()
        managed.check(m)
        m.run("systemctl start md-manager-check.service")
        assert managed.timer_is(m, name, at) and not [e for e in m.journal(ME, after=cursor) if "is set again" in e["MESSAGE"]]


def test_timer_impossible(m):
    """A timer that cannot be set, because somebody masked a unit, is a fault with the reason, told once; unmasked, the next check sets it, and all is well."""
    name, status = "masked.example.org", lambda: m.unit("md-manager.service")["StatusText"]
    with site(m, name):
        at, unit = managed.show(m, name)["NextUSec"], managed.show(m, name)["TimerUnit"]
        m.wait_for(lambda: managed.timer_is(m, name, at), 10, "the timer")
        m.run("systemctl mask --now md-launcher.service")
        m.run(["systemctl", "stop", unit])
        cursor = m.cursor()
        managed.check(m)
        said = m.wait_for(lambda: next((fault for domain, fault in managed.check(m) if domain == name), None), 20, "the fault")
        assert "Its timer cannot be set: " in said and "md-launcher.service is masked. As long" in said, said
        m.wait_for(lambda: ", 1 with problems" in status(), 10, "the status line to count it")
        managed.check(m)
        assert len([e for e in m.journal(ME, after=cursor) if "Its timer was not set" in e["MESSAGE"]]) == 1
        m.run("systemctl unmask md-launcher.service")
        managed.check(m)
        m.wait_for(lambda: managed.timer_is(m, name, at), 20, "the timer to be there again")
        m.wait_for(lambda: managed.check(m) == [] and ", 0 with problems" in status(), 20, "all to be well")
