"""The virtual machine of tests/kernel leaves nothing behind on the computer that runs the tests."""

import subprocess
import sys
from pathlib import Path

from tests.box import until

STARTS_AND_WAITS = """
import sys
from pathlib import Path
from tests.kernel.machine import mortal
print(mortal(["sleep", "600"], Path("/")).pid, flush=True)
sys.stdin.read()
"""


def is_gone(process: Path) -> bool:
    """Say whether a process is no more, or dead and not yet asked after."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_what_a_test_run_started_ends_with_it_also_when_that_is_killed():
    run = subprocess.Popen(
        [sys.executable, "-c", STARTS_AND_WAITS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert run.stdin
    assert run.stdout
    with run.stdin, run.stdout:
        started = Path(f"/proc/{int(run.stdout.readline())}")
        assert not is_gone(started)
        run.kill()
        run.wait()
        until("the machine to end", lambda: is_gone(started))
