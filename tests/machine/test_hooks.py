# SPDX-License-Identifier: Apache-2.0
"""Hooks: what MDMessageCmd names, run as units of their own when something happens to a domain."""

import contextlib
import json
import re
import shlex

import apache
import hands
import host
import managed

SUITES = ["trixie", "bookworm"]
PACKAGED = True
STANDS_ON = "test_renewal"

STORE = managed.STORE
LAUNCHER = ("org.mdmanager1.Launcher", "/org/mdmanager1/Launcher", "org.mdmanager1.Launcher")

# Tells how it was called, as one line of JSON; or does what the test wrote for its event.
HOOK = "/usr/local/lib/md-test/tell"
HOOK_TEXT = """#!/usr/bin/python3 -B
import json, os, sys
event, domain = sys.argv[-2:] if len(sys.argv) > 2 else ("renewed-notify", sys.argv[-1])
own = f"/etc/md-test/hook-{event}"
if os.path.exists(own):
    os.execv(own, [own, event, domain])
print("hook", json.dumps({"arguments": sys.argv[1:], "environment": dict(os.environ), "uid": os.getuid(), "gid": os.getgid(),
                          "chains": [open(path).read() for path in os.environ.get("MD_CERTIFICATES", "").split()], "groups": os.getgroups(), "umask": os.umask(0), "directory": os.getcwd(), "input": sys.stdin.read()}))
"""
RETRY = 4       # seconds, until a hook that failed runs again
COMMAND = f'{HOOK} first "two words" %n $HOME'


def setup(m):
    m.write(HOOK, HOOK_TEXT, mode=0o755)
    managed.install(m)
    managed.settings(m, ReloadIntervalSec=1)
    write_command(m, COMMAND)       # Apache reads it with the first domain


def ensure(m):
    """A domain with a certificate, when a test is run without those before it."""
    if not managed.is_known(m, "example.org"):
        managed.add(m, "example.org", "www.example.org")
        apache.reload(m)
        managed.wait_served(m, "example.org")


def write_command(m, command):
    m.write("/etc/apache2/conf-enabled/hook.conf", f"MDRetryDelay {RETRY}s\n" + (f"MDMessageCmd {command}\n" if command else ""))


def set_hook(m, command):
    """For all domains; returns when Apache's snapshot says so, which is some time after the reload."""
    write_command(m, command)
    apache.reload(m)
    words = shlex.split(command) if command else None
    m.wait_for(lambda: json.loads(m.read(f"{STORE}/servers/apache2.json")).get("message-cmd") == words, 10, f"the snapshot to name {command}")


def calls(m, after, name=None):
    """How the hook was called since then: what it told, with the journal's entry as 'entry'."""
    found = []
    for entry in m.journal("SYSLOG_IDENTIFIER=tell", after=after):
        if entry["MESSAGE"].startswith("hook ") and (name is None or entry["MD_NAME"] == name):
            found.append(dict(json.loads(entry["MESSAGE"].removeprefix("hook ")), entry=entry))
    return found


def wait_call(m, name, event, after, field=None):
    """Of MDMessageCmd: MDNotifyCmd is called for the same event, without its name among the arguments. 'field': how the journal has it."""
    def told(entry):
        return entry["MESSAGE"].startswith("hook ") and json.loads(entry["MESSAGE"].removeprefix("hook "))["arguments"][-2:-1] == [event]
    m.wait_journal(f"MD_NAME={name}", f"MD_EVENT={field or event}", "SYSLOG_IDENTIFIER=tell", after=after, where=told)
    return [call for call in calls(m, after, name) if call["arguments"][-2:-1] == [event]][-1]


@contextlib.contextmanager
def other_hook(m, event, text):
    """For one event, another program."""
    path = f"/etc/md-test/hook-{event}"
    m.write(path, text, mode=0o755)
    try:
        yield
    finally:
        m.run(["rm", path])


def run_hook(m, event):
    """Has the launcher run a hook of example.org: the name of its unit."""
    out = m.run(["busctl", "--json=short", "call", *LAUNCHER, "RunHook", "ssa{ss}", "example.org", event, "0"]).out
    return json.loads(out)["data"][0]


def wait_gone(m, unit):
    m.wait_for(lambda: unit not in m.run("systemctl list-units --all --plain 'md-hook-*'").out, 10, f"{unit} to be gone")


