#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds the project inside a suite's image: `build.py [SUITE [FLAVOUR]]` builds, and prints the layer that is put over a machine.

The source is mounted read-only; what is built is kept in the cache, so that the next build is a small one."""

import contextlib
import hashlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import host
import image
from host import Failure

FLAVOURS = {
    "plain": ["-Dbuildtype=debug"],
    "optimised": ["-Dbuildtype=debugoptimized", "-Db_ndebug=true"],
    "sanitized": ["-Dbuildtype=debug", "-Db_sanitize=address,undefined", "-Db_lundef=false"],
}
DIRECTORIES = ["--prefix=/usr", "--sysconfdir=/etc", "--localstatedir=/var"]
BUILDER = "alice"
BUILDER_ID = 1000
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1:abort_on_error=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:abort_on_error=1",
}


class Build:
    """One suite and flavour of one checkout."""

    def __init__(self, suite, flavour="plain", source=host.SOURCE):
        self.suite, self.flavour, self.source = suite, flavour, source
        self.top = host.cache() / "builds" / host.digest(source)
        self.directory = self.top / f"{suite}-{flavour}"
        self.lock = f"build-{host.digest(source)}-{suite}-{flavour}"

    @contextlib.contextmanager
    def tree(self, *binds):
        """The image with the source at /source and the build at /build; what else is written there is thrown away."""
        work = Path(tempfile.mkdtemp(prefix="build-", dir=host.scratch()))
        root = work / "root"
        host.overlay([image.image(self.suite)], work / "upper", root)
        options = [f"--bind-ro={self.source}:/source", f"--bind={self.directory}:/build", "--chdir=/source", *binds,
                   *(f"--setenv={name}={value}" for name, value in SANITIZERS.items())]
        try:
            yield lambda *words, **more: host.run_in_tree(root, *words, options=options, **more)
        finally:
            host.command("umount", "--lazy", root)
            host.remove_tree(work)

    def compile(self):
        """Configures and builds; what the compiler says is in the Failure."""
        self.directory.mkdir(parents=True, exist_ok=True)
        os.chown(self.directory, BUILDER_ID, BUILDER_ID)
        os.utime(self.top)
        _prune()
        options = DIRECTORIES + FLAVOURS[self.flavour]
        # Other options or another image: from the start. The old object files would not be what was asked for.
        stamp = self.directory / ".made-with"
        made_with = json.dumps([options, image.image(self.suite).name])
        if stamp.exists() and stamp.read_text(encoding="utf-8") != made_with:
            host.remove_tree(self.directory)
            self.directory.mkdir()
            os.chown(self.directory, BUILDER_ID, BUILDER_ID)
        with self.tree() as run:
            if not (self.directory / "build.ninja").exists():
                self._must(run("meson", "setup", "/build", "/source", *options, user=BUILDER))
            stamp.write_text(made_with, encoding="utf-8")
            self._must(run("ninja", "-C", "/build", user=BUILDER))

    def _must(self, outcome):
        code, output = outcome
        if code != 0:
            raise Failure(f"the build for {self.suite}, {self.flavour}, failed:\n{output[-8000:]}")

    def test(self, names=()):
        """Runs the unit tests; yields (name, seconds, failure or None) for each."""
        log = self.directory / "meson-logs" / "testlog.json"
        log.unlink(missing_ok=True)
        with self.tree() as run:
            code, output = run("meson", "test", "-C", "/build", "--no-rebuild", "--print-errorlogs", *names, user=BUILDER)
        if not log.exists():
            raise Failure(f"no test was run\n{output[-8000:]}")
        results = []
        for line in log.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            failure = None
            if entry["result"] not in ("OK", "EXPECTEDFAIL", "SKIP"):
                said = (entry.get("stdout") or "") + (entry.get("stderr") or "")
                failure = f"{entry['result']}, exit status {entry['returncode']}\n{said[-6000:]}"
            results.append((entry["name"], entry["duration"], failure))
        if code != 0 and not any(failure for _, _, failure in results):
            raise Failure(f"meson test ended with exit status {code} after {len(results)} tests\n{output[-4000:]}")
        return results

    def install(self):
        """Installs into a layer over the image, as a package would: users made, catalog known. Returns the layer."""
        layers = self.top / "layers"
        layers.mkdir(exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix="tmp-", dir=layers))
        temporary.chmod(0o755)
        layer = temporary / "layer"
        layer.mkdir()
        try:
            with self.tree(f"--bind={layer}:/layer", "--setenv=DESTDIR=/layer") as run:
                self._must(run("meson", "install", "-C", "/build", "--no-rebuild"))
            _merge_usr(layer)
            target = layers / f"{self.suite}-{self.flavour}-{_digest_of(layer, image.image(self.suite).name)}"
            if not target.exists():
                root = temporary / "root"
                host.overlay([image.image(self.suite)], layer, root)
                try:
                    image.register(root)
                finally:
                    host.command("umount", "--lazy", root)
                layer.rename(target)
            os.utime(target)
            return target
        finally:
            host.remove_tree(temporary)

    def layer(self):
        """Everything up to the layer; others wait that want the same."""
        with host.locked(self.lock):
            self.compile()
            return self.install()


def _merge_usr(layer):
    """Debian 12 still says /lib where it means /usr/lib; a directory of that name would hide the image's link."""
    for name in ("bin", "lib", "sbin"):
        if (layer / name).is_dir():
            (layer / "usr" / name).mkdir(parents=True, exist_ok=True)
            host.command("cp", "-a", f"{layer / name}/.", layer / "usr" / name)
            host.remove_tree(layer / name)


def _digest_of(layer, *more):
    total = hashlib.sha256("\0".join(more).encode())
    for path in sorted(layer.rglob("*")):
        status = path.lstat()
        total.update(f"{path.relative_to(layer)}\0{status.st_mode}\0{status.st_uid}\0{status.st_gid}\0".encode())
        if path.is_symlink():
            total.update(os.readlink(path).encode())
        elif path.is_file():
            total.update(path.read_bytes())
    return total.hexdigest()[:16]


def _prune():
    """Removes what nobody has used for a week, and layers of yesterday."""
    now = time.time()
    for checkout in (host.cache() / "builds").iterdir():
        if now - checkout.stat().st_mtime > 7 * 86400:
            host.remove_tree(checkout)
            continue
        for layer in checkout.glob("layers/*"):
            if now - layer.stat().st_mtime > 86400:
                host.remove_tree(layer)


if __name__ == "__main__":
    host.enter()
    arguments = sys.argv[1:]
    print(Build(*arguments or ["trixie"]).layer())
