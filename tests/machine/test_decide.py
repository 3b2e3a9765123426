# SPDX-License-Identifier: Apache-2.0
"""What is decided about a domain, when, and what is said about it: which CA is asked, what holds a renewal back, whom a failure waits for."""

import json
import time

import apache
import faultproxy
import managed
import pebble

SECOND = 1000000
DAY = 86400
FIRST, OTHER_PORT = pebble.DIRECTORY, 14002
OTHER = f"https://ca.test:{OTHER_PORT}/dir"     # the same Pebble under another address: another CA for everybody but itself
ACME = "urn:ietf:params:acme:error:"
QUICK = {"MDPrivateKeys": "P-256", "MDRetryDelay": "1s"}


def setup(m):
    managed.install(m)
    managed.settings(m, ReloadIntervalSec="200ms", RenewalInfoIntervalSec=2)
    m.other = faultproxy.FaultProxy(m.network, OTHER_PORT, m.ca.certificate, m.ca.key, pebble.BEHIND)
    m.beside.append(m.other)
    configure(m)


def configure(m, **directives):
    managed.set_globally(m, **(QUICK | directives))


def calm(m):
    """Both CAs do as they should, and have been asked nothing."""
    m.ca.proxy.clear()
    m.other.clear()


def add(m, name, *aliases, directives="", wait="installed"):
    """A domain, new or with other settings, up to an event: the journal's position before it."""
    managed.add(m, name, *aliases, directives=directives)
    cursor = m.cursor()
    apache.reload(m)
    if wait:
        managed.wait_event(m, name, wait, cursor)
    return cursor


def wait_shown(m, name, deadline=20, **values):
    """Waits until the bus shows these properties of a domain: all of them."""
    def look():
        shown = managed.show(m, name) if managed.is_known(m, name) else {}
        return shown if shown and all(shown[key] == value for key, value in values.items()) else None
    return m.wait_for(look, deadline, f"{name} to show {values}")


def facts(m, name, user=None):
    """What mdctl explain says: topic and key to texts."""
    found = {}
    for fact in json.loads(managed.mdctl(m, "--json=short", "explain", name, user=user).out):
        found.setdefault((fact["Topic"], fact["Key"]), []).append(fact["Text"])
    return found


def live_ca(m, name):
    return managed.job(m, name)["live"]["ca-url"]


def wait_settled(m, name):
    return wait_shown(m, name, Phase="idle", Served=True, Action="wait", Job="/")


# Which CA


def test_failover(m):
    """Two CAs, both down: each gets MDRetryFailover attempts in turn, one after MDRetryDelay; the one that works is used, and for the next renewal the first is preferred again."""
    name = "failover.test"
    calm(m)
    configure(m, MDRetryFailover=2, MDCertificateAuthority=f"{FIRST} {OTHER}")
    m.ca.proxy.rule(kind="directory", status=500, body="down")
    down = m.other.rule(kind="directory", status=500, body="down, too")
    cursor = add(m, name, wait=None)
    failures = lambda: m.journal(f"MD_NAME={name}", "MD_EVENT=errored", after=cursor)
    m.wait_for(lambda: len(failures()) >= 3, 40, "three failures")
    explained = facts(m, name)
    m.wait_for(lambda: len(failures()) >= 6, 60, "six failures")
    assert [entry["MD_CA"] for entry in failures()[:6]] == [FIRST, FIRST, OTHER, OTHER, FIRST, FIRST], failures()
    assert any("MDRetryFailover" in text for text in explained["configuration", "ca"]) and explained["attempt", "failover"], explained
    at = lambda entries: [int(entry["__REALTIME_TIMESTAMP"]) for entry in entries]
    waits = [(begun - failed) / SECOND for failed, begun in zip(at(failures()), at(m.journal(f"MD_NAME={name}", "MD_EVENT=renewing", after=cursor))[1:6])]
    assert all(0.8 < wait < 4 for wait in waits), waits      # never doubled: two attempts are too few for that
    m.other.forget(down)
    managed.wait_event(m, name, "installed", cursor, deadline=40)
    assert live_ca(m, name) == OTHER and m.other.count("new-order") == 1 and m.ca.proxy.count("new-order") == 0
    assert wait_settled(m, name)["Errors"] == 0
    calm(m)
    managed.mdctl(m, "renew", "--force", name)
    assert live_ca(m, name) == FIRST and m.ca.proxy.count("new-order") == 1 and m.other.count("new-order") == 0
    assert "replaces" not in m.ca.proxy.seen("new-order")[0].payload      # it would name a certificate of the other one's
    configure(m)


