# SPDX-License-Identifier: Apache-2.0
"""Certificates for other services: what root declares in targets.d is written, with owner and mode, and the services are reloaded; nothing else is."""

import base64
import json

import apache
import managed

PACKAGED = True

NAME = "mail.test"
CONF = "/etc/md-manager/targets.d"
UNIT = "md-targets.service"
HOLDER = "holder.service"
LIFE, WINDOW = 30, 18


def setup(m):
    managed.install(m)
    managed.settings(m, ReloadIntervalSec="200ms")
    managed.set_globally(m, MDPrivateKeys="P-256 RSA")
    m.run("useradd --system holder && groupadd --system others && install -d -m 0755 /srv/tls && install -d -m 0750 -o holder -g holder /var/lib/holder")
    # A service that holds what it read when it was started or reloaded, and tells both.
    m.write(f"/etc/systemd/system/{HOLDER}", """[Service]
ExecStart=/bin/sh -c 'echo started >>/run/holder.log; exec sleep infinity'
ExecReload=/bin/sh -c 'echo reloaded >>/run/holder.log'
""")
    m.run(f"systemctl daemon-reload && systemctl start {HOLDER}")
    managed.add(m, NAME, "smtp.mail.test")
    cursor = m.cursor()
    apache.reload(m)
    managed.wait_event(m, NAME, "installed", cursor)
    wait_quiet(m)


def wait_quiet(m):
    m.wait_for(lambda: m.unit(UNIT)["ActiveState"] in ("inactive", "failed"), 30, f"{UNIT} to have ended")


def heard(m):
    """What happened to the holder so far."""
    return m.read("/run/holder.log").split()


def declare(m, name, text):
    """A target, without anybody noticing."""
    m.run(["systemctl", "stop", "md-targets.path"])
    m.write(f"{CONF}/{name}.conf", text)


def forget(m, *names):
    m.run(["systemctl", "stop", "md-targets.path"])
    m.run(["rm", "-f", *(f"{CONF}/{name}.conf" for name in names)])


def run(m, fails=False):
    """Has all of them looked at: what was said."""
    cursor = m.cursor()
    wait_quiet(m)
    result = m.run(["systemctl", "start", UNIT], check=False)
    assert (result.rc != 0) == fails, f"{result}\n" + m.run(["systemctl", "status", UNIT], check=False).out
    return [entry["MESSAGE"] for entry in m.journal("SYSLOG_IDENTIFIER=md-targets", after=cursor)]


def states(m):
    """Target to state and detail, as mdctl tells them."""
    return {entry["Target"]: (entry["State"], entry["Detail"]) for entry in json.loads(managed.mdctl(m, "--json=short", "targets").out)}


def faults(m):
    """What is wrong, without having anything looked at again."""
    return managed.call(m, "/org/mdmanager1", "org.mdmanager1.Manager", "GetFaults")[0]


def look(m, path):
    """Owner, group and mode of a file."""
    return m.run(["stat", "-c", "%U:%G %a", path]).out.strip()


def store(m, file):
    return m.read(f"{managed.STORE}/domains/{NAME}/{file}")


def count(text, word):
    return text.count(f"-----BEGIN {word}-----")


