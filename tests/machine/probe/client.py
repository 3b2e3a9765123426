#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""What mdctl does, with GDBus from Python: the interfaces are for other programs, too. `client.py VERB ARGUMENT…` prints JSON, or the name of the bus' error."""

import json
import os
import sys
import threading
import urllib.parse

from gi.repository import Gio, GLib

NAME, ROOT = "org.mdmanager1", "/org/mdmanager1"
INTERACTIVE = Gio.DBusCallFlags.ALLOW_INTERACTIVE_AUTHORIZATION
LONG = 120000       # milliseconds
POLKIT = ("org.freedesktop.PolicyKit1", "/org/freedesktop/PolicyKit1/Authority", "org.freedesktop.PolicyKit1.Authority")
AGENT_PATH = "/org/mdmanager1/test/Agent"
AGENT = """<node><interface name="org.freedesktop.PolicyKit1.AuthenticationAgent">
    <method name="BeginAuthentication">
      <arg type="s" direction="in"/><arg type="s" direction="in"/><arg type="s" direction="in"/><arg type="a{ss}" direction="in"/>
      <arg type="s" direction="in"/><arg type="a(sa{sv})" direction="in"/>
    </method>
    <method name="CancelAuthentication"><arg type="s" direction="in"/></method>
  </interface></node>"""


class Client:
    def __init__(self):
        self.bus = Gio.bus_get_sync(Gio.BusType.SYSTEM)
        self.loop = GLib.MainLoop()
        self.ends = {}
        # Before anything is begun: its end may come at once.
        self.bus.signal_subscribe(NAME, f"{NAME}.Manager", "JobRemoved", ROOT, None, Gio.DBusSignalFlags.NONE, self.on_job_removed)

    def on_job_removed(self, *arguments):
        job, domain, result, detail = arguments[5].unpack()
        self.ends[job] = {"Job": job, "Domain": domain, "Result": result, "Detail": detail}
        self.loop.quit()

    def call(self, path, interface, method, signature="", *arguments):
        interface = interface if "." in interface else f"{NAME}.{interface}"
        variant = GLib.Variant(f"({signature})", arguments) if signature else None
        answer = self.bus.call_sync(NAME, path, interface, method, variant, None, INTERACTIVE, LONG).unpack()
        return answer[0] if len(answer) == 1 else answer or None

    def manager(self, method, *arguments):
        return self.call(ROOT, "Manager", method, *arguments)

    def properties(self, path, kind):
        return self.call(path, "org.freedesktop.DBus.Properties", "GetAll", "s", f"{NAME}.{kind}")

    def path(self, name):
        return self.manager("GetDomain", "s", name)

    def domain(self, name, method, *arguments):
        return self.call(self.path(name), "Domain", method, *arguments)

    def end_of(self, job):
        """A job's end, or at once if it is none."""
        GLib.timeout_add(LONG, lambda: sys.exit(f"{job} does not end"))
        while job != "/" and job not in self.ends:
            self.loop.run()
        return self.ends.get(job)

    # mdctl's verbs

    def list(self):
        members = ("Name", "Path", "State", "Action", "Reason", "ValidUntilUSec", "NextUSec", "Errors", "LastProblem", "WaitsFor")
        return [dict(zip(members, row)) for row in self.manager("ListDomains")]

    def show(self, name):
        return self.properties(self.path(name), "Domain")

    def explain(self, name):
        return self.domain(name, "Explain")

    def renew(self, name, force=""):
        return self.end_of(self.manager("Renew", "sb", name, force == "--force"))

    def retry(self, name):
        return self.end_of(self.domain(name, "Retry"))

    def log(self, name):
        return self.domain(name, "GetLog")

    def timeline(self):
        return sorted((e["ValidUntilUSec"], e["Name"]) for e in self.list() if e["ValidUntilUSec"])

    def watch(self, event):
        """All signals of the manager until the one with this event: their names, with what they say."""
        seen, loop = [], GLib.MainLoop()

        def on_signal(connection, sender, path, interface, member, parameters):
            seen.append((path, member, parameters.unpack()))
            if member == "Event" and parameters.unpack()[0] == event:
                loop.quit()
        self.bus.signal_subscribe(NAME, None, None, None, None, Gio.DBusSignalFlags.NONE, on_signal)
        # The bus knows of the match when it has answered something else.
        self.properties(ROOT, "Manager")
        print("ready", flush=True)
        loop.run()
        return seen

    def check(self):
        return self.manager("Check")

    def reload(self, unit=""):
        return self.manager("Reload", "s", unit)

    def planned(self):
        return self.manager("ReloadPlanned")

    def told(self):
        """As md-targets does, of no target."""
        return self.manager("ReportTargets", "a(ssss)", [])

    def export(self, name, key="", password=None):
        if password:
            return bytes(self.domain(name, "GetPkcs12", "ss", key, password)).hex()
        return {"Chain": self.domain(name, "GetChain", "s", key), "PrivateKey": self.domain(name, "GetPrivateKey", "s", key)[0]}

    def metrics(self):
        return {"manager": self.properties(ROOT, "Manager"), "domains": [self.show(e["Name"]) for e in self.list()]}

    def revoke(self, name, reason=""):
        return self.end_of(self.manager("Revoke", "ssbb", name, reason, False, True))

    def archive(self, name):
        return self.domain(name, "ListArchive")

    def targets(self):
        return self.properties(ROOT, "Manager")["Targets"]

    def rollback(self, name):
        return self.domain(name, "Rollback", "t", 0)

    def hook(self, command, *words):
        return self.manager("GetPendingHooks") if command == "list" else self.domain(words[0], "TestHook", "s", words[1])

    def account(self, command, *words):
        if command == "list":
            return self.manager("ListAccounts")
        if command == "register":
            return self.end_of(self.manager("RegisterAccount", "sasb", words[0], [f"mailto:{word}" for word in words[1:]], True))
        path = self.manager("GetAccount", "s", words[0])
        return self.properties(path, "Account") if command == "show" else self.end_of(self.call(path, "Account", command.capitalize()))

    def tlsa(self, name):
        return [[key, live, following] for key, live, following in self.show(name)["KeyHashes"]]

    def version(self):
        shown = self.properties(ROOT, "Manager")
        return {key: shown[key] for key in ("Version", "StoreDirectory")}

    def take(self, kind, name, directory):
        """As mdctl import does with each certificate of a certbot directory: its files in sealed memory."""
        descriptor = os.memfd_create("import", os.MFD_ALLOW_SEALING)
        for file in sorted(os.listdir(directory)):
            with open(os.path.join(directory, file), "rb") as source:
                data = source.read()
            os.write(descriptor, f"{len(data)} {file}\n".encode() + data + b"\0")
        import fcntl
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL)
        files = Gio.UnixFDList.new_from_array([descriptor])
        arguments = GLib.Variant("(ssshb)", (urllib.parse.unquote(kind), "certificate", name, 0, True))
        return self.bus.call_with_unix_fd_list_sync(NAME, ROOT, f"{NAME}.Manager", "Import", arguments, None, INTERACTIVE, LONG, files)[0].unpack()

    def objects(self):
        """Everything that GetManagedObjects() tells, by a GDBusObjectManagerClient: {path: [interface]}."""
        known = Gio.DBusObjectManagerClient.new_for_bus_sync(Gio.BusType.SYSTEM, Gio.DBusObjectManagerClientFlags.NONE, NAME, ROOT, None, None, None)
        names = {found.get_object_path(): [interface.get_interface_name() for interface in found.get_interfaces()] for found in known.get_objects()}
        return {path: [name for name in interfaces if name.startswith(NAME)] for path, interfaces in names.items()}


