"""A GPIO chip as the kernel's interface has it (linux/gpio.h): what it is asked, and the bytes that it answers."""

import errno
import fcntl
import os
import struct

import pytest

from hardware.errors import DeviceMissing, DeviceRefused
from hardware.gpio import PinChange, Wiring
from hardware.gpio.chip import drive, listen

INPUT, OUTPUT, RISING, FALLING, PULL_UP, PULL_DOWN, ACTIVE_LOW = 4, 8, 16, 32, 256, 512, 2  # GPIO_V2_LINE_FLAG_*
CHIP_INFO, GET_LINE, GET_VALUES, SET_VALUES = 1, 7, 14, 15  # the numbers of their ioctls


class Kernel:
    """Answers the ioctls of a chip with 32 lines, in the sizes and places that linux/gpio.h gives them."""

    def __init__(self) -> None:
        self.requests: list[tuple[list[int], bytes, int]] = []  # lines, who, flags
        self.values = 0
        self.driven: list[int] = []
        self.refuses = 0  # an errno
        self.reader, self.writer = os.pipe()

    def __call__(self, _: object, request: int, argument: object = 0) -> int:
        kind, number, size = request >> 8 & 0xFF, request & 0xFF, request >> 16 & 0x3FFF
        assert kind == 0xB4
        view = memoryview(argument).cast("B")  # type: ignore[call-overload]
        assert len(view) == size == {CHIP_INFO: 68, GET_LINE: 592, GET_VALUES: 16, SET_VALUES: 16}[number]
        if self.refuses and number != CHIP_INFO:
            raise OSError(self.refuses, os.strerror(self.refuses))
        if number == CHIP_INFO:
            view[64:68] = struct.pack("I", 32)
        elif number == GET_LINE:
            lines = struct.unpack_from("I", view, 560)[0]
            flags, attributes = struct.unpack_from("QI", view, 288)
            assert attributes == 0
            offsets = list(struct.unpack_from(f"{lines}I", view, 0))
            self.requests.append((offsets, bytes(view[256:288]).rstrip(b"\0"), flags))
            view[588:592] = struct.pack("i", os.dup(self.reader))
        elif number == GET_VALUES:
            view[0:8] = struct.pack("Q", self.values)
        else:
            bits, mask = struct.unpack("QQ", view)
            assert mask == 1
            self.driven.append(bits)
        return 0

    def edge(self, pin: int, *, rising: bool, time_ns: int, sequence: int) -> None:
        os.write(self.writer, struct.pack("QIIII24x", time_ns, 1 if rising else 2, pin, sequence, sequence))


@pytest.fixture
def kernel(monkeypatch):
    made = Kernel()
    monkeypatch.setattr(fcntl, "ioctl", made)
    yield made
    os.close(made.reader)
    os.close(made.writer)


@pytest.fixture
def chip(tmp_path):
    path = tmp_path / "gpiochip0"
    path.touch()
    return str(path)


def test_a_contact_to_ground_is_asked_for_with_its_pull_up(kernel, chip):
    listen(chip, (17, 27), Wiring()).close()
    assert kernel.requests == [([17, 27], b"scopegate", INPUT | RISING | FALLING | ACTIVE_LOW | PULL_UP)]


@pytest.mark.parametrize(
    ("wiring", "flags"),
    [
        (Wiring(active="high"), PULL_DOWN),
        (Wiring(active="high", bias="none"), 0),
        (Wiring(active="low", bias="pull-down"), ACTIVE_LOW | PULL_DOWN),
    ],
)
def test_other_wirings_are_asked_for_as_they_are_said(kernel, chip, wiring, flags):
    listen(chip, (4,), wiring).close()
    assert kernel.requests[0][2] == INPUT | RISING | FALLING | flags


def test_edges_are_read_with_the_kernels_time_and_dropped_ones_are_noticed(kernel, chip):
    inputs = listen(chip, (17, 27), Wiring())
    kernel.edge(17, rising=True, time_ns=2**53 + 1, sequence=1)  # a time that no float holds
    kernel.edge(27, rising=False, time_ns=2**53 + 3, sequence=2)
    seen = inputs.changes(1)
    assert seen.changes == (
        PinChange(pin=17, closed=True, time_ns=2**53 + 1),
        PinChange(pin=27, closed=False, time_ns=2**53 + 3),
    )
    assert not seen.lost
    kernel.edge(17, rising=False, time_ns=2**53 + 5, sequence=9)
    assert inputs.changes(1).lost
    assert inputs.changes(0).changes == ()
    kernel.values = 0b10
    assert inputs.closed() == {27}
    inputs.close()


def test_a_lamp_is_switched_on_and_off_and_left_dark(kernel, chip):
    lamp = drive(chip, 22, Wiring(active="high"))
    assert kernel.requests == [([22], b"scopegate", OUTPUT)]
    lamp.set(True)
    lamp.set(False)
    lamp.set(True)
    lamp.close()
    lamp.close()
    assert kernel.driven == [1, 0, 1, 0]


def test_a_pin_that_is_used_or_that_the_chip_has_not_is_refused_and_a_chip_that_goes_is_missing(kernel, chip):
    with pytest.raises(DeviceRefused, match="pins 0 to 31, not 32"):
        listen(chip, (32,), Wiring())
    inputs = listen(chip, (1,), Wiring())
    kernel.refuses = errno.EBUSY
    with pytest.raises(DeviceRefused, match="used by something else"):
        drive(chip, 1, Wiring())
    kernel.refuses = errno.ENXIO
    with pytest.raises(DeviceRefused, match="for lamps only"):
        listen(chip, (1,), Wiring())
    kernel.refuses = errno.ENODEV
    with pytest.raises(DeviceMissing):
        inputs.closed()
    inputs.close()
