# SPDX-License-Identifier: Apache-2.0
"""MDCertificateProtocol tailscale: certificates from a daemon on this machine. The daemon needs an account and a network of its own: a stand-in speaks for it."""

import json
import os
import time
from pathlib import Path

import apache
import managed

PROGRAM = "/usr/local/lib/md-test/tailscaled"
HERE = "/run/tailscale"
NAME = "node.ts.net"
DIRECTIVES = "MDCertificateProtocol tailscale\nMDPrivateKeys RSA 3072 secp384r1\nMDMustStaple on"
OURS, ACME = "urn:org:mdmanager1:", "urn:ietf:params:acme:error:"


def setup(m):
    managed.install(m)
    managed.settings(m, ReloadIntervalSec=1, StepTimeoutSec=3)
    m.write(PROGRAM, (Path(os.path.dirname(os.path.abspath(__file__))) / "probe" / "tailscaled.py").read_text(encoding="utf-8"))
    m.write("/etc/default/tailscaled", "")
    m.write("/etc/systemd/system/tailscaled.service",
            f"[Service]\nType=exec\nEnvironmentFile=/etc/default/tailscaled\nExecStart=/usr/bin/python3 -B {PROGRAM}\n")
    m.run("systemctl daemon-reload")
    managed.set_globally(m, MDCertificateAgreement="accepted")
    permit(m, True)


def permit(m, whether):
    """As the manual page says, or not."""
    m.write("/etc/default/tailscaled", "TS_PERMIT_CERT_UID=md-manager\n" if whether else "")
    m.run(["rm", "-f", f"{HERE}/tailscaled.sock"])
    m.run(["systemctl", "restart", "tailscaled"])
    m.wait_for(lambda: m.run(f"grep -q {HERE}/tailscaled.sock /proc/net/unix", check=False).rc == 0, 30, "the stand-in for tailscaled")


def mood(m, **how):
    m.write(f"{HERE}/mood.json", json.dumps(how))


def requests(m):
    """What the daemon was asked since the last time: path, host, uid."""
    lines = m.run(f"cat {HERE}/requests 2>/dev/null; rm -f {HERE}/requests", check=False).out.splitlines()
    return [json.loads(line) for line in lines]


def certificate_of_daemon(m, name=NAME):
    certificate = m.certificate(name)
    return certificate if "Tailnet CA" in certificate.issuer else None


def wait_other(m, before, deadline=30):
    def look():
        certificate = certificate_of_daemon(m)
        return certificate if certificate and (not before or certificate.fingerprint != before.fingerprint) else None
    return m.wait_for(look, deadline, "another certificate of the daemon's")


def idle(m):
    """Nothing is under way; a renewal that failed leaves its beginnings to the next one."""
    def look():
        shown = managed.show(m, NAME)
        return shown["Job"] == "/" and shown["Phase"] in ("idle", "ordering") and shown["Served"]
    m.wait_for(look, 30, "the renewal to be finished")


def ensure(m):
    """The domain, with its certificate."""
    mood(m)
    if not managed.is_known(m, NAME):
        managed.add(m, NAME, directives=DIRECTIVES)
        managed.call(m, "/org/mdmanager1", "org.mdmanager1.Manager", "Check")
        apache.reload(m)
    wait_other(m, None)
    idle(m)
    requests(m)


def test_first(m):
    """A reload, and https is served with the daemon's certificate: one request by the manager alone, one name, no CA, whatever keys are configured."""
    m.ca.proxy.clear()
    requests(m)
    cursor = m.cursor()
    managed.add(m, NAME, "other.ts.net", directives=DIRECTIVES)
    apache.reload(m)
    certificate = wait_other(m, None)
    assert certificate.names == [NAME], certificate
    managed.wait_event(m, NAME, "installed", cursor)
    uid = int(m.run("id -u md-manager").out)
    assert requests(m) == [[f"/localapi/v0/cert/{NAME}?type=pair", "local-tailscaled.sock", uid]]
    assert m.ca.proxy.counts() == {}, m.ca.proxy.counts()
    shown = managed.show(m, NAME)
    assert (shown["State"], shown["Served"], shown["Errors"], shown["Action"], shown["Account"]) == ("complete", True, 0, "wait", ""), shown
    assert {"privkey.pem", "pubcert.pem"} <= set(managed.files(m, f"domains/{NAME}")), managed.files(m, f"domains/{NAME}")
    assert m.run(f"stat -c %a {managed.STORE}/domains/{NAME}/privkey.pem").out.strip() == "600"
    assert "BEGIN PRIVATE KEY" in m.read(f"{managed.STORE}/domains/{NAME}/privkey.pem")
    assert managed.left_over(m) == []
    managed.add(m, NAME, directives=DIRECTIVES)
    apache.reload(m)


