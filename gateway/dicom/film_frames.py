"""Pictures out of an H.264 clip, by their number, and how many there really are."""

from collections.abc import Iterator, Sequence

import av
import av.error
import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from gateway.dicom import film, video_colours
from gateway.dicom.window import Seekable
from gateway.errors import CodestreamBroken

Pixels = NDArray[np.uint8]
_QUALITY = 90  # of a JPEG, as of those that are recorded
_LIKE = 12.0  # mean difference of brightness; noise that was smoothed has 5, another picture 30 and more


def frame_of(file: Seekable, number: int, times: Sequence[int]) -> Pixels:
    """Return frame `number`, counted from 1, of a stream that `film` made: uint8, (rows, columns, 3), RGB.

    `times`: ns, of all frames. Decodes from the key frame before it on. Raises CodestreamBroken.
    """
    shown = film.timing(times)
    wanted = shown.ticks[number - 1] * shown.base
    file.seek(0)
    try:
        with av.open(file, "r") as container:
            stream = container.streams.video[0]
            assert stream.time_base
            ticks = round(wanted / stream.time_base)
            container.seek(ticks, stream=stream, backward=True)
            for frame in container.decode(stream):
                if frame.pts is not None and frame.pts >= ticks:
                    return pixels_of(frame)
    except (av.error.FFmpegError, IndexError) as error:
        raise CodestreamBroken("A clip's H.264 cannot be decoded.") from error
    raise CodestreamBroken("A clip's H.264 has no such frame.")


def decoded(file: Seekable, *, threads: int = 1) -> Iterator[av.VideoFrame]:
    """Yield every frame that a decoder makes of a stream, in order. Raises CodestreamBroken."""
    file.seek(0)
    try:
        with av.open(file, "r") as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = threads
            yield from container.decode(stream)
    except (av.error.FFmpegError, IndexError) as error:
        raise CodestreamBroken("A clip's H.264 cannot be decoded.") from error


def jpegs(file: Seekable, *, rows: int, columns: int, threads: int = 1) -> Iterator[bytes]:
    """Yield every frame of a stream as a baseline JPEG of 4:2:2, without what H.264 had to repeat for even sizes.

    Raises CodestreamBroken.
    """
    for frame in decoded(file, threads=threads):
        pixels = np.ascontiguousarray(pixels_of(frame)[:rows, :columns])
        if pixels.shape[:2] != (rows, columns):
            raise CodestreamBroken("A clip's H.264 has frames of another size.")
        yield simplejpeg.encode_jpeg(pixels, quality=_QUALITY, colorspace="RGB", colorsubsampling="422")


def resembles(frame: av.VideoFrame, jpeg: bytes) -> bool:
    """Say whether a decoded frame shows what this JPEG shows: the same brightness nearly everywhere."""
    try:
        wanted = simplejpeg.decode_jpeg(jpeg, "GRAY")[..., 0]
    except (ValueError, RuntimeError) as error:
        raise CodestreamBroken("A frame of a clip cannot be decoded.") from error
    found = cv2.cvtColor(pixels_of(frame), cv2.COLOR_RGB2GRAY)[: wanted.shape[0], : wanted.shape[1]]
    return found.shape == wanted.shape and float(cv2.absdiff(found, wanted).mean()) <= _LIKE


def pixels_of(frame: av.VideoFrame) -> Pixels:
    """Return a decoded frame as RGB, by the numbers that `film` made it with."""
    planes = np.asarray(frame.to_ndarray(format="yuv420p"), np.uint8)
    rows, columns = frame.height, frame.width
    full = np.empty((rows, columns, 3), np.uint8)
    full[..., 0] = planes[:rows]
    chroma: Pixels = planes[rows:].reshape(2, rows // 2, columns // 2)
    for number in (1, 2):
        full[..., number] = cv2.resize(np.ascontiguousarray(chroma[number - 1]), (columns, rows))
    return cv2.transform(full, video_colours.rgb(video_colours.matrix_of(rows))).astype(np.uint8)
