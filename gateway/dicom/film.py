"""Makes one H.264 stream in an MP4 of a clip's JPEG frames: every frame once, none invented, none left out.

One frame is in memory at a time. What the stream must be stands in PS3.5 8.2.7: High Profile, at most level 4.1.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO

import av
import av.container
import av.error
import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from gateway.dicom import frame_times, video_colours
from gateway.errors import CodestreamBroken, ObjectError

Pixels = NDArray[np.uint8]

_MOST_BLOCKS, _MOST_BLOCKS_A_SECOND = 8192, 245_760  # macroblocks of level 4.1 (H.264 table A-1)
_BLOCK = 16
_WIDEST = 4096  # sqrt(8 x 8192) macroblocks (H.264 A.3.1)
_US = 1_000_000
_KEY_EVERY_S = 1.0  # so far a viewer reads on to show a frame
_LIMITED, _SRGB, _PRIMARIES = 1, 13, 1  # range; transfer of sRGB, whose primaries are those of BT.709 (H.273)
_OPTIONS = {
    "preset": "veryfast",
    "crf": "18",
    "profile": "high",
    "level": "4.1",
    "bf": "0",  # frames stand in the order in which they are shown: no edit list, nothing to sort
}
_BITS_A_SECOND = 50_000  # kbit; level 4.1 allows 62,500 (H.264 A.3.3)


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """When frames are shown: `ticks` of `base` seconds, one a frame; `even`: at a constant rate."""

    base: Fraction
    ticks: Sequence[int]
    even: bool


class Stopped(Exception):
    """The making was asked to end; what was written is worthless."""


def why_not(*, rows: int, columns: int, times: Sequence[int]) -> str:
    """Return why level 4.1 or the profile has no room for such a clip, "" when it has. `times`: ns."""
    rows, columns = even(rows), even(columns)
    blocks = -(-rows // _BLOCK) * -(-columns // _BLOCK)
    step = frame_times.frame_time(times)
    if blocks > _MOST_BLOCKS or max(rows, columns) > _WIDEST or not step:
        return "size" if step else "one-frame"
    return "rate" if blocks * 1000 / step > _MOST_BLOCKS_A_SECOND else ""


def even(size: int) -> int:
    """Return the number of rows or columns in H.264, which knows even ones only: the last may be there twice."""
    return size + size % 2


def timing(times: Sequence[int]) -> Timing:
    """Return when frames are shown, as FrameTime or FrameTimeVector of the object say it. `times`: ns."""
    if frame_times.has_vector(times):
        ticks = [round((time - times[0]) / 1000) for time in times]
        for number in range(1, len(ticks)):  # two frames of one moment: a stream cannot say so
            ticks[number] = max(ticks[number], ticks[number - 1] + 1)
        return Timing(base=Fraction(1, _US), ticks=ticks, even=False)
    step = max(1, round(frame_times.frame_time(times) * 1000))
    return Timing(base=Fraction(step, _US), ticks=range(len(times)), even=True)


def make(
    file: BinaryIO,
    frames: Iterable[bytes],
    *,
    rows: int,
    columns: int,
    times: Sequence[int],
    stopped: Callable[[], bool] = lambda: False,
    threads: int = 1,
    done: Callable[[int], None] = lambda _: None,
) -> None:
    """Write the MP4 of these JPEG frames to a file that can be sought.

    `rows`, `columns`: of the frames; `done` hears how many are in, and what it raises ends the making. Raises
    Stopped, CodestreamBroken for a frame that cannot be decoded, ObjectError when the encoder fails, OSError of the
    file as it is.
    """
    shown, output = timing(times), _Output(file)
    try:
        with av.open(output, "w", format="mp4") as container:
            stream = _stream(container, shown, rows=rows, columns=columns, times=times, threads=threads)
            count = 0
            for count, jpeg in enumerate(frames, 1):
                if stopped():
                    raise Stopped
                if count > len(times):
                    break
                picture = _picture(_pixels(jpeg, rows, columns))
                picture.pts, picture.time_base = shown.ticks[count - 1], shown.base
                container.mux(stream.encode(picture))
                done(count)
            if count != len(times):
                raise CodestreamBroken("A clip has another number of frames than its record says.")
            container.mux(stream.encode(None))
    except av.error.FFmpegError as error:
        if output.failure:
            raise output.failure from error
        raise ObjectError("A clip cannot be made H.264: its encoder failed.") from error
    _to_even(file)


def planes_of(pixels: Pixels) -> Pixels:
    """Return RGB pixels as planes Y, Cb, Cr of 4:2:0 in limited range: uint8, (rows * 3 / 2, columns).

    Chroma lies amid the pixels it is of, as in JPEG. An odd last row or column is there twice.
    """
    rows, columns = pixels.shape[:2]
    if rows % 2 or columns % 2:
        pixels = cv2.copyMakeBorder(pixels, 0, rows % 2, 0, columns % 2, cv2.BORDER_REPLICATE).astype(np.uint8)
        rows, columns = pixels.shape[:2]
    full = cv2.transform(pixels, video_colours.limited(video_colours.matrix_of(rows)))
    half = cv2.resize(full[..., 1:], (columns // 2, rows // 2), interpolation=cv2.INTER_AREA)
    planes = np.empty((rows * 3 // 2, columns), np.uint8)
    planes[:rows] = full[..., 0]
    chroma = planes[rows:].reshape(2, rows // 2, columns // 2)
    chroma[0], chroma[1] = half[..., 0], half[..., 1]
    return planes


class _Output:
    """A file whose first error is kept: the library makes one of its own of it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.failure: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            self.failure = self.failure or error
            raise

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def _stream(
    container: av.container.OutputContainer,
    shown: Timing,
    *,
    rows: int,
    columns: int,
    times: Sequence[int],
    threads: int,
) -> av.VideoStream:
    stream = container.add_stream("libx264", rate=_rate(times), options=_options(shown, times))
    assert isinstance(stream, av.VideoStream)
    context = stream.codec_context
    context.width, context.height, context.pix_fmt = even(columns), even(rows), "yuv420p"
    context.time_base = stream.time_base = shown.base
    context.thread_count = threads
    context.color_range, context.colorspace = _LIMITED, video_colours.matrix_of(even(rows))
    context.color_primaries, context.color_trc = _PRIMARIES, _SRGB
    return stream


