# SPDX-License-Identifier: Apache-2.0
"""Moving in: what Debian's mod_md, certbot and acme.sh left behind is taken over while visitors look, and no certificate is ordered anew."""

import json
import re
from pathlib import Path

import apache
import managed
import pebble
from machine import Certificate, Visitor

STORE = managed.STORE
OLD = "/etc/apache2/md"


def setup(m):
    """The package is installed and its daemon runs; Apache has mod_md, which is Debian's own."""
    m.ca = pebble.Pebble(m)
    m.run("systemd-sysusers && systemd-tmpfiles --create && journalctl --update-catalog && systemctl daemon-reload && "
          "busctl call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus ReloadConfig && systemctl restart polkit")
    m.run("systemctl enable --now md-manager")
    apache.modules(m, "ssl", "md")
    m.write("/etc/apache2/conf-enabled/md.conf", managed.GLOBAL)


def report(m, *words, rc=0):
    """mdctl import with JSON: the report, and the results by kind and name."""
    result = managed.mdctl(m, "import", "--json=short", *words, check=False)
    assert result.rc == rc, result
    found = json.loads(result.out)
    return found, {(item["Kind"], item["Name"]): item["Result"] for item in found["Items"]}


def fingerprint(m, path):
    return Certificate(m.read(path).encode()).fingerprint


def is_finished(m, name):
    """Whether mod_md has a new set ready for its next reload."""
    path = f"{OLD}/staging/{name}/job.json"
    return m.exists(path) and json.loads(m.read(path)).get("finished")


def renewed_by_mod_md(m, *names):
    for name in names:
        m.wait_for(lambda n=name: is_finished(m, n), 90, f"mod_md to obtain a certificate for {name}")


def activated_by_mod_md(m, *names):
    """Has mod_md make live what it has ready."""
    renewed_by_mod_md(m, *names)
    staged = {name: fingerprint(m, f"{OLD}/staging/{name}/pubcert.pem") for name in names}
    apache.reload(m)
    for name in names:
        m.wait_for(lambda n=name: fingerprint(m, f"{OLD}/domains/{n}/pubcert.pem") == staged[n] and managed.is_real(m, n), 30, f"mod_md to serve {name}")


def tree(m, path):
    """Everything about the files of a directory that is not to change."""
    return m.run(f"cd {path} && find . -printf '%p %m %u %g %s %T@\\n' | sort && find . -type f -exec sha256sum '{{}}' + | sort").out


def swap(m, old, new):
    """As md-manager-migration(7) has it."""
    apache.no_modules(m, old)
    apache.modules(m, new)
    assert apache.configtest(m).rc == 0, apache.configtest(m)
    apache.reload(m)


def test_mod_md(m):
    """Debian's mod_md, with protected keys, an archive and a staged set: taken over under visitors; all requests succeed, the CA hears nothing, and the way back works."""
    plain, both, more = "plain.example.org", "both.example.org", "more.example.org"
    managed.add(m, plain, f"www.{plain}")
    managed.add(m, both, directives="MDPrivateKeys RSA secp256r1")
    managed.add(m, more, directives="MDRenewWindow 120d")        # more than a certificate's life: one after the other
    apache.restart(m)
    activated_by_mod_md(m, plain, both, more)
    activated_by_mod_md(m, more)
    renewed_by_mod_md(m, more)
    assert "ENCRYPTED" in m.read(f"{OLD}/staging/{more}/privkey.pem")
    managed.add(m, more)                                           # known to whoever reads it next
    served = {name: m.certificate(name).fingerprint for name in (plain, both, more)}
    staged = fingerprint(m, f"{OLD}/staging/{more}/pubcert.pem")
    account, = m.run(["ls", f"{OLD}/accounts"]).out.split()
    before = tree(m, OLD)
    m.ca.proxy.clear()

    _, results = report(m, "--dry-run", OLD)
    expected = {("account", f"accounts/{account}"): "taken", ("certificate", f"domains/{plain}"): "taken", ("certificate", f"domains/{both}"): "taken",
                ("certificate", f"domains/{more}"): "taken", ("certificate", f"staging/{more}"): "taken", ("archived", f"archive/{more}.2"): "taken"}
    assert results == expected, results
    assert managed.files(m, "domains") == [] and managed.files(m, "accounts") == [] and managed.files(m, "archive") == []

    roots = m.ca.root()
    with Visitor(m, plain, roots=roots) as first, Visitor(m, both, roots=roots) as second, Visitor(m, more, roots=roots) as third:
        found, results = report(m, OLD)
        assert results == expected, results
        assert {entry["Path"] for entry in found["LeftOut"]} >= {"challenges"} and tree(m, OLD) == before
        _, again = report(m, OLD, rc=3)
        assert set(again.values()) == {"present"}, again
        swap(m, "md", "md_manager")
        for name in (plain, both, more):
            m.wait_for(lambda n=name: managed.is_known(m, n) and managed.show(m, n)["State"] == "complete" and managed.timer(m, n), 30, f"{name} to be managed")
        assert managed.check(m) == [], managed.check(m)
        assert m.certificate(plain).fingerprint == served[plain] and m.certificate(both).fingerprint == served[both]
        assert m.certificate(more).fingerprint == staged
        assert m.ca.proxy.count() == 0, m.ca.proxy.counts()
    for visitor in (first, second, third):
        assert visitor.answered > 0 and not visitor.wrong, (visitor.name, visitor.wrong)

    # The account is the one that mod_md had, and what was before is remembered.
    cursor = m.cursor()
    managed.renew(m, plain)
    managed.wait_event(m, plain, "installed", cursor, deadline=60)
    assert m.ca.proxy.count("new-account") == 0 and m.ca.proxy.count("new-order") == 1, m.ca.proxy.counts()
    archived = json.loads(managed.mdctl(m, "archive", "--json=short", more).out)
    assert len(archived) == 2, archived        # the one that mod_md had there, and the one that was live when another was staged

    # The way back.
    swap(m, "md_manager", "md")
    m.wait_for(lambda: m.certificate(plain).fingerprint == served[plain], 20, "mod_md to serve what it has")
    for name in (plain, both, more):
        managed.remove(m, name)
