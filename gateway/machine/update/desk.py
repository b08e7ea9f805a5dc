"""What the screen or a command asks for: what is on the stick, install it, start it. Never in an exam."""

import json
import logging
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from gateway.clock import Clock
from gateway.config.keeping import raw_at
from gateway.errors import MachineRequest, ScopegateError
from gateway.log import event, warn
from gateway.machine import telling
from gateway.machine.locks import DISK, DiskBusy, alone, at_the_disk
from gateway.machine.programs import ProgramFailed
from gateway.machine.requests import taken, words_of
from gateway.machine.update import box as boxes
from gateway.machine.update import uploaded
from gateway.machine.update.box import Box, Run
from gateway.machine.update.memory import CUT, Phase, holds
from gateway.machine.update.proving import SUBJECT
from gateway.machine.update.rauc import Bundle, Rauc
from gateway.machine.update.refusals import (
    BrokenOff,
    ExamIsOpen,
    NoSuchFile,
    NoUpdates,
    OtherMachine,
    StillTrying,
    TooOld,
    UpdateRefused,
)
from gateway.machine.update.versions import order

OFFERS = "update-offers"
STICK = Path("/media/usb")
LIVE = Path("/run/scopegate/capture.json")  # what capture says of itself once a second
_STALE_NS = 5_000_000_000
_MOST_FILES = 8
_PATIENCE_S = 60
_GIVEN_UP = 5  # starts of capture that went wrong since somebody last began it
_LOOKS, _LOOK_S = 6, 5.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,100}\.raucb")
LOCK = Path("/run/scopegate-update.lock")
_log = logging.getLogger(__name__)


