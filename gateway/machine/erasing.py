"""Makes a box new. Destroying: nothing opens its data any more. Keeping: its settings and people are a new box's.

Both begin with a durable word and end at the next start, each step of which may be done twice: a cut at any of them
leaves a box that is whole, or new after the next start.
"""

import logging
import os
import shutil
from contextlib import suppress
from pathlib import Path

from gateway.log import event
from gateway.machine.closed import DataMissing, KeyGone, NotErased
from gateway.machine.disk import Disk
from gateway.machine.handing import ProgramFailed
from gateway.machine.key_record import KeyRecord, State

DATA = Path("/data")
MARK = "new-settings"  # what the unit of that name waits for
_SETTINGS = "settings"
_OF_PEOPLE = ("spool/people.json", "spool/first-start.json")
_log = logging.getLogger(__name__)


def condemn(disk: Disk) -> None:
    """Say that the data go, and take out what opens them: from here on there is no way back. Raises DataClosed.

    They may be open, and are of no use after it: the machine has to be started anew at once.
    """
    if not disk.data.exists():
        raise DataMissing
    try:
        disk.write(KeyRecord(state=State.ERASING))
    except KeyGone as error:  # worn out: no start can go on with it, and what opens the data goes all the same
        event(_log, "not_condemned", why=str(error))
    _forget(disk)


def finish(disk: Disk) -> None:
    """Erase what was condemned, so that a box begins as a new one. Raises DataClosed."""
    if not _is_condemned(disk):
        return
    if not disk.data.exists():
        raise DataMissing
    _forget(disk)
    try:
        disk.luks.wipe()
    except OSError as error:
        raise NotErased(f"The disk of this box cannot be erased: {error.strerror}.") from None
    event(_log, "erased")
    disk.write(KeyRecord())


def _is_condemned(disk: Disk) -> bool:
    try:
        return disk.record().state is State.ERASING
    except KeyGone:  # whoever opens the data says so
        return False


def _forget(disk: Disk) -> None:
    try:
        disk.luks.forget()
    except ProgramFailed as error:  # what comes after it writes over the slots
        event(_log, "slots_not_erased", why=str(error))


def mark(data: Path = DATA) -> None:
    """Have the next start begin with the settings and people of a new box. Durable. Raises OSError."""
    (data / MARK).touch()
    _flush(data)


def make_new(data: Path = DATA) -> None:
    """Take away what a new box has not; pictures stay. Raises OSError, and is done again at the next start."""
    if not (data / MARK).exists():
        return
    with suppress(FileNotFoundError):
        shutil.rmtree(data / _SETTINGS)
    for name in _OF_PEOPLE:
        (data / name).unlink(missing_ok=True)
    for folder in (data, *{(data / name).parent for name in _OF_PEOPLE}):
        _flush(folder)
    (data / MARK).unlink()
    _flush(data)
    event(_log, "settings_made_new")


def _flush(folder: Path) -> None:
    if not folder.is_dir():
        return
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
