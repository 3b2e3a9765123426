# SPDX-License-Identifier: Apache-2.0
"""What any local user may send to the manager on the real bus: nothing of it ends or blocks it, and nobody has it hold more than a little."""

import apache
import hands
import managed

PACKAGED = True

MANAGER = ("org.mdmanager1", "/org/mdmanager1", "org.mdmanager1.Manager")
DOMAIN = ("org.mdmanager1", "/org/mdmanager1/domain/example_2eorg", "org.mdmanager1.Domain")
PROPERTIES = ("org.mdmanager1", "/org/mdmanager1", "org.freedesktop.DBus.Properties")
TOO_LARGE = "org.freedesktop.DBus.Error.LimitsExceeded"

# A call with one text so long that the whole is as large as the bus lets through.
LARGEST = """connection = bus.Bus()
def filled(size, value):
    return "x" * size if value == "LARGE" else [filled(size, item) for item in value] if isinstance(value, (list, tuple)) else value
def largest(size):
    return filled(size, words)
connection.call(*largest(2 ** 25 - len(connection.message(*largest(0)))), flags=flags)"""


def setup(m):
    hands.install(m)
    managed.install(m)
    managed.settings(m, ReloadIntervalSec=1)
    managed.add(m, "example.org")
    apache.reload(m)
    managed.wait_served(m, "example.org")


def test_large_calls(m):
    """The largest message that the bus lets through is refused by every method, whoever sends it: neither polkit nor the text of an error has us repeat it, which would be our end."""
    calls = ((*MANAGER, "Reload", "s", "LARGE"), (*PROPERTIES, "GetAll", "s", "LARGE"), (*DOMAIN, "GetPkcs12", "ss", "", "LARGE"),
             (*MANAGER, "RegisterAccount", "sasb", "https://ca.test/", ["", "LARGE"], True),
             (*MANAGER, "ReportTargets", "a(ssss)", [("name", "example.org", "failed", "LARGE")]))
    pid = managed.main_pid(m)
    with hands.of_user(m, "alice") as alice:
        for words in calls:                                     # with "interactive authorization allowed"
            assert alice.error(LARGEST, timeout=60, words=words, flags=4) == TOO_LARGE, words[3:]
        assert alice.error("bus.Bus().call(*words, ['x'] * 100000, True)", timeout=60, words=[*MANAGER, "RegisterAccount", "sasb", "https://ca.test/"]) == TOO_LARGE
        assert alice.call(*MANAGER, "GetDomain", "s", "example.org") == [DOMAIN[1]]
    assert managed.main_pid(m) == pid
    assert "example.org" in managed.mdctl(m, "list").out
