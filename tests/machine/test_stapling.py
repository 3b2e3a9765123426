# SPDX-License-Identifier: Apache-2.0
"""OCSP stapling with a CA of the test's own and OpenSSL's responder, seen with openssl s_client -status; and lists of revoked certificates."""

import json
import re

import apache
import managed
from responder import (CA, LISTS, PORT, Responder, fetched, issue, kept, lists, m_now, managed_time, other, plant, publish, request, revocation, serial, stapled, static,
                       wait_stapled)
import responder
from test_silence import watch, wait_signal

PEBBLE_PORT = 8889
HOOK = "/usr/local/lib/md-test/tell"


def setup(m):
    managed.install(m, ocsp=f"http://127.0.0.1:{PEBBLE_PORT}/")
    managed.settings(m, ReloadIntervalSec=1)
    m.write(HOOK, '#!/bin/sh\necho "told $* $MD_SERIALS"\n', mode=0o755)
    responder.make(m)


def hear(m, name, event, after):
    """The words that the command of MDMessageCmd was told, and serial numbers, those of the domain or of what it is about."""
    told = m.wait_journal("SYSLOG_IDENTIFIER=tell", f"MD_NAME={name}", f"MD_EVENT={event}", after=after, deadline=60, where=lambda e: e["MESSAGE"].startswith("told "))
    assert told["_SYSTEMD_UNIT"].startswith(f"md-hook-{event}-{name}-"), told
    return told["MESSAGE"].split()[1:]


def told_revoked(m, name, number, source, after):
    """The event 'revoked' of a certificate in the journal, with the id that explains it: once, however many restarts there were."""
    match = ("_SYSTEMD_UNIT=md-manager.service", f"MD_NAME={name}", "MD_EVENT=revoked")
    told = m.wait_journal(*match, after=after, deadline=60, where=lambda e: number in e["MESSAGE"].upper())
    assert f"The CA says ({source}) that certificate " in told["MESSAGE"], told["MESSAGE"]
    assert told["MESSAGE_ID"] == "d94c7f1e05b8426bb3a87e2c60f5d1a9" and told["PRIORITY"] == "4", told
    assert len([e for e in m.journal(*match, after=after) if number in e["MESSAGE"].upper()]) == 1


def ask_again(m, *directories):
    """Restarts the manager as if the last attempt to fetch had failed, a while ago."""
    managed.stop(m)
    for directory in directories:
        for name in managed.files(m, f"ocsp/{directory}"):
            path = f"{managed.STORE}/ocsp/{directory}/{name}"
            if name.endswith(".json"):
                m.write(path, json.dumps(json.loads(m.read(path)) | {"errors": 1, "renewal": "Thu, 01 Jan 2026 00:00:00 GMT"}), mode=0o640, owner="md-manager:www-data")
    m.run("systemctl start md-manager")


def test_first(m):
    """The whole way: offered by the module, fetched, verified, stored, stapled, and told."""
    issue(m, "first.test")
    Responder(m).start(good=["first.test"])
    static(m, "first.test")
    cursor = m.cursor()
    apache.reload(m)
    wait_stapled(m, "first.test")
    told = managed.wait_event(m, "first.test", "ocsp-renewed", cursor)
    assert serial(m, "first.test") in told["MESSAGE"], told["MESSAGE"]
    found, = kept(m, "first.test")
    assert found["status"] == "good" and found["valid"]["until"] and found["response"], found
    assert managed.show(m, "first.test")["Stapling"] and revocation(m, "first.test") == ("ocsp", "good")
    assert "OCSP: good, stapled until" in managed.mdctl(m, "show", "first.test").out
    assert "says that it is good" in managed.mdctl(m, "explain", "first.test").out
    properties = managed.call(m, "/org/mdmanager1", "org.freedesktop.DBus.Properties", "GetAll", "s", "org.mdmanager1.Manager")[0]
    assert properties["Staplings"]["data"][:2] == [1, 1] and properties["NextOcspUSec"]["data"] > 0, properties
    assert "OCSP next at" in m.unit("md-manager.service")["StatusText"]


