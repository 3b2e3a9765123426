# SPDX-License-Identifier: Apache-2.0
"""Who is believed: signals that anybody can send, a bus that dies, and our own check, which runs as the manager's user."""

import threading

import apache
import managed
from host import Failure

SUITES = ["trixie", "bookworm"]

BUS = "org.freedesktop.DBus"
SYSTEMD = ("/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")
CHECK = "md-manager-check.service"


def setup(m):
    managed.install(m)
    managed.settings(m, ReloadIntervalSec=1)


def connection_of(m, unit):
    """The unique bus name of a unit's process."""
    for line in m.run("busctl list --unique --no-legend --no-pager").out.splitlines():
        fields = line.split()
        if unit in fields:
            return fields[0]
    raise Failure(f"{unit} is not on the bus")


def emit(m, to, path, interface, member, signature, *arguments, user="nobody"):
    m.run(["busctl", "emit", f"--destination={to}", path, interface, member, signature, *arguments], user=user, check=False)


def forge(m, to, names, job):
    """What the bus and systemd would say of the end of each of 'names' and of a job, said by nobody."""
    for name in names:
        emit(m, to, "/org/freedesktop/DBus", BUS, "NameOwnerChanged", "sss", name, name if name.startswith(":") else ":1.1", "")
    for result in ("failed", "done"):
        emit(m, to, *SYSTEMD, "JobRemoved", "uoss", str(job), f"/org/freedesktop/systemd1/job/{job}", "md-renew@forged.example.org.service", result)


def job_of(m, unit):
    return int(m.unit(unit).get("Job", "0"))


def test_forged(m):
    """Signals from nobody that look like the bus's and systemd's end nothing: a renewal that is held at the CA comes to its end."""
    name = "forged.example.org"
    unit = f"md-renew@{name}.service"
    release = threading.Event()
    rule = m.ca.proxy.rule(kind="authorization", nth=1, hold=release)
    managed.add(m, name)
    cursor = m.cursor()
    apache.reload(m)
    m.wait_for(lambda: rule.used, 20, "the authorization to be asked for")
    manager, worker = connection_of(m, "md-manager.service"), connection_of(m, unit)
    names = (manager, worker, "org.mdmanager1", "org.freedesktop.systemd1", unit)
    job = job_of(m, unit)
    assert job > 0, "the worker's job is over: the test proves nothing"
    m.run(["busctl", "call", "org.mdmanager1.Launcher", "/org/mdmanager1/Launcher", "org.freedesktop.DBus.Peer", "Ping"])
    for to in (manager, worker, connection_of(m, "md-launcher.service")):
        forge(m, to, names, job)
    assert not m.journal("MD_EVENT=errored", after=cursor) and m.unit(unit)["ActiveState"] == "activating"
    release.set()
    managed.wait_served(m, name)
    managed.wait_event(m, name, "installed", cursor)
    assert m.ca.proxy.count("new-order") == 1 and not m.journal("MD_EVENT=errored", after=cursor)
    m.ca.proxy.clear()


def test_refused_by_policy(m):
    """The bus itself hands the manager and the launcher no signals of users."""
    manager = connection_of(m, "md-manager.service")
    m.run(["busctl", "call", "org.mdmanager1.Launcher", "/org/mdmanager1/Launcher", "org.freedesktop.DBus.Peer", "Ping"])
    for to in (manager, connection_of(m, "md-launcher.service"), "org.mdmanager1"):
        watch = m.start(["busctl", "monitor", "--match=type='signal',member='Forged'", "--match=type='error'"])
        m.wait_for(lambda w=watch: any("Monitoring" in line for line in w.lines), 10, "busctl to listen")
        emit(m, to, "/a", "org.example.A", "Forged", "s", "first")
        emit(m, "org.freedesktop.DBus", "/a", "org.example.A", "Forged", "s", "last")
        watch.wait_line("last")
        lines = "\n".join(watch.lines)
        watch.stop()
        assert "first" not in lines or "AccessDenied" in lines, lines


def test_systemd_again(m):
    """systemd executes itself anew while it works for us: it has another name on the bus then, and is believed."""
    name = "again.example.org"
    release = threading.Event()
    rule = m.ca.proxy.rule(kind="authorization", nth=1, hold=release)
    managed.add(m, name)
    cursor = m.cursor()
    apache.reload(m)
    m.wait_for(lambda: rule.used, 20, "the authorization to be asked for")
    m.run("systemctl daemon-reexec")
    release.set()
    managed.wait_served(m, name)
    managed.wait_event(m, name, "installed", cursor)
    assert not m.journal("MD_EVENT=errored", after=cursor)
    m.ca.proxy.clear()


def test_check(m):
    """md-manager-check.service, as the manager's own user, has everything looked at again, also while polkit is not there; others are told that they may not."""
    m.run("systemctl mask --runtime --now polkit.service")
    try:
        cursor = m.cursor()
        m.run(["systemctl", "start", CHECK])
        shown = m.unit(CHECK)
        assert (shown["Result"], shown["ExecMainStatus"]) == ("success", "0"), shown
        said = [entry["MESSAGE"] for entry in m.journal(unit=CHECK, after=cursor)]
        assert "All is well." in said and not [line for line in said if "Not allowed" in line], said
    finally:
        m.run("systemctl unmask --runtime polkit.service; systemctl start polkit.service")
    result = managed.mdctl(m, "--no-ask-password", "check", user="nobody", check=False)
    assert result.rc == 4 and "Not allowed" in result.err and "All is well" in result.out, result


def test_bus_dies(m):
    """The bus dies: the manager ends as failed, comes again by itself, and its timers are as they were."""
    name = "forged.example.org"
    at = managed.show(m, name)["NextUSec"]
    m.wait_for(lambda: managed.timer_is(m, name, at), 10, "the timer")
    pid, cursor = managed.main_pid(m), m.cursor()
    m.run(["kill", "-KILL", str(managed.main_pid(m, "dbus.service"))])
    m.wait_journal("UNIT=md-manager.service", after=cursor, where=lambda e: "status=1/FAILURE" in e["MESSAGE"])
    m.wait_for(lambda: managed.main_pid(m) not in (0, pid) and m.active("md-manager.service"), 30, "the manager to be there again")
    m.wait_for(lambda: managed.show(m, name)["NextUSec"] == at and managed.timer_is(m, name, at), 30, "the timer to be as it was")


def test_shutdown(m):
    """The machine goes down: the manager ends well, before the bus does."""
    for _ in range(3):
        m.wait_active("md-manager.service")
        m.reboot()
        told = m.run("journalctl -b -1 -u md-manager.service -o cat --no-pager").out.rpartition("Started md-manager.service")[2]     # its last life there
        assert "md-manager.service: Deactivated successfully." in told and "Failed with result" not in told, told


def test_fails_in_a_row(m):
    """However often the manager dies in a row, it comes again."""
    for _ in range(7):
        managed.kill(m)
        m.run("systemctl start md-manager")
    m.wait_active("md-manager.service")
    managed.kill(m)
    m.wait_active("md-manager.service")
