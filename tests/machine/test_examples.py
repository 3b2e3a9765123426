# SPDX-License-Identifier: Apache-2.0
"""The examples of manual pages about single programs and files do what the pages say, as they stand there."""

import json

import apache
import managed
import test_documents
import test_mail

LAYERS = ["mail", "jq"]
METRICS = "/var/lib/prometheus/node-exporter"


def setup(m):
    managed.install(m)
    managed.add(m, "example.org")
    cursor = m.cursor()
    apache.reload(m)
    managed.wait_event(m, "example.org", "installed", cursor)
    m.wait_for(lambda: managed.check(m) == [], 60, "nothing to be wrong")


def test_mdctl(m):
    """The examples of mdctl(1): monitoring, the file for Prometheus' node exporter, and the domain that expires first, told by jq."""
    m.run(["mkdir", "-p", METRICS])
    test_documents.follow(m, "mdctl.1")
    assert m.run(["ls", METRICS]).out.split() == ["md.prom"]
    assert 'domain="example.org"' in m.read(f"{METRICS}/md.prom")


def test_settings(m):
    """The examples of md-manager.conf(5): the manager has each in force, and says nothing against it."""
    m.run("useradd --system www-hooks")
    test_documents.follow(m, "md-manager.conf.5")
    m.run("rm /etc/md-manager/md-manager.conf.d/50-hooks.conf /etc/md-manager/md-manager.conf.d/50-reload.conf; systemctl restart md-manager")


def test_targets(m):
    """The examples of md-targets(8): with its drop-ins, files are written below another directory and below a home."""
    paths = ("/data/tls/site.pem", "/home/alice/tls/site.pem")
    m.run("mkdir -p /data/tls /home/alice/tls && chown root:root /home/alice")
    test_documents.follow(m, "md-targets.8")
    m.run("mv /etc/systemd/system/md-targets.service.d /root && systemctl daemon-reload")
    for number, path in enumerate(paths):
        m.write(f"/etc/md-manager/targets.d/{number}.conf", f"[Target]\nDomain=example.org\n[Combined]\nPath={path}\n")
    assert m.run("systemctl start md-targets", check=False).rc != 0 and not any(m.exists(path) for path in paths), "it writes there without them"
    m.run("mv /root/md-targets.service.d /etc/systemd/system && systemctl daemon-reload && systemctl reset-failed md-targets && systemctl start md-targets")
    assert all("PRIVATE KEY" in m.read(path) for path in paths)
    m.run("rm /etc/md-manager/targets.d/*.conf")


def test_hook_mail(m):
    """The drop-in of md-hook-mail(8) lets the hook hand mail to Postfix's sendmail, which refuses it without."""
    m.write("/etc/postfix/main.cf", test_mail.MAIN_CF + "defer_transports = smtp local\n")
    m.run(test_mail.INSTALL)
    m.run("postconf -F '*/*/chroot=n'; chgrp postdrop /usr/sbin/postdrop /usr/sbin/postqueue; chmod g+s /usr/sbin/postdrop /usr/sbin/postqueue; systemctl daemon-reload; systemctl start postfix")
    m.write("/etc/apache2/conf-enabled/hook.conf", "MDMessageCmd /usr/lib/md-manager/hooks/md-hook-mail -t webmaster@example.net\n")
    apache.reload(m)
    cursor = m.cursor()
    refused = m.start(["mdctl", "--no-pager", "hook", "test", "example.org", "errored"])
    m.wait_journal("_COMM=postdrop", after=cursor, where=lambda entry: "Permission denied" in entry["MESSAGE"])     # it would try for the rest of its time
    m.run("systemctl stop 'md-hook-errored-*.service'")
    refused.wait_line("Result: ")
    m.run("rm /etc/apache2/conf-enabled/hook.conf")
    test_documents.follow(m, "md-hook-mail.8")
    m.write("/etc/apache2/conf-enabled/hook.conf", "MDMessageCmd /usr/lib/md-manager/hooks/md-hook-mail -t webmaster@example.net\n")
    apache.reload(m)
    managed.mdctl(m, "hook", "test", "example.org", "errored")
    queue = [json.loads(line) for line in m.run(["postqueue", "-j"]).out.splitlines()]
    assert ["webmaster@example.net"] in [[to["address"] for to in entry["recipients"]] for entry in queue], queue


def test_drop_ins(m):
    """The drop-ins of md-launcher(8), md-hook-webhook(8) and md-acme(8) are ones that systemd knows, for the units that they are meant for."""
    m.run("rm -rf /etc/systemd/system/md-*.d")
    for page in ("md-launcher.8", "md-hook-webhook.8", "md-acme.8"):
        test_documents.follow(m, page)
    for unit, proxied in (("md-renew@example.org.service", True), ("md-ocsp.service", True), ("apache2.service", False)):
        assert ("https_proxy=" in m.run(["systemctl", "show", "--property=Environment", unit]).out) == proxied, unit
    m.run("rm -rf /etc/systemd/system/md-*.d && systemctl daemon-reload")
