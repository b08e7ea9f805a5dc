"""What the screen asks for when a box is to be made new, or its pictures are to be carried out. Never in an exam.

Nothing else works while it goes on: the screen shows the page of a box without a panel (gateway/panel/closed.py),
and what root says in repair.json is what that page says.
"""

import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gateway.clock import Clock
from gateway.config.told import told
from gateway.errors import ExamOpen, MachineRequest, Refused, ScopegateError
from gateway.log import event
from gateway.machine.encryption.closed import DataClosed, KeyRefused
from gateway.machine.encryption.disk import Disk
from gateway.machine.encryption.service import TOLD, NotAKey, code_of
from gateway.machine.locks import DISK, at_the_disk
from gateway.machine.programs import ProgramFailed, run
from gateway.machine.repair import factory_reset, snapshot
from gateway.machine.repair.pieces import Pieces, Rescuing
from gateway.machine.repair.rescue import STICK, MountedSticks, NoStick, Rescue
from gateway.machine.repair.snapshot import WORK
from gateway.machine.requests import taken, words_of
from gateway.machine.telling import tell
from gateway.machine.update import proving
from gateway.machine.update.desk import LIVE, exam_said

SUBJECT = "repair"
_TOKEN_DIGITS = 8
_HEARD_S = 1.0  # until the panel, which asked and is ended, has heard that it was understood
_PRODUCT = [f"scopegate-{name}.service" for name in ("capture", "forward", "practice", "panel")]
_SCREEN = ["scopegate-closed.service", "scopegate-kiosk.service"]
_log = logging.getLogger(__name__)


class BeingErased(DataClosed):
    """This box is being erased."""

    code = "erasing"
    safe = "What is on it goes for good."
    action = "Wait: it starts anew by itself, as a new box. If it does not, switch it off and on."


class BeingReset(DataClosed):
    """This box gets the settings of a new one."""

    code = "resetting"
    safe = "The pictures on it stay."
    action = "Wait: it starts anew by itself. If it does not, switch it off and on."


class NotReset(Refused):
    """The box could not be reset."""

    code = "not-reset"
    safe = "It is as it was."
    action = "Switch it off and on, and try again; if it happens again, call service."


class NoRecoveryCode(Refused):
    """Nobody has written down a recovery code of this box: its disk has none."""

    code = "no-recovery-code"
    safe = "It is as it was."
    action = "Does its panel start? Then make one first (More, People). Else call service: a PC reads its disk."


class PanelGone(DataClosed):
    """The screen of this box does not start."""

    code = "panel-gone"
    safe = "The pictures that it took are on it."
    action = "Switch it off and on again. If this page comes back, call service: the pictures can be rescued."


@dataclass(frozen=True, kw_only=True, slots=True)
class System:
    """What the desk has the system do."""

    run: Callable[[list[str]], object] = run

    def alone(self) -> None:
        """End all that works on the data, and have the screen say why. Raises ProgramFailed."""
        self.run(["systemctl", "stop", *_PRODUCT])
        self.run(["systemctl", "restart", *_SCREEN])

    def restart(self) -> None:
        """Start it anew. Raises ProgramFailed."""
        with suppress(ProgramFailed):  # a disk that dies; what counts was flushed before
            self.run(["sync"])
        self.run(["systemctl", "--no-block", "reboot"])


