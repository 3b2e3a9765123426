#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Images of Debian, made once and kept: `image.py [SUITE…]` makes them, and the layer with the CA, and prints where they are."""

import inspect
import os
import sys
import tempfile
import time
from pathlib import Path

import host

SUITES = ("bookworm", "trixie", "testing")

RUN = """systemd systemd-sysv dbus polkitd apache2 openssl ca-certificates curl procps iproute2 libcap2-bin python3
         libsystemd0 libjson-c5 libinih1 caddy knot bind9-dnsutils openssh-server zsh python3-gi""".split()
BUILD = """meson ninja-build gcc libc6-dev pkg-config apache2-dev libsystemd-dev libssl-dev libcurl4-openssl-dev
           libc-ares-dev libjson-c-dev libinih-dev mandoc""".split()
# The directories that systemd's own pkg-config file names moved to a package of their own after Debian 12.
ONLY = {"bookworm": [], "trixie": ["systemd-dev"], "testing": ["systemd-dev"]}

# A mirror may stand still for a while; what it has is signed all the same.
APT = ["Acquire::Languages \"none\"", "Acquire::Check-Valid-Until \"false\"", "Apt::Install-Recommends \"false\""]
DPKG = ["force-unsafe-io", "path-exclude=/usr/share/doc/*", "path-exclude=/usr/share/locale/*"]

# What only costs a machine time that lives for seconds, and what would do something by itself.
MASKED = """apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer man-db.timer logrotate.timer
            e2scrub_all.timer e2scrub_reap.service systemd-pstore.service systemd-firstboot.service
            systemd-networkd-wait-online.service systemd-timesyncd.service systemd-resolved.service getty.target
            getty@.service console-getty.service container-getty@.service dev-hugepages.mount sys-fs-fuse-connections.mount""".split()
DISABLED = ["caddy.service", "knot.service", "apache-htcacheclean.service", "ssh.service", "ssh.socket", "rescue-ssh.target"]


def _mmdebstrap(suite, variant, packages, target):
    words = ["mmdebstrap", f"--variant={variant}", f"--include={','.join(packages)}"]
    words += [f"--aptopt={option}" for option in APT]
    if variant != "extract":
        words += [f"--dpkgopt={option}" for option in DPKG]
        # Everything runs on the machine's own processor.
        words += ["--skip=check/qemu"]
    host.command(*words, suite, target, cwd="/", env=dict(os.environ, TMPDIR=str(target.parent)))


def _finish(root):
    """The first boot's work, done once here instead of at each boot."""
    host.command("systemd-machine-id-setup", f"--root={root}")
    units = root / "etc/systemd/system"
    for name in MASKED:
        path = units / name
        path.unlink(missing_ok=True)
        path.symlink_to("/dev/null")
    for name in DISABLED:
        for wants in units.glob("*.wants"):
            (wants / name).unlink(missing_ok=True)
    (root / "etc/hostname").write_text("md-test\n", encoding="utf-8")
    (root / "etc/hosts").write_text("127.0.0.1 localhost md-test ca.test\n", encoding="utf-8")
    resolv = root / "etc/resolv.conf"
    resolv.unlink(missing_ok=True)
    resolv.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:2\n", encoding="utf-8")
    # A journal that is kept over a reboot, and never slows a test down by its limits.
    (root / "var/log/journal").mkdir(exist_ok=True)
    conf = root / "etc/systemd/journald.conf.d/tests.conf"
    conf.parent.mkdir(exist_ok=True)
    conf.write_text("[Journal]\nStorage=persistent\nRateLimitIntervalSec=0\n", encoding="utf-8")
    # The user that builds, and that stands for a person without rights.
    host.must_in_tree(root, "useradd", "--uid=1000", "--create-home", "--shell=/bin/bash", "alice")
    register(root)


def register(root):
    """What a package's installation ends with, and a boot would else do: /etc and /var know everything in /usr."""
    host.must_in_tree(root, "sh", "-ec", "ldconfig; systemd-sysusers; journalctl --update-catalog")
    stamp = os.stat(root / "usr").st_mtime_ns
    for directory in ("etc", "var"):
        path = root / directory / ".updated"
        path.write_text(f"TIMESTAMP_NSEC={stamp}\n", encoding="utf-8")
        os.utime(path, ns=(stamp, stamp))


