# SPDX-License-Identifier: Apache-2.0
"""The bus interfaces, used by a program of somebody else's: GDBus from Python, which does what mdctl does."""

import json
import re

import apache
import host
import managed
import pebble

PROGRAM = "/usr/local/lib/md-test/client.py"
# What mdctl reads elsewhere: the journal, Apache's configuration.
NOT_ON_THE_BUS = {"events", "domain"}
# The same under another name: a word of Python.
RENAMED = {"import": "take"}
PREFIX = "org.mdmanager1.Error."


def setup(m):
    m.write(PROGRAM, (host.SOURCE / "tests/machine/probe/client.py").read_text(encoding="utf-8"), mode=0o755)
    managed.install(m)
    managed.settings(m, ReloadIntervalSec=1)
    m.write("/etc/apache2/conf-enabled/hook.conf", "MDMessageCmd /bin/true\n")
    managed.add(m, "example.org", "www.example.org")
    cursor = m.cursor()
    apache.reload(m)
    managed.wait_served(m, "example.org")
    managed.wait_event(m, "example.org", "installed", cursor)


def client(m, *words, user=None):
    return json.loads(m.run(["python3", "-B", PROGRAM, *words], user=user, timeout=150).out)


def error(m, *words, user=None):
    result = m.run(["python3", "-B", PROGRAM, *words], user=user, check=False)
    assert result.rc == 1, result
    return result.err.split()[0].removeprefix(PREFIX)


def mdctl(m, *words):
    return json.loads(managed.mdctl(m, "--json=short", *words).out)


def wait_quiet(m):
    def quiet():
        return managed.show(m, "example.org")["Served"] and managed.show(m, "example.org")["Job"] == "/" and not client(m, "metrics")["manager"]["ReloadPending"]
    m.wait_for(quiet, 40, "nothing to be under way")


def test_verbs(m):
    """The client has everything that mdctl has."""
    verbs = re.findall(r"^  ([a-z]+)  ", managed.mdctl(m, "--help").out.partition("Commands:")[2], re.MULTILINE)
    source = m.read(PROGRAM)
    missing = [verb for verb in verbs if verb not in NOT_ON_THE_BUS and f"    def {RENAMED.get(verb, verb)}(" not in source]
    assert len(verbs) > 20 and not missing, missing


def test_looking(m):
    """Looking at things tells the same as mdctl does, also to a user without rights."""
    wait_quiet(m)
    for words in (["list"], ["version"]):
        assert client(m, *words, user="alice") == mdctl(m, *words) or words == ["version"], words
    assert client(m, "version")["Version"] == managed.mdctl(m, "--version").out.split()[-1]
    shown, told = client(m, "show", "WWW.example.org", user="alice"), mdctl(m, "show", "example.org")
    assert all(shown[key] == told[key] for key in ("Name", "Names", "State", "Action", "NextUSec", "ValidUntilUSec", "Served", "KeySpecs")), (shown, told)
    assert [list(fact)[:3] for fact in client(m, "explain", "example.org")] and client(m, "log", "example.org", user="alice")[0][0] > 0
    assert client(m, "timeline") == [[shown["ValidUntilUSec"], "example.org"]]
    assert client(m, "check") == [] == mdctl(m, "check") and client(m, "hook", "list") == [] == client(m, "targets") and client(m, "tlsa", "example.org")[0][0] == "rsa"
    [account] = client(m, "account", "list")
    assert client(m, "account", "show", account[0])["Id"] == account[0] == mdctl(m, "account", "show", account[0])["Id"]
    assert client(m, "metrics")["domains"][0]["Name"] == "example.org" and client(m, "archive", "example.org") is not None
    assert client(m, "export", "example.org") == {key: value for key, value in mdctl(m, "export", "--private-key", "example.org").items() if key != "Name"}
    known = client(m, "objects", user="alice")
    assert known[managed.path_of(m, "example.org")] == ["org.mdmanager1.Domain"] and account[1] in known, known


