"""Two features at once, with a person's change of mind or a lost index in between: what no feature tests alone."""

import json
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path

import pydicom
import pytest

from gateway.clock import FakeClock
from gateway.config.settings import Destination, Entity
from gateway.errors import NeverAccepted, Purged, TryLater, WrongState
from gateway.forward.making.release import Release
from gateway.forward.media.export import export, items_of
from gateway.forward.proving.query import Querier
from gateway.forward.sending.rearm import rearm
from gateway.model import DeliveryState, Exam, Identity
from gateway.spool.opening import open_spool
from gateway.spool.recovery.exams import reconcile_exams
from gateway.spool.reopening import reopen
from gateway.spool.spool import Spool
from tests.forward import test_asking_for_proof as asking
from tests.forward.bench import (
    deliveries,
    delivery,
    let_go,
    numbers,
    open_exam,
    ordered,
    sealed_exam,
    still,
    typed,
    wrap_all,
)
from tests.forward.channels import BROKEN, Archive, pacs, run, sender
from tests.forward.step_bench import planner
from tests.forward.test_fallback import PACS as STILLS_FOR_CLIPS
from tests.forward.test_fallback import NoClips, exam_with_clip, forward
from tests.forward.test_retention import Box, commit

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


def test_an_archive_that_only_moved_is_asked_again_and_gets_nothing_twice(spool: Spool, clock: FakeClock) -> None:
    rearm(spool, [pacs()])
    before = asked_about(spool, clock)
    assert vouches(spool, before)
    assert asking.states(spool) == [COMMITTED, COMMITTED]
    rearm(spool, [pacs(host="10.0.0.9")])
    assert spool.destinations.sent_to_others("pacs") == 2
    assert spool.rerouting.same("pacs") == 2
    assert spool.rerouting.same("pacs") == 0

    assert spool.destinations.sent_to_others("pacs") == 0
    assert asking.states(spool) == [SENT, SENT]
    vouches(spool, before)
    assert asking.states(spool) == [SENT, SENT], "what it said at its old address is no answer"
    clock.move(10)
    archive = asking.Archive()
    asking.committer(spool, archive).step()
    (asked,) = archive.asked
    kept, lost = asked[1]
    asking.reports(spool).hear(asking.report(asked[0], (kept,), {lost: 0x0112}), asking.PACS)
    assert asking.states(spool) == [COMMITTED, QUEUED], "what it does not have goes again"


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


def only_once(archive: Archive) -> Archive:
    """Refuse what came before, as an archive does that says "duplicate" (0111)."""
    refusal = NeverAccepted("The archive has another object of this identity.", code="duplicate")
    refusal.status = "0111"
    before = list(archive.got)
    archive.say = lambda uid: refusal if uid in before and uid not in archive.doubted else "0000"
    return archive


def stores_and_dies(archive: Archive) -> Archive:
    """Keep what comes, without an answer."""

    def keeps(uid: str) -> TryLater:
        archive.got.append(uid)
        return BROKEN

    archive.say = keeps
    return archive


@pytest.mark.parametrize("said", ["before it goes again", "after it was refused"])
def test_what_broke_off_when_the_archive_moved_may_have_arrived_at_the_same_archive(
    spool: Spool, clock: FakeClock, said: str
) -> None:
    old, new, archive = pacs(), pacs(host="10.0.0.9"), Archive()
    rearm(spool, [old])
    sealed_exam(spool)
    run(sender(spool, stores_and_dies(archive), old))
    rearm(spool, [new])
    part = sender(spool, only_once(archive), new)
    if said == "after it was refused":
        for _ in range(2):
            run(part)
            clock.move(700)
        assert (delivery(spool).state, delivery(spool).code) == (HELD, "duplicate")
    assert spool.rerouting.same("pacs") == 0
    spool.deliveries.release_all("duplicate")
    run(part)
    assert delivery(spool).state is SENT


