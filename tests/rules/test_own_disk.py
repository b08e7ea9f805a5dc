"""What a start takes for the box's own before its root runs, and that nothing is found by its name on any disk."""

import subprocess
from pathlib import Path

import pytest

from tests.unit.machine.kernel import NAMES, Kernel

ROOT = Path(__file__).resolve().parents[2]
BOX = ROOT / "image-build/tree/box/usr/lib/scopegate"
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


class Verity:
    """Two disks in a folder, each with hashes of veritysetup's; the first is asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.kernel = Kernel(folder)
        self.line = folder / "cmdline"
        self.hashes = {disk: self._made(disk) for disk in ("sda", "sdb")}
        self.asked(self.hashes["sda"])

    def _made(self, disk: str) -> str:
        self.kernel.disk(disk, ["root-a", "verity-a", "data"])
        root = self._folder / f"{disk}1"
        root.write_bytes(disk.encode() * (1 << 19))
        words = ["veritysetup", "format", f"--salt={'5a' * 32}", root, self._folder / f"{disk}2"]
        said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        return said.rpartition("Root hash:")[2].strip()

    def asked(self, root: str) -> None:
        self.line.write_text(f"quiet roothash={root} usbcore.authorized_default=0\n")

    def has(self, partition: str, slot: str = "a") -> bool:
        words = [BOX / "has-root", partition, slot, self.kernel.sys, self._folder, self.line]
        return subprocess.run(words, capture_output=True, check=False).returncode == 0


@pytest.fixture
def verity(tmp_path: Path) -> Verity:
    return Verity(tmp_path)


def test_a_root_is_looked_for_where_the_hashes_of_this_image_are(verity: Verity) -> None:
    assert [verity.has(each) for each in ("sda1", "sda2", "sdb1", "sdb2")] == [True, True, False, False]
    assert not verity.has("sda1", "b")
    verity.asked(verity.hashes["sdb"])
    assert [verity.has(each) for each in ("sda1", "sdb1", "sdb2")] == [False, True, True]


@pytest.mark.parametrize("place", [88, 4096, 8191])
def test_other_hashes_of_that_name_are_no_candidate(verity: Verity, tmp_path: Path, place: int) -> None:
    with (tmp_path / "sda2").open("r+b") as file:
        file.seek(place)
        file.write(b"\xff")
    assert not verity.has("sda1")


@pytest.mark.parametrize("content", [b"", bytes(100), b"\xff" * 100_000, bytes(100_000)])
def test_garbage_is_no_candidate(verity: Verity, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "sda2").write_bytes(content)
    assert not verity.has("sda1")


def test_a_command_line_without_a_root_finds_none(verity: Verity) -> None:
    verity.asked("")
    assert not verity.has("sda1")


def test_nothing_of_the_box_finds_a_partition_by_its_name_on_any_disk() -> None:
    folders = (ROOT / "gateway", ROOT / "systemd", ROOT / "image-build" / "tree" / "box")
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    found = [path for path in files if b"/dev/disk/by-" in path.read_bytes()]
    assert found == []
    assert len(files) > 500


def test_the_initrd_brings_what_finds_them() -> None:
    setup = (INITRD / "module-setup.sh").read_text()
    assert 'inst_script "$moddir/scopegate-own-disk" /usr/lib/scopegate/own-disk\n' in setup
    assert "inst_script /usr/lib/scopegate/has-root\n" in setup
    assert all(word in setup for word in (" grep ", " readlink ", " sha256sum "))
    assert '"PROGRAM==\\"/usr/lib/scopegate/has-root %k $slot\\", ' in (INITRD / "scopegate-slot").read_text()
