"""What is plugged in: found by looking, promptly with udev, and without it as well."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hardware.hotplug import Change, Hotplug, Plugged, plugged

CAMERA = Plugged(kind="video4linux", node="video0", port="1-1.4", identity="534d:2109")
PEDAL = Plugged(kind="tty", node="ttyUSB0", port="1-1.2", identity="0403:6001")


class Udev:
    """Hears what a test says; an error in it is raised. `None` is silence, which takes its time."""

    def __init__(self, clock, *said: object) -> None:
        self._clock, self._said = clock, iter(said)

    def poll(self, timeout: float) -> object | None:
        heard = next(self._said, None)
        if isinstance(heard, Exception):
            raise heard
        if heard is None:
            self._clock.move(timeout)
        return heard


@pytest.fixture
def hotplug(clock):
    def of(looks: list[set[Plugged]], *monitors: object) -> Hotplug:
        seen: Iterator[set[Plugged]] = iter(looks)
        made = iter(monitors)

        def monitor() -> Udev:
            found = next(made, OSError("no udev"))
            if isinstance(found, Exception):
                raise found
            return found

        return Hotplug(
            clock_ns=clock.boottime_ns, wait=clock.pause, look=lambda: frozenset(next(seen)), monitor=monitor
        )

    return of


def test_what_comes_and_goes_is_told_once_and_what_was_there_is_not(hotplug):
    plugs = hotplug([{CAMERA}, {CAMERA, PEDAL}, {PEDAL}, {PEDAL}])
    assert plugs.step() == []
    assert plugs.step() == [Change(came=True, what=PEDAL)]
    assert plugs.step() == [Change(came=False, what=CAMERA)]
    assert plugs.step() == []
    assert plugs.seen() == 2


def test_without_udev_it_looks_every_two_seconds(hotplug, clock):
    plugs = hotplug([set()] * 4)
    start = clock.boottime_ns()
    for _ in range(4):
        plugs.step()
    assert clock.boottime_ns() - start == 3 * 2_000_000_000
    assert not plugs.prompt


def test_with_udev_it_looks_as_soon_as_something_is_said(hotplug, clock):
    plugs = hotplug([set(), {CAMERA}], Udev(clock, "add", "bind"))
    plugs.step()
    start = clock.boottime_ns()
    assert plugs.step() == [Change(came=True, what=CAMERA)]
    assert clock.boottime_ns() - start < 100_000_000
    assert plugs.prompt
    assert plugs.seen() == 2  # whoever waits tries again when udev has set the rights, and when the node is there


def test_udev_that_dies_of_a_burst_is_done_without_and_asked_again(hotplug, clock):
    plugs = hotplug([set()] * 20, Udev(clock, "add", OSError("Error while polling fd")), Udev(clock, *["add"] * 2))
    plugs.step()
    plugs.step()
    assert not plugs.prompt
    for _ in range(4):
        plugs.step()
    assert not plugs.prompt
    plugs.step()
    plugs.step()
    assert plugs.prompt


def test_udev_that_talks_without_end_does_not_keep_it_from_looking(hotplug, clock):
    class Chatter:
        def poll(self, timeout: float) -> str:
            clock.move(timeout / 10)
            return "change"

    plugs = hotplug([set(), {CAMERA}], Chatter())
    plugs.step()
    assert plugs.step() == [Change(came=True, what=CAMERA)]


def test_devices_are_told_from_what_the_kernel_has_by_itself(tmp_path: Path):
    usb = tmp_path / "devices/usb1/1-1.4"
    node = usb / "1-1.4:1.0/video4linux/video0"
    node.mkdir(parents=True)
    (usb / "idVendor").write_text("534d\n")
    (usb / "idProduct").write_text("2109\n")
    (node / "uevent").write_text("MAJOR=81\nMINOR=0\nDEVNAME=video0\n")
    (node / "device").symlink_to("../..")
    sys = tmp_path / "class"
    (sys / "video4linux").mkdir(parents=True)
    (sys / "video4linux/video0").symlink_to(node)
    (sys / "video4linux/video1").symlink_to(node.with_name("video1"))  # it goes while it is looked at
    (sys / "tty/console").mkdir(parents=True)
    (sys / "tty/console/uevent").write_text("DEVNAME=console\n")
    assert plugged(sys) == {CAMERA}


def test_this_machine_can_be_looked_at():
    assert all(each.node for each in plugged())
