# SPDX-License-Identifier: Apache-2.0
"""Local checks: what the CA will try is tried first, where a name leads to this machine; a failure says what is wrong, and the CA never hears of it.

The machine has addresses of its own beside the loopback; Apache listens on some of them."""

import textwrap

import apache
import managed

SUITES = ["trixie", "bookworm"]

SETUP_FAILURE = "urn:org:mdmanager1:challenge-setup-failure"
SERVED, SERVED6, CLOSED, FOREIGN, FRONT, ELSEWHERE = "192.0.2.10", "2001:db8::10", "192.0.2.20", "192.0.2.30", "192.0.2.40", "192.0.2.99"

# Somebody else's web server: it knows only one page, or sends everybody somewhere.
OTHER_SERVER = textwrap.dedent("""\
    #!/usr/bin/python3 -B
    import http.server, os

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            to = open("/run/other-server").read().strip()
            self.send_response(302 if to else 200)
            if to:
                self.send_header("Location", to.replace("PATH", self.path))
            self.end_headers()
            self.wfile.write(b"" if to else b"It is another server.")

    http.server.ThreadingHTTPServer(("192.0.2.30", 80), Handler).serve_forever()
""")


def setup(m):
    managed.install(m)
    for address in (f"{SERVED}/32", f"{SERVED6}/128", f"{CLOSED}/32", f"{FOREIGN}/32", f"{FRONT}/32"):
        m.run(["ip", "address", "add", address, "dev", "lo"])
    listen = ["127.0.0.1:80", f"{SERVED}:80", f"[{SERVED6}]:80", "127.0.0.1:443", f"{SERVED}:443", f"[{SERVED6}]:443", f"{FOREIGN}:443"]
    m.write("/etc/apache2/ports.conf", "".join(f"Listen {where}\n" for where in listen))
    m.write("/etc/apache2/conf-enabled/acme-tls.conf", "Protocols h2 http/1.1 acme-tls/1\n")
    apache.restart(m)
    m.write("/usr/local/bin/other-server", OTHER_SERVER, mode=0o755)
    m.write("/run/other-server", "")
    m.run("systemd-run --unit=other-server /usr/local/bin/other-server")
    m.wait_for(lambda: m.run(["curl", "-s", f"http://{FOREIGN}/"]).out, 20, "the other server")


def resolve(m, name, *addresses):
    v4 = [a for a in addresses if ":" not in a]
    v6 = [a for a in addresses if ":" in a]
    if v4:
        m.ca.set_dns("add-a", host=f"{name}.", addresses=v4)
    if v6:
        m.ca.set_dns("add-aaaa", host=f"{name}.", addresses=v6)


def add(m, name, types, *more):
    """A domain proved by these types; what the CA is asked is counted from here."""
    m.ca.proxy.clear()
    managed.add(m, name, directives="\n".join([f"MDCAChallenges {types}", *more]))
    apache.reload(m)


def wait_problem(m, name):
    return m.wait_for(lambda: managed.show(m, name)["LastProblem"] if managed.show(m, name)["LastProblem"][0] else None, 60,
                      f"a problem of {name}")


def expect_failure(m, name, *texts):
    """The domain's problem is one of the local check, says all this, and the CA was told of no challenge."""
    kind, detail, *_ = wait_problem(m, name)
    assert kind == SETUP_FAILURE, (kind, detail)
    for text in texts:
        assert text in detail, (text, detail)
    assert m.ca.proxy.count("challenge") == 0, m.ca.proxy.counts()
    managed.remove(m, name)
    apache.reload(m)


def test_good(m):
    """A name with an IPv4 and an IPv6 address of this machine is tried at both, by http-01 and by tls-alpn-01, and gets its certificates."""
    for types in ("http-01", "tls-alpn-01"):
        name = f"good-{types}.test"
        resolve(m, name, SERVED, SERVED6)
        add(m, name, types)
        managed.wait_served(m, name, deadline=60)
        assert m.ca.proxy.count("challenge") > 0, m.ca.proxy.counts()


def test_nobody_listens(m):
    """A server that does not listen at the name's address: told with address and port, for both types."""
    for types, port in (("http-01", 80), ("tls-alpn-01", 443)):
        name = f"closed-{types}.test"
        resolve(m, name, CLOSED)
        add(m, name, types)
        expect_failure(m, name, f"can be reached at {CLOSED} port {port}", name)


def test_other_server(m):
    """Another program behind the name's port 80: told with its status and what it says."""
    m.write("/run/other-server", "")
    resolve(m, "foreign.test", FOREIGN)
    add(m, "foreign.test", "http-01")
    expect_failure(m, "foreign.test", f"at {FOREIGN} port 80", "is answered with something else", '"It is another server."')


def test_redirections(m):
    """Redirections are followed as CAs do: to Apache's https it is good, whatever certificate that has; a circle and another port are told."""
    for name, to, *texts in (("circle.test", "http://circle.testPATH", "from one redirection to the next"),
                             ("port.test", "http://port.test:8080PATH", "another port than 80 and 443", "http://port.test:8080/"),
                             ("scheme.test", "ftp://scheme.testPATH", "what is no http or https URL", "ftp://scheme.test/")):
        m.write("/run/other-server", to)
        resolve(m, name, FOREIGN)
        add(m, name, "http-01")
        expect_failure(m, name, *texts)
    m.write("/run/other-server", "https://secure.testPATH")
    resolve(m, "secure.test", FOREIGN)
    add(m, "secure.test", "http-01")
    managed.wait_served(m, "secure.test", deadline=60)