def test_formats(m):
    """Each format has what it says, with its owner, group and mode; the unit is reloaded once for all of them, and not at all when nothing is new."""
    m.write("/etc/holder.password", "open sesame\nignored\n", mode=0o600)
    declare(m, "all", f"""[Target]
Domain={NAME}
ReloadUnit={HOLDER}
[PrivateKey]
Path=/srv/tls/key.pem
Group=others
Mode=0640
[Certificate]
Path=/srv/tls/cert.pem
[Chain]
Path=/srv/tls/chain.pem
[FullChain]
Path=/srv/tls/fullchain.pem
Owner=holder
Mode=0444
[Combined]
Path=/var/lib/holder/combined.pem
Owner=holder
Group=holder
[PKCS12]
Path=/srv/tls/store.p12
PasswordFile=/etc/holder.password
""")
    declare(m, "rsa", f"[Target]\nDomain={NAME}\nKeyType=RSA\nReloadUnit={HOLDER}\n[FullChain]\nPath=/srv/tls/rsa.pem\n")
    before = heard(m)
    told = run(m)
    assert any("/srv/tls/key.pem" in line and "Target all" in line for line in told), told
    assert heard(m) == before + ["reloaded"], heard(m)
    modes = {"/srv/tls/key.pem": "root:others 640", "/srv/tls/cert.pem": "root:root 644", "/srv/tls/chain.pem": "root:root 644", "/srv/tls/fullchain.pem": "holder:root 444",
             "/var/lib/holder/combined.pem": "holder:holder 600", "/srv/tls/store.p12": "root:root 600"}
    assert {path: look(m, path) for path in modes} == modes
    chain, key = store(m, "pubcert.p-256.pem"), m.read("/srv/tls/key.pem")
    n = count(chain, "CERTIFICATE")
    assert n > 1 and m.read("/srv/tls/fullchain.pem") == chain and m.read("/srv/tls/cert.pem") + m.read("/srv/tls/chain.pem") == chain
    assert count(m.read("/srv/tls/cert.pem"), "CERTIFICATE") == 1 and count(key, "PRIVATE KEY") == 1
    assert m.read("/var/lib/holder/combined.pem") == key + chain and m.read("/srv/tls/rsa.pem") == store(m, "pubcert.pem")
    same = "openssl pkey -pubout -in {} | sha256sum"
    assert m.run(same.format("/srv/tls/key.pem")).out == m.run(same.format(f"{managed.STORE}/domains/{NAME}/privkey.p-256.pem")).out
    opened = m.run("openssl pkcs12 -in /srv/tls/store.p12 -passin 'pass:open sesame' -nodes").out
    assert count(opened, "PRIVATE KEY") == 1 and count(opened, "CERTIFICATE") == n, opened
    assert m.run("openssl pkcs12 -in /srv/tls/store.p12 -passin pass:wrong -nodes", check=False).rc != 0
    # Once more: nothing is touched.
    inodes = m.run(["stat", "-c", "%i %Y", *modes]).out
    assert not any("Wrote" in line for line in run(m)) and heard(m) == before + ["reloaded"] and m.run(["stat", "-c", "%i %Y", *modes]).out == inodes
    assert {state for state, _ in states(m).values()} == {"unchanged"} and faults(m) == []
    assert "Wrote /srv/tls/rsa.pem" in states(m)["rsa"][1], states(m)     # what was written last, and when, is still told
    # Spoiled by hand: mended.
    m.run("chmod 0666 /srv/tls/cert.pem; echo >>/srv/tls/chain.pem; rm /srv/tls/store.p12")
    run(m)
    assert {path: look(m, path) for path in modes} == modes and m.read("/srv/tls/chain.pem") == chain[len(m.read("/srv/tls/cert.pem")):]
    assert states(m)["all"][0] == "written" and heard(m) == before + ["reloaded"] * 2
    forget(m, "all", "rsa")


