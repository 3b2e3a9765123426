# SPDX-License-Identifier: Apache-2.0
"""What Apache answers to visitors and to CAs: challenges, redirects to https, headers, and which certificate is shown."""

import contextlib
import hashlib
import json
import re
import ssl
import threading
import time

import apache
import managed
from machine import Certificate

SUITES = ["trixie", "bookworm"]

STORE = managed.STORE
# What signs with each kind of key, for openssl s_client -sigalgs.
SIGNS = {"rsa": "rsa_pss_rsae_sha256", "P-256": "ECDSA+SHA256", "P-384": "ECDSA+SHA384"}


def setup(m):
    managed.install(m)
    m.write("/etc/apache2/conf-enabled/name.conf", "ServerName base.example.org\n")
    apache.restart(m)


def loads(m):
    return apache.errors(m).count("resuming normal operations")


def reload(m):
    """Returns when Apache has read its configuration."""
    before = loads(m)
    apache.reload(m)
    m.wait_for(lambda: loads(m) > before, 20, "Apache to have its new configuration")


def load(m, text):
    """Loads the one site of a test."""
    apache.site(m, "case", text)
    done = apache.configtest(m)
    assert done.rc == 0, done
    reload(m)
    return done.out + done.err


def clear(m):
    apache.no_site(m, "case")
    reload(m)


def manual(*names, directives=""):
    """A domain that the CA never hears of."""
    return f"<MDomain {' '.join(names)}>\nMDRenewMode manual\n{directives}\n</MDomain>\n"


# tls-alpn-01

ACME = "1.3.6.1.5.5.7.1.31"


def new_key(key):
    return "rsa:2048" if key == "rsa" else f"ec -pkeyopt ec_paramgen_curve:{key}"


def prove(m, name, key, authorization, kind="DNS"):
    """Lays down an answer for tls-alpn-01 as the manager does: its fingerprint."""
    directory = f"{STORE}/challenges/{name}"
    suffix = "" if key == "rsa" else f".{key.lower()}"
    cert, private = (f"{directory}/acme-tls-alpn-01-{what}{suffix}.pem" for what in ("pubcert", "privkey"))
    digest = hashlib.sha256(authorization.encode()).hexdigest()
    m.run(f"install -d -m 2750 -o md-manager -g www-data {directory} && umask 027 && openssl req -x509 -newkey {new_key(key)} -nodes -days 7 "
          f"-subj /CN=acme -addext subjectAltName={kind}:{name} -addext {ACME}=critical,DER:0420{digest} -keyout {private} -out {cert} && "
          f"chown md-manager:www-data {cert} {private} && chmod 0640 {cert} {private}")
    return Certificate(m.read(cert).encode()).fingerprint


def unprove(m, name):
    m.run(f"rm -rf {STORE}/challenges/{name}")


def handshake(m, name, *options, alpn="acme-tls/1"):
    """What openssl s_client sees: the protocol that was agreed on (None: none) and the certificate's fingerprint (None: no handshake)."""
    words = f"openssl s_client -connect 127.0.0.1:443 -servername {name} {'-alpn ' + alpn if alpn else ''} {' '.join(options)}"
    out = m.run(f"{words} </dev/null 2>&1", check=False).out
    pem = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", out, re.S)
    protocol = re.search(r"^ALPN protocol: (\S+)", out, re.M)
    return protocol and protocol.group(1), pem and Certificate(pem.group().encode()).fingerprint


def test_alpn(m):
    """A CA that asks by tls-alpn-01 gets the certificate of the challenge, for each kind of key; nobody else sees it."""
    names = {"rsa.example.org": "RSA 2048", "ec.example.org": "P-256", "both.example.org": "P-384 RSA 2048"}
    load(m, "Protocols http/1.1 acme-tls/1\n" + "".join(
        manual(name, f"more.{name}", directives=f"MDPrivateKeys {keys}") + apache.virtual_host(m, name) for name, keys in names.items()))
    ordinary = {name: m.certificate(name).fingerprint for name in names}

    for name in names:
        assert handshake(m, name)[0] is None, name
        assert handshake(m, name, alpn="http/1.1,acme-tls/1") == ("http/1.1", ordinary[name]), name

    for name, key in (("rsa.example.org", "rsa"), ("ec.example.org", "P-256"), ("more.ec.example.org", "P-256")):
        expected = prove(m, name, key, "one")
        assert handshake(m, name) == ("acme-tls/1", expected), name
        assert handshake(m, name, "-sigalgs", SIGNS[key]) == ("acme-tls/1", expected), name

    # With several the client chooses; no other certificate of the virtual host is in the way.
    expected = {key: prove(m, "both.example.org", key, "two") for key in ("rsa", "P-384")}
    for key, fingerprint in expected.items():
        assert handshake(m, "both.example.org", "-sigalgs", SIGNS[key]) == ("acme-tls/1", fingerprint), key
    assert handshake(m, "both.example.org", "-sigalgs", SIGNS["P-256"])[1] is None

    # The answer changes with the file, at once.
    again = prove(m, "ec.example.org", "P-256", "three")
    assert handshake(m, "EC.example.org") == ("acme-tls/1", again)

    # Others are not disturbed: another name, another protocol, several.
    for name in ("rsa.example.org", "ec.example.org", "both.example.org"):
        assert m.certificate(name).fingerprint == ordinary[name], name
        assert handshake(m, name, alpn="http/1.1") == ("http/1.1", ordinary[name]), name
        assert handshake(m, name, alpn="") == (None, ordinary[name]), name
    assert handshake(m, "unknown.example.org")[0] is None

    for name in (*names, "more.ec.example.org"):
        unprove(m, name)
        assert handshake(m, name)[0] is None, name
    clear(m)


