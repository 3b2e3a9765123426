# SPDX-License-Identifier: Apache-2.0
"""Many domains at once: workers that take one task after the other, each task as apart from the others as if it had a unit of its own."""

import threading

import apache
import hands
import managed

WORKER = (managed.BUS, "/org/mdmanager1/worker", "org.mdmanager1.Worker")
PLACES = 3
NOT_NOW = "org.mdmanager1.Error.NotNow"
BUSY = "org.mdmanager1.Error.Busy"


def setup(m):
    managed.install(m)
    managed.settings(m, MaxConcurrentRenewals=PLACES, ReloadIntervalSec=1)
    managed.set_globally(m, MDPrivateKeys="P-256")


def add_many(m, prefix, n):
    names = [f"{prefix}{i}.test" for i in range(n)]
    for name in names:
        managed.add(m, name)
    return names


def wait_installed(m, names, after, deadline=90):
    m.wait_for(lambda: {e["MD_NAME"] for e in m.journal("MD_EVENT=installed", after=after)} >= set(names), deadline, "all to be installed")


def units_of(m, names, after):
    """Which units worked for these domains."""
    return {e["_SYSTEMD_UNIT"] for e in m.journal("_COMM=md-acme", after=after) if any(e["MESSAGE"].startswith(name + ":") for name in names)}


def test_many(m):
    """More domains are due than places are free: a few workers take one after the other, over one connection each, with one account; all are served."""
    names = add_many(m, "many", 20)
    cursor = m.cursor()
    m.ca.proxy.clear()
    apache.reload(m)
    wait_installed(m, names, cursor)
    units = units_of(m, names, cursor)
    assert units and all(unit.startswith("md-acme-batch@") for unit in units) and len(units) <= PLACES, units
    requests = m.ca.proxy.seen()
    assert m.ca.proxy.count("new-account") == 1, m.ca.proxy.counts()
    assert len({r.connection for r in requests}) <= len(units), (len({r.connection for r in requests}), units)
    assert m.ca.proxy.count("directory") <= len(units), m.ca.proxy.counts()
    managed.wait_served(m, names[-1])


def test_few(m):
    """As many as there are places: each has a unit of its own, which systemctl and the journal show."""
    names = add_many(m, "few", PLACES)
    cursor = m.cursor()
    apache.reload(m)
    wait_installed(m, names, cursor)
    assert units_of(m, names, cursor) == {f"md-renew@{name}.service" for name in names}


def test_large_keys_last(m):
    """Keys that take seconds to make, in the middle of many: the others do not wait for them."""
    slow = [f"slow{i}.test" for i in range(6)]
    for name in slow:
        managed.add(m, name, directives="MDPrivateKeys RSA 4096")
    quick = add_many(m, "quick", 9)     # behind them in every order
    cursor = m.cursor()
    apache.reload(m)
    m.wait_for(lambda: {e["MD_NAME"] for e in m.journal("MD_EVENT=renewed", after=cursor)} >= set(slow + quick), 180, "all to be renewed")
    order = [e["MD_NAME"] for e in m.journal("MD_EVENT=renewed", after=cursor)]
    assert max(order.index(name) for name in quick) - len(quick) < 3, order


def test_one_is_killed(m):
    """A worker that has several before it dies in the middle of one: that one is tried again after its delay, and the others are done."""
    names = add_many(m, "kill", 8)
    held = threading.Event()
    rule = m.ca.proxy.rule(kind="finalize", hold=held, times=1)
    cursor = m.cursor()
    try:
        apache.reload(m)
        m.wait_for(lambda: rule.used, 30, "a request that is held up")
        pids = {e["_PID"] for e in m.journal("_COMM=md-acme", after=cursor)}
        m.run(["kill", "-KILL", *pids], check=False)
    finally:
        held.set()
    wait_installed(m, names, cursor)
    failed = m.journal("MD_EVENT=errored", after=cursor)
    assert 1 <= len(failed) <= PLACES and len({e["MD_NAME"] for e in failed}) == len(failed), [e["MESSAGE"] for e in failed]


