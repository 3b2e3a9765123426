# SPDX-License-Identifier: Apache-2.0
"""What the status pages show: to programs, to monitoring, to mod_status, and to people in a real browser, by day and by night, on a desk and on a phone."""

import email.utils
import json
import os
import re
import threading
import time
import urllib.parse
from pathlib import Path

import apache
import browser
import managed
from host import Failure

LAYERS = ["browser"]

LOCATIONS = """<Location "/md-status">
SetHandler md-status
</Location>
<Location "/admin/md-status">
SetHandler md-status
</Location>
<Location "/server-status">
SetHandler server-status
Require all granted
</Location>
"""
BASE = "base.example.org"
URL = f"http://{BASE}/md-status"
DAY = 86400
HOSTILE = """</script><script>document.title="owned"</script><img src=x onerror="document.title='owned'">'"&\\ \u20ac"""


def setup(m):
    managed.install(m)
    managed.settings(m, ReloadIntervalSec=1, RenewalInfoIntervalSec=2)
    apache.modules(m, "status")
    m.write("/etc/apache2/conf-enabled/pages.conf", f"ServerName {BASE}\n" + LOCATIONS)
    apache.site(m, "000-base", apache.virtual_host(m, BASE, port=80, ssl=False))
    cursor = m.cursor()
    managed.add(m, "good.example.org", "www.good.example.org", directives="MDPrivateKeys RSA secp256r1")
    managed.add(m, "failing.example.org", directives="MDCertificateAuthority https://127.0.0.1:1/dir\nMDHttpProxy http://user:secret@127.0.0.1:1/\n"
                "MDExternalAccountBinding kid-1 c2VjcmV0LWhtYWMta2V5LXNlY3JldA")
    managed.add(m, "manual.example.org", directives="MDRenewMode manual")
    apache.reload(m)
    managed.wait_served(m, "good.example.org", 60)
    managed.wait_event(m, "good.example.org", "installed", cursor, 60)
    managed.wait_event(m, "failing.example.org", "errored", cursor, 60)
    m.wait_for(lambda: domains(m)["good.example.org"].get("served") and domains(m)["failing.example.org"].get("renewal", {}).get("errors"), 20, "the pages to show it")


def get(m, path, name=BASE):
    status, headers, body = m.http(name, path)
    return status, {key.lower(): value for key, value in headers.items()}, decode(headers, body)


def decode(headers, body):
    if headers.get("Transfer-Encoding") == "chunked":
        whole = b""
        while body:
            size, _, body = body.partition(b"\r\n")
            n = int(size, 16)
            whole, body = whole + body[:n], body[n + 2:]
        body = whole
    return body.decode()


def page(m, path="/md-status"):
    status, headers, body = get(m, path)
    assert status == 200 and headers["content-type"] == "application/json", (status, headers)
    return json.loads(body)


def domains(m):
    return {d["name"]: d for d in page(m)["managed-domains"]}


def test_list(m):
    """md-status is a list of all domains by name, with version, member by member what mod_md has, times in GMT, without logs."""
    status = page(m)
    assert list(status) == ["version", "managed-domains"], list(status)
    names = [d["name"] for d in status["managed-domains"]]
    assert names == ["failing.example.org", "good.example.org", "manual.example.org"], names
    d = status["managed-domains"][1]
    real = m.certificate("good.example.org")
    wanted = {"name", "domains", "contacts", "transitive", "ca", "privkey", "state", "renew-mode", "must-staple", "proto", "stapling", "profile-mandatory",
              "ari-renewals", "cert", "renew-at", "watched", "renew", "renew-window", "warn-window"}
    assert wanted <= set(d), wanted - set(d)
    assert d["domains"] == ["good.example.org", "www.good.example.org"] and d["transitive"] == 1 and d["state"] == 2 and d["renew-mode"] == 1, d
    assert (d["renew-window"], d["warn-window"]) == ("33%", "10%"), d
    assert d["ca"] == {"proto": "ACME", "url": "https://ca.test:14000/dir", "urls": ["https://ca.test:14000/dir"], "agreement": "accepted",
                       "account": managed.job(m, "good.example.org")["account"]}, d["ca"]
    assert m.exists(f"{managed.STORE}/accounts/{d['ca']['account']}/account.json"), d["ca"]
    assert set(d["cert"]) == {"rsa", "secp256r1", "valid"}, d["cert"]
    shown = [cert for key, cert in d["cert"].items() if key != "valid" and cert["sha256-fingerprint"] == real.fingerprint]
    assert len(shown) == 1, (d["cert"], real.fingerprint)
    cert = shown[0]
    assert cert["serial"].lower().lstrip("0") == real.serial.lstrip("0") and cert["issuer-name"].startswith("/CN=Pebble") and cert["ari-cert-id"].count(".") == 1, cert
    assert seconds(cert["valid"]["from"]) == real.not_before and seconds(cert["valid"]["until"]) == real.not_after, (cert, real.text)
    valid = [cert["valid"] for key, cert in d["cert"].items() if key != "valid"]
    assert seconds(d["cert"]["valid"]["from"]) == max(seconds(v["from"]) for v in valid)
    assert seconds(d["cert"]["valid"]["until"]) == min(seconds(v["until"]) for v in valid)
    assert real.not_before < seconds(d["renew-at"]) < real.not_after and d["watched"] is True and d["renew"] is False and "renewal" not in d, d
    assert d["served"] is True and d["next"]["action"] == "wait" and d["next"]["reason"] == "renew-window" and "log" not in d, d
    failing = status["managed-domains"][0]
    assert failing["state"] == 1 and failing["state-descr"] and failing["renew"] is True and failing["cert"] == {}, failing
    assert failing["renewal"]["errors"] > 0 and failing["renewal"]["last"]["problem"] == "urn:org:mdmanager1:ca-unreachable" and failing["renewal"]["cert"] == {}, failing
    assert "log" not in failing and "log" not in failing["renewal"], failing
    assert failing["ca"]["url"] == "https://127.0.0.1:1/dir" and "account" not in failing["ca"], failing["ca"]
    assert (failing["renewal"]["finished"], failing["renewal"]["notified"], failing["renewal"]["notified-renewed"]) == (False, True, False), failing
    assert "valid-from" not in failing["renewal"], failing
    assert status["managed-domains"][2]["watched"] is False, status["managed-domains"][2]


