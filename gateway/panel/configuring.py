"""The configuration as the panel shows and changes it: tried, written, noted, handed to the processes.

What may be changed is decided in `allowed`, when the processes take it in `taking_over`. Blocks: everything here
reads files.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.config import bundle
from gateway.config.changes import Change
from gateway.config.editing import Editor, Trial
from gateway.config.keeping import Text
from gateway.config.named_files import files_of
from gateway.config.table import Table
from gateway.errors import ExamOpen, SettingsForeign
from gateway.panel.allowed import Allowed
from gateway.panel.own_files import OwnFiles
from gateway.panel.taking_over import TakingOver
from gateway.spool.processes.live import LiveState
from gateway.spool.processes.taking import Wish
from gateway.spool.spool import Spool


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """How the configuration stands. `waits` is a word of `WAITS`, "" when every process has it."""

    revision: str
    writable: bool
    waits: str


class Configuring:
    """One box's configuration. `revision` is the one that this panel was built from."""

    def __init__(
        self,
        *,
        editor: Editor,
        wish: Wish,
        spool: Spool,
        lives: Mapping[str, LiveState],
        revision: str,
        by: str = "panel",
    ) -> None:
        self.editor = editor
        self.own_files = OwnFiles(spool, editor.kept)
        self.allowed = Allowed(editor=editor, own_files=self.own_files, spool=spool)
        self._taking_over = TakingOver(wish=wish, spool=spool, lives=lives, revision=revision)
        self._spool = spool
        self._by = by

    @property
    def tables(self) -> dict[str, Table]:
        return self.allowed.tables

    def state(self) -> State:
        revision = self.editor.revision()
        return State(revision=revision, writable=self.editor.is_writable, waits=self._taking_over.waits(revision))

    def now(self) -> Trial:
        return self.editor.now()

    def tried(self, changes: Sequence[Change], revision: str) -> Trial:
        """Return what the changes would make. Raises BadValue for what is not changed here, SettingsMoved."""
        for change in changes:
            self.allowed.known(change)
        return self.allowed.judged(self.editor.try_changes(changes, revision))

    def tried_before(self) -> Trial:
        """Return what taking the last change back would make; what belongs to the machine stays.

        Raises NothingBefore.
        """
        raw = self.editor.try_before().text.raw
        if self.allowed.here() is not None:
            raw = self.allowed.with_this_machine(raw)
        return self.allowed.judged(self.editor.try_text(raw))

    def tried_text(self, raw: bytes) -> Trial:
        """Return what another box's file would make of this one; what belongs to the machine stays.

        Raises ExamOpen: nothing is taken over from elsewhere during an exam.
        """
        self._no_exam()
        return self.allowed.judged(self.editor.try_text(self.allowed.with_this_machine(raw)))

    def out(self) -> bytes:
        """Return this box's settings as one file, without secrets. Raises SettingsForeign."""
        try:
            text = self.editor.kept.read().raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise SettingsForeign from None
        return bundle.packed(bundle.outgoing(text, self.allowed.base))

    def tried_file(self, raw: bytes) -> Trial:
        """Return what such a file would change here. Raises ExamOpen, NoSettingsFile, SettingsForeign."""
        self._no_exam()
        found = bundle.unpacked(raw)
        keep = {name: str(self.own_files.keep_profile(name, content)) for name, content in found.profiles.items()}
        return self.tried_text(bundle.incoming(found, self.editor.now().document, keep=keep).encode())

    def write(self, trial: Trial, revision: str, *, person: str = "") -> Text:
        """Write it, wish that every process takes it, and note by key what changed, and by whom."""
        return self._written(trial, revision, self._taking_over.begin, person)

    def keep(self, trial: Trial, revision: str, *, person: str = "") -> Text:
        """Write it and note it; the processes take it once `take` says so, or when they start anew."""
        return self._written(trial, revision, lambda _: None, person)

    def our_title(self) -> str:
        """Return the AE title that this box has in the file, taken over or not; "" where it says none."""
        station = self.editor.now().document.get("station")
        return str(station.get("ae_title", "")) if isinstance(station, dict) else ""

    def entries(self, table: str) -> list[Mapping[str, Any]]:
        """Return the entries of an array of tables in the file, as far as it can be read."""
        found = self.editor.now().document.get(table, [])
        return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []

    def take(self) -> None:
        """Wish that every process takes what the file says now; one that is broken by hand is taken by nobody."""
        now = self.editor.now()
        if not now.problems:
            self._taking_over.begin(now.text.revision)

    def keep_secret(self, raw: bytes) -> str:
        """Keep a secret in a file of its own that the forward process can read; return its name."""
        return str(self.own_files.keep_secret(raw))

    # --- inside --------------------------------------------------------------------------------------------

    def _written(self, trial: Trial, revision: str, first: Callable[[str], None], person: str) -> Text:
        named = [self.allowed.path(words) for _, words in files_of(self.tables, trial.document)]

        def last(written: str) -> None:
            self.own_files.expect(named)
            first(written)

        text = self.editor.write(trial, revision, first=last)
        keys = ", ".join(dict.fromkeys(".".join(each.steps) for each in trial.differences))
        who = {"person": person} if person else {}
        self._spool.audit.note("settings-changed", by=self._by, **who, keys=keys, revision=text.revision[:12])
        return text

    def _no_exam(self) -> None:
        if self._spool.exams.open_one():
            raise ExamOpen("An exam is open.", action="Finish it first.")
