# SPDX-License-Identifier: Apache-2.0
"""dns-01 with the ready hook and real name servers: records come by dynamic updates, and the CA hears of them when all servers have them.

The zones' secondary fetches a zone when a test says so, and never by itself. Pebble and the machine's resolver ask the primary."""

import json

import apache
import managed
import nameserver
from nameserver import PRIMARY, SECONDARY, SECRET, ZONES

SUITES = ["trixie", "bookworm"]

HOOK = "/usr/lib/md-manager/hooks/md-hook-nsupdate"
KEY = "/etc/md-manager/nsupdate.key"
DROP_IN = nameserver.MANUAL["drop-in"]
SETUP_FAILURE = "urn:org:mdmanager1:challenge-setup-failure"


def setup(m):
    managed.install(m, dns=f"{PRIMARY}:53")
    nameserver.install(m)
    m.write(KEY, nameserver.KEY, mode=0o600)
    for event in ("setup", "teardown"):
        m.write(f"/etc/systemd/system/md-hook-challenge-{event}-.service.d/nsupdate.conf", DROP_IN)
    m.run("systemctl daemon-reload")


def add(m, zone, *aliases, wait="1mi"):
    managed.add(m, zone, *aliases, directives=f"MDCAChallenges dns-01\nMDChallengeDns01 {HOOK}\nMDChallengeDns01Wait {wait}")
    apache.reload(m)


def record(zone):
    return f"_acme-challenge.{zone}"


def on_primary(m, zone):
    return nameserver.ask(m, PRIMARY, record(zone))


def hook(m, *words, key=KEY, check=True, env=None):
    return m.run([HOOK, *(["-k", key] if key else []), *words], check=check, env=env)


def wait_problem(m, name):
    shown = m.wait_for(lambda: managed.show(m, name) if managed.show(m, name)["LastProblem"][0] else None, 60, f"a problem of {name}")
    return shown["LastProblem"]


def test_values(m):
    """The hook adds a value beside others, takes away only its own, and all of them only where nobody says which."""
    zone = ZONES[0]
    hook(m, "setup", zone, "one")
    hook(m, "setup", f"*.{zone}", "two-2_B")
    hook(m, "-s", PRIMARY, "-p", "5353", "-z", zone, "-t", "5", "setup", zone, "three")
    assert sorted(on_primary(m, zone)) == ['"one"', '"three"', '"two-2_B"'], on_primary(m, zone)
    hook(m, "teardown", zone, "one")
    assert sorted(on_primary(m, zone)) == ['"three"', '"two-2_B"'], on_primary(m, zone)
    hook(m, "teardown", zone, env={"MD_VALUE": "three"})
    assert on_primary(m, zone) == ['"two-2_B"'], on_primary(m, zone)
    hook(m, "setup", zone, "four")
    hook(m, "teardown", zone)
    assert not on_primary(m, zone), on_primary(m, zone)


def test_refusals(m):
    """The hook fails, and says why, without a key, with a wrong one, outside the zone, and with words that are none of its own."""
    zone = ZONES[0]
    m.write("/root/wrong.key", nameserver.KEY.replace(SECRET, SECRET[::-1].lstrip("=") + "=="), mode=0o600)
    cases = [
        (hook(m, "setup", zone, "x", key=None, check=False), 1, "update failed: NOTAUTH"),
        (hook(m, "setup", zone, "x", key="/root/wrong.key", check=False), 1, "failed"),
        (hook(m, "setup", zone, "x", key="/root/none.key", check=False), 1, "Cannot read the key /root/none.key"),
        (hook(m, "setup", f"www.{zone}", "x", check=False), 1, f"The update of _acme-challenge.www.{zone}. failed"),
        (hook(m, "setup", zone, 'x"\nupdate delete @', check=False), 2, "is no value of a dns-01 challenge"),
        (hook(m, "setup", f"{zone}\nsend", "x", check=False), 2, "is no DNS name"),
        (hook(m, "-s", "a b", "setup", zone, "x", check=False), 2, "is no name server"),
        (hook(m, "-t", "1h", "setup", zone, "x", check=False), 2, "is no number of seconds"),
        (hook(m, "teardown", zone, "", check=False), 2, "is no value of a dns-01 challenge"),
        (hook(m, "setup", zone, check=False), 2, "setup NAME VALUE"),
        (hook(m, "publish", zone, "x", check=False), 2, "setup NAME VALUE"),
    ]
    for result, status, text in cases:
        assert result.rc == status and text in result.err, str(result)
    assert not on_primary(m, zone), on_primary(m, zone)