def test_acting(m):
    """Renewing, reloading, trying hooks, exporting, rolling back, accounts and revocation work from the client, with their ends heard as signals."""
    wait_quiet(m)
    before = managed.is_real(m, "example.org")
    ended = client(m, "renew", "example.org", "--force")
    assert ended["Result"] == "done" and ended["Domain"] == "example.org", ended
    managed.wait_served(m, "example.org", other_than=before)
    wait_quiet(m)
    assert client(m, "reload") == ["apache2.service"] == client(m, "reload", "apache2.service")
    wait_quiet(m)
    [tried] = client(m, "hook", "test", "example.org", "errored")
    assert tried["Result"] == "success" and tried["Id"].startswith("md-hook-errored-"), tried
    assert bytes.fromhex(client(m, "export", "example.org", "rsa", "secret"))[0] == 0x30
    [newest, *_] = client(m, "archive", "example.org")
    assert client(m, "rollback", "example.org") == newest[0]
    wait_quiet(m)
    [account] = [row[0] for row in client(m, "account", "list")]
    for command in ("update", "rollover"):
        ended = client(m, "account", command, account)
        assert ended["Result"] == "done", ended
    assert error(m, "account", "register", pebble.DIRECTORY) == "NothingToDo"
    ended = client(m, "revoke", "example.org", "superseded")
    assert ended["Result"] == "done", ended
    wait_quiet(m)
    m.ca.proxy.rule(kind="new-order", problem="rejectedIdentifier", times=1)
    cursor = m.cursor()
    managed.add(m, "late.example.org")
    apache.reload(m)
    managed.wait_event(m, "late.example.org", "errored", cursor)
    assert client(m, "retry", "late.example.org")["Result"] == "done"
    wait_quiet(m)
    managed.remove(m, "late.example.org")
    apache.reload(m)
    assert client(m, "account", "deactivate", account)["Result"] == "done"
    assert client(m, "account", "show", account)["Status"] == "deactivated"
    assert client(m, "renew", "example.org", "--force")["Result"] == "done"
    assert client(m, "account", "register", pebble.DIRECTORY.replace("/dir", "/DIR"), "a@example.org")["Result"] == "failed"      # no such directory


def test_signals(m):
    """Whoever subscribes hears of a renewal as of objects that come and go, properties that change, and events."""
    wait_quiet(m)
    watcher = m.start(["python3", "-B", PROGRAM, "watch", "installed"], user="alice")
    watcher.wait_line("ready")
    client(m, "renew", "example.org", "--force")
    seen = json.loads(watcher.wait_line(r'\["'))
    events = [values[0] for path, member, values in seen if member == "Event"]
    assert managed.are_of_renewal(events, "example.org", "www.example.org"), events
    jobs = [values[0] for path, member, values in seen if member == "InterfacesAdded"]
    gone = [values[0] for path, member, values in seen if member == "InterfacesRemoved"]
    assert len(jobs) == 1 and gone == jobs, (jobs, gone)
    changed = {key for path, member, values in seen if member == "PropertiesChanged" and values[0] == "org.mdmanager1.Domain" for key in values[1]}
    assert {"Action", "Job", "Certificates", "Served", "NextUSec"} <= changed, changed
    assert "State" in {key for path, member, values in seen if member == "PropertiesChanged" and path == jobs[0] for key in values[1]}, seen


def test_errors(m):
    """Errors have the names that the manual gives them."""
    wait_quiet(m)
    page = (host.SOURCE / "man/org.mdmanager1.5").read_text(encoding="utf-8").partition(".SH ERRORS")[2]
    cases = ((["show", "nobody.example"], "NoSuchDomain"), (["account", "show", "nobody"], "NoSuchAccount"), (["renew", "example.org"], "NothingToDo"),
             (["retry", "example.org"], "NothingToDo"), (["reload", "dbus.service"], "NotConfigured"), (["revoke", "example.org", "boredom"], "InvalidArgument"),
             (["hook", "test", "example.org", "x"], "InvalidArgument"), (["hook", "test", "example.org", "dns-01"], "NotConfigured"),
             (["account", "register", "http://x/"], "InvalidArgument"), (["export", "example.org", "P-999"], "InvalidArgument"))
    for words, name in cases:
        assert error(m, *words) == name, (words, error(m, *words))
        assert f"\n.B {name}\n" in page, name


