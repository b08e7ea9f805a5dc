"""Enrolling a pedal: whatever is pressed first is found, and what is printed is a configuration that works."""

from functools import partial

import pytest

from gateway.cli.learn import enrol
from gateway.config import reader
from hardware.input.fakes import FakeMachine
from hardware.triggers.fakes import FakeSerial
from hardware.triggers.learning import Candidate, KeyEar, Listening, SerialEar, ports

F13, F14, CTRL, A = 183, 184, 29, 30
PORT = Candidate(kind="serial", device="/dev/serial/by-path/usb-0:1", name="ttyUSB0")


class Room:
    """A machine with pedals, and somebody who presses at certain times."""

    def __init__(self, tmp_path, clock):
        self.clock = clock
        self.machine = FakeMachine(tmp_path, clock_ns=clock.boottime_ns, wait=clock.pause)
        self.acts = []  # (seconds after the beginning, what is done)
        self.began = clock.boottime_ns()
        self.said = []

    def wait(self, seconds):
        self.clock.pause(seconds)
        while self.acts and self.clock.boottime_ns() - self.began >= self.acts[0][0] * 1e9:
            self.acts.pop(0)[1]()

    def listening(self, *serial_scripts):
        made = Listening(clock_ns=self.clock.boottime_ns, wait=self.wait)
        for device in self.machine.attached.all():
            candidate = Candidate(kind="input", device=device.word, identity=device.identity, name=device.name)
            made.add(candidate, partial(KeyEar, device, calls=self.machine))
        for script in serial_scripts:
            port = FakeSerial(script, clock_ns=self.clock.boottime_ns, wait=self.clock.pause)
            made.add(PORT, partial(SerialEar, PORT.device, connect=port))
        return made

    def enrol(self, *serial_scripts):
        return enrol(self.listening(*serial_scripts), source="us", seconds=30, say=self.said.append)

    def written(self):
        """Return the configuration that was printed."""
        return "\n".join(self.said[self.said.index("Write this into the configuration:\n") + 1 :])


@pytest.fixture
def room(tmp_path, clock):
    return Room(tmp_path, clock)


@pytest.fixture
def triggers_of(tmp_path):
    def read(text):
        path = tmp_path / "scopegate.toml"
        path.write_text(f'[[source]]\nname = "us"\ndevice = "pattern:bars"\n{text}\n')
        return [
            (each.kind, each.device, each.identity, each.still, each.clip)
            for each in reader.read(path, {}).triggers
        ]

    return read


def test_two_keys_of_a_pedal_become_its_configuration(room, triggers_of):
    room.machine.plug(port="1-1.2", identity="046d:c31c", name="keyboard")
    pedal = room.machine.plug(port="1-1.4", name="FootSwitch")
    room.acts = [(5, lambda: pedal.type([F13])), (10, lambda: pedal.type([F14]))]
    assert room.enrol()
    assert room.written() == (
        '[[trigger]]\nkind = "input"\ndevice = "usb:1-1.4"\nidentity = "0c45:7403"\nsource = "us"\n'
        'still = "key:F13"\nclip = "key:F14"'
    )
    assert triggers_of(room.written()) == [("input", "usb:1-1.4", "0c45:7403", "key:0xB7", "key:0xB8")]
    assert "listening to usb:1-1.2 (keyboard, 046d:c31c)" in room.said


def test_bytes_of_a_port_become_its_configuration(room, triggers_of):
    assert room.enrol([(0.2, b"ready\r\n"), (5, b"S\r\n"), (5.7, b"s"), (9, b"C")])
    assert triggers_of(room.written()) == [("serial", PORT.device, "", "byte:0x53", "byte:0x43")]
    assert "heard byte:0x53 on /dev/serial/by-path/usb-0:1, and byte:0x0D, byte:0x0A with it, " in room.said[2]


