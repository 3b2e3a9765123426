# SPDX-License-Identifier: Apache-2.0
"""A store that is torn, deleted, full or not to be written to, and an Apache that is not well: a clear error, nothing lost, and all is well again."""

import contextlib
import json
import re

import apache
import managed
from managed import STORE
from machine import Certificate, Visitor

SITE = "site.test"
SNAPSHOT = f"{STORE}/servers/apache2.json"
OURS = "urn:org:mdmanager1:"


def setup(m):
    managed.install(m)
    managed.settings(m, ReloadIntervalSec="200ms", ServedTimeoutSec="3s")
    managed.set_globally(m, MDPrivateKeys="P-256")
    managed.add(m, SITE)
    apache.reload(m)
    managed.wait_served(m, SITE)
    wait_settled(m)


def wait_settled(m):
    """The site is served with what is in the store, and nothing is wrong with it. Returns its properties."""
    def settled():
        shown = managed.show(m, SITE)
        return shown if shown["Managed"] and shown["Phase"] == "idle" and shown["Served"] and shown["Action"] == "wait" and shown["Errors"] == 0 else None
    shown = m.wait_for(settled, 40, f"{SITE} to be settled")
    assert shown["LastProblem"][:2] == ["", ""] and shown["Reason"] == "renew-window", shown
    return shown


def mend(m):
    """After a test that failed: a new store, so that the other tests have nothing of its troubles."""
    m.ca.proxy.clear()
    managed.add(m, SITE)
    m.run(f"systemctl stop md-manager apache2; umount -q {STORE}; rm -rf {STORE}/* /etc/apache2/conf-enabled/broken.conf", check=False)
    start(m)
    m.run("systemctl restart md-manager-store.path")
    managed.wait_served(m, SITE)
    wait_settled(m)


def start(m):
    """Starts what is not running, however often that was done before."""
    m.run("systemctl reset-failed md-manager apache2; systemctl start apache2 md-manager")


@contextlib.contextmanager
def watched(m):
    """All is well at the begin; the journal is looked at from here on, and so is what the CA is asked."""
    m.ca.proxy.clear()
    wait_settled(m)
    before = managed.is_real(m, SITE)
    assert before, "the site is not served with a certificate of the CA to begin with"
    m.since = m.cursor()
    try:
        yield before
    except BaseException:
        mend(m)
        raise


def keep_faith(m):
    """The live set as it is on disk, and its files' owner and mode."""
    return m.run(f"cd {STORE}/domains/{SITE} && sha256sum pubcert* privkey* && stat -c '%n %U %G %a' . pubcert* privkey*").out


@contextlib.contextmanager
def served_on(m, expected=2):
    """Somebody visits the site all the time: each visit is answered, with the certificate that was there before, and then with no more
    than 'expected' - 1 others. The journal is looked at from here on."""
    with watched(m) as before:
        with Visitor(m, SITE, pause=0.1) as visitor:
            yield before
        assert visitor.answered and not visitor.wrong, visitor.wrong
        served = [Certificate(der) for _, der in visitor.certificates]
        assert served[0].fingerprint == before.fingerprint and len(served) <= expected, served


def told(m, event, *words, name=SITE, problem=None, where=None, deadline=30):
    """An event in the journal whose text has all of these words (regular expressions). Returns the entry."""
    matches = [f"MD_EVENT={event}"] + ([f"MD_NAME={name}"] if name else [])
    entry = m.wait_journal(*matches, after=m.since, deadline=deadline, where=where)
    for word in words:
        assert re.search(word, entry["MESSAGE"]), (word, entry["MESSAGE"])
    assert entry.get("MD_PROBLEM") == problem and entry["MESSAGE_ID"], entry
    return entry


def renews(m, before):
    """A renewal that is asked for now works to its end. Returns the new certificate."""
    managed.renew(m, SITE)
    certificate = managed.wait_served(m, SITE, other_than=before)
    wait_settled(m)
    return certificate


def complaints(m):
    return m.property(managed.BUS, "/org/mdmanager1", "org.mdmanager1.Manager", "Complaints")


