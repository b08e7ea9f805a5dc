"""A grabber at its ioctls: what the product agrees on with it, believes of it and refuses from it."""

import errno
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from libjpeg import decode
from linuxpy.video import raw

from gateway.clock import FakeClock
from hardware.errors import DeviceMissing, DeviceRefused
from hardware.sources import Loss, Picture, PixelFormat, Scan
from hardware.sources.v4l2.fake import FakeGrabber, FakeInput
from hardware.sources.v4l2.finding import Place
from hardware.sources.v4l2.probe import probe
from hardware.sources.v4l2.source import V4l2Source
from hardware.sources.v4l2.wish import Wish
from tests.grabber_jpegs import as_avi, complete, without

PAL, NTSC = 0xFF, 0xB000


@pytest.fixture
def grabber(clock: FakeClock) -> Callable[..., FakeGrabber]:
    return lambda **faults: FakeGrabber(clock_ns=clock.monotonic_ns, wait=clock.pause, **faults)


@pytest.fixture
def eye(clock: FakeClock) -> Callable[..., V4l2Source]:
    """Return a source that looks at this grabber; the wish by keyword."""

    def of(device: FakeGrabber, **wish: object) -> V4l2Source:
        return V4l2Source(
            place=Place("/dev/null"),
            wish=Wish(**wish),
            clock_ns=clock.boottime_ns,
            monotonic_ns=clock.monotonic_ns,
            wait=clock.pause,
            node=device.open_node,
        )

    return of


def opened(source: V4l2Source) -> V4l2Source:
    source.open()
    return source


def given(source: V4l2Source, count: int) -> list[Picture]:
    """Return that many pictures, in no more than five times as many reads."""
    found: list[Picture] = []
    for _ in range(count * 5):
        picture = source.read(0.5)
        if isinstance(picture, Picture):
            found.append(picture)
        if len(found) == count:
            return found
    raise AssertionError(f"{len(found)} pictures rather than {count}")


# --- what is agreed on -----------------------------------------------------------------------------------


def test_the_largest_quick_format_is_taken_and_a_slow_one_of_more_quality_is_not(grabber, eye):
    device = grabber(
        offers={
            "YUYV": {(1920, 1080): (5,), (640, 480): (30,)},
            "MJPEG": {(1920, 1080): (30, 60), (3840, 2160): (30,)},
        }
    )
    mode = opened(eye(device)).mode
    assert (mode.layout.fourcc, mode.width, mode.height, mode.rate) == ("MJPG", 1920, 1080, 30)
    mode = opened(eye(device, size=(640, 480))).mode
    assert (mode.layout.fourcc, mode.width, mode.height) == ("YUYV", 640, 480)
    mode = opened(eye(device, formats=("YUYV",))).mode
    assert (mode.layout.fourcc, mode.width, mode.rate) == ("YUYV", 640, 30)


def test_a_slow_device_is_better_than_none(grabber, eye):
    mode = opened(eye(grabber(offers={"YUYV": {(64, 48): (5, 10), (128, 96): (2,)}}))).mode
    assert (mode.width, mode.rate) == (64, 10)


def test_a_rate_that_is_configured_is_given_or_refused(grabber, eye):
    device = grabber(offers={"YUYV": {(64, 48): (15, 25, 30, 50, 60)}})
    assert opened(eye(device, rate=50)).mode.rate == 50
    assert opened(eye(device)).mode.rate == 30
    with pytest.raises(DeviceRefused, match="30 pictures a second where 40"):
        eye(grabber(offers={"YUYV": {(64, 48): (30,)}}), rate=40).open()


def test_a_scanners_signal_has_the_scanners_rate_whatever_is_configured(grabber, eye):
    device = grabber(inputs=[FakeInput(name="HDMI", timings=(64, 48, 60))])
    assert opened(eye(device, rate=25, size=(1920, 1080))).mode.rate == 60
    assert given(opened(eye(device, rate=25, size=(1920, 1080))), 1)[0].width == 64


def test_a_device_that_offers_nothing_usable_says_what_it_offers(grabber, eye):
    device = grabber(offers={"GREY": {(64, 48): (30,)}})
    with pytest.raises(DeviceRefused, match=r"no usable pixel format of YUYV or MJPEG\. It offers: GREY"):
        eye(device, formats=("YUYV", "MJPEG")).open()
    sizes = grabber(offers={"YUYV": {(64, 48): (30,), (720, 576): (25,)}, "MJPEG": {(1280, 720): (30,)}})
    with pytest.raises(DeviceRefused, match=r"no size 640 x 480\. It has: 1280 x 720, 720 x 576, 64 x 48"):
        eye(sizes, size=(640, 480)).open()


