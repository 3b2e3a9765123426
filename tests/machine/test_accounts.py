# SPDX-License-Identifier: Apache-2.0
"""Accounts at the CA: one for many domains, told what is configured, with another key, given up, found again, bound to external accounts,
and what they revoke."""

import email.utils
import json
import threading
import time

import apache
import hands
import managed
import pebble
from machine import Failure

OURS, ACME = "urn:org:mdmanager1:", "urn:ietf:params:acme:error:"
KID, MAC = "kid-1", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
OTHER_KID, OTHER_MAC = "kid-2", "b10lLJs8l1GPIzsLP0s6pMt8O0XVGnfTaCeROxQM0BIt2XrJMDHJZBM5NuQmQJQH"
WORKER = ("org.mdmanager1", "/org/mdmanager1/worker", "org.mdmanager1.Worker")
CREDENTIAL = "/etc/systemd/system/md-manager.service.d/eab.conf"


def setup(m):
    managed.install(m)


def accounts(m):
    """All accounts as 'mdctl account list' has them, by their ids."""
    return {a["Id"]: a for a in json.loads(managed.mdctl(m, "--json=short", "account", "list").out)}


def valid(m):
    """The one account that is of use."""
    [account] = [a for a in accounts(m).values() if a["Status"] == "valid"]
    return account


def show(m, account):
    return json.loads(managed.mdctl(m, "--json=short", "account", "show", account).out)


def kept(m, account):
    """What account.json says."""
    return json.loads(m.read(f"{managed.STORE}/accounts/{account}/account.json"))


def key_of(m, account, name="account"):
    return m.read(f"{managed.STORE}/accounts/{account}/{name}.pem")


def asked(m, kind):
    """The payloads of all requests of a kind."""
    return [r.payload for r in m.ca.proxy.requests if r.kind == kind]


def have(m, *names, directives=""):
    """Domains with certificates of the CA that is there."""
    for name in names:
        managed.add(m, name, directives=directives)
    apache.reload(m)
    for name in names:
        managed.wait_served(m, name, 60)


def reload(m, name, **wanted):
    """Reloads Apache; returns when the manager knows these members of a domain's settings, which is some time after the reload."""
    def written():
        domains = json.loads(m.read(f"{managed.STORE}/servers/apache2.json"))["managed-domains"]
        settings = next((d for d in domains if d["name"] == name), {})
        return all(settings.get(member) == value for member, value in wanted.items())
    apache.reload(m)
    m.wait_for(written, 20, f"the snapshot to say {wanted} of {name}")
    managed.check(m)


def set_contact(m, address="admin@example.org"):
    managed.set_globally(m, MDContactEmail=address)
    reload(m, "two.test", contacts=[f"mailto:{address}"])


def set_binding(m, *words):
    managed.set_globally(m, MDExternalAccountBinding=" ".join(words))
    eab = {"credential": words[0][11:]} if words[0].startswith("credential:") else {"kid": words[0], "hmac": words[1]}
    reload(m, "one.test", eab=eab)


def renew(m, name, ok=True):
    """Renews by force, and waits for the end."""
    result = managed.mdctl(m, "renew", "--force", name, check=False)
    assert (result.rc == 0) == ok, str(result)
    return result


def ensure(m):
    """A domain with an account, when a test is run without those before it."""
    if not managed.is_known(m, "one.test"):
        have(m, "one.test", "two.test")


def test_one_account(m):
    """Eight domains that begin at once register one account, and the bus says which domains use it."""
    m.ca.proxy.clear()
    names = [f"{word}.test" for word in ("one", "two", "three", "four", "five", "six", "seven", "eight")]
    have(m, *names)
    assert m.ca.proxy.count("new-account") == 1, m.ca.proxy.counts()
    [(name, account)] = accounts(m).items()
    assert sorted(account["Domains"]) == sorted(names) and account["Status"] == "valid" and account["Algorithm"] == "ES256", account
    shown = show(m, name)
    assert shown["Contacts"] == ["mailto:admin@example.org"] and shown["CertificateAuthority"] == pebble.DIRECTORY, shown
    assert shown["URL"].startswith("https://ca.test:14000/my-account/") and shown["Job"] == "/" and not shown["ChangingKey"], shown
    assert shown["Agreement"].startswith("data:text/plain") or shown["Agreement"].startswith("https://"), shown
    assert m.run(f"stat -c '%U %a' {managed.STORE}/accounts/{name} {managed.STORE}/accounts/{name}/*").out.split("\n")[:3] == \
        ["md-manager 700", "md-manager 600", "md-manager 600"]
    for other in names[2:]:
        managed.remove(m, other)
    apache.reload(m)