def timer_is_set(m, shown):
    m.wait_for(lambda: managed.timer_is(m, SITE, shown["NextUSec"]), 10, f"the timer of {SITE} for {shown['NextUSec']}")


# Snapshots

BROKEN_SNAPSHOTS = (
    ("torn", "head -c 300 {0} >{0}.half && cat {0}.half >{0} && rm {0}.half", r"is not JSON"),
    ("empty", ": >{0}", r"is not JSON"),
    ("too large", "truncate -s 65M {0}", r"is too large"),
    ("no JSON", "echo 'Hello.' >{0}", r"is not JSON"),
    ("of a later version", "sed -i 's/\"version\": *[0-9]*/\"version\": 99/' {0}", r"it has version 99, and this program knows version \d+: the server runs a newer module"),
    ("somebody else's", "chown alice {0}", r"it does not belong to root"),
    ("writable for others", "chmod 0666 {0}", r"others than root may write to it"),
    ("a link", "cp -a {0} /root/linked && ln -s /root/linked {0}.link && mv -T {0}.link {0}", r"it is a symbolic link"),
)


def test_snapshot(m):
    """A snapshot that cannot be used is named with the reason, the last good one counts, also for a renewal; the next reload mends it."""
    good = m.run(["stat", "-c", "%U %G %a %F", SNAPSHOT]).out
    with served_on(m) as before:
        shown = managed.show(m, SITE)
        for what, how, why in BROKEN_SNAPSHOTS:
            m.since = m.cursor()
            m.run(how.format(SNAPSHOT))
            faults = managed.check(m)
            entry = told(m, "snapshot-refused", rf"^{SNAPSHOT}\b.*{why}.* The last good one counts until the server is reloaded and writes it again\.$", name=None)
            assert entry["MESSAGE"].count(SNAPSHOT) == 1, entry["MESSAGE"]
            assert len(complaints(m)) == 1 and re.search(why, complaints(m)[0]), (what, complaints(m))
            assert any(re.search(why, fault) for _, fault in faults), (what, faults)
            now = managed.show(m, SITE)
            assert now["Managed"] and now["NextUSec"] == shown["NextUSec"] and now["Names"] == shown["Names"], (what, now)
            apache.reload(m)
            m.wait_for(lambda: not complaints(m), 10, f"a snapshot again that was {what}")
            assert m.run(["stat", "-c", "%U %G %a %F", SNAPSHOT]).out == good, what
            assert managed.check(m) == [], what
        timer_is_set(m, shown)

        m.since = m.cursor()
        m.run(f"echo garbage >{SNAPSHOT}")
        told(m, "snapshot-refused", name=None)
        renews(m, before)       # Apache's reload, which the manager asks for, mends it on the way
        assert complaints(m) == []


def test_snapshot_at_start(m):
    """A manager that starts without a good snapshot says so and touches nothing; the next reload is all that it takes."""
    with served_on(m) as before:
        kept = keep_faith(m)
        managed.stop(m)
        m.run(f"echo garbage >{SNAPSHOT}")
        start(m)
        told(m, "snapshot-refused", r"is not JSON.* Reload the server to have it written again\.$", name=None)
        assert not managed.is_known(m, SITE) and keep_faith(m) == kept
        apache.reload(m)
        m.wait_for(lambda: managed.is_known(m, SITE), 10, "the domain to be known again")
        timer_is_set(m, wait_settled(m))
        renews(m, before)


def test_snapshot_deleted(m):
    """A snapshot that is deleted by hand comes back by itself: the manager has the server reloaded, and forgets nothing meanwhile."""
    with served_on(m, expected=3) as before:
        for how in ("rm", "mv -t /root"):
            shown = managed.show(m, SITE)
            m.since = m.cursor()
            m.run(f"{how} {SNAPSHOT}")
            told(m, "store-damaged", rf"^{SNAPSHOT} is gone\. What it said counts for now; apache2\.service is reloaded to have it written again\.$", name=None)
            m.wait_for(lambda: m.exists(SNAPSHOT), 20, "the snapshot to be there again")
            assert managed.show(m, SITE)["NextUSec"] == shown["NextUSec"]
            timer_is_set(m, shown)
        before = renews(m, before)


