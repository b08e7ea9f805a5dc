"""Practice: learning on a box of its own beside this one. This process only asks for it, and says where it is.

`scopegate practice` (a systemd unit that a file wakes, as the one that switches off) does the rest; the panel of
practice is the same program with `practice_of` in its configuration, and asks for its end in the same way.
"""

from pathlib import Path

from gateway.config.settings import Settings
from gateway.errors import ExamOpen, WrongState
from gateway.panel.problems import NoPractice
from gateway.spool.files import Files
from gateway.spool.spool import Spool

WANTED, ADDRESS, END = "practice-wanted", "practice-address", "practice-end"
_LONGEST_ADDRESS = 200  # bytes


class Practice:
    """Blocks: runs in a thread."""

    def __init__(self, *, settings: Settings, spool: Spool, files: Files) -> None:
        self._folder: Path = settings.station.runtime_dir
        self._spool = spool
        self._files = files
        self._of = settings.panel.practice_of
        self.offered = settings.panel.practice and not self.here

    @property
    def here(self) -> bool:
        """Say whether this is practice itself."""
        return self._of is not None

    @property
    def back(self) -> str:
        """Return where the real box's panel is, from practice; "" at the real box."""
        return f"http://{self._of}" if self._of else ""

    @property
    def state(self) -> str:
        """Return "here" in practice itself, else "on", "starting" or "off"."""
        if self.here:
            return "here"
        if self.address:
            return "on"
        return "starting" if self.offered and (self._folder / WANTED).exists() else "off"

    @property
    def address(self) -> str:
        """Return where practice is, "" while it is not."""
        try:
            with (self._folder / ADDRESS).open("rb") as file:
                return file.read(_LONGEST_ADDRESS).decode("ascii").strip()
        except (OSError, UnicodeDecodeError):
            return ""

    def begin(self) -> None:
        """Ask for practice. Raises NoPractice where it is not set up, ExamOpen while a patient may be there."""
        if not self.offered:
            raise NoPractice
        if self._spool.exams.open_one():
            raise ExamOpen("An exam is open.", action="Finish it first.")
        if not self.address:
            self._files.write(self._folder / WANTED, [b"\n"])
        self._spool.audit.note("practice-begun", by="panel")

    def end(self) -> None:
        """Ask for the end of practice, with everything in it. Raises WrongState at the real box."""
        if not self.here:
            raise WrongState("This is no practice: nothing here is thrown away.")
        self._files.write(self._folder / END, [b"\n"])