def test_renewal(m):
    """A renewal by the timer leads to a new file and a reload by itself, after 'installed'; a change in targets.d is noticed; a target that is removed leaves its file."""
    name = "short.test"
    m.ca.restart(validity=LIFE)
    managed.add(m, name, directives=f"MDPrivateKeys P-256\nMDRenewWindow {WINDOW}s")
    apache.reload(m)
    managed.wait_served(m, name)
    wait_quiet(m)
    m.run(["systemctl", "start", "md-targets.path"])
    assert m.active("md-targets.path")
    m.write(f"{CONF}/short.conf", f"[Target]\nDomain={name}\nRestartUnit={HOLDER}\n[Combined]\nPath=/srv/tls/short.pem\n")
    m.wait_for(lambda: m.exists("/srv/tls/short.pem"), 20, "the file of the new target")
    m.wait_for(lambda: heard(m)[-1] == "started", 20, "the restart")
    old, restarts = m.read("/srv/tls/short.pem"), heard(m).count("started")
    cursor = m.cursor()
    managed.wait_event(m, name, "installed", cursor, LIFE + 20)
    m.wait_for(lambda: m.read("/srv/tls/short.pem") != old, 20, "the new certificate")
    m.wait_for(lambda: heard(m).count("started") > restarts, 20, "the restart")
    written = m.wait_journal("MD_TARGET=short", after=cursor)
    assert "/srv/tls/short.pem" in written["MESSAGE"] and written["MD_NAME"] == name, written
    managed.remove(m, name)
    apache.reload(m)
    m.ca.restart(validity=90 * 86400)
    wait_quiet(m)
    m.wait_for(lambda: not managed.is_known(m, name) or not managed.show(m, name)["Managed"], 20, "the domain not to be managed any more")
    assert [name, f"Target short: There is no managed domain {name} any more: nobody renews what was written"] in faults(m), faults(m)
    last = m.read("/srv/tls/short.pem")
    m.run(["rm", f"{CONF}/short.conf"])
    run(m)
    assert "short" not in states(m) and m.read("/srv/tls/short.pem") == last


REFUSED = [
    # what, lines of the section, what is said
    ("missing", "[FullChain]\nPath=/srv/nowhere/a.pem", "There is no directory /srv/nowhere"),
    ("linked", "[FullChain]\nPath=/srv/link/a.pem", "/srv/link is a link to tls; links are not followed"),
    ("home", "[FullChain]\nPath=/home/somebody/a.pem", "hides home directories"),
    ("foreign", "[FullChain]\nPath=/var/lib/holder/a.pem", "/var/lib/holder belongs to user holder,"),
    ("open", "[FullChain]\nPath=/srv/open/a.pem", "Everybody may write to /srv/open"),
    ("shared", "[FullChain]\nPath=/srv/shared/a.pem", "Group others may write to /srv/shared"),
    ("directory", "[FullChain]\nPath=/srv/tls/directory", "/srv/tls/directory is a directory"),
    ("password", "[PKCS12]\nPath=/srv/tls/a.p12\nPasswordFile=/srv/open/password", "must be a file that belongs to root"),
    ("credential", "[PKCS12]\nPath=/srv/tls/b.p12\nPasswordCredential=nothing", "The password in"),
]


# What is waited for in vain, and what is said.
VAIN = {
    "unknown.test": "There is no managed domain unknown.test",
    "smtp.mail.test": f"smtp.mail.test is a further name of the managed domain {NAME}: Domain={NAME}",
}


