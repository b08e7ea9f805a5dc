"""What a clip has of the time before its press are pictures alone, by the same rule as what follows it."""

from collections.abc import Iterable

import numpy as np
import pytest

from gateway.capture.prerecord import PreRecord
from gateway.capture.watch import Watch
from hardware.looks import Look
from hardware.sources import Picture
from hardware.sources.pattern import Pattern
from tests.unit.capture.conftest import SIZE
from tests.unit.capture.screens import BLUE, numbers, scan, show

BARS = Pattern("bars", SIZE)
BLACK = np.full((SIZE[1], SIZE[0], 3), 16, np.uint8)


class Device:
    """A source whose last two seconds are kept; `late`: what came last is not looked at before the press."""

    def __init__(self, box, watch: type[Watch] = Watch) -> None:
        self.box = box
        grabber = box.grabbers["us"]
        grabber.watch = watch(ring=grabber.ring, clock=box.clock)
        self.exam = box.exam()
        self.kept = PreRecord(
            grabber=grabber,
            seconds=2,
            budget_bytes=1 << 26,
            clock=box.clock,
            wanted=lambda: box.spool.exams.open_one() is not None,
        )
        box.prerecords["us"] = self.kept
        self.kept.step()

    def shows(self, screens: Iterable[np.ndarray], *, late: bool = False) -> list[int]:
        """Show these, 40 ms each; return their numbers."""
        shown = []
        for pixels in screens:
            show(self.box, pixels)
            shown.append(self.box._counters["us"])
            if not late:
                self.kept.step()
        return shown

    def scans(self, count: int, *, late: bool = False) -> list[int]:
        return self.shows((scan(number) for number in self._next(count)), late=late)

    def moving_bars(self, count: int) -> list[int]:
        return self.shows(BARS.draw(number) for number in self._next(count))

    def _next(self, count: int) -> range:
        first = self.box._counters["us"] + 1
        return range(first, first + count)

    def clip(self, **values: object) -> list[int | None]:
        """Press and stop; return the numbers in the clip's pictures."""
        uid = self.box.clip(**values)
        self.box.stop(uid)
        return numbers(self.box, self.exam, uid)


@pytest.fixture
def device(box) -> Device:
    return Device(box)


@pytest.mark.parametrize("late", [False, True], ids=["looked at", "late"])
@pytest.mark.parametrize("frames", [7, 20, 37])
def test_bars_that_stood_before_the_press_are_in_no_clip(device, frames, late):
    device.scans(9)
    device.shows([BARS.draw(0)] * frames, late=late)
    pictures = device.scans(4, late=late)
    assert device.clip() == pictures


def test_bars_in_the_frame_of_the_press_are_what_was_on_the_screen_and_those_before_it_are_in_no_clip(device):
    device.scans(9)
    device.shows([BARS.draw(0)] * 20)
    assert device.clip() == [0]


@pytest.mark.parametrize("late", [False, True], ids=["looked at", "late"])
@pytest.mark.parametrize("card", [BLUE, BLACK], ids=["blue", "black"])
@pytest.mark.parametrize("frames", [1, 3, 12])
def test_a_clip_begins_with_the_picture_after_a_card_however_short_that_was(device, frames, card, late):
    device.scans(11)
    device.shows([card] * frames, late=late)
    pictures = device.scans(3, late=late)
    assert device.clip() == pictures


def test_a_card_that_ends_at_the_press_is_in_no_clip(device):
    device.scans(11)
    device.shows([BLUE] * 3)
    device.shows([BLUE] * 2, late=True)
    pressed = device.scans(1, late=True)
    assert device.clip() == pressed


def test_what_leads_to_a_press_ends_after_the_last_of_several_cards(device):
    for card in (BLUE, BARS.draw(0), BLACK):
        device.scans(4)
        device.shows([card] * 2)
    pictures = device.scans(7)
    assert device.clip() == pictures


def test_bars_that_move_lead_to_a_clip(device):
    pictures = device.scans(8) + device.moving_bars(20) + device.scans(2)
    assert device.clip() == pictures


def test_with_anyway_a_clip_has_all_that_led_to_it(device):
    before = device.scans(8)
    device.shows([BLUE] * 6)
    device.shows([BARS.draw(0)] * 6)
    assert device.clip(anyway=True) == [*before, *[None] * 6, *[0] * 6]


def test_a_press_on_an_older_picture_of_the_screen_has_what_led_to_that_one(device):
    device.scans(6)
    device.shows([BLUE])
    pictures = device.scans(9)
    first = device.box.grabbers["us"].ring.get(device.box.grabbers["us"].ring.newest().sequence - 5)
    device.shows([BLUE] * 3)
    assert device.clip(frame=first.sequence)[:4] == pictures[:4]


def test_a_clip_that_lags_behind_the_ring_has_no_card_from_what_was_compressed_for_it(boxes):
    box = boxes(ring_bytes=1)
    device = Device(box)
    pictures = device.scans(3)
    uid = box.clip()
    box.disk.held = lambda operation, name: operation == "write" and ".frames" in name
    pictures += device.scans(9)
    assert box.disk.waiting.acquire(timeout=10)
    device.shows([BARS.draw(0)] * 12)
    pictures += device.scans(5)
    device.shows([BLUE] * 7)
    pictures += device.scans(10)
    box.disk.moves.set()
    box.stop(uid)
    assert numbers(box, device.exam, uid) == pictures
    assert box.spool.captures.get(uid).capture.lost_frames == 0


def test_of_what_a_scanner_shows_one_picture_in_a_fifth_of_a_second_is_looked_at(box):
    looked = []

    class Counting(Watch):
        def look(self, picture: Picture) -> Look:
            looked.append(picture.counter)
            return super().look(picture)

    device = Device(box, Counting)
    pictures = device.scans(50)
    assert 8 <= len(looked) <= 10
    pictures += device.scans(3, late=True)
    looked.clear()
    assert device.clip() == pictures[-51:]
    assert len(set(looked)) <= 2
