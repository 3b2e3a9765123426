#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the tests: all of them, or those named.

    tests/run                              everything
    tests/run unit                         the unit tests, in three flavours
    tests/run unit.challenge               those whose name has "challenge" in it
    tests/run checks check-floors          all checks; one check
    tests/run renew                        a topic of the machine tests, tests/machine/test_renew.py
    tests/run renew.test_first             one of its tests
    tests/run renew@bookworm               a topic on one suite
    tests/run --packages renew             on machines that have the programs from Debian packages
    tests/run --list                       what there is
    tests/run --keep renew                 when a test fails, waits and says how to enter its machine

Machines have the programs as 'meson install' puts them there, which takes seconds after a change. When everything runs, Debian packages
are installed instead: on all suites but trixie, and there for topics that say PACKAGED.

When everything runs, up to five pieces of work (a topic, a check, a flavour of the unit tests) that had a failure are tried a second
time at the end, with nothing beside them; what passes only then is named before the count. Tests that are named have one try.

As root, on Debian. What is missing is installed; images and builds are kept in $MD_TEST_CACHE or /var/cache/md-manager-tests."""

import argparse
import inspect
import importlib
import os
import queue
import sys
import threading
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE / "machine"))
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
import host                                     # noqa: E402
import image                                    # noqa: E402
import packages                                 # noqa: E402
from host import Failure                        # noqa: E402
from build import FLAVOURS, Build               # noqa: E402
from machine import Machine                     # noqa: E402

# Unit tests run in every flavour where they are developed, and plain where the machine tests need a build anyway.
UNIT = [("trixie", flavour) for flavour in FLAVOURS] + [("bookworm", "plain")]
CHECKED = "trixie"
PACKAGES = "packages"       # in place of a flavour: no build, but what Debian's tools make of one


class Report:
    """One line for each test of a piece of work."""

    lock = threading.Lock()

    def __init__(self):
        self.passed, self.failed = [], []

    def line(self, name, seconds, failure=None, proves=None):
        with self.lock:
            mark = "FAILED" if failure else "ok"
            text = f"{mark:<7}{name}  ({seconds:.1f} s)"
            if proves:
                text += f"  {proves}"
            host.say(text)
            if failure:
                self.failed.append(name)
                host.say("        " + str(failure).rstrip().replace("\n", "\n        "))
            else:
                self.passed.append(name)


class Result:
    """What came out of the whole run: a report for each piece of work, and one for its second try if it had one."""

    MOST_AGAIN = 5      # where more fails, it is not by chance

    def __init__(self):
        self.reports = {}
        self.again = {}

    def failed_work(self):
        return [function for function, report in self.reports.items() if report.failed]

    def worth_another_try(self):
        work = self.failed_work()
        return work if len(work) <= self.MOST_AGAIN else []

    def end(self):
        passed = [name for report in self.reports.values() for name in report.passed]
        failed, unsteady = [], []
        for function, report in self.reports.items():
            second = self.again.get(function, Report())
            for name in report.failed:
                (unsteady if name in second.passed else failed).append(name)
            failed += [name for name in second.failed if name not in report.failed]
        if unsteady:
            host.say("\npassed only at the second try, alone: " + ", ".join(unsteady))
        if failed:
            host.say("\nfailed: " + ", ".join(failed))
        count = len(set(passed) - set(failed)) + len(unsteady)
        host.say(f"{count} passed, {len(failed)} failed")
        return 1 if failed or not count else 0


class Wanted:
    """What the command line asks for."""

    def __init__(self, names, from_packages=False):
        self.names = names
        self.from_packages = from_packages
        self.used = set()

    def takes(self, group, name=None, suite=None):
        """The whole group 'group', or 'name' in it."""
        if not self.names:
            return True
        taken = False
        for wanted in self.names:
            rest, _, at = wanted.partition("@")
            head, _, tail = rest.partition(".")
            if head.removeprefix("test_") != group or at and suite and at != suite:
                continue
            if not tail or name is None or tail in (name, f"test_{name}", name.removeprefix("test_")) \
                    or group == "unit" and tail in name:
                self.used.add(wanted)
                taken = True
        return taken

    def unknown(self):
        return [name for name in self.names if name not in self.used]


def topics():
    """The modules of the machine tests, in the order of their names; what the rest stands on comes first."""
    names = sorted(path.stem for path in (HERE / "machine").glob("test_*.py"))
    names.sort(key=lambda name: name != "test_platform")
    return [importlib.import_module(name) for name in names]


def tests_of(module):
    found = [(name, function) for name, function in vars(module).items()
             if name.startswith("test_") and inspect.isfunction(function) and function.__module__ == module.__name__]
    return sorted(found, key=lambda pair: pair[1].__code__.co_firstlineno)


def first_line(thing):
    return (inspect.getdoc(thing) or "").partition("\n")[0]


def where(error):
    """A failure, as far as a test's author wants to see it."""
    if isinstance(error, SyntaxError):
        return "".join(traceback.format_exception_only(error))
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/test_" in frame.filename]
    lines = [f"{Path(frame.filename).name}:{frame.lineno}: {frame.line}" for frame in frames]
    if isinstance(error, (Failure, AssertionError)) and frames:
        said = str(error)
    else:
        said = "".join(traceback.format_exception(error))
    return "\n".join([*lines, said])