def seconds(text):
    assert text.endswith(" GMT"), text
    return email.utils.parsedate_to_datetime(text).timestamp()


def test_one(m):
    """md-status/NAME is the domain of that or any other of its names, with its log; another name is not found; HEAD works, POST does not."""
    for name in ("good.example.org", "www.good.example.org", "WWW.Good.Example.ORG."):
        d = page(m, f"/md-status/{name}")
        assert d["name"] == "good.example.org", d
    assert [e["type"] for e in d["log"]["entries"]][-1] == "starting", d["log"]
    assert page(m, "/md-status/failing.example.org")["renewal"]["log"]["entries"], "no log"
    assert page(m, "/admin/md-status/good.example.org")["name"] == "good.example.org"
    for path in ("/md-status/", "/admin/md-status", "/admin/md-status/"):
        assert len(page(m, path)["managed-domains"]) == 3, path
    for path in ("/md-status/unknown.example.org", "/md-status/nothing", "/md-status/good.example.org/x", "/admin/md-status/no.example.org"):
        assert get(m, path)[0] == 404, path
    def curl(*words):
        return m.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code} %{size_download}", *words, "-H", f"Host: {BASE}", "http://127.0.0.1/md-status"]).out
    assert curl("-I") == "200 0"
    for method in ("POST", "PUT", "DELETE"):
        assert curl("-X", method).startswith("405"), method


def test_secrets(m):
    """No page tells a secret key, a password or a path of the machine, to whomever and in whichever form."""
    told = ""
    for path in ("/md-status", "/md-status/failing.example.org", "/server-status", "/server-status?auto", "/md-status?openmetrics"):
        told += get(m, path)[2]
    told += m.run(["curl", "-s", "-H", "Accept: text/html", "-H", f"Host: {BASE}", "http://127.0.0.1/md-status/failing.example.org"]).out
    assert domains(m)["failing.example.org"]["eab"] == {"kid": "kid-1", "hmac": "***"}
    for secret in ("c2VjcmV0LWhtYWMta2V5LXNlY3JldA", "user:secret", "proxy-url", "ca-certs", "cmd-dns-01", "/etc/apache2", "/var/lib"):
        assert secret not in told, secret
    mode = m.run(["stat", "-c", "%U:%G %a", f"{managed.STORE}/status/good.example.org.json"]).out.strip()
    assert mode == "md-manager:www-data 640", mode


def test_certificate_status(m):
    """/.httpd/certificate-status answers on the hosts of domains, with and without TLS, also while they have no certificate; it can be switched off."""
    path = "/.httpd/certificate-status"
    status, _, body = m.https("good.example.org", path)
    shown, d = json.loads(body), domains(m)["good.example.org"]
    assert status == 200 and set(shown) == {"valid", "rsa", "secp256r1"} and shown["valid"] == d["cert"]["valid"], shown
    assert shown["rsa"] == {key: d["cert"]["rsa"][key] for key in ("valid", "serial", "sha256-fingerprint")}, shown
    assert json.loads(m.http("www.good.example.org", path)[2]) == shown
    assert m.https("failing.example.org", "/")[0] == 503
    status, _, body = m.https("failing.example.org", path)
    assert status == 200 and json.loads(body) == {"rsa": {}, "renewal": {"cert": {}}}, (status, body)
    others = get(m, path)[0], m.https("good.example.org", path + "/x")[0]
    assert others == (403, 403), others     # Debian lets nobody have files whose names begin with .ht
    post = m.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-d", "x", "-H", "Host: good.example.org", f"http://127.0.0.1{path}"]).out
    assert post == "501", post
    managed.set_globally(m, MDCertificateStatus="off", MDServerStatus="off")
    apache.reload(m)
    m.wait_for(lambda: m.https("good.example.org", path)[0] == 403, 10, "the page to be off")
    assert "Managed" not in get(m, "/server-status")[2] and "Managed" not in get(m, "/server-status?auto")[2]
    managed.set_globally(m)
    apache.reload(m)
    m.wait_for(lambda: m.https("good.example.org", path)[0] == 200, 10, "the page to be on")


