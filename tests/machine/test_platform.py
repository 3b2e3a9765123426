# SPDX-License-Identifier: Apache-2.0
"""The test machine itself: what the other topics take for granted."""

import threading
import time

import apache
import pebble
from machine import Certificate, Visitor

SUITES = ["trixie", "bookworm", "testing"]
INSTALLED = False


def setup(m):
    m.ca = pebble.Pebble(m)


def test_boots(m):
    """systemd is PID 1, every unit of the distribution is well, and Apache answers."""
    assert m.run(["systemctl", "--failed", "--plain", "--no-legend"]).out == ""
    assert m.read("/proc/1/comm").strip() == "systemd"
    status, _, body = m.http("localhost")
    assert status == 200 and b"Apache2" in body, (status, body[:200])


def test_sandbox(m):
    """Units start in the sandboxes that the project's services ask for, and the sandboxes hold."""
    strict = ["-p", "DynamicUser=yes", "-p", "ProtectSystem=strict", "-p", "ProtectHome=yes", "-p", "PrivateTmp=yes",
              "-p", "PrivateDevices=yes", "-p", "PrivateUsers=yes", "-p", "PrivateNetwork=yes", "-p", "ProtectKernelTunables=yes",
              "-p", "ProtectControlGroups=yes", "-p", "ProtectProc=invisible", "-p", "ProcSubset=pid",
              "-p", "MemoryDenyWriteExecute=yes", "-p", "RestrictNamespaces=yes", "-p", "NoNewPrivileges=yes",
              "-p", "CapabilityBoundingSet=", "-p", "SystemCallFilter=@system-service", "-p", "SystemCallArchitectures=native",
              "-p", "MemoryMax=64M", "-p", "TasksMax=16", "-p", "UMask=0077"]
    said = m.run(["systemd-run", "--wait", "--pipe", "-q", *strict, "sh", "-c", "touch /usr/x; id -u; ls /proc"], check=False)
    assert said.rc == 0 and "Read-only" in said.err, said
    assert int(said.out.split()[0]) >= 61184, said
    alone = m.run(["systemd-run", "--wait", "--pipe", "-q", "-p", "PrivateNetwork=yes", "ip", "-o", "-4", "address"])
    outside = m.run(["readlink", "/proc/1/ns/net"]).out
    inside = m.run(["systemd-run", "--wait", "--pipe", "-q", "-p", "PrivateNetwork=yes", "readlink", "/proc/self/ns/net"]).out
    assert "127.0.0.1" in alone.out and inside != outside, (alone, inside, outside)
    opened = ["python3", "-c", "import socket; socket.socket(socket.AF_INET, socket.SOCK_STREAM)"]
    m.run(["systemd-run", "--wait", "--pipe", "-q", *opened])
    refused = m.run(["systemd-run", "--wait", "--pipe", "-q", "-p", "RestrictAddressFamilies=AF_UNIX", *opened], check=False)
    assert refused.rc != 0 and "not supported" in refused.err, refused


def test_timer(m):
    """A transient timer runs its unit at the time that it was given, in whole seconds of the calendar."""
    cursor = m.cursor()
    when = int(time.time()) + 2
    m.run(["systemd-run", "--on-calendar", f"@{when}", "--timer-property=AccuracySec=1us", "--unit=tick", "echo", "it-ticks"])
    assert "tick.timer" in m.run(["systemctl", "list-timers", "--all"]).out
    entry = m.wait_journal("_SYSTEMD_UNIT=tick.service", after=cursor, deadline=10, where=lambda e: e["MESSAGE"] == "it-ticks")
    late = int(entry["__REALTIME_TIMESTAMP"]) / 1e6 - when
    assert 0 <= late < 1, late


def test_journal(m):
    """What comes after a cursor is found: all of it, by fields, also the very first entry."""
    cursor = m.cursor()
    for number in (1, 2, 3):
        m.run(["logger", "--journald"], stdin=f"MESSAGE=line {number}\nMD_TEST={number % 2}\nPRIORITY=6\n")
    assert m.wait_journal("MD_TEST=1", after=cursor)["MESSAGE"] == "line 1"
    assert [e["MESSAGE"] for e in m.journal("MD_TEST=1", after=cursor)] == ["line 1", "line 3"]
    assert [e["MESSAGE"] for e in m.journal("MD_TEST=0", "MD_TEST=1", after=cursor)] == ["line 1", "line 2", "line 3"]


def test_polkit(m):
    """polkit decides about units: refused for a person without rights, allowed by a rule for one unit and one verb."""
    refused = m.run(["systemctl", "--no-ask-password", "reload", "apache2.service"], user="alice", check=False)
    assert refused.rc != 0, refused
    m.write("/etc/polkit-1/rules.d/10-test.rules", """polkit.addRule(function(action, subject) {
            if (action.id == "org.freedesktop.systemd1.manage-units" && subject.user == "alice" &&
                action.lookup("unit") == "apache2.service" && action.lookup("verb") == "reload")
                    return polkit.Result.YES;
    });\n""")
    m.wait_for(lambda: m.run(["systemctl", "--no-ask-password", "reload", "apache2.service"], user="alice"), 10,
               "polkit to know the rule")
    refused = m.run(["systemctl", "--no-ask-password", "stop", "apache2.service"], user="alice", check=False)
    assert refused.rc != 0 and m.active("apache2.service"), refused
    m.run("rm /etc/polkit-1/rules.d/10-test.rules")


