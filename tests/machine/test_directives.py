# SPDX-License-Identifier: Apache-2.0
"""Every directive: what it takes and refuses, where it may stand, what it is when nobody says it, and what the manager is told of it."""

import itertools
import json
import re
from pathlib import Path

import apache
import ca
import managed
import test_apache

SUITES = ["trixie", "bookworm"]

CASES = "/run/directives"
DEFAULT_CA = "https://acme-v02.api.letsencrypt.org/directory"
SOURCE = Path(__file__).resolve().parents[2] / "apache/directives.c"

# Where a directive may stand: nowhere else, and in a virtual host it has its effect or is warned about.
ANYWHERE = {"server", "host", "domain"}
SERVER = {"server", "host"}
NO_EFFECT_IN_HOST = "has no effect inside <VirtualHost>"

SWITCH = [("maybe", "'maybe' is neither 'on' nor 'off'"), ("", "too few arguments: write"), ("on off", "too many arguments: write")]
DURATION = [("soon", "'soon' is not a duration; write 30s, 5mi, 2h or 1d"), ("10m", "is not a duration"), ("1.5h", "is not a duration"), ("", "too few arguments")]
WINDOW = [("soon", "'soon': neither a duration"), ("100%", "a percentage lies between 1% and 99%"), ("0%", "a percentage"), ("-3%", "percentage"), ("0", "cannot be empty")]
PATHS = [("", "too few arguments"), ("a b", "too many arguments")]
COMMAND = [("", "too few arguments"), ("bin/program x", "'bin/program' is not an absolute path; programs are not searched for")]
NAMES = [("", "too few arguments: write"), ("auto", "needs at least one DNS name")]


class Directive:
    """A row: its name, a value of it, where that is found in the snapshot, what is there by default, what is refused.

    'member' is a path in the domain's object, or after "/" in the snapshot itself. 'accepted' are more values that are taken."""

    def __init__(self, name, value, member=None, found=None, default=None, accepted=(), refused=(), places=ANYWHERE, warned=None, in_host=None):
        self.name, self.value, self.member, self.found, self.default = name, value, member, found, default
        self.accepted, self.refused, self.places, self.warned = accepted, refused, places, warned
        self.per_domain = bool(member) and not member.startswith("/")
        self.in_host = in_host if in_host is not None else self.places == ANYWHERE and (self.per_domain or name.startswith("MDMember"))

    def line(self, value=None):
        value = self.value if value is None else value
        return f"{self.name} {value}>\n</{self.name[1:]}>" if self.name.startswith("<") else f"{self.name} {value}"


def switch(name, member, default, **more):
    """One of a domain. What stands at its default is not in the snapshot."""
    return Directive(name, "off" if default else "ON", member, False if default else True, None, ("on", "off", "Off"), SWITCH, **more)


