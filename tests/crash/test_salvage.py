"""A clip whose process is killed is there at the next start, but for its last second at most, and says so.

What a power cut leaves of a clip is test_power_cut_capture.py's: every frame that was flushed.
"""

import random
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
import simplejpeg

from gateway.clock import Clock
from gateway.model import Capture
from gateway.spool import recovery
from gateway.spool.clips import codestreams, read_index
from gateway.spool.opening import open_spool
from gateway.spool.spool import Spool
from hardware.sources import counter
from tests.memory import folder_in_memory

KILLS = 10
LOST_AT_MOST_S = 1.0
LONGEST_S = 4.0


def killed_while_filming(folder: Path, seconds: float, *how: str) -> tuple[str, int]:
    """Film, be killed after some seconds; return the clip's UID and when that was."""
    words = [sys.executable, "-m", "tests.crash.filming", str(folder), *how]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout
        uid = child.stdout.readline().strip()
        time.sleep(seconds)
    finally:
        child.kill()
        killed_ns = Clock().boottime_ns()
        child.wait()
        child.stdout.close()
    return uid, killed_ns


def numbers(spool: Spool, capture: Capture) -> list[int]:
    """Return what is painted into a clip's frames, each of which must be whole."""
    _, entries = read_index(spool.layout.index(capture.exam, capture.sop_instance_uid))
    streams = codestreams(spool.layout.frames(capture.exam, capture.sop_instance_uid), entries)
    found = [counter.read(simplejpeg.decode_jpeg(stream)) for stream in streams]
    assert None not in found
    return [number for number in found if number is not None]


def salvaged(folder: Path, uid: str, killed_ns: int) -> float:
    """Start again; return how many seconds of the clip are missing at its end."""
    spool = open_spool(folder / "data", clock=Clock())
    try:
        recovery.recover_captures(spool)
        capture = spool.captures.get(uid).capture
        assert capture.salvaged
        assert capture.frames == len(capture.frame_times) >= 1
        found = numbers(spool, capture)
        assert len(found) == capture.frames
        assert all(after > before for before, after in pairwise(found))
    finally:
        spool.close()
    return (killed_ns - capture.frame_times[-1]) / 1e9


def test_a_clip_that_was_cut_by_a_kill_lacks_a_second_at_most(request: pytest.FixtureRequest) -> None:
    kills = max(KILLS, request.config.getoption("--kills") // 10)
    chance = random.Random(request.config.getoption("--seed"))
    with folder_in_memory() as folder:
        missing = [
            salvaged(folder, *killed_while_filming(folder, chance.uniform(0, LONGEST_S))) for _ in range(kills)
        ]
    print(
        f"{kills} kills while filming: {max(missing):.2f} s missing at most, {sum(missing) / kills:.2f} s usually"
    )
    assert max(missing) <= LOST_AT_MOST_S


def test_control_a_writer_that_keeps_frames_to_itself_is_found_out() -> None:
    with folder_in_memory() as folder:
        missing = salvaged(folder, *killed_while_filming(folder, LONGEST_S, "careless"))
    print(f"the careless writer: {missing:.2f} s missing")
    assert missing > LOST_AT_MOST_S
