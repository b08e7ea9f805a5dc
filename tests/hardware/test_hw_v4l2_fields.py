"""What a grabber's fields, pixels and colours become: woven, in their shape, by the driver's word."""

from fractions import Fraction

import numpy as np
import pytest
from linuxpy.video import raw

from hardware.errors import DeviceRefused
from hardware.sources import PixelFormat, Scan
from hardware.sources.v4l2.fake import FakeGrabber, FakeInput
from tests.hardware.seeing import given, opened

PAL, NTSC = 0xFF, 0xB000


# --- fields ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "scan"),
    [(raw.Field.SEQ_TB, Scan.TOP_FIRST), (raw.Field.SEQ_BT, Scan.BOTTOM_FIRST)],
)
def test_fields_that_follow_each_other_are_woven(grabber, eye, field, scan):
    first, second = np.full((24, 64), 10, np.uint8), np.full((24, 64), 20, np.uint8)
    device = grabber(
        offers={"GREY": {(64, 48): (30,)}},
        field=int(field),
        content=lambda _: first.tobytes() + second.tobytes(),
    )
    (picture,) = given(opened(eye(device)), 1)
    top = 10 if field == raw.Field.SEQ_TB else 20
    assert picture.scan is scan
    assert (picture.planes[0][0::2] == top).all()
    assert (picture.planes[0][1::2] == 30 - top).all()


def alternating(grabber, **more: object) -> FakeGrabber:
    """Return a device that gives fields of one value each, counting up."""
    return grabber(
        offers={"GREY": {(64, 48): (30,)}},
        field=int(raw.Field.ALTERNATE),
        content=lambda number: bytes([number]) * (64 * 24),
        **more,
    )


@pytest.mark.parametrize("top_first", [True, False])
def test_fields_that_come_by_themselves_are_woven_two_by_two(grabber, eye, top_first):
    pictures = given(opened(eye(alternating(grabber, top_first=top_first))), 2)
    scan = Scan.TOP_FIRST if top_first else Scan.BOTTOM_FIRST
    assert [(each.height, each.scan, each.counter) for each in pictures] == [(48, scan, 0), (48, scan, 1)]
    assert pictures[1].planes[0][:, 0].tolist() == ([2, 3] if top_first else [3, 2]) * 24


@pytest.mark.parametrize("counts_fields", [True, False])
def test_a_lost_field_costs_its_picture_and_never_pairs_strangers(grabber, eye, counts_fields):
    device = alternating(grabber, counts_fields=counts_fields)
    source = opened(eye(device))
    given(source, 2)
    device.delivered += 1  # the top field of the third picture is lost
    device.sequence += 1 if counts_fields else 0
    after = given(source, 2)
    assert [each.planes[0][:2, 0].tolist() for each in after] == [[6, 7], [8, 9]]
    assert [each.counter for each in after] == [3, 4]


def test_digital_timings_say_the_shape_of_their_pixels(grabber, eye):
    wide = FakeInput(name="HDMI", timings=(720, 576, 50), picture_aspect=(16, 9))
    (picture,) = given(opened(eye(grabber(inputs=[wide]))), 1)
    assert picture.pixel_aspect == Fraction(64, 45)
    square = FakeInput(name="HDMI", timings=(1280, 720, 50), picture_aspect=(16, 9))
    (picture,) = given(opened(eye(grabber(inputs=[square]))), 1)
    assert picture.pixel_aspect == 1


@pytest.mark.parametrize(
    ("told", "asked", "aspect"),
    [
        ((54, 59), (None, raw.Field.INTERLACED), Fraction(59, 54)),
        ((54, 59), ((360, 576), raw.Field.INTERLACED), Fraction(59, 27)),
        ((54, 59), (None, raw.Field.ALTERNATE), Fraction(59, 54)),
        ((54, 59), ((720, 288), raw.Field.TOP), Fraction(59, 108)),
        ((1, 1), (None, raw.Field.INTERLACED), Fraction(59, 54)),  # said without thinking
        (None, ((768, 576), raw.Field.INTERLACED), Fraction(1)),
    ],
    ids=["whole", "narrow", "field by field", "one field", "square", "untold"],
)
def test_the_shape_of_an_analog_pixel_is_the_drivers_word_or_the_standards(grabber, eye, told, asked, aspect):
    size, field = asked
    device = grabber(
        inputs=[FakeInput(name="S-Video", standards=PAL)],
        offers={"GREY": {(720, 576): (25,)}},
        arriving=PAL,
        told_aspect=told,
        field=int(field),
        gives=size if field == raw.Field.TOP else None,
    )
    wish = {} if field == raw.Field.TOP else {"size": size}
    (picture,) = given(opened(eye(device, **wish)), 1)
    assert picture.pixel_aspect == aspect


def test_a_compressed_picture_of_one_field_is_refused(grabber, eye):
    device = grabber(offers={"MJPEG": {(64, 48): (30,)}}, field=int(raw.Field.ALTERNATE))
    with pytest.raises(DeviceRefused, match="fields of MJPG by themselves"):
        eye(device).open()


# --- colours ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "size", "colours"),
    [
        ((raw.Colorspace.SRGB, 0, 0), (64, 48), ("bt601", False)),
        ((raw.Colorspace.REC709, 0, 0), (64, 48), ("bt709", False)),
        ((raw.Colorspace.SMPTE170M, 2, 1), (64, 48), ("bt709", True)),
        ((raw.Colorspace.JPEG, 0, 0), (64, 48), ("bt601", True)),
        ((raw.Colorspace.BT2020, 0, 2), (64, 48), ("bt2020", False)),
        ((raw.Colorspace.DEFAULT, 0, 0), (64, 48), ("bt601", False)),
        ((raw.Colorspace.DEFAULT, 0, 0), (1280, 720), ("bt709", False)),
    ],
)
def test_matrix_and_range_are_what_the_driver_says(grabber, eye, said, size, colours):
    device = grabber(
        offers={"YUYV": {size: (30,)}},
        colorspace=int(said[0]),
        ycbcr_enc=said[1],
        quantization=said[2],
    )
    (picture,) = given(opened(eye(device)), 1)
    assert (picture.matrix, picture.full_range) == colours


@pytest.mark.parametrize(
    ("space", "quantization", "samples"),
    [
        (raw.Colorspace.SRGB, raw.Quantization.LIM_RANGE, {0, 255}),
        (raw.Colorspace.SMPTE170M, raw.Quantization.DEFAULT, {16, 235}),
        (raw.Colorspace.REC709, raw.Quantization.FULL_RANGE, {16, 235}),
        (raw.Colorspace.SRGB, raw.Quantization.DEFAULT, {16, 235}),
        (raw.Colorspace.DEFAULT, raw.Quantization.DEFAULT, {16, 235}),
    ],
)
def test_grey_is_stretched_only_when_the_driver_says_that_its_range_is_limited(
    grabber, eye, space, quantization, samples
):
    device = grabber(
        offers={"GREY": {(64, 48): (30,)}},
        colorspace=int(space),
        quantization=int(quantization),
        content=lambda _: bytes([16, 235] * (32 * 48)),
    )
    (picture,) = given(opened(eye(device)), 1)
    assert (picture.format, set(picture.planes[0].ravel().tolist())) == (PixelFormat.GRAY8, samples)
