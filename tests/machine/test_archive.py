# SPDX-License-Identifier: Apache-2.0
"""The archive: what is in it, how long it stays, and how an earlier certificate is put back."""

import json
import threading

import apache
import managed
from machine import Visitor

DAY = 86400 * 1000000


def setup(m):
    managed.install(m)
    managed.settings(m, ReloadIntervalSec="200ms")
    managed.set_globally(m, MDPrivateKeys="P-256")


def obtain(m, name, more=0, directives=""):
    """A domain that was renewed 'more' times since its first certificate: all of them, oldest first, as visitors saw them."""
    managed.add(m, name, directives=directives)
    cursor = m.cursor()
    apache.reload(m)
    managed.wait_event(m, name, "installed", cursor)
    found = [managed.wait_served(m, name)]
    for _ in range(more):
        cursor = m.cursor()
        managed.mdctl(m, "renew", "--force", name)
        managed.wait_event(m, name, "installed", cursor)
        found.append(managed.wait_served(m, name, other_than=found[-1]))
    wait_idle(m, name)
    return found


def wait_idle(m, name):
    m.wait_for(lambda: (lambda s: s["Action"] == "wait" and s["Served"] and s["Job"] == "/")(managed.show(m, name)), 20, f"{name} to have nothing to do")


def archive(m, name):
    return json.loads(managed.mdctl(m, "--json=short", "archive", name).out)


def fingerprint(certificate):
    return certificate.fingerprint.replace(":", "").lower()


def fingerprints(sets):
    return [[certificate["Fingerprint"] for certificate in entry["Certificates"]] for entry in sets]


def test_put_back(m):
    """mdctl rollback serves the certificate before the last one again, with no request failing and none to the CA, and then the last one again; each is told and listed."""
    name = "back.test"
    first, second, third = obtain(m, name, more=2)
    sets = archive(m, name)
    assert fingerprints(sets) == [[fingerprint(second)], [fingerprint(first)]] and not any(entry["Obstacle"] for entry in sets), sets
    m.ca.proxy.clear()
    cursor = m.cursor()
    with Visitor(m, name, roots=m.ca.root()) as visitor:
        said = managed.mdctl(m, "rollback", name).out
        assert "is served again" in said and str(sets[0]["Set"]) in said, said
        assert m.certificate(name).fingerprint == second.fingerprint
    assert visitor.answered > 0 and not visitor.wrong, visitor.wrong
    entry = managed.wait_event(m, name, "rolled-back", cursor)
    assert "put back" in entry["MESSAGE"], entry
    assert fingerprints(archive(m, name)) == [[fingerprint(third)], [fingerprint(first)]], archive(m, name)
    assert m.read(f"{managed.STORE}/domains/{name}/privkey.p-256.pem") == m.read(f"{managed.STORE}/reserve/{name}/privkey.p-256.pem")
    shown = managed.show(m, name)
    assert shown["State"] == "complete" and shown["Action"] == "wait" and "was put back" in shown["Detail"] and shown["NextUSec"] > entry["at"] + DAY, shown
    # A number, and from the first one on.
    oldest = archive(m, name)[1]["Set"]
    managed.mdctl(m, "rollback", name, str(oldest))
    assert m.certificate(name).fingerprint == first.fingerprint
    managed.mdctl(m, "rollback", name, str(archive(m, name)[1]["Set"]))
    assert m.certificate(name).fingerprint == third.fingerprint
    assert sorted(fingerprints(archive(m, name))) == sorted([[fingerprint(first)], [fingerprint(second)]]), archive(m, name)
    assert m.ca.proxy.count() == 0 and managed.left_over(m) == [], m.ca.proxy.counts()
    # A renewal that somebody asks for is an ordinary one.
    managed.mdctl(m, "renew", "--force", name)
    wait_idle(m, name)
    assert "was put back" not in managed.show(m, name)["Detail"] and len(archive(m, name)) == 3


def test_kept(m):
    """What was put back outlives restarts and checks, and is not renewed for the CA that it is not from, until the domain's configuration changes."""
    name, other = "kept.test", "https://ca.test:14099/dir"
    managed.add(m, name)
    first, second = obtain(m, name, more=1, directives="MDRenewWindow 89d")
    assert first.fingerprint != second.fingerprint
    job = managed.job(m, name)
    sets = archive(m, name)
    # The archived set as if it were from another CA, which is what one puts something back for.
    path = f"{managed.STORE}/archive/{name}.{sets[0]['Set']}/job.json"
    then = json.loads(m.read(path))
    then["live"]["ca-url"] = other
    m.write(path, json.dumps(then), mode=0o600, owner="md-manager:md-manager")
    assert job["live"]["ca-url"] != other
    cursor = m.cursor()
    managed.mdctl(m, "rollback", name)
    assert managed.job(m, name)["live"]["ca-url"] == other and managed.job(m, name)["rolled-back"]
    m.run("systemctl restart md-manager")
    managed.check(m)
    wait_idle(m, name)
    assert m.certificate(name).fingerprint == first.fingerprint
    assert not m.journal(f"MD_NAME={name}", "MD_EVENT=renewing", after=cursor)
    managed.add(m, name, directives="MDRenewWindow 30d")
    cursor = m.cursor()
    apache.reload(m)
    assert "is not configured any more" in managed.wait_event(m, name, "renewing", cursor)["MESSAGE"]
    managed.wait_event(m, name, "installed", cursor)
    assert "rolled-back" not in managed.job(m, name)


