#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Shows md-manager at work: from MDomain in Apache's configuration to live https, and on to the next certificate.

As root, on Debian. It installs what it needs, makes a Debian system with systemd, Apache and a certificate authority of its
own, builds md-manager and installs it there, and shows what happens. Nothing of it reaches your network or stays on your machine, but
for the images and builds in $MD_TEST_CACHE or /var/cache/md-manager-tests, which make the next time a quick one."""

import argparse
import json
import os
import shutil
import sys
import textwrap
import threading
import time

import apache
import host
import image
import pebble
from build import Build
from host import Failure
from machine import Certificate, Machine

NAME = "example.org"
LIFETIME = 45           # seconds

GLOBAL = f"""MDomain {NAME}
MDCertificateAgreement accepted
MDContactEmail you@{NAME}
MDCertificateAuthority {pebble.DIRECTORY}
MDCACertificateFile {pebble.CA_FILE}
"""


class Narrator:
    """Tells a person what happens: headings, sentences, commands with their output, the journal as it comes."""

    def __init__(self):
        self.colour = sys.stdout.isatty() and os.environ.get("TERM") not in (None, "dumb")
        self.width = min(shutil.get_terminal_size((100, 25)).columns, 110)
        self.lock = threading.Lock()

    def paint(self, code, text):
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour else text

    def out(self, text=""):
        with self.lock:
            print(text, flush=True)

    def heading(self, text):
        self.out("\n" + self.paint("1", f"── {text} " + "─" * max(0, self.width - len(text) - 4)))

    def say(self, text):
        self.out(textwrap.fill(" ".join(text.split()), self.width))

    def show(self, text):
        self.out(textwrap.indent(text.rstrip(), "    "))

    def command(self, m, cmd, check=True, keep=lambda text: text):
        """Runs a command as the administrator would, with what it prints."""
        self.out(self.paint("36", f"  # {cmd}"))
        result = m.run(cmd, check=check)
        text = keep(result.out + result.err).rstrip()
        if text:
            self.show(text)
        return result

    def file(self, m, path, text):
        self.out(self.paint("36", f"  {path}"))
        self.show(text)
        m.write(path, text)


class Journal:
    """Prints the journal lines of the parts that take part, as they come."""

    SOURCES = ("md-manager", "md-acme", "md-launcher")
    UNITS = ("apache2.service", "md-renew@")

    def __init__(self, narrator, m):
        self.narrator = narrator
        self.events = []
        self.changed = threading.Condition()
        self.follower = m.start(["journalctl", "-q", "-f", "-o", "json", "--all", f"--after-cursor={m.cursor()}"])
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self):
        while not self.follower.ended():
            line = self.follower.line(1)
            if line is None:
                continue
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            self._print(entry)
            with self.changed:
                self.events.append(entry)
                self.changed.notify_all()

    def _print(self, entry):
        source = entry.get("SYSLOG_IDENTIFIER", "")
        message = entry.get("MESSAGE", "")
        ours = source in self.SOURCES
        if not ours and not (source == "systemd" and str(entry.get("UNIT", "")).startswith(self.UNITS)):
            return
        if source == "systemd" and "Deactivated" in message:
            return
        stamp = time.strftime("%H:%M:%S", time.localtime(int(entry["__REALTIME_TIMESTAMP"]) / 1e6))
        fraction = int(entry["__REALTIME_TIMESTAMP"]) // 1000 % 1000
        line = f"    {stamp}.{fraction:03} {source:<11} {message}"
        self.narrator.out(self.narrator.paint("32" if ours else "90", line))

    def wait(self, event, deadline, count=1):
        """Waits for the nth event of that kind about the domain since the beginning."""
        def there():
            return sum(e.get("MD_EVENT") == event and e.get("MD_NAME") == NAME for e in self.events) >= count
        with self.changed:
            if not self.changed.wait_for(there, deadline):
                raise Failure(f"waited {deadline} s for the event '{event}' of {NAME}")

    def count(self, event):
        with self.changed:
            return sum(e.get("MD_EVENT") == event and e.get("MD_NAME") == NAME for e in self.events)


def certificate_line(certificate):
    def clock(seconds):
        return time.strftime("%H:%M:%S", time.localtime(seconds))
    return (f"for {', '.join(certificate.names) or certificate.subject}, from {certificate.issuer}, "
            f"valid from {clock(certificate.not_before)} to {clock(certificate.not_after)}")


def handshake(n, m):
    """What openssl sees on port 443."""
    def facts(text):
        begin, end = text.find("-----BEGIN"), text.find("-----END CERTIFICATE-----")
        if begin < 0:
            return text
        certificate = Certificate(text[begin:end + 25].encode() + b"\n")
        return "\n".join(line for line in certificate.text.splitlines() if line.startswith(("subject", "issuer", "not"))
                         or "DNS:" in line)
    return n.command(m, f"openssl s_client -connect 127.0.0.1:443 -servername {NAME} </dev/null 2>/dev/null", keep=facts)


def prepare(n, suite):
    n.heading("Preparing")
    n.say(f"""What comes now happens in a machine that is made for it: Debian ({suite}) with systemd, D-Bus, polkit and Apache,
          booted in a container without a network. The first time takes some two minutes, the next one some seconds.""")
    began = time.monotonic()
    image.image(suite)
    image.pebble()
    n.say(f"The Debian image is there ({time.monotonic() - began:.0f} s).")
    began = time.monotonic()
    layer = Build(suite, "optimised").layer()
    n.say(f"md-manager is built and installed into the machine's file system ({time.monotonic() - began:.0f} s).")
    return layer


def demonstrate(n, m):
    n.say(f"The machine has booted in {m.boot_seconds:.1f} s.")
    m.ca = pebble.Pebble(m, validity=LIFETIME, proxy=False)
    n.say(f"""Beside it runs a certificate authority for tests, at {pebble.DIRECTORY}. Its certificates live only {LIFETIME} seconds, so that
          there is a renewal to be seen; real ones live for weeks.""")

    n.heading("What an administrator does once")
    n.command(m, "a2enmod -q ssl md_manager && systemctl restart apache2")
    n.command(m, "systemctl enable --now md-manager")

    n.heading("A site with a managed certificate")
    n.say("One file for Apache. MDomain says that the certificate of this name is to be looked after:")
    site = GLOBAL + "\n" + apache.virtual_host(m, NAME)
    n.file(m, f"/etc/apache2/sites-available/{NAME}.conf", site)
    journal = Journal(n, m)
    n.say("Now the reload. What follows is the journal, as it comes:")
    began = time.monotonic()
    n.command(m, f"a2ensite -q {NAME} && systemctl reload apache2")
    reloaded = time.monotonic()
    certificate = m.wait_for(lambda: _real(m), 60, "the certificate of the CA to be served")
    served = time.monotonic()
    journal.wait("installed", 60)
    n.out()
    n.say(f"""{served - reloaded:.1f} seconds after the reload ({reloaded - began:.1f} s for itself) https://{NAME} is served with the CA's certificate. Nobody reloaded Apache a
          second time: md-manager did, through systemd, with the permission that polkit gives it for this one unit.""")

    n.heading("What a visitor sees")
    handshake(n, m)
    m.write("/root/ca-root.pem", m.ca.root())
    n.command(m, f"curl -sS --cacert /root/ca-root.pem https://{NAME}/; echo")

    n.heading("What the administrator sees")
    n.command(m, "mdctl --no-pager list", check=False)
    n.command(m, f"mdctl --no-pager show {NAME}", check=False)
    # Set beside the reload, by the launcher that was started for it.
    m.wait_for(lambda: m.active(f"md-renew@{NAME}.timer"), 15, "the timer of the next renewal")
    n.command(m, "systemctl --no-pager list-timers 'md-renew@*'")

    n.heading("The next certificate comes by itself")
    done = journal.count("installed")
    remaining = certificate.not_after - time.time()
    n.say(f"""This one is good for another {remaining:.0f} s. A timer of systemd starts the renewal when a third of the life is left; nobody has to do anything.
          The journal again, as it comes:""")
    journal.wait("installed", LIFETIME + 30, count=done + 1)
    following = m.wait_for(lambda: _real(m, certificate), 30, "the new certificate to be served")
    n.out()
    n.show(f"first:  {certificate_line(certificate)}\n"
           f"now:    {certificate_line(following)}")
    journal.follower.stop()


def _real(m, other_than=None):
    certificate = m.certificate(NAME)
    same = other_than and certificate.fingerprint == other_than.fingerprint
    return certificate if "Pebble" in certificate.issuer and not same else None


def keep(n, m):
    n.heading("The machine is yours")
    n.say("It goes on until you press Enter here. From another terminal, as root:")
    n.show(f"nsenter --target {host.host_pid(m.leader)} --all su -\n")
    n.say("and there, for instance:")
    n.show(f"""mdctl watch                              what happens, as it happens
