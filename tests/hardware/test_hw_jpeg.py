"""A grabber's JPEG: made complete with its scan untouched, or no picture."""

import numpy as np
import pytest
import simplejpeg
from libjpeg import decode

from hardware.errors import PictureDamaged
from hardware.jpeg import whole
from tests.grabber_jpegs import SAMPLINGS, SIZE, as_avi, complete, segments, with_restarts, without

COLUMNS, LINES = SIZE


def normal(jpeg: bytes) -> bytes:
    return whole(jpeg, width=COLUMNS, height=LINES)


def pixels(jpeg: bytes) -> np.ndarray:
    return simplejpeg.decode_jpeg(jpeg, "RGB", fastdct=False, fastupsample=False)


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_a_complete_jpeg_stays_byte_by_byte_and_is_padded_to_an_even_length(sampling):
    jpeg = complete(sampling)
    found = normal(jpeg)
    assert found in {jpeg, jpeg + b"\0"}
    assert len(found) % 2 == 0


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("send", [lambda jpeg: without(jpeg, 0xC4), as_avi], ids=["bare", "AVI1"])
def test_missing_huffman_tables_are_the_standard_ones_and_the_picture_is_the_same(sampling, send):
    jpeg = complete(sampling)
    bare = send(jpeg)
    with pytest.raises(Exception, match=r".+"):
        decode(bare)  # the decoder of archives and viewers does not guess
    found = normal(bare)
    assert segments(found)[-1][1].rstrip(b"\0") == segments(jpeg)[-1][1].rstrip(b"\0")
    assert (decode(found) == decode(jpeg)).all()
    assert (pixels(found) == pixels(jpeg)).all()
    assert b"AVI1" not in found


def test_tables_that_are_there_are_kept_and_only_the_others_added():
    jpeg = complete()
    tables = [each for marker, each in segments(jpeg) if marker == 0xC4]
    bare = without(jpeg, 0xC4)
    scan = bare.index(b"\xff\xda")
    half = bare[:scan] + tables[0] + bare[scan:]
    assert (decode(normal(half)) == decode(jpeg)).all()
    assert normal(half).count(tables[0]) == 1


@pytest.mark.parametrize("tail", [b"\0", bytes(1000), b"\xff\xd9", b"\xff\xff", b"garbage\xff\xda\xff\xd9"])
def test_what_follows_the_end_is_dropped(tail):
    assert normal(complete() + tail) == normal(complete())


def test_a_second_jpeg_behind_the_first_is_dropped():
    assert normal(complete() + complete("420")) == normal(complete())


def test_fill_bytes_and_restarts_are_allowed():
    jpeg = complete()
    filled = jpeg[:-2] + b"\xff\xff" + jpeg[-2:]
    assert (pixels(normal(filled)) == pixels(jpeg)).all()
    assert normal(with_restarts()).rstrip(b"\0") == with_restarts()


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 20, 160, 300, 600, 700, -100, -2, -1])
def test_a_jpeg_that_is_cut_off_anywhere_is_no_picture(cut):
    with pytest.raises(PictureDamaged):
        normal(complete()[:cut])


def test_every_cut_of_a_small_jpeg_is_no_picture():
    jpeg = complete("420", (16, 16))
    for length in range(len(jpeg)):
        with pytest.raises(PictureDamaged):
            whole(jpeg[:length], width=16, height=16)


def test_a_jpeg_with_a_part_missing_between_two_restarts_is_no_picture():
    jpeg = with_restarts()
    first, second = jpeg.index(b"\xff\xd1"), jpeg.index(b"\xff\xd3")
    with pytest.raises(PictureDamaged, match="part of a JPEG is missing"):
        normal(jpeg[:first] + jpeg[second:])


def test_a_jpeg_of_another_size_is_no_picture():
    with pytest.raises(PictureDamaged, match="A picture of 64 x 48 arrived where 104 x 72 was agreed"):
        normal(complete(size=(64, 48)))


def replaced(jpeg: bytes, old: bytes, new: bytes) -> bytes:
    assert jpeg.count(old) >= 1
    return jpeg.replace(old, new, 1)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda jpeg: b"\0" + jpeg, "does not begin"),
        (lambda jpeg: replaced(jpeg, b"\xff\xc0", b"\xff\xc2"), "baseline"),
        (lambda jpeg: replaced(jpeg, b"\xff\xc0", b"\xff\xc1"), "baseline"),
        (lambda jpeg: without(jpeg, 0xC0), "without its frame header"),
        (lambda jpeg: without(jpeg, 0xDB), "quantisation table that it does not have"),
        (lambda jpeg: jpeg[: jpeg.index(b"\xff\xda")] + b"\xff\xd9", "all of its components"),
        (lambda jpeg: replaced(jpeg, b"\xff\xdb", b"\xff\xd8"), "begins within"),
        (lambda jpeg: replaced(jpeg, b"\xff\xdb\x00\x43", b"\xff\xdb\x00\x42"), "not whole"),
        (lambda jpeg: replaced(jpeg, b"\x00\x11\x08", b"\x00\x11\x0c"), "frame header of a JPEG cannot"),
        (lambda jpeg: replaced(jpeg, b"\xff\xda\x00\x0c\x03", b"\xff\xda\x00\x0c\x04"), "scan header"),
        (
            lambda jpeg: replaced(without(jpeg, 0xC4), b"\x03\x01\x00\x02", b"\x03\x01\x22\x02"),
            "Huffman table that",
        ),
    ],
)
def test_a_jpeg_that_no_viewer_would_show_right_is_no_picture(make, reason):
    with pytest.raises(PictureDamaged, match=reason):
        normal(make(complete()))


def test_noise_never_gets_through_and_never_fails_otherwise():
    chance = np.random.default_rng(7)
    jpeg = complete()
    for _ in range(300):
        data = bytearray(jpeg)
        for place in chance.integers(0, 400, 4):
            data[place] = chance.integers(0, 256)
        try:
            found = normal(bytes(data))
        except PictureDamaged:
            continue
        assert found[:2] == b"\xff\xd8"
        assert found.rstrip(b"\0")[-2:] == b"\xff\xd9"