def test_a_line_of_a_port_becomes_its_configuration_and_one_that_is_on_already_is_no_press(room, triggers_of):
    script = [(0, "+dsr"), (5, "+cts"), (6, "-cts"), (7, "-dsr"), (9, "+dsr")]
    assert room.enrol(script)
    assert triggers_of(room.written()) == [("serial", PORT.device, "", "cts", "dsr")]


def test_a_still_on_one_device_and_a_clip_on_another_become_two_tables(room, triggers_of):
    pedal = room.machine.plug()
    room.acts = [(5, lambda: pedal.type([F13]))]
    assert room.enrol([(9, b"C")])
    assert triggers_of(room.written()) == [
        ("input", "usb:1-1.4", "0c45:7403", "key:0xB7", ""),
        ("serial", PORT.device, "", "", "byte:0x43"),
    ]


def test_the_key_counts_and_not_the_ctrl_that_goes_with_it(room, triggers_of):
    pedal = room.machine.plug()
    room.acts = [(5, lambda: (pedal.press(CTRL), pedal.type([A]), pedal.release(CTRL)))]
    assert room.enrol()
    assert triggers_of(room.written()) == [("input", "usb:1-1.4", "0c45:7403", "key:0x1E", "")]


def test_pressing_the_same_again_makes_a_pedal_for_stills_only(room, triggers_of):
    pedal = room.machine.plug()
    room.acts = [(5, lambda: pedal.type([F13])), (10, lambda: pedal.type([F13]))]
    assert room.enrol()
    assert "That was the same again: it takes stills only." in room.said
    assert triggers_of(room.written()) == [("input", "usb:1-1.4", "0c45:7403", "key:0xB7", "")]


def test_what_is_pressed_while_devices_are_being_opened_is_no_press(room):
    pedal = room.machine.plug()
    room.acts = [(0.5, lambda: pedal.type([F13]))]
    assert not room.enrol()
    assert any(text.startswith("Nobody pressed.") for text in room.said)


def test_a_pedal_that_capture_has_is_named_with_the_reason(room):
    pedal = room.machine.plug()
    fd = room.machine.open(pedal.nodes[0].path)
    room.machine.ioctl(fd, 0x40044590, 1)  # EVIOCGRAB
    assert not room.enrol()
    assert any("not listening to usb:1-1.4" in text and "Another program" in text for text in room.said)
    assert any("There is nothing to listen to" in text for text in room.said)


def test_a_pedal_that_waits_to_be_let_in_is_named_with_what_to_do(room):
    room.machine.plug().wait_for_somebody()
    assert not room.enrol()
    assert any("not listening to usb:1-1.4" in text and "This box, USB devices" in text for text in room.said)


def test_a_pedal_that_is_pulled_out_meanwhile_keeps_nobody_from_enrolling_another(room, triggers_of):
    pedal = room.machine.plug()
    room.acts = [(3, pedal.unplug)]
    assert room.enrol([(5, b"S")])
    assert triggers_of(room.written())[0][3] == "byte:0x53"


def test_other_programs_get_the_keys_while_a_pedal_is_enrolled(room):
    pedal = room.machine.plug()
    room.listening()
    assert not any(node.holder for node in pedal.nodes)


def test_ports_are_named_by_where_they_are_plugged_in(tmp_path):
    dev, sys = tmp_path / "dev", tmp_path / "sys"
    (dev / "serial/by-path").mkdir(parents=True)
    for node in ("ttyUSB0", "ttyACM0", "ttyS0"):
        (dev / node).touch()
    (dev / "serial/by-path/pci-usb-0:1").symlink_to("../../ttyUSB0")
    for name, kind in (("ttyS0", "4"), ("ttyS1", "0")):
        (sys / "class/tty" / name).mkdir(parents=True)
        (sys / "class/tty" / name / "type").write_text(f"{kind}\n")
    found = [(each.device, each.name) for each in ports(sys=sys, dev=dev)]
    assert found == [
        (str(dev / "serial/by-path/pci-usb-0:1"), "ttyUSB0"),
        (str(dev / "ttyACM0"), "ttyACM0"),
        (str(dev / "ttyS0"), "ttyS0"),
    ]
