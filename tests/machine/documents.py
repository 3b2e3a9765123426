# SPDX-License-Identifier: Apache-2.0
"""The examples in the manual pages, as they are marked there: a comment `.\\" example: KIND` stands before the .EX of each.

    run            commands that succeed, run as root in one shell that stops at the first failure; "run as USER": as that user
    until          the same, tried again for some time: what they show comes by itself
    try            commands that may find something wrong, or nothing, but make sense
    file PATH      what is in a file
    apache         a piece of Apache's configuration
    modes          lines of path, mode and OWNER:GROUP
    prints WORD    a command that succeeds and prints this
    settings PATH  what is in a file of md-manager's settings; the manager is content with it
    drop-in UNIT   what is in a drop-in for a unit, or for all whose names begin so ("md-hook-.service"); systemd is content with it
    knot           a piece of the configuration of Knot DNS
    shown          nothing to be run here: it needs what a machine of the tests does not have, or is output"""

import re
from pathlib import Path

import host

KINDS = ("run", "until", "try", "file", "apache", "modes", "prints", "settings", "drop-in", "knot", "shown")
ESCAPES = {"-": "-", "e": "\\", "(aq": "'", "(dq": '"', "(ha": "^", "(ti": "~", "&": "", " ": " "}


class Example:
    def __init__(self, page, line, kind, words, text):
        self.page, self.line, self.kind, self.words, self.text = page, line, kind, words, text

    def __str__(self):
        return f"{self.page}:{self.line}: {self.kind} {' '.join(self.words)}\n{self.text}"


def plain(line):
    """One line of roff between .EX and .EE as it is shown."""
    def one(match):
        if match[1] in ("fI", "fB", "fR"):
            return ""
        if match[1] not in ESCAPES:
            raise ValueError(f"an escape that examples do not have: {match[0]}")
        return ESCAPES[match[1]]
    return re.sub(r"\\(f.|\(..|.)", one, line)


def examples(name, source=host.SOURCE):
    """All marked examples of a page, in their order."""
    lines = (Path(source) / "man" / name).read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if not line.startswith('.\\" example: '):
            continue
        kind, *words = line.removeprefix('.\\" example: ').split()
        if kind not in KINDS or lines[number + 1] != ".EX":
            raise ValueError(f"{name}:{number + 1}: not a mark of an example: {line}")
        body = lines[number + 2:lines.index(".EE", number)]
        yield Example(name, number + 1, kind, words, "".join(plain(part) + "\n" for part in body))
