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
