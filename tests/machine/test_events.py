# SPDX-License-Identifier: Apache-2.0
"""Events as mod_md has them: who may veto, what is told again until it is heard, what is told seldom, and that nothing is lost."""

import contextlib
import json
import shlex

import apache
import managed
from test_hooks import HOOK, HOOK_TEXT, calls, other_hook, wait_call

SUITES = ["trixie", "bookworm"]
PACKAGED = True

STORE = managed.STORE
ME = "_SYSTEMD_UNIT=md-manager.service"


def setup(m):
    m.write(HOOK, HOOK_TEXT, mode=0o755)
    managed.install(m)
    managed.settings(m, ReloadIntervalSec=1)
    m.write("/etc/systemd/system/md-manager.service.d/soon.conf", "[Service]\nRestartSec=100ms\n")
    m.run("systemctl daemon-reload")
    write(m)


def write(m, **directives):
    """Apache reads it with the next domain, or reload."""
    words = {"MDMessageCmd": f"{HOOK} told", "MDRetryDelay": "2s"} | directives
    m.write("/etc/apache2/conf-enabled/hook.conf", "".join(f"{key} {value}\n" for key, value in words.items() if value))


def configure(m, **directives):
    write(m, **directives)
    apache.reload(m)
    words = shlex.split(directives["MDNotifyCmd"]) if "MDNotifyCmd" in directives else None
    if not m.exists(f"{STORE}/servers/apache2.json"):
        return      # no domain yet: it comes with the first one
    m.wait_for(lambda: json.loads(m.read(f"{STORE}/servers/apache2.json")).get("notify-cmd") == words, 10, "the snapshot to say so")


def events(m, after, name):
    """What MDMessageCmd was told, but for challenges."""
    return [call["arguments"][-2] for call in calls(m, after, name) if len(call["arguments"]) > 1 and not call["arguments"][-2].startswith("challenge-setup")]


def outbox(m, name):
    path = f"{STORE}/outbox/{name}/outbox.json"
    return json.loads(m.read(path)) if m.exists(path) else {}


def begun(m, name, after):
    """The worker's units that were started for it."""
    return [e for e in m.journal("_PID=1", f"UNIT=md-renew@{name}.service", after=after) if "Starting" in e["MESSAGE"]]


def wait_veto(m, name, after):
    return m.wait_journal(ME, f"MD_NAME={name}", "MD_EVENT=renewing", after=after, where=lambda e: "that is a veto" in e["MESSAGE"])


@contextlib.contextmanager
def site(m, name):
    managed.add(m, name)
    apache.reload(m)
    try:
        yield
    finally:
        managed.remove(m, name)
        apache.reload(m)


def test_veto(m):
    """A command that fails for 'renewing' vetoes the attempt: no worker is started, no error counted; it says until when; asked again, it may agree."""
    cursor = m.cursor()
    with other_hook(m, "renewing", "#!/bin/sh\nexit 7\n"):
        managed.add(m, "veto.example.org")
        apache.reload(m)
        told = wait_veto(m, "veto.example.org", cursor)
        assert told["MD_EXIT_STATUS"] == "7" and told["MD_UNIT"].startswith("md-hook-renewing-veto.example.org-"), told
        m.wait_for(lambda: "vetoed" in managed.show(m, "veto.example.org")["Detail"], 10, "the domain to say what holds it back")
        assert managed.job(m, "veto.example.org").get("errors", 0) == 0
        # A check does not shorten it, and what is asked for is vetoed, too.
        managed.check(m)
        again = m.cursor()
        managed.renew(m, "veto.example.org")
        wait_veto(m, "veto.example.org", again)
        assert not begun(m, "veto.example.org", cursor)
        assert not m.journal(ME, "MD_NAME=veto.example.org", "MD_EVENT=errored", after=cursor)
    managed.renew(m, "veto.example.org")
    asked = wait_call(m, "veto.example.org", "renewing", cursor)
    assert asked["arguments"] == ["told", "renewing", "veto.example.org"] and asked["uid"] == int(m.run("id -u md-hook").out), asked
    assert asked["environment"]["MD_DOMAINS"] == "veto.example.org" and asked["environment"]["MD_DETAIL"], asked
    wait_call(m, "veto.example.org", "installed", cursor)
    assert json.loads(asked["input"])["event"] == "renewing", asked
    # Agreed: nobody is asked again within the hour, also not by another manager.
    m.run("systemctl restart md-manager")
    cursor = m.cursor()
    managed.renew(m, "veto.example.org")
    wait_call(m, "veto.example.org", "installed", cursor)
    assert sorted(events(m, cursor, "veto.example.org")) == ["installed", "renewed"]
    managed.remove(m, "veto.example.org")
    apache.reload(m)