def wait_told(m, name, event, after):
    """Waits until the manager tells of the event."""
    return m.wait_journal(f"MD_NAME={name}", f"MD_EVENT={event}", "_SYSTEMD_UNIT=md-manager.service", after=after)


def test_renewal(m):
    """A renewal runs hooks for renewed and installed, once each: arguments EVENT DOMAIN behind the configured ones, the promised environment, no more."""
    cursor = m.cursor()
    managed.add(m, "example.org", "www.example.org")
    apache.reload(m)
    installed = wait_call(m, "example.org", "installed", cursor)
    renewed = wait_call(m, "example.org", "renewed", cursor)
    version = m.property("org.mdmanager1", "/org/mdmanager1", "org.mdmanager1.Manager", "Version")
    for event, call in (("renewed", renewed), ("installed", installed)):
        # Words are what Apache's configuration says: nobody expands them.
        assert call["arguments"] == ["first", "two words", "%n", "$HOME", event, "example.org"], call
        own = {key: value for key, value in call["environment"].items() if key.startswith("MD_")}
        assert own.pop("MD_DETAIL"), call
        told = {key: own.pop(f"MD_{key.upper()}") for key in ("serials", "fingerprints", "not_before", "not_after")}
        assert told["serials"] in m.run(["openssl", "x509", "-noout", "-serial", "-in", f"{STORE}/domains/example.org/pubcert.pem"]).out, told
        assert re.fullmatch("[0-9a-f]{64}", told["fingerprints"]), told
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", told[key]) for key in ("not_before", "not_after")), told
        directory = "domains" if event == "installed" else "public"     # a copy for those who may not read the key beside it
        assert own.pop("MD_CERTIFICATES") == f"{STORE}/{directory}/example.org/pubcert.pem", call
        assert call["chains"] == [m.read(f"{STORE}/domains/example.org/pubcert.pem")], call
        assert own == {"MD_NAME": "example.org", "MD_EVENT": event, "MD_DOMAINS": "example.org www.example.org", "MD_STORE_DIR": STORE,
                       "MD_MANAGER_VERSION": version}, own
        said = json.loads(call["input"])
        assert said["domains"] == ["example.org", "www.example.org"] and said["event"] == event and said["not-after"] == told["not_after"], said
        assert {f"MD_{key.upper().replace('-', '_')}" for key in said} == {key for key in call["environment"] if key.startswith("MD_")}, said
        assert not {"LD_PRELOAD", "NOTIFY_SOCKET", "LISTEN_FDS", "WATCHDOG_USEC"} & set(call["environment"]), call
    assert renewed["uid"] == int(m.run("id -u md-hook").out) and renewed["groups"] == [renewed["gid"]] == [int(m.run("id -g md-hook").out)], renewed
    assert installed["uid"] == 0, installed
    # Each is a unit of its own: which is the first to say something is not promised.
    assert sorted(call["arguments"][-2] for call in calls(m, cursor)) == [
        "challenge-setup:http-01:example.org", "challenge-setup:http-01:www.example.org", "installed", "renewed", "renewing"]
    # What is asked before has as much, of the certificate that there is.
    before, cursor = m.read(f"{STORE}/domains/example.org/pubcert.pem"), m.cursor()
    m.run(f"rm -r {STORE}/outbox/example.org && systemctl restart md-manager")      # it has asked within the hour
    managed.renew(m, "example.org")
    renewing = wait_call(m, "example.org", "renewing", cursor)
    assert renewing["chains"] == [before] and {key for key in renewing["environment"] if key.startswith("MD_")} == \
        {key for key in renewed["environment"] if key.startswith("MD_")}, renewing
    challenge = wait_call(m, "example.org", "challenge-setup:http-01:www.example.org", cursor, "challenge-setup")
    assert json.loads(challenge["input"]) == {"name": "example.org", "event": "challenge-setup", "store-dir": STORE, "manager-version": version,
                                              "domains": ["example.org", "www.example.org"], "challenge": "http-01", "identifier": "www.example.org"}, challenge
    wait_call(m, "example.org", "installed", cursor)


