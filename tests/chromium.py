"""Headless Chromium for tests of pages: opened on a file, asked and clicked over the DevTools protocol's pipe."""

import base64
import itertools
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

FLAGS = (
    "--headless=new", "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--hide-scrollbars",
    "--remote-debugging-pipe", "--no-first-run", "--disable-extensions",
)  # fmt: skip
TIMEOUT_S = 240


def chromium() -> str:
    """Path of the browser; skips the test if there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("Chromium is not installed")
    return found


class Page:
    """One page of ``width`` x ``height`` px. ``troubles`` collects errors of its console; a context manager."""

    def __init__(self, profile: Path, width: int = 1280, height: int = 800):
        (read_here, write_there), (read_there, write_here) = os.pipe(), os.pipe()

        # The protocol's pipe is file descriptors 3, which the browser reads, and 4, which it writes.
        redirect = f'exec "$@" 3<&{read_there} 4>&{write_there}'
        command = [
            chromium(),
            *FLAGS,
            f"--user-data-dir={profile}",
            f"--window-size={width},{height}",
            "about:blank",
        ]
        self._process = subprocess.Popen(
            ["/bin/bash", "-c", redirect, "chromium", *command],
            pass_fds=(read_there, write_there),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_there)
        os.close(write_there)
        self._read, self._write = read_here, write_here
        self._numbers, self._rest = itertools.count(1), b""
        self._session: dict[str, str] = {}
        self.troubles: list[str] = []
        target = next(t for t in self._call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        attached = self._call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        for domain in ("Page", "Runtime", "Log"):
            self._call(f"{domain}.enable")
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._call("Emulation.setDeviceMetricsOverride", **size)

    def __enter__(self) -> "Page":
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._browser_call("Browser.close")
            self._process.wait(timeout=30)
        finally:
            self._process.kill()
            os.close(self._read)
            os.close(self._write)

    def open(self, address: str) -> None:
        self._call("Page.navigate", url=address)

    def ask(self, expression: str):
        """Value of an expression of JavaScript in the page, awaited."""
        done = self._call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def wait_for(self, expression: str) -> None:
        end = time.monotonic() + TIMEOUT_S
        while not self.ask(expression):
            assert time.monotonic() < end, f"{expression} did not come true; {self.troubles}"
            time.sleep(0.1)

    def picture(self) -> np.ndarray:
        """(H, W, 3) RGB of the whole page, two frames after what was done last."""
        self.ask("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        png = np.frombuffer(base64.b64decode(self._call("Page.captureScreenshot")["data"]), np.uint8)
        return cv2.cvtColor(cv2.imdecode(png, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)

    def cpu_s(self) -> float:
        """Seconds that all the browser's processes have been computing."""
        processes = self._browser_call("SystemInfo.getProcessInfo")["processInfo"]
        return sum(process["cpuTime"] for process in processes)

    def _browser_call(self, method: str):
        """Call what belongs to the browser and not to its page."""
        session, self._session = self._session, {}
        try:
            return self._call(method)
        finally:
            self._session = session

    def _call(self, method: str, **parameters):
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters, **self._session}
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next(method)
            if answer.get("id") == number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]

    def _next(self, method: str) -> dict:
        while b"\0" not in self._rest:
            assert select.select([self._read], [], [], TIMEOUT_S)[0], f"no answer to {method}"
            piece = os.read(self._read, 1 << 20)
            assert piece, f"the browser ended during {method}"
            self._rest += piece
        text, self._rest = self._rest.split(b"\0", 1)
        message = json.loads(text)
        about = message.get("params", {})
        if message.get("method") == "Runtime.exceptionThrown":
            self.troubles.append(
                about["exceptionDetails"].get("exception", {}).get("description", "exception")
            )
        if message.get("method") == "Runtime.consoleAPICalled" and about["type"] in (
            "error",
            "warning",
            "assert",
        ):
            self.troubles.append(" ".join(str(a.get("value", a.get("description"))) for a in about["args"]))
        if message.get("method") == "Log.entryAdded" and about["entry"]["level"] in ("error", "warning"):
            self.troubles.append(about["entry"]["text"])
        return message