def test_contacts(m):
    """Contacts that change are told to the CA before the next order, those of all domains together, and once."""
    ensure(m)
    account = valid(m)["Id"]
    managed.add(m, "one.test", directives="MDContactEmail one@example.org")
    set_contact(m, "other@example.org")
    m.ca.proxy.clear()
    renew(m, "two.test")
    both = ["mailto:one@example.org", "mailto:other@example.org"]
    assert asked(m, "account") == [{"contact": both}], asked(m, "account")
    assert kept(m, account)["contact"] == both and show(m, account)["Contacts"] == both
    m.ca.proxy.clear()
    renew(m, "one.test")
    renew(m, "two.test")
    assert asked(m, "account") == [], asked(m, "account")
    m.ca.proxy.clear()
    managed.add(m, "one.test")
    set_contact(m)
    managed.mdctl(m, "account", "update", account)
    assert asked(m, "account") == [{"contact": ["mailto:admin@example.org"]}], asked(m, "account")


def test_contacts_refused(m):
    """A CA that refuses the contacts gets the order all the same, and is told again with the next one."""
    ensure(m)
    account = valid(m)["Id"]
    set_contact(m, "third@example.org")
    m.ca.proxy.clear()
    m.ca.proxy.rule(kind="account", problem="invalidContact", status=400, times=1)
    renew(m, "one.test")
    assert kept(m, account)["contact"] == ["mailto:admin@example.org"], kept(m, account)
    renew(m, "one.test")
    assert kept(m, account)["contact"] == ["mailto:third@example.org"], kept(m, account)
    m.ca.proxy.clear()
    set_contact(m)
    renew(m, "one.test")


def lose_url(m, account):
    path = f"{managed.STORE}/accounts/{account}/account.json"
    data = json.loads(m.read(path))
    url = data.pop("url")
    m.write(path, json.dumps(data), 0o600, "md-manager:md-manager")
    managed.check(m)
    assert show(m, account)["URL"] == ""
    return url


def test_found_by_key(m):
    """An account whose URL was lost is found by its key, by hand and with the next order, and none is made."""
    ensure(m)
    account = valid(m)["Id"]
    url = lose_url(m, account)
    m.ca.proxy.clear()
    managed.mdctl(m, "account", "update", account)
    assert asked(m, "new-account") == [{"onlyReturnExisting": True}], asked(m, "new-account")
    assert kept(m, account)["url"] == url
    lose_url(m, account)
    renew(m, "one.test")
    assert kept(m, account)["url"] == url and list(accounts(m)) == [account]


def test_rollover(m):
    """A key change: the CA takes the new key, the file follows, and orders go on with the account that there was."""
    ensure(m)
    account, url = valid(m)["Id"], valid(m)["URL"]
    before = key_of(m, account)
    managed.mdctl(m, "account", "rollover", account)
    assert key_of(m, account) != before and not m.exists(f"{managed.STORE}/accounts/{account}/account.next.pem")
    renew(m, "one.test")
    assert valid(m)["URL"] == url and not show(m, account)["ChangingKey"]


def test_rollover_answer_lost(m):
    """The CA changes the key and its answer is lost: it is asked which key it knows, and that one counts."""
    ensure(m)
    account, before = valid(m)["Id"], key_of(m, valid(m)["Id"])
    m.ca.proxy.clear()
    m.ca.proxy.rule(kind="key-change", drop="after")
    result = managed.mdctl(m, "account", "rollover", account, check=False)
    assert result.rc == 1, str(result)
    m.wait_for(lambda: not show(m, account)["ChangingKey"], 60, "the CA to be asked for the new key")
    assert key_of(m, account) != before
    assert {"onlyReturnExisting": True} in asked(m, "new-account"), m.ca.proxy.requests
    m.ca.proxy.clear()
    renew(m, "one.test")