mdctl renew --force {NAME}          another certificate now
journalctl -f -u md-manager -u 'md-renew@*'
busctl introspect org.mdmanager1 /org/mdmanager1
systemctl status md-manager
ls -l /var/lib/md-manager
man mdctl""")
    try:
        if sys.stdin.isatty():
            sys.stdin.readline()
        else:
            n.say("(There is no terminal: stop me with Ctrl-C or SIGTERM.)")
            threading.Event().wait()
    except (KeyboardInterrupt, SystemExit):
        pass


def main():
    parser = argparse.ArgumentParser(prog="tests/try", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="leave the machine running at the end, and say how to enter it")
    parser.add_argument("--suite", default="trixie", choices=image.SUITES, help="Debian 12, 13 or testing (default: trixie, 13)")
    arguments = parser.parse_args()
    host.enter()
    n = Narrator()
    try:
        layer = prepare(n, arguments.suite)
        with Machine(arguments.suite, [layer]) as m:
            try:
                demonstrate(n, m)
            except Failure as error:
                n.heading("This did not go as it should")
                n.out(str(error))
                n.show(m.tail())
                if arguments.keep:
                    keep(n, m)
                return 1
            if arguments.keep:
                keep(n, m)
            else:
                n.out()
                n.say("The machine is switched off and thrown away now. To keep it and look around in it: tests/try --keep")
    except Failure as error:
        n.out(str(error))
        return 1
    return 0


if __name__ == "__main__":
    try:
        code = main()
    except KeyboardInterrupt:
        code = 130
    sys.stdout.flush()
    os._exit(code)
