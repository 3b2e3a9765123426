# SPDX-License-Identifier: Apache-2.0
"""Very many domains: the manager does what is to be done for them in turns, and answers at once and rightly meanwhile. How fast: tests/bench/scale."""

import json

import managed
from host import Failure

COUNT = 2000
MANAGER = ("/org/mdmanager1", "org.mdmanager1.Manager")


def setup(m):
    managed.install(m)
    m.run("systemctl stop apache2")     # the only server is one that we write the snapshot of
    m.run(f"rm -f {managed.STORE}/servers/*.json")
    m.run("systemctl restart md-manager")


def name_of(number):
    return f"d{number}.example.org"


def tell(m, count, contact, first=0, name="many"):
    """A server's configuration; from domain 'first' on with this contact."""
    domains = [{"name": name_of(i), "domains": [name_of(i), f"www.{name_of(i)}"], "renew-mode": 0,
                "contacts": [f"mailto:{contact if i >= first else 'first'}@example.org"]} for i in range(count)]
    path = f"{managed.STORE}/servers/{name}.json"
    m.write(f"{path}.new", json.dumps({"version": 1, "id": name, "store-dir": managed.STORE, "managed-domains": domains}), mode=0o640)
    m.run(f"chgrp md-manager {path}.new && mv {path}.new {path}")


def wait_adopted(m, cursor, deadline=120):
    """The manager has taken over a configuration: how many were new or changed, and how many are not configured any more."""
    words = m.wait_journal("_SYSTEMD_UNIT=md-manager.service", "SYSLOG_IDENTIFIER=md-manager", after=cursor, deadline=deadline,
                           where=lambda entry: "MD_DOMAINS" in entry)["MESSAGE"]
    return [int(part.split(":")[1]) for part in words.rstrip(".").replace(";", ",").split(",")]


def names_listed(m):
    return {entry[0] for entry in managed.call(m, *MANAGER, "ListDomains")[0]}


def contacts(m, number):
    return managed.show(m, name_of(number))["Contacts"]


def test_arrival(m):
    """Thousands of new domains at once: whoever asks for one gets the right answer before all have had their turn, and a list names all."""
    cursor = m.cursor()
    tell(m, COUNT, "first")
    m.wait_for(lambda: managed.is_known(m, name_of(COUNT - 1)), 30, "the last one to be known")
    assert contacts(m, COUNT - 1) == ["mailto:first@example.org"]
    assert managed.path_of(m, f"www.{name_of(COUNT - 2)}") == managed.path_of(m, name_of(COUNT - 2))
    assert names_listed(m) == {name_of(i) for i in range(COUNT)}
    servers, known, changed, gone = wait_adopted(m, cursor)
    assert (servers, known, changed, gone) == (1, COUNT, COUNT, 0), (servers, known, changed, gone)
    assert {pair[0] for pair in managed.check(m)} <= {name_of(i) for i in range(COUNT)}


def test_only_what_changed(m):
    """A new configuration brings forth work for those domains only for which it says something else."""
    cursor = m.cursor()
    tell(m, COUNT, "second", first=COUNT - 3)
    assert wait_adopted(m, cursor) == [1, COUNT, 3, 0]
    assert contacts(m, COUNT - 3) == ["mailto:second@example.org"] and contacts(m, 0) == ["mailto:first@example.org"]
    cursor = m.cursor()
    tell(m, COUNT, "second", first=COUNT - 3)
    assert wait_adopted(m, cursor) == [1, COUNT, 0, 0]


def test_start(m):
    """Right after a start every domain is there, asked for one by one or all at once."""
    m.run("systemctl restart md-manager")
    assert contacts(m, COUNT - 1) == ["mailto:second@example.org"]
    assert len(names_listed(m)) == COUNT


def test_restart_in_between(m):
    """One configuration after the other, the manager killed while it takes one over: the last one counts."""
    for turn in range(3):
        tell(m, COUNT, f"turn{turn}")
        m.wait_for(lambda: contacts(m, COUNT - 1) == [f"mailto:turn{turn}@example.org"], 60, f"turn {turn}")
        if turn == 1:
            managed.kill(m)
            m.wait_active("md-manager.service")
    assert not [pair for pair in managed.check(m) if not pair[0]]
    for number in (0, COUNT // 2, COUNT - 1):
        assert contacts(m, number) == ["mailto:turn2@example.org"], number
        assert json.loads(m.read(f"{managed.STORE}/domains/{name_of(number)}/md.json"))["contacts"] == ["mailto:turn2@example.org"]


def test_departure(m):
    """Most domains go: they are forgotten, the others stay."""
    cursor = m.cursor()
    tell(m, 10, "turn2")
    assert wait_adopted(m, cursor) == [1, 10, 0, COUNT - 10]
    assert names_listed(m) == {name_of(i) for i in range(10)}
    if managed.is_known(m, name_of(COUNT - 1)):
        raise Failure("a domain that no server names is known")
    assert m.exists(f"{managed.STORE}/domains/{name_of(COUNT - 1)}/md.json")
