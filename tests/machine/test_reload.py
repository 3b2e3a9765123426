# SPDX-License-Identifier: Apache-2.0
"""When servers are reloaded for new certificates: at set times, at once when it is urgent, by other units, or by nobody but people."""

import json

import apache
import managed

NAME = "reload.example.org"
OTHER = "first.example.org"
TIMER = "md-reload.timer"
FAR = "2099-01-01 03:30:00"
ME = "_SYSTEMD_UNIT=md-manager.service"
MANAGER = ("/org/mdmanager1", "org.mdmanager1.Manager")


def setup(m):
    managed.install(m)
    managed.settings(m, ReloadIntervalSec=1)
    managed.add(m, NAME)
    cursor = m.cursor()
    apache.reload(m)
    managed.wait_event(m, NAME, "installed", cursor)


def settings(m, **values):
    managed.settings(m, ReloadIntervalSec=1, **values)
    if "ReloadOnCalendar" in values:
        m.wait_for(lambda: m.active(TIMER), 10, f"{TIMER} to be there")


def timers(m):
    return {entry["unit"]: entry for entry in json.loads(m.run(["systemctl", "list-timers", "--all", "--output=json"]).out)}


def reloads(m):
    return {unit: state for unit, state, _, _ in m.property(managed.BUS, *MANAGER, "Reloads")}


def pending(m):
    return m.property(managed.BUS, *MANAGER, "ReloadPending")


def renew_and_wait(m):
    """Renews; returns when the new certificate is in the store and its reload is planned."""
    cursor = m.cursor()
    managed.renew(m, NAME)
    managed.wait_event(m, NAME, "renewed", cursor)
    m.wait_for(lambda: reloads(m).get("apache2.service") == "planned", 10, "the reload to be planned")
    return cursor


def test_calendar(m):
    """ReloadOnCalendar= is a timer that list-timers shows; a reload waits for it, which is a stated reason and no fault; its service, also by hand, does it."""
    settings(m, ReloadOnCalendar=FAR)
    shown = timers(m)[TIMER]
    assert shown["activates"] == "md-reload.service" and shown["next"] == 4070921400000000, shown
    before = managed.is_real(m, NAME)
    cursor = renew_and_wait(m)
    # Also for the next manager, and when everything is looked at again.
    m.run("systemctl restart md-manager")
    m.wait_for(lambda: reloads(m).get("apache2.service") == "planned", 10, "the reload to be planned again")
    assert managed.check(m) == [] and managed.mdctl(m, "check").rc == 0
    assert pending(m) and managed.show(m, NAME)["Action"] == "install"
    assert "ReloadOnCalendar" in managed.mdctl(m, "show", NAME).out and "reload pending" in m.unit("md-manager.service")["StatusText"]
    assert managed.is_real(m, NAME).fingerprint == before.fingerprint and managed.reloads(m, cursor) == 0
    m.run("systemctl start md-reload.service")
    managed.wait_served(m, NAME, other_than=before)
    managed.wait_event(m, NAME, "installed", cursor)
    assert managed.reloads(m, cursor) == 1 and timers(m)[TIMER]["next"] == 4070921400000000
    m.wait_for(lambda: not pending(m), 10, "the reload to be over")


def test_elapses(m):
    """The timer elapses: what waits is reloaded then, again and again; when nothing waits, nothing is."""
    settings(m, ReloadOnCalendar="*:*:0/4")
    for _ in range(2):
        before, cursor = managed.is_real(m, NAME), m.cursor()
        managed.renew(m, NAME)
        managed.wait_served(m, NAME, other_than=before)
        reload = m.wait_journal(ME, after=cursor, where=lambda e: e["MESSAGE"] == "Reloading apache2.service.")
        began = m.journal("_PID=1", "UNIT=md-reload.service", after=cursor)
        assert began and int(began[0]["__REALTIME_TIMESTAMP"]) < int(reload["__REALTIME_TIMESTAMP"])
        managed.wait_event(m, NAME, "installed", cursor)
    cursor = m.cursor()
    m.wait_journal("_PID=1", "UNIT=md-reload.service", after=cursor, where=lambda e: "Finished" in e["MESSAGE"])
    assert managed.reloads(m, cursor) == 0


