# SPDX-License-Identifier: Apache-2.0
"""What each of our programs cannot do: tried from inside its own sandbox, as its own user, by a program in its place."""

import base64
import contextlib
import json
import threading

import apache
import hands
import managed

SUITES = ["trixie", "bookworm"]
PACKAGED = True

STORE = "/var/lib/md-manager"
HOOK = "/usr/local/lib/md-test/hook"
# As a hook of the event whose pipe is there, the hand; otherwise what any hook does.
HOOK_TEXT = f"""#!/bin/sh
for event; do
    if [ -p {hands.PIPES}/hook-$event.in ]; then exec {hands.command('hook-$event')} "$@"; fi
done
echo "called with $*"
"""

BUS = ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")
SYSTEMD = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")
MANAGER = ("org.mdmanager1", "/org/mdmanager1", "org.mdmanager1.Manager")
WORKER = ("org.mdmanager1", "/org/mdmanager1/worker", "org.mdmanager1.Worker")
LAUNCHER = ("org.mdmanager1.Launcher", "/org/mdmanager1/Launcher", "org.mdmanager1.Launcher")

ACCESS_DENIED = "org.freedesktop.DBus.Error.AccessDenied"
# polkit's two ways to say no: never, and not without an administrator's password.
REFUSED = (ACCESS_DENIED, "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired")
NOT_ALLOWED, NOT_NOW, INVALID, NOT_CONFIGURED, NO_SUCH_DOMAIN, BUSY, REFUSED_BY_US = (
    f"org.mdmanager1.Error.{name}" for name in ("NotAllowed", "NotNow", "InvalidArgument", "NotConfigured", "NoSuchDomain", "Busy", "Refused"))
CLOSED = ("EACCES", "ENOENT", "EPERM", "EROFS")

NETWORKS = ("AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET", "AF_VSOCK", "AF_ALG", "AF_KEY", "AF_BLUETOOTH", "AF_CAN", "AF_TIPC")
IO_URING_SETUP = "syscall('syscall', 425, 8, ctypes.create_string_buffer(120))"


def setup(m):
    hands.install(m)
    m.write(HOOK, HOOK_TEXT, mode=0o755)
    managed.install(m)
    managed.settings(m, ReloadIntervalSec=1)
    m.write("/etc/apache2/conf-enabled/hook.conf", f"MDMessageCmd {HOOK}\n")
    managed.add(m, "example.org", "www.example.org")
    apache.reload(m)
    managed.wait_served(m, "example.org")


def secret_files(m):
    """Every file of the store that holds something of value, as root finds them: the keys of all kinds are among them."""
    files = m.run(f"find {STORE} -type f -path '*/*/*' ! -path '*/servers/*' ! -path '*/public/*'").out.split()
    for what in ("/domains/example.org/privkey", "/reserve/example.org/privkey", "/accounts/", "account.pem", "/fallback/", "job.json"):
        assert any(what in file for file in files), (what, files)
    return [*files, f"{STORE}/servers/apache2.json"]


def assert_reads_nothing(m, hand, files, *directories):
    """Neither the files nor the directories can be read, looked into or reached by way of somebody else's view of the system."""
    manager = m.unit("md-manager.service")["MainPID"]
    for file in files:
        for path in (file, f"/proc/1/root{file}", f"/proc/{manager}/root{file}"):
            assert hand.error("Path(path).read_bytes()", path=path) in CLOSED, f"{path} can be read"
            assert hand.error("os.open(path, os.O_WRONLY)", path=path) in CLOSED, f"{path} can be written"
    for directory in directories:
        assert hand.error("os.listdir(path)", path=directory) in CLOSED, f"{directory} can be looked into"
    for what in ("mem", "environ", "maps", "fd"):
        path = f"/proc/{manager}/{what}"
        assert hand.error("os.listdir(path) if path.endswith('fd') else open(path, 'rb').read(1)", path=path) in CLOSED, path


def assert_powerless(hand):
    """No capability, none to be had, and no way to other users."""
    status = dict(line.split(":\t", 1) for line in hand.do("Path('/proc/self/status').read_text()").splitlines())
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", status
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}, status
    # With the bounding set empty and no_new_privs a set-user-ID program changes nothing.
    before = hand.do("os.getuid()")
    code = "import subprocess; subprocess.run(['/usr/bin/su', '-c', 'id -u'], capture_output=True, stdin=subprocess.DEVNULL).stdout.decode()"
    assert before == 0 or hand.do(code) == ""
    if before != 0:
        for call in ("os.setuid(0)", "os.setgid(0)", "os.setgroups([0])", "os.chown('/proc/self/comm', 0, 0)", "os.kill(1, 0)"):
            assert hand.error(call) == "EPERM", call
    for call in ("syscall('unshare', 0x10000000)", "syscall('mount', b'none', b'/mnt', b'tmpfs', 0, None)", "syscall('chroot', b'/')",
                 "syscall('ptrace', 16, 1, None, None)", "syscall('syscall', 321, 0, None, 0)"):
        assert hand.error(call) == "EPERM", call


def assert_no_network(hand):
    families = [name for name in NETWORKS if hand.do(f"hasattr(socket, {name!r})")]
    assert {"AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET"} <= set(families)
    for family in families:
        for kind in ("SOCK_STREAM", "SOCK_DGRAM", "SOCK_RAW"):
            assert hand.error(f"socket.socket(socket.{family}, socket.{kind})") in ("EAFNOSUPPORT", "EPERM"), f"{family} {kind}"
    # It makes sockets too, and no filter of system calls sees that.
    assert hand.error(IO_URING_SETUP) == "EPERM"
    assert hand.do("socket.socket(socket.AF_UNIX).fileno()") >= 0, "not even this: the test would see nothing"


def test_manager_has_no_network(m):
    """md-manager makes no socket but AF_UNIX, and stands in a network namespace of its own."""
    with hands.in_copy_of(m, "md-manager.service") as hand:
        assert hand.do("os.getuid()") == int(m.run("id -u md-manager").out)
        assert_no_network(hand)
        assert hand.do("os.readlink('/proc/self/ns/net')") != m.run("readlink /proc/1/ns/net").out.strip()


