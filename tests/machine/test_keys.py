# SPDX-License-Identifier: Apache-2.0
"""Several keys of one domain: a certificate for each, ordered in one run."""

import apache
import managed


def setup(m):
    managed.install(m)


def leaf(m, name, algorithms):
    """The key type of the certificate that a client with these signature algorithms is handed."""
    out = m.run(f"openssl s_client -connect 127.0.0.1:443 -servername {name} -tls1_2 -sigalgs {algorithms} </dev/null 2>/dev/null | "
                "openssl x509 -noout -text | grep 'Public Key Algorithm'").out
    return out.split(":")[1].strip()


def test_two_keys(m):
    """An EC and an RSA key: two certificates from one run of the worker, both served to the clients that want them."""
    managed.add(m, "two.example.org", directives="MDPrivateKeys secp256r1 RSA")
    m.ca.proxy.clear()
    apache.reload(m)
    managed.wait_served(m, "two.example.org")
    m.wait_for(lambda: managed.show(m, "two.example.org")["Phase"] == "idle", 20, "the renewal to be finished")
    assert leaf(m, "two.example.org", "ecdsa_secp256r1_sha256") == "id-ecPublicKey"
    assert leaf(m, "two.example.org", "rsa_pss_rsae_sha256") == "rsaEncryption"
    counts = m.ca.proxy.counts()
    assert (counts["directory"], counts["new-account"], counts["new-order"], counts["certificate"]) == (1, 1, 2, 2), counts
    specs = [certificate[0] for certificate in managed.show(m, "two.example.org")["Certificates"]]
    assert sorted(specs) == ["rsa", "secp256r1"], specs


def test_key_added(m):
    """A key that is added later: both certificates are renewed together, and the old one goes on being served meanwhile."""
    managed.add(m, "later.example.org", directives="MDPrivateKeys secp256r1")
    apache.reload(m)
    first = managed.wait_served(m, "later.example.org")
    managed.add(m, "later.example.org", directives="MDPrivateKeys secp256r1 secp384r1")
    apache.reload(m)
    assert managed.is_real(m, "later.example.org"), "the certificate was lost when a key was added"
    managed.wait_served(m, "later.example.org", other_than=first)
    m.wait_for(lambda: len(managed.show(m, "later.example.org")["Certificates"]) == 2, 20, "both certificates")


def has_must_staple(m, name):
    return "TLS Feature" in m.run(f"openssl s_client -connect 127.0.0.1:443 -servername {name} </dev/null 2>/dev/null | openssl x509 -noout -text").out


def test_must_staple(m):
    """MDMustStaple: the certificate has the extension; a CA that leaves it out is told as such, and what is served goes on; switched off, it is renewed without."""
    name = "staple.example.org"
    managed.add(m, name, directives="MDPrivateKeys P-256")
    cursor = m.cursor()
    apache.reload(m)
    managed.wait_event(m, name, "installed", cursor)
    plain = m.read(f"{managed.STORE}/domains/{name}/pubcert.p-256.pem")
    assert not has_must_staple(m, name)
    managed.add(m, name, directives="MDPrivateKeys P-256\nMDMustStaple on")

    def leave_out(_request, answer):
        answer.body = plain.encode()
    rule = m.ca.proxy.rule(kind="certificate", change=leave_out, times=1)
    cursor = m.cursor()
    apache.reload(m)
    failed = managed.wait_event(m, name, "errored", cursor)
    assert rule.used == 1 and not has_must_staple(m, name), failed["MESSAGE"]
    managed.wait_event(m, name, "installed", cursor, deadline=60)
    assert has_must_staple(m, name)
    managed.add(m, name, directives="MDPrivateKeys P-256")
    cursor = m.cursor()
    apache.reload(m)
    managed.wait_event(m, name, "installed", cursor)
    assert not has_must_staple(m, name)
