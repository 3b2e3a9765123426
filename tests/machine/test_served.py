# SPDX-License-Identifier: Apache-2.0
"""That new certificates are really seen at Apache's listeners after a reload, and what becomes of it when they are not."""

import json

import apache
import managed

NAME = "seen.example.org"
UNIT = "md-served.service"
SELF = "SYSLOG_IDENTIFIER=md-served"     # journald may read its last words when it is gone, and know its unit no more
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
    return [e["MESSAGE"] for e in m.journal(SELF, after=after) if e["MESSAGE"].startswith("Looked at ")]


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
    m.wait_journal(SELF, after=cursor, where=lambda e: e["MESSAGE"] == "Looked at 4 certificates that servers show; 0 were not the expected ones.")
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
    m.wait_journal(SELF, after=cursor, where=lambda e: e["MESSAGE"].startswith("Looked at "))
    assert looks(m, cursor) == ["Looked at 1 certificate that servers show; 0 were not the expected ones."], looks(m, cursor)
    managed.remove(m, "other.example.org")
    apache.reload(m)


def test_by_hand(m):
    """A worker that brings no answers is followed by pauses; one that somebody starts by hand does what is due, and is not started once more for it, however long polkit takes."""
    broken = f"/run/systemd/system/{UNIT}.d/broken.conf"
    m.write(broken, f"[Service]\nExecStart=\nExecStart=busctl call {managed.BUS} /org/mdmanager1/worker org.mdmanager1.Worker Open\n")
    m.run("systemctl daemon-reload")
    before = managed.show(m, NAME)["SeenUSec"]
    cursor = m.cursor()
    managed.renew(m, NAME)
    told = []
    m.wait_journal("_SYSTEMD_UNIT=md-manager.service", after=cursor, deadline=60,
                   where=lambda e: f"{UNIT} did not do its work: it went without answers" in e["MESSAGE"] and (told.append(e) or len(told) == 3))
    # The manager does not start it for eight seconds now.
    cursor = m.cursor()
    polkit = managed.main_pid(m, "polkit.service")
    m.run(f"rm {broken}; systemctl daemon-reload; kill -STOP {polkit}; systemctl start {UNIT}; code=$?; kill -CONT {polkit}; exit $code")
    m.wait_for(lambda: managed.show(m, NAME)["SeenUSec"] > before, 30, "the new one to be seen")
    m.run("pkcheck --action-id org.freedesktop.systemd1.manage-units --process $$")     # what was asked of it before is answered
    m.wait_for(lambda: not m.active(UNIT), 10, f"the end of {UNIT}")
    assert len(looks(m, cursor)) == 1, looks(m, cursor)
    assert len([e for e in m.journal("_PID=1", f"UNIT={UNIT}", after=cursor) if e["MESSAGE"].startswith("Starting ")]) == 1


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


def endpoints(m, name):
    snapshot = json.loads(m.read(f"{managed.STORE}/servers/apache2.json"))
    return next((sorted(d.get("endpoints", [])) for d in snapshot["managed-domains"] if d["name"] == name), None)


def test_wildcard_alias(m):
    """ServerAlias with a wildcard is looked at by the names of the domain that it matches, and by one that is made up where the certificate is for all of them."""
    first, star = "wild.example.org", "star.example.org"
    apache.site(m, first, f"MDomain {first} a.{first} b.{first}\n" + apache.virtual_host(m, f"b.{first}", port=443, more=f"ServerAlias *.{first} {first}")
                + apache.virtual_host(m, first, f"*.{first}", port=80, ssl=False))
    apache.site(m, star, f"<MDomain {star} *.{star}>\nMDRenewMode manual\n</MDomain>\n" + apache.virtual_host(m, star, more=f"ServerAlias *.{star} x?.{star}"))
    cursor = m.cursor()
    apache.reload(m)
    managed.wait_event(m, first, "installed", cursor, deadline=60)
    wait_seen(m, first)
    assert endpoints(m, first) == [f"*:443 a.{first}", f"*:443 b.{first}", f"*:443 {first}"], endpoints(m, first)
    assert endpoints(m, star) == [f"*:443 md-served.{star}", f"*:443 {star}"], endpoints(m, star)
    managed.remove(m, first)
    managed.remove(m, star)
    apache.reload(m)


