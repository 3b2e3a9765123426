# SPDX-License-Identifier: Apache-2.0
"""dns-01: what MDChallengeDns01 names is run as units of their own, set up before the CA looks and taken back whatever happens."""

import contextlib
import json
import re

import apache
import faultproxy
import hands
import managed
import pebble

SUITES = ["trixie", "bookworm"]

STORE = managed.STORE
OTHER_PORT = 14002      # the same CA under another address
WORKER = ("org.mdmanager1", "/org/mdmanager1/worker", "org.mdmanager1.Worker")
LAUNCHER = ("org.mdmanager1.Launcher", "/org/mdmanager1/Launcher", "org.mdmanager1.Launcher")

# Publishes in the CA's DNS server, and tells how it was called. What a test wants otherwise is in a file.
HOOK = "/usr/local/lib/md-test/publish"
HOOK_TEXT = f"""#!/usr/bin/python3 -B
import json, os, sys, time, urllib.request
verb = next(i for i, word in enumerate(sys.argv) if word in ("setup", "teardown"))
words = sys.argv[verb:]
credentials = os.environ.get("CREDENTIALS_DIRECTORY")
print("hook", json.dumps({{"own": sys.argv[1:verb], "words": words, "uid": os.getuid(),
      "environment": {{key: value for key, value in os.environ.items() if key.startswith("MD_")}}, "input": json.loads(sys.stdin.read()),
      "credentials": {{name: open(os.path.join(credentials, name)).read() for name in os.listdir(credentials)}} if credentials else None}}), flush=True)
def call(path, **values):
    urllib.request.urlopen(f"http://127.0.0.1:{pebble.DNS_MANAGEMENT}/{{path}}", json.dumps(values).encode()).read()
host = f"_acme-challenge.{{words[1]}}."
if words[0] == "setup":
    call("set-txt", host=host, value=words[2])
else:
    call("clear-txt", host=host)
own = f"/etc/md-test/{{words[0]}}"
if os.path.exists(own):
    os.execv(own, [own, *words])
"""


def setup(m):
    m.write(HOOK, HOOK_TEXT, mode=0o755)
    managed.install(m)
    managed.settings(m, ReloadIntervalSec=1)
    globally(m)
    add(m, "example.org")
    apache.reload(m)
    managed.wait_served(m, "example.org")


def globally(m, **directives):
    """The worker does not look for records itself: the CA's DNS server has no zones."""
    managed.set_globally(m, MDChallengeDns01=f'{HOOK} first "two words" $HOME', MDChallengeDns01Wait="0s", **directives)


def add(m, name, *aliases, challenges="dns-01", directives=""):
    managed.add(m, name, *aliases, directives=f"MDCAChallenges {challenges}\n{directives}")


def calls(m, after, name=None, verb=None):
    """How the command was called since then, with the unit that it ran in."""
    found = []
    for entry in m.journal("SYSLOG_IDENTIFIER=publish", after=after):
        if entry["MESSAGE"].startswith("hook "):
            call = json.loads(entry["MESSAGE"].removeprefix("hook "))
            if (name is None or call["words"][1] == name) and (verb is None or call["words"][0] == verb):
                found.append(dict(call, unit=entry["_SYSTEMD_UNIT"]))
    return found


def wait_torn_down(m, name, after, n=1, deadline=30):
    m.wait_for(lambda: len(calls(m, after, name, "teardown")) >= n, deadline, f"{n} records of {name} to be taken back")
    m.wait_for(lambda: "challenge-setups" not in managed.job(m, name) or not managed.job(m, name)["challenge-setups"], 10, "that to be kept")


@contextlib.contextmanager
def otherwise(m, verb, text):
    """What the command does in the end."""
    m.write(f"/etc/md-test/{verb}", text, mode=0o755)
    try:
        yield
    finally:
        m.run(["rm", f"/etc/md-test/{verb}"])


def renew_again(m, name, deadline=40):
    before = managed.is_real(m, name)
    managed.renew(m, name)
    return managed.wait_served(m, name, deadline, other_than=before)


