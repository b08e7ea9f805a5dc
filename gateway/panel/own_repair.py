"""An appliance that is made new, or whose pictures are carried out, as its screen asks for it. Root does it.

Nobody erases a box by mistake: what would be lost is counted, and a number that stands beside the counts is typed.
"""

from pathlib import Path

from gateway.clock import Clock
from gateway.config.settings import Settings
from gateway.config.told import FOLDER, told
from gateway.errors import ExamOpen
from gateway.panel.asking_root import AskingRoot
from gateway.panel.problems import NoMachine, NotRepaired, OtherNumber
from gateway.spool import unarchived
from gateway.spool.audit_sent import AuditSent
from gateway.spool.spool import Spool
from gateway.spool.unarchived import Unarchived

_SUBJECT, _DATA = "repair", "data"  # gateway/machine/repair/desk.py, encryption/service.py
_UPDATE = "update"  # gateway/machine/update/box.py
_DIGITS = 6  # of the number that erases the box
_STEP_S = 0.2
_LEAVES_S = 10.0  # for a line of the audit file on its way to the audit repository


class OwnRepair:
    """One box. Blocks: reads files, and waits for root."""

    def __init__(
        self, *, requests: Path, spool: Spool, settings: Settings, clock: Clock, says: Path = FOLDER
    ) -> None:
        """`requests`: where root is asked; `says`: where it answers."""
        self._root = AskingRoot(_SUBJECT, requests=requests, files=spool.files, clock=clock, says=says)
        self._spool = spool
        self._settings = settings
        self._clock = clock
        self._says = says
        self._offered: tuple[str, Unarchived] | None = None

    @property
    def there(self) -> bool:
        return told(_DATA, self._says) is not None

    @property
    def proving(self) -> bool:
        """Say whether root refuses all of it for now: a new version may end any moment (update/proving.py)."""
        return bool((told(_UPDATE, self._says) or {}).get("proving"))

    def left(self) -> Unarchived:
        """Return what would be lost with this box."""
        media = [each.name for each in self._settings.destinations if each.kind == "media"]
        return unarchived.of(self._spool, media=media, audited=self._settings.audit is not None)

    def offer(self) -> tuple[str, Unarchived]:
        """Return what would be lost, and the number that erases the box: another one each time it is looked at."""
        number = self._clock.digits(_DIGITS)
        self._offered = number, self.left()
        return self._offered

    def destroy(self, number: str, person: str) -> None:
        """Have everything on this box erased. Raises NoMachine, ExamOpen, OtherNumber, NotRepaired."""
        self._may()
        offered, self._offered = self._offered, None
        if offered is None or number != offered[0] or self.left().nowhere > offered[1].nowhere:
            raise OtherNumber
        self._recorded("destroy", "box-erase", person)

    def keep(self, person: str, *, code: str = "") -> None:
        """Have settings and people become those of a new box. Raises NoMachine, ExamOpen, NotRepaired.

        code: a recovery code that only root can hold against the disk, because the people cannot be read.
        """
        self._may()
        self._recorded("keep", "settings-new", person, secret=code)

    def rescue(self, code: str, person: str) -> None:
        """Have the pictures written onto a stick, encrypted with the recovery code. Raises as `keep`."""
        self._may()
        if refusal := self._ask("rescue", code):
            raise refusal
        self._note("rescue-begun", person)

    def _may(self) -> None:
        if not self.there:
            raise NoMachine
        if self._spool.exams.open_one():
            raise ExamOpen("An exam is open.", action="Finish it first.")

    def _recorded(self, do: str, what: str, person: str, *, secret: str = "") -> None:
        """Ask root, and have a line say so that is true whatever root does; with a box its audit file goes too."""
        self._note(f"{what}-asked", person)
        self._until_line_left()
        if refusal := self._ask(do, secret):
            self._note(f"{what}-refused", person, why=refusal.code)
            raise refusal

    def _until_line_left(self) -> None:
        """Wait for the audit repository to have the last line; one that is away keeps nothing from going on."""
        if self._settings.audit is None:
            return
        audit = self._spool.audit
        sent = AuditSent(path=self._spool.layout.audit_sent, audit=audit, files=self._spool.files)
        ours = audit.last
        for _ in range(int(_LEAVES_S / _STEP_S)):
            if audit.last - sent.left >= ours:
                return
            self._clock.pause(_STEP_S)

    def _note(self, what: str, person: str, **details: str) -> None:
        self._spool.audit.note(what, by="panel", **details, **({"person": person} if person else {}))

    def _ask(self, what: str, secret: str = "") -> NotRepaired | None:
        """Ask root; return its refusal. Raises NotRepaired when nobody answers: it may be done yet."""
        said = self._root.ask(what, secret)
        if said is None:
            raise NotRepaired("The box did not answer in time.")
        why = said.get("refused")
        return _refusal(why) if why else None


def _refusal(why: dict[str, str]) -> NotRepaired:
    return NotRepaired(**{key: str(why.get(key, "")) for key in ("what", "code", "safe", "action")})