def test_server_gone(m):
    """A server that does not run and whose snapshot is deleted is forgotten, its domains are not managed any more, and nothing of theirs is deleted."""
    with watched(m):
        kept = keep_faith(m)
        m.run(f"systemctl stop apache2 && rm {SNAPSHOT}")
        m.wait_for(lambda: not managed.is_known(m, SITE), 60, "the domain to be forgotten")
        m.wait_for(lambda: managed.timer(m, SITE) is None, 10, "its timer to be gone")
        assert keep_faith(m) == kept
        start(m)
        m.wait_for(lambda: managed.is_known(m, SITE), 10, "the domain to be known again")
        timer_is_set(m, wait_settled(m))


# Files of the manager's

LIVE = f"{STORE}/domains/{SITE}"
CERT, KEY = f"{LIVE}/pubcert.p-256.pem", f"{LIVE}/privkey.p-256.pem"
TORN = {
    "certificate cut": f"truncate -s 100 {CERT}",
    "certificate empty": f": >{CERT}",
    "certificate garbage": f"head -c 2000 /dev/urandom >{CERT}",
    "certificate deleted": f"rm {CERT}",
    "certificate of somebody else": f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x -days 9 -keyout /dev/null -out {CERT}",
    "key deleted": f"rm {KEY}",
    "key garbage": f"echo garbage >{KEY}",
    "both deleted": f"rm {CERT} {KEY}",
    "all deleted": f"rm {LIVE}/*",
}


def put_back(m, kept, what):
    m.wait_for(lambda: keep_faith(m) == kept, 10, f"the live set to be whole again ({what})")


def test_live_set_torn(m):
    """A live certificate or key that is torn or deleted is put back at once, and said so; a reload in between serves the same as before, and the next renewal works."""
    with served_on(m) as before:
        kept = keep_faith(m)
        for what, how in TORN.items():
            m.since = m.cursor()
            m.run(how)
            apache.reload(m)
            told(m, "store-damaged", rf"The p-256 certificate or its key was missing or damaged in domains/{SITE}: put back from reserve/{SITE}",
                 where=lambda e: "put back" in e["MESSAGE"])
            put_back(m, kept, what)
            apache.reload(m)
            assert m.certificate(SITE).fingerprint == before.fingerprint, what
        wait_settled(m)
        renews(m, before)


def test_live_set_torn_at_start(m):
    """The same while the manager does not run: Apache goes on serving it over a reload, and the manager puts it back when it starts."""
    with served_on(m) as before:
        kept = keep_faith(m)
        for what, how in TORN.items():
            m.since = m.cursor()
            managed.stop(m)
            m.run(how)
            apache.reload(m)
            assert m.certificate(SITE).fingerprint == before.fingerprint, what
            start(m)
            told(m, "store-damaged", r"put back from reserve/", where=lambda e: "put back" in e["MESSAGE"])
            put_back(m, kept, what)
        apache.reload(m)
        wait_settled(m)
        assert m.ca.proxy.count() == 0, m.ca.proxy.counts()      # nothing of it was the CA's business
        renews(m, before)


def is_json(m, path):
    return isinstance(json.loads(m.read(path)), dict)


def test_settings_torn(m):
    """md.json and job.json: written anew when they are torn or deleted, while everything runs and before a start; the domain goes on as it was."""
    with served_on(m) as before:
        files = (f"{LIVE}/md.json", f"{LIVE}/job.json")
        for how in ("echo '{{\"name\": ' >{}", "head -c 5000 /dev/urandom >{}", ": >{}", "rm {}"):
            shown = managed.show(m, SITE)
            for path in files:
                m.run(how.format(path))
            for path in files:
                m.wait_for(lambda p=path: is_json(m, p), 10, f"{path} to be there again")
            now = managed.show(m, SITE)
            assert now["NextUSec"] == shown["NextUSec"] and now["Phase"] == "idle" and now["Log"] == shown["Log"], now

            managed.stop(m)
            for path in files:
                m.run(how.format(path))
            m.since = m.cursor()
            start(m)
            for path in files:
                m.wait_for(lambda p=path: is_json(m, p), 10, f"{path} to be there again")
            if not how.startswith("rm"):
                said = m.wait_journal("_SYSTEMD_UNIT=md-manager.service", after=m.since, where=lambda e: "job.json" in e["MESSAGE"])
                assert f"{SITE}: domains/{SITE}/job.json was damaged; what it knew of earlier attempts is lost" in said["MESSAGE"], said
            timer_is_set(m, wait_settled(m))
        assert m.ca.proxy.count() == 0, m.ca.proxy.counts()
        renews(m, before)


