"""One process a role."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.errors import SpoolLocked
from gateway.spool.paths import Layout
from gateway.spool.processes import locks

HOLD = """
import sys
from pathlib import Path
from gateway.spool.processes import locks
from gateway.spool.paths import Layout
with locks.role(Layout(Path(sys.argv[1])), "capture"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_of_a_role_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    with locks.role(Layout(tmp_path), "capture"):
        with pytest.raises(SpoolLocked, match=f"process {os.getpid()}"), locks.role(Layout(tmp_path), "capture"):
            pass
        with locks.role(Layout(tmp_path), "forward"):
            pass


def test_a_killed_process_gives_its_role_back(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(SpoolLocked, match=f"process {holder.pid}"), locks.every_role(Layout(tmp_path)):
            pass
        holder.kill()
        holder.wait()
    with locks.every_role(Layout(tmp_path)):
        pass


def test_what_holds_all_roles_gives_all_back_when_one_is_taken(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    with locks.role(layout, "panel"), pytest.raises(SpoolLocked), locks.every_role(layout):
        pass
    with locks.role(layout, "capture"), locks.role(layout, "forward"):
        pass
