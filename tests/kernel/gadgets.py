"""USB devices that the kernel plays itself (configfs gadgets on dummy_hcd): real plugs, drivers and events."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self, TypeVar

_GADGETS = Path("/sys/kernel/config/usb_gadget")
_SOCKETS = 4  # of the virtual host controllers
_PATIENCE_S = 60.0
_IMAGE = Path("/usr/lib/scopegate/image")
_TOLD, _REQUEST = Path("/run/scopegate-machine/usb.json"), Path("/run/scopegate/usb")
T = TypeVar("T")


def until(what: str, look: Callable[[], T]) -> T:
    """Return the first true answer of `look`."""
    end = time.monotonic() + _PATIENCE_S
    while not (answer := look()):
        assert time.monotonic() < end, f"waited {_PATIENCE_S:.0f} s in vain for {what}"
        time.sleep(0.02)
    return answer


class Gadget:
    """A USB device with one function; `plug` puts it into a free socket, `unplug` pulls it out."""

    vendor, product, maker, name = "0x0525", "0xa4a7", "Virtual", "Gadget"

    def __init__(self, serial: str, function: str, settings: dict[str, bytes] | None = None) -> None:
        subprocess.run(["modprobe", "libcomposite"], check=True)
        subprocess.run(["modprobe", "dummy_hcd", f"num={_SOCKETS}"], check=True)
        self.serial = serial
        self._socket = ""
        self._root = _GADGETS / serial
        self._function = self._root / "functions" / f"{function}.0"
        strings = self._root / "strings" / "0x409"
        configuration = self._root / "configs" / "c.1"
        for folder in (self._root, strings, configuration, self._function):
            folder.mkdir(exist_ok=True)
        for file, text in (
            (self._root / "idVendor", self.vendor),
            (self._root / "idProduct", self.product),
            (strings / "serialnumber", serial),
            (strings / "manufacturer", self.maker),
            (strings / "product", self.name),
        ):
            file.write_text(text)
        for key, value in (settings or {}).items():
            (self._function / key).write_bytes(value)
        (configuration / f"{function}.0").symlink_to(self._function)

    def plug(self) -> Self:
        taken = {(gadget / "UDC").read_text().strip() for gadget in _GADGETS.iterdir()}
        sockets = sorted(path.name for path in Path("/sys/class/udc").iterdir())
        self._socket = next(name for name in sockets if name not in taken)
        (self._root / "UDC").write_text(self._socket)
        return self

    def unplug(self) -> None:
        if self._socket:
            (self._root / "UDC").write_text("\n")
        self._socket = ""

    def throw_away(self) -> None:
        self.unplug()
        configuration = self._root / "configs" / "c.1"
        (configuration / self._function.name).unlink()
        for folder in (configuration, self._function, self._root / "strings" / "0x409", self._root):
            folder.rmdir()


Plugged = TypeVar("Plugged", bound=Gadget)


class SerialPedal(Gadget):
    """A pedal that sends a byte a press, as the class driver for modems sees it (cdc_acm: /dev/ttyACM*)."""

    name = "Pedal"

    def __init__(self, serial: str = "PEDAL1") -> None:
        super().__init__(serial, "acm")
        self._line = -1

    @property
    def device(self) -> str:
        """Return the name that stays the same wherever it is plugged in."""
        return f"/dev/serial/by-id/usb-{self.maker}_{self.name}_{self.serial}-if00"

    def plug(self) -> Self:
        super().plug()
        until("the pedal's port", Path(self.device).exists)
        return self

    def press(self, byte: bytes = b"S") -> None:
        self.close_contact()
        os.write(self._line, byte)

    def close_contact(self) -> None:
        """Switch DSR and CD on, as the gadget does when its end is opened (gadget/function/f_acm.c of Linux)."""
        if self._line < 0:
            number = (self._function / "port_num").read_text().strip()
            self._line = os.open(f"/dev/ttyGS{number}", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            subprocess.run(["stty", "-F", f"/dev/ttyGS{number}", "raw", "-echo"], check=True)

    def open_contact(self) -> None:
        if self._line >= 0:
            os.close(self._line)
        self._line = -1

    def unplug(self) -> None:
        self.open_contact()
        super().unplug()
        until("the pedal's port to go", lambda: not Path(self.device).exists())


def let_in(device: str, serial: str) -> None:
    """On an appliance nobody hears what can type before somebody let it in (docs/decisions/0054-usb.md)."""
    if not _IMAGE.exists():
        return

    def state() -> str:
        said = json.loads(_TOLD.read_text())["devices"] if _TOLD.exists() else []
        return next((str(each["state"]) for each in said if each["key"] == key), "")

    key = f"0525:a4a7 {serial}"
    if until("the pedal to be judged", state) == "waits":
        _REQUEST.write_text(json.dumps({"do": "let-in", "device": key}))
    silent = Path("/sys/class/input") / Path(device).resolve().name / "device/inhibited"
    until("the pedal to be heard", lambda: silent.read_text().strip() == "0")


# A keyboard as the HID specification 1.11, appendix B.1 has it.
_KEYBOARD = bytes.fromhex(
    "05010906a101050719e029e71500250175019508810295017508810395057501050819012905910295017503910395067508"
    "150025650507190029658100c0"
)
KEY_B = 0x05  # HID usage tables 1.12, page 7


class KeyPedal(Gadget):
    """A pedal that is a USB keyboard with one key; `hold` keeps it down, so that the kernel repeats it."""

    name = "Footswitch"

    def __init__(self, serial: str = "KEYS1") -> None:
        settings = {"protocol": b"1", "subclass": b"1", "report_length": b"8", "report_desc": _KEYBOARD}
        super().__init__(serial, "hid", settings)

    @property
    def device(self) -> str:
        return f"/dev/input/by-id/usb-{self.maker}_{self.name}_{self.serial}-event-kbd"

    def plug(self) -> Self:
        super().plug()
        until("the pedal's events", Path(self.device).exists)
        let_in(self.device, self.serial)
        return self

    def hold(self, *keys: int) -> None:
        """Keep these keys down, and no others."""
        self._report(*(keys or (KEY_B,)))

    def release(self) -> None:
        self._report()

    def press(self, key: int = KEY_B) -> None:
        self.hold(key)
        self.release()

    def unplug(self) -> None:
        super().unplug()
        until("the pedal's events to go", lambda: not Path(self.device).exists())

    def _report(self, *keys: int) -> None:
        major, minor = (self._function / "dev").read_text().strip().split(":")
        node = next(
            path for path in Path("/dev").glob("hidg*") if path.stat().st_rdev == os.makedev(int(major), int(minor))
        )
        with node.open("wb", buffering=0) as out:
            out.write(bytes([0, 0, *keys]).ljust(8, b"\0"))


class Stick(Gadget):
    """A USB stick whose file system is in `image`."""

    name = "Stick"

    def __init__(self, image: Path, serial: str = "STICK1") -> None:
        super().__init__(serial, "mass_storage")
        (self._function / "lun.0/removable").write_text("1")
        (self._function / "lun.0/file").write_text(str(image))

    def throw_away(self) -> None:
        self.unplug()
        (self._function / "lun.0/file").write_text("\n")
        super().throw_away()


@contextmanager
def plugged(gadget: Plugged) -> Iterator[Plugged]:
    """Have it plugged in while the block lasts."""
    try:
        gadget.plug()
        yield gadget
    finally:
        gadget.throw_away()
