"""What a profile says is done to every still, clip and preview, and its input delay to every press."""

import threading
from dataclasses import replace
from fractions import Fraction

import imagecodecs
import numpy as np
import pytest
import simplejpeg

from gateway.capture.parts import profile_of
from gateway.capture.preview import Preview
from gateway.config.settings import Source
from hardware.errors import DeviceRefused
from hardware.profiles import Profile
from hardware.sources import Picture, PixelFormat
from hardware.views import Box, View
from tests.unit.capture.conftest import SIZE, picture

VIEW = View(crop=Box(x=20, y=10, width=100, height=60), turn=90)


def use(box, profile: Profile, **more: str) -> None:
    """Give the source another profile before anything is pressed."""
    grabber = box.grabbers["us"]
    grabber.view, grabber.delay_ns = profile.view, profile.input_delay_ms * 1_000_000
    grabber.settings = replace(grabber.settings, **more)


def test_a_still_has_what_is_seen_and_says_its_size(box):
    use(box, Profile(view=VIEW))
    exam = box.exam()
    frame = box.show()
    capture = box.press().result(10)
    assert (capture.rows, capture.columns) == (100, 60)
    stored = imagecodecs.jpeg8_decode(box.spool.layout.media(exam.id, capture.media).read_bytes())
    expected = np.rot90(frame.picture.planes[0][10:70, 20:120], -1)
    assert np.array_equal(stored, expected)
    assert frame.picture.width == SIZE[0]  # the ring keeps what was delivered


def test_a_clip_and_a_preview_have_what_is_seen(box):
    use(box, Profile(view=VIEW))
    box.exam()
    box.show()
    clip = box.clip()
    box.show(count=3)
    (uid,) = box.stop(clip)
    stored = box.spool.captures.get(uid).capture
    assert (stored.rows, stored.columns, stored.frames) == (100, 60, 4)
    shown = Preview(ring=box.grabbers["us"].ring, view=VIEW).next(after=0, width=320, timeout=0)
    assert (shown.width, shown.height) == (60, 100)


@pytest.mark.parametrize(("view", "anew"), [(View(), False), (VIEW, True)])
def test_a_clip_of_a_devices_jpegs_says_whether_they_were_compressed_anew(box, view, anew):
    use(box, Profile(view=view))
    box.exam()
    given = compressed(box)
    box.give("us", given)
    (uid,) = box.stop(box.clip())
    stored = box.spool.captures.get(uid).capture
    assert stored.lossy_before == (pytest.approx(320 * 180 * 3 / given.bytes) if anew else 0)
    assert stored.lossy_ratio > 1


def compressed(box) -> Picture:
    """The next picture of a device that delivers JPEG."""
    box.clock.move(0.04)
    shown = picture(1, box.clock.boottime_ns())
    stream = simplejpeg.encode_jpeg(shown.planes[0], quality=90, colorsubsampling="422")
    return replace(shown, format=PixelFormat.JPEG, planes=(np.frombuffer(stream, np.uint8),), full_range=True)


def test_pixels_may_stay_as_they_are_in_stills_that_say_so_and_nowhere_else(box):
    use(box, Profile(view=View(pixel_aspect=Fraction(12, 11))), aspect="keep")
    box.exam()
    box.show()
    still = box.press().result(10)
    assert (still.columns, still.rows, still.pixel_aspect) == (*SIZE, "11\\12")
    clip = box.clip()
    (uid,) = box.stop(clip)
    stored = box.spool.captures.get(uid).capture
    assert (stored.columns, stored.rows, stored.pixel_aspect) == (349, 180, "")
    use(box, Profile(view=View(pixel_aspect=Fraction(12, 11))), aspect="square")
    assert box.press().result(10).pixel_aspect == ""


@pytest.mark.parametrize(("kind", "suffix"), [("jpeg", ".jpg"), ("jpeg-ls", ".jls"), ("uncompressed", ".raw")])
def test_a_still_is_of_the_kind_that_the_source_is_set_to(box, kind, suffix):
    use(box, Profile(), still=kind)
    exam = box.exam()
    box.show()
    capture = box.press().result(10)
    assert (capture.codec, capture.media) == (kind, capture.sop_instance_uid + suffix)
    assert (capture.lossy_ratio > 0) == (kind == "jpeg")
    assert box.spool.layout.media(exam.id, capture.media).stat().st_size == capture.bytes


def test_a_press_takes_the_frame_that_shows_its_moment_and_not_the_newest(box):
    use(box, Profile(input_delay_ms=80))
    box.exam()
    box.show(count=3)
    pressed_ns = box.clock.boottime_ns()  # what is on the scanner now arrives in 80 ms
    pressed = threading.Thread(target=lambda: answer.append(box.press(time_ns=pressed_ns).result(10)))
    answer: list = []
    pressed.start()
    frames = [box.show() for _ in range(4)]
    pressed.join(10)
    assert answer[0].sequence == frames[1].sequence
    assert answer[0].frame_times == (pressed_ns + 80_000_000,)


def test_what_was_on_the_screen_before_the_opening_is_not_stored_when_it_arrives_after_it(box):
    use(box, Profile(input_delay_ms=80))
    box.exam()
    early = box.show()  # 50 ms after the opening: what the scanner showed 30 ms before it
    late = box.show(count=2)
    answer = box.press(frame=late.sequence).result(10)
    assert answer.sequence == late.sequence
    with pytest.raises(Exception, match="NOT stored"):
        box.press(frame=early.sequence).result(10)


def test_a_frame_on_its_way_at_the_press_is_waited_for_and_taken(box):
    box.exam()
    box.show(count=10)
    pressed_ns = box.clock.boottime_ns() + 50_000_000  # the frame of 40 ms is not here yet
    answer: list = []
    pressed = threading.Thread(target=lambda: answer.append(box.press(time_ns=pressed_ns).result(10)))
    pressed.start()
    frames = [box.show(), box.show()]
    pressed.join(10)
    assert answer[0].sequence == frames[0].sequence


def test_settings_count_before_the_profile_and_a_wrong_profile_is_refused(tmp_path):
    profile = profile_of(Source(profile="pal-composite", crop=(0, 0, 360, 576), aspect="keep"))
    assert profile.view.crop == Box(x=0, y=0, width=360, height=576)
    assert profile.view.square  # clips and the live picture are always of squares
    assert profile.view.pixel_aspect == profile_of(Source(profile="pal-svideo")).view.pixel_aspect
    broken = tmp_path / "broken.toml"
    broken.write_text("turn = 1")
    with pytest.raises(DeviceRefused, match="turn must be one of"):
        profile_of(Source(profile=str(broken)))