def labels(text):
    return dict(line.split(": ", 1) for line in text.splitlines() if line.startswith("Managed"))


def test_server_status_text(m):
    """server-status?auto has every label of mod_md with a value on a line of its own."""
    managed.set_globally(m, MDCertificateCheck="Search https://search.example/?q=")
    apache.reload(m)
    m.wait_for(lambda: labels(get(m, "/server-status?auto")[2])["ManagedDomain[1]CheckAtName"] == "Search", 10, "the new link")
    m.wait_for(lambda: int(labels(get(m, "/server-status?auto")[2])["ManagedDomain[0]ActivityRetries"]) > 0, 60, "a second attempt")
    told = labels(get(m, "/server-status?auto")[2])
    sums = {key: told[f"ManagedCertificates{key}"] for key in ("Total", "OK", "Renew", "Errored", "Ready")}
    assert sums == {"Total": "3", "OK": "1", "Renew": "1", "Errored": "1", "Ready": "0"}, sums
    good, d = {k.partition("]")[2]: v for k, v in told.items() if k.startswith("ManagedDomain[1]")}, domains(m)["good.example.org"]
    until = time.strftime("%Y-%m-%d", time.gmtime(seconds(d["cert"]["valid"]["until"])))
    fingerprint = d["cert"]["secp256r1"]["sha256-fingerprint"]
    expected = {"Domain": "good.example.org", "Names[0]": "good.example.org", "Names[1]": "www.good.example.org", "Status": "good", "ValidUntil": until,
                "CAName": "ca.test", "CAURL": "https://ca.test:14000/dir", "Stapling": "off", "CheckAtType": "secp256r1", "CheckAtName": "Search",
                "CheckAtURL": f"https://search.example/?q={fingerprint}", "CheckAtFingerprint": fingerprint}
    assert {key: good.get(key) for key in expected} == expected and "ValidFrom" in good, good
    assert abs(int(good["ActivityRenew"]) - (seconds(d["renew-at"]) - time.time())) < 60, good
    failing = {k.partition("]")[2]: v for k, v in told.items() if k.startswith("ManagedDomain[0]")}
    assert failing["Status"].startswith("incomplete: ") and failing["ActivityLastProblem"] == "urn:org:mdmanager1:ca-unreachable", failing
    assert failing["ActivityFinished"] == "no" and failing["ActivityLastDetail"].startswith("Cannot talk to 127.0.0.1") and failing["ActivityLastStatus"], failing
    assert told["ManagedDomain[2]Activity"] == "Manual renew", told
    assert [told[f"ManagedStaplings{key}"] for key in ("Total", "OK", "Renew", "Errored")] == ["0"] * 4, told


def test_server_status_html(m):
    """server-status has mod_md's table, with the link to look a certificate up and the retries counted right."""
    text = get(m, "/server-status")[2]
    heads = re.findall(r'<th class="(\w+)">\1</th>', text)
    assert heads == ["Domain", "Names", "Status", "Valid", "CA", "Stapling", "CheckAt", "Activity"], heads
    assert "<h3>Managed Certificates</h3>" in text and "<table class='md_status'>" in text
    row = next(part for part in text.split("<tr") if "<td>failing.example.org</td>" in part)
    retries = re.search(r"\((\d+) (retry|retries)\)", row)
    assert retries and (retries[2] == "retry") == (retries[1] == "1"), row
    row = next(part for part in text.split("<tr") if "<td>good.example.org</td>" in part)
    assert "search.example/?q=" in row and "Search[rsa]</a>" in row and "<td>good</td>" in row, row


