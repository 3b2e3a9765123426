# SPDX-License-Identifier: Apache-2.0
"""Where the time of one issuance goes: what is heard on the bus meanwhile, and systemd's own times of the worker's unit.

The time up to each event is put down to that event. The bus is heard as fast as the monitor gets to run, so a step of less than a
millisecond may be booked with its neighbour."""

import json
import statistics
import threading
from pathlib import Path

import host
from managed import STORE

# What the worker does right before it asks for a signature of this kind.
SIGNED = {"new-account": "signature: new account", "new-order": "nonce from the CA; signature: new order",
          "challenge": "signature: challenge", "finalize": "order is ready; signature: finalize"}
RELOAD = "set activated; systemd is asked to reload Apache"


class Listener:
    """Hears the bus while the 'with' goes on."""

    def __init__(self, machine):
        self.machine = machine
        self.follower = None

    def __enter__(self):
        self.follower = self.machine.start(["busctl", "monitor", "--json=short"])
        # The monitor hears itself lose its name when it begins; from then on it hears everything.
        self.machine.wait_for(lambda: self._asks() and len(self.follower.lines) > 0, 10, "the bus monitor")
        return self

    def _asks(self):
        self.machine.run("busctl call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus GetId")
        return True

    def __exit__(self, *_):
        self.follower.stop()
        self.machine.started.remove(self.follower)

    def messages(self):
        return [json.loads(line) for line in list(self.follower.lines) if line.startswith("{")]


def _arguments(message):
    return (message.get("payload") or {}).get("data") or []


def _of_calls(message, unit):
    """What a method call stands for, or None."""
    member, arguments = message.get("member"), _arguments(message)
    if member == "StartUnit" and arguments[0] == unit:
        return "snapshot read and decided; systemd is asked to start the worker"
    if member == "Open":
        return "libraries loaded, on the bus; Open"
    if member == "Directory":
        return "connection and directory of the CA"
    if member == "Sign":
        return SIGNED.get(arguments[0], f"signature: {_what_is_got(arguments[1])}")
    if member == "OrderCreated":
        return "new order"
    if member == "AccountCreated":
        return "new account"
    if member == "SetUpChallenge":
        return "authorization"
    if member == "Deliver":
        return "certificate"
    if member == "ReloadUnit":
        return RELOAD
    return None


def _what_is_got(url):
    for part, what in (("/authZ/", "authorization"), ("/my-order/", "(after a wait) order"), ("/certZ/", "certificate")):
        if part in url:
            return what
    return "other"


ANSWERED = {"Open": "Open is answered", "OrderCreated": "order is kept", "SetUpChallenge": "answer is in its place",
            "Deliver": "certificate verified and staged"}


def events(messages, unit):
    """(seconds since the epoch, what) of everything that is a step."""
    result, calls = [], {}
    for m in messages:
        at = m["timestamp-realtime"] / 1e6
        if m["type"] == "method_call":
            calls[(m.get("sender"), m["cookie"])] = m["member"]
            what = _of_calls(m, unit)
        elif m["type"] == "method_return":
            what = ANSWERED.get(calls.get((m.get("destination"), m.get("reply_cookie", m.get("reply-cookie")))))
        elif m.get("member") == "JobNew" and _arguments(m)[2] == unit:
            what = "polkit agrees, unit loaded, job made"
        elif m.get("member") == "JobNew" and _arguments(m)[2] == "apache2.service" and RELOAD in [w for _, w in result]:
            what = "polkit agrees to the reload, job made"
        else:
            what = None
        if what:
            result.append((at, what))
    return result + _times_of_unit(messages)


def _times_of_unit(messages):
    """Fork and exec of the worker, by systemd's clock."""
    names = {"ExecMainStartTimestamp": "the worker's process is made",
             "ExecMainHandoffTimestamp": "its sandbox is ready"}
    found = {}
    for m in messages:
        if m.get("member") == "PropertiesChanged" and "/md_2drenew_40" in m.get("path", "") and m["path"].endswith("_2eservice"):
            properties = _arguments(m)[1]
            for name, what in names.items():
                if properties.get(name, {}).get("data"):
                    found[what] = properties[name]["data"] / 1e6
    return [(at, what) for what, at in found.items()]


class Snapshots:
    """When Apache wrote its snapshots, for as long as the 'with' goes on."""

    def __init__(self, machine):
        self.directory = Path(f"/proc/{machine.leader}/root{STORE}/servers")
        self.times = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._seen = self._newest()
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _newest(self):
        return max((path.stat().st_mtime_ns for path in self.directory.glob("*.json")), default=0)

    def _run(self):
        while not self._stop.wait(0.002):
            try:
                newest = self._newest()
            except OSError:
                continue
            if newest > self._seen:
                self._seen = newest
                self.times.append(newest / 1e9)


def steps(found, end, seen):
    """[(what, seconds)] from 'end', the end of the reload, to 'seen', the handshake; what lies before the end has nothing left of it."""
    result, last = [], end
    for at, what in sorted(found):
        if at > seen:
            break
        result.append((what, max(at - last, 0)))
        last = max(at, last)
    return result + [("handshake with the new certificate", seen - last)]


def show(title, rounds):
    """Medians of what each step took; a step that a round had several times counts whole."""
    order, total = [], {}
    for number, one in enumerate(rounds):
        for what, seconds in one:
            if what not in total:
                order.append(what)
                total[what] = [0] * len(rounds)
            total[what][number] += seconds
    host.say(f"\n{title:<72}{'median':>10}{'min':>10}{'max':>10}   ({len(rounds)} rounds)")
    for what in order:
        values = total[what]
        host.say(f"{what:<72}" + "".join(f"{v * 1000:>7.1f} ms" for v in (statistics.median(values), min(values), max(values))))
    sums = [sum(seconds for _, seconds in one) for one in rounds]
    host.say(f"{'in all':<72}" + "".join(f"{v * 1000:>7.1f} ms" for v in (statistics.median(sums), min(sums), max(sums))))
