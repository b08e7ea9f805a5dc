"""Files that the panel keeps for settings: secrets that were typed, device profiles that came in.

A change may be given up after its file was written, also by a power cut. What no configuration names, neither the
one that holds nor one of those before that can be put back, goes after an hour; in doubt it stays.
"""

import hashlib
import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from gateway.config.keeping import Kept
from gateway.errors import BadValue, SettingsReadOnly, SpoolError
from gateway.log import event, warn
from gateway.spool.files import PART
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)
EVERY_S = 600.0  # between two looks at what nobody names
_AGE_S = 3600.0  # for as long a change that is being made may still name a file
_DIGITS = 32  # hexadecimal, of a secret's file
_OF_CONTENT = 12  # hexadecimal, in a profile's name
_MADE_HERE = re.compile(rf"([0-9a-f]{{{_DIGITS}}}|.+-[0-9a-f]{{{_OF_CONTENT}}}\.toml)({re.escape(PART)})?")


class OwnFiles:
    """The two folders of one box. `kept`: its configuration. Blocks: everything here reads or writes files."""

    def __init__(self, spool: Spool, kept: Kept) -> None:
        self._spool = spool
        self._kept = kept
        self._secrets = spool.layout.root / "secrets"
        self._profiles = spool.layout.root / "profiles"
        self._began_with = kept.read().raw  # another process may still work by it

    @property
    def folders(self) -> tuple[Path, Path]:
        return self._secrets, self._profiles

    def keep_secret(self, raw: bytes) -> Path:
        """Keep a secret in a file of its own that the forward process can read. Raises SpoolError."""
        path = self._secrets / self._spool.clock.token(_DIGITS)
        self._write(path, [raw.strip(), b"\n"])
        return path

    def keep_profile(self, name: str, content: bytes) -> Path:
        """Keep a device profile that came in, under a name that says what is in it. Raises SpoolError."""
        digest = hashlib.sha256(content).hexdigest()[:_OF_CONTENT]
        path = self._profiles / f"{Path(name).stem}-{digest}.toml"
        self._write(path, [content])  # anew when it is there: its hour begins again
        return path

    def expect(self, paths: Iterable[Path]) -> None:
        """Refuse a change that names a file of these folders that is not there any more. Raises BadValue.

        For who holds the configuration alone: nothing goes meanwhile.
        """
        ours = {folder.resolve() for folder in self.folders}
        if any(path.parent in ours and not path.exists() for path in paths):
            raise BadValue(
                "What this change needs was cleared away, because it was left alone for an hour.",
                action="Make the change again.",
            )

    def clear(self) -> None:
        """Remove what no configuration names. A disk that refuses is tried again the next time."""
        try:
            with self._kept.alone():
                gone = list(self._unnamed())
                self._spool.files.remove(*gone)
        except (SettingsReadOnly, SpoolError, OSError) as error:
            warn(_log, "settings_files_stay", why=type(error).__name__)
            return
        if gone:
            event(_log, "settings_files_cleared", count=len(gone))

    def _unnamed(self) -> Iterator[Path]:
        """Yield the files that go. Raises OSError when a configuration that may name them cannot be read."""
        texts = [self._began_with, *self._kept.every()]
        now = self._spool.clock.now().utc.timestamp()
        for folder in self.folders:
            for path in folder.iterdir() if folder.is_dir() else ():
                if not _MADE_HERE.fullmatch(path.name) or path.is_dir():
                    continue
                young = abs(now - path.stat().st_mtime) < _AGE_S  # a clock that was set makes nothing go early
                name = path.name.removesuffix(PART).encode()
                if not young and (path.name.endswith(PART) or not any(name in text for text in texts)):
                    yield path

    def _write(self, path: Path, chunks: list[bytes]) -> None:
        with suppress(FileExistsError):
            self._spool.files.make_folder(path.parent)
        self._spool.files.write(path, chunks)
