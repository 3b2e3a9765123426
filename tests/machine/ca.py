# SPDX-License-Identifier: Apache-2.0
"""A certificate authority for the CA's own https address: what a client is told with MDCACertificateFile."""

import tempfile
from pathlib import Path

import host

NAMES = "DNS:ca.test,DNS:localhost,IP:127.0.0.1"


class TestCA:
    """A root certificate and what it signs. The key stays in the test run's scratch directory."""

    def __init__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="ca-", dir=host.scratch()))
        self.certificate = self._make("ca", "/CN=md-manager test root", "-x509", "-days", "3650",
                                      "-addext", "basicConstraints=critical,CA:TRUE",
                                      "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def _make(self, name, subject, *options):
        out = self.directory / f"{name}.pem"
        host.command("openssl", "req", "-batch", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                     "-keyout", self.directory / f"{name}.key", "-subj", subject, "-out", out, *options)
        return out

    def read(self, name):
        return (self.directory / name).read_text(encoding="ascii")

    def issue(self, name, names=NAMES, days=3650):
        """A server certificate and its key, both as PEM text. Not among the names: refused by a client that checks."""
        request = self._make(name, f"/CN={name}")
        extensions = self.directory / f"{name}.ext"
        extensions.write_text(f"subjectAltName={names}\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n",
                              encoding="ascii")
        signed = self.directory / f"{name}-signed.pem"
        host.command("openssl", "x509", "-req", "-in", request, "-CA", self.certificate,
                     "-CAkey", self.directory / "ca.key", "-CAcreateserial", "-days", str(days),
                     "-extfile", extensions, "-out", signed)
        return signed.read_text(encoding="ascii"), self.read(f"{name}.key")