TABLE = [
    Directive("MDomain", "one.example.org two.example.org", refused=NAMES, places=SERVER, accepted=("x.example.org auto", "manual x.example.org", "192.0.2.7", "[2001:DB8::7]")),
    Directive("<MDomain", 'three.example.org "four.example.org" manual', refused=NAMES, places=SERVER),
    Directive("<MDomainSet", "five.example.org", refused=NAMES, places=SERVER),
    Directive("ManagedDomain", "six.example.org", refused=NAMES, places=SERVER, warned="is an old name; write MDomain"),
    Directive("<ManagedDomain", "seven.example.org", refused=NAMES, places=SERVER, warned="is an old name; write <MDomain>"),
    Directive("MDMember", "manual", "transitive", 0, 1, ("auto", "MANUAL"),
              [("", "too few arguments"), ("a.example.org", "'a.example.org' is neither 'auto' nor 'manual'"), ("auto a.example.org", "takes names only inside <MDomain>")]),
    Directive("MDMembers", "manual", "transitive", 0, 1, ("auto",), [("never", "'never' is neither 'auto' nor 'manual'")]),
    Directive("MDIgnoreHost", "on", refused=[("on", "is only allowed inside <VirtualHost>")], places={"host"}),
    Directive("MDBaseServer", "on", refused=SWITCH, places=SERVER),
    Directive("MDMatchNames", "ServerNames", refused=[("some", "'some' is neither 'all' nor 'servernames'"), ("", "too few arguments")], places=SERVER, accepted=("all",)),
    Directive("MDStrict", "on", refused=SWITCH, places=SERVER),
    Directive("MDStoreDir", managed.STORE, "/store-dir", managed.STORE, managed.STORE, refused=PATHS, places=SERVER),
    Directive("MDStoreLocks", "on", refused=[("maybe", "'maybe' is neither 'on', 'off' nor a duration such as 5s")], places=SERVER, accepted=("off", "10s"),
              warned="has no effect: only md-manager writes into the store"),
    Directive("MDCertificateAuthority", "letsencrypt-TEST https://ca.test:65535/dir", "ca.urls",
              ["https://acme-staging-v02.api.letsencrypt.org/directory", "https://ca.test:65535/dir"], [DEFAULT_CA],
              ("", "https://[2001:db8::1]/dir", "https://under_score.test/", "ZeroSSL", "google", "Google-Staging", "sslcom-rsa", "SSLcom-ecc", "actalis", "sectigo",
               "globalsign", "digicert", "LetsEncrypt-Staging", "Buypass LetsEncrypt"),
              [("http://ca.test/dir", "is not an https URL"), ("NoCA", "'NoCA' is neither a URL nor a CA known by name; known are: LetsEncrypt, "), ("https://", "names no host"),
               ("https://ca.test:0/", "has no valid port"), ("https://ca.test:65536/", "has no valid port"), ("Buypass", "Buypass issues no certificates any more; LetsEncrypt, ZeroSSL"),
               ('"https://ca.test/a b"', "a URL has no blanks")]),
    Directive("MDCertificateProtocol", "TAILSCALE", "ca.proto", "tailscale", "ACME", ("acme",), [("EST", "'EST' is neither 'ACME' nor 'tailscale'")]),
    Directive("MDCertificateAgreement", "accepted", "ca.agreement", "accepted", None, ("https://ca.test/terms",), [("no", "'no' is no consent; write accepted"), ("", "too few arguments")]),
    Directive("MDContactEmail", "me@example.org", "contacts", ["mailto:me@example.org"], None, ("mailto:me@example.org", "tel:+49-1"),
              [("me", "'me' is not an e-mail address"), ("a@b@example.org", "is not an e-mail address"), ("a b", "too many arguments")], in_host=False),
    Directive("MDExternalAccountBinding", "key-1 c2VjcmV0", "eab", {"kid": "key-1", "hmac": "c2VjcmV0"}, None, ("none", "credential:eab", f"{CASES}/eab.json"),
              [("", "too few arguments"), ("a b c", "too many arguments"), ("none.json", "the file /etc/apache2/none.json cannot be read: No such file"),
               (f"{CASES}/torn.json", f"the file {CASES}/torn.json is not JSON"), (f"{CASES}/nokid.json", 'has no text "kid"'), (f"{CASES}/nohmac.json", 'has no text "hmac"'),
               ("credential:", "is not the name of a systemd credential"), ("credential:../x", "is not the name")]),
    Directive("MDCACertificateFile", "apache2.conf", "ca-certs", "/etc/apache2/apache2.conf", None, ("none", "/etc/passwd"), PATHS),
    Directive("MDHttpProxy", "http://user:secret@[::1]:65500", "proxy-url", "http://user:secret@[::1]:65500", None, ("https://proxy_1.test", "none"),
              [("socks5://a.test", "is not an http or https URL"), ("proxy.test", "is not a URL"), ("http://:80", "names no host")]),
    Directive("MDHttpProxyCACertificateFile", "apache2.conf", "proxy-ca-certs", "/etc/apache2/apache2.conf", None, ("NONE",), PATHS),
    Directive("MDProfile", "shortlived", "profile", "shortlived", None, ("none",), [("", "too few arguments"), ("a b", "too many arguments")]),
    switch("MDProfileMandatory", "profile-mandatory", False),
    Directive("MDPreferredChain", '"Our Root X1"', "preferred-chain", "Our Root X1", None, ("none",), [("Our Root X1", "too many arguments")]),
    Directive("MDCertificateCheck", "crt.sh https://crt.sh?q=", refused=[("one", "too few arguments"), ("a b c", "too many arguments"), ("a javascript:alert(1)", "is not an http or https URL")]),
    Directive("MDCertificateMonitor", "crt.sh https://crt.sh?q=", refused=[("one", "too few arguments")]),
    Directive("MDCAChallenges", "DNS-01 http-01 http-01", "ca.challenges", ["dns-01", "http-01"], None, ("tls-alpn-01",), [("", "too few arguments"), ("a/b", "'a/b' cannot be a type of challenge")]),
    Directive("MDPortMap", "http:8080 443:8443", "/port-map", {"http": 8080, "https": 8443}, {"http": 80, "https": 443}, ("http:-", "https:- 80:80"),
              [("", "too few arguments"), ("8080", "'8080' has no ':'; maps look like http:8080 or https:-"), ("25:25", "'25' cannot be mapped"), ("http:0", "'0' is neither a port (1 to 65535)"),
               ("http:65536", "is neither a port"), ("http:x", "is neither a port"), ("a:1 b:2 c:3", "too many arguments")], places=SERVER),
    Directive("MDChallengeDns01", '/usr/bin/dns --zone "a b" c\\ d', "cmd-dns-01", ["/usr/bin/dns", "--zone", "a b", "c d"], None, ("none",), COMMAND),
    Directive("MDChallengeDns01Version", "2", "/dns-01-version", 2, None, ("1",), [("3", "'3' is neither 1 nor 2"), ("", "too few arguments")], places=SERVER),
    Directive("MDChallengeDns01Wait", "5mi", "dns-01-wait", "5mi", None, ("0s", "10"), DURATION),
    switch("MDChallengeCheck", "challenge-check", True),
    Directive("MDPrivateKeys", "secp384r1 RSA 3072", "privkey", [{"type": "EC", "curve": "secp384r1"}, {"type": "RSA", "bits": 3072}], None, ("Default", "rsa4096", "P-256 secp256r1"),
              [("", "too few arguments"), ("RSA 1024", "an RSA key needs at least 2048 bits"), ("Default RSA", '"Default" stands alone'), ("RSA RSA 3072", "only one RSA key is possible"),
               ("P-256 p-256", "the same curve is given twice"), ("RSA 99999999999", "not a number")]),
    switch("MDKeyReuse", "key-reuse", False),
    switch("MDNextKey", "next-key", False),
    switch("MDMustStaple", "must-staple", False),
    Directive("MDCertificateFile", f"{CASES}/cert.pem", "cert-files", [f"{CASES}/cert.pem"], None, refused=PATHS, places={"domain"}),
    Directive("MDCertificateKeyFile", f"{CASES}/key.pem", "pkey-files", [f"{CASES}/key.pem"], None, refused=PATHS, places={"domain"}),
    Directive("MDFallbackCertificate", f"{CASES}/cert.pem {CASES}/key.pem", refused=[("", "too few arguments"), ("one", "needs two files"), ("a b c", "too many arguments")], accepted=("none",), in_host=True),
    Directive("MDRenewMode", "stick", "renew-mode", 0, 1, ("auto", "automatic", "ALWAYS", "manual"), [("never", "'never' is none of 'auto', 'always' and 'manual'")]),
    Directive("MDDriveMode", "manual", "renew-mode", 0, 1, ("auto",), [("never", "'never' is none of")], warned="is an old name; write MDRenewMode"),
    Directive("MDRenewWindow", "21", "renew-window", "21d", None, ("40%", "12h"), WINDOW),
    Directive("MDWarnWindow", "20%", "warn-window", "20%", None, ("7d",), WINDOW),
    switch("MDRenewViaARI", "ari-renewals", True),
    switch("MDRenewOnCAChange", "renew-on-ca-change", True),
    Directive("MDInitialDelay", "90", "/initial-delay", "90s", None, ("0", "1mi"), DURATION, places=SERVER),
    Directive("MDCheckInterval", "6h", "/check-interval", "6h", None, ("60",), [*DURATION, ("900ms", "must be at least 1s")], places=SERVER),
    Directive("MDRetryDelay", "5mi", "/retry-delay", "5mi", "30s", ("30",), [*DURATION, ("0s", "must be more than 0")], places=SERVER),
    Directive("MDRetryFailover", "4", "/retry-failover", 4, None, ("1",), [("0", "'0' is not a number greater than 0"), ("-1", "is not a number"), ("many", "is not a number"), ("", "too few")], places=SERVER),
    Directive("MDActivationDelay", "2", "/activation-delay", "2d", None, ("12h", "0", "-2d"), [("soon", "'soon' is not a duration"), ("", "too few arguments")], places=SERVER),
    Directive("MDNotifyCmd", "/bin/notify one 'two three'", "/notify-cmd", ["/bin/notify", "one", "two three"], None, (), COMMAND, places=SERVER),
    Directive("MDMessageCmd", "/bin/message", "/message-cmd", ["/bin/message"], None, (), COMMAND, places=SERVER),
    Directive("MDRequireHttps", "Permanent", "require-https", "permanent", None, ("off", "temporary"), [("on", "'on' is none of 'off', 'temporary' and 'permanent'")]),
    Directive("MDHsts", "max-age=31536000 includeSubDomains", refused=[("", "too few arguments"), ("includeSubDomains", "max-age=SECONDS is missing"), ("max-age=x", "'x' is no number of seconds"),
                                                                      ("max-age=1 x", "'x' is none of")], accepted=("off", '"max-age=1; preload"'), in_host=True),
    Directive("MDServerStatus", "off", refused=SWITCH),
    Directive("MDCertificateStatus", "off", refused=SWITCH),
    switch("MDStapling", "stapling", False, in_host=False),
    Directive("MDStapleOthers", "off", refused=SWITCH, in_host=False),
    Directive("MDStaplingKeepResponse", "150%", "/staple-keep", "252h", None, ("7d", "50%"), [("soon", "'soon': neither a duration")]),
    Directive("MDStaplingRenewWindow", "2h", "/staple-renew", "2h", None, ("33%",), WINDOW),
]


