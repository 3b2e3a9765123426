#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A machine: Debian with systemd as PID 1, D-Bus, polkit, Apache and whatever layers are put over it.

    with Machine("trixie", layers=[install, pebble]) as m:
        m.run("systemctl reload apache2")
        m.wait_for(lambda: "example.org" in m.run("mdctl list").out, 10, "the domain in the list")

Nothing of it is seen by the host: files are in an overlay, the network is a loopback of its own."""

import contextlib
import ipaddress
import itertools
import json
import os
import re
import select
import shlex
import signal
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import host
import image
from host import Failure

BOOT_DEADLINE = 60
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_numbers = itertools.count(1)


def poll(predicate, deadline, what, explain=None):
    """Waits until 'predicate' returns something true, and returns that. A Failure in it means 'not yet'."""
    end = time.monotonic() + deadline
    pause = 0.005
    last = None
    while True:
        try:
            value = predicate()
            if value:
                return value
            last = None
        except (Failure, AssertionError, OSError, ValueError, KeyError, IndexError) as error:
            last = error
        if time.monotonic() >= end:
            text = f"waited {deadline:g} s for {what}"
            if last is not None:
                text += f"; last: {type(last).__name__}: {last}"
            if explain:
                text += "\n" + explain()
            raise Failure(text)
        time.sleep(pause)
        pause = min(pause * 1.5, 0.2)


class Result:
    """How a command ended: 'rc', 'out' and 'err'."""

    def __init__(self, words, rc, out, err):
        self.words, self.rc, self.out, self.err = words, rc, out, err

    def __str__(self):
        return f"{' '.join(self.words)}: exit status {self.rc}\n{self.out}{self.err}".rstrip()


class Machine:
    """One booted machine. 'layers' lie over the image, the first one topmost."""

    def __init__(self, suite="trixie", layers=(), name=None):
        self.suite = suite
        self.name = name or f"m{os.getpid()}-{next(_numbers)}"
        self.directory = host.scratch() / self.name
        self.root = self.directory / "root"
        self.directory.mkdir()
        self.layers = [Path(layer) for layer in layers]
        host.overlay([*self.layers, image.image(suite)], self.directory / "upper", self.root)
        self.network = host.Network(self.directory / "network")
        self.beside = []            # what else is on this network: closed with the machine
        self.cgroup = None
        self.process = None
        self.leader = None
        self.boot_seconds = None
        self.started = []

    def __enter__(self):
        if not self.leader:
            self.boot()
        return self

    def __exit__(self, *_):
        self.close()

    # Power

    def boot(self):
        """Switches the machine on; returns when systemd says that it is up."""
        began = time.monotonic()
        self.cgroup = host.make_cgroup(self.name)
        notify = str(self.directory / "notify")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(notify)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as events, \
                open(self.directory / "console", "ab") as console:
            events.bind(notify)
            words = host.container(self.root, self.name, "--boot", "--notify-ready=yes", "--console=read-only",
                                   f"--network-namespace-path={self.network.path}",
                                   "--capability=CAP_NET_ADMIN,CAP_BPF,CAP_PERFMON",
                                   # as on a machine of its own
                                   "--system-call-filter=landlock_create_ruleset landlock_add_rule landlock_restrict_self")
            self.process = subprocess.Popen(host.inside(self.cgroup, words), stdin=subprocess.DEVNULL, stdout=console,
                                            stderr=subprocess.STDOUT, start_new_session=True,
                                            env=dict(host.container_environment(), NOTIFY_SOCKET=notify))
            try:
                self._wait_up(events, began + BOOT_DEADLINE)
            except BaseException:
                self.kill()
                raise
        self._cgroup_for_commands()
        self.boot_seconds = time.monotonic() - began
        return self

    def _wait_up(self, events, deadline):
        while True:
            if select.select([events], [], [], 0.2)[0]:
                for line in events.recv(8192).decode(errors="replace").splitlines():
                    key, _, value = line.partition("=")
                    if key == "X_NSPAWN_LEADER_PID":
                        self.leader = int(value)
                    elif key == "READY" and value == "1" and self.leader:
                        return
            if self.process.poll() is not None:
                raise Failure(f"the machine ended while it booted, exit status {self.process.returncode}\n"
                              f"{self.console()}")
            if time.monotonic() > deadline:
                raise Failure(f"the machine was not up after {BOOT_DEADLINE} s\n{self.console()}")

    def _cgroup_for_commands(self):
        """A place beside the machine's units for what run() starts, so that nobody there sees processes from nowhere."""
        with open(f"/proc/{self.leader}/cgroup", encoding="utf-8") as file:
            path = next(line[3:].strip() for line in file if line.startswith("0::"))
        top = Path("/sys/fs/cgroup") / path.lstrip("/")
        while top.name == "init.scope":
            top = top.parent
        self.commands = top / "commands"
        self.commands.mkdir(exist_ok=True)

    def _ended(self):
        self.process.wait()
        self.process = None
        self.leader = None
        for started in self.started:
            started.stop()
        self.started.clear()
        host.remove_cgroup(self.cgroup)

    def poweroff(self, deadline=60):
        """Switches the machine off the orderly way."""
        self.run("systemctl --no-block poweroff", check=False)
        try:
            self.process.wait(timeout=deadline)
        except subprocess.TimeoutExpired:
            tail = self.console()
            self.kill()
            raise Failure(f"the machine was not off after {deadline} s\n{tail}") from None
        self._ended()

    def kill(self):
        """Takes the power away: every process is gone at once, files stay as they are."""
        if not self.process:
            return
        if self.leader:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.leader, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self._ended()

    def reboot(self):
        self.poweroff()
        self.boot()

    def close(self):
        """Throws the machine away."""
        self.kill()
        for thing in reversed(self.beside):
            thing.close()
        self.network.close()
        subprocess.run(["umount", "--lazy", str(self.root)], check=False)
        host.remove_tree(self.directory)

    # Commands and files

    def _words(self, cmd, user, env):
        inner = ["/bin/sh", "-c", cmd] if isinstance(cmd, str) else [str(word) for word in cmd]
        variables = {"PATH": PATH, "LANG": "C.UTF-8", "HOME": "/root" if not user else "/", "TERM": "dumb", **(env or {})}
        words = ["nsenter", f"--target={self.leader}", "--all", "env", "--chdir=/", "-i",
                 *(f"{key}={value}" for key, value in variables.items())]
        if user:
            words += ["setpriv", f"--reuid={user}", f"--regid={self.group_of(user)}", "--init-groups"]
        self.commands.mkdir(exist_ok=True)      # systemd takes an empty cgroup away when it looks over its own
        return host.inside(self.commands, [*words, *inner])

    def group_of(self, user):
        for line in self.read("/etc/passwd").splitlines():
            fields = line.split(":")
            if user in (fields[0], fields[2]):
                return fields[3]
        raise Failure(f"the machine has no user {user}")

    def run(self, cmd, user=None, check=True, timeout=60, stdin=None, env=None):
        """Runs a command to its end: a list of words, or a string for the shell. With 'check' it must succeed."""
        if not self.leader:
            raise Failure("the machine is off")
        process = subprocess.Popen(self._words(cmd, user, env), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
                                   text=True, errors="replace", start_new_session=True)
        shown = [cmd] if isinstance(cmd, str) else [str(word) for word in cmd]
        try:
            out, err = process.communicate(stdin, timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            raise Failure(f"{Result(shown, 'none', out, err)}\nstill running after {timeout} s") from None
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        result = Result(shown, process.returncode, out, err)
        if check and result.rc != 0:
            raise Failure(str(result))
        return result

    def start(self, cmd, user=None, env=None):
        """Starts a command that goes on; its lines can be waited for. Ends with the machine at the latest."""
        follower = Follower(self._words(cmd, user, env))
        self.started.append(follower)
        return follower

    def path(self, path):
        """Where a file of the machine is for the host. For reading and writing only while nothing is mounted there."""
        return self.root / str(path).lstrip("/")

    def read(self, path):
        if self.leader:
            return Path(f"/proc/{self.leader}/root{path}").read_text(encoding="utf-8", errors="surrogateescape")
        return self.path(path).read_text(encoding="utf-8", errors="surrogateescape")

    def write(self, path, text, mode=0o644, owner=None):
        """Writes a file of the machine whole, with its directories."""
        where = Path(f"/proc/{self.leader}/root{path}") if self.leader else self.path(path)
        where.parent.mkdir(parents=True, exist_ok=True)
        data = text if isinstance(text, bytes) else text.encode("utf-8", errors="surrogateescape")
        new = where.with_name(f".{where.name}.new")
        new.write_bytes(data)
        new.chmod(mode)
        new.rename(where)
        if owner:
            self.run(["chown", owner, path])

    def exists(self, path):
        base = f"/proc/{self.leader}/root" if self.leader else str(self.root)
        return os.path.lexists(base + str(path))

    # systemd

    def unit(self, name):
        """A unit's properties, as `systemctl show` says them."""
        lines = self.run(["systemctl", "show", name]).out.splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def active(self, name):
        return self.run(["systemctl", "is-active", name], check=False).out.strip() == "active"

    def wait_active(self, name, deadline=15):
        return self.wait_for(lambda: self.active(name), deadline, f"{name} to be active")

    def property(self, bus_name, path, interface, name):
        """A D-Bus property, as busctl shows it in JSON."""
        out = self.run(["busctl", "--json=short", "get-property", bus_name, path, interface, name]).out
        return json.loads(out)["data"]

    # The journal

    def cursor(self):
        """The journal's end now; what is asked for 'after' it came later."""
        out = self.run("journalctl --sync; journalctl -n 0 --show-cursor -q").out
        return out.rpartition("-- cursor: ")[2].strip()

    def journal(self, *matches, unit=None, after=None, lines=None):
        """Journal entries as dictionaries, oldest first; of this boot, or after a cursor. Matches are those of journalctl."""
        words = ["journalctl", "-q", "-o", "json", "--all"]
        words += [f"--after-cursor={after}"] if after else ["-b"]
        self.run("journalctl --sync", check=False)
        # Chosen here: journalctl of Debian 12 takes the first match after a cursor for the cursor's own entry, and drops it.
        entries = [json.loads(line) for line in self.run(words).out.splitlines()]
        entries = [entry for entry in entries if _matches(entry, matches, unit)]
        return entries[-lines:] if lines else entries

    def wait_journal(self, *matches, after, deadline=30, unit=None, where=None):
        """Waits for the first journal entry after a cursor that matches, and that 'where' says yes to."""
        follower = self.start(["journalctl", "-q", "-o", "json", "--all", "--follow", "--lines=all", f"--after-cursor={after}"])
        try:
            end = time.monotonic() + deadline
            while (line := follower.line(end - time.monotonic())) is not None:
                if not line.startswith("{"):
                    continue        # what journalctl says of a file that is rotated meanwhile
                entry = json.loads(line)
                if _matches(entry, matches, unit) and (where is None or where(entry)):
                    return entry
        finally:
            follower.stop()
            self.started.remove(follower)
        raise Failure(f"waited {deadline:g} s for a journal entry with {' '.join([*matches, unit or ''])}\n{self.tail()}")

    def tail(self, lines=40):
        """The end of the journal, for a person."""
        if not self.leader:
            return self.console()
        out = self.run(["journalctl", "-q", "-b", "-n", str(lines), "-o", "short-precise"], check=False).out
        return "    " + out.strip().replace("\n", "\n    ")

    def console(self):
        text = (self.directory / "console").read_text(encoding="utf-8", errors="replace")
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)[-3000:]

    def wait_for(self, predicate, deadline, what):
        return poll(predicate, deadline, what, self.tail)

    # The machine's network, seen from inside

    def connect(self, port, timeout=10):
        connection = self.network.socket()
        connection.settimeout(timeout)
        try:
            connection.connect(("127.0.0.1", port))
        except BaseException:
            connection.close()
            raise
        return connection

    def certificate(self, name, port=443, timeout=10):
        """The certificate that a TLS client asking for 'name' is handed, valid or not."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with context.wrap_socket(self.connect(port, timeout), server_hostname=name) as connection:
            return Certificate(connection.getpeercert(binary_form=True))

    def https(self, name, path="/", port=443, roots=None, timeout=10):
        """One GET, with the certificate verified against 'roots' (PEM text) if given: status, headers, body."""
        context = ssl.create_default_context(cadata=roots) if roots else ssl.create_default_context()
        if not roots:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return _get(context.wrap_socket(self.connect(port, timeout), server_hostname=name), name, path)

    def http(self, name, path="/", port=80, timeout=10):
        return _get(self.connect(port, timeout), name, path)


def _get(connection, name, path):
    with connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        data = b""
        while piece := connection.recv(65536):
            data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    if not lines[0].startswith("HTTP/"):
        raise Failure(f"no answer from {name}: {data[:200]!r}")
    headers = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
    return int(lines[0].split()[1]), headers, body


def _matches(entry, matches, unit):
    """Whether a journal entry has one of the values that are given for each field, and is of or about the unit."""
    wanted = {}
    for match in matches:
        field, _, value = match.partition("=")
        wanted.setdefault(field, set()).add(value)
    for field, values in wanted.items():
        has = entry.get(field)
        if not values & set(has if isinstance(has, list) else [has]):
            return False
    return not unit or unit in (entry.get("_SYSTEMD_UNIT"), entry.get("UNIT"), entry.get("OBJECT_SYSTEMD_UNIT"))


class Certificate:
    """What openssl says about a certificate."""

    def __init__(self, der):
        self.der = der
        form = "PEM" if der.startswith(b"-----") else "DER"
        done = subprocess.run(["openssl", "x509", "-inform", form, "-noout", "-subject", "-issuer", "-serial", "-startdate",
                               "-enddate", "-fingerprint", "-sha256", "-dateopt", "iso_8601", "-ext", "subjectAltName"],
                              input=der, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.text = done.stdout.decode(errors="replace")
        if done.returncode != 0:
            raise Failure(self.text)
        facts = dict(line.split("=", 1) for line in self.text.splitlines() if "=" in line)
        lower = {key.lower(): value for key, value in facts.items()}
        self.subject, self.issuer, self.serial = facts["subject"].strip(), facts["issuer"].strip(), facts["serial"].lower()
        self.fingerprint = lower["sha256 fingerprint"].replace(":", "").lower()
        self.names = re.findall(r"(?:DNS|IP Address):([^,\s]+)", self.text)
        self.not_before, self.not_after = self._time(facts["notBefore"]), self._time(facts["notAfter"])

    def is_for(self, name):
        """Whether a visitor who asks for this name or address takes it."""
        with contextlib.suppress(ValueError):
            name = str(ipaddress.ip_address(name))
        known = set()
        for each in self.names:
            with contextlib.suppress(ValueError):
                each = str(ipaddress.ip_address(each))
            known.add(each)
        return name in known or "*." + name.partition(".")[2] in known

    @staticmethod
    def _time(text):
        return ssl_time(text)

    def __repr__(self):
        return f"<{', '.join(self.names)} serial {self.serial} of {self.issuer}>"


def ssl_time(text):
    """Seconds since the epoch from openssl's '2026-11-22 23:46:01Z'."""
    import calendar
    return calendar.timegm(time.strptime(text.strip(), "%Y-%m-%d %H:%M:%SZ"))