def test_changed_ca(m):
    """Another MDCertificateAuthority is a reason to renew; with MDRenewOnCAChange off it is not. The CA that a certificate is from is asked when to renew it, whatever is
    configured, and no other one is told which certificate its own replaces."""
    calm(m)
    asked = lambda proxy, name: [r for r in proxy.seen("renewal-info") if r.path.endswith("/" + managed.job(m, name)["renewal-info"][0]["id"])]
    for proxy in (m.ca.proxy, m.other):
        proxy.rule(kind="renewal-info", add={"Retry-After": "2"})
    for name, more, renews in (("moves.test", "", True), ("stays.test", "MDRenewOnCAChange off", False)):
        add(m, name, directives=more)
        wait_settled(m, name)
        cursor = add(m, name, directives=f"MDCertificateAuthority {OTHER}\n{more}", wait="renewing" if renews else None)
        if renews:
            assert "is not configured any more" in managed.wait_event(m, name, "renewing", cursor)["MESSAGE"]
            managed.wait_event(m, name, "installed", cursor)
            assert live_ca(m, name) == OTHER
            orders = m.other.seen("new-order")
            assert orders and not any("replaces" in order.payload for order in orders), orders
            m.wait_for(lambda: asked(m.other, name), 20, "its CA to be asked when to renew it")
            assert not asked(m.ca.proxy, name), m.ca.proxy.seen("renewal-info")
        else:
            shown = wait_shown(m, name, CertificateAuthorities=[OTHER], Action="wait", Job="/")
            assert shown["NextUSec"] / 1e6 > time.time() + DAY and live_ca(m, name) == FIRST, shown
            assert not m.journal(f"MD_NAME={name}", "MD_EVENT=renewing", after=cursor)
            polls = len(asked(m.ca.proxy, name))
            m.wait_for(lambda: len(asked(m.ca.proxy, name)) > polls + 1, 30, "its CA to be asked when to renew it, twice")
            assert not asked(m.other, name), m.other.seen("renewal-info")
    calm(m)


def test_rate_limited(m):
    """rateLimited, said to one domain, is that domain's affair; said to a second one, nothing is asked of the CA for as long as it says,
    over a restart of the manager, too; a success ends that."""
    limited = {"limit1.test", "limit2.test"}
    calm(m)
    m.ca.proxy.rule(kind="new-order", where=lambda r: {i["value"] for i in r.payload["identifiers"]} & limited, problem="rateLimited", status=429,
                    detail="too many", headers={"Retry-After": "1000"})
    add(m, "limit1.test", wait="errored")
    shown = wait_shown(m, "limit1.test", Reason="retry", WaitsFor="time")
    assert 990 < shown["NextUSec"] / 1e6 - time.time() <= 1001, shown
    add(m, "free.test")                                          # all is well for the others; and that counts
    add(m, "limit2.test", wait="errored")
    managed.mdctl(m, "retry", "limit1.test", check=False)        # now it has been said to two, with no success between
    add(m, "held.test", wait=None)
    shown = wait_shown(m, "held.test", Action="wait", Reason="held-back", WaitsFor="time")
    assert 980 < shown["NextUSec"] / 1e6 - time.time() <= 1001, shown
    assert not any("held.test" in str(r.payload) for r in m.ca.proxy.seen("new-order"))
    explained = facts(m, "held.test")
    assert "limits us" in explained["attempt", "pause"][0] and "it waits for a time" in explained["decision", "waits-for"][0], explained
    managed.kill(m)
    m.wait_active("md-manager.service")
    again = wait_shown(m, "held.test", Action="wait", Reason="held-back", WaitsFor="time")
    assert abs(again["NextUSec"] - shown["NextUSec"]) <= 1_000_000, (again, shown)
    assert not any("held.test" in str(r.payload) for r in m.ca.proxy.seen("new-order"))
    calm(m)
    cursor = m.cursor()
    managed.mdctl(m, "retry", "limit2.test")
    managed.wait_event(m, "held.test", "installed", cursor)
    managed.mdctl(m, "retry", "limit1.test")


# What holds it back


