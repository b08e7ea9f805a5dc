"""The service of the data partition: opens it at the start, and does with its keys what the screen asks for.

A chip that locked itself is asked again by a timer, until it answers otherwise.

Says in data.json what there is: whether it is open, what guards it, since when there is a recovery code, what went
wrong.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from gateway.clock import Clock
from gateway.config import recovery_code
from gateway.config.told import told
from gateway.errors import MachineRequest, Refused, ScopegateError
from gateway.log import event
from gateway.machine.encryption.closed import ChipLocked, DataClosed, KeyGone
from gateway.machine.encryption.disk import KEY_BYTES, Disk, find, is_ready, open_or_make
from gateway.machine.encryption.guarding import ChipFailed, Guarding
from gateway.machine.encryption.key_record import Guard, State
from gateway.machine.locks import DISK, DiskBusy, alone, at_the_disk
from gateway.machine.programs import ProgramFailed, run
from gateway.machine.repair import factory_reset
from gateway.machine.requests import is_asked, taken, words_of
from gateway.machine.telling import tell

TOLD = Path("/run/scopegate-machine")
SUBJECT = "data"
SHORTEST_PIN = 8
LONGEST_PIN = 64
# What a start whose data are closed leaves out, or does without them; nothing but this makes up for it.
LEFT_OUT = (
    "scopegate-data.service",
    "local-fs.target",
    "systemd-journal-flush.service",
    "scopegate-machine.service",
    "scopegate.target",
)
DONE_WITHOUT = ("scopegate-update-ready.service",)
AGAIN = "scopegate-data-again.timer"  # runs from a start that found the chip locked until it answers otherwise
_SECURE_BOOT = Path("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c")
_log = logging.getLogger(__name__)


class NotAKey(Refused):
    """This is no recovery code and no start PIN."""

    code = "no-key"
    action = f"A recovery code has 32 digits in groups of four; a start PIN has {SHORTEST_PIN} digits or more."


def start(
    disk: Disk, clock: Clock, *, look: Callable[[], object] = find, lock: Path = DISK, says: Path = TOLD
) -> ScopegateError | None:
    """Open the data, or say why not. `look` finds the partitions."""
    with alone(lock):
        return _opened(disk, clock, look, says)


def again(
    disk: Disk, clock: Clock, *, look: Callable[[], object] = find, lock: Path = DISK, says: Path = TOLD
) -> ScopegateError | None:
    """Ask a chip that had locked itself once more; whoever is at the disk is not disturbed."""
    try:
        with at_the_disk(lock):
            return None if disk.opened else _opened(disk, clock, look, says)
    except DiskBusy as error:
        return error


def _opened(disk: Disk, clock: Clock, look: Callable[[], object], says: Path) -> ScopegateError | None:
    trouble: DataClosed | None = None
    try:
        look()
        if not is_ready(disk):
            factory_reset.finish(disk)
            open_or_make(disk, new_key=_random(clock))
        with suppress(Refused, DataClosed):  # what guarded the data does so still
            _guarding(disk, clock).seal()
    except DataClosed as error:
        trouble = error
    _say(disk, trouble, chip_locked=isinstance(trouble, ChipLocked), says=says)
    return trouble


def obey(
    disk: Disk, clock: Clock, wanted: Mapping[str, str], *, lock: Path = DISK, says: Path = TOLD
) -> ScopegateError | None:
    """Do what was asked for, and say how it went, under the number of the request."""
    number = wanted.get("number", "")
    try:
        with at_the_disk(lock):
            before = told(SUBJECT, says) or {}
            if _is_typed_twice(disk, wanted, before):
                tell(says, SUBJECT, {**before, "number": number})
                return None
            trouble = _obeyed(disk, clock, wanted)
            is_locked = bool(before.get("chip_locked")) and not disk.opened  # whatever was typed
            _say(disk, trouble, number=number, chip_locked=is_locked, says=says)
    except DiskBusy as error:  # whoever is at them writes what is said of the keys
        tell(says, SUBJECT, {**(told(SUBJECT, says) or {}), **_words(error), "number": number})
        return error
    return trouble


def _is_typed_twice(disk: Disk, wanted: Mapping[str, str], said: Mapping[str, object]) -> bool:
    """Say whether what opens the data was typed once more while they were being opened."""
    is_well = said.get("code") in {"", ChipFailed.code}
    return wanted.get("do") == "unlock" and is_well and disk.opened


def _obeyed(disk: Disk, clock: Clock, wanted: Mapping[str, str]) -> ScopegateError | None:
    try:
        _change(_guarding(disk, clock), wanted)
    except (DataClosed, Refused) as error:
        return error
    return None


def _guarding(disk: Disk, clock: Clock) -> Guarding:
    return Guarding(disk, new_key=_random(clock), today=clock.utc().date().isoformat())


def _change(guarding: Guarding, wanted: Mapping[str, str]) -> None:
    match wanted.get("do", ""):
        case "unlock":
            code = code_of(wanted)
            guarding.unlock(code or _pin(wanted), is_code=bool(code))
        case "recovery-code":
            guarding.new_recovery_code(code_of(wanted) or _no_key())
        case "start-pin":
            guarding.start_pin(_new_pin(wanted))
        case "no-start-pin":
            guarding.no_start_pin(_pin(wanted))
        case _:
            raise MachineRequest


def code_of(wanted: Mapping[str, str]) -> bytes:
    """Return the recovery code of a request, as it opens the disk; b"" for what is none."""
    return recovery_code.as_shown(recovery_code.digits_of(wanted.get("secret", ""))).encode()


def _pin(wanted: Mapping[str, str]) -> bytes:
    pin = wanted.get("secret", "")
    is_pin = pin.isascii() and SHORTEST_PIN <= len(pin) <= LONGEST_PIN and not recovery_code.digits_of(pin)
    return pin.encode() if is_pin else _no_key()


def _new_pin(wanted: Mapping[str, str]) -> bytes:
    """Return a PIN that can be typed on the page that asks for it: it has no letters, and hears no keyboard."""
    pin = _pin(wanted)
    return pin if pin.isdigit() else _no_key()


def _no_key() -> bytes:
    raise NotAKey


def _random(clock: Clock) -> bytes:
    return bytes.fromhex(clock.token(2 * KEY_BYTES))


def _say(
    disk: Disk, trouble: ScopegateError | None, *, chip_locked: bool, number: str = "", says: Path = TOLD
) -> None:
    try:
        record = disk.record()
    except KeyGone:
        record = None
    said = {
        "opened": disk.opened,
        "made": record is not None and record.state is State.MADE,
        "guard": record.guard if record else Guard.NONE,
        "recovery_code": record.recovery if record else "",
        "tpm": disk.tpm.usable,
        "chip_locked": chip_locked,
        "secure_boot": _secure_boot(),
        "number": number,
        **_words(trouble),
    }
    says.mkdir(mode=0o755, exist_ok=True)  # at the start nobody else has made it yet
    tell(says, SUBJECT, said)


def _words(trouble: ScopegateError | None) -> dict[str, str]:
    return {name: getattr(trouble, name, "") for name in ("code", "what", "safe", "action")}


def _secure_boot() -> bool:
    try:
        return _SECURE_BOOT.read_bytes()[-1:] == b"\1"
    except OSError:
        return False


def run_start() -> bool:
    """Open the data; say whether they are open: a start without them is a unit that failed."""
    trouble = start(Disk(), Clock())
    if trouble:
        event(_log, "data_closed", code=trouble.code)
    if isinstance(trouble, ChipLocked):
        _systemd(["start", AGAIN])
    return not trouble


def run_asked() -> None:
    """Do what the panel asks for; mount what was opened after the start, and start what waits for it."""
    disk = Disk()
    was_closed = not disk.opened
    trouble = obey(disk, Clock(), words_of(taken(SUBJECT))) if is_asked(SUBJECT) else again(disk, Clock())
    event(_log, "data_asked", code=trouble.code if trouble else "")
    if was_closed and not (told(SUBJECT) or {}).get("chip_locked"):
        _systemd(["stop", AGAIN])
    if was_closed and disk.opened:
        make_up()


def make_up(systemctl: Callable[[Sequence[str]], object] = run) -> None:
    """Have systemd do with the data what the start did not."""
    for words in (["start", *LEFT_OUT], ["restart", *DONE_WITHOUT]):
        _systemd(words, systemctl)


def _systemd(words: Sequence[str], systemctl: Callable[[Sequence[str]], object] = run) -> None:
    with suppress(ProgramFailed):
        systemctl(["systemctl", "--no-block", *words])