def _made(name, key, make):
    """The directory 'name' of the cache, made by make(path) if it is not there yet: whole or not at all."""
    target = host.cache() / "images" / f"{name}-{key}"
    with host.locked(f"image-{name}"):
        if target.is_dir():
            return target
        target.parent.mkdir(exist_ok=True)
        for old in target.parent.iterdir():
            if old.name.startswith(f"tmp-{name}-"):
                host.remove_tree(old)
        started = time.monotonic()
        host.say(f"making {name} (once)")
        temporary = Path(tempfile.mkdtemp(prefix=f"tmp-{name}-", dir=target.parent))
        temporary.chmod(0o755)
        try:
            root = temporary / "root"
            make(root)
            # Older ones stay until now: a run that began before may still stand on them, and keeps what it has open.
            root.rename(target)
        finally:
            host.remove_tree(temporary)
        for old in target.parent.iterdir():
            if old.name.rpartition("-")[0] == name and old != target and time.time() - old.stat().st_mtime > 86400:
                host.remove_tree(old)
        host.say(f"made {name} in {time.monotonic() - started:.0f} s")
        return target


def _key(*parts):
    return host.digest(*parts, APT, DPKG, MASKED, DISABLED, *(inspect.getsource(f) for f in (_mmdebstrap, _finish, register)))


def image(suite):
    """The root directory of a suite's image. Never written to: machines and builds stand on it with layers of their own."""
    packages = RUN + BUILD + ONLY[suite]

    def make(root):
        _mmdebstrap(suite, "apt", packages, root)
        _finish(root)
    return _made(suite, _key(suite, packages), make)


def pebble():
    """A layer with Pebble and its DNS server, from testing; they need no more than a C library and run on every suite."""
    def make(root):
        whole = root.with_name("whole")
        _mmdebstrap("testing", "extract", ["pebble"], whole)
        target = root / "usr/bin"
        target.mkdir(parents=True)
        for name in ("pebble", "pebble-challtestsrv"):
            (whole / "usr/bin" / name).rename(target / name)
        for directory in (root, root / "usr", target):
            directory.chmod(0o755)
    return _made("pebble", host.digest(inspect.getsource(pebble)), make)


def _unpacked(suite, name, packages, tops):
    """A layer with packages over a suite's image, for one topic: nobody else pays for it. Only unpacked: what is in them has to start without what they would
    do when they are installed."""
    base = image(suite)

    def make(root):
        whole = root.with_name("whole")
        _mmdebstrap(suite, "extract", packages, whole)
        root.mkdir()
        for top in tops:
            _move_new(whole / top, base / top, root / top)
        for directory in (root, root / "etc"):
            if directory.is_dir():
                directory.chmod(0o755)
    return _made(f"{name}-{suite}", host.digest(suite, packages, tops, base.name, inspect.getsource(_unpacked), inspect.getsource(_move_new)), make)


def browser(suite):
    """Chromium and fonts."""
    return _unpacked(suite, "browser", "chromium fonts-dejavu-core fonts-liberation".split(), ("usr", "etc/fonts", "etc/chromium", "etc/chromium.d"))


def certbot(suite):
    """Debian's certbot."""
    return _unpacked(suite, "certbot", ["certbot"], ("usr",))


def jq(suite):
    """The command for JSON that manual pages have beside ours."""
    return _unpacked(suite, "jq", ["jq"], ("usr",))


MAIL = "postfix dovecot-imapd".split()


def mail(suite):
    """A layer with Postfix and Dovecot over a suite's image, likewise only unpacked: the topic that wants them sets them up."""
    base = image(suite)

    def make(root):
        whole = root.with_name("whole")
        _mmdebstrap(suite, "extract", MAIL, whole)
        root.mkdir()
        for top in ("usr", "etc/postfix", "etc/dovecot"):
            _move_new(whole / top, base / top, root / top)
        for directory in (root, root / "etc"):
            directory.chmod(0o755)
    return _made(f"mail-{suite}", host.digest(suite, MAIL, base.name, inspect.getsource(mail), inspect.getsource(_move_new)), make)


def _move_new(source, base, target):
    """Moves what is in 'source' and not in 'base': the image's own files stay what they are."""
    for path in sorted(source.rglob("*")):
        relative = path.relative_to(source)
        if (path.is_dir() and not path.is_symlink()) or os.path.lexists(base / relative):
            continue
        (target / relative.parent).mkdir(parents=True, exist_ok=True)
        path.rename(target / relative)


if __name__ == "__main__":
    host.enter()
    for wanted in sys.argv[1:] or ["trixie"]:
        print(image(wanted))
    print(pebble())
