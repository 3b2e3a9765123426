# SPDX-License-Identifier: Apache-2.0
"""Moving in: what Debian's mod_md, certbot and acme.sh left behind is taken over while visitors look, and no certificate is ordered anew."""

import base64
import contextlib
import json
import re
import threading
import time
from pathlib import Path

import apache
import managed
import pebble
from machine import Certificate, Visitor

LAYERS = ["certbot"]
STORE = managed.STORE
OLD = "/etc/apache2/md"
PAGE = Path(__file__).resolve().parents[2] / "man/md-manager-migration.7"


def setup(m):
    """The package is installed and its daemon runs; Apache does not have our module yet."""
    m.ca = pebble.Pebble(m)
    m.run("systemd-sysusers && systemd-tmpfiles --create && journalctl --update-catalog && systemctl daemon-reload && "
          "busctl call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus ReloadConfig && systemctl restart polkit")
    m.run("systemctl enable --now md-manager")
    apache.modules(m, "ssl")
    m.write("/etc/apache2/conf-enabled/md.conf", managed.GLOBAL, mode=0o600)


def commands(section, subsection=None):
    """What md-manager-migration(7) says to type, each example a list of lines."""
    text = PAGE.read_text(encoding="utf-8").partition(f'\n.SH "{section}"\n')[2].partition("\n.SH ")[0]
    parts = re.split(r'\n\.SS "(.*)"\n', text)
    text = parts[0] if subsection is None else dict(zip(parts[1::2], parts[2::2]))[subsection]
    examples = [block.partition("\n.EE")[0] for block in text.split("\n.EX\n")[1:]]
    if text.startswith(".EX\n"):
        examples.insert(0, text[4:].partition("\n.EE")[0])
    lines = [[line[2:].replace("\\-", "-").replace("\\e", "\\") for line in example.splitlines() if line.startswith("# ")] for example in examples]
    return [example for example in lines if example]


def type_in(m, lines):
    for line in lines:
        m.run(line)


def report(m, *words, rc=0, user=None):
    """mdctl import with JSON: the report, and the results by kind and name."""
    result = managed.mdctl(m, "import", "--json=short", *words, check=False, user=user)
    assert result.rc == rc, result
    found = json.loads(result.out)
    return found, {(item["Kind"], item["Name"]): item["Result"] for item in found["Items"]}


def fingerprint(m, path):
    return Certificate(m.read(path).encode()).fingerprint


def tree(m, path):
    """Everything about the files of a directory that is not to change."""
    return m.run(f"cd {path}/ && find . -printf '%p %m %u %g %s %T@\\n' | sort && find . -type f -exec sha256sum '{{}}' + | sort").out


@contextlib.contextmanager
def visitors(m, *names):
    """Somebody at each name all the time, who is never let down."""
    with contextlib.ExitStack() as stack:
        all_of_them = [stack.enter_context(Visitor(m, name, roots=m.ca.root())) for name in names]
        yield all_of_them
    for visitor in all_of_them:
        assert visitor.answered > 0 and not visitor.wrong, (visitor.name, visitor.wrong)


def wait_managed(m, *names):
    """The domains are complete, and their next renewals are set; nothing is wrong."""
    for name in names:
        m.wait_for(lambda n=name: managed.is_known(m, n) and managed.show(m, n)["State"] == "complete" and managed.timer(m, n), 30, f"{name} to be managed")
    assert managed.check(m) == [], managed.check(m)


def wait_left(m, *names):
    """Nobody here has anything to do with the domains any more: the store stays, and no timer of theirs is armed."""
    for name in names:
        m.wait_for(lambda n=name: not managed.is_known(m, n) and not managed.timer(m, n), 90, f"{name} to be left alone")
        assert m.exists(f"{STORE}/domains/{name}/md.json"), managed.files(m, "domains")
    [(domain, fault)] = managed.check(m)
    assert not domain and fault.startswith("No server has told about its configuration"), fault


