# SPDX-License-Identifier: Apache-2.0
"""Debian packages of this checkout, built as packaging/build-debian does, inside a suite's image; and a layer in which they are installed."""

import inspect
import os
import shutil
import tempfile
from pathlib import Path

import build
import host
import image
from host import Failure

PARTS = "LICENSE README.md meson.build meson_options.txt apache completions dbus hooks man packaging polkit src tests/meson.build units".split()


def _digest(suite):
    parts = [suite, image.image(suite).name]
    for part in PARTS:
        top = host.SOURCE / part
        for path in sorted([top] if top.is_file() else top.rglob("*")):
            if path.is_file():
                parts += [str(path.relative_to(host.SOURCE)), oct(path.stat().st_mode), host.digest(path.read_bytes())]
    return host.digest(*parts)


def built(suite):
    """The directory with the packages, built if there are none of these sources yet."""
    work = build.Build(suite, "packages")
    with host.locked(work.lock):
        target = work.top / f"{suite}-packages-{_digest(suite)}"
        if target.is_dir():
            os.utime(target)
            return target
        work.directory.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix="tmp-packages-", dir=work.top))
        temporary.chmod(0o755)
        os.chown(temporary, build.BUILDER_ID, build.BUILDER_ID)
        try:
            # Everything is there but for a C++ compiler, which build-essential would bring along.
            with work.tree(f"--bind={temporary}:/packages", "--setenv=DEB_BUILD_OPTIONS=nocheck noautodbgsym", "--setenv=TMPDIR=/var/tmp") as run:
                code, output = run("/source/packaging/build-debian", "/packages", "--no-check-builddeps", user=build.BUILDER)
            if code != 0:
                raise Failure(f"the packages for {suite} cannot be built:\n{output[-8000:]}")
            (temporary / "build.log").write_text(output, encoding="utf-8")
            for old in work.top.glob(f"{suite}-packages-*"):
                shutil.rmtree(old)
            temporary.rename(target)
        finally:
            host.remove_tree(temporary)
        return target


def _install(suite, made, layer, root):
    """Into the image at 'root', whose changes go to 'layer', by dpkg and the packages' scripts: what is not running is started by the next boot."""
    host.overlay([image.image(suite)], layer, root)
    try:
        host.must_in_tree(root, "sh", "-c", "dpkg --install /packages/*.deb", options=[f"--bind-ro={made}:/packages", "--setenv=DEBIAN_FRONTEND=noninteractive"])
        image.register(root)
    finally:
        host.command("umount", "--lazy", root)


class Packages:
    """What stands for a Build where the programs come from packages."""

    def __init__(self, suite):
        self.suite = suite

    def layer(self):
        """A layer over the image: a machine on it is one on which somebody has installed the packages, and which was booted then."""
        made = built(self.suite)
        target = made.parent / "layers" / f"{made.name}-{host.digest(inspect.getsource(_install))}"
        with host.locked(f"layer-{host.digest(target)}"):
            if not target.is_dir():
                target.parent.mkdir(exist_ok=True)
                temporary = Path(tempfile.mkdtemp(prefix="tmp-", dir=target.parent))
                temporary.chmod(0o755)
                try:
                    _install(self.suite, made, temporary / "layer", temporary / "root")
                    (temporary / "layer").rename(target)
                finally:
                    host.remove_tree(temporary)
            os.utime(target)
            return target


def are_installed(m):
    """Whether a machine has the programs from packages."""
    return m.exists("/var/lib/dpkg/info/md-manager.list")
