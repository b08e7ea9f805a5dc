"""Changes the configuration file: tried first, refused with every mistake at its place, written whole or not.

Nothing invalid is ever written. Who may change what, and when the processes take it, is decided elsewhere.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.config import reader
from gateway.config.changes import Change, document_of
from gateway.config.differences import Difference, differences
from gateway.config.keeping import Disk, Kept, Text, text_of
from gateway.config.settings import Settings
from gateway.config.writing import edited
from gateway.errors import ConfigurationError, NothingBefore, Problem, SettingsForeign, SettingsMoved, SettingsWrong

Also = Callable[[Settings], Iterator[Problem]]  # what else `config check` looks at
Read = Callable[[bytes, Path], object]  # raises ConfigurationError


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """What a change would make of the file. `problems` is empty when it may be written."""

    text: Text
    document: Mapping[str, Any]
    differences: list[Difference]
    problems: list[Problem]


class Editor:
    """One configuration file, as it is changed. Blocks: every method reads or writes files."""

    def __init__(
        self,
        path: Path,
        *,
        disk: Disk,
        environment: Mapping[str, str] | None = None,
        also: Also | None = None,
        read: Read | None = None,
    ) -> None:
        """`read`: what reads the file when it is another one than the configuration (gateway/config/machine.py)."""
        self.kept = Kept(path, disk)
        self._environment = environment
        self._also = also
        self._other = read

    @property
    def is_writable(self) -> bool:
        return self.kept.is_writable

    def now(self) -> Trial:
        """Return what the file says now, tried as if it were to be written: an engineer may have broken it."""
        text = self.kept.read()
        return self._trial({}, text.raw)

    def revision(self) -> str:
        return self.kept.read().revision

    def try_changes(self, changes: Sequence[Change], revision: str) -> Trial:
        """Return what the changes would make of the file of that revision.

        Raises SettingsMoved when it is another one by now, SettingsForeign, BadValue.
        """
        text = self._read(revision)
        words = _words(text.raw)
        return self._trial(document_of(words), edited(words, changes).encode())

    def try_before(self) -> Trial:
        """Return what taking the last change back would make of the file. Raises NothingBefore."""
        before = self.kept.before()
        if before is None:
            raise NothingBefore
        return self._trial(_document(self.kept.read().raw), before.raw)

    def try_text(self, raw: bytes) -> Trial:
        """Return what another file in its place would change."""
        return self._trial(_document(self.kept.read().raw), raw)

    def write(self, trial: Trial, revision: str, *, first: Callable[[str], None] = lambda _: None) -> Text:
        """Write what was tried on the file of that revision; durable when this returns.

        `first` is told the new revision before there is a file of it. Raises SettingsWrong, SettingsMoved,
        SettingsReadOnly, SpoolError.
        """
        if trial.problems:
            raise SettingsWrong(problems=trial.problems)
        with self.kept.alone():
            if self.kept.read().revision != revision:
                raise SettingsMoved
            first(trial.text.revision)
            return self.kept.replace(trial.text.raw)

    def _read(self, revision: str) -> Text:
        text = self.kept.read()
        if text.revision != revision:
            raise SettingsMoved
        return text

    def _trial(self, old: Mapping[str, Any], raw: bytes) -> Trial:
        document = _document(raw)
        return Trial(
            text=text_of(raw),
            document=document,
            differences=differences(old, document),
            problems=self._problems(raw),
        )

    def _problems(self, raw: bytes) -> list[Problem]:
        try:
            if self._other:
                self._other(raw, self.kept.path)
                return []
            settings = reader.read_text(raw, self.kept.path, self._environment)
        except ConfigurationError as error:
            return error.problems
        return list(self._also(settings)) if self._also else []


def _words(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsForeign from None


def _document(raw: bytes) -> Mapping[str, Any]:
    """Return what a text says, nothing for what cannot be read."""
    try:
        return document_of(_words(raw))
    except SettingsForeign:
        return {}
