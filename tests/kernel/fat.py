"""An empty FAT16 file system in a file, as a stick has it that was bought (Microsoft's FAT specification, 1.03)."""

import struct
from pathlib import Path

_SECTOR, _CLUSTER, _ENTRIES = 512, 4, 512  # bytes; sectors; of the root folder
_BOOT = "<3s8sHBHBHHBHHHIIBBBI11s8s"


def make(path: Path, megabytes: int) -> None:
    """Make the file; 16 to 128 MB are FAT16 with these clusters."""
    sectors = megabytes * 2048
    table = -(-(sectors // _CLUSTER + 2) * 2 // _SECTOR)  # sectors
    boot = struct.pack(
        _BOOT, b"\xeb\x3c\x90", b"MSDOS5.0", _SECTOR, _CLUSTER, 1, 2, _ENTRIES, 0, 0xF8, table, 63, 255, 0, sectors,
        0x80, 0, 0x29, 0x20261126, b"STICK      ", b"FAT16   ",
    )  # fmt: skip
    with path.open("wb") as file:
        file.truncate(sectors * _SECTOR)
        file.write(boot.ljust(510, b"\0") + b"\x55\xaa")
        for number in range(2):
            file.seek((1 + number * table) * _SECTOR)
            file.write(b"\xf8\xff\xff\xff")