def test_rollover_refused(m):
    """A CA that does not change the key: the one that is there goes on counting."""
    ensure(m)
    account, before = valid(m)["Id"], key_of(m, valid(m)["Id"])
    m.ca.proxy.clear()
    m.ca.proxy.rule(kind="key-change", problem="unauthorized", detail="not today")
    result = managed.mdctl(m, "account", "rollover", account, check=False)
    assert result.rc == 1 and "not today" in result.out, str(result)
    m.wait_for(lambda: not show(m, account)["ChangingKey"], 60, "the CA to be asked for the new key")
    assert key_of(m, account) == before
    m.ca.proxy.clear()
    renew(m, "one.test")


def test_rollover_and_a_crash(m):
    """The manager dies when the CA has changed the key and nobody has heard of it: after its start the new key counts."""
    ensure(m)
    account, before = valid(m)["Id"], key_of(m, valid(m)["Id"])
    m.ca.proxy.clear()
    changed, go_on = threading.Event(), threading.Event()

    def hold_answer(request, answer):
        changed.set()
        go_on.wait(60)

    m.ca.proxy.rule(kind="key-change", change=hold_answer)
    managed.mdctl(m, "--no-wait", "account", "rollover", account)
    if not changed.wait(60):
        raise Failure("the CA was not asked")
    assert m.exists(f"{managed.STORE}/accounts/{account}/account.next.pem") and key_of(m, account) == before
    new = key_of(m, account, "account.next")
    managed.kill(m)
    go_on.set()
    m.wait_for(lambda: key_of(m, account) == new, 60, "the new key to count")
    assert not m.exists(f"{managed.STORE}/accounts/{account}/account.next.pem")
    m.ca.proxy.clear()
    renew(m, "one.test")


def test_rollover_arrives_late(m):
    """The manager dies while the request for another key is on its way, and asks the CA before it arrives: both keys are kept, and the one that the CA takes in the end counts."""
    ensure(m)
    managed.settings(m, StepTimeoutSec=20)
    account, url = valid(m)["Id"], valid(m)["URL"]
    before = key_of(m, account)
    m.ca.proxy.clear()
    on_its_way = threading.Event()
    rule = m.ca.proxy.rule(kind="key-change", hold=on_its_way, times=1)
    managed.mdctl(m, "--no-wait", "account", "rollover", account)
    m.wait_for(lambda: rule.used, 60, "the request to be on its way")
    cursor = m.cursor()
    m.run("systemctl kill --signal=KILL md-manager.service 'md-acme-batch@*.service'")
    m.wait_journal("_SYSTEMD_UNIT=md-manager.service", after=cursor, deadline=60, where=lambda e: "both are kept" in e["MESSAGE"])
    assert key_of(m, account) == before and show(m, account)["ChangingKey"]
    refused = managed.mdctl(m, "account", "rollover", account, check=False)
    assert refused.rc != 0 and "cut off" in refused.out + refused.err, refused
    new = key_of(m, account, "account.next")
    renew(m, "one.test")                            # the old key serves
    on_its_way.set()
    m.wait_for(lambda: len(m.ca.proxy.seen("key-change")) == 1 and key_of(m, account) == new, 120, "the new key to count")
    assert not m.exists(f"{managed.STORE}/accounts/{account}/account.next.pem")
    renew(m, "one.test")
    assert valid(m)["URL"] == url and not show(m, account)["ChangingKey"]


