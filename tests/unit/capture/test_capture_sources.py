"""Ring and grabber: frames within a budget, sequences that are never reused, sources that go and come back."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gateway.capture.grabber import Grabber
from gateway.capture.plugs import note
from gateway.capture.ring import Ring
from gateway.capture.service import next_start
from gateway.capture.stuck import end_when_stuck
from gateway.clock import FakeClock
from gateway.config.settings import Source
from gateway.spool.opening import open_spool
from hardware.errors import DeviceMissing, DeviceRefused
from hardware.fakes import ScriptedSource, pictures, worst_source
from hardware.hotplug import Hotplug, Plugged
from hardware.sources import Loss, Picture
from hardware.views import Box, View
from tests.empty_index import with_index

FRAME_BYTES = 320 * 180 * 3


def ring_of(count: int, *, budget: int = 0, first: int = 0) -> Ring:
    ring = Ring(start_counter=5, budget_bytes=budget)
    for picture in pictures(count, start_ns=1_000_000_000, first=first):
        ring.put(picture)
    return ring


def test_a_ring_keeps_eight_frames_at_least_and_more_within_its_budget():
    assert sum(ring_of(20).get((5 << 32) | number) is not None for number in range(1, 21)) == 8
    ring = ring_of(20, budget=FRAME_BYTES * 12)
    assert sum(ring.get((5 << 32) | number) is not None for number in range(1, 21)) == 12
    assert ring.get((5 << 32) | 8) is None
    assert ring.evicted
    assert not ring_of(3).evicted


def test_a_gap_in_the_counter_is_counted_as_lost_and_the_sequence_jumps():
    ring = ring_of(3)
    (picture,) = pictures(1, start_ns=2_000_000_000, first=7)
    assert ring.put(picture).sequence == (5 << 32) | 8
    assert ring.lost == 4


def test_a_counter_set_anew_is_no_loss_and_the_sequence_goes_on():
    ring = ring_of(3, first=10)
    (back,) = pictures(1, start_ns=2_000_000_000, first=0)
    assert ring.put(back).sequence == (5 << 32) | 4
    (wild,) = pictures(1, start_ns=2_000_000_000, first=1 << 31)
    assert ring.put(wild).sequence == (5 << 32) | 5
    ring.reopened()
    (again,) = pictures(1, start_ns=2_000_000_000, first=(1 << 31) + 50)
    assert ring.put(again).sequence == (5 << 32) | 6
    assert ring.lost == 0


def test_the_rate_is_measured_and_unknown_at_first():
    assert ring_of(1).rate() == 0
    assert ring_of(10, budget=FRAME_BYTES * 20).rate() == 30.0


def test_frames_are_found_by_time_and_by_what_follows():
    ring = ring_of(4, budget=FRAME_BYTES * 20)
    first, last = ring.newest_by(1_000_000_000, 0), ring.newest()
    assert first.sequence == (5 << 32) | 1
    assert ring.newest_by(999_999_999, 0) is None
    assert ring.after(first.sequence, 0).sequence == first.sequence + 1
    assert ring.after(last.sequence, 0) is None
    assert ring.first_since(last.time_ns, 0) is last
    assert ring.first_since(last.time_ns + 1, 0) is None


def test_starts_are_counted_durably_and_sequences_stay_below_two_to_the_53(tmp_path):
    spool = open_spool(with_index(tmp_path / "data"), clock=FakeClock())
    path = tmp_path / "data" / "capture.start"
    assert [next_start(spool, path) for _ in range(3)] == [1, 2, 3]
    path.write_text(f"{(1 << 21) - 2}\n")
    last = next_start(spool, path)
    assert last == (1 << 21) - 1
    assert ((last << 32) | 0xFFFF_FFFF) < 2**53
    assert next_start(spool, path) == 0
    spool.close()


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe", b"abc"])
def test_a_damaged_count_starts_far_from_what_was_used(tmp_path, damage):
    spool = open_spool(with_index(tmp_path / "data"), clock=FakeClock())
    path = tmp_path / "data" / "capture.start"
    path.write_bytes(damage)
    start = next_start(spool, path)
    assert 1 << 20 <= start < 1 << 21
    assert next_start(spool, path) == start + 1
    spool.close()


def test_a_count_on_a_bad_sector_does_not_keep_the_picture_away(box):
    path = box.root / "capture.start"
    path.symlink_to("/proc/self/mem")  # reading its first byte is EIO, as of a bad sector
    start = next_start(box.spool, path)
    assert 1 << 20 <= start < 1 << 21
    assert next_start(box.spool, path) == start + 1


def test_a_full_disk_does_not_keep_the_picture_away(box):
    box.disk.full = lambda _step, _name: True
    assert 1 << 20 <= next_start(box.spool, box.root / "capture.start") < 1 << 21


def grabber(source: ScriptedSource, clock: FakeClock) -> Grabber:
    ring = Ring(start_counter=1, budget_bytes=1 << 20)
    return Grabber(settings=Source(name="us"), source=source, ring=ring, clock=clock)


def test_a_source_that_was_unplugged_is_opened_again_and_its_sequence_goes_on(clock):
    now = clock.boottime_ns()
    source = ScriptedSource(pictures(2, start_ns=now), pictures(2, start_ns=now))
    eye = grabber(source, clock)
    assert eye.state.signal == "no-signal"
    assert [eye.step() for _ in range(3)] == [True, True, False]
    assert (eye.state.signal, eye.state.code) == ("missing", "VID-04")
    assert eye.state.what == "The scripted device was unplugged."
    assert [eye.step() for _ in range(2)] == [True, True]
    assert (eye.state.signal, eye.state.width, eye.state.height) == ("live", 320, 180)
    assert eye.ring.newest().sequence == (1 << 32) | 4
    assert eye.ring.lost == 0
    assert (source.opened, source.closed) == (2, 1)


def test_a_source_that_refuses_and_one_without_signal_are_told_apart(clock):
    source = ScriptedSource([DeviceRefused("It gives another size.")], [None] * 11, wait=clock.pause)
    eye = grabber(source, clock)
    assert not eye.step()
    assert (eye.state.signal, eye.state.code, eye.state.what) == ("refused", "VID-05", "It gives another size.")
    assert "cable" not in eye.state.action
    assert all(eye.step() for _ in range(10))
    assert eye.state.signal == "refused"  # nothing was heard of it since
    assert not eye.step()
    assert (eye.state.signal, eye.state.code) == ("no-signal", "VID-01")
    assert "cable" in eye.state.action
    since = eye.state.since
    clock.move(5)
    assert not eye.step()
    assert eye.state.since != since


def test_a_source_that_changes_all_the_time_does_not_fill_the_journal(clock, caplog):
    def mad() -> Iterator[Picture]:
        for number in range(700):
            clock.move(0.1)
            yield from pictures(1, start_ns=clock.boottime_ns(), first=number, size=(320 + 2 * (number % 2), 180))

    eye = grabber(ScriptedSource(mad()), clock)
    with caplog.at_level(logging.INFO, "gateway.capture.grabber"):
        while eye.step():
            pass
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 20 + 2  # of 70 s
    assert said[0].endswith("size=320x180")
    assert said[-1].split("left_out=")[1] == "299"


@pytest.mark.parametrize(
    ("loss", "code"), [(Loss.NO_SIGNAL, "VID-01"), (Loss.NO_CABLE, "VID-06"), (Loss.OUT_OF_RANGE, "VID-07")]
)
def test_what_the_device_says_of_its_input_is_said_until_the_picture_is_back(clock, loss, code):
    now = clock.boottime_ns()
    eye = grabber(ScriptedSource([*pictures(1, start_ns=now), loss, *pictures(1, start_ns=now, first=1)]), clock)
    assert eye.step()
    assert eye.step()
    assert (eye.state.signal, eye.state.code) == (loss.value, code)
    assert eye.state.what
    assert eye.step()
    assert (eye.state.signal, eye.state.code, eye.state.what) == ("live", "", "")


def test_a_picture_that_the_masks_are_not_for_is_no_live_picture_and_is_kept_nowhere(clock):
    now = clock.boottime_ns()
    script = [
        *pictures(1, start_ns=now, size=(640, 360)),
        *pictures(1, start_ns=now, first=1),
        *pictures(1, start_ns=now, first=2, size=(640, 360)),
    ]
    eye = grabber(ScriptedSource(script), clock)
    eye.view = View(size=(320, 180), masks=(Box(x=0, y=0, width=90, height=20),))
    assert eye.step()
    assert (eye.state.signal, eye.state.code, eye.ring.newest()) == ("refused", "VID-05", None)
    assert eye.state.what.startswith("The picture is 640 x 360 now, and the masks")
    assert eye.step()
    assert eye.state.signal == "live"
    assert eye.step()
    assert (eye.state.signal, eye.ring.newest().picture.width) == ("refused", 320)


def test_the_worst_grabber_of_its_kind_gets_through(clock):
    eye = grabber(ScriptedSource(worst_source(start_ns=clock.boottime_ns())), clock)
    while eye.step():
        pass
    assert eye.ring.lost == 7 + 26 + 45
    assert eye.state.signal == "missing"


def test_a_source_that_stands_still_is_opened_anew_and_says_so(clock):
    now = clock.boottime_ns()
    silence = [*pictures(1, start_ns=now), *[None] * 12]
    source = ScriptedSource(silence, [None, None, *pictures(1, start_ns=now)], wait=clock.pause)
    eye = grabber(source, clock)
    assert all(eye.step() for _ in range(11))
    assert (eye.state.signal, eye.state.code) == ("no-signal", "VID-01")
    assert not eye.step()
    assert (eye.state.signal, eye.state.code) == ("stopped", "VID-02")
    assert (source.opened, source.closed) == (1, 1)
    assert eye.step()
    assert eye.state.signal == "stopped"
    assert eye.step()
    assert eye.step()
    assert eye.state.signal == "live"
    assert source.opened == 2


def test_a_source_that_says_why_it_is_silent_is_left_alone(clock):
    source = ScriptedSource([Loss.NO_SIGNAL] * 100, wait=clock.pause)
    eye = grabber(source, clock)
    for _ in range(100):
        assert eye.step()
        clock.move(0.5)
    assert source.opened == 1


class Stuck:
    """A source whose driver does not return from this call until it is told to."""

    def __init__(self, call: str) -> None:
        self._call = call
        self.entered, self.free = threading.Event(), threading.Event()

    def open(self) -> None:
        self._enter("open")

    def read(self, timeout: float) -> None:
        del timeout
        self._enter("read")

    def close(self) -> None:
        self._enter("close")

    def _enter(self, call: str) -> None:
        if call == self._call:
            self.entered.set()
            self.free.wait(10)


@contextmanager
def stepping(eye: Grabber, source: Stuck) -> Iterator[None]:
    """Hold a source's thread in its driver meanwhile."""
    thread = threading.Thread(target=eye.step)
    thread.start()
    assert source.entered.wait(10)
    yield
    source.free.set()
    thread.join(10)