def acme_connection(m, name):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["acme-tls/1"])
    return context.wrap_socket(m.connect(443), server_hostname=name)


def test_alpn_requests(m):
    """Whoever goes on speaking HTTP on such a connection is told 503, and that it ends."""
    name = "speaks.example.org"
    load(m, "Protocols http/1.1 acme-tls/1\n" + manual(name) + apache.virtual_host(m, name))
    prove(m, name, "rsa", "x")
    with acme_connection(m, name) as connection:
        assert connection.selected_alpn_protocol() == "acme-tls/1"
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
        data = b""
        while piece := connection.recv(65536):
            data += piece
    assert data.startswith(b"HTTP/1.1 503 ") and b"\r\nConnection: close\r\n" in data and data.count(b"HTTP/1.1") == 1, data
    unprove(m, name)
    clear(m)


def test_alpn_refused(m):
    """No answer where tls-alpn-01 is not among MDCAChallenges, where Protocols does not name it, and from files that are no pair."""
    name = "files.example.org"
    load(m, "Protocols http/1.1 acme-tls/1\n" + manual(name, directives="MDCAChallenges http-01") + apache.virtual_host(m, name))
    expected = prove(m, name, "rsa", "x")
    assert handshake(m, name)[0] is None
    load(m, manual(name) + apache.virtual_host(m, name))
    assert handshake(m, name)[0] is None
    load(m, "Protocols http/1.1 acme-tls/1\n" + manual(name) + apache.virtual_host(m, name))
    assert handshake(m, name) == ("acme-tls/1", expected)

    key = f"{STORE}/challenges/{name}/acme-tls-alpn-01-privkey.pem"
    for damage in ("openssl genrsa 2048 >KEY", ": >KEY", "rm KEY", "ln -sf /etc/hostname KEY", "rm KEY; mkdir KEY"):
        m.run(f"cp -a {key} {key}.kept; {damage.replace('KEY', key)}; rm -rf /tmp/x")
        assert handshake(m, name)[0] is None, damage
        m.run(f"rm -rf {key}; mv {key}.kept {key}")
        assert handshake(m, name) == ("acme-tls/1", expected), damage
    unprove(m, name)
    clear(m)


def test_alpn_old(m):
    """TLS 1.2 only, on the self-signed certificate that a new domain begins with, and on one of the CA's: the challenge is shown."""
    name = "old.example.org"
    load(m, "Protocols http/1.1 acme-tls/1\nSSLProtocol -all +TLSv1.2\n" + manual(name, directives="MDPrivateKeys P-256") + apache.virtual_host(m, name))
    expected = prove(m, name, "P-256", "x")
    assert handshake(m, name, "-tls1_2") == ("acme-tls/1", expected)
    unprove(m, name)
    clear(m)

    # Here the cipher is chosen for the key of the self-signed certificate, which is none of the domain's.
    name = "rsa.old.example.org"
    load(m, "Protocols http/1.1 acme-tls/1\nSSLProtocol -all +TLSv1.2\n" + manual(name, directives="MDPrivateKeys RSA 2048") + apache.virtual_host(m, name))
    expected = {key: prove(m, name, key, "x") for key in ("rsa", "P-256")}
    assert handshake(m, name, "-tls1_2") == ("acme-tls/1", expected["P-256"])
    unprove(m, name)
    clear(m)


# MDRequireHttps

HSTS = "Strict-Transport-Security"


def request(m, name, line="GET / HTTP/1.1", port=80, headers=(), host=None):
    """One request as it is written: status, headers as pairs, body."""
    connection = m.connect(port)
    if port == 443:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = context.wrap_socket(connection, server_hostname=name)
    with connection:
        text = "\r\n".join([line, f"Host: {host or name}", "Connection: close", *headers, "", ""])
        connection.sendall(text.encode())
        data = b""
        while piece := connection.recv(65536):
            data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    assert lines[0].startswith("HTTP/"), data[:200]
    return int(lines[0].split()[1]), [tuple(one.split(": ", 1)) for one in lines[1:]], body


def header(headers, name):
    """All values of a header."""
    return [value for key, value in headers if key.lower() == name.lower()]


def both_ports(m, name, *aliases, more=""):
    return apache.virtual_host(m, name, *aliases, more=more) + apache.virtual_host(m, name, *aliases, port=80, ssl=False, more=more)


def static_certificate(m, *names):
    """A certificate of the administrator's own, below /etc/ssl: the two lines for a virtual host."""
    base = f"/etc/ssl/{names[0]}"
    m.run(f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 -subj /CN={names[0]} "
          f"-addext subjectAltName={','.join(f'DNS:{name}' for name in names)} -keyout {base}.key -out {base}.pem")
    return f"SSLCertificateFile {base}.pem\nSSLCertificateKeyFile {base}.key\n"


