"""RAUC's configuration, made at each start: this box's own disk, the oldest version that it may run."""

from gateway.machine.own_disk import OwnDisk
from gateway.machine.update.firmware import SLOTS, name
from gateway.machine.update.image import KEYRING, Image
from gateway.machine.update.slots import PIECES

_HEAD = """\
[system]
compatible={compatible}
bootloader={bootloader}
data-directory=/data/update/rauc
bundle-formats=verity
min-bundle-version={floor}

[keyring]
path={keyring}
check-purpose=codesign
# A certificate must have been valid when it signed. The box's own clock decides nothing: it may say 1970.
use-bundle-signing-time=true
# No lists of revoked certificates: such a list ends, and a box that nobody visits would take no update any more. A
# key that was lost is answered by an update, signed under the other root, that does not know its root.
check-crl=false
"""
# A Raspberry Pi has no UEFI: its slots are chosen by a file that its firmware reads.
_PI = """
[handlers]
bootloader-custom-backend=/usr/lib/scopegate/pi-slots
"""
_SLOT = """
[slot.{piece}.{number}]
device={device}
type=raw
{place}
"""


def bootname(slot: str, *, uefi: bool) -> str:
    """Return what RAUC calls a slot towards what starts it."""
    return name(slot) if uefi else slot


def text(image: Image, disk: OwnDisk, floor: str, *, uefi: bool = True) -> str:
    """Return the file. Raises KeyError when the disk lacks a partition."""
    bootloader = "efi" if uefi else "custom"
    parts = [_HEAD.format(compatible=image.compatible, bootloader=bootloader, floor=floor, keyring=KEYRING)]
    parts += [] if uefi else [_PI]
    for number, slot in enumerate(SLOTS):
        for piece, called in PIECES.items():
            place = f"bootname={bootname(slot, uefi=uefi)}" if piece == "start" else f"parent=start.{number}"
            device = disk.partitions[f"{called}-{slot}"].device
            parts.append(_SLOT.format(piece=piece, number=number, device=device, place=place))
    return "".join(parts)