def parse_openmetrics(text):
    """Strictly: families of OpenMetrics with their samples, as {name: (type, {labels: value})}. Fails where a scraper would."""
    assert text.endswith("# EOF\n") and text.count("# EOF") == 1, text[-200:]
    families, current, labels_re = {}, None, re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"')
    for line in text.removesuffix("# EOF\n").splitlines():
        word = line.split(" ", 3)
        if line.startswith("# TYPE "):
            assert word[2] not in families and re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:]*", word[2]), line
            assert word[3] in ("gauge", "counter", "info", "stateset"), line
            current = word[2]
            families[current] = (word[3], {})
        elif line.startswith("# UNIT "):
            assert word[2] == current and current.endswith("_" + word[3]) and not families[current][1], line
        elif line.startswith("# HELP "):
            assert word[2] == current and word[3].strip() and not families[current][1], line
        else:
            found = re.fullmatch(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\{(.*)\} (\d+)", line)
            assert found, line
            kind, samples = families[current]
            assert found[1] == current + {"counter": "_total", "info": "_info"}.get(kind, ""), line
            labels = labels_re.findall(found[2])
            assert ",".join(f'{k}="{v}"' for k, v in labels) == found[2] and len(dict(labels)) == len(labels), line
            key = tuple(sorted(labels))
            assert key not in samples and (kind not in ("stateset", "info") or found[3] in "01"), line
            assert kind != "stateset" or current in dict(labels), line
            samples[key] = int(found[3])
    return families


def sample(families, name, **labels):
    return families[name][1].get(tuple(sorted(labels.items())))


def test_files(m):
    """Certificates that are files of the administrator's are shown by number with what is in them, on every page and to mdctl, and warned about near their end."""
    name, base, cursor = "files.example.org", "/etc/ssl/files", m.cursor()
    begin, end = (time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + days * DAY)) for days in (-25, 5))
    for kind, key in (("rsa", "rsa:2048"), ("ec", "ec -pkeyopt ec_paramgen_curve:P-256")):
        m.run(f"openssl req -x509 -newkey {key} -nodes -not_before {begin} -not_after {end} -subj '/O=Somebody/CN=Own' -addext subjectAltName=DNS:{name} -keyout {base}.{kind}.key -out {base}.{kind}.pem")
    expected = [m.run(f"openssl x509 -in {base}.{kind}.pem -noout -fingerprint -sha256").out.partition("=")[2].strip().replace(":", "").lower() for kind in ("rsa", "ec")]
    directives = "\n".join(f"MDCertificateFile {base}.{kind}.pem\nMDCertificateKeyFile {base}.{kind}.key" for kind in ("rsa", "ec"))
    managed.add(m, name, directives=f"{directives}\nMDWarnWindow 10d")
    apache.site(m, "unused", f"<MDomain unused.example.org>\nMDCertificateFile {base}.ec.pem\nMDCertificateKeyFile {base}.ec.key\n</MDomain>\n")
    apache.reload(m)
    try:
        d = m.wait_for(lambda: len(domains(m).get(name, {}).get("cert", {})) == 3 and domains(m)[name], 20, "what is in the files")
        assert [d["cert"][key]["sha256-fingerprint"] for key in ("0", "1")] == expected and d["cert"]["0"]["issuer-name"] == "/O=Somebody/CN=Own", d
        assert (d["state"], d["renew-mode"], d["watched"], d["served"], d["renew"]) == (2, 0, False, True, False) and d["cert"]["valid"] and d["next"]["action"] == "nothing", d
        shown = json.loads(m.https(name, "/.httpd/certificate-status")[2])
        assert shown == {"valid": d["cert"]["valid"]} | {key: {k: d["cert"][key][k] for k in ("valid", "serial", "sha256-fingerprint")} for key in "01"}, shown
        told = {k.partition("]")[2]: v for k, v in labels(get(m, "/server-status?auto")[2]).items() if k.startswith("ManagedDomain[1]")}
        assert (told["Domain"], told["Status"], told["CheckAtFingerprint"], told["Activity"]) == (name, "good", expected[1], "Manual renew") and told["ValidUntil"], told
        until = seconds(d["cert"]["1"]["valid"]["until"])
        for text in (get(m, "/md-status?openmetrics")[2], managed.mdctl(m, "metrics").out):
            assert sample(parse_openmetrics(text), "md_certificate_expiry_timestamp_seconds", domain=name, key="1") == until
        assert [c[5] for c in managed.show(m, name)["Certificates"]] == expected and managed.show(m, name)["Served"]
        explained = managed.mdctl(m, "explain", name).out
        assert "issued by Own" in explained and "files of the administrator's (MDCertificateFile)" in explained and "there is none" not in explained, explained
        managed.wait_event(m, name, "expiring", cursor)
        unused = domains(m)["unused.example.org"]
        assert unused["cert"]["0"]["sha256-fingerprint"] == expected[1] and unused["state"] == 1, unused       # its name is not in it

        # Another file is another certificate as soon as Apache has read it.
        m.run(f"openssl req -x509 -newkey rsa:2048 -nodes -days 80 -subj /CN=Other -addext subjectAltName=DNS:{name} -keyout {base}.rsa.key -out {base}.rsa.pem")
        apache.reload(m)
        m.wait_for(lambda: domains(m)[name]["cert"]["0"].get("issuer-name") == "/CN=Other", 20, "the other certificate")
    finally:
        managed.remove(m, name)
        apache.no_site(m, "unused")
        apache.reload(m)
        m.wait_for(lambda: name not in domains(m), 20, "the domain to be gone")