def test_require_https(m):
    """Visitors on http are sent to https, by the method's own status, with path and query, and not on the way to /.well-known/."""
    name, other = "moves.example.org", "stays.example.org"
    for mode, statuses in (("temporary", (302, 307)), ("permanent", (301, 308))):
        load(m, manual(name, f"*.{name}", directives=f"MDRequireHttps {mode}") + manual(other)
             + both_ports(m, name, f"www.{name}", more='Redirect 410 /gone\n<Location />\nRequire valid-user\nAuthType Basic\nAuthName "x"\n</Location>')
             + both_ports(m, other))
        for method, status in (("GET", statuses[0]), ("HEAD", statuses[0]), ("POST", statuses[1]), ("PUT", statuses[1]),
                               ("DELETE", statuses[1]), ("OPTIONS", statuses[1])):
            got, headers, body = request(m, name, f"{method} /a%20b/?q=1&r=%2F HTTP/1.1", headers=["Content-Length: 0"])
            assert got == status and header(headers, "Location") == [f"https://{name}/a%20b/?q=1&r=%2F"], (method, got, headers)
            assert method != "HEAD" or not body
            assert not header(headers, HSTS)
        # Before what the virtual host would say; names by a wildcard; a port in Host; a whole URL in the request; no name at all.
        for line, host, location in (("GET /gone HTTP/1.1", name, f"https://{name}/gone"),
                                     ("GET / HTTP/1.1", f"www.{name}", f"https://www.{name}/"),
                                     ("GET / HTTP/1.1", f"WWW.{name}:80", f"https://www.{name}/"),
                                     (f"GET http://{name}:80/x?y HTTP/1.1", name, f"https://{name}/x?y")):
            got, headers, _ = request(m, name, line, host=host)
            assert got == statuses[0] and [where.lower() for where in header(headers, "Location")] == [location], (line, host, got, headers)
        for path in ("/.well-known/", "/.well-known/acme-challenge/unknown", "/.well-known/security.txt"):
            assert request(m, name, f"GET {path} HTTP/1.1")[0] == 401, path
        assert request(m, name, "GET /.well-knownx HTTP/1.1")[0] == statuses[0]
        assert request(m, other)[0] == 200
        # A visitor who names a host that is nobody's is on the first virtual host by chance, and is not sent anywhere.
        assert request(m, "nobody.example.net")[0] in (200, 401)
    clear(m)


def test_canonical_name(m):
    """With UseCanonicalName the visitor is sent to the server's own name; a server behind a proxy that has the TLS sends nobody."""
    name = "canonical.example.org"
    load(m, manual(name, f"www.{name}", directives="MDRequireHttps permanent") + both_ports(m, name, f"www.{name}", more="UseCanonicalName On"))
    got, headers, _ = request(m, f"www.{name}", "GET /x HTTP/1.1")
    assert got == 301 and header(headers, "Location") == [f"https://{name}/x"], headers
    load(m, manual(name, directives="MDRequireHttps permanent") + apache.virtual_host(m, name)
         + apache.virtual_host(m, name, port=80, ssl=False).replace(f"ServerName {name}", f"ServerName https://{name}"))
    got, headers, _ = request(m, name)
    assert got == 200 and header(headers, HSTS) == ["max-age=15768000"], (got, headers)
    clear(m)


def test_hsts(m):
    """The header is there exactly once: on pages, errors, redirects and proxied responses, whoever else sets it, too; settable."""
    name = "strict.example.org"
    apache.modules(m, "headers", "proxy", "proxy_http", "rewrite")
    apache.restart(m)
    m.write("/var/www/cgi/backend.conf", "")
    backend = ("Listen 127.0.0.1:8081\n<VirtualHost 127.0.0.1:8081>\nServerName backend.example.net\nDocumentRoot /var/www/html\n"
               "Header always set Strict-Transport-Security max-age=1\n</VirtualHost>\n")
    plain = backend.replace("8081", "8082").replace("Header always set Strict-Transport-Security max-age=1\n", "")
    more = (static_certificate(m, name) + "ProxyPass /theirs http://127.0.0.1:8081/\nProxyPass /plain http://127.0.0.1:8082/\n"
            "Redirect /redirected /elsewhere\nRedirect gone /gone\nErrorDocument 404 /index.html\nErrorDocument 410 \"gone\"\n"
            "<Location /set>\nHeader always set Strict-Transport-Security max-age=2\nErrorDocument 404 default\n</Location>\n"
            "<Location /twice>\nHeader always set Strict-Transport-Security max-age=3\nHeader set Strict-Transport-Security max-age=4\nErrorDocument 404 default\n</Location>\n"
            "<Location /closed>\nRequire all denied\n</Location>\nRewriteEngine on\nRewriteRule ^/rewritten /index.html [PT]\n")
    for directives, ours in (("", "max-age=15768000"), ('MDHsts "max-age=60; includeSubDomains"', "max-age=60; includeSubDomains"), ("MDHsts off", None)):
        load(m, manual(name, directives=f"MDRequireHttps permanent\n{directives}") + both_ports(m, name, more=more) + backend + plain)
        expected = {"/": (200, ours), "/missing": (404, ours), "/gone": (410, ours), "/closed": (403, ours), "/redirected": (302, ours),
                    "/rewritten": (200, ours), "/plain": (200, ours), "/theirs": (200, "max-age=1"), "/set": (404, "max-age=2"),
                    "/twice": (404, "max-age=3"), "/.well-known/x": (404, ours)}
        for path, (status, value) in expected.items():
            got, headers, _ = request(m, name, f"GET {path} HTTP/1.1", port=443)
            found = header(headers, HSTS)
            assert (got, found) == (status, [value] if value else []) or not ours and path in ("/theirs", "/set", "/twice"), (directives, path, got, found)
        got, headers, _ = request(m, name, "NONSENSE", port=443)
        assert got == 400 and len(header(headers, HSTS)) <= 1, headers
        assert request(m, name, "HEAD / HTTP/1.1", port=443)[0] == 200
    # Where nothing or only a redirect is wanted, there is none.
    for directives in ("MDRequireHttps temporary", "MDRequireHttps off", ""):
        load(m, manual(name, directives=directives) + both_ports(m, name, more=more) + backend + plain)
        assert not header(request(m, name, port=443)[1], HSTS)
    clear(m)