def test_initial_delay(m):
    """MDInitialDelay: after a start of the manager, and not of Apache, nothing is renewed for that long, and then it is; the timer says when."""
    name = "initial.test"
    calm(m)
    configure(m, MDInitialDelay="6s")
    cursor = m.cursor()
    managed.add(m, name)
    apache.restart(m)                       # its time is over, whatever Apache does: this one is renewed at once
    managed.wait_event(m, name, "installed", cursor)
    managed.add(m, name, f"www.{name}")
    m.run("systemctl stop md-manager.service md-manager-check.timer")
    apache.reload(m)
    cursor = m.cursor()
    m.run("systemctl start md-manager")
    shown = wait_shown(m, name, Action="wait", Reason="held-back", WaitsFor="time")
    assert 0 < shown["NextUSec"] / 1e6 - time.time() <= 6 and "MDInitialDelay" in shown["Detail"], shown
    m.wait_for(lambda: managed.timer_is(m, name, shown["NextUSec"]), 5, "the timer")
    begun = managed.wait_event(m, name, "renewing", cursor)["at"]
    assert 0 <= begun - shown["NextUSec"] < 2 * SECOND, (begun, shown)
    managed.wait_event(m, name, "installed", cursor)
    m.run("systemctl start md-manager-check.timer")
    configure(m)


def test_activation_delay(m):
    """MDActivationDelay: a new certificate is staged, not live, until its time comes, which the timer shows; a missing or a revoked one does not wait."""
    calm(m)
    name = "later.test"
    configure(m, MDActivationDelay="4s")
    add(m, name)                                                # it had none: nothing to wait for
    wait_settled(m, name)
    old, cursor = m.certificate(name), m.cursor()
    managed.renew(m, name)
    shown = wait_shown(m, name, Reason="activation-delay", Action="wait", Phase="staged", WaitsFor="time", Job="/")
    assert 0 < shown["NextUSec"] / 1e6 - time.time() <= 4, shown
    assert managed.timer_is(m, name, shown["NextUSec"]) or m.wait_for(lambda: managed.timer_is(m, name, shown["NextUSec"]), 3, "the timer")
    assert m.certificate(name).fingerprint == old.fingerprint and "pubcert.p-256.pem" in managed.files(m, f"staging/{name}")
    live = managed.wait_event(m, name, "renewed", cursor)["at"]
    assert 0 <= live - shown["NextUSec"] < 2 * SECOND, (live, shown)
    managed.wait_served(m, name, other_than=old)
    configure(m, MDActivationDelay="1h")
    apache.reload(m)
    wait_settled(m, name)
    managed.renew(m, name)
    wait_shown(m, name, Reason="activation-delay", Phase="staged")
    cursor = m.cursor()
    managed.mdctl(m, "revoke", "--no-reissue", name)
    managed.wait_event(m, name, "installed", cursor)
    old, cursor = m.certificate(name), m.cursor()
    managed.mdctl(m, "revoke", "--reissue", name)
    managed.wait_event(m, name, "installed", cursor)
    assert m.certificate(name).fingerprint != old.fingerprint
    configure(m)
    apache.reload(m)


def test_check_interval(m):
    """MDCheckInterval: everything is looked at anew that often, also what nobody told of."""
    calm(m)
    name = "checked.test"
    add(m, name)
    wait_settled(m, name)
    path = f"{managed.STORE}/status/{name}.json"
    m.wait_for(lambda: m.exists(path), 10, "the status")
    configure(m, MDCheckInterval="1s")
    apache.reload(m)
    for _ in range(2):
        m.run(["rm", path])
        m.wait_for(lambda: m.exists(path), 10, "the status, written again")
    configure(m)
    apache.reload(m)


def test_key_size(m):
    """Another size or curve of the keys is a reason to renew; what is said of it names both."""
    calm(m)
    name = "size.test"
    add(m, name, directives="MDPrivateKeys RSA 2048")
    wait_settled(m, name)
    cursor = add(m, name, directives="MDPrivateKeys RSA 3072")
    said = managed.wait_event(m, name, "renewing", cursor)["MESSAGE"]
    assert "2048" in said and "3072" in said, said