def test_refused(m):
    """What is not safe is not written, and told: a missing directory, a link, a directory that others own or write to, a directory in the place of the file. So is what will never be there."""
    m.run("install -d -m 1777 /srv/open; install -d -m 0775 -g others /srv/shared; install -d /srv/tls/directory; ln -sfn tls /srv/link; echo x >/srv/open/password;"
          "chown holder /srv/open/password")
    for name, section, _ in REFUSED:
        declare(m, name, f"[Target]\nDomain={NAME}\nReloadUnit={HOLDER}\n{section}\n")
    declare(m, "good", f"[Target]\nDomain={NAME}\n[FullChain]\nPath=/srv/tls/good.pem\n")
    for name in VAIN:
        declare(m, name, f"[Target]\nDomain={name}\n[FullChain]\nPath=/srv/tls/{name}.pem\n")
    declare(m, "key", f"[Target]\nDomain={NAME}\nKeyType=P-384\n[FullChain]\nPath=/srv/tls/key-later.pem\n")
    m.write("/run/md-targets/gone", "")
    before, cursor = heard(m), m.cursor()
    told = run(m, fails=True)
    found = states(m)
    for name, _, words in REFUSED:
        assert found[name][0] == "failed" and words in found[name][1], (name, words, found[name])
        assert any(f"Target {name}: " in line and words in line for line in told), (words, told)
    assert found["good"][0] == "written" and m.exists("/srv/tls/good.pem") and heard(m) == before
    wrong = faults(m)
    for name, words in VAIN.items():
        assert found[name] == ("waiting", words) and [name, f"Target {name}: {words}"] in wrong, (found[name], wrong)
    assert found["key"] == ("failed", f"KeyType= is none of the keys of {NAME} (MDPrivateKeys)"), found["key"]
    assert len([text for domain, text in wrong if domain == NAME]) == len(REFUSED) + 1, wrong
    assert not m.exists("/run/md-targets/gone")
    assert m.unit(UNIT)["ActiveState"] == "failed" and managed.wait_event(m, NAME, "target-failed", cursor)
    assert not m.exists("/var/lib/holder/a.pem") and managed.files(m, "domains") and m.run("find /srv -name 'a.p*'").out == ""
    forget(m, *(name for name, _, _ in REFUSED), "good", "key", *VAIN)
    run(m)
    assert faults(m) == []


def test_credential(m):
    """A service without a user of its own has the key by LoadCredential= from a file that stays root's, and is restarted with the new one."""
    m.write("/usr/local/bin/app", "#!/bin/sh\ntest $(id -u) -ne 0 && sha256sum <\"$2\"\nexec sleep infinity\n", mode=0o755)
    m.write("/etc/systemd/system/app.service", "[Service]\nDynamicUser=yes\nLoadCredential=tls.pem:/etc/app/tls.pem\nExecStart=/usr/local/bin/app --tls %d/tls.pem\n")
    m.run("install -d /etc/app; systemctl daemon-reload")
    declare(m, "app", f"[Target]\nDomain={NAME}\nRestartUnit=app.service\n[Combined]\nPath=/etc/app/tls.pem\n")
    run(m)
    assert look(m, "/etc/app/tls.pem") == "root:root 600"
    for again in (False, True):
        cursor = m.cursor()
        if again:
            managed.renew(m, NAME)
            managed.wait_event(m, NAME, "installed", cursor)
        else:
            m.run("systemctl start app.service")
        # Restarted after it was written: what it was started with last is what is there.
        m.wait_for(lambda c=cursor: m.run("sha256sum </etc/app/tls.pem").out.strip() == m.journal("SYSLOG_IDENTIFIER=app", after=c)[-1]["MESSAGE"].strip(), 30, "the service to have the key")
    forget(m, "app")
    m.run("systemctl stop app.service; rm /etc/systemd/system/app.service; systemctl daemon-reload")
    wait_quiet(m)


def test_hostile_owner(m):
    """Whoever owns the directory can put a link in the place of the file: it is replaced, and what it points to is neither written to nor given away."""
    m.write("/etc/precious", "precious\n", mode=0o600)
    m.run("rm -f /var/lib/holder/*; ln -s /etc/precious /var/lib/holder/x.pem; ln /etc/precious /var/lib/holder/y.pem; mkfifo /var/lib/holder/z.pem; chown -h holder /var/lib/holder/*")
    m.run("chown root:root /etc/precious; chmod 0600 /etc/precious")
    for file in "xyz":
        declare(m, file, f"[Target]\nDomain={NAME}\n[Combined]\nPath=/var/lib/holder/{file}.pem\nOwner=holder\nGroup=holder\n")
    run(m)
    assert m.read("/etc/precious") == "precious\n" and look(m, "/etc/precious") == "root:root 600"
    for file in "xyz":
        path = f"/var/lib/holder/{file}.pem"
        assert look(m, path) == "holder:holder 600" and m.run(["stat", "-c", "%F", path]).out.strip() == "regular file" and count(m.read(path), "PRIVATE KEY") == 1
    # A directory on the way that its owner may exchange.
    m.run("install -d -o holder /var/lib/holder/tls && mv /var/lib/holder/tls /var/lib/holder/real && ln -s /etc /var/lib/holder/tls")
    declare(m, "x", f"[Target]\nDomain={NAME}\n[Combined]\nPath=/var/lib/holder/tls/x.pem\nOwner=holder\n")
    run(m, fails=True)
    assert "links are not followed" in states(m)["x"][1] and not m.exists("/etc/x.pem")
    forget(m, *"xyz")


