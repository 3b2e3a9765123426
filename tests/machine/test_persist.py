# SPDX-License-Identifier: Apache-2.0
"""dns-persist-01: a record that the administrator publishes once proves a name again and again. CA, name servers and records are real: Pebble asks Knot."""

import json
import re
import time

import apache
import managed
import nameserver

SUITES = ["trixie", "bookworm"]

ZONE = nameserver.ZONES[0]
SETUP_FAILURE = "urn:org:mdmanager1:challenge-setup-failure"
FOR_EVER = 2**64 - 1


def setup(m):
    managed.install(m, dns=f"{nameserver.PRIMARY}:5353")
    managed.settings(m, ReloadIntervalSec=1)
    nameserver.install(m)


def add(m, name, *aliases, types="dns-persist-01", more=""):
    managed.add(m, name, *aliases, directives=f"MDCAChallenges {types}\n{more}")
    apache.reload(m)


def remove(m, name):
    managed.remove(m, name)
    apache.reload(m)


def record_of(m, name, where):
    """What the manager says has to be published there."""
    return m.wait_for(lambda: next((record for record in managed.show(m, name)["PersistRecords"] if record[0] == f"_validation-persist.{where}"), None)
                      if managed.is_known(m, name) else None, 60, f"the record of {where} to be known")


def publish(m, name, value):
    m.run(["knotc", "-c", "/etc/knot-primary.conf", "zone-begin", ZONE])
    m.run(["knotc", "-c", "/etc/knot-primary.conf", "zone-unset", ZONE, f"_validation-persist.{name}"], check=False)
    m.run(["knotc", "-c", "/etc/knot-primary.conf", "zone-commit", ZONE])
    if value:
        nameserver.set_record(m, ZONE, f"_validation-persist.{name}", f'TXT "{value}"')
    else:
        nameserver.refresh(m, ZONE)
        m.wait_for(lambda: not nameserver.ask(m, nameserver.SECONDARY, f"_validation-persist.{name}.{ZONE}"), 20, "the record to be gone")


def wait_problem(m, name, after):
    return managed.wait_event(m, name, "errored", after, deadline=60)


def test_record(m):
    """Without the record the CA is not told, and the failure prints what to publish; published as printed it proves the name, and every renewal after that."""
    name, cursor = f"one.{ZONE}", m.cursor()
    m.ca.proxy.clear()
    add(m, name)
    failed = wait_problem(m, name, cursor)
    assert failed["MD_PROBLEM"] == SETUP_FAILURE, failed
    record, value, until = record_of(m, name, name)
    assert re.fullmatch(r"pebble\.letsencrypt\.org; accounturi=https://ca\.test:14000/my-account/\w+", value) and until == 0, (record, value, until)
    assert f'{record}. TXT "{value}"' in failed["MESSAGE"] and "2 of the 2 name servers" in failed["MESSAGE"], failed["MESSAGE"]
    assert m.ca.proxy.count("challenge") == 0, m.ca.proxy.counts()
    shown = managed.mdctl(m, "show", name).out
    assert f'{record}. TXT "{value}"' in shown and "not seen yet" in shown, shown
    explained = json.dumps(json.loads(managed.mdctl(m, "explain", name, "--json=short").out))
    assert json.dumps(f'{record}. TXT "{value}" is to be published; it was not seen yet')[1:-1] in explained, explained
    publish(m, "one", value)
    managed.renew(m, name)
    before = managed.wait_served(m, name, 60)
    assert record_of(m, name, name)[2] == FOR_EVER
    assert "published, without an end" in managed.mdctl(m, "show", name).out
    assert managed.mdctl(m, "check", check=False).out.count(name) == 0
    told = m.ca.proxy.seen("challenge")
    assert [request.payload for request in told] == [{}], told
    managed.renew(m, name)
    managed.wait_served(m, name, 60, other_than=before)
    assert not [entry for entry in managed.files(m, "challenges") if name in entry]
    remove(m, name)


def test_wildcard(m):
    """A wildcard needs policy=wildcard in the record, which is what is printed; one record serves the name and its wildcard."""
    name, cursor = f"wild.{ZONE}", m.cursor()
    add(m, name, f"*.{name}")
    wait_problem(m, name, cursor)
    value = record_of(m, name, name)[1]
    assert value.endswith("; policy=wildcard"), value
    cursor = m.cursor()
    publish(m, "wild", value.removesuffix("; policy=wildcard"))
    managed.renew(m, name)
    assert "is not for wildcards (policy=wildcard)" in wait_problem(m, name, cursor)["MESSAGE"]
    publish(m, "wild", value)
    managed.renew(m, name)
    certificate = managed.wait_served(m, name, 60)
    assert set(certificate.names) == {name, f"*.{name}"}, certificate.names
    assert len(managed.show(m, name)["PersistRecords"]) == 1
    remove(m, name)