def test_manager_cannot_become_root(m):
    """md-manager has no capability and gains none, whatever it executes or asks the kernel for."""
    with hands.in_copy_of(m, "md-manager.service") as hand:
        assert_powerless(hand)


def test_manager_writes_its_store_only(m):
    """md-manager writes below its own directories of the store, and nowhere else; not where root writes."""
    with hands.in_copy_of(m, "md-manager.service") as hand:
        for directory in ("domains", "staging", "reserve", "archive", "accounts", "tmp", "challenges", "ocsp", "status"):
            hand.do("Path(path).write_text('x'); os.unlink(path)", path=f"{STORE}/{directory}/probe")
        for directory in ("/etc", "/etc/md-manager", "/usr/lib/md-manager", "/var/lib", "/var/log", "/var/www", "/run", "/run/systemd/system", "/root", "/home",
                          "/dev/shm/..", "/etc/apache2", STORE, f"{STORE}/servers", f"{STORE}/fallback"):
            assert hand.error("Path(path).write_text('x')", path=f"{directory}/probe") in CLOSED, directory
        for call in (f"os.rename('{STORE}/servers', '{STORE}/elsewhere')", f"os.rmdir('{STORE}/fallback')", f"os.symlink('/etc', '{STORE}/etc')",
                     f"os.unlink('{STORE}/servers/apache2.json')", f"os.chmod('{STORE}', 0o777)"):
            assert hand.error(call) in CLOSED, call
        assert hand.error("Path('/proc/sys/kernel/core_pattern').write_text('|/bin/sh')") in CLOSED
        # Nothing it makes can carry somebody's rights.
        assert hand.error(f"os.chmod('{STORE}/tmp', 0o4700)") == "EPERM"


def transient(name, *properties):
    """The arguments of StartTransientUnit for a unit that runs a command as root."""
    command = ("ExecStart", ("a(sasb)", [("/usr/bin/touch", ["touch", "/run/probe-was-here"], False)]))
    return (*SYSTEMD, "StartTransientUnit", "ssa(sv)a(sa(sv))", name, "replace", [command, *properties], [])


def test_manager_may_reload_apache_only(m):
    """polkit lets md-manager reload Apache and start its workers; nothing else of systemd, and no transient unit of any name."""
    before = m.unit("apache2.service")["InvocationID"]
    with hands.in_copy_of(m, "md-manager.service") as hand:
        assert hand.call(*SYSTEMD, "ReloadUnit", "ss", "apache2.service", "replace")[0].startswith("/org/freedesktop/systemd1/job/")
        for verb in ("StopUnit", "StartUnit", "RestartUnit", "TryRestartUnit", "ReloadOrRestartUnit", "ReloadOrTryRestartUnit"):
            assert hand.call_error(*SYSTEMD, verb, "ss", "apache2.service", "replace") in REFUSED, verb
        for unit in ("dbus.service", "systemd-journald.service", "apache2x.service", "md-manager.service", "md-launcher.service", "caddy.service",
                     "multi-user.target", "md-renew@example.org.service"):
            assert hand.call_error(*SYSTEMD, "ReloadUnit", "ss", unit, "replace") in REFUSED, unit
        for unit in ("caddy.service", "rescue.target", "md-launcher.service", "md-manager-store.service", "md-renew@x.timer",
                     "x-md-renew@x.service"):
            assert hand.call_error(*SYSTEMD, "StartUnit", "ss", unit, "replace") in REFUSED, unit
        for unit in ("dbus.service", "md-launcher.service", "md-renew@example.org.timer"):
            assert hand.call_error(*SYSTEMD, "StopUnit", "ss", unit, "replace") in REFUSED, unit
        # A unit that it may start cannot take all others with it.
        assert hand.call_error(*SYSTEMD, "StartUnit", "ss", "md-renew@nobody.example.service", "isolate") == "org.freedesktop.systemd1.NoIsolation"
        for call in (("KillUnit", "ssi", "apache2.service", "all", 9), ("ResetFailedUnit", "s", "apache2.service"), ("FreezeUnit", "s", "apache2.service"),
                     ("SetUnitProperties", "sba(sv)", "apache2.service", True, [("TasksMax", ("t", 1))]),
                     ("SetUnitProperties", "sba(sv)", "md-renew@example.org.service", True, [("TasksMax", ("t", 1))]),
                     ("Reload",), ("Reexecute",), ("SetEnvironment", "as", ["LD_PRELOAD=/tmp/x.so"]), ("KExec",), ("Reboot",), ("Exit",),
                     ("MaskUnitFiles", "asbb", ["apache2.service"], True, True), ("EnableUnitFiles", "asbb", ["caddy.service"], True, True),
                     ("DisableUnitFiles", "asb", ["apache2.service"], True), ("LinkUnitFiles", "asbb", [f"{STORE}/tmp/x.service"], True, True),
                     ("SetDefaultTarget", "sb", "rescue.target", True),
                     ("EnqueueUnitJob", "sss", "apache2.service", "restart", "replace")):
            assert hand.call_error(*SYSTEMD, *call) in REFUSED, call
        for name in ("probe.service", "apache2.service", "md-renew@probe.service", "md-renew@example.org.service", "md-acme-batch@1.service", "md-ocsp.service", "md-targets.service",
                     "md-hook-renewed-probe-1.service"):
            error = hand.call_error(*transient(name))
            # Loaded from a file: systemd says so before it asks polkit.
            assert error in REFUSED or (name == "apache2.service" and error), (name, error)
        assert hand.call_error(*transient("md-renew@probe.service", ("Description", ("s", "x")))[:-1],
                               [("probe.service", [("ExecStart", ("a(sasb)", [("/usr/bin/true", ["true"], False)]))])]) in REFUSED
        hand.call(*SYSTEMD, "StartUnit", "ss", "md-renew@nobody.example.service", "replace")
    m.wait_for(lambda: m.unit("apache2.service")["ActiveState"] == "active", 10, "Apache to have reloaded")
    assert m.unit("apache2.service")["InvocationID"] == before, "Apache was stopped or restarted"
    assert not m.exists("/run/probe-was-here")