def test_units(m):
    """A hook is a transient unit: named for event and domain, in the hooks' slice, with limits; gone from the list when it has ended."""
    with other_hook(m, "errored", "#!/bin/sh\nexec sleep infinity\n"):
        unit = run_hook(m, "errored")
        assert re.fullmatch(r"md-hook-errored-example\.org-[0-9]+\.service", unit), unit
        m.wait_for(lambda: "sleep" in m.run(["ps", "-o", "comm=", "-p", m.unit(unit)["MainPID"]]).out, 10, "the hook to run")
    shown = m.unit(unit)
    assert shown["Transient"] == "yes" and shown["Slice"] == "system-md\\x2dhook.slice" and shown["User"] == "md-hook", shown
    assert shown["TimeoutStartUSec"] == "5min" and shown["Description"] == "Hook for event errored of example.org", shown
    assert int(shown["MemoryMax"]) == 512 * 1024**2 and shown["TasksMax"] == "256", shown
    assert (shown["ProtectSystem"], shown["PrivateTmp"], shown["NoNewPrivileges"]) == ("strict", "yes", "yes"), shown
    assert (shown["RestrictSUIDSGID"], shown["LockPersonality"], shown["ProtectKernelTunables"]) == ("yes", "yes", "no"), shown
    assert not shown.get("CapabilityBoundingSet"), shown
    assert unit in m.run(["systemctl", "status", "--no-pager", "system-md\\x2dhook.slice"]).out
    m.run(["busctl", "call", *LAUNCHER, "Cancel", "s", unit])
    wait_gone(m, unit)


def test_errored(m):
    """A failed renewal runs the hook for errored, with the CA's own words and the kind of problem."""
    cursor = m.cursor()
    rule = m.ca.proxy.rule(kind="new-order", problem="rejectedIdentifier", detail="We do not like this name", times=1)
    managed.add(m, "bad.example.org")
    apache.reload(m)
    call = wait_call(m, "bad.example.org", "errored", cursor)
    assert rule.used == 1
    environment = call["environment"]
    assert call["arguments"][-2:] == ["errored", "bad.example.org"] and call["uid"] == int(m.run("id -u md-hook").out), call
    assert environment["MD_PROBLEM"] == "urn:ietf:params:acme:error:rejectedIdentifier", environment
    assert "We do not like this name" in environment["MD_DETAIL"] and "next try" in environment["MD_DETAIL"], environment
    assert not {"MD_STORE", "MD_VERSION"} & set(environment), environment
    assert sorted(call["arguments"][-2] for call in calls(m, cursor, "bad.example.org")) == ["errored", "renewing"]
    managed.renew(m, "bad.example.org")
    wait_call(m, "bad.example.org", "installed", cursor)
    managed.remove(m, "bad.example.org")
    apache.reload(m)


def test_journal(m):
    """What a hook writes is in the journal under its domain and event, and so is how it ended; a failed one leaves nothing behind, and runs again."""
    cursor = m.cursor()
    before = managed.is_real(m, "example.org")
    with other_hook(m, "renewed", "#!/bin/sh\necho 'to stdout'\necho 'to stderr' >&2\nexit 3\n"):
        managed.renew(m, "example.org")
        wait_call(m, "example.org", "installed", cursor)            # a failed hook holds nothing up
    managed.wait_served(m, "example.org", other_than=before)
    lines = [entry for entry in m.journal("MD_NAME=example.org", "MD_EVENT=renewed", after=cursor) if entry.get("_SYSTEMD_UNIT", "").startswith("md-hook-")][:2]
    assert [entry["MESSAGE"] for entry in lines] == ["to stdout", "to stderr"], lines
    unit = lines[0]["_SYSTEMD_UNIT"]
    ended = m.wait_journal(f"UNIT={unit}", "EXIT_STATUS=3", "EXIT_CODE=exited", after=cursor)
    assert "status=3" in ended["MESSAGE"], ended
    m.wait_journal(f"UNIT={unit}", "UNIT_RESULT=exit-code", after=cursor)
    told = m.wait_journal("_SYSTEMD_UNIT=md-manager.service", f"MD_UNIT={unit}", "MD_EXIT_STATUS=3", "MD_RESULT=exit-code", "MD_NAME=example.org", after=cursor)
    assert "exit status 3" in told["MESSAGE"] and "run again at" in told["MESSAGE"], told
    wait_gone(m, unit)
    again = wait_call(m, "example.org", "renewed", cursor)
    assert again["environment"]["MD_DETAIL"] == m.journal("_SYSTEMD_UNIT=md-manager.service", "MD_EVENT=renewed", f"PRIORITY=5", after=cursor)[0]["MESSAGE"].split(": ", 1)[1]


