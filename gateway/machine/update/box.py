"""This box as its updates see it: the running slot, what it remembers, what it says of that to the screen."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gateway.clock import Clock
from gateway.config import told
from gateway.log import event, warn
from gateway.machine import programs, telling
from gateway.machine.update import image, memory, proving, uploaded
from gateway.machine.update.firmware import SLOTS, Firmware, read
from gateway.machine.update.image import KEYRING, Image
from gateway.machine.update.memory import CUT, Memory, Phase, once_more
from gateway.machine.update.proving import SUBJECT
from gateway.machine.update.versions import newest

UEFI = Path("/sys/firmware/efi")
_SLOT = Path("/run/scopegate-slot")
_PROGRAM_S = 60
_log = logging.getLogger(__name__)


Run = Callable[..., str]


def run(*words: str, wait_s: float = _PROGRAM_S) -> str:
    """Return what a program of the system printed. Raises ProgramFailed."""
    return programs.run(words, wait_s=wait_s).decode(errors="replace")


def firmware(run: Run = run) -> Firmware:
    """Return what the firmware starts. Raises ProgramFailed."""
    return read(run("efibootmgr"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """Where an appliance has what is about its updates. `trial`: there, while a version has not proven itself."""

    keyring: Path = KEYRING
    trial: Path = proving.MARK
    memory: Path = memory.FOLDER
    uploads: Path = uploaded.FOLDER
    said: Path = told.FOLDER


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """What stays the same while this start lasts.

    `asks_once`: its firmware starts a new version once, and the one before from then on unless it is told otherwise
    (UEFI). A Raspberry Pi starts what was chosen last.
    """

    image: Image
    slot: str
    boot_id: str
    places: Places = Places()
    asks_once: bool = True

    @property
    def other(self) -> str:
        return next(slot for slot in SLOTS if slot != self.slot)

    @property
    def takes_updates(self) -> bool:
        return self.places.keyring.exists()

    @property
    def on_trial(self) -> bool:
        return self.places.trial.exists()

    def may_go_back(self, kept: Memory) -> bool:
        """Say whether the box may go back into the other slot: this version did not prove itself, or not yet."""
        goes_back = kept.phase is Phase.WENT_BACK and kept.slot == self.slot and not kept.stays
        return self.on_trial or goes_back

    def recalled(self) -> Memory:
        return memory.recalled(self.places.memory)

    def floor(self, kept: Memory) -> str:
        """Return the oldest version that may be installed: of this image, and of each that was good here."""
        return newest(kept.floor, self.image.floor)

    def note(self, kept: Memory, clock: Clock, **changes: str) -> Memory:
        """Remember a change and say it. What cannot be remembered is said all the same."""
        now = self.keep(kept, **at(clock), **changes)
        event(_log, "update", phase=now.phase, version=now.version, slot=now.slot, reason=now.reason)
        self.tell(now)
        return now

    def keep(self, kept: Memory, **changes: str) -> Memory:
        """Remember a change, and say nothing of it; what is remembered already is not written again."""
        now = replace(kept, **changes)  # type: ignore[arg-type]
        try:
            if now != kept:
                memory.remember(now, self.places.memory)
        except OSError as error:
            warn(_log, "update_not_remembered", error=type(error).__name__)
        return now

    def tell(
        self,
        kept: Memory,
        *,
        percent: int | None = None,
        stick: bool = False,
        refused: Mapping[str, str] | None = None,
    ) -> None:
        """Say how it stands. percent: of what is installed; stick: from there; refused: the last wish, why.

        What cannot be said costs a page its news, never a version or an exam.
        """
        said: dict[str, Any] = {
            "version": self.image.version,
            "build": self.image.build,
            "slot": self.slot,
            "takes_updates": self.takes_updates,
            "floor": self.floor(kept),
            "trying": self.on_trial,
            "proving": self.may_go_back(kept) and not proving.key_is_awaited(self.places.said),
            "installing": percent,
            "from_stick": stick,
            "refused": refused,
            "other": {"version": kept.version_in(self.other), "use": use_of_other(kept, self)},
            "last": {
                "phase": kept.phase,
                "version": kept.version,
                "slot": kept.slot,
                "reason": kept.reason,
                "at": kept.at,
                "stays": kept.stays,
            },
        }
        try:
            telling.tell(self.places.said, SUBJECT, said)
        except OSError as error:
            warn(_log, "update_not_told", error=type(error).__name__)


def at(clock: Clock) -> dict[str, str]:
    """Return the words that change when something comes to be."""
    return {"at": clock.utc().isoformat(timespec="seconds")}


def this(clock: Clock) -> Box:
    """Return the running box. Raises OSError, KeyError on a machine that is no appliance."""
    slot = _SLOT.read_text("utf-8").strip()
    return Box(image=image.running(), slot=slot, boot_id=clock.boot_id, asks_once=UEFI.exists())


def after_start(kept: Memory, box: Box, *, trial: bool, fell_back: bool = False) -> dict[str, str]:
    """Return what this start makes of what is remembered: the words that change.

    trial: the firmware was asked for this start once. fell_back: it prefers the other slot, which did not come up.
    """
    waiting = kept.phase in (Phase.INSTALLED, Phase.TRYING)
    # The box did not get away from what was bad; or RAUC went on without whoever asked it.
    unproven = trial or waiting or kept.phase is Phase.WENT_BACK or kept.reason == CUT
    if kept.slot == box.slot and unproven:
        # A plug was pulled before the box remembered it. A Raspberry Pi starts it whatever RAUC knows.
        proven = kept.proven == box.image.version and box.asks_once and not trial
        return good(kept, box) if proven else _not_proven(kept, box)
    way_back = {"came_again": ""} if kept.came_again and kept.slot != box.slot else {}  # it is open again
    if waiting and kept.boot_id != box.boot_id:
        reason = "no-start" if kept.phase is Phase.INSTALLED else "no-end"
        return {"phase": Phase.WENT_BACK, "reason": reason, **way_back}
    if fell_back:
        return {"phase": Phase.WENT_BACK, "slot": box.other, "reason": "no-start", **way_back}
    return way_back


def _not_proven(kept: Memory, box: Box) -> dict[str, str]:
    again, reason = _came_again(kept, box), kept.reason or "no-end"
    now = replace(kept, **again)  # type: ignore[arg-type]
    if now.is_left:  # the judge chooses the other one, and tries nothing
        return {"phase": Phase.TRYING, "reason": reason, **again}
    if not now.stays:
        return {"phase": Phase.TRYING, "reason": "", **again}
    stayed = kept.stays and kept.phase is Phase.WENT_BACK
    return {} if stayed else {"phase": Phase.WENT_BACK, "reason": reason, **again}


def good(kept: Memory, box: Box) -> dict[str, str]:
    """Return what is to be remembered of a version that the firmware starts from now on."""
    words = {"version": box.image.version, "slot": box.slot, "reason": "", "came_again": "", "proven": ""}
    return {"phase": Phase.GOOD, "floor": box.floor(kept), **words}


def stays_from_now(kept: Memory, box: Box) -> bool:
    """Say whether the running version is tried no more: the box came to it again too often."""
    return replace(kept, **_came_again(kept, box)).stays  # type: ignore[arg-type]


def _came_again(kept: Memory, box: Box) -> dict[str, str]:
    """Return the words that change when the running version is one that was on trial in a start before."""
    returned = kept.slot == box.slot and kept.phase in (Phase.WENT_BACK, Phase.TRYING)
    return once_more(kept, asks_once=box.asks_once) if returned else {}


def use_of_other(kept: Memory, box: Box) -> str:
    """Return what the slot that does not run is there for, as a word; nothing rather than a guess."""
    if not kept.version_in(box.other):
        return "unknown"
    if kept.stays:
        return "no-way-back"
    if kept.slot == box.slot:  # the last update runs, so there is what it followed
        return "before"
    return {Phase.INSTALLED: "next", Phase.WENT_BACK: "went-back"}.get(kept.phase, "")


def good_slots(kept: Memory, box: Box) -> Sequence[str]:
    """Return what a firmware that forgot its order starts, first things first."""
    if kept.phase is Phase.GOOD and kept.slot in SLOTS:
        return (kept.slot, *(slot for slot in SLOTS if slot != kept.slot))
    return (box.slot,)
