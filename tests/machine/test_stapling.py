# SPDX-License-Identifier: Apache-2.0
"""OCSP stapling with a CA of the test's own and OpenSSL's responder, seen with openssl s_client -status."""

import email.utils
import json
import re

import apache
import managed

CA = "/root/ocsp"
PORT = 8888
PEBBLE_PORT = 8889
FAR = "491231235959Z"


def setup(m):
    managed.install(m, ocsp=f"http://127.0.0.1:{PEBBLE_PORT}/")
    managed.settings(m, ReloadIntervalSec=1)
    m.run(["mkdir", "-p", CA])
    request(m, "ca", "/CN=stapling test CA", "-x509", "-days", "3650", "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature")
    request(m, "stranger", "/CN=stapling test CA", "-x509", "-days", "3650", "-addext", "basicConstraints=critical,CA:TRUE")
    issue(m, "delegate", "extendedKeyUsage=OCSPSigning")


def request(m, name, subject, *options):
    m.run(["openssl", "req", "-batch", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{CA}/{name}.key", "-subj", subject,
           "-out", f"{CA}/{name}.pem", *options])


def issue(m, name, extensions=None, port=PORT):
    """A certificate of this CA, with its chain, in NAME.pem; the responder knows it as good."""
    request(m, name, f"/CN={name}")
    text = extensions if extensions is not None else f"subjectAltName=DNS:{name}\nauthorityInfoAccess=OCSP;URI:http://127.0.0.1:{port}/\n"
    m.write(f"{CA}/{name}.ext", text)
    m.run(f"cd {CA} && openssl x509 -req -in {name}.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 300 -extfile {name}.ext -out {name}.crt && cat {name}.crt ca.pem > {name}.pem")


def serial(m, name):
    return m.run(["openssl", "x509", "-noout", "-serial", "-in", name if name.startswith("/") else f"{CA}/{name}.pem"]).out.strip().partition("=")[2]


class Responder:
    """openssl ocsp as a unit; another way of answering is another start."""

    def __init__(self, m, port=PORT):
        self.m, self.port, self.unit = m, port, f"responder-{port}"

    def start(self, good=(), revoked=(), signer="ca", life=("-nmin", "5"), ca="ca", options=()):
        self.stop()
        lines = [f"V\t{FAR}\t\t{serial(self.m, name)}\tunknown\t/CN={name}" for name in good]
        lines += [f"R\t{FAR}\t260101000000Z,superseded\t{serial(self.m, name)}\tunknown\t/CN={name}" for name in revoked]
        self.m.write(f"{CA}/index-{self.port}.txt", "".join(line + "\n" for line in lines))
        # It does not start while what the one before it answered lingers on the port.
        again = ["--property=Restart=always", "--property=RestartSec=200ms", "--property=StartLimitIntervalSec=0"]
        self.m.run(["systemd-run", "--collect", *again, f"--unit={self.unit}", "openssl", "ocsp", "-index", f"{CA}/index-{self.port}.txt", "-port", str(self.port), "-CA", f"{CA}/{ca}.pem",
                    "-rsigner", f"{CA}/{signer}.pem", "-rkey", f"{CA}/{signer}.key", *life, *options])
        self.m.wait_for(lambda: self.m.run(["ss", "-Hltn", f"sport = :{self.port}"]).out.strip(), 90, "the responder")

    def stop(self):
        self.m.run(["systemctl", "stop", f"{self.unit}.service"], check=False)


def stapled(m, name):
    """What a visitor finds stapled: "good", "revoked", or None."""
    out = m.run(f"openssl s_client -connect 127.0.0.1:443 -servername {name} -status </dev/null 2>/dev/null").out
    found = re.search(r"Cert Status: (\w+)", out)
    assert found or "OCSP response: no response sent" in out, out
    return found.group(1) if found else None


def wait_stapled(m, name, status="good", deadline=30):
    m.wait_for(lambda: stapled(m, name) == status, deadline, f"'{status}' stapled by {name}")


def static(m, name, directives="MDStapling on"):
    """A managed domain with a certificate of this CA in files of the administrator's."""
    managed.add(m, name, directives=f"MDCertificateFile {CA}/{name}.pem\nMDCertificateKeyFile {CA}/{name}.key\n{directives}")


def other(m, name, more=""):
    """A virtual host with a certificate that nobody manages."""
    apache.site(m, name, apache.virtual_host(m, name, more=f"SSLCertificateFile {CA}/{name}.pem\nSSLCertificateKeyFile {CA}/{name}.key\n{more}"))


def kept(m, directory):
    """The stored responses of a domain."""
    names = [name for name in managed.files(m, f"ocsp/{directory}") if name.endswith(".json")]
    return [json.loads(m.read(f"{managed.STORE}/ocsp/{directory}/{name}")) for name in names]


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


def test_others(m):
    """Certificates of no managed domain are stapled, too, where MDStapling is on and MDStapleOthers not off."""
    issue(m, "others.test")
    issue(m, "not.test")
    Responder(m).start(good=["others.test", "not.test"])
    other(m, "others.test", more="MDStapling on")
    other(m, "not.test", more="MDStapling on\nMDStapleOthers off")
    apache.reload(m)
    wait_stapled(m, "others.test")
    assert stapled(m, "not.test") is None
    assert len(kept(m, "other")) == 1


