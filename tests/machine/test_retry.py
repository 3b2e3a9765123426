# SPDX-License-Identifier: Apache-2.0
"""After a failure: when the next try comes, that nothing makes it forgotten, and that the CA's wishes count."""

import email.utils
import time

import apache
import managed

SECOND = 1000000
DELAY = 2       # MDRetryDelay, as managed.py sets it


def setup(m):
    managed.install(m)
    managed.settings(m, ReloadIntervalSec=1)


def add(m, name):
    """A new domain, known to Apache: the journal's position before that."""
    cursor = m.cursor()
    managed.add(m, name)
    apache.reload(m)
    return cursor


def wait_failure(m, name, cursor):
    """The next failed attempt after 'cursor': the domain as the bus shows it, with the time of the failure in 'at' and the journal's position behind it."""
    entry = managed.wait_event(m, name, "errored", cursor)
    shown = managed.show(m, name)
    assert shown["Action"] == "wait" and shown["Reason"] == "retry", shown
    return shown | {"at": entry["at"], "cursor": entry["__CURSOR"], "message": entry["MESSAGE"]}


def wait_timer(m, name, at):
    m.wait_for(lambda: managed.timer_is(m, name, at), 10, f"the timer of {name} to be set for {at}")


def seconds(usec):
    return usec / SECOND


def test_ca_down(m):
    """While the CA is down, the first retry comes after MDRetryDelay and not later, the next waits are doubled; when it is back, all is well by itself."""
    name = "down.example.org"
    m.ca.proxy.stop()
    failure = wait_failure(m, name, add(m, name))
    assert abs(seconds(failure["NextUSec"] - failure["at"]) - DELAY) < 0.3, failure
    assert failure["LastProblem"][0] and "ca.test" in failure["LastProblem"][1] and "next try" in failure["message"], failure
    for errors in (2, 3):
        begun = managed.wait_event(m, name, "renewing", failure["cursor"])["at"]
        assert 0 <= seconds(begun - failure["NextUSec"]) < 1.5, (begun, failure)
        failure = wait_failure(m, name, failure["cursor"])
        wait = seconds(failure["NextUSec"] - failure["at"])
        assert failure["Errors"] == errors and DELAY * 2 ** (errors - 2) - 0.3 <= wait <= DELAY * 2 ** (errors - 1) + 0.3, (wait, failure)
        wait_timer(m, name, failure["NextUSec"])
    m.ca.proxy.listen()
    managed.wait_served(m, name, DELAY * 8)
    managed.wait_event(m, name, "installed", failure["cursor"])
    shown, job = managed.show(m, name), managed.job(m, name)
    assert shown["Errors"] == 0 and shown["LastProblem"][0] == "" and shown["Reason"] == "renew-window", shown
    assert job["errors"] == 0 and not job.get("last", {}).get("problem"), job
    wait_timer(m, name, shown["RenewAtUSec"])


def test_kept(m):
    """The time of the next try is kept in the store and in the timer: over a restart of the manager, its death, and a reboot."""
    name = "kept.example.org"
    managed.set_globally(m, MDRetryDelay="120s")
    m.ca.proxy.stop()
    failure = wait_failure(m, name, add(m, name))
    at = failure["NextUSec"]
    assert abs(seconds(at - failure["at"]) - 120) < 0.3, failure

    def is_kept():
        shown, kept = managed.show(m, name), email.utils.parsedate_to_datetime(managed.job(m, name)["next-run"]).timestamp()
        return abs(seconds(shown["NextUSec"]) - kept) < 1 and abs(seconds(shown["NextUSec"] - at)) < 1 and shown["Errors"] == 1 \
            and shown["Reason"] == "retry" and managed.timer_is(m, name, shown["NextUSec"])

    m.wait_for(is_kept, 10, "the time in store and timer")
    m.run("systemctl restart md-manager")
    m.wait_for(is_kept, 10, "the same after a restart")
    managed.kill(m)
    m.wait_for(is_kept, 10, "the same after the manager's death")
    m.reboot()
    m.wait_for(is_kept, 20, "the same after a reboot")
    m.ca.proxy.listen()
    managed.renew(m, name)
    managed.wait_served(m, name)
    assert managed.job(m, name)["errors"] == 0
    managed.set_globally(m)