@pytest.mark.parametrize(("call", "seconds"), [("read", 10), ("open", 30)])
def test_a_driver_that_does_not_return_ends_the_process_and_one_that_is_slow_does_not(clock, call, seconds):
    source = Stuck(call)
    eye = grabber(source, clock)
    end_when_stuck({"us": eye})
    with stepping(eye, source):
        clock.move(seconds)
        end_when_stuck({"us": eye})
        clock.move(1)
        with pytest.raises(RuntimeError, match="does not return"):
            end_when_stuck({"us": eye})
    clock.move(100)
    end_when_stuck({"us": eye})


def test_a_device_that_was_slow_to_open_has_its_time_for_the_first_picture(clock):
    class Slow(Stuck):
        def open(self) -> None:
            clock.move(25)

    source = Slow("read")
    eye = grabber(source, clock)
    with stepping(eye, source):
        clock.move(9)
        end_when_stuck({"us": eye})
        clock.move(2)
        with pytest.raises(RuntimeError, match="does not return"):
            end_when_stuck({"us": eye})


def test_a_box_that_slept_while_a_picture_was_waited_for_goes_on(clock):
    source = Stuck("read")
    eye = grabber(source, clock)
    with stepping(eye, source):
        clock.suspend(3600)
        end_when_stuck({"us": eye})


