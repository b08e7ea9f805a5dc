import cv2
import numpy as np
import pytest
import simplejpeg

from hardware.errors import DeviceMissing, DeviceRefused
from hardware.sources import PixelFormat
from hardware.sources.counter import LIMIT, paint, read
from hardware.sources.pattern import KINDS, Pattern, PatternSource, draw
from hardware.sources.scenes import BARS

NUMBERS = (0, 1, 255, 65_536, 2**32 - 1, 2**32, 2**32 + 12_345, LIMIT - 1)


@pytest.fixture
def source(clock):
    made = PatternSource(kind="bars", clock_ns=clock.boottime_ns, wait=clock.pause, size=(320, 180))
    made.open()
    yield made
    made.close()


@pytest.mark.parametrize("kind", KINDS)
def test_the_painted_number_is_read_back_however_the_picture_was_stored(kind):
    pattern = Pattern(kind, (640, 360))
    for number in NUMBERS:
        pixels = pattern.draw(number)
        assert read(pixels) == number
        assert read(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)) == number
        assert read(cv2.resize(pixels, (320, 180), interpolation=cv2.INTER_AREA)) == number
        assert read(cv2.resize(pixels, (1280, 720))) == number
        for sampling in ("422", "420"):
            stored = simplejpeg.encode_jpeg(pixels, quality=90, colorspace="RGB", colorsubsampling=sampling)
            assert read(simplejpeg.decode_jpeg(stored)) == number


def test_a_number_that_does_not_fit_is_not_painted():
    pixels = np.zeros((180, 320, 3), np.uint8)
    for number in (-1, LIMIT):
        with pytest.raises(ValueError, match="counter strip"):
            paint(pixels, number)
    with pytest.raises(ValueError, match="too small"):
        paint(pixels[:50], 1)


def test_no_number_is_read_where_none_was_painted():
    noise = np.random.default_rng(3).integers(0, 256, (180, 320, 3), dtype=np.uint8)
    for pixels in (noise, noise * 0, noise * 0 + 255, noise[:3], noise[:, :20]):
        assert read(pixels) is None


def test_one_wrong_cell_is_noticed():
    for cell in range(64):
        pixels = draw("bars", 123_456, (320, 180))
        pixels[-5:, cell * 5 : cell * 5 + 5] = 251 - pixels[-1, cell * 5 + 2, 0]
        assert read(pixels) is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_stored_test_picture_can_be_drawn_again_from_its_number(kind):
    for size in ((1280, 720), (321, 181), (720, 576)):
        once = Pattern(kind, size)
        once.draw(7)
        first = once.draw(2**32 + 5)
        assert np.array_equal(first, draw(kind, 2**32 + 5, size))
        assert first.shape == (size[1], size[0], 3)


@pytest.mark.parametrize("kind", KINDS)
def test_the_test_picture_moves_from_each_picture_to_the_next(kind):
    pattern = Pattern(kind, (640, 360))
    for number in range(60):
        ours, theirs = (pattern.draw(number + step)[:300] for step in (0, 1))
        assert np.count_nonzero(ours != theirs) > 50


def test_the_colour_bars_have_the_levels_of_75_percent_bars():
    pixels = draw("bars", 9, (640, 360))
    for place, level in enumerate(BARS):
        assert (pixels[:200, place * 80 : place * 80 + 80] == level).all()


def test_test_pictures_come_in_real_time_numbered_from_0(source, clock):
    start = clock.boottime_ns()
    pictures = [source.read(1.0) for _ in range(31)]
    assert [picture.counter for picture in pictures] == list(range(31))
    assert [read(picture.planes[0]) for picture in pictures] == list(range(31))
    assert pictures[30].time_ns - start == pytest.approx(1e9, abs=1000)
    assert all(picture.time_ns <= clock.boottime_ns() for picture in pictures)
    assert pictures[0].format is PixelFormat.RGB24
    assert (pictures[0].width, pictures[0].height) == (320, 180)


def test_a_reader_that_is_away_finds_a_few_pictures_waiting_and_a_gap(source, clock):
    assert source.read(1.0).counter == 0
    clock.move(10)
    late = [source.read(1.0) for _ in range(9)]
    assert [picture.counter for picture in late] == list(range(293, 302))
    assert clock.boottime_ns() - late[0].time_ns < 0.3e9


def test_a_read_ends_when_its_time_is_up(source, clock):
    source.read(1.0)
    before = clock.boottime_ns()
    assert source.read(0.01) is None
    assert clock.boottime_ns() - before == pytest.approx(10e6, abs=1000)
    assert source.read(1.0).counter == 1


def test_a_wait_that_is_cut_short_ends_the_read(clock):
    source = PatternSource(kind="bars", clock_ns=clock.boottime_ns, wait=lambda _: None, size=(320, 180))
    source.open()
    source.read(1.0)
    assert source.read(1.0) is None


def test_opening_again_starts_at_0_and_a_closed_source_gives_nothing(source):
    source.read(1.0)
    source.read(1.0)
    source.open()
    assert source.read(1.0).counter == 0
    source.close()
    source.close()
    with pytest.raises(DeviceMissing):
        source.read(1.0)


def test_an_unknown_or_impossible_test_picture_is_refused():
    with pytest.raises(DeviceRefused, match="bars, ultrasound"):
        Pattern("plaid", (640, 360))
    with pytest.raises(DeviceRefused, match="too small"):
        Pattern("bars", (64, 48))
