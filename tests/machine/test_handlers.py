# SPDX-License-Identifier: Apache-2.0
"""The ready commands for MDMessageCmd: a web service and a mailbox hear what happens, from the hooks' own sandbox."""

import email
import email.policy
import json

import apache
import managed

PACKAGED = True
STANDS_ON = "test_webhook"

HOOKS = "/usr/lib/md-manager/hooks"
DROP_IN = "/etc/systemd/system/md-hook-.service.d/test.conf"
HEARD = "/var/lib/md-test/heard"

# Writes down what it is sent, a line of JSON each; as many answers as ANSWERS has are errors.
SERVICE = """#!/usr/bin/python3 -B
import http.server, json, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with open("/var/lib/md-test/heard", "a") as file:
            file.write(json.dumps({"path": self.path, "headers": dict(self.headers), "body": body}) + "\\n")
        left = int(open("/var/lib/md-test/errors").read())
        open("/var/lib/md-test/errors", "w").write(str(max(left - 1, 0)))
        self.send_response(500 if left else 204)
        self.end_headers()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 8099), Handler)
print("ready", flush=True)
server.serve_forever()
"""
# As much of a mail server as takes a message.
SMTP = """#!/usr/bin/python3 -B
import json, socketserver
class Handler(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(text.encode() + b"\\r\\n")
    def handle(self):
        self.say("220 mail.example.org")
        envelope = []
        while line := self.rfile.readline().decode().strip():
            word = line.split(":")[0].split()[0].upper()
            if word == "QUIT":
                return self.say("221 bye")
            if word == "DATA":
                self.say("354 go on")
                data = b""
                while (piece := self.rfile.readline()) != b".\\r\\n":
                    data += piece
                with open("/var/lib/md-test/heard", "a") as file:
                    file.write(json.dumps({"envelope": envelope, "message": data.decode()}) + "\\n")
            elif word in ("MAIL", "RCPT"):
                envelope.append(line)
            self.say("250 fine")
server = socketserver.ThreadingTCPServer(("127.0.0.1", 2525), Handler)
print("ready", flush=True)
server.serve_forever()
"""
SENDMAIL = """#!/usr/bin/python3 -B
import json, os, sys
with open("/var/lib/md-test/heard", "a") as file:
    file.write(json.dumps({"arguments": sys.argv[1:], "uid": os.getuid(), "message": sys.stdin.read()}) + "\\n")
"""


def setup(m):
    managed.install(m)
    managed.settings(m, ReloadIntervalSec=1)
    m.run("install -d -m 777 /var/lib/md-test")
    use(m, f"{HOOKS}/md-hook-webhook")
    managed.add(m, "example.org", "www.example.org")
    for name, text in (("service", SERVICE), ("smtp", SMTP)):
        m.write(f"/usr/local/lib/md-test/{name}", text, mode=0o755)
        m.start([f"/usr/local/lib/md-test/{name}"]).wait_line("ready")
    m.write("/etc/md-manager/webhook.url", "http://127.0.0.1:8099/told?by=us\n", mode=0o600)
    m.write("/etc/md-manager/webhook.token", "sesame\n", mode=0o600)
    drop_in(m, "LoadCredential=webhook.url:/etc/md-manager/webhook.url\nLoadCredential=webhook.token:/etc/md-manager/webhook.token\n")
    forget(m)


def use(m, command):
    m.write("/etc/apache2/conf-enabled/hook.conf", f"MDRetryDelay 2s\nMDMessageCmd {command}\n")


def drop_in(m, text):
    m.write(DROP_IN, f"[Service]\n{text}")
    m.run("systemctl daemon-reload")


def forget(m, errors=0):
    m.write("/var/lib/md-test/errors", str(errors), mode=0o666)
    m.write(HEARD, "", mode=0o666)


def heard(m):
    return [json.loads(line) for line in m.read(HEARD).splitlines()]


def run(m, event, code=0):
    result = managed.mdctl(m, "--json=short", "hook", "test", "example.org", event, check=False)
    assert result.rc == code, result
    return json.loads(result.out)[0]


def test_webhook(m):
    """The web service gets the JSON of each event by POST, with the token from a credential; nothing of it is in a command line; errors are tried again."""
    cursor = m.cursor()
    apache.reload(m)
    managed.wait_event(m, "example.org", "installed", cursor)
    m.wait_for(lambda: {json.loads(e["body"])["event"] for e in heard(m)} >= {"renewed", "installed"}, 30, "the web service to hear of both")
    for entry in heard(m):
        body = json.loads(entry["body"])
        assert entry["path"] == "/told?by=us" and entry["headers"]["Content-Type"] == "application/json" and entry["headers"]["Authorization"] == "Bearer sesame", entry
        assert entry["headers"]["User-Agent"].startswith("md-manager/") and body["name"] == "example.org" and body["domains"] == ["example.org", "www.example.org"], entry
        assert body["event"] not in ("renewing", "challenge-setup"), entry
    forget(m, errors=2)
    run(m, "errored")
    assert len(heard(m)) == 3, heard(m)
    forget(m, errors=99)
    report = run(m, "errored", code=1)
    assert any("500" in line for line in report["Output"]), report
    forget(m)
    run(m, "renewing")
    run(m, "challenge-setup:http-01:example.org")
    assert not heard(m), "it vetoes what nobody asked it about"


