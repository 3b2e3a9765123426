# SPDX-License-Identifier: Apache-2.0
"""Our programs in the machine, as an administrator sets them up: what every topic about renewals starts with."""

import json
import time

import apache
import packages
import pebble
from host import Failure

STORE = "/var/lib/md-manager"
BUS = "org.mdmanager1"

GLOBAL = f"""MDCertificateAgreement accepted
MDContactEmail admin@example.org
MDCertificateAuthority {pebble.DIRECTORY}
MDCACertificateFile {pebble.CA_FILE}
MDRetryDelay 2s
"""


def install(m, **ca):
    """What the README says to do when the files are there; packages have done their part of it. Makes the CA 'm.ca'."""
    m.ca = pebble.Pebble(m, **ca)
    packaged = packages.are_installed(m)
    if not packaged:
        m.run("systemd-sysusers && systemd-tmpfiles --create && journalctl --update-catalog && systemctl daemon-reload && "
              "busctl call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus ReloadConfig")
        m.run("systemctl restart polkit")
    apache.modules(m, "ssl", "md_manager")
    m.write("/etc/apache2/conf-enabled/md.conf", GLOBAL)
    m.write("/etc/md-manager/md-manager.conf.d/00-tests.conf", "[Manager]\nCertificatesPerWeek=0\n")   # tests have new ones made all the time
    m.run("systemctl restart md-manager" if packaged else "systemctl enable --now md-manager")
    apache.restart(m)


def add(m, name, *aliases, more="", directives=""):
    """A managed domain with its two virtual hosts; known to Apache after the next reload."""
    apache.site(m, name, f"<MDomain {' '.join([name, *aliases])}>\n{directives}\n</MDomain>\n"
                + apache.virtual_host(m, name, *aliases, more=more)
                + apache.virtual_host(m, name, *aliases, port=80, ssl=False))


def remove(m, name):
    apache.no_site(m, name)


def mdctl(m, *words, check=True, user=None):
    return m.run(["mdctl", "--no-pager", *words], check=check, user=user)


def call(m, path, interface, method, *arguments, check=True):
    """A method of ours, called as root: what it returns, as a list. Without 'check': the result of busctl, which may have failed."""
    result = m.run(["busctl", "--json=short", "call", BUS, path, interface, method, *arguments], check=check)
    return (json.loads(result.out)["data"] if result.out.strip() else []) if check else result


def path_of(m, name):
    """A domain's object path."""
    return call(m, "/org/mdmanager1", "org.mdmanager1.Manager", "GetDomain", "s", name)[0]


def show(m, name):
    """A domain's properties, from the bus."""
    found = call(m, path_of(m, name), "org.freedesktop.DBus.Properties", "GetAll", "s", "org.mdmanager1.Domain")
    return {key: value["data"] for key, value in found[0].items()}


def is_known(m, name):
    """Whether the manager has a domain of this name."""
    result = call(m, "/org/mdmanager1", "org.mdmanager1.Manager", "GetDomain", "s", name, check=False)
    if result.rc != 0 and "NoSuchDomain" not in result.err and "No managed domain" not in result.err:
        raise Failure(str(result))
    return result.rc == 0


def renew(m, name, force=True, check=True):
    """Asks for a renewal: the job's object path."""
    done = call(m, "/org/mdmanager1", "org.mdmanager1.Manager", "Renew", "sb", name, "true" if force else "false", check=check)
    return done[0] if check else done


def check(m):
    """Has the manager look at everything again: pairs of domain and fault."""
    return call(m, "/org/mdmanager1", "org.mdmanager1.Manager", "Check")[0]


def settings(m, **values):
    """Settings of the machine, in a drop-in; the manager is restarted to read them."""
    m.write("/etc/md-manager/md-manager.conf.d/test.conf", "[Manager]\n" + "".join(f"{key}={value}\n" for key, value in values.items()))
    m.run("systemctl restart md-manager")


def set_globally(m, **directives):
    """Directives of every domain, changed or added; known after the next reload."""
    lines = [line for line in GLOBAL.splitlines() if line.split()[0] not in directives]
    m.write("/etc/apache2/conf-enabled/md.conf", "\n".join([*lines, *(f"{key} {value}" for key, value in directives.items()), ""]))


def job(m, name):
    """What is kept of a domain's job, from the store."""
    return json.loads(m.read(f"{STORE}/domains/{name}/job.json"))


def files(m, directory):
    """The names of what lies in a directory of the store."""
    return sorted(m.run(["ls", "-A", f"{STORE}/{directory}"]).out.split())


def left_over(m):
    """Files that have no business in a store where nothing is under way."""
    return m.run(f"cd {STORE} && find staging tmp challenges -mindepth 1; find . -name '.*' ! -name . ! -path ./status/.manager.json | sort").out.split()


