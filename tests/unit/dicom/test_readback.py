import hashlib
import random
import struct
from dataclasses import replace

import pytest

from gateway.dicom.transcode import uncompressed
from gateway.dicom.verify import verify_sealed
from gateway.errors import CodestreamBroken, NeverAccepted, ObjectError
from tests.dicom_samples import (
    CODECS,
    EXPLICIT,
    SCRIPTS,
    SERIES,
    capture,
    clip,
    element,
    exam,
    exam_of,
    lossless,
    order_file,
    picture,
    seal,
    still,
    temporary,
)


def verify(path, exam, record, order=None):
    return verify_sealed(path, exam=exam, capture=record, series=SERIES, order=order)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_good_object_of_an_order_is_found_good(tmp_path, script):
    order = order_file(script)
    opened = exam_of(order)
    record, streams = still()
    path = seal(tmp_path / "o.dcm", opened, record, streams, order)
    sealed = verify(path, opened, record, order)

    assert (sealed.bytes, sealed.frames, sealed.lossy) == (path.stat().st_size, 1, False)
    assert sealed.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert sealed.sop_class_uid == "1.2.840.10008.5.1.4.1.1.7"


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("columns", [51, 52])
@pytest.mark.parametrize("codec", CODECS)
def test_a_good_still_of_every_codec_is_found_good(tmp_path, codec, columns, samples):
    record, streams = still(codec=codec, rows=49, columns=columns, samples=samples)
    path = seal(tmp_path / "o.dcm", exam(), record, streams)

    sealed = verify(path, exam(), record)
    assert (sealed.lossy, sealed.bytes) == (codec == "jpeg", path.stat().st_size)


def test_the_readback_catches_pixels_that_are_not_the_captured_ones(tmp_path):
    record, streams = still(codec="uncompressed", rows=5, columns=7)
    path = seal(tmp_path / "o.dcm", exam(), record, streams)
    whole = path.read_bytes()
    assert len(streams[0]) % 2, "there is a padding byte"
    for changed in (
        whole[:-1] + b"\1",
        whole[:-2] + bytes([whole[-2] ^ 1]) + b"\0",
        whole[:-1],
        whole + b"\0\0",
        whole.replace(b"\xe0\x7f\x10\0OB\0\0j", b"\xe0\x7f\x10\0OB\0\0h"),
        whole.replace(element(0x00280010, "US", b"\5\0"), element(0x00280010, "US", b"\0\0")),
    ):
        assert changed != whole
        path.write_bytes(changed)
        with pytest.raises(ObjectError):
            verify(path, exam(), record)


@pytest.mark.parametrize("made", [clip(), clip(frames=1), clip(codec="jpeg-lossless")])
@pytest.mark.parametrize("who", [exam(), temporary()])
def test_a_good_clip_is_found_good(tmp_path, who, made):
    record, streams = made
    assert verify(seal(tmp_path / "o.dcm", who, record, streams), who, record).frames == record.frames


ORDER = order_file()
BREAKAGES = {
    "another patient": (element(0x00100020, "LO", b"PAT-0815"), element(0x00100020, "LO", b"PAT-0816")),
    "another birth date": (b"19580317", b"19580318"),
    "a changed name": ("Müller^Änne".encode("latin-1"), b"Muller^Anne"),
    "a name of another character set": (b"M\xfcller^\xc4nne", b"M\xfcller^\x81nne"),
    "another accession": (b"ACC 4711", b"ACC 4712"),
    "another procedure in the request": (b"RP-100", b"RP-101"),
    "another step": (b"SPS-1", b"SPS-2"),
    "another study": (b".3.2.101", b".3.2.102"),
    "no request": (b"\x40\x00\x75\x02SQ", b"\x40\x00\x76\x02SQ"),
    "lossy but not said": (element(0x00282110, "CS", b"00"), element(0x00282110, "CS", b"01")),
    "wrong rows": (element(0x00280010, "US", b"\x30\0"), element(0x00280010, "US", b"\x31\0")),
    "wrong colours": (element(0x00280004, "CS", b"RGB"), element(0x00280004, "CS", b"YBR ")),
    "annotation denied": (element(0x00280301, "CS", b"YES"), element(0x00280301, "CS", b"NO  ")),
    "no laterality": (element(0x00200060, "CS", b""), b""),
    "a side made up": (element(0x00200060, "CS", b""), element(0x00200060, "CS", b"R")),
    "another instance": (b"2.25.6001\0", b"2.25.6002\0"),
    "a bit of the picture": (b"\xff\xc4", b"\xff\xc5"),
    "a date that is none": (b"20261121", b"20261199"),
}


