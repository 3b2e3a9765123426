# SPDX-License-Identifier: Apache-2.0
"""The module in Apache: what it refuses and says, how it reads virtual hosts, and that it can be loaded, unloaded and run in any MPM."""

import json
import re
from pathlib import Path

import apache
import managed

SUITES = ["trixie", "bookworm"]

SITE = "/etc/apache2/sites-enabled/case.conf"
LOG = "/var/log/apache2/error.log"
BASE = "base.example.org"


def setup(m):
    managed.install(m)
    managed.settings(m, ReloadIntervalSec=1)
    m.write("/etc/apache2/conf-enabled/name.conf", f"ServerName {BASE}\n")
    start_afresh(m)


def loads(m):
    return apache.errors(m).count("resuming normal operations")


def start_afresh(m):
    """A cold start with an empty log."""
    m.run(f"systemctl stop apache2; truncate --size=0 {LOG}")
    apache.restart(m)
    m.wait_for(lambda: loads(m) == 1, 10, "Apache to be up")


def reload(m):
    """Returns when Apache has read its configuration: what is wrong in the next one would otherwise end it."""
    before = loads(m)
    apache.reload(m)
    m.wait_for(lambda: loads(m) > before, 10, "Apache to have its new configuration")


def configure(m, text):
    """The one site of a test, and what the configuration test says to it: its exit status and its words on one line."""
    m.write(SITE, text)
    done = apache.configtest(m)
    return done.rc, " ".join((done.out + done.err).split())


def manual(*names, directives=""):
    """A domain that the CA never hears of."""
    return f"<MDomain {' '.join(names)}>\nMDRenewMode manual\n{directives}\n</MDomain>\n"


def snapshot(m, *names):
    """What Apache has told the manager of the domains, by name, once it has told about all of these."""
    def read():
        domains = {d["name"]: d for d in json.loads(m.read(f"{managed.STORE}/servers/apache2.json"))["managed-domains"]}
        return domains if set(names) <= set(domains) else None
    return m.wait_for(read, 10, f"Apache to tell about {', '.join(names)}")


def load(m, text, *names):
    """Loads a site with these domains, which the configuration test must like: what Apache tells of them."""
    rc, said = configure(m, text)
    assert rc == 0, said
    reload(m)
    return snapshot(m, *names)


def clear(m):
    apache.no_site(m, "case")
    reload(m)


def test_directives(m):
    """What cannot be meant is a syntax error that says what to write: consents, contacts, CAs."""
    refused = {
        "MDCertificateAgreement no": "'no' is no consent; write accepted, or leave the line out",
        "MDCertificateAgreement off": "'off' is no consent",
        "MDCertificateAgreement https://": "is no consent",
        "MDCertificateAuthority http://ca.test:14000/dir": "'http://ca.test:14000/dir' is not an https URL",
        "MDCertificateAuthority ftp://ca.test/dir": "is not an https URL",
        "MDCertificateAuthority LetsEncrypt http://ca.test/dir": "is not an https URL",
        "MDContactEmail admin": "'admin' is not an e-mail address",
        "MDContactEmail admin@": "is not an e-mail address",
        "MDContactEmail a@b@example.org": "is not an e-mail address",
        "MDContactEmail mailto:admin": "is not an e-mail address",
        "MDPrivateKeys RSA 1024": "an RSA key needs at least 2048 bits",
    }
    for line, why in refused.items():
        rc, said = configure(m, line + "\n")
        assert rc != 0 and why in said and f"line 1 of {SITE}: {line.split()[0]}: " in said, (line, said)
    for line in ("MDCertificateAgreement ACCEPTED", "MDCertificateAgreement https://ca.test/terms", "MDContactEmail mailto:admin@example.org",
                 "MDContactEmail admin@example.org", "MDCertificateAuthority LetsEncrypt https://ca.test:14000/dir"):
        rc, said = configure(m, line + "\n")
        assert rc == 0, (line, said)
    clear(m)