def timer(m, name):
    """When systemctl list-timers says that a domain's timer elapses next: microseconds since the epoch; None when there is no timer."""
    unit = f"md-renew@{name.replace('-', chr(92) + 'x2d')}.timer"
    for entry in json.loads(m.run(["systemctl", "list-timers", "--all", "--output=json"]).out):
        if entry["unit"] == unit:
            return entry["next"]
    return None


def timer_is(m, name, at):
    """Whether a domain's timer elapses at a time, in microseconds: it has whole seconds when that is far, and is never early."""
    found = timer(m, name)
    return found is not None and -100000 < found - at < 1000000


def main_pid(m, unit="md-manager.service"):
    return int(m.unit(unit)["MainPID"])


def kill(m, unit="md-manager.service"):
    """The process of a unit dies on the spot; returns when systemd has seen it."""
    pid = main_pid(m, unit)
    m.run(["kill", "-KILL", str(pid)])
    m.wait_for(lambda: main_pid(m, unit) != pid, 10, f"the end of {unit}")


def wait_event(m, name, event, after, deadline=30):
    """Waits for an event of a domain in the journal: its entry, with the time in 'at', microseconds since the epoch."""
    entry = m.wait_journal(f"MD_NAME={name}", f"MD_EVENT={event}", after=after, deadline=deadline)
    entry["at"] = int(entry["__REALTIME_TIMESTAMP"])
    return entry


def are_of_renewal(events, *names):
    """Whether these are the events of one renewal, in order; challenges for the names (http-01) are as the CA has them."""
    return [events[0], *events[-2:]] == ["renewing", "renewed", "installed"] and sorted(events[1:-2]) == sorted(f"challenge-setup:http-01:{name}" for name in names)


def reloads(m, after):
    """How often the manager had Apache reloaded."""
    return len([e for e in m.journal("_SYSTEMD_UNIT=md-manager.service", after=after) if e["MESSAGE"] == "Reloading apache2.service."])


HOLD = {when: f"/run/hold-reload-{when}" for when in ("before", "after")}


def make_reloads_holdable(m):
    """Lets a test hold Apache's reloads: the unit is reloading as long as a file is there, before Apache hears of it or when it is done."""
    wait = {when: f"/bin/sh -c 'while [ -e {path} ]; do sleep 0.02; done'" for when, path in HOLD.items()}
    m.write("/etc/systemd/system/apache2.service.d/hold.conf",
            f"[Service]\nExecReload=\nExecReload={wait['before']}\nExecReload=/usr/sbin/apachectl graceful\nExecReload={wait['after']}\n")
    m.run("systemctl daemon-reload")


def hold_reload(m, when):
    m.write(HOLD[when], "")


def release_reload(m, when):
    m.run(["rm", HOLD[when]])


def wait_reloading(m):
    m.wait_for(lambda: m.unit("apache2.service")["ActiveState"] == "reloading", 20, "Apache to be reloaded")


def is_real(m, name):
    """The certificate that a visitor is handed, when it comes from the CA and not from ourselves, and is not that of another host: an old child of Apache does not know the new ones."""
    certificate = m.certificate(name)
    return certificate if "Pebble" in certificate.issuer and certificate.is_for(name) else None


def stop(m):
    """The manager and who talks to it: a worker that calls just then would have it started again, and systemctl's job be canceled."""
    m.wait_for(lambda: m.run("systemctl stop md-served.service md-ocsp.service md-manager.service", check=False).rc == 0, 30, "the manager to be stopped")


def wait_served(m, name, deadline=30, other_than=None):
    """Waits until a visitor gets a certificate of the CA, another one than 'other_than'."""
    def look():
        certificate = is_real(m, name)
        return certificate if certificate and (not other_than or certificate.fingerprint != other_than.fingerprint) else None
    return m.wait_for(look, deadline, f"a{' new' if other_than else ''} certificate of the CA on https://{name}")


class Signals:
    """Our signals on the bus, from now on: 'seen' has for each name the list of their values."""

    def __init__(self, m):
        self.seen = {}
        self._monitor = m.start(["busctl", "monitor", "--json=short", f"--match=type='signal',sender='{BUS}'", "--match=type='signal',member='NameOwnerChanged'"])
        m.wait_for(lambda: m.run("busctl call org.freedesktop.DBus / org.freedesktop.DBus GetId") and self._monitor.wait_line("NameOwnerChanged", 0.1), 20, "the bus to be watched")

    def wait(self, member, where, deadline=30):
        """Until there was a signal of this name whose values agree: all of that name."""
        end = time.monotonic() + deadline
        while not any(where(values) for values in self.seen.get(member, [])):
            line = self._monitor.line(max(end - time.monotonic(), 0))
            if line is None:
                raise Failure(f"waited {deadline:g} s for a signal {member}; seen: {self.seen}")
            if line.startswith("{"):
                message = json.loads(line)
                self.seen.setdefault(message.get("member"), []).append(message.get("payload", {}).get("data"))
        return self.seen[member]

    def stop(self):
        self._monitor.stop()
