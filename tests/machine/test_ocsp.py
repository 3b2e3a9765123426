# SPDX-License-Identifier: Apache-2.0
"""When OCSP responses are fetched, through which proxy, and who is told: one timer, proxies of the server and of a domain, hooks."""

import json

import apache
import managed
import responder
from responder import Responder, issue, kept, m_now, managed_time, other, plant, revocation, serial, static, wait_stapled

PASSWORD = "sEcret88"
PROXIED = "/var/log/apache2/proxied.log"
HOOK = "/usr/local/lib/md-test/tell"


def setup(m):
    managed.install(m)
    managed.settings(m, ReloadIntervalSec=1)
    responder.make(m)


# The timer


def elapses(m):
    """When systemctl list-timers says that responses are fetched next, and when the bus does; in microseconds since the epoch, 0 for never."""
    timers = {entry["unit"]: entry for entry in json.loads(m.run(["systemctl", "list-timers", "--all", "--output=json"]).out)}
    timer = timers.get("md-ocsp.timer")
    assert not timer or timer["activates"] == "md-ocsp.service", timer
    return timer["next"] if timer else 0, m.property(managed.BUS, "/org/mdmanager1", f"{managed.BUS}.Manager", "NextOcspUSec")


def wait_timer(m):
    """Waits until the timer has the time that the bus says, in whole seconds and never early: that time."""
    def look():
        shown, wanted = elapses(m)
        return wanted if shown and -100000 < shown - wanted < 1100000 else None
    return m.wait_for(look, 60, "the timer to be set to the next response")


def test_timer(m):
    """One timer for all responses is in systemctl list-timers with the time of the next one: also after a restart of the manager, when somebody stopped it, and after a reboot. It goes
    when nobody is to be asked."""
    issue(m, "timer.test")
    Responder(m).start(good=["timer.test"], life=("-nmin", "60"))
    static(m, "timer.test")
    apache.reload(m)
    wait_stapled(m, "timer.test")
    at = wait_timer(m)
    found, = kept(m, "timer.test")
    assert abs(managed_time(found["renewal"]) - at / 1e6) <= 1, (found, at)
    m.run("systemctl restart md-manager")
    again = wait_timer(m)
    assert abs(again - at) <= 1000000, (again, at)      # of what is kept in whole seconds
    cursor = m.cursor()
    m.run("systemctl stop md-ocsp.timer")
    managed.check(m)
    assert wait_timer(m) == again
    m.wait_journal("_SYSTEMD_UNIT=md-manager.service", after=cursor, where=lambda e: "md-ocsp.timer was not there" in e["MESSAGE"])
    m.reboot()
    m.wait_active("md-manager.service", 60)
    assert wait_timer(m) == again
    managed.remove(m, "timer.test")
    apache.reload(m)
    m.wait_for(lambda: elapses(m) == (0, 0), 60, "the timer to be gone")


def test_timer_alone(m):
    """While the manager does not run, the timer has it started, and the response is fetched in time."""
    issue(m, "alone.test")
    Responder(m).start(good=["alone.test"], life=("-nmin", "1"))
    static(m, "alone.test")
    apache.reload(m)
    wait_stapled(m, "alone.test")
    cursor = m.cursor()
    at = wait_timer(m)
    before, = kept(m, "alone.test")
    managed.stop(m)
    m.wait_journal("SYSLOG_IDENTIFIER=md-ocsp", after=cursor, deadline=150, where=lambda e: e["MESSAGE"].startswith("Fetched 1 "))
    after, = kept(m, "alone.test")
    assert m_now(m) >= at / 1e6 and after["response"] != before["response"], (before, after)
    m.wait_active("md-manager.service")
    managed.remove(m, "alone.test")
    apache.reload(m)


