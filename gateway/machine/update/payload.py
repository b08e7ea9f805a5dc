"""Whether everything in a bundle is as it was signed, before the other slot is given up for it.

A bundle (RAUC, format `verity`) is a file system, the tree of its hashes, a signature of the root of that tree, and
eight bytes that say how long the signature is. RAUC 1.13 checks while it writes; its `perform-pre-check` misses a
block that is not the first of the 64 kB that it reads at once (it takes a short read for a whole one).
"""

from dataclasses import dataclass
from pathlib import Path

from gateway.machine.programs import ProgramFailed, run
from gateway.machine.update.refusals import Damaged

_BLOCK = 4096
_LENGTH = 8
_CHECK_S = 1800  # a stick of USB 1 has that long


@dataclass(frozen=True, kw_only=True, slots=True)
class Seal:
    """What the signature vouches for: the root of the tree, its salt, its length in bytes."""

    root: str
    salt: str
    tree: int


def check(file: Path, seal: Seal) -> None:
    """Read everything. Raises Damaged, OSError."""
    with file.open("rb") as bundle:
        size = file.stat().st_size
        bundle.seek(size - _LENGTH)
        signature = int.from_bytes(bundle.read(_LENGTH), "big")
    data = size - _LENGTH - signature - seal.tree
    if data <= 0 or data % _BLOCK:
        raise Damaged
    form = ["--no-superblock", "--format=1", "--hash=sha256", f"--salt={seal.salt}"]
    place = [f"--data-blocks={data // _BLOCK}", f"--hash-offset={data}"]
    words = ["veritysetup", "verify", *form, *place, str(file), str(file), seal.root]
    try:
        run(words, wait_s=_CHECK_S, heard=False)
    except ProgramFailed as error:
        raise Damaged from error