def test_an_archive_that_was_renamed_here_and_takes_nothing_twice_has_what_it_got_under_its_old_name(
    spool: Spool, clock: FakeClock
) -> None:
    archive, new = Archive(), pacs("new")
    sealed_exam(spool, "old", stills=4)
    run(sender(spool, archive, pacs("old")))
    rearm(spool, [new])
    spool.rerouting.add("new", since=clock.utc() - timedelta(days=400), wants=lambda _: True)
    part = sender(spool, only_once(archive), new)
    for _ in range(4):
        run(part)
        clock.move(700)
    assert SENT not in asking.states(spool, "new")
    spool.rerouting.same("new")
    spool.deliveries.release_all("duplicate")
    run(part)
    assert asking.states(spool, "new") == [SENT] * 4


def test_an_archive_that_moved_after_a_rebuild_and_takes_nothing_twice_is_no_outage(
    spool: Spool, clock: FakeClock
) -> None:
    archive, new = Archive(), pacs(host="10.0.0.9")
    sealed_exam(spool, stills=4)
    run(sender(spool, archive))
    again = rebuilt(spool, clock)
    rearm(again, [pacs()])
    rearm(again, [new])
    again.rerouting.same("pacs")
    again.deliveries.release_all("after-rebuild")
    run(sender(again, only_once(archive), new))
    assert asking.states(again) == [SENT] * 4
    again.close()


@pytest.mark.parametrize("how", ["resend", "same"])
def test_what_a_person_had_sent_or_asked_about_again_gets_twelve_answers_more(
    spool: Spool, clock: FakeClock, how: str
) -> None:
    rearm(spool, [pacs()])
    asked_about(spool, clock)
    with spool.database.write() as connection:
        connection.execute("UPDATE delivery SET proof_round = 10")
    if how == "same":
        rearm(spool, [pacs(host="10.0.0.9")])
    getattr(spool.rerouting, how)("pacs")
    run(sender(spool, Archive(), pacs(host="10.0.0.9")))
    clock.move(700)
    archive = asking.Archive()
    asking.committer(spool, archive).step()
    ((transaction, uids),) = archive.asked
    asking.reports(spool).hear(asking.report(transaction, (), dict.fromkeys(uids, 0x0112)), asking.PACS)
    assert asking.states(spool) == [QUEUED, QUEUED]


# --- an index that was lost --------------------------------------------------------------------------------------


class HasAll:
    """An archive that finds whatever it is asked about."""

    def find(self, study_instance_uid: str, sop_instance_uids: Collection[str]) -> frozenset[str]:
        del study_instance_uid
        return frozenset(sop_instance_uids)


def rebuilt(spool: Spool, clock: FakeClock, *destinations: Destination) -> Spool:
    """Return the spool with a new index in place of the old one."""
    spool.close()
    for path in spool.layout.root.glob("scopegate.db*"):
        path.unlink()
    return open_spool(spool.layout.root, clock=clock, destinations=destinations or (pacs(),))


def test_after_a_rebuild_an_archive_that_takes_nothing_twice_is_no_outage(spool: Spool, clock: FakeClock) -> None:
    archive = Archive()
    sealed_exam(spool, stills=4)
    run(sender(spool, archive))
    again = rebuilt(spool, clock)
    again.deliveries.release_all("after-rebuild")
    run(sender(again, only_once(archive)))
    assert asking.states(again) == [SENT] * 4
    again.close()


def test_after_a_rebuild_key_stills_may_have_arrived_before(spool: Spool, clock: FakeClock) -> None:
    exam_with_clip(spool)
    archive = NoClips()
    forward(spool, archive)
    again = rebuilt(spool, clock, STILLS_FOR_CLIPS)
    again.deliveries.release_all("after-rebuild")
    forward(again, only_once(archive))
    assert asking.states(again) == [HELD, SENT, SENT, SENT]
    again.close()


def test_what_the_new_archive_has_after_a_rebuild_is_asked_about_as_its_own(spool: Spool, clock: FakeClock) -> None:
    new = pacs(host="10.9.9.9", query=Entity(ae_title="PACS", host="10.9.9.9", port=104), trust_query=True)
    sealed_exam(spool)
    run(sender(spool, Archive()))
    again = rebuilt(spool, clock)
    rearm(again, [pacs()])
    rearm(again, [new])
    querier = Querier(spool=again, destination=new, finder=HasAll(), settle_s=0)
    while querier.step():
        pass
    assert again.destinations.sent_to_others("pacs") == 0
    assert delivery(again).state is COMMITTED
    again.close()