def test_veto_ends(m):
    """What was vetoed is tried again at the next regular check (MDCheckInterval), by itself."""
    cursor = m.cursor()
    write(m, MDCheckInterval="4s")
    with other_hook(m, "renewing", "#!/bin/sh\n[ -e /run/agree ]\n"), site(m, "later.example.org"):
        wait_veto(m, "later.example.org", cursor)
        second = m.cursor()
        wait_veto(m, "later.example.org", second)
        m.write("/run/agree", "")
        managed.wait_served(m, "later.example.org")
    m.run("rm /run/agree")
    configure(m)


def test_veto_hanging(m):
    """A command that hangs when it is asked holds up its own renewal alone, and its time is a veto."""
    m.write("/etc/systemd/system/md-hook-renewing-.service.d/time.conf", "[Service]\nTimeoutStartSec=8s\n")
    m.run("systemctl daemon-reload")
    cursor = m.cursor()
    text = '#!/bin/sh\n[ "$2" != hangs.example.org ] || while :; do sleep 1; done\n'
    with other_hook(m, "renewing", text), site(m, "hangs.example.org"):
        m.wait_journal("_PID=1", after=cursor, where=lambda e: "md-hook-renewing-hangs" in e.get("UNIT", ""))
        with site(m, "other.example.org"):
            managed.wait_served(m, "other.example.org")
        told = wait_veto(m, "hangs.example.org", cursor)
        assert told["MD_RESULT"] == "timeout", told
        assert not begun(m, "hangs.example.org", cursor)
    m.run("rm -r /etc/systemd/system/md-hook-renewing-.service.d; systemctl daemon-reload")


def test_notify(m):
    """MDNotifyCmd runs on 'renewed' alone, once, with the name appended; until it succeeds, MDMessageCmd does not hear of it, but of what comes later."""
    cursor = m.cursor()
    configure(m, MDNotifyCmd=f"{HOOK}")
    with other_hook(m, "renewed-notify", "#!/bin/sh\n[ -e /run/agree ]\n"), site(m, "notify.example.org"):
        wait_call(m, "notify.example.org", "installed", cursor)
        failed = m.wait_journal(ME, "MD_NAME=notify.example.org", "MD_EVENT=renewed", "MD_EXIT_STATUS=1", after=cursor)
        assert failed["MD_UNIT"].startswith("md-hook-renewed-notify-notify.example.org-") and "MDNotifyCmd" in failed["MESSAGE"], failed
        again = m.cursor()
        m.wait_journal(ME, "MD_NAME=notify.example.org", "MD_EVENT=renewed", "MD_EXIT_STATUS=1", after=again)
        assert "renewed" not in events(m, cursor, "notify.example.org")
        log = [entry for entry in managed.job(m, "notify.example.org")["log"]["entries"] if entry["type"] == "notify-error"]
        assert log[0]["status"] == "urn:org:apache:httpd:log:AH10108:", log
        m.write("/run/agree", "")
        wait_call(m, "notify.example.org", "renewed", cursor)
        assert events(m, cursor, "notify.example.org").count("renewed") == 1
    cursor = m.cursor()
    with site(m, "plain.example.org"):
        managed.wait_served(m, "plain.example.org")
        wait_call(m, "plain.example.org", "renewed", cursor)
        [notified] = [call for call in calls(m, cursor, "plain.example.org") if len(call["arguments"]) == 1]
        assert notified["arguments"] == ["plain.example.org"] and notified["environment"]["MD_EVENT"] == "renewed", notified
    m.run("rm /run/agree")
    configure(m)