@pytest.mark.parametrize("what", BREAKAGES)
def test_the_readback_catches(tmp_path, what):
    opened = exam_of(ORDER)
    record, streams = still()
    path = seal(tmp_path / "o.dcm", opened, record, streams, ORDER)
    old, new = BREAKAGES[what]
    whole = path.read_bytes()
    assert old in whole
    path.write_bytes(whole.replace(old, new))

    with pytest.raises(ObjectError) as caught:
        verify(path, opened, record, ORDER)
    assert "Müller" not in str(caught.value)


def test_the_readback_catches_every_missing_tail(tmp_path):
    record, streams = clip(frames=2)
    path = seal(tmp_path / "o.dcm", exam(), record, streams)
    whole = path.read_bytes()
    for end in [*range(0, len(whole), 61), len(whole) - 1]:
        path.write_bytes(whole[:end])
        with pytest.raises(ObjectError):
            verify(path, exam(), record)
    path.write_bytes(whole + b"\0")
    with pytest.raises(ObjectError):
        verify(path, exam(), record)


def test_the_readback_catches_a_flipped_bit_anywhere_in_the_pictures(tmp_path):
    record, streams = still(samples=1)
    path = seal(tmp_path / "o.dcm", exam(), record, streams)
    whole = path.read_bytes()
    start = whole.index(streams[0])
    for position in range(start, start + len(streams[0]), 37):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 16]) + whole[position + 1 :])
        with pytest.raises(CodestreamBroken):
            verify(path, exam(), record)


def test_a_damaged_file_never_raises_anything_but_an_objects_error(tmp_path):
    dice = random.Random(4)
    order = order_file()
    opened = exam_of(order)
    record, streams = clip(frames=2, codec="jpeg-lossless", rows=8, columns=8)
    path = seal(tmp_path / "o.dcm", opened, record, streams, order)
    whole = path.read_bytes()
    caught = 0
    for _ in range(80):
        damaged = bytearray(whole)
        for _ in range(dice.randint(1, 3)):
            damaged[dice.randrange(128, len(damaged))] ^= 1 << dice.randrange(8)
        path.write_bytes(damaged)
        for read in (lambda: verify(path, opened, record, order), lambda: list(uncompressed(path, EXPLICIT))):
            try:
                read()
            except (ObjectError, NeverAccepted):
                caught += 1
    assert caught > 80


def test_the_readback_catches_pictures_of_another_capture(tmp_path):
    record, streams = clip()
    path = seal(tmp_path / "o.dcm", exam(), record, streams)

    with pytest.raises(CodestreamBroken, match="not the captured ones"):
        verify(path, exam(), replace(record, sha256="0" * 64))


def test_the_readback_catches_a_wrong_offset_table_and_swapped_frames(tmp_path):
    record, streams = clip(frames=3)
    path = seal(tmp_path / "o.dcm", exam(), record, streams)
    whole = path.read_bytes()
    offset = struct.pack("<L", len(streams[0]) + len(streams[0]) % 2 + 8)
    path.write_bytes(whole.replace(offset, struct.pack("<L", 4), 1))
    with pytest.raises(ObjectError, match="offset table"):
        verify(path, exam(), record)
    seal(path, exam(), record, [streams[1], streams[0], streams[2]])
    with pytest.raises(CodestreamBroken):
        verify(path, exam(), record)


def test_the_readback_catches_an_order_that_an_unscheduled_exam_must_not_have(tmp_path):
    opened = exam_of(ORDER)
    record, streams = still()
    path = seal(tmp_path / "o.dcm", opened, record, streams, ORDER)
    typed = replace(opened, identity=exam().identity)

    with pytest.raises(ObjectError, match="without order"):
        verify(path, typed, record, ORDER)


def test_a_picture_of_other_size_than_its_record_is_caught(tmp_path):
    stream = lossless(picture(20, 20))
    record = capture([stream], rows=20, columns=21, samples=3, codec="jpeg-lossless")
    path = seal(tmp_path / "o.dcm", exam(), record, [stream])

    with pytest.raises(CodestreamBroken, match="size"):
        verify(path, exam(), record)
