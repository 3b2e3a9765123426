# SPDX-License-Identifier: Apache-2.0
"""Hands inside the machine's sandboxes: a program in a unit's place, with the unit's own user and sandbox, that does what a test says.

    with hands.in_copy_of(m, "md-manager.service") as hand:
        assert hand.error("socket.socket(socket.AF_INET)") == "EAFNOSUPPORT" """

import contextlib
import json
import os
import select
import time
from pathlib import Path

from host import Failure

HERE = Path(__file__).resolve().parent
PROGRAM = "/usr/local/lib/md-test/hand.py"
PIPES = "/run/md-test"
# What is not the sandbox: a copy of a unit starts another program, and is found by nobody.
NOT_COPIED = ("Type=", "BusName=", "Restart=", "WatchdogSec=", "ExecStartPre=", "ExecStart=", "Alias=", "Also=", "WantedBy=")


class Refused(Failure):
    """What the hand tried did not succeed: 'error' is the name of an errno, of a D-Bus error or of an exception of Python."""

    def __init__(self, code, error, text):
        super().__init__(f"{code}: {error}: {text}")
        self.error, self.text = error, text


class Hand:
    def __init__(self, machine, name):
        self.machine, self.name = machine, name
        pipes = Path(f"/proc/{machine.leader}/root{PIPES}")
        pipes.mkdir(exist_ok=True)
        pipes.chmod(0o755)
        self.ends = []
        for kind in ("in", "out"):
            path = pipes / f"{name}.{kind}"
            path.unlink(missing_ok=True)
            os.mkfifo(path)
            path.chmod(0o666)
            self.ends.append(os.open(path, os.O_RDWR | os.O_CLOEXEC))
        self.read = b""
        self.stop = None            # what ends the unit

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for end in self.ends:
            os.close(end)
        self.ends = []
        if self.stop and self.machine.leader:
            self.stop()

    def _line(self, timeout):
        end = time.monotonic() + timeout
        while b"\n" not in self.read:
            if not select.select([self.ends[1]], [], [], max(end - time.monotonic(), 0))[0]:
                raise Failure(f"the hand {self.name} did not answer in {timeout:g} s\n{self.machine.tail()}")
            self.read += os.read(self.ends[1], 65536)
        line, _, self.read = self.read.partition(b"\n")
        return json.loads(line)

    def wait_here(self, timeout=30):
        """Waits until the program runs."""
        self._line(timeout)
        return self

    def do(self, code, timeout=30, **values):
        """Does it; 'values' are names for it. What the last expression gave comes back, or Refused is raised."""
        whole = "".join(f"{name} = {value!r}\n" for name, value in values.items()) + code
        os.write(self.ends[0], (json.dumps(whole) + "\n").encode())
        answer = self._line(timeout)
        if "error" in answer:
            raise Refused(code, answer["error"], answer["text"])
        return answer["value"]

    def error(self, code, timeout=30, **values):
        """Does it, and says how it failed; None when it did not."""
        try:
            self.do(code, timeout, **values)
        except Refused as refused:
            return refused.error
        return None

    def call(self, *words, bus="here", flags=0):
        """A method call on the hand's own connection: destination, path, interface, member, signature, arguments."""
        return self.do(f"if {bus!r} not in connections: connections[{bus!r}] = bus.Bus()\n"
                       f"connections[{bus!r}].call(*words, flags={flags})", words=words)

    def call_error(self, *words, bus="here", flags=0):
        try:
            self.call(*words, bus=bus, flags=flags)
        except Refused as refused:
            return refused.error
        return None


def install(m):
    for name in ("bus.py", "hand.py"):
        m.write(f"{os.path.dirname(PROGRAM)}/{name}", (HERE / "probe" / name).read_text(encoding="utf-8"))


def command(name):
    return f"/usr/bin/python3 -B {PROGRAM} {name}"


def in_copy_of(m, unit, more=""):
    """A hand in a unit that is a copy of another one, but for the program, and for 'more' in its [Service] section."""
    name = unit.partition(".")[0].strip("@")
    probe = f"probe-{name}.service"
    hand = Hand(m, name)
    lines = [line for line in m.run(["systemctl", "cat", unit]).out.splitlines() if not line.startswith(NOT_COPIED)]
    m.write(f"/run/systemd/system/{probe}", "\n".join([*lines, "[Service]", "Type=exec", f"ExecStart={command(name)}", more, ""]))
    m.run(["systemctl", "daemon-reload"])
    hand.stop = lambda: m.run(["systemctl", "stop", probe])
    m.run(["systemctl", "start", probe])
    return hand.wait_here()


def take_place(m, unit, name):
    """A hand that comes when somebody starts the unit: a drop-in replaces the unit's program, and nothing else."""
    hand = Hand(m, name)
    m.write(f"/run/systemd/system/{unit}.d/hand.conf", f"[Service]\nExecStart=\nExecStart={command(name)}\n")
    m.run(["systemctl", "daemon-reload"])

    def stop():
        m.run(["rm", "-r", f"/run/systemd/system/{unit}.d"])
        m.run(f"systemctl daemon-reload; systemctl stop {unit}", check=False)
    hand.stop = stop
    return hand


@contextlib.contextmanager
def of_user(m, user, name=None):
    """A hand of a user without any sandbox and outside of all units."""
    hand = Hand(m, name or f"user-{user}")
    follower = m.start(command(hand.name).split(), user=user)
    hand.stop = follower.stop
    with hand:
        yield hand.wait_here()
