"""What root says: whole, for everybody, by several processes at once."""

import json
import os
import subprocess
import sys
from pathlib import Path, PosixPath

import pytest

from gateway.config.told import told
from gateway.machine.telling import tell

ROOT = Path(__file__).resolve().parents[3]
ANOTHER = """
import sys
from pathlib import Path, PosixPath
from gateway.machine.telling import tell
tell(Path(sys.argv[1]), "update", {"second": 2})
"""


class Busy(PosixPath):
    """A folder in which another process says something under the same name, before the first one is through."""

    def __truediv__(self, name: str) -> Path:  # type: ignore[override]
        if name == "update.json":  # as the first one asks for it: all is written, and has not its name yet
            subprocess.run([sys.executable, "-c", ANOTHER, str(self)], check=True, cwd=ROOT)
        return Path(self, name)


def test_two_processes_that_say_something_under_one_name_do_not_disturb_each_other(tmp_path: Path) -> None:
    tell(Busy(tmp_path), "update", {"first": 1})
    assert told("update", tmp_path) == {"first": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["update.json"]


@pytest.mark.parametrize("umask", [0o077, 0])
def test_what_is_said_is_said_to_everybody(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        tell(tmp_path, "data", {"opened": True})
    finally:
        os.umask(before)
    file = tmp_path / "data.json"
    assert (file.stat().st_mode & 0o777, json.loads(file.read_text())) == (0o644, {"opened": True})
