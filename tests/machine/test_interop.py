# SPDX-License-Identifier: Apache-2.0
"""CAs as they are: Pebble in each of its moods, an ACME server of another make (Caddy's, which is that of smallstep), and every error that
RFC 8555 knows at every step of the way, with what the administrator then sees."""

import json
import re
import ssl

import apache
import faultproxy
import managed
import pebble
from machine import Certificate

ACME = "urn:ietf:params:acme:error:"
OTHER_CA = "https://other.test:9443/acme/local/directory"


def setup(m):
    m.write("/etc/md-manager/md-manager.conf.d/test.conf", "[Manager]\nStepTimeoutSec=20\nReloadIntervalSec=200ms\n")
    managed.install(m)


def obtain(m, name, *aliases, directives="", deadline=30):
    """A new domain, served in the end: its certificate."""
    managed.add(m, name, *aliases, directives=directives)
    apache.reload(m)
    return managed.wait_served(m, name, deadline)


def with_ca(m, **settings):
    """Another Pebble, which has never heard of us."""
    defaults = {"validity": 90 * 86400, "reject_nonces": 0, "reuse": 0, "eab": None, "profiles": None, "blocked": (), "strict": False,
                "retry_after": (0, 0), "delays": 0, "environment": None}
    m.ca.restart(**{**defaults, **settings})
    # No CA forgets everything ten times a day, and we would not give up more accounts: those of the CAs before go.
    m.run(f"grep -ls '\"unknown\"' {managed.STORE}/accounts/*/account.json | xargs -r dirname | xargs -r rm -r")
    m.ca.proxy.clear()


def wait_problem(m, name, cursor, deadline=30):
    """The next failure: the problem on the bus, and the journal's entry."""
    entry = managed.wait_event(m, name, "errored", cursor, deadline)
    problem = managed.show(m, name)["LastProblem"]
    assert entry["MD_PROBLEM"] == problem[0] and problem[1] in entry["MESSAGE"], (entry, problem)
    return problem, entry


def orders(m):
    """How many orders the CA made."""
    return len([r for r in m.ca.proxy.seen("new-order") if r.status == 201])


def test_strict(m):
    """Pebble as strict as it gets (-strict): a certificate for two names, in as few requests as there need to be."""
    with_ca(m, strict=True)
    certificate = obtain(m, "strict.test", "www.strict.test")
    assert sorted(certificate.names) == ["strict.test", "www.strict.test"], certificate
    counts = m.ca.proxy.counts()
    polls = counts.pop("order", 0)
    assert polls >= 1 and sum(counts.values()) <= 9 + 2 * 2, counts


def test_rejected_nonces(m):
    """Half of all good nonces are refused: the client takes the next one, and the certificate comes all the same."""
    with_ca(m, reject_nonces=50)
    obtain(m, "nonces.test", deadline=60)
    refused = [r for r in m.ca.proxy.seen() if r.status == 400]
    assert refused, m.ca.proxy.counts()


def test_reused_authorizations(m):
    """What was proved before is not proved again: a second certificate for the same name needs no challenge."""
    with_ca(m, reuse=100)
    first = obtain(m, "reuse.test")
    assert m.ca.proxy.count("challenge") == 1, m.ca.proxy.counts()
    m.ca.proxy.clear()
    managed.renew(m, "reuse.test")
    managed.wait_served(m, "reuse.test", other_than=first)
    assert m.ca.proxy.count("finalize") == 1 and m.ca.proxy.count("challenge") == 0, m.ca.proxy.counts()


def test_reused_orders(m):
    """A CA that gives out an order of before, whose authorization is dead: it is replaced, once, and the second one brings the certificate."""
    with_ca(m)
    m.ca.proxy.rule(kind="authorization", times=1, replace={"status": "deactivated"})
    obtain(m, "again.test")
    assert orders(m) == 2 and m.ca.proxy.count("finalize") == 1, m.ca.proxy.counts()
    # And one that has nothing but dead ones to give.
    cursor = m.cursor()
    m.ca.proxy.clear()
    m.ca.proxy.rule(kind="authorization", replace={"status": "expired"})
    managed.add(m, "dead.test")
    apache.reload(m)
    problem, _ = wait_problem(m, "dead.test", cursor)
    assert "dead.test is expired" in problem[1] and orders(m) == 2, (problem, m.ca.proxy.counts())
    m.ca.proxy.clear()
    managed.wait_served(m, "dead.test")


