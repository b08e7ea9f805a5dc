"""The recovery key as people write it down and type it."""

import pytest

from gateway.clock import Clock
from gateway.config import recovery_key

KEY = "cbdefghi-jklnrtuv-cbdefghi-jklnrtuv-cbdefghi-jklnrtuv-cbdefghi-jklnrtuv"


class Chance(Clock):
    def token(self, digits: int) -> str:
        return "0123456789abcdef" * (digits // 16)


def test_a_key_has_256_bits_in_groups() -> None:
    assert recovery_key.new(Chance()) == KEY
    assert recovery_key.new(Clock()) != recovery_key.new(Clock())
    assert recovery_key.read(recovery_key.new(Clock()))


@pytest.mark.parametrize("typed", [KEY, KEY.upper(), KEY.replace("-", ""), KEY.replace("-", " "), f"  {KEY}\n"])
def test_a_key_is_read_however_it_was_typed(typed: str) -> None:
    assert recovery_key.read(typed) == KEY


@pytest.mark.parametrize("typed", ["", KEY[:-1], f"{KEY}c", KEY.replace("c", "a"), "12345678"])
def test_what_is_no_key_is_said_so(typed: str) -> None:
    assert recovery_key.read(typed) == ""


def test_its_ending_is_its_last_group() -> None:
    assert recovery_key.ending(KEY) == "jklnrtuv"
