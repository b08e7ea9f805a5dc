"""One refused object waits for a person; an archive that refuses everything is waited for."""

import sqlite3

import pytest

from gateway.clock import FakeClock
from gateway.errors import NeverAccepted
from gateway.forward.sending.outage import Refusals, Verdict
from gateway.forward.sending.rearm import rearm
from gateway.forward.sending.sender import Sender
from gateway.model import DeliveryState
from gateway.spool.spool import Spool
from tests.forward.bench import deliveries, objects, sealed_exam
from tests.forward.channels import Archive, pacs, run, sender, stored

Q, SENDING, SENT, COMMITTED, HELD = DeliveryState
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


# --- a restart in the middle of it -------------------------------------------------------------------------------

REFUSED = NeverAccepted("The archive pacs cannot understand it (status C000).", code="refused")
REFUSED.status = "C000"


def refusing(*uids: str) -> Archive:
    """Return an archive that refuses these objects for themselves; all, when none is named."""
    archive = Archive()
    archive.say = lambda uid: REFUSED if not uids or uid in uids else "0000"
    return archive


def held_for_itself(spool: Spool, clock: FakeClock, part: Sender) -> str:
    """Send one more object to an archive that refuses it, until it is held; return its UID."""
    (sealed,) = objects(spool, sealed_exam(spool))
    for _ in range(2):
        run(part)
        clock.move(20)
    assert state_of(spool, sealed.sop_instance_uid) is HELD
    return sealed.sop_instance_uid


def state_of(spool: Spool, uid: str) -> DeliveryState:
    return next(d.state for d in deliveries(spool) if d.sop_instance_uid == uid)


def well_again(clock: FakeClock, part: Sender) -> None:
    """Let time go by with an archive that takes what it gets."""
    for _ in range(4):
        clock.move(700)
        run(part)


def test_what_was_held_before_a_restart_goes_again_when_the_outage_ends(spool: Spool, clock: FakeClock) -> None:
    part = sender(spool, refusing())
    for _ in range(2):
        held_for_itself(spool, clock, part)
    sealed_exam(spool)
    archive = refusing()
    again = sender(spool, archive)
    run(again)
    assert again.pause is not None
    assert again.pause.error.code == "outage"
    assert sorted(d.state for d in deliveries(spool)) == [HELD, HELD, Q]
    archive.say = stored
    well_again(clock, again)
    assert {d.state for d in deliveries(spool)} == {SENT}


def test_an_outage_outlasts_a_restart(spool: Spool, clock: FakeClock) -> None:
    part = sender(spool, refusing())
    held_for_itself(spool, clock, part)
    sealed_exam(spool, stills=3)
    run(part)
    assert part.pause is not None
    assert part.pause.error.code == "outage"
    well_again(clock, sender(spool, Archive()))
    assert {d.state for d in deliveries(spool)} == {SENT}


def test_after_a_restart_an_outage_is_known_at_the_next_refusal(spool: Spool, clock: FakeClock) -> None:
    sealed_exam(spool, stills=3)
    run(sender(spool, refusing()))
    clock.move(700)
    archive = refusing()
    again = sender(spool, archive)
    run(again)
    assert again.pause is not None
    assert again.pause.error.code == "outage"
    assert [len(call) for call in archive.calls] == [1]


def test_what_was_held_before_a_success_stays_held_over_a_restart(spool: Spool, clock: FakeClock) -> None:
    bad = held_for_itself(spool, clock, sender(spool, refusing()))
    sealed_exam(spool)
    run(sender(spool, Archive()))
    part = sender(spool, refusing())
    for _ in range(2):
        held_for_itself(spool, clock, part)
    sealed_exam(spool)
    run(sender(spool, refusing()))
    well_again(clock, sender(spool, refusing(bad)))
    assert state_of(spool, bad) is HELD
    assert [d.state for d in deliveries(spool)].count(SENT) == 4


def test_what_a_person_holds_back_during_an_outage_stays_held_over_a_restart(
    spool: Spool, clock: FakeClock
) -> None:
    sealed_exam(spool, stills=3)
    run(sender(spool, refusing()))
    mine = deliveries(spool)[1]
    spool.deliveries.hold(mine.id)
    clock.move(700)
    run(sender(spool, refusing()))
    well_again(clock, sender(spool, Archive()))
    assert [d.state for d in deliveries(spool)] == [SENT, HELD, SENT]


def test_a_queue_that_moves_to_another_archive_takes_no_refusals_along(spool: Spool) -> None:
    sealed_exam(spool, stills=3)
    run(sender(spool, refusing()))
    spool.rerouting.move("pacs", "new")
    assert spool.destinations.refused("new") == {}


def test_another_archive_under_the_same_name_has_refused_nothing(spool: Spool) -> None:
    rearm(spool, [pacs()])
    sealed_exam(spool, stills=3)
    run(sender(spool, refusing()))
    assert len(spool.destinations.refused("pacs")) == 3
    rearm(spool, [pacs(host="10.0.0.9")])
    assert spool.destinations.refused("pacs") == {}


def in_an_outage(spool: Spool, clock: FakeClock) -> tuple[Sender, Archive, int]:
    """Return a sender whose archive refuses everything, the archive, and the first of two that were held."""
    archive = refusing()
    part = sender(spool, archive)
    first = held_for_itself(spool, clock, part)
    held_for_itself(spool, clock, part)
    sealed_exam(spool)
    run(part)
    assert part.pause is not None
    return part, archive, next(d.id for d in deliveries(spool) if d.sop_instance_uid == first)


def test_what_a_person_held_back_meanwhile_does_not_go_when_the_outage_ends(spool: Spool, clock: FakeClock) -> None:
    part, archive, mine = in_an_outage(spool, clock)
    spool.deliveries.release(mine)
    spool.deliveries.hold(mine)
    archive.say = stored
    well_again(clock, part)
    assert [d.state for d in deliveries(spool)] == [HELD, SENT, SENT]


def test_an_outage_ends_also_when_a_person_moved_away_what_was_held_in_it(spool: Spool, clock: FakeClock) -> None:
    part, archive, mine = in_an_outage(spool, clock)
    seen = spool.deliveries.get(mine)
    spool.objects.put_row(spool.objects.get(seen.sop_instance_uid), ["new"])
    assert spool.rerouting.move("pacs", "new").merged == 1
    sealed_exam(spool)
    archive.say = stored
    well_again(clock, part)
    assert [d.state for d in deliveries(spool)] == [SENT]
    assert spool.destinations.refused("pacs") == {}


def test_an_outage_whose_end_the_index_refused_ends_with_the_next_success(spool: Spool, clock: FakeClock) -> None:
    part, archive, _ = in_an_outage(spool, clock)
    with spool.database.write() as connection:
        connection.execute(
            "CREATE TRIGGER refuses BEFORE UPDATE ON delivery WHEN OLD.state = 'held' "
            "BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    archive.say = stored
    clock.move(700)
    with pytest.raises(sqlite3.IntegrityError):
        run(part)
    with spool.database.write() as connection:
        connection.execute("DROP TRIGGER refuses")
    sealed_exam(spool)
    well_again(clock, part)
    assert {d.state for d in deliveries(spool)} == {SENT}