def test_intervals(m):
    """'errored' is told at most once an hour, whoever the manager is; in the journal it is each time."""
    cursor = m.cursor()
    rule = m.ca.proxy.rule(kind="new-order", problem="rejectedIdentifier", detail="We do not like this name", times=3)
    with site(m, "seldom.example.org"):
        wait_call(m, "seldom.example.org", "errored", cursor)
        log = lambda: [entry["type"] for entry in managed.job(m, "seldom.example.org")["log"]["entries"]]
        m.wait_for(lambda: "message-errored" in log(), 10, "the job to have it in its log")
        for attempt in (2, 3):
            m.run("systemctl restart md-manager")
            again = m.cursor()
            managed.mdctl(m, "retry", "seldom.example.org", check=False)     # waits, and says that it failed
            m.wait_journal(ME, "MD_NAME=seldom.example.org", "MD_EVENT=errored", after=again, where=lambda e: "The renewal failed" in e["MESSAGE"])
            assert rule.used == attempt
        again = m.cursor()
        managed.mdctl(m, "retry", "seldom.example.org")
        wait_call(m, "seldom.example.org", "installed", again)
    assert events(m, cursor, "seldom.example.org").count("errored") == 1


def test_nothing_is_lost(m):
    """Events whose hooks could not be run are told, in order, by the next manager, and by that of the next boot; the outbox is private."""
    with site(m, "kept.example.org"):
        managed.wait_served(m, "kept.example.org")
        wait_idle = lambda: m.wait_for(lambda: not outbox(m, "kept.example.org").get("entries"), 20, "all to be told")
        m.wait_for(lambda: outbox(m, "kept.example.org").get("told", {}).get("installed"), 20, "all to be told")
        for end in (lambda: managed.kill(m), m.reboot):
            wait_idle()
            m.run("systemctl stop md-launcher; systemctl mask --runtime md-launcher")
            cursor = m.cursor()
            before = managed.is_real(m, "kept.example.org")
            managed.renew(m, "kept.example.org")
            managed.wait_event(m, "kept.example.org", "installed", cursor)
            managed.wait_served(m, "kept.example.org", other_than=before)
            assert [entry["event"] for entry in outbox(m, "kept.example.org")["entries"]] == ["renewed", "installed"]
            shown = m.run(f"stat -c '%a %U %n' {STORE}/outbox {STORE}/outbox/kept.example.org {STORE}/outbox/kept.example.org/*").out.splitlines()
            assert [line.split()[:2] for line in shown] == [["700", "md-manager"], ["700", "md-manager"], ["600", "md-manager"]], shown
            assert not events(m, cursor, "kept.example.org")
            end()
            m.run("systemctl unmask --runtime md-launcher", check=False)
            wait_call(m, "kept.example.org", "installed", cursor)
            wait_call(m, "kept.example.org", "renewed", cursor)
            starts = [e["UNIT"] for e in m.journal("_PID=1", after=cursor)
                      if e.get("UNIT", "").startswith(("md-hook-renewed-kept", "md-hook-installed-kept")) and "Starting" in e["MESSAGE"]]
            assert [unit.split("-")[2] for unit in starts] == ["renewed", "installed"], starts
            wait_idle()


def test_storm(m):
    """Many events of one kind that nobody could hear are one message: the last."""
    with site(m, "storm.example.org"):
        m.wait_for(lambda: outbox(m, "storm.example.org").get("told", {}).get("installed"), 30, "the first ones to be told")
        m.run("systemctl stop md-launcher; systemctl mask --runtime md-launcher")
        cursor = m.cursor()
        for _ in range(3):
            before, again = managed.is_real(m, "storm.example.org"), m.cursor()
            managed.renew(m, "storm.example.org")
            managed.wait_served(m, "storm.example.org", other_than=before)
            managed.wait_event(m, "storm.example.org", "installed", again)
        last = outbox(m, "storm.example.org")["entries"]
        assert sorted(entry["event"] for entry in last) == ["installed", "renewed"], last
        m.run("systemctl unmask --runtime md-launcher")
        told = wait_call(m, "storm.example.org", "renewed", cursor)
        wait_call(m, "storm.example.org", "installed", cursor)
        assert told["environment"]["MD_SERIALS"].lower() == managed.is_real(m, "storm.example.org").serial, told
        assert sorted(events(m, cursor, "storm.example.org")) == ["installed", "renewed"]


def test_bus(m):
    """How each hook ended is a signal on the bus, with its unit."""
    signals = managed.Signals(m)
    with other_hook(m, "installed", "#!/bin/sh\nkill -KILL $$\n"), site(m, "bus.example.org"):
        ends = {event: [name, *rest] for event, name, *rest in signals.wait("HookEnded", lambda values: values[0] == "installed")}
    signals.stop()
    assert ends["renewing"][0] == "bus.example.org" and ends["renewing"][2:] == ["success", 1, 0], ends
    assert ends["installed"][1].startswith("md-hook-installed-bus.example.org-") and ends["installed"][2:] == ["signal", 2, 9], ends
