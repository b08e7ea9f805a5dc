"""Lossless codestreams for stills. Gives back every sample as it was, or raises; never something in between."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from hardware.errors import EncodingFailed

_LARGEST = 65_535  # lines and samples a line, ISO/IEC 10918-1 B.2.2
_SOF3 = b"\xff\xc3"  # lossless, sequential, Huffman
_SOF55 = b"\xff\xf7"  # JPEG-LS, ISO/IEC 14495-1


def lossless_jpeg(pixels: NDArray[np.uint8]) -> bytes:
    """Return `pixels` as JPEG Lossless, selection value 1 (ISO/IEC 10918-1 process 14, PS3.5 A.4.2).

    pixels: uint8, shape (rows, columns) grey or (rows, columns, 3) RGB; the components stay R, G, B. The length
    may be odd. Releases the interpreter while it works. Raises EncodingFailed.
    """
    rows, columns, samples = _shape(pixels)
    # Named as RGB on both sides the encoder transforms no colour and writes one interleaved scan.
    space = "RGB" if samples == 3 else None  # noqa: PLR2004 - R, G, B
    whole = np.ascontiguousarray(pixels)
    with _encoding(rows, columns):
        stream = bytes(
            imagecodecs.jpeg8_encode(whole, lossless=True, predictor=1, colorspace=space, outcolorspace=space)
        )
    return _checked(stream, _SOF3, rows, columns, samples)


def jpeg_ls(pixels: NDArray[np.uint8]) -> bytes:
    """Return `pixels` as lossless JPEG-LS (ISO/IEC 14495-1, NEAR = 0, PS3.5 A.4.3), colours interleaved by sample.

    pixels, length and errors as with `lossless_jpeg`. Releases the interpreter while it works.
    """
    rows, columns, samples = _shape(pixels)
    with _encoding(rows, columns):
        whole = np.ascontiguousarray(pixels)
        room = 2 * whole.nbytes + 1024  # noise grows: by itself the encoder takes too little
        stream = bytes(imagecodecs.jpegls_encode(whole, level=0, out=room))
    return _checked(stream, _SOF55, rows, columns, samples)


@contextmanager
def _encoding(rows: int, columns: int) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError, TypeError, MemoryError) as error:
        raise EncodingFailed(
            f"A picture of {columns} x {rows} could not be compressed: {type(error).__name__}."
        ) from error


def _checked(stream: bytes, marker: bytes, rows: int, columns: int, samples: int) -> bytes:
    if _frame_header(stream, marker) != (8, rows, columns, samples):
        raise EncodingFailed(f"A picture of {columns} x {rows} was compressed to something else.")
    return stream


def _shape(pixels: NDArray[np.uint8]) -> tuple[int, int, int]:
    """Return rows, columns and samples a pixel of an array that this codec takes."""
    colour = pixels.ndim == 3  # noqa: PLR2004 - (rows, columns, samples)
    if pixels.dtype != np.uint8 or not (pixels.ndim == 2 or (colour and pixels.shape[2] == 3)):  # noqa: PLR2004 - axes, R G B
        raise EncodingFailed(f"Not a grey or RGB picture of 8 bits: {pixels.dtype}, shape {pixels.shape}.")
    rows, columns = pixels.shape[:2]
    if not (1 <= rows <= _LARGEST and 1 <= columns <= _LARGEST):
        raise EncodingFailed(f"A picture of {columns} x {rows} does not fit a JPEG: 1 to {_LARGEST} each way.")
    return rows, columns, 3 if colour else 1


def _frame_header(stream: bytes, marker: bytes) -> tuple[int, ...]:
    """Return precision, rows, columns and components as the frame header of that kind says; () without one."""
    place = 2
    while stream[place : place + 1] == b"\xff" and place + 10 <= len(stream):
        if stream[place : place + 2] == marker:
            return struct.unpack(">BHHB", stream[place + 4 : place + 10])
        place += 2 + int.from_bytes(stream[place + 2 : place + 4], "big")
    return ()
