# SPDX-License-Identifier: Apache-2.0
"""What becomes of domains and their timers when Apache's configuration changes, or somebody asks for a renewal."""

import threading
import time

import apache
import managed
from machine import Visitor


def setup(m):
    managed.install(m)
    managed.make_reloads_holdable(m)
    managed.settings(m, ReloadIntervalSec=1)


def hold_order(m, name):
    """Keeps the CA from hearing of a domain's order until the event is set that this returns."""
    release = threading.Event()
    m.ca.proxy.rule(kind="new-order", where=lambda request: request.payload["identifiers"][0]["value"] == name, hold=release)
    return release


def test_many_at_once(m):
    """Ten domains added by one reload of Apache: one account, and a reload not for each certificate, but for what came within two seconds."""
    names = [f"many{n}.example.org" for n in range(10)]
    for name in names:
        managed.add(m, name)
    m.ca.proxy.clear()
    cursor = m.cursor()
    began = time.monotonic()
    apache.reload(m)
    for name in names:
        managed.wait_served(m, name)
    seconds = time.monotonic() - began
    for name in names:
        managed.wait_event(m, name, "installed", cursor)
    counts = m.ca.proxy.counts()
    assert counts["new-account"] == 1 and counts["new-order"] == 10 and counts["finalize"] == 10, counts
    assert managed.reloads(m, cursor) <= 1 + seconds / 2, (managed.reloads(m, cursor), seconds)
    assert managed.files(m, "accounts") == ["ACME-ca.test-0000"]
    for name in names:
        shown = managed.show(m, name)
        assert managed.timer(m, name) is not None and shown["Account"] == "ACME-ca.test-0000", shown
        managed.remove(m, name)
    apache.reload(m)
    m.wait_for(lambda: not managed.is_known(m, names[-1]), 10, "the manager to forget them")
    assert not any(managed.timer(m, name) for name in names)


def reload_state(m):
    """What the manager says of Apache's reload: "idle", "waiting", "running" or "proving"."""
    return {unit: state for unit, state, _, _ in m.property(managed.BUS, "/org/mdmanager1", "org.mdmanager1.Manager", "Reloads")}["apache2.service"]


def test_one_reload(m):
    """One reload for what it is for: not another one when somebody looks while it runs, or before Apache has told what it serves."""
    name = "one.example.org"
    m.ca.proxy.clear()
    release = hold_order(m, name)
    managed.add(m, name)
    apache.reload(m)
    m.wait_for(lambda: m.ca.proxy.count("new-order"), 20, "the order")
    managed.hold_reload(m, "before")
    cursor = m.cursor()
    release.set()
    managed.wait_reloading(m)
    managed.check(m)
    assert reload_state(m) == "running"
    # Apache takes the signal, and its time.
    apache_pid = str(managed.main_pid(m, "apache2.service"))
    m.run(["kill", "-STOP", apache_pid])
    managed.release_reload(m, "before")
    m.wait_for(lambda: reload_state(m) == "proving", 10, "the end of the reload")
    managed.check(m)
    assert reload_state(m) == "proving"
    m.run(["kill", "-CONT", apache_pid])
    managed.wait_served(m, name)
    managed.wait_event(m, name, "installed", cursor)
    m.wait_for(lambda: reload_state(m) == "idle", 5, "the proof")
    assert managed.reloads(m, cursor) == 1


def test_second_reload(m):
    """What came too late for a reload that is under way, or was asked for by an operator meanwhile, has another one."""
    first, late = "first.example.org", "late.example.org"
    managed.settings(m, ReloadIntervalSec=1, ReloadMaxWaitSec=0)
    managed.add(m, first)
    managed.add(m, late)
    m.ca.proxy.clear()
    release = {name: hold_order(m, name) for name in (first, late)}
    apache.reload(m)
    m.wait_for(lambda: m.ca.proxy.count("new-order") == 2, 20, "the orders")
    managed.hold_reload(m, "after")
    cursor = m.cursor()
    release[first].set()
    managed.wait_served(m, first)
    release[late].set()
    managed.wait_event(m, late, "renewed", cursor)
    assert reload_state(m) == "running" and managed.reloads(m, cursor) == 1
    managed.release_reload(m, "after")
    managed.wait_served(m, late)
    managed.wait_event(m, late, "installed", cursor)
    m.wait_for(lambda: reload_state(m) == "idle", 5, "the proof")
    assert managed.reloads(m, cursor) == 2

    managed.hold_reload(m, "after")
    ask = ("/org/mdmanager1", "org.mdmanager1.Manager", "Reload", "s", "apache2.service")
    managed.call(m, *ask)
    managed.wait_reloading(m)
    managed.call(m, *ask)
    assert reload_state(m) == "running"
    managed.release_reload(m, "after")
    m.wait_for(lambda: managed.reloads(m, cursor) == 4 and reload_state(m) == "idle", 10, "the second reload that was asked for")
    m.ca.proxy.clear()
    managed.settings(m, ReloadIntervalSec=1)