def test_short_lived(m):
    """Certificates that live for six days are obtained, and renewed long before their end."""
    with_ca(m, profiles={"shortlived": 6 * 86400})
    certificate = obtain(m, "short.test")
    lives = certificate.not_after - certificate.not_before
    assert 5 * 86400 < lives <= 6 * 86400 + 60, certificate
    shown = managed.show(m, "short.test")
    assert certificate.not_before < shown["RenewAtUSec"] / 1e6 < certificate.not_after - lives / 4, shown


def test_blocked(m):
    """A name that the CA does not sign for: its words are told, and nobody else has to suffer."""
    with_ca(m, blocked=["blocked.test"])
    cursor = m.cursor()
    managed.add(m, "blocked.test")
    managed.add(m, "allowed.test")
    apache.reload(m)
    problem, entry = wait_problem(m, "blocked.test", cursor)
    assert problem[0] == ACME + "rejectedIdentifier" and "blocked.test" in problem[1] and problem[2] == "ordering the certificate", problem
    assert m.ca.proxy.count("authorization") <= 1, m.ca.proxy.counts()
    managed.wait_served(m, "allowed.test")
    managed.remove(m, "blocked.test")
    apache.reload(m)


def test_retry_after(m):
    """The CA says when to look again, and that is when it is looked."""
    with_ca(m, retry_after=(3, 3))
    m.ca.proxy.rule(kind="order", nth=1, replace={"status": "pending"}, add={"Retry-After": "2"})
    obtain(m, "later.test")
    first, second = m.ca.proxy.seen("order")[:2]
    assert second.time - first.time >= 1.9, (first, second)


def test_page_instead_of_account(m):
    """A CA that answers questions about the account with a page in HTML: nothing crashes, and the account is not given up."""
    with_ca(m)
    obtain(m, "page.test")
    accounts = sorted(managed.files(m, "accounts"))
    cursor = m.cursor()
    m.ca.proxy.clear()
    m.ca.proxy.rule(kind="new-order", problem="unauthorized", detail="not for this name")
    page = m.ca.proxy.rule(kind="account", status=403, body="<html>no</html>", headers={"Content-Type": "text/html"})
    managed.renew(m, "page.test")
    problem, _ = wait_problem(m, "page.test", cursor)
    assert problem[0] == ACME + "unauthorized" and "not for this name" in problem[1], problem
    assert page.used >= 1 and m.ca.proxy.count("new-account") == 0, m.ca.proxy.counts()
    m.ca.proxy.clear()
    managed.renew(m, "page.test")
    m.wait_journal("MD_NAME=page.test", "MD_EVENT=installed", after=cursor, deadline=30)
    assert managed.files(m, "accounts") == accounts and m.ca.proxy.count("new-account") == 0, m.ca.proxy.counts()


def test_busy_directory(m):
    """A CA in maintenance (503 for its directory) is no alarm in the worker's journal, and is waited for."""
    with_ca(m)
    cursor = m.cursor()
    m.ca.proxy.rule(kind="directory", status=503, body="maintenance", headers={"Retry-After": "2"}, times=1)
    managed.add(m, "busy.test")
    apache.reload(m)
    problem, entry = wait_problem(m, "busy.test", cursor)
    assert "503" in problem[1] and problem[2] == "reading the directory of the CA", problem
    told = [e for e in m.journal("_COMM=md-acme", after=cursor) if "503" in e["MESSAGE"]]
    assert told and all(int(e["PRIORITY"]) >= 6 for e in told), told
    managed.wait_served(m, "busy.test")


