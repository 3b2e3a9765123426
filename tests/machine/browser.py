#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Chromium in the machine, without a screen: a page as a visitor sees it, at any size, light or dark, with or without scripts.

    result = browser.look(m, "http://a.example.org/md-status", steps=[...], width=390, dark=True)

A step is an expression of JavaScript, whose value comes back, or {"key": "Tab"}, {"wait": EXPRESSION},
{"dark": TRUE OR FALSE} or {"shot": FILE}. The same file is the
program that runs in the machine: it speaks the DevTools protocol over two pipes."""

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAM = "/run/browser.py"
DEADLINE = 60


def look(m, url, steps=(), width=1280, height=900, phone=False, dark=False, script=True, directory=None):
    """Visits a page: {"values": [...], "complaints": [...], "requests": [...]}; screenshots come to 'directory' on this side."""
    m.write(PROGRAM, Path(__file__).read_text(encoding="utf-8"))
    wish = {"url": url, "steps": list(steps), "width": width, "height": height, "phone": phone, "dark": dark, "script": script}
    done = m.run(["python3", PROGRAM], user="alice", stdin=json.dumps(wish), timeout=2 * DEADLINE)
    result = json.loads(done.out)
    for name, data in result.pop("shots").items():
        if directory:
            (Path(directory) / name).write_bytes(base64.b64decode(data))
    return result


class Pipe:
    """The browser's end of the conversation."""

    def __init__(self, profile):
        command_out, command_in = os.pipe()
        answer_out, answer_in = os.pipe()
        # The protocol wants them as 3 and 4: copies far away first, so that neither overwrites the other.
        script = f'exec 3<&{command_out} 4>&{answer_in}; exec "$@"'
        self.process = subprocess.Popen(
            ["bash", "-c", script, "chromium", "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars",
             "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe",
             "--host-resolver-rules=MAP * 127.0.0.1", f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(command_out, answer_in), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": profile})
        os.close(command_out)
        os.close(answer_in)
        self.command, self.answer = command_in, answer_out
        self.buffer, self.number, self.session = b"", 0, None
        self.events = []
        self.end = time.monotonic() + DEADLINE

    def read(self):
        """The next message."""
        while b"\0" not in self.buffer:
            if not select.select([self.answer], [], [], max(0, self.end - time.monotonic()))[0]:
                raise TimeoutError("the browser said nothing in time")
            piece = os.read(self.answer, 1 << 20)
            if not piece:
                raise EOFError("the browser ended")
            self.buffer += piece
        text, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(text)

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.command, data):]
        while True:
            answer = self.read()
            if answer.get("id") == message["id"]:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def wait_event(self, method):
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self.read())

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")


def set_scheme(pipe, dark):
    pipe.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
                                                      {"name": "prefers-reduced-motion", "value": "reduce"}])


def take_step(pipe, step, shots):
    """One step: its value."""
    if isinstance(step, str):
        return pipe.evaluate(step)
    if "key" in step:
        codes = {"Tab": 9, "Enter": 13}
        more = {"text": "\r"} if step["key"] == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            pipe.call("Input.dispatchKeyEvent", type=kind, key=step["key"], code=step["key"], windowsVirtualKeyCode=codes[step["key"]], **more)
        return None
    if "wait" in step:
        while not pipe.evaluate(step["wait"]):
            if time.monotonic() > pipe.end:
                raise TimeoutError(f"waited for {step['wait']}")
            time.sleep(0.02)
        return None
    if "dark" in step:
        return set_scheme(pipe, step["dark"])
    metrics = pipe.call("Page.getLayoutMetrics")["cssContentSize"]
    clip = {"x": 0, "y": 0, "width": metrics["width"], "height": min(metrics["height"], 4000), "scale": 1}
    shots[step["shot"]] = pipe.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)["data"]
    return None


def complaints(events):
    """What the browser found wrong: scripts that failed, things that the page's policy forbids."""
    found = []
    for event in events:
        if event.get("method") == "Log.entryAdded" and event["params"]["entry"]["level"] in ("error", "warning"):
            found.append(event["params"]["entry"]["text"])
        elif event.get("method") == "Runtime.exceptionThrown":
            found.append(json.dumps(event["params"]["exceptionDetails"]))
    return found


def visit(wish):
    profile = tempfile.mkdtemp(prefix="browser-")
    pipe = Pipe(profile)
    try:
        target = next(t for t in pipe.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        pipe.session = pipe.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            pipe.call(f"{domain}.enable")
        pipe.call("Emulation.setDeviceMetricsOverride", width=wish["width"], height=wish["height"], deviceScaleFactor=1, mobile=wish["phone"])
        set_scheme(pipe, wish["dark"])
        if not wish["script"]:
            pipe.call("Emulation.setScriptExecutionDisabled", value=True)
        pipe.events.clear()
        pipe.call("Page.navigate", url=wish["url"])
        pipe.wait_event("Page.loadEventFired")
        shots = {}
        values = [take_step(pipe, step, shots) for step in wish["steps"]]
        pipe.call("Runtime.evaluate", expression="0")     # whatever was said before it has been read
        requests = [e["params"]["request"]["url"] for e in pipe.events if e.get("method") == "Network.requestWillBeSent"]
        return {"values": values, "complaints": complaints(pipe.events), "requests": requests, "shots": shots}
    finally:
        pipe.process.kill()
        pipe.process.wait()
        shutil.rmtree(profile, ignore_errors=True)


if __name__ == "__main__":
    print(json.dumps(visit(json.load(sys.stdin))))
