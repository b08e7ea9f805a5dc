"""Debian's Chromium as the box's unit starts it, with its switches and policies: no way out, never frozen for long.

An X server stands in for the compositor, which takes no keys from a test; once it is the compositor itself.
"""

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from websockets.sync.client import connect

from tests.box import until
from tests.browser.conftest import Box

ROOT = Path(__file__).resolve().parents[2]
SYSTEMD, PANEL = ROOT / "systemd", ROOT / "gateway" / "panel" / "static"
WIDTH, HEIGHT = 800, 480
NOBODY = 65534
POLICIES = "/etc/chromium/policies"
IN_PLACE_OF_CAGE = """\
#!/bin/sh
[ "$1 $2" = "-d --" ] || exit 64
shift 2
exec "$@"
"""
KEYS = (
    *(f"F{number}" for number in range(1, 13)),
    *(f"ctrl+{key}" for key in "nthjklopsudfgrw"),
    *(f"ctrl+shift+{key}" for key in ("n", "t", "i", "j", "o", "b", "a", "m", "q", "w", "Delete")),
    *(
        "alt+Home",
        "alt+Left",
        "alt+F4",
        "alt+f",
        "alt+d",
        "shift+Escape",
        "Menu",
        "shift+F10",
        "ctrl+plus",
        "super",
    ),
    *("XF86HomePage", "XF86Search", "XF86Back", "ctrl+Tab", "ctrl+alt+t"),
)
ELSEWHERE = (
    "file:///etc/passwd",
    "view-source:http://127.0.0.1/",
    "chrome://version",
    "chrome://settings",
    "chrome://newtab",
    "chrome-untrusted://terminal/",
    "devtools://devtools/bundled/inspector.html",
    "data:text/html,elsewhere",
    "https://example.org/",
    "http://127.0.0.1:1/",
    "http://localhost/",
)
front = pytest.mark.parametrize("looks", [{"kiosk": True}], ids=["kiosk"])


