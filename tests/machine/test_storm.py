# SPDX-License-Identifier: Apache-2.0
"""Many domains to which one and the same thing happens: the administrator is told so in few messages, and of every one of them."""

import contextlib
import json
import time

import apache
import managed
from test_hooks import HOOK, HOOK_TEXT, calls, other_hook

STORE = managed.STORE
ME = "_SYSTEMD_UNIT=md-manager.service"
HOUR = 3600     # seconds

# The events that are looked at; 'renewing' is asked of every domain.
FILTER = "/usr/local/lib/md-test/storm/tell"
FILTER_TEXT = f'#!/bin/sh\ncase $MD_EVENT in errored | renewed | installed | reload-pending) exec {HOOK} "$@" ;; esac\n'


def setup(m):
    m.write(HOOK, HOOK_TEXT, mode=0o755)
    m.write(FILTER, FILTER_TEXT, mode=0o755)
    managed.install(m)
    # An attempt that failed is not repeated while a test looks at it.
    managed.set_globally(m, MDMessageCmd=f"{FILTER} told", MDRetryDelay="2h", MDPrivateKeys="P-256")
    m.write("/etc/systemd/system/md-manager.service.d/soon.conf", "[Service]\nRestartSec=100ms\n")
    m.run("systemctl daemon-reload")


@contextlib.contextmanager
def ca_is_down(m, prefix, n, **settings):
    """So many domains that cannot get their first certificate: their names."""
    managed.settings(m, ReloadIntervalSec=1, **settings)
    names = [f"{prefix}{i}.test" for i in range(n)]
    apache.site(m, prefix, "".join(f"<MDomain {name}>\nMDRenewMode always\n</MDomain>\n" for name in names))
    m.ca.proxy.stop()
    try:
        apache.reload(m)
        yield names
    finally:
        if not m.ca.proxy.server:
            m.ca.proxy.listen()
        managed.remove(m, prefix)
        apache.reload(m)


def wait_failed(m, names, after, deadline=120):
    m.wait_for(lambda: {e["MD_NAME"] for e in m.journal(ME, "MD_EVENT=errored", after=after)} >= set(names), deadline, "all of them to fail")


def messages(m, after, event="errored"):
    """What the administrator got: for each the list of domains that it is about, the first with its name among the arguments."""
    found = []
    for call in calls(m, after):
        if call["arguments"][-2:-1] == [event]:
            others = call["environment"].get("MD_OTHERS", "").split()
            assert json.loads(call["input"]).get("others", []) == others, call
            assert call["arguments"] == ["told", event, call["environment"]["MD_NAME"]], call
            assert (f"(and {len(others)} other domain" in call["environment"]["MD_DETAIL"]) == bool(others), call
            found.append([call["arguments"][-1], *others])
    return found


def wait_messages(m, names, after, deadline=90):
    """Until each of them was told, at least once."""
    m.wait_for(lambda: {name for told in messages(m, after) for name in told} >= set(names), deadline, "every one of them to be told")
    return messages(m, after)


def waiting(m):
    """Of the events that wait for their hooks: domain and when, in seconds since the epoch."""
    pending = managed.call(m, "/org/mdmanager1", "org.mdmanager1.Manager", "GetPendingHooks")[0]
    return {domain: when / 1000000 for domain, event, _, runs, when in pending if event == "errored" and not runs}


def test_ca_down(m):
    """A hundred domains that fail because the CA is down: a hook for the first at once, few for all others, each told once; none is told again by a check."""
    cursor = m.cursor()
    with ca_is_down(m, "down", 100, HookMergeSec="15s") as names:
        told = wait_messages(m, names, cursor, 180)
        print(f"{len(names)} domains in {len(told)} messages: {[len(about) for about in told]}")
        assert len(told) <= 6, [len(about) for about in told]    # windows of 15, 30, 60 s …: a slow machine may need some
        assert sorted(name for about in told for name in about) == sorted(names), told
        m.wait_for(lambda: not waiting(m), 20, "nothing to wait")
        for name in (told[0][0], told[-1][-1]):     # as if each had been told by itself
            m.wait_for(lambda n=name: "message-errored" in [e["type"] for e in managed.job(m, n)["log"]["entries"]], 10, f"the log of {name} to say so")
        managed.check(m)
        assert len(messages(m, cursor)) == len(told)


