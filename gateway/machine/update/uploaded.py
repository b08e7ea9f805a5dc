"""An update that came over the network: taken out of the panel's reach, and gone however its installation ends.

The panel's user owns the file and its folder. So root gives it a name that nobody else can make mean another file,
and only then looks at what it is. Who still has it open may change what is in it: what RAUC writes it checks block
by block (docs/decisions/0048-updates.md).
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gateway.machine.update.refusals import NoSuchFile

FOLDER = Path("/data/upload")  # image-build/tree/box/usr/lib/scopegate/data.conf
NAME = "bundle"  # as gateway/panel/own_upload.py calls it
_OURS = "uploaded.raucb"


@contextmanager
def taken(folder: Path, ours: Path) -> Iterator[Path]:
    """Yield what lies in the panel's folder, moved to `ours`, which is root's; it is gone afterwards.

    It may be a link: who takes it looks at what it is. It is never a folder: what is in one root may be unable to
    remove, and it would lie in the way of every other. Raises NoSuchFile.
    """
    file = ours / _OURS
    forget(ours)
    try:
        ours.mkdir(mode=0o700, exist_ok=True)
        os.link(folder / NAME, file, follow_symlinks=False)  # a folder has one name, whoever swaps it in between
    except OSError as error:
        raise NoSuchFile from error
    finally:
        _remove(folder / NAME)
    try:
        yield file
    finally:
        forget(ours)


def forget(ours: Path) -> None:
    """Remove what was taken, also before a power cut, and whatever it is."""
    _remove(ours / _OURS)


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
    shutil.rmtree(path, ignore_errors=True)  # follows no link
