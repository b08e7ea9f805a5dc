"""The whole product inside the virtual machine, whose emulated processor takes its time to start it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.box import Box, until

SLOW_S = 150.0  # an emulated processor starts three processes


@contextmanager
def running(
    folder: Path, *, sources: Sequence[dict[str, Any]], triggers: Sequence[dict[str, Any]] = ()
) -> Iterator[Box]:
    """Run a box on this folder; its log is printed when it has ended."""
    box = Box(folder, sources=sources, triggers=triggers)
    box.start(wait=False)
    try:
        until("the box to be ready", box.is_ready, SLOW_S)
        yield box
    finally:
        box.stop()
        (box.data / "reserve").unlink(missing_ok=True)  # the machine's disk is small
        print(box.log.read_text(encoding="utf-8")[-4000:])


def captures(box: Box, exam: str) -> list[dict[str, Any]]:
    return list(box.get(f"/exams/{exam}")["captures"])
