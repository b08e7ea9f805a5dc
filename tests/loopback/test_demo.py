"""The whole demo, as somebody starts it."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from datetime import date, time
from pathlib import Path

import pytest

from gateway.demo import patients
from gateway.demo.archive import read
from tests.box import until
from tests.loopback.peers import items

PATIENTS = [each.patient for each in patients.orders(day=date(2026, 11, 21), around=time(10, 17), seed="")]
DEADLINE_S = 90


class Demo:
    """`python -m gateway demo` with its output, and every process that came of it."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._output = folder / f"output-{len(list(folder.glob('output-*')))}.txt"
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gateway", "demo", "--port", "18080", *options],
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "TMPDIR": str(folder)},
            )

    @property
    def output(self) -> str:
        return self._output.read_text("utf-8")

    def family(self) -> set[int]:
        """Return the processes that run on this demo's configuration now."""
        (config,) = re.findall(r"^  data +(\S+?)(?:;|$)", self.output, re.MULTILINE)
        words = f"{config}/demo.toml".encode()
        return {int(path.name) for path in Path("/proc").glob("[0-9]*") if words in _command(path)}


def _command(process: Path) -> list[bytes]:
    try:
        return (process / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


@pytest.fixture
def tmp_path():
    """A folder with a short name: a UNIX socket's path has 107 bytes at most (unix(7))."""
    with tempfile.TemporaryDirectory(prefix="sg-") as folder:
        yield Path(folder)


@pytest.fixture
def start(tmp_path):
    started = []

    def start(*options: str) -> Demo:
        started.append(Demo(tmp_path, *options))
        return started[-1]

    yield start
    for demo in started:
        if demo.process.poll() is None:
            demo.process.kill()
            demo.process.wait()


def test_one_exam_without_a_browser_arrives_whole_and_again_in_a_kept_folder_and_names_nobody(start, tmp_path):
    for run in (1, 2):
        demo = start("--headless-exam", "--data-dir", str(tmp_path / "kept"))
        assert demo.process.wait(DEADLINE_S) == 0, demo.output
        rows = [line for line in demo.output.splitlines() if re.match(r"\d  ", line)]
        assert [row.split()[0] for row in rows] == ["1", "2", "3", "4"], demo.output
        assert [("JPEG Lossless SV1" in row, "Multi-frame" in row) for row in rows] == [(True, False)] * 3 + [
            (False, True)
        ]
        assert "All 4 acknowledged objects are in the archive" in demo.output
        assert "Safe in PACS" in demo.output
        assert f"Archive received {4 * run} of {4 * run}" in demo.output
        assert demo.family() == set()
        files = [read(path) for path in (tmp_path / "kept" / "archive").glob("*/*.dcm")]
        assert len(files) == 4 * run
        clips = [each for each in files if each.sop_class_uid == items.MULTI_FRAME_TRUE_COLOUR]
        assert all(20 <= clip.frames <= 120 for clip in clips)
        assert len(clips) == run
    log = (tmp_path / "kept" / "demo.log").read_text("utf-8")
    assert "object_sent" in log
    assert not [word for each in PATIENTS for word in words_about(each) if word in demo.output + log]


def words_about(patient):
    return [*filter(None, re.split(r"[\^=]", patient.name)), patient.id]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_runs_until_it_is_told_to_stop_and_leaves_nothing_behind(start, tmp_path, how):
    demo = start()
    until("the demo to be ready", lambda: "Ready: open http://127.0.0.1:18080" in demo.output)
    assert len(demo.family()) == 3
    demo.process.send_signal(how)
    assert demo.process.wait(30) == 0, demo.output
    assert demo.family() == set()
    assert list(tmp_path.glob("scopegate-demo-*")) == []


def test_a_demo_that_is_killed_takes_its_processes_along(start):
    demo = start()
    until("the demo to be ready", lambda: "Ready: " in demo.output)
    demo.process.kill()
    demo.process.wait()
    until("its processes to end", lambda: not demo.family(), deadline_s=30)


def test_a_data_folder_that_cannot_be_used_is_said_and_nothing_starts(start, tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "archive").write_text("no folder")
    demo = start("--headless-exam", "--data-dir", str(kept))
    assert demo.process.wait(30) == 1
    assert "The data folder cannot be used: File exists." in demo.output
    assert "panel" not in demo.output


def test_an_exam_that_is_stopped_halfway_says_so(start):
    demo = start("--headless-exam")
    until("the exam to be under way", lambda: "Still 1 of 3 stored." in demo.output)
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(30) == 1, demo.output
    assert "stopped before its exam was complete" in demo.output
    assert demo.family() == set()


def test_the_next_free_port_is_taken_and_one_folder_has_one_demo(start, tmp_path):
    first = start("--data-dir", str(tmp_path / "kept"))
    until("the first to be ready", lambda: "Ready: open http://127.0.0.1:18080" in first.output)
    same_folder = start("--data-dir", str(tmp_path / "kept"))
    assert same_folder.process.wait(30) == 1
    assert f"process {first.process.pid}" in same_folder.output
    another = start()
    until("another to be ready", lambda: "Ready: open http://127.0.0.1:18081" in another.output)
    for demo in (first, another):
        demo.process.send_signal(signal.SIGINT)
        assert demo.process.wait(30) == 0