def test_shadowed(m):
    """A virtual host that never gets a name of its domain, because an earlier one at the same address has it, is told by configtest and start, and not looked at by it."""
    hosts = {"exact": "a.hidden.example.org", "pattern": "b.hidden.example.org"}
    ignored = "MDIgnoreHost on\nSSLCertificateFile /etc/ssl/side.pem\nSSLCertificateKeyFile /etc/ssl/side.key"
    apache.site(m, "00-first", apache.virtual_host(m, hosts["exact"], "else.example.org", more=ignored)
                + apache.virtual_host(m, "www.else.example.org", more=f"{ignored}\nServerAlias ?.hidden.example.org"))
    apache.site(m, "10-later", "".join(f"<MDomain {name}>\nMDRenewMode manual\n</MDomain>\n" + apache.virtual_host(m, name) for name in hosts.values()))
    said = apache.configtest(m)
    assert said.rc == 0, said
    for name, first in ((hosts["exact"], hosts["exact"]), (hosts["pattern"], "www.else.example.org")):
        [line] = [line for line in said.err.splitlines() if f"is never asked for {name} at *:443" in line]
        assert f"the virtual host {name} (/etc/apache2/sites-enabled/10-later.conf:" in line, line
        assert f"the virtual host {first} (/etc/apache2/sites-enabled/00-first.conf:" in line and "comes first" in line, line
    apache.reload(m)
    m.wait_for(lambda: "is never asked for" in apache.errors(m), 10, "the warning at the reload")
    m.wait_for(lambda: [endpoints(m, name) for name in hosts.values()] == [[], []], 10, "the snapshot without them")
    for site in ("00-first", "10-later"):
        apache.no_site(m, site)
    assert "is never asked for" not in apache.configtest(m).err
    apache.reload(m)


def test_unnamed(m):
    """A virtual host without ServerName is looked at by the server's, which httpd lends it; where it hides another virtual host of that name, this is told."""
    name, site = "lent.example.org", "05-unnamed"
    unnamed = apache.virtual_host(m, name, more=f"ServerAlias www.{name}").replace(f"ServerName {name}\n", "")
    assert "ServerName" not in unnamed, unnamed
    apache.site(m, site, f"ServerName {name}\nMDomain {name}\n" + unnamed)
    cursor = m.cursor()
    apache.reload(m)
    managed.wait_event(m, name, "installed", cursor, deadline=60)
    assert endpoints(m, name) == [f"*:443 {name}", f"*:443 www.{name}"], endpoints(m, name)
    wait_seen(m, name)
    # Somebody else's that comes first, and the one that has the name.
    ignored = "MDIgnoreHost on\nSSLCertificateFile /etc/ssl/side.pem\nSSLCertificateKeyFile /etc/ssl/side.key"
    apache.site(m, site, f"ServerName {name}\nMDomain {name}\n" + apache.virtual_host(m, name, more=ignored).replace(f"ServerName {name}\n", "") + apache.virtual_host(m, name))
    [line] = [line for line in apache.configtest(m).err.splitlines() if f"is never asked for {name} at *:443" in line]
    assert "which has no ServerName and so goes by that of the server" in line and f"{site}.conf:3" in line, line
    apache.no_site(m, site)
    apache.reload(m)


def test_switched_off(m):
    """VerifyServed=no: nothing is looked at."""
    managed.settings(m, ReloadIntervalSec=1, VerifyServed="no")
    cursor = m.cursor()
    managed.renew(m, NAME)
    managed.wait_event(m, NAME, "installed", cursor, deadline=60)
    m.wait_for(lambda: not m.property(managed.BUS, "/org/mdmanager1", "org.mdmanager1.Manager", "ReloadPending"), 10, "the reload to be over")
    assert managed.show(m, NAME)["SeenUSec"] == 0 and not looks(m, cursor)
    assert not [e for e in m.journal("_PID=1", f"UNIT={UNIT}", after=cursor) if "Starting" in e["MESSAGE"]]


def test_base_server(m):
    """With MDBaseServer the server outside of virtual hosts is looked at by each name of its domain, at ports where no virtual host is."""
    name = "outside.example.org"
    managed.settings(m, ReloadIntervalSec=1, ServedTimeoutSec=3)
    managed.remove(m, NAME)
    m.run("rm /etc/apache2/sites-enabled/000-default.conf")     # it would speak TLS at port 80
    apache.site(m, name, f"MDBaseServer on\nMDomain {name} www.{name}\nListen 4430 https\nServerName {name}\nSSLEngine on\n"
                + apache.virtual_host(m, "plain." + name, port=80, ssl=False, more="SSLEngine off"))
    cursor = m.cursor()
    apache.restart(m)
    managed.wait_event(m, name, "installed", cursor, deadline=60)
    assert [e for e in endpoints(m, name) if ":443 " not in e] == [f"*:4430 {name}", f"*:4430 www.{name}"], endpoints(m, name)
    wait_seen(m, name)
