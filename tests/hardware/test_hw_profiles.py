"""Device profiles: those that come with the product are sound, and an error in one is said with its key."""

import numpy as np
import pytest

from hardware import profiles
from hardware.errors import DeviceRefused, ProfileBroken
from hardware.pixels import to_rgb
from hardware.profiles import Profile
from hardware.sources import Picture, PixelFormat
from hardware.views import Box, View, seen
from tests.colour_bars import BARS

KR_KB = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}


def bars_of(size: tuple[int, int], matrix: str, *, full: bool) -> Picture:
    """Return colour bars as a device of that kind sends them, 4:2:2, by the formula of the standard."""
    columns, rows = size
    red, blue = KR_KB[matrix]
    planes = [np.zeros((rows, columns), np.uint8), *np.zeros((2, rows, (columns + 1) // 2), np.uint8)]
    for number, colour in enumerate(BARS):
        r, g, b = (value / 255 for value in colour)
        y = red * r + (1 - red - blue) * g + blue * b
        values = (y, (b - y) / (2 - 2 * blue), (r - y) / (2 - 2 * red))
        spans = (1, 1, 1) if full else (219 / 255, 224 / 255, 224 / 255)
        zeros = (0 if full else 16, 128, 128)
        for plane, value, span, zero in zip(planes, values, spans, zeros, strict=True):
            width = plane.shape[1]
            plane[:, number * width // 8 : (number + 1) * width // 8] = min(round(value * 255 * span + zero), 255)
    facts = {"counter": 0, "time_ns": 0, "format": PixelFormat.PLANAR_YUV, "width": columns, "height": rows}
    return Picture(**facts, planes=tuple(planes))


def test_at_least_ten_kinds_of_device_have_a_profile():
    assert len(profiles.names()) >= 10
    assert {"pal-composite", "ntsc-svideo", "hdmi-1080p-scope", "hdmi-720p-scope"} <= set(profiles.names())
    assert profiles.load("") == Profile()


@pytest.mark.parametrize("name", profiles.names())
def test_colour_bars_through_a_profile_come_out_within_two_steps(name):
    profile = profiles.load(name)
    view = profile.view
    assert profile.title
    assert view.size
    assert view.matrix
    made = seen(bars_of(view.size, view.matrix, full=bool(view.full_range)), view)
    assert (made.width, made.height) == view.size_seen(bars_of(view.size, view.matrix, full=True))
    rgb = np.rot90(to_rgb(made)) if view.turn == 90 else to_rgb(made)
    left, whole = (view.crop.x, view.crop.width) if view.crop else (0, view.size[0])
    for number, colour in enumerate(BARS):
        middle = ((number + 0.5) * view.size[0] / 8 - left) / whole
        if 0.02 < middle < 0.98:
            pixel = rgb[rgb.shape[0] // 2, int(middle * rgb.shape[1])].astype(int)
            assert np.abs(pixel - colour).max() <= 2, (number, pixel)


def test_the_words_of_a_profile_are_those_of_a_grabber_and_of_the_configuration(tmp_path):
    from gateway.config import grabber  # noqa: PLC0415 - the two sides must not know each other
    from hardware.sources.v4l2 import analog, wish  # noqa: PLC0415 - large tables

    assert ("auto", *analog.STANDARDS) == wish.STANDARDS == grabber.STANDARDS
    assert set(wish.FORMATS) == set(grabber.FORMATS)
    known = tmp_path / "known.toml"
    known.write_text("".join(f"{key} = {{}}\n" for key in grabber.OF_PROFILES))
    with pytest.raises(ProfileBroken) as wrong:
        profiles.load(str(known))
    assert len(wrong.value.problems) == len(grabber.OF_PROFILES)
    assert "no key" not in str(wrong.value)
    asked = profiles.load("pal-svideo").wish
    assert (asked.standard, asked.size, asked.rate) == ("PAL", (720, 576), 25)


def test_a_profile_of_ones_own_is_read_from_its_file(tmp_path):
    path = tmp_path / "tower.toml"
    path.write_text(
        'title = "Tower 3"\nsize = [1280, 720]\ncrop = [10, 20, 300, 200]\nmasks = [[0, 0, 50, 20]]\nturn = 270\n'
        'mirror = true\ndeinterlace = false\nrange = "full"\ninput_delay_ms = 85\n'
    )
    profile = profiles.load(str(path))
    assert (profile.title, profile.input_delay_ms) == ("Tower 3", 85)
    assert profile.view == View(
        size=(1280, 720),
        crop=Box(x=10, y=20, width=300, height=200),
        masks=(Box(x=0, y=0, width=50, height=20),),
        turn=270,
        mirror=True,
        deinterlace=False,
        full_range=True,
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("size = [1280]", "size must be a list of 2 numbers"),
        ("size = [1280, true]", "size must be a whole number"),
        ("turn = 45", "turn must be one of 0, 90, 180, 270"),
        ("turn = false", "turn must be one of"),
        ('matrix = "bt2000"', "matrix must be one of bt601, bt709"),
        ('scan = "odd-first"', "scan must be one of progressive, top-first, bottom-first"),
        ("pixel_aspect = [12, 0]", "pixel_aspect must be a whole number from 1"),
        ("masks = [[0, 0, 10, 0]]", "masks must have a width and a height"),
        ("crop = [0, 0, 10, 10]", "crop and masks need the size that they are for"),
        ("size = [100, 100]\ncrop = [0, 0, 101, 10]", "crop does not lie inside the size"),
        ("size = [100, 100]\nmasks = [[100, 0, 5, 5]]", "masks lie outside the size"),
        ("pixel_aspect = [9, 1]", "pixel_aspect must be a pixel that is at most four times"),
        ('no_signal_picture = "\u00e9"', "no_signal_picture is not as it was written"),
        ("input_delay_ms = " + "9" * 5000, "it cannot be read"),
        ("size = [9, 9]\nmasks = [" + "[1, 1, 1, 1]," * 65 + "]", "masks must be a list of at most 64"),
        ("masks = " + "[" * 3000, "it cannot be read"),
        ("input_delay_ms = 5000", "input_delay_ms must be a whole number from 0 to 1000"),
        ("title = 3", "title must be a text"),
        ('standard = "PAL-X"', "standard must be one of auto, PAL"),
        ('formats = "MJPEG"', "formats must be a list"),
        ('formats = ["MPEG"]', "formats must be one of"),
        ("rate = -1", "rate must be a whole number"),
        ("colour = 1", "colour is no key of a profile"),
        ("= 3", "it cannot be read"),
    ],
)
def test_every_mistake_in_a_profile_is_said_with_its_key(tmp_path, line, said):
    path = tmp_path / "wrong.toml"
    path.write_text(line)
    with pytest.raises(ProfileBroken) as caught:
        profiles.load(str(path))
    assert any(problem.startswith(said) for problem in caught.value.problems), caught.value.problems
    assert str(path) in str(caught.value)


def test_all_mistakes_are_said_at_once_and_a_missing_profile_names_those_there_are(tmp_path):
    path = tmp_path / "wrong.toml"
    path.write_text("turn = 45\nmirror = 3\nwhat = 1\n")
    with pytest.raises(ProfileBroken) as caught:
        profiles.load(str(path))
    assert len(caught.value.problems) == 3
    with pytest.raises(DeviceRefused, match="hdmi-1080p-scope"):
        profiles.load("betamax")
    with pytest.raises(DeviceRefused):
        profiles.load("../codecs")