def renew_with_old_account(m, name):
    """A renewal goes well, with the account that was there."""
    before = m.ca.proxy.count("new-account"), m.ca.proxy.count("new-order")
    cursor = m.cursor()
    managed.renew(m, name)
    managed.wait_event(m, name, "installed", cursor, deadline=60)
    assert (m.ca.proxy.count("new-account"), m.ca.proxy.count("new-order")) == (before[0], before[1] + 1), m.ca.proxy.counts()


def clear(m):
    """As it was before, but for the CA, also when a test was cut off."""
    m.run("rm -f /etc/apache2/sites-*/*.example.org.conf")
    apache.no_modules(m, "md", "md_manager")
    m.run("rm -rf /home/alice/.acme.sh /etc/apache2/md /etc/apache2/md.mod_md /etc/letsencrypt /root/.acme.sh /etc/apache2/conf-*/md-domains.conf /root/version*")
    m.write("/etc/apache2/conf-enabled/md.conf", "")
    apache.restart(m)
    managed.stop(m)
    m.run(f"cd {STORE} && rm -rf servers/* domains/* staging/* reserve/* archive/* accounts/* tmp/* outbox/* challenges/* status/*")
    m.run("systemctl start md-manager")
    m.write("/etc/apache2/conf-enabled/md.conf", managed.GLOBAL)


# --- mod_md ---


def is_finished(m, name):
    """Whether mod_md has a new set ready for its next reload: not one that it has just made live, and not removed yet."""
    path, live = f"{OLD}/staging/{name}/job.json", f"{OLD}/domains/{name}/pubcert.pem"
    if not m.exists(path) or not json.loads(m.read(path)).get("finished"):
        return False
    return not m.exists(live) or fingerprint(m, live) != fingerprint(m, f"{OLD}/staging/{name}/pubcert.pem")


def renewed_by_mod_md(m, *names):
    for name in names:
        m.wait_for(lambda n=name: is_finished(m, n), 90, f"mod_md to obtain a certificate for {name}")


def activated_by_mod_md(m, *names):
    """Has mod_md make live what it has ready."""
    renewed_by_mod_md(m, *names)
    staged = {name: fingerprint(m, f"{OLD}/staging/{name}/pubcert.pem") for name in names}
    newest = max(Certificate(m.read(f"{OLD}/staging/{name}/pubcert.pem").encode()).not_before for name in names)
    m.wait_for(lambda: time.time() >= newest + 1, 10, "the next second: which of two certificates is newer is known to the second, and the next one comes after the reload")
    apache.reload(m)
    for name in names:
        m.wait_for(lambda n=name: fingerprint(m, f"{OLD}/domains/{n}/pubcert.pem") == staged[n] and managed.is_real(m, n), 30, f"mod_md to serve {name}")


def test_mod_md(m):
    """Debian's mod_md, with protected keys, an archive and a staged set: taken over under visitors; all requests succeed, the CA hears nothing, and the way back works."""
    plain, both, more = "plain.example.org", "both.example.org", "more.example.org"
    clear(m)
    apache.modules(m, "md")
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

    found, results = report(m, "--dry-run", OLD)
    expected = {("account", f"accounts/{account}"): "taken", ("certificate", f"domains/{plain}"): "taken", ("certificate", f"domains/{both}"): "taken",
                ("certificate", f"domains/{more}"): "taken", ("certificate", f"staging/{more}"): "taken", ("archived", f"archive/{more}.2"): "taken"}
    assert results == expected and found["Format"] == "mod_md" and found["DryRun"], results
    assert "challenges" in [entry["Path"] for entry in found["LeftOut"]]
    assert managed.files(m, "domains") == managed.files(m, "accounts") == managed.files(m, "archive") == []
    assert OLD in managed.mdctl(m, "import").out

    take, _, swap, look = commands("FROM mod_md")
    with visitors(m, plain, both, more):
        type_in(m, take)
        assert tree(m, OLD) == before
        _, again = report(m, OLD, rc=3)
        assert set(again.values()) == {"present"}, again
        type_in(m, swap)
        wait_managed(m, plain, both, more)
        type_in(m, look)
        assert m.certificate(plain).fingerprint == served[plain] and m.certificate(both).fingerprint == served[both]
        m.wait_for(lambda: m.certificate(more).fingerprint == staged, 20, "mod_md's children to have gone")
        assert m.ca.proxy.count() == 0, m.ca.proxy.counts()
    renew_with_old_account(m, plain)
    archived = json.loads(managed.mdctl(m, "archive", "--json=short", more).out)
    assert len(archived) == 2, archived        # the one that mod_md had there, and the one that was live when another was staged

    back, = commands("FROM mod_md", "And back")
    with visitors(m, both):
        type_in(m, back)
        m.wait_for(lambda: m.certificate(plain).fingerprint == served[plain], 20, "mod_md to serve what it has")