def test_metrics(m):
    """md-status?openmetrics and mdctl metrics are strict OpenMetrics with the same values: expiry for each key, next renewal, failures, reloads."""
    m.wait_for(lambda: domains(m)["good.example.org"].get("renewal-info"), 90, "the window that the CA suggests")
    status, headers, text = get(m, "/md-status?openmetrics")
    assert status == 200 and headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8", headers
    page_says, bus_says = parse_openmetrics(text), parse_openmetrics(managed.mdctl(m, "metrics").out)
    assert list(page_says) == list(bus_says), (list(page_says), list(bus_says))
    d, name = domains(m)["good.example.org"], "good.example.org"
    for families in (page_says, bus_says):
        for key in ("rsa", "secp256r1"):
            assert sample(families, "md_certificate_expiry_timestamp_seconds", domain=name, key=key) == seconds(d["cert"][key]["valid"]["until"])
            assert sample(families, "md_certificate_not_before_timestamp_seconds", domain=name, key=key) == seconds(d["cert"][key]["valid"]["from"])
        assert abs(sample(families, "md_renewal_due_timestamp_seconds", domain=name) - seconds(d["renew-at"])) <= 1
        assert abs(sample(families, "md_next_action_timestamp_seconds", domain=name) - seconds(d["next"]["at"])) <= 1
        window = d["renewal-info"]
        assert sample(families, "md_renewal_info_start_timestamp_seconds", domain=name) == seconds(window["from"]), window
        assert sample(families, "md_renewal_info_end_timestamp_seconds", domain=name) == seconds(window["until"]) > seconds(window["from"]), window
        assert sample(families, "md_served", domain=name) == 1 and sample(families, "md_served", domain="failing.example.org") == 0
        assert sample(families, "md_renewal_consecutive_failures", domain="failing.example.org") > 0
        assert sample(families, "md_renewal_consecutive_failures", domain=name) == 0
        assert sample(families, "md_state", domain=name, md_state="complete") == 1 and sample(families, "md_state", domain=name, md_state="incomplete") == 0
        assert sample(families, "md_state", domain="failing.example.org", md_state="incomplete") == 1
        assert sample(families, "md_reloads", unit="apache2.service") > 0 and sample(families, "md_reload_failures", unit="apache2.service") == 0, families
    assert sample(page_says, "md_reloads", unit="apache2.service") == sample(bus_says, "md_reloads", unit="apache2.service")
    one = parse_openmetrics(get(m, "/md-status/good.example.org?openmetrics")[2])
    assert {dict(key)["domain"] for key in one["md_served"][1]} == {name}
    rc = m.run(["mdctl", "metrics"], user="alice", check=False)
    assert rc.rc == 0 and rc.out.endswith("# EOF\n"), rc


def test_kept_up(m):
    """What is shown follows what happens: a renewal, a domain that comes and goes, a file that somebody tears; at a restart nothing is written anew."""
    before = domains(m)["good.example.org"]["cert"]["rsa"]["serial"]
    managed.renew(m, "good.example.org")
    m.wait_for(lambda: (d := domains(m)["good.example.org"])["cert"]["rsa"]["serial"] != before and d["served"], 60, "the new certificate on the page")
    managed.add(m, "short.example.org", directives="MDRenewMode manual")
    apache.reload(m)
    m.wait_for(lambda: domains(m)["short.example.org"]["state"] == 1, 20, "the new domain on the page")
    managed.remove(m, "short.example.org")
    apache.reload(m)
    m.wait_for(lambda: "short.example.org" not in domains(m), 20, "the domain to leave the page")
    m.wait_for(lambda: not m.exists(f"{managed.STORE}/status/short.example.org.json"), 20, "its file to go")
    file = f"{managed.STORE}/status/manual.example.org.json"
    m.write(file, '{"name": "manual.exa')
    assert domains(m)["manual.example.org"]["state"] == 0 and "has not told" in domains(m)["manual.example.org"]["state-descr"]
    managed.check(m)
    m.wait_for(lambda: domains(m)["manual.example.org"]["state"] == 1, 10, "the torn file to be mended")
    m.write(f"{managed.STORE}/status/gone.example.org.json", "{}")
    inode = m.run(["stat", "-c", "%i", file]).out
    m.run("systemctl restart md-manager")
    m.wait_for(lambda: not m.exists(f"{managed.STORE}/status/gone.example.org.json"), 10, "the file of an unknown domain to go")
    managed.check(m)
    assert m.run(["stat", "-c", "%i", file]).out == inode, "a file was written again with the same content"


