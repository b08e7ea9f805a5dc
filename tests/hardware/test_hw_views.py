"""What is seen of a picture: fields, boxes, turning, square pixels, and nothing where nothing is asked for."""

from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest

from hardware.errors import EncodingFailed
from hardware.pixels import to_rgb
from hardware.sources import Picture, PixelFormat, Scan
from hardware.views import AS_DELIVERED, Box, View, seen


def picture_of(*planes, form=PixelFormat.PLANAR_YUV, **more) -> Picture:
    rows, columns = planes[0].shape[:2]
    facts = {"counter": 0, "time_ns": 0, "format": form, "width": columns, "height": rows, "planes": planes}
    return Picture(**{**facts, **more})


def noise(rows: int, columns: int, down: int = 1, across: int = 1, **more) -> Picture:
    samples = np.random.default_rng(rows * columns)
    sizes = [(rows, columns)] + [(-(-rows // down), -(-columns // across))] * 2
    return picture_of(*(samples.integers(16, 236, size, dtype=np.uint8) for size in sizes), **more)


def gray(pixels, **more) -> Picture:
    return picture_of(np.asarray(pixels, np.uint8), form=PixelFormat.GRAY8, **more)


def test_a_picture_that_needs_nothing_is_the_very_same():
    picture = noise(48, 64, 2, 2)
    assert seen(picture, View()) is picture
    anamorphic = replace(picture, scan=Scan.TOP_FIRST, pixel_aspect=Fraction(12, 11))
    assert seen(anamorphic, AS_DELIVERED) is anamorphic


@pytest.mark.parametrize("first", [Scan.TOP_FIRST, Scan.BOTTOM_FIRST])
@pytest.mark.parametrize("rows", [576, 7])
def test_of_two_fields_the_older_one_is_shown_at_its_own_lines_and_nothing_of_the_other(first, rows):
    parity = 0 if first is Scan.TOP_FIRST else 1
    whole = np.full((rows, 40), 200, np.uint8)
    older = np.random.default_rng(1).integers(0, 100, (rows, 40), dtype=np.uint8)[parity::2]
    whole[parity::2] = older
    made = seen(gray(whole, scan=first), View())
    assert made.scan is Scan.PROGRESSIVE
    assert np.array_equal(made.planes[0][parity::2], older)
    assert made.planes[0].max() < 100  # no line of the other field
    between = made.planes[0][1 - parity :: 2].astype(int)
    inner = (older[:-1].astype(int) + older[1:]) / 2
    inner_made = between[1 - (1 - parity) :][: len(inner)]
    assert np.abs(inner_made - inner).max() <= 0.5


def test_a_bar_that_moved_between_the_fields_has_no_comb():
    whole = np.zeros((96, 128), np.uint8)
    whole[0::2, 20:30] = 255
    whole[1::2, 60:70] = 255  # 20 ms later
    made = seen(gray(whole, scan=Scan.TOP_FIRST), View()).planes[0]
    assert (made[:, 20:30] == 255).all()
    assert not made[:, 30:].any()
    combed = seen(gray(whole, scan=Scan.TOP_FIRST), View(deinterlace=False)).planes[0]
    assert combed[1::2, 60:70].all()


def test_chroma_lines_belong_to_the_fields_in_turn():
    luma, red, blue = np.zeros((8, 8), np.uint8), np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint8)
    red[0::2] = 50
    red[1::2] = 250
    made = seen(picture_of(luma, red, blue, scan=Scan.TOP_FIRST), View())
    assert (made.planes[1] == 50).all()


@pytest.mark.parametrize("system", [(704, 576, Fraction(12, 11)), (704, 480, Fraction(10, 11))])
def test_a_circle_on_the_scanner_is_a_circle_in_the_picture(system):
    columns, rows, aspect = system
    truth = np.zeros((2000, 2000), np.uint8)
    cv2.circle(truth, (1000, 1000), 700, 255, -1)
    height = rows * 3 // 4
    width = round(height / aspect)  # what of the line a round thing of that height takes
    sampled = cv2.resize(truth, (width, height), interpolation=cv2.INTER_AREA)
    whole = np.zeros((rows, columns), np.uint8)
    whole[40 : 40 + height, 60 : 60 + width] = sampled
    made = seen(gray(whole, pixel_aspect=aspect), View())
    assert (made.width, made.height) == View().size_seen(gray(whole, pixel_aspect=aspect))
    lit = made.planes[0] > 127
    across, down = lit.any(axis=0).sum(), lit.any(axis=1).sum()
    assert abs(across - down) <= 2
    assert made.width >= columns
    assert made.height >= rows
    squeezed = whole > 127
    assert abs(int(squeezed.any(axis=0).sum()) - int(squeezed.any(axis=1).sum())) > 20  # it was none before


@pytest.mark.parametrize("sampling", [(1, 1), (1, 2), (2, 2), (1, 4)])
@pytest.mark.parametrize("box", [Box(x=4, y=2, width=20, height=10), Box(x=3, y=5, width=7, height=9)])
def test_a_crop_shows_these_pixels_and_no_others(sampling, box):
    picture = noise(32, 48, *sampling)
    made = seen(picture, View(crop=box))
    assert (made.width, made.height) == (box.width, box.height)
    expected = to_rgb(picture)[box.y : box.y + box.height, box.x : box.x + box.width]
    assert np.array_equal(to_rgb(made), expected)


@pytest.mark.parametrize("sampling", [(1, 1), (1, 2), (2, 2)])
def test_nothing_is_left_of_what_a_mask_covers_and_the_rest_is_untouched(sampling):
    picture = noise(32, 48, *sampling)
    box = Box(x=5, y=3, width=9, height=7)
    made = to_rgb(seen(picture, View(masks=(box, Box(x=40, y=-4, width=100, height=8)))))
    assert not made[3:10, 5:14].any()
    assert not made[:4, 40:].any()
    assert np.array_equal(made[16:], to_rgb(picture)[16:])
    assert to_rgb(picture)[3:10, 5:14].any()  # the delivered picture itself is not changed


def test_a_crop_is_for_one_size_and_another_one_is_shown_whole():
    view = View(size=(48, 32), crop=Box(x=0, y=0, width=8, height=8))
    picture = noise(64, 96)
    assert not view.fits(picture)
    assert seen(picture, view) is picture
    assert view.fits(noise(32, 48))
    assert View(crop=Box(x=40, y=0, width=20, height=8)).fits(noise(32, 48)) is False


def test_what_a_mask_hides_is_hidden_whatever_the_crop_and_never_shown_at_another_size():
    name = Box(x=0, y=0, width=20, height=8)
    made = seen(noise(32, 48), View(size=(48, 32), masks=(name,), crop=Box(x=1, y=0, width=48, height=32)))
    assert not to_rgb(made)[:8, :20].any()  # the crop does not fit: it is left out, the mask is not
    with pytest.raises(EncodingFailed, match="masks"):
        seen(noise(64, 96), View(size=(48, 32), masks=(name,)))


def test_a_picture_that_would_need_more_memory_than_there_is_is_refused():
    with pytest.raises(EncodingFailed):
        seen(noise(32, 48, pixel_aspect=Fraction(10**9)), View())


@pytest.mark.parametrize("size", [(8, 9), (9, 8), (1, 5), (5, 1), (7, 7)])
@pytest.mark.parametrize("sampling", [(1, 2), (2, 2)])
@pytest.mark.parametrize("view", [View(mirror=True), View(turn=180), View(turn=90), View(scan=Scan.TOP_FIRST)])
def test_pictures_of_odd_sizes_keep_every_colour_in_its_place(size, sampling, view):
    picture = noise(*size, *sampling)
    made = to_rgb(seen(picture, view))
    whole = to_rgb(picture)
    if view.scan:
        assert np.array_equal(made[0], whole[0])
        return
    expected = np.rot90(whole, -view.turn // 90)
    assert np.array_equal(made, expected[:, ::-1] if view.mirror else expected)


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("sampling", [(1, 1), (1, 2), (2, 2)])
def test_a_turned_picture_has_its_pixels_where_they_belong(turn, mirror, sampling):
    picture = noise(32, 48, *sampling, pixel_aspect=Fraction(12, 11))
    view = View(turn=turn, mirror=mirror, square=False)
    made = seen(picture, view)
    codes = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
    expected = cv2.rotate(to_rgb(picture), codes[turn]) if turn else to_rgb(picture)
    expected = cv2.flip(expected, 1) if mirror else expected
    assert np.array_equal(to_rgb(made), expected)
    assert (made.width, made.height) == view.size_seen(picture)
    assert made.pixel_aspect == (Fraction(11, 12) if turn % 180 else Fraction(12, 11))


def test_what_the_profile_knows_better_counts():
    picture = noise(32, 48)
    made = seen(picture, View(matrix="bt709", full_range=True))
    assert (made.matrix, made.full_range) == ("bt709", True)
    assert np.array_equal(to_rgb(made), to_rgb(replace(picture, matrix="bt709", full_range=True)))
    combed = noise(32, 48)  # a grabber that says nothing of its fields
    assert seen(combed, View(scan=Scan.TOP_FIRST)).scan is Scan.PROGRESSIVE


def test_everything_at_once_comes_in_its_order():
    picture = noise(576, 720, 1, 2, scan=Scan.TOP_FIRST, pixel_aspect=Fraction(12, 11))
    view = View(size=(720, 576), crop=Box(x=8, y=0, width=704, height=576), turn=90, mirror=True)
    made = seen(picture, view)
    assert (made.width, made.height) == view.size_seen(picture) == (576, 768)
    assert (made.scan, made.pixel_aspect) == (Scan.PROGRESSIVE, 1)