def test_restart(m):
    """The manager knows after a restart where the certificate came from, and does nothing about it."""
    ensure(m)
    before = m.certificate(NAME)
    managed.kill(m)
    m.wait_for(lambda: managed.is_known(m, NAME), 20, "the manager")
    assert managed.check(m) == [] and requests(m) == []
    assert managed.show(m, NAME)["Reason"] == "renew-window" and m.certificate(NAME).fingerprint == before.fingerprint
    assert managed.job(m, NAME)["live"]["ca-url"] == "file://localhost/var/run/tailscale/tailscaled.sock"


def test_renewal(m):
    """When MDRenewWindow begins, by its timer, the daemon is asked for one that lives longer, and that is served."""
    ensure(m)
    before = m.certificate(NAME)
    mood(m, life=25)
    managed.add(m, NAME, directives=DIRECTIVES + "\nMDRenewWindow 15s")
    apache.reload(m)
    managed.renew(m, NAME)
    short = wait_other(m, before)
    idle(m)
    requests(m)
    cursor = m.cursor()
    due = managed.show(m, NAME)["RenewAtUSec"]
    assert managed.timer_is(m, NAME, due), (due, managed.timer(m, NAME))
    mood(m)
    wait_other(m, short, 60)
    idle(m)
    asked = requests(m)
    validity = int(asked[0][0].partition("min_validity=")[2].removesuffix("s"))
    assert len(asked) == 1 and 3600 <= validity <= 3600 + 25, asked
    workers = [e["MESSAGE"] for e in m.journal(f"UNIT=md-renew@{NAME}.service", after=cursor)]
    assert not [line for line in workers if "Failed" in line], workers


def test_nothing_new(m):
    """A daemon that has only what is in use: that is no failure, and it is asked again in a day."""
    ensure(m)
    before = m.certificate(NAME)
    mood(m, life=40)
    managed.add(m, NAME, directives=DIRECTIVES + "\nMDRenewWindow 36s")
    apache.reload(m)
    managed.renew(m, NAME)
    short = wait_other(m, before)
    mood(m, old=True)
    m.wait_for(lambda: managed.show(m, NAME)["Reason"] == "retry", 60, "the daemon to have nothing new")
    shown = managed.show(m, NAME)
    assert shown["Errors"] == 0 and shown["LastProblem"][0] == "" and "has no newer one yet" in shown["Detail"], shown
    assert abs(shown["NextUSec"] / 1e6 - time.time() - 86400) < 60, shown["NextUSec"]
    assert m.certificate(NAME).fingerprint == short.fingerprint and managed.left_over(m) == []
    mood(m)
    managed.add(m, NAME, directives=DIRECTIVES)
    apache.reload(m)
    managed.renew(m, NAME)
    wait_other(m, short)
    idle(m)


def refused(m, kind, *texts):
    """A renewal is asked for and fails like this; what is live stays."""
    before = m.certificate(NAME)
    cursor = m.cursor()
    managed.renew(m, NAME)
    managed.wait_event(m, NAME, "errored", cursor, 60)
    shown = managed.show(m, NAME)
    problem = shown["LastProblem"]
    assert problem[0] == kind and all(text in problem[1] for text in texts), problem
    assert m.certificate(NAME).fingerprint == before.fingerprint and shown["State"] == "complete"
    return problem