def test_others(m):
    """Certificates of no managed domain are stapled, too, where MDStapling is on and MDStapleOthers not off; MDMessageCmd hears of them under the name "other"."""
    managed.set_globally(m, MDMessageCmd=f"{HOOK} first")
    cursor = m.cursor()
    issue(m, "others.test")
    issue(m, "not.test")
    Responder(m).start(good=["others.test", "not.test"])
    other(m, "others.test", more="MDStapling on")
    other(m, "not.test", more="MDStapling on\nMDStapleOthers off")
    apache.reload(m)
    wait_stapled(m, "others.test")
    assert stapled(m, "not.test") is None
    assert len(kept(m, "other")) == 1
    assert " ".join(hear(m, "other", "ocsp-renewed", cursor)) == f"first ocsp-renewed other {serial(m, 'others.test')}"
    managed.set_globally(m)
    managed.remove(m, "not.test")
    apache.reload(m)


def test_revoked(m):
    """A revoked certificate is stapled as such, and said to be; nobody can renew one of the administrator's, so mdctl check complains of it. The event 'revoked' of it, and of one of
    no managed domain, comes once, also after restarts and when the responder was asked again, and has all that events have."""
    issue(m, "revoked.test")
    issue(m, "loose.test")
    issue(m, "later.test")
    managed.set_globally(m, MDMessageCmd=f"{HOOK} first")
    here = Responder(m)
    here.start(revoked=["revoked.test", "loose.test"], good=["later.test"])
    static(m, "revoked.test")
    other(m, "loose.test", more="MDStapling on")
    other(m, "later.test", more="MDStapling on")
    number, loose, later = [serial(m, name) for name in ("revoked.test", "loose.test", "later.test")]
    cursor = m.cursor()
    apache.reload(m)
    wait_stapled(m, "revoked.test", "revoked")
    wait_stapled(m, "loose.test", "revoked")
    wait_stapled(m, "later.test")
    assert "revoked" in managed.wait_event(m, "revoked.test", "ocsp-renewed", cursor)["MESSAGE"]
    assert hear(m, "revoked.test", "revoked", cursor)[:3] == ["first", "revoked", "revoked.test"]
    assert " ".join(hear(m, "other", "revoked", cursor)).upper() == f"FIRST REVOKED OTHER {loose}"
    assert "revoked" in [e["type"] for e in managed.job(m, "revoked.test")["log"]["entries"]]
    faults = dict(managed.check(m))
    assert "is revoked" in faults.get("revoked.test", "") and number in faults["revoked.test"].upper(), faults
    m.run("systemctl restart md-manager")
    m.wait_for(lambda: managed.is_known(m, "revoked.test") and revocation(m, "revoked.test") == ("ocsp", "revoked"), 60, "what is kept to be read again")
    here.start(revoked=["revoked.test", "loose.test", "later.test"])
    since = m.cursor()
    ask_again(m, "revoked.test", "other")
    for name, of in (("revoked.test", number), ("other", loose), ("other", later)):
        m.wait_journal("_SYSTEMD_UNIT=md-manager.service", f"MD_NAME={name}", "MD_EVENT=ocsp-renewed", after=since, deadline=60, where=lambda e: of in e["MESSAGE"].upper())
    words = " ".join(hear(m, "other", "revoked", since)).upper().split()
    assert words[2:] == ["OTHER", later, loose], words
    told_revoked(m, "revoked.test", number, "OCSP", cursor)
    told_revoked(m, "other", loose, "OCSP", cursor)
    told_revoked(m, "other", later, "OCSP", cursor)
    managed.set_globally(m)
    for name in ("loose.test", "later.test"):
        managed.remove(m, name)
    apache.reload(m)