def test_domains(m):
    """A domain that cannot get a certificate is refused where the configuration is checked, with its place; the others go on."""
    text = ("<MDomain curve.example.org>\nMDPrivateKeys P-257\n</MDomain>\n<MDomain wild.example.org *.wild.example.org>\n</MDomain>\n"
            + manual("good.example.org", directives="MDPrivateKeys secp384r1 RSA\nMDCertificateAuthority")
            + "".join(apache.virtual_host(m, f"{name}.example.org") for name in ("curve", "wild", "good")))
    rc, said = configure(m, text)
    assert rc == 0 and f"curve.example.org ({SITE}:1) is not managed: MDPrivateKeys: OpenSSL knows no elliptic curve 'P-257'." in said, said
    assert (f"wild.example.org ({SITE}:4) is not managed: No way to prove *.wild.example.org: a wildcard needs dns-01, "
            "and dns-01 needs a program (MDChallengeDns01).") in said, said
    assert "good.example.org" not in said, said
    told = load(m, text, "good.example.org")
    assert "refused" not in told["good.example.org"] and told["curve.example.org"]["refused"].startswith("MDPrivateKeys: "), told
    # The empty list of the domain counts, not that of the server.
    assert "letsencrypt" in json.dumps(told["good.example.org"]["ca"]), told["good.example.org"]
    assert m.certificate("curve.example.org").names == ["curve.example.org"]
    clear(m)


def test_template(m):
    """Virtual hosts that come from one file, included again and again with other values, are told apart."""
    m.write("/etc/apache2/template.inc", "<VirtualHost *:${PORT}>\nServerName ${NAME}\nServerAlias www.${NAME}\nSSLEngine ${TLS}\n</VirtualHost>\n")
    kinds = {"one.example.org": True, "two.example.org": False, "three.example.org": True, "four.example.org": False}
    text = "".join(manual(name) for name in kinds)
    for name, tls in kinds.items():
        text += f"Define NAME {name}\nDefine PORT {443 if tls else 80}\nDefine TLS {'on' if tls else 'off'}\nInclude template.inc\n"
    told = load(m, text, *kinds)
    names = {name: told[name]["domains"] for name in kinds}
    assert names == {name: [name, f"www.{name}"] if tls else [name] for name, tls in kinds.items()}, names
    clear(m)


def test_catch_all(m):
    """A virtual host with TLS for all other names, with a pattern as ServerAlias, refuses no domain and adds nothing to one."""
    names = [f"{name}.example.org" for name in ("a", "b", "c")]
    text = "".join(manual(name) + apache.virtual_host(m, name) for name in names) + apache.virtual_host(m, "all.example.org", "*.example.org")
    rc, said = configure(m, text)
    assert rc == 0 and "not managed" not in said, said
    told = load(m, text, *names)
    assert all("refused" not in told[name] and told[name]["domains"] == [name] for name in names), told
    for name in names:
        assert m.certificate(name).names == [name]
    clear(m)


def test_no_server_name(m):
    """The name that a virtual host without ServerName has from the base server does not join the certificate, which is told."""
    m.write("/etc/apache2/conf-enabled/level.conf", "LogLevel md:info\n")
    text = manual("d.example.org") + apache.virtual_host(m, "d.example.org", "e.example.org").replace(
        "ServerName d.example.org\n    ServerAlias", "ServerAlias d.example.org")
    assert "ServerName" not in text, text
    rc, said = configure(m, text)
    assert rc == 0 and f"has no ServerName of its own, so {BASE} does not join the certificate" in said, said
    told = load(m, text, "d.example.org")
    assert told["d.example.org"]["domains"] == ["d.example.org", "e.example.org"], told
    # With nothing else to go by, that name finds the domain.
    text = manual(BASE) + "<VirtualHost *:443>\nSSLEngine on\n</VirtualHost>\n"
    told = load(m, text, BASE)
    assert told[BASE]["domains"] == [BASE] and m.certificate(BASE).names == [BASE], told
    m.run(["rm", "/etc/apache2/conf-enabled/level.conf"])
    clear(m)


