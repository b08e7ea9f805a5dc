"""P8: the processor time of a preview picture, against the usual way with OpenCV: decode, scale, compress.

P8 is a grabber that gives JPEG, of which only what the preview needs is decoded; P8b one that gives pixels.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from benchmarks import samples
from benchmarks.harness import Bar, Pair
from hardware.pixels import preview_jpeg

_WIDTH, _HEIGHT, _QUALITY = 960, 540, 75
_FRAMES = 20


@contextmanager
def _of_jpeg(folder: Path) -> Iterator[Pair]:
    del folder
    picture = samples.hd_jpeg(time.monotonic_ns())
    stream = picture.planes[0]

    def naive() -> object:
        colour = cv2.imdecode(stream, cv2.IMREAD_COLOR)
        assert colour is not None
        small = cv2.resize(colour, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA)
        return cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])

    yield Pair(
        ours=lambda: _cpu_ms(lambda: preview_jpeg(picture, _WIDTH, _QUALITY)),
        theirs=lambda: _cpu_ms(naive),
        facts={"picture": f"1080p JPEG of {picture.bytes / 1000:.0f} KB to 960 x 540"},
    )


@contextmanager
def _of_pixels(folder: Path) -> Iterator[Pair]:
    del folder
    picture = samples.hd_video(time.monotonic_ns)
    stacked = np.concatenate([plane.reshape(-1) for plane in picture.planes])
    stacked = stacked.reshape(picture.height * 3 // 2, picture.width)

    def naive() -> object:
        colour = cv2.cvtColor(stacked, cv2.COLOR_YUV2BGR_I420)
        small = cv2.resize(colour, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA)
        return cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])

    yield Pair(
        ours=lambda: _cpu_ms(lambda: preview_jpeg(picture, _WIDTH, _QUALITY)),
        theirs=lambda: _cpu_ms(naive),
        facts={"picture": "1080p Y'CbCr 4:2:0 BT.709 to 960 x 540"},
    )


def _cpu_ms(work: Callable[[], object]) -> float:
    """Return the processor time of one call in ms, all threads counted."""
    start = time.process_time()
    for _ in range(_FRAMES):
        work()
    return (time.process_time() - start) / _FRAMES * 1000


BARS = (
    Bar(
        name="P8",
        what="preview processor time a frame / naive OpenCV pipeline",
        ours="ms",
        theirs="OpenCV ms",
        pair=_of_jpeg,
        at_most=0.35,
        turns=3,
    ),
    Bar(
        name="P8b",
        what="the same of pixels, of which all are needed",
        ours="ms",
        theirs="OpenCV ms",
        pair=_of_pixels,
        turns=3,
    ),
)