def test_binding(m):
    """A CA that wants accounts bound to one of its own (EAB): without one, that is told; with one, the account is made, and no worker sees the secret."""
    with_ca(m, eab={"kid-1": "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"})
    cursor = m.cursor()
    managed.add(m, "bound.test")
    apache.reload(m)
    problem, _ = wait_problem(m, "bound.test", cursor)
    assert problem[0] in (ACME + "externalAccountRequired", "urn:org:mdmanager1:setting-refused") and "xternal" in problem[1], problem
    m.ca.proxy.clear()
    managed.add(m, "bound.test", directives="MDExternalAccountBinding kid-1 zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W")
    apache.reload(m)
    managed.wait_served(m, "bound.test")
    made = [r for r in m.ca.proxy.seen("new-account") if r.status == 201]
    assert len(made) == 1 and "externalAccountBinding" in made[0].payload, made
    assert "zWNDZM6eQGHW" not in m.run(["journalctl", "--no-pager", "-o", "export"]).out


def test_profiles(m):
    """The profile that is asked for is ordered; one that the CA does not have is left out, unless it must be."""
    with_ca(m, profiles={"default": 90 * 86400, "shortlived": 6 * 86400})
    certificate = obtain(m, "profile.test", directives="MDProfile shortlived")
    assert m.ca.proxy.seen("new-order")[-1].payload["profile"] == "shortlived"
    assert certificate.not_after - certificate.not_before <= 6 * 86400 + 60, certificate
    m.ca.proxy.clear()
    obtain(m, "free.test", directives="MDProfile eternal")
    assert "profile" not in m.ca.proxy.seen("new-order")[-1].payload
    cursor = m.cursor()
    managed.add(m, "must.test", directives="MDProfile eternal\nMDProfileMandatory on")
    apache.reload(m)
    problem, _ = wait_problem(m, "must.test", cursor)
    assert "eternal" in problem[1], problem


def test_profile_changed(m):
    """A renewal that failed half-way is not gone on with under another MDProfile: its order, and the certificate of the first of two keys, are given up."""
    with_ca(m, profiles={"default": 90 * 86400, "shortlived": 6 * 86400})
    name, keys = "half.test", "MDPrivateKeys P-256 P-384"
    proxy = m.ca.proxy
    first = proxy.rule(kind="certificate")
    rule = proxy.rule(kind="authorization", where=lambda _: first.used, problem="serverInternal", status=500)
    cursor = m.cursor()
    managed.add(m, name, directives=keys)
    apache.reload(m)
    wait_problem(m, name, cursor)
    begun = json.loads(m.read(f"{managed.STORE}/domains/{name}/job.json"))
    assert begun["phase"] == "ordering" and begun["order"] and "pubcert.p-256.pem" in managed.files(m, f"staging/{name}"), begun
    proxy.forget(rule)
    before = proxy.count("new-order")
    cursor = m.cursor()
    managed.add(m, name, directives=f"{keys}\nMDProfile shortlived")
    apache.reload(m)
    managed.wait_event(m, name, "installed", cursor)
    ordered = [r.payload.get("profile") for r in proxy.seen("new-order")[before:]]
    assert ordered == ["shortlived", "shortlived"], ordered
    for key in ("p-256", "p-384"):
        certificate = Certificate(m.read(f"{managed.STORE}/domains/{name}/pubcert.{key}.pem").encode())
        assert certificate.not_after - certificate.not_before <= 6 * 86400 + 60, (key, certificate)


def test_preferred_chain(m):
    """Of the chains that the CA offers for one certificate (Link rel="alternate"), the one that leads to the preferred root is served."""
    with_ca(m, environment={"PEBBLE_ALTERNATE_ROOTS": "2"})
    roots = [Certificate(ssl.PEM_cert_to_DER_cert(m.ca._manage(f"/roots/{i}"))) for i in range(3)]
    common_name = re.search(r"CN ?= ?(.*)$", roots[2].subject)[1]
    assert len({root.subject for root in roots}) == 3, roots
    obtain(m, "chain.test", directives=f'MDPreferredChain "{common_name}"')
    assert m.ca.proxy.count("certificate") == 3, m.ca.proxy.counts()
    chain = m.read(f"{managed.STORE}/domains/chain.test/pubcert.pem")
    last = Certificate(ssl.PEM_cert_to_DER_cert(chain[chain.rindex("-----BEGIN"):]))
    assert common_name in last.issuer, (common_name, last)


