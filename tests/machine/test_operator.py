# SPDX-License-Identifier: Apache-2.0
"""What a person sees who looks after the machine: units, timers, the journal, the bus, mdctl."""

import json
import re
import threading
import time
import xml.etree.ElementTree as ElementTree

import apache
import host
import managed
from host import Failure

SUITES = ["trixie", "bookworm"]

MANAGER_UNIT = "md-manager.service"
ESCAPE = "\x1b"
RSS_MAX = 12 * 1024


def setup(m):
    managed.install(m)
    managed.settings(m, ReloadIntervalSec=1)
    managed.add(m, "example.org", "www.example.org")
    cursor = m.cursor()
    apache.reload(m)
    managed.wait_served(m, "example.org")
    managed.wait_event(m, "example.org", "installed", cursor)


def wait_quiet(m):
    """Waits until whatever an earlier test began has come to its end."""
    def quiet():
        shown = managed.show(m, "example.org")
        return shown["Job"] == "/" and shown["Served"] and shown["SeenUSec"] and not m.active("md-served.service") and not m.property(managed.BUS, "/org/mdmanager1", "org.mdmanager1.Manager", "ReloadPending")
    m.wait_for(quiet, 90, "nothing to be under way")     # md-served looks half a minute for what was replaced as it began


def our_units(m):
    """The unit files that we install; a template stands for one instance."""
    names = m.run("cd /usr/lib/systemd/system && ls -d md-*.service md-*.timer md-*.path").out.split()
    assert {"md-manager.service", "md-launcher.service", "md-renew@.service", "md-manager-check.timer"} <= set(names), names
    return [name.replace("@.", "@example.org.") for name in names]


def test_units(m):
    """systemd-analyze verify finds no fault with any of our units, and each names manual pages that are there."""
    result = m.run(["systemd-analyze", "verify", *our_units(m)], check=False)
    assert result.rc == 0 and not result.out + result.err, result
    for unit in our_units(m):
        pages = [page.strip('"') for page in m.unit(unit)["Documentation"].split()]
        assert pages and all(page.startswith("man:") for page in pages), (unit, pages)
        for page, section in (re.fullmatch(r"man:([^(]+)\((\d)\)", page).groups() for page in pages):
            path = f"/usr/share/man/man{section}/{page}.{section}"
            assert m.exists(path) or m.exists(f"{path}.gz"), page