# What changes something: the action, the details that rules see, and what a person is asked for: "Authentication is required to …".
DOMAIN = {"domain": "example.org"}
CHANGING = (
    (("renew", "WWW.example.org", "--force"), "renew", DOMAIN, "renew the certificate of example.org."),
    (("retry", "example.org"), "renew", DOMAIN, "renew the certificate of example.org."),
    (("reload",), "reload", {"unit": ""}, "have the web servers load new certificates."),
    (("reload", "apache2.service"), "reload", {"unit": "apache2.service"}, "have apache2.service load new certificates."),
    (("planned",), "reload", {"unit": ""}, "have the web servers load new certificates."),
    (("check",), "check", {"domain": ""}, "have all managed certificates checked."),
    (("revoke", "example.org"), "revoke", DOMAIN, "have the certificates of example.org revoked."),
    (("rollback", "example.org"), "rollback", DOMAIN, "put an earlier certificate of example.org back."),
    (("hook", "test", "example.org", "errored"), "test-hook", DOMAIN, "run a hook of example.org for a test."),
    (("account", "register", "https://ca.example/"), "account", {"account": "", "ca": "https://ca.example/"}, "register an account at https://ca.example/."),
    (("take", "certbot", "example.org", "/etc/md-manager/md-manager.conf.d"), "import", {"source": "certbot", "kind": "certificate", "name": "example.org"},
     "take over example.org (certificate) of certbot."),
)
# Nobody is asked about these: only root has them.
NEVER = ((("export", "example.org"), "export-key", DOMAIN), (("told",), "targets", {"domain": ""}))
# polkit.log() is heard of only where polkit logs more than Debian has it log.
LOG_RULE = """polkit.addRule(function (action, subject) {
    if (action.id.indexOf("org.mdmanager1.") === 0)
        polkit.spawn(["logger", "--tag=polkit-asked", subject.user + " " + action]);
});
"""


def rules_saw(m, user, cursor):
    """What polkit's rules were asked about since: (action, {detail: value}) each, without what polkit itself says."""
    lines = [entry["MESSAGE"] for entry in m.journal("SYSLOG_IDENTIFIER=polkit-asked", after=cursor) if f"{user} [Action id='" in entry["MESSAGE"]]
    details = [dict(re.findall(r" ([a-z.-]+)='([^']*)'", line.partition("[Action")[2])) for line in lines]
    return [(found.pop("id"), {key: value for key, value in found.items() if not key.startswith("polkit.")}) for found in details]


def test_authorization(m):
    """Every changing method asks polkit, which is told what it is about, and whose words a person is shown; nothing happens to whoever is refused."""
    wait_quiet(m)
    before = managed.job(m, "example.org")["last-run"]
    account = [row[0] for row in client(m, "account", "list") if row[4] == "valid"][0]
    changing = [*CHANGING, *((("account", command, account), "account", {"account": account}, f"change the account {account} at its certificate authority.")
                             for command in ("update", "rollover", "deactivate"))]
    start = m.cursor()
    m.write("/etc/polkit-1/rules.d/00-log.rules", LOG_RULE)
    m.wait_for(lambda: error(m, "check", user="nobody") and rules_saw(m, "nobody", start), 20, "polkit to have read the rule")
    try:
        assert error(m, "renew", "example.org", "--force", user="alice") == "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"      # nobody to be asked
        for words, action, details, message in changing:
            cursor = m.cursor()
            assert client(m, "ask", *words, user="alice") == [[f"org.mdmanager1.{action}", f"Authentication is required to {message}"]], words
            assert rules_saw(m, "alice", cursor) == [(f"org.mdmanager1.{action}", details)], words
        for words, action, details in NEVER:
            cursor = m.cursor()
            assert client(m, "ask", *words, user="alice") == [], words
            assert rules_saw(m, "alice", cursor) == [(f"org.mdmanager1.{action}", details)], words
        # Words that a person would read are looked at before anybody is asked.
        cursor = m.cursor()
        for words, name in ((["reload", "everything.service"], "NotConfigured"), (["account", "register", "https://x/ and more"], "InvalidArgument"),
                            (["take", "certbot", "two words", "/etc/md-manager/md-manager.conf.d"], "InvalidArgument")):
            assert error(m, *words, user="alice") == name, words
        assert not rules_saw(m, "alice", cursor)
    finally:
        m.run("rm /etc/polkit-1/rules.d/00-log.rules")
    assert managed.job(m, "example.org")["last-run"] == before and client(m, "account", "show", account)["Status"] == "valid"
    policy = m.read("/usr/share/polkit-1/actions/org.mdmanager1.policy")
    actions = set(re.findall(r'action id="([^"]+)"', policy))
    documented = set(re.findall(r"org\.mdmanager1\.[a-z-]+", (host.SOURCE / "man/org.mdmanager1.5").read_text(encoding="utf-8").replace("\\-", "-")))
    assert actions <= documented and len(actions) >= 9, actions - documented
    assert actions == {f"org.mdmanager1.{row[1]}" for row in (*changing, *NEVER)}, actions
    assert len(re.findall("<message>", policy)) == len(actions)
