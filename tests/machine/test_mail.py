# SPDX-License-Identifier: Apache-2.0
"""Postfix and Dovecot have certificates by the examples of md-manager.targets(5), and new ones without a restart."""

import re
from pathlib import Path

import apache
import managed

LAYERS = ["mail"]
NAME = "mail.example.org"
PORTS = {"postfix.service": "-starttls smtp -connect 127.0.0.1:25", "dovecot.service": "-connect 127.0.0.1:993"}
MANUAL = Path(__file__).resolve().parents[2] / "man/md-manager.targets.5"

# What Debian's packages do when they are installed, as far as it matters here.
INSTALL = """set -e
useradd --system --home-dir /var/spool/postfix --shell /usr/sbin/nologin postfix
groupadd --system postdrop
for user in dovecot dovenull; do useradd --system --home-dir /nonexistent --shell /usr/sbin/nologin $user; done
ldconfig
install -d -o postfix -g postfix /var/lib/postfix
install -d /var/spool/postfix
cp /usr/share/postfix/master.cf.dist /etc/postfix/master.cf
cp /usr/share/postfix/dynamicmaps.cf /etc/postfix
cp /usr/share/postfix/makedefs.out /etc/postfix
postfix post-install create-missing
"""

MAIN_CF = f"""compatibility_level = 3.6
myhostname = {NAME}
mynetworks = 127.0.0.0/8
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
data_directory = /var/lib/postfix
queue_directory = /var/spool/postfix
mail_owner = postfix
setgid_group = postdrop
html_directory = no
manpage_directory = /usr/share/man
readme_directory = no
sendmail_path = /usr/sbin/sendmail
newaliases_path = /usr/bin/newaliases
mailq_path = /usr/bin/mailq
meta_directory = /etc/postfix
shlib_directory = /usr/lib/postfix
"""

DOVECOT_CONF = """dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
protocols = imap
listen = 127.0.0.1
ssl = required
ssl_server_cert_file = /etc/dovecot/private/mail.pem
ssl_server_key_file = /etc/dovecot/private/mail.key
mail_driver = maildir
mail_path = /tmp/mail
passdb static {
  password = secret
}
"""


def setup(m):
    managed.install(m)
    managed.settings(m, ReloadIntervalSec="200ms")
    m.write("/etc/postfix/main.cf", MAIN_CF)
    m.write("/etc/dovecot/dovecot.conf", DOVECOT_CONF)
    m.run(INSTALL)
    m.run("postconf -F '*/*/chroot=n'; systemctl daemon-reload")


def example(file):
    """What the manual page has, as somebody copies it."""
    text = MANUAL.read_text(encoding="utf-8").replace("\\-", "-")
    return re.search(rf'^\.\\" {re.escape(file)}\n\.EX\n(.*?)^\.EE$', text, re.MULTILINE | re.DOTALL).group(1)


def command(first):
    """A command that it names, by its first word."""
    return re.search(rf'^\.B "({first} [^"]*)"$', MANUAL.read_text(encoding="utf-8").replace("\\-", "-"), re.MULTILINE).group(1)


def shown(m, unit):
    """The fingerprint of the certificate that a client of this service is shown."""
    out = m.run(f"openssl s_client {PORTS[unit]} -servername {NAME} </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256", check=False).out
    return out.strip().partition("=")[2].replace(":", "").lower()


def live(m):
    return managed.show(m, NAME)["Certificates"][0][5]


def test_examples(m):
    """The targets of the manual are written when they are declared; both services start with them, and show the next certificate after a renewal, being reloaded."""
    managed.add(m, NAME)
    cursor = m.cursor()
    apache.reload(m)
    managed.wait_event(m, NAME, "installed", cursor)
    m.run(command("install"))
    m.run("install -d -m 0700 /etc/dovecot/private && systemctl is-active md-targets.path")
    for service in ("postfix", "dovecot"):
        m.write(f"/etc/md-manager/targets.d/{service}.conf", example(f"{service}.conf"))
    for file in ("/etc/postfix/tls/mail.pem", "/etc/dovecot/private/mail.key", "/etc/dovecot/private/mail.pem"):
        m.wait_for(lambda path=file: m.exists(path), 30, file)
    assert m.run("stat -c '%a %U' /etc/postfix/tls/mail.pem /etc/dovecot/private/mail.key").out.split() == ["600", "root"] * 2
    m.run(command("postconf"))
    first = live(m)
    for unit in PORTS:
        m.run(["systemctl", "start", unit])
        m.wait_for(lambda u=unit: shown(m, u) == first, 30, f"{unit} to show its certificate")
    pids = {unit: m.unit(unit)["MainPID"] for unit in PORTS}
    managed.mdctl(m, "renew", "--force", NAME)
    second = live(m)
    assert second != first
    for unit in PORTS:
        m.wait_for(lambda u=unit: shown(m, u) == second, 60, f"{unit} to show the new certificate")
    assert {unit: m.unit(unit)["MainPID"] for unit in PORTS} == pids
    assert managed.check(m) == []