PASSWORD = "sEcret77"


def connects(m):
    """What went through the proxy: pairs of its port and its answer."""
    lines = m.read("/var/log/apache2/connect.log").splitlines()
    assert all("CONNECT ca.test:14000" in line for line in lines), lines
    return [tuple(line.split()[:2]) for line in lines]


def test_proxies(m):
    """The CA through an http proxy and through an https proxy, each with a password; a wrong one is told, and none is ever in the journal."""
    with_ca(m)
    apache.forward_proxy(m, PASSWORD, "/var/log/apache2/connect.log")
    obtain(m, "plain-proxy.test", directives=f"MDHttpProxy http://user:{PASSWORD}@proxy.test:3128/")
    assert ("3128", "200") in connects(m), connects(m)
    obtain(m, "tls-proxy.test", directives=f"MDHttpProxy https://user:{PASSWORD}@proxy.test:3129/\nMDHttpProxyCACertificateFile /etc/md-test/ca.pem")
    assert ("3129", "200") in connects(m), connects(m)
    cursor = m.cursor()
    managed.add(m, "no-proxy.test", directives=f"MDHttpProxy http://user:not{PASSWORD}@proxy.test:3128/")
    apache.reload(m)
    problem, _ = wait_problem(m, "no-proxy.test", cursor)
    assert "through the proxy proxy.test:3128" in problem[1] and "407" in problem[1], problem
    assert PASSWORD not in m.run(["journalctl", "--no-pager", "-o", "export"]).out
    managed.remove(m, "no-proxy.test")
    apache.reload(m)


def test_proxy_of_the_environment(m):
    """A drop-in for all units whose names begin with "md-" gives the proxy, as the manual page says."""
    with_ca(m)
    apache.forward_proxy(m, PASSWORD, "/var/log/apache2/connect.log")
    before = len(connects(m))
    m.write("/etc/systemd/system/md-.service.d/proxy.conf", f"[Service]\nEnvironment=https_proxy=http://user:{PASSWORD}@proxy.test:3128\n")
    m.run("systemctl daemon-reload")
    obtain(m, "environment.test")
    assert len(connects(m)) > before, connects(m)
    m.run("rm /etc/systemd/system/md-.service.d/proxy.conf; systemctl daemon-reload")


# An OpenSSL that speaks what it can.
OLD_TLS = """openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = old
[old]
MinProtocol = TLSv1
CipherString = DEFAULT:@SECLEVEL=0
"""


def speak_at_best(proxy, version):
    proxy.context.set_ciphers("ALL:@SECLEVEL=0")
    proxy.context.minimum_version, proxy.context.maximum_version = ssl.TLSVersion.TLSv1, version