def test_wildcard(m):
    """A zone and its wildcard get their certificate: two values at one record, the CA told only when the late secondary has both, all gone afterwards."""
    zone = ZONES[0]
    m.ca.proxy.clear()
    after = m.cursor()
    add(m, zone, f"*.{zone}")
    m.wait_for(lambda: len(on_primary(m, zone)) == 2, 60, "both values at the primary")
    m.wait_journal(f"MD_NAME={zone}", f"MESSAGE={zone}: dns-01 of {zone}: Waiting for the record {record(zone)} to become visible",
                   after=after, deadline=30)
    assert not nameserver.ask(m, SECONDARY, record(zone)), "the secondary is not late"
    assert m.ca.proxy.count("challenge") == 0, m.ca.proxy.counts()
    nameserver.refresh(m, zone)
    names = managed.wait_served(m, zone, deadline=60).names
    assert sorted(names) == sorted([zone, f"*.{zone}"]), names
    m.wait_for(lambda: not on_primary(m, zone), 30, "the records to be gone")


def test_never_visible(m):
    """A record that a name server never gets costs nothing at the CA: the failure names server, record and both values, and nothing is left behind."""
    zone = ZONES[1]
    m.ca.proxy.clear()
    add(m, zone, wait="2s")
    kind, detail, *_ = wait_problem(m, zone)
    assert kind == SETUP_FAILURE, (kind, detail)
    for text in (record(zone), f"1 of the 2 name servers of the zone {zone}", f"ns2.{zone} ({SECONDARY}) has no TXT record there"):
        assert text in detail, (text, detail)
    assert m.ca.proxy.count("challenge") == 0, m.ca.proxy.counts()
    m.wait_for(lambda: not on_primary(m, zone), 30, "the record to be gone")
    managed.remove(m, zone)
    apache.reload(m)


def test_server_down(m):
    """A name server that does not answer is not waited for: the CA finds the record at the other one."""
    zone = ZONES[2]
    m.run("systemctl stop knot-secondary")
    try:
        add(m, zone)
        managed.wait_served(m, zone, deadline=60)
    finally:
        m.run("systemctl start knot-secondary")
    m.wait_for(lambda: not on_primary(m, zone), 30, "the record to be gone")


def test_alias(m):
    """An alias is followed to the zone that it leads to: what is missing there is told with both names."""
    zone, other = ZONES[3], ZONES[4]
    nameserver.set_record(m, zone, "_acme-challenge", f"CNAME alias.{other}.")
    nameserver.set_record(m, other, "alias", "TXT of-another-time")
    command = "/usr/local/bin/publish-nothing"
    m.write(command, "#!/bin/sh\nexit 0\n", mode=0o755)
    managed.add(m, zone, directives=f"MDCAChallenges dns-01\nMDChallengeDns01 {command}\nMDChallengeDns01Wait 1s")
    apache.reload(m)
    kind, detail, *_ = wait_problem(m, zone)
    assert kind == SETUP_FAILURE, (kind, detail)
    assert f"{record(zone)} (an alias of alias.{other})" in detail and f'ns1.{other} ({PRIMARY}) has "of-another-time"' in detail, detail
    managed.remove(m, zone)
    apache.reload(m)


def test_key_is_hidden(m):
    """Nobody but root and the hook's own unit can read the key: it comes as a credential, and the hook runs as another user."""
    assert m.run(["cat", KEY], user="md-hook", check=False).rc != 0
    entries = m.journal("_COMM=md-hook-nsupdate")
    assert not [e for e in entries if SECRET in json.dumps(e)], "the key is in the journal"


def test_configuration(m):
    """Apache takes what the manual has about it, beside the key and the drop-in that the other tests use."""
    m.write("/etc/apache2/conf-enabled/manual.conf", nameserver.MANUAL["apache"])
    try:
        result = apache.configtest(m)
        assert result.rc == 0 and "md-hook-nsupdate" not in result.err, result
    finally:
        m.run("rm /etc/apache2/conf-enabled/manual.conf")
