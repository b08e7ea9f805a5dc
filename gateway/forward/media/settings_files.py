"""A box's settings onto a stick and from it. What the file says is nobody's matter here: the panel judges it."""

import base64
import logging
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from gateway.config.settings import STICK, Destination
from gateway.errors import MediaAbsent, MediaDamaged, NoSettingsFile, NotFound, ScopegateError
from gateway.forward.media.export import mounted
from gateway.forward.media.medium import Medium, translated
from gateway.log import event, warn
from gateway.spool.files import Files
from gateway.spool.processes.requests import Request
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)
OUT, IN = "settings-out", "settings-in"  # the kinds of request that this module executes
LARGEST = 48_000  # bytes: what the panel takes in one call, before base64
_ANY = Destination(name="", kind="media", folder=STICK)  # a stick that nobody configured
_NAME = re.compile(r"scopegate-[A-Za-z0-9._-]{1,64}\.zip")
_FOUND = re.compile(r"scopegate[A-Za-z0-9 ._()-]{0,80}\.zip")  # a browser may have numbered it


class SettingsFiles:
    """Executes these requests, one after the other. `place` finds a destination's folder; `stick` is where the box
    mounts any stick.
    """

    def __init__(
        self,
        *,
        spool: Spool,
        destinations: Sequence[Destination],
        files: Files | None = None,
        place: Callable[[Destination, Path], Path] = mounted,
        stick: Destination = _ANY,
    ) -> None:
        self._spool = spool
        self._place = place
        self._stick = stick
        self._destinations = {each.name: each for each in destinations if each.kind == "media"}
        self._files = files or Files()
        self._answer: Callable[[], None] | None = None  # of a request whose end could not be written yet

    def step(self) -> bool:
        """Execute one request; say whether there was one. Raises SpoolError; the answer is then written later."""
        if self._answer is None:
            request = self._spool.requests.begin(OUT) or self._spool.requests.begin(IN)
            if request is None:
                return False
            self._answer = self._executed(request)
        self._answer()
        self._answer = None
        return True

    def _executed(self, request: Request) -> Callable[[], None]:
        try:
            done = self._out(request.arguments) if request.kind == OUT else self._in(request.arguments)
        except ScopegateError as error:
            warn(_log, "settings_file_failed", code=error.code)
            return partial(self._spool.requests.failed, request, error)
        event(_log, "settings_file", kind=request.kind)
        return partial(self._spool.requests.done, request, done)

    def _out(self, asked: dict[str, Any]) -> dict[str, Any]:
        name, raw = asked["name"], base64.b64decode(asked["content"])
        if not _NAME.fullmatch(name):
            raise NoSettingsFile
        with Medium(self._folder(asked)) as medium:
            medium.check()
            with translated():
                self._files.write(medium.root / name, [raw])
            medium.flush()
            with translated():
                kept = _content(medium.root / name)
            medium.check()
        if kept != raw:
            raise MediaDamaged
        return {"file": name}

    def _in(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Return the newest file of settings that lies on the medium."""
        with Medium(self._folder(asked)) as medium, translated():
            found = [each for each in medium.root.iterdir() if _FOUND.fullmatch(each.name) and _is_plain(each)]
            if not found:
                raise NoSettingsFile("There is no file of settings on this medium.")
            newest = max(found, key=lambda each: each.stat().st_mtime_ns)
            raw = _content(newest)
        if len(raw) > LARGEST:
            raise NoSettingsFile
        return {"file": newest.name, "content": base64.b64encode(raw).decode()}

    def _folder(self, asked: dict[str, Any]) -> Path:
        """Return the folder of a medium; of "", of whichever stick is plugged in. Raises MediaAbsent, NotFound."""
        if not asked["destination"]:
            return self._any_stick()
        destination = self._destinations.get(asked["destination"])
        if destination is None:
            raise NotFound("There is no media destination of that name.")
        return self._place(destination, self._spool.layout.root)

    def _any_stick(self) -> Path:
        """Return where a stick is mounted: where the box mounts every stick, else a medium of the configuration."""
        for each in (self._stick, *self._destinations.values()):
            with suppress(MediaAbsent):
                return self._place(each, self._spool.layout.root)
        raise MediaAbsent(
            "There is no stick in this box.",
            action="Plug one with FAT or exFAT in, wait some seconds and try again. If it is in already, call IT: "
            "it is not mounted.",
        )


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LARGEST + 1)
