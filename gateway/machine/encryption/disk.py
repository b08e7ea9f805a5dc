"""The data partition: made at the first start, opened at every other, never made twice.

A key is on the disk before anything is encrypted with it, and "made" behind it when all is done: a cut during the
first start begins again with nothing lost. What was made and cannot be opened may hold patients' pictures, and
stays as it is.
"""

import logging
import os
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from gateway.log import event
from gateway.machine import own_disk
from gateway.machine.encryption import key_record
from gateway.machine.encryption.closed import (
    ChipLocked,
    DataClosed,
    DataDamaged,
    DataForeign,
    DataMissing,
    KeyGone,
    KeyRefused,
    StartPinWanted,
    TwoDisks,
)
from gateway.machine.encryption.key_record import Guard, KeyRecord, RecordDamaged, State
from gateway.machine.encryption.luks import MAPPED, Luks, Slots, WrongKey
from gateway.machine.encryption.tpm import Tpm, TpmLockedOut, TpmRefused
from gateway.machine.programs import ProgramFailed, run

_log = logging.getLogger(__name__)
_DEFINITIONS = Path("/usr/lib/scopegate/repart.d")
_REPAIRED = 1  # e2fsck(8): errors were corrected; from 4 on some were not
_LONGEST_CHECK_S = 3600  # its units wait a little longer, so that it is said
KEY_BYTES = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Disk:
    """Where the two partitions are, and the TPM of the machine."""

    key: Path = own_disk.NAMES / "key"
    data: Path = own_disk.NAMES / "data"
    tpm: Tpm = field(default_factory=Tpm)
    held: Path = Path("/run/scopegate-data.key")  # in memory, root's alone: with a start PIN, the key of this start
    mapped: Path = MAPPED
    sys: Path = own_disk.SYS

    @property
    def luks(self) -> Luks:
        return Luks(self.data, mapped=self.mapped, sys=self.sys)

    @property
    def opened(self) -> bool:
        """Say whether /dev/mapper/data is what is on this partition, in the clear."""
        return self.luks.is_open

    def record(self) -> KeyRecord:
        """Return what the key partition says; nothing, where there is none yet. Raises KeyGone."""
        try:
            return key_record.settled(self.key)
        except FileNotFoundError:
            return KeyRecord()
        except (OSError, RecordDamaged) as error:
            raise KeyGone(str(error) or "The place of the box's key is damaged.") from None

    def write(self, record: KeyRecord) -> KeyRecord:
        """Have the key partition say this. Raises KeyGone: it cannot be written."""
        try:
            return key_record.write(self.key, record)
        except OSError as error:
            raise KeyGone(f"The box's key cannot be kept: {error.strerror}.") from None

    def own_key(self, record: KeyRecord) -> bytes:
        """Return the key that the box has by itself. Raises KeyGone, KeyRefused, ChipLocked, StartPinWanted."""
        if record.guard is Guard.PIN:
            return self._held()
        if not record.key:
            raise KeyGone
        if record.guard is Guard.NONE:
            return record.key
        try:
            return self.tpm.unseal(record.key)
        except TpmRefused as error:
            event(_log, "key_refused", why=str(error))
            raise (ChipLocked if isinstance(error, TpmLockedOut) else KeyRefused) from None

    def hold(self, key: bytes) -> None:
        """Have a key until the box is switched off; b"": none."""
        self.held.unlink(missing_ok=True)
        if key:
            file = os.open(self.held, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(file, "wb") as out:
                out.write(key)

    def _held(self) -> bytes:
        try:
            return self.held.read_bytes()
        except OSError:
            raise StartPinWanted from None


def is_ready(disk: Disk) -> bool:
    """Say whether the data are open already, made to their end and whole; close what is open and is not.

    Raises DataClosed. That something is open says nothing of what should have come after: mkfs, "made", the check.
    """
    if not disk.opened:
        return False
    if _is_made(disk):
        _check_file_system(disk)
        return True
    try:
        disk.luks.close()
    except ProgramFailed as error:
        event(_log, "not_closed", why=str(error))
        raise DataClosed from None
    return False


def _is_made(disk: Disk) -> bool:
    """Say whether what is open holds, or held, what the clinic gave."""
    with suppress(ProgramFailed):
        try:
            return disk.record().state is State.MADE
        except KeyGone:  # somebody typed a recovery code; what is half made has none
            return bool(disk.luks.slots() & set(Slots.RECOVERY.value))
    return False


def open_or_make(disk: Disk, *, new_key: bytes) -> None:
    """Give the data the name /dev/mapper/data, with a file system that was checked. Raises DataClosed.

    `new_key`: KEY_BYTES random ones, for a partition that is not made yet.
    """
    record = _found(disk)
    if record.state is State.NEW and not disk.data.exists():
        _make_partitions(disk)
        record = _found(disk)  # those that were there and had no name yet: a box that was made is never made again
    if record.state is State.MADE:
        open_with(disk, disk.own_key(record))
    else:
        _make(disk, record, new_key)


def _found(disk: Disk) -> KeyRecord:
    """Return what the key partition says. Beside data that nobody encrypted yet, what it has is left over.

    Where the image ended lies a copy of its partition table (UEFI 2.10, 5.3.1), and the key partition begins there.
    """
    try:
        return disk.record()
    except KeyGone:
        if not disk.data.exists() or _is_encrypted(disk):
            raise
        return KeyRecord()


def _is_encrypted(disk: Disk) -> bool:
    """Say whether somebody encrypted the data already. Raises DataDamaged: nobody can tell, so nothing is made."""
    try:
        return disk.luks.is_one
    except ProgramFailed as error:
        event(_log, "data_not_looked_at", why=str(error))
        raise DataDamaged from None


def open_with(disk: Disk, secret: bytes) -> None:
    """Open what was made. Raises DataMissing, DataDamaged, KeyRefused (not this secret)."""
    if not disk.data.exists():
        raise DataMissing
    _name_is_free(disk)
    try:
        disk.luks.open(secret)
    except WrongKey:
        raise KeyRefused("This key does not open the data.", action="Type it again, or call service.") from None
    except ProgramFailed as error:
        event(_log, "data_not_opened", why=str(error))
        raise DataDamaged from None
    _check_file_system(disk)


def _name_is_free(disk: Disk) -> None:
    if disk.mapped.exists():
        raise DataForeign


def _check_file_system(disk: Disk) -> None:
    """Repair what is repaired without a question, as after every cut; leave the rest to a person."""
    try:
        run(["e2fsck", "-p", MAPPED], wait_s=_LONGEST_CHECK_S)
    except ProgramFailed as error:
        if error.status == _REPAIRED:  # less than that: it was killed
            return
        event(_log, "file_system_damaged", why=str(error))
        _close(disk)
        raise DataDamaged from None


def _make(disk: Disk, record: KeyRecord, new_key: bytes) -> None:
    _name_is_free(disk)
    if record.state is State.NEW and _is_encrypted(disk):
        raise KeyGone
    if record.state is not State.MAKING:
        record = disk.write(KeyRecord(state=State.MAKING, key=new_key))
    event(_log, "making_data")
    with ExitStack() as unless_made:
        unless_made.callback(_close, disk)
        _format(disk.luks, record.key)
        disk.write(replace(record, state=State.MADE))
        unless_made.pop_all()


def _format(luks: Luks, key: bytes) -> None:
    try:
        luks.make(key)
        luks.open(key)
        run(["mkfs.ext4", "-q", "-F", "-L", "data", "-m", "0", MAPPED], wait_s=600)
        run(["sync"])
    except ProgramFailed as error:
        event(_log, "data_not_made", why=str(error))
        raise DataClosed("The box could not prepare its disk for pictures.", safe="It holds none yet.") from None


def _close(disk: Disk) -> None:
    with suppress(ProgramFailed):  # what stays open is looked at before it is used
        disk.luks.close()


def find() -> own_disk.OwnDisk:
    """Have the partitions of the box's own disk found by name; return the disk. Raises TwoDisks, DataClosed."""
    try:
        own = own_disk.of()
        own_disk.name_partitions(own)
    except own_disk.OnTwoDisks:
        raise TwoDisks from None
    except OSError as error:
        event(_log, "own_disk_not_found", why=str(error))
        raise DataClosed("The box does not find its own disk.") from None
    return own


def _make_partitions(disk: Disk) -> None:
    """Make those that are missing; what is there stays as it is. Raises DataClosed.

    Not beside another disk with such data: that may be the clinic's, and this the one that should not be there.
    """
    with suppress(ProgramFailed):
        run(["udevadm", "settle", "--timeout=30"])  # a disk that is found late counts as well
    own = find()
    words = ["systemd-repart", "--dry-run=no", f"--definitions={_DEFINITIONS}", "--seed=random", "--no-pager"]
    try:
        if "data" not in own.partitions and own_disk.called("data", own, disk.sys):
            raise TwoDisks
        run([*words, own.device])
        run(["udevadm", "settle", "--timeout=30"])
    except (OSError, ProgramFailed) as error:
        event(_log, "partitions_not_made", why=str(error))
        raise DataClosed("The box could not prepare its disk for pictures.") from None
    find()