class RepairDesk:
    """Obeys. `live`: what capture says of itself; `data`: where the data are mounted."""

    def __init__(
        self,
        *,
        disk: Disk,
        clock: Clock,
        system: System,
        says: Path = TOLD,
        live: Path = LIVE,
        data: Path = factory_reset.DATA,
        stick: Path = STICK,
        lock: Path = DISK,
        trial: Path = proving.MARK,
    ) -> None:
        self._disk = disk
        self._clock = clock
        self._system = system
        self._says = says
        self._live = live
        self._data = data
        self._stick = stick
        self._lock = lock
        self._trial = trial

    def obey(self, wanted: Mapping[str, str]) -> None:
        """Do what was asked for, and say how it went, under the number of the request."""
        number = wanted.get("number", "")
        with ExitStack() as turn:
            try:
                turn.enter_context(at_the_disk(self._lock))
                work = self._permitted(wanted)
            except (DataClosed, Refused) as error:
                event(_log, "repair_refused", code=error.code)
                self._tell({**(told(SUBJECT, self._says) or {}), "number": number, "refused": _words(error)})
                return
            try:
                work(number)
            except (DataClosed, Refused) as error:
                event(_log, "repair_failed", code=error.code)
                self.say(error, number=number, doing="")

    def say(self, state: ScopegateError, *, number: str, doing: str) -> None:
        """Say why there is no panel. `doing`: "" nothing goes on."""
        self._tell({**_words(state), "doing": doing, "number": number, "refused": {}})

    def _tell(self, said: Mapping[str, Any]) -> None:
        self._says.mkdir(mode=0o755, exist_ok=True)
        tell(self._says, SUBJECT, said)

    def _permitted(self, wanted: Mapping[str, str]) -> Callable[[str], None]:
        """Return what does it. Raises NotProven, ExamOpen, DataClosed, MachineRequest."""
        proving.refuse_meanwhile(self._says, self._trial)
        match wanted.get("do", ""):
            case "destroy":
                self._no_exam()
                return self._destroy
            case "keep":
                self._no_exam()
                if not self._disk.opened:
                    raise DataClosed
                if wanted.get("secret"):  # a panel that cannot read its people cannot tell whose word it has
                    self._code(wanted)
                return self._keep
            case "rescue":
                self._no_exam()
                code = self._code(wanted)
                if not self._stick.is_mount():
                    raise NoStick
                return partial(self._rescue, code)
            case _:
                raise MachineRequest

    def _code(self, wanted: Mapping[str, str]) -> bytes:
        """Return the recovery code of a request. Raises NoRecoveryCode, NotAKey, DataClosed: it opens no disk."""
        code = code_of(wanted)
        if not code:
            raise NotAKey
        try:
            snapshot.check(self._disk, code)
        except KeyRefused:
            record = self._disk.record()
            if record and not record.recovery:
                raise NoRecoveryCode from None
            raise
        return code

    def _destroy(self, number: str) -> None:
        self.say(BeingErased(), number=number, doing="destroy")
        self._alone()
        factory_reset.condemn(self._disk)
        self._restart()

    def _keep(self, number: str) -> None:
        self.say(BeingReset(), number=number, doing="keep")
        self._alone()
        try:
            factory_reset.mark(self._data)
        except OSError as error:
            event(_log, "not_marked", why=str(error.strerror))
            raise NotReset from None
        self._restart()

    def _rescue(self, code: bytes, number: str) -> None:
        def say(state: DataClosed) -> None:
            self.say(state, number=number, doing="rescue")

        say(Rescuing())
        self._alone()
        sticks = MountedSticks(clock=self._clock, say=say, folder=self._stick)
        with snapshot.laid_open(self._disk, code, self._data) as data, TemporaryDirectory(dir=WORK) as home:
            token = self._clock.token(_TOKEN_DIGITS)
            pieces = Pieces(sticks, say=say, code=code, token=token, home=Path(home))
            rescue = Rescue(data=data, pieces=pieces, say=say)
            state = rescue.run()
        event(_log, "rescued", bytes=rescue.done, pieces=pieces.count)
        self.say(sticks.after(state), number=number, doing="")

    def _alone(self) -> None:
        self._clock.pause(_HEARD_S)
        try:
            self._system.alone()
        except ProgramFailed as error:
            event(_log, "product_not_stopped", why=str(error))
            raise NotReset from None

    def _restart(self) -> None:
        """Start the machine anew; where it does not, the screen says that it wants to be switched off and on."""
        try:
            self._system.restart()
        except ProgramFailed as error:
            event(_log, "not_restarted", why=str(error))

    def _no_exam(self) -> None:
        if (told(SUBJECT, self._says) or {}).get("code") == PanelGone.code:
            return  # nobody could finish it
        if exam_said(self._live, self._clock):
            raise ExamOpen("An exam is open.", action="Finish it first.")


def _words(error: ScopegateError) -> dict[str, str]:
    return {"code": error.code, "what": error.what, "safe": error.safe, "action": error.action}


def _desk() -> RepairDesk:
    return RepairDesk(disk=Disk(), clock=Clock(), system=System())


def run_asked() -> None:
    """Do what the screen asks for."""
    _desk().obey(words_of(taken(SUBJECT)))


def run_panel_gone() -> None:
    """Have the screen say that there is no panel."""
    desk = _desk()
    desk.say(PanelGone(), number="", doing="")
    run(["systemctl", "--no-block", "restart", *_SCREEN])