def test_crash(m):
    """What waits to be told together survives a crash, and so does what was being told: the next manager tells all of it, in one message."""
    cursor = m.cursor()
    with ca_is_down(m, "crash", 12, HookMergeSec="1h") as names:
        wait_failed(m, names, cursor)
        [[first, *with_it]] = m.wait_for(lambda: messages(m, cursor), 30, "the first to be told")
        rest = sorted(set(names) - {first, *with_it})
        assert len(rest) > 2, with_it
        m.wait_for(lambda: sorted(waiting(m)) == rest, 20, "the others to wait")
        now = time.time()
        assert all(now + HOUR / 2 < when < now + 2 * HOUR for when in waiting(m).values()), waiting(m)
        # Killed while the hook runs, and once more: nobody heard how it ended.
        with other_hook(m, "errored", "#!/bin/sh\necho begun\nwhile [ -e /run/hold-hook ]; do sleep 0.1; done\n"):
            m.write("/run/hold-hook", "")
            managed.kill(m)
            begun = m.wait_journal("SYSLOG_IDENTIFIER=tell", "MD_EVENT=errored", after=cursor, where=lambda e: e["MESSAGE"] == "begun")
            managed.kill(m)
        m.run("rm /run/hold-hook")
        assert begun["MD_NAME"] in rest, begun
        told = wait_messages(m, names, cursor)
        assert sorted(told[1]) == rest and len(told) == 2, told
        m.wait_for(lambda: not waiting(m), 20, "nothing to wait")


def test_order(m):
    """A domain for which more happens does not wait for others: they are told with it, and of each domain everything in order."""
    cursor = m.cursor()
    with ca_is_down(m, "order", 6, HookMergeSec="1h") as names:
        wait_failed(m, names, cursor)
        [[first, *with_it]] = m.wait_for(lambda: messages(m, cursor), 30, "the first to be told")
        rest = sorted(set(names) - {first, *with_it})
        m.wait_for(lambda: sorted(waiting(m)) == rest, 20, "the others to wait")
        m.ca.proxy.listen()
        managed.mdctl(m, "retry", rest[0])
        m.wait_journal(f"MD_NAME={rest[0]}", "MD_EVENT=renewed", "SYSLOG_IDENTIFIER=tell", after=cursor)
        own = [call["arguments"][-2] for call in calls(m, cursor) if rest[0] in (call["arguments"][-1], *call["environment"].get("MD_OTHERS", "").split())]
        assert own[:2] == ["errored", "renewed"], own
        assert [sorted(about) for about in messages(m, cursor)] == [sorted([first, *with_it]), rest], messages(m, cursor)
        assert [about for about in messages(m, cursor, "renewed")] == [[rest[0]]]


def test_reload_pending(m):
    """Somebody has to reload a server of many domains: that is one message, and not one for each."""
    managed.settings(m, ReloadUnit="none", HookMergeSec="15s")
    names = [f"pending{i}.test" for i in range(6)]
    for name in names:
        managed.add(m, name)
    apache.reload(m)
    cursor = m.cursor()
    m.wait_for(lambda: {e["MD_NAME"] for e in m.journal("MD_EVENT=renewed", "SYSLOG_IDENTIFIER=tell", after=cursor)} >= set(names), 60, "all of them to be told")
    m.wait_for(lambda: {name for told in messages(m, cursor, "reload-pending") for name in told} >= set(names), 60, "what is pending to be told")
    told = messages(m, cursor, "reload-pending")
    assert len(told) <= 4 and sorted(name for about in told for name in about) == sorted(names), told
    for name in names:
        managed.remove(m, name)
    managed.settings(m, ReloadIntervalSec=1)
    apache.reload(m)


def test_by_itself(m):
    """With HookMergeSec=0 there is a message for each domain."""
    cursor = m.cursor()
    with ca_is_down(m, "single", 4, HookMergeSec=0) as names:
        assert sorted(wait_messages(m, names, cursor)) == [[name] for name in names]