def test_in_place(m):
    """MDStoreDir stays in the configuration, and the new store takes the old one's place; an old one that was not taken over is told by configtest."""
    name = "place.example.org"
    clear(m)
    apache.modules(m, "md")
    m.write("/etc/apache2/conf-enabled/md.conf", managed.GLOBAL + "MDStoreDir md\n")
    managed.add(m, name)
    apache.restart(m)
    activated_by_mod_md(m, name)
    served = m.certificate(name).fingerprint
    apache.no_modules(m, "md")
    apache.modules(m, "md_manager")
    refused = apache.configtest(m)
    assert refused.rc != 0 and f"mdctl import {OLD}" in refused.err, refused
    m.write("/etc/apache2/conf-enabled/md.conf", managed.GLOBAL)
    told = apache.configtest(m)
    assert told.rc == 0 and f"1 of the managed domains ({name})" in told.err and "new certificates will be ordered" in told.err, told
    m.write("/etc/apache2/conf-enabled/md.conf", managed.GLOBAL + "MDStoreDir md\n")
    m.ca.proxy.clear()
    take, place, swap, _ = commands("FROM mod_md")
    with visitors(m, name):
        for lines in (take, place, swap):
            type_in(m, lines)
        wait_managed(m, name)
        assert m.certificate(name).fingerprint == served and m.ca.proxy.count() == 0
        assert "will be ordered" not in apache.configtest(m).err
        assert Certificate(m.run(["cat", f"{OLD}/domains/{name}/pubcert.pem"]).out.encode()).fingerprint == served


def test_old_versions(m):
    """Stores of versions 1 and 2, made from a real one as mod_md's upgrade has it: the same is taken over."""
    name = "old.example.org"
    clear(m)
    apache.modules(m, "md")
    managed.add(m, name)
    apache.restart(m)
    activated_by_mod_md(m, name)
    served = m.certificate(name).fingerprint
    for version, what in ((2, {"version": "0.8.0-git", "store": {"version": 2.0}}), (1, {"version": "0.6.1-git"})):
        where = f"/root/version{version}"
        m.run(f"rm -rf {where} && cp -a {OLD} {where}")
        store = {"key": json.loads(m.read(f"{OLD}/md_store.json"))["key"], **what}
        m.write(f"{where}/md_store.json", json.dumps(store), mode=0o600)
        if version == 1:
            m.run(f"cd {where}/domains/{name} && mv privkey.pem pkey.pem && "
                  "awk '/BEGIN/ { n++ } { print > (n > 1 ? \"chain.pem\" : \"cert.pem\") }' pubcert.pem && rm pubcert.pem && ls chain.pem cert.pem")
        m.run(f"rm -rf {STORE}/domains/* {STORE}/accounts/*; systemctl restart md-manager")
        _, results = report(m, where)
        assert results["certificate", f"domains/{name}"] == "taken" and [r for (kind, _), r in results.items() if kind == "account"] == ["taken"], results
        assert fingerprint(m, f"{STORE}/domains/{name}/pubcert.pem") == served
        assert m.run(f"stat -c '%U %a' {STORE}/domains/{name}/privkey.pem").out.split() == ["md-manager", "600"]


# --- certbot ---


