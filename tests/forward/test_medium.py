"""Whether a medium is there, what fits onto it, and reading back what it really has."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.forward.media.medium import Room, is_mounted, sha256_on_medium
from gateway.spool.files import Files, sha256_of
from tests.forward.media_bench import sha256


def bytes_from_devices(work: Callable[[], object]) -> int:
    """How much this process made the kernel fetch from devices meanwhile (proc(5))."""

    def so_far() -> int:
        fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
        return int(fields["read_bytes"])

    before = so_far()
    work()
    return so_far() - before


def test_what_is_read_back_comes_from_the_device_and_not_from_memory(tmp_path: Path) -> None:
    path = tmp_path / "big"
    written = Files().write(path, [os.urandom(1 << 20)] * 8)
    # The control: read as usual, the device is not asked. A machine short of memory gives up pages of the file, or
    # of the program, in between; what is read again is in memory again.
    as_usual = (bytes_from_devices(lambda: sha256_of(path)) for _ in range(20))
    assert any(fetched < 1 << 20 for fetched in as_usual)
    sizes: list[int] = []
    found: list[str] = []
    fetched = bytes_from_devices(lambda: found.append(sha256_on_medium(path, sizes.append)))

    assert found == [written.sha256] == [sha256_of(path)]
    assert sum(sizes) == 8 << 20
    if not fetched and is_in_memory(tmp_path):
        pytest.skip("the test folder lies in memory: there is no device")
    assert fetched >= 8 << 20


def is_in_memory(folder: Path) -> bool:
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    above = [mount for mount in mounts if folder.is_relative_to(mount[1])]
    return max(above, key=lambda mount: len(mount[1]))[2] in {"tmpfs", "overlay", "ramfs"}


@pytest.mark.parametrize("size", [0, 1, 511, 512, 4096, (1 << 20) - 1, 1 << 20, (1 << 20) + 513])
def test_files_of_every_length_read_back(tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    content = bytes(range(256)) * (size // 256 + 1)
    Files().write(path, [content[:size]])

    assert sha256_on_medium(path, lambda _: None) == sha256(path)


@pytest.mark.parametrize(("size", "needed"), [(0, 0), (1, 4096), (4096, 4096), (4097, 8192)])
def test_a_file_takes_whole_blocks_of_the_medium(size: int, needed: int) -> None:
    assert Room(free=0, block=4096).needed(size) == needed


@pytest.mark.skipif(
    not Path("/dev/shm").is_dir() or Path("/dev/shm").stat().st_dev == Path("/").stat().st_dev,
    reason="there is no second file system",
)
def test_a_medium_is_there_when_its_folder_lies_on_a_file_system_of_its_own(tmp_path: Path) -> None:
    shared = Path("/dev/shm")
    data = tmp_path / "data"
    data.mkdir()
    if tmp_path.stat().st_dev == shared.stat().st_dev:
        pytest.skip("the test folder lies in /dev/shm itself")

    assert is_mounted(shared, data)
    assert not is_mounted(shared / "nothing", data)
    assert not is_mounted(tmp_path, data), "the data folder's own file system"
    assert not is_mounted(Path("/"), shared), "the system's"
    assert not is_mounted(shared, shared)
