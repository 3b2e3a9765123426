# SPDX-License-Identifier: Apache-2.0
"""The CA: Pebble, with its DNS server, on the machine's network but not in the machine, so that it stays when the machine reboots.

A machine's clients find it at https://ca.test:14000/dir; the certificate of that address comes from /etc/md-test/ca.pem. The fault
proxy stands there unless 'proxy' says no; Pebble itself is then one port further. Names all resolve to 127.0.0.1."""

import json
import signal
import ssl
import subprocess

import faultproxy
import host
import image
from ca import TestCA
from host import Failure
from machine import _get, poll

DIRECTORY = "https://ca.test:14000/dir"
CA_FILE = "/etc/md-test/ca.pem"
PORT, BEHIND, MANAGEMENT, DNS, DNS_MANAGEMENT = 14000, 14001, 15000, 53, 8055


class Pebble:
    """validity       seconds that certificates live
    reject_nonces  percentage of good nonces that are called bad;  reuse   percentage of authorizations that are reused
    retry_after    seconds that a poll is told to wait, for authorizations and for orders; 0 says nothing
    eab            {key id: base64url key}: accounts need one;  profiles  {name: seconds}: instead of 'validity'
    delays         validation takes a random time up to so many seconds;  strict   as the protocol will be;  environment  whatever else Pebble reads
    dns            the name server that it asks, when that is not to be the one beside it;  ocsp  the URL of a responder, for the certificates"""

    def __init__(self, machine, validity=90 * 86400, proxy=True, reject_nonces=0, reuse=0, retry_after=(0, 0), eab=None,
                 profiles=None, delays=0, blocked=(), strict=False, environment=None, dns=f"127.0.0.1:{DNS}", ocsp=""):
        self.machine = machine
        self.with_proxy = proxy
        self.settings = {"validity": validity, "reject_nonces": reject_nonces, "reuse": reuse, "retry_after": retry_after,
                         "eab": eab, "profiles": profiles, "delays": delays, "blocked": blocked, "strict": strict, "environment": environment,
                         "dns": dns, "ocsp": ocsp}
        self.directory = machine.directory / "pebble"
        self.directory.mkdir()
        self.ca = TestCA()
        self.certificate, self.key = self.ca.issue("ca.test")
        (self.directory / "cert.pem").write_text(self.certificate, encoding="ascii")
        (self.directory / "key.pem").write_text(self.key, encoding="ascii")
        machine.write(CA_FILE, self.ca.read("ca.pem"))
        self.process = None
        self.proxy = None
        self.dns = self._start("pebble-challtestsrv", "-dnsserver", f"127.0.0.1:{DNS}", "-defaultIPv4", "127.0.0.1",
                               "-defaultIPv6", "", "-management", f"127.0.0.1:{DNS_MANAGEMENT}",
                               "-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "")
        machine.beside.append(self)
        self.start()
        if proxy:
            self.proxy = faultproxy.FaultProxy(machine.network, PORT, self.certificate, self.key, BEHIND)
            self.proxy.fresh = not reuse

    def _start(self, program, *arguments, environment=None):
        with open(self.directory / f"{program}.log", "ab") as log:
            return subprocess.Popen(self.machine.network.words(image.pebble() / "usr/bin" / program, *arguments),
                                    stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                    env={"PATH": "/usr/bin:/bin", **(environment or {})})

    def start(self):
        """Starts Pebble. It keeps everything in memory: after a stop it knows no account, and has another root."""
        s = self.settings
        profiles = s["profiles"] or {"default": s["validity"]}
        config = {
            "listenAddress": f"127.0.0.1:{BEHIND if self.with_proxy else PORT}",
            "managementListenAddress": f"127.0.0.1:{MANAGEMENT}",
            "certificate": str(self.directory / "cert.pem"), "privateKey": str(self.directory / "key.pem"),
            "httpPort": 80, "tlsPort": 443, "keyAlgorithm": "rsa" if s["ocsp"] else "ecdsa",    # it hands out RSA keys only
            "domainBlocklist": list(s["blocked"]), "ocspResponderURL": s["ocsp"],
            "retryAfter": {"authz": s["retry_after"][0], "order": s["retry_after"][1]},
            "externalAccountBindingRequired": bool(s["eab"]), "externalAccountMACKeys": s["eab"] or {},
            "profiles": {name: {"description": f"{seconds} seconds", "validityPeriod": seconds}
                         for name, seconds in profiles.items()},
        }
        path = self.directory / "config.json"
        path.write_text(json.dumps({"pebble": config}), encoding="utf-8")
        environment = {"PEBBLE_WFE_NONCEREJECT": str(s["reject_nonces"]), "PEBBLE_AUTHZREUSE": str(s["reuse"])}
        environment |= {"PEBBLE_VA_SLEEPTIME": str(s["delays"])} if s["delays"] else {"PEBBLE_VA_NOSLEEP": "1"}
        environment |= s["environment"] or {}
        if self.proxy:
            self.proxy.fresh = not s["reuse"]
        self.process = self._start("pebble", "-config", path, "-dnsserver", s["dns"],
                                   *(["-strict"] if s["strict"] else []), environment=environment)
        for port in (BEHIND if self.with_proxy else PORT, MANAGEMENT):
            poll(lambda p=port: self.machine.connect(p).close() or True, 15, f"Pebble on port {port}", self.log)
        poll(lambda: self.machine.connect(DNS_MANAGEMENT).close() or True, 15, "the DNS server")

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def restart(self, **changed):
        """Another Pebble with other settings."""
        self.stop()
        self.settings.update(changed)
        self.start()

    def close(self):
        self.stop()
        self.dns.kill()
        self.dns.wait()
        if self.proxy:
            self.proxy.close()

    def log(self):
        return (self.directory / "pebble.log").read_text(encoding="utf-8", errors="replace")[-4000:]

    def _manage(self, path):
        context = ssl.create_default_context(cadata=self.ca.read("ca.pem"))
        connection = context.wrap_socket(self.machine.connect(MANAGEMENT), server_hostname="ca.test")
        status, _, body = _get(connection, f"ca.test:{MANAGEMENT}", path)
        if status != 200:
            raise Failure(f"Pebble's {path}: {status} {body!r}")
        return body.decode()

    def root(self):
        """The root certificate that this Pebble's certificates lead to, as PEM text."""
        return self._manage("/roots/0")

    def intermediate(self):
        return self._manage("/intermediates/0")

    def intermediate_key(self):
        return self._manage("/intermediate-keys/0")

    def status_of(self, serial):
        """What Pebble says of a certificate by its serial number: "Valid" or "Revoked"."""
        return json.loads(self._manage(f"/cert-status-by-serial/{serial}"))["Status"]

    def set_dns(self, call, **values):
        """A call of the DNS server, such as set_dns("set-txt", host="_acme-challenge.example.org.", value="…")."""
        body = json.dumps(values).encode()
        with self.machine.connect(DNS_MANAGEMENT) as connection:
            connection.sendall(f"POST /{call} HTTP/1.1\r\nHost: dns\r\nConnection: close\r\n"
                               f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
            if b" 200 " not in connection.recv(4096).split(b"\r\n", 1)[0]:
                raise Failure(f"the DNS server refused {call} {values}")