def test_nothing_asked(m):
    """A worker that asks for nothing is not started again at once, without end; one that somebody starts by hand does the work meanwhile."""
    unit, broken = "md-ocsp.service", "/run/systemd/system/md-ocsp.service.d/broken.conf"
    m.write(broken, f"[Service]\nExecStart=\nExecStart=busctl call {managed.BUS} /org/mdmanager1/worker org.mdmanager1.Worker Open\n")
    m.run("systemctl daemon-reload")
    cursor = m.cursor()
    issue(m, "nothing.test")
    Responder(m).start(good=["nothing.test"], life=("-nmin", "60"))
    static(m, "nothing.test")
    apache.reload(m)
    m.wait_journal("_SYSTEMD_UNIT=md-manager.service", after=cursor, where=lambda e: f"{unit} did not do its work: it asked for nothing" in e["MESSAGE"])
    m.run(f"rm {broken}; systemctl daemon-reload; systemctl start {unit}")
    wait_stapled(m, "nothing.test")
    assert len([e for e in m.journal("_PID=1", f"UNIT={unit}", after=cursor) if e["MESSAGE"].startswith("Starting ")]) == 2
    managed.remove(m, "nothing.test")
    apache.reload(m)


def plans(m, *names):
    """When the responses of these domains were made, and at which part of their life (percent) they are asked for again."""
    found = [managed.show(m, name)["Revocation"][0] for name in names]
    return [since for *_, since, _, _, _, _ in found], [100 * (at - since) / (until - since) for *_, since, until, at, _, _ in found]


def test_window(m):
    """MDStaplingRenewWindow counts after a restart of the manager, too, and another one from the reload on that brings it, for what is stapled and what is not; nobody is asked for that."""
    names = ["window.test", "bare.test"]
    issue(m, "window.test")
    plant(m, "bare.test", f"authorityInfoAccess=OCSP;URI:http://127.0.0.1:{responder.PORT}/\n")
    Responder(m).start(good=names, life=("-nmin", "60"))
    managed.set_globally(m, MDStaplingRenewWindow="10%")
    static(m, "window.test")
    apache.reload(m)
    m.wait_for(lambda: all(managed.is_known(m, name) and revocation(m, name) == ("ocsp", "good") for name in names), 90, "the responses")      # after a worker that asked for nothing, none is started for half a minute
    made, parts = plans(m, *names)
    assert all(89.9 < part < 91.2 for part in parts), parts     # a tenth of the window later at the most
    m.run("systemctl restart md-manager")
    m.wait_for(lambda: all(managed.is_known(m, name) and revocation(m, name) == ("ocsp", "good") for name in names), 60, "what is kept to be read again")
    again = plans(m, *names)
    assert again[0] == made and all(abs(a - b) < 0.05 for a, b in zip(parts, again[1])), (parts, again)      # it is kept in whole seconds
    managed.set_globally(m, MDStaplingRenewWindow="50%")
    apache.reload(m)
    m.wait_for(lambda: all(49.9 < part < 55.2 for part in plans(m, *names)[1]), 30, "another window to count")
    managed.set_globally(m, MDStaplingRenewWindow="20%")
    apache.reload(m)
    m.wait_for(lambda: all(79.9 < part < 82.2 for part in plans(m, *names)[1]), 30, "a smaller one to count")
    wait_timer(m)
    assert plans(m, *names)[0] == made
    managed.set_globally(m)
    for name in names:
        managed.remove(m, name)
    apache.reload(m)


# Proxies


def proxied(m):
    """What went through the proxy: its port, its answer, and what was asked."""
    return [tuple(line.split(" ", 2)) for line in m.read(PROXIED).splitlines()]