def test_hanging(m):
    """A hook that hangs, and ignores signals, holds up neither its own domain nor another one, nor a restart of the manager."""
    cursor = m.cursor()
    before = managed.is_real(m, "example.org")
    with other_hook(m, "renewed", "#!/bin/sh\ntrap '' TERM HUP INT\nsleep infinity &\nwhile :; do sleep 1; done\n"):
        managed.renew(m, "example.org")
        wait_call(m, "example.org", "installed", cursor)
        managed.wait_served(m, "example.org", other_than=before)
        managed.add(m, "second.example.org")
        apache.reload(m)
        managed.wait_served(m, "second.example.org")
        wait_call(m, "second.example.org", "installed", cursor)
    units = [line.split()[0] for line in m.run("systemctl list-units --plain --no-legend 'md-hook-renewed-*'").out.splitlines()]
    assert len(units) == 2, units
    m.run("systemctl restart md-manager", timeout=10)
    managed.mdctl(m, "check")
    assert {unit for unit in units if m.unit(unit)["ActiveState"] == "activating"} == set(units), "the manager's restart ended its hooks"
    m.run(["systemctl", "kill", "--signal=KILL", *units])
    for unit in units:
        wait_gone(m, unit)
    for name in ("example.org", "second.example.org"):      # nobody heard how they ended
        wait_call(m, name, "renewed", cursor)
    managed.remove(m, "second.example.org")
    apache.reload(m)


def test_one_at_a_time(m):
    """While a hook runs, another one for the same event and domain waits in the manager, and runs when it has ended; the launcher says Busy."""
    cursor = m.cursor()
    with other_hook(m, "renewed", "#!/bin/sh\necho \"begun $MD_DETAIL\"\nwhile [ -e /run/hold-hook ]; do sleep 0.05; done\n"):
        m.write("/run/hold-hook", "")
        for _ in range(2):
            before = managed.is_real(m, "example.org")
            managed.renew(m, "example.org")
            managed.wait_served(m, "example.org", other_than=before)
        refused = m.run(["busctl", "call", *LAUNCHER, "RunHook", "ssa{ss}", "example.org", "renewed", "0"], check=False)
        assert refused.rc != 0 and "is running" in refused.err, refused
        begun = lambda: [e for e in m.journal("MD_EVENT=renewed", after=cursor) if e["MESSAGE"].startswith("begun ")]
        assert len(begun()) == 1, begun()
        m.run("rm /run/hold-hook")
        m.wait_for(lambda: len(begun()) == 2, 15, "the second one to run")
    assert not m.journal("_SYSTEMD_UNIT=md-manager.service", "PRIORITY=3", after=cursor)


def test_ceiling(m):
    """No more hooks at a time than sixteen, whichever they are; the hooks' slice has limits for all together; domains that no server names have no timers."""
    events = re.findall(r'\] = \{ "([a-z-]+)"', (host.SOURCE / "src/domain/event.c").read_text(encoding="utf-8"))
    events = [event for event in events if not event.startswith("challenge-") and event != "renewing"]      # these have ceilings of their own
    managed.add(m, "more.example.org")
    apache.reload(m)
    managed.wait_served(m, "more.example.org")
    m.wait_for(lambda: "md-hook-" not in m.run("systemctl list-units --all --plain 'md-hook-*.service'").out, 10, "no hook to run")
    m.write("/run/hold-hook", "")
    for event in events:
        m.write(f"/etc/md-test/hook-{event}", "#!/bin/sh\nwhile [ -e /run/hold-hook ]; do sleep 0.2; done\n", mode=0o755)
    outcomes = [m.run(["busctl", "call", *LAUNCHER, "RunHook", "ssa{ss}", name, event, "0"], check=False)
                for name in ("example.org", "more.example.org") for event in events]
    assert [outcome.rc == 0 for outcome in outcomes] == [True] * 16 + [False] * (2 * len(events) - 16), outcomes
    shown = m.unit("system-md\\x2dhook.slice")
    assert int(shown["MemoryMax"]) == 2 * 1024**3 and shown["TasksMax"] == "1024", shown
    m.run(["rm", "/run/hold-hook", *(f"/etc/md-test/hook-{event}" for event in events)])
    m.wait_for(lambda: "md-hook-" not in m.run("systemctl list-units --all --plain 'md-hook-*.service'").out, 10, "the hooks to be gone")
    refused = m.run(["busctl", "call", *LAUNCHER, "ArmTimer", "st", "unknown.example.org", "4000000000000000"], check=False)
    assert refused.rc != 0 and "No server is configured" in refused.err, refused
    managed.remove(m, "more.example.org")
    apache.reload(m)