def test_a_device_that_lies_about_its_size_is_refused(grabber, eye):
    with pytest.raises(DeviceRefused, match="gives 32 x 24 in YUYV where 64 x 48 was asked for"):
        eye(grabber(gives=(32, 24)), size=(64, 48)).open()
    with pytest.raises(DeviceRefused, match="agreed to 64 x 48 in YUYV and is set to 32 x 24"):
        eye(grabber(is_set_to=(32, 24))).open()
    with pytest.raises(DeviceRefused, match="gives YUYV of 0 x 0"):
        eye(grabber(gives=(0, 0))).open()


def test_a_rectangle_that_another_program_left_is_put_right_and_one_that_stays_is_refused(grabber, eye):
    device = grabber(compose=(32, 24))
    opened(eye(device))
    assert device.compose == (64, 48)
    with pytest.raises(DeviceRefused, match="a picture of 32 x 24 into buffers of 64 x 48"):
        eye(grabber(compose=(32, 24), keeps_compose=True)).open()


def test_an_input_is_chosen_by_name_or_number(grabber, eye):
    device = grabber(inputs=[FakeInput(name="Composite1"), FakeInput(name="S-Video")])
    opened(eye(device))
    assert device.input == 0
    opened(eye(device, input="s-video"))
    assert device.input == 1
    opened(eye(device, input="0"))
    assert device.input == 0
    with pytest.raises(DeviceRefused, match='no input "HDMI": it has "Composite1", "S-Video"'):
        eye(device, input="HDMI").open()


@pytest.mark.parametrize(
    ("arriving", "wanted"),
    [
        (PAL, ("auto", PAL, 576)),
        (NTSC, ("auto", NTSC, 480)),
        (0xFF0000, ("auto", 0xFF0000, 576)),
        (PAL | NTSC, ("auto", NTSC, 480)),  # it cannot tell: what was set stays
        (PAL, ("NTSC", NTSC, 480)),
    ],
)
def test_the_standard_is_the_signals_own_or_the_configured_one(grabber, eye, arriving, wanted):
    standard, set_to, lines = wanted
    analog = FakeInput(name="S-Video", standards=PAL | NTSC | 0xFF0000)
    device = grabber(inputs=[analog], arriving=arriving, field=int(raw.Field.INTERLACED))
    device.standard = NTSC
    source = opened(eye(device, standard=standard))
    assert device.standard == set_to
    (picture,) = given(source, 1)
    assert (picture.width, picture.height) == (720, lines)
    assert picture.scan is (Scan.TOP_FIRST if lines == 576 else Scan.BOTTOM_FIRST)
    assert picture.pixel_aspect == (Fraction(59, 54) if picture.height == 576 else Fraction(10, 11))


def test_another_standard_at_the_input_is_followed(grabber, eye):
    analog = FakeInput(name="S-Video", standards=PAL | NTSC)
    device = grabber(inputs=[analog], arriving=NTSC, field=int(raw.Field.INTERLACED))
    source = opened(eye(device))
    assert given(source, 1)[0].height == 480
    device.arriving = PAL
    sizes = [picture.height for picture in given(source, 30)]
    assert sizes[-1] == 576
    assert sizes == sorted(sizes)


def test_digital_timings_decide_the_size_and_a_change_is_followed_with_and_without_an_event(grabber, eye):
    device = grabber(inputs=[FakeInput(name="HDMI", timings=(64, 48, 60))])
    source = opened(eye(device))
    assert given(source, 1)[0].width == 64
    device.change_signal(96, 64)
    assert given(source, 3)[-1].width == 96
    device.change_signal(128, 96, tells=False)
    assert given(source, 30)[-1].width == 128


# --- signal ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "powered", "loss"),
    [
        (errno.ENOLINK, True, Loss.NO_SIGNAL),
        (errno.ENOLINK, False, Loss.NO_CABLE),
        (errno.ENOLCK, True, Loss.NO_SIGNAL),
        (errno.ERANGE, True, Loss.OUT_OF_RANGE),
        (errno.EDOM, True, Loss.OUT_OF_RANGE),
    ],
)
def test_a_digital_input_says_why_it_has_no_picture_and_the_picture_comes_back(grabber, eye, error, powered, loss):
    device = grabber(inputs=[FakeInput(name="HDMI", timings=(64, 48, 60))])
    source = opened(eye(device))
    assert isinstance(source.read(0.5), Picture)
    device.lose_signal(error, status=0)
    device.inputs[0].powered = powered
    seen = [source.read(0.5) for _ in range(20)]
    assert seen[-1] is loss
    assert not any(isinstance(each, Picture) for each in seen[10:])
    device.find_signal()
    assert isinstance(given(source, 1)[0], Picture)