def test_old_tls(m):
    """A CA or an https proxy with TLS 1.1 at best is not spoken to, even where the machine's OpenSSL would do it; the same ones with TLS 1.2 are."""
    with_ca(m)
    m.write("/etc/md-test/old-tls.cnf", OLD_TLS)
    m.write("/etc/systemd/system/md-.service.d/old-tls.conf", "[Service]\nEnvironment=OPENSSL_CONF=/etc/md-test/old-tls.cnf\n")
    m.run("systemctl daemon-reload")
    try:
        speak_at_best(m.ca.proxy, ssl.TLSVersion.TLSv1_1)
        m.run(f"OPENSSL_CONF=/etc/md-test/old-tls.cnf curl -sf --cacert {pebble.CA_FILE} --tlsv1.0 --tls-max 1.1 {pebble.DIRECTORY}")     # others do
        m.ca.proxy.clear()
        cursor = m.cursor()
        managed.add(m, "old.test")
        apache.reload(m)
        problem, _ = wait_problem(m, "old.test", cursor)
        assert "TLS" in problem[1] and problem[2] == "reading the directory of the CA" and not m.ca.proxy.seen(), (problem, m.ca.proxy.seen())
        speak_at_best(m.ca.proxy, ssl.TLSVersion.TLSv1_2)
        managed.wait_served(m, "old.test", 60)

        m.run("grep -q proxy.test /etc/hosts || echo 127.0.0.1 proxy.test >>/etc/hosts")
        proxy = faultproxy.FaultProxy(m.network, 3130, *m.ca.ca.issue("proxy.test", names="DNS:proxy.test"), pebble.BEHIND)
        m.beside.append(proxy)
        speak_at_best(proxy, ssl.TLSVersion.TLSv1_1)
        cursor = m.cursor()
        managed.add(m, "old-proxy.test", directives=f"MDHttpProxy https://proxy.test:3130/\nMDHttpProxyCACertificateFile {pebble.CA_FILE}")
        apache.reload(m)
        problem, _ = wait_problem(m, "old-proxy.test", cursor)
        assert "proxy.test:3130" in problem[1] and "501" not in problem[1], problem
        speak_at_best(proxy, ssl.TLSVersion.TLSv1_2)
        cursor = m.cursor()
        managed.renew(m, "old-proxy.test")
        problem, _ = wait_problem(m, "old-proxy.test", cursor)
        assert "501" in problem[1], problem     # it is heard now; that it is no proxy is another thing
    finally:
        m.ca.proxy.use_certificate(m.ca.certificate, m.ca.key)
        m.run("rm /etc/systemd/system/md-.service.d/old-tls.conf; systemctl daemon-reload")
        managed.remove(m, "old-proxy.test")
        apache.reload(m)


def test_memory(m):
    """md-acme stays below 12 MiB of its own memory, with 25 names to prove."""
    with_ca(m)
    seen = {}

    def look(_):
        pid = m.run("pgrep -x md-acme").out.split()[0]
        status = m.read(f"/proc/{pid}/smaps_rollup")
        seen.update({k: int(v) for k, v in re.findall(r"^(\w+): +(\d+) kB", status, re.MULTILINE)})
    m.ca.proxy.rule(kind="certificate", before=look)
    obtain(m, "memory.test", *(f"n{i}.memory.test" for i in range(24)), deadline=60)
    counts = m.ca.proxy.counts()
    counts.pop("order", 0)
    assert sum(counts.values()) <= 9 + 2 * 25, counts
    assert seen["Pss"] < 12 * 1024, seen


# Every error of RFC 8555 section 6.7 at every step

TYPES = """accountDoesNotExist alreadyRevoked badCSR badNonce badPublicKey badRevocationReason badSignatureAlgorithm caa compound connection dns
           externalAccountRequired incorrectResponse invalidContact malformed orderNotReady rateLimited rejectedIdentifier serverInternal tls
           unauthorized unsupportedContact unsupportedIdentifier userActionRequired""".split()

# What is asked of the CA, and what the administrator is told that was being done.
STEPS = {
    "new-order": "ordering the certificate",
    "authorization": "asking what is to be proved",
    "challenge": "validating {name}",
    "finalize": "finalizing the order",
    "order": "waiting for the certificate",
    "certificate": "downloading the certificate",
}


# These concern everybody at the CA: the account is replaced, or the CA is left alone for a while.
ALONE = {("new-order", "accountDoesNotExist"), *((step, "rateLimited") for step in STEPS)}


def name_of(kind):
    return f"{kind.lower()}.test"


