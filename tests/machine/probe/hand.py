# SPDX-License-Identifier: Apache-2.0
"""A hand inside a sandbox: started in a unit's place, it does there what the test says, and answers what came of it.

    python3 hand.py NAME [whatever the unit hands over]

Each line that comes through the pipe NAME.in is Python, as a JSON string; what its last expression gives, or how it failed, goes back
through NAME.out. When the test closes its end, the hand ends."""

import ast
import contextlib
import ctypes
import errno
import json
import os
import socket
import sys
from pathlib import Path

import bus

PIPES = "/run/md-test"
names = {"bus": bus, "connections": {}, "ctypes": ctypes, "errno": errno, "os": os, "socket": socket, "sys": sys, "Path": Path,
         "arguments": sys.argv[2:], "environment": dict(os.environ)}


def syscall(function, *parameters):
    """A function of the C library; its errno as an exception."""
    library = ctypes.CDLL(None, use_errno=True)
    if (result := getattr(library, function)(*parameters)) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def do(text):
    tree = ast.parse(text)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<test>", "exec"), names)                                        # pylint: disable=exec-used
    return eval(compile(ast.Expression(last.value), "<test>", "eval"), names) if last else None   # pylint: disable=eval-used


def answer(text):
    try:
        return {"value": do(text)}
    except Exception as error:                                                          # pylint: disable=broad-except
        name = getattr(error, "name", None) if isinstance(error, bus.BusError) else None
        number = getattr(error, "errno", None)
        return {"error": name or errno.errorcode.get(number) or type(error).__name__, "text": str(error)}


def main():
    names["syscall"] = syscall
    name = sys.argv[1]
    with open(f"{PIPES}/{name}.out", "w", encoding="utf-8") as out, open(f"{PIPES}/{name}.in", encoding="utf-8") as orders:
        print(json.dumps({"value": "here"}), file=out, flush=True)
        for line in orders:
            print(json.dumps(answer(json.loads(line)), default=repr), file=out, flush=True)


with contextlib.suppress(BrokenPipeError):
    main()