def test_budget(m):
    """CertificatesPerWeek=1: the second certificate for the same names waits until the week is over; --force passes; all keys are counted together."""
    name = "budget.test"
    calm(m)
    managed.settings(m, ReloadIntervalSec="200ms", RenewalInfoIntervalSec=2, CertificatesPerWeek=1)
    try:
        add(m, name, directives="MDPrivateKeys P-256")
        wait_settled(m, name)
        cursor = add(m, name, directives="MDPrivateKeys P-384", wait=None)
        shown = wait_shown(m, name, Action="wait", Reason="too-many-certificates", WaitsFor="time")
        assert 6.9 * DAY < shown["NextUSec"] / 1e6 - time.time() <= 7 * DAY, shown
        assert "1 obtained for these names within 7 days" in facts(m, name)["renewal", "budget"][0]
        assert m.ca.proxy.count("new-order") == 1
        managed.mdctl(m, "renew", "--force", name)
        managed.wait_event(m, name, "installed", cursor)
        assert m.ca.proxy.count("new-order") == 2
        # CAs count whatever the key. After a week without any, two keys get their two; the next two do not fit into three, and into four they do.
        add(m, "budget2.test", directives="MDPrivateKeys P-256 P-384")
        wait_settled(m, "budget2.test")
        assert "2 obtained for these names within 7 days" in facts(m, "budget2.test")["renewal", "budget"][0]
        managed.settings(m, ReloadIntervalSec="200ms", RenewalInfoIntervalSec=2, CertificatesPerWeek=3)
        add(m, "budget2.test", directives="MDPrivateKeys P-256 RSA", wait=None)
        wait_shown(m, "budget2.test", Action="wait", Reason="too-many-certificates", WaitsFor="time")
        assert m.ca.proxy.count("new-order") == 4
        cursor = m.cursor()
        managed.settings(m, ReloadIntervalSec="200ms", RenewalInfoIntervalSec=2, CertificatesPerWeek=4)
        managed.wait_event(m, "budget2.test", "installed", cursor)
    finally:
        managed.settings(m, ReloadIntervalSec="200ms", RenewalInfoIntervalSec=2)


def test_modes(m):
    """MDRenewMode: manual does nothing by itself, and all that it is told; always also renews what no virtual host uses, auto does not."""
    calm(m)
    managed.add(m, "manual.test", directives="MDRenewMode manual")
    for mode in ("auto", "always"):
        apache.site(m, f"{mode}.test", f"<MDomain {mode}.test>\nMDRenewMode {mode}\n</MDomain>\n")
    cursor = m.cursor()
    apache.reload(m)
    managed.wait_event(m, "always.test", "renewed", cursor)
    wait_shown(m, "auto.test", Action="nothing", Reason="unused")
    wait_shown(m, "manual.test", Action="nothing", Reason="renew-mode-manual")
    assert m.ca.proxy.count("new-order") == 1
    managed.mdctl(m, "renew", "--force", "manual.test")
    managed.wait_event(m, "manual.test", "installed", cursor)
    for name in ("auto.test", "always.test"):
        managed.remove(m, name)
    apache.reload(m)


# What is said about it


def test_administrator(m):
    """The configuration's fault: tried again after a day; bus, list, show, explain and the journal say that it waits for you, with subproblems; a changed configuration or mdctl retry ends the wait."""
    name = "mine.test"
    calm(m)
    document = {"type": ACME + "rejectedIdentifier", "detail": "not with us", "status": 400, "subproblems": [
        {"type": ACME + "caa", "detail": "look at your records", "identifier": {"type": "dns", "value": name}}]}
    refuse = lambda: m.ca.proxy.rule(kind="new-order", status=400, body=document, headers={"Content-Type": "application/problem+json"})
    rule = refuse()
    cursor = add(m, name, wait="errored")
    said = managed.wait_event(m, name, "errored", cursor)
    assert "waits for you" in said["MESSAGE"] and f"mdctl retry {name}" in said["MESSAGE"] and "look at your records" in said["MD_SUBPROBLEMS"], said
    shown = wait_shown(m, name, Reason="retry", WaitsFor="administrator")
    assert DAY - 60 < shown["NextUSec"] / 1e6 - time.time() <= DAY + 1, shown
    assert "waits for you: " in managed.mdctl(m, "list").out and "mdctl retry" in managed.mdctl(m, "show", name).out
    found = facts(m, name)
    assert found["problem", "subproblem"] == [f"{name}: look at your records (caa)"] and "waits for you" in found["decision", "waits-for"][0], found
    again = managed.mdctl(m, "retry", name, check=False)
    assert again.rc == 1 and "attempt 2" in again.out and "look at your records" in again.out and "Waits For" in again.out, again
    m.ca.proxy.forget(rule)
    done = managed.mdctl(m, "retry", name)
    assert "The new certificate is there" in done.out and managed.show(m, name)["WaitsFor"] == "", done
    managed.wait_event(m, name, "installed", cursor)
    nothing = managed.mdctl(m, "retry", name, check=False)
    assert nothing.rc == 3 and "Nothing failed" in nothing.err, nothing
    mixed = managed.mdctl(m, "retry", name, "nobody.test", check=False)
    assert mixed.rc == 1 and "nobody.test" in mixed.err, mixed

    rule = refuse()
    add(m, "changed.test", wait="errored")
    wait_shown(m, "changed.test", WaitsFor="administrator")
    m.ca.proxy.forget(rule)
    add(m, "changed.test", directives="MDContactEmail other@example.org")
    assert managed.show(m, "changed.test")["Errors"] == 0


