"""Requests to root: nothing that the panel's folder can hold makes root read, wait or obey more."""

import os
from pathlib import Path

import pytest

from gateway.errors import MachineRequest
from gateway.machine import asked
from gateway.machine.asked import PANEL, taken, words_of


def test_a_request_is_words_by_name() -> None:
    assert words_of(b'{"do": "unlock", "pin": "12345678"}') == {"do": "unlock", "pin": "12345678"}


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b'{"do": 1}', b'{"do": {"a": "b"}}', b"\xff\xfe", b"[" * 4000, b'{"do": "x']
)
def test_what_is_none_is_refused(raw: bytes) -> None:
    with pytest.raises(MachineRequest):
        words_of(raw)


def test_what_only_the_screen_may_ask_for_is_taken_from_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = tmp_path / "repair"
    for ours, answer in ((os.getuid(), b"{}"), (os.getuid() + 1, None)):
        request.write_bytes(b"{}")
        monkeypatch.setattr(asked, "_users", lambda _, ours=ours: {ours})
        if answer is None:
            with pytest.raises(MachineRequest):
                taken("repair", tmp_path, by=PANEL)
        else:
            assert taken("repair", tmp_path, by=PANEL) == answer
        assert not request.exists()
