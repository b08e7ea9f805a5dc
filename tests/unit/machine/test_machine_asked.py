"""Requests to root: nothing that the panel's folder can hold makes root read, wait or obey more."""

import pytest

from gateway.errors import MachineRequest
from gateway.machine.asked import words_of


def test_a_request_is_words_by_name() -> None:
    assert words_of(b'{"do": "unlock", "pin": "12345678"}') == {"do": "unlock", "pin": "12345678"}


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b'{"do": 1}', b'{"do": {"a": "b"}}', b"\xff\xfe", b"[" * 4000, b'{"do": "x']
)
def test_what_is_none_is_refused(raw: bytes) -> None:
    with pytest.raises(MachineRequest):
        words_of(raw)
