# SPDX-License-Identifier: Apache-2.0
"""Name servers in the machine: Knot DNS, a primary that takes dynamic updates and a secondary that is as late as a test wants it to be.

    Both know the zones of ZONES; the machine's resolver and Pebble are to ask the primary."""

import documents

PRIMARY, SECONDARY = "127.0.0.3", "127.0.0.4"
ZONES = ("example.test", "never.test", "down.test", "alias.test", "acme.test")
SECRET = "c2VjcmV0IG9mIHRoZSB0ZXN0LCBvZiB0aGlydHktdHdvLg=="

ZONE = f"""$TTL 60
@ SOA ns1 hostmaster 1 3600 600 86400 60
@ NS ns1
@ NS ns2
ns1 A {PRIMARY}
ns2 A {SECONDARY}
@ A 127.0.0.1
* A 127.0.0.1
"""

SERVER = """server:
  rundir: /run/knot-{name}
  listen: {address}@53
  listen: {address}@5353
log:
  - target: stderr
    any: info
database:
  storage: /var/lib/knot-{name}
remote:
  - id: primary
    address: {primary}@53
"""

# md-hook-nsupdate(8) has the key and its list; the latter is the last thing there, and gets another member.
MANUAL = {example.kind: example.text.replace("base64", SECRET) for example in documents.examples("md-hook-nsupdate.8")}
PRIMARY_CONF = MANUAL["knot"] + """  - id: anybody
    address: 127.0.0.0/8
    action: transfer
template:
  - id: default
    storage: /var/lib/knot-primary
    acl: [ acme, anybody ]
    zonefile-sync: -1
    zonefile-load: difference-no-serial
    journal-content: all
"""

# The refresh that the zone asks for never comes within a test: a test refreshes it.
SECONDARY_CONF = """template:
  - id: default
    storage: /var/lib/knot-secondary
    master: primary
"""

UNIT = """[Service]
Type=notify
ExecStart=/usr/sbin/knotd -c /etc/knot-{name}.conf
RuntimeDirectory=knot-{name}
StateDirectory=knot-{name}
"""

KEY = MANUAL["file"]


def install(m):
    """Starts both, and has the machine ask the primary."""
    zones = "zone:\n" + "".join(f"  - domain: {zone}\n" for zone in ZONES)
    for name, address, more in (("primary", PRIMARY, PRIMARY_CONF), ("secondary", SECONDARY, SECONDARY_CONF)):
        m.write(f"/etc/knot-{name}.conf", SERVER.format(name=name, address=address, primary=PRIMARY) + more + zones, mode=0o600)
        m.write(f"/etc/systemd/system/knot-{name}.service", UNIT.format(name=name))
    for zone in ZONES:
        m.write(f"/var/lib/knot-primary/{zone}.zone", ZONE)
    m.run("systemctl daemon-reload && systemctl start knot-primary")
    m.wait_for(lambda: ask(m, PRIMARY, ZONES[-1], "SOA"), 20, "the primary name server")
    m.run("systemctl start knot-secondary")
    for zone in ZONES:
        m.wait_for(lambda z=zone: ask(m, SECONDARY, z, "SOA"), 20, "the secondary name server")
    m.write("/etc/resolv.conf", f"nameserver {PRIMARY}\noptions timeout:1 attempts:2\n")


def ask(m, server, name, kind="TXT"):
    """What one server has, a list of texts."""
    result = m.run(["dig", "+short", "+time=1", "+tries=1", "+norecurse", f"@{server}", name, kind], check=False)
    return [line for line in result.out.splitlines() if not line.startswith(";;")]


def refresh(m, zone=ZONES[0]):
    """The secondary fetches a zone now."""
    m.run(["knotc", "-c", "/etc/knot-secondary.conf", "zone-refresh", zone])


def set_record(m, zone, name, record, ttl=60):
    """Puts a record into a zone of both servers: "CNAME other.test."."""
    kind, value = record.split(maxsplit=1)
    for words in (["zone-begin", zone], ["zone-set", zone, name, str(ttl), kind, value], ["zone-commit", zone]):
        m.run(["knotc", "-c", "/etc/knot-primary.conf", *words])
    refresh(m, zone)
    where = zone if name == "@" else f"{name}.{zone}"
    m.wait_for(lambda: ask(m, SECONDARY, where, kind), 20, f"the secondary to have {where}")
