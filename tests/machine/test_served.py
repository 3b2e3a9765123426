# SPDX-License-Identifier: Apache-2.0
"""That new certificates are really seen at Apache's listeners after a reload, and what becomes of it when they are not."""

import json

import apache
import managed

NAME = "seen.example.org"
UNIT = "md-served.service"
SIDE = "/etc/apache2/sites-enabled/000-side.conf"


def setup(m):
    managed.install(m)
    managed.settings(m, ReloadIntervalSec=1, ServedTimeoutSec=3)
    m.run("openssl req -x509 -newkey rsa:2048 -nodes -days 9 -subj /CN=side -keyout /etc/ssl/side.key -out /etc/ssl/side.pem")
    managed.add(m, NAME, "www." + NAME, directives="MDPrivateKeys secp256r1 rsa2048")
    cursor = m.cursor()
    apache.reload(m)
    managed.wait_event(m, NAME, "installed", cursor)
    wait_seen(m, NAME)


def wait_seen(m, name, deadline=30):
    return m.wait_for(lambda: managed.show(m, name)["SeenUSec"], deadline, f"{name} to be seen")


def looks(m, after):
    """What the service said at its ends."""
    return [e["MESSAGE"] for e in m.journal(unit=UNIT, after=after) if e["MESSAGE"].startswith("Looked at ")]


def hide(m, name):
    """Another virtual host, which is not managed, has the name where this machine looks; known after the next reload."""
    m.write(SIDE, "<VirtualHost 127.0.0.1:443>\n" f"ServerName {name}\nMDIgnoreHost on\nSSLEngine on\n"
            "SSLCertificateFile /etc/ssl/side.pem\nSSLCertificateKeyFile /etc/ssl/side.key\n</VirtualHost>\n")


def test_seen(m):
    """After its reload a new certificate is seen at the listener with each name and each kind of key; job, bus and mdctl say so."""
    snapshot = json.loads(m.read(f"{managed.STORE}/servers/apache2.json"))
    [domain] = [d for d in snapshot["managed-domains"] if d["name"] == NAME]
    assert sorted(domain["endpoints"]) == [f"*:443 {NAME}", f"*:443 www.{NAME}"], domain
    before = managed.show(m, NAME)["SeenUSec"]
    cursor = m.cursor()
    managed.renew(m, NAME)
    managed.wait_event(m, NAME, "installed", cursor, deadline=60)
    m.wait_for(lambda: managed.show(m, NAME)["SeenUSec"] > before, 30, "the new one to be seen")
    m.wait_journal(unit=UNIT, after=cursor, where=lambda e: e["MESSAGE"] == "Looked at 4 certificates that servers show; 0 were not the expected ones.")
    assert managed.job(m, NAME)["seen"]
    assert "at every listener" in managed.mdctl(m, "show", NAME).out
    assert not m.journal(f"MD_NAME={NAME}", "MD_EVENT=served-differs", after=cursor)


def test_only_new(m):
    """What was seen is not looked at again, not after other reloads, nor by the next manager; what is new is, by itself."""
    cursor = m.cursor()
    m.run("systemctl restart md-manager")
    managed.add(m, "other.example.org")
    apache.reload(m)
    wait_seen(m, "other.example.org")
    m.wait_journal(unit=UNIT, after=cursor, where=lambda e: e["MESSAGE"].startswith("Looked at "))
    assert looks(m, cursor) == ["Looked at 1 certificate that servers show; 0 were not the expected ones."], looks(m, cursor)
    managed.remove(m, "other.example.org")
    apache.reload(m)


def test_confined(m):
    """The service runs as the workers' user, cannot read the store, and is kept to the loopback interface."""
    shown = m.unit(UNIT)
    assert shown["User"] == "md-acme" and shown["RestrictNetworkInterfaces"] == "lo" and managed.STORE in shown["InaccessiblePaths"], shown
    refused = m.run(["busctl", "call", managed.BUS, "/org/mdmanager1/worker", "org.mdmanager1.Worker", "ServedNext"], user="md-acme", check=False)
    assert refused.rc != 0 and "does not look at what is served" in refused.err, refused
    refused = m.run(["busctl", "call", managed.BUS, "/org/mdmanager1/worker", "org.mdmanager1.Worker", "ServedNext"], user="nobody", check=False)
    assert refused.rc != 0 and "Access denied" in refused.err, refused


