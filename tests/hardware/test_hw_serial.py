import os
import threading
import time
import tty

import pytest

from gateway.clock import Clock
from hardware.errors import DeviceMissing, DeviceRefused
from hardware.triggers import Action
from hardware.triggers.fakes import FakeSerial, worst_pedal
from hardware.triggers.serial import SerialTrigger

PATIENCE = 5.0  # s; nothing here waits that long unless it is broken


class Line:
    """A pseudo-terminal: what the pedal writes at its end."""

    def __init__(self) -> None:
        self.pedal, self._box = os.openpty()
        tty.setraw(self._box)
        self.name = os.ttyname(self._box)

    def send(self, data: bytes) -> None:
        os.write(self.pedal, data)

    def unplug(self) -> None:
        for end in (self.pedal, self._box):
            if end >= 0:
                os.close(end)
        self.pedal = self._box = -1


@pytest.fixture
def line():
    made = Line()
    yield made
    made.unplug()


@pytest.fixture
def pedal(line, clock):
    """A pedal whose time stands still between bytes unless a test moves it."""
    made = SerialTrigger(device=line.name, clock_ns=clock.boottime_ns, wait=clock.pause)
    made.open()
    yield made
    made.close()


def test_the_configured_bytes_are_presses_and_all_others_are_ignored(line, pedal, clock):
    line.send(b"\x00xS\xff\r\n")
    press = pedal.read(PATIENCE)
    assert (press.action, press.time_ns) == (Action.STILL, clock.boottime_ns())
    line.send(b"sC")
    assert pedal.read(PATIENCE).action is Action.CLIP
    assert pedal.read(0) is None


def test_other_bytes_can_be_chosen_and_one_can_be_left_out(line, clock):
    pedal = SerialTrigger(device=line.name, clock_ns=clock.boottime_ns, wait=clock.pause, still="byte:200", clip="")
    pedal.open()
    line.send(b"\x43\xc8")
    assert pedal.read(PATIENCE).action is Action.STILL
    assert pedal.read(0) is None
    pedal.close()


def test_what_was_pressed_before_opening_does_not_count(line, clock):
    line.send(b"SSCC")
    pedal = SerialTrigger(device=line.name, clock_ns=clock.boottime_ns, wait=clock.pause)
    pedal.open()
    assert pedal.read(0.05) is None
    line.send(b"S")
    assert pedal.read(PATIENCE).action is Action.STILL
    pedal.close()


def test_a_bouncing_or_held_pedal_is_one_press(line, pedal, clock):
    line.send(b"SSSS")
    assert pedal.read(PATIENCE).action is Action.STILL
    for busy_s in (0.03, 0.03, 0.14, 0.03, 0.14):  # a machine with much to do hears it late
        clock.move(busy_s)
        line.send(b"S")
        assert pedal.read(0.02) is None
    clock.move(0.151)
    line.send(b"S")
    assert pedal.read(PATIENCE).action is Action.STILL
    clock.move(0.051)  # let go of: a foot may press again at once
    line.send(b"S")
    assert pedal.read(PATIENCE).action is Action.STILL


def test_two_pedals_pressed_together_are_two_presses(line, pedal):
    line.send(b"SCSC")
    assert [pedal.read(PATIENCE).action for _ in range(2)] == [Action.STILL, Action.CLIP]
    assert pedal.read(0) is None


def test_a_press_has_the_time_at_which_it_came_and_not_the_time_at_which_it_was_fetched(line):
    clock = Clock()
    pedal = SerialTrigger(device=line.name, clock_ns=clock.boottime_ns, wait=clock.pause)
    pedal.open()
    sent: list[int] = []

    def press() -> None:
        sent.append(clock.boottime_ns())
        line.send(b"S")

    delays = []
    for _ in range(5):
        timer = threading.Timer(0.06, press)
        timer.start()
        delays.append(pedal.read(PATIENCE).time_ns)
        timer.join()
    delays = [got - when for got, when in zip(delays, sent, strict=True)]
    assert min(delays) >= 0
    assert min(delays) < 5e6  # the best of five: the others may have met a busy machine
    pedal.close()


def test_nobody_pressing_ends_the_read_in_time(line):
    pedal = SerialTrigger(device=line.name, clock_ns=Clock().boottime_ns, wait=Clock().pause)
    pedal.open()
    start = time.monotonic()
    assert pedal.read(0.05) is None
    assert 0.04 <= time.monotonic() - start < PATIENCE
    pedal.close()


def test_a_line_that_floods_is_one_press_and_is_read_to_its_end(line, pedal):
    block, blocks = b"S" * 4096, 500  # 2 MB; a fast port sends 1 MB/s
    thread = threading.Thread(target=lambda: [line.send(block) for _ in range(blocks)])
    thread.start()
    presses = []
    while thread.is_alive() or pedal.read(0.1):
        presses += filter(None, [pedal.read(0.01)])
    assert [press.action for press in presses] == [Action.STILL]
    thread.join()


def test_a_stream_of_foreign_bytes_does_not_hold_the_reader(line):
    pedal = SerialTrigger(device=line.name, clock_ns=Clock().boottime_ns, wait=Clock().pause)
    pedal.open()
    stop = threading.Event()

    def chatter() -> None:
        while not stop.is_set():
            line.send(b"x")
            stop.wait(0.001)

    thread = threading.Thread(target=chatter)
    thread.start()
    start = time.monotonic()
    assert pedal.read(0.1) is None
    assert time.monotonic() - start < PATIENCE
    stop.set()
    thread.join()
    pedal.close()


