"""A changed configuration and the processes that were built from the one before: who is to start anew, and when.

The wish lies in the runtime folder, not in the index: all three processes obey one wish, it has no deadline, and a
start of the machine makes it worthless. Nobody starts anew for a file that a person is writing by hand.
"""

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from gateway.config import keeping
from gateway.errors import SpoolError
from gateway.log import event, warn
from gateway.spool.files import Files
from gateway.spool.live import LiveState

_log = logging.getLogger(__name__)
_ABSENT = 10  # looks; a process that says nothing for so long takes the file when somebody starts it
_WISH = "settings.json"


class Wish:
    """Which revision of the configuration all processes are to take."""

    def __init__(self, folder: Path, files: Files) -> None:
        self._path = folder / _WISH
        self._files = files

    def leave(self, revision: str) -> None:
        """Wish for a revision. Told before the file has it: a wish without its file is obeyed by nobody."""
        self._files.replace_quickly(self._path, json.dumps({"revision": revision}).encode())

    def read(self) -> str:
        """Return the revision that is wished for, "" for none."""
        try:
            found = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return ""
        revision = found.get("revision") if isinstance(found, dict) else None
        return revision if isinstance(revision, str) else ""


class Taking:
    """One process's part of it. `revision` is of the file that it was built from."""

    def __init__(self, *, config: Path, revision: str, wish: Wish) -> None:
        self.revision = revision
        self.taken = False  # this process ends to start anew
        self._config = config
        self._wish = wish

    def due(self) -> bool:
        """Say whether this process is to start anew: the file is the one that is wished for, and it has another."""
        wanted = self._wish.read()
        return bool(wanted) and wanted != self.revision and keeping.text_at(self._config).revision == wanted

    def step(self, ready: Callable[[], bool], end: Callable[[], None]) -> None:
        """End this process, which is then started anew, when it is due and `ready` says that nothing is lost."""
        if not self.due():
            return
        try:
            if not ready():
                return
        except SpoolError as error:  # nobody knows whether an exam is open: it waits
            warn(_log, "settings_wait", code=error.code)
            return
        self.taken = True
        event(_log, "settings_taken")
        end()


class Others:
    """The processes that go before this one."""

    def __init__(self, lives: Sequence[LiveState], wish: Wish) -> None:
        self._lives = lives
        self._wish = wish
        self._absent = 0

    @property
    def absent(self) -> bool:
        """Say whether one of them is not there."""
        return self._absent > 0

    def have_it(self) -> bool:
        """Say whether all of them run with what is wished for, or have been gone for long. Asked once a second."""
        wanted = self._wish.read()
        states = [live.read() for live in self._lives]
        if any(state is not None and state.get("settings") != wanted for state in states):
            self._absent = 0
            return False
        if None not in states:
            self._absent = 0
            return True
        self._absent += 1
        return self._absent > _ABSENT