def test_proxies(m):
    """Responses of certificates that nobody manages are fetched through the proxy of the server, those of a domain through its own; a wrong password is told, and none is in the
    journal."""
    names = ["own-proxy.test", "server-proxy.test", "no-proxy.test"]
    for name in names:
        issue(m, name)
    Responder(m).start(good=names)
    apache.forward_proxy(m, PASSWORD, PROXIED)
    asked = f"POST http://127.0.0.1:{responder.PORT}/ HTTP/1.1"
    static(m, "own-proxy.test", f"MDStapling on\nMDHttpProxy https://user:{PASSWORD}@proxy.test:3129/\nMDHttpProxyCACertificateFile /etc/md-test/ca.pem")
    apache.reload(m)
    wait_stapled(m, "own-proxy.test")
    assert ("3129", "200", asked) in proxied(m) and all(port == "3129" for port, _, _ in proxied(m)), proxied(m)
    managed.set_globally(m, MDHttpProxy=f"http://user:{PASSWORD}@proxy.test:3128/")
    other(m, "server-proxy.test", more="MDStapling on")
    apache.reload(m)
    wait_stapled(m, "server-proxy.test")
    assert ("3128", "200", asked) in proxied(m), proxied(m)
    static(m, "no-proxy.test", f"MDStapling on\nMDHttpProxy http://user:not{PASSWORD}@proxy.test:3128/")
    cursor = m.cursor()
    apache.reload(m)
    told = managed.wait_event(m, "no-proxy.test", "ocsp-errored", cursor, deadline=60)
    assert "407" in told["MESSAGE"], told["MESSAGE"]
    assert ("3128", "407", asked) in proxied(m), proxied(m)
    assert PASSWORD not in m.run(["journalctl", "--no-pager", "-o", "export"]).out
    managed.set_globally(m)
    for name in ["proxy", *names]:
        managed.remove(m, name)
    apache.restart(m)


# Hooks


def told(m, name, event, after):
    """What the hook was told, in its environment."""
    entry = m.wait_journal(f"MD_NAME={name}", f"MD_EVENT={event}", "SYSLOG_IDENTIFIER=tell", after=after, deadline=60, where=lambda e: e["MESSAGE"].startswith("{"))
    return json.loads(entry["MESSAGE"])


def test_hooks(m):
    """MDMessageCmd hears of a new response and of one that could not be fetched, once for each however often that happens in a while; what it says in return changes nothing."""
    issue(m, "hooks.test")
    m.write(HOOK, '#!/usr/bin/python3 -B\nimport json, os, sys\nprint(json.dumps(dict(os.environ, arguments=sys.argv[1:])))\nsys.exit(os.environ["MD_EVENT"] == "ocsp-errored")\n', mode=0o755)
    managed.set_globally(m, MDMessageCmd=f"{HOOK} word")
    here = Responder(m)
    here.start(good=["hooks.test"])
    static(m, "hooks.test")
    cursor = m.cursor()
    apache.reload(m)
    call = told(m, "hooks.test", "ocsp-renewed", cursor)
    assert call["arguments"] == ["word", "ocsp-renewed", "hooks.test"] and call["MD_NAME"] == "hooks.test" and call["MD_EVENT"] == "ocsp-renewed", call
    assert serial(m, "hooks.test") in call["MD_DETAIL"] and "is good" in call["MD_DETAIL"] and "MD_PROBLEM" not in call, call
    here.start(good=[])
    cursor = m.cursor()
    m.run(f"systemctl stop md-manager && rm -r {managed.STORE}/ocsp/hooks.test && systemctl start md-manager")
    call = told(m, "hooks.test", "ocsp-errored", cursor)
    assert call["arguments"] == ["word", "ocsp-errored", "hooks.test"] and call["MD_PROBLEM"] and "does not know the certificate" in call["MD_DETAIL"], call
    m.wait_for(lambda: kept(m, "hooks.test")[0].get("errors", 0) >= 2, 60, "another attempt")
    here.start(good=["hooks.test"])
    wait_stapled(m, "hooks.test", deadline=60)
    calls = [entry["MD_EVENT"] for entry in m.journal("MD_NAME=hooks.test", "SYSLOG_IDENTIFIER=tell", after=cursor) if entry["MESSAGE"].startswith("{")]
    assert calls.count("ocsp-errored") == 1 and calls.count("ocsp-renewed") == 0, calls
    managed.set_globally(m)
    managed.remove(m, "hooks.test")
    apache.reload(m)
