# SPDX-License-Identifier: Apache-2.0
"""The documents: what the manual pages show is done on a real machine, as it stands there."""

import json
import re

import apache
import documents
import managed
import pebble
from host import Failure

FRESH = True
PACKAGED = True

# The one thing that the pages have and a machine without the internet cannot: their CAs.
DEFAULT_CA = f"MDCertificateAuthority {pebble.DIRECTORY}\nMDCACertificateFile {pebble.CA_FILE}\n"
TRUSTED = "/etc/md-test/roots.pem"
PATIENCE = 90


def replaced(text):
    return text.replace("MDCertificateAuthority LetsEncrypt-Test", f"MDCertificateAuthority {pebble.DIRECTORY}")


def shell(m, example, check=True):
    user = example.words[1] if example.words[:1] == ["as"] else None
    return m.run(["bash", "-e", "-o", "pipefail", "-c", example.text], user=user, check=check, timeout=120, env={"CURL_CA_BUNDLE": TRUSTED, "SYSTEMD_PAGER": ""})


def succeeds(m, example):
    return m.wait_for(lambda: shell(m, example), PATIENCE, f"this to succeed: {example}")


def is_tried(m, example):
    """Each line by itself: it may say no, but it is neither a command that is not there nor one that is used wrongly."""
    for line in example.text.splitlines():
        result = m.run(["bash", "-c", line], check=False, timeout=120, env={"SYSTEMD_PAGER": ""})
        if result.rc not in (0, 1, 3, 4) or re.search("(?i)unrecognized|invalid option|unknown (option|command|operation)|no command|usage:", result.err):
            raise Failure(f"{example}\n{result}")


def is_configuration(m, example):
    m.write("/etc/apache2/conf-enabled/zz-example.conf", replaced(example.text))
    try:
        result = apache.configtest(m)
        if result.rc != 0 or "is not managed" in result.err:
            raise Failure(f"{example}\n{result}")
    finally:
        m.run("rm /etc/apache2/conf-enabled/zz-example.conf")


def has_modes(m, example):
    for line in example.text.splitlines():
        path, mode, owner = line.split()
        found = m.run(["stat", "--format=%a %U:%G", path]).out.strip()
        if found != f"{mode} {owner}":
            raise Failure(f"{example.page}:{example.line}: {path} is {found}, not {mode} {owner}")


def prints(m, example):
    out = m.run(["bash", "-e", "-o", "pipefail", "-c", example.text]).out
    if out.split() != example.words:
        raise Failure(f"{example}\nprinted {out!r}")


def are_settings(m, example):
    """The manager starts with them, knows them all, and has them in force: what it ignores is a fault that the check tells."""
    m.write(example.words[0], example.text)
    m.run("systemctl restart md-manager")
    def is_content():
        if faults := managed.check(m):
            raise Failure(str(faults))
        return True
    m.wait_for(is_content, PATIENCE, f"the manager to be content with {example}")


def is_drop_in(m, example):
    """Stays until the machine goes. systemd complains of sections and settings that it does not know, and of values that make no sense, when it reads them."""
    unit, name = example.words[0], (example.words + [f"example-{example.line}"])[1]
    m.write(f"/etc/systemd/system/{unit}.d/{name}.conf", example.text)
    whole = unit.replace("-.service", "-example.service")
    if whole != unit:
        m.write(f"/run/systemd/system/{whole}", "[Service]\nExecStart=/bin/true\n")
    cursor = m.cursor()
    m.run("systemctl daemon-reload")
    m.run(["systemctl", "show", "--property=LoadState", whole])        # now it is read
    shown = m.run(["systemctl", "cat", whole]).out
    if example.text.strip() not in shown:
        raise Failure(f"{example}\nis no part of {whole}:\n{shown}")
    complaints = [entry["MESSAGE"] for entry in m.journal("_PID=1", after=cursor) if f"{unit}.d/{name}.conf" in entry["MESSAGE"]]
    if complaints:
        raise Failure(f"{example}\n{complaints}")


DOES = {
    "run": shell,
    "prints": prints,
    "settings": are_settings,
    "drop-in": is_drop_in,
    "until": succeeds,
    "try": is_tried,
    "file": lambda m, example: m.write(example.words[0], replaced(example.text)),
    "apache": is_configuration,
    "modes": has_modes,
    "shown": lambda m, example: None,
}


def follow(m, page):
    """Does everything that a page shows, from its beginning to its end."""
    done = 0
    for example in documents.examples(page):
        try:
            DOES[example.kind](m, example)
        except Failure as error:
            raise Failure(f"{example}\n{error}") from None
        done += example.kind != "shown"
    assert done, f"{page} has no examples that can be run"


def setup(m):
    """A CA, and a machine on which the files are installed, and nothing was done yet."""
    m.ca = pebble.Pebble(m)
    m.write(TRUSTED, m.ca.root())


def install(m):
    """What a page about a machine at work starts with: example.org is served."""
    m.run("a2enmod -q ssl md_manager && systemctl enable --now md-manager")
    m.write("/etc/apache2/conf-enabled/00-ca.conf", DEFAULT_CA)
    m.write("/etc/apache2/conf-enabled/md.conf", "MDCertificateAgreement accepted\nMDContactEmail admin@example.org\n")
    managed.add(m, "example.org")
    apache.restart(m)
    managed.wait_served(m, "example.org")


def test_getting_started(m):
    """Who follows md-manager-getting-started(7) from its first line to its last has everything that it promises."""
    m.write("/etc/apache2/conf-enabled/00-ca.conf", f"<IfModule md_module>\n{DEFAULT_CA}</IfModule>\n")
    follow(m, "md-manager-getting-started.7")
    for name in ("example.org", "www.example.org", "shop.example.org"):
        assert name in m.certificate(name).names, m.certificate(name).names
    listed = json.loads(managed.mdctl(m, "list", "--json=short").out)
    assert sorted(entry["Name"] for entry in listed) == ["blog.example.org", "example.org"], listed


def test_troubleshooting(m):
    """What md-manager-troubleshooting(7) asks for can be asked."""
    install(m)
    follow(m, "md-manager-troubleshooting.7")


def test_security(m):
    """What md-manager-security(7) says of owners, modes, sandboxes and rules is so."""
    install(m)
    follow(m, "md-manager-security.7")