class Way:
    """Which request is about which domain: only the order says, and what came of it leads to the rest. Each domain meets the error that it is
    named after, at one step."""

    def __init__(self, m):
        self.machine = m
        self.owners = {}            # path: domain
        self.begin(None)

    def begin(self, step, alone=ALONE):
        """From now on this step goes wrong for all but the pairs of step and type that stand alone. The CA never hears of it."""
        proxy = self.machine.ca.proxy
        self.finalized = set()
        proxy.clear()
        proxy.rule(change=self.follow)
        for kind in TYPES:
            if step and (step, kind) not in alone:
                proxy.rule(kind=step, where=lambda request, kind=kind: self.is_met(request, name_of(kind)), problem=kind, detail=f"{kind} at {step}")

    def owner(self, request):
        if request.kind == "new-order":
            return request.payload["identifiers"][0]["value"]
        return self.owners.get(request.path)

    def is_met(self, request, name):
        return self.owner(request) == name and (request.kind != "order" or name in self.finalized)

    def learn(self, name, urls):
        for url in urls:
            if isinstance(url, str):
                self.owners[re.sub(r"^https://[^/]+", "", url)] = name

    def follow(self, request, answer):
        name = self.owner(request) if request.method == "POST" else None
        if not name or answer.status >= 300 or request.kind not in ("new-order", "order", "finalize", "authorization"):
            return
        fields = answer.json
        self.learn(name, [dict(answer.headers).get("Location"), fields.get("finalize"), fields.get("certificate"),
                          *fields.get("authorizations", []), *(challenge["url"] for challenge in fields.get("challenges", []))])
        if request.kind == "finalize":
            self.finalized.add(name)


def renew_all(m):
    names = " ".join(name_of(kind) for kind in TYPES)
    m.run(f"for name in {names}; do busctl call {managed.BUS} /org/mdmanager1 org.mdmanager1.Manager Renew sb $name true || exit 1; done")


def failures(m, cursor, n):
    """The first failure of each domain after 'cursor', when there are as many as that."""
    found = {}
    for entry in m.journal("MD_EVENT=errored", after=cursor):
        found.setdefault(entry["MD_NAME"], entry)
    return found if len(found) >= n else None


def check_failure(m, kind, step, activity, entry):
    """What the administrator sees of one failure: in the journal, and on the bus."""
    name = name_of(kind)
    problem = managed.show(m, name)["LastProblem"]
    assert problem[0] == ACME + kind, (kind, step, problem)
    assert f"{kind} at {step}" in problem[1] and problem[2] == activity.format(name=name), (kind, step, problem)
    assert entry["MD_PROBLEM"] == ACME + kind and f"{kind} at {step}" in entry["MESSAGE"], (kind, step, entry)


def test_errors(m):
    """Each error type of RFC 8555 section 6.7 at each step from the order to the certificate: bus, journal and mdctl tell type, words and step."""
    with_ca(m)
    managed.set_globally(m, MDRetryDelay="600s")
    obtain(m, "plain.test")
    way = Way(m)
    for kind in TYPES:
        managed.add(m, name_of(kind))
    for step, activity in STEPS.items():
        kinds = [kind for kind in TYPES if (step, kind) not in ALONE]
        way.begin(step)
        cursor = m.cursor()
        if step == "new-order":
            apache.reload(m)
        else:
            renew_all(m)
        found = m.wait_for(lambda: failures(m, cursor, len(kinds)), 90, f"all to have failed at {step}")
        for kind in kinds:
            check_failure(m, kind, step, activity, found[name_of(kind)])
    shown = m.run(f"for name in {' '.join(map(name_of, TYPES))}; do mdctl --no-pager show $name; done").out
    for kind in TYPES:
        assert f"{kind} at certificate" in shown or ("certificate", kind) in ALONE, (kind, shown)
    way.begin(None)
    cursor = m.cursor()
    renew_all(m)
    m.wait_for(lambda: len({e["MD_NAME"] for e in m.journal("MD_EVENT=installed", after=cursor)}) >= len(TYPES), 90, "all to be well again")


def test_rate_limited(m):
    """A rate limit at each step from the order to the certificate is told with type, words and step, and does not keep an administrator from trying."""
    with_ca(m)
    managed.set_globally(m, MDRetryDelay="600s")
    obtain(m, name_of("rateLimited"))
    way = Way(m)
    for step, activity in STEPS.items():
        way.begin(step, alone=())
        cursor = m.cursor()
        managed.renew(m, name_of("rateLimited"))
        _, entry = wait_problem(m, name_of("rateLimited"), cursor)
        check_failure(m, "rateLimited", step, activity, entry)
    way.begin(None)
    cursor = m.cursor()
    managed.renew(m, name_of("rateLimited"))
    m.wait_journal(f"MD_NAME={name_of('rateLimited')}", "MD_EVENT=installed", after=cursor, deadline=30)


