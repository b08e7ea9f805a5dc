"""Pedals, keyboards and scanners with keys: the kernel's events are a stand-in's, byte for byte."""

import errno
import os

import pytest

from hardware.errors import DeviceMissing, DeviceRefused
from hardware.input.attached import Attached
from hardware.input.fakes import FakeMachine
from hardware.input.node import Kernel, Node, ready
from hardware.triggers import Action
from hardware.triggers.input import InputTrigger

F13, F14, A, ENTER = 183, 184, 30, 28


@pytest.fixture
def machine(tmp_path, clock):
    return FakeMachine(tmp_path, clock_ns=clock.boottime_ns, wait=clock.pause)


@pytest.fixture
def trigger(machine, clock):
    def make(device="usb:1-1.4", **words):
        words = {"still": f"key:{F13}", "clip": f"key:{F14}"} | words
        return InputTrigger(
            device=device,
            clock_ns=clock.boottime_ns,
            wait=clock.pause,
            attached=machine.attached,
            calls=machine,
            ready=machine.ready,
            **words,
        )

    return make


@pytest.fixture
def opened(trigger):
    def make(*words, **more):
        made = trigger(*words, **more)
        made.open()
        return made

    return make


def all_of(trigger) -> list[Action]:
    """Read until nobody presses any more."""
    found = []
    while press := trigger.read(0.2):
        found.append(press.action)
    return found


def test_a_key_that_goes_down_is_a_press_with_the_kernels_time(machine, opened, clock):
    pedal = machine.plug()
    trigger = opened()
    clock.move(1)
    made = clock.boottime_ns()
    pedal.press(F13)
    clock.move(0.3)  # the reader was busy
    press = trigger.read(1)
    assert press.action is Action.STILL
    assert abs(press.time_ns - made) < 1000  # the kernel gives whole microseconds
    pedal.release(F13)
    assert trigger.read(0.1) is None


def test_a_pedal_that_is_held_repeats_its_key_and_is_one_press(machine, opened):
    pedal = machine.plug()
    trigger = opened()
    pedal.press(F13)
    pedal.hold(F13, 10)
    assert all_of(trigger) == [Action.STILL]
    pedal.release(F13)
    assert all_of(trigger) == []


def test_a_key_that_bounces_is_one_press(machine, opened, clock):
    pedal = machine.plug()
    trigger = opened()
    pedal.type([F13] * 8, every_s=0.01)
    assert all_of(trigger) == [Action.STILL]
    clock.move(0.1)
    pedal.press(F13)
    assert all_of(trigger) == [Action.STILL]


def test_two_keys_of_one_pedal_are_still_and_clip(machine, opened):
    pedal = machine.plug()
    trigger = opened()
    pedal.type([F14, A, F13], every_s=0.05)
    assert all_of(trigger) == [Action.CLIP, Action.STILL]


def test_a_scanner_that_types_garbage_presses_nothing_and_takes_no_time(machine, opened, clock):
    scanner = machine.plug(name="scanner")
    trigger = opened()
    before, began = machine.reads, clock.boottime_ns()
    for _ in range(50):
        scanner.type([A, ENTER] * 10)
        assert trigger.read(0.02) is None
    looks = (clock.boottime_ns() - began) / 1e9 / 0.005
    assert machine.reads - before <= len(scanner.nodes) * looks


def test_all_nodes_of_the_device_are_listened_to_and_taken_from_everybody_else(machine, opened):
    pedal = machine.plug(nodes=3)
    trigger = opened()
    assert all(node.holder for node in pedal.nodes)
    pedal.nodes[0].change(F14, down=True)
    assert all_of(trigger) == [Action.CLIP]
    trigger.close()
    assert not any(node.holder for node in pedal.nodes)


def test_a_node_that_comes_late_is_listened_to_as_well(machine, opened, clock):
    pedal = machine.plug(nodes=1)
    trigger = opened()
    pedal.grow()
    clock.move(2.1)
    assert trigger.read(0.1) is None
    pedal.press(F13)  # on the new one
    assert all_of(trigger) == [Action.STILL]


def test_a_pedal_whose_keys_another_program_has_is_refused(machine, opened, trigger):
    machine.plug()
    opened()
    with pytest.raises(DeviceRefused, match="Another program"):
        trigger().open()


def test_presses_that_the_kernel_had_to_drop_are_seen_all_the_same(machine, opened):
    pedal = machine.plug()
    trigger = opened()
    pedal.type([A] * 40)
    pedal.press(F13)
    pedal.type([A] * 40)  # the kernel keeps 64 events: the press is not among them
    assert all_of(trigger) == [Action.STILL]
    pedal.type([A] * 40)
    pedal.release(F13)
    pedal.type([A] * 40)
    assert all_of(trigger) == []
    pedal.press(F13)
    assert all_of(trigger) == [Action.STILL]


