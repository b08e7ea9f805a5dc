"""What is plugged in, as sysfs has it, and the few files there by which something is let in. Decides nothing."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gateway.machine.usb.descriptors import Interface, interfaces
from gateway.machine.usb.inputs import can_type

SYS = Path("/sys")
_LONGEST = 64  # characters of a name
_SERIAL = re.compile(r"[\x21-\x3f\x41-\x7e][\x21-\x7e]{0,63}")  # what begins with @ is a socket


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    """What somebody may let in. `identity`: vendor and product, as "0c45:7403"; `port`: as "1-1.4"."""

    port: str
    identity: str
    serial: str = ""
    name: str = ""

    @property
    def key(self) -> str:
        """Return what it is known by: its serial number, or where it is plugged in when it has none."""
        return f"{self.identity} {self.serial}" if self.serial else f"{self.identity} @{self.port}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Input:
    """An input device, which lies below `folder` of sysfs; `silent`: nobody hears it."""

    folder: Path
    of: Named
    types: bool
    silent: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """A USB device; `interfaces`: all that it says it could be."""

    folder: Path
    of: Named
    interfaces: tuple[Interface, ...]

    @property
    def is_in(self) -> bool:
        return read(self.folder / "authorized") == "1"


class Tree:
    """One machine's."""

    def __init__(self, sys: Path = SYS) -> None:
        self._bus = sys / "bus" / "usb"
        self._input = sys / "class" / "input"

    def close(self) -> None:
        """Have nothing that is plugged in from now on do anything by itself. Raises OSError."""
        for host in self._bus.glob("devices/usb*"):
            for name in ("authorized_default", "interface_authorized_default"):
                write(host / name, "0")

    def devices(self) -> Iterator[Device]:
        """Yield all but the hosts' own hubs."""
        for folder in sorted(self._bus.glob("devices/*-*")):
            if ":" not in folder.name:
                with suppress(
                    OSError, ValueError
                ):  # it goes while it is looked at; it says nothing that can be read
                    raw = (folder / "descriptors").read_bytes()
                    yield Device(folder=folder.resolve(), of=_named(folder), interfaces=tuple(interfaces(raw)))

    def parts(self, device: Device) -> list[tuple[Path, Interface]]:
        """Return the interfaces of a device that is in, as it is configured now."""
        found = []
        for folder in sorted(device.folder.glob(f"{device.folder.name}:*")):
            with suppress(OSError, ValueError):
                number, kind = (int(read(folder / name), 16) for name in ("bInterfaceNumber", "bInterfaceClass"))
                found.append((folder, Interface(number=number, kind=kind, modalias=read(folder / "modalias"))))
        return found

    def probe(self, part: Path) -> None:
        """Have the kernel look for a driver of an interface; none yet is no mistake."""
        with suppress(OSError):
            write(self._bus / "drivers_probe", part.name)

    def inputs(self) -> Iterator[Input]:
        """Yield the input devices on USB and PS/2, which are all that somebody can plug in."""
        for entry in sorted(self._input.glob("input*")):
            with suppress(OSError, ValueError):
                folder = entry.resolve(strict=True)
                above = _above(folder)
                if above:
                    capabilities = folder / "capabilities"
                    yield Input(
                        folder=folder,
                        of=above,
                        types=can_type(read(capabilities / "key"), read(capabilities / "sw")),
                        silent=read(folder / "inhibited") == "1",
                    )


def read(path: Path) -> str:
    return path.read_text(errors="replace").strip()


def write(path: Path, text: str) -> None:
    """Say something to the kernel, unless it says so already. Raises OSError."""
    with suppress(OSError):  # a file that can only be written
        if read(path) == text:
            return
    path.write_text(text)


def _above(folder: Path) -> Named | None:
    """Return the device that an input belongs to, None for one that is built in."""
    for above in folder.parents:
        if (above / "idVendor").is_file():
            return _named(above)
        if re.fullmatch(r"serio\d+", above.name):
            identity = f"{read(folder / 'id/vendor')}:{read(folder / 'id/product')}"
            return Named(port=above.name, identity=identity, name=read(folder / "name")[:_LONGEST])
    return None


def _named(folder: Path) -> Named:
    serial, maker, product = (_said(folder / name) for name in ("serial", "manufacturer", "product"))
    return Named(
        port=folder.name,
        identity=f"{read(folder / 'idVendor')}:{read(folder / 'idProduct')}",
        serial=serial if _SERIAL.fullmatch(serial) else "",
        name=" ".join(filter(None, (maker, product)))[:_LONGEST],
    )


def _said(path: Path) -> str:
    """Return what a device says of itself, which may be nothing, or anything."""
    try:
        return "".join(each for each in read(path) if each.isprintable())
    except OSError:
        return ""