def test_record(m):
    """A record is set up before the CA looks and taken back afterwards: arguments, environment, user and unit of the command; version 1 takes back by name."""
    cursor = m.cursor()
    renew_again(m, "example.org")
    wait_torn_down(m, "example.org", cursor)
    done = calls(m, cursor)
    assert [call["words"][:2] for call in done] == [["setup", "example.org"], ["teardown", "example.org"]], done
    value = done[0]["words"][2]
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", value) and done[1]["words"] == ["teardown", "example.org"], done
    version = m.property("org.mdmanager1", "/org/mdmanager1", "org.mdmanager1.Manager", "Version")
    for call, verb in zip(done, ("setup", "teardown")):
        assert call["own"] == ["first", "two words", "$HOME"] and call["uid"] == int(m.run("id -u md-hook").out), call
        assert re.fullmatch(rf"md-hook-challenge-{verb}-dns\\x2d01-example\.org-\d+\.service|md-hook-challenge-{verb}-dns-01-example\.org-\d+\.service", call["unit"]), call
        assert call["environment"] == {"MD_NAME": "example.org", "MD_EVENT": f"challenge-{verb}", "MD_CHALLENGE": "dns-01", "MD_IDENTIFIER": "example.org",
                                       "MD_RECORD": "_acme-challenge.example.org", "MD_VALUE": value, "MD_STORE_DIR": STORE,
                                       "MD_MANAGER_VERSION": version, "MD_DOMAINS": "example.org"}, call
    assert not managed.left_over(m), managed.left_over(m)
    m.wait_for(lambda: "md-hook-" not in m.run("systemctl list-units --all --plain 'md-hook-*.service'").out, 10, "the units to be gone")


def test_wildcard(m):
    """A name and its wildcard have two values at one record name at once; both are taken back."""
    cursor = m.cursor()
    add(m, "wild.example.org", "*.wild.example.org")
    apache.reload(m)
    certificate = managed.wait_served(m, "wild.example.org")
    assert set(certificate.names) == {"wild.example.org", "*.wild.example.org"}, certificate.names
    wait_torn_down(m, "wild.example.org", cursor, 2)
    done = calls(m, cursor, "wild.example.org")
    assert [call["words"][0] for call in done] == ["setup", "setup", "teardown", "teardown"], done
    assert len({call["words"][2] for call in done[:2]}) == 2, done
    managed.remove(m, "wild.example.org")
    apache.reload(m)


def test_covered(m):
    """A name that a wildcard of the domain covers is neither ordered nor proven by itself, and served all the same."""
    m.ca.proxy.clear()
    add(m, "x.example.org", "*.x.example.org", "www.x.example.org", "a.b.x.example.org")
    apache.reload(m)
    certificate = managed.wait_served(m, "www.x.example.org", 60)
    assert set(certificate.names) == {"x.example.org", "*.x.example.org", "a.b.x.example.org"}, certificate.names
    ordered = [identifier["value"] for request in m.ca.proxy.seen("new-order") for identifier in request.payload["identifiers"]]
    assert sorted(ordered) == ["*.x.example.org", "a.b.x.example.org", "x.example.org"], ordered
    m.wait_for(lambda: not managed.job(m, "x.example.org").get("challenge-setups"), 30, "its records to be taken back")
    managed.remove(m, "x.example.org")
    apache.reload(m)


def test_version_2(m):
    """With MDChallengeDns01Version 2 the command gets the value for teardown, too."""
    globally(m, MDChallengeDns01Version="2")
    apache.reload(m)
    cursor = m.cursor()
    renew_again(m, "example.org")
    wait_torn_down(m, "example.org", cursor)
    setup_, teardown = calls(m, cursor)
    assert teardown["words"] == ["teardown", *setup_["words"][1:]], (setup_, teardown)
    globally(m)
    apache.reload(m)


