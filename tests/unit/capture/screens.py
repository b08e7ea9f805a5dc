"""What is on a device's screen in a test: a scanner's numbered pictures, a card; and which of them a clip has."""

import imagecodecs
import numpy as np

from gateway.spool.clips import codestreams, read_index
from hardware.sources import Picture, PixelFormat, counter
from tests.unit.capture.conftest import SIZE

BLUE = np.full((SIZE[1], SIZE[0], 3), (0, 0, 191), np.uint8)


def show(box, pixels: np.ndarray, *, count: int = 1) -> None:
    """Let the source show this, 40 ms a frame."""
    for _ in range(count):
        box.clock.move(0.04)
        number = box._counters["us"] = box._counters["us"] + 1
        rows, columns = pixels.shape[:2]
        facts = {"counter": number, "format": PixelFormat.RGB24, "width": columns, "height": rows}
        box.give("us", Picture(**facts, time_ns=box.clock.boottime_ns(), planes=(pixels,)))


def scan(number: int) -> np.ndarray:
    """Return a picture of a scanner with its number painted in."""
    pixels = np.random.default_rng(number).integers(0, 90, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    counter.paint(pixels, number)
    return pixels


def scans(box, count: int) -> list[int]:
    """Let the source show a scanner; return the numbers of the pictures."""
    first = box._counters["us"] + 1
    for number in range(first, first + count):
        show(box, scan(number))
    return list(range(first, first + count))


def numbers(box, exam, uid: str) -> list[int]:
    """Return the numbers in the pictures that a clip has."""
    _, entries = read_index(box.spool.layout.index(exam.id, uid))
    path = box.spool.layout.frames(exam.id, uid)
    return [counter.read(imagecodecs.jpeg8_decode(stream)) for stream in codestreams(path, entries)]
