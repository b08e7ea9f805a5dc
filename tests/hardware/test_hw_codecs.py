import threading

import numpy as np
import pytest
from libjpeg import decode

from hardware.codecs import lossless_jpeg
from hardware.errors import DeviceError, EncodingFailed
from hardware.sources.pattern import draw


def marker(stream: bytes, code: int) -> bytes:
    """The content of a marker segment."""
    place = 2
    while stream[place + 1] != code:
        place += 2 + int.from_bytes(stream[place + 2 : place + 4], "big")
    return stream[place + 4 : place + 2 + int.from_bytes(stream[place + 2 : place + 4], "big")]


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (9, 1), (31, 45), (120, 160)])
@pytest.mark.parametrize("samples", [(), (3,)])
def test_a_lossless_still_gives_every_sample_back_in_another_decoder(shape, samples):
    pixels = np.random.default_rng(1).integers(0, 256, shape + samples, dtype=np.uint8)
    stream = lossless_jpeg(pixels)
    assert np.array_equal(decode(stream).reshape(pixels.shape), pixels)


def test_a_test_picture_comes_back_as_it_was_drawn():
    pixels = draw("ultrasound", 77, (640, 360))
    assert np.array_equal(decode(lossless_jpeg(pixels)), pixels)


@pytest.mark.parametrize("samples", [1, 3])
def test_a_lossless_still_is_process_14_selection_value_1_in_one_scan(samples):
    pixels = np.zeros((10, 11, 3) if samples == 3 else (10, 11), np.uint8)
    stream = lossless_jpeg(pixels)
    assert marker(stream, 0xC3)[:6] == bytes([8, 0, 10, 0, 11, samples])
    scan = marker(stream, 0xDA)
    assert scan[0] == samples
    assert scan[-3] == 1
    assert stream.count(b"\xff\xda") == 1


def test_a_picture_cut_out_of_a_larger_one_is_encoded_as_it_looks():
    whole = np.random.default_rng(2).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    part = whole[3:33:2, 5:45]
    assert np.array_equal(decode(lossless_jpeg(part)), part)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4), np.uint16),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4,), np.uint8),
        np.zeros((0, 4), np.uint8),
        np.zeros((1, 65_536), np.uint8),
    ],
    ids=["16 bit", "four samples", "a line", "empty", "too wide"],
)
def test_what_cannot_be_stored_without_loss_is_said_so(pixels):
    with pytest.raises(EncodingFailed):
        lossless_jpeg(pixels)
    assert issubclass(EncodingFailed, DeviceError)


def test_two_stills_can_be_encoded_at_the_same_time():
    pixels = np.random.default_rng(1).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    streams: list[bytes] = []
    threads = [threading.Thread(target=lambda: streams.append(lossless_jpeg(pixels))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert streams == [lossless_jpeg(pixels)] * 4
