"""What a changed configuration makes of a queue: tried again, once; and nothing is believed of another archive."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway.clock import FakeClock
from gateway.forward.notices import Notices
from gateway.forward.sending.rearm import OF_SETTINGS, rearm
from gateway.model import DeliveryState
from gateway.spool.spool import Spool
from gateway.spool.states import Owner
from tests.forward.bench import deliveries, delivery, open_exam, sealed_exam
from tests.forward.channels import BROKEN, Archive, pacs, run, sender
from tests.forward.step_bench import forward_works

Q, SENDING, SENT, COMMITTED, HELD = DeliveryState
PACS = pacs()


def held(spool: Spool, code: str) -> None:
    """Let the only delivery be held with this code."""
    seen = delivery(spool)
    spool.deliveries.move(seen, SENDING, Owner.FORWARD)
    spool.deliveries.move(replace(seen, state=SENDING), HELD, Owner.FORWARD, code=code, in_doubt=True)


def notices_of(spool: Spool, clock: FakeClock) -> Notices:
    """Return what a box says that has the destination "pacs" and the procedure step server "ris"."""
    return Notices(
        destinations=spool.destinations, configured=["pacs"], steps=spool.steps, servers=["ris"], clock=clock
    )


@pytest.mark.parametrize("code", sorted(OF_SETTINGS))
def test_what_settings_kept_here_is_tried_again_once_when_they_change(spool: Spool, code: str) -> None:
    sealed_exam(spool)
    assert rearm(spool, [PACS]) == 0
    held(spool, code)
    changed = replace(PACS, max_object_mb=700)
    assert rearm(spool, [changed]) == 1
    assert delivery(spool).state is Q
    held(spool, code)
    assert rearm(spool, [changed]) == (code == "no-context")  # what is seen from here did not change again


@pytest.mark.parametrize("code", ["refused", "held-by-person", "after-rebuild", "spool-damaged", "purged"])
def test_what_no_setting_kept_here_stays(spool: Spool, code: str) -> None:
    sealed_exam(spool)
    rearm(spool, [PACS])
    held(spool, code)
    assert rearm(spool, [replace(PACS, max_object_mb=700)]) == 0
    assert delivery(spool).state is HELD


def test_the_settings_of_one_destination_say_nothing_about_another(spool: Spool) -> None:
    sealed_exam(spool, "cloud")
    other = pacs("cloud", port=105)
    rearm(spool, [PACS, other])
    (seen,) = deliveries(spool, "cloud")
    spool.deliveries.move(seen, SENDING, Owner.FORWARD)
    spool.deliveries.move(replace(seen, state=SENDING), HELD, Owner.FORWARD, code="sop-class")
    assert rearm(spool, [replace(PACS, max_object_mb=700), other]) == 0


@pytest.mark.parametrize(
    "more", [{"host": "127.0.0.2"}, {"port": 11112}, {"ae_title": "NEW"}], ids=lambda more: next(iter(more))
)
def test_another_archive_under_the_same_name_is_believed_nothing_that_the_old_one_said(
    spool: Spool, more: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    archive = Archive()
    sealed_exam(spool, stills=3)
    first, second, third = deliveries(spool)
    rearm(spool, [PACS])
    archive.say = lambda uid: BROKEN if uid == second.sop_instance_uid else "0000"
    run(sender(spool, archive))
    assert spool.deliveries.get(second.id).in_doubt
    new = pacs(**more)
    rearm(spool, [new])
    voided = spool.deliveries.get(second.id)
    assert (voided.in_doubt, voided.setbacks, voided.next_attempt_ns) == (False, 0, 0)
    assert spool.destinations.sent_to_others("pacs") == 1
    assert "destination_replaced destination=pacs sent_to_the_one_before=1 waiting_for_the_new_one=2" in caplog.text
    fresh = Archive()
    run(sender(spool, fresh, new))
    assert fresh.got == [second.sop_instance_uid, third.sop_instance_uid]
    assert fresh.doubted == set()
    assert spool.rerouting.resend("pacs") == 3
    run(sender(spool, fresh, new))
    assert fresh.got[2:] == [first.sop_instance_uid, second.sop_instance_uid, third.sop_instance_uid]
    assert fresh.doubted == {second.sop_instance_uid, third.sop_instance_uid}
    assert spool.destinations.sent_to_others("pacs") == 0


def test_a_start_without_a_change_leaves_doubts_and_counts_as_they_are(spool: Spool) -> None:
    archive = Archive()
    sealed_exam(spool)
    rearm(spool, [PACS])
    archive.say = lambda _: BROKEN
    run(sender(spool, archive))
    rearm(spool, [PACS])
    assert delivery(spool).in_doubt
    assert spool.destinations.get("pacs").generation == 0


def test_a_start_waits_for_no_next_try(spool: Spool) -> None:
    sealed_exam(spool, stills=1)
    spool.deliveries.postpone(deliveries(spool), wait_s=900, code="called-ae", reason="It knows another title.")
    assert spool.deliveries.due(PACS.name, cap_s=1000) == []
    rearm(spool, [PACS])
    (delivery,) = spool.deliveries.due(PACS.name, cap_s=1000)
    assert (delivery.code, delivery.attempts) == ("called-ae", 1)


def test_somebody_is_told_of_queues_that_go_nowhere_until_they_are_settled(spool: Spool, clock: FakeClock) -> None:
    sealed_exam(spool, "gone", "pacs", stills=2)
    notices = notices_of(spool, clock)
    assert notices.look().orphans == {"gone": 2}
    spool.rerouting.move("gone", "pacs")
    clock.move(31)
    assert notices.look().orphans == {}


def test_somebody_is_told_of_messages_whose_procedure_step_server_is_gone_until_they_are_given_up(
    spool: Spool, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    open_exam(spool)
    forward_works(spool, "ris", "gone")
    notices = notices_of(spool, clock)
    assert notices.look().servers == {"gone": 1}
    clock.move(31)
    notices.look()
    assert caplog.text.count("step_server_not_configured server=gone waiting=1") == 1
    assert spool.rerouting.drop_messages("gone") == 1
    clock.move(31)
    assert notices.look().servers == {}


def test_somebody_is_told_what_only_the_archive_before_has_until_it_was_sent_again(
    spool: Spool, clock: FakeClock, opened_again: Callable[[], Notices]
) -> None:
    archive = Archive()
    sealed_exam(spool, stills=2)
    rearm(spool, [PACS])
    run(sender(spool, archive))
    assert opened_again().look().elsewhere == {}
    new = pacs(port=105)
    rearm(spool, [new])
    notices = opened_again()
    assert notices.look().elsewhere == {"pacs": 2}
    spool.rerouting.resend("pacs")
    clock.move(31)
    assert notices.look().elsewhere == {}


@pytest.fixture
def opened_again(spool: Spool, clock: FakeClock) -> Callable[[], Notices]:
    return lambda: notices_of(spool, clock)
