# SPDX-License-Identifier: Apache-2.0
"""What Apache answers to visitors and to CAs: challenges, redirects to https, headers, and which certificate is shown."""

import hashlib
import re
import ssl

import apache
import managed
from machine import Certificate

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