def test_urgent(m):
    """What is urgent does not wait for the calendar: a first certificate, a name more, a revoked one, one that ends soon, and an operator's word."""
    settings(m, ReloadOnCalendar=FAR)
    managed.add(m, OTHER)
    apache.reload(m)
    managed.wait_served(m, OTHER)
    before = managed.is_real(m, OTHER)
    managed.add(m, OTHER, "www." + OTHER)
    apache.reload(m)
    managed.wait_served(m, OTHER, other_than=before)
    before = managed.is_real(m, OTHER)
    managed.mdctl(m, "revoke", "--reissue", OTHER)
    managed.wait_served(m, OTHER, other_than=before)
    managed.remove(m, OTHER)
    apache.reload(m)

    before = managed.is_real(m, NAME)
    renew_and_wait(m)
    cursor = m.cursor()
    assert managed.mdctl(m, "reload").out == "apache2.service was reloaded.\n"
    assert managed.reloads(m, cursor) == 1
    managed.wait_served(m, NAME, other_than=before)

    m.wait_for(lambda: not pending(m), 10, "the reload to be over")
    before = managed.is_real(m, NAME)
    renew_and_wait(m)
    settings(m, ReloadOnCalendar=FAR, ReloadUrgentSec="100years")
    managed.wait_served(m, NAME, other_than=before)


def test_failed(m):
    """A reload at a set time that fails is told and tried again without waiting for the next one."""
    settings(m, ReloadOnCalendar=FAR)
    before = managed.is_real(m, NAME)
    cursor = renew_and_wait(m)
    m.write("/etc/apache2/conf-enabled/broken.conf", "NoSuchDirective on\n")
    m.run("systemctl start md-reload.service")
    told = managed.wait_event(m, NAME, "reload-failed", cursor)
    assert "apache2.service" in told["MESSAGE"] and told["MESSAGE_ID"], told
    assert "Reloading apache2.service failed" in managed.mdctl(m, "list").out
    m.run("rm /etc/apache2/conf-enabled/broken.conf")
    managed.wait_served(m, NAME, other_than=before)


def test_timer_is_kept(m):
    """A timer that somebody stopped is set again by the check; without the setting it is taken back; what systemd makes no sense of is told, and nothing waits."""
    settings(m, ReloadOnCalendar=FAR)
    m.run(["systemctl", "stop", TIMER])
    managed.check(m)
    m.wait_for(lambda: m.active(TIMER), 10, "the timer to be there again")
    managed.settings(m, ReloadIntervalSec=1)
    m.wait_for(lambda: not m.active(TIMER), 10, "the timer to be gone")
    cursor, before = m.cursor(), managed.is_real(m, NAME)
    managed.settings(m, ReloadIntervalSec=1, ReloadOnCalendar="whenever it suits")
    told = m.wait_journal(ME, after=cursor, where=lambda e: "ReloadOnCalendar=whenever it suits" in e["MESSAGE"])
    assert told["PRIORITY"] == "3", told
    assert any("ReloadOnCalendar=whenever it suits" in text for _, text in managed.check(m))
    managed.renew(m, NAME)
    managed.wait_served(m, NAME, other_than=before)
    # Nor does what waited before.
    settings(m, ReloadOnCalendar=FAR)
    m.wait_for(lambda: not pending(m), 20, "the reload to be over")
    before = managed.is_real(m, NAME)
    renew_and_wait(m)
    managed.settings(m, ReloadIntervalSec=1, ReloadOnCalendar="whenever it suits")
    managed.wait_served(m, NAME, other_than=before)