def test_asked(m):
    """A renewal that was asked for, is not due, and fails: it is told that nothing will be tried again, and nothing is; the timer is that of the window."""
    name = "asked.example.org"
    cursor = add(m, name)
    managed.wait_event(m, name, "installed", cursor)
    m.ca.proxy.rule(kind="new-order", problem="rateLimited", detail="not today")
    managed.renew(m, name)
    told = managed.wait_event(m, name, "errored", cursor)["MESSAGE"]
    assert "not today" in told and "not tried again by itself" in told and "next try" not in told, told
    shown = managed.show(m, name)
    assert shown["Errors"] == 0 and shown["Reason"] == "renew-window" and shown["NextUSec"] == shown["RenewAtUSec"], shown
    assert shown["LastProblem"][0].endswith("rateLimited")
    wait_timer(m, name, shown["RenewAtUSec"])
    m.ca.proxy.clear()
    old = m.certificate(name)
    managed.renew(m, name)
    managed.wait_served(m, name, other_than=old)
    assert managed.show(m, name)["LastProblem"][0] == "" and managed.left_over(m) == []


def test_retry_after(m):
    """An error with Retry-After, in seconds or as a date: the CA is left alone that long, and asked again then."""
    date = lambda after: email.utils.formatdate(time.time() + after, usegmt=True)
    cases = (("seconds.example.org", {"kind": "new-order", "status": 429, "problem": "rateLimited"}, lambda: "6", (6, 7)),
             ("date.example.org", {"kind": "new-order", "status": 429, "problem": "rateLimited"}, lambda: date(9), (5, 9)),
             ("busy.example.org", {"kind": "directory", "status": 503, "body": "come back later"}, lambda: "6", (6, 7)))
    for name, rule, value, (least, most) in cases:
        m.ca.proxy.clear()
        m.ca.proxy.rule(headers={"Retry-After": value()}, times=1, **rule)
        failure = wait_failure(m, name, add(m, name))
        wait = seconds(failure["NextUSec"] - failure["at"])
        assert least - 0.5 <= wait <= most + 0.5, (name, wait, failure)
        assert failure["LastProblem"][4] > failure["at"], failure["LastProblem"]
        managed.wait_served(m, name, 20)
        first, second = m.ca.proxy.seen(rule["kind"])[:2]
        assert least - 0.3 <= second.time - first.time < most + 4, (name, first.time, second.time)
    m.ca.proxy.clear()


def test_polls(m):
    """Retry-After on a poll is obeyed, with an order that goes on and with a CA that cannot answer; no new attempt, no new order."""
    for name, rule in (("patient.example.org", {"replace": {"status": "pending"}, "add": {"Retry-After": "3"}}),
                       ("tired.example.org", {"status": 503, "headers": {"Retry-After": "3"}, "body": "come back later"})):
        m.ca.proxy.clear()
        m.ca.proxy.rule(kind="order", nth=1, **rule)
        cursor = add(m, name)
        managed.wait_served(m, name)
        polls = m.ca.proxy.seen("order")
        assert 2.9 <= polls[1].time - polls[0].time < 4.5, [poll.time for poll in polls]
        assert m.ca.proxy.count("new-order") == 1 and not m.journal(f"MD_NAME={name}", "MD_EVENT=errored", after=cursor)
    m.ca.proxy.clear()


def test_long_poll(m):
    """A CA that wants to be left alone for longer than a worker waits: the attempt ends, and the next one goes on with the same order, not before."""
    name = "long.example.org"
    m.ca.proxy.clear()
    rule = m.ca.proxy.rule(kind="order", replace={"status": "processing"}, add={"Retry-After": "1000"})
    failure = wait_failure(m, name, add(m, name))
    assert 995 < seconds(failure["NextUSec"] - failure["at"]) < 1005, failure
    assert m.ca.proxy.count("order") == 1
    wait_timer(m, name, failure["NextUSec"])
    m.ca.proxy.forget(rule)
    managed.renew(m, name)
    managed.wait_served(m, name)
    assert m.ca.proxy.count("new-order") == 1, m.ca.proxy.counts()
    managed.wait_event(m, name, "installed", failure["cursor"])
    assert managed.left_over(m) == []