def test_ca(m):
    """The CA answers under its own name and port, through the proxy that keeps both, and names resolve."""
    m.ca.proxy.clear()
    fetch = ["curl", "-sS", "--fail", "--cacert", pebble.CA_FILE]
    out = m.run([*fetch, pebble.DIRECTORY, pebble.DIRECTORY]).out
    assert '"newOrder": "https://ca.test:14000/order-plz"' in out, out
    assert m.ca.proxy.counts() == {"directory": 2}
    assert len({request.connection for request in m.ca.proxy.seen()}) == 1, "the connection was not kept"
    assert m.run(["getent", "hosts", "www.example.org"]).out.split()[0] == "127.0.0.1"


def test_faults(m):
    """The proxy answers, delays, changes and cuts as it is told, and only that often."""
    proxy = m.ca.proxy
    proxy.clear()
    fetch = ["curl", "-sS", "-i", "--cacert", pebble.CA_FILE, pebble.DIRECTORY]
    proxy.rule(kind="directory", nth=1, problem="rateLimited", status=429, headers={"Retry-After": "7"})
    proxy.rule(kind="directory", nth=2, replace={"newOrder": None, "meta": {"website": "changed"}}, add={"X-Test": "yes"})
    proxy.rule(kind="directory", nth=3, drop="after")
    proxy.rule(kind="directory", nth=4, size=2_000_000)
    held = threading.Event()
    proxy.rule(kind="directory", nth=5, hold=held)
    out = m.run(fetch).out
    assert "429" in out.splitlines()[0] and "Retry-After: 7" in out and "acme:error:rateLimited" in out, out
    out = m.run(fetch).out
    assert "newOrder" not in out and "newAccount" in out and "changed" in out and "X-Test: yes" in out, out
    assert m.run(fetch, check=False).rc != 0        # nothing came back
    assert len(m.run(fetch).out) > 2_000_000
    waiting = m.start(fetch)
    m.wait_for(lambda: proxy.count("directory") == 5, 5, "the held request")
    assert waiting.line(0.2) is None
    held.set()
    waiting.wait_line("newOrder")
    proxy.stop()
    assert m.run(fetch, check=False).rc == 7        # nobody listens
    proxy.listen()
    assert "newOrder" in m.run(fetch).out
    proxy.clear()


def test_power(m):
    """Files outlive a loss of power and a reboot, the journal too; the CA stays the same while the machine is away."""
    root = m.ca.root()
    m.run("systemd-cat -t before echo still-here; journalctl --sync; echo kept >/root/file")
    m.kill()
    m.boot()
    assert m.read("/root/file") == "kept\n"
    assert "still-here" in m.run(["journalctl", "-q", "-b", "-1", "-t", "before", "-o", "cat"]).out
    m.reboot()
    assert m.run(["systemctl", "--failed", "--plain", "--no-legend"]).out == ""
    assert m.ca.root() == root


def test_mod_md(m):
    """Debian's own mod_md gets a certificate from this CA, so what the CA does here is what a real client meets."""
    apache.modules(m, "ssl", "md")
    # Where the distribution's unit protects /etc, the module's own choice of a place for its store does not work.
    m.run(["mkdir", "-p", "/var/lib/apache2/md"])
    apache.site(m, "example.org", f"""MDStoreDir /var/lib/apache2/md
        MDomain example.org
        MDCertificateAgreement accepted
        MDContactEmail admin@example.org
        MDCertificateAuthority {pebble.DIRECTORY}
        MDCACertificateFile {pebble.CA_FILE}
        MDRetryDelay 1s
        LogLevel md:debug
        """ + apache.virtual_host(m, "example.org"))
    m.ca.proxy.clear()
    apache.restart(m)
    m.wait_for(lambda: "The Managed Domain example.org has been setup" in apache.errors(m), 20, "mod_md to have a certificate")
    apache.reload(m)
    m.wait_for(lambda: "Pebble" in m.certificate("example.org").issuer, 10, "the certificate to be served")
    with Visitor(m, "example.org") as visitor:
        apache.reload(m)
        m.wait_for(lambda: visitor.answered > 5, 10, "some visits")
    assert not visitor.wrong and visitor.answered, visitor.wrong
    status, _, body = m.https("example.org", roots=m.ca.root())
    assert (status, body) == (200, b"example.org")
    served = m.certificate("example.org")
    assert served.names == ["example.org"] and served.fingerprint == Certificate(visitor.certificates[-1][1]).fingerprint
    counts = m.ca.proxy.counts()
    assert counts["new-order"] == 1 and counts["finalize"] == 1, counts