def test_coming(m):
    """As long as a reload waits for its turn or runs, and nothing went wrong, the check has nothing to say; mdctl reload does not wait for the interval, nor after a failure."""
    settings(m)
    managed.settings(m, ReloadIntervalSec="1h")
    managed.mdctl(m, "reload")
    before, cursor = managed.is_real(m, NAME), m.cursor()
    managed.renew(m, NAME)
    managed.wait_event(m, NAME, "renewed", cursor)
    m.wait_for(lambda: reloads(m).get("apache2.service") == "waiting", 10, "the reload to wait")
    assert managed.check(m) == [] and managed.is_real(m, NAME).fingerprint == before.fingerprint
    m.write("/etc/apache2/conf-enabled/broken.conf", "NoSuchDirective on\n")
    result = managed.mdctl(m, "reload", check=False)
    assert result.rc == 1 and result.out == "" and "Reloading apache2.service failed" in result.err, result
    assert [name for name, text in managed.check(m) if "Reloading apache2.service failed" in text] == [NAME]
    m.run("rm /etc/apache2/conf-enabled/broken.conf")
    managed.mdctl(m, "reload")
    managed.wait_served(m, NAME, other_than=before)


def test_refused(m):
    """A unit that polkit does not let the manager reload is told in words that help, by mdctl reload, by the check and after a renewal."""
    settings(m, ReloadUnit="dbus.service")
    before = managed.is_real(m, NAME)
    words = "Reloading dbus.service was refused: polkit lets md-manager reload the units of Apache alone"
    said = managed.mdctl(m, "reload", check=False)
    assert said.rc == 1 and words in said.err, said
    said = managed.mdctl(m, "renew", "--force", NAME).out
    assert "md-manager sees to" not in said and f"'mdctl show {NAME}' tells when it is" in said, said
    m.wait_for(lambda: any(words in text for _, text in managed.check(m)), 20, "the check to tell it")
    assert words in managed.mdctl(m, "list").out and words in managed.mdctl(m, "show", NAME).out
    settings(m)
    managed.wait_served(m, NAME, other_than=before)


MISTAKES = {
    # line, what is said of it
    "ReloadUnit=apache2": "'ReloadUnit=apache2' makes no sense, it is ignored: every unit has its whole name",
    "ReloadUnit=apache2.service # mine": "makes no sense, it is ignored: every unit has its whole name",
    "ReloadIntervalSec=soon": "'ReloadIntervalSec=soon' makes no sense, it is ignored",
    "ReloadIntervall=10": "There is no setting 'ReloadIntervall=', it is ignored",
    "[Manger]\nMaxTimers=5": "There is no section [Manger], 'MaxTimers=' is ignored",
    "nonsense": "This is neither '[Section]' nor 'Name=value', it is ignored",
}