def test_launcher_sandbox(m):
    """md-launcher is root in name only: no capability, no key, no network, no file to write."""
    with hands.in_copy_of(m, "md-launcher.service") as hand:
        assert hand.do("os.getuid()") == 0
        assert_powerless(hand)
        assert_no_network(hand)
        private = [file for file in secret_files(m) if not file.startswith((f"{STORE}/servers/", f"{STORE}/fallback/"))]
        assert len(private) >= 5
        assert_reads_nothing(m, hand, private, f"{STORE}/domains", f"{STORE}/accounts", f"{STORE}/reserve", f"{STORE}/staging", "/root/..//proc/1/fd")
        assert "apache2.json" in hand.do(f"os.listdir('{STORE}/servers')")
        for directory in ("/etc", "/run", "/run/systemd/system", "/var/lib", STORE, f"{STORE}/servers", "/root"):
            assert hand.error("Path(path).write_text('x')", path=f"{directory}/probe") in CLOSED, directory


NOBODIES = ("nobody", "alice", "www-data", "md-acme", "md-hook")


def test_launcher_hears_the_manager_only(m):
    """Launcher methods are refused to everybody but user md-manager and root, whether the interface is named or left out."""
    calls = (("ArmTimer", "st", "example.org", 1), ("Cancel", "s", "md-renew@example.org.timer"), ("RunHook", "ssa{ss}", "example.org", "renewed", {}))
    cursor = m.cursor()
    for user in NOBODIES:
        with hands.of_user(m, user) as hand:
            for call in calls:
                assert hand.call_error(*LAUNCHER, *call) == ACCESS_DENIED, (user, call)
                assert hand.call_error(*LAUNCHER[:2], None, *call) == ACCESS_DENIED, (user, call)
            assert hand.call_error(*LAUNCHER[:2], "org.freedesktop.DBus.Properties", "GetAll", "s", LAUNCHER[2]) == ACCESS_DENIED
    for name in ("org.mdmanager1", "org.mdmanager1.Launcher"):
        with hands.of_user(m, "alice") as hand:
            assert hand.call_error(*BUS, "RequestName", "su", name, 3) == ACCESS_DENIED, name
    assert m.unit("md-renew@example.org.timer")["ActiveState"] == "active"
    assert not m.journal("MD_EVENT=renewed", "SYSLOG_IDENTIFIER=hook", after=cursor)
    for user in (None, "md-manager"):
        cursor = m.cursor()
        out = m.run(["busctl", "call", *LAUNCHER, "RunHook", "ssa{ss}", "example.org", "renewed", "0"], user=user).out
        unit = out.split('"')[1]
        assert unit.startswith("md-hook-renewed-example.org-"), out
        m.wait_journal("JOB_RESULT=done", f"UNIT={unit}", after=cursor)


def units_started(m, cursor):
    """Names of all units that systemd has begun to start since then."""
    return {entry["UNIT"] for entry in m.journal("_PID=1", "JOB_TYPE=start", after=cursor) if "UNIT" in entry}


def test_launcher_runs_only_what_root_configured(m):
    """Whatever user md-manager tells the launcher, no command, no environment and no unit comes of it but root's own."""
    long = "x" * 100_000
    domains = ("", "-", "--system", "example.org\n", "example.org\nmd-x", "../../etc/passwd", "/etc/passwd", "example.org/..", "example .org", "example.org;id",
               "$(id).org", "`id`", "%h.org", "a\\x2db.org", "ex\x01ample.org", "ünï.org", "example.org.", ".example.org", "example..org", long, "x." * 200 + "org",
               "other.example", "www.example.org", "EXAMPLE.ORG ", "*.example.org", "md-manager", "localhost")
    plausible = ("other.example", "www.example.org", "*.example.org", "md-manager", "localhost")
    events = ("", "-", "/", "renewed/", "../renewed", "renewed\n", "renewed ", "RENEWED", "--user", "renewed-x", "$(id)", "%n", long, "start", "renewed\x7f")
    fields = ("LD_PRELOAD", "LD_LIBRARY_PATH", "PATH", "HOME", "BASH_ENV", "IFS", "MD_", "md_x", "MD_x", "MD_X=Y", "MD_X Y", "MD_X\n", "MD-X", " MD_X", "MD_ ", "",
              "MD_NAME", "MD_EVENT", "MD_STORE", "MD_STORE_DIR", "MD_VERSION", "MD_MANAGER_VERSION", "MD_" + long, "SYSTEMD_UNIT", "PYTHONPATH")
    units = ("apache2.service", "md-manager.service", "md-renew@example.org.service", "md-renew@.timer.service", "../md-renew@x.timer", "md-hook-x.timer",
             "md-hook-x.service/../../x.service", "md-hook-x.service\n", "dbus.socket", "", "-", "md-renew@x.timer dbus.service", long, "system.slice",
             "md-launcher.service")
    cursor = m.cursor()
    with hands.in_copy_of(m, "md-manager.service") as hand:
        for domain in domains:
            assert hand.call_error(*LAUNCHER, "RunHook", "ssa{ss}", domain, "renewed", {}) in (INVALID, NOT_CONFIGURED), domain[:100]
            # No timer comes of a name that no server has managed, be it one that could be somebody's.
            assert hand.call_error(*LAUNCHER, "ArmTimer", "st", domain, 2**51) == (NOT_CONFIGURED if domain in plausible else INVALID), domain[:100]
        for event in events:
            assert hand.call_error(*LAUNCHER, "RunHook", "ssa{ss}", "example.org", event, {}) == INVALID, event[:100]
        for field in fields:
            assert hand.call_error(*LAUNCHER, "RunHook", "ssa{ss}", "example.org", "renewed", {field: "/tmp/x"}) == INVALID, field[:100]
        many = {f"MD_F{i}": "x" for i in range(33)}
        assert hand.call_error(*LAUNCHER, "RunHook", "ssa{ss}", "example.org", "renewed", many) == INVALID
        assert hand.call_error(*LAUNCHER, "ArmTimer", "st", "example.org", 2**64 - 1) == INVALID
        for unit in units:
            assert hand.call_error(*LAUNCHER, "Cancel", "s", unit) == INVALID, unit[:100]
        for call in (("RunHook", "ss", "example.org", "renewed"), ("RunHook", "ssas", "example.org", "renewed", []), ("ArmTimer", "ss", "example.org", "now"),
                     ("Run", "s", "id"), ("RunHook", "ssa{ss}s", "example.org", "renewed", {}, "/bin/sh")):
            assert hand.call_error(*LAUNCHER, *call) in ("org.freedesktop.DBus.Error.InvalidArgs", "org.freedesktop.DBus.Error.UnknownMethod"), call
    started = {unit for unit in units_started(m, cursor) if "md-" in unit}
    allowed = ("probe-md-manager.service", "md-launcher.service", "md-renew@", "system-md")
    assert all(unit.startswith(allowed) for unit in started), started
    assert not m.journal("SYSLOG_IDENTIFIER=hook", after=cursor), "a hook ran"
    assert m.unit("apache2.service")["ActiveState"] == "active"


