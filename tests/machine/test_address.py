# SPDX-License-Identifier: Apache-2.0
"""Certificates for IP addresses (RFC 8738): ordered as such, proven at the address itself, served to clients that send no name."""

import apache
import managed

SUITES = ["trixie", "bookworm"]

ADDRESSES = {"http-01": "192.0.2.50", "tls-alpn-01": "192.0.2.51"}
ADDRESSES6 = {"http-01": "2001:db8::50", "tls-alpn-01": "2001:db8::51"}
MIXED = "192.0.2.53"


def setup(m):
    managed.install(m)
    managed.settings(m, ReloadIntervalSec=1)
    for address in (*ADDRESSES.values(), MIXED):
        m.run(["ip", "address", "add", f"{address}/32", "dev", "lo"])
    for address in ADDRESSES6.values():
        m.run(["ip", "address", "add", f"{address}/128", "dev", "lo"])
    m.write("/etc/apache2/conf-enabled/alpn.conf", "Protocols http/1.1 acme-tls/1\n")
    apache.restart(m)


def written(address):
    return f"[{address}]" if ":" in address else address


def hosts(m, address):
    """The virtual hosts at this address, for both ports. Apache takes no IPv6 address for a ServerName: what the host listens at names it."""
    page = apache.page(m, "address", "by address\n")
    name = "" if ":" in address else f"    ServerName {address}\n"
    return "".join(f"<VirtualHost {written(address)}:{port}>\n{name}    DocumentRoot {page}\n"
                   + ("    SSLEngine on\n" if port == 443 else "") + "</VirtualHost>\n" for port in (80, 443))


def add(m, address, challenge):
    apache.site(m, address, f"<MDomain {address}>\nMDCAChallenges {challenge}\n</MDomain>\n" + hosts(m, address))
    m.ca.proxy.clear()
    apache.reload(m)


def served(m, address):
    """What a client gets that goes to the address and sends no name."""
    return m.run(f"openssl s_client -noservername -connect '{written(address)}:443' </dev/null 2>/dev/null | openssl x509 -noout -issuer -ext subjectAltName", check=False).out


def wait_served(m, address):
    return m.wait_for(lambda: text if "Pebble" in (text := served(m, address)) else None, 60, f"a certificate of the CA at {address}")


def identifiers(m):
    return [identifier for request in m.ca.proxy.seen("new-order") for identifier in request.payload["identifiers"]]


def prove(m, address, challenge):
    add(m, address, challenge)
    found = wait_served(m, address)
    assert "IP Address:" in found and "DNS:" not in found, found
    assert identifiers(m) == [{"type": "ip", "value": address}], identifiers(m)
    m.write("/run/root.pem", m.ca.root())
    got = m.run(["curl", "-sS", "--cacert", "/run/root.pem", f"https://{written(address)}/"])
    assert got.out == "by address\n", got
    m.wait_for(lambda: not managed.left_over(m), 20, "no answer to be left")
    assert managed.show(m, address)["Names"] == [address]
    managed.remove(m, address)
    apache.reload(m)


def test_http(m):
    """An IPv4 and an IPv6 address are proven by http-01; clients verify the certificate for the address."""
    for address in (ADDRESSES["http-01"], ADDRESSES6["http-01"]):
        prove(m, address, "http-01")


def test_tls_alpn(m):
    """Likewise by tls-alpn-01, where the CA asks for the name below in-addr.arpa and ip6.arpa."""
    for address in (ADDRESSES["tls-alpn-01"], ADDRESSES6["tls-alpn-01"]):
        prove(m, address, "tls-alpn-01")


def test_mixed(m):
    """A name and an address in one certificate, each identifier with its own type."""
    apache.site(m, "mixed", f"<MDomain mixed.example.org {MIXED}>\n</MDomain>\n"
                + apache.virtual_host(m, "mixed.example.org") + apache.virtual_host(m, "mixed.example.org", port=80, ssl=False) + hosts(m, MIXED))
    m.ca.proxy.clear()
    apache.reload(m)
    found = wait_served(m, MIXED)
    assert f"IP Address:{MIXED}" in found and "DNS:mixed.example.org" in found, found
    assert sorted(identifier["type"] for identifier in identifiers(m)) == ["dns", "ip"], identifiers(m)
    apache.no_site(m, "mixed")
    apache.reload(m)


def test_dns_only(m):
    """An address with nothing but DNS challenges is refused, with the reason."""
    address = ADDRESSES["http-01"]
    apache.site(m, address, f"<MDomain {address}>\nMDCAChallenges dns-01 dns-persist-01\nMDChallengeDns01 /bin/true\n</MDomain>\n" + hosts(m, address))
    found = apache.configtest(m)
    assert "No way to prove 192.0.2.50" in found.err and "dns-01 is not for addresses" in found.err, found
    apache.no_site(m, address)
