"""The product as a person has it: a screen, a keyboard and plugs, and no way in for tests."""

import subprocess
import time
from pathlib import Path

from tests.appliance.appliance import TALKING_BOARD, Appliance
from tests.appliance.monitor import connected
from tests.appliance.screen import Screen
from tests.kernel.machine import mortal

_PAUSE_S = 5.0


class Product(Appliance):
    """A box that is watched through QEMU: what its screen shows, what its serial port says."""

    def __init__(self, folder: Path, *, image: Path) -> None:
        words = ["virtio-vga", "qemu-xhci", "usb-kbd", "usb-tablet"]
        devices = [word for each in words for word in ("-device", each)]
        super().__init__(folder, image=image, extra=[*devices, *TALKING_BOARD])
        self.screen = Screen(self.monitor, folder)
        self._serial_path = folder / "serial"

    def _board(self) -> list[str]:
        return [
            "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "2048",
            "-nodefaults", "-display", "none", "-no-reboot", "-pidfile", str(self._pid),
            "-device", "virtio-rng-pci",
            "-chardev", f"socket,id=serial,path={self._serial_path},server=on,wait=off,logfile={self.console}",
            "-serial", "chardev:serial",
        ]  # fmt: skip

    def plug_in(self) -> None:
        self._process = mortal(self._words(), self.folder)
        self.monitor.open()

    def type_into_serial_port(self, text: str) -> None:
        with connected(self._serial_path) as port:
            port.sendall(text.encode())
            time.sleep(_PAUSE_S)

    @property
    def is_on(self) -> bool:
        return self._process is not None and self._process.poll() is None


def product_of(image: Path) -> Path:
    """Return the folder of the product's image, made with the same packages and no keys."""
    root = Path(__file__).resolve().parents[2]
    words = [root / "image-build" / "build", "--dir", image.parent, "--profile", "product", "image"]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    return Path(done.stdout.strip())