def static_site(m, name, *aliases, cert, key):
    """A site with files of somebody's, as a2ensite has it."""
    lines = f"SSLCertificateFile {cert}\nSSLCertificateKeyFile {key}\n"
    m.write(f"/etc/apache2/sites-available/{name}.conf",
            apache.virtual_host(m, name, *aliases, more=lines) + apache.virtual_host(m, name, *aliases, port=80, ssl=False))
    m.run(["a2ensite", "-q", name])


def web_site(m, name, *aliases):
    """Only port 80, for whoever proves the name with files."""
    m.write(f"/etc/apache2/sites-available/{name}.conf", apache.virtual_host(m, name, *aliases, port=80, ssl=False))
    m.run(["a2ensite", "-q", name])


CERTBOT_ENVIRONMENT = {"REQUESTS_CA_BUNDLE": pebble.CA_FILE}


def certbot(m, *words):
    m.run(["certbot", "certonly", "-n", "--agree-tos", "--email", "admin@example.org", "--server", pebble.DIRECTORY, "--webroot", *words],
          env=CERTBOT_ENVIRONMENT, timeout=120)


def configuration(found):
    """The proposal as it is printed."""
    return "".join(line + "\n" for item in found["Items"] for line in item.get("Configuration", []))


def switch(m, found, section):
    """From the proposal on, as the page has it: what comes behind taking over."""
    m.write("/etc/apache2/conf-available/md-domains.conf", managed.GLOBAL + configuration(found))
    for lines in commands(section)[1:]:
        type_in(m, lines)


def test_certbot(m):
    """Debian's certbot, RSA and EC, several names: account and certificates are taken over, its proposal is Apache's configuration, the way back works, and no request fails."""
    ec, rsa = "shop.example.org", "mail.example.org"
    clear(m)
    m.write("/etc/apache2/conf-enabled/md.conf", "")
    web_site(m, ec, f"www.{ec}")
    web_site(m, rsa)
    apache.restart(m)
    certbot(m, "--key-type", "ecdsa", "-w", f"/var/www/{ec}", "-d", ec, "-d", f"www.{ec}")
    certbot(m, "--key-type", "rsa", "-w", f"/var/www/{rsa}", "-d", rsa)
    for name, aliases in ((ec, [f"www.{ec}"]), (rsa, [])):
        static_site(m, name, *aliases, cert=f"/etc/letsencrypt/live/{name}/fullchain.pem", key=f"/etc/letsencrypt/live/{name}/privkey.pem")
    m.write("/etc/letsencrypt/renewal-hooks/deploy/copy", "#!/bin/sh\n", mode=0o755)
    apache.reload(m)
    served = {name: managed.wait_served(m, name).fingerprint for name in (ec, rsa)}
    before = tree(m, "/etc/letsencrypt")
    m.ca.proxy.clear()

    with visitors(m, ec, f"www.{ec}", rsa):
        found, results = report(m, "--dry-run", "/etc/letsencrypt")
        assert sorted(results.values()) == ["taken"] * 3 and ("certificate", f"live/{ec}") in results, results
        assert "renewal-hooks/deploy/copy" in [entry["Path"] for entry in found["LeftOut"]], found["LeftOut"]
        type_in(m, commands("FROM certbot")[0])
        assert tree(m, "/etc/letsencrypt") == before
        text = configuration(found)
        assert f"<MDomain {ec} www.{ec}>" in text and "MDPrivateKeys secp256r1" in text and f"<MDomain {rsa}>" in text, text
        switch(m, found, "FROM certbot")
        wait_managed(m, ec, rsa)
        assert {name: m.certificate(name).fingerprint for name in (ec, rsa)} == served
        assert m.ca.proxy.count() == 0, m.ca.proxy.counts()
    assert "live" not in m.read(f"/etc/apache2/sites-available/{ec}.conf")
    renew_with_old_account(m, ec)

    back, = commands("FROM certbot", "And back")
    with visitors(m, ec, f"www.{ec}", rsa):
        type_in(m, back)
        m.wait_for(lambda: {name: m.certificate(name).fingerprint for name in (ec, rsa)} == served, 20, "what certbot has to be served")
        wait_left(m, ec, rsa)
        assert tree(m, "/etc/letsencrypt") == before and m.run("systemctl is-enabled certbot.timer").out == "enabled\n"
        m.ca.proxy.clear()
        m.run("certbot renew -n --force-renewal --no-random-sleep-on-renew", env=CERTBOT_ENVIRONMENT, timeout=120)
        assert (m.ca.proxy.count("new-account"), m.ca.proxy.count("new-order")) == (0, 2), m.ca.proxy.counts()
        apache.reload(m)
        m.wait_for(lambda: all(m.certificate(name).fingerprint == fingerprint(m, f"/etc/letsencrypt/live/{name}/fullchain.pem") != served[name] for name in (ec, rsa)), 20,
                   "certbot's new certificates")