def test_wrong_records(m):
    """Records for another account, that are over, or malformed are found out here; the CA never hears of them."""
    name, cursor = f"wrong.{ZONE}", m.cursor()
    add(m, name)
    wait_problem(m, name, cursor)
    value = record_of(m, name, name)[1]
    m.ca.proxy.clear()
    for wrong, why in ((f"{value}x", "is for the account "), (f"{value}; persistUntil={int(time.time()) - 60}", "ended "), (f"{value};", "is malformed"),
                       ("other.example; accounturi=https://other.example/1", 'has "other.example')):
        publish(m, "wrong", wrong)
        cursor = m.cursor()
        managed.renew(m, name)
        failed = wait_problem(m, name, cursor)
        assert why in failed["MESSAGE"], (wrong, failed["MESSAGE"])
    assert m.ca.proxy.count("challenge") == 0, m.ca.proxy.counts()
    remove(m, name)


def test_end(m):
    """A record that ends soon proves the name yet, and is told: in the journal, by mdctl show and by mdctl check."""
    name, cursor = f"ends.{ZONE}", m.cursor()
    add(m, name)
    wait_problem(m, name, cursor)
    value = record_of(m, name, name)[1]
    end = int(time.time()) + 5 * 86400
    publish(m, "ends", f"{value}; persistUntil={end}")
    cursor = m.cursor()
    managed.renew(m, name)
    managed.wait_served(m, name, 60)
    assert record_of(m, name, name)[2] == end * 1000000
    m.wait_journal(f"MD_NAME={name}", after=cursor, where=lambda entry: "(persistUntil); without another one renewals fail then" in entry["MESSAGE"])
    found = managed.mdctl(m, "check", check=False)
    assert found.rc == 1 and f"_validation-persist.{name} ends " in found.out, found
    kept = managed.job(m, name)["persist-records"]
    assert kept[0]["seen"] and kept[0]["value"] == value and "until" in kept[0], kept
    m.run("systemctl restart md-manager")
    m.wait_for(lambda: managed.is_known(m, name), 20, "the manager")
    assert record_of(m, name, name)[2] == end * 1000000, "it is kept over a restart"
    remove(m, name)


def test_next_type(m):
    """It is one type among others: where the record is missing the next one proves the name, and without being named it is never used."""
    name = f"next.{ZONE}"
    add(m, name, types="dns-persist-01 http-01")
    managed.wait_served(m, name, 60)
    assert record_of(m, name, name)[2] == 0
    remove(m, name)
    name = f"auto.{ZONE}"
    managed.add(m, name)
    apache.reload(m)
    managed.wait_served(m, name, 60)
    assert managed.show(m, name)["PersistRecords"] == []
    remove(m, name)


def test_account_uri(m):
    """Nobody is told to publish a record for an account that is not known to be ours; a list of names that is none makes the type unusable."""
    def change(field, value):
        def of(request, answer):
            found = answer.json
            for challenge in found.get("challenges", []):
                if challenge["type"] == "dns-persist-01":
                    challenge[field] = value
            answer.json = found
        return of

    name, cursor = f"uri.{ZONE}", m.cursor()
    m.ca.proxy.clear()
    m.ca.proxy.rule(kind="authorization", change=change("accounturi", "https://ca.test/by/another/name"))
    add(m, name)
    failed = wait_problem(m, name, cursor)
    assert "https://ca.test/by/another/name" in failed["MESSAGE"] and "somebody else's" in failed["MESSAGE"], failed["MESSAGE"]
    assert managed.show(m, name)["PersistRecords"] == [] and "TXT" not in failed["MESSAGE"]
    remove(m, name)
    for i, issuers in enumerate(([], ["x.example"] * 11, ["X.example"], ["two words"], "x.example")):
        m.ca.proxy.clear()
        m.ca.proxy.rule(kind="authorization", change=change("issuer-domain-names", issuers))
        name, cursor = f"issuers{i}.{ZONE}", m.cursor()
        add(m, name)
        failed = wait_problem(m, name, cursor)
        assert "There is no challenge for" in failed["MESSAGE"] and "dns-persist-01 (malformed)" in failed["MESSAGE"], failed["MESSAGE"]
        remove(m, name)
    m.ca.proxy.clear()