def test_revoked_before_reload(m):
    """Nobody reloads the server, which goes on with a certificate that has been renewed: when that is revoked, the event says so, once. One that was told while it was live, by the CA or
    by who had it revoked, is not told again; and none is after restarts, or with the reload."""
    m.write(f"{CA}/pebble.pem", m.ca.intermediate())
    m.write(f"{CA}/pebble.key", m.ca.intermediate_key())
    asked = f"authorityInfoAccess=OCSP;URI:http://127.0.0.1:{PORT}/\n"
    names = ("taken.test", "gone.test", "late.test")
    managed.settings(m, ReloadIntervalSec=1, ReloadUnit="none")
    managed.add(m, "taken.test", directives="MDStapling on\nMDPrivateKeys P-256")
    begun = m.cursor()
    apache.reload(m)
    managed.wait_event(m, "taken.test", "reload-pending", begun, deadline=60)
    m.run(["cp", f"{managed.STORE}/domains/taken.test/pubcert.p-256.pem", f"{CA}/taken.test.pem"])
    for name in names[1:]:
        plant(m, name, asked, "MDStapling on")
    number = {name: serial(m, name) for name in names}
    here, there = Responder(m), Responder(m, PEBBLE_PORT)
    here.start(good=["late.test"], revoked=["gone.test"])
    there.start(good=["taken.test"], signer="pebble", ca="pebble")
    cursor = m.cursor()
    apache.reload(m)
    for name in ("taken.test", "late.test"):
        wait_stapled(m, name, deadline=60)
    managed.mdctl(m, "revoke", "taken.test")
    managed.renew(m, "late.test")
    for name in names:
        managed.wait_event(m, name, "reload-pending", cursor, deadline=120)
    here.start(revoked=["late.test", "gone.test"])
    there.start(revoked=["taken.test"], signer="pebble", ca="pebble")
    asking = m.cursor()
    ask_again(m, *names)
    for name in names:
        m.wait_journal("_SYSTEMD_UNIT=md-manager.service", f"MD_NAME={name}", "MD_EVENT=ocsp-renewed", after=asking, deadline=60,
                       where=lambda e: number[name] in e["MESSAGE"].upper() and "is revoked" in e["MESSAGE"])
    told_revoked(m, "late.test", number["late.test"], "OCSP", asking)
    assert "until it is reloaded" in managed.wait_event(m, "late.test", "revoked", asking)["MESSAGE"]
    ask_again(m, *names)
    cursor = m.cursor()
    managed.settings(m, ReloadIntervalSec=1)
    for name in names:
        managed.wait_event(m, name, "installed", cursor, deadline=60)
        told = [e["MESSAGE"] for e in m.journal("_SYSTEMD_UNIT=md-manager.service", f"MD_NAME={name}", "MD_EVENT=revoked", after=begun)]
        assert len(told) == 1 and number[name] in told[0].upper(), told
        managed.remove(m, name)
    apache.reload(m)


def test_not_believed(m):
    """Nothing is stapled that is signed by a stranger of the issuer's name, by a certificate without the right to, or about a certificate that the responder does not know; the reason is told."""
    issue(m, "doubt.test")
    issue(m, "plain", "basicConstraints=CA:FALSE\n")
    responder = Responder(m)
    static(m, "doubt.test")
    for how, why in ((dict(signer="stranger"), "not signed by the issuer"), (dict(signer="plain"), "not signed by the issuer"), (dict(good=()), "does not know the certificate")):
        responder.start(**{"good": ["doubt.test"], **how})
        cursor = m.cursor()
        apache.reload(m)
        m.run(f"rm -rf {managed.STORE}/ocsp/doubt.test && systemctl restart md-manager")
        told = managed.wait_event(m, "doubt.test", "ocsp-errored", cursor)
        assert why in told["MESSAGE"], (how, told["MESSAGE"])
        assert stapled(m, "doubt.test") is None


def test_delegate(m):
    """A responder with a certificate of its own that the issuer signed for the purpose is believed."""
    issue(m, "delegated.test")
    Responder(m).start(good=["delegated.test"], signer="delegate")
    static(m, "delegated.test")
    apache.reload(m)
    wait_stapled(m, "delegated.test")


def test_without_end(m):
    """A response that does not say how long it counts does so for 12 hours."""
    issue(m, "endless.test")
    Responder(m).start(good=["endless.test"], life=())
    static(m, "endless.test")
    apache.reload(m)
    wait_stapled(m, "endless.test")
    found, = kept(m, "endless.test")
    assert managed_time(found["valid"]["until"]) - managed_time(found["valid"]["from"]) == 12 * 3600, found


