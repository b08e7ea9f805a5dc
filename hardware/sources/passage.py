"""One passage through a video file: its frames with the time between them. Knows no clock and never waits.

What is damaged is left out and counted; a file that gives nothing at all is refused, with what to check.
"""

import errno
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
import av.container
import av.error
import av.video.stream

from hardware.errors import DeviceError, DeviceMissing, DeviceRefused
from hardware.sources.decode import shape_of

SECOND = 1_000_000_000
_USUAL_STEP = SECOND // 25  # of a file that does not say
_STEPS = (SECOND // 1000, 10 * SECOND)  # from one frame to the next; anything else is a mistake in the file
_THREADS = 2  # real time for 1080p, and few frames in flight
_PATIENCE = 1000  # packets in a row that give no picture; then the rest is taken as damaged
_GONE = {errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.EIO, errno.ESTALE, errno.ENOTDIR}


@dataclass(frozen=True, kw_only=True, slots=True)
class Timed:
    """A frame, the ns from the picture before it to it, and how many damaged ones were left out between."""

    frame: av.VideoFrame = field(repr=False)
    step_ns: int
    lost: int


class Passage:
    """Opens the file and reads it once. Raises DeviceMissing or DeviceRefused."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._container = _opened(path)
        self._any = False
        self._last_ns: int | None = None
        stream = next(iter(self._container.streams.video), None)
        if stream is None:
            self.close()
            raise DeviceRefused(f"The file {path} has no video in it: choose a video file.")
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = _THREADS
        rate = stream.average_rate or stream.guessed_rate or 0
        step = round(SECOND / rate) if rate > 0 else _USUAL_STEP
        self.usual_step_ns = step if _STEPS[0] <= step <= _STEPS[1] else _USUAL_STEP
        self.shape = shape_of(stream)
        self._frames = self._decoded(stream)

    def next(self) -> Timed | None:
        """Return the next sound frame, None at the end. Raises DeviceRefused when there was none at all."""
        step_ns = 0
        for lost, frame in enumerate(self._frames):
            step_ns += self._step(frame)
            if not frame.is_corrupt:
                self._any = True
                return Timed(frame=frame, step_ns=step_ns, lost=lost)
        if not self._any:
            raise DeviceRefused(
                f"No picture of the video file {self._path} can be decoded: "
                "check that it plays on a PC, and copy it again."
            )
        return None

    def close(self) -> None:
        self._container.close()

    def _decoded(self, stream: av.video.stream.VideoStream) -> Iterator[av.VideoFrame]:
        barren = 0
        try:
            for packet in self._container.demux(stream):
                frames = _sound(packet)
                barren = 0 if frames else barren + 1
                if barren > _PATIENCE:
                    return
                yield from frames
        except (av.error.InvalidDataError, av.error.EOFError):
            return  # the file is torn here: what came before was shown
        except (av.error.FFmpegError, OSError) as error:
            raise _refusal(self._path, error) from error

    def _step(self, frame: av.VideoFrame) -> int:
        last, base = self._last_ns, frame.time_base
        self._last_ns = None if frame.pts is None or base is None else round(frame.pts * base * SECOND)
        if last is None or self._last_ns is None:
            return self.usual_step_ns
        step = self._last_ns - last
        return step if _STEPS[0] <= step <= _STEPS[1] else self.usual_step_ns


def _opened(path: Path) -> av.container.InputContainer:
    try:
        if not path.exists():
            raise _missing(path)
        if not path.is_file():
            raise DeviceRefused(f"{path} is not a file: name a video file.")
        # Files that name other files or addresses (playlists) reach the disk at most, never the network.
        return av.open(f"file:{path}", options={"protocol_whitelist": "file"})
    except (av.error.FFmpegError, OSError) as error:
        raise _refusal(path, error) from error


def _sound(packet: "av.Packet[av.video.stream.VideoStream]") -> list[av.VideoFrame]:
    """Return the frames that this packet completes; none when it is damaged."""
    try:
        return [frame for frame in packet.decode() if isinstance(frame, av.VideoFrame)]
    except (av.error.InvalidDataError, av.error.EOFError):
        return []


def _refusal(path: Path, error: Exception) -> DeviceError:
    number = getattr(error, "errno", None)
    if number in _GONE:
        return _missing(path)
    if number in (errno.EACCES, errno.EPERM):
        return DeviceRefused(f"The video file {path} may not be read: check its owner and its permissions.")
    return DeviceRefused(
        f"The file {path} is not a video that can be played: check that it plays on a PC, and copy it again."
    )


def _missing(path: Path) -> DeviceMissing:
    return DeviceMissing(
        f"The video file {path} is not there: check its name, and that the disk or stick is plugged in."
    )