def test_rollover_never_arrives(m):
    """… and if it never arrives, the old key goes on counting, and the new one is forgotten when there is no doubt any more."""
    ensure(m)
    managed.settings(m, StepTimeoutSec=10)
    account = valid(m)["Id"]
    before = key_of(m, account)
    m.ca.proxy.clear()
    m.ca.proxy.rule(kind="key-change", drop="before")
    cursor = m.cursor()
    assert managed.mdctl(m, "account", "rollover", account, check=False).rc == 1
    m.wait_journal("_SYSTEMD_UNIT=md-manager.service", after=cursor, deadline=60, where=lambda e: "both are kept" in e["MESSAGE"])
    assert show(m, account)["ChangingKey"]
    m.wait_for(lambda: not show(m, account)["ChangingKey"], 60, "the end of the doubt")
    assert key_of(m, account) == before and not m.exists(f"{managed.STORE}/accounts/{account}/account.next.pem")
    m.ca.proxy.clear()
    renew(m, "one.test")


def serial_of(m, name):
    return managed.show(m, name)["Certificates"][0][2]


def test_revoke(m):
    """mdctl revoke: the CA's own books say Revoked, the reason was told, and once more is no failure."""
    ensure(m)
    serial = serial_of(m, "one.test")
    m.ca.proxy.clear()
    managed.mdctl(m, "revoke", "--reason=superseded", "--no-reissue", "one.test")
    assert m.ca.status_of(serial) == "Revoked"
    [request] = [r for r in m.ca.proxy.requests if r.kind == "revoke"]
    assert request.payload["reason"] == 4 and "kid" in request.protected, request.payload
    managed.mdctl(m, "revoke", "--no-reissue", "one.test")
    result = managed.mdctl(m, "revoke", "--reason=because", "one.test", check=False)
    assert result.rc == 2 and "'because' is no reason" in result.err, str(result)


def test_revoke_by_certificate_key(m):
    """The certificate's own key says it: when that is asked for, and when the account is gone."""
    ensure(m)
    renew(m, "one.test")
    serial = serial_of(m, "one.test")
    m.ca.proxy.clear()
    managed.mdctl(m, "revoke", "--by-certificate-key", "--reason=keyCompromise", "--no-reissue", "one.test")
    [request] = [r for r in m.ca.proxy.requests if r.kind == "revoke"]
    assert m.ca.status_of(serial) == "Revoked" and "jwk" in request.protected and request.payload["reason"] == 1

    serial, account = serial_of(m, "two.test"), valid(m)["Id"]
    m.run(f"mv {managed.STORE}/accounts/{account} /run/lost-account")
    managed.check(m)
    assert accounts(m) == {}
    m.ca.proxy.clear()
    managed.mdctl(m, "revoke", "--no-reissue", "two.test")
    [request] = [r for r in m.ca.proxy.requests if r.kind == "revoke"]
    assert m.ca.status_of(serial) == "Revoked" and "jwk" in request.protected
    m.run(f"mv /run/lost-account {managed.STORE}/accounts/{account}")
    managed.check(m)


def test_revoke_all_keys(m):
    """A domain with two keys: both certificates are revoked by one job; where the CA does not take the account's word, each by its own key."""
    have(m, "keys.test", directives="MDPrivateKeys secp256r1 secp384r1")
    for refused in (False, True):
        renew(m, "keys.test")
        serials = [c[2] for c in managed.show(m, "keys.test")["Certificates"]]
        m.ca.proxy.clear()
        if refused:
            m.ca.proxy.rule(kind="revoke", problem="unauthorized", where=lambda r: "kid" in r.protected)
        managed.mdctl(m, "revoke", "--no-reissue", "keys.test")
        assert len(serials) == 2 and [m.ca.status_of(serial) for serial in serials] == ["Revoked", "Revoked"], serials
        signed = ["kid" if "kid" in r.protected else r.protected["alg"] for r in m.ca.proxy.requests if r.kind == "revoke"]
        assert signed == (["kid", "ES256", "ES384"] if refused else ["kid", "kid"]), signed
    m.ca.proxy.clear()
    managed.remove(m, "keys.test")
    apache.reload(m)