def test_admin(m):
    """ServerAdmin is a contact only when the internet can know it; MDContactEmail of the domain comes first."""
    cases = {"webmaster@localhost": [], "[no address given]": [], "https://example.org/contact": [], "me@example.org": ["mailto:me@example.org"]}
    managed_globally = managed.GLOBAL.replace("MDContactEmail admin@example.org\n", "")
    for number, (admin, contacts) in enumerate(cases.items()):
        m.write("/etc/apache2/conf-enabled/md.conf", managed_globally + f"ServerAdmin \"{admin}\"\n")
        name = f"admin{number}.example.org"
        told = load(m, manual(name) + apache.virtual_host(m, name), name)
        assert told[name].get("contacts", []) == contacts, (admin, told[name])
    m.write("/etc/apache2/conf-enabled/md.conf", managed.GLOBAL)
    clear(m)


def test_tests_and_dumps(m):
    """apache2ctl -t, -S and -M: a test says what is wrong with domains and changes nothing, a dump says nothing of them."""
    rc, said = configure(m, "MDStoreDir /var/lib/elsewhere\n" + manual("t.example.org"))
    assert rc != 0 and f"{SITE}:1: MDStoreDir is /var/lib/elsewhere, but the store of md-manager is {managed.STORE}." in said, said
    text = "MDomain unused.example.org\n" + manual("t.example.org") + apache.virtual_host(m, "t.example.org")
    before = m.run(["ls", "-lR", "--time-style=full-iso", f"{managed.STORE}/servers", f"{managed.STORE}/fallback"]).out
    rc, said = configure(m, text)
    assert rc == 0 and said.count("is used by no virtual host") == 1 and "Syntax OK" in said, said
    dumped = m.run(["apache2ctl", "-S"])
    assert f"t.example.org ({SITE}:" in dumped.out and "unused" not in dumped.out + dumped.err, dumped
    assert "unused" not in m.run(["apache2ctl", "-t", "-D", "DUMP_VHOSTS"]).err
    assert "md_module (shared)" in m.run(["apache2ctl", "-M"]).out
    assert m.run(["ls", "-lR", "--time-style=full-iso", f"{managed.STORE}/servers", f"{managed.STORE}/fallback"]).out == before
    # A start reads the configuration twice and says it once.
    start_afresh(m)
    snapshot(m, "t.example.org")
    assert apache.errors(m).count("is used by no virtual host") == 1, apache.errors(m)
    clear(m)


def test_missing_store(m):
    """Without store a server with a managed domain on TLS does not start and says why once; one without goes on, and so does a running one."""
    load(m, manual("s.example.org") + apache.virtual_host(m, "s.example.org", port=80, ssl=False), "s.example.org")
    m.run(f"systemctl stop md-manager md-manager-store.path; mv {managed.STORE} {managed.STORE}.away")
    try:
        start_afresh(m)
        assert m.http("s.example.org")[0] == 200
        said = apache.errors(m)
        assert said.count("The store of md-manager cannot be used") == 1 and "cannot be answered: " not in said.replace("and challenges cannot be answered: ", ""), said
        rc, said = configure(m, manual("s.example.org") + apache.virtual_host(m, "s.example.org"))
        assert rc != 0 and said.count("The store of md-manager cannot be used") == 1, said
        assert apache.reload(m, check=False).rc != 0 and m.http("s.example.org")[0] == 200
    finally:
        m.run(f"rm -rf {managed.STORE}; mv {managed.STORE}.away {managed.STORE}; systemctl start md-manager-store.path md-manager")
    clear(m)


def test_children_without_rights(m):
    """A server whose user may not read what md-manager lays down says so with the remedy, in the configuration test and once at a start; the remedy works."""
    name, complaint = "rights.example.org", "user daemon may not read /var/lib/md-manager/challenges; \"usermod -aG www-data daemon\""
    text = manual(name) + apache.virtual_host(m, name) + apache.virtual_host(m, name, port=80, ssl=False)
    rc, said = configure(m, text)
    assert rc == 0 and "may not read" not in said, said
    directory, token = f"{managed.STORE}/challenges/{name}", "t" * 32
    m.run(f"install -d -m 2750 -o md-manager -g www-data {directory}")
    m.write(f"{directory}/acme-http-01.txt", f"{token}.{'A' * 43}\n", mode=0o640, owner="md-manager:www-data")
    m.run("cp -a /etc/apache2/envvars /root/envvars; sed -i -E 's/(APACHE_RUN_(USER|GROUP))=.*/\\1=daemon/' /etc/apache2/envvars")
    try:
        rc, said = configure(m, text)
        assert rc == 0 and complaint in said, said
        start_afresh(m)
        assert apache.errors(m).count(complaint) == 1 and m.http(name, f"/.well-known/acme-challenge/{token}")[0] == 404
        m.run("usermod -aG www-data daemon")
        start_afresh(m)
        assert "may not read" not in apache.errors(m) and m.http(name, f"/.well-known/acme-challenge/{token}")[0] == 200
    finally:
        m.run(f"gpasswd -d daemon www-data; cp -a /root/envvars /etc/apache2/envvars; rm -r {directory}", check=False)
        start_afresh(m)
    rc, said = configure(m, f"ChrootDir /srv\n{text}")
    assert rc == 0 and "they live below ChrootDir /srv, where the store is not" in said, said
    clear(m)


