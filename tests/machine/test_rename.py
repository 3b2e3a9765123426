# SPDX-License-Identifier: Apache-2.0
"""Domains whose names change: another first name, names that move to another domain, domains that go and come back. What is there is not ordered again."""

import apache
import managed
from machine import Visitor

SITE = "renamed"


def setup(m):
    managed.install(m)
    managed.settings(m, ReloadIntervalSec=1)


def hosts(m, names):
    first, *others = names
    return apache.virtual_host(m, first, *others) + apache.virtual_host(m, first, *others, port=80, ssl=False)


def configure(m, *domains, served=None):
    """Has these domains, lists of names, in the site of the test, with virtual hosts for the names of 'served' (else for theirs); what the journal has is behind the cursor."""
    text = "".join(f"MDomain {' '.join(names)}\n" for names in domains)
    apache.site(m, SITE, text + "".join(hosts(m, names) for names in served or domains))
    cursor = m.cursor()
    apache.reload(m)
    return cursor


def obtain(m, *domains):
    cursor = configure(m, *domains)
    certificates = [managed.wait_served(m, names[0]) for names in domains]
    for names in domains:
        managed.wait_event(m, names[0], "installed", cursor)
    m.wait_for(lambda: all(managed.timer(m, names[0]) for names in domains), 10, "their timers")
    m.ca.proxy.clear()
    return certificates


def is_name(m, name):
    """Whether a domain goes by this name; it may have it, and go by another one."""
    return managed.is_known(m, name) and managed.show(m, name)["Name"] == name


def wait_renamed(m, old, new, cursor):
    m.wait_journal(f"MD_NAME={new}", after=cursor, where=lambda entry: entry["MESSAGE"].startswith(f"{new}: Was {old} before"))
    m.wait_for(lambda: is_name(m, new) and not is_name(m, old) and managed.show(m, new)["State"] == "complete", 20, f"{new} to be complete")
    assert old not in managed.files(m, "domains") and new in managed.files(m, "domains") and new in managed.files(m, "reserve"), managed.files(m, "domains")
    m.wait_for(lambda: managed.timer(m, new) and managed.timer(m, old) is None, 20, "the timer of the new name")


def change(m, before, after):
    """From one list of names to another, by a reload: visitors get the same certificate all the time, and the CA hears nothing."""
    certificate, = obtain(m, before)
    stayed = next(name for name in before if name in after)
    with Visitor(m, stayed, roots=m.ca.root()) as visitor:
        cursor = configure(m, after)
        wait_renamed(m, before[0], after[0], cursor)
        assert m.certificate(stayed).fingerprint == certificate.fingerprint
        # The next configuration finds it in its new place.
        apache.reload(m)
        assert managed.check(m) == [] and m.certificate(stayed).fingerprint == certificate.fingerprint
    assert visitor.answered > 0 and not visitor.wrong and len(visitor.certificates) == 1, visitor.wrong
    assert managed.show(m, after[0])["State"] == "complete" and m.ca.proxy.count() == 0, m.ca.proxy.counts()
    assert managed.reloads(m, cursor) == 0
    apache.no_site(m, SITE)
    apache.reload(m)


def test_swapped(m):
    """ServerName and ServerAlias change places: the domain has another name, and the certificate that it had, at no moment another one."""
    change(m, ["swap1.example.org", "swap2.example.org"], ["swap2.example.org", "swap1.example.org"])


def test_first_removed(m):
    """The first name is removed: the same."""
    change(m, ["one1.example.org", "one2.example.org", "one3.example.org"], ["one2.example.org", "one3.example.org"])


def test_while_stopped(m):
    """The manager does not run when it happens, and finds out at its start."""
    before, after = ["late1.example.org", "late2.example.org"], ["late2.example.org", "late1.example.org"]
    certificate, = obtain(m, before)
    m.run("systemctl stop md-manager md-manager-check.timer")
    cursor = configure(m, after)
    assert m.certificate(after[0]).fingerprint == certificate.fingerprint
    m.run("systemctl start md-manager md-manager-check.timer")
    wait_renamed(m, before[0], after[0], cursor)
    assert m.ca.proxy.count() == 0 and m.certificate(after[0]).fingerprint == certificate.fingerprint
    apache.no_site(m, SITE)
    apache.reload(m)


