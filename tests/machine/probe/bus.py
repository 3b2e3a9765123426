# SPDX-License-Identifier: Apache-2.0
"""A D-Bus connection in plain Python, for where no package may be asked for and no good manners are wanted: it sends whatever it is told."""

import os
import socket
import struct

ADDRESS = "/run/dbus/system_bus_socket"
CALL, REPLY, ERROR, SIGNAL = 1, 2, 3, 4
PATH, INTERFACE, MEMBER, ERROR_NAME, REPLY_SERIAL, DESTINATION, SENDER, SIGNATURE = range(1, 9)
FIELD_TYPES = {PATH: "o", INTERFACE: "s", MEMBER: "s", ERROR_NAME: "s", DESTINATION: "s", SIGNATURE: "g"}
NUMBERS = {"y": "B", "b": "I", "n": "h", "q": "H", "i": "i", "u": "I", "x": "q", "t": "Q", "d": "d", "h": "I"}
INTERACTIVE = 4


class BusError(Exception):
    """An error that came as the answer; 'name' is its D-Bus name."""

    def __init__(self, name, text):
        super().__init__(text)
        self.name = name


def _alignment(kind):
    if kind in "({":
        return 8
    if kind in "soa":
        return 4
    return struct.calcsize(NUMBERS[kind]) if kind in NUMBERS else 1


def split(signature):
    """The complete types that a signature lists."""
    types, start, depth = [], 0, 0
    for i, c in enumerate(signature):
        depth += (c in "({") - (c in ")}")
        if depth == 0 and c != "a":
            types.append(signature[start:i + 1])
            start = i + 1
    return types


class Writer:
    def __init__(self):
        self.data = bytearray()

    def align(self, n):
        self.data += bytes(-len(self.data) % n)

    def put(self, kind, value):
        c = kind[0]
        self.align(_alignment(c))
        if c in NUMBERS:
            self.data += struct.pack("<" + NUMBERS[c], value)
        elif c in "so":
            text = value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape")
            self.data += struct.pack("<I", len(text)) + text + b"\0"
        elif c == "g":
            self.data += bytes([len(value)]) + value.encode() + b"\0"
        elif c == "v":                      # (signature, value)
            self.put("g", value[0])
            self.put(value[0], value[1])
        elif c == "a":
            self._array(kind[1:], value)
        else:
            for member, item in zip(split(kind[1:-1]), value):
                self.put(member, item)

    def _array(self, kind, values):
        at = len(self.data)
        self.data += bytes(4)
        self.align(_alignment(kind[0]))
        start = len(self.data)
        for value in values.items() if isinstance(values, dict) else values:
            self.put(kind, value)
        struct.pack_into("<I", self.data, at, len(self.data) - start)


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self, form):
        self.at += -self.at % struct.calcsize(form)
        value, = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize(form)
        return value

    def text(self, length):
        value = self.data[self.at:self.at + length].decode("utf-8", "surrogateescape")
        self.at += length + 1
        return value

    def get(self, kind):
        c = kind[0]
        if c == "b":
            return bool(self.number("I"))
        if c in NUMBERS:
            return self.number(NUMBERS[c])
        if c in "so":
            return self.text(self.number("I"))
        if c == "g":
            return self.text(self.number("B"))
        if c == "v":
            return self.get(self.get("g"))
        if c == "a":
            return self._array(kind[1:])
        self.at += -self.at % 8
        return [self.get(member) for member in split(kind[1:-1])]

    def _array(self, kind):
        length = self.number("I")
        self.at += -self.at % _alignment(kind[0])
        end, values = self.at + length, []
        while self.at < end:
            values.append(self.get(kind))
        return dict(values) if kind[0] == "{" else values


class Bus:
    """One connection to the system bus, as the user who makes it."""

    def __init__(self, timeout=20):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.connect(ADDRESS)
        self.serial = 0
        self.socket.sendall(b"\0AUTH EXTERNAL " + str(os.geteuid()).encode().hex().encode() + b"\r\n")
        answer = self.socket.recv(1024)
        if not answer.startswith(b"OK"):
            raise BusError("not.admitted", repr(answer))
        self.socket.sendall(b"BEGIN\r\n")
        self.name = self.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello")[0]

    def close(self):
        self.socket.close()

    def message(self, destination, path, interface, member, signature="", *arguments, flags=0):
        """The bytes of the next call. An interface of None is left out."""
        body = Writer()
        for kind, value in zip(split(signature), arguments):
            body.put(kind, value)
        self.serial += 1
        fields = {PATH: path, INTERFACE: interface, MEMBER: member, DESTINATION: destination, SIGNATURE: signature or None}
        head = Writer()
        for kind, value in zip("yyyyuu", (ord("l"), CALL, flags, 1, len(body.data), self.serial)):
            head.put(kind, value)
        head.put("a(yv)", [(number, (FIELD_TYPES[number], value)) for number, value in fields.items() if value is not None])
        head.align(8)
        return bytes(head.data + body.data)

    def send(self, *words, flags=0):
        """Sends a call and returns its serial number."""
        self.socket.sendall(self.message(*words, flags=flags))
        return self.serial

    def _exactly(self, n):
        data = b""
        while len(data) < n:
            piece = self.socket.recv(n - len(data))
            if not piece:
                raise BusError("disconnected", "the bus closed the connection")
            data += piece
        return data

    def receive(self):
        """The next message: its type, its header fields and its body."""
        start = self._exactly(16)
        size, _, fields_size = struct.unpack("<III", start[4:])
        rest = self._exactly(fields_size + -fields_size % 8 + size)
        head = Reader(start + rest)
        head.at = 12
        fields = dict(head.get("a(yv)"))
        body = Reader(rest[fields_size + -fields_size % 8:])
        return start[1], fields, [body.get(kind) for kind in split(fields.get(SIGNATURE, ""))]

    def answer(self, serial):
        """The answer to a call, as a list."""
        while True:
            kind, fields, body = self.receive()
            if fields.get(REPLY_SERIAL) != serial or kind == SIGNAL:
                continue
            if kind == ERROR:
                raise BusError(fields[ERROR_NAME], body[0] if body else "")
            return body

    def call(self, destination, path, interface, member, signature="", *arguments, flags=0):
        return self.answer(self.send(destination, path, interface, member, signature, *arguments, flags=flags))