def test_require_https_in_vain(m):
    """Where https has no virtual host or no listener, the log says so; without a listener nobody is sent there."""
    name = "vain.example.org"
    said = load(m, manual(name, directives="MDRequireHttps permanent") + apache.virtual_host(m, name, port=80, ssl=False))
    assert "MDRequireHttps sends visitors to https, and no virtual host of it has TLS" in said, said
    load(m, "MDPortMap http:80 https:8443\n" + manual(name, directives="MDRequireHttps permanent") + apache.virtual_host(m, name, port=80, ssl=False))
    assert request(m, name)[0] == 200
    clear(m)


# Certificates

def served(m, name):
    """The fingerprints that Apache has told the manager of."""
    domains = json.loads(m.read(f"{STORE}/servers/apache2.json"))["managed-domains"]
    return next(d for d in domains if d["name"] == name).get("served", [])


def certificate_file(m, base, key="P-256", name="own.example.org", options=""):
    """A certificate and its key of the administrator's: its fingerprint."""
    m.run(f"openssl req -x509 -newkey {new_key(key)} -nodes -days 90 -subj /CN={name} -addext subjectAltName=DNS:{name} {options} "
          f"-keyout {base}.key -out {base}.pem")
    return Certificate(m.read(f"{base}.pem").encode()).fingerprint


def test_static(m):
    """MDCertificateFile: several of them, beside SSLCertificateFile and its chain file; one that is no good does not stop the server."""
    name, ec, rsa, beside = "own.example.org", "/etc/ssl/ec", "/etc/ssl/rsa", "/etc/ssl/beside"
    expected = {"P-256": certificate_file(m, ec), "rsa": certificate_file(m, rsa, "rsa")}
    lines = [f"MDCertificateFile {base}.pem\nMDCertificateKeyFile {base}.key" for base in (ec, rsa)]
    load(m, manual(name, directives="\n".join(lines)) + both_ports(m, name))
    for key, fingerprint in expected.items():
        assert handshake(m, name, "-sigalgs", SIGNS[key], alpn="") == (None, fingerprint), key
    assert set(served(m, name)) == set(expected.values())
    assert request(m, name, port=443)[0] == 200

    # The chain file belongs to the old way of one certificate for each server.
    own = certificate_file(m, beside, "P-384")
    more = f"SSLCertificateFile {beside}.pem\nSSLCertificateKeyFile {beside}.key\nSSLCertificateChainFile {ec}.pem\n"
    load(m, manual(name, directives=lines[1]) + both_ports(m, name, more=more))
    assert handshake(m, name, "-sigalgs", SIGNS["rsa"], alpn="") == (None, expected["rsa"])
    assert handshake(m, name, "-sigalgs", SIGNS["P-384"], alpn="") == (None, own)

    # What the TLS module could not load, one by one.
    for damage in (f"cp {rsa}.key {ec}.key", f": >{ec}.key", f"head -c 200 {ec}.pem >/run/x; mv /run/x {ec}.pem", f"rm {ec}.pem", f"ln -sf /dev/zero {ec}.pem"):
        certificate_file(m, ec)
        m.run(damage)
        said = load(m, manual(name, directives="\n".join(lines)) + both_ports(m, name))
        assert m.active("apache2") and handshake(m, name, alpn="") == (None, expected["rsa"]), damage
        assert f"{name} (/etc/apache2/sites-enabled/case.conf:1)" in said and f"{ec}." in said, said
        m.run(f"rm -f {ec}.pem {ec}.key")
    clear(m)


def test_beside(m):
    """A virtual host that still has SSLCertificateFile, as after a move: served with that until the CA's certificate is there, also while tls-alpn-01 proves its name;
    then with the CA's, for a key of the same type, and with both for another type."""
    name, same, other, protocols = "beside.example.org", "/etc/ssl/same", "/etc/ssl/other", "Protocols acme-tls/1 http/1.1\n"
    lines = {base: f"SSLCertificateFile {base}.pem\nSSLCertificateKeyFile {base}.key\n" for base in (same, other)}
    own = {"P-256": certificate_file(m, same, "P-256", name), "rsa": certificate_file(m, other, "rsa", name)}

    def site(base, mode):
        return (f"<MDomain {name}>\nMDPrivateKeys P-256\nMDCAChallenges tls-alpn-01\nMDRenewMode {mode}\n</MDomain>\n"
                + both_ports(m, name, more=protocols + lines[base]))

    load(m, site(same, "manual"))
    assert handshake(m, name, alpn="") == (None, own["P-256"]) and request(m, name, port=443)[0] == 200
    load(m, site(same, "auto"))
    first = managed.wait_served(m, name, 60)
    m.wait_for(lambda: served(m, name) == [first.fingerprint], 20, "the server to tell of it")
    assert handshake(m, name, "-sigalgs", SIGNS["P-256"], alpn="") == (None, first.fingerprint)
    assert handshake(m, name, "-sigalgs", SIGNS["rsa"], alpn="")[1] is None and request(m, name, port=443)[0] == 200

    load(m, site(other, "auto"))
    for key, fingerprint in (("P-256", first.fingerprint), ("rsa", own["rsa"])):
        m.wait_for(lambda k=key, f=fingerprint: handshake(m, name, "-sigalgs", SIGNS[k], alpn="") == (None, f), 20, f"the certificate for {key}")
    managed.renew(m, name)
    m.wait_for(lambda: handshake(m, name, "-sigalgs", SIGNS["P-256"], alpn="")[1] not in (None, first.fingerprint), 60,
               "another certificate of the CA, beside one with another key")
    assert handshake(m, name, "-sigalgs", SIGNS["rsa"], alpn="") == (None, own["rsa"]) and managed.show(m, name)["Errors"] == 0
    m.wait_for(lambda: managed.show(m, name)["Phase"] == "idle", 30, "the renewal to be finished")
    clear(m)


