# SPDX-License-Identifier: Apache-2.0
"""CAs that misbehave, and settings that make no sense: a clear error, nothing lost, and all is well when the fault is gone.

Each fault meets a domain that is served already and needs a new certificate for another alias: what was served goes on being
served, the error says what was tried and when the next try comes, and that try succeeds once the fault is gone."""

import base64
import calendar
import contextlib
import json
import re
import threading
import time

import apache
import ca
import host
import managed
import pebble
from machine import Certificate, Visitor

OURS, ACME = "urn:org:mdmanager1:", "urn:ietf:params:acme:error:"
STEP_TIMEOUT = 2
DAY = 86400


def setup(m):
    m.write("/etc/md-manager/md-manager.conf.d/test.conf",
            f"[Manager]\nStepTimeoutSec={STEP_TIMEOUT}\nReloadIntervalSec=200ms\n")
    managed.install(m)
    m.site, m.sites, m.aliases = None, 0, 0


def have_site(m):
    """The site that the faults meet. After a test that failed it is another one, without that test's troubles."""
    if m.site:
        return
    m.sites += 1
    m.site = f"site{m.sites}.test"
    managed.add(m, m.site)
    apache.reload(m)
    managed.wait_served(m, m.site)
    wait_settled(m, m.site)


def give_up_site(m):
    managed.remove(m, m.site)
    m.site = None
    m.ca.proxy.clear()
    if not m.ca.proxy.server:
        m.ca.proxy.listen()
    m.write("/etc/apache2/conf-enabled/md.conf", managed.GLOBAL)


def wait_settled(m, name):
    """The domain is served with what is in the store, and nothing is wrong with it."""
    def settled():
        shown = managed.show(m, name)
        return shown if shown["Phase"] == "idle" and shown["Served"] and shown["Action"] == "wait" else None
    shown = m.wait_for(settled, 30, f"{name} to be settled")
    assert shown["Errors"] == 0 and shown["LastProblem"][:2] == ["", ""], shown
    assert shown["Reason"] == "renew-window" and shown["NextUSec"] / 1e6 > time.time() + DAY, shown
    return shown


def want_another(m, directives=""):
    """Makes a new certificate necessary: the domain gets another alias. Returns it."""
    m.aliases += 1
    alias = f"a{m.aliases}.{m.site}"
    managed.add(m, m.site, alias, directives=directives)
    apache.reload(m)
    return alias


@contextlib.contextmanager
def served_on(m, expected=2):
    """Somebody visits the site all the time: each visit is answered, with the certificate that was there before, and at the end
    with the one that took its place. The journal is looked at from here on."""
    have_site(m)
    m.ca.proxy.clear()
    before = managed.is_real(m, m.site)
    assert before, "the site is not served with a certificate of the CA to begin with"
    m.since = m.cursor()
    try:
        with Visitor(m, m.site, pause=0.1) as visitor:
            yield before
        assert visitor.answered and not visitor.wrong, visitor.wrong
        served = [Certificate(der) for _, der in visitor.certificates]
        assert served[0].fingerprint == before.fingerprint and len(served) <= expected, served
    except BaseException:
        give_up_site(m)
        raise


def utc(text):
    return calendar.timegm(time.strptime(text, "%Y-%m-%d %H:%M:%S"))


def told(m, problem, *words, name=None, url=pebble.DIRECTORY, next_in=None):
    """The failure is told the same in the journal and on the bus, with these words (regular expressions), and with the time of the next try,
    which is the one that systemd holds. 'next_in': at least and at most so many seconds after the failure. Returns properties and journal entry."""
    name = name or m.site

    def failed():
        shown = managed.show(m, name)
        return shown if shown["Errors"] > 0 and shown["Job"] == "/" else None
    shown = m.wait_for(failed, 20, f"{name} to have failed")
    entry = m.wait_journal(f"MD_NAME={name}", "MD_EVENT=errored", after=m.since,
                           where=lambda e: f"(attempt {shown['Errors']})" in e["MESSAGE"])
    text, (kind, detail, activity, _, _) = entry["MESSAGE"], shown["LastProblem"]
    assert kind == problem, shown["LastProblem"]
    assert entry["MD_PROBLEM"] == problem and entry["MD_CA"] == url and entry["PRIORITY"] == "3" and entry["MESSAGE_ID"], entry
    assert detail in text and text.startswith(f"{name}: The renewal failed (attempt "), (detail, text)
    for word in words:
        assert re.search(word, detail), (word, detail)
    assert activity or problem == OURS + "setting-refused", shown       # a wrong setting can be found before anything is begun
    said = re.search(r"; next try (\S+ \S+) UTC$", text)
    assert said and utc(said[1]) == shown["NextUSec"] // 1_000_000, (text, shown["NextUSec"])
    assert shown["Action"] == "wait" and shown["Reason"] == "retry" and detail in shown["Detail"] and said[1] in shown["Detail"], shown
    at = int(entry["__REALTIME_TIMESTAMP"]) / 1e6
    least, most = next_in or (1.9, 10 * 60)
    assert least <= shown["NextUSec"] / 1e6 - at <= most, (shown["NextUSec"] / 1e6 - at, text)
    assert shown["Log"][0][1:3] == ["renewal-error", problem] or shown["Log"][0][1] == "starting", shown["Log"]
    return shown, entry


