"""The configuration as the panel shows and changes it: what may be changed here, and whether a change waits.

The panel may not point the box at any file of its machine: what is named here lies beside the configuration, or in
the folders that the panel keeps for it. Blocks: everything here reads files.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gateway.config import bundle, lending
from gateway.config.changes import Add, Change, Drop, Put, document_of
from gateway.config.differences import is_of_the_screen
from gateway.config.editing import Editor, Trial
from gateway.config.keeping import Text
from gateway.config.keys import tables
from gateway.config.lines import Place
from gateway.config.named_files import dotted, files_of
from gateway.config.table import Table
from gateway.config.writing import edited
from gateway.errors import BadValue, ExamOpen, Problem, SettingsForeign
from gateway.messages import N_
from gateway.model import DeliveryState
from gateway.panel.own_files import OwnFiles
from gateway.panel.this_machine import lacking
from gateway.spool.live import LiveState
from gateway.spool.spool import Spool
from gateway.spool.taking import Wish

# What belongs to this machine and not to what a clinic wants of it: seen, and changed in the file alone.
OF_THE_MACHINE = frozenset(
    {("station", "data_dir"), ("station", "runtime_dir"), ("panel", "listen"), ("panel", "practice_of")}
)
_NOT_THERE = frozenset({DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.HELD})
WAITS = {
    "exam": N_("A change waits until the exam is finished."),
    "recorder": N_("The recorder takes the change over."),
    "sending": N_("A change waits until the picture that is being sent is through."),
    "delivery": N_("The delivery takes the change over."),
    "screen": N_("The screen starts anew with the change."),
}
STARTS_ANEW = {  # what a change costs, said before it is made
    "box": N_(
        "The box starts anew with this: for about ten seconds there is no live picture, and nothing can be"
        " captured. It waits until no exam is open."
    ),
    "screen": N_("Only the screen starts anew with this, within a few seconds. It waits until no exam is open."),
}


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
        self._wish = wish
        self._spool = spool
        self._lives = lives
        self._revision = revision
        self._by = by
        self.own_files = OwnFiles(spool, editor.kept)

    @property
    def tables(self) -> dict[str, Table]:
        return tables(self.base)

    def state(self) -> State:
        revision = self.editor.revision()
        return State(revision=revision, writable=self.editor.is_writable, waits=self._waits(revision))

    def now(self) -> Trial:
        return self.editor.now()

    def tried(self, changes: Sequence[Change], revision: str) -> Trial:
        """Return what the changes would make. Raises BadValue for what is not changed here, SettingsMoved."""
        for change in changes:
            self._known(change)
        return self._guarded(self.editor.try_changes(changes, revision))

    def tried_before(self) -> Trial:
        """Return what taking the last change back would make; what belongs to the machine stays.

        Raises NothingBefore.
        """
        raw = self.editor.try_before().text.raw
        if self._here() is not None:  # else the file is broken, and nobody can say what it held
            raw = self._of_this_machine(raw)
        return self._guarded(self.editor.try_text(raw))

    def tried_text(self, raw: bytes) -> Trial:
        """Return what another box's file would make of this one; what belongs to the machine stays.

        Raises ExamOpen: nothing is taken over from elsewhere during an exam.
        """
        self._no_exam()
        return self._guarded(self.editor.try_text(self._of_this_machine(raw)))

    def out(self) -> bytes:
        """Return this box's settings as one file, without secrets. Raises SettingsForeign."""
        try:
            text = self.editor.kept.read().raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise SettingsForeign from None
        return bundle.packed(bundle.outgoing(text, self.base))

    def tried_file(self, raw: bytes) -> Trial:
        """Return what such a file would change here. Raises ExamOpen, NoSettingsFile, SettingsForeign."""
        self._no_exam()
        found = bundle.unpacked(raw)
        keep = {name: str(self.own_files.keep_profile(name, content)) for name, content in found.profiles.items()}
        return self.tried_text(bundle.incoming(found, self.editor.now().document, keep=keep).encode())

    def foreign_files(self, document: Mapping[str, Any]) -> Iterator[Problem]:
        """Yield what names a file that is neither this box's own nor named already."""
        old = {words for _, words in files_of(self.tables, self.editor.now().document)}
        for place, words in files_of(self.tables, document):
            if words not in old and not self._ours(words):
                reason = N_("must be a file that this box keeps for it")
                yield Problem(line=0, key=dotted(place), place=place, reason=reason)

    def lent_secrets(self, document: Mapping[str, Any]) -> Iterator[Problem]:
        """Yield what names a secret that is kept for another address, now or before the last change."""
        before = self.editor.kept.before()
        known = [self.editor.now().document]
        with suppress(SettingsForeign, UnicodeDecodeError):
            known += [document_of(before.raw.decode("utf-8-sig"))] if before else []
        yield from lending.lent(self.tables, known, document, self._path)

    def write(self, trial: Trial, revision: str, *, person: str = "") -> Text:
        """Write it, wish that every process takes it, and note by key what changed, and by whom."""
        return self._written(trial, revision, self._wish.leave, person)

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
            self._wish.leave(now.text.revision)

    def _written(self, trial: Trial, revision: str, first: Callable[[str], None], person: str) -> Text:
        named = [self._path(words) for _, words in files_of(self.tables, trial.document)]

        def last(written: str) -> None:
            self.own_files.expect(named)
            first(written)

        text = self.editor.write(trial, revision, first=last)
        keys = ", ".join(dict.fromkeys(".".join(each.steps) for each in trial.differences))
        who = {"person": person} if person else {}
        self._spool.audit.note("settings-changed", by=self._by, **who, keys=keys, revision=text.revision[:12])
        return text

    def keep_secret(self, raw: bytes) -> str:
        """Keep a secret in a file of its own that the forward process can read; return its name."""
        return str(self.own_files.keep_secret(raw))

    def _of_this_machine(self, raw: bytes) -> bytes:
        """Return a text with what belongs to this machine as it stands here now. Raises SettingsForeign."""
        here = self._here()
        if here is None:
            raise SettingsForeign
        try:
            text = raw.decode("utf-8-sig")
            there, keep = document_of(text), list[Change]()
            for table, key in sorted(OF_THE_MACHINE):
                own = here.get(table, {}).get(key)
                if own != there.get(table, {}).get(key):
                    keep.append(Drop(place=(table, key)) if own is None else Put(place=(table, key), value=own))
        except (UnicodeDecodeError, AttributeError):  # no text, or a table that is none
            raise SettingsForeign from None
        return edited(text, keep).encode()

    def _here(self) -> Mapping[str, Any] | None:
        """Return what the file says now, None when it is broken."""
        try:
            return document_of(self.editor.kept.read().raw.decode("utf-8-sig"))
        except (SettingsForeign, UnicodeDecodeError):
            return None

    def _no_exam(self) -> None:
        if self._spool.exams.open_one():
            raise ExamOpen("An exam is open.", action="Finish it first.")

    # --- inside --------------------------------------------------------------------------------------------

    @property
    def base(self) -> Path:
        """The folder that relative paths are taken from."""
        return self.editor.kept.path.parent

    def _waits(self, revision: str) -> str:
        wanted = self._wish.read()
        if wanted != revision:
            return ""  # changed by hand: whoever did it starts the box anew
        capture, forward = (self._lives[name].read() for name in ("capture", "forward"))
        here = self._revision == wanted
        if _is_old(capture, wanted, here=here):
            return "exam" if self._spool.exams.open_one() else "recorder"
        if _is_old(forward, wanted, here=here):
            return "sending" if self._is_sending() else "delivery"
        return "" if here else "screen"

    def _is_sending(self) -> bool:
        """Say whether a picture is on its way; the forward process also makes, asks and tells, which is short."""
        counts = self._spool.deliveries.counts()
        return any(count for (_, state), count in counts.items() if state is DeliveryState.SENDING)

    def _known(self, change: Change) -> None:
        """Refuse what is no key of the configuration, or none that is changed here. Raises BadValue."""
        place: Place = (change.table,) if isinstance(change, Add) else change.place
        table = self.tables.get(str(place[0])) if place else None
        adds = isinstance(change, Add)
        if table is None or table.made is None or (adds and not table.many):
            raise BadValue("This is no part of the configuration.")
        steps = [step for step in place[1:] if isinstance(step, str)]
        if table.many != (len(place) > 1 and isinstance(place[1], int)) and not adds:
            raise BadValue("This is no part of the configuration.")
        keys = set(change.values) if isinstance(change, Add) else set(steps[:1])
        if not keys <= table.keys.keys() or any((place[0], key) in OF_THE_MACHINE for key in keys):
            raise BadValue("This key is not changed here.")

    def _guarded(self, trial: Trial) -> Trial:
        """Add what names a file that the panel may not name, loses pictures, or is not to be had here."""
        now = self.editor.now().document
        found = [*self.foreign_files(trial.document), *self.lent_secrets(trial.document)]
        found += self._vanishing(trial)
        if not trial.problems:
            found += lacking(now, trial.document)
        return replace(trial, problems=[*trial.problems, *found]) if found else trial

    def _vanishing(self, trial: Trial) -> Iterator[Problem]:
        """Yield each archive that would vanish with pictures that it has not got: nobody would send them then."""
        waiting: Counter[str] = Counter()
        for (name, state), count in self._spool.deliveries.counts().items():
            waiting[name] += count if state in _NOT_THERE else 0
        kept = _names(trial.document)
        for name in _names(self.editor.now().document):
            if waiting[name] and name not in kept:
                reason = f"{waiting[name]} pictures still wait for it: have IT move them to another archive first"
                yield Problem(line=0, key=f"destination.{name}", place=("destination",), reason=reason)

    def _path(self, words: str) -> Path:
        return (self.base / words.replace("\0", "")).resolve()  # with a zero in it, it is a path of no machine

    def _ours(self, words: str) -> bool:
        """Say whether a file lies where the panel may name files."""
        path = self._path(words)
        return "\0" not in words and any(
            path.is_relative_to(folder) for folder in (self.base, *self.own_files.folders)
        )


def starts_anew(trial: Trial) -> str:
    """Return a word of `STARTS_ANEW` for a change."""
    return "screen" if is_of_the_screen(trial.differences) else "box"


def _is_old(state: Mapping[str, Any] | None, wanted: str, *, here: bool) -> bool:
    """Say whether a process has not taken it yet; one that says nothing has when the panel, the last, has."""
    return not here if state is None else state.get("settings") != wanted


def _names(document: Mapping[str, Any]) -> list[str]:
    found = document.get("destination", [])
    return (
        [str(each.get("name", "")) for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    )