# --- acme.sh ---


def encoded(text):
    return f"__ACME_BASE64__START_{base64.b64encode(text.encode()).decode()}__ACME_BASE64__END_"


def make_acme_sh(m, name, alias):
    """acme.sh's directory as it makes it, for an account and a certificate that the CA knows: those of a domain of ours."""
    home = "/root/.acme.sh"
    account, = managed.files(m, "accounts")
    url = json.loads(m.read(f"{STORE}/accounts/{account}/account.json"))["url"]
    domain = f"{STORE}/domains/{name}"
    m.run(f"mkdir -p {home}/ca/ca.test/dir {home}/{name}_ecc {home}/dnsapi && "
          f"openssl ec -in {STORE}/accounts/{account}/account.pem -out {home}/ca/ca.test/dir/account.key && "
          f"openssl ec -in {domain}/privkey.secp256r1.pem -out {home}/{name}_ecc/{name}.key && cp {domain}/pubcert.secp256r1.pem {home}/{name}_ecc/fullchain.cer && "
          f"openssl x509 -in {domain}/pubcert.secp256r1.pem -out {home}/{name}_ecc/{name}.cer")
    m.write(f"{home}/account.conf", "\nLOG_FILE='/root/.acme.sh/acme.sh.log'\nUSER_PATH='/usr/bin:/bin'\nSAVED_CF_Token='secret'\n", mode=0o600)
    m.write(f"{home}/ca/ca.test/dir/ca.conf", f"ACCOUNT_URL='{url}'\nCA_KEY_HASH='3d+K9='\nCA_EMAIL='admin@example.org'\n", mode=0o600)
    m.write(f"{home}/ca/ca.test/dir/account.json", json.dumps({"status": "valid", "contact": ["mailto:admin@example.org"], "orders": url + "/orders"}), mode=0o600)
    m.write(f"{home}/{name}_ecc/{name}.conf",
            f"Le_Domain='{name}'\nLe_Alt='{alias}'\nLe_Webroot='/var/www/{name}'\nLe_PreHook=''\nLe_PostHook=''\nLe_RenewHook=''\nLe_API='{pebble.DIRECTORY}'\n"
            f"Le_Keylength='ec-256'\nLe_OrderFinalize='https://ca.test:14000/finalize-order/x'\nLe_CertCreateTime='1790000000'\nLe_NextRenewTime='1795000000'\n"
            f"Le_RealKeyPath='/etc/ssl/acme/key.pem'\nLe_ReloadCmd='{encoded('systemctl reload apache2')}'\nLe_RealFullChainPath='/etc/ssl/acme/fullchain.pem'\n", mode=0o600)
    m.run(f"mkdir -p /etc/ssl/acme && cp {home}/{name}_ecc/fullchain.cer /etc/ssl/acme/fullchain.pem && cp {home}/{name}_ecc/{name}.key /etc/ssl/acme/key.pem")