def test_account_torn(m):
    """An account whose files are torn or deleted is named and not used any more: the next renewal makes another one."""
    with served_on(m, expected=6) as before:
        for how, words in (("echo garbage >{}/account.json", r"accounts/{}/account\.json is damaged; this account is not used"),
                           ("rm {}/account.pem", r"Account {} is not used: accounts/{}/account\.pem is missing or damaged"),
                           ("echo garbage >{}/account.pem", r"Account {} is not used: accounts/{}/account\.pem is missing or damaged"),
                           ("rm -r {}", None)):
            account = managed.show(m, SITE)["Account"]
            m.since = m.cursor()
            m.ca.proxy.clear()
            m.run(how.format(f"{STORE}/accounts/{account}"))
            before = renews(m, before)
            assert m.ca.proxy.count("new-account") == 1, m.ca.proxy.counts()
            if words:
                said = m.wait_journal("_SYSTEMD_UNIT=md-manager.service", after=m.since, where=lambda e, a=account: f"accounts/{a}/" in e["MESSAGE"])
                assert re.search(words.format(account, account), said["MESSAGE"]), said["MESSAGE"]
            m.ca.proxy.clear()
        m.run("systemctl reset-failed md-manager; systemctl restart md-manager")
        wait_settled(m)
        renews(m, before)
        assert m.ca.proxy.count("new-account") == 0, m.ca.proxy.counts()


def test_staging_torn(m):
    """What was begun and is torn is thrown away: the renewal begins anew and works."""
    with served_on(m, expected=4) as before:
        for how in ("echo garbage >md.json", "echo '{}' >md.json; echo garbage >privkey.p-256.pem; echo garbage >pubcert.p-256.pem", "touch md.json/x || mkdir -p privkey.p-256.pem"):
            m.run(f"install -d -o md-manager -g md-manager -m 0700 {STORE}/staging/{SITE} && cd {STORE}/staging/{SITE} && ({how}) && chown -R md-manager: .")
            before = renews(m, before)
            assert managed.left_over(m) == [], managed.left_over(m)


# Directories


def owners(m, path):
    return m.run(["stat", "-c", "%U %G %a %F", path], check=False).out


def test_directories_deleted(m):
    """Every directory of the store is deleted by hand while everything runs: it comes back as it was, also when Apache is reloaded at once; nothing stops being
    served, and renewals go on working."""
    directories = ["servers", "fallback", "domains", f"domains/{SITE}", "staging", "reserve", f"reserve/{SITE}", "archive", "accounts", "tmp", "challenges", "ocsp", "status"]
    with served_on(m, expected=len(directories) + 1) as before:
        m.run("mkdir -p /root/gone")
        for i, directory in enumerate(directories):
            path = f"{STORE}/{directory}"
            was, kept = owners(m, path), keep_faith(m)
            assert was, directory
            for how in (f"rm -rf {path}", f"mv -T {path} /root/gone/{i}"):
                m.run(f"{how}; apache2ctl graceful", check=False)
                assert m.certificate(SITE).fingerprint == before.fingerprint, directory
                m.wait_for(lambda p=path, o=was: owners(m, p) == o, 20, f"{directory} to be there again, {was}")
                put_back(m, kept, directory)
            assert m.certificate(SITE).fingerprint == before.fingerprint, directory
            before = renews(m, before)      # with a reload at its end