def test_apart(m):
    """A worker for many has one job open at a time, hears nothing of the others, and gets the next one when it has closed the first."""
    hands.install(m)
    managed.settings(m, MaxConcurrentRenewals=1, ReloadIntervalSec=1)
    with hands.take_place(m, "md-acme-batch@1.service", "batch1") as hand:
        names = add_many(m, "apart", 5)
        cursor = m.cursor()
        apache.reload(m)
        hand.wait_here()
        seen = set()
        for _ in names[2:]:     # the first ones may have had the only place before the others were in the queue
            job, name, details = hand.call(*WORKER, "Open")
            assert name in names and name not in seen and details["kind"] == "renewal", (name, seen)
            assert [value for _, value in details["identifiers"]] == [name], details
            assert hand.call_error(*WORKER, "Open") == NOT_NOW, "a second job for one connection"
            assert hand.call_error(*WORKER, "Open", bus="second") == BUSY, "a second job for another connection of the same unit"
            assert hand.call_error(*WORKER, "RenewalInfo", "sttts", "0", 1, 2, 0, "") == NOT_NOW, "an answer to what was not asked"
            assert hand.call_error(*WORKER, "AccountDone", "s", "deactivated") == NOT_NOW, "a word about an account"
            assert managed.call(m, job, "org.freedesktop.DBus.Properties", "Get", "ss", "org.mdmanager1.Job", "Unit")[0]["data"] == "md-acme-batch@1.service"
            hand.call(*WORKER, "Close", "s", "")
            managed.wait_event(m, name, "errored", cursor)
            seen.add(name)
        assert hand.call_error(*WORKER, "Progress", "s", "x") == "org.mdmanager1.Error.NotAllowed", "without a job"
    managed.settings(m, MaxConcurrentRenewals=PLACES, ReloadIntervalSec=1)
    for name in names:
        managed.wait_served(m, name, 60)


def test_by_hand(m):
    """A worker for many that somebody started by hand has a place, and gives it back when it dies, with what it has open."""
    hands.install(m)
    for n in (1, 2):    # two places are taken by workers that do not ask for anything
        m.write(f"/run/systemd/system/md-acme-batch@{n}.service.d/idle.conf", "[Service]\nExecStart=\nExecStart=sleep infinity\n")
    m.run("systemctl daemon-reload")
    names = add_many(m, "hand", 6)
    started = m.cursor()
    apache.reload(m)
    m.wait_for(lambda: all(managed.main_pid(m, f"md-acme-batch@{n}.service") for n in (1, 2)), 30, "the two workers")
    ended = set()
    for n in (7, 8, 9):
        unit = f"md-acme-batch@{n}.service"
        with hands.take_place(m, unit, f"batch{n}") as hand:
            cursor = m.cursor()
            m.run(["systemctl", "start", "--no-block", unit])
            hand.wait_here()
            _, name, _ = hand.call(*WORKER, "Open")
            m.run(["systemctl", "kill", "--signal=KILL", unit])
            failed = managed.wait_event(m, name, "errored", cursor)
            assert unit in failed["MESSAGE"], failed["MESSAGE"]
            ended.add(name)
    assert ended <= set(names)
    m.run("rm -r /run/systemd/system/md-acme-batch@[12].service.d && systemctl daemon-reload && systemctl stop 'md-acme-batch@*.service'")
    wait_installed(m, names, started)


def test_manager_killed(m):
    """The manager dies while a worker for many waits for the CA: its successor waits until that one has gone, and nobody's attempt fails for it."""
    names = add_many(m, "orphan", PLACES + 2)
    held = threading.Event()
    rule = m.ca.proxy.rule(kind="new-order", hold=held)
    cursor = m.cursor()
    apache.reload(m)
    m.wait_for(lambda: rule.used >= PLACES, 30, "requests that are held up")
    managed.kill(m)
    m.wait_active("md-manager.service")
    managed.check(m)        # all are looked at again, and in the queue
    held.set()
    wait_installed(m, names, cursor)
    assert not m.journal("MD_EVENT=errored", after=cursor), [e["MESSAGE"] for e in m.journal("MD_EVENT=errored", after=cursor)]


def test_not_started(m):
    """The workers for many cannot be started: one domain after the other says so and is tried again, and in the end all are done."""
    m.write("/run/systemd/system/md-acme-batch@.service.d/broken.conf", "[Service]\nExecStart=\nExecStart=/bin/false\n")
    m.run("systemctl daemon-reload")
    names = add_many(m, "broken", 6)
    cursor = m.cursor()
    apache.reload(m)
    failed = m.wait_journal("MD_EVENT=errored", after=cursor, where=lambda e: e["MD_NAME"] in names)
    assert "md-acme-batch@" in failed["MESSAGE"] and "journalctl -u" in failed["MESSAGE"], failed["MESSAGE"]
    wait_installed(m, names, cursor)
    m.run("rm -r /run/systemd/system/md-acme-batch@.service.d && systemctl daemon-reload")
