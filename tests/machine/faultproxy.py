# SPDX-License-Identifier: Apache-2.0
"""Stands between a client and the CA, under the CA's own address, and changes what a test says.

It is a thread of the test run with its socket in the machine's network. So a rule can be any function, what was asked is
a list to look at, and a reboot of the machine leaves it as it is. The CA builds its URLs from the Host header, which is handed on as it came.

    proxy.rule(path="finalize", status=500, body="oops", times=2)
    proxy.rule(kind="new-order", problem="rateLimited", headers={"Retry-After": "3"})
    proxy.rule(kind="order", nth=2, replace={"status": "processing"})
    assert proxy.count("new-order") == 1"""

import base64
import contextlib
import http.client
import http.server
import json
import re
import socket
import socketserver
import ssl
import tempfile
import threading
import time

import host

# How Pebble names things; the kinds are those of RFC 8555.
KINDS = (
    ("directory", r"^/dir$"), ("new-nonce", r"^/nonce-plz$"), ("new-account", r"^/sign-me-up$"),
    ("account", r"^/my-account/"), ("new-order", r"^/order-plz$"), ("order", r"^/my-order/"), ("finalize", r"^/finalize-order/"),
    ("authorization", r"^/authZ/"), ("challenge", r"^/chalZ/"), ("certificate", r"^/certZ/"), ("revoke", r"^/revoke-cert$"),
    ("key-change", r"^/rollover-account-key$"), ("renewal-info", r"renewalInfo"),
)


def kind_of(path):
    return next((kind for kind, pattern in KINDS if re.search(pattern, path)), "other")


class Request:
    """What a client asked, and what it was told."""

    def __init__(self, method, path, headers, body, connection):
        self.time = time.time()
        self.method, self.path, self.headers, self.body, self.connection = method, path, headers, body, connection
        self.kind = kind_of(path)
        self.status = None
        self.seconds = None

    @property
    def protected(self):
        """The header of a signed request."""
        return self._part("protected")

    @property
    def payload(self):
        """What was signed; None for POST-as-GET."""
        return self._part("payload")

    def _part(self, name):
        import base64
        text = json.loads(self.body)[name]
        return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))) if text else None

    def __repr__(self):
        return f"{self.method} {self.path} ({self.kind}): {self.status}"


class Answer:
    """What the client gets: 'status', 'headers' (a list of pairs) and 'body'."""

    def __init__(self, status, headers=(), body=b""):
        self.status, self.headers, self.body = status, list(headers), body

    def set(self, name, value):
        self.headers = [(n, v) for n, v in self.headers if n.lower() != name.lower()]
        if value is not None:
            self.headers.append((name, str(value)))

    @property
    def json(self):
        return json.loads(self.body)

    @json.setter
    def json(self, value):
        self.body = json.dumps(value).encode()


class Rule:
    """What is done to which requests. All of 'method', 'kind', 'path' (a regular expression) and 'where' must agree.

    nth      only the nth request that agrees, counted from 1;  times   only so many of them
    status, headers, body    answered by the proxy: the CA never hears of it
    problem  answered with an ACME problem document of that type ('detail' goes with it)
    size     answered with so many bytes
    drop     "before": the connection is closed instead; "after": the CA does what it is asked, then the connection is closed
    delay    so many seconds before the CA is asked;  hold   an event that is waited for
    before   called with the request, before the CA is asked
    replace  fields of the CA's JSON answer that are changed (None removes one)
    change   called with request and answer, changes the answer
    add      headers added to the CA's answer (None removes one)"""

    def __init__(self, method=None, kind=None, path=None, where=None, nth=None, times=None, status=None, headers=None,
                 body=None, problem=None, detail="as the test says", size=None, drop=None, delay=0, hold=None, before=None,
                 replace=None, change=None, add=None):
        self.method, self.kind, self.path, self.where, self.nth, self.times = method, kind, path, where, nth, times
        self.status, self.headers, self.body, self.problem, self.detail = status, headers or {}, body, problem, detail
        self.size, self.drop, self.delay, self.hold, self.before = size, drop, delay, hold, before
        self.replace, self.change, self.add = replace, change, add or {}
        self.seen = 0
        self.used = 0

    def takes(self, request):
        if self.method and request.method != self.method or self.kind and request.kind != self.kind:
            return False
        if self.path and not re.search(self.path, request.path) or self.where and not self.where(request):
            return False
        self.seen += 1
        if self.nth and self.seen != self.nth or self.times is not None and self.used >= self.times:
            return False
        self.used += 1
        return True

    def own_answer(self):
        """The answer that the proxy gives by itself, or None."""
        headers = dict(self.headers)
        if self.problem:
            body = {"type": f"urn:ietf:params:acme:error:{self.problem}", "detail": self.detail, "status": self.status or 403}
            headers.setdefault("Content-Type", "application/problem+json")
            return Answer(self.status or 403, headers.items(), json.dumps(body).encode())
        if self.size is not None:
            return Answer(self.status or 200, headers.items(), b"x" * self.size)
        if self.status is None and self.body is None:
            return None
        body = self.body if self.body is not None else b""
        if isinstance(body, (dict, list)):
            headers.setdefault("Content-Type", "application/json")
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        return Answer(self.status or 200, headers.items(), body)

    def adapt(self, request, answer):
        if self.replace:
            fields = answer.json
            for name, value in self.replace.items():
                if value is None:
                    fields.pop(name, None)
                else:
                    fields[name] = value
            answer.json = fields
        for name, value in self.add.items():
            answer.set(name, value)
        if self.change:
            self.change(request, answer)