def test_copies_deleted(m):
    """What hooks read, what they are still to be told, and what the pages show is deleted by hand, as files and as directories: it comes back, with a check at the latest, and no
    event is lost."""
    hook, told = "/usr/local/lib/store-hook", "/etc/store-hook.told"
    m.write(hook, f'#!/bin/sh\n[ "$1" != renewed ] || [ -e {told} ]\n', mode=0o755)
    with watched(m) as before:
        managed.set_globally(m, MDPrivateKeys="P-256", MDMessageCmd=hook, MDRetryDelay="1h")
        apache.reload(m)
        m.wait_for(lambda: json.loads(m.read(SNAPSHOT)).get("message-cmd") == [hook], 10, "the snapshot to name the hook")
        managed.check(m)

        def pending():
            return [(event, failures) for name, event, failures, flying, _ in managed.call(m, "/org/mdmanager1", "org.mdmanager1.Manager", "GetPendingHooks")[0]
                    if name == SITE and not flying]

        renews(m, before)
        m.wait_for(lambda: pending() == [("renewed", 1)], 20, "the hook to fail for 'renewed', and all others to be told")
        files = [f"public/{SITE}/pubcert.p-256.pem", f"outbox/{SITE}/outbox.json", f"status/{SITE}.json"]
        m.wait_for(lambda: all(m.exists(f"{STORE}/{file}") for file in files), 10, f"{files} to be there")
        for file in files:
            was, owner = m.read(f"{STORE}/{file}"), owners(m, f"{STORE}/{file}")
            for path in [file] + ([file.rpartition("/")[0]] if file.count("/") == 2 else []):
                m.run(f"rm -r {STORE}/{path}")
                managed.check(m)
                m.wait_for(lambda f=file: m.exists(f"{STORE}/{f}"), 20, f"{file} to be there again, after {path} was deleted")
                assert owners(m, f"{STORE}/{file}") == owner, path
                assert file.startswith("status/") or m.read(f"{STORE}/{file}") == was, path
        assert json.loads(m.read(f"{STORE}/status/{SITE}.json"))["name"] == SITE

        # The others that are made from something: nobody has to ask for a check then.
        tops = [f"{STORE}/{name}" for name in ("outbox", "crls", "public")]
        were, kept = [owners(m, top) for top in tops], [m.read(f"{STORE}/{file}") for file in files[:2]]
        for how in ("rm -r", "mv -t /root"):
            m.run(f"{how} {' '.join(tops)}", check=False)       # the first one may be back, with its files, before the last one is gone
            m.wait_for(lambda: [owners(m, top) for top in tops] == were, 20, f"{tops} to be there again")
            m.wait_for(lambda: all(m.exists(f"{STORE}/{file}") for file in files), 20, f"{files} to be there again")
            assert [m.read(f"{STORE}/{file}") for file in files[:2]] == kept, how
        m.run("systemctl restart md-manager")
        m.wait_for(lambda: pending() == [("renewed", 1)], 20, "the manager to know what is still to be told")
        managed.set_globally(m, MDPrivateKeys="P-256")
        apache.reload(m)
        wait_settled(m)


def test_all_deleted(m):
    """All of the store is deleted by hand: it is made again, and a certificate of the CA is there soon after the next reload, without one visit unanswered."""
    with watched(m) as before:
        with Visitor(m, SITE, pause=0.1) as visitor:
            m.run(f"rm -rf {STORE}/*", check=False)
            m.wait_for(lambda: owners(m, f"{STORE}/domains") and owners(m, f"{STORE}/accounts") and owners(m, f"{STORE}/challenges"), 20, "the store to be there again")
            apache.reload(m)
            # A new one; or the old one, when the second copy still was there as the first had gone.
            m.wait_for(lambda: m.exists(f"{STORE}/domains/{SITE}/pubcert.p-256.pem") and managed.is_real(m, SITE)
                       and m.certificate(SITE).fingerprint == Certificate(m.read(f"{STORE}/domains/{SITE}/pubcert.p-256.pem").encode()).fingerprint,
                       60, "the certificate in the store to be served")
        assert visitor.answered and all(what == "status 503" for _, what in visitor.wrong), visitor.wrong
        wait_settled(m)
        assert m.certificate(SITE).issuer == before.issuer


# Nowhere to write to


def want_another(m):
    """Makes a new certificate necessary: the domain gets another alias."""
    m.aliases = getattr(m, "aliases", 0) + 1
    managed.add(m, SITE, f"a{m.aliases}.{SITE}")
    apache.reload(m)


