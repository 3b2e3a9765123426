# SPDX-License-Identifier: Apache-2.0
"""What the tests need from the machine they run on, and how they leave nothing behind there.

Everything runs in a mount and a PID namespace of its own. When the run ends, however it ends, the kernel ends every
process in it and takes every mount away."""

import contextlib
import ctypes
import fcntl
import hashlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent.parent

# command: the Debian package that has it
NEEDED = {
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "openssl": "openssl",
    "nsenter": "util-linux",
    "apt-get": "apt",
}

CLONE_NEWNS = 0x00020000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1

libc = ctypes.CDLL(None, use_errno=True)


class Failure(Exception):
    """Something that a test looked at is not as it should be."""


def say(text):
    print(text, flush=True)


def syscall(name, *arguments):
    if getattr(libc, name)(*arguments) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def command(*words, **options):
    """Runs a command of the host. What it printed is shown only when it fails."""
    done = subprocess.run([str(w) for w in words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False, **options)
    if done.returncode != 0:
        raise Failure(f"{' '.join(str(w) for w in words)}: exit status {done.returncode}\n{done.stdout[-6000:]}")
    return done.stdout


def install_needed():
    """Installs what is missing on the host. A Debian machine is all that is asked for."""
    if os.geteuid() != 0:
        sys.exit("The test machine needs root.")
    missing = sorted({package for name, package in NEEDED.items() if not shutil.which(name)})
    if not Path("/usr/share/keyrings/debian-archive-keyring.gpg").exists():
        missing.append("debian-archive-keyring")
    if missing:
        say(f"installing {' '.join(missing)}")
        environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        command("apt-get", "update", "-q", env=environment)
        command("apt-get", "install", "-q", "-y", "--no-install-recommends", *missing, env=environment)


def cache():
    """The directory in which images and builds are kept between runs."""
    chosen = os.environ.get("MD_TEST_CACHE")
    if not chosen:
        chosen = os.path.join(os.environ.get("XDG_CACHE_HOME") or "/var/cache", "md-manager-tests")
    path = Path(chosen)
    path.mkdir(parents=True, exist_ok=True)
    return path


def scratch():
    """A directory in memory that ends with the namespace."""
    if _host_proc is None:
        raise Failure("host.enter() comes first: without it mounts and machines would stay behind")
    return cache() / "scratch"


@contextlib.contextmanager
def locked(name):
    """One run at a time makes a thing in the cache; the others wait, and then find it there."""
    directory = cache() / "locks"
    directory.mkdir(exist_ok=True)
    with open(directory / name, "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def digest(*parts):
    total = hashlib.sha256()
    for part in parts:
        total.update(part if isinstance(part, bytes) else str(part).encode())
        total.update(b"\0")
    return total.hexdigest()[:16]


def mount(what, where, kind=None, options=None):
    words = ["mount"]
    if kind:
        words += ["-t", kind]
    if options:
        words += ["-o", options]
    command(*words, what, where)


class Network:
    """A network of its own: a loopback, and nobody else. It outlives the machine in it, as a CA outlives a server's reboot."""

    def __init__(self, path):
        self.path = Path(path)
        self.path.touch()

        def make():
            syscall("unshare", CLONE_NEWNET)
            mount(f"/proc/{os.getpid()}/task/{threading.get_native_id()}/ns/net", self.path, options="bind")
        self._elsewhere(make)
        with self.socket(kind=socket.SOCK_DGRAM) as control:
            name = struct.pack("16sh14x", b"lo", 0)
            flags = struct.unpack("16sh14x", fcntl.ioctl(control, SIOCGIFFLAGS, name))[1]
            fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))

    def _elsewhere(self, work):
        """Calls 'work' in a thread that may leave this process's network, and ends."""
        outcome = []

        def run():
            try:
                outcome.append((work(), None))
            except OSError as error:
                outcome.append((None, error))
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        value, error = outcome[0]
        if error:
            raise error
        return value

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM):
        """A socket that lives there and can be used from here."""
        def make():
            with open(self.path, encoding="ascii") as namespace:
                syscall("setns", namespace.fileno(), CLONE_NEWNET)
            return socket.socket(family, kind)
        return self._elsewhere(make)

    def words(self, *words):
        """A command of the host, run there."""
        return ["nsenter", f"--net={self.path}", *(str(word) for word in words)]

    def close(self):
        subprocess.run(["umount", str(self.path)], check=False)


def overlay(lower, upper, where):
    """Mounts 'upper' over the list 'lower' (topmost first) at 'where'."""
    work = upper.with_name(upper.name + ".work")
    for path in (upper, work, where):
        path.mkdir(parents=True, exist_ok=True)
    mount("overlay", where, "overlay", f"lowerdir={':'.join(str(p) for p in lower)},upperdir={upper},workdir={work}")


def remove_tree(path):
    """Removes a tree of the tests' own, also when a killed container left attributes that stop rm."""
    if path.exists():
        subprocess.run(["rm", "-rf", "--one-file-system", str(path)], check=False)


# The namespace

_host_proc = None       # the host's /proc, as it was before
_run = None             # the host's number of the process that began this run