def setup(m):
    managed.install(m)
    # The manager would set out to get certificates from real CAs. What Apache tells it can be read without it.
    m.run("systemctl mask --runtime --now md-manager.service md-manager-store.path md-manager-check.timer")
    m.write("/etc/apache2/conf-enabled/md.conf", "")
    m.write("/etc/apache2/conf-enabled/name.conf", f"ServerName {test_apache.BASE}\n")
    m.run("a2enmod -q macro")
    for name, text in {"eab": '{"kid": "k", "hmac": "aGVsbG8"}', "torn": '{"kid": ', "nokid": '{"hmac": "a"}', "nohmac": '{"kid": "a", "hmac": ""}'}.items():
        m.write(f"{CASES}/{name}.json", text)
    m.run(f"chmod 0600 {CASES}/*.json")
    certificate, key = ca.TestCA().issue("static.example.org", names="DNS:static.example.org")
    m.write(f"{CASES}/cert.pem", certificate)
    m.write(f"{CASES}/key.pem", key)
    test_apache.start_afresh(m)


def try_all(m, texts):
    """Has Apache look at each of the configurations: pairs of exit status and words, on one line each."""
    m.run(f"rm -rf {CASES}/try; mkdir {CASES}/try")
    for number, text in enumerate(texts):
        m.write(f"{CASES}/try/case.{number:04}.conf", text)
    done = m.run(f". /etc/apache2/envvars; cd {CASES}/try && for f in case.*; do apache2 -t -c \"Include {CASES}/try/$f\" >out 2>&1; echo \"=== $?\"; cat out; done", timeout=240)
    results = re.findall(r"^=== (\d+)\n(.*?)(?=^=== |\Z)", done.out, re.MULTILINE | re.DOTALL)
    assert len(results) == len(texts), done
    return [(int(rc), " ".join(said.split())) for rc, said in results]


