"""Pictures that the box let go, or may let go, when something else happens to them, their archive or their clip."""

from dataclasses import replace
from datetime import timedelta

import pydicom

from gateway.clock import FakeClock
from gateway.forward.sending.rearm import rearm
from gateway.model import DeliveryState, Exam, Identity, MessageKind
from gateway.spool import marks
from gateway.spool.inspection import inspect_exam
from gateway.spool.purging import Purging
from gateway.spool.queue.proofs import Verdict
from gateway.spool.reopening import reopen
from gateway.spool.spool import Spool
from gateway.spool.states import Owner
from tests.forward import test_asking_for_proof as asking
from tests.forward.bench import (
    clip,
    deliveries,
    delivery,
    let_go,
    open_exam,
    ordered,
    sealed_exam,
    still,
    wrap_all,
    wrapper,
)
from tests.forward.channels import Archive, pacs, run, sender
from tests.forward.step_bench import kinds, planner
from tests.forward.test_fallback import PACS as STILLS_FOR_CLIPS
from tests.forward.test_fallback import NoClips, exam_with_clip, forward
from tests.forward.test_retention import Box, commit
from tests.forward.test_together import rebuilt

QUEUED, SENDING, SENT, COMMITTED, HELD = DeliveryState


# --- pictures that the box let go --------------------------------------------------------------------------------


def test_what_was_let_go_is_never_queued_again_and_stays_safe(spool: Spool, clock: FakeClock) -> None:
    box = Box(spool, clock)
    sealed_exam(spool, stills=2)
    commit(spool)
    box.live(32)
    assert spool.rerouting.resend("pacs") == 0
    assert spool.rerouting.add("cloud", since=clock.utc() - timedelta(days=400), wants=lambda _: True) == 0
    assert asking.states(spool) == [COMMITTED, COMMITTED]


def test_what_was_let_go_keeps_its_proof_when_its_archive_moves(spool: Spool, clock: FakeClock) -> None:
    box = Box(spool, clock)
    rearm(spool, [pacs()])
    sealed_exam(spool, stills=2)
    commit(spool)
    box.live(32)
    rearm(spool, [pacs(host="10.0.0.9")])
    assert spool.rerouting.same("pacs") == 2
    assert asking.states(spool) == [COMMITTED, COMMITTED]
    assert spool.destinations.sent_to_others("pacs") == 0


def test_what_another_archive_lost_after_the_box_let_it_go_is_no_alarm(spool: Spool, clock: FakeClock) -> None:
    box, cloud = Box(spool, clock), pacs("cloud")
    exam = sealed_exam(spool, "pacs", "cloud")
    run(sender(spool, Archive(), cloud))
    commit(spool)
    box.live(32)
    assert box.objects(exam) == []
    asked = spool.proofs.due("cloud", cap_s=1e9)
    spool.proofs.settle(asked, lambda _: Verdict(state=QUEUED, code="not-committed", reason="It does not have it."))
    run(sender(spool, Archive(), cloud))
    held = delivery(spool, "cloud")
    assert (held.state, held.code) == (HELD, "purged")
    assert "another archive vouched" in held.reason
    assert spool.deliveries.stopped() == {}


def test_what_was_let_go_is_no_alarm_when_its_destination_takes_nothing_of_its_kind(
    spool: Spool, clock: FakeClock
) -> None:
    box, cloud = Box(spool, clock), pacs("cloud")
    sealed_exam(spool, "pacs", "cloud", stills=2)
    run(sender(spool, Archive(), cloud))
    commit(spool)
    box.live(32)
    asked = spool.proofs.due("cloud", cap_s=1e9)
    spool.proofs.settle(asked, lambda _: Verdict(state=QUEUED, code="not-committed", reason="It does not have it."))
    archive = NoClips()
    archive.accepts = lambda _: ()
    run(sender(spool, archive, cloud))
    assert [(d.state, d.code) for d in deliveries(spool, "cloud")] == [(HELD, "purged")] * 2


def test_a_clip_that_was_let_go_is_no_alarm_when_its_destination_is_to_get_more_stills_of_it(
    spool: Spool, clock: FakeClock
) -> None:
    box, cloud = Box(spool, clock), replace(STILLS_FOR_CLIPS, name="cloud")
    rearm(spool, [cloud])
    exam = clip_here_and_stills_there(spool)
    commit(spool)
    box.live(32)
    assert box.objects(exam) == []
    rearm(spool, [replace(cloud, key_stills=5)])
    forward(spool, NoClips(), replace(cloud, key_stills=5))
    assert [d.code for d in deliveries(spool, "cloud") if d.state is HELD] == ["purged"]
    assert spool.deliveries.stopped() == {}