def _inside(host_proc):
    """The first process of the namespace: makes its own view of the system, and stays as what every orphan falls to. Returns
    in a child of it, which is where the work goes on."""
    global _host_proc
    _host_proc = host_proc
    syscall("prctl", PR_SET_PDEATHSIG, signal.SIGKILL)

    mount("proc", "/proc", "proc")

    # The container's cgroups are version 2, whatever the host chose; a tree of version 2 can be had beside any.
    command("mkdir", "-p", "/sys/fs/cgroup", "/run/systemd/nspawn", str(scratch()))
    if not os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        mount("cgroup2", "/sys/fs/cgroup", "cgroup2")
    mount("tmpfs", "/run/systemd/nspawn", "tmpfs", "mode=0755")
    mount("tmpfs", scratch(), "tmpfs", "mode=0755,size=75%")

    worker = os.fork()
    if worker == 0:
        def ended(number, _frame):
            raise SystemExit(128 + number)
        signal.signal(signal.SIGTERM, ended)
        signal.signal(signal.SIGHUP, ended)
        syscall("prctl", PR_SET_PDEATHSIG, signal.SIGKILL)
        return
    _pass_on_signals(worker)
    # A machine is off only when all of its processes have been waited for, by whomever.
    while True:
        pid, status = os.wait()
        if pid == worker:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def _pass_on_signals(child):
    # Ctrl-C reaches the child by itself: it is in the same process group.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda n, _frame: os.kill(child, n))


def enter():
    """Goes on in a namespace that disappears with this process. To be called once, first thing, before any thread."""
    global _run
    if _host_proc is not None:
        return
    _run = os.getpid()
    install_needed()
    if os.path.isdir("/run/systemd/system") and "MD_TEST_SCOPE" not in os.environ:
        # Where systemd runs the host, it is asked for a cgroup to put the machines into.
        os.environ["MD_TEST_SCOPE"] = "1"
        os.execvp("systemd-run", ["systemd-run", "--quiet", "--scope", "--collect", "--property=Delegate=yes",
                                  *sys.orig_argv])

    host_proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    syscall("unshare", CLONE_NEWNS)
    command("mount", "--make-rprivate", "/")
    syscall("unshare", CLONE_NEWPID)
    child = os.fork()
    if child == 0:
        _inside(host_proc)
        return

    _pass_on_signals(child)
    _, status = os.waitpid(child, 0)
    _sweep_cgroups()
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)


def host_pid(pid):
    """The number by which the host knows a process of this namespace."""
    top = os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=_host_proc)
    entries = os.listdir(top)
    os.close(top)
    for entry in entries:
        if not entry.isdigit():
            continue
        try:
            with open(os.open(f"{entry}/status", os.O_RDONLY, dir_fd=_host_proc), encoding="utf-8") as file:
                numbers = next(line for line in file if line.startswith("NSpid:")).split()[1:]
        except (OSError, StopIteration):
            continue
        if len(numbers) > 1 and numbers[1] == str(pid):
            return int(numbers[0])
    return None


def container(root, name, *options):
    """The words that start a container on a tree: the same for a machine that boots and for a command in an image."""
    return ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--settings=no", "--link-journal=no", "--resolv-conf=off", "--timezone=off", f"--directory={root}", f"--machine={name}",
            *options]


def container_environment():
    return dict(os.environ, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY="1", SYSTEMD_NSPAWN_LOCK="0")


def inside(group, words):
    """The same command, started as a member of a cgroup. An empty one may be taken away by the systemd above which it stands, just now."""
    return ["sh", "-c", '{ echo 0 >"$0/cgroup.procs"; } 2>/dev/null || { mkdir -p "$0" && echo 0 >"$0/cgroup.procs"; } && exec "$@"', str(group), *(str(w) for w in words)]


def run_in_tree(root, *words, options=(), user=None, log=None, timeout=None):
    """Runs one command in a tree that is not booted, with /proc, /sys and /dev; returns its exit status and output."""
    name = f"tree-{digest(root, words, os.getpid(), threading.get_ident())}"
    group = make_cgroup(name)
    options = ["--private-network", "--as-pid2", "--console=pipe", *options]
    if user:
        options.append(f"--user={user}")
    try:
        done = subprocess.run(inside(group, container(root, name, *options) + ["--", *words]),
                              stdin=subprocess.DEVNULL, stdout=log or subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace", env=container_environment(), timeout=timeout, check=False)
    finally:
        remove_cgroup(group)
    return done.returncode, done.stdout


def must_in_tree(root, *words, **arguments):
    code, output = run_in_tree(root, *words, **arguments)
    if code != 0:
        raise Failure(f"{' '.join(str(w) for w in words)}: exit status {code}\n{(output or '')[-6000:]}")
    return output


# Cgroups: one for each machine, so that several can run side by side

def _own_cgroup():
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        for line in file:
            if line.startswith("0::"):
                return Path("/sys/fs/cgroup") / line[3:].strip().lstrip("/")
    raise Failure("this kernel has no cgroups of version 2")


def make_cgroup(name):
    path = _own_cgroup() / f"md-test-{_run}-{name}"
    path.mkdir(exist_ok=True)
    return path


def remove_cgroup(path):
    for directory, _, _ in os.walk(path, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(directory)


def _sweep_cgroups():
    """Removes what killed runs left: cgroups named after a process that is no more. Seen where the host mounts version 2."""
    for root in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
        if os.path.exists(f"{root}/cgroup.controllers"):
            for path in Path(root).glob("**/md-test-*"):
                run = path.name.split("-")[2]
                if run == str(_run) or not os.path.exists(f"/proc/{run}"):
                    remove_cgroup(path)