def recovered(m, before, alias, by_itself=True):
    """The fault is gone: the next try brings the certificate, and nothing is left of the trouble."""
    if not by_itself:
        renew(m)
    certificate = managed.wait_served(m, m.site, other_than=before)
    assert sorted(certificate.names) == sorted([m.site, alias]), certificate
    wait_settled(m, m.site)
    status, _, body = m.https(m.site, roots=m.ca.root())
    assert (status, body) == (200, m.site.encode()), (status, body)
    return certificate


def renew(m):
    m.run(["busctl", "call", "org.mdmanager1", "/org/mdmanager1", "org.mdmanager1.Manager", "Renew", "sb", m.site, "true"])


# A CA that is not there, or talks nonsense


def test_not_there(m):
    """Nobody listens at the CA's address."""
    with served_on(m) as before:
        m.ca.proxy.stop()
        try:
            alias = want_another(m)
            shown, _ = told(m, OURS + "ca-unreachable", r"^Cannot talk to ca\.test:14000: .*connect")
            assert shown["LastProblem"][2] == "reading the directory of the CA", shown
            timers = m.run(["systemctl", "list-timers", "--no-pager"]).out
            assert f"md-renew@{m.site}.timer" in timers, timers
        finally:
            m.ca.proxy.listen()
        recovered(m, before, alias)


def test_not_the_ca(m):
    """The address of the CA answers with a certificate that is not the CA's."""
    proxy = m.ca.proxy
    with served_on(m) as before:
        proxy.use_certificate(*ca.TestCA().issue("ca.test"))
        try:
            alias = want_another(m)
            told(m, OURS + "ca-unreachable", rf"^The certificate of ca\.test:14000 could not be verified with {pebble.CA_FILE}: ")
            assert proxy.count() == 0, proxy.seen()
        finally:
            proxy.use_certificate(m.ca.certificate, m.ca.key)
        recovered(m, before, alias)


def test_answers_500(m):
    """The CA answers with HTTP status 500."""
    with served_on(m) as before:
        rule = m.ca.proxy.rule(kind="new-order", status=500, body="the database is tired")
        alias = want_another(m)
        shown, _ = told(m, OURS + "ca-http-error", r"^ca\.test:14000 answered with HTTP status 500: the database is tired$")
        assert shown["LastProblem"][2] == "ordering the certificate", shown
        m.ca.proxy.forget(rule)
        recovered(m, before, alias)


def test_answers_html(m):
    """The CA's directory is a page for people."""
    with served_on(m) as before:
        rule = m.ca.proxy.rule(kind="directory", status=200, headers={"Content-Type": "text/html"},
                               body="<!DOCTYPE html><html><body>Welcome to the hotel's network</body></html>")
        alias = want_another(m)
        told(m, OURS + "ca-bad-answer", r"^https://ca\.test:14000/dir is no ACME directory: not JSON")
        m.ca.proxy.forget(rule)
        recovered(m, before, alias)


def test_answers_10_megabytes(m):
    """The CA answers with more than anything of ACME can be: the worker stops reading, and stays within its memory."""
    with served_on(m) as before:
        rule = m.ca.proxy.rule(kind="new-order", size=10_000_000, status=201)
        alias = want_another(m)
        told(m, OURS + "ca-bad-answer", r"^The answer of https://ca\.test:14000/order-plz is larger than .* \(1048576 bytes are allowed\)")
        assert not m.journal("MESSAGE_ID=fe6faa94e7774663a0da52717891d8ef", after=m.since), "the worker ran out of memory"
        m.ca.proxy.forget(rule)
        recovered(m, before, alias)