def test_static_forms(m):
    """MDCertificateFile takes whatever mod_ssl takes: the key in the same file, parameters, older forms, a key with a passphrase."""
    name, base = "forms.example.org", "/etc/ssl/forms"
    directives = f"MDCertificateFile {base}.pem\nMDCertificateKeyFile {base}.key"
    m.write("/etc/ssl/passphrase", "#!/bin/sh\necho hello\n", mode=0o755)
    forms = {"key behind": "cat forms.key >>forms.pem; cp forms.pem forms.key", "key in front": "cat forms.pem >>forms.key; cp forms.key forms.pem",
             "parameters": "openssl dhparam -dsaparam 2048 >>forms.pem", "EC parameters": "openssl ecparam -name prime256v1 >x; cat forms.key >>x; mv x forms.key",
             "words": "openssl x509 -in forms.pem -text >x; mv x forms.pem", "trusted": "openssl x509 -in forms.pem -trustout >x; mv x forms.pem",
             "SEC 1": "openssl ec -in forms.key -out x; mv x forms.key", "PKCS#8 with a passphrase": "openssl pkey -in forms.key -aes256 -passout pass:hello -out x; mv x forms.key",
             "SEC 1 with a passphrase": "openssl ec -in forms.key -aes256 -passout pass:hello -out x; mv x forms.key"}
    for form, command in forms.items():
        expected = certificate_file(m, base, name=name)
        m.run(f"cd /etc/ssl && {command}")
        said = load(m, "SSLPassPhraseDialog exec:/etc/ssl/passphrase\n" + manual(name, directives=directives) + both_ports(m, name))
        assert handshake(m, name, alpn="")[1] == expected and served(m, name) == [expected], form
        assert "not be used" not in said and f"{base}.pem is not used" not in apache.errors(m), (form, said)
    clear(m)


def fallback(m, name):
    return m.certificate(name)


def wait_another(m, name, old):
    """Children of the old configuration may answer for a moment."""
    def look():
        found = fallback(m, name)
        return found if found.fingerprint != old.fingerprint else None
    return m.wait_for(look, 10, f"another certificate for {name}")


def age(m, files, names, until):
    """Gives a fallback another end, with the digest that its first line needs to be believed."""
    line, _, cert = m.read(f"{files}/fallback-pubcert.p-256.pem").partition("\n")
    line = re.sub(r"until \d+, .*", f"until {until}, ", line)
    key = m.read(f"{files}/fallback-privkey.p-256.pem")
    digest = hashlib.sha256(f"{line}{','.join(names)}\n{key}\n{cert}".encode()).hexdigest()
    m.write(f"{files}/fallback-pubcert.p-256.pem", f"{line}{digest}\n{cert}", mode=0o600)


def test_fallback(m):
    """The self-signed certificate: kept as long as it is good, made again for other names, near its end, and when it is damaged; old ones go."""
    name = "later.example.org"
    files = f"{STORE}/fallback/{name}"
    load(m, manual(name) + apache.virtual_host(m, name))
    first = fallback(m, name)
    assert first.names == [name] and "Apache Managed Domain Fallback" in first.subject and request(m, name, port=443)[0] == 503
    assert 13 * 86400 < first.not_after - time.time() <= 14 * 86400
    reload(m)
    assert fallback(m, name).fingerprint == first.fingerprint

    load(m, manual(name, f"www.{name}") + apache.virtual_host(m, name))
    second = fallback(m, name)
    assert sorted(second.names) == [name, f"www.{name}"]
    for damage in ("sed -i 's/until 1/until 2/' fallback-pubcert*", "truncate -s -30 fallback-pubcert*", "truncate -s 10 fallback-privkey*", "rm fallback-privkey*",
                   ": >fallback-pubcert.p-256.pem", "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 >fallback-privkey.p-256.pem"):
        m.run(f"cd {files} && {damage}")
        reload(m)
        second = wait_another(m, name, second)
        assert m.active("apache2"), damage

    # A week before its end: as if it had been made earlier, because nobody can set the machine's clock.
    for days, is_kept in ((8, True), (6, False)):
        age(m, files, (name, f"www.{name}"), int(time.time()) + days * 86400)
        reload(m)
        if is_kept:
            assert fallback(m, name).fingerprint == second.fingerprint
        else:
            wait_another(m, name, second)

    # What has run out is thrown away, and what is in use is not.
    m.run(f"cp -a {files} {STORE}/fallback/gone.example.org; touch -d '13 days ago' {files}; touch -d '15 days ago' {STORE}/fallback/gone.example.org")
    reload(m)
    assert m.exists(files) and not m.exists(f"{STORE}/fallback/gone.example.org")
    clear(m)


def test_cold_start(m):
    """A start reads the configuration twice: problems are told once, and what is made in the first pass is served after the second."""
    names = [f"cold{i}.example.org" for i in range(3)]
    apache.site(m, "case", "".join(manual(name) + apache.virtual_host(m, name) for name in names) + "MDomain unused.example.org\n")
    m.run("systemctl stop apache2; truncate --size=0 /var/log/apache2/error.log")
    began = time.time()
    apache.restart(m)
    m.wait_for(lambda: loads(m) == 1, 30, "Apache's second pass to be over")       # Debian 12's unit counts as started before it
    assert apache.errors(m).count("unused.example.org (") == 1, apache.errors(m)
    assert "is not used" not in apache.errors(m)
    for name in names:
        stored = Certificate(m.read(f"{STORE}/fallback/{name}/fallback-pubcert.p-256.pem").partition("\n")[2].encode())
        assert fallback(m, name).fingerprint == stored.fingerprint and stored.names == [name], name
        assert stored.not_before < began
    serials = m.run(f"for f in {STORE}/fallback/cold*/fallback-pubcert*; do openssl x509 -noout -serial -in $f; done").out.split()
    assert len(set(serials)) == len(names), serials
    clear(m)


