"""A USB stick with eight GPIO pins (CP2112), played through uhid: the kernel's own driver makes a GPIO chip of it.

Its reports are those of the maker's interface specification AN495, as far as pins go. The driver asks for the
levels some 25 times a second and turns what changed into edges.
"""

import os
import select
import struct
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

from linuxpy.gpio.device import Device, get_chip_info

from tests.kernel.gadgets import until

_DESTROY, _GET, _GET_REPLY, _CREATE, _SET, _SET_REPLY = 1, 9, 10, 11, 13, 14  # linux/uhid.h
_USB, _VENDOR, _PRODUCT = 3, 0x10C4, 0xEA90
_REPORTS = {2: 4, 3: 1, 4: 2, 5: 2, 6: 13}  # feature reports: id, and bytes behind it
_CONFIG, _LEVELS, _SET_LEVELS, _VERSION, _BUS = _REPORTS
_EVENT = 4380  # sizeof(struct uhid_event)
_LOOK_S = 0.2  # between two looks whether it was unplugged


def _descriptor() -> bytes:
    """Return a report descriptor (HID 1.11, 6.2.2) with these reports, in a page of the maker's own."""
    features = b"".join(bytes([0x85, n, 0x09, n, 0x95, size, 0xB1, 0x02]) for n, size in _REPORTS.items())
    head = bytes.fromhex("0600ff 0901 a101 1500 26ff00 7508".replace(" ", ""))
    return head + features + bytes([0x85, 0x13, 0x09, 0x13, 0x95, 0x3F, 0x81, 0x02, 0xC0])


class GpioStick:
    """Its pins are pulled up: a contact that closes pulls one down."""

    def __init__(self) -> None:
        subprocess.run(["modprobe", "-a", "uhid", "hid-cp2112"], check=True)
        self.outputs = 0  # a bit a pin, as a lamp sees it
        self._levels = 0xFF
        self._config = bytes([_CONFIG, 0, 0xFF, 0, 0])
        self._fd = -1
        self._over = threading.Event()
        self._driver = threading.Thread()
        self.chip = ""

    def plug(self) -> Self:
        before = set(Path("/dev").glob("gpiochip*"))
        self._fd = os.open("/dev/uhid", os.O_RDWR | os.O_CLOEXEC)
        self._over.clear()
        self._driver = threading.Thread(target=self._answer, args=(self._fd,), daemon=True)
        self._driver.start()
        report = _descriptor()
        about = struct.pack("128s64s64sHHIIII", b"Stick", b"", b"", len(report), _USB, _VENDOR, _PRODUCT, 0, 0)
        os.write(self._fd, struct.pack("I", _CREATE) + about + report)
        found = until("the stick's chip", lambda: set(Path("/dev").glob("gpiochip*")) - before)
        self.chip = str(found.pop())
        with Device(self.chip) as device:
            assert get_chip_info(device).label == "cp2112_gpio"
        return self

    def close_contact(self, pin: int) -> None:
        self._levels &= ~(1 << pin)

    def open_contact(self, pin: int) -> None:
        self._levels |= 1 << pin

    def unplug(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            with suppress(OSError):
                os.write(fd, struct.pack("I", _DESTROY))
            self._over.set()
            self._driver.join()
            os.close(fd)  # not before nobody reads there: its number may soon be another file's

    def _answer(self, fd: int) -> None:
        while not self._over.is_set():
            if not select.select([fd], [], [], _LOOK_S)[0]:
                continue
            event = os.read(fd, _EVENT)
            kind, number, report = struct.unpack_from("IIB", event)
            if kind == _GET:
                data = self._report(report)
                answer = struct.pack("IIHH", _GET_REPLY, number, 0, len(data)) + data
            elif kind == _SET:
                (size,) = struct.unpack_from("<H", event, 10)
                self._take(event[12 : 12 + size])
                answer = struct.pack("IIH", _SET_REPLY, number, 0)
            else:
                continue
            with suppress(OSError):
                os.write(fd, answer)

    def _report(self, number: int) -> bytes:
        known = {
            _CONFIG: self._config,
            _LEVELS: bytes([_LEVELS, self._levels]),
            _VERSION: bytes([_VERSION, 0x0C, 2]),
            _BUS: bytes([_BUS, *bytes(13)]),
        }
        return known.get(number, bytes([number]))

    def _take(self, data: bytes) -> None:
        if data[0] == _CONFIG:
            self._config = data
        elif data[0] == _SET_LEVELS:
            value, mask = data[1], data[2]
            self.outputs = self.outputs & ~mask | value & mask