def test_acme_sh(m):
    """acme.sh's directory: account and certificate are taken over, the CA's port is found, the way back works, and no request fails."""
    name, alias = "blog.example.org", "www.blog.example.org"
    clear(m)
    apache.modules(m, "md_manager")
    managed.add(m, name, alias, directives="MDPrivateKeys secp256r1")
    apache.restart(m)
    served = managed.wait_served(m, name, deadline=60).fingerprint
    make_acme_sh(m, name, alias)
    m.run("mv /root/.acme.sh /root/acme-home")
    clear(m)
    m.run("mv /root/acme-home /root/.acme.sh")
    m.write("/etc/apache2/conf-enabled/md.conf", "")
    static_site(m, name, alias, cert="/etc/ssl/acme/fullchain.pem", key="/etc/ssl/acme/key.pem")
    apache.restart(m)
    assert m.certificate(name).fingerprint == served and managed.files(m, "domains") == []
    before = tree(m, "/root/.acme.sh")
    m.ca.proxy.clear()
    with visitors(m, name, alias):
        found, results = report(m, "--dry-run", "/root/.acme.sh")
        assert results == {("account", "ca/ca.test/dir"): "taken", ("certificate", f"{name}_ecc"): "taken"}, results
        assert "secret" not in json.dumps(found)
        type_in(m, commands("FROM acme.sh")[0])
        assert tree(m, "/root/.acme.sh") == before
        m.run(f"sed -i.acme.sh /SSLCertificate/d /etc/apache2/sites-available/{name}.conf")
        switch(m, found, "FROM acme.sh")
        wait_managed(m, name)
        assert m.certificate(name).fingerprint == served and m.ca.proxy.count() == 0, m.ca.proxy.counts()
    assert "systemctl reload apache2" in configuration(found), configuration(found)
    renew_with_old_account(m, name)

    back, = commands("FROM acme.sh", "And back")
    with visitors(m, name, alias):
        m.run(f"mv /etc/apache2/sites-available/{name}.conf.acme.sh /etc/apache2/sites-available/{name}.conf")
        type_in(m, back)
        m.wait_for(lambda: m.certificate(name).fingerprint == served, 20, "what acme.sh installed to be served")
        assert tree(m, "/root/.acme.sh") == before


# --- What nobody would leave behind ---


def test_hostile(m):
    """Directories of others, with links that lead out, pipes, devices and files without end: nothing else is read, nothing waits, and what is good is taken all the same."""
    clear(m)
    m.run("rm -rf /home/alice/.acme.sh; mkdir -p /home/alice/.acme.sh && cd /home/alice/.acme.sh && touch account.conf && "
          "openssl req -x509 -newkey rsa:2048 -nodes -keyout good.key -out good.cer -days 30 -subj /CN=good.example.org -addext subjectAltName=DNS:good.example.org "
          "-addext basicConstraints=critical,CA:FALSE && "
          "for n in good link pipe zero huge other deep; do mkdir $n.example.org && touch $n.example.org/$n.example.org.conf && "
          "cp good.cer $n.example.org/fullchain.cer && cp good.key $n.example.org/$n.example.org.key; done && "
          "ln -sf /etc/shadow link.example.org/link.example.org.key && rm pipe.example.org/fullchain.cer && mkfifo pipe.example.org/fullchain.cer && "
          "ln -sf /dev/zero zero.example.org/fullchain.cer && truncate -s 3G huge.example.org/fullchain.cer && "
          "openssl genrsa -out other.example.org/other.example.org.key 2048 && ln -s / deep.example.org/root && ln -s ../../../../etc outside && "
          "mkdir -p \"$(printf 'x\\033[2J')\" && touch \"$(printf 'x\\033[2J/x\\033[2J.conf')\" && mkdir -p ca/x && ln -s ../../.. ca/x/y && chown -R alice: /home/alice")
    found, results = report(m, "/home/alice/.acme.sh", rc=1)
    text = json.dumps(found)
    assert (results["certificate", "deep.example.org"], results["certificate", "good.example.org"]) == ("taken", "present"), results     # it is the same one
    for name in ("link", "other", "pipe", "zero", "huge"):
        assert results["certificate", f"{name}.example.org"] in ("refused", "left-out"), results
    left = {entry["Path"]: entry["Reason"] for entry in found["LeftOut"]}
    assert "leads out" in left["link.example.org/link.example.org.key"] and "leads out" in left["zero.example.org/fullchain.cer"], left
    assert "regular" in left["pipe.example.org/fullchain.cer"] and "larger" in left["huge.example.org/fullchain.cer"], left
    assert "root:" not in text and "\\u001b" not in text, text
    assert "good.example.org" in managed.files(m, "domains") and managed.files(m, "staging") == []
    # Somebody without rights neither takes something over nor finds anything out.
    refused = managed.mdctl(m, "--no-ask-password", "import", "/home/alice/.acme.sh", check=False, user="alice")
    assert refused.rc == 4, refused
    assert managed.mdctl(m, "import", "/etc/apache2/mods-available", check=False).rc == 1
    assert managed.mdctl(m, "import", "/nowhere", check=False).rc == 1