def test_known_again(m):
    """Pairs that are known from the last reload are looked at again when a file was changed: what is torn meanwhile is noticed, what is put back, too."""
    name = "known.example.org"
    load(m, manual(name) + apache.virtual_host(m, name))
    directory = f"{STORE}/domains/{name}"
    make = (f"openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN={name} -addext subjectAltName=DNS:{name} -keyout privkey.pem -out pubcert.pem && "
            "chown md-manager: *.pem")
    m.run(f"systemctl stop md-manager; install -d -o md-manager -m 0700 {directory} && cd {directory} && {make}")

    def served():
        expected = Certificate(m.read(f"{directory}/pubcert.pem").encode()).fingerprint
        return m.wait_for(lambda: m.certificate(name).fingerprint == expected, 10, "the certificate of the store")

    m.wait_for(lambda: m.run(f"[ $(( $(date +%s) - $(stat -c %Z {directory}/privkey.pem) )) -gt 3 ]", check=False).rc == 0, 20, "the files to be old enough to be known")
    for _ in range(3):
        reload(m)
        served()
    m.run(f"cd {directory} && cp -a privkey.pem /tmp/kept && openssl genrsa 2048 >privkey.pem 2>/dev/null")
    reload(m)
    assert f"{name}: {directory}/pubcert.pem is not used: the private key beside it belongs to another certificate." in apache.errors(m)
    assert "Managed Domain Fallback" in wait_another(m, name, Certificate(m.read(f"{directory}/pubcert.pem").encode())).subject
    m.run(f"cat /tmp/kept >{directory}/privkey.pem")
    reload(m)
    served()
    m.run(f"cd {directory} && {make}")
    reload(m)
    served()
    m.run(f"rm -rf {directory}; systemctl start md-manager")
    clear(m)


def test_base_server(m):
    """MDBaseServer on: the server outside of all virtual hosts has the certificate of its domain, and without it none of ours."""
    name = "outside.example.org"
    m.run("mv /etc/apache2/sites-enabled/000-default.conf /tmp/")
    for switch, ours in (("on", True), ("off", False)):
        certificate_file(m, "/etc/ssl/outside", name="static.example.org")
        text = f"MDBaseServer {switch}\n{manual(name)}Listen 4430 https\nServerName {name}\nSSLEngine on\n"
        load(m, text + ("" if ours else "SSLCertificateFile /etc/ssl/outside.pem\nSSLCertificateKeyFile /etc/ssl/outside.key\n"))
        m.wait_for(lambda expected=[name] if ours else ["static.example.org"]: m.certificate(name, port=4430).names == expected, 10, "the base server's certificate")
    m.run("mv /tmp/000-default.conf /etc/apache2/sites-enabled/")
    clear(m)


def test_own_fallback(m):
    """MDFallbackCertificate: what is shown until there is a certificate; one that is no good is told, and ours is shown."""
    name, base = "ownfallback.example.org", "/etc/ssl/ownfallback"
    expected = certificate_file(m, base, name=name)
    text = manual(name, directives=f"MDFallbackCertificate {base}.pem {base}.key") + apache.virtual_host(m, name)
    load(m, text)
    assert m.certificate(name).fingerprint == expected and request(m, name, port=443)[0] == 503
    certificate_file(m, f"{base}2")
    m.run(f"cp {base}2.key {base}.key")
    load(m, text)
    assert "Managed Domain Fallback" in m.certificate(name).subject
    assert f"{name}: {base}.pem is not used: the private key beside it belongs to another certificate." in apache.errors(m)
    clear(m)


# http-01

def lay_down(m, name, token):
    """An answer for http-01, as the manager lays it down: the key authorization."""
    authorization = f"{token}.{'A' * 43}"
    directory = f"{STORE}/challenges/{name}"
    m.run(f"install -d -m 2750 -o md-manager -g www-data {directory}")
    m.write(f"{directory}/acme-http-01.txt", authorization + "\n", mode=0o640, owner="md-manager:www-data")
    return authorization


PREFIX = "/.well-known/acme-challenge/"
TOKEN = "t" * 32


