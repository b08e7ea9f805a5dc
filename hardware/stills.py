"""A picture as a still of a chosen kind. Says of each what it is, and what the device had done to it before."""

from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from hardware import codecs
from hardware.errors import EncodingFailed
from hardware.pixels import clip_jpeg, decoded, is_storable, to_gray_or_rgb
from hardware.sources import Picture, PixelFormat
from hardware.views import View, seen

_GRAY_AXES = 2


class StillKind(StrEnum):
    AUTO = "auto"  # a device's own JPEG as it is, everything else lossless
    JPEG_LOSSLESS = "jpeg-lossless"
    JPEG_LS = "jpeg-ls"
    JPEG = "jpeg"  # lossy
    UNCOMPRESSED = "uncompressed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Still:
    """A codestream, or for "uncompressed" the samples line by line, R G B R G B ...

    `lossy_ratio`: how much smaller than its samples the lossy form is that this is or was made of; 0 = none.
    `lossy_before`: the same of a device's JPEG that was changed and compressed anew; 0 = none.
    """

    codec: StillKind
    data: bytes = field(repr=False)
    rows: int
    columns: int
    samples: int
    lossy_ratio: float
    lossy_before: float = 0
    pixel_aspect: Fraction  # width of a pixel : its height


def still_of(picture: Picture, view: View, *, kind: StillKind, quality: int) -> Still:
    """Return what is seen of a picture as a still; `quality` is that of "jpeg", 1 to 100. Raises EncodingFailed."""
    made = seen(picture, view)
    if kind is StillKind.AUTO:
        kind = StillKind.JPEG if is_storable(made) else StillKind.JPEG_LOSSLESS
    if kind is StillKind.JPEG:
        decoded(made)  # half a picture is none, though its JPEG ends as it should
        data = clip_jpeg(made, quality)
        rows, columns = made.height, made.width
        ratio = rows * columns * 3 / len(data)
        return Still(
            codec=kind,
            data=data,
            rows=rows,
            columns=columns,
            samples=3,
            lossy_ratio=ratio,
            lossy_before=lossy_before(picture, view),
            pixel_aspect=made.pixel_aspect,
        )
    pixels = to_gray_or_rgb(made)
    samples = 1 if pixels.ndim == _GRAY_AXES else pixels.shape[2]
    ratio = _ratio(picture, samples) if picture.format is PixelFormat.JPEG else 0
    return Still(
        codec=kind,
        data=_ENCODERS[kind](pixels),
        rows=pixels.shape[0],
        columns=pixels.shape[1],
        samples=samples,
        lossy_ratio=ratio,
        pixel_aspect=made.pixel_aspect,
    )


def lossy_before(picture: Picture, view: View) -> float:
    """Return how much smaller than its samples a device's JPEG is that is compressed anew, as JPEG, to be seen so.

    0 = it is no JPEG, cannot be read, or stays the one that it is.
    """
    if picture.format is not PixelFormat.JPEG:
        return 0
    with suppress(EncodingFailed):
        kept = view.leaves_alone(picture) and is_storable(seen(picture, view))
        return 0 if kept else _ratio(picture, 3)
    return 0


def _ratio(picture: Picture, samples: int) -> float:
    return picture.width * picture.height * samples / picture.bytes


def _samples(pixels: NDArray[np.uint8]) -> bytes:
    return pixels.tobytes()


_ENCODERS = {
    StillKind.JPEG_LOSSLESS: codecs.lossless_jpeg,
    StillKind.JPEG_LS: codecs.jpeg_ls,
    StillKind.UNCOMPRESSED: _samples,
}