def test_credential(m):
    """A drop-in for md-hook-challenge-setup-.service gives the command a credential, and the other commands not."""
    m.write("/etc/md-manager/dns-token", "secret token\n", mode=0o600)
    m.write("/etc/systemd/system/md-hook-challenge-setup-.service.d/token.conf", "[Service]\nLoadCredential=dns-token:/etc/md-manager/dns-token\n")
    m.run("systemctl daemon-reload")
    cursor = m.cursor()
    renew_again(m, "example.org")
    wait_torn_down(m, "example.org", cursor)
    setup_, teardown = calls(m, cursor)
    for call, event in ((setup_, "challenge-setup"), (teardown, "challenge-teardown")):
        assert call["environment"]["MD_DOMAINS"] == "example.org" and call["environment"]["MD_EVENT"] == event, call
        assert {f"MD_{key.upper().replace('-', '_')}" for key in call["input"]} == set(call["environment"]) and call["input"]["domains"] == ["example.org"], call
    assert setup_["credentials"] == {"dns-token": "secret token\n"} and teardown["credentials"] is None, (setup_, teardown)
    m.run("rm -r /etc/systemd/system/md-hook-challenge-setup-.service.d; systemctl daemon-reload")


def test_failing(m):
    """A command that fails makes its type fail: the record is taken back, the next type is tried; with none left the exit status and the unit are told."""
    with otherwise(m, "setup", "#!/bin/sh\nexit 7\n"):
        cursor = m.cursor()
        add(m, "falls.example.org", challenges="dns-01 http-01")
        apache.reload(m)
        managed.wait_served(m, "falls.example.org")
        wait_torn_down(m, "falls.example.org", cursor)
        cursor = m.cursor()
        managed.renew(m, "example.org")
        failed = managed.wait_event(m, "example.org", "errored", cursor)
        assert failed["MD_PROBLEM"].endswith(":challenge-setup-failure") and "exit status 7" in failed["MESSAGE"], failed
        unit = calls(m, cursor, "example.org", "setup")[0]["unit"]
        assert f"journalctl -u {unit}" in failed["MESSAGE"], failed
        wait_torn_down(m, "example.org", cursor)
    renew_again(m, "example.org")
    managed.remove(m, "falls.example.org")
    apache.reload(m)


# Takes the record out of the DNS again as soon as it is there, and all is well.
UNPUBLISH = f"""#!/usr/bin/python3 -B
import json, sys, urllib.request
host = f"_acme-challenge.{{sys.argv[2]}}."
urllib.request.urlopen("http://127.0.0.1:{pebble.DNS_MANAGEMENT}/clear-txt", json.dumps({{"host": host}}).encode()).read()
"""


def test_not_believed(m):
    """The CA does not find what was set up without a fault, and makes the authorization invalid: the record is taken back, the CA's words are told, and the next try sets up another one."""
    with otherwise(m, "setup", UNPUBLISH):
        cursor = m.cursor()
        managed.renew(m, "example.org")
        failed = managed.wait_event(m, "example.org", "errored", cursor)
        assert failed["MD_PROBLEM"].endswith(":unauthorized") and "TXT" in failed["MESSAGE"], failed
        wait_torn_down(m, "example.org", cursor)
    again = m.cursor()
    renew_again(m, "example.org")
    wait_torn_down(m, "example.org", again)
    done = calls(m, cursor, "example.org")
    assert [call["words"][0] for call in done] == ["setup", "teardown", "setup", "teardown"], done
    first, taken, second, taken_too = [call["environment"]["MD_VALUE"] for call in done]
    assert first == taken != second == taken_too, done


def test_failover(m):
    """A CA that fails after the record is set up: it is taken back before the next CA's turn comes, which gets one of its own, taken back in the end."""
    other = faultproxy.FaultProxy(m.network, OTHER_PORT, m.ca.certificate, m.ca.key, pebble.BEHIND)
    m.beside.append(other)
    name = "failover.example.org"
    globally(m, MDCertificateAuthority=f"{pebble.DIRECTORY} https://ca.test:{OTHER_PORT}/dir", MDRetryFailover=1, MDRetryDelay="1s")
    m.ca.proxy.clear()
    rule = m.ca.proxy.rule(kind="challenge", problem="serverInternal", status=500)
    cursor = m.cursor()
    add(m, name)
    apache.reload(m)
    managed.wait_served(m, name, 60)
    wait_torn_down(m, name, cursor, 2)
    failed = m.journal(f"MD_NAME={name}", "MD_EVENT=errored", after=cursor)
    assert len(failed) == 1 and rule.used and failed[0]["MD_CA"] == pebble.DIRECTORY and other.count("finalize") == 1, (failed, other.counts())
    done = calls(m, cursor, name)
    assert [call["words"][0] for call in done] == ["setup", "teardown", "setup", "teardown"], done
    first, taken, second, taken_too = [call["environment"]["MD_VALUE"] for call in done]
    assert first == taken != second == taken_too, done
    m.ca.proxy.clear()
    managed.remove(m, name)
    globally(m)
    apache.reload(m)


