import io

import numpy as np
import pydicom
import pytest

from gateway.dicom.transcode import uncompressed
from gateway.errors import CodestreamBroken, NeverAccepted, ObjectError
from tests.dicom_samples import (
    EXPLICIT,
    IMPLICIT,
    SCRIPTS,
    clip,
    exam,
    exam_of,
    order_file,
    picture,
    seal,
    still,
)


def attributes(dataset):
    return {element.tag: (element.VR, str(element.value)) for element in dataset if element.keyword != "PixelData"}


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("codec", ["jpeg-lossless", "jpeg-ls", "uncompressed"])
def test_the_uncompressed_form_is_the_same_object_with_the_same_pixels(tmp_path, syntax, script, samples, codec):
    order = order_file(script)
    record, streams = still(samples=samples, rows=49, columns=51, codec=codec)
    path = seal(tmp_path / "o.dcm", exam_of(order), record, streams, order)
    written = b"".join(uncompressed(path, syntax))
    sealed, plain = pydicom.dcmread(path), pydicom.dcmread(io.BytesIO(written))

    assert plain.file_meta.TransferSyntaxUID == syntax
    assert plain.file_meta.MediaStorageSOPInstanceUID == sealed.SOPInstanceUID == plain.SOPInstanceUID
    assert attributes(plain) == attributes(sealed)
    pixels = picture(49, 51, samples)
    assert plain.PixelData[: pixels.nbytes] == pixels.tobytes()
    assert len(plain.PixelData) % 2 == 0
    assert b"".join(uncompressed(path, syntax)) == written


def test_a_lossless_clip_goes_too_frame_by_frame(tmp_path):
    record, streams = clip(codec="jpeg-lossless", frames=4)
    path = seal(tmp_path / "o.dcm", exam(), record, streams)
    chunks = list(uncompressed(path, EXPLICIT))

    plain = pydicom.dcmread(io.BytesIO(b"".join(chunks)))
    expected = np.stack([picture(48, 64, 3, seed) for seed in range(4)])
    assert np.array_equal(plain.pixel_array, expected)
    assert [len(chunk) for chunk in chunks[2:]] == [48 * 64 * 3] * 4


@pytest.mark.parametrize("made", [clip(), still(codec="jpeg", columns=52)])
def test_what_is_lossy_is_refused_with_a_plain_reason(tmp_path, made):
    record, streams = made
    path = seal(tmp_path / "o.dcm", exam(), record, streams)

    with pytest.raises(NeverAccepted, match="with loss"):
        list(uncompressed(path, EXPLICIT))


def test_other_forms_are_refused(tmp_path):
    record, streams = still()
    with pytest.raises(NeverAccepted):
        list(uncompressed(seal(tmp_path / "o.dcm", exam(), record, streams), "1.2.840.10008.1.2.4.90"))


def test_a_damaged_file_gives_no_pixels(tmp_path):
    record, streams = still()
    path = seal(tmp_path / "o.dcm", exam(), record, streams)
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    with pytest.raises(ObjectError):
        list(uncompressed(path, EXPLICIT))
    path.write_bytes(whole.replace(b"\xff\xc3", b"\xff\xc1"))
    with pytest.raises(CodestreamBroken):
        list(uncompressed(path, EXPLICIT))