def test_differs(m):
    """Another certificate at the listener is an event, kept in job, bus and mdctl, and a fault for monitoring; mended, it is seen by itself."""
    cursor = m.cursor()
    hide(m, NAME)
    apache.reload(m)
    managed.renew(m, NAME)
    told = managed.wait_event(m, NAME, "served-differs", cursor, deadline=60)
    assert f"127.0.0.1 port 443 of this machine, asked for {NAME}" in told["MESSAGE"] and told["PRIORITY"] == "3" and told["MESSAGE_ID"], told
    assert m.journal(f"MD_NAME={NAME}", "MD_EVENT=installed", after=cursor)
    shown = managed.show(m, NAME)
    assert shown["SeenUSec"] == 0 and "127.0.0.1 port 443" in shown["SeenProblem"] and shown["Served"], shown
    assert managed.job(m, NAME)["log"]["entries"][0]["type"] == "served-error"
    result = managed.mdctl(m, "check", check=False)
    assert result.rc == 1 and "127.0.0.1 port 443" in result.out, result
    assert "127.0.0.1 port 443" in managed.mdctl(m, "show", NAME).out
    # The next manager finds it again.
    again = m.cursor()
    m.run("systemctl restart md-manager")
    managed.wait_event(m, NAME, "served-differs", again)
    m.run(["rm", SIDE])
    apache.reload(m)
    m.run("mdctl check", check=False)
    wait_seen(m, NAME)
    assert managed.show(m, NAME)["SeenProblem"] == "" and managed.mdctl(m, "check").rc == 0


def test_restart(m):
    """With RestartIfNotServedSec= and polkit's consent, Apache is restarted when it goes on showing something else; without that, it is refused and told."""
    managed.settings(m, ReloadIntervalSec=1, ServedTimeoutSec=2, RestartIfNotServedSec=1)
    m.write("/etc/systemd/system/apache2.service.d/mend.conf", f"[Service]\nExecStartPre=/bin/rm -f {SIDE}\n")
    m.run("systemctl daemon-reload")
    hide(m, NAME)
    apache.reload(m)
    pid, cursor = managed.main_pid(m, "apache2.service"), m.cursor()
    managed.renew(m, NAME)
    m.wait_journal("_SYSTEMD_UNIT=md-manager.service", after=cursor, deadline=60, where=lambda e: "apache2.service could not be restarted" in e["MESSAGE"])
    assert managed.main_pid(m, "apache2.service") == pid
    m.run("ln -s /usr/share/md-manager/org.mdmanager1.restart.rules /etc/polkit-1/rules.d/ && systemctl restart polkit md-manager")
    wait_seen(m, NAME, deadline=60)
    assert managed.main_pid(m, "apache2.service") != pid
    told = m.journal("_SYSTEMD_UNIT=md-manager.service", "MD_UNIT=apache2.service", after=cursor)
    assert "Restarting apache2.service" in told[-1]["MESSAGE"], told
    # Not anything else.
    refused = m.run(["systemctl", "--no-ask-password", "restart", "ssh.service"], user="md-manager", check=False)
    assert refused.rc != 0, refused


def test_switched_off(m):
    """VerifyServed=no: nothing is looked at."""
    managed.settings(m, ReloadIntervalSec=1, VerifyServed="no")
    cursor = m.cursor()
    managed.renew(m, NAME)
    managed.wait_event(m, NAME, "installed", cursor, deadline=60)
    m.wait_for(lambda: not m.property(managed.BUS, "/org/mdmanager1", "org.mdmanager1.Manager", "ReloadPending"), 10, "the reload to be over")
    assert managed.show(m, NAME)["SeenUSec"] == 0 and not looks(m, cursor)
    assert not [e for e in m.journal("_PID=1", f"UNIT={UNIT}", after=cursor) if "Starting" in e["MESSAGE"]]