def test_renewal(m):
    """A renewal is shown as mod_md shows its job: going on, finished and good from a time on, with hooks still to be told or told; the one before is not taken for it."""
    name, hook, told, held = "good.example.org", "/usr/local/lib/pages-hook", "/etc/pages-hook.told", threading.Event()
    m.write(hook, f'#!/bin/sh\n[ "$1" != renewed ] || [ -e {told} ]\n', mode=0o755)
    managed.settings(m, ReloadIntervalSec=1, RenewalInfoIntervalSec=2, ReloadOnCalendar="2099-01-01 00:00:00")
    managed.set_globally(m, MDActivationDelay="1h", MDMessageCmd=hook, MDRetryDelay="1s")
    apache.reload(m)
    before = domains(m)[name]["cert"]["rsa"]["serial"]
    rule = m.ca.proxy.rule(kind="new-order", hold=held)

    def shown(what, where):
        return m.wait_for(lambda: (d := domains(m)[name]) and where(d, d.get("renewal", {})) and d, 60, what)

    try:
        managed.renew(m, name)
        d = shown("the renewal to go on", lambda d, r: r.get("phase") == "ordering" and r["last-run"])
        assert d["renewal"]["finished"] is d["renewal"]["notified-renewed"] is False and "valid-from" not in d["renewal"], d
        assert labels(get(m, "/server-status?auto")[2])["ManagedDomain[1]Activity"] == "Ongoing"
        managed.check(m)        # what Apache says now is known
    finally:
        held.set()
        m.ca.proxy.forget(rule)
    d = shown("the new certificates to wait for their time", lambda d, r: d["next"]["reason"] == "activation-delay")
    assert d["cert"]["rsa"]["serial"] == before and set(d["renewal"]["cert"]) == {"rsa", "secp256r1", "valid"}, d
    assert d["renewal"]["finished"] is True and d["renewal"]["notified-renewed"] is False and d["renewal"]["valid-from"] == d["next"]["at"], d
    assert 3000 < seconds(d["renewal"]["valid-from"]) - seconds(d["renewal"]["last-run"]) < 4200, d
    managed.set_globally(m, MDMessageCmd=hook, MDRetryDelay="1s")
    apache.reload(m)
    d = shown("the new certificates to be live", lambda d, r: d["cert"]["rsa"]["serial"] != before and r.get("phase") == "activated")
    assert (d["renewal"]["finished"], d["renewal"]["notified"], d["renewal"]["notified-renewed"]) == (True, False, False), d
    assert seconds(d["renewal"]["valid-from"]) == seconds(d["cert"]["valid"]["from"]), d
    m.write(told, "")
    d = shown("the hook to be told", lambda d, r: r.get("notified-renewed"))
    assert d["renewal"]["notified"] is True, d
    managed.set_globally(m)
    managed.settings(m, ReloadIntervalSec=1, RenewalInfoIntervalSec=2)
    apache.reload(m)
    shown("the renewal to be over", lambda d, r: not r and d["served"])


def put(m, name, **more):
    """A status file as the manager would write it, of our own making."""
    now = time.time()
    text = {"name": name, "domains": [name], "state": 2, "watched": True, "cert": {}, **more}
    m.write(f"{managed.STORE}/status/{name}.json", json.dumps(text, separators=(",", ":")), mode=0o640, owner="md-manager:www-data")
    return now


def certificate(age, life):
    now = time.time()
    times = [email.utils.formatdate(t, usegmt=True) for t in (now - age * DAY, now + (life - age) * DAY, now + (life * 2 / 3 - age) * DAY)]
    valid = {"from": times[0], "until": times[1]}
    return {"cert": {"rsa": {"issuer-name": "/CN=E5", "valid": valid, "serial": "01", "sha256-fingerprint": "ab" * 32}, "valid": valid}, "renew-at": times[2],
            "next": {"action": "wait", "reason": "renew-window", "at": times[2]}}


def fill(m):
    """A dozen domains in every state, laid down by hand while the manager is away."""
    names = [f"{i:02}.fleet.example.org" for i in range(8)]
    special = ["expired.example.org", "hostile.example.org", "renewing.example.org", "pending.example.org",
               "a-very-long-host-name-that-goes-on.department-of-something.university.example.edu"]
    apache.site(m, "fleet", "".join(f"<MDomain {name}>\nMDRenewMode manual\n</MDomain>\n" for name in names + special))
    apache.reload(m)
    m.wait_for(lambda: len(domains(m)) == 3 + len(names + special), 20, "the fleet on the page")
    m.wait_for(lambda: set(f"{name}.json" for name in names + special) <= set(managed.files(m, "status")), 30, "the manager to know the fleet")
    m.run("systemctl mask --now md-manager.service")
    for i, name in enumerate(names + special[-1:]):
        put(m, name, **certificate(5 + 5 * i, 90))
    problem = {"problem": "urn:ietf:params:acme:error:connection", "detail": "The CA cannot fetch http://expired.example.org/.well-known/acme-challenge/x: Connection refused"}
    later = email.utils.formatdate(time.time() + 3600, usegmt=True)
    retry = {"last-problem": problem, "next": {"action": "wait", "reason": "retry", "at": later, "detail": problem["detail"]}}
    put(m, special[0], **{**certificate(93, 90), **retry, "renewal": {"errors": 3, "next-run": later}})
    hostile = {"problem": HOSTILE, "detail": HOSTILE}
    put(m, special[1], **{**certificate(10, 90), "last-problem": hostile, "renewal": {"errors": 1, "next-run": later}, "state-descr": HOSTILE,
                          "domains": [special[1], HOSTILE, 7], "contacts": [HOSTILE], "ca": {"urls": [f"javascript:{HOSTILE}"]}, "profile": HOSTILE,
                          "next": {"action": HOSTILE, "reason": HOSTILE, "detail": HOSTILE, "at": HOSTILE},
                          "log": {"entries": [{"when": HOSTILE, "type": HOSTILE, "detail": HOSTILE}]}})
    put(m, special[2], state=1, **{"next": {"action": "renewing", "reason": "certificate-missing", "detail": "there is no rsa certificate"}})
    put(m, special[3], **{**certificate(1, 90), "next": {"action": "install", "reason": "activated"}})


def shots():
    """Where screenshots are kept, for who wants to look at them: MD_TEST_SHOTS."""
    directory = os.environ.get("MD_TEST_SHOTS")
    if directory:
        Path(directory).mkdir(parents=True, exist_ok=True)
    return directory


