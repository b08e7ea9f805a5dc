"""A clip's picture of two fields: no line is lost where nothing moves, no comb where something does."""

from dataclasses import replace

import numpy as np
import pytest

from hardware.sources import Picture, PixelFormat, Scan
from hardware.views import AS_DELIVERED, Motion, View, seen, seen_between
from hardware.views.fields import one_field

ROWS, COLUMNS = 48, 64
STANDS, MOVES = np.s_[:, :16], np.s_[:, 18:]
KINDS = ("gray", "rgb", "444", "422", "420")
BOTH = (Scan.TOP_FIRST, Scan.BOTTOM_FIRST)


def moment(field: int) -> np.ndarray:
    """Return the whole scene at the moment of a field: fine lines at the left, a bar that moves at the right."""
    scene = np.full((ROWS, COLUMNS), 20, np.uint8)
    scene[::3, :16] = 230
    scene[:, 20 + 3 * field : 28 + 3 * field] = 200
    return scene


def picture(number: int, scan: Scan = Scan.TOP_FIRST, kind: str = "gray") -> Picture:
    """Return what a device makes of the moments of two fields."""
    older = 0 if scan is Scan.TOP_FIRST else 1
    woven = np.empty((ROWS, COLUMNS), np.uint8)
    woven[older::2] = moment(2 * number)[older::2]
    woven[1 - older :: 2] = moment(2 * number + 1)[1 - older :: 2]
    forms = {"gray": PixelFormat.GRAY8, "rgb": PixelFormat.RGB24}
    planes = {
        "gray": (woven,),
        "rgb": (np.dstack([woven, woven, woven]),),
        "444": (woven, woven, woven),
        "422": (woven, woven[:, ::2], woven[:, 1::2]),
        "420": (woven, woven[::2, ::2], woven[::2, 1::2]),
    }
    return Picture(
        counter=number,
        time_ns=number * 40_000_000,
        format=forms.get(kind, PixelFormat.PLANAR_YUV),
        width=COLUMNS,
        height=ROWS,
        planes=planes[kind],
        scan=scan,
    )


def clip(pictures: list[Picture], view: View = View()) -> list[Picture]:  # noqa: B008 - a frozen value
    """Return what a clip of these pictures shows."""
    motion = Motion()
    around = zip([None, *pictures], pictures, [*pictures[1:], None], strict=False)
    return [seen_between(this, view, motion, around=(before, after)) for before, this, after in around]


def luma(made: Picture) -> np.ndarray:
    return made.planes[0][..., 0] if made.format is PixelFormat.RGB24 else made.planes[0]


@pytest.mark.parametrize("scan", BOTH)
@pytest.mark.parametrize("kind", KINDS)
def test_what_stands_keeps_each_line_and_what_moves_is_of_its_older_field(scan, kind):
    pictures = [picture(number, scan, kind) for number in range(5)]
    for number, made in enumerate(clip(pictures)):
        truth, found = moment(2 * number), luma(made)
        assert made.scan is Scan.PROGRESSIVE
        assert made.format is pictures[0].format
        assert (found[MOVES] == truth[MOVES]).all()
        older = 0 if scan is Scan.TOP_FIRST else 1
        assert (found[older::2] == truth[older::2]).all()
        if number:  # the first one has none before it
            assert (found[STANDS] == truth[STANDS]).all()


def test_a_picture_comes_out_as_itself_whatever_was_asked_for_before():
    pictures = [picture(number) for number in range(8)]
    in_order = clip(pictures)
    motion = Motion()
    for number in (1, 2, 5, 6, 2, 3, 3, 4):
        around = (pictures[number - 1], pictures[number + 1])
        made = seen_between(pictures[number], View(), motion, around=around)
        assert (made.planes[0] == in_order[number].planes[0]).all()
        assert (made.counter, made.time_ns) == (number, pictures[number].time_ns)


def test_one_without_neighbours_is_one_field_as_a_still_is():
    alone = picture(3)
    assert (clip([alone])[0].planes[0] == one_field(alone).planes[0]).all()


def test_neighbours_of_another_kind_are_none():
    this = picture(3)
    wider = replace(picture(2), width=32, planes=(np.zeros((ROWS, 32), np.uint8),))
    torn = replace(picture(4), format=PixelFormat.JPEG, planes=(np.full(500, 0xFF, np.uint8),))
    made = seen_between(this, View(), Motion(), around=(wider, torn))
    assert (made.planes[0][MOVES] == moment(6)[MOVES]).all()
    assert made.width == COLUMNS


@pytest.mark.parametrize("size", [(3, 2), (1, 1), (7, 5)])
def test_odd_and_tiny_pictures_come_out_in_their_size(size):
    columns, rows = size
    pixels = np.arange(columns * rows, dtype=np.uint8).reshape(rows, columns)
    small = replace(picture(0), width=columns, height=rows, planes=(pixels,))
    pictures = [replace(small, counter=number, time_ns=number) for number in range(3)]
    for made in clip(pictures):
        assert made.planes[0].shape == (rows, columns)


def test_a_profile_may_want_one_field_and_a_still_always_has_one():
    pictures = [picture(number) for number in range(3)]
    assert not View(clip_fields="one").needs_neighbours(pictures[0])
    assert not AS_DELIVERED.needs_neighbours(pictures[0])
    assert not View(scan=Scan.PROGRESSIVE).needs_neighbours(pictures[0])
    assert View(scan=Scan.TOP_FIRST).needs_neighbours(replace(pictures[0], scan=Scan.PROGRESSIVE))
    assert (seen(pictures[1], View()).planes[0] == one_field(pictures[1]).planes[0]).all()


def test_what_the_profile_says_of_the_fields_and_the_rest_of_the_view_counts():
    pictures = [replace(picture(number), scan=Scan.PROGRESSIVE) for number in range(3)]
    made = clip(pictures, View(scan=Scan.TOP_FIRST, mirror=True))[1]
    assert (made.planes[0][:, ::-1] == moment(2)).all()