def test_never_answers(m):
    """The CA takes a request and never answers: the attempt ends, and so does its worker."""
    with served_on(m) as before:
        held = threading.Event()
        rule = m.ca.proxy.rule(kind="new-order", hold=held, drop="before")
        alias = want_another(m)
        told(m, OURS + "ca-timeout", r"^https://ca\.test:14000/dir did not come to an end in time, while ordering the certificate$")
        m.wait_for(lambda: m.unit(f"md-renew@{m.site}.service")["ActiveState"] in ("inactive", "failed"), 15, "the worker to have ended")
        m.ca.proxy.forget(rule)
        held.set()
        recovered(m, before, alias)


# A CA that does not do what is asked


def test_no_http01(m):
    """The CA offers no challenge that can be done here."""
    def without_http(_request, answer):
        fields = answer.json
        fields["challenges"] = [c for c in fields["challenges"] if c["type"] != "http-01"]
        answer.json = fields
    with served_on(m) as before:
        rule = m.ca.proxy.rule(kind="authorization", change=without_http)
        alias = want_another(m)
        told(m, OURS + "challenge-mismatch",
             rf"^There is no challenge for (a\d+\.)?{m.site} that both sides can do: the CA offers \S.*, allowed here: http-01 \(MDCAChallenges\)",
             next_in=(DAY - 60, DAY + 60))
        m.ca.proxy.forget(rule)
        recovered(m, before, alias, by_itself=False)


def issue_for(m, request, names):
    """A certificate for the key of the last finalize request, but with these names."""
    csr = base64.urlsafe_b64decode(request.payload["csr"] + "==")
    directory = m.ca.ca.directory
    (directory / "asked.der").write_bytes(csr)
    (directory / "asked.ext").write_text(f"subjectAltName={names}\nextendedKeyUsage=serverAuth\n", encoding="ascii")
    return host.command("openssl", "x509", "-req", "-inform", "DER", "-in", directory / "asked.der", "-CA", directory / "ca.pem",
                        "-CAkey", directory / "ca.key", "-CAcreateserial", "-days", "90", "-extfile", directory / "asked.ext",
                        "-out", directory / "issued.pem") and m.ca.ca.read("issued.pem") + m.ca.ca.read("ca.pem")


def refused_chain(m, make, *words):
    """The CA sends another chain than the one that was ordered: it is never made live, not even staged."""
    with served_on(m) as before:
        def change(_request, answer):
            answer.body = make(m.ca.proxy.seen("finalize")[-1]).encode()
        rule = m.ca.proxy.rule(kind="certificate", change=change)
        alias = want_another(m)
        told(m, OURS + "chain-refused", rf"^The certificate that {pebble.DIRECTORY} sent is not used: ", *words)
        live = Certificate(m.read(f"/var/lib/md-manager/domains/{m.site}/pubcert.pem").encode())
        assert live.fingerprint == before.fingerprint, live
        assert not m.exists(f"/var/lib/md-manager/staging/{m.site}/pubcert.pem")
        asked = m.ca.proxy.seen("certificate")
        assert len([at for at in managed.job(m, m.site)["issued"] if at >= int(asked[0].time)]) >= 1, "the CA counts it, and so does the budget"
        m.ca.proxy.forget(rule)
        recovered(m, before, alias)


def test_chain_for_other_names(m):
    """The CA sends a certificate for our key, with other names."""
    refused_chain(m, lambda asked: issue_for(m, asked, f"DNS:{m.site},DNS:bank.test"), r"The certificate is not valid for a\d+\.site\d+\.test")


def test_chain_for_more_names(m):
    """The CA sends a certificate for our key and our names, and one that nobody ordered."""
    refused_chain(m, lambda asked: issue_for(m, asked, f"DNS:{m.site},DNS:a{m.aliases}.{m.site},DNS:bank.test"),
                  r"The certificate has names that were not ordered: bank\.test")


def test_chain_for_another_key(m):
    """The CA sends a certificate for our names, with somebody else's key."""
    refused_chain(m, lambda asked: m.ca.ca.issue("other", names=f"DNS:{m.site},DNS:a{m.aliases}.{m.site}")[0],
                  r"The certificate is for another key than the one in the request")


def test_chain_is_none(m):
    """The CA sends something that is no certificate."""
    refused_chain(m, lambda asked: "-----BEGIN CERTIFICATE-----\nZm9v\n-----END CERTIFICATE-----\n", r"chain")