def look(m, *steps, path="", **more):
    found = browser.look(m, URL + path, steps=steps, directory=shots(), **more)
    assert found["complaints"] == [], found["complaints"]
    hosts = {urllib.parse.urlsplit(url).hostname for url in found["requests"] if not url.startswith("data:")}
    assert hosts == {BASE}, found["requests"]
    return found["values"]


ROWS = "[...document.querySelectorAll('.list tbody tr')].filter(r => r.checkVisibility()).map(r => r.querySelector('th a').textContent)"


def test_browser_list(m):
    """A browser gets a page with all domains, worst first, a bar for each on one axis; nothing is fetched from elsewhere, nothing breaks the page's policy."""
    fill(m)
    names, title, bars, inside, roles, badges, problem = look(
        m, ROWS, "document.title", "document.querySelectorAll('.list tbody svg.bar').length",
        "[...document.querySelectorAll('svg.bar')].every(s => [...s.querySelectorAll('rect')].every(r => r.getBBox().x >= 0 && r.getBBox().x <= s.clientWidth))",
        "[...document.querySelectorAll('.list [role=row]')].every(r => r.querySelectorAll('th, td').length === 5)",
        "Object.fromEntries([...document.querySelectorAll('.list tbody tr')].map(r => [r.dataset.name, r.querySelector('.badge').textContent]))",
        "document.querySelector('.why.bad').textContent", {"shot": "list-desktop-light.png"})[:7]
    assert title == "Managed domains" and len(names) == 16 and bars == 16 and inside and roles, (title, names, bars, inside, roles)
    assert names[0] == "expired.example.org" and set(names[1:3]) == {"failing.example.org", "hostile.example.org"}, names
    assert badges["expired.example.org"] == "expired" and badges["failing.example.org"] == "failing" and badges["renewing.example.org"] == "renewing", badges
    assert badges["pending.example.org"] == "reload pending" and badges["good.example.org"] == "good" and badges["manual.example.org"] == "incomplete", badges
    assert "cannot fetch http://expired.example.org" in problem, problem
    ends = look(m, "Object.fromEntries([...document.querySelectorAll('.list tbody tr')].map(r => [r.dataset.name, r.querySelector('.life') ? "
                   "r.querySelector('.life').getBBox().x + r.querySelector('.life').getBBox().width : null]))",
                "document.querySelector('.list tbody .now').getBBox().x")
    fleet = [ends[0][f"{i:02}.fleet.example.org"] for i in range(8)]
    assert fleet == sorted(fleet, reverse=True) and fleet[-1] > ends[1] > ends[0]["expired.example.org"], ends


def test_browser_sizes(m):
    """On a phone nothing is wider than the screen; dark and light are what the visitor's system says, with words that can be read on both."""
    contrast = """(() => {
        const rgb = (c) => c.match(/[\\d.]+/g).map(Number);
        const light = (c) => rgb(c).slice(0, 3).map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4).reduce((s, v, i) => s + v * [.2126, .7152, .0722][i], 0);
        const behind = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if ((rgb(c)[3] ?? 1) > 0) return c; } return 'rgb(255,255,255)'; };
        let worst = 99, where = '';
        for (const e of document.querySelectorAll('h1, .sub, .chips a, label, th a, .more, .num, .why, .badge, .legend, footer, footer a, dt, dd, p, td')) {
                const style = getComputedStyle(e);
                if (!e.checkVisibility() || !e.textContent.trim() || e.closest('.hidden')) continue;
                const a = light(style.color), b = light(behind(e));
                const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
                if (ratio < worst) { worst = ratio; where = e.className + ' ' + e.textContent.slice(0, 40); }
        }
        return [worst, where];
    })()"""
    for path, what in (("", "list"), ("/expired.example.org", "one"), ("/hostile.example.org", "hostile")):
        for size, more in (("desktop", {}), ("tablet", {"width": 800}), ("phone", {"width": 360, "height": 740, "phone": True})):
            steps = [({"dark": dark},
                      "[Math.max(document.documentElement.scrollWidth, ...[...document.querySelectorAll('.card')].map(c => c.scrollWidth > c.clientWidth ? 9999 : 0)), innerWidth]",
                      "getComputedStyle(document.body).backgroundColor", contrast,
                      {"shot": f"{what}-{size}-{'dark' if dark else 'light'}.png"}) for dark in (False, True)]
            values = look(m, *(step for group in steps for step in group), path=path, **more)
            for dark, (_, width, background, ratio, _) in ((False, values[:5]), (True, values[5:])):
                assert width[0] <= width[1] == more.get("width", 1280), (path, size, width)
                assert (int(re.search(r"\d+", background)[0]) < 60) == dark, background
                assert ratio[0] >= 4.5, (path, size, dark, ratio)


