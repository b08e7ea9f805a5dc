"""A grabber at its ioctls: what the product agrees on with it, believes of it and refuses from it."""

import errno
from fractions import Fraction

import pytest
from linuxpy.video import raw

from hardware.errors import DeviceMissing, DeviceRefused
from hardware.sources import Loss, Picture, Scan
from hardware.sources.v4l2.fake import FakeGrabber, FakeInput
from hardware.sources.v4l2.finding import Place
from hardware.sources.v4l2.probe import probe
from hardware.sources.v4l2.source import V4l2Source
from hardware.sources.v4l2.wish import Wish
from tests.hardware.seeing import given, opened

PAL, NTSC = 0xFF, 0xB000


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
