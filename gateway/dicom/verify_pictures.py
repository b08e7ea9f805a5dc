"""Compares the pictures in a sealed file with the record of what was captured, each codestream's own words too."""

import hashlib
from collections.abc import Iterator

from gateway.dicom import avc, codestream
from gateway.dicom.sealed import SealedFile
from gateway.dicom.window import Window
from gateway.errors import CodestreamBroken, ObjectError
from gateway.model import Capture

_ITEM_HEAD = 8


def same_pictures(file: SealedFile, capture: Capture) -> None:
    """Read an open file to its end; afterwards its `sha256` is valid. Raises ObjectError or CodestreamBroken."""
    (_film if capture.codec == "h264" else _pixels)(file, capture)


def _pixels(file: SealedFile, capture: Capture) -> None:
    digest, total, starts = hashlib.sha256(), 0, [0]
    for stream in _checked(file, capture):
        digest.update(stream)
        total += len(stream)
        starts.append(starts[-1] + _ITEM_HEAD + len(stream) + len(stream) % 2)
    if len(starts) - 1 != capture.frames:
        raise CodestreamBroken("The sealed object has another number of frames than its record.")
    if (total, digest.hexdigest()) != (capture.bytes, capture.sha256):
        raise CodestreamBroken("The sealed pictures are not the captured ones.")
    tabled = capture.frames > 1 and capture.codec != codestream.UNCOMPRESSED
    if file.offsets != tuple(starts[:-1]) and (tabled or file.offsets):
        raise ObjectError("The sealed object's offset table does not point to its frames.")


def _film(file: SealedFile, capture: Capture) -> None:
    """Check a clip's one stream: that it is the one that was made, and what its own header says of it."""
    digest = hashlib.sha256()
    for piece in file.film_pieces():
        digest.update(piece)
    start, length = file.film
    if (length, digest.hexdigest()) != (capture.bytes, capture.sha256):
        raise CodestreamBroken("The sealed pictures are not the captured ones.")
    with Window(file.path, start=start, length=length) as stream:
        avc.check(stream, rows=capture.rows, columns=capture.columns, frames=capture.frames)


def _checked(file: SealedFile, capture: Capture) -> Iterator[bytes]:
    """Yield the codestreams, or the pixels, without padding, after comparing each with the record."""
    for fragment in file.fragments():
        yield codestream.own(
            fragment,
            rows=capture.rows,
            columns=capture.columns,
            samples=capture.samples,
            codec=capture.codec,
        )
