"""Which disk is the box's own: the one under its root, whatever else is plugged in and however it is called."""

import os
from pathlib import Path

import pytest

from gateway.machine import own_disk
from gateway.machine.own_disk import OnTwoDisks, Partition
from tests.unit.machine.kernel import NAMES, ROOT, Kernel


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    """A box with a second disk, found first, whose partitions are called as the box's own."""
    made = Kernel(tmp_path)
    made.disk("sda", [*reversed(NAMES)])
    made.disk("sdb", NAMES)
    made.mapping("dm-0", "sdb3", "sdb4")
    made.root_is("dm-0")
    return made


def test_the_box_s_own_disk_is_the_one_under_its_verified_root(kernel: Kernel) -> None:
    found = own_disk.of(ROOT, kernel.sys)
    assert found.device == Path("/dev/sdb")
    assert found.partitions["data"] == Partition(device=Path("/dev/sdb8"), number=8)
    assert {each.device.name[:3] for each in found.partitions.values()} == {"sdb"}


def test_partitions_that_were_just_made_have_a_name_that_udev_knows_and_not_the_kernel(kernel: Kernel) -> None:
    kernel.forget_the_name_of("sdb7")
    kernel.forget_the_name_of("sdb8")
    names = {Path("/dev/sdb7"): "key", Path("/dev/sdb8"): ""}
    found = own_disk.of(ROOT, kernel.sys, name_of=names.__getitem__)
    assert found.partitions["key"].device == Path("/dev/sdb7")
    assert set(found.partitions) == set(NAMES) - {"data"}


def test_a_root_that_is_not_checked_lies_on_its_partitions_disk(kernel: Kernel) -> None:
    kernel.root_is("sda2")
    assert own_disk.of(ROOT, kernel.sys).device == Path("/dev/sda")


def test_a_root_whose_hashes_are_on_another_disk_is_on_none(kernel: Kernel) -> None:
    kernel.mapping("dm-1", "sdb3", "sda4")
    kernel.root_is("dm-1")
    with pytest.raises(OnTwoDisks):
        own_disk.of(ROOT, kernel.sys)


def test_what_lies_on_no_disk_is_no_appliance(kernel: Kernel) -> None:
    with pytest.raises(FileNotFoundError):
        own_disk.of(os.makedev(0, 25), kernel.sys)


def test_partitions_of_that_name_on_other_disks_are_seen(kernel: Kernel) -> None:
    own = own_disk.of(ROOT, kernel.sys)
    assert own_disk.called("data", own, kernel.sys) == [Path("/dev/sda1")]
    assert own_disk.called("home", own, kernel.sys) == []


def test_names_are_those_of_the_own_disk_alone_and_old_ones_go(kernel: Kernel, tmp_path: Path) -> None:
    names = tmp_path / "names"
    names.mkdir()
    (names / "data").symlink_to("/dev/sda1")
    (names / "gone").symlink_to("/dev/sda9")
    own_disk.name_partitions(own_disk.of(ROOT, kernel.sys), names)
    assert {each.name: str(each.readlink()) for each in names.iterdir()} == {
        name: f"/dev/sdb{number}" for number, name in enumerate(NAMES, 1)
    }


def test_a_name_is_no_way_out_of_the_folder(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path)
    kernel.disk("sda", ["../outside", "data"])
    kernel.root_is("sda1")
    own_disk.name_partitions(own_disk.of(ROOT, kernel.sys), tmp_path / "names")
    assert [each.name for each in (tmp_path / "names").iterdir()] == ["data"]
    assert not (tmp_path / "outside").exists()
