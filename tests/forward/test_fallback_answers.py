"""An archive that opens its doors to a clip and then answers that it does not take it: key stills go instead."""

from collections.abc import Callable

import pydicom
import pytest

from gateway.clock import FakeClock
from gateway.errors import DeliveryError
from gateway.forward.making.release import Release
from gateway.model import DeliveryState, MessageKind
from gateway.net import statuses, webanswers
from gateway.spool.spool import Spool
from tests.forward.bench import clip, deliveries, let_go, open_exam, ordered, sealed_exam, still, wrap_all
from tests.forward.channels import Archive, pacs, run, sender
from tests.forward.step_bench import kinds, planner
from tests.forward.test_fallback import (
    BASELINE,
    PACS,
    exam_with_clip,
    fallbacks,
    forward,
    key_stills,
    of_clip,
    the_clip,
)
from tests.forward.test_retention import Box

Q, SENDING, SENT, COMMITTED, HELD = DeliveryState
WHO = "the archive pacs"


def status(value: int) -> DeliveryError:
    return statuses.failure(value, who=WHO)


def reason(value: int) -> DeliveryError:
    return webanswers.by_reason(value, who=WHO)[1]


def http(value: int) -> DeliveryError:
    return webanswers.by_status(value, who=WHO)


OF_THE_FORM = [status(0x0122), status(0x0112), reason(0x0122), reason(0x0112), reason(0xC122), http(415)]
OF_SOMETHING_ELSE = [
    (status(0xC122), HELD, "refused"),  # over DIMSE a "cannot understand" like every other C000-CFFF
    (status(0xA900), HELD, "refused"),
    (http(400), HELD, "refused"),
    (http(413), HELD, "too-large"),
    (status(0x0124), Q, "not-authorized"),
    (http(403), Q, "not-authorized"),
    (status(0x0110), Q, "processing-failure"),
]


def named(error: DeliveryError) -> str:
    return f"{error.code} {error.status}"


class AnswersClips(Archive):
    """Accepts every context, takes stills, and answers each clip in this way."""

    def __init__(self, spool: Spool, answer: DeliveryError | str) -> None:
        super().__init__()
        self.answer = answer
        self.meanwhile: Callable[[], object] = lambda: None  # while it answers
        self.say = self._say
        self._spool = spool

    def _say(self, uid: str) -> DeliveryError | str:
        self.meanwhile()
        return self.answer if self._spool.objects.get(uid).transfer_syntax_uid == BASELINE else "0000"


@pytest.mark.parametrize("answer", OF_THE_FORM, ids=named)
def test_a_clip_whose_form_is_refused_by_an_answer_goes_as_stills(spool: Spool, answer: DeliveryError) -> None:
    exam = exam_with_clip(spool, stills=1)
    archive = AnswersClips(spool, answer)
    part = sender(spool, archive, PACS)
    run(part)
    assert of_clip(spool, exam) == (HELD, "key-stills-wanted")
    assert part.pause is None
    forward(spool, archive)
    assert of_clip(spool, exam) == (HELD, "sent-as-key-stills")
    arrived = {d.sop_instance_uid for d in deliveries(spool) if d.state is SENT}
    assert len(key_stills(spool, exam)) == 3
    assert arrived >= {each.sop_instance_uid for each in key_stills(spool, exam)}
    (held,) = (d for d in deliveries(spool) if d.state is HELD)
    assert (held.status, held.attempts) == (answer.status, 1)
    assert spool.deliveries.stopped() == {}


@pytest.mark.parametrize(
    ("answer", "state", "code"), OF_SOMETHING_ELSE, ids=[named(row[0]) for row in OF_SOMETHING_ELSE]
)
def test_a_clip_that_is_refused_for_anything_else_waits_and_no_stills_go_in_its_place(
    spool: Spool, clock: FakeClock, answer: DeliveryError, state: DeliveryState, code: str
) -> None:
    exam = exam_with_clip(spool)
    for _ in range(2):
        forward(spool, AnswersClips(spool, answer))
        clock.move(20)
    part = sender(spool, AnswersClips(spool, answer), PACS)
    for _ in range(2):
        run(part)
        clock.move(20)
    assert of_clip(spool, exam) == (state, code)
    fallbacks(spool).step()
    assert key_stills(spool, exam) == []


@pytest.mark.parametrize("answer", [status(0x0122), reason(0xC122), http(415)], ids=named)
def test_a_still_with_the_same_answer_waits_for_a_person(
    spool: Spool, clock: FakeClock, answer: DeliveryError
) -> None:
    sealed_exam(spool)
    archive = Archive()
    archive.say = lambda _: answer
    part = sender(spool, archive, PACS)
    for _ in range(2):
        run(part)
        clock.move(20)
    assert [(d.state, d.code) for d in deliveries(spool)] == [(HELD, answer.code)]
    fallbacks(spool).step()
    assert spool.deliveries.stopped() == {"pacs": 1}


