# SPDX-License-Identifier: Apache-2.0
"""One thing that goes wrong stays one thing: the rest goes on, nothing turns round and round, and what is mended is taken up without anybody's help."""

import base64
import contextlib
import json
import os
import threading
import time

import apache
import hands
import managed
import pebble

STORE = managed.STORE
WORKER = ("org.mdmanager1", "/org/mdmanager1/worker", "org.mdmanager1.Worker")
NOT_NOW, INVALID, NOT_ALLOWED, BUSY = (f"org.mdmanager1.Error.{name}" for name in ("NotNow", "InvalidArgument", "NotAllowed", "Busy"))
BACK_DATED, LEFT = 80 * 86400, 15      # seconds
# No reload waits for a renewal that a test holds.
SETTINGS = {"ReloadIntervalSec": 1, "ReloadMaxWaitSec": 1, "ServedTimeoutSec": 2}
PATIENT, SECOND = "apache2.service", "apache2@second.service"


def setup(m):
    hands.install(m)
    managed.install(m)
    managed.settings(m, **SETTINGS)
    managed.set_globally(m, MDPrivateKeys="secp256r1")
    have(m, "a.test", "b.test")


def have(m, *names, directives=""):
    """Domains that are served, and with which nothing is wrong."""
    for name in names:
        managed.add(m, name, directives=directives)
    apache.reload(m)
    for name in names:
        managed.wait_served(m, name)
        wait_settled(m, name)


def wait_settled(m, name, deadline=30):
    def settled():
        shown = managed.show(m, name)
        return shown["Job"] == "/" and shown["Served"] and shown["Action"] == "wait" and shown["Errors"] == 0
    m.wait_for(settled, deadline, f"{name} to be settled")


def without(m, *names):
    for name in names:
        managed.remove(m, name)
    apache.reload(m)
    for name in names:
        m.wait_for(lambda n=name: not managed.is_known(m, n), 20, f"{name} to be forgotten")


def messages(m, after, *matches):
    return [entry["MESSAGE"] for entry in m.journal(*matches, after=after)]


def renewals(m, name, after):
    """How many renewals of a domain have begun."""
    return len(m.journal(f"MD_NAME={name}", "MD_EVENT=renewing", after=after))


class Usage:
    """What the manager has used since this was made: seconds of processor time for each second, and KiB of memory."""

    def __init__(self, m):
        self.m, self.pid = m, managed.main_pid(m)
        self.began, self.cpu, self.memory = time.monotonic(), self._cpu(), self._memory()

    def _cpu(self):
        fields = self.m.read(f"/proc/{self.pid}/stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _memory(self):
        line = next(line for line in self.m.read(f"/proc/{self.pid}/status").splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1])

    def is_the_same(self):
        return managed.main_pid(self.m) == self.pid

    def share(self):
        return (self._cpu() - self.cpu) / (time.monotonic() - self.began)

    def grown(self):
        return self._memory() - self.memory


# What lies in the store, and what serves it


def test_unreadable_domain(m):
    """A domain whose directory cannot be read does not keep the others from being managed, and a check tells it; when it can be read, it is taken up."""
    m.run(f"chown root:root {STORE}/domains/a.test")
    m.run("systemctl restart md-manager")
    try:
        m.wait_for(lambda: managed.is_known(m, "b.test"), 10, "the other domain to be known")
        wait_settled(m, "b.test")
        m.wait_for(lambda: managed.timer(m, "b.test"), 10, "the other domain's timer")
        before = managed.is_real(m, "b.test")
        managed.renew(m, "b.test")
        managed.wait_served(m, "b.test", other_than=before)
        faults = m.wait_for(lambda: managed.call(m, "/org/mdmanager1", "org.mdmanager1.Manager", "GetFaults")[0], 20, "a fault")
        assert [name for name, _ in faults] == ["a.test"], faults
        done = managed.mdctl(m, "check", check=False)
        assert done.rc != 0 and "a.test" in done.out and "Permission denied" in done.out and "b.test" not in done.out, done
        assert managed.is_real(m, "a.test"), "what was served is not served any more"
    finally:
        m.run(f"chown md-manager:md-manager {STORE}/domains/a.test")
    managed.mdctl(m, "check", check=False)
    m.wait_for(lambda: managed.mdctl(m, "check", check=False).rc == 0, 10, "nothing to be wrong any more")
    wait_settled(m, "a.test")