def test_an_unplugged_pedal_is_missing(line, pedal):
    line.unplug()
    with pytest.raises(DeviceMissing, match="plug it in"):
        pedal.read(PATIENCE)
    pedal.close()
    pedal.close()
    with pytest.raises(DeviceMissing, match="no serial port"):
        pedal.open()


def test_a_pedal_that_was_closed_says_so(pedal):
    pedal.close()
    with pytest.raises(DeviceMissing, match="not open"):
        pedal.read(0)


@pytest.mark.usefixtures("pedal")
def test_a_port_that_another_program_uses_or_that_is_no_port_is_refused(line, clock, tmp_path):
    with pytest.raises(DeviceRefused, match="no other program"):
        SerialTrigger(device=line.name, clock_ns=clock.boottime_ns, wait=clock.pause).open()
    plain = tmp_path / "ttyUSB0"
    plain.touch()
    with pytest.raises(DeviceRefused, match="is a serial port"):
        SerialTrigger(device=str(plain), clock_ns=clock.boottime_ns, wait=clock.pause).open()


@pytest.mark.parametrize("word", ["S", "byte:", "byte:256", "byte:0x1FF", "byte:-1", "key:F1", "rts"])
def test_a_word_that_is_no_byte_and_no_line_is_refused(word, clock):
    with pytest.raises(DeviceRefused, match="not a byte or a line"):
        SerialTrigger(device="/dev/null", clock_ns=clock.boottime_ns, wait=clock.pause, still=word)


def test_one_byte_cannot_mean_both(clock):
    with pytest.raises(DeviceRefused, match="use two"):
        SerialTrigger(
            device="/dev/null", clock_ns=clock.boottime_ns, wait=clock.pause, still="byte:65", clip="byte:0x41"
        )


# --- lines: a pseudo-terminal has none, so the port is a stand-in --------------------------------------------


@pytest.fixture
def contact(clock):
    """Make a pedal on a line of a port that follows a script; lines are looked at, bytes wake the reader."""

    def make(*scripts, **words):
        port = FakeSerial(*scripts, clock_ns=clock.boottime_ns, wait=clock.pause)
        words = {"still": "cts", "clip": ""} | words
        pedal = SerialTrigger(
            device="/dev/ttyUSB0", clock_ns=clock.boottime_ns, wait=clock.pause, connect=port, **words
        )
        pedal.open()
        return pedal, port

    return make


def presses(pedal, clock, seconds):
    """Read for that long; return the presses as (action, seconds after the beginning)."""
    began, found = clock.boottime_ns(), []
    while clock.boottime_ns() - began < seconds * 1e9:
        if press := pedal.read(0.5):
            found.append((press.action, (press.time_ns - began) / 1e9))
    return found


def test_a_line_that_goes_on_is_a_press_seen_within_5_ms(contact, clock):
    pedal, _ = contact([(0.1234, "+cts"), (0.5, "-cts"), (1.0071, "+cts"), (1.2, "-cts")])
    found = presses(pedal, clock, 2)
    assert [action for action, _ in found] == [Action.STILL, Action.STILL]
    assert all(0 <= seen - made <= 0.005 for (_, seen), made in zip(found, (0.1234, 1.0071), strict=True))


@pytest.mark.parametrize("line", ["cts", "dsr", "cd", "ri"])
def test_every_line_of_a_port_can_be_the_pedal_and_the_others_are_left_alone(contact, clock, line):
    others = [(0.1, f"+{other}") for other in ("cts", "dsr", "cd", "ri") if other != line]
    pedal, _ = contact([*others, (0.3, f"+{line}")], still="", clip=line)
    assert [action for action, _ in presses(pedal, clock, 1)] == [Action.CLIP]


def test_bytes_and_lines_of_one_port_work_together(contact, clock):
    script = [(0.1, "+cts"), (0.11, b"C"), (0.3, "-cts"), (0.4, b"xx"), (0.5, "+cts"), (0.5, b"C")]
    pedal, _ = contact(script, still="cts", clip="byte:0x43")
    still, clip = Action.STILL, Action.CLIP
    found = presses(pedal, clock, 1)
    assert [action for action, _ in found[:2]] == [still, clip]
    assert sorted(action for action, _ in found[2:]) == [clip, still]


def test_a_contact_that_bounces_or_chatters_or_is_held_is_one_press(contact):
    pedal, port = contact(worst_pedal())
    found = []
    with pytest.raises(DeviceMissing, match="unplugged"):
        found.extend(iter(lambda: pedal.read(0.5), "never"))
    assert [round(press.time_ns / 1e9 - 1, 1) for press in found if press] == [0.1, 3.0, 5.0]
    assert port.looks <= 5.2 / 0.005 + 10  # seconds of flood or chatter take no more than silence does
    pedal.close()
    with pytest.raises(DeviceMissing):
        pedal.open()


def test_a_contact_that_is_closed_when_the_port_is_opened_has_to_open_first(contact, clock):
    pedal, _ = contact([(0, "+cts"), (0.5, "-cts"), (1.0, "+cts")], [(0, "+cts")])
    assert [round(when, 1) for _, when in presses(pedal, clock, 2)] == [1.0]
    pedal.open()  # plugged out and in with the foot on it
    assert presses(pedal, clock, 1) == []


def test_a_port_without_lines_is_refused_when_a_line_is_the_pedal(line, clock):
    pedal = SerialTrigger(device=line.name, clock_ns=clock.boottime_ns, wait=clock.pause, still="cts")
    with pytest.raises(DeviceRefused, match="no lines such as CTS"):
        pedal.open()
    SerialTrigger(device=line.name, clock_ns=clock.boottime_ns, wait=clock.pause).open()  # it was let go