@pytest.mark.parametrize("answer", [status(0x0122), reason(0xC122), http(415)], ids=named)
def test_without_the_setting_a_clip_with_such_an_answer_waits_for_a_person(
    spool: Spool, clock: FakeClock, answer: DeliveryError
) -> None:
    exam = exam_with_clip(spool)
    part = sender(spool, AnswersClips(spool, answer), pacs())
    for _ in range(2):
        run(part)
        clock.move(20)
    assert of_clip(spool, exam) == (HELD, answer.code)
    assert key_stills(spool, exam) == []


# --- what the answer tells about the next clips ------------------------------------------------------------------


def test_after_such_an_answer_the_stills_of_the_next_clip_are_made_before_it_is_offered(spool: Spool) -> None:
    exam_with_clip(spool)
    archive = AnswersClips(spool, status(0x0122))
    forward(spool, archive)
    part = fallbacks(spool)
    part.step()
    second = exam_with_clip(spool)
    part.step()
    assert len(key_stills(spool, second)) == 3
    assert of_clip(spool, second) == (Q, "")


def settled_while_it_is_offered(spool: Spool, archive: AnswersClips) -> tuple[bool, bool]:
    """Offer one more clip; say whether its exam counted as settled before that, and while the archive answered."""
    exam = exam_with_clip(spool)
    part, seen = fallbacks(spool), []
    before = part.settled(exam)
    archive.meanwhile = lambda: seen.append(part.settled(exam))
    run(sender(spool, archive, PACS))
    return before, seen[0]


def test_an_exam_is_not_settled_by_an_accepted_context_while_the_answer_is_open(spool: Spool) -> None:
    archive = AnswersClips(spool, status(0x0122))
    assert settled_while_it_is_offered(spool, archive) == (False, False)
    assert settled_while_it_is_offered(spool, archive) == (False, False)
    archive.answer = "0000"  # it was set up for clips
    assert settled_while_it_is_offered(spool, archive) == (False, False)
    assert settled_while_it_is_offered(spool, archive) == (True, True)


def test_an_exam_whose_clip_was_answered_with_a_refusal_is_settled_once_its_stills_are_made(spool: Spool) -> None:
    exam = exam_with_clip(spool, stills=1)
    part = fallbacks(spool)
    run(sender(spool, AnswersClips(spool, http(415)), PACS))
    assert not part.settled(exam)
    part.step()
    assert part.settled(exam)
    assert spool.destinations.takes("pacs", the_clip(spool, exam).sop_class_uid, BASELINE) is False


# --- what else looks at it ---------------------------------------------------------------------------------------


def test_the_end_of_a_procedure_step_lists_the_stills_that_go_in_place_of_a_refused_clip(spool: Spool) -> None:
    made = fallbacks(spool)
    steps = planner(spool, settled=made.settled)
    exam = open_exam(spool, ordered())
    clip(spool, exam)
    spool.exams.finish(exam.id)
    steps.step()
    Release(spool=spool, temporary="hold", announce=steps.announce).step()
    wrap_all(spool)
    run(sender(spool, AnswersClips(spool, status(0x0122)), PACS))
    steps.step()
    assert [kind for kind, _ in kinds(spool, exam.id)] == ["create"]
    made.step()
    steps.step()
    (step,) = spool.exams.get(exam.id).steps
    end = pydicom.dcmread(spool.steps.path(exam.id, step.sop_instance_uid, MessageKind.SET))
    listed = [i.ReferencedSOPInstanceUID for s in end.PerformedSeriesSequence for i in s.ReferencedImageSequence]
    assert sorted(listed) == sorted(each.sop_instance_uid for each in spool.objects.of_exam(exam.id))
    assert len(listed) == 4


@pytest.mark.parametrize(("name", "left"), [("pacs", 4), ("cloud", 0)], ids=["required", "not required"])
def test_a_refused_clip_stays_on_the_disk_where_its_archive_must_have_it(
    spool: Spool, clock: FakeClock, name: str, left: int
) -> None:
    box = Box(spool, clock)  # where pacs must have everything
    exam = open_exam(spool)
    clip(spool, exam)
    let_go(spool, exam)
    wrap_all(spool, "pacs", "cloud")
    for to in ("pacs", "cloud"):
        answers = AnswersClips(spool, status(0x0122) if to == name else "0000")
        forward(spool, answers, pacs(to, fallback="key-stills"))
    assert of_clip(spool, exam, name) == (HELD, "sent-as-key-stills")
    with spool.database.write() as connection:
        connection.execute("UPDATE delivery SET state = 'committed', proof = 'commitment' WHERE state = 'sent'")
    box.live(40)
    assert len(box.objects(exam)) == left


def test_clips_that_are_refused_in_an_outage_do_not_begin_it_anew(spool: Spool, clock: FakeClock) -> None:
    exam = open_exam(spool)
    for _ in range(6):
        still(spool, exam)
        clip(spool, exam)
    let_go(spool, exam)
    wrap_all(spool)
    archive = Archive()
    archive.say = lambda _: http(415)
    part = sender(spool, archive, PACS)
    pauses = []
    for _ in range(8):
        run(part)
        assert part.pause
        pauses.append((part.pause.error.code, part.pause.attempt, part.pause.since))
        clock.move(700)
    assert pauses == [("outage", number, pauses[0][2]) for number in range(1, 9)]
