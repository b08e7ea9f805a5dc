"""Makes a box new. Destroying: nothing opens its data any more. Keeping: its settings and people are a new box's.

Both begin with a durable word and end at the next start, each step of which may be done twice: a cut at any of them
leaves a box that is whole, or new after the next start.
"""

import logging
import shutil
from contextlib import suppress
from itertools import count
from pathlib import Path

from gateway.log import event
from gateway.machine import durable
from gateway.machine.encryption.closed import DataMissing, KeyGone, NotErased
from gateway.machine.encryption.disk import Disk
from gateway.machine.encryption.key_record import KeyRecord, State
from gateway.machine.programs import ProgramFailed

DATA = Path("/data")
MARK = "new-settings"  # what the unit of that name waits for
_SETTINGS, _AWAY = "settings", "settings-away-"
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
    except KeyGone as error:  # worn out: no start can go on with it, so all that opens the data has to go now
        event(_log, "not_condemned", why=str(error))
        if not _forget(disk):
            raise NotErased("The disk of this box cannot be erased.", safe="It can be read as before.") from None
        return
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


def _forget(disk: Disk) -> bool:
    """Take every key out of the disk; say whether that worked. The next start writes over what was condemned."""
    try:
        disk.luks.forget()
    except ProgramFailed as error:
        event(_log, "slots_not_erased", why=str(error))
        return False
    return True


def mark(data: Path = DATA) -> None:
    """Have the next start begin with the settings and people of a new box. Durable. Raises OSError."""
    (data / MARK).touch()
    durable.flush(data)


def make_new(data: Path = DATA) -> None:
    """Take away what a new box has not; pictures stay. Raises OSError, and is done again at the next start."""
    if not (data / MARK).exists():
        return
    free = next(path for number in count() if not (path := data / f"{_AWAY}{number}").exists())
    with suppress(FileNotFoundError):
        (data / _SETTINGS).rename(free)  # all at once: half of them would be another box
    for name in _OF_PEOPLE:
        (data / name).unlink(missing_ok=True)
    for folder in filter(Path.is_dir, {data, *((data / name).parent for name in _OF_PEOPLE)}):
        durable.flush(folder)
    for away in data.glob(f"{_AWAY}*"):
        shutil.rmtree(away, ignore_errors=True)  # what a damaged disk keeps is nobody's any more
    (data / MARK).unlink()
    durable.flush(data)
    event(_log, "settings_made_new", left=len(list(data.glob(f"{_AWAY}*"))))