def test_early_errors(m):
    """Each error type at the steps that come before an order: what the directory, and the request for an account, are answered with is told."""
    with_ca(m)
    managed.set_globally(m, MDRetryDelay="600s")
    name = "early.test"
    managed.add(m, name)
    m.ca.proxy.rule(kind="directory", problem="serverInternal", detail="not yet")
    cursor = m.cursor()
    apache.reload(m)
    wait_problem(m, name, cursor)
    for step, activity in (("directory", "reading the directory of the CA"), ("new-account", "registering an account")):
        for kind in TYPES:
            m.ca.proxy.clear()
            m.ca.proxy.rule(kind=step, problem=kind, detail=f"{kind} at {step}")
            cursor = m.cursor()
            managed.renew(m, name)
            problem, _ = wait_problem(m, name, cursor)
            assert problem[0] == ACME + kind and f"{kind} at {step}" in problem[1] and problem[2] == activity, (kind, step, problem)
    # The answer to HEAD has no words.
    m.ca.proxy.clear()
    m.ca.proxy.rule(kind="new-nonce", status=500)
    cursor = m.cursor()
    managed.renew(m, name)
    problem, _ = wait_problem(m, name, cursor)
    assert "HTTP status 500" in problem[1], problem
    m.ca.proxy.clear()
    managed.renew(m, name)
    managed.wait_served(m, name)


# A CA of another make

def other_ca(m):
    """Caddy as a CA: its ACME server is that of smallstep."""
    certificate, key = m.ca.ca.issue("other.test", names="DNS:other.test")
    m.write("/etc/md-test/other-cert.pem", certificate)
    m.write("/etc/md-test/other-key.pem", key, owner="caddy")
    m.write("/etc/caddy/Caddyfile", """{
    admin off
    auto_https off
    http_port 9080
    https_port 9443
    skip_install_trust
}
https://other.test:9443 {
    tls /etc/md-test/other-cert.pem /etc/md-test/other-key.pem
    acme_server
    log {
        output stderr
        format json
    }
}
""")
    m.run("grep -q other.test /etc/hosts || echo 127.0.0.1 other.test >>/etc/hosts")
    m.run("systemctl start caddy")


def caddy_log(m, cursor):
    found = [e["MESSAGE"] for e in m.journal("_SYSTEMD_UNIT=caddy.service", after=cursor)]
    return [json.loads(line) for line in found if isinstance(line, str) and line.startswith("{")]


def test_another_make(m):
    """The ACME server of Caddy (smallstep's): certificates for several names, a renewal, and a name of its own account there; it is spoken to in HTTP/2."""
    with_ca(m)
    cursor = m.cursor()
    other_ca(m)
    settings = f"MDCertificateAuthority {OTHER_CA}"
    managed.add(m, "make.test", "www.make.test", directives=settings)
    apache.reload(m)

    def served(other_than=None):
        certificate = m.certificate("make.test")
        return certificate if "Caddy" in certificate.issuer and (not other_than or other_than != certificate.fingerprint) else None
    first = m.wait_for(served, 30, "a certificate of Caddy's CA")
    assert sorted(first.names) == ["make.test", "www.make.test"], first
    m.wait_for(lambda: managed.show(m, "make.test")["Job"] == "/", 10, "the end of the job")
    managed.renew(m, "make.test")
    m.wait_for(lambda: served(first.fingerprint), 30, "the next certificate of Caddy's CA")
    requests = [entry["request"] for entry in caddy_log(m, cursor) if "request" in entry]
    assert any("finalize" in request["uri"] for request in requests), requests
    assert {request["proto"] for request in requests} == {"HTTP/2.0"}, requests
    m.run("systemctl stop caddy")
