# SPDX-License-Identifier: Apache-2.0
"""Death at each step of a renewal: of the manager, of a worker, of the whole machine. Everything comes to its end by itself."""

import threading

import apache
import managed
from machine import Visitor

KEPT = "kept.example.org"

# Run in the machine: ends a process at the moment when a name in a directory is made, moved to its place, or away.
KILLER = """
import ctypes, os, signal, struct, sys
pid, directory, name, mask = int(sys.argv[1]), sys.argv[2], sys.argv[3], {"to": 0x80, "from": 0x40, "made": 0x100}[sys.argv[4]]
libc = ctypes.CDLL(None)
fd = libc.inotify_init()
assert libc.inotify_add_watch(fd, directory.encode(), mask) >= 0, directory
print("watching", flush=True)
while True:
    data = os.read(fd, 65536)
    while data:
        length = struct.unpack_from("iIII", data)[3]
        found, data = data[16:16 + length].rstrip(b"\\0").decode(), data[16 + length:]
        if found.startswith(name):
            os.kill(pid, signal.SIGKILL)
            print("killed", flush=True)
            sys.exit()
"""

# Where a renewal is held: the kind of request, and whether the CA has done what it was asked ("after") or never hears of it ("before").
# "poll" is a look at the order after the finalization.
STEPS = [(kind, when) for kind in ("new-order", "authorization", "challenge", "order", "finalize", "poll", "certificate") for when in ("before", "after")]


def setup(m):
    managed.install(m)
    managed.settings(m, ReloadIntervalSec=1, MaxConcurrentRenewals=20)
    managed.set_globally(m, MDPrivateKeys="P-256")
    m.write("/etc/systemd/system/md-manager.service.d/soon.conf", "[Service]\nRestartSec=100ms\n")
    managed.make_reloads_holdable(m)
    m.write("/root/killer.py", KILLER)


class Stage:
    """The CA, which keeps one domain's renewal at one step until it is told to go on."""

    def __init__(self, stages, name, kind, when):
        self.stages, self.name, self.kind, self.when = stages, name, kind, when
        self.reached, self.release = threading.Event(), threading.Event()
        self.body = None
        how = {"before": lambda _: self.wait(), "drop": "before"} if when == "before" else {"change": lambda *_: self.wait()}
        stages.proxy.rule(kind="order" if kind == "poll" else kind, where=self.takes, **how)

    def wait(self):
        self.reached.set()
        while not self.release.wait(0.05) and not self.stages.proxy.closing.is_set():
            pass

    def takes(self, request):
        """The first request at this step, and the same once more: curl repeats what was cut off."""
        if self.stages.name_of(request) != self.name or self.kind in ("order", "poll") and (self.kind == "poll") != (self.name in self.stages.finalized):
            return False
        self.body = self.body or request.body
        return request.body == self.body

    def __repr__(self):
        return f"{self.name} {self.when} {self.kind}"


class Stages:
    """Renewals of several domains, each held at a step of its own: {name: (kind, when)}."""

    def __init__(self, m, plan):
        self.m, self.proxy = m, m.ca.proxy
        self.names, self.finalized = {}, set()      # which domain a URL of the CA belongs to
        self.proxy.clear()
        self.proxy.rule(change=self.learn)
        self.stages = [Stage(self, name, *step) for name, step in plan.items()]

    def name_of(self, request):
        if request.kind == "new-order":
            return next((i["value"] for i in request.payload["identifiers"] if not i["value"].startswith("alias")), None)
        return self.names.get(request.path)

    def learn(self, request, answer):
        """Remembers whose the URLs in an answer are."""
        name = self.name_of(request)
        if not name or answer.status >= 400 or request.kind == "certificate":
            return
        if request.kind == "finalize":
            self.finalized.add(name)
        fields = answer.json
        urls = [*fields.get("authorizations", []), *(c["url"] for c in fields.get("challenges", [])), fields.get("finalize"), fields.get("certificate"),
                dict(answer.headers).get("Location")]
        self.names |= {"/" + url.split("/", 3)[3]: name for url in urls if url}

    def wait(self):
        self.m.wait_for(lambda: all(stage.reached.is_set() for stage in self.stages), 60,
                        f"{[stage for stage in self.stages if not stage.reached.is_set()]} to be reached")

    def release(self, when=None):
        for stage in self.stages:
            if when in (None, stage.when):
                stage.release.set()

    def orders(self, name):
        """How many orders the CA made for a domain."""
        return len([r for r in self.proxy.seen("new-order") if r.status == 201 and self.name_of(r) == name])


