# SPDX-License-Identifier: Apache-2.0
"""A CA of the test's own with OpenSSL's OCSP responder and lists of revoked certificates, and what a visitor finds stapled."""

import email.utils
import http.server
import json
import re
import socket
import socketserver
import threading
import time

import apache
import managed

CA = "/root/ocsp"
PORT = 8888
FAR = "491231235959Z"


def make(m):
    """Makes the CA, a stranger of the same name, and a responder with a certificate of its own."""
    m.run(["mkdir", "-p", CA])
    request(m, "ca", "/CN=stapling test CA", "-x509", "-days", "3650", "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature")
    request(m, "stranger", "/CN=stapling test CA", "-x509", "-days", "3650", "-addext", "basicConstraints=critical,CA:TRUE")
    issue(m, "delegate", "extendedKeyUsage=OCSPSigning")


def request(m, name, subject, *options):
    m.run(["openssl", "req", "-batch", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{CA}/{name}.key", "-subj", subject,
           "-out", f"{CA}/{name}.pem", *options])


def issue(m, name, extensions=None, port=PORT):
    """A certificate of this CA, with its chain, in NAME.pem; the responder knows it as good."""
    request(m, name, f"/CN={name}")
    text = extensions if extensions is not None else f"subjectAltName=DNS:{name}\nauthorityInfoAccess=OCSP;URI:http://127.0.0.1:{port}/\n"
    m.write(f"{CA}/{name}.ext", text)
    m.run(f"cd {CA} && openssl x509 -req -in {name}.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 300 -extfile {name}.ext -out {name}.crt && cat {name}.crt ca.pem > {name}.pem")


def issue_many(m, names):
    """Certificates of one key, many.key, in NAME.pem."""
    lines = ["set -e", f"cd {CA}", "openssl ecparam -name prime256v1 -genkey -noout -out many.key", "openssl pkey -in many.key -pubout -out many.pub"]
    for i, name in enumerate(names):
        lines += [f"printf 'subjectAltName=DNS:{name}\\nauthorityInfoAccess=OCSP;URI:http://127.0.0.1:{PORT}/\\n' >many.ext",
                  f"openssl x509 -new -force_pubkey many.pub -subj /CN={name} -CA ca.pem -CAkey ca.key -set_serial {1000000 + i} -days 300 -extfile many.ext -out many.crt",
                  f"cat many.crt ca.pem >{name}.pem"]
    m.write(f"{CA}/many.sh", "\n".join(lines) + "\n")
    m.run(["sh", f"{CA}/many.sh"], timeout=300)


def serial(m, name):
    return m.run(["openssl", "x509", "-noout", "-serial", "-in", name if name.startswith("/") else f"{CA}/{name}.pem"]).out.strip().partition("=")[2]


def serials(m, names):
    """Of very many, at once."""
    return m.run("; ".join(f"openssl x509 -noout -serial -in {name if name.startswith('/') else f'{CA}/{name}.pem'}" for name in names), timeout=120).out.replace("serial=", "").split() if names else []


class Responder:
    """openssl ocsp as a unit; another way of answering is another start."""

    def __init__(self, m, port=PORT):
        self.m, self.port, self.unit = m, port, f"responder-{port}"

    def start(self, good=(), revoked=(), signer="ca", life=("-nmin", "5"), ca="ca", options=()):
        self.stop()
        lines = [f"V\t{FAR}\t\t{number}\tunknown\t/CN={name}" for name, number in zip(good, serials(self.m, good))]
        lines += [f"R\t{FAR}\t260101000000Z,superseded\t{serial(self.m, name)}\tunknown\t/CN={name}" for name in revoked]
        self.m.write(f"{CA}/index-{self.port}.txt", "".join(line + "\n" for line in lines))
        # It does not start while what the one before it answered lingers on the port.
        again = ["--property=Restart=always", "--property=RestartSec=200ms", "--property=StartLimitIntervalSec=0"]
        self.m.run(["systemd-run", "--collect", *again, f"--unit={self.unit}", "openssl", "ocsp", "-index", f"{CA}/index-{self.port}.txt", "-port", str(self.port), "-CA", f"{CA}/{ca}.pem",
                    "-rsigner", f"{CA}/{signer}.pem", "-rkey", f"{CA}/{signer}.key", *life, *options])
        self.m.wait_for(lambda: self.m.run(["ss", "-Hltn", f"sport = :{self.port}"]).out.strip(), 90, "the responder")

    def stop(self):
        self.m.run(["systemctl", "stop", f"{self.unit}.service"], check=False)


def stapled(m, name):
    """What a visitor finds stapled: "good", "revoked", or None."""
    out = m.run(f"openssl s_client -connect 127.0.0.1:443 -servername {name} -status </dev/null 2>/dev/null").out
    found = re.search(r"Cert Status: (\w+)", out)
    assert found or "OCSP response: no response sent" in out, out
    return found.group(1) if found else None


def wait_stapled(m, name, status="good", deadline=30):
    m.wait_for(lambda: stapled(m, name) == status, deadline, f"'{status}' stapled by {name}")


def static(m, name, directives="MDStapling on"):
    """A managed domain with a certificate of this CA in files of the administrator's."""
    managed.add(m, name, directives=f"MDCertificateFile {CA}/{name}.pem\nMDCertificateKeyFile {CA}/{name}.key\n{directives}")


