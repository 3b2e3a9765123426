# SPDX-License-Identifier: Apache-2.0
"""Death at each step of a renewal: of the manager, of a worker, of the whole machine. Everything comes to its end by itself."""

import threading

import apache
import managed
from machine import Visitor

# Where a renewal is held: the kind of request, and whether the CA has done what it was asked ("after") or never hears of it ("before").
# "poll" is a look at the order after the finalization.
STEPS = [(kind, when) for kind in ("new-order", "authorization", "challenge", "order", "finalize", "poll", "certificate") for when in ("before", "after")]


def setup(m):
    managed.install(m)
    managed.settings(m, ReloadIntervalSec=1, MaxConcurrentRenewals=20)
    managed.set_globally(m, MDPrivateKeys="P-256")


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
    return {stage.name: m.certificate(stage.name) for stage in stages.stages}


def test_account(m):
    """The manager dies while the CA makes the account: it is the same account afterwards, asked for with the same key."""
    release, reached = threading.Event(), threading.Event()
    m.ca.proxy.rule(kind="new-account", nth=1, change=lambda *_: (reached.set(), release.wait(60)))
    managed.add(m, "kept.example.org")
    cursor = m.cursor()
    apache.reload(m)
    m.wait_for(reached.is_set, 20, "the account to be made")
    managed.kill(m)
    release.set()
    managed.wait_served(m, "kept.example.org", 60)
    managed.wait_event(m, "kept.example.org", "installed", cursor)
    asked = m.ca.proxy.seen("new-account")
    assert [r.status for r in asked] == [201, 200] and asked[0].protected["jwk"] == asked[1].protected["jwk"], asked
    assert managed.files(m, "accounts") == ["ACME-ca.test-0000"] and managed.left_over(m) == []


def test_manager(m):
    """The manager dies while renewals are at every step: all go on with the orders that they have, and it is no failure of theirs."""
    stages = Stages(m, plan_for_all())
    for name in plan_for_all():
        managed.add(m, name)
    cursor = m.cursor()
    with Visitor(m, "kept.example.org", roots=m.ca.root()) as visitor:
        apache.reload(m)
        stages.wait()
        managed.kill(m)
        stages.release("before")
        m.wait_active("md-manager.service")
        stages.release()
        m.certificates = wait_done(m, stages, cursor, {})
    assert visitor.answered and not visitor.wrong, visitor.wrong
    errored = m.journal("MD_EVENT=errored", after=cursor)
    assert not errored, [entry["MESSAGE"] for entry in errored]


def add_alias(m, names, alias):
    """Another name for each of the domains: they are due."""
    for name in names:
        managed.add(m, name, f"{alias}.{name}")


def test_worker(m):
    """A worker dies at any step: an attempt that failed, and the next one goes on with the order; what is served goes on being served."""
    stages = Stages(m, plan_for_all())
    add_alias(m, plan_for_all(), "alias1")
    cursor = m.cursor()
    with Visitor(m, "poll-after.example.org", roots=m.ca.root()) as visitor:
        apache.reload(m)
        stages.wait()
        m.run("systemctl kill -s KILL 'md-renew@*.service'")
        stages.release()
        m.certificates = wait_done(m, stages, cursor, m.certificates)
    assert visitor.answered and not visitor.wrong, visitor.wrong
    for stage in stages.stages:
        entry = managed.wait_event(m, stage.name, "errored", cursor)
        assert "ended without a word" in entry["MESSAGE"] and "next try" in entry["MESSAGE"] and managed.show(m, stage.name)["Errors"] == 0, entry


def test_power(m):
    """The power is lost while renewals are at every step: after the boot all go on with the orders that they have, and what was served is served at once."""
    stages = Stages(m, plan_for_all())
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
    m.certificates = wait_done(m, stages, cursor, m.certificates)
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
