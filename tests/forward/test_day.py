"""The check of a day says "Safe in PACS" of all pictures only when that is so, and finds what an archive lost."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta

import pytest

from gateway.clock import FakeClock
from gateway.config.settings import Settings
from gateway.errors import TryLater
from gateway.forward.keeping.day import DayCheck, catch_up
from gateway.forward.sending.rearm import rearm
from gateway.model import DeliveryState, ExamState, PleaseCheck, RequestState
from gateway.panel.shown import answers
from gateway.panel.shown.days import report
from gateway.panel.shown.views import ExamView, Look
from gateway.spool import days, pictures
from gateway.spool.purging import Purging
from gateway.spool.queue.deliveries import LOST_BY_ARCHIVE
from gateway.spool.spool import Spool
from tests.forward.bench import clip, let_go, open_exam, sealed_exam, still, wrap_all
from tests.forward.channels import pacs, run, sender
from tests.forward.test_jpeg_clips import (
    AS_JPEG,
    BASELINE,
    H264,
    AnswersClips,
    derived,
    film,
    forward,
    maker,
    taking,
)

TODAY = date(2026, 11, 21)
PACS = frozenset({"pacs"})


class Archive:
    """Has everything but what it lost; does not answer on demand."""

    def __init__(self, *lost: str, silent: bool = False) -> None:
        self.lost, self.silent = set(lost), silent
        self.asked: list[tuple[str, tuple[str, ...]]] = []

    def find(self, study_instance_uid: str, uids: Sequence[str]) -> frozenset[str]:
        self.asked.append((study_instance_uid, tuple(uids)))
        if self.silent:
            raise TryLater("The archive pacs did not answer.", code="silent")
        return frozenset(uids) - self.lost


def become(spool: Spool, state: str, proof: str = "", uid: str = "%", of: str = "%") -> None:
    with spool.database.write() as connection:
        connection.execute(
            "UPDATE delivery SET state = ?, proof = ? WHERE sop_instance_uid LIKE ? AND state LIKE ?",
            (state, proof, uid, of),
        )


def checked(spool: Spool, **archives: Archive) -> dict:
    return DayCheck(spool=spool, destinations=tuple(archives) or ("pacs",), finders=archives).check(TODAY)


def told(spool: Spool, asked: dict | None = None, required: frozenset[str] = PACS) -> dict:
    return report("2026-11-21", days.of(spool, TODAY), required, asked)


def test_a_day_whose_pictures_are_all_committed_is_safe(spool: Spool) -> None:
    sealed_exam(spool, stills=2, clips=1)
    sealed_exam(spool, stills=1)
    become(spool, "committed", "commitment")
    found = told(spool, checked(spool, pacs=Archive()))
    assert found["all_safe"]
    assert found["verdict"] == "Safe in PACS: all 4 pictures of 2 exams."
    assert sorted((line["captured"], line["sealed"], line["safe"]) for line in found["exams"]) == [
        (1, 1, 1),
        (3, 3, 3),
    ]


def only_sent(spool: Spool) -> None:
    become(spool, "sent")


def only_found(spool: Spool) -> None:
    become(spool, "committed", "query")


def one_waits(spool: Spool) -> None:
    become(spool, "queued", uid=spool.deliveries.list()[0].sop_instance_uid)


def one_is_stopped(spool: Spool) -> None:
    become(spool, "held", uid=spool.deliveries.list()[0].sop_instance_uid)


def one_is_no_object(spool: Spool) -> None:
    exam = open_exam(spool)
    taken = still(spool, exam)
    let_go(spool, exam)
    spool.captures.set_problem(taken.sop_instance_uid, "codestream-broken", "It cannot be decoded.")


def one_exam_is_open(spool: Spool) -> None:
    still(spool, open_exam(spool))


def an_empty_exam_is_open(spool: Spool) -> None:
    open_exam(spool)


def one_exam_was_sent_before_its_end(spool: Spool) -> None:
    for exam in spool.exams.list(states_wanted=(ExamState.RELEASED,)):
        spool.exams.put_row(replace(exam, state=ExamState.FINISHED))


def one_exam_waits(spool: Spool) -> None:
    exam = open_exam(spool)
    still(spool, exam)
    spool.exams.finish(exam.id, please_check="reboot")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (only_sent, "NOT finished: 2 pictures of 1 exam: 2 Sent."),
        (only_found, "NOT finished: 2 pictures of 1 exam: 2 Found in PACS."),
        (one_waits, "NOT finished: 2 pictures of 1 exam: 1 Safe in PACS, 1 On this box."),
        (one_is_stopped, "NOT finished: 2 pictures of 1 exam: 1 Safe in PACS, 1 On this box."),
        (
            one_is_no_object,
            "NOT finished: 3 pictures of 2 exams: 2 Safe in PACS, 1 On this box. 1 cannot be prepared.",
        ),
        (
            one_exam_is_open,
            "NOT finished: 3 pictures of 2 exams: 2 Safe in PACS, 1 On this box. 1 exam not released yet.",
        ),
        (
            an_empty_exam_is_open,
            "NOT finished: 2 pictures of 2 exams: 2 Safe in PACS. 1 exam not released yet.",
        ),
        (
            one_exam_was_sent_before_its_end,
            "NOT finished: 2 pictures of 1 exam: 2 Safe in PACS. 1 exam not released yet.",
        ),
        (
            one_exam_waits,
            "NOT finished: 3 pictures of 2 exams: 2 Safe in PACS, 1 On this box. 1 exam not released yet.",
        ),
    ],
)
def test_a_day_is_called_safe_only_when_it_is(spool: Spool, spoil, says: str) -> None:
    sealed_exam(spool, stills=2)
    become(spool, "committed", "commitment")
    assert told(spool)["all_safe"]
    spoil(spool)
    found = told(spool)
    assert not found["all_safe"]
    assert found["verdict"] == says


def test_removed_pictures_and_pictures_let_go_are_counted_and_do_not_disturb(spool: Spool) -> None:
    exam = open_exam(spool)
    taken = [still(spool, exam), still(spool, exam), clip(spool, exam)]
    spool.captures.reject(taken[0].sop_instance_uid, "blurred")
    let_go(spool, exam)
    wrap_all(spool)
    become(spool, "committed", "commitment")
    purging = Purging(spool)
    purging.settle([(taken[1].sop_instance_uid, "committed", 1)])
    assert purging.let_go(next(f for f in purging.here(after=0)[0] if f.uid == taken[1].sop_instance_uid))
    found = told(spool)
    (line,) = found["exams"]
    assert (line["captured"], line["removed"], line["safe"], line["let_go"]) == (3, 1, 2, 1)
    assert found["verdict"] == "Safe in PACS: all 2 pictures of 1 exam."


@pytest.mark.parametrize("state", ["sent", "committed"])
def test_what_an_archive_lost_is_named_and_waits_for_a_person(spool: Spool, state: str) -> None:
    exam = sealed_exam(spool, stills=3)
    become(spool, state, "commitment" if state == "committed" else "")
    lost = spool.deliveries.list()[1]
    archive = Archive(lost.sop_instance_uid)
    asked = checked(spool, pacs=archive)
    assert archive.asked[0][0] == exam.study_instance_uid
    found = told(spool, asked)
    assert not found["all_safe"]
    assert "pacs DOES NOT HAVE 1 that it was given." in found["verdict"]
    (said,) = found["exams"][0]["archives"]
    assert (said["given"], said["found"], said["lost"]) == (3, 2, [lost.sop_instance_uid])
    now = spool.deliveries.get(lost.id)
    if state == "committed":
        assert (now.state, now.code) == (DeliveryState.HELD, LOST_BY_ARCHIVE)
    else:
        assert now.state is DeliveryState.SENT, "it never vouched for it: the engine decides"
    assert LOST_BY_ARCHIVE in spool.layout.audit.read_text()


def test_what_was_lost_after_the_box_let_it_go_is_named_and_stays_as_it_is(spool: Spool) -> None:
    sealed_exam(spool)
    become(spool, "committed", "commitment")
    purging = Purging(spool)
    (facts,), _ = purging.here(after=0)
    purging.settle([(facts.uid, "committed", 1)])
    assert purging.let_go(purging.here(after=0)[0][0])
    found = told(spool, checked(spool, pacs=Archive(facts.uid)))
    assert not found["all_safe"]
    assert found["total"]["lost"] == 1
    assert spool.deliveries.list()[0].state is DeliveryState.COMMITTED, "there is nothing to send again"


def test_what_the_box_let_go_while_the_archive_was_asked_stays_as_it_is(spool: Spool) -> None:
    sealed_exam(spool)
    become(spool, "committed", "commitment")
    purging = Purging(spool)
    (facts,), _ = purging.here(after=0)
    purging.settle([(facts.uid, "committed", 1)])

    class Slow(Archive):
        def find(self, study_instance_uid: str, uids: Sequence[str]) -> frozenset[str]:
            assert purging.let_go(purging.here(after=0)[0][0])
            return super().find(study_instance_uid, uids)

    checked(spool, pacs=Slow(facts.uid))
    assert spool.deliveries.list()[0].state is DeliveryState.COMMITTED, "there is nothing to send again"


def test_an_archive_that_says_nothing_or_cannot_be_asked_proves_nothing(spool: Spool) -> None:
    sealed_exam(spool)
    become(spool, "committed", "commitment")
    for archives, says in (
        ({"pacs": Archive(silent=True)}, "The archive pacs did not answer."),
        ({}, "The archive pacs cannot be asked what it has."),
    ):
        found = told(spool, checked(spool, **archives))
        assert not found["all_safe"]
        assert found["verdict"].endswith(says)
    assert spool.deliveries.list()[0].state is DeliveryState.COMMITTED


def refused_twice_elsewhere(spool: Spool) -> None:
    forward(spool, AnswersClips(spool), pacs("cloud", fallback="key-stills"))


def refused_twice_elsewhere_while_stills_are_made(spool: Spool) -> None:
    to = pacs("cloud", fallback="key-stills")
    run(sender(spool, AnswersClips(spool), to))
    maker(spool, to).step()
    run(sender(spool, AnswersClips(spool), to))


def taken_as_jpeg_elsewhere_without_a_word(spool: Spool) -> None:
    forward(spool, taking(BASELINE), pacs("cloud", fallback="jpeg"))


def made_and_in_no_queue(spool: Spool) -> None:
    forward(spool, taking(BASELINE), pacs("cloud", fallback="jpeg"))
    with spool.database.write() as connection:
        connection.execute(
            "DELETE FROM delivery WHERE sop_instance_uid IN "
            "(SELECT sop_instance_uid FROM object WHERE json_extract(document, '$.derived_from') <> '')"
        )


ELSEWHERE = [
    refused_twice_elsewhere,
    refused_twice_elsewhere_while_stills_are_made,
    taken_as_jpeg_elsewhere_without_a_word,
    made_and_in_no_queue,
]


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_a_clip_that_every_required_archive_has_is_safe_whatever_became_of_it_elsewhere(
    spool: Spool, elsewhere: Callable[[Spool], None]
) -> None:
    recorded = film(spool, "pacs", "cloud")
    forward(spool, taking(H264), AS_JPEG)
    become(spool, "committed", "commitment", of="sent")
    elsewhere(spool)
    assert derived(spool, recorded)
    assert told(spool)["verdict"] == "Safe in PACS: all 1 picture of 1 exam."
    for required in (frozenset({"pacs", "cloud"}), frozenset({"cloud"}), frozenset[str]()):
        assert not told(spool, required=required)["all_safe"], "where the clip itself did not go"


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_a_clip_that_its_required_archive_does_not_vouch_for_is_not_safe(
    spool: Spool, elsewhere: Callable[[Spool], None]
) -> None:
    film(spool, "pacs", "cloud")
    forward(spool, taking(H264), AS_JPEG)
    elsewhere(spool)
    assert not told(spool)["all_safe"]


def test_stills_that_an_archive_vouches_for_do_not_make_their_clip_safe(spool: Spool) -> None:
    recorded = film(spool)
    forward(spool, AnswersClips(spool), pacs(fallback="key-stills"))
    for each in derived(spool, recorded):
        if each.frames == 1:
            become(spool, "committed", "commitment", uid=each.sop_instance_uid)
    assert told(spool)["verdict"] == "NOT finished: 1 picture of 1 exam: 1 On this box."


@pytest.mark.parametrize("required", [frozenset({"pacs"}), frozenset({"cloud"}), frozenset[str]()])
@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_the_screen_says_of_a_clip_and_of_its_exam_what_the_day_says(
    spool: Spool, elsewhere: Callable[[Spool], None], required: frozenset[str]
) -> None:
    exam = film(spool, "pacs", "cloud").exam
    forward(spool, taking(H264), AS_JPEG)
    elsewhere(spool)
    shown = on_screen(spool, exam, required)
    (capture,) = shown.captures
    assert told(spool, required=required)["verdict"] == f"NOT finished: 1 picture of 1 exam: 1 {capture.fate}."
    assert shown.fate.word == capture.fate
    (listed,) = answers.exam(
        spool.exams.get(exam), pictures.of_exam(spool, exam), messages=(), required=required, sideless=()
    )["captures"]
    assert listed["fate"] == capture.fate
    if "pacs" not in required:
        assert capture.fate == "On this box"


def on_screen(spool: Spool, exam: str, required: frozenset[str]) -> ExamView:
    destinations = tuple(pacs(name, required=name in required) for name in ("pacs", "cloud"))
    return Look(spool, Settings(destinations=destinations)).exam(spool.exams.get(exam), TODAY)


def test_only_exams_of_that_day_by_the_clock_on_the_wall_are_counted(spool: Spool, clock: FakeClock) -> None:
    sealed_exam(spool)
    clock.move(86_400)
    sealed_exam(spool)
    assert len(days.of(spool, TODAY)) == 1
    assert len(days.of(spool, date(2026, 11, 22))) == 1
    assert told(spool, required=frozenset())["total"]["exams"] == 1
    assert report("x", [], PACS)["verdict"] == "No exams on this day."


def test_the_check_is_asked_for_and_answered_through_the_index(spool: Spool) -> None:
    sealed_exam(spool)
    become(spool, "sent")
    check = DayCheck(spool=spool, destinations=("pacs",), finders={"pacs": Archive()})
    assert not check.step()
    good = spool.requests.ask(days.REQUEST, {"date": "2026-11-21"}, deadline_s=60)
    bad = spool.requests.ask(days.REQUEST, {"date": "tomorrow"}, deadline_s=60)
    assert check.step()
    assert check.step()
    assert spool.requests.get(good).answer["archives"][0]["found"] == 1
    assert (spool.requests.get(bad).state, spool.requests.get(bad).answer["code"]) == (
        RequestState.FAILED,
        "bad-value",
    )


def test_a_day_with_too_many_exams_for_the_time_says_what_was_not_asked(spool: Spool, clock: FakeClock) -> None:
    class Slow(Archive):
        def find(self, study_instance_uid: str, uids: Sequence[str]) -> frozenset[str]:
            clock.move(60)
            return super().find(study_instance_uid, uids)

    for _ in range(4):
        sealed_exam(spool)
    become(spool, "committed", "commitment")
    asked = checked(spool, pacs=Slow())
    assert [each["asked"] for each in asked["archives"]] == [True, True, False, False]
    assert not told(spool, asked)["all_safe"]


def test_an_archive_that_took_the_name_of_another_one_lost_nothing_that_it_never_got(spool: Spool) -> None:
    rearm(spool, [pacs()])
    exam = sealed_exam(spool)
    become(spool, "committed", "commitment")
    rearm(spool, [pacs(host="10.0.0.9")])
    (sealed,) = spool.objects.of_exam(exam.id)
    found = told(spool, checked(spool, pacs=Archive(sealed.sop_instance_uid)))
    assert not found["all_safe"], "it does not have it, and says so"
    assert [d.state for d in spool.deliveries.list()] == [DeliveryState.COMMITTED]
    assert spool.destinations.sent_to_others("pacs") == 1
    assert "lost-by-archive" not in spool.layout.audit.read_text()


def test_a_day_that_nobody_asked_about_is_asked_about_at_the_next_start(spool: Spool, clock: FakeClock) -> None:
    sealed_exam(spool, stills=1)
    become(spool, "sent")
    assert days.unchecked(spool, TODAY) == []  # today is not over
    clock.move(86_400)
    tomorrow = TODAY + timedelta(days=1)
    assert days.unchecked(spool, tomorrow) == [TODAY]
    assert catch_up(spool, tomorrow) == 1
    check = DayCheck(spool=spool, destinations=("pacs",), finders={"pacs": Archive()})
    assert check.step()
    assert days.unchecked(spool, tomorrow) == []
    assert catch_up(spool, tomorrow) == 0


def test_an_exam_that_was_closed_with_nothing_in_it_is_nothing_to_ask_about_or_to_wait_for(spool: Spool) -> None:
    spool.exams.finish(open_exam(spool).id, please_check=PleaseCheck.CLOSED_BY_NEXT)
    tomorrow = TODAY + timedelta(days=1)
    assert days.unchecked(spool, tomorrow) == []
    assert told(spool)["verdict"] == "No pictures in 1 exam."
    sealed_exam(spool, stills=1)
    become(spool, "sent")
    assert days.unchecked(spool, tomorrow) == [TODAY]
    assert told(spool)["verdict"] == "NOT finished: 1 picture of 2 exams: 1 Sent."


def test_a_check_that_an_archive_did_not_answer_counts_for_nothing(spool: Spool, clock: FakeClock) -> None:
    sealed_exam(spool, stills=1)
    become(spool, "sent")
    clock.move(86_400)
    checked(spool, pacs=Archive(silent=True))
    assert days.unchecked(spool, TODAY + timedelta(days=1)) == [TODAY]
    checked(spool, pacs=Archive())
    assert days.unchecked(spool, TODAY + timedelta(days=1)) == []
