"""What every call of the panel needs, built in one place (`app.create_app`)."""

from contextvars import ContextVar
from dataclasses import dataclass

from gateway.clock import Clock
from gateway.config.settings import Settings
from gateway.model import Exam
from gateway.panel.configuring import Configuring
from gateway.panel.first_start.setting_up import SettingUp
from gateway.panel.kiosk import Kiosk
from gateway.panel.live.hub import Hub
from gateway.panel.live.recorder import Recorder
from gateway.panel.operators import Operators
from gateway.panel.own_machine import OwnMachine
from gateway.panel.people.desk import Desk
from gateway.panel.pictures.small import Pictures
from gateway.panel.power import Power
from gateway.panel.practice import Practice
from gateway.panel.shown.report import Report
from gateway.panel.words import Languages
from gateway.panel.work import Work
from gateway.spool.processes.live import LiveState
from gateway.spool.spool import Spool

API = "/api/v1"
acting: ContextVar[str] = ContextVar("acting", default="")  # the name of who is signed in where this is asked from


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """How long the panel waits, in seconds."""

    drain: float = 5.0  # for presses in flight, before an exam ends
    refresh: float = 10.0  # for the worklist servers
    day_check: float = 120.0  # for every archive about every exam of a day
    trial_begins: float = 60.0  # until forward must have begun to try another system
    poll: float = 0.25
    heartbeat: float = 5.0
    stick: float = 30.0  # for a small file onto it or from it
    piece: float = 60.0  # for each MB of an update that is sent: a quarter of what a line of 512 kbit/s takes
    switch: float = 2.0  # between two looks whether everything was sent
    worklist_stale: float = 900.0  # an older list is marked


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """The panel's parts."""

    spool: Spool
    settings: Settings
    clock: Clock
    recorder: Recorder
    work: Work
    pictures: Pictures
    hub: Hub
    live: dict[str, LiveState]  # what each process says of itself
    report: Report
    timing: Timing
    languages: Languages
    desk: Desk
    operators: Operators
    power: Power
    practice: Practice
    kiosk: Kiosk
    configuring: Configuring
    setting_up: SettingUp
    own_machine: OwnMachine

    async def exam(self, exam: str) -> Exam:
        """Return the exam. Raises NotFound."""
        return await self.work.spool(lambda: self.spool.exams.get(exam))

    def operator(self) -> str:
        """Return who works here, "" when nobody said so. Blocks: runs in a thread."""
        return self.operators.now(next(iter(self.spool.exams.list(limit=1)), None))

    async def note(self, what: str, **details: str | int) -> None:
        """Write into the audit file what a person did here."""
        if person := acting.get():
            details = {"person": person, **details}
        await self.work.spool(lambda: self.spool.audit.note(what, by="panel", **details))