def test_install_from_facts(m):
    """A reload fails, then another renewal fails too; when the configuration is mended, the live certificate is served without anybody's help."""
    before = managed.is_real(m, "a.test")
    m.write("/etc/apache2/conf-enabled/broken.conf", "ThisIsNoDirective on\n")
    cursor = m.cursor()
    try:
        managed.renew(m, "a.test")
        managed.wait_event(m, "a.test", "reload-failed", cursor)
        rule = m.ca.proxy.rule(kind="new-order", problem="rateLimited")
        managed.renew(m, "a.test")
        managed.wait_event(m, "a.test", "errored", cursor)
        m.ca.proxy.forget(rule)
        shown = managed.show(m, "a.test")
        assert shown["Action"] == "install" and not shown["Served"], shown
        assert managed.is_real(m, "a.test").fingerprint == before.fingerprint
    finally:
        m.run("rm /etc/apache2/conf-enabled/broken.conf")
    managed.wait_served(m, "a.test", other_than=before)
    managed.wait_event(m, "a.test", "installed", cursor)
    assert renewals(m, "a.test", cursor) == 2
    wait_settled(m, "a.test")
    assert not managed.check(m)


@contextlib.contextmanager
def second_apache(m):
    """Another instance, as Debian makes them: on other ports, with the same sites."""
    m.run("""cp -a /etc/apache2 /etc/apache2-second
        cd /etc/apache2-second
        sed -i 's/Listen 80$/Listen 8080/; s/Listen 443$/Listen 8443/' ports.conf
        echo 'MDPortMap 80:8080 443:8443' >>conf-enabled/md.conf
        sed -i 's/:80>/:8080>/; s/:443>/:8443>/' sites-enabled/*.conf
        mkdir -p /var/log/apache2-second && chown root:adm /var/log/apache2-second
        systemctl start apache2@second""")
    try:
        yield
    finally:
        m.run(f"systemctl stop {SECOND}; rm -rf /etc/apache2-second {STORE}/servers/apache2*second*; systemctl restart md-manager")


def test_second_server(m):
    """One of two servers does not take up the new certificate: the other one is reloaded once, and not accused of it; the first one is asked again."""
    def reloaded(unit):
        return messages(m, cursor).count(f"Reloading {unit}.")
    with second_apache(m):
        m.wait_for(lambda: managed.show(m, "a.test")["Served"] and "apache2@second.json" in managed.files(m, "servers"), 20, "both servers to tell what they serve")
        # Its reload succeeds, and does nothing.
        m.write(f"/run/systemd/system/{SECOND}.d/deaf.conf", "[Service]\nExecReload=\nExecReload=/bin/true\n")
        m.run("systemctl daemon-reload")
        cursor, before = m.cursor(), m.certificate("a.test")
        managed.renew(m, "a.test")
        managed.wait_served(m, "a.test", other_than=before)
        accused = managed.wait_event(m, "a.test", "served-differs", cursor)
        assert SECOND in accused["MESSAGE"], accused["MESSAGE"]
        # And once more, after the pause that follows a failure.
        m.wait_for(lambda: reloaded(SECOND) >= 2, 30, "the other server to be reloaded again")
        assert reloaded(PATIENT) == 1, messages(m, cursor)
        assert not [text for text in messages(m, cursor, "MD_EVENT=served-differs", "MD_EVENT=reload-failed") if PATIENT in text]
        assert m.certificate("a.test", port=8443).fingerprint == before.fingerprint
        assert ["a.test"] == [name for name, _ in managed.check(m)]
        m.run(f"rm -r /run/systemd/system/{SECOND}.d; systemctl daemon-reload")
        managed.mdctl(m, "reload", SECOND)
        managed.wait_event(m, "a.test", "installed", cursor)
        assert m.certificate("a.test", port=8443).fingerprint == m.certificate("a.test").fingerprint
        assert reloaded(PATIENT) == 1, messages(m, cursor)
    wait_settled(m, "a.test")


# Who waits, and who goes away