def test_launcher_sets_up_own_names_only(m):
    """A command for DNS records can write wherever its credentials reach: the launcher has it set up records of the domain's own names, and of no others."""
    value = "x" * 43
    managed.add(m, "dns.example", "*.wild.dns.example", directives=f"MDRenewMode manual\nMDChallengeDns01 {HOOK}")
    apache.reload(m)
    with hands.in_copy_of(m, "md-manager.service") as hand:
        for name in ("dns.example", "wild.dns.example"):
            assert hand.call(*LAUNCHER, "RunChallengeHook", "ssss", "dns.example", "setup", name, value)[1] == "success"
        cursor = m.cursor()
        for name in ("example.org", "other.example", "sub.dns.example", "a.wild.dns.example", "example", "dns.example.evil.example"):
            assert hand.call_error(*LAUNCHER, "RunChallengeHook", "ssss", "dns.example", "setup", name, value) == NOT_CONFIGURED, name
        assert not [unit for unit in units_started(m, cursor) if unit.startswith("md-hook-")]
        assert hand.call(*LAUNCHER, "RunChallengeHook", "ssss", "dns.example", "teardown", "dns.example", value)[1] == "success"
    managed.remove(m, "dns.example")
    apache.reload(m)


def test_launcher_hands_over_plain_text(m):
    """What the manager may say reaches a hook as text: no line breaks, no expansion, no more than its share."""
    told = {"MD_PROBLEM": "$(id) `id` $HOME ${PATH} %h %n", "MD_DETAIL": "one\ntwo\x1b[31m\0"[:-1], "MD_DOMAINS": "y" * 100_000}
    with hands.Hand(m, "hook-errored") as hook:
        with hands.in_copy_of(m, "md-manager.service") as hand:
            hand.call(*LAUNCHER, "RunHook", "ssa{ss}", "example.org", "errored", told)
        hook.wait_here()
        seen = hook.do("environment")
        assert hook.do("arguments") == ["errored", "example.org"]
    assert seen["MD_PROBLEM"] == told["MD_PROBLEM"], seen
    assert "\n" not in seen["MD_DETAIL"] and "\x1b" not in seen["MD_DETAIL"] and seen["MD_DETAIL"].startswith("one"), seen
    assert 0 < len(seen["MD_DOMAINS"]) <= 32 * 1024, len(seen["MD_DOMAINS"])
    assert not {"LD_PRELOAD", "MD_STORE", "MD_VERSION"} & set(seen)


def test_launcher_believes_root_only(m):
    """A snapshot that does not belong to root, that others may write, or that is a link, names no hook; root's does."""
    snapshot = json.loads(m.read(f"{STORE}/servers/apache2.json"))
    domain = dict(snapshot["managed-domains"][0], name="evil.example", domains=["evil.example"])
    domain["renew-mode"] = 0
    snapshot |= {"id": "evil", "message-cmd": ["/bin/echo", "evil"], "managed-domains": [domain]}
    text = json.dumps(snapshot)
    path = f"{STORE}/servers/evil.json"
    words = ["busctl", "call", *LAUNCHER, "RunHook", "ssa{ss}", "evil.example", "renewed", "0"]
    m.write(path, text, mode=0o640)
    cases = (f"chown md-manager:md-manager {path}", f"chown nobody:md-manager {path}", f"chown root {path}; chmod 0660 {path}", f"chmod 0642 {path}",
             f"mv {path} /etc/evil.json; chmod 0640 /etc/evil.json; ln -s /etc/evil.json {path}",
             f"rm {path}; mkfifo {path}; chmod 0640 {path}; chgrp md-manager {path}", f"rm {path}; cp /etc/evil.json {path}; chown root:root {path}; chmod 0640 {path}; chmod 0777 {STORE}/servers")
    try:
        for case in cases:
            m.run(case)
            result = m.run(words, check=False)
            assert result.rc != 0 and ("is configured to have" in result.err or "servers" in result.err), f"after {case}: {result}"
        m.run(f"chmod 0750 {STORE}/servers")
        cursor = m.cursor()
        m.run(words)
        m.wait_journal("MD_NAME=evil.example", "MD_EVENT=renewed", "MESSAGE=evil renewed evil.example", after=cursor)
    finally:
        m.run(f"chmod 0750 {STORE}/servers; rm -f {path} /etc/evil.json")
    m.wait_for(lambda: "evil.example" not in managed.mdctl(m, "list").out, 10, "the domain to be forgotten")


