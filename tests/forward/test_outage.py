"""One refused object waits for a person; an archive that refuses everything is waited for."""

from gateway.forward.sending.outage import Refusals, Verdict

AGAIN, HOLD, OUTAGE = Verdict.ONCE_MORE, Verdict.HOLD, Verdict.OUTAGE


def test_a_refused_object_gets_one_more_try_and_then_waits_for_a_person() -> None:
    refusals = Refusals()
    assert [refusals.refused(1), refusals.refused(1)] == [AGAIN, HOLD]
    assert not refusals.outage


def test_the_same_object_refused_for_ever_is_no_outage() -> None:
    refusals = Refusals()
    verdicts = [refusals.refused(1) for _ in range(6)]
    assert verdicts == [AGAIN, HOLD] * 3


def test_three_different_objects_refused_in_a_row_are_an_outage() -> None:
    refusals = Refusals()
    assert [refusals.refused(number) for number in (1, 2, 3, 4, 1)] == [AGAIN, AGAIN, OUTAGE, OUTAGE, OUTAGE]
    assert refusals.outage


def test_one_object_taken_in_between_is_proof_that_the_archive_works() -> None:
    refusals = Refusals()
    refusals.refused(1)
    refusals.refused(2)
    assert refusals.taken(9) == []
    assert [refusals.refused(number) for number in (1, 2)] == [HOLD, HOLD]
    assert not refusals.outage


def test_what_was_held_before_an_outage_was_known_goes_again_when_it_ends() -> None:
    refusals = Refusals()
    assert [refusals.refused(1), refusals.refused(1), refusals.refused(2), refusals.refused(2)] == [
        AGAIN,
        HOLD,
        AGAIN,
        HOLD,
    ]
    assert refusals.refused(3) is OUTAGE
    assert refusals.taken(3) == [1, 2]
    assert not refusals.outage


def test_what_was_held_before_another_object_was_taken_stays_held() -> None:
    refusals = Refusals()
    refusals.refused(1)
    assert refusals.refused(1) is HOLD
    assert refusals.taken(9) == []
    for number in (2, 3, 4):
        refusals.refused(number)
    assert refusals.taken(4) == []


def test_objects_that_are_really_bad_come_to_rest_while_others_are_taken() -> None:
    refusals = Refusals()
    waiting, tries = {1, 2, 3, 4, 5}, 0
    while waiting:
        for number in sorted(waiting):
            tries += 1
            if refusals.refused(number) is HOLD:
                waiting.discard(number)
        waiting.update(refusals.taken(9))
        assert tries < 200, "bad objects are sent for ever"