def test_a_key_that_was_down_before_the_pedal_was_opened_does_not_count(machine, opened):
    pedal = machine.plug()
    pedal.press(F13)
    trigger = opened()
    pedal.hold(F13, 1)
    assert all_of(trigger) == []
    pedal.release(F13)
    assert trigger.read(0.1) is None
    pedal.press(F13)
    assert all_of(trigger) == [Action.STILL]


def test_an_unplugged_pedal_is_missing_and_works_when_it_is_back(machine, opened):
    pedal = machine.plug()
    trigger = opened()
    pedal.press(F13)
    pedal.unplug()
    with pytest.raises(DeviceMissing, match="unplugged"):
        all_of(trigger)
    trigger.close()
    with pytest.raises(DeviceMissing, match="plug it in"):
        trigger.open()
    pedal = machine.plug()  # its nodes have other numbers now
    trigger.open()
    pedal.press(F13)
    assert all_of(trigger) == [Action.STILL]


def test_a_pedal_is_found_by_its_port_by_what_it_is_and_by_a_path(machine, opened, tmp_path):
    machine.plug(port="1-1.2", identity="046d:c31c", name="keyboard")
    pedal = machine.plug(port="1-1.4")
    by_path = tmp_path / "dev/input/by-path"
    by_path.mkdir()
    (by_path / "usb-event-kbd").symlink_to("../event3")
    for word in ("usb:1-1.4", "id:0C45:7403", str(by_path / "usb-event-kbd"), str(tmp_path / "dev/input/event2")):
        trigger = opened(word)
        assert all(node.holder for node in pedal.nodes), word
        trigger.close()


def test_a_pedal_that_nobody_let_in_yet_says_so_and_works_once_somebody_did(machine, trigger, opened):
    pedal = machine.plug()
    pedal.wait_for_somebody()
    with pytest.raises(DeviceRefused, match="waits until somebody lets it in"):
        trigger().open()
    pedal.wait_for_somebody(waits=False)
    opened()
    assert all(node.holder for node in pedal.nodes)


def test_a_pedal_that_somebody_put_out_says_so_and_is_not_silent(machine, opened, clock):
    pedal = machine.plug()
    trigger = opened()
    pedal.wait_for_somebody()
    clock.move(2.1)
    with pytest.raises(DeviceRefused, match="waits until somebody lets it in"):
        trigger.read(0.1)


def test_another_device_at_the_pedals_port_is_refused_and_so_is_one_of_two(machine, trigger):
    machine.plug(port="1-1.4", identity="046d:c31c")
    with pytest.raises(DeviceRefused, match=r"046d:c31c in place of 0c45:7403.*enrol"):
        trigger(identity="0C45:7403").open()
    machine.plug(port="1-1.2", identity="046d:c31c")
    with pytest.raises(DeviceRefused, match=r"say which one, usb:1-1.4 or usb:1-1.2"):
        trigger("id:046d:c31c").open()


def test_devices_on_no_bus_are_devices_of_their_own(machine):
    machine.plug(port="", nodes=1, name="virtual pedal")
    machine.plug(port="", nodes=1, name="power button", identity="0000:0000")
    found = machine.attached.all()
    assert [(device.name, device.port, len(device.nodes)) for device in found] == [
        ("virtual pedal", "", 1),
        ("power button", "", 1),
    ]
    assert [device.word for device in found] == ["id:0c45:7403", str(found[1].nodes[0])]


def test_a_machine_without_keys_has_no_devices(tmp_path):
    assert Attached(sys=tmp_path, dev=tmp_path).all() == []


def test_a_trigger_that_is_not_open_says_so(trigger):
    with pytest.raises(DeviceMissing, match="not open"):
        trigger().read(0)


def test_a_file_that_is_no_event_node_is_refused(tmp_path):
    plain = tmp_path / "event0"
    plain.touch()
    with pytest.raises(DeviceRefused, match="group input"):
        Node(plain, calls=Kernel())
    with pytest.raises(DeviceMissing):
        Node(tmp_path / "event1", calls=Kernel())


def test_the_kernel_is_asked_for_the_time_that_pictures_have(machine, tmp_path):
    machine.plug()
    fd = machine.open(tmp_path / "dev/input/event0")
    with pytest.raises(OSError, match=os.strerror(errno.EINVAL)):
        machine.ioctl(fd, 0x400445A0, (1).to_bytes(4, "little"))  # another clock than what follows
    assert Node(tmp_path / "dev/input/event0", calls=machine).has_keys()


def test_waiting_for_keys_ends_with_the_first_one_or_the_time():
    ours, theirs = os.pipe()
    assert not ready([ours], 0.001)
    os.write(theirs, b"x")
    assert ready([ours], 5)
    os.close(ours)
    os.close(theirs)