def test_worker_reads_nothing(m):
    """md-acme reads no key and nothing else of the store, writes nothing, has no capability, and no network but the internet's."""
    with hands.in_copy_of(m, "md-renew@example.org.service") as hand:
        assert hand.do("os.getuid()") == int(m.run("id -u md-acme").out)
        assert_powerless(hand)
        directories = m.run(f"find {STORE} -type d").out.split()
        assert_reads_nothing(m, hand, secret_files(m), *directories)
        for directory in ("/etc", "/var/lib", "/run", "/var/www", "/home", "/root", "/etc/apache2"):
            assert hand.error("Path(path).write_text('x')", path=f"{directory}/probe") in CLOSED, directory
        for family in ("AF_NETLINK", "AF_PACKET", "AF_VSOCK", "AF_ALG"):
            assert hand.error(f"socket.socket(socket.{family}, socket.SOCK_RAW)") == "EAFNOSUPPORT", family
        assert hand.error("socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)") == "EPERM"
        assert hand.error(IO_URING_SETUP) == "EPERM"
        assert hand.do("socket.create_connection(('127.0.0.1', 443)).fileno()") >= 0


def test_worker_starts_nothing(m):
    """md-acme gets nothing from systemd, the launcher or the manager's public interface that it could use."""
    with hands.in_copy_of(m, "md-renew@example.org.service") as hand:
        for verb in ("StartUnit", "StopUnit", "RestartUnit", "ReloadUnit"):
            for unit in ("apache2.service", "md-renew@example.org.service", "md-renew@example.org.timer", "md-manager.service", "md-launcher.service"):
                assert hand.call_error(*SYSTEMD, verb, "ss", unit, "replace") in REFUSED, (verb, unit)
        assert hand.call_error(*transient("probe.service")) in REFUSED
        for call in (("Renew", "sb", "example.org", True), ("Check",), ("Reload", "s", "apache2.service")):
            assert hand.call_error(*MANAGER, *call) in REFUSED, call
        assert hand.call_error(*MANAGER[:1], "/org/mdmanager1/domain/example_2eorg", "org.mdmanager1.Domain", "Renew", "b", True) in REFUSED


WORKER_CALLS = (("Open",), ("Directory", "a{sv}", {}), ("Sign", "sss", "new-order", "https://ca.test:14000/order-plz", "bm9uY2U"),
                ("AccountCreated", "s", "https://ca.test:14000/a"), ("AccountRejected", "s", ""),
                ("OrderCreated", "ssast", "https://ca.test:14000/o", "https://ca.test:14000/f", [], 0), ("OrderGone", "s", ""),
                ("SetUpChallenge", "sssss", "dns", "example.org", "http-01", "token", "https://ca.test:14000/c"), ("Deliver", "as", ["x"]),
                ("Progress", "s", "x"), ("Close", "s", ""))


def test_worker_interface_is_for_workers(m):
    """Worker methods are refused by the bus to every other user, root too, whatever interface the message claims."""
    for user in ("root", "md-manager", *(user for user in NOBODIES if user != "md-acme")):
        with hands.of_user(m, user) as hand:
            for call in WORKER_CALLS:
                assert hand.call_error(*WORKER, *call) == ACCESS_DENIED, (user, call)
                assert hand.call_error(*WORKER[:2], None, *call) == ACCESS_DENIED, (user, call)
                assert hand.call_error(*WORKER[:2], MANAGER[2], *call) == "org.freedesktop.DBus.Error.UnknownMethod", (user, call)


def test_worker_must_be_its_unit(m):
    """User md-acme outside of md-renew@NAME.service gets no job: not without a unit, nor in another, nor for a name nobody manages."""
    jobs = m.property(*MANAGER, "Renewals")
    cursor = m.cursor()
    with hands.of_user(m, "md-acme") as hand:
        assert hand.call_error(*WORKER, "Open") == NOT_ALLOWED
        for call in WORKER_CALLS[1:-1]:
            assert hand.call_error(*WORKER, *call) == NOT_ALLOWED, call
    with hands.in_copy_of(m, "md-renew@example.org.service") as hand:       # another unit, with the same user and sandbox
        assert hand.call_error(*WORKER, "Open") == NO_SUCH_DOMAIN
    for instance in ("nobody.example", "www.example.org", "EXAMPLE.ORG", "example.org-", "example\\x2eorg"):
        unit = f"md-renew@{instance}.service"
        with hands.take_place(m, unit, "stranger") as hand:
            m.run(["systemctl", "start", "--no-block", unit])
            hand.wait_here()
            assert hand.call_error(*WORKER, "Open") == NO_SUCH_DOMAIN, unit
            for call in WORKER_CALLS[1:-1]:
                assert hand.call_error(*WORKER, *call) == NOT_ALLOWED, call
    m.wait_journal("_SYSTEMD_UNIT=md-manager.service", after=cursor, where=lambda entry: "Refused a worker's Open()" in entry["MESSAGE"])
    assert m.property(*MANAGER, "Renewals") == jobs


def sign(hand, kind, url, nonce="bm9uY2U", bus="here"):
    """A signed request, taken apart: what is protected, and what was signed for."""
    body = json.loads(hand.call(*WORKER, "Sign", "sss", kind, url, nonce, bus=bus)[0])
    assert set(body) == {"protected", "payload", "signature"}, body
    protected, payload = (base64.urlsafe_b64decode(body[part] + "==") for part in ("protected", "payload"))
    return json.loads(protected), json.loads(payload) if payload else None


def sign_error(hand, kind, url, nonce="bm9uY2U", bus="here"):
    return hand.call_error(*WORKER, "Sign", "sss", kind, url, nonce, bus=bus)


@contextlib.contextmanager
def job_in_hand(m, name, *aliases, ca):
    """A new domain whose worker is a hand; the manager has just started it. At the end the domain is gone, and its job with it."""
    with hands.take_place(m, f"md-renew@{name}.service", name) as hand:
        managed.add(m, name, *aliases, directives=f"MDCertificateAuthority {ca}")
        apache.reload(m)
        yield hand.wait_here()
        managed.remove(m, name)
        apache.reload(m)
        m.wait_for(lambda: not managed.is_known(m, name) or not managed.show(m, name)["Managed"], 10, f"{name} to be nobody's")
    m.wait_for(lambda: not managed.is_known(m, name), 10, f"{name} to be forgotten")


