"""A changed configuration and the processes that were built from the one before: who is to start anew, and when.

The wish lies in the runtime folder, not in the index: all three processes obey one wish, it has no deadline, and a
start of the machine makes it worthless. Nobody starts anew for a file that a person is writing by hand, and for a
change of the screen alone only the panel does.
"""

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from gateway.config import keeping
from gateway.config.changes import document_of
from gateway.config.differences import differences, is_of_the_screen
from gateway.config.keeping import Text
from gateway.errors import SettingsForeign, SpoolError
from gateway.log import event, warn
from gateway.spool.files import Files
from gateway.spool.processes.live import LiveState

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
    """One process's part of it. `built` is the file that it was built from; `is_panel`: it reads the whole file."""

    def __init__(self, *, config: Path, built: Text, wish: Wish, is_panel: bool) -> None:
        self.concerned = True  # what is due changes what this process was built from
        self.of_the_screen = False  # what is due is read by the panel alone
        self.taken = False  # this process ends to start anew
        self._config = config
        self._built = built
        self._wish = wish
        self._is_panel = is_panel
        self._judged = ""  # the revision that `concerned` is about

    @property
    def revision(self) -> str:
        return self._built.revision

    def due(self) -> bool:
        """Say whether a change waits: the file is the one that is wished for, and this process has another."""
        return self._wanted() is not None

    def step(self, ready: Callable[[], bool], end: Callable[[], None], say: Callable[[str], None]) -> None:
        """Take a change that is due once `ready` says that nothing is lost.

        Who was built from something else ends, and is started anew; the others go on, and `say` the new revision.
        """
        text = self._wanted()
        if text is None:
            return
        self._judge(text)
        try:
            if not ready():
                return
        except SpoolError as error:  # nobody knows whether an exam is open: it waits
            warn(_log, "settings_wait", code=error.code)
            return
        if not self.concerned:
            self._built = text
            event(_log, "settings_unconcerned")
            say(text.revision)
            return
        self.taken = True
        event(_log, "settings_taken")
        end()

    def _wanted(self) -> Text | None:
        wanted = self._wish.read()
        if not wanted or wanted == self.revision:
            return None
        text = keeping.text_at(self._config)
        return text if text.revision == wanted else None

    def _judge(self, text: Text) -> None:
        """Find out once for each file whether it changes what this process was built from."""
        if self._judged != text.revision:
            self._judged = text.revision
            self.of_the_screen = _is_of_the_screen(self._built, text)
            self.concerned = self._is_panel or not self.of_the_screen


def _is_of_the_screen(old: Text, new: Text) -> bool:
    """Say whether only the panel reads what differs; of a file that nobody can read, no."""
    try:
        before, after = (document_of(each.raw.decode("utf-8-sig")) for each in (old, new))
    except (SettingsForeign, UnicodeDecodeError):
        return False
    return is_of_the_screen(differences(before, after))


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
