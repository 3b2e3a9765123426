#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""Stands in for the daemon of Tailscale, which needs an account and a network of its own: its local API, as far as certificates go.

It does what the daemon does: HTTP over a Unix socket that everybody may open, only with the Host that it demands, only for root and the user of
TS_PERMIT_CERT_UID as the kernel names the peer, GET /localapi/v0/cert/NAME with type= and min_validity=, errors as lines of text. The certificates are its own.
/run/tailscale/mood.json makes it behave otherwise; /run/tailscale/requests has a line for each request."""

import http.server
import json
import os
import pwd
import re
import socket
import socketserver
import struct
import subprocess
import time
import urllib.parse

HERE = "/run/tailscale"
SOCKET = f"{HERE}/tailscaled.sock"


def openssl(*words, **more):
    return subprocess.run(["openssl", *words], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **more).stdout


def stamp(seconds):
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + seconds))


def mood():
    try:
        with open(f"{HERE}/mood.json", encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return {}


class Certificates:
    """A CA, and the certificates that it made."""

    def __init__(self):
        self.made = {}
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=Tailnet CA", "-days", "100",
                "-keyout", f"{HERE}/ca.key", "-out", f"{HERE}/ca.pem")

    def make(self, name, life, begin=-60):
        key = openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout")       # the older form, as the daemon writes it
        with open(f"{HERE}/leaf.key", "wb") as file:
            file.write(key)
        request = openssl("req", "-new", "-key", f"{HERE}/leaf.key", "-subj", "/", "-addext", f"subjectAltName=DNS:{name}")
        leaf = openssl("x509", "-req", "-CA", f"{HERE}/ca.pem", "-CAkey", f"{HERE}/ca.key", "-copy_extensions", "copy", "-not_before", stamp(begin),
                       "-not_after", stamp(life), input=request)
        with open(f"{HERE}/ca.pem", "rb") as file:
            return key, leaf + file.read(), time.time() + life

    def get(self, name, life, validity):
        if name not in self.made or self.made[name][2] - time.time() < validity:
            self.made[name] = self.make(name, life)
        return self.made[name]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def address_string(self):
        return "local"

    def log_message(self, *_):
        pass

    def say(self, status, text, headers=()):
        body = text.encode() if isinstance(text, str) else text
        self.send_response(status)
        for key, value in headers:
            self.send_header(key, value)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def peer(self):
        return struct.unpack("3i", self.connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1]

    def may_have_certificates(self):
        permitted = os.environ.get("TS_PERMIT_CERT_UID", "")
        try:
            permitted = permitted if permitted.isdigit() else str(pwd.getpwnam(permitted).pw_uid)
        except KeyError:
            permitted = ""
        return self.peer() == 0 or str(self.peer()) == permitted

    def do_GET(self):
        now = mood()
        with open(f"{HERE}/requests", "a", encoding="utf-8") as file:
            file.write(json.dumps([self.path, self.headers.get("Host", ""), self.peer()]) + "\n")
        if self.headers.get("Host", "") not in ("", "local-tailscaled.sock") or "Referer" in self.headers or "Origin" in self.headers:
            self.say(403, "invalid localapi request\n")
            return
        path, _, query = self.path.partition("?")
        if not path.startswith("/localapi/v0/cert/"):
            self.say(404, "404 page not found\n")
            return
        if not self.may_have_certificates():
            self.say(403, "cert access denied\n")
            return
        self.certificate(path.removeprefix("/localapi/v0/cert/"), dict(urllib.parse.parse_qsl(query)), now)

    def certificate(self, name, query, now):
        validity = re.fullmatch(r"(\d+)s", query.get("min_validity", "0s"))
        if "raw" in now:
            self.wfile.write(now["raw"].encode() * now.get("times", 1))
            self.close_connection = True
        elif "silent" in now:
            while "silent" in mood():
                time.sleep(0.05)
        elif "status" in now:
            self.say(now["status"], now["text"], now.get("headers", {}).items())
        elif not validity:
            self.say(400, "invalid validity parameter\n")
        elif not name.endswith(".ts.net"):
            self.say(500, f'invalid domain "{name}"; must be one of ["node.ts.net"]\n')
        else:
            # One that is older than the parameter passes over it.
            wanted = 0 if now.get("old") else int(validity[1])
            if "begin" in now:
                key, chain, _ = self.server.certificates.make(name, now["life"], now["begin"])
            else:
                key, chain, _ = self.server.certificates.get(now.get("name", name), now.get("life", 90 * 86400), wanted)
            if "other-key" in now:
                key = openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout")
            pair = {"pair": key + chain, "key": key}.get(query.get("type"), chain)
            self.say(200, pair[:now.get("cut", len(pair))])


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


os.makedirs(HERE, exist_ok=True)
if os.path.exists(SOCKET):
    os.unlink(SOCKET)
server = Server(SOCKET, Handler, bind_and_activate=False)
server.certificates = Certificates()
server.server_bind()
os.chmod(SOCKET, 0o666)
server.server_activate()
server.serve_forever()