def test_http01(m):
    """Only the token that is being proven is answered, before redirects, passwords and proxies; everything else is somebody else's."""
    name, listed = "http.example.org", "listed.example.org"
    apache.modules(m, "rewrite", "proxy", "proxy_http")
    apache.restart(m)
    m.write(f"/var/www/others{PREFIX}other-client", "theirs\n")
    more = (f"Alias {PREFIX} /var/www/others{PREFIX}\n<Directory /var/www/others>\nRequire all granted\n</Directory>\n"
            "<Location /closed>\nRequire all denied\n</Location>")
    load(m, manual(name) + manual(listed, directives="MDCAChallenges tls-alpn-01 dns-01") + both_ports(m, name, more=more) + both_ports(m, listed, more=more))
    expected = lay_down(m, name, TOKEN).encode()
    lay_down(m, listed, TOKEN)

    got, headers, body = request(m, name, f"GET {PREFIX}{TOKEN} HTTP/1.1")
    assert (got, body) == (200, expected) and header(headers, "Content-Type") == ["text/plain"], (got, headers, body)
    got, headers, body = request(m, name, f"HEAD {PREFIX}{TOKEN} HTTP/1.1")
    assert (got, body) == (200, b"") and header(headers, "Content-Length") == [str(len(expected))], headers
    assert request(m, name, f"GET {PREFIX}{TOKEN} HTTP/1.1", port=443)[::2] == (200, expected)      # on a fallback that says 503 to the rest
    assert request(m, name, port=443)[0] == 503
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"):
        assert request(m, name, f"{method} {PREFIX}{TOKEN} HTTP/1.1", headers=["Content-Length: 0"])[0] == 501, method

    for path, status in ((f"{PREFIX}other-client", 200), (f"{PREFIX}{'u' * 32}", 404), (f"{PREFIX}{TOKEN}/", 404), (f"{PREFIX}{TOKEN}/more", 404),
                         (PREFIX[:-1], 404), (f"/x{PREFIX}{TOKEN}", 404)):
        got, _, body = request(m, name, f"GET {path} HTTP/1.1")
        assert got == status and expected not in body, (path, got, body)
    assert b"other-client" in request(m, name, f"GET {PREFIX} HTTP/1.1")[2]      # a list of what the other client has there
    assert request(m, listed, f"GET {PREFIX}{TOKEN} HTTP/1.1")[0] == 404
    assert request(m, name, f"GET {PREFIX}other-client HTTP/1.1")[2] == b"theirs\n"

    # In front of whatever a virtual host does with every request.
    for more in ("Redirect permanent / https://elsewhere.example.net/", "RewriteEngine on\nRewriteRule ^ https://elsewhere.example.net/ [R=301,L]",
                 'SetHandler "proxy:http://127.0.0.1:9/"', "ProxyPass / http://127.0.0.1:9/", "<Location />\nRequire all denied\n</Location>",
                 '<Location />\nRequire valid-user\nAuthType Basic\nAuthName "x"\n</Location>'):
        load(m, manual(name, directives="MDRequireHttps permanent") + both_ports(m, name, more=more))
        assert request(m, name, f"GET {PREFIX}{TOKEN} HTTP/1.1")[::2] == (200, expected), more
    unprove(m, name)
    unprove(m, listed)
    clear(m)


# Variety

# Runs in the machine: an answer that appears, becomes another and goes away, while sixteen readers ask for it without a pause. What they are told must be what
# was there, when that was the same before and after the request; and in between one of the two, whole.
READERS = r"""
import http.client, os, pathlib, shutil, sys, threading, time
name, directory, rounds = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3])
turn, there, answers, wrong, end = 1, None, 0, [], time.monotonic() + 120
news = threading.Condition()

def ask(token):
    connection = http.client.HTTPConnection("127.0.0.1", 80, timeout=60)
    connection.request("GET", f"/.well-known/acme-challenge/{token}", headers={"Host": name, "Connection": "close"})
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return body if answer.status == 200 else None if answer.status == 404 else str(answer.status)

def read():
    global answers
    while turn is not None and not wrong:
        before, token = turn, there or f"{turn:04d}-{'x' * 24}"
        told = ask(token)
        with news:
            settled = before == turn and before % 2 == 0
            answers += settled
            if told not in (None, f"{token}.{'A' * 43}") or settled and (told is None) != (there is None):
                wrong.append((before, turn, token, there, told))
            news.notify_all()

def put(token):
    directory.mkdir(mode=0o2750, exist_ok=True)
    shutil.chown(directory, "md-manager", "www-data")
    directory.chmod(0o2750)
    new = directory / ".new"
    new.write_text(f"{token}.{'A' * 43}\n")
    new.chmod(0o640)
    shutil.chown(new, "md-manager", "www-data")
    new.rename(directory / "acme-http-01.txt")

def change(number, now, do):
    "An odd turn: nobody can say what is seen meanwhile."
    global turn, there, answers
    with news:
        turn = 2 * number + 3
    do()
    with news:
        turn, there, answers = 2 * number + 4, now, 0
        if not news.wait_for(lambda: answers >= 32 or wrong, end - time.monotonic()):
            wrong.append("too slow")

readers = [threading.Thread(target=read, daemon=True) for _ in range(16)]
for reader in readers:
    reader.start()
for i in range(rounds):
    first, second = f"{3 * i:04d}-{'x' * 24}", f"{3 * i + 1:04d}-{'x' * 24}"
    change(3 * i, first, lambda: put(first))
    change(3 * i + 1, second, lambda: put(second))
    change(3 * i + 2, None, lambda: shutil.rmtree(directory))
turn = None
for reader in readers:
    reader.join(60)
print(wrong[:3])
sys.exit(bool(wrong))
"""


def test_many_children(m):
    """32 children see an answer when it is there, whole, and none of them when it is not; also while it appears, changes and goes."""
    name, token = "many.example.org", f"token-{'x' * 24}"
    m.write("/etc/apache2/conf-enabled/many.conf", "<IfModule mpm_event_module>\nStartServers 32\nServerLimit 32\nThreadsPerChild 2\nThreadLimit 2\n"
            "MaxRequestWorkers 64\nMinSpareThreads 64\nMaxSpareThreads 64\n</IfModule>\nKeepAlive Off\nRequestReadTimeout header=0\n")
    load(m, manual(name) + both_ports(m, name))
    apache.restart(m)
    m.wait_for(lambda: len(m.run("pgrep -u www-data -x apache2").out.split()) >= 32, 20, "32 children")

    def of_all_children():
        """Half a request each holds a thread: 63 have one of every child at least. What they get for the other half."""
        with contextlib.ExitStack() as stack:
            connections = [stack.enter_context(m.connect(80, timeout=60)) for _ in range(63)]
            for connection in connections:
                connection.sendall(f"GET {PREFIX}{token} HTTP/1.1\r\nHost: {name}\r\n".encode())
            yield
            for connection in connections:
                connection.sendall(b"Connection: close\r\n\r\n")
                data = b""
                while piece := connection.recv(65536):
                    data += piece
                yield data

    asked = of_all_children()
    next(asked)
    expected = lay_down(m, name, token).encode()
    answers = list(asked)
    assert len(answers) == 63 and all(a.startswith(b"HTTP/1.1 200 ") and a.endswith(b"\r\n\r\n" + expected) for a in answers), answers
    asked = of_all_children()
    next(asked)
    unprove(m, name)
    answers = list(asked)
    assert len(answers) == 63 and all(a.startswith(b"HTTP/1.1 404 ") for a in answers), answers
    m.run(["python3", "-c", READERS, name, f"{STORE}/challenges/{name}", "40"], timeout=180)
    m.run("rm /etc/apache2/conf-enabled/many.conf")
    apache.restart(m)
    clear(m)