def test_slow_neighbour(m):
    """A CA that lets one domain wait does not keep the others' certificates from being served: the reload waits for ReloadMaxWaitSec= and no longer."""
    managed.settings(m, ReloadIntervalSec=1, ReloadMaxWaitSec=2)
    m.ca.proxy.clear()
    release = hold_order(m, "slow.example.org")
    managed.add(m, "slow.example.org")
    managed.add(m, "quick.example.org")
    cursor = m.cursor()
    apache.reload(m)
    renewed = managed.wait_event(m, "quick.example.org", "renewed", cursor)["at"]
    managed.wait_served(m, "quick.example.org")
    installed = managed.wait_event(m, "quick.example.org", "installed", cursor)["at"]
    assert 1.5 < (installed - renewed) / 1e6 < 6, (renewed, installed)
    assert not managed.is_real(m, "slow.example.org")
    release.set()
    managed.wait_served(m, "slow.example.org")
    m.ca.proxy.clear()
    managed.settings(m, ReloadIntervalSec=1)


def test_alias(m):
    """An alias added to the virtual host becomes a member: a new certificate covers it, and the old one is served until then."""
    site = "<MDomain alias.example.org>\n</MDomain>\n"
    aliases = ["www.alias.example.org", "ftp.alias.example.org"]

    def configure(*names):
        apache.site(m, "alias.example.org", site + apache.virtual_host(m, "alias.example.org", *names)
                    + apache.virtual_host(m, "alias.example.org", *names, port=80, ssl=False))
        apache.reload(m)

    configure()
    old = managed.wait_served(m, "alias.example.org")
    assert old.names == ["alias.example.org"], old
    cursor = m.cursor()
    with Visitor(m, "alias.example.org", roots=m.ca.root()) as visitor:
        configure(*aliases)
        new = managed.wait_served(m, "alias.example.org", other_than=old)
        managed.wait_event(m, "alias.example.org", "installed", cursor)
        visitor.answered = 0
        m.wait_for(lambda: visitor.answered > 2, 10, "visits")
    assert not visitor.wrong, visitor.wrong
    assert sorted(new.names) == sorted(["alias.example.org", *aliases]), new
    why = m.journal("MD_NAME=alias.example.org", "MD_EVENT=renewing", after=cursor)[0]["MESSAGE"]
    assert "not covered" in why and "alias.example.org" in why, why
    for name in aliases:
        assert m.https(name, roots=m.ca.root())[0] == 200
    # Fewer names need no new certificate.
    m.ca.proxy.clear()
    configure(aliases[0])
    m.wait_for(lambda: managed.show(m, "alias.example.org")["Names"] == ["alias.example.org", aliases[0]], 10, "the manager to see it")
    managed.check(m)
    assert managed.show(m, "alias.example.org")["Reason"] == "renew-window" and m.ca.proxy.count() == 0


def test_removed(m):
    """A domain removed from the configuration loses its timer and keeps its files; when it comes back, so does its certificate, at no cost to the CA."""
    name = "removed.example.org"
    managed.add(m, name)
    cursor = m.cursor()
    apache.reload(m)
    certificate = managed.wait_served(m, name)
    managed.wait_event(m, name, "installed", cursor)
    at = m.wait_for(lambda: managed.timer(m, name), 10, "the timer")
    files = managed.files(m, f"domains/{name}")
    managed.remove(m, name)
    apache.reload(m)
    m.wait_for(lambda: managed.timer(m, name) is None and not managed.is_known(m, name), 10, "the end of its timer")
    assert managed.files(m, f"domains/{name}") == files and {"pubcert.pem", "privkey.pem", "job.json", "md.json"} <= set(files), files
    m.ca.proxy.clear()
    managed.add(m, name)
    apache.reload(m)
    assert managed.wait_served(m, name).fingerprint == certificate.fingerprint
    m.wait_for(lambda: managed.timer(m, name) == at, 10, "its timer, with the old time")
    assert m.ca.proxy.count() == 0 and managed.show(m, name)["Served"]


def test_removed_meanwhile(m):
    """A domain removed while its renewal runs: the manager gets over it, and what the CA gave is used when the domain comes back."""
    name = "hasty.example.org"
    m.ca.proxy.clear()
    release = threading.Event()
    rule = m.ca.proxy.rule(kind="finalize", hold=release)
    managed.add(m, name)
    pid = managed.main_pid(m)
    cursor = m.cursor()
    apache.reload(m)
    m.wait_for(lambda: rule.used, 20, "the order to be finalized")
    managed.remove(m, name)
    apache.reload(m)
    m.wait_for(lambda: not managed.show(m, name)["Managed"], 10, "the manager to see that it is gone")
    release.set()
    m.wait_journal("MESSAGE_ID=39f53479d3a045ac8e11786248231fbf", f"UNIT=md-renew@{name}.service", after=cursor)
    assert managed.timer(m, name) is None
    managed.add(m, name)
    apache.reload(m)
    managed.wait_served(m, name)
    assert m.ca.proxy.count("new-order") == 1 and managed.main_pid(m) == pid
    m.ca.proxy.clear()
    managed.wait_event(m, name, "installed", cursor)
    assert managed.left_over(m) == []