def failed(m, problem, *words):
    """A failed attempt, told the same in the journal and on the bus, with the time of the next try."""
    entry = told(m, "errored", *words, r"; next try \S+ \S+ UTC$", problem=problem)
    shown = m.wait_for(lambda: (s := managed.show(m, SITE))["Job"] == "/" and s["Errors"] > 0 and s, 10, "the failure to be shown")
    assert shown["LastProblem"][0] == problem and shown["Action"] == "wait" and shown["Reason"] == "retry", shown
    for word in words:
        assert re.search(word, shown["LastProblem"][1]), (word, shown["LastProblem"])
    return entry


def test_challenges_not_writable(m):
    """Challenges cannot be written because the directory is somebody else's, or none: said with the path; when that is mended the next try succeeds. Owner and mode are
    put right by themselves."""
    challenges = f"{STORE}/challenges"
    was = owners(m, challenges)
    with served_on(m) as before:
        m.run(f"systemctl stop md-manager-store.path && rm -rf {challenges} && echo in the way >{challenges}")
        want_another(m)
        failed(m, OURS + "challenge-setup-failure", rf"Cannot write the answer for \S*{SITE} to {challenges}/\S*{SITE}: Not a directory")
        m.run(f"rm {challenges} && systemctl start md-manager-store.path && systemctl restart md-manager-store.service")
        managed.wait_served(m, SITE, other_than=before)
        wait_settled(m)
        assert owners(m, challenges) == was
    with served_on(m) as before:
        m.run(f"systemctl stop md-manager-store.path && chown root:root {challenges}")
        want_another(m)
        failed(m, OURS + "challenge-setup-failure", rf"Cannot write the answer for \S*{SITE} to {challenges}/\S*{SITE}: (Permission denied|Operation not permitted)")
        m.run(f"chown md-manager:www-data {challenges} && chmod 2750 {challenges}; systemctl start md-manager-store.path")
        managed.wait_served(m, SITE, other_than=before)
        wait_settled(m)
    for how in ("chown root:root", "chmod 0500", "chmod 0777"):
        with served_on(m) as before:
            m.run(f"{how} {challenges}")
            m.wait_for(lambda: owners(m, challenges) == was, 10, f"{challenges} to be as it was before '{how}'")
            renews(m, before)


@contextlib.contextmanager
def small_store(m, size="4m"):
    """The same store in a file system of its own, which can be filled."""
    m.run("systemctl stop md-manager apache2")
    m.run(f"rm -rf /root/store && cp -a {STORE} /root/store && mount -t tmpfs -o mode=0755,size={size} store {STORE} && cp -a /root/store/. {STORE}")
    m.run("systemctl restart md-manager-store.path")
    start(m)
    try:
        yield
    finally:
        m.run(f"systemctl stop md-manager apache2; umount -q {STORE}", check=False)       # back to the store as it was
        m.run("systemctl restart md-manager-store.path")
        start(m)


def fill(m):
    m.run(f"dd if=/dev/zero of={STORE}/fill bs=4k 2>/dev/null", check=False)
    assert m.run(f"echo x >{STORE}/servers/probe", check=False).rc != 0, "the disk is not full"
    m.run(["rm", "-f", f"{STORE}/servers/probe"])


def free(m):
    m.run(["rm", "-f", f"{STORE}/fill"])


def test_disk_full(m):
    """The disk is full when the key is to be staged, and when the certificate is: both are said, nothing is lost, and the same order is gone on with when there is room."""
    with small_store(m):
        with served_on(m) as before:
            kept = keep_faith(m)
            m.ca.proxy.rule(kind="certificate", times=1, before=lambda _: fill(m))
            want_another(m)
            failed(m, OURS + "store-error", rf"Cannot write the new certificate to {STORE}/staging/{SITE}: No space left on device")
            assert keep_faith(m) == kept
            apache.reload(m)
            assert m.certificate(SITE).fingerprint == before.fingerprint
            free(m)
            managed.wait_served(m, SITE, other_than=before)
            wait_settled(m)
            assert m.ca.proxy.count("new-order") == 1, m.ca.proxy.counts()

        with served_on(m) as before:
            kept = keep_faith(m)
            rule = m.ca.proxy.rule(kind="directory", status=500, body="not now")
            want_another(m)
            told(m, "errored", problem=OURS + "ca-http-error")
            m.run(["rm", "-r", f"{STORE}/staging/{SITE}"])
            m.since = m.cursor()
            fill(m)
            m.ca.proxy.forget(rule)
            failed(m, OURS + "store-error", rf"{STORE}/staging/{SITE}: No space left on device")
            assert keep_faith(m) == kept
            m.run("systemctl reset-failed md-manager; systemctl restart md-manager")
            apache.reload(m)
            assert m.certificate(SITE).fingerprint == before.fingerprint and keep_faith(m) == kept
            free(m)
            managed.wait_served(m, SITE, other_than=before, deadline=60)
            wait_settled(m)


