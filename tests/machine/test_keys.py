# SPDX-License-Identifier: Apache-2.0
"""Several keys of one domain: a certificate for each, ordered in one run."""

import apache
import managed


def setup(m):
    managed.install(m)
    managed.settings(m, ReloadIntervalSec=1)


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


def hashes(m, name):
    """For each key of a domain: the hash of the live one, and of the next one."""
    return {spec: (live, following) for spec, live, following in managed.show(m, name)["KeyHashes"]}


def served_key(m, name, algorithms="ecdsa_secp256r1_sha256"):
    """The hash of the public key that a visitor is shown."""
    return m.run(f"openssl s_client -connect 127.0.0.1:443 -servername {name} -tls1_2 -sigalgs {algorithms} </dev/null 2>/dev/null | "
                 "openssl x509 -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum").out.split()[0]


def renew(m, name):
    """A renewal that somebody asks for, until it is served and over."""
    before = m.certificate(name)
    managed.renew(m, name)
    managed.wait_served(m, name, 60, other_than=before)
    m.wait_for(lambda: managed.show(m, name)["Phase"] == "idle", 30, "the renewal to be finished")


def start(m, name, directives):
    managed.add(m, name, directives=directives)
    apache.reload(m)
    managed.wait_served(m, name, 60)
    m.wait_for(lambda: managed.show(m, name)["Phase"] == "idle", 30, "the renewal to be finished")


def tlsa(m, name):
    """What mdctl prints: pairs of what it is for and the record's data."""
    lines = [line.split(" ; ") for line in managed.mdctl(m, "tlsa", name).out.splitlines()]
    return [(what, data) for data, what in lines]


def test_reuse(m):
    """MDKeyReuse: renewals go on with the key that there is, until its certificate is revoked; that key never comes again."""
    name = "pinned.example.org"
    start(m, name, "MDPrivateKeys secp256r1\nMDKeyReuse on")
    first = served_key(m, name)
    assert hashes(m, name) == {"secp256r1": (first, "")} and tlsa(m, name) == [("secp256r1, live", f"3 1 1 {first}")]
    renew(m, name)
    assert served_key(m, name) == first
    before = m.certificate(name)
    managed.mdctl(m, "revoke", "--reason=keyCompromise", "--reissue", name)
    managed.wait_served(m, name, 60, other_than=before)
    second = served_key(m, name)
    assert second != first and managed.job(m, name)["revoked-keys"] == [first]
    m.wait_for(lambda: managed.show(m, name)["Phase"] == "idle", 30, "the renewal to be finished")
    renew(m, name)
    assert served_key(m, name) == second


def test_reuse_other_spec(m):
    """MDKeyReuse does not keep a key that MDPrivateKeys does not ask for any more."""
    name = "resized.example.org"
    start(m, name, "MDPrivateKeys RSA 2048\nMDKeyReuse on")
    first, before = served_key(m, name, "rsa_pss_rsae_sha256"), m.certificate(name)
    managed.add(m, name, directives="MDPrivateKeys RSA 3072\nMDKeyReuse on")
    apache.reload(m)
    managed.wait_served(m, name, 60, other_than=before)
    assert served_key(m, name, "rsa_pss_rsae_sha256") != first


def test_reuse_while_revoked(m):
    """A renewal that is at work with a key when that is revoked ends, and what it had staged is not used."""
    name = "race.example.org"
    start(m, name, "MDPrivateKeys secp256r1\nMDKeyReuse on")
    first, before = served_key(m, name), m.certificate(name)
    finalize = m.ca.proxy.rule(kind="finalize", status=500, body="the signer is on holiday")
    cursor = m.cursor()
    managed.renew(m, name)
    managed.wait_event(m, name, "errored", cursor, 60)
    assert managed.files(m, f"staging/{name}").count("privkey.secp256r1.pem") == 1
    managed.mdctl(m, "revoke", "--no-reissue", name)
    m.ca.proxy.forget(finalize)
    managed.renew(m, name)
    managed.wait_served(m, name, 60, other_than=before)
    assert served_key(m, name) != first


def test_next_key(m):
    """MDNextKey: the hash that mdctl tlsa shows as the next one's is that of the next certificate, whatever happens in between."""
    name = "dane.example.org"
    start(m, name, "MDPrivateKeys secp256r1 RSA\nMDNextKey on")
    algorithms = {"secp256r1": "ecdsa_secp256r1_sha256", "rsa": "rsa_pss_rsae_sha256"}
    seen = set()
    for turn in ("restart", "failure", "nothing"):
        m.wait_for(lambda: all(following for _, following in hashes(m, name).values()), 30, "the next keys")
        shown = hashes(m, name)
        assert {spec: live for spec, (live, _) in shown.items()} == {spec: served_key(m, name, algorithms[spec]) for spec in algorithms}
        following = {spec: pair[1] for spec, pair in shown.items()}
        assert set(tlsa(m, name)) == {(f"{spec}, {what}", f"3 1 1 {pair[i]}") for spec, pair in shown.items() for i, what in enumerate(("live", "next"))}
        assert not seen & set(following.values()), "a key came again"
        seen |= set(following.values())
        files = m.run(f"stat -c '%a %U %n' {managed.STORE}/reserve/{name}/next-privkey*").out.splitlines()
        assert [line.split()[:2] for line in files] == [["600", "md-manager"]] * 2, files
        if turn == "restart":
            managed.kill(m)
            m.wait_for(lambda: managed.is_known(m, name), 20, "the manager")
        if turn == "failure":
            rule = m.ca.proxy.rule(kind="new-order", status=500, body="not today")
            cursor = m.cursor()
            managed.renew(m, name)
            managed.wait_event(m, name, "errored", cursor, 60)
            assert {spec: pair[1] for spec, pair in hashes(m, name).items()} == following
            m.ca.proxy.forget(rule)
        renew(m, name)
        assert {spec: served_key(m, name, algorithms[spec]) for spec in algorithms} == following, turn
    assert "Next Key: rsa, TLSA 3 1 1" in managed.mdctl(m, "show", name).out


def test_next_key_stands_by(m):
    """With MDKeyReuse as well, the next key waits for a revocation, and then it is used; switched off, it goes away."""
    name = "standby.example.org"
    start(m, name, "MDPrivateKeys secp256r1\nMDKeyReuse on\nMDNextKey on")
    m.wait_for(lambda: hashes(m, name)["secp256r1"][1], 30, "the next key")
    live, following = hashes(m, name)["secp256r1"]
    renew(m, name)
    assert served_key(m, name) == live and hashes(m, name)["secp256r1"] == (live, following)
    before = m.certificate(name)
    managed.mdctl(m, "revoke", "--reissue", name)
    managed.wait_served(m, name, 60, other_than=before)
    assert served_key(m, name) == following
    m.wait_for(lambda: hashes(m, name)["secp256r1"][1] not in ("", live, following), 30, "another next key")
    managed.add(m, name, directives="MDPrivateKeys secp256r1\nMDKeyReuse on")
    apache.reload(m)
    m.wait_for(lambda: hashes(m, name)["secp256r1"][1] == "", 30, "the next key to be forgotten")
    assert not [file for file in managed.files(m, f"reserve/{name}") if "next" in file]