def other(m, name, more=""):
    """A virtual host with a certificate that nobody manages."""
    apache.site(m, name, apache.virtual_host(m, name, more=f"SSLCertificateFile {CA}/{name}.pem\nSSLCertificateKeyFile {CA}/{name}.key\n{more}"))


def kept(m, directory):
    """The stored responses of a domain."""
    names = [name for name in managed.files(m, f"ocsp/{directory}") if name.endswith(".json")]
    return [json.loads(m.read(f"{managed.STORE}/ocsp/{directory}/{name}")) for name in names]


def managed_time(text):
    return email.utils.parsedate_to_datetime(text).timestamp()


def m_now(m):
    return float(m.run(["date", "+%s.%N"]).out)


LISTS = "/var/www/crl"


def publish(m, name, revoked=(), life=("-crlhours", "48"), ca="ca"):
    """The CA's list of revoked certificates, at http://127.0.0.1:8890/NAME.crl."""
    m.write(f"{CA}/crl.cnf", "[ca]\ndefault_ca=d\n[d]\ndatabase=/root/ocsp/crl.txt\ncrlnumber=/root/ocsp/crl.number\ndefault_md=sha256\n")
    m.write(f"{CA}/crl.txt", "".join(f"R\t{FAR}\t260101000000Z\t{serial(m, cert)}\tunknown\t/CN={i}\n" for i, cert in enumerate(revoked)))
    m.run(["touch", f"{CA}/crl.txt.attr"])
    m.run(f"cd {CA} && mkdir -p {LISTS} && [ -e crl.number ] || echo 01 >crl.number")
    m.run(f"cd {CA} && openssl ca -config crl.cnf -gencrl {' '.join(life)} -cert {ca}.pem -keyfile {ca}.key -out crl.pem && openssl crl -in crl.pem -outform DER -out {LISTS}/{name}.crl")


def lists(m):
    """A server for lists that is none of ours: Apache, where nothing is managed."""
    apache.site(m, "crl", f"Listen 127.0.0.1:8890\n<VirtualHost 127.0.0.1:8890>\nServerName crl.test\nDocumentRoot {LISTS}\nCustomLog /var/log/apache2/crl.log common\n</VirtualHost>\n")


def fetched(m, name):
    return m.run(f"grep -c 'GET /{name}.crl' /var/log/apache2/crl.log || true").out.strip()


def plant(m, name, extensions, directives=""):
    """A live certificate of the test's CA, as if it had been imported."""
    issue(m, name, f"subjectAltName=DNS:{name}\n{extensions}")
    directory = f"{managed.STORE}/domains/{name}"
    m.run(f"install -d -m 0700 -o md-manager -g md-manager {directory} && install -m 0600 -o md-manager -g md-manager {CA}/{name}.pem {directory}/pubcert.p-256.pem && "
          f"install -m 0600 -o md-manager -g md-manager {CA}/{name}.key {directory}/privkey.p-256.pem")
    managed.add(m, name, directives=f"MDPrivateKeys P-256\n{directives}")


def revocation(m, name):
    """What the bus says of the certificate: source and status; None when nobody is asked."""
    found = managed.show(m, name)["Revocation"]
    return tuple(found[0][1:3]) if found else None


class Front:
    """A responder in the machine's network that is none of OpenSSL's: 'answer' gets method, path and body, and returns status and body. 'asked' is what it was asked."""

    def __init__(self, m, port, answer):
        self.m, self.asked = m, []
        front = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                front.asked.append((self.command, self.path, body))
                status, data = answer(self.command, self.path, body)
                self.close_connection = True
                self.wfile.write(f"HTTP/1.1 {status} Whatever\r\nContent-Type: application/ocsp-response\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n".encode() + data)

            do_GET = do_POST = _serve

            def log_message(self, *_):
                pass

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def __init__(self):
                socketserver.BaseServer.__init__(self, ("127.0.0.1", port), Handler)
                self.socket = m.network.socket()
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                self.socket.bind(self.server_address)
                self.socket.listen(64)

            def handle_error(self, *_):
                pass

        self.server = Server()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        m.beside.append(self)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        if self in self.m.beside:
            self.m.beside.remove(self)


def ask(m, body, port=PORT):
    """The answer of OpenSSL's responder to a request."""
    with m.connect(port) as connection:
        connection.sendall(f"POST / HTTP/1.0\r\nContent-Type: application/ocsp-request\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        data = b""
        while piece := connection.recv(65536):
            data += piece
    return data.partition(b"\r\n\r\n")[2]


def respond(m, name, life=("-nmin", "5"), nonce=False):
    """A response for a certificate, made ahead of time."""
    m.write(f"{CA}/ahead.txt", f"V\t{FAR}\t\t{serial(m, name)}\tunknown\t/CN={name}\n")
    m.run(f"cd {CA} && openssl ocsp -issuer ca.pem -cert {name}.pem {'-nonce' if nonce else '-no_nonce'} -reqout ahead.req && "
          f"openssl ocsp -index ahead.txt -CA ca.pem -rsigner ca.pem -rkey ca.key {' '.join(life)} -reqin ahead.req -respout ahead.der")
    return bytes.fromhex(m.run(["od", "-An", "-v", "-tx1", f"{CA}/ahead.der"]).out.replace(" ", "").replace("\n", ""))