def test_status(m):
    """systemctl status shows in one line how many domains there are, how many are not well, and what comes next."""
    wait_quiet(m)
    def status():
        return m.unit(MANAGER_UNIT)["StatusText"]
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(managed.show(m, "example.org")["NextUSec"] // 1000000))
    quiet = f"1 domain, 0 with problems, 0 renewals running; next: example.org at {when}"
    m.wait_for(lambda: status() == quiet, 10, f"the status to be: {quiet}")
    assert quiet in m.run(["systemctl", "status", "--no-pager", "-l", "md-manager"]).out
    m.ca.proxy.rule(kind="new-order", problem="rejectedIdentifier", times=1)
    managed.add(m, "bad.example.org")
    apache.reload(m)
    m.wait_for(lambda: status().startswith("2 domains, 1 with problems, 0 renewals running"), 10, "the status to tell of the failure")
    managed.remove(m, "bad.example.org")
    apache.reload(m)
    m.wait_for(lambda: status() == quiet, 10, f"the status to be again: {quiet}")


def test_timers(m):
    """systemctl list-timers has a line for each domain and for the check; switching on md-manager was all that it took."""
    timers = {entry["unit"]: entry for entry in json.loads(m.run(["systemctl", "list-timers", "--all", "--output=json"]).out)}
    assert timers["md-renew@example.org.timer"]["activates"] == "md-renew@example.org.service", timers
    assert managed.timer_is(m, "example.org", managed.show(m, "example.org")["NextUSec"])
    now = time.time() * 1000000
    assert now < timers["md-manager-check.timer"]["next"] <= now + 13 * 3600 * 1000000, timers
    assert managed.show(m, "example.org")["TimerUnit"] == "md-renew@example.org.timer"
    assert m.active("md-manager-check.timer") and m.run(["systemctl", "is-enabled", "md-manager.service"]).out.strip() == "enabled"


def members(text):
    """Of each interface of ours in an introspection: its members, one a line, with arguments and their names."""
    found = {}
    for interface in ElementTree.fromstring(text).findall("interface"):
        if not interface.get("name").startswith("org.mdmanager1."):
            continue
        lines = found.setdefault(interface.get("name"), set())
        for member in interface:
            notes = {note.get("name").rpartition(".")[2]: note.get("value") for note in member.findall("annotation")}
            # What the program says and what an author may leave out: the default.
            notes = {name: value for name, value in notes.items() if (name, value) != ("EmitsChangedSignal", "true")}
            notes.pop("Unprivileged", None)
            arguments = [f"{arg.get('direction', 'out' if member.tag == 'signal' else 'in')} {arg.get('type')} {arg.get('name')}" for arg in member.findall("arg")]
            if member.tag == "signal":
                arguments = [argument.replace("in ", "out ", 1) for argument in arguments]
            lines.add(" ".join(filter(None, [member.tag, member.get("name"), member.get("type"), member.get("access"), f"({', '.join(arguments)})", str(notes or "")])))
    return found


def introspect(m, name, path):
    return m.run(["busctl", "--json=short", "call", name, path, "org.freedesktop.DBus.Introspectable", "Introspect"]).out


def test_interfaces(m):
    """What the running programs say of their interfaces is what dbus/ documents, argument names included; busctl introspect shows it to anybody."""
    wait_quiet(m)
    release = threading.Event()
    rule = m.ca.proxy.rule(kind="new-order", hold=release)
    try:
        job = managed.renew(m, "example.org")
        m.wait_for(lambda: rule.used, 20, "the renewal to stand still")
        objects = {"Manager": (managed.BUS, "/org/mdmanager1"), "Domain": (managed.BUS, managed.path_of(m, "example.org")), "Job": (managed.BUS, job), "Account": (managed.BUS, managed.call(m, "/org/mdmanager1", "org.mdmanager1.Manager", "ListAccounts")[0][0][1]),
                   "Worker": (managed.BUS, "/org/mdmanager1/worker"), "Launcher": ("org.mdmanager1.Launcher", "/org/mdmanager1/Launcher")}
        for kind, (name, path) in objects.items():
            interface = f"org.mdmanager1.{kind}"
            running = members(json.loads(introspect(m, name, path))["data"][0])
            document = (host.SOURCE / "dbus" / f"{interface}.xml").read_text(encoding="utf-8")
            documented = members(document)
            assert running.keys() == documented.keys() == {interface}, (running.keys(), documented.keys())
            assert running[interface] == documented[interface], sorted(running[interface] ^ documented[interface])
            assert all("None" not in line for line in running[interface]), [line for line in running[interface] if "None" in line]
            assert m.read(f"/usr/share/dbus-1/interfaces/{interface}.xml") == document
            user = "alice" if kind != "Launcher" else None
            shown = m.run(["busctl", "introspect", "--no-pager", name, path, interface], user=user).out
            assert len(re.findall(r"^\.\w", shown, re.MULTILINE)) == len(running[interface]), shown
        tree = m.run(["busctl", "tree", "--list", managed.BUS], user="alice").out.split()
        assert {"/org/mdmanager1", objects["Domain"][1], job} <= set(tree), tree
        known = managed.call(m, "/org/mdmanager1", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")[0]
        assert {objects["Domain"][1], job} <= set(known), known.keys()
    finally:
        release.set()


def test_signals(m):
    """A renewal can be followed on the bus: job added, properties changed, events, job removed; an unprivileged user sees it all."""
    wait_quiet(m)
    matches = ["--match=type='signal',sender='org.mdmanager1'", "--match=type='signal',member='NameOwnerChanged'"]
    watcher = m.start(["busctl", "monitor", "--json=short", *matches])
    # Each command that connects is told to it.
    m.wait_for(lambda: m.run("busctl call org.freedesktop.DBus / org.freedesktop.DBus GetId") and watcher.wait_line("NameOwnerChanged", 0.1), 10, "the bus to be watched")
    cursor = m.cursor()
    job = managed.renew(m, "example.org")
    managed.wait_event(m, "example.org", "installed", cursor)
    seen = []
    while len([1 for member, data in seen if member == "Event" and data[0] == "installed"]) == 0:
        line = watcher.line(10)
        assert line is not None, seen
        message = json.loads(line) if line.startswith("{") else {}
        if message.get("interface", "org.freedesktop.DBus") != "org.freedesktop.DBus":
            seen.append((message["member"], message["payload"]["data"]))
    watcher.stop()
    told = [data[:2] for member, data in seen if member == "Event"]
    assert managed.are_of_renewal([event for event, _ in told], "example.org", "www.example.org") and {name for _, name in told} == {"example.org"}, seen
    assert [data[:3] for member, data in seen if member == "JobRemoved"] == [[job, "example.org", "done"]], seen
    assert [data[0] for member, data in seen if member == "InterfacesAdded"] == [job], seen
    assert [data[0] for member, data in seen if member == "InterfacesRemoved"] == [job], seen
    states = [data[1]["State"]["data"] for member, data in seen if member == "PropertiesChanged" and data[0] == "org.mdmanager1.Job" and "State" in data[1]]
    assert "running" in states, seen
    assert any(member == "PropertiesChanged" and data[0] == "org.mdmanager1.Domain" and "Certificates" in data[1] for member, data in seen), seen


def on_terminal(m, **environment):
    """What mdctl list prints on a terminal."""
    return m.run(["python3", "-c", "import pty; pty.spawn(['mdctl', '--no-pager', 'list'])"], env=environment).out


def test_mdctl_list(m):
    """mdctl list, show, check and version: for people, and as JSON on one line or many; a pipe gets no colours, a terminal does."""
    wait_quiet(m)
    for words in (["list"], ["show", "example.org"], ["check"], ["version"], []):
        user = "root" if words == ["check"] else "alice"        # to have everything looked at again is not everybody's
        plain = managed.mdctl(m, *words, user=user)
        assert ESCAPE not in plain.out + plain.err and not plain.err and plain.out.strip(), plain
        short = managed.mdctl(m, *words, "--json=short", user=user).out
        pretty = managed.mdctl(m, *words, "--json=pretty", user=user).out
        assert short.count("\n") == 1 and (pretty.count("\n") > 1 or pretty.strip() == "[]"), (short, pretty)
        assert json.loads(short) == json.loads(pretty), words
    assert "example.org" in managed.mdctl(m, "list").out and "All is well" in managed.mdctl(m, "check").out
    [entry] = json.loads(managed.mdctl(m, "list", "--json=short").out)
    shown = json.loads(managed.mdctl(m, "show", "example.org", "--json=short").out)
    bus = managed.show(m, "example.org")
    for name in ("Name", "State", "ValidUntilUSec", "NextUSec", "Errors"):
        assert entry[name] == shown[name] == bus[name], (name, entry, shown)
    assert shown["Names"] == ["example.org", "www.example.org"] and set(bus) - set(shown) == {"LastProblem"}, (bus, shown)      # there was none
    assert json.loads(managed.mdctl(m, "show", "WWW.example.org", "--json=short").out)["Name"] == "example.org"
    for terminal, coloured in (("xterm-256color", True), ("dumb", False)):
        text = on_terminal(m, TERM=terminal)
        assert "example.org" in text and (ESCAPE in text) == coloured, (terminal, text)
    assert ESCAPE not in on_terminal(m, TERM="xterm", NO_COLOR="1")
    assert m.run("mdctl list | true; mdctl --no-pager list >/dev/full || echo $?").out.strip() == "1"


def test_mdctl_exit_codes(m):
    """mdctl says by its exit code what happened: 0 done, 1 failed, 2 wrong usage, 3 nothing to do, 4 not allowed; complaints go to stderr, and name what is wrong."""
    wait_quiet(m)
    cases = (
        (2, ["frobnicate"], "frobnicate"), (2, ["--frobnicate"], "frobnicate"), (2, ["show"], "NAME"), (2, ["show", "a", "b"], "NAME"),
        (2, ["list", "--json=xml"], "xml"), (2, ["list", "--force"], "--force"),
        (1, ["show", "nobody.example"], "nobody.example"), (1, ["renew", "nobody.example"], "nobody.example"), (1, ["show", "\x1b[31mred"], ""),
        (3, ["renew", "example.org"], "Nothing is due"),
        # What only the manager can judge.
        (2, ["revoke", "--reason=boredom", "example.org"], "boredom"), (2, ["hook", "test", "example.org", "frobnicate"], "no event"),
        (2, ["export", "--key=P-999", "example.org"], "no such key"), (2, ["account", "register", "http://ca.test/"], "https"),
        (2, ["account", "register", "--contact=no body", "https://ca.test/"], "contact"), (2, ["domain", "add", "a b"], "no name"),
        (1, ["account", "show", "nobody"], "nobody"), (1, ["reload", "dbus.service"], "dbus.service"), (1, ["export", "nobody.example"], "nobody.example"),
    )
    for code, words, text in cases:
        result = managed.mdctl(m, *words, check=False)
        assert result.rc == code and text in result.err and not result.out and ESCAPE not in result.err, (code, result)
    for words, action in ((["renew", "--force", "example.org"], "renew"), (["reload"], "reload"), (["export", "--private-key", "example.org"], "export-key")):
        result = managed.mdctl(m, *words, check=False, user="alice")
        assert result.rc == 4 and f"org.mdmanager1.{action}\n" in result.err and "sudo" in result.err and not result.out, result
    for words in (["--help"], ["--version"], ["list", "--help"]):
        result = managed.mdctl(m, *words)
        assert result.out and not result.err, result


def test_mdctl_renew(m):
    """mdctl renew waits for the end and tells it; a failure comes with the CA's own words, what was tried, and when the next try is."""
    wait_quiet(m)
    before = managed.is_real(m, "example.org")
    done = managed.mdctl(m, "renew", "--force", "example.org")
    assert "The new certificate is there" in done.out, done
    managed.wait_served(m, "example.org", other_than=before)
    wait_quiet(m)
    told = json.loads(managed.mdctl(m, "renew", "--force", "--json=short", "example.org").out)
    assert told["Result"] == "done" and told["ValidUntilUSec"] > time.time() * 1000000, told
    m.ca.proxy.rule(kind="finalize", problem="rateLimited", detail="Too many of these \x1b[31mtoday", headers={"Retry-After": "5000"}, times=1)
    failed = managed.mdctl(m, "renew", "--force", "example.org", check=False)
    assert failed.rc == 1 and "rateLimited" in failed.out and "Too many of these" in failed.out and ESCAPE not in failed.out, failed
    assert "finaliz" in failed.out.lower() and "Next Try: " in failed.out, failed
    shown = json.loads(managed.mdctl(m, "show", "example.org", "--json=short").out)
    assert shown["LastProblem"]["Type"].endswith(":rateLimited") and "Too many of these" in shown["LastProblem"]["Detail"], shown["LastProblem"]
    wait_quiet(m)
    managed.mdctl(m, "renew", "--force", "example.org")


def test_mdctl_watch(m):
    """mdctl watch prints a line for whatever happens, as it happens, also as JSON."""
    wait_quiet(m)
    plain = m.start(["mdctl", "--no-pager", "watch"], user="alice")
    lines = m.start(["mdctl", "watch", "--json=short"], user="alice")
    # Both have subscribed when the bus knows of their matches: they call the manager after that, and the bus keeps the order.
    m.wait_for(lambda: all(match_count(m, follower) for follower in (plain, lines)), 10, "mdctl to have subscribed")
    managed.mdctl(m, "renew", "--force", "--no-wait", "example.org")
    for event in ("renewing", "renewed", "installed"):
        line = plain.wait_line(f"example.org  {event}")
        assert ESCAPE not in line and re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC  ", line), line
        signal = json.loads(lines.wait_line(f'"{event}"'))
        assert signal["Signal"] == "Event" and signal["Domain"] == "example.org" and signal["Event"] == event, signal
    plain.stop()
    lines.stop()


def match_count(m, follower):
    """How many matches the process has at the bus, that a Follower started."""
    owners = json.loads(m.run(["busctl", "--json=short", "list", "--unique"]).out)
    mine = [entry["name"] for entry in owners if entry["pid"] in descendants(m, follower)]
    if not mine:
        return 0
    stats = json.loads(m.run(["busctl", "--json=short", "call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus.Debug.Stats", "GetConnectionStats",
                              "s", mine[0]]).out)["data"][0]
    return stats["MatchRules"]["data"] >= 2


def descendants(m, follower):
    words = " ".join(follower.process.args[-3:])
    return [int(line.split()[0]) for line in m.run(["ps", "-eo", "pid,args"]).out.splitlines() if line.endswith(words) and "nsenter" not in line]


def test_mdctl_starts_the_manager(m):
    """mdctl works when the manager does not run: the bus starts it. When it cannot be started, that is said."""
    wait_quiet(m)           # a worker that just begins, or md-served after a reload, would have it started again
    managed.stop(m)
    assert "example.org" in managed.mdctl(m, "list").out
    assert m.active(MANAGER_UNIT)
    m.run("systemctl stop md-manager; systemctl mask --runtime md-manager")
    try:
        result = managed.mdctl(m, "list", check=False)
        assert result.rc == 1 and "md-manager" in result.err and not result.out, result
    finally:
        m.run("systemctl unmask --runtime md-manager; systemctl start md-manager")


def test_reload_by_hand(m):
    """mdctl reload has Apache reloaded by way of the manager, with or without the unit's name."""
    wait_quiet(m)
    for words, code in ((["reload"], 0), (["reload", "apache2.service"], 0), (["reload", "apache2"], 0), (["reload", "dbus.service"], 1)):
        cursor = m.cursor()
        result = managed.mdctl(m, *words, check=False)
        assert result.rc == code, result
        if code == 0:
            m.wait_journal("_PID=1", "UNIT=apache2.service", "JOB_TYPE=reload", "JOB_RESULT=done", after=cursor)
        else:
            assert "dbus.service" in result.err or "No server" in result.err, result


def events(entries):
    return [entry["MD_EVENT"] for entry in entries if "MD_EVENT" in entry]


def test_journal(m):
    """The journal can be asked by domain, event, CA and problem; an id leads to an explanation, with the failure's own words in the message."""
    wait_quiet(m)
    cursor = m.cursor()
    m.ca.proxy.rule(kind="new-order", problem="userActionRequired", detail="Please visit us", times=1)
    managed.add(m, "worse.example.org")
    apache.reload(m)
    managed.wait_event(m, "worse.example.org", "errored", cursor)
    managed.mdctl(m, "renew", "--force", "example.org")
    managed.wait_event(m, "example.org", "installed", cursor)
    entries = m.journal("_SYSTEMD_UNIT=md-manager.service", after=cursor)
    good, bad = ([entry for entry in entries if entry.get("MD_NAME") == name] for name in ("example.org", "worse.example.org"))
    assert managed.are_of_renewal(events(good), "example.org", "www.example.org") and events(bad) == ["renewing", "errored"], (good, bad)

    failures = m.journal("MD_PROBLEM=urn:ietf:params:acme:error:userActionRequired", after=cursor)
    assert {entry["MD_NAME"] for entry in failures} == {"worse.example.org"}, failures
    [failure] = [entry for entry in failures if int(entry["PRIORITY"]) <= 4]
    assert failure["MD_EVENT"] == "errored" and failure["MD_CA"] == managed.pebble.DIRECTORY and failure["PRIORITY"] == "3", failure
    assert failure["MESSAGE"].startswith("worse.example.org: ") and "Please visit us" in failure["MESSAGE"] and "next try 20" in failure["MESSAGE"], failure
    shown = managed.mdctl(m, "show", "worse.example.org").out
    for what in ("Please visit us", "userActionRequired", "order"):
        assert what in shown, (what, shown)
    for entry in [*good, *bad]:
        if "MD_EVENT" in entry:
            assert entry["MD_CA"] == managed.pebble.DIRECTORY and re.fullmatch("[0-9a-f]{32}", entry["MESSAGE_ID"]), entry
            text = m.run(["journalctl", "-q", "-x", f"MESSAGE_ID={entry['MESSAGE_ID']}", f"MD_NAME={entry['MD_NAME']}"]).out
            assert "Defined-By: md-manager" in text and entry["MD_NAME"] in text.partition("Subject:")[2], text
    # The worker's lines are found by the domain, too.
    assert [entry for entry in m.journal("MD_NAME=example.org", "_SYSTEMD_UNIT=md-renew@example.org.service", after=cursor)]
    managed.remove(m, "worse.example.org")
    apache.reload(m)


def test_catalog(m):
    """Every message id of the program is explained in the installed catalog, with what to do."""
    ids = re.findall(r'"([0-9a-f]{32})"', (host.SOURCE / "src/base/message-ids.h").read_text(encoding="utf-8"))
    assert len(ids) > 8 and len(set(ids)) == len(ids), ids
    text = m.run(["journalctl", "--dump-catalog", *ids]).out
    for number in ids:
        part = text.partition(number)[2].partition("\n-- ")[0]
        assert "Subject: " in part and "Defined-By: md-manager" in part and len(part) > 200, (number, part)


def stop_seconds(m):
    """Stops the manager: how long it took from the signal to its end, as systemd has it."""
    managed.stop(m)
    shown = m.unit(MANAGER_UNIT)
    assert shown["Result"] == "success" and shown["ExecMainCode"] == "1" and shown["ExecMainStatus"] == "0", shown
    return (int(shown["InactiveEnterTimestampMonotonic"]) - int(shown["ActiveExitTimestampMonotonic"])) / 1e6


def test_stops_at_once(m):
    """SIGTERM ends the manager cleanly and soon, whatever else the machine does, also with a renewal under way, which then goes on where it was."""
    wait_quiet(m)
    assert stop_seconds(m) < 5      # systemd would wait for 20 and then kill it
    m.run("systemctl start md-manager")
    release = threading.Event()
    before = managed.is_real(m, "example.org")
    rule = m.ca.proxy.rule(kind="authorization", hold=release, times=1)
    try:
        managed.renew(m, "example.org")
        m.wait_for(lambda: rule.used, 20, "the renewal to stand still")
        seconds = stop_seconds(m)
        assert seconds < 5, seconds
    finally:
        release.set()
    m.ca.proxy.clear()
    m.run("systemctl start md-manager")
    managed.wait_served(m, "example.org", other_than=before)
    assert m.ca.proxy.count("new-order") == 0, "it was begun anew"


def test_watchdog(m):
    """The watchdog is on: a manager that hangs is killed and started again, one that works is left alone."""
    assert m.unit(MANAGER_UNIT)["WatchdogUSec"] == "1min"
    m.write("/run/systemd/system/md-manager.service.d/watchdog.conf", "[Service]\nWatchdogSec=500ms\nTimeoutAbortSec=200ms\nRestartSec=0\n")
    m.run("systemctl daemon-reload; systemctl reset-failed md-manager; systemctl restart md-manager")
    try:
        pid = managed.main_pid(m)
        first = int(m.unit(MANAGER_UNIT)["WatchdogTimestampMonotonic"])
        m.wait_for(lambda: int(m.unit(MANAGER_UNIT)["WatchdogTimestampMonotonic"]) > first + 1000000, 10, "a second of signs of life")
        assert managed.main_pid(m) == pid
        m.run(["kill", "-STOP", str(pid)])
        m.wait_for(lambda: managed.main_pid(m) not in (0, pid), 15, "another manager")
        m.wait_active(MANAGER_UNIT)
    finally:
        m.run("rm -r /run/systemd/system/md-manager.service.d; systemctl daemon-reload; systemctl restart md-manager")
    managed.mdctl(m, "check")


def test_memory(m):
    """With one domain the manager stays below 12 MiB of memory, shared libraries included, after a dozen renewals too."""
    def rss():
        return int(re.search(r"VmRSS:\s+(\d+) kB", m.read(f"/proc/{managed.main_pid(m)}/status"))[1])
    m.run("systemctl restart md-manager")
    first = rss()
    for _ in range(12):
        managed.mdctl(m, "renew", "--force", "example.org")
    last = rss()
    host.say(f"        memory of md-manager on {m.suite}: {first} kB after its start, {last} kB after 12 renewals")
    if max(first, last) >= RSS_MAX:
        raise Failure(f"{first} kB after its start, {last} kB after 12 renewals")
