"""Which node a grabber has: by the port that it is plugged into and by its identity, never by its number."""

import os
from pathlib import Path

import pytest

from hardware import factory
from hardware.errors import DeviceMissing, DeviceRefused
from hardware.sources.v4l2.finding import Found, Place, nodes
from hardware.sources.v4l2.node import KernelNode, Node
from hardware.sources.v4l2.probe import probe


class Box:
    """A tree as sysfs has it."""

    def __init__(self, root: Path) -> None:
        self.sys, self.dev, self._root = root / "class", root / "dev", root
        self.sys.mkdir()
        self.dev.mkdir()

    def plug(self, port: str, node: str, *, identity: str = "534d:2109", index: int = 0, name: str = "Grabber"):
        usb = self._root / "devices/pci/usb1" / port
        folder = usb / f"{port}:1.0/video4linux" / node
        folder.mkdir(parents=True)
        (usb / "idVendor").write_text(f"{identity[:4]}\n")
        (usb / "idProduct").write_text(f"{identity[5:]}\n")
        (folder / "index").write_text(f"{index}\n")
        (folder / "name").write_text(f"{name}\n")
        (self.sys / node).symlink_to(os.path.relpath(folder, self.sys))
        (self.dev / node).touch()

    def unplug(self, node: str) -> None:
        (self.sys / node).unlink()
        (self.dev / node).unlink()

    def place(self, where: str) -> Place:
        return Place(where, sys=self.sys, dev=self.dev)

    def look(self, where: str) -> list[str]:
        return [path.name for path in self.place(where).look()]


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def test_a_grabber_is_found_by_its_port_whatever_its_number(box):
    box.plug("1-1.2", "video0", identity="046d:0825")
    box.plug("1-1.4", "video1")
    assert box.look("usb:1-1.4") == ["video1"]
    box.unplug("video1")
    with pytest.raises(DeviceMissing, match=r"USB port 1-1\.4"):
        box.look("usb:1-1.4")
    box.plug("1-1.3", "video9")
    with pytest.raises(DeviceMissing):
        box.look("usb:1-1.4")
    (box.sys / "video5").symlink_to(box.sys / "video9")  # an entry that is read while its device goes
    assert box.look("usb:1-1.3") == ["video5", "video9"]


def test_a_node_that_is_not_there_yet_keeps_nobody_from_asking_the_next_one_of_its_device(box, grabber):
    device = grabber()
    box.plug("1-1.4", "video3", index=0)
    box.plug("1-1.4", "video4", index=1)
    (box.dev / "video3").unlink()

    def opened(path: Path) -> Node:
        return device.open_beside(path) if path.exists() else KernelNode(path)

    assert probe(box.place("usb:1-1.4"), opened).node.name == "video4"
    (box.dev / "video4").unlink()
    with pytest.raises(DeviceMissing, match="video3"):
        probe(box.place("usb:1-1.4"), opened)


def test_the_nodes_of_one_device_are_tried_in_its_own_order(box):
    box.plug("1-1.4", "video3", index=0)
    folder = box.sys / "video2"
    folder.mkdir()
    assert box.look("usb:1-1.4") == ["video3"]
    assert [each.node.name for each in nodes(box.sys, box.dev)] == ["video2", "video3"]


def test_another_device_at_the_port_is_refused_when_an_identity_is_configured(box):
    box.plug("1-1.4", "video0", identity="046d:0825", name="Webcam")
    assert box.look("usb:1-1.4:046D:0825") == ["video0"]
    with pytest.raises(DeviceRefused, match=r"Webcam \(046d:0825\) where 534d:2109 is configured"):
        box.look("usb:1-1.4:534d:2109")


def test_a_path_is_taken_as_it_is_while_it_exists(box, tmp_path):
    node = tmp_path / "by-path"
    node.touch()
    assert box.look(str(node)) == ["by-path"]
    with pytest.raises(DeviceMissing, match="plug it in"):
        box.look(str(tmp_path / "video7"))


def test_what_the_kernel_has_is_listed_with_where_it_is_plugged_in(box):
    box.plug("1-1.4", "video1")
    assert nodes(box.sys, box.dev) == [
        Found(node=box.dev / "video1", name="Grabber", port="1-1.4", identity="534d:2109")
    ]
    assert nodes(box.sys / "none", box.dev) == []


@pytest.mark.parametrize("where", ["x", "usb:1", "usb:1-1.4:534d", "usb:1-1.4:534d:21", "video0"])
def test_words_that_name_no_place_are_refused(where, clock):
    with pytest.raises(DeviceRefused, match="names no video adapter"):
        factory.source(
            f"v4l2:{where}", clock_ns=clock.boottime_ns, monotonic_ns=clock.monotonic_ns, wait=clock.pause
        )


def test_a_grabber_that_is_not_there_is_missing_and_a_file_is_none(clock, tmp_path):
    def source(path: Path) -> None:
        factory.source(
            f"v4l2:{path}", clock_ns=clock.boottime_ns, monotonic_ns=clock.monotonic_ns, wait=clock.pause
        ).open()

    with pytest.raises(DeviceMissing):
        source(tmp_path / "video0")
    (tmp_path / "file").touch()
    with pytest.raises(DeviceRefused, match="cannot be used"):
        source(tmp_path / "file")