def test_leaves_no_children(m):
    """What a hook leaves running ends with it."""
    with other_hook(m, "renewed", "#!/bin/sh\nsetsid sleep 98765 &\n"):
        wait_gone(m, run_hook(m, "renewed"))
    assert m.run("pgrep -f 'sleep 9876[5]'", check=False).rc == 1


def test_missing_command(m):
    """A command that is not there, or cannot be executed, is told in the journal under its domain, and changes nothing for the renewal."""
    m.write("/etc/md-test/not-executable", "#!/bin/sh\n", mode=0o644)
    for command in ("/usr/local/bin/no-such-hook", "/etc/md-test/not-executable"):
        set_hook(m, f"{command} argument")
        cursor = m.cursor()
        before = managed.is_real(m, "example.org")
        managed.renew(m, "example.org")
        managed.wait_served(m, "example.org", other_than=before)
        wait_told(m, "example.org", "installed", cursor)
        said = m.wait_journal("_PID=1", after=cursor, where=lambda e, c=command: c in e["MESSAGE"] or "status=203/EXEC" in e["MESSAGE"])
        assert said["UNIT"].startswith("md-hook-"), said
    cursor = m.cursor()
    set_hook(m, COMMAND)
    wait_call(m, "example.org", "renewed", cursor)      # it was to be told until somebody hears


def test_installed_takes_keys_elsewhere(m):
    """The hook for installed, as root, reads the new certificate and its key, as it must to take them elsewhere; and of the store nothing else."""
    ensure(m)
    hands.install(m)
    with other_hook(m, "installed", f"#!/bin/sh\nexec {hands.command('hook-installed')} \"$@\"\n"), hands.Hand(m, "hook-installed") as hand:
        run_hook(m, "installed")
        hand.wait_here()
        assert hand.do("os.getuid()") == 0
        key = hand.do(f"[str(path) for path in Path('{STORE}/domains/example.org').glob('privkey*.pem')][0]")
        assert "PRIVATE KEY" in hand.do("Path(path).read_text()", path=key)
        for directory in ("accounts", "staging", "reserve", "archive", "tmp", "fallback", "outbox"):
            assert hand.do(f"os.listdir('{STORE}/{directory}')") == [], directory
        for directory in ("accounts", "reserve", "archive", "fallback", "outbox"):
            assert managed.files(m, directory), f"{directory} is empty: the test sees nothing"
        for directory in (f"{STORE}/domains/example.org", f"{STORE}/servers", "/etc", "/usr/local/bin"):
            assert hand.error("Path(path).write_text('x')", path=f"{directory}/probe") == "EROFS", directory


def test_drop_ins(m):
    """An administrator's ordinary drop-in for md-hook-.service, or for one event, changes how hooks run."""
    m.write("/etc/systemd/system/md-hook-.service.d/all.conf", "[Service]\nEnvironment=SITE=ours\nReadWritePaths=/var/www\n")
    m.write("/etc/systemd/system/md-hook-renewed-.service.d/one.conf", "[Service]\nUser=alice\nEnvironment=ONLY=renewed\n")
    m.run("systemctl daemon-reload")
    cursor = m.cursor()
    for event in ("renewed", "errored"):
        run_hook(m, event)
    renewed, errored = (wait_call(m, "example.org", event, cursor) for event in ("renewed", "errored"))
    assert renewed["environment"]["SITE"] == errored["environment"]["SITE"] == "ours"
    assert {"/usr/local/bin", "/usr/bin", "/usr/sbin"} <= set(renewed["environment"]["PATH"].split(":")), renewed["environment"]
    assert renewed["environment"]["ONLY"] == "renewed" and "ONLY" not in errored["environment"]
    assert renewed["environment"]["MD_NAME"] == "example.org" and renewed["uid"] == 1000 != errored["uid"], (renewed, errored)
    m.run("rm -r /etc/systemd/system/md-hook-.service.d /etc/systemd/system/md-hook-renewed-.service.d; systemctl daemon-reload")