def plan_for_all():
    return {f"{kind}-{when}.example.org": (kind, when) for kind, when in STEPS}


def wait_done(m, stages, cursor, before):
    """All are served with new certificates, from the orders that there were; nothing is left over."""
    for stage in stages.stages:
        managed.wait_served(m, stage.name, 60, other_than=before.get(stage.name))
    for stage in stages.stages:
        managed.wait_event(m, stage.name, "installed", cursor)
    for stage in stages.stages:
        # An order whose answer never came is nothing that anybody could go on with.
        expected = 2 if (stage.kind, stage.when) == ("new-order", "after") else 1
        assert stages.orders(stage.name) == expected, (stage, stages.orders(stage.name))
    assert m.ca.proxy.count("new-account") == 0 and managed.files(m, "accounts") == ["ACME-ca.test-0000"]
    assert managed.left_over(m) == [], managed.left_over(m)


def ensure(m, all_of_them=False):
    """What the first tests leave, when others are run without them: a domain that is served, or all that have a step of their own."""
    if not managed.is_known(m, KEPT):
        test_account(m)
    if all_of_them and not managed.is_known(m, next(iter(plan_for_all()))):
        test_manager(m)


def served(m):
    return {name: m.certificate(name) for name in plan_for_all()}


def test_account(m):
    """The manager dies while the CA makes the account: it is the same account afterwards, asked for with the same key."""
    release, reached = threading.Event(), threading.Event()
    m.ca.proxy.rule(kind="new-account", nth=1, change=lambda *_: (reached.set(), release.wait(60)))
    managed.add(m, KEPT)
    cursor = m.cursor()
    apache.reload(m)
    m.wait_for(reached.is_set, 20, "the account to be made")
    managed.kill(m)
    release.set()
    managed.wait_served(m, KEPT, 60)
    managed.wait_event(m, KEPT, "installed", cursor)
    asked = m.ca.proxy.seen("new-account")
    assert [r.status for r in asked] == [201, 200] and asked[0].protected["jwk"] == asked[1].protected["jwk"], asked
    assert managed.files(m, "accounts") == ["ACME-ca.test-0000"] and managed.left_over(m) == []


def test_manager(m):
    """The manager dies while renewals are at every step: all go on with the orders that they have, and it is no failure of theirs."""
    ensure(m)
    stages = Stages(m, plan_for_all())
    for name in plan_for_all():
        managed.add(m, name)
    cursor = m.cursor()
    with Visitor(m, KEPT, roots=m.ca.root()) as visitor:
        apache.reload(m)
        stages.wait()
        managed.kill(m)
        stages.release("before")
        m.wait_active("md-manager.service")
        stages.release()
        wait_done(m, stages, cursor, {})
    assert visitor.answered and not visitor.wrong, visitor.wrong
    errored = m.journal("MD_EVENT=errored", after=cursor)
    assert not errored, [entry["MESSAGE"] for entry in errored]


def add_alias(m, names, alias):
    """Another name for each of the domains: they are due."""
    for name in names:
        managed.add(m, name, f"{alias}.{name}")


def test_worker(m):
    """A worker dies at any step: an attempt that failed, and the next one goes on with the order; what is served goes on being served."""
    ensure(m, all_of_them=True)
    before, stages = served(m), Stages(m, plan_for_all())
    add_alias(m, plan_for_all(), "alias1")
    cursor = m.cursor()
    with Visitor(m, "poll-after.example.org", roots=m.ca.root()) as visitor:
        apache.reload(m)
        stages.wait()
        m.run("systemctl kill -s KILL 'md-renew@*.service'")
        stages.release()
        wait_done(m, stages, cursor, before)
    assert visitor.answered and not visitor.wrong, visitor.wrong
    for stage in stages.stages:
        entry = managed.wait_event(m, stage.name, "errored", cursor)
        assert "ended without a word" in entry["MESSAGE"] and "next try" in entry["MESSAGE"] and managed.show(m, stage.name)["Errors"] == 0, entry