def test_manual(m):
    """MDRenewMode manual: nothing happens by itself, the reason is told, and a renewal that somebody asks for is brought to its end."""
    name = "manual.example.org"
    m.ca.proxy.clear()
    managed.add(m, name, directives="MDRenewMode manual")
    apache.reload(m)
    m.wait_for(lambda: managed.is_known(m, name), 10, "the domain")
    managed.check(m)
    shown = managed.show(m, name)
    assert (shown["Action"], shown["Reason"], shown["NextUSec"]) == ("nothing", "renew-mode-manual", 0), shown
    assert "MDRenewMode is manual" in shown["Detail"] and managed.timer(m, name) is None, shown
    refused = managed.renew(m, name, force=False, check=False)
    assert refused.rc != 0 and "MDRenewMode is manual" in refused.err, refused
    assert m.ca.proxy.count() == 0 and not managed.is_real(m, name)
    managed.renew(m, name)
    managed.wait_served(m, name)
    assert managed.show(m, name)["Reason"] == "renew-mode-manual" and managed.timer(m, name) is None


def test_unused(m):
    """A domain that no virtual host uses is left alone, and says so; with MDRenewMode always it has a certificate in the store, and no reload."""
    name = "unused.example.org"
    m.ca.proxy.clear()
    apache.site(m, name, f"MDomain {name}\n")
    apache.reload(m)
    m.wait_for(lambda: managed.is_known(m, name), 10, "the domain")
    managed.check(m)
    shown = managed.show(m, name)
    assert (shown["Action"], shown["Reason"]) == ("nothing", "unused") and "no virtual host" in shown["Detail"], shown
    assert managed.timer(m, name) is None and m.ca.proxy.count() == 0
    said = managed.mdctl(m, "check", check=False)
    assert said.rc == 1 and name in said.out and "MDRenewMode always" in said.out, said
    apache.site(m, name, f"<MDomain {name}>\nMDRenewMode manual\n</MDomain>\n")
    apache.reload(m)
    m.wait_for(lambda: managed.show(m, name)["Reason"] == "renew-mode-manual", 20, "the mode to be known")
    assert name not in managed.mdctl(m, "check", check=False).out
    apache.site(m, name, f"<MDomain {name}>\nMDRenewMode always\n</MDomain>\n")
    cursor = m.cursor()
    apache.reload(m)
    managed.wait_event(m, name, "installed", cursor)
    m.wait_for(lambda: managed.timer(m, name), 10, "its timer")
    assert managed.show(m, name)["State"] == "complete" and managed.reloads(m, cursor) == 0


def test_same_job(m):
    """A renewal asked for while one runs is that one: the same job, one order; one that is not due is refused unless it is forced."""
    name = "same.example.org"
    managed.add(m, name)
    cursor = m.cursor()
    apache.reload(m)
    old = managed.wait_served(m, name)
    managed.wait_event(m, name, "installed", cursor)
    m.ca.proxy.clear()
    refused = managed.renew(m, name, force=False, check=False)
    assert refused.rc != 0 and "Nothing is due" in refused.err and "renew window begins" in refused.err, refused
    release = threading.Event()
    m.ca.proxy.rule(kind="new-order", hold=release)
    cursor = m.cursor()
    job = managed.renew(m, name)
    m.wait_for(lambda: m.ca.proxy.count("new-order") == 1, 10, "the order")
    assert managed.renew(m, name) == managed.renew(m, name, force=False) == job == managed.show(m, name)["Job"]
    shown = {key: m.property(managed.BUS, job, "org.mdmanager1.Job", key) for key in ("State", "Activity", "Domain", "Unit")}
    assert shown["State"] == "running" and shown["Activity"] and shown["Domain"][0] == name and shown["Unit"] == f"md-renew@{name}.service", shown
    # By hand the unit is the same one, too.
    m.run(["systemctl", "start", "--no-block", f"md-renew@{name}.service"])
    release.set()
    managed.wait_served(m, name, other_than=old)
    managed.wait_event(m, name, "installed", cursor)
    assert m.ca.proxy.count("new-order") == 1, m.ca.proxy.counts()
    m.ca.proxy.clear()
    m.wait_for(lambda: not m.active(f"md-renew@{name}.service"), 10, "the worker to be gone")
    m.run(["systemctl", "start", f"md-renew@{name}.service"])
    assert m.ca.proxy.count() == 0, "a worker that has nothing to do talked to the CA"
