"""Clips of a source with two fields: every frame once, at its time, sharp where nothing moves and without combs."""

from collections.abc import Iterator

import imagecodecs
import numpy as np
import pytest

from gateway.capture.developing import Darkroom
from gateway.capture.prerecord import PreRecord
from gateway.capture.reel import Reel
from gateway.spool.clips import codestreams, read_index
from hardware.sources import Picture, PixelFormat, Scan

ROWS, COLUMNS = 96, 128
STANDS, MOVES = np.s_[:, 8:40], np.s_[:, 48:]


def scene(field: int) -> np.ndarray:
    """Return what is on the screen at the moment of a field: lines that stand, and a bar that moves."""
    made = np.full((ROWS, COLUMNS), 40, np.uint8)
    made[::3, :40] = 210
    left = 50 + (5 * field) % 60
    made[:, left : left + 12] = 200
    return made


def show(box, count: int, *, skip: int = 0, card: bool = False, after: PreRecord | None = None) -> list[int]:
    """Let the source show its next pictures, 40 ms each, or its card; return their numbers."""
    box._counters["us"] += skip
    shown = []
    for _ in range(count):
        box.clock.move(0.04)
        number = box._counters["us"] = box._counters["us"] + 1
        woven = np.full((ROWS, COLUMNS), 235, np.uint8) if card else scene(2 * number)
        if not card:
            woven[1::2] = scene(2 * number + 1)[1::2]
        facts = {"counter": number, "format": PixelFormat.GRAY8, "width": COLUMNS, "height": ROWS}
        box.give("us", Picture(**facts, time_ns=box.clock.boottime_ns(), planes=(woven,), scan=Scan.TOP_FIRST))
        if after:
            after.step()
        shown.append(number)
    return shown


def frames(box, uid: str) -> Iterator[np.ndarray]:
    """Yield the luma of a clip's frames."""
    capture = box.spool.captures.get(uid).capture
    _, entries = read_index(box.spool.layout.index(capture.exam, uid))
    for stream in codestreams(box.spool.layout.frames(capture.exam, uid), entries):
        yield imagecodecs.jpeg8_decode(stream)[..., 0]


def differs(found: np.ndarray, number: int, part: tuple) -> float:
    return float(np.abs(found[part].astype(int) - scene(2 * number)[part]).mean())


@pytest.fixture(autouse=True)
def quality(box):
    """The best JPEG, so that only the fields make a difference."""
    settings = box.grabbers["us"].settings
    box.grabbers["us"].settings = type(settings)(name="us", jpeg_quality=100)


@pytest.fixture
def kept(box) -> PreRecord:
    """The source keeps two seconds; what it does is done by hand."""
    made = PreRecord(
        grabber=box.grabbers["us"],
        seconds=2,
        budget_bytes=1 << 26,
        clock=box.clock,
        wanted=lambda: box.spool.exams.open_one() is not None,
    )
    box.prerecords["us"] = made
    return made


def test_each_frame_is_sharp_where_nothing_moves_and_has_no_comb(box):
    box.exam()
    shown = show(box, 1)
    uid = box.clip()
    shown += show(box, 11)
    box.stop(uid)
    capture = box.spool.captures.get(uid).capture
    assert (capture.frames, capture.lost_frames) == (12, 0)
    assert np.ptp(np.diff(capture.frame_times)) == 0
    for place, (found, number) in enumerate(zip(frames(box, uid), shown, strict=True)):
        assert differs(found, number, MOVES) < 1.5
        if place:
            assert differs(found, number, STANDS) < 1.5
        else:  # nothing before the press may be seen in it
            assert differs(found, number, STANDS) > 10


def test_a_profile_that_wants_one_field_has_it_in_clips_too(box):
    box.exam()
    box.grabbers["us"].view = type(box.grabbers["us"].view)(clip_fields="one")
    shown = show(box, 1)
    uid = box.clip()
    shown += show(box, 4)
    box.stop(uid)
    for found, number in zip(frames(box, uid), shown, strict=True):
        assert differs(found, number, MOVES) < 1.5
        assert differs(found, number, STANDS) > 10


def test_a_gap_is_not_bridged_with_what_was_before_it(box):
    box.exam()
    shown = show(box, 1)
    uid = box.clip()
    shown += show(box, 3) + show(box, 3, skip=4)
    box.stop(uid)
    assert box.spool.captures.get(uid).capture.lost_frames == 4
    found = list(frames(box, uid))
    assert len(found) == 7
    for each, number in zip(found, shown, strict=True):
        assert differs(each, number, MOVES) < 1.5


def test_what_led_to_the_press_is_as_sharp_and_has_nothing_of_the_exam_before(box, kept):
    box.exam("Before^Patient")
    kept.step()
    show(box, 8, after=kept)
    box.exam("Next^Patient", close_open=True)  # before the pre-record looked for an exam again
    opened = box.clock.boottime_ns()
    shown = show(box, 9, after=kept)
    uid = box.clip()
    shown += show(box, 5, after=kept)
    box.stop(uid)
    capture = box.spool.captures.get(uid).capture
    found = list(frames(box, uid))
    assert min(capture.frame_times) >= opened
    numbers = shown[-len(found) :]  # the first picture of an exam may have something of the one before it
    assert len(shown) - len(found) <= 1
    for each, number in zip(found, numbers, strict=True):
        assert differs(each, number, MOVES) < 1.5
    sharp = [differs(each, number, STANDS) < 1.5 for each, number in zip(found, numbers, strict=True)]
    assert sharp.count(True) >= len(found) - 2


def test_no_picture_has_anything_of_the_card_beside_it(box, kept):
    box.exam()
    kept.step()
    show(box, 6, after=kept)
    show(box, 2, card=True, after=kept)
    shown = show(box, 9, after=kept)
    uid = box.clip()
    for cards in (1, 3, 8):
        shown += show(box, 7, after=kept)
        show(box, cards, card=True, after=kept)
    shown += show(box, 7, after=kept)
    box.stop(uid)
    found = list(frames(box, uid))
    if len(found) < len(shown):  # what was made of the first one beside the card is left out
        shown = shown[1:]
    for each, number in zip(found, shown, strict=True):
        assert differs(each, number, MOVES) < 1.5


def test_with_anyway_a_card_leads_to_a_clip_as_a_picture_does(box, kept):
    box.exam()
    kept.step()
    show(box, 6, after=kept)
    show(box, 3, card=True, after=kept)
    shown = show(box, 4, after=kept)
    uid = box.clip(anyway=True)
    box.stop(uid)
    found = list(frames(box, uid))
    assert len(found) == 13
    assert all(each.min() > 230 for each in found[6:9])
    for each, number in zip(found[9:], shown, strict=True):
        assert differs(each, number, MOVES) < 1.5


def test_a_clip_takes_what_was_made_of_a_picture_beside_the_same_ones_alone(box, kept):
    box.exam()
    kept.step()
    show(box, 12, after=kept)
    delivered = box.grabbers["us"].ring.between(0, 1 << 60)
    reel, room = Reel(grabber=box.grabbers["us"], kept=kept), Darkroom(box.grabbers["us"])
    left_out = 7
    shots = [shot for frame in delivered if frame is not delivered[left_out] for shot in room.put(frame)]
    made = [reel.ready(shot) is not None for shot in shots]
    assert made == [True] * (left_out - 1) + [False, False] + [True] * 2