def test_protocol_missing(m):
    """A server without acme-tls/1 is told of as that."""
    m.write("/etc/apache2/conf-enabled/acme-tls.conf", "Protocols http/1.1\n")
    try:
        resolve(m, "old.test", SERVED)
        add(m, "old.test", "tls-alpn-01")
        expect_failure(m, "old.test", f"at {SERVED} port 443", "is acme-tls/1 among its Protocols?")
    finally:
        m.write("/etc/apache2/conf-enabled/acme-tls.conf", "Protocols h2 http/1.1 acme-tls/1\n")
        apache.reload(m)


def test_next_type(m):
    """A type that fails here is given up for the next one before the CA hears of it."""
    m.write("/run/other-server", "")
    resolve(m, "next.test", SERVED)
    m.write("/etc/apache2/ports.conf", m.read("/etc/apache2/ports.conf").replace(f"Listen {SERVED}:80\n", ""))
    apache.restart(m)
    try:
        add(m, "next.test", "http-01 tls-alpn-01")
        managed.wait_served(m, "next.test", deadline=60)
        assert m.ca.proxy.count("challenge") > 0, m.ca.proxy.counts()
        failed = m.journal("MD_NAME=next.test", "MD_EVENT=errored")
        assert not failed, failed
    finally:
        m.write("/etc/apache2/ports.conf", m.read("/etc/apache2/ports.conf") + f"Listen {SERVED}:80\n")
        apache.restart(m)


def test_not_ours(m):
    """A name that leads to another machine is left to the CA, as is everything where MDChallengeCheck is off."""
    for name, address, more in (("elsewhere.test", ELSEWHERE, ()), ("unchecked.test", CLOSED, ("MDChallengeCheck off",))):
        resolve(m, name, address)
        add(m, name, "http-01", *more)
        m.wait_for(lambda: m.ca.proxy.count("challenge") > 0, 60, f"the CA to be told of {name}")
        kind, detail, *_ = wait_problem(m, name)
        assert kind.startswith("urn:ietf:params:acme:error:"), (kind, detail)
        managed.remove(m, name)
        apache.reload(m)


def test_hosts_file(m):
    """A name that only /etc/hosts gives a loopback address is left to the CA: what others see is not known here."""
    hosts = m.read("/etc/hosts")
    apache_listens = m.read("/etc/apache2/ports.conf")
    m.write("/etc/hosts", hosts + "127.0.0.1 hosted.test\n")
    m.write("/etc/apache2/ports.conf", apache_listens.replace("Listen 127.0.0.1:80\n", ""))
    apache.restart(m)
    try:
        add(m, "hosted.test", "http-01")
        m.wait_for(lambda: m.ca.proxy.count("challenge") > 0, 60, "the CA to be told")
    finally:
        m.write("/etc/hosts", hosts)
        m.write("/etc/apache2/ports.conf", apache_listens)
        managed.remove(m, "hosted.test")
        apache.restart(m)


def test_resolver_only(m):
    """Where no name server of the zone can be asked, the resolver is; and what it never sees is left to the CA after the wait, and told."""
    m.write("/usr/local/bin/publish", '#!/bin/sh\n[ "$1" = setup ] && [ "$2" = seen.test ] || exit 0\n'
            'curl -sf -d "{\\"host\\":\\"_acme-challenge.$2.\\",\\"value\\":\\"$3\\"}" http://127.0.0.1:8055/set-txt\n', mode=0o755)
    more = ("MDChallengeDns01 /usr/local/bin/publish", "MDChallengeDns01Wait 2s")
    add(m, "seen.test", "dns-01", *more)
    managed.wait_served(m, "seen.test", deadline=60)
    after = m.cursor()
    add(m, "unseen.test", "dns-01", *more)
    m.wait_for(lambda: m.ca.proxy.count("challenge") > 0, 60, "the CA to be told")
    texts = [e["MESSAGE"] for e in m.journal("MD_NAME=unseen.test", after=after)]
    assert any("No name server of the zone of _acme-challenge.unseen.test can be asked" in text for text in texts), texts
    managed.remove(m, "unseen.test")
    apache.reload(m)


def test_proxy_in_front(m):
    """Behind a proxy of this machine, with MDPortMap for Apache's own port on the loopback, the CA's port is tried as well."""
    m.run(["systemd-run", "--unit=front", f"--socket-property=ListenStream={FRONT}:80", "/usr/lib/systemd/systemd-socket-proxyd", "127.0.0.1:8080"])
    m.write("/etc/apache2/conf-enabled/front.conf", "Listen 127.0.0.1:8080\nMDPortMap 80:8080\n")
    resolve(m, "front.test", FRONT)
    apache.site(m, "front-8080.test", apache.virtual_host(m, "front.test", port=8080, ssl=False))
    try:
        add(m, "front.test", "http-01")
        managed.wait_served(m, "front.test", deadline=60)
    finally:
        m.run("systemctl stop front.socket front.service; rm /etc/apache2/conf-enabled/front.conf")
        apache.no_site(m, "front-8080.test")
        managed.remove(m, "front.test")
        apache.restart(m)
