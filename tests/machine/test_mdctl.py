# SPDX-License-Identifier: Apache-2.0
"""mdctl, beyond looking and renewing: logs, events, the time line, hooks tried out, other machines."""

import json
import re
import time

import apache
import managed

ESCAPE = "\x1b"
TELL = "/usr/local/lib/md-test/tell"
TELL_TEXT = """#!/bin/sh
echo "told $*"
echo "to stderr" >&2
cat
[ ! -e /etc/md-test-fails ]
"""


def setup(m):
    m.write(TELL, TELL_TEXT, mode=0o755)
    managed.install(m)
    managed.settings(m, ReloadIntervalSec=1)
    m.write("/etc/apache2/conf-enabled/hook.conf", f'MDMessageCmd {TELL} "two words"\nMDChallengeDns01 {TELL} dns\n')
    managed.add(m, "example.org", "www.example.org")
    cursor = m.cursor()
    apache.reload(m)
    managed.wait_served(m, "example.org")
    managed.wait_event(m, "example.org", "installed", cursor)
    m.wait_for(lambda: "\"installed\"" not in m.run(["mdctl", "--json=short", "hook", "list"]).out, 20, "the hook to have been told")


def asked(m, *words, **more):
    return json.loads(managed.mdctl(m, "--json=short", *words, **more).out)


def on_terminal(m, *words, columns=80, **environment):
    """What mdctl prints on a terminal."""
    code = f"import pty; pty.spawn({['mdctl', '--no-pager', *words]!r})"
    return m.run(["python3", "-c", code], env={"TERM": "xterm", "COLUMNS": str(columns), **environment}, check=False).out


def shown_width(line):
    return len(re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip("\r\n"))


def test_narrow(m):
    """Tables fit the terminal: cut off where that helps, and a row in some lines where it does not; nothing is lost then."""
    for columns in (20, 40, 60, 100):
        lines = on_terminal(m, "list", columns=columns).splitlines()
        shown = " ".join(" ".join(re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines).split())
        assert max(shown_width(line) for line in lines) <= max(columns, 34), lines
        for piece in ("example.org", "complete", "NEXT", "renew", "1 managed domain"):
            assert piece in shown, (piece, lines)
        assert ("NAME" in shown) == (columns >= 80), lines
    assert "\n  STATE " in "\n".join(re.sub(r"\x1b\[[0-9;]*m", "", line) for line in on_terminal(m, "list", columns=40).splitlines())
    assert managed.mdctl(m, "list").out.splitlines()[0].split() == ["NAME", "STATE", "EXPIRES", "NEXT", "WHEN", "WHY"]


def test_log(m):
    """mdctl log has the journal's entries about a domain with what hooks printed, and the log of the store where the journal ends; each thing once."""
    entries = asked(m, "log", "www.example.org")
    assert [e["WhenUSec"] for e in entries] == sorted(e["WhenUSec"] for e in entries), entries
    told = [e for e in entries if e.get("Event") == "renewed" and e.get("Unit") == "md-manager.service"]
    assert len(told) == 1 and told[0]["Source"] == "journal" and re.fullmatch("[0-9a-f]{32}", told[0]["MessageId"]), told
    assert [e for e in entries if e["Text"] == "told two words renewed example.org" and e["Unit"].startswith("md-hook-renewed-")], entries
    texts = [e["Text"] for e in entries if e["Source"] == "log"]
    assert texts and told[0]["Text"] not in texts, texts
    m.run("journalctl --rotate && journalctl --vacuum-time=1s")
    kept = asked(m, "log", "example.org")
    assert told[0]["Text"] in [e["Text"] for e in kept if e["Source"] == "log"], kept
    assert len(asked(m, "log", "-n", "2", "example.org")) == 2
    other = managed.mdctl(m, "--json=short", "log", "example.org", user="alice")
    assert "may not read" in other.err and told[0]["Text"] in [e["Text"] for e in json.loads(other.out)], other
    assert managed.mdctl(m, "log", "nobody.example", check=False).rc == 1
    # journald comes late to what a worker said last, and knows no more than who it was.
    for user in ("md-acme", "alice"):
        words = f"MESSAGE=last words of {user}\nMD_NAME=example.org\nSYSLOG_IDENTIFIER=md-acme\n"
        m.run(f"pid=$(systemctl show -P MainPID systemd-journald); kill -STOP $pid; setpriv --reuid {user} --clear-groups logger --journald; kill -CONT $pid", stdin=words)
    m.run("journalctl --sync")
    assert [e["Text"] for e in asked(m, "log", "example.org") if "last words" in e["Text"]] == ["last words of md-acme"], asked(m, "log", "example.org")
    plain = managed.mdctl(m, "log", "example.org").out
    assert told[0]["Text"] in plain and ESCAPE not in plain, plain