SETTINGS = "/etc/md-manager/md-manager.conf.d/60-hooks.conf"


@contextlib.contextmanager
def hook_settings(m, mode=0o644, **values):
    """Hold for the next hook; nobody is restarted."""
    m.write(SETTINGS, "[Manager]\n" + "".join(f"{key}={value}\n" for key, value in values.items()), mode=mode)
    try:
        yield
    finally:
        m.run(["rm", "-f", SETTINGS])


def try_hook(m, event):
    """mdctl hook test: its result, and what it shows."""
    result = managed.mdctl(m, "--json=short", "hook", "test", "example.org", event, check=False)
    return result, json.loads(result.out)[0] if result.out.strip() else {}


def test_settings(m):
    """User, time and memory as md-manager.conf says, for the next hook; root for installed all the same; a drop-in has the last word."""
    ensure(m)
    m.run("systemctl daemon-reload")
    with hook_settings(m, HookUser="alice", HookTimeoutSec="2min", HookMemoryMax="64M"):
        _, errored = try_hook(m, "errored")
        assert (errored["User"], errored["TimeoutUSec"], errored["MemoryMax"], errored["Result"]) == ("alice", 120 * 10**6, 64 << 20, "success"), errored
        assert len([line for line in errored["Output"] if line.startswith("hook {")]) == 1, errored
        _, installed = try_hook(m, "installed")
        assert (installed.get("User", ""), installed["TimeoutUSec"], installed["MemoryMax"]) == ("", 120 * 10**6, 64 << 20), installed
        cursor = m.cursor()
        run_hook(m, "errored")
        call = wait_call(m, "example.org", "errored", cursor)
        assert call["uid"] == 1000 and call["groups"] == [call["gid"]], call
        assert f"hook {json.dumps({key: call[key] for key in call if key != 'entry'})}" in managed.mdctl(m, "log", "example.org").out
        m.write("/etc/systemd/system/md-hook-errored-.service.d/last.conf", "[Service]\nUser=md-hook\nTimeoutStartSec=3min\nMemoryMax=96M\n")
        m.run("systemctl daemon-reload")
        _, errored = try_hook(m, "errored")
        assert (errored["User"], errored["TimeoutUSec"], errored["MemoryMax"], errored["Result"]) == ("md-hook", 180 * 10**6, 96 << 20, "success"), errored
        m.run("rm -r /etc/systemd/system/md-hook-errored-.service.d; systemctl daemon-reload")
    with hook_settings(m, HookTimeoutSec="2min"):
        m.write(SETTINGS, m.read(SETTINGS) + "#" * 199 + "HookUser=root\n")         # libinih would take the end of that comment for a line
        _, errored = try_hook(m, "errored")
        assert (errored["User"], errored["TimeoutUSec"]) == ("md-hook", 120 * 10**6), errored
    with hook_settings(m, HookTimeoutSec="1s"), other_hook(m, "errored", "#!/bin/sh\nexec sleep infinity\n"):
        result, errored = try_hook(m, "errored")
        assert result.rc != 0 and errored["Result"] == "timeout", (result, errored)
    with hook_settings(m, HookTimeoutSec="2 fortnights", HookMemoryMax="lots", HookUser="a b"):
        cursor = m.cursor()
        m.run("systemctl restart md-manager")       # it tells what makes no sense, at its start
        for name in ("HookTimeoutSec", "HookMemoryMax", "HookUser"):
            m.wait_journal("_SYSTEMD_UNIT=md-manager.service", after=cursor, where=lambda e, n=name: e["MESSAGE"].startswith(f"{SETTINGS}:") and f": '{n}=" in e["MESSAGE"])
        _, errored = try_hook(m, "errored")
        assert (errored["User"], errored["TimeoutUSec"], errored["MemoryMax"]) == ("md-hook", 300 * 10**6, 512 << 20), errored
    _, errored = try_hook(m, "errored")
    assert errored["User"] == "md-hook", errored