def test_refused(m):
    """What cannot be put back says why: another name is configured, its key is gone, it is damaged, revoked, or not there; not for everybody; nor while a renewal runs."""
    name = "refused.test"
    obtain(m, name, more=3)
    newest, middle, oldest = archive(m, name)
    at = lambda entry, file: f"{managed.STORE}/archive/{name}.{entry['Set']}/{file}"
    m.run(["rm", at(newest, "privkey.p-256.pem")])
    m.write(at(middle, "pubcert.p-256.pem"), "torn", mode=0o600, owner="md-manager:md-manager")
    job = managed.job(m, name)
    managed.stop(m)
    m.write(f"{managed.STORE}/domains/{name}/job.json", json.dumps(job | {"revoked": [oldest["Certificates"][0]["Fingerprint"]]}), mode=0o600, owner="md-manager:md-manager")
    m.run("systemctl start md-manager")
    told = {entry["Set"]: entry["Obstacle"] for entry in archive(m, name)}
    for entry, words in ((newest, "private key"), (middle, "can be read"), (oldest, "revoked")):
        assert words in told[entry["Set"]], told
        result = managed.mdctl(m, "rollback", name, str(entry["Set"]), check=False)
        assert result.rc == 1 and words in result.err, result
    for words in (["rollback", name], ["rollback", name, "4711"]):
        result = managed.mdctl(m, *words, check=False)
        assert result.rc == 3 and ("in the archive" in result.err or "no earlier certificate" in result.err), result
    assert managed.mdctl(m, "rollback", name, "0", check=False).rc == 2
    result = managed.mdctl(m, "--no-ask-password", "rollback", name, check=False, user="www-data")
    assert result.rc == 4, result
    assert managed.mdctl(m, "archive", name, user="www-data").rc == 0
    # A name that only the live one has.
    wide = "wide.test"
    obtain(m, wide)
    managed.add(m, wide, f"www.{wide}")
    cursor = m.cursor()
    apache.reload(m)
    managed.wait_event(m, wide, "installed", cursor)
    [entry] = archive(m, wide)
    assert f"www.{wide}" in entry["Obstacle"], entry
    # And while a renewal runs.
    busy = "busy.test"
    obtain(m, busy, more=1)
    release = threading.Event()
    m.ca.proxy.rule(kind="directory", hold=release)
    try:
        managed.renew(m, busy)
        result = managed.mdctl(m, "rollback", busy, check=False)
        assert result.rc == 1 and "is being renewed" in result.err, result
    finally:
        release.set()
    wait_idle(m, busy)
    m.ca.proxy.clear()


def test_pruned(m):
    """ArchiveKeep= and ArchiveMaxAgeSec=: the archive has no more, and nothing that is older; what is live stays."""
    name = "pruned.test"
    managed.settings(m, ReloadIntervalSec="200ms", ArchiveKeep=2)
    certificates = obtain(m, name, more=4)
    assert fingerprints(archive(m, name)) == [[fingerprint(certificates[3])], [fingerprint(certificates[2])]], archive(m, name)
    cursor = m.cursor()
    managed.settings(m, ReloadIntervalSec="200ms", ArchiveMaxAgeSec="1ms")
    m.wait_journal(after=cursor, unit="md-manager.service", where=lambda entry: "ArchiveMaxAgeSec=" in entry["MESSAGE"])
    assert archive(m, name) == [] and managed.files(m, "archive") == []
    assert managed.mdctl(m, "rollback", name, check=False).rc == 3
    assert managed.check(m) == [] and m.certificate(name).fingerprint == certificates[-1].fingerprint
    managed.settings(m, ReloadIntervalSec="200ms")


def test_killed(m):
    """The manager is killed while it puts something back: the one or the other set is live, whole, and the next one begins from there."""
    name = "killed.test"
    managed.settings(m, ReloadIntervalSec="1s")
    certificates = obtain(m, name, more=1)
    [entry] = archive(m, name)
    cursor = m.cursor()
    managed.mdctl(m, "rollback", "--no-wait", name)
    managed.kill(m)
    managed.wait_event(m, name, "installed", cursor)
    wait_idle(m, name)
    assert m.certificate(name).fingerprint == certificates[0].fingerprint
    assert [fingerprint(certificates[1])] in fingerprints(archive(m, name)), (entry, archive(m, name))
    assert managed.left_over(m) == []
    managed.mdctl(m, "rollback", name)
    assert m.certificate(name).fingerprint == certificates[1].fingerprint
