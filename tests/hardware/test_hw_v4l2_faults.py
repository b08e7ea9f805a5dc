"""Grabbers that fail one way each: short, damaged, flooding, stalled, unplugged, without room, closed."""

import pytest
from libjpeg import decode
from linuxpy.video import raw

from hardware.errors import DeviceMissing, DeviceRefused
from hardware.sources import Picture, PixelFormat
from tests.grabber_jpegs import as_avi, complete, without
from tests.hardware.seeing import given, opened


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