def test_a_mark_names_no_archive_that_lost_the_picture_since_it_vouched(spool: Spool, clock: FakeClock) -> None:
    box, cloud = Box(spool, clock), pacs("cloud")
    exam = sealed_exam(spool, "pacs", "cloud")
    for name in ("pacs", "cloud"):
        commit(spool, destination=name)
    lost = delivery(spool, "cloud")
    spool.deliveries.move(lost, HELD, Owner.FORWARD, code="lost-by-archive")
    spool.deliveries.release(lost.id)
    run(sender(spool, Archive(), cloud))
    box.live(32)
    mark = marks.read(spool.layout.purged(exam.id, lost.sop_instance_uid))
    assert mark
    assert [proof.destination for proof in mark.proofs] == ["pacs"]
    assert delivery(spool, "cloud").proof == ""


def test_a_purge_stands_in_the_audit_once_however_often_the_box_starts(spool: Spool, clock: FakeClock) -> None:
    box, some = Box(spool, clock), tuple(Identity)
    exam = open_exam(spool)
    for taken in (still(spool, exam), clip(spool, exam)):
        assert spool.releases.release(exam.id, taken.sop_instance_uid, some)
    let_go(spool, exam)
    wrap_all(spool)
    spool.key_stills.plan(exam.id, taken.sop_instance_uid, 2, wanted=3, frames=(1, 2, 3))
    commit(spool)
    box.live(32)
    for _ in range(3):
        Purging(spool).take_up()
    assert spool.layout.audit.read_text().count("capture-purged") == 2


def test_the_sums_of_an_exam_name_what_is_there(spool: Spool, clock: FakeClock) -> None:
    box = Box(spool, clock)
    exam = sealed_exam(spool, stills=2)
    sums = spool.layout.sums(exam.id)
    assert len(sums.read_text().splitlines()) == 2
    commit(spool)
    box.live(32)
    wrap_all(spool)
    assert not sums.exists()
    reopen(spool, exam.id, within=timedelta(days=400))
    later = still(spool, exam)
    let_go(spool, exam)
    wrap_all(spool)
    assert [line.split()[1] for line in sums.read_text().splitlines()] == [later.sop_instance_uid + ".dcm"]
    assert spool.objects.unlisted(9) == []


# --- procedure steps ---------------------------------------------------------------------------------------------


def test_a_step_lists_what_was_let_go_before_the_last_of_it_could_be_made(spool: Spool, clock: FakeClock) -> None:
    box, steps = Box(spool, clock), planner(spool)
    exam = open_exam(spool, ordered())
    first, last = still(spool, exam), clip(spool, exam)
    steps.step()
    let_go(spool, exam)
    wrapper(spool).seal(first)
    series = pydicom.dcmread(spool.layout.object(exam.id, first.sop_instance_uid)).SeriesInstanceUID
    commit(spool)
    box.live(32)
    assert spool.captures.get(first.sop_instance_uid).purged
    wrap_all(spool)
    steps.step()
    assert kinds(spool, exam.id) == [("create", "queued"), ("set", "queued")]
    (step,) = spool.exams.get(exam.id).steps
    said = pydicom.dcmread(spool.steps.path(exam.id, step.sop_instance_uid, MessageKind.SET))
    found = {
        each.SeriesInstanceUID: [image.ReferencedSOPInstanceUID for image in each.ReferencedImageSequence]
        for each in said.PerformedSeriesSequence
    }
    assert found[series] == [first.sop_instance_uid]
    assert [last.sop_instance_uid] in found.values()


# --- key stills and retention ------------------------------------------------------------------------------------


def clip_here_and_stills_there(spool: Spool) -> Exam:
    """Return an exam whose clip one archive takes, and another one, cloud, as stills."""
    exam = open_exam(spool)
    clip(spool, exam)
    let_go(spool, exam)
    wrap_all(spool, "pacs", "cloud")
    forward(spool, NoClips(), replace(STILLS_FOR_CLIPS, name="cloud"))
    return exam


def test_a_clip_that_went_only_as_stills_to_the_archive_that_must_have_it_never_goes(
    spool: Spool, clock: FakeClock
) -> None:
    box = Box(spool, clock)
    exam = exam_with_clip(spool)
    forward(spool, NoClips())
    with spool.database.write() as connection:
        connection.execute("UPDATE delivery SET state = 'committed', proof = 'commitment' WHERE state = 'sent'")
    box.share = 0.05
    box.live(100)
    assert len(box.objects(exam)) == 4


def test_a_clip_that_its_archive_keeps_goes_with_its_key_stills_once_these_arrived(
    spool: Spool, clock: FakeClock
) -> None:
    box = Box(spool, clock)
    exam = clip_here_and_stills_there(spool)
    last = max(each.id for each in deliveries(spool, "cloud"))
    with spool.database.write() as connection:
        connection.execute("UPDATE delivery SET state = 'queued' WHERE id = ?", (last,))
    commit(spool)
    box.live(40)
    assert len(box.objects(exam)) == 4, "a still waits for its archive"
    run(sender(spool, Archive(), pacs("cloud")))
    box.live(32)
    assert box.objects(exam) == []
    assert list(inspect_exam(spool, exam.id)) == []
    assert spool.rerouting.resend("cloud") == 0
    again = rebuilt(spool, clock, pacs(), pacs("cloud"))
    assert asking.states(again) == [COMMITTED]
    assert deliveries(again, "cloud") == []
    again.close()