def test_settings_of_a_missing_user(m):
    """A user that is not there, or must not be one of hooks, is told clearly; nobody stands in for it, and nothing is lost; root is never silent."""
    ensure(m)
    for user, why in (("no-such-user", "there is no such user"), ("md-manager", "must not"), ("md-acme", "must not"), ("0", "there is no such user")):
        with hook_settings(m, HookUser=user):
            cursor = m.cursor()
            result, _ = try_hook(m, "errored")
            assert result.rc != 0 and f"HookUser={user}" in result.err and why in result.err, result
            m.wait_journal("_SYSTEMD_UNIT=md-launcher.service", "PRIORITY=3", "MD_NAME=example.org", "MD_EVENT=errored", after=cursor,
                           where=lambda e, u=user, w=why: f"HookUser={u}" in e["MESSAGE"] and w in e["MESSAGE"])
    cursor = m.cursor()
    with hook_settings(m, HookUser="no-such-user"):
        managed.renew(m, "example.org")
        wait_told(m, "example.org", "renewed", cursor)
        m.wait_journal("_SYSTEMD_UNIT=md-launcher.service", "MD_EVENT=renewed", after=cursor, where=lambda e: "HookUser=no-such-user" in e["MESSAGE"])
        assert not [call for call in calls(m, cursor) if call["arguments"][-2] != "installed"]
    wait_call(m, "example.org", "renewed", cursor)
    wait_call(m, "example.org", "installed", cursor)
    with hook_settings(m, HookUser="root"):
        cursor = m.cursor()
        unit = run_hook(m, "errored")
        assert wait_call(m, "example.org", "errored", cursor)["uid"] == 0
        m.wait_journal("_SYSTEMD_UNIT=md-launcher.service", after=cursor, where=lambda e: "runs as root" in e["MESSAGE"] and "HookUser=root" in e["MESSAGE"])
        wait_gone(m, unit)


def test_settings_are_roots(m):
    """What somebody else wrote, or could write, says nothing about hooks."""
    ensure(m)
    def wait_refused(cursor):
        m.wait_journal("_SYSTEMD_UNIT=md-launcher.service", "PRIORITY=4", after=cursor, where=lambda e: f"{SETTINGS}: What it says about hooks does not count" in e["MESSAGE"])
        assert errored["User"] == "md-hook", errored
    folder = SETTINGS.rpartition("/")[0]
    with hook_settings(m, HookUser="root"):
        for begin, end in ((f"chown md-manager {SETTINGS}", f"chown root {SETTINGS}"), (f"chmod g+w {SETTINGS}", f"chmod g-w {SETTINGS}"), (f"chmod o+w {folder}", f"chmod o-w {folder}")):
            m.run(begin)
            cursor = m.cursor()
            _, errored = try_hook(m, "errored")
            wait_refused(cursor)
            m.run(end)
        _, errored = try_hook(m, "errored")
        assert not errored.get("User") or errored["User"] == "root", errored
        m.run(f"ln -sf /dev/null {SETTINGS}")
        _, errored = try_hook(m, "errored")
        assert errored["User"] == "md-hook", errored


def test_every_event(m):
    """The launcher knows every event for which the manager runs hooks."""
    source = (host.SOURCE / "src/domain/event.c").read_text(encoding="utf-8")
    events = re.findall(r'\[EVENT_\w+\] = \{ "([a-z-]+)", .hook = true', source)
    assert {"renewed", "installed", "errored", "reload-failed"} <= set(events), events
    cursor = m.cursor()
    for event in events:
        run_hook(m, event)
        call = wait_call(m, "example.org", event, cursor)
        assert (call["uid"] == 0) == (event == "installed"), call


def test_without(m):
    """Without MDMessageCmd no hook runs, and nobody complains."""
    set_hook(m, None)
    cursor = m.cursor()
    before = managed.is_real(m, "example.org")
    managed.renew(m, "example.org")
    managed.wait_served(m, "example.org", other_than=before)
    wait_told(m, "example.org", "installed", cursor)
    # An order to the launcher that came later, and is done: nothing was waiting before it.
    m.run(["busctl", "call", *LAUNCHER, "Cancel", "s", "md-hook-none-1.service"])
    assert not [e for e in m.journal(after=cursor) if "md-hook" in e.get("UNIT", "") or "hook" in e["MESSAGE"]]
