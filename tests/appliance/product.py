"""The product as a person has it: a screen, a keyboard and plugs, and no way in for tests."""

import json
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tests.appliance.appliance import Appliance
from tests.kernel.machine import MachineFailed, mortal

SCREEN_S = 900
PAUSE_S = 5.0
_BLACK = 8  # the brightest point of a ground as firmware and consoles have it; the panel's has 18
_SHOWN = 0.9  # of its points are brighter
_SAME = 2.0  # levels, on average, of a picture that did not change


class Product(Appliance):
    """A box that is watched through QEMU: what its screen shows, what its serial port says."""

    def __init__(self, folder: Path, *, image: Path) -> None:
        super().__init__(
            folder, image=image, extra=["-device", "virtio-vga", "-device", "qemu-xhci", "-device", "usb-kbd"]
        )
        self._monitor_path = folder / "monitor"
        self._serial_path = folder / "serial"
        self._monitor: socket.socket | None = None
        self._answers_file: Any = None

    def _board(self) -> list[str]:
        return [
            "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "2048",
            "-nodefaults", "-display", "none", "-no-reboot", "-pidfile", str(self._pid),
            "-device", "virtio-rng-pci",
            "-chardev", f"socket,id=serial,path={self._serial_path},server=on,wait=off,logfile={self.console}",
            "-serial", "chardev:serial",
            "-qmp", f"unix:{self._monitor_path},server=on,wait=off",
        ]  # fmt: skip

    def plug_in(self) -> None:
        self._process = mortal(self._words(), self.folder)
        self._monitor = _connected(self._monitor_path)
        self._answers_file = self._monitor.makefile("r")
        json.loads(self._answers_file.readline())
        self._tell("qmp_capabilities", {})

    def _tell(self, command: str, words: Mapping[str, Any]) -> None:
        assert self._monitor
        self._monitor.sendall(json.dumps({"execute": command, "arguments": dict(words)}).encode())
        while "return" not in (answer := json.loads(self._answers_file.readline())):
            if "error" in answer:
                raise MachineFailed(f"{command}: {answer['error']}")

    def press(self, *keys: str) -> None:
        """Press keys together, by QEMU's names, and let them go."""
        self._tell("send-key", {"keys": [{"type": "qcode", "data": key} for key in keys]})

    def type_into_serial_port(self, text: str) -> None:
        with _connected(self._serial_path) as port:
            port.sendall(text.encode())
            time.sleep(PAUSE_S)

    def screen(self) -> np.ndarray[Any, Any]:
        """Return what the screen shows: uint8, shape (rows, columns, 3)."""
        file = self.folder / "screen.ppm"
        self._tell("screendump", {"filename": str(file)})
        picture = cv2.imread(str(file))
        assert picture is not None
        return picture

    def settled_screen(self) -> np.ndarray[Any, Any]:
        """Return the screen once it shows a page that stays. Raises MachineFailed."""
        end = time.monotonic() + SCREEN_S
        before = self.screen()
        while time.monotonic() < end:
            time.sleep(PAUSE_S)
            now = self.screen()
            if same(before, now) and (now.max(axis=2) > _BLACK).mean() > _SHOWN:
                return now
            before = now
        raise MachineFailed("the screen shows no page")

    def stop(self) -> None:
        for each in (self._answers_file, self._monitor):
            if each:
                each.close()
        self._answers_file = self._monitor = None
        super().stop()

    @property
    def is_on(self) -> bool:
        return self._process is not None and self._process.poll() is None


def same(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> bool:
    return one.shape == other.shape and float(np.abs(one.astype(int) - other.astype(int)).mean()) < _SAME


def _connected(path: Path) -> socket.socket:
    port = socket.socket(socket.AF_UNIX)
    end = time.monotonic() + 30
    while port.connect_ex(str(path)):
        if time.monotonic() > end:
            raise MachineFailed(f"QEMU opens no {path.name}")
        time.sleep(0.1)
    return port


def product_of(image: Path) -> Path:
    """Return the folder of the product's image, made with the same packages and no keys."""
    root = Path(__file__).resolve().parents[2]
    words = [root / "image-build" / "build", "--dir", image.parent, "--profile", "product", "image"]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    return Path(done.stdout.strip())