class Agent(threading.Thread):
    """polkit's authentication agent for this program: a person who reads what the password is wanted for, and declines."""
    def __init__(self):
        super().__init__(daemon=True)
        self.seen = []
        self.ready = threading.Event()

    def on_call(self, connection, sender, path, interface, method, parameters, invocation):
        if method == "BeginAuthentication":
            action, message, icon, details, cookie, identities = parameters.unpack()
            self.seen.append([action, message])
            invocation.return_dbus_error("org.freedesktop.PolicyKit1.Error.Cancelled", "No.")
        else:
            invocation.return_value(None)

    def run(self):
        context = GLib.MainContext.new()
        context.push_thread_default()
        flags = Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION
        bus = Gio.DBusConnection.new_for_address_sync(Gio.dbus_address_get_for_bus_sync(Gio.BusType.SYSTEM), flags, None, None)
        bus.register_object(AGENT_PATH, Gio.DBusNodeInfo.new_for_xml(AGENT).interfaces[0], self.on_call, None, None)
        with open("/proc/self/stat", encoding="utf-8") as stat:
            started = int(stat.read().rpartition(")")[2].split()[19])
        subject = ("unix-process", {"pid": GLib.Variant("u", os.getpid()), "start-time": GLib.Variant("t", started)})
        bus.call_sync(*POLKIT, "RegisterAuthenticationAgent", GLib.Variant("((sa{sv})ss)", (subject, "C", AGENT_PATH)), None, Gio.DBusCallFlags.NONE, -1)
        self.ready.set()
        GLib.MainLoop.new(context, False).run()


def ask(*words):
    """What a person is asked when the verb is called with these words, and who declines: the action and the message, each time."""
    agent = Agent()
    agent.start()
    if not agent.ready.wait(30):
        sys.exit("polkit takes no agent")
    try:
        getattr(Client(), words[0])(*words[1:])
        sys.exit(f"{words[0]} was not refused")
    except GLib.Error as error:
        if Gio.DBusError.get_remote_error(error) != "org.freedesktop.DBus.Error.AccessDenied":
            raise
    return agent.seen


def main():
    try:
        print(json.dumps(ask(*sys.argv[2:]) if sys.argv[1] == "ask" else getattr(Client(), sys.argv[1])(*sys.argv[2:])))
        return 0
    except GLib.Error as error:
        print(Gio.DBusError.get_remote_error(error), error.message, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