def test_hanging(m):
    """A command that hangs is ended at its timeout, which a drop-in may set; other domains do not wait for it."""
    m.write("/etc/systemd/system/md-hook-challenge-setup-.service.d/time.conf", "[Service]\nTimeoutStartSec=8s\n")
    m.run("systemctl daemon-reload")
    text = "#!/bin/sh\n[ \"$2\" = hangs.example.org ] && exec sleep infinity\nexit 0\n"
    with otherwise(m, "setup", text):
        cursor = m.cursor()
        add(m, "hangs.example.org", challenges="dns-01 http-01")
        apache.reload(m)
        m.wait_for(lambda: calls(m, cursor, "hangs.example.org", "setup"), 30, "the command to hang")
        managed.renew(m, "example.org")
        wait_torn_down(m, "example.org", cursor)
        assert not calls(m, cursor, "hangs.example.org", "teardown"), "the other domain waited"
        managed.wait_served(m, "hangs.example.org")
        wait_torn_down(m, "hangs.example.org", cursor)
    assert [e for e in m.journal("_SYSTEMD_UNIT=md-manager.service", after=cursor) if "did not end in time" in e["MESSAGE"]]
    m.run("rm -r /etc/systemd/system/md-hook-challenge-setup-.service.d; systemctl daemon-reload")
    managed.remove(m, "hangs.example.org")
    apache.reload(m)


@contextlib.contextmanager
def held(m, name):
    """The command holds when it has published the record of 'name'."""
    m.write("/run/hold-dns", "")
    with otherwise(m, "setup", f"#!/bin/sh\n[ \"$2\" = {name} ] || exit 0\nwhile [ -e /run/hold-dns ]; do sleep 0.05; done\n"):
        yield
        m.run("rm -f /run/hold-dns")


def test_manager_killed(m):
    """The manager dies while a record is set up: the next one takes it back, and never while the command that sets it up runs."""
    with held(m, "example.org"):
        cursor = m.cursor()
        before = managed.is_real(m, "example.org")
        managed.renew(m, "example.org")
        m.wait_for(lambda: calls(m, cursor, "example.org", "setup"), 30, "the command to run")
        assert len(managed.job(m, "example.org")["challenge-setups"]) == 1
        managed.kill(m)
        managed.mdctl(m, "check")
        assert not calls(m, cursor, "example.org", "teardown")
    m.wait_for(lambda: len(calls(m, cursor, "example.org", "teardown")) >= 1, 60, "the record to be taken back")
    managed.wait_served(m, "example.org", deadline=60, other_than=before)
    m.wait_for(lambda: not managed.job(m, "example.org").get("challenge-setups"), 30, "nothing to be left")
    values = {verb: {call["environment"]["MD_VALUE"] for call in calls(m, cursor, "example.org", verb)} for verb in ("setup", "teardown")}
    assert values["setup"] == values["teardown"], values


def test_domain_removed(m):
    """A domain that is taken out of the configuration while its record is set up has it taken back, with the command that it had."""
    with held(m, "gone.example.org"):
        cursor = m.cursor()
        add(m, "gone.example.org")
        apache.reload(m)
        m.wait_for(lambda: calls(m, cursor, "gone.example.org", "setup"), 30, "the command to run")
        managed.remove(m, "gone.example.org")
        apache.reload(m)
        m.wait_for(lambda: not managed.show(m, "gone.example.org")["Managed"] if managed.is_known(m, "gone.example.org") else True, 20, "that to be known")
    m.wait_for(lambda: calls(m, cursor, "gone.example.org", "teardown"), 60, "the record to be taken back")
    m.wait_for(lambda: not managed.is_known(m, "gone.example.org"), 30, "the domain to be forgotten")
    # Its certificate came all the same, and waits for it to come back.
    assert managed.job(m, "gone.example.org")["phase"] == "staged" and "gone.example.org" in managed.files(m, "staging")
    m.ca.proxy.clear()
    add(m, "gone.example.org")
    apache.reload(m)
    managed.wait_served(m, "gone.example.org")
    assert m.ca.proxy.count("new-order") == 0, m.ca.proxy.counts()
    managed.remove(m, "gone.example.org")
    apache.reload(m)