def in_section(line, names="section.example.org"):
    return f"<MDomain {names}>\n{line}\n</MDomain>\n"


def in_host(line):
    return f"<VirtualHost *:80>\nServerName host.example.org\n{line}\n</VirtualHost>\n"


def in_its_place(directive, value=None):
    line = directive.line(value)
    return line + "\n" if "server" in directive.places else in_host(line) if "host" in directive.places else in_section(line)


def test_table(m):
    """The table of this test has every directive that the module has."""
    known = re.findall(r'^ +ROW\("([^"]+)"', SOURCE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(known) > 55 and sorted(known) == sorted(d.name for d in TABLE), set(known) ^ {d.name for d in TABLE}
    help_text = m.run(". /etc/apache2/envvars; apache2 -L").out
    for name in known:
        assert f"\n{name} (mod_md" in help_text or f"\n{name}> (mod_md" in help_text, name


def test_accepted(m):
    """Every form that a directive takes passes the configuration test; old names and those without effect are warned about."""
    texts = ["".join(in_its_place(d, value) for value in (d.value, *d.accepted)) for d in TABLE]
    for directive, (rc, said) in zip(TABLE, try_all(m, texts)):
        assert rc == 0 and "Syntax OK" in said, (directive.name, said)
        assert (directive.warned or "") in said and (not directive.warned or f".conf:1: {directive.name}" in said), (directive.name, said)


def test_refused(m):
    """Every form that it does not take is refused, with file, line, directive, and what to write instead."""
    cases = [(d, value, why) for d in TABLE for value, why in d.refused]
    texts = ["\n" + (in_section(d.line(value)) if d.places == {"domain"} else d.line(value) + "\n") for d, value, _ in cases]
    for (directive, value, why), (rc, said) in zip(cases, try_all(m, texts)):
        line = 3 if directive.places == {"domain"} else 2
        name = directive.name + (">" if directive.name.startswith("<") else "")
        assert rc != 0 and f"Syntax error on line {line} of {CASES}/try/case." in said and f"{name}: " in said and why in said, (directive.line(value), why, said)


def test_words(m):
    """What the manager could not be told is refused at its line, and not lost on the way; what is wrong so with a name concerns its domain alone."""
    latin1 = "\udcfc"
    wrong = {"a\tb": "a control character is in it", "a\x01b": "a control character is in it", "a\x7fb": "a control character is in it",
             f"/etc/{latin1}": "the byte 0xfc in it is not UTF-8", f"/{'a' * 4096}": "is too long (4097 bytes)"}
    lines = ["MDProfile {}", "MDCACertificateFile {}", "MDMessageCmd /bin/true {}", "MDChallengeDns01 /bin/true {}", "MDExternalAccountBinding {} aGVsbG8",
             "MDPreferredChain {}", "MDCertificateCheck {} https://example.org/", "MDStoreDir {}"]
    cases = [(line.format(f'"{word}"'), why) for line in lines for word, why in wrong.items()]
    for (line, why), (rc, said) in zip(cases, try_all(m, [line + "\n" for line, _ in cases])):
        assert rc != 0 and "Syntax error on line 1 of" in said and f"{line.split()[0]}: " in said and why in said, (line, said)
    names = [f"m{latin1}ller.example.org", "müller.example.org", "a\x01b.example.org", f"{'a' * 5000}.example.org"]
    for name, (rc, said) in zip(names, try_all(m, [test_apache.manual(name) for name in names])):
        assert rc == 0 and "is not managed: '" in said and "is neither an IP address nor a DNS name" in said, (name, said)
    _, domains = load(m, test_apache.manual("good.example.org") + "".join(map(test_apache.manual, names)) + "MDProfile grün\n", "good.example.org")
    assert domains["good.example.org"]["profile"] == "grün" and len(domains) == 1 + len(names)
    test_apache.clear(m)


def test_places(m):
    """A directive is refused where it cannot stand, and warned about in a virtual host that it would not reach."""
    sections = [("<Location />", "</Location>"), ("<Directory />", "</Directory>"), ("<Files a>", "</Files>")]
    requests = [f"{start}\n{d.line()}\n{end}\n" for d, (start, end) in zip(TABLE, itertools.cycle(sections))]
    inside = [d for d in TABLE if "domain" not in d.places]
    outside = [d for d in TABLE if d.places == {"domain"}]
    results = try_all(m, [*requests, *(in_section(d.line()) for d in inside), *(d.line() + "\n" for d in outside)])
    for directive, (rc, said) in zip(TABLE, results):
        assert rc != 0 and "is not allowed in <Directory>, <Location>, <Files>, <Proxy> and .htaccess" in said, (directive.name, said)
    for directive, (rc, said) in zip(inside, results[len(TABLE):]):
        assert rc != 0 and "is not allowed inside <MDomain>; move it out of the section" in said, (directive.name, said)
    for directive, (rc, said) in zip(outside, results[len(TABLE) + len(inside):]):
        assert rc != 0 and "is only allowed inside <MDomain>" in said, (directive.name, said)

    hosts = [d for d in TABLE if "host" in d.places]
    for directive, (rc, said) in zip(hosts, try_all(m, [in_host(d.line()) for d in hosts])):
        assert rc == 0 and (NO_EFFECT_IN_HOST in said) == directive.in_host, (directive.name, said)


def test_wrapped(m):
    """Conditions, macros and modules may stand around all of them; the condition of <If> does not count, which is said. Nesting and torn lines are refused."""
    wrapped = [d for d in TABLE if d.places == ANYWHERE]
    lines = "".join(d.line() + "\n" for d in wrapped)
    everywhere = "".join(d.line() + "\n" for d in TABLE if "server" in d.places and d.name != "MDStrict")
    good = [f"<IfModule md_module>\n{everywhere}</IfModule>\n<IfModule mod_md.c>\n{lines}</IfModule>\n",
            f"<Macro All $name>\n{everywhere}<MDomain $name.example.org>\n{lines}</MDomain>\n</Macro>\nUse All m1\nUse All m2\n",
            f"<If \"true\">\n{everywhere}</If>\n",
            f"<MDomain if.example.org>\n<IfModule md_module>\n{lines}</IfModule>\n</MDomain>\n"]
    for text, (rc, said) in zip(good, try_all(m, good)):
        assert rc == 0 and ("counts always, whatever the condition of <If> says" in said) == ("<If " in text), said
    bad = {
        in_section(in_section("", "b.example.org")): "<MDomain>: is not allowed inside <MDomain>",
        in_section("<IfModule md_module>\nMDomain b.example.org\n</IfModule>"): "MDomain: is not allowed inside <MDomain>",
        "<MDomain a.example.org\n</MDomain>\n": "lacks the closing '>'",
        "<MDomain a.example.org> b\n</MDomain>\n": "something behind the closing '>'",
        "<MDomain a.example.org>\n": "</MDomain> directive missing closing '>'|without|was not closed",
    }
    for (text, why), (rc, said) in zip(bad.items(), try_all(m, list(bad))):
        assert rc != 0 and re.search(why, said), (text, said)


def lookup(told, domain, member):
    """What the snapshot has at a member's path; None when it is not there."""
    found = told if member.startswith("/") else domain
    for key in member.lstrip("/").split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found


def load(m, text, *names):
    test_apache.load(m, text, *names)
    told = json.loads(m.read(f"{managed.STORE}/servers/apache2.json"))
    return told, {d["name"]: d for d in told["managed-domains"]}


def test_defaults(m):
    """What nobody says is what mod_md's documentation says, and ours."""
    told, domains = load(m, "MDomain d.example.org\n", "d.example.org")
    for directive in TABLE:
        if directive.member:
            assert lookup(told, domains["d.example.org"], directive.member) == directive.default, directive.name
    test_apache.clear(m)


def test_values(m):
    """What is said for all domains, and for one, reaches the manager; the one has the last word, and others are not touched by it."""
    common = [d for d in TABLE if d.member and d.places != {"domain"} and d.name not in ("MDMembers", "MDDriveMode")]
    told, domains = load(m, "".join(d.line() + "\n" for d in common) + "MDomain d.example.org\n", "d.example.org")
    for directive in common:
        assert lookup(told, domains["d.example.org"], directive.member) == directive.found, (directive.name, told)

    own = [d for d in TABLE if d.per_domain and d.name not in ("MDMembers", "MDDriveMode")]
    told, domains = load(m, in_section("\n".join(d.line() for d in own), "d.example.org") + "MDomain other.example.org\n", "d.example.org", "other.example.org")
    for directive in own:
        assert lookup(told, domains["d.example.org"], directive.member) == directive.found, (directive.name, domains["d.example.org"])
        assert lookup(told, domains["other.example.org"], directive.member) == directive.default, (directive.name, domains["other.example.org"])

    back = {"MDCertificateAuthority": "", "MDCertificateProtocol": "ACME", "MDExternalAccountBinding": "none", "MDCACertificateFile": "none", "MDHttpProxy": "none",
            "MDHttpProxyCACertificateFile": "none", "MDProfile": "none", "MDPreferredChain": "none", "MDChallengeDns01": "none", "MDMember": "auto", "MDRenewMode": "auto",
            "MDRequireHttps": "off", "MDChallengeDns01Wait": "2mi", **{d.name: "on" if d.found is False else "off" for d in TABLE if d.found in (True, False) and isinstance(d.found, bool)}}
    told, domains = load(m, "".join(d.line() + "\n" for d in common) + in_section("\n".join(f"{name} {value}" for name, value in back.items()), "d.example.org"), "d.example.org")
    for directive in TABLE:
        if directive.name in back:
            assert lookup(told, domains["d.example.org"], directive.member) == directive.default, (directive.name, domains["d.example.org"])
    test_apache.clear(m)


def test_binding(m):
    """An account binding comes from values, a file that only root can read, or a credential; a dump of the configuration does not open the file."""
    forms = {f"{CASES}/eab.json": {"kid": "k", "hmac": "aGVsbG8"}, "credential:our-eab": {"credential": "our-eab"}, "none": None}
    text = "MDExternalAccountBinding global Z2xvYmFs\n" + "".join(in_section(f"MDExternalAccountBinding {form}", f"b{n}.example.org") for n, form in enumerate(forms))
    _, domains = load(m, text, *(f"b{n}.example.org" for n in range(len(forms))))
    for number, found in enumerate(forms.values()):
        assert domains[f"b{number}.example.org"].get("eab") == found, domains
    for value, warning in {f"{CASES}/open.json": f'every user may read {CASES}/open.json, which holds a secret; "chmod o-r" mends it', "k with+plus": "is not base64url"}.items():
        m.write(f"{CASES}/open.json", '{"kid": "k", "hmac": "aGVsbG8"}')
        (rc, said), = try_all(m, [f"MDExternalAccountBinding {value}\n"])
        assert rc == 0 and warning in said, said
    m.write(test_apache.SITE, "MDExternalAccountBinding /run/none.json\n")
    assert apache.configtest(m).rc != 0
    assert m.run(["apache2ctl", "-S"], check=False).rc == 0
    test_apache.clear(m)


def test_domains_alone(m):
    """What is wrong with one domain disables it with place and remedy, and not the server; with MDStrict it is refused, also by a reload, and the server goes on."""
    cases = {
        "MDCertificateFile /etc/passwd": "it has 1 MDCertificateFile and 0 MDCertificateKeyFile; each certificate needs its key",
        "MDCertificateKeyFile /etc/passwd": "it has 0 MDCertificateFile and 1 MDCertificateKeyFile",
        "MDCertificateFile none.pem\nMDCertificateKeyFile none.key": "MDCertificateFile: /etc/apache2/none.pem cannot be read: No such file or directory",
        f"MDCertificateFile {CASES}\nMDCertificateKeyFile /etc/passwd": f"MDCertificateFile: {CASES} is not a file",
        "MDFallbackCertificate none.pem none.key": "MDFallbackCertificate: /etc/apache2/none.pem cannot be read",
        "MDPrivateKeys P-257": "MDPrivateKeys: OpenSSL knows no elliptic curve 'P-257'",
        "MDCAChallenges dns-01": "No way to prove its names: http-01 is not in MDCAChallenges; tls-alpn-01 is not in MDCAChallenges; dns-01 needs a program (MDChallengeDns01)",
        "MDCAChallenges dns-99": "'dns-99' is not known, and proves nothing",
        "MDMember *.case.example.org": "a wildcard needs dns-01, and dns-01 needs a program (MDChallengeDns01)",
        "MDMember 192.0.2.1\nMDCAChallenges dns-01\nMDChallengeDns01 /bin/true": "and dns-01 is not for addresses",
        "MDMember under_score.example.org": "'under_score.example.org' is neither an IP address nor a DNS name",
        "MDCertificateProtocol tailscale\nMDCertificateAuthority LetsEncrypt": "MDCertificateAuthority is a socket",
        "MDCertificateAuthority file://localhost/run/a.sock": "is for MDCertificateProtocol tailscale only",
    }
    texts = ["\n" + in_section(lines, "case.example.org") for lines in cases]
    for lines, (rc, said) in zip(cases, try_all(m, texts)):
        assert rc == 0 and re.search(r"case\.example\.org \(\S+\.conf:2\) is not managed: ", said) and cases[lines] in said, (lines, said)
    assert all(rc != 0 and "MDStrict is on, and 1 of the managed domains cannot be managed" in said for rc, said in try_all(m, ["MDStrict on\n" + text for text in texts]))

    doubts = {
        "MDMember " + " ".join(f"n{n}.example.org" for n in range(100)): "it has 101 names, and LetsEncrypt puts at most 100 into a certificate; divide them",
        "MDProfile tlsserver\nMDMember " + " ".join(f"n{n}.example.org" for n in range(25)): "at most 25 into a certificate of the profile tlsserver",
        "MDMember 192.0.2.1": "certifies addresses such as 192.0.2.1 only with MDProfile shortlived",
        "MDMustStaple on": "LetsEncrypt refuses orders with MDMustStaple",
        "MDCertificateAuthority ZeroSSL": "ZeroSSL gives no account without MDExternalAccountBinding",
        "MDCACertificateFile none.pem": "there is no file /etc/apache2/none.pem",
        "MDStapleOthers off": "has no effect inside <MDomain>",
        "MDChallengeDns01 /no/such/program setup": "MDChallengeDns01 /no/such/program cannot be run: No such file or directory",
        "MDChallengeDns01 /etc/passwd": "MDChallengeDns01 /etc/passwd cannot be run: Permission denied",
    }
    for lines, (rc, said) in zip(doubts, try_all(m, [in_section(lines, "case.example.org") for lines in doubts])):
        assert rc == 0 and "is not managed" not in said and doubts[lines] in said, (lines, said)
    enough = in_section("MDChallengeDns01 /bin/true\nMDMember *.case.example.org " + " ".join(f"n{n}.case.example.org" for n in range(120)), "case.example.org")
    (rc, said), = try_all(m, [enough])
    assert rc == 0 and "puts at most" not in said, said

    for directive in ("MDMessageCmd", "MDNotifyCmd"):
        (rc, said), (ran, nothing) = try_all(m, [f"MDomain case.example.org\n{directive} {program}" for program in ("/no/such/program", "/bin/true")])
        assert rc == 0 and f"{directive} /no/such/program cannot be run: No such file or directory" in said, said
        assert ran == 0 and "cannot be run" not in nothing, nothing

    load(m, "MDomain good.example.org\n", "good.example.org")
    rc, said = test_apache.configure(m, "MDStrict on\nMDomain good.example.org\n" + in_section("MDPrivateKeys P-257", "case.example.org"))
    assert rc != 0 and "the configuration is refused" in said, said
    assert apache.reload(m, check=False).rc != 0 and m.http("good.example.org")[0] in (200, 404)
    test_apache.clear(m)


def test_static(m):
    """A domain with certificates of its own is not renewed, unless that is wanted."""
    lines = f"MDCertificateFile {CASES}/cert.pem\nMDCertificateKeyFile {CASES}/key.pem\n"
    _, domains = load(m, in_section(lines, "s1.example.org") + in_section(lines + "MDRenewMode always\n", "s2.example.org"), "s1.example.org", "s2.example.org")
    assert (domains["s1.example.org"]["renew-mode"], domains["s2.example.org"]["renew-mode"]) == (0, 2), domains
    test_apache.clear(m)


def test_addresses(m):
    """IP addresses are names of a domain, in their one form, and meet the virtual hosts that are written so."""
    text = ("<MDomain [2001:DB8:0::1] 192.0.2.1>\nMDRenewMode manual\n</MDomain>\n"
            "<VirtualHost [2001:db8::0:1]:443>\nServerName six.example.org\nSSLEngine on\n</VirtualHost>\n")
    _, domains = load(m, text, "2001:db8::1")
    assert domains["2001:db8::1"]["domains"] == ["2001:db8::1", "192.0.2.1", "six.example.org"] and domains["2001:db8::1"]["used-tls"], domains
    test_apache.clear(m)


def test_hosts(m):
    """Some hundred virtual hosts on names, aliases, wildcards, ports and addresses: who belongs where and why, which the snapshot tells; and it takes no time."""
    count, text, expected = 300, "MDRenewMode manual\n", {}
    for n in range(count):
        name = f"h{n}.example.org"
        text += f"MDomain {name}\n<VirtualHost *:443>\nServerName {name}\nServerAlias www.{name} *.{name}\nSSLEngine on\n"
        text += f"{'Protocols http/1.1 acme-tls/1' if n % 2 else ''}\n</VirtualHost>\n<VirtualHost *:80>\nServerName plain.{name}\nServerAlias {name}\n</VirtualHost>\n"
        expected[name] = [name, f"www.{name}"]
    text += "<VirtualHost *:8443>\nServerName h1.example.org\nServerAlias other.h1.example.org\nSSLEngine on\n</VirtualHost>\n"
    text += "<VirtualHost *:443>\nServerName h2.example.org\nServerAlias secret.h2.example.org\nMDIgnoreHost on\n</VirtualHost>\n"
    expected["h1.example.org"].append("other.h1.example.org")
    _, domains = load(m, text, *expected)
    assert {name: domains[name]["domains"] for name in expected} == expected
    for n in range(count):
        name = f"h{n}.example.org"
        domain, line = domains[name], text[:text.index(f"MDomain {name}\n")].count("\n") + 1
        assert domain["defined"] == {"file": test_apache.SITE, "line": line}, domain
        assert domain["hosts"][:2] == [f"{test_apache.SITE}:{line + 1} (ServerName {name})", f"{test_apache.SITE}:{line + 7} (ServerName plain.{name})"], domain
        assert domain["origins"][0] == f"www.{name}: ServerAlias at {test_apache.SITE}:{line + 1}", domain
        assert domain.get("proto", {}).get("acme-tls/1", []) == ([name, f"www.{name}"] if n % 2 else []), domain
    assert "secret" not in json.dumps(domains)
    seconds = float(m.run("bash -c 'TIMEFORMAT=%R; . /etc/apache2/envvars; time apache2 -t'").err.split()[-1])
    assert seconds < 10, seconds
    test_apache.clear(m)


def test_acme_tls(m):
    """tls-alpn-01 is a way to prove names where a virtual host answers acme-tls/1 at the mapped port, or where MDCAChallenges says so."""
    host = "<VirtualHost *:{port}>\nServerName {name}\nSSLEngine on\n{more}\n</VirtualHost>\n"
    text = ("MDPortMap http:-\nMDomain yes.example.org\nMDomain no.example.org\nMDomain port.example.org\n" + in_section("MDCAChallenges tls-alpn-01", "wanted.example.org")
            + "".join(host.format(name=f"{name}.example.org", port=port, more="Protocols http/1.1 acme-tls/1" if tls else "")
                      for name, port, tls in (("yes", 443, True), ("no", 443, False), ("port", 8443, True), ("wanted", 8443, True))))
    _, domains = load(m, text, "yes.example.org", "no.example.org", "port.example.org", "wanted.example.org")
    names = {name: domain.get("proto", {}).get("acme-tls/1") for name, domain in domains.items()}
    assert names == {"yes.example.org": ["yes.example.org"], "no.example.org": None, "port.example.org": None, "wanted.example.org": ["wanted.example.org"]}, names
    assert {name for name, domain in domains.items() if "refused" in domain} == {"no.example.org", "port.example.org"}, domains
    assert 'tls-alpn-01 needs "Protocols acme-tls/1"' in domains["no.example.org"]["refused"], domains
    test_apache.clear(m)
