"""Devices of the world, and which drivers Linux has for them: in usb_drivers.txt, as Debian 13's modprobe says.

tests/appliance/test_appliance_usb.py asks the image again.
"""

import struct
from pathlib import Path
from typing import NamedTuple

DRIVERS = {
    line.split()[0]: frozenset(line.split()[1:])
    for line in (Path(__file__).parent / "usb_drivers.txt").read_text().splitlines()
}
# Class, subclass and protocol of an interface.
HUB, ACM, DATA, NIC_DATA = (9, 0, 0), (2, 2, 1), (0x0A, 0, 0), (0x0A, 0, 1)
VIDEO, FRAMES, AUDIO, SAMPLES = (0x0E, 1, 0), (0x0E, 2, 0), (1, 1, 0), (1, 2, 0)
KEYBOARD, MOUSE, HID, STICK, UAS = (3, 1, 1), (3, 1, 2), (3, 0, 0), (8, 6, 0x50), (8, 6, 0x62)
RNDIS, RNDIS_OF_CDC, ECM, NCM, MBIM = (0xE0, 1, 3), (2, 2, 0xFF), (2, 6, 0), (2, 0x0D, 0), (2, 0x0E, 0)
BLUETOOTH, PHOTOS, ADB, OWN, APPLE_NET = (
    (0xE0, 1, 1),
    (6, 1, 1),
    (0xFF, 0x42, 1),
    (0xFF, 0xFF, 0xFF),
    (0xFF, 0xFD, 1),
)
OWN_0, PRINTER, CARD = (0xFF, 0xFF, 0), (7, 1, 2), (0x0B, 0, 0)
Kind = tuple[int, int, int]


class Known(NamedTuple):
    """A device, and what the box is to do with each of its interfaces: a word of Use."""

    what: str
    identity: str
    does: tuple[tuple[Kind, str], ...]


KNOWN = [
    Known("hub of four ports", "2109:3431", ((HUB, "hub"),)),
    Known("hub with two translators", "05e3:0608", ((HUB, "hub"), ((9, 0, 2), "hub"))),
    Known("network adapter of a hub", "0bda:8153", ((OWN, "none"),)),
    Known("the same as CDC", "0bda:8153", ((ECM, "none"), (DATA, "none"))),
    Known("gigabit adapter", "0b95:1790", ((OWN_0, "none"),)),
    Known("rubber ducky", "046d:c31c", ((KEYBOARD, "input"),)),
    Known("keyboard of Apple", "05ac:0220", ((KEYBOARD, "none"),)),
    Known("ducky with a stick", "03eb:2403", ((STICK, "stick"), (KEYBOARD, "input"))),
    Known("ducky that is a network", "0525:a4a2", ((RNDIS_OF_CDC, "none"), (DATA, "none"), (KEYBOARD, "none"))),
    Known("phone that lends its network", "18d1:4ee3", ((RNDIS, "none"), (DATA, "none"), (ADB, "none"))),
    Known("newer phone", "18d1:4eeb", ((NCM, "none"), (NIC_DATA, "none"))),
    Known("phone with pictures", "04e8:6860", ((PHOTOS, "none"), (ADB, "none"))),
    Known("iPhone", "05ac:12a8", ((PHOTOS, "none"), (AUDIO, "none"), (APPLE_NET, "none"))),
    Known("modem", "12d1:1506", ((OWN, "none"), (STICK, "stick"))),
    Known("modem of MBIM", "1199:9071", ((MBIM, "none"), (DATA, "none"))),
    Known("Bluetooth", "0a12:0001", ((BLUETOOTH, "none"), (BLUETOOTH, "none"))),
    Known("Wi-Fi with Bluetooth", "0bda:b82c", ((BLUETOOTH, "none"), (OWN, "none"))),
    Known("grabber", "534d:2109", ((VIDEO, "pictures"), (FRAMES, "pictures"), (AUDIO, "sound"))),
    Known("grabber with HID", "534d:2109", ((VIDEO, "pictures"), (FRAMES, "pictures"), (HID, "none"))),
    Known("grabber that types", "0000:0001", ((VIDEO, "pictures"), (FRAMES, "pictures"), (KEYBOARD, "none"))),
    Known("grabber with a network", "0000:0001", ((VIDEO, "pictures"), (ECM, "none"), (DATA, "none"))),
    Known("frames without a camera", "0000:0001", ((FRAMES, "none"), (SAMPLES, "none"), (DATA, "none"))),
    Known("analogue grabber", "05e1:0408", ((OWN, "pictures"), (AUDIO, "pictures"), (SAMPLES, "pictures"))),
    Known("another", "eb1a:2861", ((OWN, "pictures"),)),
    Known("a third", "1b71:3002", ((OWN, "pictures"),)),
    Known("loudspeaker with keys", "0d8c:0014", ((AUDIO, "sound"), (SAMPLES, "sound"), (HID, "input"))),
    Known("stick", "0781:5567", ((STICK, "stick"),)),
    Known("quick disk", "152d:0578", ((STICK, "stick"), (UAS, "stick"))),
    Known("FTDI", "0403:6001", ((OWN, "serial"),)),
    Known("CP2102", "10c4:ea60", ((OWN, "serial"),)),
    Known("PL2303", "067b:2303", ((OWN, "serial"),)),
    Known("CH340", "1a86:7523", ((OWN, "serial"),)),
    Known("pedal of an Arduino", "2341:0043", ((ACM, "serial"), (DATA, "serial"))),
    Known("pedal", "0c45:7403", ((KEYBOARD, "input"), (MOUSE, "input"))),
    Known("scanner", "0c2e:0200", ((KEYBOARD, "input"),)),
    Known("touch screen", "0eef:0001", ((HID, "input"),)),
    Known("something of its own", "1d50:ffff", ((OWN, "none"),)),
    Known("printer", "04b8:0005", ((PRINTER, "none"),)),
    Known("card reader", "04e6:5116", ((CARD, "none"),)),
]  # fmt: skip


def descriptors(known: Known) -> bytes:
    """Return what the device says of itself, with what lies between, as sysfs has it."""
    vendor, product = (int(each, 16) for each in known.identity.split(":"))
    device = struct.pack("<BBHBBBBHHHBBBB", 18, 1, 0x200, 0, 0, 0, 64, vendor, product, 0x100, 1, 2, 3, 1)
    configuration = struct.pack("<BBHBBBBB", 9, 2, 0, len(known.does), 1, 0, 0x80, 250)
    endpoint = struct.pack("<BBBBHB", 7, 5, 0x81, 3, 8, 10)
    faces = (
        struct.pack("<BBBBBBBBB", 9, 4, number, 0, 1, *kind, 0) + endpoint
        for number, (kind, _) in enumerate(known.does)
    )
    return device + configuration + b"".join(faces)


def drivers_of(modalias: str) -> frozenset[str]:
    """Return what Debian's kernel has for it."""
    return DRIVERS[modalias]
