"""A serial pedal on a real terminal line of the kernel: presses become pictures, with the panel dead as well."""

import os
import time
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.box import Box, until

BOUNCE_S = 0.1  # presses that follow sooner are one: contacts bounce


@pytest.fixture
def line() -> Iterator[tuple[int, str]]:
    """Return the pedal's end of a pseudo-terminal, and the name of the box's end."""
    pedal, box_end = os.openpty()
    tty.setraw(box_end)
    yield pedal, os.ttyname(box_end)
    os.close(pedal)
    os.close(box_end)


def with_pedal(folder: Path, device: str) -> Box:
    trigger = {"kind": "serial", "device": device, "source": "us", "still": "byte:0x53", "clip": "byte:0x43"}
    return Box(folder, triggers=[trigger])


def test_a_pedal_takes_stills_and_clips_of_the_open_exam_only(tmp_path: Path, line: tuple[int, str]) -> None:
    pedal, device = line
    with with_pedal(tmp_path, device) as box:
        os.write(pedal, b"S")
        until(
            "the press without exam to be refused", lambda: "press_refused" in box.log.read_text(encoding="utf-8")
        )
        exam = box.open_typed()
        time.sleep(BOUNCE_S)
        os.write(pedal, b"S")
        until("the still", lambda: len(box.get(f"/exams/{exam}")["captures"]) == 1)
        os.write(pedal, b"C")
        until("the clip to run", lambda: recording(box))
        time.sleep(BOUNCE_S)
        os.write(pedal, b"S")
        until("the still while recording", lambda: len(box.get(f"/exams/{exam}")["captures"]) == 2)
        time.sleep(BOUNCE_S)
        os.write(pedal, b"C")
        until("the clip", lambda: len(box.get(f"/exams/{exam}")["captures"]) == 3)
        kinds = [(c["instance_number"], c["kind"]) for c in box.get(f"/exams/{exam}")["captures"]]
        assert kinds == [(1, "still"), (2, "clip"), (3, "still")]


def test_a_pedal_works_with_the_panel_dead(tmp_path: Path, line: tuple[int, str]) -> None:
    pedal, device = line
    with with_pedal(tmp_path, device) as box:
        exam = box.open_typed()
        box.kill("panel")
        os.write(pedal, b"S")
        until("the still on the disk", lambda: list(box.data.glob(f"exams/{exam}/2.25.*.json")))
        until("the panel to be back", box.is_ready)
        (capture,) = box.get(f"/exams/{exam}")["captures"]
        assert capture["kind"] == "still"


def recording(box: Box) -> bool:
    files = list(box.data.glob("exams/*/*.frames.part"))
    return bool(files) and files[0].stat().st_size > 0