def self_signed(m, name, days, key="rsa:2048"):
    """A certbot's directory with a certificate of nobody's, valid for so many days: its fingerprint."""
    live = f"/etc/letsencrypt/live/{name}"
    m.run(f"mkdir -p {live} && openssl req -x509 -newkey {key} -nodes -keyout {live}/privkey.pem -out {live}/fullchain.pem -days {days} -subj /CN={name} "
          f"-addext subjectAltName=DNS:{name} -addext basicConstraints=critical,CA:FALSE")
    return fingerprint(m, f"{live}/fullchain.pem")


def remarks(found):
    return " ".join(text for item in found["Items"] for text in item["Remarks"])


def test_into_configured(m):
    """A domain that is configured already: what is taken over is served after a reload, what it replaces can be put back, and nothing older or unfit comes in."""
    name = "config.example.org"
    clear(m)
    apache.modules(m, "md_manager")
    managed.settings(m, ReloadIntervalSec=1)
    managed.add(m, name, directives="MDRenewMode manual")
    apache.restart(m)
    m.wait_for(lambda: managed.is_known(m, name), 20, f"{name} to be known")
    first = self_signed(m, name, 30)
    old = f"/root/version-{name}"
    m.run(f"cp -a /etc/letsencrypt {old}")
    cursor = m.cursor()
    found, _ = report(m, "/etc/letsencrypt")
    assert configuration(found) == "" and found["Items"][0]["Target"] == name, found
    managed.wait_event(m, name, "installed", cursor)
    m.wait_for(lambda: m.certificate(name).fingerprint == first, 20, "it to be served")

    second = self_signed(m, name, 60)
    cursor = m.cursor()
    found, _ = report(m, "--dry-run", "/etc/letsencrypt")
    assert "goes to the archive" in remarks(found), found
    report(m, "/etc/letsencrypt")
    managed.wait_event(m, name, "installed", cursor)
    m.wait_for(lambda: m.certificate(name).fingerprint == second, 20, "the newer one to be served")
    found, _ = report(m, old, rc=3)
    assert "is newer, and stays" in remarks(found) and m.certificate(name).fingerprint == second, found
    self_signed(m, name, 90, key="ec -pkeyopt ec_paramgen_curve:P-256")
    found, _ = report(m, "/etc/letsencrypt", rc=1)
    assert "MDPrivateKeys" in remarks(found), found
    managed.mdctl(m, "rollback", name)
    m.wait_for(lambda: m.certificate(name).fingerprint == first, 20, "the first one to be back")


def test_while_renewed(m):
    """A domain that is being renewed at this moment is told, and not touched; afterwards what is there is newer."""
    name = "renewed.example.org"
    clear(m)
    apache.modules(m, "md_manager")
    m.ca.proxy.clear()
    go = threading.Event()
    m.ca.proxy.rule(kind="new-order", hold=go)
    managed.add(m, name)
    apache.restart(m)
    m.wait_for(lambda: m.ca.proxy.count("new-account") > 0 and managed.show(m, name)["Job"] != "/", 60, "the renewal to be at the CA")
    self_signed(m, name, 30)
    try:
        found, _ = report(m, "/etc/letsencrypt", rc=1)
        assert "being renewed" in remarks(found), found
    finally:
        go.set()
    managed.wait_served(m, name, deadline=60)
    _, results = report(m, "/etc/letsencrypt", rc=3)
    assert set(results.values()) == {"present"}, results