def test_never_finishes(m):
    """The order stays in "processing": the attempt ends after StepTimeoutSec=, and the same order is taken up again when the CA has done its work."""
    with served_on(m) as before:
        rules = [m.ca.proxy.rule(kind=kind, replace={"status": "processing", "certificate": None}) for kind in ("finalize", "order")]
        # Before it is finalized, the order is as it is.
        finalized = threading.Event()
        rules[0].before = lambda request: finalized.set()
        rules[1].where = lambda request: finalized.is_set()
        began = time.time()
        alias = want_another(m)
        told(m, OURS + "ca-timeout",
             rf"^The CA did not come to an end within {STEP_TIMEOUT}\S*, while waiting for the certificate \(the order is processing\)")
        assert STEP_TIMEOUT <= time.time() - began < 4 * STEP_TIMEOUT, time.time() - began
        for rule in rules:
            m.ca.proxy.forget(rule)
        recovered(m, before, alias)
        counts = m.ca.proxy.counts()
        assert counts["new-order"] == 1 and counts["finalize"] == 1, counts


# A CA that says no, in its own words


def test_subproblems(m):
    """A problem document is shown whole: type, detail and subproblems, in the journal and on the bus."""
    subproblems = [{"type": ACME + "dns", "detail": "no address for www", "identifier": {"type": "dns", "value": "site.test"}},
                   {"type": ACME + "caa", "detail": "CAA record forbids it", "identifier": {"type": "dns", "value": "site.test"}}]
    document = {"type": ACME + "compound", "detail": "Some of the identifiers were refused", "status": 403, "subproblems": subproblems}
    with served_on(m) as before:
        rule = m.ca.proxy.rule(kind="new-order", status=403, headers={"Content-Type": "application/problem+json"}, body=document)
        alias = want_another(m)
        shown, entry = told(m, ACME + "compound", r"Some of the identifiers were refused")
        assert json.loads(shown["LastProblem"][3]) == subproblems, shown["LastProblem"]
        assert json.loads(entry["MD_SUBPROBLEMS"]) == subproblems, entry
        m.ca.proxy.forget(rule)
        recovered(m, before, alias)


def test_validation_fails(m):
    """The CA cannot validate one name: its own words about that name are told."""
    with served_on(m) as before:
        m.ca.set_dns("add-a", host=f"a{m.aliases + 1}.{m.site}.", addresses=["192.0.2.1"])
        alias = want_another(m)
        told(m, ACME + "connection", rf"^The CA could not validate {re.escape(alias)} \(http-01\): .*192\.0\.2\.1")
        m.ca.set_dns("clear-a", host=f"{alias}.")
        recovered(m, before, alias)


def test_rate_limited(m):
    """A Retry-After of the CA is obeyed: nothing is asked of it before."""
    with served_on(m) as before:
        wait = 6
        rule = m.ca.proxy.rule(kind="new-order", problem="rateLimited", status=429, detail="too many certificates for today",
                               headers={"Retry-After": str(wait)}, times=1)
        alias = want_another(m)
        shown, _ = told(m, ACME + "rateLimited", "too many certificates for today", next_in=(wait - 1, wait + 2))
        refused = m.ca.proxy.seen("new-order")[0].time
        assert abs(shown["LastProblem"][4] / 1e6 - (refused + wait)) < 1.5, (shown["LastProblem"], refused)
        recovered(m, before, alias)
        later = [r for r in m.ca.proxy.seen() if r.time > refused + 0.5]
        assert later and later[0].time >= refused + wait - 0.1, [(r, r.time - refused) for r in later]
        assert rule.used == 1


def test_bad_nonces(m):
    """Half of all good nonces are called bad by the CA, which costs some requests and nothing else; a CA that takes none at all is an error."""
    with served_on(m) as before:
        rule = m.ca.proxy.rule(method="POST", problem="badNonce", status=400, detail="I do not like this nonce")
        alias = want_another(m)
        told(m, ACME + "badNonce", "I do not like this nonce")
        assert 5 <= m.ca.proxy.count("new-order") <= 20, m.ca.proxy.counts()
        m.ca.proxy.forget(rule)
        before = recovered(m, before, alias)

    m.ca.restart(reject_nonces=50)
    try:
        with served_on(m, expected=4):
            for _ in range(2):      # the first time with a new account, for this Pebble knows none
                alias = want_another(m)
                before = recovered(m, before, alias)
            refused = [r for r in m.ca.proxy.seen() if r.status == 400]
            assert refused, m.ca.proxy.counts()
    finally:
        m.ca.restart(reject_nonces=0)


