# SPDX-License-Identifier: Apache-2.0
"""A second Apache on the machine, as Debian sets them up (apache2@NAME.service), with a managed domain of its own on an address of its own."""

import json
import re

import apache
import managed
from machine import Certificate

SUITES = ["trixie"]
PACKAGED = True
STANDS_ON = "test_own_domain"

# The steps of /usr/share/doc/apache2/examples/setup-instance, which an image without documents does not have.
SETUP = "cp -a /etc/apache2 /etc/apache2-two && mkdir -m 750 /var/log/apache2-two && chown root:adm /var/log/apache2-two"
UNIT, ID, CONFIGURATION = "apache2@two.service", "apache2@two", "/etc/apache2-two"
FIRST, SECOND = "first.example.org", "second.example.org"
ADDRESS = "127.0.0.2"


def listen(m, directory, address):
    m.write(f"{directory}/ports.conf", f"Listen {address}:80\nListen {address}:443\n")


def setup(m):
    managed.install(m)
    managed.settings(m, ReloadIntervalSec=1)
    m.write("/etc/apache2/conf-enabled/name.conf", "ServerName base.example.org\n")
    m.run(SETUP)
    listen(m, "/etc/apache2", "127.0.0.1")
    listen(m, CONFIGURATION, ADDRESS)
    apache.restart(m)
    managed.add(m, FIRST)
    apache.reload(m)
    managed.wait_served(m, FIRST)
    m.ca.set_dns("add-a", host=f"{SECOND}.", addresses=[ADDRESS])


def shown(m):
    """The certificate that the second server hands out."""
    out = m.run(f"openssl s_client -connect {ADDRESS}:443 -servername {SECOND} </dev/null 2>&1", check=False).out
    pem = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", out, re.S)
    return Certificate(pem.group().encode()) if pem else None


def wait_shown(m, other_than=None):
    def look():
        certificate = shown(m)
        return certificate if certificate and "Pebble" in certificate.issuer and (not other_than or certificate.fingerprint != other_than.fingerprint) else None
    return m.wait_for(look, 60, f"a certificate of the CA on {ADDRESS}")


def reloaded(m, cursor):
    """The units that the manager had reloaded."""
    said = [e["MESSAGE"] for e in m.journal("_SYSTEMD_UNIT=md-manager.service", after=cursor)]
    return {text.removeprefix("Reloading ").removesuffix(".") for text in said if text.startswith("Reloading ")}


def test_own_domain(m):
    """The instance tells of its own domain under its own unit; its certificate comes, and is renewed, with reloads of that unit and of no other."""
    m.write(f"{CONFIGURATION}/sites-enabled/case.conf", f"MDomain {SECOND}\n" + apache.virtual_host(m, SECOND) + apache.virtual_host(m, SECOND, port=80, ssl=False))
    cursor = m.cursor()
    m.run(["systemctl", "start", UNIT])
    certificate = wait_shown(m)
    assert certificate.names == [SECOND]
    managed.wait_event(m, SECOND, "installed", cursor)
    told = json.loads(m.read(f"{managed.STORE}/servers/{ID}.json"))
    assert (told["unit"], [d["name"] for d in told["managed-domains"]], told["managed-domains"][0]["served"]) == (UNIT, [SECOND], [certificate.fingerprint]), told
    assert [d["name"] for d in json.loads(m.read(f"{managed.STORE}/servers/apache2.json"))["managed-domains"]] == [FIRST]
    assert reloaded(m, cursor) == {UNIT}

    cursor, before = m.cursor(), m.certificate(FIRST)
    managed.renew(m, SECOND)
    managed.wait_event(m, SECOND, "installed", cursor, deadline=60)
    assert shown(m).fingerprint != certificate.fingerprint
    assert reloaded(m, cursor) == {UNIT} and m.certificate(FIRST).fingerprint == before.fingerprint

    cursor = m.cursor()
    managed.renew(m, FIRST)
    managed.wait_event(m, FIRST, "installed", cursor, deadline=60)
    assert reloaded(m, cursor) == {"apache2.service"} and m.certificate(FIRST).fingerprint != before.fingerprint


def test_stopped(m):
    """While the instance is stopped the other server goes on as if nothing were; it comes back with its certificate, and is renewed again."""
    certificate = wait_shown(m)
    m.run(["systemctl", "stop", UNIT])
    cursor = m.cursor()
    managed.renew(m, FIRST)
    managed.wait_event(m, FIRST, "installed", cursor, deadline=60)
    assert reloaded(m, cursor) == {"apache2.service"}
    assert managed.is_known(m, SECOND)
    cursor = m.cursor()
    m.run(["systemctl", "start", UNIT])
    assert wait_shown(m).fingerprint == certificate.fingerprint
    managed.renew(m, SECOND)
    managed.wait_event(m, SECOND, "installed", cursor, deadline=60)
    assert shown(m).fingerprint != certificate.fingerprint and reloaded(m, cursor) == {UNIT}
