"""A picture as RGB, as grey, as a JPEG for looking and as a JPEG for a clip. The only module that knows how.

A picture that is a JPEG already stays one where nothing has to be changed.

Everything here releases the interpreter while it works on pixels.
"""

from dataclasses import replace

import cv2
import imagecodecs
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from hardware import colour
from hardware.errors import EncodingFailed
from hardware.sources import Picture, PixelFormat

Pixels = NDArray[np.uint8]


def to_rgb(picture: Picture) -> Pixels:
    """Return uint8, shape (rows, columns, 3), RGB, full range; `colour` states the formula.

    RGB24 is returned as it is, not copied; grey is repeated in all three. Raises EncodingFailed for a JPEG that
    cannot be decoded.
    """
    picture = decoded(picture)
    if picture.format is PixelFormat.RGB24:
        return picture.planes[0]
    if picture.format is PixelFormat.GRAY8:
        return np.asarray(cv2.merge([picture.planes[0]] * 3), np.uint8)
    return colour.to_rgb(picture.planes, matrix=picture.matrix, full_range=picture.full_range)


def to_gray_or_rgb(picture: Picture) -> Pixels:
    """Return grey as it is, shape (rows, columns); everything else as `to_rgb` does."""
    picture = decoded(picture)
    return picture.planes[0] if picture.format is PixelFormat.GRAY8 else to_rgb(picture)


def is_jfif(picture: Picture) -> bool:
    """Say whether its colours are those that every reader of a JPEG takes it to have (ISO/IEC 10918-5)."""
    return picture.matrix == "bt601" and picture.full_range


def is_storable(picture: Picture) -> bool:
    """Say whether it is a JPEG that an object can hold as it is: Y'CbCr with the colours of JFIF.

    Raises EncodingFailed for one that cannot be read.
    """
    if picture.format is not PixelFormat.JPEG or not is_jfif(picture):
        return False
    try:
        return bool(simplejpeg.decode_jpeg_header(picture.planes[0].tobytes())[2] == "YCbCr")
    except (RuntimeError, ValueError) as error:
        raise _undecoded(picture, error) from error


def decoded(picture: Picture) -> Picture:
    """Return a JPEG as GRAY8, RGB24 or, with colours of another kind, PLANAR_YUV; every other picture as it is.

    Raises EncodingFailed for a JPEG that cannot be decoded.
    """
    if picture.format is not PixelFormat.JPEG:
        return picture
    stream = picture.planes[0].tobytes()
    try:
        form, planes = _samples(stream, jfif=is_jfif(picture))
    except (RuntimeError, ValueError, TypeError, MemoryError) as error:
        raise _undecoded(picture, error) from error
    if planes[0].shape[:2] != (picture.height, picture.width):
        raise _undecoded(picture, None)
    return replace(picture, format=form, planes=planes)


def _samples(stream: bytes, *, jfif: bool) -> tuple[PixelFormat, tuple[Pixels, ...]]:
    """Decode a JPEG; colours that are not those of JFIF stay as they are."""
    if simplejpeg.decode_jpeg_header(stream)[2] == "Gray":
        return PixelFormat.GRAY8, (simplejpeg.decode_jpeg(stream, "GRAY")[..., 0],)
    pixels = simplejpeg.decode_jpeg(stream, "RGB")  # strict: the other decoder takes half a picture for a whole one
    if jfif or simplejpeg.decode_jpeg_header(stream)[2] == "RGB":
        return PixelFormat.RGB24, (pixels,)
    pixels = imagecodecs.jpeg8_decode(stream, colorspace="YCBCR", outcolorspace="YCBCR")
    return PixelFormat.PLANAR_YUV, (pixels[..., 0], pixels[..., 1], pixels[..., 2])


def preview_jpeg(picture: Picture, max_width: int, quality: int = 75) -> bytes:
    """Return a baseline JPEG for looking, at most `max_width` wide, never larger than the picture.

    Scales before it converts; grey stays grey, a JPEG that is small enough is not touched. Raises EncodingFailed.
    """
    if picture.format is PixelFormat.JPEG and is_jfif(picture):
        if picture.width <= max_width:
            return picture.planes[0].tobytes()
        picture = _decoded_small(picture, max_width)
    picture = decoded(picture)
    small = _scaled(picture, min(max_width, picture.width))
    if small.format is PixelFormat.GRAY8:
        return _encode(small.planes[0][..., np.newaxis], quality, "GRAY", "Gray")
    if small.format is PixelFormat.PLANAR_YUV and small.matrix == "bt601":
        return _encode_planes(_full(small), quality)
    return _encode(to_rgb(small), quality, "RGB", "420")


def small_rgb(picture: Picture, width: int) -> Pixels:
    """Return the picture averaged to at most `width`: uint8, (rows, columns, 3), RGB. Raises EncodingFailed."""
    if picture.format is PixelFormat.JPEG and is_jfif(picture):
        picture = _decoded_small(picture, width)
    picture = decoded(picture)
    return to_rgb(_scaled(picture, min(width, picture.width)))