def test_power(m):
    """The power is lost while renewals are at every step: after the boot all go on with the orders that they have, and what was served is served at once."""
    ensure(m, all_of_them=True)
    before, stages = served(m), Stages(m, plan_for_all())
    add_alias(m, plan_for_all(), "alias2")
    apache.reload(m)
    stages.wait()
    cursor = m.cursor()
    m.kill()
    stages.release()
    m.boot()
    m.wait_active("apache2.service")
    for name in plan_for_all():
        assert m.https(name, roots=m.ca.root())[0] == 200, name
    wait_done(m, stages, cursor, before)
    errored = m.journal("MD_EVENT=errored", after=cursor)
    assert not errored, [entry["MESSAGE"] for entry in errored]


def test_before_the_order(m):
    """The manager dies while the worker asks for the CA's directory, and for its first nonce."""
    for kind in ("directory", "new-nonce"):
        name = f"{kind}.example.org"
        m.ca.proxy.clear()
        release = threading.Event()
        rule = m.ca.proxy.rule(kind=kind, nth=1, hold=release)
        managed.add(m, name)
        cursor = m.cursor()
        apache.reload(m)
        m.wait_for(lambda: rule.used, 20, f"the {kind} to be asked for")
        managed.kill(m)
        release.set()
        managed.wait_served(m, name)
        managed.wait_event(m, name, "installed", cursor)
        assert m.ca.proxy.count("new-order") == 1 and not m.journal("MD_EVENT=errored", after=cursor)
    m.ca.proxy.clear()


def test_queue(m):
    """The manager dies while one renewal runs and others wait for its place: all have their turn."""
    managed.settings(m, ReloadIntervalSec=1, MaxConcurrentRenewals=1)
    m.ca.proxy.clear()
    names = [f"queue{n}.example.org" for n in range(3)]
    release = threading.Event()
    rule = m.ca.proxy.rule(kind="new-order", nth=1, hold=release)
    for name in names:
        managed.add(m, name)
    cursor = m.cursor()
    apache.reload(m)
    m.wait_for(lambda: rule.used, 20, "the first one's order")
    managed.kill(m)
    release.set()
    for name in names:
        managed.wait_served(m, name)
        managed.wait_event(m, name, "installed", cursor)
    assert not m.journal("MD_EVENT=errored", after=cursor)
    m.ca.proxy.clear()
    managed.settings(m, ReloadIntervalSec=1, MaxConcurrentRenewals=20)


def test_key(m):
    """The manager dies while a key is in the making: the order that was made meanwhile is gone on with, whatever key is configured then."""
    name = "key.example.org"
    m.ca.proxy.clear()
    release = threading.Event()
    rule = m.ca.proxy.rule(kind="authorization", nth=1, hold=release)
    managed.add(m, name, directives="MDPrivateKeys RSA 8192")
    cursor = m.cursor()
    apache.reload(m)
    m.wait_for(lambda: rule.used, 20, "the authorization to be asked for")
    m.run("systemctl kill -s STOP md-manager")
    assert not [file for file in managed.files(m, f"staging/{name}") if "privkey" in file]
    managed.add(m, name, directives="MDPrivateKeys P-384")
    apache.reload(m)
    managed.kill(m)
    release.set()
    managed.wait_served(m, name)
    managed.wait_event(m, name, "installed", cursor)
    assert managed.show(m, name)["KeySpecs"] == ["p-384"] and m.ca.proxy.count("new-order") == 1, m.ca.proxy.counts()
    assert not m.journal("MD_EVENT=errored", after=cursor) and managed.left_over(m) == []


