"""The procedure step of an exam that is opened again lists what is made of its clips and waits for nothing new."""

from datetime import timedelta
from pathlib import Path

import pytest

from gateway.forward.making.procedure_steps import ProcedureSteps
from gateway.forward.making.release import Release
from gateway.model import Capture, Exam
from gateway.spool.reopening import reopen
from gateway.spool.spool import Spool
from tests.forward.bench import clip, films, open_exam, ordered, still, wrap_all
from tests.forward.channels import pacs, run, sender
from tests.forward.step_bench import planner
from tests.forward.test_fallback import fallbacks
from tests.forward.test_jpeg_clips import AS_JPEG, BASELINE, as_jpeg, maker, taking, uids_of


def exam_of_two_parts(spool: Spool, steps: ProcedureSteps) -> tuple[Exam, Capture]:
    """Return an exam that left, with a film that its archive took as JPEG only, and that is open again."""
    exam = open_exam(spool, ordered())
    recorded = clip(spool, exam, clip_as="h264")
    spool.exams.finish(exam.id)
    steps.step()
    Release(spool=spool, temporary="hold", announce=steps.announce).step()
    films(spool).step()
    run(sender(spool, taking(BASELINE), AS_JPEG))
    return reopen(spool, exam.id, within=timedelta(hours=4)), recorded


def ends(spool: Spool, exam: Exam) -> list[Path]:
    return list(spool.layout.exam(exam.id).glob("step-*.set.dcm"))


def test_a_step_of_before_a_reopening_ends_when_its_jpeg_clip_is_there_and_lists_it(spool: Spool) -> None:
    steps = planner(spool, settled=fallbacks(spool, AS_JPEG).settled)
    exam, recorded = exam_of_two_parts(spool, steps)
    steps.step()
    assert ends(spool, exam) == []
    added = still(spool, exam)  # of the part that is open
    maker(spool).step()
    steps.step()
    made = as_jpeg(spool, recorded).sop_instance_uid
    (end,) = ends(spool, exam)
    assert uids_of(end) == {recorded.sop_instance_uid, made}
    assert added.sop_instance_uid not in uids_of(end)


def test_a_step_of_before_a_reopening_waits_for_no_clip_of_the_part_that_is_open(spool: Spool) -> None:
    settled = fallbacks(spool, AS_JPEG, pacs("cloud", fallback="jpeg")).settled
    steps = planner(spool, settled=settled)
    exam, _ = exam_of_two_parts(spool, steps)
    maker(spool).step()
    clip(spool, exam, clip_as="h264")
    Release(spool=spool, temporary="hold", at_once=True, announce=steps.announce).step()
    films(spool, "cloud").step()
    assert not settled(spool.exams.get(exam.id)), "cloud was not asked yet"
    steps.step()
    assert len(ends(spool, exam)) == 1


def test_a_step_of_before_a_reopening_waits_for_its_own_clip_also_while_later_ones_leave_at_once(
    spool: Spool,
) -> None:
    settled = fallbacks(spool, AS_JPEG).settled
    steps = planner(spool, settled=settled)
    exam, recorded = exam_of_two_parts(spool, steps)
    clip(spool, exam, clip_as="h264")
    Release(spool=spool, temporary="hold", at_once=True, announce=steps.announce).step()
    films(spool, "cloud").step()
    steps.step()
    assert ends(spool, exam) == []
    maker(spool).step()
    steps.step()
    made = as_jpeg(spool, recorded).sop_instance_uid
    (end,) = ends(spool, exam)
    assert uids_of(end) == {recorded.sop_instance_uid, made}


@pytest.mark.parametrize("jpeg_first", [True, False])
def test_the_last_step_waits_for_no_clip_of_before_the_reopening(spool: Spool, *, jpeg_first: bool) -> None:
    steps = planner(spool, settled=fallbacks(spool, AS_JPEG).settled)
    exam, _ = exam_of_two_parts(spool, steps)
    still(spool, exam)
    if jpeg_first:
        maker(spool).step()
    spool.exams.finish(exam.id)
    steps.step()
    Release(spool=spool, temporary="hold", announce=steps.announce).step()
    wrap_all(spool)
    steps.step()
    assert len(ends(spool, exam)) == 1 + jpeg_first
