"""What a start takes for the box's own before its root runs, and that nothing is found by its name on any disk."""

import subprocess
from pathlib import Path

import pytest

from tests.unit.machine.kernel import NAMES, Kernel

ROOT = Path(__file__).resolve().parents[2]
INITRD = ROOT / "image-build/tree/box/usr/lib/dracut/modules.d/80scopegate"


def own(kernel: Kernel, name: str, link: Path) -> str:
    words = [str(INITRD / "scopegate-own-disk"), name, str(link), str(kernel.sys)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    """A box with two other disks, whose partitions are called as its own."""
    made = Kernel(tmp_path)
    for disk in ("sda", "mmcblk0p", "sdb"):
        made.disk(disk, NAMES)
    return made


def test_the_initrd_takes_partitions_of_the_disk_of_its_root_alone(kernel: Kernel, tmp_path: Path) -> None:
    node, link = tmp_path / "mmcblk0p5", tmp_path / "root"
    node.touch()
    link.symlink_to(node)
    assert own(kernel, "key", link) == "/dev/mmcblk0p7\n"
    assert own(kernel, "data", link) == "/dev/mmcblk0p8\n"
    assert own(kernel, "dat", link) == ""


def test_a_start_without_a_root_takes_nothing(kernel: Kernel, tmp_path: Path) -> None:
    assert own(kernel, "data", tmp_path / "none" / "root") == ""


def test_nothing_of_the_box_finds_a_partition_by_its_name_on_any_disk() -> None:
    folders = (ROOT / "gateway", ROOT / "systemd", ROOT / "image-build" / "tree" / "box")
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    found = [path for path in files if b"/dev/disk/by-" in path.read_bytes()]
    assert found == []
    assert len(files) > 500


def test_the_initrd_brings_what_finds_them() -> None:
    setup = (INITRD / "module-setup.sh").read_text()
    assert 'inst_script "$moddir/scopegate-own-disk" /usr/lib/scopegate/own-disk\n' in setup
    assert all(word in setup for word in (" grep ", " readlink "))
