"""A screen that is used for hours: the memory of the panel, of capture and of the browser stays flat.

`--soak 120 --results FILE` is the long run, 500 pictures in two hours; repeated with the same file it goes on where
it was interrupted. What is printed counts; a run below half an hour says nothing of an hour and asserts only that
everything is stored.
"""

import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.box import Box
from tests.browser.conftest import SIZES, ready

PICTURES_AN_HOUR = 250
PICTURES_AN_EXAM = 40
SAMPLE_S = 10.0
SETTLED = 0.2  # of a part: before, memory grows as everything is used for the first time
LONG_MIN = 30.0
MOST_GROWTH_MB = {"panel": 5.0, "capture": 5.0, "browser": 5.0}  # an hour
MOST_BROWSER_MB = 300.0
_OWN = ("Pss_Anon:", "Pss_Shmem:")


@dataclass(kw_only=True)
class Part:
    """What one run saw: minutes since its beginning and MiB, by process."""

    minutes: list[float] = field(default_factory=list)
    memory: dict[str, list[float]] = field(default_factory=dict)
    pictures: int = 0

    def add(self, sample: dict[str, Any]) -> None:
        self.minutes.append(sample["minutes"])
        self.pictures = sample["pictures"]
        for name in MOST_GROWTH_MB:
            self.memory.setdefault(name, []).append(sample[name])

    @property
    def length(self) -> float:
        return self.minutes[-1] if self.minutes else 0.0

    def growth(self, name: str) -> float:
        """Return MiB an hour, by the line that fits best after the beginning."""
        first = next(at for at, minute in enumerate(self.minutes) if minute >= SETTLED * self.length)
        if len(self.minutes) - first < 3:
            return 0.0
        fit = statistics.linear_regression(self.minutes[first:], self.memory[name][first:])
        return fit.slope * 60


def memory_mb(pids: list[int]) -> float:
    """Return the memory of these processes' own, in MiB; of one that just ended nothing.

    Not of files that they read (`Pss_File`): the kernel takes that back, and a share of it grows by itself when
    another browser of this machine ends.
    """
    kilobytes = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
        except (OSError, ProcessLookupError):
            continue
        kilobytes += sum(int(line.split()[1]) for line in lines if line.startswith(_OWN))
    return kilobytes / 1024


def browsers() -> list[int]:
    """Return the processes of Chromium that descend from this one."""
    parents = {}
    names = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        name, _, rest = stat.partition("(")[2].rpartition(")")
        parents[int(folder.name)], names[int(folder.name)] = int(rest.split()[1]), name

    def ours(pid: int) -> bool:
        return pid == os.getpid() or (pid in parents and ours(parents[pid]))

    return [pid for pid, name in names.items() if "chrom" in name and ours(pid)]


def kept(path: str) -> list[Part]:
    """Return the parts of a run that was interrupted."""
    file = Path(path)
    parts: dict[int, Part] = {}
    for line in file.read_text(encoding="utf-8").splitlines() if path and file.exists() else ():
        sample = json.loads(line)
        parts.setdefault(sample["part"], Part()).add(sample)
    return list(parts.values())


@pytest.fixture
def whole(tmp_path: Path) -> Iterator[Box]:
    with Box(tmp_path, sources=[{"name": "us", "device": "pattern:ultrasound", "modality": "US"}]) as box:
        yield box


def use(page: Page, box: Box, minutes: float, keep: Callable[[dict[str, Any]], None]) -> int:
    """Take pictures as in a busy practice, and look at the memory meanwhile; return how many were taken."""
    began, exam, here, pictures = time.monotonic(), "", 0, 0
    every_s = 3600 / PICTURES_AN_HOUR
    sampled, pressed = -SAMPLE_S, -every_s
    while (now := time.monotonic() - began) < minutes * 60:
        if not exam or here == PICTURES_AN_EXAM:
            if exam:
                page.goto("about:blank")  # a page of an exam that ended goes elsewhere by itself, at its own time
                box.finish(exam)
            exam, here = box.open_typed(), 0
            page.goto(f"http://127.0.0.1:{box.port}/live/{exam}")
            ready(page)
            page.wait_for_selector("body[data-live=on]", timeout=60_000)
        if now - pressed >= every_s:
            pressed, here, pictures = now, here + 1, pictures + 1
            page.locator("#capture").tap()
            expect(page.locator("#said")).to_have_text(f"✓ Picture {here} stored", timeout=60_000)
        if now - sampled >= SAMPLE_S:
            sampled = now
            processes = {"panel": [box.pid("panel")], "capture": [box.pid("capture")], "browser": browsers()}
            memory = {name: memory_mb(pids) for name, pids in processes.items()}
            keep({"minutes": now / 60, "pictures": pictures, **memory})
        page.wait_for_timeout(200)
    return pictures


@pytest.mark.parametrize("size", [SIZES["front"]])
def test_a_screen_that_is_used_for_hours_needs_no_more_memory(
    request: pytest.FixtureRequest, page: Page, whole: Box
) -> None:
    wanted = request.config.getoption("--soak")
    path = request.config.getoption("--results") if wanted >= LONG_MIN else ""
    parts = kept(path)
    this = Part()

    def keep(sample: dict[str, Any]) -> None:
        this.add(sample)
        if path:
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(json.dumps({"part": len(parts), **sample}) + "\n")

    taken = use(page, whole, max(0.0, wanted - sum(part.length for part in parts)), keep)
    stored = [name for folder in whole.data.glob("exams/*") for name in folder.glob("2.25.*.json")]
    assert len(stored) == taken
    judge([*parts, this] if this.minutes else parts)


def judge(parts: list[Part]) -> None:
    """Print what memory did, and assert that it is flat when the run was long enough to say so."""
    minutes, pictures = sum(part.length for part in parts), sum(part.pictures for part in parts)
    print(f"soak: {minutes:.1f} min, {pictures} pictures, parts: {len(parts)}")
    for name, most in MOST_GROWTH_MB.items():
        growth = sum(part.growth(name) * part.length for part in parts) / max(minutes, 0.01)
        print(f"soak: {name} {parts[-1].memory[name][-1]:.0f} MiB at the end, {growth:+.1f} MiB an hour")
        if minutes >= LONG_MIN:
            assert growth <= most, name
    if minutes >= LONG_MIN:
        assert max(value for part in parts for value in part.memory["browser"]) <= MOST_BROWSER_MB


def test_memory_that_grows_is_found() -> None:
    part = Part()
    for minute in range(60):
        part.add(
            {"minutes": minute, "pictures": 0, "panel": 100 + minute % 3, "capture": 100 + minute, "browser": 9}
        )
    assert abs(part.growth("panel")) < 2
    assert part.growth("capture") == pytest.approx(60)
    with pytest.raises(AssertionError, match="capture"):
        judge([part])
