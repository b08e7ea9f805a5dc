"""Data as they are on the disk, to be read and never written: what a rescue reads from.

Where they cannot be mounted, repairs (the journal's, and e2fsck's) are made in a layer in memory over the partition
(dm-snapshot), which was opened read-only. The layer goes with the rescue.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from gateway.log import event
from gateway.machine.encryption.closed import DataDamaged, KeyRefused
from gateway.machine.encryption.disk import Disk
from gateway.machine.encryption.luks import WrongKey
from gateway.machine.programs import ProgramFailed, run

WORK = Path("/run/scopegate-rescue")
_OPENED = Path("/dev/mapper/data")  # where the box itself opened it
_OURS = "rescue"
_LAYER = "rescue-layer"
_CHUNK = 8  # sectors that the layer keeps in one piece
_log = logging.getLogger(__name__)


def check(disk: Disk, code: bytes) -> None:
    """Raise KeyRefused for what is not this box's recovery code, DataDamaged where nothing could tell."""
    try:
        disk.luks.check(code)
    except WrongKey:
        raise KeyRefused("This is not the recovery code of this box.", action="Type it again.") from None
    except ProgramFailed as error:
        event(_log, "header_damaged", why=str(error))
        raise DataDamaged from None


@contextmanager
def laid_open(disk: Disk, code: bytes, mounted: Path) -> Iterator[Path]:
    """Yield the folder with the data. `mounted`: where they are when all is well. Raises DataDamaged.

    Runs in mounts of its own (PrivateMounts= of its unit): nobody else sees them.
    """
    seen = WORK / "data"
    with ExitStack() as undone:
        seen.mkdir(parents=True, exist_ok=True)
        try:
            if mounted.is_mount():
                _done(undone, ["mount", "--bind", "--options", "ro", mounted, seen], ["umount", seen])
            else:
                _mount(undone, _opened(undone, disk, code), seen)
        except ProgramFailed as error:
            event(_log, "not_laid_open", why=str(error))
            raise DataDamaged from None
        yield seen


def _opened(undone: ExitStack, disk: Disk, code: bytes) -> Path:
    """Return the partition in the clear."""
    if disk.opened:
        return _OPENED
    words: list[str | Path] = ["cryptsetup", "open", "--readonly", "--key-file", "{0}", disk.data, _OURS]
    run(words, secrets=[code])
    undone.callback(partial(_undo, ["cryptsetup", "close", _OURS]))
    return Path("/dev/mapper") / _OURS


def _mount(undone: ExitStack, device: Path, seen: Path) -> None:
    """Mount what the layer makes of it; without one, what is there without its journal."""
    try:
        with ExitStack() as layered:  # gone before the other way, which wants the device for itself
            layer = _layer(layered, device)
            _repair(layer)
            _done(layered, ["mount", "--types", "ext4", "--options", "ro", layer, seen], ["umount", seen])
            undone.enter_context(layered.pop_all())
    except ProgramFailed as error:
        event(_log, "no_layer", why=str(error))
        _done(undone, ["mount", "--types", "ext4", "--options", "ro,noload", device, seen], ["umount", seen])


def _layer(undone: ExitStack, device: Path) -> Path:
    """Return a device that reads as this one does; what is written onto it lies in memory."""
    memory = WORK / "memory"
    memory.mkdir(exist_ok=True)
    words: list[str | Path] = ["mount", "--types", "tmpfs", "--options", "size=50%,mode=700", "tmpfs", memory]
    _done(undone, words, ["umount", memory])
    size = int(run(["blockdev", "--getsz", device]))
    file = memory / "layer"
    run(["truncate", f"--size={size * 512}", file])
    loop = run(["losetup", "--find", "--show", file]).decode().strip()
    undone.callback(partial(_undo, ["losetup", "--detach", loop]))
    table = f"0 {size} snapshot {device} {loop} N {_CHUNK}"
    _done(undone, ["dmsetup", "create", _LAYER, "--table", table], ["dmsetup", "remove", _LAYER])
    return Path("/dev/mapper") / _LAYER


def _repair(layer: Path) -> None:
    """Do what can be done; whether it helped says the mount."""
    try:
        run(["e2fsck", "-f", "-y", layer], wait_s=6 * 3600, heard=False)
    except ProgramFailed as error:
        event(_log, "repaired_in_memory", status=error.status)


def _done(undone: ExitStack, words: Sequence[str | Path], undo: Sequence[str | Path]) -> None:
    run(words)
    undone.callback(partial(_undo, undo))


def _undo(words: Sequence[str | Path]) -> None:
    try:
        run(words)
    except ProgramFailed as error:  # the next start has none of it
        event(_log, "not_undone", why=str(error))