class UpdateDesk:
    """Obeys. `live`: capture's live state."""

    def __init__(
        self,
        *,
        box: Box,
        rauc: Rauc,
        clock: Clock,
        stick: Path = STICK,
        live: Path = LIVE,
        run: Run = boxes.run,
        lock: Path = DISK,
    ) -> None:
        self._box = box
        self._rauc = rauc
        self._clock = clock
        self._stick = stick
        self._live = live
        self._run = run
        self._lock = lock

    def obey(self, wanted: dict[str, str]) -> None:
        """Do what was asked for, and say why not. Raises MachineRequest."""
        match wanted:
            case {"do": "look"}:
                self.offer()
            case {"do": "install", "file": file} if _NAME.fullmatch(file):
                self._said(lambda: self.install(self._stick / file))
            case {"do": "install-uploaded"}:
                self._said(self._install_uploaded)
            case {"do": "restart"}:
                self._said(self.restart)
            case _:
                raise MachineRequest

    def offer(self) -> None:
        """Say which updates lie on the stick, and of each why it cannot be installed."""
        found = [path for path in self._files() if _NAME.fullmatch(path.name)]
        offers = [self._offer(path) for path in found[:_MOST_FILES]]
        telling.tell(self._box.places.said, OFFERS, {"stick": self._stick.is_mount(), "files": offers})

    def install(self, file: Path) -> None:
        """Write an update into the other slot; it runs from the next start on. Raises UpdateRefused, DiskBusy."""
        with at_the_disk(self._lock):  # nobody erases or rescues meanwhile
            self._install(file)

    def restart(self) -> None:
        """Start the machine anew. Raises UpdateRefused, DiskBusy."""
        self._no_exam()
        with at_the_disk(self._lock):  # a rescue is not broken off
            event(_log, "restart_asked")
            self._run("systemctl", "--no-block", "reboot")

    def broken_off(self) -> None:
        """Say of a wish that its process ended before it was through: nothing is being installed."""
        self._say(BrokenOff())

    # --- inside -------------------------------------------------------------------------------------------

    def _install(self, file: Path) -> None:
        stick = file.is_relative_to(self._stick)
        self._may()
        if not file.is_file() or file.is_symlink():
            raise NoSuchFile
        bundle = self._rauc.look(file)
        self._fits(bundle)
        kept = self._box.recalled()
        begun = {"version": bundle.version, "slot": self._box.other, "boot_id": self._box.boot_id, "reason": ""}
        begun["came_again"] = begun["proven"] = ""
        self._box.tell(kept, percent=0, stick=stick)
        self._rauc.check(file, bundle)
        self._forget_next()
        if kept.stays:  # the version before is given up now: this one is what there is to start
            self._rauc.mark_good()
        shown = replace(kept, **holds(self._box.other, ""))  # type: ignore[arg-type]  # while this one is written
        kept = self._box.keep(shown, **{**begun, "phase": Phase.FAILED, "reason": CUT, **boxes.at(self._clock)})
        try:
            self._rauc.install(file, lambda percent: self._box.tell(shown, percent=percent, stick=stick))
        except UpdateRefused as error:
            self._box.note(kept, self._clock, **{**begun, "phase": Phase.FAILED, "reason": error.code})
            raise
        written = holds(self._box.other, bundle.version)
        self._box.note(kept, self._clock, **{**begun, **written, "phase": Phase.INSTALLED})

    def _install_uploaded(self) -> None:
        self._box.tell(self._box.recalled(), percent=0)  # first: with the file away the panel would take the next
        with uploaded.taken(self._box.places.uploads, self._box.places.memory) as file:
            for _ in range(_PATIENCE_S):  # sending it takes longer than most of what is done with keys
                with suppress(DiskBusy):
                    self.install(file)
                    return
                self._clock.pause(1)
            self.install(file)

    def _said(self, work: Callable[[], None]) -> None:
        try:
            work()
        except (UpdateRefused, DiskBusy) as error:
            self._say(error)

    def _say(self, error: ScopegateError) -> None:
        refused = {"code": error.code, "what": error.what, "action": error.action}
        self._box.tell(self._box.recalled(), refused=refused)

    def _files(self) -> list[Path]:
        try:
            return sorted(path for path in self._stick.iterdir() if path.is_file() and not path.is_symlink())
        except OSError:
            return []

    def _offer(self, file: Path) -> dict[str, str]:
        said = {"file": file.name, "version": "", "build": "", "code": "", "what": ""}
        try:
            if not self._box.takes_updates:
                raise NoUpdates
            bundle = self._rauc.look(file)
            said |= {"version": bundle.version[:64], "build": bundle.build[:64]}
            self._fits(bundle)
        except UpdateRefused as error:
            said |= {"code": error.code, "what": error.what}
        return said

    def _may(self) -> None:
        if not self._box.takes_updates:
            raise NoUpdates
        if self._box.may_go_back(self._box.recalled()):
            raise StillTrying
        self._no_exam()

    def _no_exam(self) -> None:
        said = exam_said(self._live, self._clock)
        if said or (said is None and not self._capture_cannot_start()):
            raise ExamIsOpen

    def _capture_cannot_start(self) -> bool:
        """Say whether it is begun again and again, so that no exam goes on; an update may be what mends it.

        systemd counts starts that went wrong however long ago, so it is looked at for half a minute.
        """
        for _ in range(_LOOKS):
            if exam_said(self._live, self._clock) is not None or not self._capture_is_down():
                return False
            self._clock.pause(_LOOK_S)
        return True

    def _capture_is_down(self) -> bool:
        try:
            said = self._run("systemctl", "show", "--property=ActiveState,NRestarts", "scopegate-capture.service")
            found = dict(line.split("=", 1) for line in said.split())
            return found["ActiveState"] != "active" and int(found["NRestarts"]) >= _GIVEN_UP
        except (ProgramFailed, ValueError, KeyError):
            return False

    def _fits(self, bundle: Bundle) -> None:
        """What RAUC checks again; here before it is offered. Raises OtherMachine, TooOld."""
        if bundle.compatible != self._box.image.compatible:
            raise OtherMachine
        try:
            older = order(bundle.version) < order(self._box.floor(self._box.recalled()))
        except ValueError:
            older = True
        if older:
            raise TooOld

    def _forget_next(self) -> None:
        """What was installed before and never started shall not be started half written over."""
        if not self._box.asks_once:  # a Raspberry Pi starts what its file says, which RAUC changes before it writes
            return
        try:
            found = boxes.firmware(self._run)
            if found.next in found.numbers(self._box.other):
                self._run("efibootmgr", "--delete-bootnext")
        except ProgramFailed as error:
            raise UpdateRefused("The firmware of this box does not answer.") from error


def exam_said(live: Path, clock: Clock) -> str | None:
    """Return the open exam's id as capture says it, "" for none; None while it says nothing."""
    try:
        said = json.loads(raw_at(live))
        fresh = said["boot_id"] == clock.boot_id and clock.boottime_ns() - int(said["boottime_ns"]) < _STALE_NS
        return str(said["exam"]) if fresh else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def obey_the_screen(clock: Clock) -> None:
    """Take the screen's wish and obey it. Raises OSError, KeyError on a machine that is no appliance."""
    try:
        with alone(LOCK):  # first: the panel sees for as long that its wish waits
            wanted = words_of(taken(SUBJECT))
            UpdateDesk(box=boxes.this(clock), rauc=Rauc(), clock=clock).obey(wanted)
    except MachineRequest as error:
        warn(_log, "update_request_refused", why=error)