@dataclass
class Screen:
    """A display, and the browser on it."""

    number: str
    folder: Path
    browser: subprocess.Popen[bytes] | None = None

    def run(self, *words: str) -> str:
        environment = {**os.environ, "DISPLAY": f":{self.number}"}
        done = subprocess.run(words, env=environment, capture_output=True, check=False, timeout=20)
        return done.stdout.decode(errors="replace")

    def windows(self) -> list[str]:
        """Return the titles of what can be seen."""
        found = self.run("xdotool", "search", "--onlyvisible", "--name", ".+").split()
        return [self.run("xdotool", "getwindowname", each).strip() for each in found]

    def start(self, address: str, *switches: str, **policies: object) -> None:
        """Start the browser as its unit does; `policies`: those of the product, changed."""
        port = address.rsplit(":", 1)[1].strip("/")
        shipped = json.loads((SYSTEMD / "kiosk" / "chromium-policies.json").read_text())
        shipped["URLAllowlist"] = [each.replace("8080", port) for each in shipped["URLAllowlist"]]
        for name in ("managed", "bin", "run"):
            (self.folder / name).mkdir(exist_ok=True)
        (self.folder / "managed" / "scopegate.json").write_text(json.dumps({**shipped, **policies}))
        cage = self.folder / "bin" / "cage"
        cage.write_text(IN_PLACE_OF_CAGE)
        cage.chmod(0o755)
        words = [str(SYSTEMD / "kiosk" / "scopegate-kiosk"), address, "--no-sandbox", "--disable-gpu", *switches]
        inside = f"mount --bind {self.folder} {POLICIES} && exec {shlex.join(words)}"
        self.browser = subprocess.Popen(
            ["unshare", "-m" if os.geteuid() == 0 else "-rm", "sh", "-c", inside],
            env={
                **os.environ,
                "DISPLAY": f":{self.number}",
                "PATH": f"{cage.parent}:{os.environ['PATH']}",
                "RUNTIME_DIRECTORY": str(self.folder / "run"),
                "HOME": str(self.folder / "run"),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def light(self) -> float:
        """Return how light most of what it shows is: 0 is black, 255 is white."""
        raw = (self.folder / "Xvfb_screen0").read_bytes()  # XWD: the pixels are the end of it
        shown = raw[-WIDTH * HEIGHT * 4 :]
        return float(np.median(np.frombuffer(shown, np.uint8).reshape(-1, 4)[:, :3]))

    def stop(self) -> None:
        if self.browser:
            os.killpg(self.browser.pid, signal.SIGKILL)
            self.browser.wait()


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    Path(POLICIES).mkdir(parents=True, exist_ok=True)
    reading, writing = os.pipe()
    server = subprocess.Popen(
        [
            *("Xvfb", "-displayfd", str(writing), "-ac", "-nolisten", "tcp"),
            *("-screen", "0", f"{WIDTH}x{HEIGHT}x24", "-fbdir", str(tmp_path)),
        ],
        pass_fds=[writing],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    with os.fdopen(reading) as said:
        found = Screen(said.readline().strip(), tmp_path)
    yield found
    found.stop()
    server.terminate()
    server.wait()


def beats(box: Box) -> int:
    return int(box.panel_says()["kiosk_beat_ns"])


def heard(box: Box, after: int) -> None:
    """Wait until a page on the screen was drawn and seen once more."""
    until("the page on the screen to be heard of", lambda: beats(box) > after, 60)


@pytest.fixture
def late() -> Iterator[socket.socket]:
    """A panel that is asked, and has not answered yet."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.mark.parametrize(("colour", "least", "most"), [("#0b0e12", 20, 90), ("", 200, 255)])
def test_the_screen_is_dark_until_the_page_is_there(
    screen: Screen, late: socket.socket, colour: str, least: int, most: int
) -> None:
    """Also right after it was switched on in a dark room. Control: without its colour the browser is white."""
    screen.start(f"http://127.0.0.1:{late.getsockname()[1]}", BrowserThemeColor=colour)
    late.settimeout(60)
    asked, _ = late.accept()
    with asked:
        until("the browser to show its ground", lambda: least <= screen.light() <= most, 60)
        time.sleep(2)  # its first frame is white in any case, for a moment
        assert least <= screen.light() <= most


def test_the_colour_until_the_page_is_there_is_the_pages_own() -> None:
    shipped = json.loads((SYSTEMD / "kiosk" / "chromium-policies.json").read_text())
    assert f"--bg: {shipped['BrowserThemeColor']}" in (PANEL / "panel.css").read_text()


@front
def test_no_key_of_a_plugged_in_keyboard_and_no_other_button_leads_away(box: Box, screen: Screen) -> None:
    screen.start(box.address)
    heard(box, 0)
    title = "Choose patient"
    until("the list to be shown", lambda: screen.windows() == [title], 60)
    screen.run("xdotool", "mousemove", "400", "240")
    for key in KEYS:
        screen.run("xdotool", "key", key)
        screen.run("xdotool", "key", "Escape")
        assert screen.windows() == [title], key
    for button in ("2", "3", "8", "9"):
        screen.run("xdotool", "mousemove", "400", "240", "click", button)
        assert screen.windows() == [title], button
    heard(box, beats(box))
    assert screen.browser
    assert screen.browser.poll() is None
    screen.run("xdotool", "key", "Tab", "Return")  # keys do arrive
    until("a key of the page to be followed", lambda: screen.windows() not in ([], [title]), 60)


@front
def test_no_address_but_the_panel_opens_and_nobody_looks_inside(box: Box, screen: Screen) -> None:
    screen.start(box.address, "--remote-debugging-port=0")
    heard(box, 0)
    assert not (screen.folder / "run" / "profile" / "DevToolsActivePort").exists()
    screen.stop()
    # With that one policy turned round, so that a test can say where to go.
    screen.start(
        box.address, "--remote-debugging-port=0", DeveloperToolsAvailability=1, RemoteDebuggingAllowed=True
    )
    port_file = screen.folder / "run" / "profile" / "DevToolsActivePort"
    until("the browser to listen", lambda: port_file.exists() and port_file.read_text(), 60)
    port = port_file.read_text().split()[0]

    def page() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=10) as answer:
            found = [each for each in json.loads(answer.read()) if each["type"] == "page"]
        return str(found[0]["webSocketDebuggerUrl"]) if found else ""

    with connect(until("the page to be there", page, 60), max_size=None) as inside:

        def ask(number: int, method: str, **parameters: str) -> dict[str, object]:
            inside.send(json.dumps({"id": number, "method": method, "params": parameters}))
            while True:
                said = json.loads(inside.recv(timeout=20))
                if said.get("id") == number:
                    return dict(said.get("result", {}))

        for number, address in enumerate(ELSEWHERE, 1):
            answer = ask(number, "Page.navigate", url=address)
            assert answer.get("errorText", "net::ERR_BLOCKED_BY_ADMINISTRATOR") in {
                "net::ERR_BLOCKED_BY_ADMINISTRATOR",
                "net::ERR_ABORTED",
                "net::ERR_INVALID_URL",
            }, address
            text = ask(100 + number, "Runtime.evaluate", expression="document.body.innerText")
            assert "root:" not in str(text), address
            assert "elsewhere" not in str(text).casefold(), address
        opened = ask(900, "Runtime.evaluate", expression="String(window.open('about:blank'))")
        assert "null" in str(opened)
        assert "errorText" not in ask(999, "Page.navigate", url=box.address)


@front
def test_a_page_that_froze_makes_its_browser_start_anew_and_nothing_else(box: Box, screen: Screen) -> None:
    asked = box.settings.station.runtime_dir / "kiosk-restart"
    screen.start(box.address)
    heard(box, 0)
    assert not asked.exists()
    assert screen.browser
    os.killpg(screen.browser.pid, signal.SIGSTOP)
    until("the browser to be missed", asked.exists, 60)
    lines = (SYSTEMD / "scopegate-kiosk-restart.service").read_text().splitlines()
    commands = [line.removeprefix("ExecStart=") for line in lines if line.startswith("ExecStart=")]
    assert commands[1].split() == [
        "/bin/systemctl",
        "--no-block",
        "try-restart",
        "scopegate-kiosk.service",
    ]
    subprocess.run(commands[0].replace("/run/scopegate", str(asked.parent)).split(), check=True)
    assert not asked.exists()
    screen.stop()  # as systemd does then
    before = beats(box)
    screen.start(box.address)
    heard(box, before)
    assert not asked.exists()


@front
def test_the_compositor_itself_shows_the_page(box: Box) -> None:
    with tempfile.TemporaryDirectory(prefix="sg-kiosk-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # whoever is not root has to read it
        shutil.copy(SYSTEMD / "kiosk" / "scopegate-kiosk", folder)
        (folder / "managed").mkdir()
        shipped = (SYSTEMD / "kiosk" / "chromium-policies.json").read_text()
        allowed = shipped.replace("8080", box.address.rsplit(":", 1)[1])
        (folder / "managed" / "scopegate.json").write_text(allowed)
        (folder / "run").mkdir(mode=0o700)
        words = [str(folder / "scopegate-kiosk"), box.address, "--no-sandbox", "--disable-gpu"]
        if os.geteuid() == 0:  # as whom it refuses to start
            os.chown(folder / "run", NOBODY, NOBODY)
            words = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *words]
        Path(POLICIES).mkdir(parents=True, exist_ok=True)
        inside = f"mount --bind {folder} {POLICIES} && exec {shlex.join(words)}"
        process = subprocess.Popen(
            ["unshare", "-m" if os.geteuid() == 0 else "-rm", "sh", "-c", inside],
            env={
                "PATH": os.environ["PATH"],
                "WLR_BACKENDS": "headless",
                "WLR_LIBINPUT_NO_DEVICES": "1",
                "XDG_RUNTIME_DIR": "/sys",  # login's, which nobody can write behind the unit's walls
                "RUNTIME_DIRECTORY": str(folder / "run"),
                "HOME": str(folder / "run"),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            heard(box, 0)
            heard(box, beats(box))
            assert process.poll() is None
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