def test_removed_meanwhile(m):
    """A domain that is taken out of the configuration while the manager is down has its record taken back, and what was begun in staging/ is removed, also for one that went earlier."""
    with held(m, "away.example.org"):
        cursor = m.cursor()
        add(m, "away.example.org")
        apache.reload(m)
        m.wait_for(lambda: calls(m, cursor, "away.example.org", "setup"), 30, "the command to run")
        m.run("systemctl mask --runtime md-manager.service; systemctl stop md-manager.service")
        assert "away.example.org" in managed.files(m, "staging")
        m.run(f"install -d -o md-manager -g md-manager -m 0700 {STORE}/staging/older.example.org; cp -a {STORE}/staging/away.example.org/md.json {STORE}/staging/older.example.org/")
        managed.remove(m, "away.example.org")
        apache.reload(m)
        m.run("systemctl unmask --runtime md-manager.service; systemctl start md-manager.service")
        assert not managed.is_known(m, "away.example.org") or not managed.show(m, "away.example.org")["Managed"]
    m.wait_for(lambda: calls(m, cursor, "away.example.org", "teardown"), 60, "the record to be taken back")
    m.wait_for(lambda: not managed.is_known(m, "away.example.org"), 30, "the domain to be forgotten")
    assert managed.files(m, "staging") == [], managed.files(m, "staging")
    assert not managed.job(m, "away.example.org").get("challenge-setups")


def test_teardown_fails(m):
    """A record that cannot be taken back is tried again; when its command is not configured any more, what is left is told."""
    with otherwise(m, "teardown", "#!/bin/sh\nexit 1\n"):
        cursor = m.cursor()
        renew_again(m, "example.org")
        m.wait_journal("_SYSTEMD_UNIT=md-manager.service", after=cursor, where=lambda e: "was not taken back, and is to be tried again" in e["MESSAGE"])
        assert managed.job(m, "example.org")["challenge-setups"]
    # A restart takes it back at once.
    cursor = m.cursor()
    m.run("systemctl restart md-manager")
    wait_torn_down(m, "example.org", cursor)


def test_record_left(m):
    """A domain that is not configured any more, and whose record is not taken back, says that this is what it is still there for."""
    name = "left.example.org"
    with otherwise(m, "teardown", "#!/bin/sh\nexit 1\n"):
        cursor = m.cursor()
        add(m, name)
        apache.reload(m)
        managed.wait_served(m, name)
        m.wait_journal("_SYSTEMD_UNIT=md-manager.service", after=cursor, where=lambda e: f"_acme-challenge.{name} was not taken back" in e["MESSAGE"])
        managed.remove(m, name)
        apache.reload(m)
        m.wait_for(lambda: not managed.show(m, name)["Managed"], 20, "that to be known")
        shown = managed.show(m, name)
        assert (shown["Action"], shown["Reason"], shown["NextUSec"]) == ("nothing", "unmanaged", 0) and "taken back" in shown["Detail"], shown
    m.run("systemctl restart md-manager")
    m.wait_for(lambda: not managed.is_known(m, name), 60, "the domain to be forgotten")