def test_worker_leaves_the_queue(m):
    """A worker that waits for its turn goes away: the domain is renewed all the same when its turn comes, and no failure is counted."""
    managed.settings(m, **SETTINGS, MaxConcurrentRenewals=1)
    release = threading.Event()
    rule = m.ca.proxy.rule(kind="new-order", nth=1, hold=release)
    before = {name: m.certificate(name) for name in ("a.test", "b.test")}
    cursor = m.cursor()
    try:
        managed.renew(m, "a.test")
        m.wait_for(lambda: rule.used, 20, "the first one's order")
        with hands.take_place(m, "md-renew@b.test.service", "waiting") as hand:
            managed.renew(m, "b.test")
            m.run("systemctl start --no-block md-renew@b.test.service")
            hand.wait_here()
            hand.do("connections['waiting'] = bus.Bus()\nconnections['waiting'].send(*words)", words=(*WORKER, "Open"))
            assert hand.call_error(*WORKER, "Open", bus="second") == BUSY       # so the first call has been taken up
            assert managed.show(m, "b.test")["Job"] != "/"
        m.wait_for(lambda: not managed.main_pid(m, "md-renew@b.test.service"), 10, "the waiting worker to be gone")
        assert managed.show(m, "b.test")["Job"] != "/", "its renewal is gone with it"
    finally:
        release.set()
        m.ca.proxy.forget(rule)
    for name, certificate in before.items():
        managed.wait_served(m, name, other_than=certificate)
        wait_settled(m, name)
    assert not messages(m, cursor, "MD_EVENT=errored"), messages(m, cursor, "MD_EVENT=errored")
    managed.settings(m, **SETTINGS)


def test_restart_meanwhile(m):
    """The manager is restarted while a worker waits for the CA: the renewal goes on afterwards, and no failed attempt is counted."""
    for kind in ("directory", "new-order", "finalize"):
        release = threading.Event()
        rule = m.ca.proxy.rule(kind=kind, nth=1, hold=release)
        before, cursor = m.certificate("a.test"), m.cursor()
        try:
            managed.renew(m, "a.test")
            m.wait_for(lambda r=rule: r.used, 20, f"the request to {kind}")
            m.run("systemctl restart md-manager")
        finally:
            release.set()
        managed.wait_served(m, "a.test", other_than=before)
        wait_settled(m, "a.test")
        m.ca.proxy.forget(rule)
        assert not messages(m, cursor, "MD_EVENT=errored"), (kind, messages(m, cursor, "MD_EVENT=errored"))


# A worker that is not ours any more


def count_refusals(hand, code, times, **values):
    """Does it so often; says how often it succeeded, and with what errors it did not."""
    return hand.do(f"""done, errors = 0, {{}}
for i in range({times}):
    try:
        {code}
        done += 1
    except bus.BusError as error:
        errors[error.name] = errors.get(error.name, 0) + 1
[done, errors]""", 60, WORKER=WORKER, **values)


