"""What may be plugged in: each interface by itself, by default none; nothing types before somebody let it in."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from gateway.config.settings import Trigger
from gateway.errors import MachineFailed, MachineRequest
from gateway.machine.usb import enrolled
from gateway.machine.usb.allowed import Allowed, Allowing
from gateway.machine.usb.descriptors import interfaces
from gateway.machine.usb.enrolled import Enrolled
from gateway.machine.usb.guard import Guard
from gateway.machine.usb.inputs import can_type
from gateway.machine.usb.judging import uses
from gateway.machine.usb.tree import Tree
from tests.unit.machine.usb_table import KNOWN, Known, descriptors, drivers_of

POINTS = "1f0000 0 0 0 0"  # of a mouse
TOUCHES = "400 0 0 0 0 0"
TYPES = "1000000000007 ff9f207ac14057ff febeffdfffefffff fffffffffffffffe"
SHUTTER = "100000 0 0 0"  # of a camera
PEDAL = next(each for each in KNOWN if each.what == "pedal")
GRABBER = next(each for each in KNOWN if each.what == "grabber that types")


class Kernel:
    """sysfs in a folder, and `modprobe -R`."""

    def __init__(self, sys: Path) -> None:
        self.sys = sys
        self.root = sys / "devices/usb1"
        for name in ("bus/usb/devices", "class/input"):
            (sys / name).mkdir(parents=True)
        self._files(self.root, authorized_default="1", interface_authorized_default="1")
        (sys / "bus/usb/devices/usb1").symlink_to(self.root)
        (sys / "bus/usb/drivers_probe").touch()
        self.busy = False

    def run(self, *words: str, given: str = "") -> str:
        assert not given
        assert words[:2] == ("modprobe", "--resolve-alias")
        if self.busy or not drivers_of(words[2]):
            raise MachineFailed
        return "\n".join(drivers_of(words[2]))

    def plug(self, known: Known, *, port: str = "1-1", serial: str = "", name: str = "") -> Path:
        folder = self.root / port
        vendor, product = known.identity.split(":")
        said = {"serial": serial, "product": name} if name else {"serial": serial}
        self._files(folder, idVendor=vendor, idProduct=product, authorized="0", **said)
        (folder / "descriptors").write_bytes(descriptors(known))
        for each in interfaces(descriptors(known)):
            words = {"bInterfaceNumber": f"{each.number:02x}", "bInterfaceClass": f"{each.kind:02x}"}
            self._files(folder / f"{port}:1.{each.number}", authorized="0", modalias=each.modalias, **words)
        (self.sys / "bus/usb/devices" / port).symlink_to(folder)
        return folder

    def finds(self, above: Path, keys: str, *, number: int = 1, switches: str = "0") -> Path:
        """An input device, which udev silenced."""
        folder = above / f"input/input{number}"
        self._files(folder, inhibited="1", name="something")
        self._files(folder / "capabilities", key=keys, sw=switches)
        (self.sys / f"class/input/input{number}").symlink_to(folder)
        return folder / "inhibited"

    def _files(self, folder: Path, **said: str) -> None:
        folder.mkdir(parents=True)
        for name, text in said.items():
            (folder / name).write_text(text + "\n")


class Bench:
    def __init__(self, folder: Path) -> None:
        self.kernel = Kernel(folder / "sys")
        self.told = folder / "told"
        self.told.mkdir()
        self.allowed = Allowed()
        self.guard = Guard(
            tree=Tree(self.kernel.sys), programs=self.kernel, told=self.told, allowed=lambda: self.allowed
        )

    def look(self) -> list[dict[str, Any]]:
        self.guard.look()
        said: list[dict[str, Any]] = json.loads((self.told / "usb.json").read_text())["devices"]
        return said

    def state(self) -> str:
        (said,) = self.look()
        return str(said["state"])


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def text(file: Path) -> str:
    return file.read_text().strip()


# --- judging ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.what)
def test_each_interface_of_a_device_is_let_in_for_its_use_alone(known: Known) -> None:
    found = interfaces(descriptors(known))
    assert [each.value for each in uses(found, drivers_of)] == [use for _, use in known.does]


@pytest.mark.parametrize(
    "raw", [b"", b"\x12\x01", descriptors(PEDAL)[:-1], descriptors(PEDAL)[:18] + b"\x00\x04\x09"]
)
def test_what_describes_no_device_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match="descriptor"):
        interfaces(raw)


def test_a_device_that_says_it_is_everything_is_not_asked_for_its_drivers() -> None:
    interface = b"\x09\x04\x00\x00\x00\x08\x06\x50\x00"
    assert len(interfaces(descriptors(PEDAL)[:18] + 64 * interface)) == 64
    with pytest.raises(ValueError, match="more interfaces"):
        interfaces(descriptors(PEDAL)[:18] + 65 * interface)


@pytest.mark.parametrize(
    ("keys", "switches", "types"),
    [
        (POINTS, "0", False),
        (TOUCHES, "0", False),
        ("0", "0", False),  # lamps, axes
        (TYPES, "0", True),
        ("10000 0 0 0 40000000", "0", True),  # a mouse with one letter
        ("100000000 0 0 0", "0", True),  # a joystick's trigger
        (POINTS, "1", True),  # a lid that closes
    ],
)
def test_whatever_can_do_more_than_point_types(keys: str, switches: str, types: bool) -> None:  # noqa: FBT001
    assert can_type(keys, switches) is types


# --- letting in ------------------------------------------------------------------------------------------


def test_nothing_that_is_plugged_in_does_anything_by_itself(bench: Bench) -> None:
    bench.look()
    assert text(bench.kernel.root / "authorized_default") == "0"
    assert text(bench.kernel.root / "interface_authorized_default") == "0"


def test_a_device_without_use_stays_out_as_a_whole(bench: Bench) -> None:
    folder = bench.kernel.plug(next(each for each in KNOWN if each.what == "gigabit adapter"))
    assert bench.state() == "out"
    assert text(folder / "authorized") == "0"


def test_a_grabber_that_types_gets_its_pictures_alone(bench: Bench) -> None:
    folder = bench.kernel.plug(GRABBER)
    assert bench.state() == "in"
    parts = [text(folder / f"1-1:1.{number}" / "authorized") for number in range(3)]
    assert (text(folder / "authorized"), parts) == ("1", ["1", "1", "0"])


def test_the_button_of_a_grabber_is_not_heard_and_nobody_is_asked_about_it(bench: Bench) -> None:
    folder = bench.kernel.plug(GRABBER)
    inhibited = bench.kernel.finds(folder / "1-1:1.0", SHUTTER)
    assert bench.state() == "in"
    assert text(inhibited) == "1"


def test_a_device_whose_descriptors_cannot_be_read_keeps_no_other_out(bench: Bench) -> None:
    broken = bench.kernel.plug(PEDAL, port="1-2")
    (broken / "descriptors").write_bytes(b"\x12\x01")
    folder = bench.kernel.plug(GRABBER)
    assert bench.state() == "in"
    assert (text(folder / "authorized"), text(broken / "authorized")) == ("1", "0")


def test_what_had_no_driver_while_the_machine_was_busy_is_asked_again(bench: Bench) -> None:
    bench.kernel.plug(GRABBER)
    bench.kernel.busy = True
    assert bench.state() == "out"
    bench.kernel.busy = False
    bench.kernel.plug(PEDAL, port="1-2")
    assert [each["state"] for each in bench.look()] == ["in", "in"]


# --- hearing ---------------------------------------------------------------------------------------------


def test_a_touch_screen_and_a_mouse_work_without_anybody(bench: Bench) -> None:
    folder = bench.kernel.plug(PEDAL)
    heard = bench.kernel.finds(folder / "1-1:1.1", POINTS), bench.kernel.finds(folder, TOUCHES, number=2)
    assert bench.state() == "in"
    assert [text(each) for each in heard] == ["0", "0"]


def test_what_types_waits_and_its_mouse_works(bench: Bench) -> None:
    folder = bench.kernel.plug(PEDAL, name="FootSwitch")
    keys = bench.kernel.finds(folder / "1-1:1.0", TYPES)
    mouse = bench.kernel.finds(folder / "1-1:1.1", POINTS, number=2)
    (said,) = bench.look()
    assert (said["state"], said["name"], said["port"]) == ("waits", "FootSwitch", "1-1")
    assert (text(keys), text(mouse)) == ("1", "0")


def test_what_types_and_was_heard_before_is_silenced(bench: Bench) -> None:
    keys = bench.kernel.finds(bench.kernel.plug(PEDAL) / "1-1:1.0", TYPES)
    keys.write_text("0\n")
    assert bench.state() == "waits"
    assert text(keys) == "1"


def test_a_keyboard_without_usb_waits_as_well_and_what_is_built_in_is_left_alone(bench: Bench) -> None:
    serio = bench.kernel.sys / "devices/serio0"
    keys = bench.kernel.finds(serio, TYPES)
    button = bench.kernel.finds(bench.kernel.sys / "devices/power", TYPES, number=2)
    (keys.parent / "id").mkdir()
    for name in ("vendor", "product"):
        (keys.parent / "id" / name).write_text("0001\n")
    button.write_text("0\n")
    assert bench.state() == "waits"
    assert (text(keys), text(button)) == ("1", "0")


@pytest.mark.parametrize(
    ("serial", "port", "other_serial", "other_port", "heard"),
    [
        ("A1", "1-1", "A1", "1-2", True),  # moved to another socket
        ("A1", "1-1", "B2", "1-1", False),  # another one in its place
        ("", "1-1", "", "1-1", True),
        ("", "1-1", "", "1-2", False),
        ("A 1", "1-1", "A 1", "1-2", False),  # that is no serial number
    ],
)
def test_what_somebody_let_in_is_known_by_its_serial_number_or_its_socket(
    bench: Bench, serial: str, port: str, other_serial: str, other_port: str, *, heard: bool
) -> None:
    first = bench.kernel.plug(PEDAL, port=port, serial=serial)
    bench.kernel.finds(first / f"{port}:1.0", TYPES)
    (said,) = bench.look()
    bench.allowed = Allowed(listed=[Enrolled(key=said["key"], name="")])
    other = Bench(bench.told)
    other.allowed = bench.allowed
    keys = other.kernel.finds(
        other.kernel.plug(PEDAL, port=other_port, serial=other_serial) / f"{other_port}:1.0", TYPES
    )
    other.look()
    assert (text(keys) == "0") is heard


@pytest.mark.parametrize(
    ("device", "identity", "state"),
    [
        ("usb:1-1", "0C45:7403", "in"),
        ("id:0c45:7403", "", "in"),
        ("usb:1-1", "", "waits"),  # whatever is plugged in there
        ("usb:1-2", "0c45:7403", "waits"),
        ("usb:1-1", "0c45:7404", "waits"),
        ("/dev/input/event3", "", "waits"),
    ],
)
def test_a_pedal_that_a_trigger_names_with_its_identity_needs_no_second_way(
    bench: Bench, device: str, identity: str, state: str
) -> None:
    bench.kernel.finds(bench.kernel.plug(PEDAL, serial="new") / "1-1:1.0", TYPES)
    bench.allowed = Allowed(triggers=[Trigger(kind="input", device=device, source="us", identity=identity)])
    assert bench.state() == state


def test_what_is_on_the_list_and_not_there_is_told(bench: Bench) -> None:
    bench.allowed = Allowed(listed=[Enrolled(key="0c45:7403 A1", name="FootSwitch")])
    (said,) = bench.look()
    assert (said["state"], said["name"], said["identity"]) == ("away", "FootSwitch", "0c45:7403")


# --- the list --------------------------------------------------------------------------------------------

WAITS = Enrolled(key="0c45:7403 @1-1", name="FootSwitch")


def test_somebody_lets_in_and_puts_out(tmp_path: Path) -> None:
    place = tmp_path / "usb.json"
    enrolled.change({"do": "let-in", "device": WAITS.key}, [WAITS], place)
    enrolled.change({"do": "let-in", "device": WAITS.key}, [WAITS], place)
    assert enrolled.kept(place) == [WAITS]
    enrolled.change({"do": "put-out", "device": WAITS.key}, [], place)
    assert enrolled.kept(place) == []


@pytest.mark.parametrize(
    "wanted",
    [{}, {"do": "let-in"}, {"do": "let-in", "device": "0c45:7403 @1-2"}, {"do": "all", "device": WAITS.key}],
)
def test_nobody_lets_in_what_does_not_wait(tmp_path: Path, wanted: dict[str, str]) -> None:
    with pytest.raises(MachineRequest):
        enrolled.change(wanted, [WAITS], tmp_path / "usb.json")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "raw",
    ["", "[", "[]", '{"enrolled": [{"key": "x", "name": ""}]}', '{"enrolled": [1]}', '{"enrolled": ' + "[" * 4000],
)
def test_a_damaged_list_lets_nothing_in(tmp_path: Path, raw: str) -> None:
    (tmp_path / "usb.json").write_text(raw)
    assert enrolled.kept(tmp_path / "usb.json") == []


def test_a_link_in_the_folder_leads_root_nowhere(tmp_path: Path) -> None:
    secret, place = tmp_path / "secret", tmp_path / "usb.json"
    foreign = '{"enrolled": [{"key": "1234:5678 A1", "name": ""}]}'
    secret.write_text(foreign)
    place.symlink_to(secret)
    assert enrolled.kept(place) == []
    (tmp_path / ".usb.json.new").symlink_to(secret)
    enrolled.change({"do": "let-in", "device": WAITS.key}, [WAITS], place)
    assert secret.read_text() == foreign
    assert enrolled.kept(place) == [WAITS]


def test_a_list_that_cannot_be_written_says_so_and_stays(tmp_path: Path) -> None:
    with pytest.raises(MachineFailed):
        enrolled.change({"do": "let-in", "device": WAITS.key}, [WAITS], tmp_path / "gone" / "usb.json")


def test_a_configuration_that_cannot_be_read_leaves_the_pedals_of_the_one_before(tmp_path: Path) -> None:
    settings = tmp_path / "scopegate.toml"
    allowing = Allowing(settings=settings, listed=tmp_path / "usb.json")
    assert allowing.now().triggers == ()
    settings.write_text(
        'config_version = 1\n[[source]]\nname = "us"\ndevice = "pattern:bars"\n'
        '[[trigger]]\nkind = "input"\ndevice = "usb:1-1"\nidentity = "0c45:7403"\n'
        'source = "us"\nstill = "key:KEY_B"\n'
    )
    assert [each.device for each in allowing.now().triggers] == ["usb:1-1"]
    settings.with_suffix(".new").write_text("[[")
    settings.with_suffix(".new").rename(settings)
    assert [each.device for each in allowing.now().triggers] == ["usb:1-1"]
    settings.unlink()
    os.mkfifo(settings)  # for whose other end nobody waits
    assert [each.device for each in allowing.now().triggers] == ["usb:1-1"]