# --- exams to a medium -------------------------------------------------------------------------------------------


def test_a_medium_gets_the_clip_also_when_the_archive_got_stills_of_it(spool: Spool) -> None:
    exam = exam_with_clip(spool, stills=1)
    forward(spool, NoClips())
    items, left_out = items_of(spool, exam.id)
    assert [item.sealed.sop_instance_uid for item in items] == list(numbers(spool))
    assert left_out == 0


def test_what_the_box_let_go_is_missing_on_a_medium_and_said_so(
    spool: Spool, clock: FakeClock, tmp_path: Path
) -> None:
    box = Box(spool, clock)
    exam = sealed_exam(spool, stills=2)
    commit(spool)
    box.live(32)
    with pytest.raises(Purged, match="let the pictures"):
        export(spool, [exam.id], tmp_path, by="test")
    reopen(spool, exam.id, within=timedelta(days=400))
    later = still(spool, exam)
    let_go(spool, exam)
    wrap_all(spool)
    items, left_out = items_of(spool, exam.id)
    assert [item.sealed.capture for item in items] == [later.sop_instance_uid]
    assert left_out == 2


# --- the release before, and back --------------------------------------------------------------------------------


def forgotten_by_release_0_1(spool: Spool, exam: Exam) -> None:
    """Write exam.json as the release before does that was put back on: it drops what it does not know."""
    path = spool.layout.exam_json(exam.id)
    known = json.loads(path.read_bytes())
    for key in ("steps", "further", "keep", "reopened", "crc32"):
        known.pop(key, None)
    path.write_text(json.dumps({**known, "revision": known["revision"] + 1}))
    reconcile_exams(spool)


@pytest.mark.parametrize("how", ["opened again", "at once"])
def test_what_left_stays_with_its_patient_also_when_the_release_before_forgot_that(spool: Spool, how: str) -> None:
    exam = open_exam(spool, ordered())
    left = still(spool, exam)
    if how == "at once":
        assert spool.releases.release(exam.id, left.sop_instance_uid, tuple(Identity))
    else:
        let_go(spool, exam)
    wrap_all(spool)
    if how == "at once":
        spool.layout.released(exam.id, left.sop_instance_uid).unlink()
    else:
        reopen(spool, exam.id, within=timedelta(days=1))
    forgotten_by_release_0_1(spool, exam)
    later = still(spool, exam)
    with pytest.raises(WrongState):
        spool.captures.reject(left.sop_instance_uid, "blurred")
    with pytest.raises(WrongState):
        spool.exams.assign(exam.id, typed())
    assert spool.captures.reject(later.sop_instance_uid, "blurred").capture.state == "rejected"


# --- pictures that leave at once, and procedure steps ------------------------------------------------------------


def test_a_picture_that_leaves_at_once_names_a_step_that_was_announced(spool: Spool) -> None:
    steps = planner(spool)
    part = Release(spool=spool, temporary="hold", at_once=True, announce=steps.announce)
    exam = open_exam(spool, ordered())  # at the moment between announcing and releasing
    taken = still(spool, exam)
    part.step()
    wrap_all(spool)
    (step,) = spool.exams.get(exam.id).steps
    assert step.servers == ("ris",)
    sealed = pydicom.dcmread(spool.layout.object(exam.id, taken.sop_instance_uid))
    (named,) = sealed.ReferencedPerformedProcedureStepSequence
    assert named.ReferencedSOPInstanceUID == step.sop_instance_uid


def test_nothing_leaves_of_a_step_that_a_person_replaced_at_this_moment(spool: Spool) -> None:
    steps = planner(spool)

    def interrupted(exam: Exam) -> Exam:
        announced = steps.announce(exam)
        spool.exams.assign(exam.id, typed())
        return announced

    exam = open_exam(spool, ordered())
    taken = still(spool, exam)
    Release(spool=spool, temporary="hold", at_once=True, announce=interrupted).step()
    assert not spool.layout.released(exam.id, taken.sop_instance_uid).exists()
    Release(spool=spool, temporary="hold", at_once=True, announce=steps.announce).step()
    assert spool.layout.released(exam.id, taken.sop_instance_uid).exists()
    assert spool.exams.get(exam.id).steps[-1].servers == ("ris",)