def test_no_way(m):
    """No way to prove a name: the domain waits for the administrator, each type with its reason; it goes on when a virtual host speaks acme-tls/1, which is no setting of the domain."""
    name = "noway.test"
    calm(m)
    configure(m, MDPortMap="http:8080 https:-")
    managed.add(m, name)
    apache.reload(m)
    wait_shown(m, name, Action="nothing", Reason="refused", WaitsFor="administrator")
    assert "the server disabled it" in facts(m, name)["decision", "waits-for"][0]
    found = facts(m, name)
    assert "8080" in found["challenge", "http-01"][0] and "cannot be used" in found["challenge", "dns-01"][0], found
    configure(m)

    def only_tls(_request, answer):
        fields = answer.json
        fields["challenges"] = [c for c in fields["challenges"] if c["type"] == "tls-alpn-01"]
        answer.json = fields
    m.ca.proxy.rule(kind="authorization", change=only_tls)
    cursor = m.cursor()
    apache.reload(m)
    managed.wait_event(m, name, "errored", cursor)
    assert wait_shown(m, name, WaitsFor="administrator")["LastProblem"][0].endswith("challenge-mismatch")
    found = facts(m, name)
    assert found["challenge", "http-01"] == ["can be used"] and "acme-tls/1" in found["challenge", "tls-alpn-01"][0], found
    managed.add(m, name, more="Protocols http/1.1 acme-tls/1")
    apache.reload(m)
    managed.wait_event(m, name, "installed", cursor)
    assert facts(m, name)["challenge", "tls-alpn-01"] == ["can be used"]


def test_retry_is_allowed(m):
    """Everybody may have it explained; trying again needs the right to renew."""
    name = "mine.test"
    assert facts(m, name, user="nobody")["decision", "state"] == ["complete"]
    refused = managed.mdctl(m, "--no-ask-password", "retry", name, check=False, user="nobody")
    assert refused.rc == 4, refused


def test_explain(m):
    """mdctl explain: where each name comes from, what is live and from where, what is served, when it is renewed and by whose word, with no secret in it; it fits the terminal."""
    name = "explain.test"
    calm(m)
    managed.add(m, "secret.test", directives="MDRenewMode manual\nMDExternalAccountBinding kid-1 c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXM")
    managed.add(m, name, directives="MDMembers auto\nMDRenewWindow 10d")
    apache.site(m, name, m.read(f"/etc/apache2/sites-enabled/{name}.conf").replace(f"ServerName {name}\n", f"ServerName {name}\nServerAlias alias.{name}\n"))
    cursor = m.cursor()
    apache.reload(m)
    managed.wait_event(m, name, "installed", cursor)
    m.wait_for(lambda: ("renewal", "suggested") in facts(m, name), 20, "the CA's window")
    found = facts(m, name)
    path = f"/etc/apache2/sites-enabled/{name}.conf"
    names = found["configuration", "name"]
    assert names[0] == f"{name}: MDomain at {path}:1" and names[1].startswith(f"alias.{name}: ServerAlias at {path}:"), names
    assert found["configuration", "place"] == [f"{path}:1"] and all(path in host for host in found["configuration", "virtual-host"]), found
    certificate = m.certificate(name)
    live = found["certificate", "p-256"]
    assert "Pebble" in live[0] and found["certificate", "source"][0].startswith(f"{FIRST}, with account ACME-"), found
    assert any("valid until " + time.strftime("%Y-%m-%d", time.gmtime(certificate.not_after)) in text for text in live), (live, certificate.not_after)
    assert ["serves the newest certificates"] in found.values(), found
    assert "MDRenewWindow: 10d" in found["renewal", "window"][0] and found["renewal", "next-poll"] and found["renewal", "time"], found
    hidden = facts(m, "secret.test")
    assert hidden["configuration", "external-account"] == ["kid-1, its key is a secret"] and "c2Vjcm" not in str(hidden), hidden
    assert found["decision", "action"] == ["wait"] and f"md-renew@{name}.timer" in found["decision", "time"][0], found
    text = m.run(f"COLUMNS=60 script -qec 'mdctl --no-pager explain {name}' /dev/null").out
    lines = [line.split("\x1b[0m")[-1] for line in text.replace("\r", "").splitlines()]
    assert len(lines) > 20 and all(len(line) <= 60 or len(line.split()) <= 3 for line in lines), lines
    managed.remove(m, name)
    apache.reload(m)