def made_slow(der):
    """The same PKCS#12 file, as one that is to be hashed 2^31 - 1 times before anybody knows what is in it."""
    mac = der.rindex(b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01") - 2   # SHA-256 in front of the sum
    assert der[0:2] == b"\x30\x82" and der[mac] == 0x30 and mac + 2 + der[mac + 1] == len(der) and der[-4:] == b"\x02\x02\x08\x00", der[mac:].hex()
    whole = int.from_bytes(der[2:4], "big") + 2
    return der[:2] + whole.to_bytes(2, "big") + der[4:mac + 1] + bytes([der[mac + 1] + 2]) + der[mac + 2:-4] + b"\x02\x04\x7f\xff\xff\xff"


def test_slow_file(m):
    """The owner of a PKCS#12 file makes it one that takes days to look into: it is replaced at once, and the targets behind it have their turn."""
    m.write("/etc/holder.password", "open sesame\n", mode=0o600)
    path, opens = "/var/lib/holder/a.p12", "openssl pkcs12 -in /var/lib/holder/a.p12 -passin 'pass:open sesame' -nodes"
    declare(m, "a", f"[Target]\nDomain={NAME}\n[PKCS12]\nPath={path}\nOwner=holder\nGroup=holder\nPasswordFile=/etc/holder.password\n")
    run(m)
    der = base64.b64decode(m.run(["base64", path]).out)
    assert m.run(opens).rc == 0 and not any("Wrote" in line for line in run(m))
    m.run(f"base64 -d | tee {path} >/dev/null", stdin=base64.b64encode(made_slow(der)).decode(), user="holder")
    assert look(m, path) == "holder:holder 600" and m.run("timeout 2 " + opens, check=False).rc == 124, "it is no slow one"
    declare(m, "b", f"[Target]\nDomain={NAME}\n[FullChain]\nPath=/srv/tls/behind.pem\n")
    run(m)
    assert m.run(opens).rc == 0 and base64.b64decode(m.run(["base64", path]).out) == der
    assert states(m)["a"][0] == states(m)["b"][0] == "written" and m.exists("/srv/tls/behind.pem")
    forget(m, "a", "b")


BAD = [
    # lines, line, what is said
    ("[Target]\nDomain=mail.test\n[FullChain]\nPath=tls/a.pem", 4, "no absolute path"),
    ("[Target]\nDomain=mail.test\n[FullChain]\nPath=/srv/../etc/a.pem", 4, "no absolute path"),
    ("[Target]\nDomain=mail.test\n\n# so\n[FullChain]\nPath=/srv/tls/a.pem\nOwner=nobodyatall", 7, "no such user"),
    ("[Target]\nDomain=mail.test\n[FullChain]\nPath=/srv/tls/a.pem\nGroup=nobodyatall", 5, "no such group"),
    ("[Target]\nDomain=mail.test\n[PrivateKey]\nPath=/srv/tls/a.pem\nMode=0644", 5, "others may not read a private key"),
    ("[Target]\nDomain=mail.test\n[FullChain]\nPath=/srv/tls/a.pem\nMode=rw", 5, "no mode such as"),
    ("[Target]\nDomain=mail.test\nKeyType=P-256 RSA\n[FullChain]\nPath=/srv/tls/a.pem", 3, "not one key"),
    ("[Target]\nDomain=mail.test\nReloadUnit=../x\n[FullChain]\nPath=/srv/tls/a.pem", 3, "every unit has its whole name"),
    ("[Target]\nDomain=mail.test\nReload=x.service\n[FullChain]\nPath=/srv/tls/a.pem", 3, "There is no 'Reload='"),
    ("[Target]\nDomain=mail.test\n[Fullchain]\nPath=/srv/tls/a.pem", 4, "There is no section [Fullchain]"),
    ("[Target]\nDomain=mail.test\nhello\n[FullChain]\nPath=/srv/tls/a.pem", 3, "neither"),
    ("[FullChain]\nPath=/srv/tls/a.pem", None, "no 'Domain='"),
    ("[Target]\nDomain=mail.test", None, "No file is wanted"),
    ("[Target]\nDomain=mail.test\n[FullChain]\nMode=0600", None, "[FullChain] has no 'Path='"),
    ("[Target]\nDomain=mail.test\n[PKCS12]\nPath=/srv/tls/a.pem", 4, "wants a 'PasswordFile='"),
    ("[Target]\nDomain=mail.test\n[FullChain]\nPath=/srv/tls/first.pem", 4, "is written by /etc/md-manager/targets.d/00-first.conf already"),
]


def test_bad_declarations(m):
    """A line that makes no sense is told with file and line, and nothing is done for its target; drop-in directories and switching off are systemd's; only root declares."""
    declare(m, "00-first", f"[Target]\nDomain={NAME}\n[FullChain]\nPath=/srv/tls/first.pem\n")
    for number, (text, _, _) in enumerate(BAD):
        declare(m, f"bad-{number:02}", text + "\n")
    declare(m, "writable", f"[Target]\nDomain={NAME}\n[FullChain]\nPath=/srv/tls/writable.pem\n")
    m.run(["chmod", "0664", f"{CONF}/writable.conf"])
    for place, name, path in (("/usr/lib/md-manager/targets.d", "vendor", "/srv/tls/vendor.pem"), ("/usr/lib/md-manager/targets.d", "masked", "/srv/tls/masked.pem"),
                              ("/run/md-manager/targets.d", "vendor", "/srv/tls/run.pem")):
        m.write(f"{place}/{name}.conf", f"[Target]\nDomain={NAME}\n[FullChain]\nPath={path}\n")
    m.run(["ln", "-sf", "/dev/null", f"{CONF}/masked.conf"])
    m.run(["mkfifo", f"{CONF}/pipe.conf"])
    run(m, fails=True)
    found = states(m)
    for number, (_, line, words) in enumerate(BAD):
        state, detail = found[f"bad-{number:02}"]
        place = f"{CONF}/bad-{number:02}.conf:" + (f"{line}: " if line else " ")
        assert state == "failed" and detail.startswith(place) and words in detail, (number, words, detail)
    assert "belong to root" in found["writable"][1] and "no file" in found["pipe"][1] and found["00-first"][0] == "written"
    assert found["vendor"][0] == "written" and m.exists("/srv/tls/run.pem") and "masked" not in found
    assert not any(m.exists(f"/srv/tls/{name}.pem") for name in ("a", "writable", "vendor", "masked"))
    m.run(f"rm -rf {CONF} /usr/lib/md-manager/targets.d /run/md-manager/targets.d")
    managed.check(m)
    assert states(m) == {}
    # Nobody but root tells what became of targets.
    result = m.run(["busctl", "call", managed.BUS, "/org/mdmanager1", "org.mdmanager1.Manager", "ReportTargets", "a(ssss)", "1", "x", "y", "failed", "z"], check=False, user="alice")
    assert result.rc != 0 and "x" not in states(m), result


def test_too_many(m):
    """A report of more targets than there may be is refused as a whole, and the manager goes on."""
    before, told = m.unit("md-manager.service")["MainPID"], states(m)

    def report(n):
        words = [word for i in range(n) for word in (f"t{i}", NAME, "unchanged", "")]
        return m.run(["busctl", "call", managed.BUS, "/org/mdmanager1", "org.mdmanager1.Manager", "ReportTargets", "a(ssss)", str(n), *words], check=False)
    for n in (10001, 10050):
        result = report(n)
        assert result.rc != 0 and "More than 10000 targets" in result.err, result.err
        assert states(m) == told
    assert report(10000).rc == 0 and len(states(m)) == 10000
    assert report(0).rc == 0 and states(m) == {}
    assert m.unit("md-manager.service")["MainPID"] == before


def test_crash(m):
    """Killed between two files, it leaves each old or new, whole; the next run writes the rest and reloads, and one that was killed before the reload is made up for."""
    declare(m, "crash", f"[Target]\nDomain={NAME}\nReloadUnit={HOLDER}\n[PrivateKey]\nPath=/srv/tls/crash.key\n[FullChain]\nPath=/srv/tls/crash.pem\n")
    run(m)
    before = heard(m)
    new = m.run(f"cat {managed.STORE}/domains/{NAME}/pubcert.p-256.pem").out
    # The last file is lost, the one before was replaced, a temporary one is left, and the mark says that the unit knows nothing of it.
    m.run("rm /srv/tls/crash.pem; echo torn >/srv/tls/.crash.pem.md-targets.abc123; echo mine >/srv/tls/.crash.pem.backup; touch /run/md-targets/crash")
    run(m)
    assert m.read("/srv/tls/crash.pem") == new and heard(m) == before + ["reloaded"] and not m.exists("/srv/tls/.crash.pem.md-targets.abc123") and not m.exists("/run/md-targets/crash")
    assert m.read("/srv/tls/.crash.pem.backup") == "mine\n", "what somebody else keeps there is left alone"
    m.run("touch /run/md-targets/crash")
    run(m)
    assert heard(m) == before + ["reloaded"] * 2 and states(m)["crash"][0] == "unchanged"
    # A unit that cannot be reloaded: told, and tried again by the next run.
    m.write(f"/etc/systemd/system/{HOLDER}.d/broken.conf", "[Service]\nExecReload=\nExecReload=/bin/false\n")
    m.run("systemctl daemon-reload; rm /srv/tls/crash.pem")
    run(m, fails=True)
    assert f"{HOLDER} could not be reloaded" in states(m)["crash"][1] and m.exists("/srv/tls/crash.pem") and m.exists("/run/md-targets/crash")
    m.run(f"rm -r /etc/systemd/system/{HOLDER}.d; systemctl daemon-reload")
    run(m)
    assert heard(m) == before + ["reloaded"] * 3 and not m.exists("/run/md-targets/crash")
    # One that does not run is left alone.
    m.run(f"systemctl stop {HOLDER}; rm /srv/tls/crash.pem")
    run(m)
    assert m.exists("/srv/tls/crash.pem") and not m.active(HOLDER) and not m.exists("/run/md-targets/crash")
    m.run(f"systemctl start {HOLDER}")
    forget(m, "crash")


def test_hostile_store(m):
    """What lies in the store is not believed: another key, a certificate for somebody else, one that expired, a link, rubbish. The files stay what they were."""
    declare(m, "careful", f"[Target]\nDomain={NAME}\n[Combined]\nPath=/srv/tls/careful.pem\n")
    run(m)
    good, place = m.read("/srv/tls/careful.pem"), f"{managed.STORE}/domains/{NAME}"
    m.run("systemctl stop md-manager && systemctl stop md-targets.path")
    m.run(f"cp -a {place} /root/good")
    forge = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {place}/privkey.p-256.pem -out {place}/pubcert.p-256.pem -subj /CN=x -addext subjectAltName=DNS:{name} {more} 2>&1"
    for what, command, words in (
            ("another key", f"openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {place}/privkey.p-256.pem", "key"),
            ("somebody else's", forge.format(place=place, name="evil.test", more=""), "not for mail.test"),
            ("expired", forge.format(place=place, name=NAME, more="-not_before 20200101000000Z -not_after 20210101000000Z"), "expired"),
            ("rubbish", f"head -c 3000 /dev/urandom >{place}/pubcert.p-256.pem", ""),
            ("a link", f"ln -sf /etc/shadow {place}/privkey.p-256.pem", "")):
        m.run(f"rm -rf {place} && cp -a /root/good {place}")
        m.run(command)
        m.run(["chown", "-hR", "md-manager:", place])
        told = " ".join(run(m, fails=True))
        assert words in told and "Target careful" in told, (what, told)
        assert m.read("/srv/tls/careful.pem") == good, what
    m.run(f"rm -rf {place} && mv /root/good {place} && systemctl start md-manager")
    forget(m, "careful")


def test_sandbox(m):
    """The unit may write to no place that could make somebody root, nor to the store; the program, from when it has read what is declared, to nothing but the very directories of its targets."""
    declare(m, "00-narrow", f"[Target]\nDomain={NAME}\n[FullChain]\nPath=/srv/tls/narrow.pem\n")
    places = ("/usr/x", "/etc/systemd/system/x.service", "/etc/cron.d/x", "/etc/cron.daily/x", "/etc/profile.d/x", "/etc/passwd", "/etc/shadow", "/etc/apt/apt.conf.d/x",
              "/var/lib/dpkg/x", f"{managed.STORE}/x", f"{CONF}/x.conf")
    m.write("/run/systemd/system/md-targets.service.d/probe.conf",
            "[Service]\n" + "".join(f"ExecStartPost=/bin/sh -c '! touch {place}'\n" for place in places) + "ExecStartPost=/bin/sh -c 'touch /etc/x && rm /etc/x'\n")
    m.run("install -d /etc/cron.d; systemctl daemon-reload")
    run(m)
    m.run("rm -r /run/systemd/system/md-targets.service.d && systemctl daemon-reload")
    assert m.unit(UNIT)["CapabilityBoundingSet"] == "cap_chown cap_dac_override cap_fowner", m.unit(UNIT)["CapabilityBoundingSet"]
    # While it waits for the lock of each target, the directory of the last one makes room for another one of the same name.
    for number in range(8):
        declare(m, f"wait-{number:02}", f"[Target]\nDomain={NAME}\n[FullChain]\nPath=/srv/tls/narrow-{number}.pem\n")
    declare(m, "zz-moved", f"[Target]\nDomain={NAME}\n[FullChain]\nPath=/srv/moved/a.pem\n")
    m.run("install -d /srv/moved")
    cursor = m.cursor()
    holder = m.start(["flock", "-x", f"{managed.STORE}/servers/lock", "sleep", "30"])
    m.wait_for(lambda: m.run(["flock", "-n", "-s", f"{managed.STORE}/servers/lock", "true"], check=False).rc != 0, 10, "the lock to be held")
    m.run(["systemctl", "start", "--no-block", UNIT])
    m.wait_for(lambda: m.run(f"ls -l /proc/$(systemctl show -P MainPID {UNIT})/fd | grep -q servers/lock", check=False).rc == 0, 20, "the program to wait for the lock")
    m.run("mv /srv/moved /srv/before && install -d /srv/moved")
    m.wait_for(lambda: m.unit(UNIT)["ActiveState"] in ("inactive", "failed"), 60, "the program to end")
    holder.stop()
    told = " ".join(entry["MESSAGE"] for entry in m.journal("SYSLOG_IDENTIFIER=md-targets", after=cursor))
    if "There is no Landlock here" not in told:
        assert states(m)["zz-moved"] == ("failed", "Cannot write /srv/moved/a.pem: Permission denied"), (states(m), told)
        assert not m.exists("/srv/moved/a.pem")
    assert m.exists("/srv/tls/narrow-7.pem"), told
    m.run(f"rm {CONF}/*.conf")