def test_taken_over_worker(m):
    """A taken-over worker rejects accounts, invents orders, sets up challenges and reports progress without end: refused after a few, stopped, told; others go on."""
    unit, ca = "md-renew@b.test.service", pebble.DIRECTORY.rpartition("/")[0]
    before, cursor, accounts = m.certificate("b.test"), m.cursor(), len(managed.files(m, "accounts"))
    with hands.take_place(m, unit, "taken") as hand:
        managed.renew(m, "b.test")
        hand.wait_here()
        assert hand.call(*WORKER, "Open", bus="c")[1] == "b.test"
        hand.call(*WORKER, "Directory", "a{sv}", {"new-account": ("s", f"{ca}/sign-me-up"), "new-order": ("s", f"{ca}/order-plz")}, bus="c")
        usage = Usage(m)

        def sign(kind, url):
            body = json.loads(hand.call(*WORKER, "Sign", "sss", kind, url, "bm9uY2U", bus="c")[0])
            return json.loads(base64.urlsafe_b64decode(body["protected"] + "=="))

        # Accounts: one may be rejected, after the CA was asked, by what CAs say of such; and none is believed that nobody signed for, or that is not at this CA.
        reject = "connections['c'].call(*WORKER, 'AccountRejected', 's', why)"
        unknown = json.dumps({"problem": "urn:ietf:params:acme:error:accountDoesNotExist", "detail": "who?", "status": 400})
        limited = json.dumps({"problem": "urn:ietf:params:acme:error:rateLimited", "detail": "not now", "status": 429})
        done, errors = count_refusals(hand, reject, 20, why=unknown)
        assert done == 0 and list(errors) == [NOT_NOW], (done, errors)
        sign("new-order", f"{ca}/order-plz")
        for why in ("", "no JSON", "{}", limited):
            done, errors = count_refusals(hand, reject, 5, why=why)
            assert done == 0 and list(errors) == [INVALID], (why, done, errors)
        done, errors = count_refusals(hand, reject, 200, why=unknown)
        assert done == 1 and list(errors) == [NOT_NOW], (done, errors)
        done, errors = count_refusals(hand, "connections['c'].call(*WORKER, 'AccountCreated', 's', f'{ca}/account/{i}')", 200, ca=ca)
        assert done == 0 and list(errors) == [NOT_NOW], (done, errors)
        sign("new-account", f"{ca}/sign-me-up")
        assert hand.call_error(*WORKER, "AccountCreated", "s", "https://elsewhere.test/me", bus="c") == INVALID
        hand.call(*WORKER, "AccountCreated", "s", f"{ca}/my-account/nobody", bus="c")
        done, errors = count_refusals(hand, reject, 10, why=unknown)
        assert done == 0 and list(errors) == [NOT_NOW], (done, errors)
        assert len(managed.files(m, "accounts")) == accounts + 1, managed.files(m, "accounts")

        # Orders: each only after one was signed for, and only a few.
        order = "connections['c'].call(*WORKER, 'OrderCreated', 'ssast', f'{ca}/my-order/{i}', f'{ca}/finalize/{i}', [f'{ca}/authZ/{i}'], 0)"
        done, errors = count_refusals(hand, order, 20, ca=ca)
        assert done == 0 and list(errors) == [NOT_NOW], (done, errors)
        done, errors = count_refusals(hand, "connections['c'].call(*WORKER, 'Sign', 'sss', 'new-order', f'{ca}/order-plz', 'bm9uY2U'); " + order +
                                      "; connections['c'].call(*WORKER, 'OrderGone', 's', '')", 10, ca=ca)
        assert 0 < done < 5 and list(errors) == [NOT_NOW], (done, errors)
        assert len(m.read(f"{STORE}/domains/b.test/job.json")) < 65536

        # Somebody else's renewal goes on beside this one: the account that nobody made is found out.
        others = m.certificate("a.test")
        managed.renew(m, "a.test")
        managed.wait_served(m, "a.test", other_than=others)

        # Whatever it does, it comes to an end: the budget of calls.
        spin = ("for i in range(100000): connections['c'].call(*WORKER, 'Progress', 's', f'{i} ' + 'x' * 4000)")
        os.write(hand.ends[0], (json.dumps(f"WORKER = {WORKER!r}\n{spin}") + "\n").encode())
        entry = managed.wait_event(m, "b.test", "errored", cursor, deadline=60)
        assert "asked without end" in entry["MESSAGE"] and unit in entry["MESSAGE"], entry["MESSAGE"]
        m.wait_for(lambda: not managed.main_pid(m, unit), 10, "the worker to be stopped")
        assert usage.is_the_same() and usage.grown() < 5 * 1024, usage.grown()
    managed.renew(m, "b.test")      # by the honest one
    managed.wait_served(m, "b.test", other_than=before)
    wait_settled(m, "b.test")
    assert managed.left_over(m) == [], managed.left_over(m)


def test_taken_over_worker_challenges(m):
    """A taken-over worker sets up thousands of challenges: a few are, the budget of calls ends it, and nothing of it stays in the store."""
    unit, ca = "md-renew@b.test.service", pebble.DIRECTORY.rpartition("/")[0]
    cursor, before = m.cursor(), m.certificate("b.test")
    with hands.take_place(m, unit, "taken") as hand:
        managed.renew(m, "b.test")
        hand.wait_here()
        assert hand.call(*WORKER, "Open", bus="c")[1] == "b.test"
        usage = Usage(m)
        hand.call(*WORKER, "Directory", "a{sv}", {"new-account": ("s", f"{ca}/sign-me-up"), "new-order": ("s", f"{ca}/order-plz")}, bus="c")
        hand.call(*WORKER, "Sign", "sss", "new-order", f"{ca}/order-plz", "bm9uY2U", bus="c")
        hand.call(*WORKER, "OrderCreated", "ssast", f"{ca}/my-order/1", f"{ca}/finalize/1", [f"{ca}/authZ/1"], 0, bus="c")
        challenge = "connections['c'].call(*WORKER, 'SetUpChallenge', 'sssss', 'dns', 'b.test', 'http-01', f'{i:043}', f'{ca}/chalZ/{i}/' + 'a' * 1900)"
        done, errors = count_refusals(hand, challenge, 1000, ca=ca)
        assert 0 < done < 10 and list(errors) == [NOT_NOW], (done, errors)
        assert 0 < len(m.read(f"{STORE}/challenges/b.test/acme-http-01.txt")) < 10 * 256
        os.write(hand.ends[0], (json.dumps(f"WORKER, ca = {WORKER!r}, {ca!r}\nfor i in range(100000):\n    try:\n        {challenge}\n"
                                           "    except bus.BusError: pass") + "\n").encode())
        entry = managed.wait_event(m, "b.test", "errored", cursor, deadline=60)
        assert "asked without end" in entry["MESSAGE"], entry["MESSAGE"]
        m.wait_for(lambda: not managed.main_pid(m, unit), 10, "the worker to be stopped")
        assert usage.is_the_same() and usage.grown() < 5 * 1024, usage.grown()
    managed.renew(m, "b.test")      # by the honest one
    managed.wait_served(m, "b.test", other_than=before)
    wait_settled(m, "b.test")
    assert managed.left_over(m) == [], managed.left_over(m)