def test_a_signal_that_is_measured_and_cannot_be_taken_is_out_of_range(grabber, eye):
    device = grabber(inputs=[FakeInput(name="HDMI", timings=(3840, 2160, 30))], widest=1920)
    source = opened(eye(device))
    assert source.read(0.5) is Loss.OUT_OF_RANGE
    device.change_signal(1920, 1080)
    assert given(source, 1)[0].width == 1920


@pytest.mark.parametrize(
    ("status", "loss"),
    [
        (int(raw.InputStatus.NO_POWER), Loss.NO_CABLE),
        (int(raw.InputStatus.NO_SIGNAL), Loss.NO_SIGNAL),
        (int(raw.InputStatus.NO_H_LOCK), Loss.NO_SIGNAL),
        (int(raw.InputStatus.NO_COLOR), None),
    ],
)
def test_noise_of_an_input_that_says_it_has_no_signal_is_no_picture(grabber, eye, status, loss):
    device = grabber(inputs=[FakeInput(name="Composite", standards=PAL | NTSC)], arriving=PAL)
    source = opened(eye(device))
    assert isinstance(source.read(0.5), Picture)
    device.lose_signal(0, status)
    seen = [source.read(0.5) for _ in range(30)]
    assert seen[-1] is loss if loss else isinstance(seen[-1], Picture)
    device.find_signal()
    assert given(source, 2)


def test_a_source_is_opened_without_a_signal_and_starts_when_it_comes(grabber, eye, clock):
    device = grabber(inputs=[FakeInput(name="HDMI", timings=(64, 48, 60))])
    device.lose_signal()
    source = opened(eye(device))
    before = clock.boottime_ns()
    assert [source.read(0.5) for _ in range(3)] == [Loss.NO_SIGNAL] * 3
    assert clock.boottime_ns() - before == 1_500_000_000  # it waits, it does not spin
    device.find_signal()
    device.change_signal(96, 64)
    assert given(source, 1)[0].width == 96


# --- times and numbers -----------------------------------------------------------------------------------


def test_a_picture_has_the_kernels_time_also_after_the_box_slept(clock):
    device = FakeGrabber(clock_ns=lambda: clock.boottime_ns() - 7_000_000_000_000, wait=clock.pause)
    source = V4l2Source(
        place=Place("/dev/null"),
        wish=Wish(),
        clock_ns=clock.boottime_ns,
        monotonic_ns=device.clock_ns,
        wait=clock.pause,
        node=device.open_node,
    )
    clock.move(10_000)
    source.open()
    start = clock.boottime_ns()
    clock.move(0.050)
    picture = source.read(0.5)
    assert isinstance(picture, Picture)
    assert abs(picture.time_ns - start - device.period_ns) < 2000  # V4L2 gives microseconds


@pytest.mark.parametrize("flags", [0, int(raw.BufferFlag.TIMESTAMP_COPY)])
def test_without_the_kernels_time_a_picture_has_the_time_of_its_arrival(grabber, eye, clock, flags):
    source = opened(eye(grabber(flags=flags)))
    clock.move(0.050)
    picture = source.read(0.5)
    assert picture.time_ns == clock.boottime_ns()


def test_pictures_that_the_driver_lost_are_a_gap_in_the_count(grabber, eye, clock):
    device = grabber()
    source = opened(eye(device))
    assert [each.counter for each in given(source, 2)] == [0, 1]
    clock.move(1)
    late = given(source, 1)[0].counter
    assert late > 15
    device.sequence += 3
    assert given(source, 2)[-1].counter == late + 5


@pytest.mark.parametrize("step", [0, -1, -(1 << 31)])
def test_a_sequence_that_stands_still_or_runs_backwards_is_no_loss(grabber, eye, step):
    source = opened(eye(grabber(sequence_step=step)))
    assert [each.counter for each in given(source, 4)] == [0, 1, 2, 3]


# --- the worst devices -----------------------------------------------------------------------------------


def test_a_short_picture_is_left_out_and_counted_and_when_there_is_nothing_else_it_is_said(grabber, eye):
    device = grabber()
    source = opened(eye(device))
    assert given(source, 1)[0].counter == 0
    device.shortened = 1
    assert source.read(0.1) is None
    device.shortened = 0
    assert given(source, 1)[0].counter > 1
    device.shortened = 1000
    assert [source.read(0.5) for _ in range(3)] == [None] * 3
    with pytest.raises(DeviceRefused, match=r"Only damaged .* 5144 bytes came where 6144 make a whole one"):
        source.read(1.0)


def test_a_picture_that_the_driver_calls_damaged_is_left_out(grabber, eye):
    device = grabber(flags=int(raw.BufferFlag.TIMESTAMP_MONOTONIC | raw.BufferFlag.ERROR))
    source = opened(eye(device))
    assert source.read(0.5) is None
    device.flags = int(raw.BufferFlag.TIMESTAMP_MONOTONIC)
    assert isinstance(source.read(0.5), Picture)


