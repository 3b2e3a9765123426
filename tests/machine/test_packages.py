# SPDX-License-Identifier: Apache-2.0
"""The Debian packages: installed, upgraded, removed and purged with dpkg and apt, and the main job done with nothing but them."""

import apache
import managed
import packages
import pebble
from machine import Visitor

SUITES = ["trixie", "bookworm", "testing"]
INSTALLED = False

SITE = "packaged.example.org"
NAMES = ("md-manager", "libapache2-mod-md-manager")
HERE = "/root/packages"


def setup(m):
    m.ca = pebble.Pebble(m)
    for path in packages.built(m.suite).glob("*.deb"):
        m.write(f"{HERE}/{path.name}", path.read_bytes())
    apache.modules(m, "ssl")


def install(m, where=HERE):
    """As an administrator does it with files from somewhere."""
    return m.run(f"DEBIAN_FRONTEND=noninteractive apt-get install -y --allow-downgrades {where}/*.deb", timeout=180)


def units(m):
    """What is there of ours and active. Empty slices go when systemd looks at them again."""
    said = m.run("systemctl list-units --plain --no-legend --all --state=active,activating,failed 'md-*'").out
    return [line.split()[0] for line in said.splitlines()]


def test_beside_mod_md(m):
    """Installed beside a running mod_md: nothing breaks and nothing is switched over, the service runs, and it is said how to switch."""
    m.write("/etc/apache2/conf-enabled/old.conf", "MDStoreDir /var/lib/apache2/md\n")      # its default is in /etc, which Debian's newest unit makes read-only
    apache.modules(m, "md")
    apache.restart(m)
    said = install(m)
    assert m.http("localhost")[0] == 200
    enabled = m.run("ls /etc/apache2/mods-enabled").out.split()
    assert "md.load" in enabled and "md_manager.load" not in enabled, enabled
    assert "md_manager" in said.out + said.err and "conflict" in (said.out + said.err).lower(), said
    m.run("rm /etc/apache2/conf-enabled/old.conf && a2dismod -q md && a2enmod -q md_manager && systemctl restart apache2")
    assert m.http("localhost")[0] == 200


def test_installed(m):
    """The service runs and comes with the next boot, owns its name, its files are where and as they should be, and nothing failed or was complained about."""
    assert m.run("systemctl is-active md-manager.service").out.strip() == "active"
    assert m.run("systemctl is-enabled md-manager.service").out.strip() == "enabled"
    assert m.run("busctl call org.freedesktop.DBus / org.freedesktop.DBus NameHasOwner s org.mdmanager1").out.strip() == "b true"
    assert m.run(["systemctl", "--failed", "--plain", "--no-legend"]).out == ""
    changed = [line for line in m.run(["dpkg", "--verify", *NAMES], check=False).out.splitlines() if "/usr/share/doc/" not in line]     # the image leaves those out
    assert changed == []
    assert managed.mdctl(m, "version").rc == 0
    assert m.run("stat -c '%U %a' /var/lib/md-manager/domains").out.split() == ["md-manager", "700"]
    verified = m.run("systemd-analyze verify --man=no $(dpkg -L md-manager | grep '^/.*/systemd/system/.*[.]')", check=False)
    assert verified.rc == 0 and "md-" not in verified.out + verified.err, verified
    m.run("zsh -c 'autoload -Uz compinit && compinit -u && [ -n \"$_comps[mdctl]\" ]'")


def test_main_way(m):
    """A domain is configured, Apache reloaded, and its certificate served; renewed, another one is."""
    m.write("/etc/apache2/conf-enabled/md.conf", managed.GLOBAL)
    managed.add(m, SITE)
    apache.reload(m)
    before = managed.wait_served(m, SITE)
    managed.renew(m, SITE)
    managed.wait_served(m, SITE, other_than=before)


def repacked(m, version):
    """The same packages with another version: the upgrade's scripts run as for any other."""
    where = f"{HERE}-{version}"
    m.run(f"mkdir -p {where} && cd {HERE} && for p in *.deb; do rm -rf /root/unpacked; dpkg-deb -R $p /root/unpacked; "
          f"sed -i 's/0\\.1-1/{version}/g' /root/unpacked/DEBIAN/control; dpkg-deb -b /root/unpacked {where}/${{p%%_*}}.deb; done", timeout=180)
    return where


def test_upgraded(m):
    """An upgrade while the site is visited: each visit is answered, the manager is the new one, timers are armed, and the CA is not asked for anything."""
    where = repacked(m, "0.1-2")
    before, process = m.certificate(SITE), managed.main_pid(m)
    m.ca.proxy.clear()
    with Visitor(m, SITE, pause=0.1) as visitor:
        install(m, where)
        m.wait_for(lambda: managed.is_known(m, SITE), 30, "the manager to know the domain")
    assert visitor.answered and not visitor.wrong, visitor.wrong
    assert managed.main_pid(m) != process
    assert m.run("dpkg-query -W -f '${Version} ' " + " ".join(NAMES)).out.split() == ["0.1-2", "0.1-2"]
    assert m.run("systemctl is-enabled md-manager.service").out.strip() == "enabled"
    m.wait_active(f"md-renew@{SITE}.timer", 90)     # the launcher may have ended with the old package as it made the timer
    assert m.certificate(SITE).fingerprint == before.fingerprint
    assert m.ca.proxy.count("new-order") == 0 and m.run(["systemctl", "--failed", "--plain", "--no-legend"]).out == ""


def test_removed(m):
    """Removed: nothing of it runs, no timer is left, Apache goes on without the module, and accounts, keys and certificates stay. Installed again, the old certificate is back."""
    before = m.certificate(SITE)
    config = m.read(f"/etc/apache2/sites-enabled/{SITE}.conf")
    managed.remove(m, SITE)
    m.run("mv /etc/apache2/conf-enabled/md.conf /root/; systemctl reload apache2")
    m.run(f"apt-get remove -y {' '.join(NAMES)}", timeout=120)
    assert units(m) == [], units(m)
    assert m.http("localhost")[0] == 200 and "md_manager.load" not in m.run("ls /etc/apache2/mods-enabled").out
    assert "privkey.pem" in m.run(f"ls /var/lib/md-manager/domains/{SITE}").out
    m.ca.proxy.clear()
    install(m)
    m.run("mv /root/md.conf /etc/apache2/conf-enabled/")
    m.write(f"/etc/apache2/sites-enabled/{SITE}.conf", config)
    apache.restart(m)
    assert managed.wait_served(m, SITE).fingerprint == before.fingerprint and m.ca.proxy.count("new-order") == 0


def test_purged(m):
    """Purged: no file of it is left anywhere, and Apache runs."""
    managed.remove(m, SITE)
    m.run("rm /etc/apache2/conf-enabled/md.conf; systemctl reload apache2")
    m.run(f"apt-get purge -y {' '.join(NAMES)}", timeout=120)
    assert units(m) == [], units(m)
    left = m.run("find / -xdev -not -path '/proc/*' -not -path '/root/*' \\( -name '*md-manager*' -o -name '*md_manager*' -o -name '*mdctl*' -o -name '*mdmanager1*' \\)").out
    assert not m.exists("/run/md-targets")
    assert [path for path in left.split() if not path.startswith(("/source", "/var/log/journal", "/var/tmp/systemd-private", "/tmp/systemd-private"))] == [], left
    assert m.http("localhost")[0] == 200