def test_worker_goes_step_by_step(m):
    """The manager signs what the job is at and nothing else: each kind of request only in its turn, and only to the URL it belongs to."""
    ca = "https://other-ca.test"
    new_account, new_order, order, finalize, authorization, challenge = (f"{ca}/{path}" for path in ("account", "order", "o/1", "o/1/f", "authz/1", "chall/1"))
    urls = (new_account, new_order, order, finalize, authorization, challenge, f"{ca}/dir")
    kinds = ("new-account", "new-order", "challenge", "finalize", "post-as-get")

    def refuses_all_but(*allowed):
        for kind in kinds:
            for url in urls:
                if (kind, url) not in allowed:
                    assert sign_error(hand, kind, url) == NOT_NOW, f"{kind} to {url} was signed"

    with job_in_hand(m, "job.example", "www.job.example", ca=f"{ca}/dir") as hand:
        _, domain, details = hand.call(*WORKER, "Open")
        assert domain == "job.example" and details["ca-url"] == f"{ca}/dir" and details["account"] == "" and details["order"] == "", details
        assert sorted(name for _, name in details["identifiers"]) == ["job.example", "www.job.example"], details
        assert not [text for text in json.dumps(details).split('"') if "PRIVATE" in text or text.startswith("/var/lib")], details
        assert hand.call_error(*WORKER, "Open") == NOT_NOW, "a second job for one connection"
        assert hand.call_error(*WORKER, "Open", bus="second") == BUSY, "the same job for a second connection"
        assert sign_error(hand, "post-as-get", order, bus="second") == NOT_ALLOWED

        refuses_all_but()
        for wrong in ({"new-order": ("s", "http://other-ca.test/o")}, {"new-account": ("s", "file:///etc/passwd")}, {"new-order": ("s", "https://a@b/")},
                      {"new-order": ("s", "https://b/ x")}):
            assert hand.call_error(*WORKER, "Directory", "a{sv}", wrong) == INVALID, wrong
        hand.call(*WORKER, "Directory", "a{sv}", {"new-account": ("s", new_account), "new-order": ("s", new_order)})

        refuses_all_but(("new-account", new_account))
        for nonce in ("", "a b", "a\nb", "a=", 'a","x":"', "x" * 600):
            assert sign_error(hand, "new-account", new_account, nonce) == NOT_NOW, nonce
        for kind in ("revoke", "key-change", "NEW-ACCOUNT", "", "new-account ", "external-account"):
            assert sign_error(hand, kind, new_account) == NOT_NOW, kind
        protected, payload = sign(hand, "new-account", new_account)
        assert set(protected) == {"alg", "jwk", "nonce", "url"} and protected["url"] == new_account and "d" not in protected["jwk"], protected
        assert set(payload) <= {"termsOfServiceAgreed", "contact"}, payload
        assert hand.call_error(*WORKER, "OrderCreated", "ssast", order, finalize, [authorization], 0) == NOT_NOW, "an order without an account"
        assert hand.call_error(*WORKER, "SetUpChallenge", "sssss", "dns", "job.example", "http-01", "token", challenge) == NOT_NOW
        assert hand.call_error(*WORKER, "AccountCreated", "s", "ftp://x") == INVALID
        hand.call(*WORKER, "AccountCreated", "s", f"{ca}/me")

        refuses_all_but(("new-order", new_order))
        protected, payload = sign(hand, "new-order", new_order)
        assert protected["kid"] == f"{ca}/me" and "jwk" not in protected, protected
        assert sorted(entry["value"] for entry in payload["identifiers"]) == ["job.example", "www.job.example"], payload
        assert hand.call_error(*WORKER, "Deliver", "as", ["x"]) == NOT_NOW, "a certificate without an order"
        assert hand.call_error(*WORKER, "OrderCreated", "ssast", order, "http://insecure/", [authorization], 0) == INVALID
        hand.call(*WORKER, "OrderCreated", "ssast", order, finalize, [authorization], 0)
        assert hand.call_error(*WORKER, "OrderCreated", "ssast", f"{ca}/o/2", finalize, [authorization], 0) == NOT_NOW, "another order"

        assert hand.call_error(*WORKER, "Directory", "a{sv}", {"new-order": ("s", f"{ca}/revoke")}) == NOT_NOW, "another directory"

        known = [("post-as-get", order), ("post-as-get", authorization), ("finalize", finalize)]
        refuses_all_but(*known)
        for wrong in (("dns", "example.org", "http-01", "token"), ("dns", "evil.example", "http-01", "token"), ("ip", "127.0.0.1", "http-01", "token"),
                      ("dns", "job.example", "http-01", "../../domains/x"), ("dns", "job.example", "http-01", "a\nb"), ("dns", "job.example", "http-01", ""),
                      ("dns", "job.example", "telepathy-01", "token")):
            assert hand.call_error(*WORKER, "SetUpChallenge", "sssss", *wrong, challenge) in (REFUSED_BY_US, INVALID), wrong
        hand.call(*WORKER, "SetUpChallenge", "sssss", "dns", "job.example", "http-01", "dG9rZW4tdGhhdC1pcy1sb25nLWVub3VnaA", challenge)

        known += [("challenge", challenge), ("post-as-get", challenge)]
        refuses_all_but(*known)
        assert sign(hand, "challenge", challenge)[1] == {} and sign(hand, "post-as-get", order)[1] is None
        assert hand.call_error(*WORKER, "Deliver", "as", ["x"]) == NOT_NOW, "a certificate before the order was finalized"
        assert set(sign(hand, "finalize", finalize)[1]) == {"csr"}
        # The certificate's URL comes from the order: it is at the CA, and nowhere else.
        for url in ("https://evil.example/cert", f"{ca}.evil.example/cert", "https://other-ca.test:444/cert", "https://other-ca.test@evil.example/"):
            assert sign_error(hand, "post-as-get", url) == NOT_NOW, url
        assert hand.call_error(*WORKER, "Deliver", "as", [m.read(f"{STORE}/domains/example.org/pubcert.pem")]) == REFUSED_BY_US, "another domain's certificate"