def test_an_unplugged_device_is_missing_and_found_again(grabber, eye):
    device = grabber()
    source = opened(eye(device))
    given(source, 2)
    device.unplug()
    with pytest.raises(DeviceMissing, match="was unplugged"):
        source.read(0.5)
    source.close()
    with pytest.raises(DeviceMissing):
        source.open()
    device.replug()
    assert given(opened(source), 1)[0].counter == 0


def test_a_device_that_floods_is_slowed_down_whether_its_pictures_are_whole_or_not(grabber, eye, clock):
    device = grabber(period_ns=0)
    source = opened(eye(device))
    start = clock.boottime_ns()
    given(source, 50)
    assert device.delivered <= (clock.boottime_ns() - start) // 2_000_000 + 2
    device.shortened = 5
    before = device.delivered
    assert source.read(0.5) is None
    assert device.delivered - before < 70


def test_a_stalled_device_gives_nothing_and_takes_no_processor(grabber, eye, clock):
    device = grabber(stalled=True)
    source = opened(eye(device))
    start = clock.boottime_ns()
    assert [source.read(0.5) for _ in range(4)] == [None] * 4
    assert clock.boottime_ns() - start == 2_000_000_000


def test_a_stream_that_stops_by_itself_is_started_again(grabber, eye):
    device = grabber()
    source = opened(eye(device))
    given(source, 1)
    device.streaming = False
    assert given(source, 1)


def test_a_port_without_room_is_said_in_words(grabber, eye):
    with pytest.raises(DeviceRefused, match="its USB port has no room"):
        eye(grabber(no_room=True)).open()


def test_a_port_without_room_gets_compressed_pictures_when_nobody_asked_for_others(grabber, eye):
    both = {"YUYV": {(64, 48): (30,)}, "MJPEG": {(64, 48): (30,)}}
    assert opened(eye(grabber(no_room=True, offers=both))).mode.layout.fourcc == "MJPG"
    with pytest.raises(DeviceRefused, match="its USB port has no room"):
        eye(grabber(no_room=True, offers=both), formats=("YUYV",)).open()


def test_a_grabbers_jpeg_without_tables_and_with_bytes_after_its_end_is_a_whole_picture(grabber, eye):
    jpeg = complete("422", (104, 72))
    sent = [as_avi(jpeg) + bytes(99), without(jpeg, 0xC4), jpeg[:700], jpeg, complete("422", (64, 48)), jpeg]
    device = grabber(offers={"MJPEG": {(104, 72): (30,)}}, content=lambda number: sent[number % len(sent)])
    pictures = given(opened(eye(device)), 4)
    assert [each.counter for each in pictures] == [0, 1, 3, 5]  # one was cut off, one had another size
    for picture in pictures:
        assert (picture.format, picture.width, picture.height) == (PixelFormat.JPEG, 104, 72)
        assert (decode(picture.planes[0].tobytes()) == decode(jpeg)).all()


def test_a_node_that_takes_no_pictures_is_refused(grabber, eye):
    with pytest.raises(DeviceRefused, match="gives no pictures"):
        eye(grabber(abilities=int(raw.Capability.META_CAPTURE | raw.Capability.STREAMING))).open()


def test_a_closed_source_is_missing(grabber, eye):
    source = eye(grabber())
    source.close()
    with pytest.raises(DeviceMissing, match="is not open"):
        source.read(0.1)


def test_a_device_that_promises_pictures_and_events_that_it_does_not_have_takes_no_processor(grabber, eye, clock):
    device = grabber()
    source = opened(eye(device))
    device.promises = 100_000
    start, asked = clock.boottime_ns(), device.calls
    assert source.read(0.5) is None
    assert clock.boottime_ns() - start >= 500_000_000
    assert device.calls - asked < 200


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


# --- asked by the service engineer -----------------------------------------------------------------------


def test_a_grabber_tells_what_it_is_and_what_arrives_while_its_pictures_are_taken(grabber, eye):
    device = grabber(inputs=[FakeInput(name="HDMI", timings=(64, 48, 60))])
    source = opened(eye(device))
    before = given(source, 1)[0].counter
    seen = probe(Place("/dev/null"), device.open_beside)
    assert (seen.name, seen.driver, seen.mode, seen.input) == ("Fake grabber", "fake", "YUYV 64x48", "HDMI")
    assert seen.loss is None
    assert given(source, 1)[0].counter == before + 1
    device.lose_signal(errno.ERANGE)
    assert probe(Place("/dev/null"), device.open_beside).loss is Loss.OUT_OF_RANGE
    device.unplug()
    with pytest.raises(DeviceMissing):
        probe(Place("/dev/null"), device.open_beside)