def test_events(m):
    """mdctl events lists what was told with a message id, of all domains or one, and nothing that somebody else wrote under our ids."""
    cursor = m.cursor()
    managed.mdctl(m, "renew", "--force", "example.org")
    managed.wait_event(m, "example.org", "installed", cursor)
    listed = asked(m, "events")
    forged = listed[-1]["MessageId"]
    m.run(["logger", "--journald"], stdin=f"MESSAGE_ID={forged}\nMD_NAME=example.org\nMESSAGE=forged\n", user="alice")
    m.run("journalctl --sync")
    listed = asked(m, "events", "example.org")
    assert managed.are_of_renewal([e["Event"] for e in listed][-5:], "example.org", "www.example.org"), listed
    assert all(e["Domain"] == "example.org" and e["WhenUSec"] and e["Text"] for e in listed) and "forged" not in [e["Text"] for e in listed], listed
    assert len(asked(m, "events", "--lines=1")) == 1
    table = managed.mdctl(m, "events").out
    assert re.search(r"^WHEN +DOMAIN +EVENT +WHAT", table) and re.search(r" UTC +example\.org +installed +\S", table), table
    refused = managed.mdctl(m, "events", user="alice", check=False)
    assert refused.rc == 4 and "may not read" in refused.err and not refused.out, refused


