"""What one durable write, append, removal and cut do to the disk, and in which order."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.errors import DiskFailed, DiskFull
from gateway.spool.files import PART, Files, sha256_of


class Told(Files):
    """Tells what is done to the disk, in order."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def _create(self, path: Path, *, keep: bool = False) -> int:
        self.log.append(f"create {path.name}")
        return super()._create(path, keep=keep)

    def _write(self, fd: int, data: bytes | memoryview) -> None:
        self.log.append("write")
        super()._write(fd, data)

    def _sync(self, fd: int) -> None:
        self.log.append("sync")
        super()._sync(fd)

    def _rename(self, old: Path, new: Path) -> None:
        self.log.append(f"rename {old.name} {new.name}")
        super()._rename(old, new)

    def _sync_folder(self, path: Path) -> None:
        self.log.append(f"sync {path.name}/")
        super()._sync_folder(path)


class OnShortWrites(Files):
    """A disk that takes three bytes at a time."""

    def _write(self, fd: int, data: bytes | memoryview) -> None:
        for start in range(0, len(data), 3):
            super()._write(fd, data[start : start + 3])


class Full(Files):
    """A disk that is full after some bytes."""

    def __init__(self, room: int) -> None:
        self.room = room

    def _write(self, fd: int, data: bytes | memoryview) -> None:
        self.room -= len(data)
        if self.room < 0:
            raise OSError(28, os.strerror(28))
        super()._write(fd, data)


def test_a_file_is_flushed_before_it_gets_its_name_and_its_folder_afterwards(tmp_path: Path) -> None:
    files = Told()
    written = files.write(tmp_path / "a", [b"one", memoryview(b"two")])
    assert files.log == ["create a.part", "write", "write", "sync", "rename a.part a", f"sync {tmp_path.name}/"]
    assert (tmp_path / "a").read_bytes() == b"onetwo"
    assert written.bytes == 6
    assert written.sha256 == sha256_of(tmp_path / "a")


def test_files_written_together_share_the_flush_of_their_folder(tmp_path: Path) -> None:
    files = Told()
    files.write_all([(tmp_path / "a", [b"one"]), (tmp_path / "b", [b"second"])])
    assert files.log == [
        *("create a.part", "write", "create b.part", "write", "sync", "sync"),
        *("rename a.part a", "rename b.part b", f"sync {tmp_path.name}/"),
    ]
    assert [(tmp_path / name).read_bytes() for name in "ab"] == [b"one", b"second"]


def test_a_name_that_leads_elsewhere_is_made_beside_it_and_flushed(tmp_path: Path) -> None:
    files, path = Told(), tmp_path / "now"
    for target in ("a", "b"):
        (tmp_path / "now.link").touch()  # what an earlier one left
        files.log.clear()
        files.point(path, target)
        assert str(path.readlink()) == target
        assert files.log == ["rename now.link now", f"sync {tmp_path.name}/"]


def test_of_files_written_together_none_appears_when_one_does_not_fit(tmp_path: Path) -> None:
    with pytest.raises(DiskFull):
        Full(room=5).write_all([(tmp_path / "a", [b"one"]), (tmp_path / "b", [b"second"])])
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_grows_exists_durably_from_its_first_moment(tmp_path: Path) -> None:
    files = Told()
    growing = files.append(tmp_path / "a")
    assert files.log == ["create a", f"sync {tmp_path.name}/"]
    growing.write(b"x", b"yz")
    growing.sync()
    growing.close()
    again = files.append(tmp_path / "a")
    assert again.size == 3
    again.close()
    assert files.log[2:5] == ["write", "write", "sync"]


def test_a_folder_and_a_removal_are_durable_when_the_call_returns(tmp_path: Path) -> None:
    files = Told()
    files.make_folder(tmp_path / "exam")
    files.write(tmp_path / "exam" / "a", [b"1"])
    files.remove(tmp_path / "exam" / "a")
    assert files.log[0] == f"sync {tmp_path.name}/"
    assert files.log[-1] == "sync exam/"
    assert not (tmp_path / "exam" / "a").exists()
    with pytest.raises(FileExistsError):
        files.make_folder(tmp_path / "exam")


def test_removing_what_is_not_there_is_no_error(tmp_path: Path) -> None:
    files = Told()
    files.remove(tmp_path / "nothing")
    assert files.log == []


