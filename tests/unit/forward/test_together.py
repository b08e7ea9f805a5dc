"""Two features at once, with a person's change of mind or a lost index in between: what no feature tests alone."""

from gateway.clock import FakeClock
from gateway.forward.rearm import rearm
from gateway.model import DeliveryState
from gateway.spool.spool import Spool
from tests.unit.forward import test_asking_for_proof as asking
from tests.unit.forward.bench import deliveries, sealed_exam
from tests.unit.forward.channels import Archive, pacs, run, sender
from tests.unit.forward.test_retention import Box, commit

QUEUED, SENDING, SENT, COMMITTED, HELD = DeliveryState


# --- storage commitment and queues that a person moves -----------------------------------------------------------


def asked_about(spool: Spool, clock: FakeClock) -> tuple[str, list[str]]:
    """Send an exam, have the archive asked to vouch for it, and return what it was asked; its report is due."""
    archive = asking.Archive()
    asking.sent_exam(spool, clock)
    asking.committer(spool, archive).step()
    (asked,) = archive.asked
    return asked


def vouches(spool: Spool, asked: tuple[str, list[str]]) -> bool:
    transaction, uids = asked
    return asking.reports(spool).hear(asking.all_stored(transaction, uids), asking.PACS)


def test_a_report_about_what_was_sent_first_says_nothing_about_what_a_person_had_sent_again(
    spool: Spool, clock: FakeClock
) -> None:
    asked = asked_about(spool, clock)
    spool.rerouting.resend("pacs")
    run(sender(spool, Archive()))
    vouches(spool, asked)
    assert asking.states(spool) == [SENT, SENT]
    clock.move(10)
    assert len(spool.proofs.due("pacs", cap_s=1e9)) == 2, "it is asked about again at once"


def test_an_archive_never_vouches_for_what_went_to_another_one_after_all(spool: Spool, clock: FakeClock) -> None:
    asked = asked_about(spool, clock)
    spool.rerouting.resend("pacs")
    spool.rerouting.move("pacs", "new")
    run(sender(spool, Archive(), pacs("new")))
    assert vouches(spool, asked), "it was an answer to a question of ours"
    assert asking.states(spool, "new") == [SENT, SENT]


def test_a_report_counts_for_no_delivery_that_got_the_number_of_one_that_was_given_up(
    spool: Spool, clock: FakeClock
) -> None:
    asked = asked_about(spool, clock)
    with spool.database.write() as connection:
        connection.execute("DELETE FROM delivery WHERE id = 2")
    asking.sent_exam(spool, clock, 1)
    assert [each.id for each in deliveries(spool)] == [1, 2]
    assert vouches(spool, asked)
    assert asking.states(spool) == [COMMITTED, SENT]


# --- retention, and archives that change -------------------------------------------------------------------------


def test_what_only_the_archive_before_has_stays_until_the_new_one_vouches_for_it(
    spool: Spool, clock: FakeClock
) -> None:
    box, new = Box(spool, clock), pacs(host="10.9.9.9")
    rearm(spool, [pacs()])
    exam = sealed_exam(spool)
    run(sender(spool, Archive()))
    commit(spool)
    box.live(20)
    rearm(spool, [new])
    box.live(40)
    assert len(box.objects(exam)) == 1
    spool.rerouting.resend("pacs")
    run(sender(spool, Archive(), new))
    commit(spool)
    box.live(31)
    assert box.objects(exam) == []