def test_event(m):
    """MDMessageCmd is asked about each challenge, before the CA looks; when it disagrees the type fails and the answer is taken back."""
    m.write("/usr/local/lib/md-test/veto", "#!/bin/sh\necho \"asked $*\"\ncase $1 in challenge-setup:http-01:*) exit 5;; esac\nexit 0\n", mode=0o755)
    globally(m, MDMessageCmd="/usr/local/lib/md-test/veto")
    signals = managed.Signals(m)
    cursor = m.cursor()
    add(m, "veto.example.org", challenges="http-01 dns-01")
    apache.reload(m)
    managed.wait_served(m, "veto.example.org")
    asked = [e["MESSAGE"] for e in m.journal("SYSLOG_IDENTIFIER=veto", "MD_NAME=veto.example.org", after=cursor) if "challenge-setup" in e["MESSAGE"]]
    assert asked == ["asked challenge-setup:http-01:veto.example.org veto.example.org", "asked challenge-setup:dns-01:veto.example.org veto.example.org"], asked
    wait_torn_down(m, "veto.example.org", cursor)
    # Everybody can see that and how: the journal, and the bus.
    [told] = m.journal("_SYSTEMD_UNIT=md-manager.service", "MD_NAME=veto.example.org", "MD_EVENT=challenge-setup:http-01:veto.example.org", after=cursor)
    assert told["MESSAGE_ID"] and told["MD_CA"] == pebble.DIRECTORY, told
    ends = {values[0]: values for values in signals.wait("HookEnded", lambda values: values[0] == "challenge-teardown")}
    assert ["challenge-setup:http-01:veto.example.org", "veto.example.org"] in [values[:2] for values in signals.seen["Event"]], signals.seen
    assert ends["challenge-setup:http-01:veto.example.org"][3:] == ["exit-code", 1, 5] and ends["challenge-setup:dns-01:veto.example.org"][3:] == ["success", 1, 0], ends
    assert ends["challenge-setup"][2].startswith("md-hook-challenge-setup-dns-01-") and ends["challenge-setup"][3:] == ["success", 1, 0], ends
    signals.stop()
    assert not managed.files(m, "challenges")
    globally(m)
    managed.remove(m, "veto.example.org")
    apache.reload(m)


def test_attempts(m):
    """A taken-over worker that asks for one record after the other has the command run a few times for each order, even if it fails each time."""
    hands.install(m)
    ca = pebble.DIRECTORY.rpartition("/")[0]
    with hands.take_place(m, "md-renew@example.org.service", "taken") as hand, otherwise(m, "setup", "#!/bin/sh\nexit 1\n"):
        cursor = m.cursor()
        managed.renew(m, "example.org")
        hand.wait_here()
        hand.call(*WORKER, "Open")
        hand.call(*WORKER, "Directory", "a{sv}", {"new-account": ("s", f"{ca}/sign-me-up"), "new-order": ("s", f"{ca}/order-plz")})
        hand.call(*WORKER, "Sign", "sss", "new-order", f"{ca}/order-plz", "bm9uY2U")
        hand.call(*WORKER, "OrderCreated", "ssast", f"{ca}/my-order/1", f"{ca}/finalize/1", [f"{ca}/authZ/1"], 0)
        errors = [hand.call_error(*WORKER, "SetUpChallenge", "sssss", "dns", "example.org", "dns-01", f"{i:043}", f"{ca}/chalZ/{i}") for i in range(12)]
        assert errors == ["org.mdmanager1.Error.Refused"] * 4 + ["org.mdmanager1.Error.NotNow"] * 8, errors
        hand.call(*WORKER, "Close", "s", "")
        managed.wait_event(m, "example.org", "errored", cursor)
        wait_torn_down(m, "example.org", cursor, n=4)
        assert len(calls(m, cursor, "example.org", "setup")) == 4
    renew_again(m, "example.org")


def test_refused(m):
    """The launcher takes no words that are none, and nothing for domains without a command."""
    value = "A" * 43
    for words, why in ((("example.org", "renew", "example.org", value), "set up or torn down"), (("example.org", "setup", "*.example.org", value), "no name"),
                       (("example.org", "setup", "example.org", "x" * 42 + "="), "no value"), (("example.org", "setup", "a/b", value), "no name"),
                       (("other.example.org", "setup", "example.org", value), "No server is configured")):
        refused = m.run(["busctl", "call", *LAUNCHER, "RunChallengeHook", "ssss", *words], check=False)
        assert refused.rc != 0 and why in refused.err, refused
    for words in (("example.org", "http-01:x", "example.org"), ("example.org", "http-01", "*.example.org"), ("example.org", "http-01", "../x")):
        refused = m.run(["busctl", "call", *LAUNCHER, "RunChallengeEvent", "sss", *words], check=False)
        assert refused.rc != 0 and "This is no" in refused.err, refused