def test_a_device_that_is_plugged_in_is_opened_at_once_and_without_that_word_after_a_second():
    waited: list[int] = []

    class Clocked(FakeClock):
        def wait(self, stop: threading.Event, seconds: float) -> bool:
            waited.append(1)
            if len(waited) == 23:
                stop.set()
            return super().wait(stop, seconds)

    ring = Ring(start_counter=1, budget_bytes=1 << 20)
    source = ScriptedSource([DeviceMissing("gone")], [DeviceMissing("gone")], [])
    plugged = iter([0, 0, 0, 1, *[1] * 99])
    Grabber(
        settings=Source(name="us"), source=source, ring=ring, clock=Clocked(), plugged=lambda: next(plugged)
    ).run(threading.Event())
    assert source.opened == 3
    assert len(waited) == 23  # 3 after the word, then 10 and 10


def test_what_is_plugged_in_and_out_stands_in_the_log(clock, caplog):
    camera = Plugged(kind="video4linux", node="video0", port="1-1.4", identity="534d:2109")
    looks = iter([frozenset(), frozenset({camera}), frozenset()])

    def no_udev() -> None:
        raise OSError

    hotplug = Hotplug(clock_ns=clock.boottime_ns, wait=clock.pause, look=lambda: next(looks), monitor=no_udev)
    caplog.set_level("INFO")
    for _ in range(3):
        note(hotplug)
    said = [record.getMessage() for record in caplog.records]
    assert [line.split()[0] for line in said] == ["device_plugged", "device_unplugged"]
    assert "usb=1-1.4 identity=534d:2109" in said[0]
    assert hotplug.seen() == 2