def test_scopes(m):
    """Domains inside <IfModule>, <Macro>, <IfDefine> and what an <If> holds: known as if they stood outside."""
    apache.modules(m, "macro")
    apache.restart(m)
    text = ("<Macro Managed $name>\n<MDomain $name>\nMDRenewMode manual\n</MDomain>\n</Macro>\nUse Managed macro.example.org\n"
            "<IfModule md_module>\n" + manual("ifmodule.example.org") + "</IfModule>\n<IfModule mod_md.c>\n" + manual("iffile.example.org") + "</IfModule>\n"
            "<IfModule !md_module>\n" + manual("never.example.org") + "</IfModule>\n<IfDefine !NOT>\n" + manual("ifdefine.example.org") + "</IfDefine>\n")
    names = [f"{name}.example.org" for name in ("macro", "ifmodule", "iffile", "ifdefine")]
    load(m, text + "".join(apache.virtual_host(m, name) for name in names))
    for name in names:
        assert m.certificate(name).names == [name]
    assert "never" not in m.read(f"{STORE}/servers/apache2.json")
    clear(m)


def test_growth(m):
    """Two hundred graceful reloads: neither descriptors nor memory of the parent grow."""
    names = [f"grows{number}.example.org" for number in range(20)]
    load(m, "Protocols http/1.1 acme-tls/1\n" + "".join(manual(name, directives="MDRequireHttps permanent") + both_ports(m, name) for name in names))
    pid = managed.main_pid(m, "apache2.service")

    def look():
        resident = int(re.search(r"^VmRSS:\s+(\d+) kB", m.read(f"/proc/{pid}/status"), re.M).group(1))
        return len(m.run(["ls", f"/proc/{pid}/fd"]).out.split()), resident

    def reloads(count):
        for _ in range(count):
            before = loads(m)
            m.run(["kill", "-USR1", str(pid)])
            m.wait_for(lambda b=before: loads(m) > b, 60, "a reload")

    reloads(30)
    descriptors, resident = look()
    reloads(200)
    now = look()
    assert now[0] == descriptors, (descriptors, now)
    assert now[1] - resident < 128, f"{resident} KiB, {now[1]} KiB 200 reloads later"       # httpd alone takes some 40 (tests/bench/apache --reloads)
    assert m.certificate(names[0]).names == [names[0]]
    clear(m)


def orders(m):
    return m.ca.proxy.count("new-order")


def test_static_to_managed(m):
    """MDRenewMode always beside MDCertificateFile: one certificate is obtained and waits, and is served when the lines are gone."""
    name = "moving.example.org"
    lines = "MDCertificateFile /etc/ssl/moving.pem\nMDCertificateKeyFile /etc/ssl/moving.key\nMDRenewMode always\n"
    static = certificate_file(m, "/etc/ssl/moving", name=name)
    m.ca.proxy.clear()
    before = orders(m)
    load(m, f"<MDomain {name}>\n{lines}</MDomain>\n" + both_ports(m, name))
    m.wait_for(lambda: "pubcert.pem" in managed.files(m, f"domains/{name}"), 60, "a certificate in the store")
    assert orders(m) == before + 1
    for _ in range(2):          # whatever looks at everything again finds nothing to do
        managed.check(m)
        reload(m)
        assert m.certificate(name).fingerprint == static
    m.run("systemctl restart md-manager")
    m.wait_for(lambda: managed.show(m, name)["Job"] == "/", 30, "the manager to be back")
    managed.check(m)
    assert orders(m) == before + 1 and m.certificate(name).fingerprint == static
    stored = Certificate(m.read(f"{STORE}/domains/{name}/pubcert.pem").encode()).fingerprint
    load(m, f"<MDomain {name}>\n</MDomain>\n" + both_ports(m, name))
    assert managed.wait_served(m, name).fingerprint == stored and orders(m) == before + 1
    clear(m)


def test_verbs(m):
    """Apache is reloaded, restarted, stopped and started while a renewal is under way: the certificate comes all the same."""
    stop, start = "systemctl stop apache2", "systemctl reset-failed apache2; systemctl start apache2"
    for number, commands in enumerate((["apache2ctl graceful"], ["systemctl restart apache2"], [stop, start], ["apache2ctl graceful-stop", start])):
        name = f"verb{number}.example.org"
        held = threading.Event()
        rule = m.ca.proxy.rule(kind="finalize", times=1, hold=held)
        try:
            before, finalized = orders(m), m.ca.proxy.count("finalize")
            load(m, f"<MDomain {name}>\n</MDomain>\n" + both_ports(m, name))
            m.wait_for(lambda b=before: orders(m) > b, 60, "the order")
            m.wait_for(lambda n=finalized: m.ca.proxy.count("finalize") > n, 60, "the CA to be asked for the certificate")
            for command in commands:
                m.run(command, timeout=90)
                if "stop" in command:
                    m.wait_for(lambda: not m.active("apache2"), 30, "Apache's end")
            m.wait_active("apache2", 30)
        finally:
            held.set()
            m.ca.proxy.forget(rule)
        assert managed.wait_served(m, name, deadline=90).names == [name], commands
        clear(m)
