"""Who opens the data: the box itself, its TPM or a person's start PIN; and the recovery code, on any PC.

Nothing that can be forgotten or refused guards the data before there is a recovery code: a new firmware, a broken
board or a lost PIN would be the end of patients' pictures.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from gateway.errors import Refused
from gateway.log import event
from gateway.machine.encryption.closed import ChipLocked, KeyGone, KeyRefused
from gateway.machine.encryption.disk import Disk, open_with
from gateway.machine.encryption.key_record import Guard, KeyRecord, State
from gateway.machine.encryption.luks import Slots, WrongKey
from gateway.machine.encryption.tpm import TpmLockedOut, TpmRefused
from gateway.machine.programs import ProgramFailed

_log = logging.getLogger(__name__)


class RecoveryCodeFirst(Refused):
    """Nothing may guard the data before there is a recovery code."""

    code = "recovery-code-first"
    action = "Make a recovery code first (More, People)."


class NotWithTpm(Refused):
    """The chip of this box guards the data already, better than a PIN could."""

    code = "tpm-guards"
    action = "Nothing has to be done."


class KeysNotChanged(Refused):
    """The keys of the data could not be changed."""

    code = "keys-not-changed"
    safe = "The keys of before open the data; a recovery code that was just written down may not."
    action = "Try again; if it happens again, call service."


class ChipFailed(Refused):
    """The chip of this box did not take another key for the data."""

    code = "chip-failed"
    safe = "The data are open, and guarded as before."
    action = "Keep the recovery code at hand: the next start may ask for it again. If it does, call service."


class Guarding:
    """Changes of who opens the data of a disk. Each is whole or did not happen."""

    def __init__(self, disk: Disk, *, new_key: bytes, today: str) -> None:
        self._disk = disk
        self._new_key = new_key
        self._today = today

    def unlock(self, secret: bytes, *, is_code: bool) -> None:
        """Open with a start PIN or a recovery code, which a person typed. Raises DataClosed, Refused.

        Where the TPM had refused, it is trusted anew: whoever has the recovery code says that this was meant. Where
        there is none, the key that it alone opens stays, and the code is asked for until it is back. Where the box
        had lost its key, it gets another one, or asks for the start PIN that the data have.
        """
        record = self._record()
        if record.state is State.ERASING:
            raise KeyGone
        open_with(self._disk, secret)
        if record.guard is Guard.TPM and not self._disk.tpm.usable:
            event(_log, "chip_away")  # for this start, perhaps: a key in the clear would stay
            return
        is_known = record.state is State.MADE
        if not is_known:  # nobody types what opens the data before there is a recovery code
            record = KeyRecord(state=State.MADE, guard=self._guard_without_record(), recovery=self._today)
        elif is_code and not record.recovery:
            record = replace(record, recovery=self._today)
        if record.guard is not Guard.PIN:
            self._own_key_anew(record, by=secret)
            return
        if not is_known:
            self._disk.write(record)
        self._key_of_this_start(secret)

    def seal(self) -> None:
        """Let a chip guard the data that was not there when the code was made. Raises DataClosed, Refused."""
        record = self._record()
        if record.guard is Guard.NONE and record.recovery and self._disk.tpm.usable:
            self._own_key_anew(record, by=self._disk.own_key(record), sealed=True)

    def new_recovery_code(self, code: bytes) -> None:
        """Let a code that was written down open the data, and an older one no more. Raises DataClosed, Refused.

        From then on the TPM guards the data, where there is one.
        """
        record = self._disk.record()
        own_key = self._own_key_while_open(record)
        with _translated():
            slot = self._disk.luks.add(Slots.RECOVERY, code, by=own_key)
            record = self._disk.write(replace(record, recovery=self._today))
            self._disk.luks.keep_only(Slots.RECOVERY, slot)
        if record.guard is Guard.NONE and self._disk.tpm.usable:
            self._own_key_anew(record, by=code)

    def start_pin(self, pin: bytes) -> None:
        """Ask for this PIN at every start. Raises NotWithTpm, RecoveryCodeFirst, DataClosed."""
        record = self._disk.record()
        if record.guard is Guard.TPM:
            raise NotWithTpm
        if not record.recovery:
            raise RecoveryCodeFirst
        with _translated():
            slot = self._disk.luks.add(Slots.PIN, pin, by=self._disk.own_key(record))
            self._disk.write(replace(record, guard=Guard.PIN, key=b""))
            self._disk.luks.keep_only(Slots.PIN, slot)
        self._key_of_this_start(pin)

    def no_start_pin(self, pin: bytes) -> None:
        """Open the data without a person again. Raises DataClosed."""
        self._own_key_anew(self._disk.record(), by=pin)

    def _own_key_while_open(self, record: KeyRecord) -> bytes:
        """Return the box's own key, on a box that is open: what closes the data says what is not so there."""
        try:
            return self._disk.own_key(record)
        except (ChipLocked, KeyRefused):
            raise KeysNotChanged(
                "The chip of this box does not give its key now.", action="Try again in an hour, or after a start."
            ) from None

    def _record(self) -> KeyRecord:
        """Return what is known; of a damaged key partition, nothing."""
        try:
            return self._disk.record()
        except KeyGone:
            return KeyRecord()

    def _guard_without_record(self) -> Guard:
        """Return what the slots say of who guards the data: a PIN, or nobody yet."""
        with _translated():
            return Guard.PIN if self._disk.luks.slots() & set(Slots.PIN.value) else Guard.NONE

    def _key_of_this_start(self, secret: bytes) -> None:
        """Have a key until the box is switched off, with which its recovery code can be changed."""
        with _translated():
            slot = self._disk.luks.add(Slots.BOX, self._new_key, by=secret)
            self._disk.luks.keep_only(Slots.BOX, slot)
        self._disk.hold(self._new_key)

    def _own_key_anew(self, record: KeyRecord, *, by: bytes, sealed: bool = False) -> None:
        """Give the box another key of its own: sealed where it can be, so that an earlier one is worth nothing.

        It is in the partition before it is in the record, and the earlier one is out of it last. Raises ChipFailed:
        the one that guarded the data is not given up for that. sealed: nor is any other.
        """
        guard, kept = Guard.NONE, self._new_key
        if self._disk.tpm.usable and record.recovery:
            try:
                guard, kept = Guard.TPM, self._disk.tpm.seal(self._new_key)
            except TpmRefused as error:
                event(_log, "not_sealed", why=str(error))
                if isinstance(error, TpmLockedOut) and record.guard is Guard.TPM:
                    return  # nothing was changed: what is sealed opens once the chip does
                if sealed or record.guard is Guard.TPM:
                    raise ChipFailed from None
        with _translated():
            slot = self._disk.luks.add(Slots.BOX, self._new_key, by=by)
            self._disk.write(replace(record, guard=guard, key=kept))
            self._disk.luks.keep_only(Slots.BOX, slot)
            self._disk.luks.keep_only(Slots.PIN)
        self._disk.hold(b"")


@contextmanager
def _translated() -> Iterator[None]:
    """Say what happened to the keys of the data in words for people."""
    try:
        yield
    except WrongKey:
        raise KeyRefused("This key does not open the data.", action="Type it again.") from None
    except ProgramFailed as error:
        event(_log, "keys_not_changed", why=str(error))
        raise KeysNotChanged from None