def test_timeline(m):
    """mdctl timeline lists renewals and expiries in order of time; on a terminal it draws them, as wide as that is, in plain letters where it must."""
    entries = asked(m, "timeline", user="alice")
    bus = managed.show(m, "example.org")
    assert [(e["WhenUSec"], e["What"]) for e in entries if e["Domain"] == "example.org"] == [(bus["NextUSec"], "renew"), (bus["ValidUntilUSec"], "expires")], (entries, bus)
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(bus["ValidUntilUSec"] // 1000000))
    plain = managed.mdctl(m, "timeline").out
    assert re.search(rf"^{when} +example\.org +expires$", plain, re.MULTILINE) and ESCAPE not in plain, plain
    for columns, language, signs in ((60, "C.UTF-8", "━◆─✕"), (132, "C.UTF-8", "━◆─✕"), (80, "C", "=R-X")):
        drawn = on_terminal(m, "timeline", columns=columns, LANG=language, LC_ALL=language)
        [row] = [line for line in drawn.splitlines() if "example.org" in line]
        assert all(sign in row for sign in signs) and ESCAPE in row and shown_width(row) == columns, (columns, drawn)
        assert all(shown_width(line) <= columns for line in drawn.splitlines()), drawn
    assert ESCAPE not in on_terminal(m, "timeline", NO_COLOR="1") and ESCAPE not in on_terminal(m, "timeline", SYSTEMD_COLORS="false")
    assert ESCAPE in on_terminal(m, "timeline", NO_COLOR="1", SYSTEMD_COLORS="1")


def test_tables_fit(m):
    """Tables are no wider than the terminal, whatever is in them."""
    rule = m.ca.proxy.rule(kind="new-order", problem="rejectedIdentifier", detail="no " * 100, times=1)
    cursor = m.cursor()
    managed.add(m, "refused.example.org")
    apache.reload(m)
    managed.wait_event(m, "refused.example.org", "errored", cursor)
    assert rule.used
    for words in (["list"], ["events"], ["account", "list"]):
        drawn = on_terminal(m, *words, columns=100)
        assert drawn.strip() and all(shown_width(line) <= 100 for line in drawn.splitlines()), drawn
    assert "…" in on_terminal(m, "list", columns=100)
    managed.remove(m, "refused.example.org")
    apache.reload(m)


def test_hook_test(m):
    """mdctl hook test runs the hook as in production and shows unit, drop-ins, user, command, environment, input, output and end; a rule of polkit may allow it."""
    m.write("/etc/systemd/system/md-hook-.service.d/site.conf", "[Service]\nEnvironment=SITE=ours\nTimeoutStartSec=77\nMemoryMax=100M\n")
    m.run("systemctl daemon-reload")
    try:
        [report] = asked(m, "hook", "test", "www.example.org", "renewed")
        assert report["Unit"].startswith("md-hook-renewed-example.org-") and report["DropIns"] == ["/etc/systemd/system/md-hook-.service.d/site.conf"], report
        assert report["Command"] == [TELL, "two words", "renewed", "example.org"] and report["User"] == "md-hook", report
        assert {"MD_NAME=example.org", "MD_EVENT=renewed", "MD_DOMAINS=example.org www.example.org", "SITE=ours"} <= set(report["Environment"]), report
        assert (report["TimeoutUSec"], report["MemoryMax"]) == (77000000, 100 * 1024**2), report
        assert json.loads(report["Input"])["event"] == "renewed", report
        assert report["Output"][0] == "told two words renewed example.org" and "to stderr" in report["Output"] and report["Input"].strip() in [line.strip() for line in report["Output"]], report
        assert (report["Result"], report["ExitCode"], report["ExitStatus"]) == ("success", 1, 0), report
        text = managed.mdctl(m, "hook", "test", "example.org", "installed").out
        assert "User: root" in text and "Output: told two words installed example.org" in text and "Result: success (exit status 0)" in text, text
    finally:
        m.run("rm -r /etc/systemd/system/md-hook-.service.d; systemctl daemon-reload")
    m.write("/etc/md-test-fails", "")
    failed = managed.mdctl(m, "hook", "test", "example.org", "errored", check=False)
    m.run("rm /etc/md-test-fails")
    assert failed.rc == 1 and "Result: exit-code (exit status 1)" in failed.out, failed
    setup_run, teardown = asked(m, "hook", "test", "example.org", "dns-01")
    assert setup_run["Command"][:4] == [TELL, "dns", "setup", "example.org"] and len(setup_run["Command"][4]) == 43, setup_run
    assert teardown["Command"] == [TELL, "dns", "teardown", "example.org"], teardown
    [challenge] = asked(m, "hook", "test", "example.org", "challenge-setup:http-01:www.example.org")
    assert challenge["Command"][-2:] == ["challenge-setup:http-01:www.example.org", "example.org"], challenge
    for event in ("frobnicate", "challenge-setup", "challenge-setup:x", "challenge-setup:\x1b:y"):
        refused = managed.mdctl(m, "hook", "test", "example.org", event, check=False)
        assert refused.rc == 2 and refused.err and not refused.out, refused
    denied = managed.mdctl(m, "hook", "test", "example.org", "renewed", user="alice", check=False)
    assert denied.rc == 4, denied
    m.write("/etc/polkit-1/rules.d/10-alice.rules", "polkit.addRule(function (action, subject) { if (action.id === 'org.mdmanager1.test-hook' && subject.user === 'alice' &&"
            " action.lookup('domain') === 'example.org') return polkit.Result.YES; });\n")
    m.wait_for(lambda: managed.mdctl(m, "hook", "test", "example.org", "renewed", user="alice", check=False).rc == 0, 20, "polkit to have read the rule")
    # Who may not read the journal is shown what the hook printed all the same: all of it, as soon as it has ended.
    m.write(TELL, "#!/bin/sh\ni=0; while [ $i -lt 1500 ]; do i=$((i + 1)); echo line $i; done\nprintf 'no end of the \\033[1mline'\n", mode=0o755)
    [report] = asked(m, "hook", "test", "example.org", "errored", user="alice")
    assert report["Output"] == [f"line {i}" for i in range(502, 1501)] + ["no end of the ?[1mline"], (len(report["Output"]), report["Output"][:2], report["Output"][-2:])
    m.write(TELL, TELL_TEXT, mode=0o755)
    m.run("rm /etc/polkit-1/rules.d/10-alice.rules")


def test_hook_list(m):
    """mdctl hook list tells which events hooks are still to be told, how often they failed, and when they are told again."""
    assert asked(m, "hook", "list", user="alice") == []
    cursor = m.cursor()
    m.write("/etc/md-test-fails", "")
    managed.mdctl(m, "renew", "--force", "example.org", check=False)        # its own veto
    m.run("rm /etc/md-test-fails")
    m.write("/etc/apache2/conf-enabled/hook.conf", "MDMessageCmd /bin/sh -c '[ $0 != renewed ]'\n")
    apache.reload(m)
    managed.mdctl(m, "renew", "--force", "example.org")
    managed.wait_event(m, "example.org", "installed", cursor)
    [waiting] = m.wait_for(lambda: [e for e in asked(m, "hook", "list") if e["Failures"] > 0 and not e["Running"]], 20, "a hook to wait for its next run")
    assert waiting["Domain"] == "example.org" and waiting["Event"] == "renewed" and waiting["NextUSec"] > time.time() * 1000000 - 5000000, waiting
    assert re.search(r"example\.org +renewed +\d", managed.mdctl(m, "hook", "list").out)
    m.write("/etc/apache2/conf-enabled/hook.conf", f'MDMessageCmd {TELL} "two words"\nMDChallengeDns01 {TELL} dns\n')
    apache.reload(m)
    m.wait_for(lambda: not asked(m, "hook", "list"), 60, "the hook to have been told")


def let_in(m):
    """root may log in on this very machine, also as alice, as from another one."""
    m.run("mkdir -p /run/sshd /root/.ssh && chmod 700 /root/.ssh && rm -f /root/.ssh/* && ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519 && "
          "install -d -o alice -g alice -m 700 /home/alice/.ssh && install -o alice -g alice -m 600 /root/.ssh/id_ed25519.pub /home/alice/.ssh/authorized_keys && "
          "cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys && ssh-keygen -A && systemctl start ssh && ssh-keyscan localhost >/root/.ssh/known_hosts")


# On a terminal: a command, and the password that is given as often as somebody asks for one. What is typed between the question and the moment
# when pkttyagent has told the terminal to show nothing is thrown away (tcsetattr(3), TCSAFLUSH): like a person, it is typed again where nothing happens.
TERMINAL = r"""
import os, pty, select, signal, sys, time
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
password, text, asked, end = sys.argv[1], "", 0, time.monotonic() + 60
while time.monotonic() < end:
    news = bool(select.select([fd], [], [], 4)[0])
    if news:
        try:
            data = os.read(fd, 65536)
        except OSError:
            break
        if not data:
            break
        text += data.decode(errors="replace")
    again = text[asked:].endswith("Password: ")
    if again:
        asked = len(text)
    if again or asked and not news and text[asked:].strip() in ("", password):
        os.write(fd, password.encode() + b"\n")
else:
    os.kill(pid, signal.SIGKILL)
print(text)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_password(m):
    """A person who is logged in on a terminal is asked for an administrator's password: the right one does it, a wrong one is told, and with --no-ask-password nobody is asked."""
    let_in(m)
    m.run("useradd -G sudo warden && echo warden:opensesame | chpasswd")
    def ask(password, words):
        return m.run(["python3", "-c", TERMINAL, password, "ssh", "-tt", "alice@localhost", f"mdctl --no-pager {words}"], check=False, timeout=90)
    done = ask("opensesame", "renew --force example.org")
    assert done.rc == 0 and "renew the certificate of example.org" in done.out and "warden" in done.out and "The new certificate is there" in done.out, done
    refused = ask("opensaysme", "renew --force example.org")
    assert refused.rc == 4 and "Access denied: polkit does not allow org.mdmanager1.renew" in refused.out and "The new certificate" not in refused.out, refused
    unasked = ask("opensesame", "--no-ask-password renew --force example.org")
    assert unasked.rc == 4 and "Password" not in unasked.out and "polkit wants an administrator's password for org.mdmanager1.renew" in unasked.out, unasked
    # Whoever is asked about root's keys is not asked at all: only root has them.
    key = ask("opensesame", "export --private-key example.org")
    assert key.rc == 4 and "Password" not in key.out and "PRIVATE KEY" not in key.out, key
    m.run("systemctl stop ssh; userdel warden")


def test_host(m):
    """mdctl --host asks another machine's manager by ssh, as the user there; what does not work over the bus is said, and so is a machine that does not answer."""
    let_in(m)
    here = asked(m, "list")
    assert [e["Name"] for e in asked(m, "--host=localhost", "list")] == [e["Name"] for e in here] and asked(m, "-H", "alice@localhost", "show", "example.org")["Name"] == "example.org"
    log = managed.mdctl(m, "--host=localhost", "--json=short", "log", "example.org")
    assert "is not on the bus" in log.err and json.loads(log.out), log
    assert managed.mdctl(m, "-H", "alice@localhost", "renew", "--force", "example.org", check=False).rc == 4
    managed.mdctl(m, "-H", "root@localhost", "renew", "--force", "example.org")
    m.write("/root/.ssh/config", "BatchMode yes\nConnectTimeout 5\n")
    for words, code in ((["--host=nobody@localhost", "list"], 1), (["--host=localhost", "events"], 2), (["--host=-oProxyCommand=x", "list"], 2), (["--host=", "list"], 2)):
        result = managed.mdctl(m, *words, check=False)
        assert result.rc == code and result.err and not result.out, result
    m.run("systemctl stop ssh")


def test_export(m):
    """mdctl export prints the chain for everybody, the key for root alone and when asked for; PKCS#12 has both; a file is its owner's."""
    store = f"{managed.STORE}/domains/example.org"
    chain, key = m.run(["cat", f"{store}/pubcert.pem"]).out, m.run(["cat", f"{store}/privkey.pem"]).out
    assert managed.mdctl(m, "export", "www.example.org", user="alice").out == chain
    assert managed.mdctl(m, "export", "--private-key", "example.org").out == key + chain
    told = asked(m, "export", "--private-key", "--key=rsa", "example.org")
    assert told == {"Name": "example.org", "Chain": chain, "PrivateKey": key}, told.keys()
    refused = managed.mdctl(m, "export", "--private-key", "example.org", user="alice", check=False)
    assert refused.rc == 4 and "PRIVATE" not in refused.out + refused.err, refused
    m.write("/root/password", "correct horse\n")
    m.write("/root/domain.p12", "something else", mode=0o644)
    managed.mdctl(m, "export", "--private-key", "--format=pkcs12", "--password-file=/root/password", "-o", "/root/domain.p12", "example.org")
    assert m.run(["stat", "-c", "%a %U", "/root/domain.p12"]).out.strip() == "600 root"
    read = m.run("openssl pkcs12 -in /root/domain.p12 -noenc -passin file:/root/password").out
    same = "openssl pkey -pubout -outform DER | sha256sum"
    assert m.run(same, stdin=read).out == m.run(same, stdin=key).out and read.count("BEGIN CERTIFICATE") == chain.count("BEGIN CERTIFICATE") >= 2, read
    assert "friendlyName: example.org" in read
    assert m.run("openssl pkcs12 -in /root/domain.p12 -noenc -passin pass:wrong", check=False).rc != 0
    assert managed.mdctl(m, "export", "--key=RSA", "-o", "-", "example.org").out == chain
    m.write("/root/empty", "\n")
    for path in ("/dev/null", "/dev/stdout", "/dev/fd/1"):
        before = m.run(["ls", "-ld", "--time-style=full-iso", path]).out
        result = managed.mdctl(m, "export", "-o", path, "example.org", check=False)
        assert result.rc == 1 and "no file stands there" in result.err and m.run(["ls", "-ld", "--time-style=full-iso", path]).out.split()[:6] == before.split()[:6], (path, result)
    for words, code in ((["--json=short", "-o", "/root/x"], 2), (["--private-key", "--format=pkcs12", "--password-file=/root/empty", "-o", "/root/x"], 1), (["--format=der"], 2), (["--format=pkcs12"], 2), (["--format=pkcs12", "--private-key"], 2), (["--format=pkcs12", "--password-file=/x"], 2), (["--password-file=/x"], 2), (["--key=P-999"], 2), (["-o", "/nowhere/x"], 1), (["-o", "/root/"], 1)):
        result = managed.mdctl(m, "export", *words, "example.org", check=False)
        assert result.rc == code and result.err and not result.out, result
    noted = m.journal("_SYSTEMD_UNIT=md-manager.service", "MD_NAME=example.org")
    assert not [e for e in m.journal() if "PRIVATE KEY" in str(e.get("MESSAGE"))], noted


BASH = r"""source /usr/share/bash-completion/completions/mdctl
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_mdctl
printf '%s\n' "${COMPREPLY[@]}"
"""


def completed(m, *words, user="alice"):
    return m.run(["bash", "-c", BASH, "bash", "mdctl", *words], user=user).out.split()


def test_completion_bash(m):
    """bash completes commands, options and their values, and names of domains and accounts from the bus, for any user."""
    [account] = [e["Id"] for e in asked(m, "account", "list")]
    managed.mdctl(m, "renew", "--force", "example.org")
    sets = [str(e["Set"]) for e in asked(m, "archive", "example.org")]
    assert sets and sorted(completed(m, "rollback", "example.org", "")) == sorted(sets), sets
    for words, expected in ((["sh"], ["show"]), (["show", "exam"], ["example.org"]), (["--no-pager", "log", ""], ["example.org"]), (["account", "show", "ACME"], [account]),
                            (["list", "--json", "=", "sh"], ["short"]), (["export", "--priv"], ["--private-key"]), (["show", "example.org", ""], []), (["hook", "te"], ["test"]),
                            (["hook", "test", ""], ["example.org"]), (["hook", "test", "example.org", "rene"], ["renewing", "renewed", "renewal-info"]), (["-n", "5", "log", "e"], ["example.org"]),
                            (["revoke", "--reason", "=", "key"], ["keyCompromise"]), (["reload", "apa"], ["apache2.service"])):
        assert completed(m, *words) == expected, (words, completed(m, *words))


ZSH = r"""
import os, pty, re, select, sys, time
pid, fd = pty.fork()
if pid == 0:
    os.environ.update(TERM="dumb", PS1="READY> ")
    os.execvp("zsh", ["zsh", "-f", "-i"])
def read_until(pattern, seconds=20):
    text, end = "", time.monotonic() + seconds
    while not re.search(pattern, text):
        if not select.select([fd], [], [], max(end - time.monotonic(), 0))[0]:
            sys.exit(f"no {pattern} in {text!r}")
        text += os.read(fd, 65536).decode(errors="replace")
    return text
os.write(fd, b"PS1='READY> '; fpath=(/usr/share/zsh/site-functions $fpath); autoload -U compinit; compinit -u -D; setopt no_beep; echo DO''NE\n")
read_until("DONE")
os.write(fd, sys.argv[1].encode() + b"\t")
print(read_until(sys.argv[2]))
"""


def test_completion_zsh(m):
    """zsh, asked on a terminal, completes commands, and names of domains and accounts from the bus."""
    [account] = [e["Id"] for e in asked(m, "account", "list")]
    for typed, expected in (("mdctl timel", "timeline"), ("mdctl show exam", r"example\.org"), ("mdctl account show AC", re.escape(account)), ("mdctl hook test example.org insta", "installed"),
                            ("mdctl list --json=sh", "short")):
        m.run(["python3", "-c", ZSH, typed, expected], user="alice", env={"HOME": "/home/alice"})


def domain(m, *words, code=0, **more):
    result = managed.mdctl(m, "domain", *words, check=False, **more)
    assert result.rc == code, result
    return result


def assert_modes(m, path):
    """A file with a secret is root's alone; one that somebody closed stays so."""
    def mode_after(directive):
        domain(m, "update", "mail.example.org", f"--directive={directive}")
        return m.run(["stat", "-c", "%G %a", path]).out.strip()
    assert m.run(["stat", "-c", "%G %a", path]).out.strip() == "root 644"
    assert mode_after("MDExternalAccountBinding credential:acme-eab") == "root 644"
    assert mode_after("MDExternalAccountBinding kid-1 bm8ta2V5LW9mLW91cnM") == "root 600"
    assert mode_after("MDExternalAccountBinding") == "root 600"
    m.run(f"chgrp adm {path}; chmod 0640 {path}")
    assert mode_after("MDHttpProxy http://user:word@proxy.example:3128/") == "adm 640"
    assert mode_after("MDHttpProxy") == "adm 640"


def test_domain(m):
    """mdctl domain adds, changes and removes domains that no virtual host serves: by files that Apache includes, taken up before it returns, put back when refused."""
    path = "/etc/md-manager/domains.d/mail.example.org.conf"
    cursor = m.cursor()
    added = domain(m, "add", "mail.example.org", "imap.example.org")
    assert path in added.out and "taken it up" in added.out, added
    assert managed.show(m, "mail.example.org")["DefinedAt"].startswith(f"{path}:")
    managed.wait_event(m, "mail.example.org", "installed", cursor)
    assert "imap.example.org" in m.run("openssl x509 -noout -ext subjectAltName", stdin=managed.mdctl(m, "export", "mail.example.org").out).out
    [entry] = [e for e in asked(m, "domain", "list") if e["OwnFile"]]
    assert entry["Names"] == ["mail.example.org", "imap.example.org"] and entry["RenewMode"] == "always", entry
    m.write(path, m.read(path).replace("</MDomain>", "    # by hand\n    MDRenewWindow 20d\n</MDomain>"))
    domain(m, "update", "mail.example.org", "mail.example.org", "smtp.example.org", "--directive=MDPrivateKeys P-256")
    shown = managed.show(m, "mail.example.org")
    assert shown["Names"] == ["mail.example.org", "smtp.example.org"] and shown["KeySpecs"] == ["p-256"] and "MDRenewWindow 20d" in m.read(path) and "# by hand" in m.read(path), shown
    before = m.read(path)
    refused = domain(m, "update", "mail.example.org", "--directive=MDRenewWindow nonsense", code=1)
    assert "put back" in refused.err and m.read(path) == before and m.active("apache2"), refused
    assert domain(m, "update", "mail.example.org", "smtp.example.org", "--directive=MDPrivateKeys P-256", code=3).err
    domain(m, "update", "mail.example.org", "--directive=MDPrivateKeys")
    assert managed.show(m, "mail.example.org")["KeySpecs"] == ["rsa"]
    assert_modes(m, path)
    for words, code, text in ((["add", "mail.example.org"], 1, path), (["add", "example.org"], 1, "example.org.conf"), (["remove", "example.org"], 1, "change it there"),
                              (["remove", "nobody.example"], 1, "no domain"), (["add", "a b"], 2, "no name"), (["add", "x>\nServerName y"], 2, "no name"),
                              (["add", "x.example.org", "--directive=ServerName y"], 2, "no directive"), (["add", "x.example.org", "--directive=MDProfile a\nMDProfile b"], 2, "no directive"),
                              (["list", "--directive=MDProfile a"], 2, "Write:"), (["update", "mail.example.org"], 2, "Say what"), (["frobnicate"], 2, "frobnicate")):
        result = domain(m, *words, code=code)
        assert text in result.err, (text, result)
    domain(m, "add", "other.example.org", code=4, user="alice")
    # What would have the server disable a domain: told, and not there afterwards.
    for words in (["add", "new.example.org", "www.example.org"], ["update", "mail.example.org", "www.example.org"]):
        taken = domain(m, *words, code=1)
        assert "www.example.org belongs to the domain example.org already" in taken.err and not m.exists("/etc/md-manager/domains.d/new.example.org.conf"), taken
    m.write("/etc/apache2/conf-enabled/hook.conf", f'MDMessageCmd {TELL} "two words"\n')
    disabled = domain(m, "add", "*.wild.example.org", code=1)
    assert "disables it, and it is put back" in disabled.err and "MDChallengeDns01" in disabled.err, disabled
    assert m.run("ls /etc/md-manager/domains.d").out.split() == ["mail.example.org.conf"]
    m.write("/etc/apache2/conf-enabled/hook.conf", f'MDMessageCmd {TELL} "two words"\nMDChallengeDns01 {TELL} dns\n')
    removed = domain(m, "remove", "mail.example.org")
    assert "taken it up" in removed.out and not m.exists(path) and not managed.is_known(m, "mail.example.org"), removed


def test_json_everywhere(m):
    """Whatever mdctl prints, it prints as JSON, too, on one line for each answer."""
    managed.mdctl(m, "renew", "--force", "example.org")
    for words in (["list"], ["show", "example.org"], ["explain", "example.org"], ["log", "example.org"], ["events"], ["timeline"], ["check"], ["reload"], ["export", "example.org"],
                  ["metrics"], ["archive", "example.org"], ["domain", "list"], ["hook", "list"], ["account", "list"], ["tlsa", "example.org"], ["version"],
                  ["renew", "--force", "example.org"], ["renew", "--force", "--no-wait", "example.org"]):
        out = managed.mdctl(m, "--json=short", *words, check=words != ["check"]).out        # which may have something to say in the middle of a reload
        assert out.count("\n") == 1 and isinstance(json.loads(out), (dict, list)), (words, out[:300])
    assert {"Manager", "Domains", "OtherStaplings"} == set(asked(m, "metrics"))