def test_mistakes(m):
    """What makes no sense in md-manager.conf is ignored, and told with file and line, by the journal and by the check as long as it is there."""
    for number, line in enumerate(MISTAKES):
        m.write(f"/etc/md-manager/md-manager.conf.d/mistake-{number}.conf", f"[Manager]\n{line}\n")
    m.write("/etc/md-manager/md-manager.conf.d/mistake-first.conf", "MaxTimers=5\n")
    m.run("cd /etc/md-manager/md-manager.conf.d && mkfifo mistake-pipe.conf && mkdir mistake-dir.conf && ln -s /nonexistent mistake-link.conf && ln -s /dev/null mistake-not.conf && install -m 0600 /dev/null mistake-mode.conf")
    cursor = m.cursor()
    m.run("systemctl restart md-manager")
    faults = [text for name, text in managed.check(m) if name == ""]
    for number, (line, words) in enumerate(MISTAKES.items()):
        place = f"/etc/md-manager/md-manager.conf.d/mistake-{number}.conf:{1 + len(line.splitlines())}: "
        assert any(text.startswith(place) and words in text for text in faults), (place, words, faults)
        assert m.journal(ME, after=cursor) and any(entry["MESSAGE"].startswith(place) for entry in m.journal(ME, after=cursor)), place
    assert any("mistake-first.conf:1: 'MaxTimers=' stands before the first [Section]" in text for text in faults), faults
    for name, words in (("pipe", "It is no file"), ("dir", "It is no file"), ("link", "It cannot be read: No such file or directory"), ("mode", "It cannot be read: Permission denied")):
        assert f"/etc/md-manager/md-manager.conf.d/mistake-{name}.conf: {words}" in faults, (name, faults)
    assert not any("mistake-not" in text for text in faults), faults
    # A directory that an administrator made with a strict umask: what is in it does not count, and that is told.
    m.run("rm -r /etc/md-manager/md-manager.conf.d/mistake-*; chmod 0700 /etc/md-manager/md-manager.conf.d; systemctl restart md-manager")
    assert ["", "/etc/md-manager/md-manager.conf.d: It cannot be read: Permission denied"] in managed.check(m)
    m.run("chmod 0755 /etc/md-manager/md-manager.conf.d; systemctl restart md-manager")
    assert managed.check(m) == []


def test_several_units(m):
    """ReloadUnit= with several: a server that runs in one of them has that one reloaded, and no other; when it runs in none of them, all are."""
    m.run("mkdir -p /etc/systemd/system")
    for letter, command in (("a", "/usr/bin/systemctl reload apache2.service"), ("b", "/usr/bin/touch /run/b-was-reloaded")):
        m.write(f"/etc/systemd/system/apache2@{letter}.service", f"[Service]\nExecStart=/usr/bin/sleep infinity\nExecReload={command}\n")
        m.run(f"systemctl daemon-reload && systemctl start apache2@{letter}.service")
    settings(m, ReloadUnit="apache2@b.service apache2.service")
    before = managed.is_real(m, NAME)
    managed.renew(m, NAME)
    managed.wait_served(m, NAME, other_than=before)
    assert list(reloads(m)) == ["apache2.service"], reloads(m)
    settings(m, ReloadUnit="apache2@a.service apache2@b.service")
    before = managed.is_real(m, NAME)
    managed.renew(m, NAME)
    managed.wait_served(m, NAME, other_than=before)
    m.wait_for(lambda: m.exists("/run/b-was-reloaded"), 20, "the other unit to be reloaded")
    assert sorted(reloads(m)) == ["apache2@a.service", "apache2@b.service"], reloads(m)
    m.run("systemctl stop apache2@a.service apache2@b.service")


def test_none(m):
    """ReloadUnit=none: that a reload is pending is an event, a property, in mdctl and in the status line, and no fault; somebody's reload ends it."""
    settings(m, ReloadUnit="none")
    before, cursor = managed.is_real(m, NAME), m.cursor()
    managed.renew(m, NAME)
    told = managed.wait_event(m, NAME, "reload-pending", cursor)
    assert "ReloadUnit=none" in told["MESSAGE"] and told["MESSAGE_ID"], told
    m.wait_for(lambda: "reload by hand pending" in m.unit("md-manager.service")["StatusText"], 10, "the status line to say so")
    assert pending(m) and managed.check(m) == []
    assert "somebody reloads the server" in managed.mdctl(m, "show", NAME).out and "somebody reloads the server" in managed.mdctl(m, "list").out
    assert managed.mdctl(m, "reload", check=False).rc == 3
    assert managed.reloads(m, cursor) == 0 and managed.is_real(m, NAME).fingerprint == before.fingerprint
    apache.reload(m)
    managed.wait_event(m, NAME, "installed", cursor)
    m.wait_for(lambda: not pending(m) and "pending" not in m.unit("md-manager.service")["StatusText"], 10, "nothing to be pending")
    managed.wait_served(m, NAME, other_than=before)