# Time that has passed


def back_dated(m, request, name):
    """A certificate for the key of a finalize request, most of whose life lies behind it already."""
    m.write("/run/back-dated/asked.der", base64.urlsafe_b64decode(request.payload["csr"] + "=="))
    m.write("/run/back-dated/extensions", f"subjectAltName=DNS:{name}\nextendedKeyUsage=serverAuth\n")
    for file in ("ca.pem", "ca.key"):
        m.write(f"/run/back-dated/{file}", m.ca.ca.read(file))
    begin, end = (time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + seconds)) for seconds in (-BACK_DATED, LEFT))
    issued = m.run(f"cd /run/back-dated; openssl x509 -req -inform DER -in asked.der -CA ca.pem -CAkey ca.key -CAcreateserial "
                   f"-not_before {begin} -not_after {end} -extfile extensions")
    return issued.out + m.ca.ca.read("ca.pem")


def test_due_as_soon_as_issued(m):
    """A CA whose certificates are in their renew window when they come: what is left counts as their life, and renewals do not follow each other without pause."""
    def change(_request, answer):
        answer.body = back_dated(m, m.ca.proxy.seen("finalize")[-1], "old.test").encode()
    rule = m.ca.proxy.rule(kind="certificate", change=change)
    cursor = m.cursor()
    try:
        managed.add(m, "old.test")
        apache.reload(m)
        first = managed.wait_event(m, "old.test", "installed", cursor)
        after_first = first["__CURSOR"]
        shown = managed.show(m, "old.test")
        assert shown["Action"] == "wait" and shown["NextUSec"] / 1e6 > first["at"] / 1e6 + LEFT / 2, shown
        second = managed.wait_event(m, "old.test", "renewing", after_first, deadline=LEFT)
        assert second["at"] - first["at"] > LEFT / 2 * 1e6, "a renewal without pause"
        managed.wait_event(m, "old.test", "installed", second["__CURSOR"])
        assert renewals(m, "old.test", cursor) == 2
    finally:
        m.ca.proxy.forget(rule)
        without(m, "old.test")


def test_time_that_has_passed(m):
    """Nobody reloads the server, and the time to renew comes: the manager sits still until the last third of the certificate's life, and renews it then."""
    life = 18
    without(m, "a.test", "b.test")
    m.run("systemctl mask --runtime --now md-launcher.service")     # no timers: the manager's own clock is what could run wild
    managed.settings(m, ReloadUnit="none")
    m.ca.restart(validity=life)
    try:
        managed.add(m, "early.test", directives="MDRenewWindow 90%")
        managed.add(m, "late.test", directives="MDRenewWindow 20%")
        cursor = m.cursor()
        apache.reload(m)
        issued = {name: managed.wait_event(m, name, "renewed", cursor)["at"] / 1e6 for name in ("early.test", "late.test")}
        # By their ends: how long it took until they were announced does not matter.
        end = {name: managed.show(m, name)["ValidUntilUSec"] / 1e6 for name in issued}
        m.wait_for(lambda: time.time() > issued["early.test"] + 0.1 * life + 1, life, "the time to renew")
        usage = Usage(m)
        cursor = m.cursor()
        again = managed.wait_event(m, "early.test", "renewing", cursor, deadline=life)["at"] / 1e6
        share = usage.share()
        assert usage.is_the_same() and share < 0.05, f"{100 * share:.1f} % of a processor, for nothing"
        assert 0.2 * life < end["early.test"] - again < 0.4 * life, end["early.test"] - again
        again = managed.wait_event(m, "late.test", "renewing", cursor, deadline=life)["at"] / 1e6
        assert 0 < end["late.test"] - again < 0.25 * life, end["late.test"] - again
        assert usage.share() < 0.05 and renewals(m, "early.test", cursor) == 1, usage.share()
    finally:
        m.run("systemctl unmask --runtime md-launcher.service")
