"""Small video files whose samples are known, and sources that play without taking time."""

import shutil
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from gateway.clock import FakeClock
from hardware.sources import Picture
from hardware.sources.file import FileSource
from hardware.sources.v4l2.fake import FakeGrabber
from hardware.sources.v4l2.finding import Place
from hardware.sources.v4l2.source import V4l2Source
from hardware.sources.v4l2.wish import Wish


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def play(clock):
    """Open a file; what is returned reads it without taking time."""
    opened: list[FileSource] = []

    def start(path: Path) -> FileSource:
        source = FileSource(path=path, clock_ns=clock.boottime_ns, wait=clock.pause)
        opened.append(source)
        source.open()
        return source

    yield start
    for source in opened:
        source.close()


@pytest.fixture
def film(tmp_path) -> Callable[..., tuple[Path, list[bytes]]]:
    """Write a lossless file of random samples; return it with each frame's planes, one after the other."""

    def write(
        form: str,
        *,
        size: tuple[int, int] = (32, 24),
        codec: str = "ffv1",
        name: str = "film.mkv",
        times: tuple[int, ...] = (0, 40, 80),
        tags: tuple[int, int] = (2, 0),
        span: tuple[int, int] = (0, 256),
    ) -> tuple[Path, list[bytes]]:
        samples = np.random.default_rng(1)
        path, written = tmp_path / name, []
        with av.open(path, "w") as container:
            stream = container.add_stream(codec, rate=25)
            stream.width, stream.height = size
            stream.pix_fmt = form
            context = stream.codec_context
            context.time_base = Fraction(1, 1000)
            context.colorspace, context.color_range = tags
            for time in times:
                frame = _noise(form, size, samples, span)
                frame.pts, frame.time_base = time, Fraction(1, 1000)
                frame.colorspace, frame.color_range = tags
                written.append(_planes(frame))
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path, written

    return write


def _noise(form: str, size: tuple[int, int], samples: np.random.Generator, span: tuple[int, int]) -> av.VideoFrame:
    frame = av.VideoFrame(*size, form)
    bits = frame.format.components[0].bits
    for plane in frame.planes:
        if bits > 8:
            noise = samples.integers(0, 1 << bits, plane.buffer_size // 2, dtype=np.uint16).astype("<u2")
        else:
            noise = samples.integers(*span, plane.buffer_size, dtype=np.uint8)
        plane.update(noise.tobytes())
    return frame


def _planes(frame: av.VideoFrame) -> bytes:
    """Return the samples without padding."""
    whole = b""
    for plane in frame.planes:
        lines = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: plane.height]
        per_line = plane.width * (frame.format.padded_bits_per_pixel // 8 if len(frame.planes) == 1 else 1)
        if frame.format.components[0].bits > 8 and len(frame.planes) > 1:
            per_line = plane.width * 2
        whole += lines[:, :per_line].tobytes()
    return whole


@pytest.fixture
def ffmpeg():
    """Run the ffmpeg tool, an independent build of the decoder, and return its standard output."""
    tool = shutil.which("ffmpeg")
    if tool is None:
        pytest.skip("the ffmpeg tool is not installed")

    def run(*words: str) -> bytes:
        command = [tool, "-v", "error", "-nostdin", *words]
        return subprocess.run(command, capture_output=True, check=True).stdout

    return run


@pytest.fixture
def samples_of() -> Callable[[Picture], bytes]:
    return lambda picture: b"".join(plane.tobytes() for plane in picture.planes)


@pytest.fixture
def grabber(clock: FakeClock) -> Callable[..., FakeGrabber]:
    return lambda **faults: FakeGrabber(clock_ns=clock.monotonic_ns, wait=clock.pause, **faults)


@pytest.fixture
def eye(clock: FakeClock) -> Callable[..., V4l2Source]:
    """Return a source that looks at this grabber; the wish by keyword."""

    def of(device: FakeGrabber, **wish: object) -> V4l2Source:
        return V4l2Source(
            place=Place("/dev/null"),
            wish=Wish(**wish),
            clock_ns=clock.boottime_ns,
            monotonic_ns=clock.monotonic_ns,
            wait=clock.pause,
            node=device.open_node,
        )

    return of