def test_revoked(m):
    """A revoked certificate is stapled as such, and said to be."""
    issue(m, "revoked.test")
    Responder(m).start(revoked=["revoked.test"])
    static(m, "revoked.test")
    cursor = m.cursor()
    apache.reload(m)
    wait_stapled(m, "revoked.test", "revoked")
    assert "revoked" in managed.wait_event(m, "revoked.test", "ocsp-renewed", cursor)["MESSAGE"]


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


def managed_time(text):
    return email.utils.parsedate_to_datetime(text).timestamp()


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


def m_now(m):
    return float(m.run(["date", "+%s.%N"]).out)


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
    """A new certificate that demands stapling becomes live when there is a response for it, not before; one that is revoked is renewed by itself."""
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
    assert shown["status"] == "good" and shown["valid"]["until"] and shown["renewal"], shown
    responder.start(revoked=[f"{managed.STORE}/domains/must.test/pubcert.p-256.pem"], signer="pebble", ca="pebble")
    cursor = m.cursor()
    m.run(f"systemctl stop md-manager && rm -r {managed.STORE}/ocsp/must.test && systemctl start md-manager")
    begun = managed.wait_event(m, "must.test", "renewing", cursor, deadline=60)
    assert "revoked" in begun["MESSAGE"], begun["MESSAGE"]


def test_many(m):
    """Two hundred certificates at once, fetched in one run over few connections at a time."""
    names = [f"many{i}.test" for i in range(200)]
    request(m, "many", "/CN=many")
    m.run(f"cd {CA} && openssl ecparam -name prime256v1 -genkey -noout -out many.key && for i in $(seq 0 199); do printf 'subjectAltName=DNS:many%s.test\\nauthorityInfoAccess=OCSP;URI:http://127.0.0.1:{PORT}/\\n' $i >many.ext; "
          "openssl req -batch -new -key many.key -subj /CN=many$i.test -out many.csr && openssl x509 -req -in many.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 300 -extfile many.ext -out x.crt 2>/dev/null && "
          "cat x.crt ca.pem >many$i.test.pem && cp many.key many$i.test.key; done", timeout=300)
    Responder(m).start(good=names)
    for name in names:
        other(m, name, more="MDStapling on")
    apache.reload(m)
    m.wait_for(lambda: sum(1 for name in managed.files(m, "ocsp/other") if name.endswith(".staple")) >= 200, 120, "all responses")
    wait_stapled(m, names[0])
    wait_stapled(m, names[-1])
    m.run("rm /etc/apache2/sites-enabled/many*")
    apache.reload(m)


# Revocation of what is not stapled


LISTS = "/var/www/crl"


def publish(m, name, revoked=(), life=("-crlhours", "48"), ca="ca"):
    """The CA's list of revoked certificates, at http://127.0.0.1:8890/NAME.crl."""
    m.write(f"{CA}/crl.cnf", "[ca]\ndefault_ca=d\n[d]\ndatabase=/root/ocsp/crl.txt\ncrlnumber=/root/ocsp/crl.number\ndefault_md=sha256\n")
    m.write(f"{CA}/crl.txt", "".join(f"R\t{FAR}\t260101000000Z\t{serial(m, cert)}\tunknown\t/CN={i}\n" for i, cert in enumerate(revoked)))
    m.run(["touch", f"{CA}/crl.txt.attr"])
    m.run(f"cd {CA} && mkdir -p {LISTS} && [ -e crl.number ] || echo 01 >crl.number")
    m.run(f"cd {CA} && openssl ca -config crl.cnf -gencrl {' '.join(life)} -cert {ca}.pem -keyfile {ca}.key -out crl.pem && openssl crl -in crl.pem -outform DER -out {LISTS}/{name}.crl")


def lists(m):
    """A server for lists that is none of ours: Apache, where nothing is managed."""
    apache.site(m, "crl", f"Listen 127.0.0.1:8890\n<VirtualHost 127.0.0.1:8890>\nServerName crl.test\nDocumentRoot {LISTS}\nCustomLog /var/log/apache2/crl.log common\n</VirtualHost>\n")


def fetched(m, name):
    return m.run(f"grep -c 'GET /{name}.crl' /var/log/apache2/crl.log || true").out.strip()


def plant(m, name, extensions):
    """A live certificate of the test's CA, as if it had been imported."""
    issue(m, name, f"subjectAltName=DNS:{name}\n{extensions}")
    directory = f"{managed.STORE}/domains/{name}"
    m.run(f"install -d -m 0700 -o md-manager -g md-manager {directory} && install -m 0600 -o md-manager -g md-manager {CA}/{name}.pem {directory}/pubcert.p-256.pem && "
          f"install -m 0600 -o md-manager -g md-manager {CA}/{name}.key {directory}/privkey.p-256.pem")
    managed.add(m, name, directives="MDPrivateKeys P-256")


def revocation(m, name):
    """What the bus says of the certificate: source and status; None when nobody is asked."""
    found = managed.show(m, name)["Revocation"]
    return tuple(found[0][1:3]) if found else None


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
