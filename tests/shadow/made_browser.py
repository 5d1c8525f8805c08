"""A real browser without a driver: Chromium's own protocol over two pipes."""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

CHROMIUM = shutil.which("chromium")

LAUNCH = (
    "import os, sys; r, w = map(int, sys.argv[1:3]); os.dup2(r, 3); os.dup2(w, 4); "
    "os.execv(sys.argv[3], sys.argv[3:])"
)
"""Chromium reads commands from file 3 and answers to file 4."""

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    # Nothing but loopback can be reached, whatever a page asks for.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--remote-debugging-pipe",
)

KEYS = {"Tab": 9, "Enter": 13, "Space": 32}


class Browser:
    """One page of a headless Chromium."""

    def __init__(self, profile: Path, timeout_s: float = 180.0) -> None:
        self.timeout_s = timeout_s
        self.events: list[dict[str, Any]] = []
        self.count = 0
        self.rest = b""
        theirs_in, self.to = self._high(*os.pipe())
        self.back, theirs_out = self._high(*os.pipe())
        command = [sys.executable, "-c", LAUNCH, str(theirs_in), str(theirs_out)]
        self.process = subprocess.Popen(
            [*command, str(CHROMIUM), *FLAGS, f"--user-data-dir={profile}"],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"HOME": str(profile)},
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self.session = ""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        found = self.ask("Target.attachToTarget", targetId=target, flatten=True)
        self.session = found["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    @staticmethod
    def _high(*handles: int) -> list[int]:
        """Move handles away from 3 and 4."""
        moved = [fcntl.fcntl(handle, fcntl.F_DUPFD, 10) for handle in handles]
        for handle in handles:
            os.close(handle)
        return moved

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.to)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.back)

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send one command and return what it gives."""
        self.count += 1
        message = {"id": self.count, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            found = self._next()
            if found.get("id") == self.count:
                assert "error" not in found, found
                return found["result"]
            self.events.append(found)

    def _next(self) -> dict[str, Any]:
        end = time.monotonic() + self.timeout_s
        while b"\0" not in self.rest:
            ready = select.select([self.back], [], [], end - time.monotonic())[0]
            assert ready, f"Chromium was silent for {self.timeout_s} s"
            data = os.read(self.back, 1 << 16)
            assert data, "Chromium ended"
            self.rest += data
        line, _, self.rest = self.rest.partition(b"\0")
        return json.loads(line)

    def loaded(self, already: int) -> None:
        """Wait until one more page has been loaded than there were."""
        while self.loads() <= already:
            self.events.append(self._next())

    def loads(self) -> int:
        return len(self.of("Page.loadEventFired"))

    def of(self, method: str) -> list[dict[str, Any]]:
        """Return what the browser told of one kind."""
        return [e["params"] for e in self.events if e.get("method") == method]

    def open(self, address: str) -> None:
        before = self.loads()
        self.ask("Page.navigate", url=address)
        self.loaded(before)

    def press(self, key: str, loads: bool = False) -> None:
        """Press one key; wait for the page that it leads to."""
        before = self.loads()
        code = KEYS[key]
        text = {"Enter": "\r", "Space": " "}.get(key, "")
        names = {"key": " " if key == "Space" else key, "code": key}
        common = names | {"windowsVirtualKeyCode": code}
        down = "keyDown" if text else "rawKeyDown"
        self.ask("Input.dispatchKeyEvent", type=down, text=text, **common)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **common)
        if loads:
            self.loaded(before)

    def type(self, text: str) -> None:
        self.ask("Input.insertText", text=text)

    def tell(self, expression: str) -> Any:
        """Return the value of an expression on the page."""
        found = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def tab_to(self, selector: str, most: int = 60) -> int:
        """Press Tab until an element has the focus; return how often."""
        is_there = f"!!document.activeElement.matches({json.dumps(selector)})"
        for presses in range(1, most + 1):
            self.press("Tab")
            if self.tell(is_there):
                return presses
        raise AssertionError(f"{selector} cannot be reached by the keyboard")

    def size(self, width: int, height: int) -> None:
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def picture(self) -> bytes:
        """Return the whole page as PNG."""
        found = self.ask("Page.captureScreenshot", captureBeyondViewport=True)
        return base64.b64decode(found["data"])

    def pdf(self) -> bytes:
        found = self.ask("Page.printToPDF", preferCSSPageSize=True)
        return base64.b64decode(found["data"])

    def addresses(self) -> list[str]:
        """Return everything that was asked for."""
        return [e["request"]["url"] for e in self.of("Network.requestWillBeSent")]

    def complaints(self) -> list[str]:
        """Return what the console says."""
        logged = [e["entry"]["text"] for e in self.of("Log.entryAdded")]
        thrown = [str(e) for e in self.of("Runtime.exceptionThrown")]
        said = [str(e) for e in self.of("Runtime.consoleAPICalled")]
        return logged + thrown + said