def test_asked(m):
    """A renewal that nobody but an operator wants outlives the manager, too, in manual mode and with the same order."""
    name = "asked.example.org"
    managed.add(m, name, directives="MDRenewMode manual")
    apache.reload(m)
    m.wait_for(lambda: managed.is_known(m, name), 10, "the domain")
    m.ca.proxy.clear()
    release = threading.Event()
    rule = m.ca.proxy.rule(kind="finalize", nth=1, change=lambda *_: release.wait(60))
    cursor = m.cursor()
    managed.renew(m, name)
    m.wait_for(lambda: rule.used, 20, "the order to be finalized")
    managed.kill(m)
    release.set()
    managed.wait_served(m, name)
    managed.wait_event(m, name, "installed", cursor)
    assert m.ca.proxy.count("new-order") == 1 and "asked" not in managed.job(m, name)
    assert managed.show(m, name)["Reason"] == "renew-mode-manual" and managed.left_over(m) == []
    m.ca.proxy.clear()


def begin(m):
    """Another renewal of the domain that is served already, held at its certificate: what is served, how it is let go, and the journal's position."""
    ensure(m)
    m.ca.proxy.clear()
    release = threading.Event()
    rule = m.ca.proxy.rule(kind="certificate", nth=1, hold=release)
    old, cursor = m.certificate(KEPT), m.cursor()
    managed.renew(m, KEPT)
    m.wait_for(lambda: rule.used, 20, "the certificate to be asked for")
    return old, release, cursor


def wait_end(m, old, cursor):
    """A new certificate is served, of one order and told once, and nothing is left over."""
    managed.wait_served(m, KEPT, other_than=old)
    managed.wait_event(m, KEPT, "installed", cursor)
    m.wait_for(lambda: managed.show(m, KEPT)["Reason"] == "renew-window", 10, "everything to be done")
    assert m.ca.proxy.count("new-order") == 1, m.ca.proxy.counts()
    assert not m.journal("MD_EVENT=errored", after=cursor) and len(m.journal("MD_EVENT=installed", after=cursor)) == 1
    assert managed.left_over(m) == [], managed.left_over(m)
    m.ca.proxy.clear()


def archived(m):
    """The number of the newest set in the archive."""
    return max((int(entry.rpartition(".")[2]) for entry in managed.files(m, "archive") if entry.startswith(KEPT)), default=0)


def test_activation(m):
    """The manager dies at each move of a set: into staging, out of it, into its place, into the archive; the old or the new one is always served."""
    ensure(m)
    with Visitor(m, KEPT, roots=m.ca.root(), pause=0.02) as visitor:
        for directory, name, way in ((f"staging/{KEPT}", ".pubcert", "made"), (f"staging/{KEPT}", "pubcert", "to"), (f"domains/{KEPT}", ".job.json", "made"),
                                     (f"domains/{KEPT}", "job.json", "to"), ("staging", KEPT, "from"), ("tmp", KEPT, "to"), ("domains", KEPT, "to"),
                                     ("archive", KEPT, "to"), (f"reserve/{KEPT}", ".privkey", "made")):
            old, release, cursor = begin(m)
            before = archived(m)
            killer = m.start(["python3", "/root/killer.py", str(managed.main_pid(m)), f"{managed.STORE}/{directory}", name, way])
            killer.wait_line("watching")
            release.set()
            killer.wait_line("killed")
            wait_end(m, old, cursor)
            assert archived(m) == before + 1, managed.files(m, "archive")
    assert not visitor.wrong, visitor.wrong


def test_lock(m):
    """The manager dies while it waits to move a set, because a server reads the store; when the server is done, the set is moved."""
    old, release, cursor = begin(m)
    reader = m.start(["flock", "--shared", f"{managed.STORE}/servers/lock", "sh", "-c", "echo locked; sleep 1000"])
    reader.wait_line("locked")
    release.set()
    m.wait_for(lambda: managed.show(m, KEPT)["Action"] == "activate", 10, "the manager to wait")
    managed.kill(m)
    m.wait_for(lambda: managed.show(m, KEPT)["Action"] == "activate", 10, "the manager to wait again")
    assert m.certificate(KEPT).fingerprint == old.fingerprint
    reader.stop()
    wait_end(m, old, cursor)


