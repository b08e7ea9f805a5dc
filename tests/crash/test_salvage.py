"""A clip whose process is killed is there at the next start, but for its last second at most, and says so.

The same moments as power cuts: of what was not flushed then, nothing is left. That every flushed frame is found
again, however the rest is torn, is test_power_cut_capture.py's.
"""

import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
import simplejpeg

from gateway.clock import Clock
from gateway.model import Capture
from gateway.spool.clips import codestreams, read_index
from gateway.spool.opening import open_spool
from gateway.spool.recovery.captures import recover_captures
from gateway.spool.spool import Spool
from hardware.sources import counter
from tests.crash.filming import flushed
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
        recover_captures(spool)
        capture = spool.captures.get(uid).capture
        assert capture.salvaged
        assert capture.frames == len(capture.frame_times) >= 1
        found = numbers(spool, capture)
        assert len(found) == capture.frames
        assert all(after > before for before, after in pairwise(found))
    finally:
        spool.close()
    return (killed_ns - capture.frame_times[-1]) / 1e9


def cut(folder: Path, elsewhere: Path) -> Path:
    """Return a copy of a killed process' folder as the worst power cut at that moment leaves its clip."""
    shutil.copytree(folder, elsewhere)
    safe = flushed(folder)
    for path in elsewhere.glob("data/exams/*/*.part"):
        os.truncate(path, min(safe[path.name], path.stat().st_size))
    return elsewhere


def spread(missing: Sequence[float]) -> str:
    """Return how many clips lack how much, in tenths of a second."""
    tenths = Counter(int(each * 10) for each in missing)
    return ", ".join(f"{tenth / 10:.1f}-{(tenth + 1) / 10:.1f} s: {n}" for tenth, n in sorted(tenths.items()))


def test_a_clip_that_was_cut_by_a_kill_or_a_power_cut_lacks_a_second_at_most(
    request: pytest.FixtureRequest,
) -> None:
    kills = max(KILLS, request.config.getoption("--kills") // 10)
    chance = random.Random(request.config.getoption("--seed"))
    killed, unplugged = [], []
    for _ in range(kills):
        with folder_in_memory() as folder:
            uid, at_ns = killed_while_filming(folder, chance.uniform(0, LONGEST_S))
            with folder_in_memory() as other:
                unplugged.append(salvaged(cut(folder, other / "cut"), uid, at_ns))
            killed.append(salvaged(folder, uid, at_ns))
    for what, missing in (("kills", killed), ("power cuts", unplugged)):
        print(
            f"\n{kills} {what} while filming: {max(missing):.2f} s missing at most, "
            f"{sum(missing) / kills:.2f} s usually ({spread(missing)})"
        )
        assert max(missing) <= LOST_AT_MOST_S


def test_control_a_writer_that_keeps_frames_to_itself_is_found_out() -> None:
    with folder_in_memory() as folder:
        missing = salvaged(folder, *killed_while_filming(folder, LONGEST_S, "careless"))
    print(f"\nthe careless writer: {missing:.2f} s missing")
    assert missing > LOST_AT_MOST_S


def test_control_a_writer_that_does_not_flush_is_found_out_by_a_power_cut_and_not_by_a_kill() -> None:
    with folder_in_memory() as folder, folder_in_memory() as other:
        uid, at_ns = killed_while_filming(folder, LONGEST_S, "unflushed")
        unplugged = salvaged(cut(folder, other / "cut"), uid, at_ns)
        killed = salvaged(folder, uid, at_ns)
    print(f"\nthe writer that does not flush: {unplugged:.2f} s missing after a power cut, {killed:.2f} s a kill")
    assert killed <= LOST_AT_MOST_S < unplugged
