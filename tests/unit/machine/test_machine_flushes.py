"""What root keeps is on the disk before anybody is told so: in which order it is written, flushed and named."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.machine import durable
from gateway.machine.encryption import key_record
from gateway.machine.encryption.key_record import KeyRecord, State
from gateway.machine.encryption.luks import Luks
from gateway.machine.update import start_count

SYNC, NAME = "flush", "rename"


class Calls:
    """What a program asks the kernel for, by the file that it is asked of; `flushed`: what files held then."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.made: list[tuple[str, str]] = []
        self.flushed: list[bytes] = []
        rename = Path.rename

        def renames(source: Path, target: Path) -> Path:
            self.made.append((NAME, target.name))
            return rename(source, target)

        patch.setattr(os, "pwrite", self._noting("write", os.pwrite))
        patch.setattr(os, "write", self._noting("write", os.write))
        patch.setattr(os, "fsync", self._noting(SYNC, os.fsync))
        patch.setattr(Path, "rename", renames)

    def _noting(self, word: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(file: int, *more: Any) -> Any:
            path = Path(f"/proc/self/fd/{file}").readlink()
            if self.made[-1:] != [(word, path.name)]:
                self.made.append((word, path.name))
            if word == SYNC and path.is_file():
                self.flushed.append(path.read_bytes())
            return real(file, *more)

        return call


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    return Calls(monkeypatch)


def test_a_copy_of_the_key_is_flushed_before_the_other_is_begun(tmp_path: Path, calls: Calls) -> None:
    (tmp_path / "key").write_bytes(bytes(1 << 20))
    key_record.write(tmp_path / "key", KeyRecord(state=State.MADE, key=b"x"))
    assert calls.made == [("write", "key"), (SYNC, "key")] * 2


def test_a_file_is_flushed_before_it_gets_its_name_and_its_folder_after(tmp_path: Path, calls: Calls) -> None:
    durable.replace(tmp_path / "memory.json", b"{}", mode=0o600)
    # What Python's file writes goes past os.write.
    assert calls.made == [(SYNC, ".memory.json.new"), (NAME, "memory.json"), (SYNC, tmp_path.name)]
    assert calls.flushed == [b"{}"]


def test_a_start_that_came_up_is_flushed(tmp_path: Path, calls: Calls) -> None:
    (tmp_path / "key").write_bytes(b"\3" * (1 << 20))
    start_count.came_up(tmp_path / "key")
    assert calls.made == [("write", "key"), (SYNC, "key")]


def test_what_could_open_the_data_is_flushed_away(tmp_path: Path, calls: Calls) -> None:
    (tmp_path / "data").write_bytes(b"x" * (17 << 20))
    Luks(tmp_path / "data").wipe()
    assert calls.made == [("write", "data"), (SYNC, "data")]
    assert (tmp_path / "data").read_bytes()[: 16 << 20] == bytes(16 << 20)