def test_reissue(m):
    """mdctl revoke: another certificate with another key is served soon after; with --no-reissue, or when the names are given up, none is ordered."""
    ensure(m)
    m.wait_for(lambda: managed.show(m, "one.test")["Served"], 60, "the reload for what was renewed before")
    m.ca.proxy.clear()
    for words in (["--no-reissue"], ["--reason=cessationOfOperation"]):
        said = managed.mdctl(m, "revoke", *words, "one.test")
        assert said.out.strip() == "one.test: Revoked.", said
        assert managed.show(m, "one.test")["Reason"] != "revoked" and not m.ca.proxy.count("new-order")
        assert [fault for name, fault in managed.check(m) if name == "one.test" and "was revoked, and no other one was ordered" in fault], managed.check(m)
    assert managed.mdctl(m, "revoke", "--reissue", "--no-reissue", "one.test", check=False).rc == 2
    renew(m, "one.test")
    m.wait_for(lambda: managed.show(m, "one.test")["Served"], 60, "the newest certificate to be served")
    m.wait_for(lambda: "one.test" not in dict(managed.check(m)), 20, "nothing to be wrong with it")
    before = m.certificate("one.test")
    key = m.read(f"{managed.STORE}/domains/one.test/privkey.pem")
    assert "on their way" in managed.mdctl(m, "revoke", "one.test").out
    managed.wait_served(m, "one.test", 60, other_than=before)
    assert m.read(f"{managed.STORE}/domains/one.test/privkey.pem") != key


def test_deactivate(m):
    """A deactivated account is of no use at the CA; the next order registers another, and the old one stays for the record."""
    ensure(m)
    account = valid(m)["Id"]
    managed.mdctl(m, "account", "deactivate", account)
    assert kept(m, account)["status"] == "deactivated" and show(m, account)["Status"] == "deactivated"
    result = managed.mdctl(m, "account", "rollover", account, check=False)
    assert result.rc == 3 and "deactivated" in result.err, str(result)
    m.ca.proxy.clear()
    renew(m, "one.test")
    assert m.ca.proxy.count("new-account") == 1 and valid(m)["Id"] != account


def test_register(m):
    """mdctl account register makes an account where none serves, and says so where one does."""
    ensure(m)
    result = managed.mdctl(m, "account", "register", pebble.DIRECTORY, check=False)
    assert result.rc == 3 and valid(m)["Id"] in result.err, str(result)
    managed.mdctl(m, "account", "deactivate", valid(m)["Id"])
    m.ca.proxy.clear()
    managed.mdctl(m, "account", "register", pebble.DIRECTORY, "--contact=by.hand@example.org")
    [payload] = asked(m, "new-account")
    assert payload == {"termsOfServiceAgreed": True, "contact": ["mailto:admin@example.org", "mailto:by.hand@example.org"]}, payload
    assert valid(m)["Domains"] == []
    renew(m, "one.test")
    assert valid(m)["Domains"] == ["one.test"] and m.ca.proxy.count("new-account") == 1


def test_permission(m):
    """Everybody may look; who may not change accounts or revoke is told so, and nothing is done."""
    ensure(m)
    account = valid(m)["Id"]
    m.ca.proxy.clear()
    assert account in managed.mdctl(m, "account", "list", user="nobody").out
    for words in (["account", "deactivate", account], ["account", "register", pebble.DIRECTORY], ["revoke", "one.test"]):
        result = managed.mdctl(m, "--no-ask-password", *words, user="nobody", check=False)
        assert result.rc == 4, str(result)
    for words in (["account", "burn"], ["account", "show"], ["account", "list", account], ["account", "list", "--agree"], ["list", "--reissue"]):
        assert managed.mdctl(m, *words, check=False).rc == 2, words
    assert managed.mdctl(m, "account", "show", "nobody", check=False).rc == 1
    assert m.ca.proxy.requests == []