def test_reload(m):
    """The manager dies while Apache reloads: before Apache has heard of it, and when it has told already what it serves."""
    for when in ("before", "after"):
        old, release, cursor = begin(m)
        managed.hold_reload(m, when)
        release.set()
        managed.wait_reloading(m)
        if when == "after":
            managed.wait_served(m, KEPT, other_than=old)
        managed.kill(m)
        m.wait_active("md-manager.service")
        managed.release_reload(m, when)
        wait_end(m, old, cursor)


def test_told_to_nobody(m):
    """The manager dies before it sees what Apache tells: it is told when it is there again, and needs no second reload."""
    old, release, cursor = begin(m)
    managed.hold_reload(m, "before")
    release.set()
    managed.wait_reloading(m)
    m.run("systemctl kill -s STOP md-manager")
    managed.release_reload(m, "before")
    managed.wait_served(m, KEPT, other_than=old)
    managed.kill(m)
    wait_end(m, old, cursor)
    assert managed.reloads(m, cursor) == 1


def test_power_before_reload(m):
    """The power is lost when the new set is in its place and Apache has not read it: it is served after the boot, and nobody complains."""
    old, release, cursor = begin(m)
    managed.hold_reload(m, "before")
    release.set()
    managed.wait_event(m, KEPT, "renewed", cursor)
    managed.wait_reloading(m)
    m.kill()
    m.boot()
    wait_end(m, old, cursor)
    told = [e["MESSAGE"] for e in m.journal("_SYSTEMD_UNIT=md-manager.service", after=cursor) if int(e["PRIORITY"]) < 5]
    assert not told, told


def test_snapshot(m):
    """The manager is dead when Apache tells of a new domain, and dies when it is about to read that: the domain has its certificate soon."""
    for name in ("dead.example.org", "dying.example.org"):
        m.ca.proxy.clear()
        managed.add(m, name)
        cursor = m.cursor()
        if name.startswith("dead"):
            m.run("systemctl kill -s KILL md-manager; systemctl stop md-manager")
            apache.reload(m)
            m.run("systemctl start md-manager")
        else:
            m.run("systemctl kill -s STOP md-manager")
            apache.reload(m)
            managed.kill(m)
        managed.wait_served(m, name)
        managed.wait_event(m, name, "installed", cursor)
        assert m.ca.proxy.count("new-order") == 1


def test_launcher(m):
    """No timer can be made because the launcher does not start: the manager's own clock renews in time, and the timer is there when the launcher is."""
    name = "short.example.org"
    m.run("systemctl stop md-launcher; systemctl mask --runtime md-launcher")
    m.ca.restart(validity=14)
    managed.add(m, name, directives="MDRenewWindow 9s")
    cursor = m.cursor()
    apache.reload(m)
    first = managed.wait_served(m, name)
    m.wait_journal("_SYSTEMD_UNIT=md-manager.service", after=cursor, where=lambda e: "timer was not set" in e["MESSAGE"])
    assert managed.timer(m, name) is None and managed.show(m, name)["TimerUnit"] == ""
    with Visitor(m, name, roots=m.ca.root()) as visitor:
        managed.wait_served(m, name, 15, other_than=first)
        m.run("systemctl unmask --runtime md-launcher")
        m.wait_for(lambda: managed.timer(m, name), 15, "the timer")
    assert not visitor.wrong, visitor.wrong


def test_nothing_more(m):
    """When everything is done, nothing that dies makes any more work, however often it dies: no order, no reload, no event."""
    managed.remove(m, "short.example.org")
    apache.reload(m)
    m.wait_for(lambda: not managed.is_known(m, "short.example.org"), 10, "the short one to be forgotten")
    m.ca.proxy.clear()
    cursor = m.cursor()
    for _ in range(7):      # more often than systemd would restart a service that says nothing about it
        managed.kill(m)
        m.wait_active("md-manager.service")
    managed.check(m)
    m.reboot()
    managed.check(m)
    assert m.ca.proxy.counts() == {} and managed.reloads(m, cursor) == 0, m.ca.proxy.counts()
    told = [e["MESSAGE"] for e in m.journal("_SYSTEMD_UNIT=md-manager.service", after=cursor) if "MD_EVENT" in e]
    assert not told, told