def test_a_cut_file_keeps_exactly_its_beginning(tmp_path: Path) -> None:
    files = Told()
    files.write(tmp_path / "a", [b"abcdef"])
    files.log.clear()
    files.cut(tmp_path / "a", 2)
    assert (tmp_path / "a").read_bytes() == b"ab"
    assert files.log == ["sync"]


def test_a_disk_that_takes_a_few_bytes_at_a_time_gets_all_of_them(tmp_path: Path) -> None:
    OnShortWrites().write(tmp_path / "a", [b"0123456789"])
    assert (tmp_path / "a").read_bytes() == b"0123456789"


def test_a_full_disk_leaves_the_old_file_and_no_half_of_the_new_one(tmp_path: Path) -> None:
    Files().write(tmp_path / "a", [b"old"])
    with pytest.raises(DiskFull):
        Full(room=4).write(tmp_path / "a", [b"new", b"er"])
    assert (tmp_path / "a").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_picture_that_cannot_be_made_leaves_no_half_of_its_file(tmp_path: Path) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"half"
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - our own, above
        Files().write(tmp_path / "a", chunks())
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_cannot_be_written_is_said_with_its_kind_of_error(tmp_path: Path) -> None:
    class Broken(Files):
        def _sync(self, fd: int) -> None:
            del fd
            raise OSError(5, os.strerror(5))

    with pytest.raises(DiskFailed, match="EIO"):
        Broken().write(tmp_path / "a", [b"1"])
    assert not (tmp_path / "a").exists()


def test_an_append_that_fails_leaves_no_open_file(tmp_path: Path) -> None:
    class Broken(Files):
        def _sync_folder(self, path: Path) -> None:
            del path
            raise OSError(5, os.strerror(5))

    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(DiskFailed):
        Broken().append(tmp_path / "a")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize(("write", "mode"), [(Files.write_secret, 0o600), (Files.write_request, 0o640)])
def test_nobody_has_more_right_to_a_secret_or_a_request_than_afterwards(
    tmp_path: Path, write: Callable[[Files, Path, bytes], None], mode: int
) -> None:
    class Looks(Files):
        """Looks at the file when it is opened, and while it is empty: who opens it then reads what comes."""

        def _create(self, path: Path, *, keep: bool = False) -> int:
            fd = super()._create(path, keep=keep)
            modes.append(os.fstat(fd).st_mode & 0o777)
            return fd

        def _write(self, fd: int, data: bytes | memoryview) -> None:
            modes.append(os.fstat(fd).st_mode & 0o777)
            super()._write(fd, data)

    modes: list[int] = []
    before = os.umask(0o007)  # as the units have it
    try:
        write(Looks(), tmp_path / "pin", b"402918")
    finally:
        os.umask(before)
    assert modes == [mode]
    assert ((tmp_path / "pin").stat().st_mode & 0o777, (tmp_path / "pin").read_bytes()) == (mode, b"402918")


def test_a_file_that_somebody_laid_where_a_secret_is_written_gets_none_of_it(tmp_path: Path) -> None:
    laid = tmp_path / ("pin" + PART)
    laid.touch()
    with laid.open("rb") as held:
        Files().write_secret(tmp_path / "pin", b"402918")
        assert held.read() == b""
    assert (tmp_path / "pin").read_bytes() == b"402918"


def test_live_state_is_replaced_whole_without_waiting_for_the_disk(tmp_path: Path) -> None:
    files = Told()
    files.replace_quickly(tmp_path / "capture.json", b"1")
    files.replace_quickly(tmp_path / "capture.json", b"2")
    assert (tmp_path / "capture.json").read_bytes() == b"2"
    assert not (tmp_path / ("capture.json" + PART)).exists()
    assert files.log == []


def test_live_state_that_another_user_left_in_a_sticky_folder_is_written_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(old: Path, new: Path) -> None:
        raise PermissionError(errno.EPERM, f"{old.name} {new.name}")

    path = tmp_path / "settings.json"
    path.write_bytes(b"longer than what comes")
    monkeypatch.setattr(Path, "replace", refused)
    Files().replace_quickly(path, b"2")
    assert path.read_bytes() == b"2"
    assert [each.name for each in tmp_path.iterdir()] == ["settings.json"]


def test_a_file_that_was_let_go_of_may_be_let_go_of_again(tmp_path: Path) -> None:
    growing = Files().append(tmp_path / "growing")
    growing.close()
    other = os.open(tmp_path / "growing", os.O_RDONLY)  # takes the number that was free
    growing.close()
    os.fstat(other)  # it is not closed in its place
    os.close(other)