def test_rejected_and_not_writable(m):
    """An account that the CA forgot, and that cannot be marked so: an error, and no request without end."""
    ensure(m)
    account = valid(m)["Id"]
    m.ca.restart()
    m.run(f"chown root:root {managed.STORE}/accounts/{account}; chmod 755 {managed.STORE}/accounts/{account}; chmod 644 {managed.STORE}/accounts/{account}/*")
    m.ca.proxy.clear()
    result = renew(m, "one.test", ok=False)
    assert OURS + "store-error" in result.out, str(result)
    assert m.ca.proxy.count("new-account") == 0 and m.ca.proxy.count("new-order") <= 2, m.ca.proxy.counts()
    m.run(f"chown -R md-manager:md-manager {managed.STORE}/accounts/{account}; chmod 700 {managed.STORE}/accounts/{account}; chmod 600 {managed.STORE}/accounts/{account}/*")
    renew(m, "one.test")
    assert kept(m, account)["status"] == "unknown" and valid(m)["Id"] != account


def test_rejected_by_two(m):
    """Two domains learn that the CA forgot their account, one after the other was given a new one: one registration, and no failed attempt."""
    ensure(m)
    account = valid(m)["Id"]
    m.ca.restart()
    m.ca.proxy.clear()
    go_on = threading.Event()
    held = m.ca.proxy.rule(kind="new-order", nth=1, hold=go_on)
    cursor = m.cursor()
    try:
        managed.renew(m, "two.test")
        m.wait_for(lambda: held.used, 20, "two.test to ask for an order")
        renew(m, "one.test")
    finally:
        go_on.set()
    managed.wait_event(m, "two.test", "installed", cursor, deadline=60)
    assert m.ca.proxy.count("new-account") == 1, m.ca.proxy.counts()
    assert kept(m, account)["status"] == "unknown" and valid(m)["Domains"] == ["one.test", "two.test"]
    assert not m.journal("MD_NAME=two.test", "MD_EVENT=errored", after=cursor)


def lie(m, name, register=True):
    """A worker that is not ours any more says of the account that the CA does not know it, and of another that it is registered: the error that the manager answers with, if any."""
    ca = pebble.DIRECTORY.rpartition("/")[0]
    unknown = json.dumps({"problem": ACME + "accountDoesNotExist", "detail": "who is that?", "status": 400})
    with hands.take_place(m, f"md-renew@{name}.service", "liar") as hand:
        managed.renew(m, name)
        hand.wait_here()
        hand.call(*WORKER, "Open")
        hand.call(*WORKER, "Directory", "a{sv}", {"new-account": ("s", f"{ca}/sign-me-up"), "new-order": ("s", f"{ca}/order-plz")})
        hand.call(*WORKER, "Sign", "sss", "new-order", f"{ca}/order-plz", "bm9uY2U")
        answer = hand.call_error(*WORKER, "AccountRejected", "s", unknown)
        if not answer and register:
            hand.call(*WORKER, "Sign", "sss", "new-account", f"{ca}/sign-me-up", "bm9uY2U")
            hand.call(*WORKER, "AccountCreated", "s", f"{ca}/my-account/nobody")
        hand.call(*WORKER, "Close", "s", "")
    return answer


def forget_others(m, account):
    """Accounts that came of a test."""
    for other in m.run(["ls", f"{managed.STORE}/accounts"]).out.split():
        if other != account:
            m.run(["rm", "-r", f"{managed.STORE}/accounts/{other}"])
    m.run("systemctl restart md-manager")
    assert list(accounts(m)) == [account]