def test_worker_takes_nothing_away(m):
    """What the manager signs with stays there whatever a worker says: no directory takes a URL away that was signed for, and an account that cannot be replaced is kept."""
    ca = "https://empty-ca.test"
    urls = {"new-account": ("s", f"{ca}/account"), "new-order": ("s", f"{ca}/order")}
    rejected = json.dumps({"problem": "urn:ietf:params:acme:error:accountDoesNotExist", "detail": "who is that?", "status": 400})
    before = m.unit("md-manager.service")["MainPID"]
    with job_in_hand(m, "empty.example", ca=f"{ca}/dir") as hand:
        hand.call(*WORKER, "Open")
        hand.call(*WORKER, "Directory", "a{sv}", {**urls, "new-order": ("s", f"{ca}/other")})
        hand.call(*WORKER, "Directory", "a{sv}", urls)
        sign(hand, "new-account", f"{ca}/account")
        for more in ({"new-account": ("s", "")}, {"new-account": ("s", f"{ca}/other")}, urls, {}):
            assert hand.call_error(*WORKER, "Directory", "a{sv}", more) == NOT_NOW, more
        assert hand.call_error(*WORKER, "AccountCreated", "s", "https://x/") == INVALID
        hand.call(*WORKER, "AccountCreated", "s", f"{ca}/me")
        assert sign(hand, "new-order", f"{ca}/order")[0]["kid"] == f"{ca}/me"
        m.run(f"chmod 0500 {STORE}/accounts")
        try:
            assert hand.call_error(*WORKER, "AccountRejected", "s", rejected) == "org.mdmanager1.Error.Failed"
            assert sign(hand, "post-as-get", f"{ca}/me")[0]["kid"] == f"{ca}/me"
            assert hand.call_error(*WORKER, "OrderCreated", "ssast", f"{ca}/o", f"{ca}/o/f", [f"{ca}/z"], 0) is None
        finally:
            m.run(f"chmod 0700 {STORE}/accounts")
    assert m.unit("md-manager.service")["MainPID"] == before


def test_worker_cannot_bloat_files(m):
    """What a worker says of the CA is kept with an account that others use, and with its job: never so much that these files cannot be read any more."""
    ca = "https://bloat-ca.test"
    urls = {"new-account": ("s", f"{ca}/account"), "new-order": ("s", f"{ca}/order")}
    with job_in_hand(m, "bloat.example", ca=f"{ca}/dir") as hand:
        hand.call(*WORKER, "Open")
        assert hand.call_error(*WORKER, "Directory", "a{sv}", {**urls, "profiles": ("as", ["x" * 1_000_000])}) == INVALID
        hand.call(*WORKER, "Directory", "a{sv}", {**urls, "terms-of-service": ("s", "https://" + "x" * 2_000_000 + "\n\x1b[31m")})
        sign(hand, "new-account", f"{ca}/account")
        hand.call(*WORKER, "AccountCreated", "s", f"{ca}/me")
        account = next(path for path in m.run(f"grep -lr bloat-ca {STORE}/accounts").out.split() if path.endswith("account.json"))
        text = m.read(account)
        assert len(text) < 5000 and json.loads(text)["agreement"].startswith("https://xxx"), text[:200]

        sign(hand, "new-order", f"{ca}/order")
        long = [f"{ca}/{'x' * 2000}{i}" for i in range(900)]
        assert hand.call_error(*WORKER, "OrderCreated", "ssast", f"{ca}/o/1", f"{ca}/o/1/f", long, 0) == INVALID
        hand.call(*WORKER, "OrderCreated", "ssast", f"{ca}/o/1", f"{ca}/o/1/f", long[:20], 0)
        assert json.loads(m.read(f"{STORE}/domains/bloat.example/job.json"))["name"] == "bloat.example"


def test_worker_has_its_own_job_only(m):
    """Two workers at work: neither gets at the other's job, be it by the bus or through the other's process."""
    stalled = threading.Event()
    other = "md-renew@two.example.service"
    with job_in_hand(m, "one.example", ca="https://other-ca.test/dir") as own:
        assert own.call(*WORKER, "Open")[1] == "one.example"
        rule = m.ca.proxy.rule(kind="new-order", hold=stalled)
        try:
            managed.add(m, "two.example")
            apache.reload(m)
            pid = int(m.wait_for(lambda: rule.used and m.unit(other)["MainPID"], 20, "the real worker to wait for its CA"))
            assert m.run(["ps", "-o", "user=", "-p", str(pid)]).out.strip() == "md-acme"
            # The manager listens to connections, not to names that somebody knows.
            assert sign_error(own, "new-order", "https://ca.test:14000/order-plz") == NOT_NOW
            assert sign_error(own, "new-order", "https://ca.test:14000/order-plz", bus="second") == NOT_ALLOWED
            assert own.call_error(*WORKER, "Open", bus="second") == BUSY
            assert own.call(*WORKER, "Close", "s", "", bus="second") == []
            assert_process_is_closed(own, pid)
        finally:
            stalled.set()
    managed.wait_served(m, "two.example")
    managed.remove(m, "two.example")
    apache.reload(m)


def test_workers_are_closed_to_each_other(m):
    """Workers share a user, and yet none gets at the process of another one: not even before that has asked the kernel to be left alone."""
    with hands.in_copy_of(m, "md-renew@.service") as own, hands.in_copy_of(m, "md-acme-batch@.service") as other:
        assert own.do("os.getuid()") == other.do("os.getuid()")
        assert other.do("syscall('prctl', 3, 0, 0, 0, 0)") == 1, "the hand is closed by itself: the test would see nothing"
        assert_process_is_closed(own, other.do("os.getpid()"))