class Follower:
    """A command that goes on; a thread reads its lines."""

    def __init__(self, words):
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        text=True, errors="replace", start_new_session=True, bufsize=1)
        self.lines = []
        self._read = 0
        self._more = threading.Condition()
        self._over = False
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self):
        with contextlib.suppress(ValueError):
            for line in self.process.stdout:
                with self._more:
                    self.lines.append(line.rstrip("\n"))
                    self._more.notify_all()
        with self._more:
            self._over = True
            self._more.notify_all()

    def line(self, timeout=10):
        """The next line, or None when there is none in time or the command has ended."""
        with self._more:
            self._more.wait_for(lambda: self._read < len(self.lines) or self._over, max(timeout, 0))
            if self._read >= len(self.lines):
                return None
            self._read += 1
            return self.lines[self._read - 1]

    def wait_line(self, pattern, timeout=10):
        """The next line that a regular expression finds something in."""
        end = time.monotonic() + timeout
        while (line := self.line(end - time.monotonic())) is not None:
            if re.search(pattern, line):
                return line
        raise Failure(f"no line with {pattern!r}; there were:\n" + "\n".join(self.lines))

    def ended(self):
        """Whether the command is over and every line has been read."""
        with self._more:
            return self._over and self._read >= len(self.lines)

    def ended(self):
        """Whether the command is over and every line has been read."""
        with self._more:
            return self._over and self._read >= len(self.lines)

    def stop(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Visitor:
    """Somebody who looks at a site all the time, and remembers what was served and what went wrong."""

    def __init__(self, machine, name, path="/", roots=None, pause=0.05, expect=200):
        self.machine, self.name, self.path, self.roots, self.pause, self.expect = machine, name, path, roots, pause, expect
        self.answered = 0
        self.wrong = []
        self.certificates = []      # (time, DER), whenever another one is served
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._visit, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(30)

    def _visit(self):
        context = ssl.create_default_context(cadata=self.roots) if self.roots else ssl.create_default_context()
        if not self.roots:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        while not self._stop.is_set():
            now = time.time()
            try:
                connection = context.wrap_socket(self.machine.connect(443), server_hostname=self.name)
                der = connection.getpeercert(binary_form=True)
                status, _, _ = _get(connection, self.name, self.path)
                if status != self.expect:
                    self.wrong.append((now, f"status {status}"))
                if not self.certificates or self.certificates[-1][1] != der:
                    self.certificates.append((now, der))
                self.answered += 1
            except (OSError, Failure) as error:
                self.wrong.append((now, str(error)))
            self._stop.wait(self.pause)


if __name__ == "__main__":
    host.enter()
    with Machine() as machine:
        print(f"booted in {machine.boot_seconds:.2f} s")
        print(machine.run(["systemctl", "is-system-running"], check=False))
        for arguments in ("true", "-p PrivateTmp=yes -p ProtectSystem=strict true"):
            print(machine.run(f"systemd-run --wait {arguments}", check=False))
        begin = time.monotonic()
        machine.reboot()
        print(f"rebooted in {time.monotonic() - begin:.2f} s; {shlex.join(machine.process.args[5:])}")
