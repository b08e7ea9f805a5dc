"""What of the configuration may be changed on the screen, and which files of the machine it may name.

The panel may not point the box at any file of its machine: what is named here lies beside the configuration, or in
the folders that the panel keeps for it. Blocks: everything here reads files.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway.config import lending
from gateway.config.changes import Add, Change, Drop, Put, document_of
from gateway.config.editing import Editor, Trial
from gateway.config.keys import tables
from gateway.config.lines import Place
from gateway.config.named_files import dotted, files_of
from gateway.config.table import Table
from gateway.config.writing import edited
from gateway.errors import BadValue, Problem, SettingsForeign
from gateway.messages import N_
from gateway.model import DeliveryState
from gateway.panel.own_files import OwnFiles
from gateway.panel.this_machine import lacking
from gateway.spool.spool import Spool

# What belongs to this machine and not to what a clinic wants of it: seen, and changed in the file alone.
OF_THE_MACHINE = frozenset(
    {
        ("station", "data_dir"),
        ("station", "runtime_dir"),
        ("panel", "listen"),
        ("panel", "practice_of"),
    }
)
_NOT_THERE = frozenset({DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.HELD})


class Allowed:
    """Judges changes of one configuration file."""

    def __init__(self, *, editor: Editor, own_files: OwnFiles, spool: Spool) -> None:
        self._editor = editor
        self._own_files = own_files
        self._spool = spool

    @property
    def tables(self) -> dict[str, Table]:
        return tables(self.base)

    @property
    def base(self) -> Path:
        """The folder that relative paths are taken from."""
        return self._editor.kept.path.parent

    def path(self, words: str) -> Path:
        """Return where a file is that the configuration names."""
        return (self.base / words.replace("\0", "")).resolve()  # with a zero in it, it is a path of no machine

    def known(self, change: Change) -> None:
        """Refuse what is no key of the configuration, or none that is changed here. Raises BadValue."""
        place: Place = (change.table,) if isinstance(change, Add) else change.place
        table = self.tables.get(str(place[0])) if place else None
        adds = isinstance(change, Add)
        if table is None or table.made is None or (adds and not table.many):
            raise BadValue("This is no part of the configuration.")
        if len(place) == 1 and not adds and not (isinstance(change, Drop) and table.is_optional):
            raise BadValue("This is no part of the configuration.")  # a table that must be there
        steps = [step for step in place[1:] if isinstance(step, str)]
        if table.many != (len(place) > 1 and isinstance(place[1], int)) and not adds:
            raise BadValue("This is no part of the configuration.")
        keys = set(change.values) if isinstance(change, Add) else set(steps[:1])
        if not keys <= table.keys.keys() or any((place[0], key) in OF_THE_MACHINE for key in keys):
            raise BadValue("This key is not changed here.")

    def judged(self, trial: Trial) -> Trial:
        """Add what names a file that the panel may not name, loses pictures, or is not to be had here."""
        now = self._editor.now().document
        found = [*self.foreign_files(trial.document), *self.lent_secrets(trial.document)]
        found += self._vanishing(trial)
        if not trial.problems:
            found += lacking(now, trial.document)
        return replace(trial, problems=[*trial.problems, *found]) if found else trial

    def foreign_files(self, document: Mapping[str, Any]) -> Iterator[Problem]:
        """Yield what names a file that is neither this box's own nor named already."""
        old = {words for _, words in files_of(self.tables, self._editor.now().document)}
        for place, words in files_of(self.tables, document):
            if words not in old and not self._ours(words):
                reason = N_("must be a file that this box keeps for it")
                yield Problem(line=0, key=dotted(place), place=place, reason=reason)

    def lent_secrets(self, document: Mapping[str, Any]) -> Iterator[Problem]:
        """Yield what names a secret that is kept for another address, now or before the last change."""
        before = self._editor.kept.before()
        known = [self._editor.now().document]
        with suppress(SettingsForeign, UnicodeDecodeError):
            known += [document_of(before.raw.decode("utf-8-sig"))] if before else []
        yield from lending.lent(self.tables, known, document, self.path)

    def with_this_machine(self, raw: bytes) -> bytes:
        """Return a text with what belongs to this machine as it stands here now. Raises SettingsForeign."""
        here = self.here()
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

    def here(self) -> Mapping[str, Any] | None:
        """Return what the file says now, None when it is broken: then nobody can say what it held."""
        try:
            return document_of(self._editor.kept.read().raw.decode("utf-8-sig"))
        except (SettingsForeign, UnicodeDecodeError):
            return None

    # --- inside --------------------------------------------------------------------------------------------

    def _vanishing(self, trial: Trial) -> Iterator[Problem]:
        """Yield each archive that would vanish with pictures that it has not got: nobody would send them then."""
        waiting: Counter[str] = Counter()
        for (name, state), count in self._spool.deliveries.counts().items():
            waiting[name] += count if state in _NOT_THERE else 0
        kept = _names(trial.document)
        for name in _names(self._editor.now().document):
            if waiting[name] and name not in kept:
                reason = f"{waiting[name]} pictures still wait for it: have IT move them to another archive first"
                yield Problem(line=0, key=f"destination.{name}", place=("destination",), reason=reason)

    def _ours(self, words: str) -> bool:
        """Say whether a file lies where the panel may name files."""
        path = self.path(words)
        return "\0" not in words and any(
            path.is_relative_to(folder) for folder in (self.base, *self._own_files.folders)
        )


def _names(document: Mapping[str, Any]) -> list[str]:
    found = document.get("destination", [])
    return (
        [str(each.get("name", "")) for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    )
