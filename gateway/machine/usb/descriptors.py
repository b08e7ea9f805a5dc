"""What a USB device says of itself before it may do anything: its interfaces, in the words that find drivers.

Believes nothing else of it. The kernel read these bytes and keeps them in sysfs, also of a device that stays out.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

_DEVICE = struct.Struct("<BBHBBBBHHHBBBB")  # USB 2.0, 9.6.1
_INTERFACE = struct.Struct("<BBBBBBBBB")  # 9.6.5
_IS_DEVICE, _IS_INTERFACE = 1, 4
_MOST = 64  # interfaces, of all settings: each is asked for its driver
_LEAST = 2  # bytes of a descriptor: how long it is, what it is


@dataclass(frozen=True, kw_only=True, slots=True)
class Interface:
    """One of the things that a device can be. `kind`: its class; `modalias`: as drivers say what they take."""

    number: int
    kind: int
    modalias: str


def interfaces(raw: bytes) -> list[Interface]:
    """Return the interfaces of all configurations and settings. Raises ValueError for what is no descriptor."""
    if len(raw) < _DEVICE.size or raw[1] != _IS_DEVICE:
        raise ValueError("no device descriptor")
    found = list(islice(_each(raw[_DEVICE.size :]), _MOST + 1))
    if len(found) > _MOST:
        raise ValueError("more interfaces than anything has")
    device = _DEVICE.unpack_from(raw)
    kind, subclass, protocol, vendor, product, version = *device[3:6], *device[7:10]
    ours = f"v{vendor:04X}p{product:04X}d{version:04X}dc{kind:02X}dsc{subclass:02X}dp{protocol:02X}"
    return [
        Interface(number=number, kind=ic, modalias=f"usb:{ours}ic{ic:02X}isc{isc:02X}ip{ip:02X}in{number:02X}")
        for number, ic, isc, ip in found
    ]


def _each(raw: bytes) -> Iterator[tuple[int, int, int, int]]:
    at = 0
    while at + _LEAST <= len(raw):
        length, what = raw[at], raw[at + 1]
        if length < _LEAST or at + length > len(raw):
            raise ValueError("a descriptor without an end")
        if what == _IS_INTERFACE and length >= _INTERFACE.size:
            _, _, number, _, _, kind, subclass, protocol, _ = _INTERFACE.unpack_from(raw, at)
            yield number, kind, subclass, protocol
        at += length