class FaultProxy:
    """Listens on 'port' of the machine's network with 'certificate' and hands on to 'upstream', a port there."""

    def __init__(self, network, port, certificate, key, upstream):
        self.network, self.port, self.upstream = network, port, upstream
        self.requests = []
        self.rules = []
        self.fresh = False              # no authorization is to be given out twice
        self.given_out = set()
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._upstream_context = ssl.create_default_context()
        self._upstream_context.check_hostname = False
        self._upstream_context.verify_mode = ssl.CERT_NONE
        self.server = None
        self.use_certificate(certificate, key)
        self.listen()

    def use_certificate(self, certificate, key):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile("w", dir=host.scratch(), suffix=".pem") as file:
            file.write(certificate + key)
            file.flush()
            context.load_cert_chain(file.name)
        self.context = context

    # Turned on and off

    def listen(self):
        server = _Server(("127.0.0.1", self.port), _Handler, bind_and_activate=False)
        server.socket.close()
        server.socket = self.network.socket()
        server.proxy = self
        server.server_bind()
        server.server_activate()
        self.server = server
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self):
        """Nobody listens any more: connections are refused, open ones are cut."""
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server.cut()
            self.server = None

    def close(self):
        self.closing.set()
        self.stop()

    # What a test says

    def rule(self, **how):
        rule = Rule(**how)
        with self._lock:
            self.rules.append(rule)
        return rule

    def clear(self):
        """No rules, nothing seen."""
        with self._lock:
            self.rules.clear()
            self.requests.clear()

    def forget(self, rule):
        with self._lock:
            self.rules.remove(rule)

    # What a test asks

    def seen(self, kind=None, since=0):
        with self._lock:
            return [r for r in self.requests if (kind is None or r.kind == kind) and r.time >= since]

    def count(self, kind=None, since=0):
        return len(self.seen(kind, since))

    def counts(self):
        """How often what was asked."""
        result = {}
        for request in self.seen():
            result[request.kind] = result.get(request.kind, 0) + 1
        return result

    # The work

    def answer(self, request, upstream):
        """The answer to a request, or None when the connection is to be closed."""
        with self._lock:
            self.requests.append(request)
            rules = [rule for rule in self.rules if rule.takes(request)]
        for rule in rules:
            if rule.before:
                rule.before(request)
            if rule.hold:
                while not rule.hold.wait(0.1) and not self.closing.is_set():
                    pass
            if rule.delay:
                self.closing.wait(rule.delay)
            if rule.drop == "before":
                return None
            own = rule.own_answer()
            if own:
                rule.adapt(request, own)
                return own
        answer = upstream.ask(request)
        if self.fresh and self._is_reused(request, answer):
            return self._once_more(request, rules, answer)
        if self._is_lost(request, answer):
            self._uncount(request)
        for rule in rules:
            if rule.drop == "after":
                return None
            rule.adapt(request, answer)
        return answer


    # Pebble, told to reuse no percent of the authorizations, does so for one in a hundred orders all the same. A test that waits for a challenge would wait
    # in vain: the client is told that its nonce was bad, and what it orders again has another authorization. Nobody has seen the first one.

    def _is_reused(self, request, answer):
        if request.kind != "new-order" or answer.status != 201:
            return False
        with self._lock:
            known = set(answer.json["authorizations"]) & self.given_out
            self.given_out.update(answer.json["authorizations"])
        return bool(known)

    def _once_more(self, request, rules, answer):
        self._uncount(request)
        with self._lock:
            for rule in rules:
                rule.seen, rule.used = rule.seen - 1, rule.used - 1
        body = {"type": "urn:ietf:params:acme:error:badNonce", "detail": "an authorization of before", "status": 400}
        told = Answer(400, [("Content-Type", "application/problem+json")], json.dumps(body).encode())
        for name, value in answer.headers:
            if name.lower() == "replay-nonce":
                told.set(name, value)
        return told

    # Nor does it find the certificate that an order replaces, one in some 200, when the serial number's first byte is a zero, which RFC 9773 section 4.1 wants
    # there. The client orders again without saying what it replaces; the first try does not count.

    @staticmethod
    def _is_lost(request, answer):
        if request.kind != "new-order" or answer.status != 500:
            return False
        serial = str(request.payload.get("replaces")).partition(".")[2]
        return base64.urlsafe_b64decode(serial + "==").startswith(b"\0")

    def _uncount(self, request):
        with self._lock:
            self.requests = [r for r in self.requests if r is not request]


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def server_bind(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = self.server_address
        self.connections = set()

    def cut(self):
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request, client_address):
        pass        # a client that goes away is no news


