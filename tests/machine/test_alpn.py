# SPDX-License-Identifier: Apache-2.0
"""tls-alpn-01, the whole way: certificates made by the manager, served by the module, looked at by the CA."""

import apache
import managed

SUITES = ["trixie", "bookworm"]

STORE = managed.STORE


def setup(m):
    managed.install(m)
    managed.settings(m, ReloadIntervalSec=1)
    m.write("/etc/apache2/conf-enabled/alpn.conf", "Protocols http/1.1 acme-tls/1\n")
    add(m, "example.org")
    apache.reload(m)
    managed.wait_served(m, "example.org")


def add(m, name, *aliases, directives="MDCAChallenges tls-alpn-01"):
    managed.add(m, name, *aliases, directives=directives)


def test_key_types(m):
    """Domains with an RSA key, with a curve, and with both are proven by tls-alpn-01; afterwards nothing of it is left."""
    for name, keys in (("rsa.example.org", "RSA 2048"), ("ec.example.org", "P-256"), ("p384.example.org", "secp384r1"), ("both.example.org", "RSA 3072 P-384")):
        add(m, name, f"www.{name}", directives=f"MDCAChallenges tls-alpn-01\nMDPrivateKeys {keys}")
    apache.reload(m)
    for name in ("rsa.example.org", "ec.example.org", "p384.example.org", "both.example.org"):
        certificate = managed.wait_served(m, name, deadline=60)
        assert set(certificate.names) == {name, f"www.{name}"}, certificate.names
    m.wait_for(lambda: not managed.left_over(m), 20, "no answer to be left")
    for name in ("rsa.example.org", "ec.example.org", "p384.example.org", "both.example.org"):
        managed.remove(m, name)
    apache.reload(m)


def test_old_tls(m):
    """TLS 1.2 only, and a key that is not of the self-signed certificate's type: proven at first, and again on the CA's certificate."""
    m.write("/etc/apache2/conf-enabled/old.conf", "SSLProtocol -all +TLSv1.2\n")
    add(m, "old.example.org", directives="MDCAChallenges tls-alpn-01\nMDPrivateKeys RSA 2048")
    apache.reload(m)
    before = managed.wait_served(m, "old.example.org", deadline=60)
    managed.renew(m, "old.example.org")
    managed.wait_served(m, "old.example.org", other_than=before)
    m.wait_for(lambda: not managed.left_over(m), 20, "no answer to be left")
    managed.remove(m, "old.example.org")
    m.run("rm /etc/apache2/conf-enabled/old.conf")
    apache.reload(m)


def test_renewal(m):
    """Each order has its own digest: what is left of another one does not stand in its way."""
    m.run(f"install -d -o md-manager -g www-data -m 2750 {STORE}/challenges/example.org")
    for what in ("pubcert", "privkey"):
        m.run(f"cp {STORE}/domains/example.org/{what}.pem {STORE}/challenges/example.org/acme-tls-alpn-01-{what}.pem")
    m.run(f"chown md-manager:www-data {STORE}/challenges/example.org/*; chmod 0640 {STORE}/challenges/example.org/*")
    for _ in range(2):
        before = managed.is_real(m, "example.org")
        managed.renew(m, "example.org")
        managed.wait_served(m, "example.org", other_than=before)
    m.wait_for(lambda: not managed.left_over(m), 20, "no answer to be left")


def test_chosen_alone(m):
    """Without MDCAChallenges it is chosen where acme-tls/1 is spoken and port 80 does not arrive."""
    m.write("/etc/apache2/conf-enabled/map.conf", "MDPortMap http:- https:443\n")
    add(m, "auto.example.org", directives="")
    apache.reload(m)
    managed.wait_served(m, "auto.example.org")
    managed.remove(m, "auto.example.org")
    m.run("rm /etc/apache2/conf-enabled/map.conf")
    apache.reload(m)


def test_falls_through(m):
    """Where no virtual host speaks acme-tls/1, the worker finds that out by itself, and the next type is used: the CA never looks in vain."""
    cursor, told = m.cursor(), m.ca.proxy.count("challenge")
    m.run("rm /etc/apache2/conf-enabled/alpn.conf")
    add(m, "next.example.org", directives="MDCAChallenges tls-alpn-01 http-01")
    apache.reload(m)
    managed.wait_served(m, "next.example.org", deadline=60)
    assert m.ca.proxy.count("challenge") - told == 1, m.ca.proxy.counts()
    assert not m.journal("MD_NAME=next.example.org", "MD_EVENT=errored", after=cursor)
    m.write("/etc/apache2/conf-enabled/alpn.conf", "Protocols http/1.1 acme-tls/1\n")
    managed.remove(m, "next.example.org")
    apache.reload(m)