def test_webhook_without_url(m):
    """Without URL, or with one that is none, the hook fails and says why."""
    drop_in(m, "")
    assert any("There is no URL" in line for line in run(m, "errored", code=1)["Output"])
    for url in ('http://x/"\nheader = "X: y', "ftp://127.0.0.1/", "http://a\\b"):
        result = m.run([f"{HOOKS}/md-hook-webhook", "-u", url, "errored", "example.org"], check=False, stdin="{}")
        assert result.rc == 2 and "URL" in result.err, result
    for words in (["-u", "http://x/", "errored"], ["--frobnicate"], ["-u", "http://x/", "-t", "x", "errored", "example.org"]):
        assert m.run([f"{HOOKS}/md-hook-webhook", *words], check=False, stdin="{}").rc == 2, words


def message(m):
    [entry] = heard(m)
    return entry, email.message_from_bytes(entry["message"].encode(), policy=email.policy.default)


def test_mail(m):
    """Somebody is mailed what should be seen to, by SMTP or by the command sendmail, from the hooks' own sandbox; the rest is left out."""
    use(m, f"{HOOKS}/md-hook-mail -t webmaster@example.org -s smtp://127.0.0.1:2525")
    apache.reload(m)
    m.wait_for(lambda: "md-hook-mail" in m.read(f"{managed.STORE}/servers/apache2.json"), 10, "the snapshot to name the command")
    forget(m)
    cursor = m.cursor()
    m.ca.proxy.rule(kind="new-order", problem="rejectedIdentifier", detail="No, not föö", times=1)
    managed.mdctl(m, "renew", "--force", "example.org", check=False)
    managed.wait_event(m, "example.org", "errored", cursor)
    m.wait_for(lambda: heard(m), 20, "the mail")
    entry, mail = message(m)
    assert [line.partition(" BODY")[0].partition(" SIZE")[0] for line in entry["envelope"]] == [f"MAIL FROM:<{mail['From']}>", "RCPT TO:<webmaster@example.org>"], entry
    assert mail["Subject"] == "[md-manager] example.org: errored" and mail["To"] == "webmaster@example.org" and mail["Date"].datetime, mail.as_string()
    text = mail.get_content()
    assert "No, not föö" in " ".join(text.split()) and "rejectedIdentifier" in text and "mdctl show example.org" in text and "Host:          md-test" in text, text
    forget(m)
    for event in ("renewed", "renewing", "challenge-setup:http-01:example.org", "renewal-info"):
        run(m, event)
    assert not heard(m), heard(m)

    m.write("/usr/sbin/sendmail", SENDMAIL, mode=0o755)
    drop_in(m, "Environment=MD_MAIL_SERVER= MD_MAIL_EVENTS=all\nReadWritePaths=/var/lib/md-test\n")
    use(m, f"{HOOKS}/md-hook-mail")
    apache.reload(m)
    m.wait_for(lambda: "2525" not in m.read(f"{managed.STORE}/servers/apache2.json"), 10, "the snapshot to name the command")
    run(m, "renewed")
    entry, mail = message(m)
    assert entry["arguments"] == ["-i", "-f", mail["From"], "--", "root"] and entry["uid"] == int(m.run("id -u md-hook").out) and mail["Subject"] == "[md-manager] example.org: renewed", entry
    forget(m)
    run(m, "renewing")
    assert not heard(m)
    # One mail for many, which any mail server takes.
    others = " ".join(f"other{i}.example.org" for i in range(200))
    m.run(["busctl", "call", "org.mdmanager1.Launcher", "/org/mdmanager1/Launcher", "org.mdmanager1.Launcher", "RunEvent", "sssa{ss}",
           "example.org", "errored", "message", "1", "MD_OTHERS", others])
    entry, mail = message(m)
    assert mail["Subject"] == "[md-manager] example.org and 200 more: errored", mail["Subject"]
    assert max(map(len, entry["message"].splitlines())) < 100 and " ".join(mail.get_content().split("Also:")[1].split("Event:")[0].split()) == others, entry
    m.run("rm /usr/sbin/sendmail")
    assert any("no command sendmail" in line for line in run(m, "errored", code=1)["Output"])
    for words in (["-t", "a b", "errored", "example.org"], ["-f", "-x", "errored", "example.org"], ["-s", "smtp://a b", "errored", "example.org"], ["errored"], ["errored", "a\nBcc: b"]):
        assert m.run([f"{HOOKS}/md-hook-mail", *words], check=False).rc == 2, words
