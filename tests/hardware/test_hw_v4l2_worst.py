"""The worst grabber: all of its faults at once, in any order. What comes through is whole."""

import errno
from collections.abc import Callable

import numpy as np
import pytest
from linuxpy.video import raw

from gateway.clock import FakeClock
from hardware.errors import DeviceError
from hardware.sources import Loss, Picture, PixelFormat
from hardware.sources.v4l2.fake import FakeGrabber, FakeInput
from hardware.sources.v4l2.finding import Place
from hardware.sources.v4l2.source import V4l2Source
from hardware.sources.v4l2.wish import Wish
from tests.grabber_jpegs import complete, without

JPEGS = [complete("422", (64, 48)), without(complete("420", (64, 48)), 0xC4), complete("422", (64, 48))[:500], b""]
GOOD = int(raw.BufferFlag.TIMESTAMP_MONOTONIC)
FAULTS: list[Callable[[FakeGrabber, int], None]] = [
    lambda it, n: setattr(it, "shortened", n % 3 * 50),
    lambda it, n: setattr(it, "flags", (GOOD, GOOD | int(raw.BufferFlag.ERROR), 0)[n % 3]),
    lambda it, n: setattr(it, "stalled", n % 4 == 0),
    lambda it, n: setattr(it, "period_ns", (33_333_333, 0, 5_000_000)[n % 3]),
    lambda it, n: setattr(it, "sequence", (0, it.sequence + n, (1 << 32) - 2)[n % 3]),
    lambda it, n: setattr(it, "promises", n % 7),
    lambda it, n: setattr(it, "no_room", n % 8 == 0),
    lambda it, n: setattr(it, "gives", (None, None, (32, 24), (0, 0))[n % 4]),
    lambda it, n: setattr(it, "is_set_to", (None, None, None, (32, 24))[n % 4]),
    lambda it, n: it.lose_signal((errno.ENOLINK, errno.ERANGE, errno.ENOLCK, 0)[n % 4]),
    lambda it, _: it.find_signal(),
    lambda it, _: it.find_signal(),
    lambda it, n: it.change_signal(*((64, 48), (96, 64), (4098, 64))[n % 3], tells=bool(n % 2)),
    lambda it, n: setattr(it, "streaming", it.streaming and n % 3 > 0),
    lambda it, _: it.unplug(),
    lambda it, _: it.replug(),
    lambda it, _: it.replug(),
]


def mended(it: FakeGrabber) -> None:
    """Let it be well for a while."""
    it.shortened, it.flags, it.stalled, it.promises, it.no_room = 0, GOOD, False, 0, False
    it.gives = it.is_set_to = None
    it.find_signal()
    if not it.plugged:
        it.replug()
    if it.inputs[0].timings:
        it.change_signal(64, 48)


def whole(picture: Picture) -> bool:
    if picture.format is PixelFormat.JPEG:
        return picture.planes[0][:2].tolist() == [0xFF, 0xD8] and len(picture.planes[0]) % 2 == 0
    chroma = (picture.height, -(-picture.width // 2))
    return [plane.shape for plane in picture.planes] == [(picture.height, picture.width), chroma, chroma]


@pytest.mark.parametrize("digital", [True, False], ids=["digital", "camera"])
@pytest.mark.parametrize("word", ["YUYV", "MJPEG"])
@pytest.mark.parametrize("seed", range(3))
def test_whatever_it_does_only_whole_pictures_come_through_and_time_passes(seed, word, digital):
    clock, chance = FakeClock(), np.random.default_rng(seed)
    device = FakeGrabber(
        clock_ns=clock.monotonic_ns,
        wait=clock.pause,
        offers={word: {(64, 48): (30,)}},
        inputs=[FakeInput(name="HDMI", timings=(64, 48, 60)) if digital else FakeInput()],
        content=(lambda number: JPEGS[number % len(JPEGS)]) if word == "MJPEG" else None,
    )
    source = V4l2Source(
        place=Place("/dev/null"),
        wish=Wish(),
        clock_ns=clock.boottime_ns,
        monotonic_ns=clock.monotonic_ns,
        wait=clock.pause,
        node=device.open_node,
    )
    is_open, last, told = False, (-1, 0), {Picture: 0, Loss: 0, type(None): 0}
    said: list[str] = []
    for _ in range(600):
        if chance.random() < 0.03:
            mended(device)
        elif chance.random() < 0.2:
            fault = FAULTS[chance.integers(len(FAULTS))]
            if digital or "signal" not in fault.__code__.co_names[0]:
                fault(device, int(chance.integers(100)))
        calls, began = device.calls, clock.boottime_ns()
        try:
            if not is_open:
                source.open()
                is_open, last = True, (-1, 0)
            found = source.read(0.5)
        except DeviceError as error:
            said.append(str(error))
            source.close()
            is_open = False
            clock.move(1)
            continue
        told[type(found)] += 1
        assert device.calls - calls < 2000 * (0.1 + (clock.boottime_ns() - began) / 1e9)
        if isinstance(found, Picture):
            assert whole(found)
            assert (found.counter, found.time_ns) > last
            assert last[1] <= found.time_ns <= clock.boottime_ns()
            last = (found.counter, found.time_ns)
    assert told[Picture] > 50
    assert said
    assert all(words.endswith(".") for words in said)