# An Apache that is not well


def test_configuration_broken(m):
    """Apache's configuration is broken when it is to be reloaded: said with what to do, the old certificate is served on, and the reload is tried again until it works."""
    with served_on(m) as before:
        m.write("/etc/apache2/conf-enabled/broken.conf", "NoSuchDirective on\n")
        try:
            managed.renew(m, SITE)
            told(m, "reload-failed", r"Reloading apache2\.service failed \(failed\); see 'systemctl status apache2\.service'.*goes on with the certificate that it has",
                 problem=OURS + "reload-failed")
            assert m.certificate(SITE).fingerprint == before.fingerprint
            shown = managed.show(m, SITE)
            assert shown["Action"] == "install" and not shown["Served"], shown
            assert m.property(managed.BUS, "/org/mdmanager1", "org.mdmanager1.Manager", "ReloadPending") is True
            assert managed.check(m), "mdctl check finds nothing"
        finally:
            m.run("rm /etc/apache2/conf-enabled/broken.conf")
        managed.wait_served(m, SITE, other_than=before)
        wait_settled(m)
        assert m.property(managed.BUS, "/org/mdmanager1", "org.mdmanager1.Manager", "ReloadPending") is False


def at(m, kind, action, **how):
    """Has something done when the CA is asked for the first time for something."""
    m.ca.proxy.rule(kind=kind, times=1, before=lambda _: action(), **how)


def test_apache_down_at_activation(m):
    """Apache does not run when the certificate is there: said, and when it is started it serves it."""
    with watched(m) as before:
        at(m, "certificate", lambda: m.run("systemctl stop apache2"))
        managed.renew(m, SITE)
        told(m, "renewed")
        told(m, "reload-failed", r"apache2\.service does not run: it serves the new certificate when it is started", problem=OURS + "reload-failed")
        start(m)
        after = managed.wait_served(m, SITE)
        assert after.fingerprint != before.fingerprint, "not with the new one from its start on"
        told(m, "installed", deadline=10)
        wait_settled(m)


def test_apache_restarted(m):
    """Apache is stopped and started while a renewal runs, before and after the CA looks: it comes to its end without another order."""
    for kind in ("new-order", "challenge", "finalize", "certificate"):
        with watched(m) as before:
            at(m, kind, lambda: m.run("systemctl restart apache2"))
            managed.renew(m, SITE)
            told(m, "installed")
            assert m.certificate(SITE).fingerprint != before.fingerprint, kind
            assert m.ca.proxy.count("new-order") == 1 and not m.journal("MD_EVENT=errored", after=m.since), (kind, m.ca.proxy.counts())


def test_apache_down_at_validation(m):
    """Apache does not run when the answer is looked for: by ourselves, which costs nothing at the CA, or by the CA, whose words are told; the next try after its start succeeds."""
    for kind, problem, words in (("authorization", OURS + "challenge-setup-failure", r"No web server of this machine can be reached"),
                                 ("challenge", "urn:ietf:params:acme:error:connection", r"The CA could not validate .*connection refused")):
        with watched(m) as before:
            at(m, kind, lambda: m.run("systemctl stop apache2"))
            want_another(m)
            failed(m, problem, words)
            assert bool(m.ca.proxy.count("challenge")) == (kind == "challenge"), m.ca.proxy.counts()
            start(m)
            managed.wait_served(m, SITE, other_than=before)
            wait_settled(m)