def test_lie(m):
    """A worker lies that the CA does not know the account: an update of the account takes it back, and where no other one is registered it comes back by itself."""
    ensure(m)
    hands.install(m)
    account, url = valid(m)["Id"], valid(m)["URL"]
    forget_others(m, account)
    assert lie(m, "two.test") is None and kept(m, account)["status"] == "unknown"
    result = managed.mdctl(m, "account", "rollover", account, check=False)
    assert result.rc == 3 and f"mdctl account update {account}" in result.err, str(result)
    managed.mdctl(m, "account", "update", account)
    assert kept(m, account)["status"] == "valid" and "rejected" not in kept(m, account)
    m.ca.proxy.clear()
    renew(m, "one.test")
    assert m.ca.proxy.count("new-account") == 0 and show(m, account)["URL"] == url
    # No other one is even asked for.
    forget_others(m, account)
    cursor = m.cursor()
    assert lie(m, "two.test", register=False) is None
    m.wait_journal("_SYSTEMD_UNIT=md-manager.service", after=cursor, where=lambda e: f"account {account}" in e["MESSAGE"] and "tried again" in e["MESSAGE"])
    renew(m, "one.test")
    assert kept(m, account)["status"] == "valid" and m.ca.proxy.count("new-account") == 0, m.ca.proxy.counts()
    # An external account that is good for one registration: the CA makes no other, and no administrator says anything.
    forget_others(m, account)
    assert lie(m, "two.test") is None and kept(m, account)["status"] == "unknown"
    m.ca.proxy.rule(kind="new-account", problem="unauthorized", detail="this key was used before")
    fails(m, "one.test", ACME + "unauthorized", "this key was used before")
    renew(m, "one.test")
    assert kept(m, account)["status"] == "valid" and m.ca.proxy.count("new-account") == 1, m.ca.proxy.counts()
    m.ca.proxy.clear()
    forget_others(m, account)
    renew(m, "two.test")


def test_lies(m):
    """Workers give up one account after the other: only so many within a day, and then the one that there is stays."""
    ensure(m)
    hands.install(m)
    account = valid(m)["Id"]
    forget_others(m, account)
    text = kept(m, account)

    def have_rejected(when):
        for i in range(10):
            path = f"{managed.STORE}/accounts/ACME-ca.test-9{i:03}"
            m.run(f"rm -rf {path}; cp -a {managed.STORE}/accounts/{account} {path}")
            rejected = {"status": "unknown", "url": f"{text['url']}{i}", "rejected": email.utils.formatdate(when, usegmt=True)}
            m.write(f"{path}/account.json", json.dumps(text | rejected), 0o600, "md-manager:md-manager")
    have_rejected(time.time())
    assert lie(m, "two.test") == "org.mdmanager1.Error.Failed" and kept(m, account)["status"] == "valid"
    have_rejected(time.time() - 25 * 3600)
    assert lie(m, "two.test") is None and kept(m, account)["status"] == "unknown"
    managed.mdctl(m, "account", "update", account)
    forget_others(m, account)
    m.ca.proxy.clear()
    renew(m, "two.test")
    assert m.ca.proxy.count("new-account") == 0 and list(accounts(m)) == [account]


# --- External accounts; from here on the CA wants one ---

def with_binding(m):
    if not m.ca.settings["eab"]:
        m.ca.restart(eab={KID: MAC, OTHER_KID: OTHER_MAC})


def fails(m, name, kind, *words):
    result = renew(m, name, ok=False)
    shown = managed.show(m, name)
    assert shown["LastProblem"][0] == kind, shown["LastProblem"]
    for word in words:
        assert word in shown["LastProblem"][1], (word, shown["LastProblem"])
    assert MAC not in result.out + result.err + json.dumps(shown)


def test_binding_missing(m):
    """A CA that wants an external account, and none is configured: the problem says what to write, and the CA is not asked."""
    ensure(m)
    with_binding(m)
    m.ca.proxy.clear()
    fails(m, "one.test", ACME + "externalAccountRequired", "MDExternalAccountBinding KEY-ID HMAC-KEY")
    assert m.ca.proxy.count("new-account") == 0, m.ca.proxy.counts()


def test_binding_bad(m):
    """An HMAC key that is no base64url is found before anybody is asked; a wrong one is what the CA says."""
    ensure(m)
    with_binding(m)
    set_binding(m, KID, "not*base64")
    m.ca.proxy.clear()
    fails(m, "one.test", OURS + "eab-invalid", "MDExternalAccountBinding", "is not base64url")
    assert m.ca.proxy.requests == [], m.ca.proxy.requests
    set_binding(m, KID, OTHER_MAC)
    fails(m, "one.test", ACME + "unauthorized")
    assert not [a for a in accounts(m).values() if a["URL"] and a["Status"] == "valid"]


