"""Whether a version that was started for the first time stays: what makes a box has to work, or it goes back.

With UEFI going back needs nothing of this program: the firmware starts the old slot whenever it was not asked
otherwise. A Raspberry Pi starts what was chosen last: there this program has to say that the version is bad.
"""

import logging
import os
from pathlib import Path

from gateway.clock import Clock
from gateway.log import event, warn
from gateway.machine.programs import ProgramFailed
from gateway.machine.update import box as boxes
from gateway.machine.update import desk
from gateway.machine.update.box import Box, Run
from gateway.machine.update.memory import Phase
from gateway.machine.update.proving import key_is_awaited
from gateway.machine.update.rauc import Rauc
from gateway.machine.update.refusals import UpdateRefused

UNITS = (
    "scopegate-capture.service",
    "scopegate-forward.service",
    "scopegate-panel.service",
    "scopegate-usb.service",  # without it no grabber and no touch screen is let in
)
HEALTH = "scopegate-health.service"
END = "scopegate-trial-end.timer"
WHY = Path("/run/scopegate-health/why")
_COME_UP_S = 300
_STAY_UP_S = 60
_LOOK_S = 2
_LONGEST_CODE = 40
_log = logging.getLogger(__name__)


class NotHealthy(Exception):
    """The new version does not do its work; the text is a code."""


class Trial:
    """One start of a version that has not proven itself."""

    def __init__(
        self,
        *,
        box: Box,
        rauc: Rauc,
        clock: Clock,
        run: Run = boxes.run,
        why: Path = WHY,
        live: Path = desk.LIVE,
    ) -> None:
        """`why`: where the look at it says its code; `live`: capture's live state."""
        self._box = box
        self._rauc = rauc
        self._clock = clock
        self._run = run
        self._why = why
        self._live = live

    def decide(self) -> None:
        """Call the version good, or restart into the one before, also when this very program does not work."""
        wrong = "health"
        try:
            self._prove()
            wrong = ""
        except NotHealthy as error:
            wrong = str(error)
        finally:
            self._settle(wrong)

    def _settle(self, wrong: str) -> None:
        if not self._box.on_trial:  # data that were opened since say that this version stays
            event(_log, "update_tried_no_more")
            return
        if not wrong:
            self._box.keep(self._box.recalled(), proven=self._box.image.version)  # before the firmware knows it
            wrong = self._called_good()
        if wrong:
            self._go_back(wrong)
            return
        kept = self._box.recalled()
        self._box.places.trial.unlink(missing_ok=True)
        self._box.note(kept, self._clock, **boxes.good(kept, self._box))

    def _prove(self) -> None:
        """Raise NotHealthy at the first thing that is wrong."""
        kept = self._box.recalled()
        if kept.proven == self._box.image.version:  # a plug was pulled before the firmware was told
            return
        if kept.is_left:  # its trials had a bad end or none, and nothing led away from it
            raise NotHealthy(kept.reason or "no-end")
        self._until_up()
        restarts = self._restarts()
        try:
            self._run("systemctl", "start", HEALTH, wait_s=1000)
        except ProgramFailed as error:
            raise NotHealthy(_said(self._why)) from error
        waited = 0
        while waited < _STAY_UP_S:
            self._clock.pause(_LOOK_S)
            waited += _LOOK_S
            if self._down() or self._restarts() != restarts:
                raise NotHealthy("units")

    def _called_good(self) -> str:
        """Have the firmware start it from now on; return what was wrong with that."""
        try:
            self._rauc.mark_good()
        except UpdateRefused:
            return "firmware"
        return ""

    def _until_up(self) -> None:
        waited = 0
        while self._down():
            if key_is_awaited(self._box.places.said):
                self._until_opened()
                waited = 0
            elif waited >= _COME_UP_S:
                raise NotHealthy("units")
            self._clock.pause(_LOOK_S)
            waited += _LOOK_S

    def _until_opened(self) -> None:
        """Wait for whoever types the start PIN, tonight or on Monday, or for a chip: then it begins."""
        event(_log, "update_waits_for_the_key")
        self._systemctl("stop", END)
        while key_is_awaited(self._box.places.said):
            self._clock.pause(_LOOK_S)
        self._systemctl("start", END)  # from its beginning

    def _down(self) -> bool:
        states = self._asked("ActiveState")
        return len(states) != len(UNITS) or set(states) != {"active"}

    def _restarts(self) -> list[str]:
        return self._asked("NRestarts")

    def _asked(self, what: str) -> list[str]:
        return self._systemctl("show", "--value", "--property", what, *UNITS).split()

    def _systemctl(self, *words: str) -> str:
        try:
            return self._run("systemctl", *words)
        except ProgramFailed as error:
            raise NotHealthy("units") from error

    def _go_back(self, reason: str) -> None:
        warn(_log, "update_not_healthy", reason=reason, version=self._box.image.version)
        kept = self._box.recalled()
        gone = {"version": self._box.image.version, "slot": self._box.slot, "reason": reason}
        self._box.note(kept, self._clock, **gone, phase=Phase.WENT_BACK, proven="")
        self._box.places.trial.unlink(missing_ok=True)  # it is decided: nothing ends an exam that goes on meanwhile
        self._mark_bad()  # before the exam is over: a plug may be pulled as well
        while self._exam_goes_on():
            self._clock.pause(_LOOK_S)
        event(_log, "update_goes_back")
        self._run("systemctl", "--no-block", "reboot")

    def _mark_bad(self) -> None:
        """UEFI starts the other slot anyhow; a Raspberry Pi has to be told, or starts this one, to try it again."""
        try:
            self._rauc.mark_bad()
        except UpdateRefused as error:
            warn(_log, "update_not_marked_bad", code=error.code)

    def _exam_goes_on(self) -> bool:
        """A capture process that says nothing takes no pictures: it may be what is wrong."""
        return bool(desk.exam_said(self._live, self._clock))


def _said(why: Path) -> str:
    """Return the code in a file that a user without rights made: not more is read, and nothing is waited for."""
    try:
        file = os.open(why, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            said = os.read(file, _LONGEST_CODE).decode("ascii").strip()
        finally:
            os.close(file)
    except (OSError, ValueError):
        return "health"
    return said if said.replace("-", "").isalnum() else "health"