class Builds:
    """Each build is made once in a run; who wants it too waits, and shares its failure."""

    def __init__(self):
        self.lock = threading.Lock()
        self.made = {}

    def get(self, suite, flavour="plain"):
        with self.lock:
            entry = self.made.setdefault((suite, flavour), {"lock": threading.Lock()})
        with entry["lock"]:
            if "layer" not in entry:
                try:
                    began = time.monotonic()
                    entry["build"] = packages.Packages(suite) if flavour == PACKAGES else Build(suite, flavour)
                    entry["layer"] = entry["build"].layer()
                    entry["error"] = None
                    host.say(f"built  {suite}, {flavour}  ({time.monotonic() - began:.1f} s)")
                except Failure as error:
                    entry["layer"], entry["error"] = None, error
        if entry["error"]:
            raise entry["error"]
        return entry["build"], entry["layer"]


def run_unit(report, wanted, builds, suite, flavour):
    name = f"unit {suite}-{flavour}"
    patterns = [n.partition(".")[2] for n in wanted.names if n.startswith("unit.")]
    whole = not wanted.names or "unit" in [n.partition("@")[0] for n in wanted.names]
    try:
        build, _ = builds.get(suite, flavour)
        for test, seconds, failure in build.test():
            if whole or any(pattern in test for pattern in patterns):
                report.line(f"{name}: {test}", seconds, failure)
    except Failure as error:
        report.line(name, 0, error)


def checks():
    return sorted(path for path in (HERE / "checks").glob("check-*") if os.access(path, os.X_OK))


def run_check(report, builds, path):
    began = time.monotonic()
    try:
        build, layer = builds.get(CHECKED)
        with build.tree(f"--bind={layer}:/layer", "--setenv=BUILD=/build", "--setenv=DESTDIR=/layer",
                        "--setenv=SOURCE=/source") as run:
            code, output = run(f"/source/tests/checks/{path.name}")
        failure = None if code == 0 else f"exit status {code}\n{output[-6000:]}"
        report.line(path.name, time.monotonic() - began, failure)
    except Failure as error:
        report.line(path.name, time.monotonic() - began, error)


def ground_of(module, chosen):
    """The test that those behind it in its topic stand on (STANDS_ON), when some of these were chosen without it."""
    names = [name for name, _ in tests_of(module)]
    ground = getattr(module, "STANDS_ON", None)
    if not ground or ground in [name for name, _ in chosen] or not any(names.index(name) > names.index(ground) for name, _ in chosen):
        return None
    return dict(tests_of(module))[ground]


def flavour_of(wanted, module, suite):
    """What a topic's machines have: what it asks for, else packages or the plain build."""
    packaged = wanted.from_packages or not wanted.names and (suite != CHECKED or getattr(module, "PACKAGED", False))
    return getattr(module, "FLAVOUR", PACKAGES if packaged else "plain")


def run_topic(report, wanted, builds, module, suite, keep):
    """One topic on one suite: a machine, the topic's setup, its tests in order. FRESH asks for a machine for each test."""
    topic = module.__name__.removeprefix("test_")
    label = topic if suite == CHECKED else f"{topic}@{suite}"
    chosen = [(name, test) for name, test in tests_of(module) if wanted.takes(topic, name, suite)]
    ground = ground_of(module, chosen)
    machine = None

    def make():
        layers = [builds.get(suite, flavour_of(wanted, module, suite))[1]] if getattr(module, "INSTALLED", True) else []
        layers += [getattr(image, name)(suite) for name in getattr(module, "LAYERS", [])]
        made = Machine(suite, layers).boot()
        try:
            if hasattr(module, "setup"):
                module.setup(made)
            if ground:
                ground(made)
        except BaseException as error:
            if isinstance(error, Exception):
                error.add_note(f"the machine's journal ends with\n{made.tail()}")
            made.close()
            raise
        return made

    try:
        for name, test in chosen:
            began = time.monotonic()
            failure = None
            try:
                if machine is None:
                    machine = make()
                test(machine)
            except Exception as error:      # pylint: disable=broad-except
                failure = where(error)
                failure += "".join("\n" + note for note in getattr(error, "__notes__", []))
                if machine:
                    if "journal" not in failure:
                        failure += f"\nthe journal ends with\n{tail_of(machine)}"
            report.line(f"{label}.{name.removeprefix('test_')}", time.monotonic() - began, failure, first_line(test))
            if failure and keep and machine:
                wait_for_person(machine)
            if failure and machine is None:
                # It will not boot for the others either.
                for other, _ in chosen[chosen.index((name, test)) + 1:]:
                    report.line(f"{label}.{other.removeprefix('test_')}", 0, "no machine")
                return
            if machine and (getattr(module, "FRESH", False) or not machine.leader):
                machine.close()
                machine = None
    finally:
        if machine:
            machine.close()


