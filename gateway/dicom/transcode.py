"""The lossless ladder: a sealed lossless JPEG or JPEG-LS as plain pixels for archives that take nothing else.

Same object, same attributes, same pixels: two independent decoders must agree. Refuses what is sealed with loss.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import imagecodecs
import numpy as np
from libjpeg.utils import decode

from gateway.dicom import codestream, elements, part10
from gateway.dicom.elements import Element, Elements
from gateway.dicom.part10 import EXPLICIT_LE, IMPLICIT_LE, JPEG_LOSSLESS_SV1, JPEG_LS
from gateway.dicom.sealed import SealedFile
from gateway.errors import CodestreamBroken, NeverAccepted, ObjectError

_PIXEL_DATA = Element(tag=0x7FE00010, vr="OB")
_LARGEST = 0xFFFFFFFE
# Transfer syntax to the word for its codestreams, and the second decoder beside pylibjpeg-libjpeg.
_DECODERS: dict[str, tuple[str, Callable[[bytes], object]]] = {
    JPEG_LOSSLESS_SV1: ("jpeg-lossless", imagecodecs.jpeg8_decode),
    JPEG_LS: ("jpeg-ls", imagecodecs.jpegls_decode),
}


def uncompressed(path: Path, transfer_syntax_uid: str) -> Iterator[bytes]:
    """Yield a whole PS3.10 file in Explicit or Implicit VR Little Endian, the same bytes each time.

    One frame is in memory at a time. Raises NeverAccepted for an object whose pixels cannot be sent uncompressed,
    ObjectError when the file cannot be read, CodestreamBroken when the decoders do not agree.
    """
    if transfer_syntax_uid not in {EXPLICIT_LE, IMPLICIT_LE}:
        raise NeverAccepted("The archive asks for a form that this product does not write.")
    explicit = transfer_syntax_uid == EXPLICIT_LE
    with SealedFile(path) as file:
        if not file.header.number("Rows"):
            yield _without_pixels(file, transfer_syntax_uid)
            return
        length = _length(file)
        meta = part10.Meta(
            sop_class_uid=file.meta.sop_class_uid,
            sop_instance_uid=file.meta.sop_instance_uid,
            transfer_syntax_uid=transfer_syntax_uid,
        )
        yield part10.preface(meta) + _header(file.header, explicit=explicit)
        yield elements.head(_PIXEL_DATA, length + length % 2, explicit=explicit)
        written = 0
        for fragment in file.fragments():
            pixels = _decoded(fragment, file)
            written += len(pixels)
            yield pixels
        if written != length:
            raise ObjectError("The sealed object has another number of frames than it says.")
        if length % 2:
            yield b"\0"


def _without_pixels(file: SealedFile, transfer_syntax_uid: str) -> bytes:
    """Return a document, which has attributes alone."""
    meta = part10.Meta(
        sop_class_uid=file.meta.sop_class_uid,
        sop_instance_uid=file.meta.sop_instance_uid,
        transfer_syntax_uid=transfer_syntax_uid,
    )
    return part10.preface(meta) + _header(file.header, explicit=transfer_syntax_uid == EXPLICIT_LE)


def _length(file: SealedFile) -> int:
    """Return the bytes of the uncompressed pixel data, or refuse."""
    header = file.header
    if file.meta.transfer_syntax_uid not in {*_DECODERS, EXPLICIT_LE}:
        raise NeverAccepted(
            "This object is compressed with loss; the archive takes uncompressed pictures only.",
            action="Have the archive set up for JPEG Baseline and H.264, or send the clip to another archive.",
        )
    if header.text("PhotometricInterpretation") not in {"RGB", "MONOCHROME2"}:
        raise NeverAccepted("The colours of this object cannot be written uncompressed.")
    length = file.frame_bytes() * file.frames()
    if length > _LARGEST:
        raise NeverAccepted("This clip is too long to be sent uncompressed.")
    return length


def _header(header: Elements, *, explicit: bool) -> bytes:
    """Re-encode the attributes and read them back: not one may differ."""
    data = elements.encode(header, explicit=explicit)
    if elements.parse(data, explicit=explicit) != elements.parse(
        elements.encode(header, explicit=True), explicit=True
    ):
        raise ObjectError("The attributes would change with the transfer syntax.")
    return data


def _decoded(fragment: bytes, file: SealedFile) -> bytes:
    if file.meta.transfer_syntax_uid == EXPLICIT_LE:
        return fragment
    codec, second = _DECODERS[file.meta.transfer_syntax_uid]
    rows, columns, samples = (file.header.number(each) for each in ("Rows", "Columns", "SamplesPerPixel"))
    codestream.check(fragment, rows=rows, columns=columns, samples=samples, codec=codec)
    try:
        one = np.asarray(decode(fragment, colour_transform=0))
        other = np.asarray(second(fragment))
    except (RuntimeError, ValueError) as error:  # both libraries' own errors derive from these
        raise CodestreamBroken("A sealed picture cannot be decoded.") from error
    shape = (rows, columns) if samples == 1 else (rows, columns, samples)
    if one.shape != shape or one.dtype != np.uint8 or not np.array_equal(one, other):
        raise CodestreamBroken("Two decoders read a sealed picture differently.")
    return one.tobytes()
