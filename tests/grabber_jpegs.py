"""JPEGs as grabbers send them: without Huffman tables, with an AVI header, with bytes after the end, cut off."""

import cv2
import numpy as np
import simplejpeg

SIZE = (104, 72)  # columns, lines: whole MCUs in none of the samplings
SAMPLINGS = ("444", "422", "420", "Gray")


def scene(size: tuple[int, int] = SIZE) -> np.ndarray:
    """Return a coloured picture with hard edges and soft slopes: uint8, (lines, columns, 3), RGB."""
    columns, lines = size
    y, x = np.mgrid[:lines, :columns]
    noise = np.random.default_rng(3).integers(0, 30, (lines, columns))
    return np.stack([x * 2 + noise, y * 3, (x // 8 + y // 8) % 2 * 200], axis=-1).astype(np.uint8)


def complete(sampling: str = "422", size: tuple[int, int] = SIZE) -> bytes:
    """Return what a well-behaved grabber sends."""
    pixels = scene(size)
    if sampling == "Gray":
        return simplejpeg.encode_jpeg(np.ascontiguousarray(pixels[..., :1]), 90, "Gray", "Gray")
    return simplejpeg.encode_jpeg(pixels, 90, "RGB", sampling)


def with_restarts(interval: int = 3) -> bytes:
    """Return a JPEG with a restart every so many MCUs."""
    words = [cv2.IMWRITE_JPEG_RST_INTERVAL, interval, cv2.IMWRITE_JPEG_QUALITY, 90]
    return cv2.imencode(".jpg", scene()[..., ::-1], words)[1].tobytes()


def segments(jpeg: bytes) -> list[tuple[int, bytes]]:
    """Return the segments before the scan, the last one with all that follows."""
    found, place = [], 2
    while True:
        marker, length = jpeg[place + 1], int.from_bytes(jpeg[place + 2 : place + 4], "big")
        if marker == 0xDA:
            return [*found, (marker, jpeg[place:])]
        found.append((marker, jpeg[place : place + 2 + length]))
        place += 2 + length


def without(jpeg: bytes, *markers: int) -> bytes:
    """Return the JPEG without these segments."""
    return jpeg[:2] + b"".join(each for marker, each in segments(jpeg) if marker not in markers)


def as_avi(jpeg: bytes) -> bytes:
    """Return it as AVI files have it: no JFIF, no Huffman tables, a header of its own."""
    header = b"\xff\xe0\x00\x10AVI1\0" + bytes(9)
    return jpeg[:2] + header + without(jpeg, 0xE0, 0xC4)[2:]
