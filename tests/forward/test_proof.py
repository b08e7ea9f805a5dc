"""What an archive's answer makes of a picture: never safe without its word, never given up in silence."""

from datetime import timedelta

import pytest

from gateway.forward.proving import proof
from gateway.forward.proving.proof import Then
from gateway.model import DeliveryState

SENT, QUEUED, HELD = DeliveryState.SENT, DeliveryState.QUEUED, DeliveryState.HELD


@pytest.mark.parametrize(
    ("reason", "state", "code"),
    [
        (0x0110, QUEUED, "not-committed"),
        (0x0112, QUEUED, "not-committed"),
        (0x0213, SENT, ""),
        (0x0122, HELD, "proof-refused"),
        (0x0119, HELD, "proof-refused"),
        (0x0131, SENT, ""),
        (0xC001, QUEUED, "not-committed"),
        (0, QUEUED, "not-committed"),
        (None, SENT, ""),
    ],
)
def test_each_failure_reason_has_its_consequence(reason: int | None, state: DeliveryState, code: str) -> None:
    found = proof.not_committed(reason, answers=0, archive="pacs")
    assert (found.state, found.code, found.proof) == (state, code, "")
    assert found.wait_s > 0 or state is HELD
    assert bool(found.reason) is (state is not SENT)


def test_the_waits_grow_and_have_an_end() -> None:
    minutes = [proof.delay_after(n) / timedelta(minutes=1) for n in range(13)]
    assert minutes == [0.25, 1, 4, 16, 64, 256, *[480] * 6, 0.25]
    assert sum(minutes[:11]) / 60 / 24 == pytest.approx(2, abs=0.2), "days until a person is asked"


def rounds(reason: int, count: int) -> list[DeliveryState]:
    return [proof.not_committed(reason, answers=n, archive="pacs").state for n in range(count)]


def test_what_the_archive_loses_again_and_again_is_held_for_a_person_and_may_try_again_then() -> None:
    assert rounds(0x0112, 24) == ([QUEUED] * 11 + [HELD]) * 2


def test_an_archive_without_room_is_asked_for_ever_and_gets_nothing_twice() -> None:
    assert set(rounds(0x0213, 50)) == {SENT}


def test_what_a_query_does_not_find_is_asked_for_again_then_sent_again_then_held() -> None:
    found = [proof.not_found(answers=n, archive="pacs") for n in range(12)]
    assert [each.state for each in found] == [*[SENT] * 3, *[QUEUED] * 8, HELD]
    assert {each.code for each in found[3:]} == {"not-found-there"}
    assert not any(each.proof for each in found)


def test_a_held_picture_says_what_happened_that_it_is_safe_and_what_to_do() -> None:
    for found in (
        proof.not_committed(0x0122, answers=0, archive="pacs"),
        proof.not_committed(0x0112, answers=11, archive="pacs"),
        proof.not_found(answers=11, archive="pacs"),
    ):
        assert "pacs" in found.reason
        assert "on this box" in found.reason
        assert "Call IT" in found.reason


def test_every_row_of_the_table_is_printed_with_its_reason() -> None:
    printed = proof.as_markdown()
    assert len(proof.TABLE) == 6
    for rule in proof.TABLE:
        assert f"| {rule.reason:04X} | {rule.says} | {rule.then} | {rule.because} |" in printed
    assert {rule.then for rule in proof.TABLE} == set(Then)
