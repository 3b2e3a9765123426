# SPDX-License-Identifier: Apache-2.0
"""Our programs in the machine, as an administrator sets them up: what every topic about renewals starts with."""

import json

import apache
import pebble

GLOBAL = f"""MDCertificateAgreement accepted
MDContactEmail admin@example.org
MDCertificateAuthority {pebble.DIRECTORY}
MDCACertificateFile {pebble.CA_FILE}
MDRetryDelay 2s
"""


def install(m, **ca):
    """What the packages' scripts will do after the files are there, then what the README says. Makes the CA 'm.ca'."""
    m.ca = pebble.Pebble(m, **ca)
    m.run("systemd-sysusers && systemd-tmpfiles --create && journalctl --update-catalog && systemctl daemon-reload && "
          "busctl call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus ReloadConfig")
    m.run("systemctl restart polkit")
    apache.modules(m, "ssl", "md_manager")
    m.write("/etc/apache2/conf-enabled/md.conf", GLOBAL)
    m.run("systemctl enable --now md-manager")
    apache.restart(m)


def add(m, name, *aliases, more="", directives=""):
    """A managed domain with its two virtual hosts; known to Apache after the next reload."""
    apache.site(m, name, f"<MDomain {' '.join([name, *aliases])}>\n{directives}\n</MDomain>\n"
                + apache.virtual_host(m, name, *aliases, more=more)
                + apache.virtual_host(m, name, *aliases, port=80, ssl=False))


def remove(m, name):
    apache.no_site(m, name)


def mdctl(m, *words, check=True, user=None):
    return m.run(["mdctl", "--no-pager", *words], check=check, user=user)


def show(m, name):
    """A domain's properties, from the bus."""
    path = m.run(["busctl", "--json=short", "call", "org.mdmanager1", "/org/mdmanager1", "org.mdmanager1.Manager", "GetDomain", "s", name]).out
    out = m.run(["busctl", "--json=short", "call", "org.mdmanager1", json.loads(path)["data"][0], "org.freedesktop.DBus.Properties", "GetAll", "s",
                 "org.mdmanager1.Domain"]).out
    return {key: value["data"] for key, value in json.loads(out)["data"][0].items()}


def is_real(m, name):
    """The certificate that a visitor is handed, when it comes from the CA and not from ourselves."""
    certificate = m.certificate(name)
    return certificate if "Pebble" in certificate.issuer else None


def wait_served(m, name, deadline=30, other_than=None):
    """Waits until a visitor gets a certificate of the CA, another one than 'other_than'."""
    def look():
        certificate = is_real(m, name)
        return certificate if certificate and (not other_than or certificate.fingerprint != other_than.fingerprint) else None
    return m.wait_for(look, deadline, f"a{' new' if other_than else ''} certificate of the CA on https://{name}")