def test_browser_without_script(m):
    """Without JavaScript the form and the links sort and filter on the server, and every domain has its page."""
    only = look(m, {"wait": "document.readyState === 'complete'"}, script=False)
    assert only == [None]

    def names(query):
        text = m.run(["curl", "-s", "-H", "Accept: text/html", "-H", f"Host: {BASE}", f"http://127.0.0.1/md-status{query}"]).out
        return re.findall(r'<th scope="row"[^>]*><a href="md-status/([^"]*)">', text), text
    everything, text = names("")
    assert len(everything) == 16 and everything[0] == "expired.example.org"
    for href in re.findall(r'<a data-show="\w+"[^>]* href="(\?[^"]*)"', text):
        assert names(href.replace("&amp;", "&"))[0], href
    assert names("?show=attention")[0] == ["expired.example.org", *sorted(set(everything[1:3]), key=everything.index)]
    by_name = names("?sort=name")[0]
    assert by_name == sorted(by_name) and len(by_name) == 16, by_name
    assert names("?sort=expiry&show=good&q=FLEET")[0] == [f"{i:02}.fleet.example.org" for i in range(7, -1, -1)]
    assert names("?q=www.good")[0] == ["good.example.org"]
    assert names("?q=nowhere")[0] == [] and "No domain matches." in names("?q=nowhere")[1]
    assert 'value="&quot;&gt;&lt;b&gt;"' in names("?q=%22%3E%3Cb%3E")[1]
    assert len(names("?sort=%00&show=bogus&page=99999999999999999999&q=%zz")[0]) == 0 and len(names("?sort=x&show=y&page=-3")[0]) == 16


def test_browser_script(m):
    """With JavaScript the list follows every key at once, headings and groups work by mouse and by keyboard, and the address remembers it."""
    type_in = "(() => { const q = document.querySelector('[name=q]'); q.value = 'fleet'; q.dispatchEvent(new Event('input', {bubbles: true})); })()"
    values = look(m, type_in, ROWS, "location.search", "document.querySelector('#count').textContent",
                  "document.querySelector('th[data-sort=expiry] a').click()", ROWS, "document.querySelector('th[data-sort=expiry]').getAttribute('aria-sort')",
                  "document.querySelector('.chips a[data-show=attention]').click()", ROWS, "document.querySelector('.none').checkVisibility()", "location.search")
    assert len(values[1]) == 8 and values[2] == "?q=fleet" and values[3] == "Showing 8 of 16.", values
    assert values[5] == [f"{i:02}.fleet.example.org" for i in range(7, -1, -1)] and values[6] == "ascending", values
    assert values[8] == [] and values[9] is True and values[10] == "?q=fleet&show=attention&sort=expiry", values
    keys = look(m, {"key": "Tab"}, {"key": "Tab"}, {"key": "Enter"}, "document.activeElement.dataset.show", ROWS,
                "getComputedStyle(document.activeElement).outlineStyle")
    assert keys[3] == "attention" and len(keys[4]) == 3 and keys[5] == "solid", keys


def test_browser_hostile(m):
    """Whatever a CA or a file says is shown as text: no script, no tag, no link of it comes to life."""
    for path in ("", "/hostile.example.org"):
        title, shown, images, scripts, links = look(
            m, "document.title", "document.body.innerText", "document.images.length", "document.scripts.length",
            "[...document.links].map(a => a.protocol)", path=path)
        assert title != "owned" and images == 0 and scripts == (0 if path else 1) and set(links) == {"http:"}, (path, title, images, scripts, links)
        assert 'onerror="document.title=' in shown, shown
    status, headers, _ = get(m, "/md-status?x")
    assert status == 200 and headers["vary"] == "Accept" and headers["x-content-type-options"] == "nosniff"
    head = m.run(["curl", "-sI", "-H", "Accept: text/html", "-H", f"Host: {BASE}", "http://127.0.0.1/md-status"]).out
    policy = next(line for line in head.splitlines() if line.startswith("Content-Security-Policy: "))
    assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy, policy
    text = get(m, "/server-status")[2]
    assert "<script>document" not in text and "javascript:" not in re.findall(r"href='([^']*)'", text), "server-status"
    auto = get(m, "/server-status?auto")[2]
    assert all(": " in line for line in auto.splitlines() if line.startswith("Managed")), auto


def test_accept(m):
    """Who asks for HTML gets the page, who asks for JSON or for anything gets JSON."""
    cases = {"text/html,application/xhtml+xml,*/*;q=0.8": "text/html", "*/*": "application/json", "application/json": "application/json",
             "text/html;q=0.5, application/json": "application/json", "application/json;q=0.5, text/html": "text/html", "text/html;q=0": "application/json",
             "text/plain": "application/json"}
    for accept, kind in cases.items():
        found = m.run(["curl", "-s", "-o", "/dev/null", "-w", "%{content_type}", "-H", f"Accept: {accept}", "-H", f"Host: {BASE}", "http://127.0.0.1/md-status"]).out
        assert found.partition(";")[0] == kind, (accept, found)
    found = m.run(["curl", "-s", "-o", "/dev/null", "-w", "%{content_type}", "-H", "Accept: text/html", "-H", f"Host: {BASE}", "http://127.0.0.1/md-status?json"]).out
    assert found == "application/json", found
