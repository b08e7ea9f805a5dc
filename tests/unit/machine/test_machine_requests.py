"""Requests to root: nothing that the panel's folder can hold makes root read, wait or obey more."""

import os
from contextlib import nullcontext
from pathlib import Path

import pytest

from gateway.errors import MachineRequest
from gateway.machine.requests import taken, words_of


def test_a_request_is_words_by_name() -> None:
    assert words_of(b'{"do": "unlock", "pin": "12345678"}') == {"do": "unlock", "pin": "12345678"}


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b'{"do": 1}', b'{"do": {"a": "b"}}', b"\xff\xfe", b"[" * 4000, b'{"do": "x']
)
def test_what_is_none_is_refused(raw: bytes) -> None:
    with pytest.raises(MachineRequest):
        words_of(raw)


@pytest.mark.parametrize("mode", [0o660, 0o606, 0o640, 0o600])
def test_a_file_that_others_may_write_asks_for_nothing(tmp_path: Path, mode: int) -> None:
    """As what a process says of itself: any other of the group can fill it and give it a request's name."""
    request = tmp_path / "repair"
    request.write_bytes(b"{}")
    request.chmod(mode)
    with pytest.raises(MachineRequest) if mode & 0o022 else nullcontext():
        assert taken("repair", tmp_path) == b"{}"
    assert not request.exists()


@pytest.mark.parametrize("other", [0, 1])
def test_what_somebody_else_of_the_group_asks_for_is_not_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: int
) -> None:
    request = tmp_path / "repair"
    request.write_bytes(b"{}")
    monkeypatch.setattr(os, "geteuid", lambda: request.stat().st_uid + other)
    expected = pytest.raises(MachineRequest) if other else nullcontext()
    with expected:
        assert taken("repair", tmp_path, by="nobody-of-this-name") == b"{}"
    assert not request.exists()