def test_outage(m):
    """While the responder is down, the response is stapled over restarts of everything until it runs out, and then no more; when the responder is back, so is the staple."""
    issue(m, "outage.test")
    responder = Responder(m)
    responder.start(good=["outage.test"], life=("-nmin", "1"))
    static(m, "outage.test")
    apache.reload(m)
    wait_stapled(m, "outage.test")
    responder.stop()
    m.run("systemctl restart md-manager")
    apache.restart(m)
    assert stapled(m, "outage.test") == "good"
    cursor = m.cursor()
    found, = kept(m, "outage.test")
    managed.wait_event(m, "outage.test", "ocsp-errored", cursor, deadline=90)
    m.wait_for(lambda: stapled(m, "outage.test") is None, 90, "the staple to run out")
    assert abs(m_now(m) - managed_time(found["valid"]["until"])) < 20
    responder.start(good=["outage.test"])
    wait_stapled(m, "outage.test", deadline=120)


def test_no_responder(m):
    """Certificates that name no responder, and those without issuer, are left alone without a word."""
    issue(m, "quiet.test", "subjectAltName=DNS:quiet.test\n")
    static(m, "quiet.test")
    cursor = m.cursor()
    apache.reload(m)
    assert stapled(m, "quiet.test") is None
    assert not m.exists(f"{managed.STORE}/ocsp/quiet.test")
    assert not m.journal("MD_NAME=quiet.test", "MD_EVENT=ocsp-errored", after=cursor)


def test_must_staple(m):
    """A new certificate that demands stapling becomes live when there is a response for it, not before; one that is revoked is renewed by itself, also when somebody wanted none, and
    told once, whoever says so."""
    m.write(f"{CA}/pebble.pem", m.ca.intermediate())
    m.write(f"{CA}/pebble.key", m.ca.intermediate_key())
    responder = Responder(m, PEBBLE_PORT)
    responder.stop()
    managed.add(m, "must.test", directives="MDMustStaple on\nMDStapling on\nMDPrivateKeys P-256")
    cursor = m.cursor()
    apache.reload(m)
    managed.wait_event(m, "must.test", "ocsp-errored", cursor, deadline=60)
    assert not m.journal("MD_NAME=must.test", "MD_EVENT=renewed", after=cursor)
    responder.start(good=[f"{managed.STORE}/staging/must.test/pubcert.p-256.pem"], signer="pebble", ca="pebble")
    managed.wait_event(m, "must.test", "installed", cursor, deadline=120)
    wait_stapled(m, "must.test")
    shown = json.loads(m.read(f"{managed.STORE}/status/must.test.json"))["cert"]["p-256"]["ocsp"]
    assert shown["status"] == "good" and shown["valid"]["until"] and shown["renewal"] and shown["url"], shown
    assert 'md_revocation_status{domain="must.test",key="p-256",md_revocation_status="good"} 1' in managed.mdctl(m, "metrics").out
    cursor = m.cursor()
    managed.mdctl(m, "revoke", "--no-reissue", "must.test")
    managed.wait_event(m, "must.test", "revoked", cursor)
    responder.start(revoked=[f"{managed.STORE}/domains/must.test/pubcert.p-256.pem"], signer="pebble", ca="pebble")
    m.run(f"systemctl stop md-manager && rm -r {managed.STORE}/ocsp/must.test && systemctl start md-manager")
    begun = managed.wait_event(m, "must.test", "renewing", cursor, deadline=60)
    assert "revoked" in begun["MESSAGE"], begun["MESSAGE"]
    told = m.journal("MD_NAME=must.test", "MD_EVENT=revoked", "_SYSTEMD_UNIT=md-manager.service", after=cursor)
    assert len(told) == 1, told


