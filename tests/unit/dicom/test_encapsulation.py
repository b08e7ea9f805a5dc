import io
import struct

import pydicom
import pytest
from pydicom.encaps import generate_frames, parse_basic_offsets

import gateway
from gateway.dicom.draft import Header
from gateway.dicom.encapsulate import file_chunks
from gateway.errors import CodestreamBroken
from tests.dicom_samples import build, clip, exam, still


def lengths(streams):
    return [len(stream) for stream in streams]


def test_every_frame_is_one_fragment_and_the_offset_table_finds_it():
    record, streams = clip(frames=7)
    assert {length % 2 for length in lengths(streams)} == {0, 1}, "odd lengths need padding"
    dataset = pydicom.dcmread(io.BytesIO(b"".join(file_chunks(build(exam(), record), lengths(streams), streams))))

    frames = list(generate_frames(dataset.PixelData, number_of_frames=7))
    assert [frame[: len(stream)] for frame, stream in zip(frames, streams, strict=True)] == streams
    assert len(parse_basic_offsets(dataset.PixelData)) == 7


def test_a_still_has_an_empty_offset_table():
    record, streams = still()
    dataset = pydicom.dcmread(io.BytesIO(b"".join(file_chunks(build(exam(), record), lengths(streams), streams))))

    assert parse_basic_offsets(dataset.PixelData) == []
    assert next(generate_frames(dataset.PixelData, number_of_frames=1)).startswith(streams[0])


def test_the_writer_asks_for_a_frame_only_when_the_one_before_is_gone():
    record, streams = clip(frames=5)
    asked = []

    def fragments():
        for number, stream in enumerate(streams):
            asked.append(number)
            yield stream

    seen = [
        len(asked)
        for chunk in file_chunks(build(exam(), record), lengths(streams), fragments())
        if chunk in streams
    ]
    assert seen == [1, 2, 3, 4, 5]


def test_a_clip_beyond_four_gigabytes_gets_the_extended_offset_table():
    header = Header(sop_class_uid="1", sop_instance_uid="1", transfer_syntax_uid="1", frames=3, data=b"")
    first = next(file_chunks(header, [2**31, 2**31, 9], []))

    tables = first[first.index(b"\xe0\x7f\x01\x00OV") :]
    assert struct.unpack_from("<L3Q", tables, 8) == (24, 0, 2**31 + 8, 2**32 + 16)
    assert tables[36:].startswith(b"\xe0\x7f\x02\x00OV\0\0" + struct.pack("<L3Q", 24, 2**31, 2**31, 10))
    assert tables.endswith(b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\0\0\0\0")


@pytest.mark.parametrize(
    "change",
    [
        lambda streams: streams[:-1],
        lambda streams: [*streams, streams[0]],
        lambda streams: [streams[0] + b"\0", *streams[1:]],
        lambda streams: streams[::-1],
    ],
)
def test_frames_that_are_not_the_recorded_ones_make_no_file(change):
    record, streams = clip(frames=5)
    assert len(set(lengths(streams))) > 1
    with pytest.raises(CodestreamBroken):
        list(file_chunks(build(exam(), record), lengths(streams), change(streams)))
    with pytest.raises(CodestreamBroken):
        list(file_chunks(build(exam(), record), lengths(streams)[:-1], streams))


def test_files_and_associations_name_the_same_implementation():
    record, streams = still()
    chunks = file_chunks(build(exam(), record), lengths(streams), streams)
    meta = pydicom.dcmread(io.BytesIO(b"".join(chunks))).file_meta

    assert meta.ImplementationClassUID == gateway.IMPLEMENTATION_CLASS_UID
    assert meta.ImplementationVersionName == gateway.IMPLEMENTATION_VERSION_NAME
    assert len(meta.ImplementationVersionName) <= 16
