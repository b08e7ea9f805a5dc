"""Both fields of a moving picture: where nothing moves all lines stay, where something does there is no comb.

FFmpeg's bwdif, one picture out for each one in. It looks at the pictures before and after, so it is for clips; a
still is of one moment, and one field is (`fields`).
"""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hardware import colour
from hardware.sources import Picture, PixelFormat, Scan
from hardware.views.fields import one_field

if TYPE_CHECKING:
    import av

_LEAST = 4  # lines and columns: the filter looks so far
_PARITY = {Scan.TOP_FIRST: "tff", Scan.BOTTOM_FIRST: "bff"}
_SAMPLINGS = {(1, 1): "yuv444p", (1, 2): "yuv422p", (2, 2): "yuv420p"}  # lines, columns of a chroma sample
_Shape = tuple[Scan, PixelFormat, tuple[tuple[int, ...], ...]]
_Key = tuple[int, int]


class Motion:
    """Makes whole pictures of those of one source. It is quick when each follows the one that was made before."""

    def __init__(self) -> None:
        self._filter: Any = None  # av.filter.Graph, once it is needed
        self._shape: _Shape | None = None
        self._fed: tuple[_Key | None, _Key | None] = (None, None)  # the last two pictures that the filter has

    def made(
        self,
        picture: Picture,
        *,
        before: Picture | None,
        after: Picture | None,
        ready: Callable[[Picture], Picture | None],
    ) -> Picture:
        """Return a picture of two fields as one of whole lines; those of its older field stay as they are.

        picture: decoded; before, after: its neighbours, which `ready` decodes when they are needed, or says that
        they do not belong to it. Without neighbours, and where the filter cannot be used, it is one field.
        """
        if picture.scan is Scan.PROGRESSIVE:
            return picture
        form = _form(picture)
        if not form or (before is None and after is None):
            return one_field(picture)
        import av.error  # FFmpeg's libraries are for those who have two fields

        try:
            made = self._filtered(picture, before, after, ready, form)
        except (av.error.FFmpegError, MemoryError):
            made = None
        if made is None:
            self._filter = None
        return made or one_field(picture)

    def _filtered(
        self,
        picture: Picture,
        before: Picture | None,
        after: Picture | None,
        ready: Callable[[Picture], Picture | None],
        form: str,
    ) -> Picture | None:
        shape = _shape(picture)
        later = _alike(after and ready(after), shape)
        follows = self._fed == (before and _key(before), _key(picture)) and shape == self._shape
        if not (self._filter and follows):
            earlier = _alike(before and ready(before), shape)
            if earlier is None and later is None:
                return None  # compared with itself it would seem to stand still
            self._filter, self._shape, self._fed = _built(picture, form), shape, (None, None)
            for each in (earlier, picture):
                if each:
                    self._feed(each, form)
        self._feed(later or picture, form)
        frame = self._newest()
        if later is None:
            self._filter = None  # it has this picture twice
        return _taken(frame, picture) if frame else None

    def _feed(self, picture: Picture, form: str) -> None:
        self._filter.push(_frame(picture, form))
        self._fed = (self._fed[1], _key(picture))

    def _newest(self) -> "av.VideoFrame | None":
        """Return the last one that the filter has ready: of the others nobody asked for a picture."""
        import av
        import av.error

        found = None
        try:
            while True:
                frame = self._filter.pull()
                found = frame if isinstance(frame, av.VideoFrame) else None
        except (av.error.BlockingIOError, av.error.EOFError):
            return found


def _key(picture: Picture) -> _Key:
    return picture.counter, picture.time_ns


def _shape(picture: Picture) -> _Shape:
    return picture.scan, picture.format, tuple(plane.shape for plane in picture.planes)


def _alike(neighbour: Picture | None, shape: _Shape) -> Picture | None:
    return neighbour if neighbour and _shape(neighbour) == shape else None


def _form(picture: Picture) -> str:
    """Return FFmpeg's name of a picture's samples; "" for those that the filter does not take."""
    if min(picture.width, picture.height) < _LEAST:
        return ""
    if picture.format is PixelFormat.GRAY8:
        return "gray"
    if picture.format is PixelFormat.RGB24:
        return "gbrp"
    luma, *chroma = (plane.shape for plane in picture.planes)
    steps = {colour.sampling(luma, plane) for plane in chroma}
    return _SAMPLINGS.get(steps.pop(), "") if len(steps) == 1 else ""


def _built(picture: Picture, form: str) -> Any:  # noqa: ANN401 - av is not loaded before this
    import av
    from av.filter import Graph

    graph = Graph()
    graph.threads = 1  # as quick as several, and the others are for presses
    video = av.VideoFormat(form, picture.width, picture.height)
    source = graph.add_buffer(
        width=picture.width, height=picture.height, format=video, time_base=Fraction(1, 1_000_000_000)
    )
    filters = graph.add("bwdif", f"mode=send_frame:parity={_PARITY[picture.scan]}:deint=all")
    sink = graph.add("buffersink")
    source.link_to(filters)
    filters.link_to(sink)
    graph.configure()
    return graph


def _frame(picture: Picture, form: str) -> "av.VideoFrame":
    import av

    frame = av.VideoFrame(picture.width, picture.height, form)
    planes: tuple[NDArray[np.uint8], ...] = picture.planes
    if picture.format is PixelFormat.RGB24:
        red, green, blue = (np.asarray(plane, np.uint8) for plane in cv2.split(picture.planes[0]))
        planes = (green, blue, red)
    for target, plane in zip(frame.planes, planes, strict=True):
        lines = np.frombuffer(memoryview(target), np.uint8).reshape(-1, target.line_size)
        lines[: plane.shape[0], : plane.shape[1]] = plane
    frame.time_base = Fraction(1, 1_000_000_000)
    frame.pts = picture.time_ns
    return frame


def _taken(frame: "av.VideoFrame", picture: Picture) -> Picture:
    """Return a frame's samples as what this picture has become."""
    planes = tuple(
        np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]
        for plane in frame.planes
    )
    if picture.format is PixelFormat.RGB24:
        green, blue, red = planes
        planes = (np.asarray(cv2.merge([red, green, blue]), np.uint8),)
    return replace(picture, planes=planes, scan=Scan.PROGRESSIVE)