def test_many(m):
    """Five hundred certificates at once, fetched in one run over few connections at a time; server-status counts them."""
    count = 500
    names = [f"many{i}.test" for i in range(count)]
    responder.issue_many(m, names)
    Responder(m).start(good=names)
    apache.site(m, "many", "".join(apache.virtual_host(m, name, more=f"SSLCertificateFile {CA}/{name}.pem\nSSLCertificateKeyFile {CA}/many.key\nMDStapling on") for name in names)
                + "Listen 8081\n<VirtualHost *:8081>\n<Location />\nSetHandler server-status\nRequire all granted\n</Location>\n</VirtualHost>\n")
    cursor = m.cursor()
    apache.reload(m)
    # What others have is fetched in the same run when it is due.
    done = m.wait_journal("SYSLOG_IDENTIFIER=md-ocsp", after=cursor, deadline=180, where=lambda e: (n := re.match(r"Fetched (\d+) ", e["MESSAGE"])) and int(n[1]) >= count)
    assert "0 failed" in done["MESSAGE"], done["MESSAGE"]
    wait_stapled(m, names[0])
    wait_stapled(m, names[-1])
    told = dict(line.split(": ", 1) for line in m.run("curl -s 'http://127.0.0.1:8081/?auto'").out.splitlines() if ": " in line)
    others = [n for n in range(int(told["ManagedStaplingsTotal"])) if told[f"ManagedStapling[{n}]Domain"] == "other" and told[f"ManagedStapling[{n}]OCSPStatus"] == "good"]
    assert len(others) >= count, len(others)
    last = f"ManagedStapling[{others[-1]}]"
    shown = {label: told.get(last + label) for label in ("ResponderURL", "ResponderName", "ActivityRefresh", "StaplingValidUntil", "CertificateID")}
    assert shown["ResponderURL"] == f"http://127.0.0.1:{PORT}/" and all(shown.values()) and len(shown["CertificateID"]) == 40, shown
    apache.no_site(m, "many")
    apache.reload(m)


def test_keep(m):
    """What no server staples any more is removed when it is older than MDStaplingKeepResponse; what is in use stays, however old it is."""
    issue(m, "used.test")
    issue(m, "unused.test")
    Responder(m).start(good=["used.test", "unused.test"])
    static(m, "used.test")
    static(m, "unused.test")
    managed.set_globally(m, MDStaplingKeepResponse="1h")
    apache.reload(m)
    wait_stapled(m, "used.test")
    wait_stapled(m, "unused.test")
    managed.remove(m, "unused.test")
    apache.reload(m)
    m.wait_for(lambda: not managed.is_known(m, "unused.test"), 30, "the manager to know")
    m.run("systemctl restart md-manager")
    assert kept(m, "unused.test"), "too young to be removed"
    m.run(f"systemctl stop md-manager && touch -d '2 hours ago' {managed.STORE}/ocsp/*/* && systemctl start md-manager")
    m.wait_for(lambda: not m.exists(f"{managed.STORE}/ocsp/unused.test"), 30, "what nobody uses to be removed")
    found, = kept(m, "used.test")
    assert found["status"] == "good" and m.exists(f"{managed.STORE}/ocsp/used.test"), found
    apache.restart(m)
    assert stapled(m, "used.test") == "good"


# Revocation of what is not stapled


def test_crl(m):
    """A certificate that names no responder is looked up in the list that it names, which is kept over restarts; when it is in there, it is renewed."""
    lists(m)
    plant(m, "listed.test", "crlDistributionPoints=URI:http://127.0.0.1:8890/listed.crl\n")
    publish(m, "listed")
    apache.reload(m)
    m.wait_for(lambda: revocation(m, "listed.test") == ("crl", "good"), 60, "the list to be looked through")
    shown = json.loads(m.read(f"{managed.STORE}/status/listed.test.json"))["cert"]["p-256"]["crl"]
    assert shown["status"] == "good" and shown["url"].endswith("/listed.crl") and shown["valid"]["until"], shown
    assert "CRL: good" in managed.mdctl(m, "show", "listed.test").out
    assert "list of revoked certificates http://127.0.0.1:8890/listed.crl says that it is good" in managed.mdctl(m, "explain", "listed.test").out
    assert 'md_revocation_status{domain="listed.test",key="p-256",md_revocation_status="good"} 1' in managed.mdctl(m, "metrics").out
    assert fetched(m, "listed") == "1"
    m.run("systemctl restart md-manager")
    m.wait_for(lambda: revocation(m, "listed.test") == ("crl", "good"), 30, "the list to be read again")
    assert fetched(m, "listed") == "1"
    publish(m, "listed", revoked=["listed.test"])
    cursor = m.cursor()
    m.run(f"systemctl stop md-manager && rm {managed.STORE}/crls/*.crl && systemctl start md-manager")
    begun = managed.wait_event(m, "listed.test", "renewing", cursor, deadline=60)
    assert "revoked" in begun["MESSAGE"], begun["MESSAGE"]
    managed.wait_event(m, "listed.test", "installed", cursor, deadline=120)


