"""H.264 of a clip's frames: each once, at its time, in its colours, and nothing else than the level allows."""

import io
from dataclasses import replace

import av
import numpy as np
import pytest
import simplejpeg

from gateway.dicom import avc, film, film_frames
from gateway.dicom.verify import verify_sealed
from gateway.errors import CodestreamBroken, ObjectError
from tests.colour_bars import BARS, drawn, middles
from tests.dicom_samples import SERIES, clip, encoded, exam, seal

STEADY = tuple(number * 33_366_700 for number in range(9))
WOBBLING = tuple(number * 40_000_000 + (number % 3) * 9_000_000 for number in range(9))


def made(frames, times, rows, columns):
    file = io.BytesIO()
    film.make(file, frames, rows=rows, columns=columns, times=times)
    return file


@pytest.mark.parametrize(("rows", "matrix"), [(96, 6), (720, 1)])
def test_colour_bars_come_back_within_3_from_another_reader_of_the_stream(rows, matrix):
    bars = simplejpeg.encode_jpeg(drawn(rows, 256), quality=95, colorsubsampling="422")
    file = made([bars] * 2, (0, 40_000_000), rows, 256)
    facts = avc.read(file)
    assert (facts.matrix, facts.full_range, facts.square) == (matrix, False, True)
    file.seek(0)
    with av.open(file, "r") as container:
        frame = next(container.decode(video=0))
    shown = frame.to_ndarray(format="rgb24")  # by ffmpeg's own conversion, from what the stream says
    assert np.abs(shown[rows // 2, middles(256)].astype(int) - BARS).max() <= 3


@pytest.mark.parametrize("times", [STEADY, WOBBLING])
def test_every_frame_is_there_once_at_its_time(times):
    record, streams = clip(frames=9, times=times)
    file = made(streams, times, record.rows, record.columns)
    frames = list(film_frames.decoded(file))
    assert len(frames) == avc.read(file).frames == 9
    for frame, time, jpeg in zip(frames, times, streams, strict=True):
        assert abs(float(frame.pts * frame.time_base) - time / 1e9) < 0.001
        assert film_frames.resembles(frame, jpeg)


def test_any_frame_is_found_by_its_number():
    greys = [np.full((32, 32, 3), 20 + 20 * number, np.uint8) for number in range(9)]
    streams = [simplejpeg.encode_jpeg(each, quality=95) for each in greys]
    file = made(streams, WOBBLING, 32, 32)
    for number in (9, 1, 5):
        shown = film_frames.frame_of(file, number, WOBBLING)
        assert abs(int(shown[16, 16, 0]) - 20 * number) <= 3


def test_a_black_film_of_something_bright_is_not_taken_for_it():
    record, streams = clip(frames=2)
    black = simplejpeg.encode_jpeg(np.zeros((48, 64, 3), np.uint8))
    for frame in film_frames.decoded(made([black] * 2, record.frame_times, 48, 64)):
        assert not film_frames.resembles(frame, streams[0])


@pytest.mark.parametrize("count", [4, 6])
def test_another_number_of_frames_than_the_record_says_is_no_film(count):
    record, streams = clip(frames=count)
    with pytest.raises(CodestreamBroken):
        made(streams, record.frame_times[:1] * 5, record.rows, record.columns)


@pytest.mark.parametrize(
    ("rows", "columns", "rate", "why"),
    [
        (1080, 1920, 30, ""),
        (1920, 1080, 30, ""),
        (1080, 1920, 60, "rate"),
        (720, 1280, 60, ""),
        (2160, 3840, 30, "size"),
        (480, 8192, 10, "size"),
    ],
)
def test_only_what_the_level_holds_becomes_h264(rows, columns, rate, why):
    times = [round(number * 1e9 / rate) for number in range(5)]
    assert film.why_not(rows=rows, columns=columns, times=times) == why


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"avcC\x01\x64\x00\x29", b"avcC\x01\x64\x00\x2a"),
        (b"ISO_14496_10", b"ISO_14496_11"),
        (b"YBR_PARTIAL_420 ", b"YBR_FULL_422    "),
        (b"moov", b"moow"),
        (b"\x28\x00\x10\x00US\x02\x00\x30\x00", b"\x28\x00\x10\x00US\x02\x00\x32\x00"),
    ],
)
def test_the_readback_catches_a_film_that_is_not_what_it_should_be(tmp_path, old, new):
    record, streams = encoded()
    path = seal(tmp_path / "o.dcm", exam(), record, streams)
    whole = path.read_bytes()
    assert old in whole
    path.write_bytes(whole.replace(old, new))
    with pytest.raises(ObjectError):
        verify_sealed(path, exam=exam(), capture=record, series=SERIES, order=None)


def test_a_stream_of_another_size_or_length_than_its_record_is_refused():
    record, (stream,) = encoded()
    for other in (replace(record, rows=46), replace(record, columns=66), replace(record, frames=6)):
        with pytest.raises(CodestreamBroken):
            avc.check(io.BytesIO(stream), rows=other.rows, columns=other.columns, frames=other.frames)
    for cut in (0, 7, 40, len(stream) // 2, len(stream) - 1):
        with pytest.raises(CodestreamBroken):
            avc.read(io.BytesIO(stream[:cut]))
