"""A grabber by the kernel's V4L2: modes proved by their pixels, losses, faults and plugs, all of it real ioctls."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from linuxpy.video import raw

from gateway.clock import Clock
from hardware import pixels
from hardware.errors import DeviceError, DeviceMissing
from hardware.sources import Loss, Picture, PixelFormat, Scan
from hardware.sources.v4l2.finding import Place
from hardware.sources.v4l2.node import KernelNode, Node
from hardware.sources.v4l2.source import V4l2Source
from hardware.sources.v4l2.wish import Wish
from tests.colour_bars import BARS, middles
from tests.kernel.virtual_grabber import (
    FULL_RANGE,
    HDMI,
    I720X480,
    I1024X768,
    NO_LOCK,
    NO_SIGNAL,
    NTSC_M,
    OUT_OF_RANGE,
    P720X480,
    P1280X720,
    PAL_BGH,
    SELECTED,
    SVIDEO,
    TEN_PIXEL_CROSS,
    WEBCAM,
    VirtualGrabber,
)

PATIENCE_S = 30.0
ROWS = (0.02, 0.5, 0.98)  # where the bars are looked at, as parts of the height


@pytest.fixture
def grabber() -> Iterator[VirtualGrabber]:
    made = VirtualGrabber()
    yield made
    made.throw_away()


@contextmanager
def opened(*, node: Callable[[Path], Node] = KernelNode, **wish: Any) -> Iterator[V4l2Source]:
    clock = Clock()
    source = V4l2Source(
        place=Place(VirtualGrabber.device),
        wish=Wish(**{"input": str(HDMI), **wish}),
        clock_ns=clock.boottime_ns,
        monotonic_ns=time.monotonic_ns,
        wait=time.sleep,
        node=node,
    )
    source.open()
    try:
        yield source
    finally:
        source.close()


def read_until(source: V4l2Source, wanted: Callable[[Picture | Loss | None], bool]) -> Picture | Loss | None:
    end = time.monotonic() + PATIENCE_S
    while not wanted(found := source.read(1.0)):
        assert time.monotonic() < end, f"waited {PATIENCE_S:.0f} s in vain; the last was {found!r}"
    return found


def picture_of(source: V4l2Source, size: tuple[int, int] | None = None) -> Picture:
    found = read_until(source, lambda each: isinstance(each, Picture) and size in {None, (each.width, each.height)})
    assert isinstance(found, Picture)
    return found


def assert_bars(picture: Picture) -> None:
    """Check eight bars over the whole picture, each in its middle, at its top, half way and at its foot."""
    rgb = pixels.to_rgb(picture).astype(int)
    assert rgb.shape == (picture.height, picture.width, 3)
    # vivid rounds Y, Cb and Cr down, so that its white is 234 where 235 is white.
    allowed = 3 if picture.format is PixelFormat.PLANAR_YUV else 0
    for part in ROWS:
        seen = rgb[int(part * picture.height)][middles(picture.width)]
        off = int(np.abs(seen - BARS).max())
        assert off <= allowed, f"at {part:.0%} of the height: {seen.tolist()}"


@pytest.mark.parametrize(
    "form",
    [
        "YUYV",
        "UYVY",
        "YVYU",
        "VYUY",
        "NV12",
        "NV21",
        "YU12",
        "YV12",
        "RGB3",
        "BGR3",
        "XR24",
        "XB24",
        "BGR4",
        "RGB4",
    ],
)
@pytest.mark.usefixtures("grabber")
def test_every_format_shows_the_same_colours(form: str) -> None:
    with opened(formats=(form,)) as source:
        picture = picture_of(source)
        assert (picture.width, picture.height) == (1280, 720)
        assert_bars(picture)


def test_grey_is_the_luma_of_the_bars(grabber: VirtualGrabber) -> None:
    grabber.set(quantization=FULL_RANGE)  # vivid's grey always is, though its colour space says otherwise
    with opened(formats=("GREY",)) as source:
        picture = picture_of(source)
    assert picture.format is PixelFormat.GRAY8
    row = picture.planes[0][360].astype(float)
    seen = [row[int((bar + 0.5) * 160)] for bar in range(8)]
    luma = [0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in BARS]  # BT.709
    assert np.abs(np.array(seen) - np.array(luma)).max() <= 2, seen


def test_a_rectangle_that_another_program_left_behind_does_not_shrink_the_picture(grabber: VirtualGrabber) -> None:
    grabber.tell("--set-fmt-video", "width=1280,height=720,pixelformat=YUYV")
    grabber.tell("--set-selection", "target=compose,left=0,top=0,width=640,height=480")
    assert "Width 640, Height 480" in grabber.tell("--get-selection", "target=compose")
    with opened() as source:
        assert_bars(picture_of(source, (1280, 720)))


def test_another_program_that_cropped_is_undone(grabber: VirtualGrabber) -> None:
    grabber.tell("--set-selection", "target=crop,left=640,top=0,width=640,height=720")
    assert "Left 640" in grabber.tell("--get-selection", "target=crop")
    with opened() as source:
        assert_bars(picture_of(source, (1280, 720)))


# --- what arrives ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "loss"),
    [(NO_SIGNAL, Loss.NO_CABLE), (NO_LOCK, Loss.NO_SIGNAL), (OUT_OF_RANGE, Loss.OUT_OF_RANGE)],
    ids=["no power", "no lock", "out of range"],
)
def test_a_lost_digital_signal_is_said_and_comes_back(grabber: VirtualGrabber, mode: int, loss: Loss) -> None:
    with opened() as source:
        picture_of(source)
        grabber.set(dv_timings_signal_mode=mode)
        assert read_until(source, lambda each: isinstance(each, Loss)) is loss
        grabber.set(dv_timings_signal_mode=0)
        assert_bars(picture_of(source))


def test_a_grabber_without_signal_is_opened_and_waits_for_one(grabber: VirtualGrabber) -> None:
    grabber.set(dv_timings_signal_mode=NO_SIGNAL)
    with opened() as source:
        assert read_until(source, lambda each: each is not None) is Loss.NO_CABLE
        grabber.set(dv_timings_signal_mode=0)
        assert_bars(picture_of(source))


def test_a_signal_that_is_measured_and_cannot_be_taken_is_out_of_range(grabber: VirtualGrabber) -> None:
    grabber.arrive(I720X480)  # 13.5 MHz, where vivid takes 25 MHz and more
    with opened() as source:
        assert read_until(source, lambda each: each is not None) is Loss.OUT_OF_RANGE
        grabber.arrive(P1280X720)
        assert_bars(picture_of(source))


def test_other_timings_in_the_middle_give_whole_pictures_of_the_other_size(grabber: VirtualGrabber) -> None:
    with opened() as source:
        assert_bars(picture_of(source, (1280, 720)))
        grabber.arrive(P720X480)
        smaller = picture_of(source, (720, 480))
        assert_bars(smaller)
        assert smaller.scan is Scan.PROGRESSIVE
        grabber.arrive(P1280X720)
        assert_bars(picture_of(source, (1280, 720)))


def test_interlaced_timings_give_both_fields_in_one_picture(grabber: VirtualGrabber) -> None:
    grabber.arrive(I1024X768)
    with opened() as source:
        picture = picture_of(source, (1024, 768))
        assert_bars(picture)
        assert picture.scan is Scan.TOP_FIRST


@pytest.mark.parametrize(
    ("standard", "size", "scan"),
    [(NTSC_M, (720, 480), Scan.BOTTOM_FIRST), (PAL_BGH, (720, 576), Scan.TOP_FIRST)],
    ids=["NTSC", "PAL"],
)
def test_the_older_field_is_the_one_that_is_said(
    grabber: VirtualGrabber, standard: int, size: tuple[int, int], scan: Scan
) -> None:
    grabber.switch(SVIDEO)
    grabber.set(
        standard_signal_mode=SELECTED, standard=standard, test_pattern=TEN_PIXEL_CROSS, horizontal_movement=5
    )
    with opened(input=str(SVIDEO)) as source:
        picture_of(source, size)
        steps = []
        for _ in range(6):
            picture = picture_of(source, size)
            assert picture.scan is scan
            luma = pixels.to_rgb(picture)[: size[1] // 4, :, 1].astype(int)
            top, bottom = (int(np.median(luma[parity::2], axis=0).argmin()) for parity in (0, 1))
            steps.append(bottom - top if scan is Scan.TOP_FIRST else top - bottom)
        assert np.median(steps) > 0, steps  # it moves to the right, so the newer field has it further there


def test_the_other_standard_in_the_middle_is_followed(grabber: VirtualGrabber) -> None:
    grabber.switch(SVIDEO)
    grabber.set(standard_signal_mode=SELECTED, standard=PAL_BGH)
    with opened(input=str(SVIDEO)) as source:
        assert_bars(picture_of(source, (720, 576)))
        grabber.set(standard=NTSC_M)
        assert_bars(picture_of(source, (720, 480)))


def test_a_lost_analog_signal_is_said_and_comes_back(grabber: VirtualGrabber) -> None:
    grabber.switch(SVIDEO)
    with opened(input=str(SVIDEO)) as source:
        picture_of(source)
        grabber.set(standard_signal_mode=NO_SIGNAL)
        assert read_until(source, lambda each: isinstance(each, Loss)) is Loss.NO_SIGNAL
        grabber.set(standard_signal_mode=0)
        assert_bars(picture_of(source))


# --- counting and time -----------------------------------------------------------------------------------


def test_pictures_have_the_drivers_numbers_and_times(grabber: VirtualGrabber) -> None:
    grabber.switch(WEBCAM)
    with opened(input=str(WEBCAM), size=(320, 180), rate=10) as source:
        before = Clock().boottime_ns()
        found = [picture_of(source) for _ in range(15)]
        after = Clock().boottime_ns()
    counters, times = [each.counter for each in found], [each.time_ns for each in found]
    assert sorted(set(counters)) == counters
    assert sorted(times) == times
    assert before - 1e9 < times[0]
    assert times[-1] <= after
    period_ms = (times[-1] - times[0]) / (counters[-1] - counters[0]) / 1e6
    assert 90 < period_ms < 110  # a tenth of a second, also where an emulated processor lost some


def test_lost_pictures_leave_gaps_in_the_count(grabber: VirtualGrabber) -> None:
    grabber.switch(WEBCAM)
    grabber.set(percentage_of_dropped_buffers=50)
    with opened(input=str(WEBCAM), size=(320, 180), rate=15) as source:
        counters = [picture_of(source).counter for _ in range(20)]
    assert counters[-1] - counters[0] >= 25, counters


@pytest.mark.parametrize(
    "fault", [{"wrap_sequence_number": 1}, {"wrap_timestamp": 1}, {"wrap_timestamp": 2}], ids=str
)
def test_a_driver_that_counts_over_its_end_makes_no_nonsense(
    grabber: VirtualGrabber, fault: dict[str, int]
) -> None:
    grabber.switch(WEBCAM)
    grabber.set(**fault)
    with opened(input=str(WEBCAM), size=(320, 180), rate=30) as source:
        before = Clock().boottime_ns()
        found = [picture_of(source) for _ in range(200)]
        after = Clock().boottime_ns()
    counters, times = [each.counter for each in found], [each.time_ns for each in found]
    assert sorted(set(counters)) == counters
    assert counters[-1] - counters[0] < 1000
    assert sorted(times) == times
    assert before - 1e9 < times[0] <= times[-1] <= after


# --- faults and plugs ------------------------------------------------------------------------------------


def test_a_damaged_picture_is_left_out_and_counted(grabber: VirtualGrabber) -> None:
    grabber.switch(WEBCAM)
    with opened(input=str(WEBCAM), size=(320, 180), rate=10) as source:
        found = [picture_of(source)]
        grabber.set(inject_v4l2_buf_flag_error=1)
        found += [picture_of(source) for _ in range(20)]
        for picture in found:
            assert_bars(picture)
        gaps = np.diff([each.counter for each in found])
        assert gaps.max() >= 2


def test_a_stream_that_breaks_is_started_anew(grabber: VirtualGrabber) -> None:
    grabber.switch(WEBCAM)
    begun: list[int] = []

    class Counting(KernelNode):
        def ioctl(self, request: int, argument: Any) -> None:
            if request == raw.IOC.STREAMON:
                begun.append(request)
            super().ioctl(request, argument)

    with opened(node=Counting, input=str(WEBCAM), size=(320, 180), rate=10) as source:
        found = [picture_of(source)]
        assert len(begun) == 1
        grabber.set(inject_fatal_streaming_error=1)
        found += [picture_of(source) for _ in range(10)]
        assert len(begun) == 2
    for picture in found:
        assert_bars(picture)
    assert np.diff([picture.counter for picture in found]).min() >= 1


@pytest.mark.parametrize(
    "fault", ["inject_vidioc_reqbufs_error", "inject_vidioc_qbuf_error", "inject_vidioc_streamon_error"]
)
def test_a_stream_that_does_not_start_is_said_and_tried_again(grabber: VirtualGrabber, fault: str) -> None:
    grabber.set(**{fault: 1})
    with pytest.raises(DeviceError), opened():
        pass
    with opened() as source:
        assert_bars(picture_of(source))


@pytest.mark.usefixtures("grabber")
def test_two_programs_cannot_have_one_grabber() -> None:
    with opened() as first:
        picture_of(first)
        with pytest.raises(DeviceError, match="another program"), opened():
            pass
        assert_bars(picture_of(first))


@pytest.mark.parametrize("way", ["unbind", "disconnect"])
def test_a_grabber_that_is_pulled_out_is_said_so_and_comes_back(grabber: VirtualGrabber, way: str) -> None:
    with opened() as source:
        picture_of(source)
        if way == "unbind":
            grabber.unplug()
        else:
            grabber.set(disconnect=1)
        with pytest.raises(DeviceMissing):
            read_until(source, lambda _: False)
        source.close()
        if way == "unbind":
            with pytest.raises(DeviceMissing):
                source.open()
            grabber.plug()
        source.open()
        grabber.set(test_pattern=1, osd_text_mode=2)
        read_until(source, lambda each: isinstance(each, Picture))
        assert_bars([picture_of(source) for _ in range(10)][-1])