def test_crl_tells(m):
    """What a list says of a certificate that nobody renews by itself is the event 'revoked' as well: journal, bus, job and hook; once, also after a restart."""
    lists(m)
    plant(m, "kept.test", "crlDistributionPoints=URI:http://127.0.0.1:8890/kept.crl\n", directives="MDRenewMode manual")
    publish(m, "kept", revoked=["kept.test"])
    managed.set_globally(m, MDMessageCmd=f"{HOOK} first")
    signals = watch(m)
    cursor = m.cursor()
    apache.reload(m)
    m.wait_for(lambda: managed.is_known(m, "kept.test") and revocation(m, "kept.test") == ("crl", "revoked"), 60, "the list to be looked through")
    assert " ".join(hear(m, "kept.test", "revoked", cursor)).upper() == f"FIRST REVOKED KEPT.TEST {serial(m, 'kept.test')}"
    assert wait_signal(signals, "revoked", "kept.test")
    signals.stop()
    assert "revoked" in [e["type"] for e in managed.job(m, "kept.test")["log"]["entries"]]
    m.run("systemctl restart md-manager")
    m.wait_for(lambda: managed.is_known(m, "kept.test") and revocation(m, "kept.test") == ("crl", "revoked"), 60, "the list to be looked through again")
    told_revoked(m, "kept.test", serial(m, "kept.test"), "CRL http://127.0.0.1:8890/kept.crl", cursor)
    managed.set_globally(m)
    managed.remove(m, "kept.test")
    apache.reload(m)


def test_crl_not_believed(m):
    """A list of another signer, one that ran out, and something else are not believed: nothing is known, and the reason is told."""
    lists(m)
    plant(m, "unbelieved.test", "crlDistributionPoints=URI:http://127.0.0.1:8890/unbelieved.crl\n")
    publish(m, "unbelieved", revoked=["unbelieved.test"], ca="stranger")
    apache.reload(m)
    for make, why in ((lambda: None, "not to be believed"), (lambda: m.write(f"{LISTS}/unbelieved.crl", "<html>"), "What came is no CRL"),
                      (lambda: publish(m, "unbelieved", life=("-crl_lastupdate", "250101000000Z", "-crl_nextupdate", "250102000000Z")), "expired"),
                      (lambda: m.run(["rm", f"{LISTS}/unbelieved.crl"]), "HTTP status 404")):
        make()
        cursor = m.cursor()
        m.run("systemctl restart md-manager")
        m.wait_journal("_SYSTEMD_UNIT=md-manager.service", after=cursor, deadline=60, where=lambda e: why in e["MESSAGE"] and "unbelieved.crl" in e["MESSAGE"])
        assert revocation(m, "unbelieved.test") == ("crl", "unknown")


def test_unstapled(m):
    """A certificate that nobody staples is asked about all the same, and renewed when it is revoked; unless RevocationCheck= says no."""
    plant(m, "unstapled.test", f"authorityInfoAccess=OCSP;URI:http://127.0.0.1:{PORT}/\n")
    Responder(m).start(revoked=["unstapled.test"])
    managed.settings(m, ReloadIntervalSec=1, RevocationCheck="no")
    apache.reload(m)
    m.wait_for(lambda: managed.is_known(m, "unstapled.test"), 30, "the domain")
    assert revocation(m, "unstapled.test") is None
    cursor = m.cursor()
    managed.settings(m, ReloadIntervalSec=1)
    begun = managed.wait_event(m, "unstapled.test", "renewing", cursor, deadline=60)
    assert "revoked" in begun["MESSAGE"], begun["MESSAGE"]
    managed.wait_event(m, "unstapled.test", "installed", cursor, deadline=120)
    assert stapled(m, "unstapled.test") is None