class _Upstream:
    """One connection to the CA for each of the client's."""

    def __init__(self, proxy):
        self.proxy = proxy
        self.connection = None

    def ask(self, request):
        headers = {n: v for n, v in request.headers.items() if n.lower() not in ("connection", "accept-encoding", "expect")}
        for again in (True, False):
            try:
                if not self.connection:
                    plain = self.proxy.network.socket()
                    plain.connect(("127.0.0.1", self.proxy.upstream))
                    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self.connection = http.client.HTTPConnection("127.0.0.1")
                    self.connection.sock = self.proxy._upstream_context.wrap_socket(plain, server_hostname="ca.test")
                self.connection.request(request.method, request.path, request.body or None, headers)
                response = self.connection.getresponse()
                body = response.read()
                break
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if not again:
                    return Answer(502, [("Content-Type", "text/plain")], f"no CA behind the proxy: {error}\n".encode())
        kept = [(n, v) for n, v in response.getheaders()
                if n.lower() not in ("content-length", "connection", "transfer-encoding")]
        return Answer(response.status, kept, body)

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        proxy = self.server.proxy
        self.request.settimeout(300)
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.request = proxy.context.wrap_socket(self.request, server_side=True)
        self.server.connections.add(self.request)
        self.upstream = _Upstream(proxy)
        super().setup()

    def finish(self):
        self.server.connections.discard(self.request)
        self.upstream.close()
        with contextlib.suppress(OSError):
            super().finish()
        self.request.close()

    def log_message(self, *_):
        pass

    def version_string(self):
        return "fault proxy"

    def _serve(self):
        length = int(self.headers.get("Content-Length") or 0)
        request = Request(self.command, self.path, dict(self.headers.items()), self.rfile.read(length) if length else b"",
                          id(self.request))
        answer = self.server.proxy.answer(request, self.upstream)
        request.seconds = time.time() - request.time
        if answer is None:
            self.close_connection = True
            return
        request.status = answer.status
        # One write: headers and body in two of them would wait for each other's acknowledgement.
        lines = [f"HTTP/1.1 {answer.status} {http.client.responses.get(answer.status, 'Unknown')}"]
        lines += [f"{name}: {value}" for name, value in answer.headers]
        if answer.status not in (204, 304):
            lines.append(f"Content-Length: {len(answer.body)}")
        data = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        self.wfile.write(data if self.command == "HEAD" else data + answer.body)

    do_GET = do_POST = do_HEAD = do_PUT = do_DELETE = _serve