def _picture(pixels: Pixels) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(planes_of(pixels), format="yuv420p")


def _to_even(file: BinaryIO) -> None:
    """Give the file an even length, which pixel data must have, by a box that players pass over."""
    if file.seek(0, 2) % 2:
        file.write(b"\0\0\0\x09free\0")
    file.flush()


def _pixels(jpeg: bytes, rows: int, columns: int) -> Pixels:
    try:
        pixels: Pixels = simplejpeg.decode_jpeg(jpeg, "RGB")
    except (ValueError, RuntimeError) as error:
        raise CodestreamBroken("A frame of a clip cannot be decoded.") from error
    if pixels.shape[:2] != (rows, columns):
        raise CodestreamBroken("A picture is not of the size that its record says.")
    return pixels


def _rate(times: Sequence[int]) -> Fraction:
    return Fraction(_US, max(1, round(frame_times.frame_time(times) * 1000)))


def _options(shown: Timing, times: Sequence[int]) -> dict[str, str]:
    params = [f"vbv-maxrate={_BITS_A_SECOND}", f"vbv-bufsize={_BITS_A_SECOND}", "sar=1/1", "chromaloc=1"]
    if shown.even:
        params.append("force-cfr=1")
    every = max(1, round(_rate(times) * Fraction(_KEY_EVERY_S)))
    return {**_OPTIONS, "g": str(every), "x264-params": ":".join(params)}