def clip_jpeg(picture: Picture, quality: int = 90) -> bytes:
    """Return a baseline JPEG, full size, always Y'CbCr of three components (YBR_FULL_422, PS3.5 8.2.1).

    One that is a JPEG already is returned as it is, everything else is compressed with 4:2:2.

    JPEG means BT.601 at full range (ISO/IEC 10918-5). BT.601 planes of 4:2:0 and 4:2:2 go in without a detour
    through RGB; grey gets neutral chroma. Raises EncodingFailed.
    """
    if is_storable(picture):
        return picture.planes[0].tobytes()
    picture = decoded(picture)
    rows, columns = picture.height, picture.width
    half = (columns + 1) // 2
    if columns % 2:
        # simplejpeg reads a luma row of 4:2:2 to an even width: at an odd one a byte that is not the picture's.
        return _encode(to_rgb(picture), quality, "RGB", "422")
    if picture.format is PixelFormat.GRAY8:
        neutral = np.full((rows, half), 128, np.uint8)
        return _encode_planes((picture.planes[0], neutral, neutral), quality)
    if picture.format is PixelFormat.PLANAR_YUV and picture.matrix == "bt601":
        luma, *chroma = _full(picture)
        if all(plane.shape == (rows, half) for plane in chroma):
            return _encode_planes((luma, *chroma), quality)
        if all(plane.shape == ((rows + 1) // 2, half) for plane in chroma):
            return _encode_planes((luma, *(plane.repeat(2, axis=0)[:rows] for plane in chroma)), quality)
    return _encode(to_rgb(picture), quality, "RGB", "422")


def _decoded_small(picture: Picture, width: int) -> Picture:
    """Return a JPEG decoded at the least eighths of its size that are `width` wide: what is finer is skipped."""
    stream = picture.planes[0].tobytes()
    try:
        pixels = simplejpeg.decode_jpeg(
            stream, "RGB", fastdct=True, fastupsample=True, min_width=width, min_factor=1
        )
    except (RuntimeError, ValueError, TypeError, MemoryError) as error:
        raise _undecoded(picture, error) from error
    rows, columns = pixels.shape[:2]
    return replace(picture, format=PixelFormat.RGB24, planes=(pixels,), width=columns, height=rows)


def _undecoded(picture: Picture, error: Exception | None) -> EncodingFailed:
    why = type(error).__name__ if error else "another size"
    return EncodingFailed(
        f"A picture of {picture.width} x {picture.height} from the device cannot be decoded: {why}."
    )


def _full(picture: Picture) -> tuple[Pixels, ...]:
    """Return YUV planes at full range."""
    if picture.full_range:
        return picture.planes
    luma, *chroma = picture.planes
    return (colour.full_luma(luma), *(colour.full_chroma(plane) for plane in chroma))


def _scaled(picture: Picture, width: int) -> Picture:
    """Return the picture `width` wide; of YUV with 4:2:0 chroma."""
    if width == picture.width:
        return picture
    height = max(1, round(picture.height * width / picture.width))
    sizes = [(width, height)] + [((width + 1) // 2, (height + 1) // 2)] * (len(picture.planes) - 1)
    planes = tuple(_resized(plane, size) for plane, size in zip(picture.planes, sizes, strict=True))
    return replace(picture, width=width, height=height, planes=planes)


def _resized(plane: Pixels, size: tuple[int, int]) -> Pixels:
    # Averaging is quick at whole factors alone, and below a factor of 2 bilinear loses nothing: so the larger
    # part is averaged by a whole factor, less at most a few lines at the far edges, and the rest is bilinear.
    whole = min(plane.shape[1] // size[0], plane.shape[0] // size[1])
    if whole > 1:
        rows, columns = plane.shape[0] // whole, plane.shape[1] // whole
        part = plane[: rows * whole, : columns * whole]
        plane = np.asarray(cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)
    if plane.shape[1::-1] == size:
        return plane
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def _encode(pixels: Pixels, quality: int, space: str, sampling: str) -> bytes:
    try:
        return bytes(
            simplejpeg.encode_jpeg(
                np.ascontiguousarray(pixels), quality=quality, colorspace=space, colorsubsampling=sampling
            )
        )
    except (RuntimeError, ValueError, TypeError, MemoryError) as error:
        raise _failed(pixels, error) from error


def _encode_planes(planes: tuple[Pixels, ...], quality: int) -> bytes:
    try:
        return bytes(simplejpeg.encode_jpeg_yuv_planes(*(np.ascontiguousarray(p) for p in planes), quality=quality))
    except (RuntimeError, ValueError, TypeError, MemoryError) as error:
        raise _failed(planes[0], error) from error


def _failed(pixels: Pixels, error: Exception) -> EncodingFailed:
    rows, columns = pixels.shape[:2]
    return EncodingFailed(f"A picture of {columns} x {rows} could not be compressed: {type(error).__name__}.")