def test_new_first_name(m):
    """A name in front that no certificate has: the old certificate is served until the one with it is there, which is one order."""
    before, after = ["more1.example.org", "more2.example.org"], ["more0.example.org", "more1.example.org", "more2.example.org"]
    certificate, = obtain(m, before)
    cursor = configure(m, after)
    m.wait_journal("MD_NAME=more0.example.org", after=cursor, where=lambda entry: "Was more1.example.org before" in entry["MESSAGE"])
    renewed = managed.wait_served(m, "more1.example.org", other_than=certificate)
    managed.wait_event(m, "more0.example.org", "installed", cursor)
    assert sorted(renewed.names) == sorted(after) and m.ca.proxy.count("new-order") == 1, m.ca.proxy.counts()
    assert len([name for name in managed.files(m, "archive") if name.startswith("more0.")]) == 1
    apache.no_site(m, SITE)
    apache.reload(m)


def test_moved(m):
    """All names of one domain move to another one: that one gets a certificate with them, and the other stays in the store and is not touched."""
    first, second = ["from1.example.org", "from2.example.org"], ["to1.example.org"]
    old, _ = obtain(m, first, second)
    cursor = configure(m, second + first)
    managed.wait_event(m, "to1.example.org", "installed", cursor)
    renewed = m.certificate("from1.example.org")
    assert sorted(renewed.names) == sorted(first + second) and renewed.fingerprint != old.fingerprint
    m.wait_for(lambda: not is_name(m, "from1.example.org"), 10, "the domain without names to be forgotten")
    assert "from1.example.org" in managed.files(m, "domains") and m.ca.proxy.count("new-order") == 1
    # It comes back, and has what it had.
    cursor = configure(m, first, second)
    m.wait_for(lambda: m.certificate("from1.example.org").fingerprint == old.fingerprint, 20, "the certificate that it had")
    apache.no_site(m, SITE)
    apache.reload(m)


def test_gone_and_back(m):
    """A domain that is taken out and put in again goes on with what it had; no order."""
    certificate, = obtain(m, ["back.example.org"])
    apache.no_site(m, SITE)
    apache.reload(m)
    m.wait_for(lambda: not managed.is_known(m, "back.example.org"), 20, "it to be gone")
    assert managed.timer(m, "back.example.org") is None
    configure(m, ["back.example.org"])
    m.wait_for(lambda: managed.is_known(m, "back.example.org") and managed.timer(m, "back.example.org"), 20, "it to be back")
    assert m.certificate("back.example.org").fingerprint == certificate.fingerprint and m.ca.proxy.count() == 0
    apache.no_site(m, SITE)
    apache.reload(m)


def test_forgotten_server(m):
    """A server that has not run for ForgetServersSec= is forgotten with its domains; when it is started, they are back without an order."""
    certificate, = obtain(m, ["stopped.example.org"])
    managed.settings(m, ReloadIntervalSec=1, ForgetServersSec=1)
    m.wait_for(lambda: managed.is_known(m, "stopped.example.org"), 10, "the manager to be back")
    managed.check(m)
    assert managed.is_known(m, "stopped.example.org"), "a server that runs was forgotten"
    cursor = m.cursor()
    m.run("systemctl stop apache2")

    def forgotten():
        managed.check(m)
        return not managed.is_known(m, "stopped.example.org")

    m.wait_for(forgotten, 20, "the server to be forgotten")
    m.wait_journal("MD_SERVER=apache2", after=cursor, where=lambda entry: "has not run for longer than ForgetServersSec=" in entry["MESSAGE"])
    apache.restart(m)
    m.wait_for(lambda: managed.is_known(m, "stopped.example.org") and managed.show(m, "stopped.example.org")["State"] == "complete", 20, "the domain to be back")
    assert m.certificate("stopped.example.org").fingerprint == certificate.fingerprint and m.ca.proxy.count() == 0
    managed.settings(m, ReloadIntervalSec=1)
    apache.no_site(m, SITE)
    apache.reload(m)