def tail_of(machine):
    try:
        return machine.tail()
    except Exception as error:              # pylint: disable=broad-except
        return f"    (cannot be read: {error})"


def wait_for_person(machine):
    host.say(f"        The machine is kept. To enter it: nsenter --target {host.host_pid(machine.leader)} --all")
    host.say("        Press Enter to go on.")
    try:
        with open("/dev/tty", encoding="utf-8") as terminal:
            terminal.readline()
    except OSError:
        pass


def plan(wanted):
    """The work: (suite, alone, function); 'alone' says that nothing may run beside it."""
    work = []
    for suite, flavour in UNIT:
        if wanted.takes("unit", suite=suite):
            work.append((suite, False, lambda r, b, s=suite, f=flavour: run_unit(r, wanted, b, s, f)))
    for path in checks():
        if wanted.takes("checks", path.name) | (bool(wanted.names) and wanted.takes(path.name)):
            work.append((CHECKED, False, lambda r, b, p=path: run_check(r, b, p)))
    for module in topics():
        topic = module.__name__.removeprefix("test_")
        for suite in getattr(module, "SUITES", [CHECKED]):
            if any([wanted.takes(topic, name, suite) for name, _ in tests_of(module)]):
                alone = getattr(module, "ALONE", False)
                work.append((suite, alone, lambda r, b, m=module, s=suite: run_topic(r, wanted, b, m, s, keep_machines)))
    return work


keep_machines = False


def at_once(result, work, jobs):
    """Does the work, functions that take a report, 'jobs' of them at a time; 'result' has the report of each."""
    waiting = queue.SimpleQueue()
    for function in work:
        waiting.put(function)

    def worker():
        while True:
            try:
                function = waiting.get_nowait()
            except queue.Empty:
                return
            report = result[function] = Report()
            try:
                function(report)
            except BaseException as error:      # pylint: disable=broad-except
                report.line("(the run itself)", 0, "".join(traceback.format_exception(error)))

    threads = [threading.Thread(target=worker, daemon=True) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            thread.join(0.5)


def work_through(result, work, jobs, second):
    """Makes the images, then does the work, and at the end what must be alone. What failed is tried a second time if 'second' says so."""
    suites = sorted({suite for suite, _, _ in work}, reverse=True)
    at_once(result.reports, [lambda _: image.pebble(), *(lambda _, s=suite: image.image(s) for suite in suites)], jobs)
    builds = Builds()
    pieces = [(alone, lambda report, f=function: f(report, builds)) for _, alone, function in work]
    at_once(result.reports, [function for alone, function in pieces if not alone], jobs)
    at_once(result.reports, [function for alone, function in pieces if alone], 1)
    again = result.worth_another_try() if second else []
    if again:
        host.say("\nA second try for what failed, with nothing beside it:")
        at_once(result.again, again, 1)


def listing():
    host.say("unit")
    for path in checks():
        host.say(path.name)
    for module in topics():
        topic = module.__name__.removeprefix("test_")
        host.say(f"{topic}  ({', '.join(getattr(module, 'SUITES', [CHECKED]))})  {first_line(module)}")
        for name, test in tests_of(module):
            host.say(f"    {topic}.{name.removeprefix('test_')}  {first_line(test)}")


def main():
    global keep_machines
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--list", action="store_true", help="say what there is")
    parser.add_argument("--packages", action="store_true", help="Debian packages in all machines, also where topics are named")
    parser.add_argument("--keep", action="store_true", help="stop at a failure, with its machine running")
    parser.add_argument("--once", action="store_true", help="no second try for what fails when everything runs")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="how much at a time")
    arguments = parser.parse_args()
    if arguments.list:
        listing()
        return 0
    keep_machines = arguments.keep

    host.enter()
    began = time.monotonic()
    result = Result()
    wanted = Wanted(arguments.names, arguments.packages)
    work = plan(wanted)
    unknown = result.reports[wanted] = Report()
    for name in wanted.unknown():
        unknown.line(name, 0, "there is no test of that name; tests/run --list says which there are")
    work_through(result, work, 1 if arguments.keep else arguments.jobs, second=not arguments.names and not arguments.once)
    host.say(f"in {time.monotonic() - began:.0f} s")
    return result.end()


if __name__ == "__main__":
    try:
        code = main()
    except KeyboardInterrupt:
        host.say("interrupted")
        code = 130
    sys.stdout.flush()
    # The kernel ends what is left in the namespace.
    os._exit(code)
