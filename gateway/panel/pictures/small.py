"""Pictures for looking at: decoded codestreams as small JPEGs. Never what is stored or delivered."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

import cv2
import imagecodecs
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from gateway.dicom import film_frames
from gateway.dicom.window import Window
from gateway.errors import CodestreamBroken, NotFound
from gateway.model import Capture
from gateway.panel.pictures import media
from gateway.panel.pictures.media import Frames
from gateway.spool.spool import Spool

THUMBNAIL_WIDTH = 240
_LARGEST_WIDTH = 3840
_QUALITY = 85
_THUMBNAILS = 400  # about 4 MB
_INDEXES = 32
K = TypeVar("K")
V = TypeVar("V")


class Lru(Generic[K, V]):
    """The values that were asked for last."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: K, make: Callable[[], V]) -> V:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()
        with self._lock:
            self._values[key] = value
            while len(self._values) > self._size:
                self._values.popitem(last=False)
        return value

    def drop(self, key: K) -> None:
        with self._lock:
            self._values.pop(key, None)

    def clear(self) -> None:
        with self._lock:
            self._values.clear()


class Pictures:
    """Thumbnails and views of captures. Used from several threads."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._thumbnails: Lru[str, bytes] = Lru(_THUMBNAILS)
        self._indexes: Lru[str, Frames] = Lru(_INDEXES)

    def thumbnail(self, capture: Capture) -> bytes:
        """Return a JPEG of the first frame. Raises SpoolDamaged, CodestreamBroken."""
        uid = capture.sop_instance_uid
        return self._thumbnails.get(uid, lambda: self.view(capture, number=1, width=THUMBNAIL_WIDTH))

    def view(self, capture: Capture, *, number: int = 1, width: int = 0) -> bytes:
        """Return a JPEG of frame `number`, counted from 1, at most `width` pixels wide (0 = as it is).

        Raises NotFound, SpoolDamaged, CodestreamBroken.
        """
        width = min(width or _LARGEST_WIDTH, _LARGEST_WIDTH)
        return self._of(capture, number, lambda frames: viewed(frames, capture, number, width))

    def forget(self) -> None:
        """Forget every thumbnail: an exam was erased, and they are made again quickly."""
        self._thumbnails.clear()
        self._indexes.clear()

    def _of(self, capture: Capture, number: int, show: Callable[[Frames], bytes]) -> bytes:
        uid = capture.sop_instance_uid
        for _ in range(2):
            frames = self._indexes.get(uid, lambda: media.frames_of(self._spool, capture))
            count = capture.frames if frames.film else len(frames.places)
            if not 1 <= number <= count:
                raise NotFound(f"This capture has {count} pictures.", action="Ask for one of its pictures.")
            try:
                return show(frames)
            except FileNotFoundError:
                self._indexes.drop(uid)  # sealed in the meantime: the media file is gone
        raise NotFound("The files of this picture are not on the disk any more.")


def viewable(codestream: bytes, capture: Capture, *, width: int) -> bytes:
    """Return a picture of this capture as baseline JPEG of at most that width. Raises CodestreamBroken."""
    try:
        pixels = _decoded(codestream, capture, width)
    except (ValueError, RuntimeError) as error:
        raise CodestreamBroken("A stored picture cannot be decoded.") from error
    return _shown(pixels, width)


def viewed(frames: Frames, capture: Capture, number: int, width: int) -> bytes:
    """Return frame `number`, counted from 1, as baseline JPEG of at most that width. Raises CodestreamBroken."""
    if not frames.film:
        return viewable(frames.read(number - 1), capture, width=width)
    ((start, length),) = frames.places
    with Window(frames.path, start=start, length=length) as stream:
        pixels = film_frames.frame_of(stream, number, capture.frame_times)
    return _shown(pixels[: capture.rows, : capture.columns], width)


def _shown(pixels: NDArray[np.uint8], width: int) -> bytes:
    if pixels.shape[1] > width:
        height = max(1, round(pixels.shape[0] * width / pixels.shape[1]))
        pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)
    return _encoded(pixels)


def _decoded(codestream: bytes, capture: Capture, width: int) -> NDArray[np.uint8]:
    """Return pixels of shape (rows, columns) or (rows, columns, 3) RGB, not necessarily all of them."""
    match capture.codec:
        case "jpeg-lossless":
            return np.asarray(imagecodecs.jpeg8_decode(codestream), np.uint8)
        case "jpeg-ls":
            return np.asarray(imagecodecs.jpegls_decode(codestream), np.uint8)
        case "uncompressed":
            colours = (capture.samples,) if capture.samples > 1 else ()
            count = capture.rows * capture.columns * capture.samples  # a byte may follow that makes them even
            return np.frombuffer(codestream, np.uint8, count).reshape(capture.rows, capture.columns, *colours)
    pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(
        codestream, "RGB", fastdct=True, min_width=width, min_factor=1
    )
    return pixels


def _encoded(pixels: NDArray[np.uint8]) -> bytes:
    grey = pixels.ndim == 2  # noqa: PLR2004 - (rows, columns)
    frame = np.ascontiguousarray(pixels[..., np.newaxis] if grey else pixels)
    if grey:
        return bytes(simplejpeg.encode_jpeg(frame, quality=_QUALITY, colorspace="GRAY", colorsubsampling="Gray"))
    return bytes(simplejpeg.encode_jpeg(frame, quality=_QUALITY, colorspace="RGB", colorsubsampling="422"))