def assert_process_is_closed(hand, pid):
    """The hand is of the same user, and yet gets nothing out of that process, nor anything into it."""
    for what in ("mem", "environ", "maps", "auxv", "fd/1"):
        path = f"/proc/{pid}/{what}"
        assert hand.error("open(path, 'rb').read(1)", path=path) in CLOSED, f"{path} can be read"
    assert hand.error("open(path, 'r+b')", path=f"/proc/{pid}/mem") in CLOSED
    for call in ("process_vm_readv", "process_vm_writev"):
        code = f"""room = ctypes.create_string_buffer(8)
mine, theirs = (ctypes.c_size_t * 2)(ctypes.addressof(room), 8), (ctypes.c_size_t * 2)(0x400000, 8)
syscall({call!r}, {pid}, mine, ctypes.c_ulong(1), theirs, ctypes.c_ulong(1), ctypes.c_ulong(0))"""
        assert hand.error(code) == "EPERM", call
    assert hand.error(f"syscall('syscall', 438, syscall('syscall', 434, {pid}, 0), 1, 0)") == "EPERM", "pidfd_getfd"


def test_hook_reads_no_key(m):
    """A hook's user reads no key and nothing else of the store, and neither asks for nor does anything a local user could not."""
    with hands.Hand(m, "hook-renewed") as hand:
        m.run(["busctl", "call", *LAUNCHER, "RunHook", "ssa{ss}", "example.org", "renewed", "0"])
        hand.wait_here()
        assert hand.do("os.getuid()") == int(m.run("id -u md-hook").out)
        assert_powerless_hook(hand)
        assert_reads_nothing(m, hand, secret_files(m), *(f"{STORE}/{name}" for name in ("domains", "reserve", "accounts", "staging", "archive", "tmp", "fallback",
                                                                                       "servers", "challenges")))
        for directory in ("/etc", "/var/lib", "/run", STORE, "/usr/local/lib/md-test", "/var/www", "/home/alice"):
            assert hand.error("Path(path).write_text('x')", path=f"{directory}/probe") in CLOSED, directory
        hand.do("Path('/tmp/probe').write_text('x')")
        assert hand.call_error(*LAUNCHER, "RunHook", "ssa{ss}", "example.org", "installed", {}) == ACCESS_DENIED
        assert hand.call_error(*WORKER, "Open") == ACCESS_DENIED
        assert hand.call_error(*SYSTEMD, "ReloadUnit", "ss", "apache2.service", "replace") in REFUSED
        assert hand.call_error(*transient("probe.service")) in REFUSED
        assert hand.call_error(*MANAGER, "Renew", "sb", "example.org", True) in REFUSED
    assert not m.exists("/tmp/probe"), "the hook's /tmp is everybody's"


def assert_powerless_hook(hand):
    status = dict(line.split(":\t", 1) for line in hand.do("Path('/proc/self/status').read_text()").splitlines())
    assert status["NoNewPrivs"] == "1" and {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}, status
    for call in ("os.setuid(0)", "os.setgroups([0])", "os.kill(1, 0)", "syscall('mount', b'none', b'/mnt', b'tmpfs', 0, None)"):
        assert hand.error(call) == "EPERM", call


RULE = """polkit.addRule(function (action, subject) {
    if (action.id == "org.mdmanager1.renew" && subject.user == "alice" && action.lookup("domain") == "example.org") return polkit.Result.YES;
    if (action.id == "org.mdmanager1.reload" && subject.user == "alice" && action.lookup("unit") == "apache2.service") return polkit.Result.YES;
});
"""


def test_renew_needs_authorization(m):
    """An unprivileged user may look, not act; with a polkit rule for one user and one domain, that user may renew that domain."""
    managed.add(m, "other.example")
    apache.reload(m)
    managed.wait_served(m, "other.example")
    path = managed.show(m, "example.org") and "/org/mdmanager1/domain/example_2eorg"
    actions = ((*MANAGER, "Renew", "sb", "example.org", True), (MANAGER[0], path, "org.mdmanager1.Domain", "Renew", "b", True),
               (*MANAGER, "Renew", "sb", "www.example.org", True), (*MANAGER, "Reload", "s", "apache2.service"), (*MANAGER, "Check"))
    before = managed.is_real(m, "example.org")
    known = {entry[0] for entry in managed.call(m, MANAGER[1], MANAGER[2], "ListDomains")[0]}
    assert {"example.org", "other.example"} <= known, known
    with hands.of_user(m, "alice") as alice, hands.of_user(m, "nobody") as nobody:
        for hand in (alice, nobody):
            for flags in (0, 4):                                # without and with "interactive authorization allowed"
                for action in actions:
                    error = hand.call_error(*action, flags=flags)
                    assert error in REFUSED, (action, error)
            assert {entry[0] for entry in hand.call(*MANAGER, "ListDomains")[0]} == known
        result = managed.mdctl(m, "renew", "--force", "example.org", check=False, user="alice")
        assert result.rc == 4 and "rror" not in result.out, result
        assert managed.is_real(m, "example.org").fingerprint == before.fingerprint

        m.write("/etc/polkit-1/rules.d/10-alice.rules", RULE)
        try:
            job = m.wait_for(lambda: alice.call(*actions[0])[0], 15, "polkit to have read the rule")
            assert job.startswith("/org/mdmanager1/job/"), job
            managed.wait_served(m, "example.org", other_than=before)
            assert nobody.call_error(*actions[0]) in REFUSED
            assert alice.call_error(*MANAGER, "Renew", "sb", "other.example", True) in REFUSED, "the rule is for one domain"
            assert alice.call_error(*MANAGER, "Check") in REFUSED
            assert alice.call(*MANAGER, "Reload", "s", "apache2.service") == [["apache2.service"]]
            assert alice.call_error(*MANAGER, "Reload", "s", "") in REFUSED, "the rule is for one unit"
        finally:
            m.run("rm /etc/polkit-1/rules.d/10-alice.rules")