def test_binding(m):
    """Key id and HMAC key from Apache's configuration; another binding has another account, and each serves only its domains."""
    ensure(m)
    with_binding(m)
    managed.add(m, "two.test", directives=f"MDExternalAccountBinding {OTHER_KID} {OTHER_MAC}")
    set_binding(m, KID, MAC)
    m.ca.proxy.clear()
    renew(m, "one.test")
    renew(m, "two.test")
    assert m.ca.proxy.count("new-account") == 2, m.ca.proxy.counts()
    users = {show(m, a)["ExternalAccount"]: accounts(m)[a]["Domains"] for a in accounts(m) if accounts(m)[a]["Status"] == "valid" and accounts(m)[a]["URL"]}
    assert users == {KID: ["one.test"], OTHER_KID: ["two.test"]}, users
    renew(m, "one.test")
    renew(m, "two.test")
    assert m.ca.proxy.count("new-account") == 2, m.ca.proxy.counts()
    managed.add(m, "two.test")
    reload(m, "two.test", eab={"kid": KID, "hmac": MAC})


def test_binding_file(m):
    """A file that Apache reads names key id and HMAC key; its account is the one that there is for them."""
    ensure(m)
    with_binding(m)
    m.write("/etc/apache2/eab.json", json.dumps({"kid": KID, "hmac": MAC}), 0o600)
    managed.set_globally(m, MDExternalAccountBinding="/etc/apache2/eab.json")
    reload(m, "one.test", eab={"kid": KID, "hmac": MAC})
    renew(m, "one.test")
    [account] = [a for a in accounts(m).values() if a["Domains"] == ["one.test"]]
    assert show(m, account["Id"])["ExternalAccount"] == KID


def test_binding_credential(m):
    """A systemd credential of md-manager.service holds both: a clear problem as long as it is not there, then an account."""
    ensure(m)
    with_binding(m)
    set_binding(m, "credential:acme-eab")
    m.ca.proxy.clear()
    fails(m, "one.test", OURS + "eab-invalid", "'acme-eab'", "LoadCredential=")
    assert m.ca.proxy.requests == [], m.ca.proxy.requests
    m.write("/etc/md-manager/eab.json", "no JSON", 0o600)
    m.write(CREDENTIAL, "[Service]\nLoadCredential=acme-eab:/etc/md-manager/eab.json\n")
    m.run("systemctl daemon-reload && systemctl restart md-manager")
    fails(m, "one.test", OURS + "eab-invalid", "it is no JSON object")
    m.write("/etc/md-manager/eab.json", json.dumps({"kid": KID, "hmac": MAC}), 0o600)
    m.run("systemctl restart md-manager")
    renew(m, "one.test")
    [account] = [a for a in accounts(m).values() if a["Domains"] == ["one.test"]]
    assert show(m, account["Id"])["ExternalAccount"] == KID


def test_binding_is_secret(m):
    """Nobody but root and the manager can read the HMAC key: not in files, not in the journal, not on the bus, not from mdctl."""
    ensure(m)
    with_binding(m)
    set_binding(m, KID, MAC)
    renew(m, "one.test")
    for user in ("nobody", "www-data", "md-acme"):
        found = m.run(f"grep -rlsF {MAC} /var/lib/md-manager /run /var/log /etc/md-manager /tmp 2>/dev/null; true", user=user)
        assert found.out.strip() == "", (user, found.out)
    assert m.run(f"grep -rlF {MAC} {managed.STORE}/accounts {managed.STORE}/challenges {managed.STORE}/status; true").out.strip() == ""
    assert m.run(f"journalctl --no-pager -o json --all -u 'md-*' | grep -cF {MAC}; true").out.strip() == "0"
    for words in (["list"], ["show", "one.test"], ["account", "list"], ["account", "show", valid_bound(m)]):
        for mode in ("--json=short", "--json=off"):
            assert MAC not in managed.mdctl(m, mode, *words).out, words
    tree = m.run(["busctl", "--json=short", "call", managed.BUS, "/org/mdmanager1", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects"]).out
    assert MAC not in tree and "one.test" in tree


def valid_bound(m):
    return next(a for a in accounts(m) if show(m, a)["ExternalAccount"] == KID)