def test_not_replaced(m):
    """mdctl check complains of a revoked certificate that nothing renews (MDRenewMode manual) or that is held back, and of a missing staple that is demanded; a renewal by hand ends that."""
    dead = 8891   # nobody listens there
    asked = f"authorityInfoAccess=OCSP;URI:http://127.0.0.1:{PORT}/\n"
    plant(m, "hand.test", asked, "MDRenewMode manual")
    plant(m, "must.hand.test", f"authorityInfoAccess=OCSP;URI:http://127.0.0.1:{dead}/\ntlsfeature=status_request\n", "MDRenewMode manual\nMDStapling on\nMDMustStaple on")
    plant(m, "held.test", asked)
    Responder(m).start(revoked=["hand.test", "held.test"])
    managed.set_globally(m, MDInitialDelay="1h")
    cursor = m.cursor()
    apache.reload(m)
    for name in ("hand.test", "held.test"):
        managed.wait_event(m, name, "revoked", cursor, deadline=60)
    managed.wait_event(m, "must.hand.test", "ocsp-errored", cursor, deadline=60)
    faults = dict(managed.check(m))
    assert "is revoked, and nothing renews it by itself (MDRenewMode is manual): 'mdctl renew --force hand.test' does" in faults.get("hand.test", ""), faults
    assert "is revoked, and not replaced yet" in faults.get("held.test", "") and "MDInitialDelay" in faults["held.test"], faults
    assert "There is no OCSP response for its certificate, which demands stapling" in faults.get("must.hand.test", ""), faults
    assert serial(m, "hand.test") in faults["hand.test"].upper(), faults
    managed.mdctl(m, "renew", "--force", "hand.test")
    managed.set_globally(m)
    apache.reload(m)
    managed.wait_event(m, "held.test", "installed", cursor, deadline=120)
    faults = dict(managed.check(m))
    assert not {"hand.test", "held.test"} & set(faults), faults


def test_others_watched(m):
    """What is known of staples of no managed domain is in the metrics of mdctl and of the page; mdctl check complains of one that is revoked, and of one that is demanded and missing."""
    issue(m, "well.other.test")
    issue(m, "revoked.other.test")
    issue(m, "must.other.test", "subjectAltName=DNS:must.other.test\nauthorityInfoAccess=OCSP;URI:http://127.0.0.1:8892/\ntlsfeature=status_request\n")   # nobody listens there
    Responder(m).start(good=["well.other.test"], revoked=["revoked.other.test"])
    for name in ("well.other.test", "revoked.other.test", "must.other.test"):
        other(m, name, more="MDStapling on")
    apache.site(m, "pages", "Listen 8083\n<VirtualHost *:8083>\n<Location /md-status>\nSetHandler md-status\nRequire all granted\n</Location>\n</VirtualHost>\n")
    cursor = m.cursor()
    apache.reload(m)
    missing = serial(m, "must.other.test").lower()
    m.wait_journal("MD_NAME=other", "MD_EVENT=ocsp-errored", after=cursor, deadline=60, where=lambda e: missing in e["MESSAGE"].lower())
    wait_stapled(m, "revoked.other.test", "revoked")
    wait_stapled(m, "well.other.test")
    page = m.run("curl -s 'http://127.0.0.1:8083/md-status?openmetrics'").out
    for text in (managed.mdctl(m, "metrics").out, page):
        for name, status in (("well", "good"), ("revoked", "revoked"), ("must", "unknown")):
            number = serial(m, f"{name}.other.test").upper()
            line = re.search(rf'^md_revocation_status{{domain="other",serial="0*{number}",id="[0-9a-f]{{40}}",md_revocation_status="{status}"}} 1$', text, re.MULTILINE | re.IGNORECASE)
            assert line, (name, text)
    faults = [text for domain, text in managed.check(m) if domain == "other"]
    told = {name: [text for text in faults if serial(m, f"{name}.other.test").lower() in text.lower()] for name in ("well", "revoked", "must")}
    assert not told["well"] and len(told["revoked"]) == len(told["must"]) == 1, faults
    assert "is revoked: it has to be replaced there" in told["revoked"][0] and "which demands stapling" in told["must"][0], faults
    for name in ("well.other.test", "revoked.other.test", "must.other.test", "pages"):
        apache.no_site(m, name)
    apache.reload(m)
    m.wait_for(lambda: not [domain for domain, _ in managed.check(m) if domain == "other"], 30, "what nobody staples any more to be no fault")