def serve(m, name):
    """A new domain from its directive to the CA's certificate, proven over http."""
    cursor = m.cursor()
    managed.add(m, name)
    apache.reload(m)
    certificate = managed.wait_served(m, name)
    managed.wait_event(m, name, "installed", cursor)
    return certificate


def test_switched_off(m):
    """a2dismod and a2enmod with reloads in between: Apache gets over it, and the certificate comes back at no cost."""
    name = "off.example.org"
    certificate = serve(m, name)
    for path in (f"/etc/apache2/sites-enabled/{name}.conf", "/etc/apache2/conf-enabled/md.conf"):
        m.write(path, f"<IfModule md_module>\n{m.read(path)}</IfModule>\n")
    pid = managed.main_pid(m, "apache2.service")
    m.ca.proxy.clear()
    for _ in range(2):
        apache.no_modules(m, "md_manager")
        apache.reload(m)
        m.wait_for(lambda: "md_manager" not in m.run(f"cat /proc/{pid}/maps").out, 10, "the module to be gone")
        assert m.http(name)[0] in (200, 404) and managed.main_pid(m, "apache2.service") == pid
        apache.modules(m, "md_manager")
        apache.reload(m)
        assert managed.wait_served(m, name).fingerprint == certificate.fingerprint
    assert managed.main_pid(m, "apache2.service") == pid and m.ca.proxy.count() == 0
    assert not re.search(r"exit signal|core dump", apache.errors(m)), apache.errors(m)
    managed.remove(m, name)
    m.write("/etc/apache2/conf-enabled/md.conf", managed.GLOBAL)
    apache.reload(m)


def test_readme(m):
    """What the README tells people to look with works, word for word."""
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    _, _, table = readme.partition("| tool | shows |\n| --- | --- |\n")
    commands = re.findall(r"`([^`]+)`", "\n".join(line.split(" | ")[0] for line in table.partition("\n\n")[0].splitlines()))
    serve(m, "example.org")
    m.wait_for(lambda: managed.timer(m, "example.org"), 10, "its timer")
    for command in commands:
        if command != "mdctl watch":        # ends with Ctrl-C
            done = m.run(f"SYSTEMD_PAGER=cat {command}")
            assert (done.out + done.err).strip() or command == "mdctl check", done
    assert len(commands) > 8, commands
    assert "md-acme" in m.run(next(c for c in commands if "systemd-escape" in c)).out
    for sentence in ("a2dismod -q md || true", "a2enmod ssl md_manager"):
        assert sentence in readme
        m.run(sentence)
    managed.remove(m, "example.org")
    apache.reload(m)


def in_mpm(m, new):
    apache.no_modules(m, f"mpm_{m.run('a2query -M').out.strip()}")
    apache.modules(m, f"mpm_{new}")
    apache.restart(m)
    assert f"mpm_{new}_module" in m.run(["apache2ctl", "-M"]).out
    serve(m, f"{new}.example.org")
    assert m.https(f"{new}.example.org", roots=m.ca.root())[0] == 200
    managed.remove(m, f"{new}.example.org")
    apache.reload(m)


def test_prefork(m):
    """The MPM of processes: a managed domain is proven and served."""
    in_mpm(m, "prefork")


def test_worker(m):
    """The MPM of threads without events: the same."""
    in_mpm(m, "worker")
    apache.no_modules(m, "mpm_worker")
    apache.modules(m, "mpm_event")
    apache.restart(m)