# Settings that make no sense


def configtest(m):
    said = apache.configtest(m)
    return said.rc, said.out + said.err


def test_no_domain_name(m):
    """A domain name that is none is told by configtest with file and line; the other domains work."""
    with served_on(m) as before:
        managed.add(m, "bad_name..org")
        rc, said = configtest(m)
        assert rc == 0 and re.search(r"bad_name\.\.org \(/etc/apache2/sites-enabled/bad_name\.\.org\.conf:1\) is not managed: "
                                     r"'bad_name\.\.org' is neither an IP address nor a DNS name", said), (rc, said)
        alias = want_another(m)
        recovered(m, before, alias)
        entry = m.wait_journal("MD_EVENT=snapshot-refused", after=m.since)
        assert re.search(r"^/var/lib/md-manager/servers/apache2\.json: .*\"bad_name\.\.org\", which is neither a DNS name nor an IP address\. That domain is left out; "
                         r"the others of this server are not touched by it\.$", entry["MESSAGE"]), entry["MESSAGE"]
        managed.remove(m, "bad_name..org")
        apache.reload(m)
        assert "not managed" not in configtest(m)[1]


def test_no_agreement(m):
    """Without MDCertificateAgreement no account is made at a CA with terms of service: what to read and to write is said. A reload with it is enough."""
    elsewhere = "https://localhost:14000/dir"       # the same Pebble, but another CA as far as anybody knows
    with served_on(m):
        m.write("/etc/apache2/conf-enabled/md.conf", managed.GLOBAL.replace("MDCertificateAgreement accepted\n", ""))
        try:
            managed.add(m, "new.test", directives=f"MDCertificateAuthority {elsewhere}")
            apache.reload(m)
            told(m, ACME + "agreementRequired", rf"^{elsewhere} wants its terms of service accepted: read data:\S+ and write 'MDCertificateAgreement accepted'",
                 name="new.test", url=elsewhere, next_in=(DAY - 60, DAY + 60))
            assert m.ca.proxy.count("new-account") == 0, m.ca.proxy.counts()
        finally:
            m.write("/etc/apache2/conf-enabled/md.conf", managed.GLOBAL)
        apache.reload(m)
        managed.wait_served(m, "new.test")
        wait_settled(m, "new.test")
    managed.remove(m, "new.test")
    apache.reload(m)


def test_no_ca_url(m):
    """An MDCertificateAuthority that is neither a CA's name nor an https URL is a syntax error; until it is mended nothing changes."""
    wrong = {"nonsense": "'nonsense' is neither a URL nor a CA known by name; known are: ", "http://ca.test:14000/dir": r"'http://ca\.test:14000/dir' is not an https URL"}
    with served_on(m) as before:
        m.aliases += 1
        alias = f"a{m.aliases}.{m.site}"
        for url, why in wrong.items():
            managed.add(m, m.site, alias, directives=f"MDCertificateAuthority {url}")
            rc, said = configtest(m)
            assert rc != 0 and re.search(rf"line 2 of /etc/apache2/sites-enabled/{re.escape(m.site)}\.conf:\s+MDCertificateAuthority: {why}", said), (rc, said)
            assert apache.reload(m, check=False).rc != 0
        managed.add(m, m.site, alias)
        apache.reload(m)
        recovered(m, before, alias)


def test_no_ca_file(m):
    """An MDCACertificateFile that is not there, or holds no certificate, is named; when it is there a renewal by hand works at once."""
    missing = "/etc/md-test/not-there.pem"
    with served_on(m) as before:
        alias = want_another(m, directives=f"MDCACertificateFile {missing}")
        told(m, OURS + "setting-refused", rf"^Cannot read the file {missing} with the certificates that the CA is verified with: No such file",
             next_in=(DAY - 60, DAY + 60))
        m.write(missing, "not a certificate\n")
        m.since = m.cursor()
        renew(m)
        told(m, OURS + "setting-refused", rf"^The file {missing} with the certificates that the CA is verified with is of no use: ",
             next_in=(DAY - 60, DAY + 60))
        m.write(missing, m.ca.ca.read("ca.pem"))
        recovered(m, before, alias, by_itself=False)