def test_not_permitted(m):
    """Without TS_PERMIT_CERT_UID the daemon refuses, and the administrator is told what to write where."""
    ensure(m)
    permit(m, False)
    refused(m, OURS + "setting-refused", "403: cert access denied", "TS_PERMIT_CERT_UID=md-manager", "/etc/default/tailscaled")
    permit(m, True)
    before = m.certificate(NAME)
    managed.renew(m, NAME)
    wait_other(m, before)
    idle(m)


def test_statuses(m):
    """Each status that the daemon may have for it is told as what it is, with the daemon's words made printable."""
    ensure(m)
    for status, kind, text in [(400, ACME + "malformed", "no such domain"), (401, OURS + "setting-refused", "auth required"),
                               (404, OURS + "setting-refused", "404 page not found"), (500, OURS + "ca-http-error", "acme: \x1b[31mred"),
                               (503, OURS + "ca-http-error", "no netmap")]:
        mood(m, status=status, text=text + "\n")
        refused(m, kind, text.replace("\x1b", "?"), str(status))
    mood(m, status=429, text="too many certificates", headers={"Retry-After": "7200"})
    problem = refused(m, ACME + "rateLimited", "too many certificates")
    assert 7000 < problem[4] / 1e6 - time.time() < 7300, problem
    mood(m)


def test_lies(m):
    """Whatever the daemon says instead of a certificate with its key is refused with a reason, and the manager lives on."""
    ensure(m)
    pid = managed.main_pid(m)
    ok = "HTTP/1.0 200 OK\r\n"
    for kind, text, how in [
            ("chain-refused", "not valid for node.ts.net", {"name": "other.ts.net"}),
            ("chain-refused", "key", {"other-key": True}),
            ("chain-refused", "expired", {"begin": -3600, "life": -10}),
            ("chain-refused", "no certificate", {"cut": 200}),
            ("ca-bad-answer", "does not begin", {"raw": "no HTTP at all\r\n\r\n"}),
            ("ca-bad-answer", "broke off in its header", {"raw": ok + "Content-Type: text/plain"}),
            ("ca-bad-answer", "broke off in its header", {"raw": " "[:0]}),
            ("ca-bad-answer", "encoded", {"raw": ok + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"}),
            ("ca-bad-answer", "broke off in its body", {"raw": ok + "Content-Length: 100000\r\n\r\nabc"}),
            ("ca-bad-answer", "more than any certificate", {"raw": "x" * 1000, "times": 300})]:
        mood(m, **how)
        refused(m, OURS + kind, text)
    assert managed.main_pid(m) == pid
    mood(m)


def test_away(m):
    """No daemon, or one that says nothing: that is told, and the manager goes on answering meanwhile."""
    ensure(m)
    m.run(["systemctl", "stop", "tailscaled"])
    refused(m, OURS + "ca-unreachable", "is tailscaled running?")
    permit(m, True)
    mood(m, silent=True)
    cursor = m.cursor()
    managed.renew(m, NAME)
    m.wait_for(lambda: requests(m), 20, "the daemon to be asked")
    begun = time.monotonic()
    assert managed.show(m, NAME)["Action"] == "renewing" and time.monotonic() - begun < 5
    managed.wait_event(m, NAME, "errored", cursor, 60)
    assert managed.show(m, NAME)["LastProblem"][0] == OURS + "ca-timeout", managed.show(m, NAME)["LastProblem"]
    mood(m)


def test_worker_has_no_part(m):
    """Whoever starts the domain's unit by hand: its worker is told that nothing is to be done, and never hears of the key."""
    ensure(m)
    mood(m, silent=True)
    managed.renew(m, NAME)
    m.wait_for(lambda: requests(m), 20, "the daemon to be asked")
    for unit in (f"md-renew@{NAME}.service", "md-acme-batch@7.service"):
        m.run(["systemctl", "start", unit])
        assert m.unit(unit)["Result"] == "success", m.unit(unit)
    assert managed.show(m, NAME)["Action"] == "renewing"
    result = managed.mdctl(m, "revoke", NAME, check=False)
    assert result.rc != 0 and "revokes nothing" in result.err, str(result)
    mood(m)
    m.wait_for(lambda: managed.show(m, NAME)["Job"] == "/", 60, "the end of the renewal")
    assert "PRIVATE KEY" not in m.run("journalctl --no-pager -o cat").out
