"""dicom.md section 5 as a test: for each outcome of a transfer, of a still and of a clip, what follows.

A row says what the archive does, what becomes of the delivery, and what happens next. A new outcome is a new row.
Pictures are the product's own sealed objects; the clock stands still and is moved.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from gateway.clock import FakeClock
from gateway.forward.sending.sender import Sender
from gateway.model import Delivery, DeliveryState, SealedObject
from gateway.net import statuses
from gateway.net.peers import Timeouts
from gateway.spool.spool import Spool
from tests.forward.bench import clip, deliveries, let_go, objects, open_exam, still, wrap_all
from tests.loopback.forward_archive import (
    ABORT,
    DROP,
    MUTE,
    QUICK,
    Scripted,
    always,
    in_words,
    pause_s,
    run,
    sender,
    stored,
)
from tests.loopback.peers import Orthanc, StoreScp, free_port
from tests.loopback.peers.items import data_set_bytes

Q, SENDING, SENT, COMMITTED, HELD = DeliveryState
KINDS = ("still", "clip")
DAY_S = 24 * 3600
SHORT = replace(QUICK, slowest=1_000_000)  # two seconds and a little more for what these objects have


@dataclass(kw_only=True)
class Case:
    """One object in trouble, and another exam's object behind it in the queue."""

    spool: Spool
    archive: Scripted
    clock: FakeClock
    part: Sender
    subject: SealedObject

    def delivery(self) -> Delivery:
        return self._of(subject=True)

    def other(self) -> Delivery:
        return self._of(subject=False)

    def _of(self, *, subject: bool) -> Delivery:
        uid = self.subject.sop_instance_uid
        (found,) = [each for each in deliveries(self.spool) if (each.sop_instance_uid == uid) is subject]
        return found

    def tries(self) -> list[bytes]:
        """Return what arrived of the object, try by try."""
        uid = self.subject.sop_instance_uid
        return [each.data_set for each in self.archive.arrived if each.sop_instance_uid == uid]

    def after(self, seconds: float) -> None:
        self.clock.move(seconds)
        run(self.part)


# --- what happens next -------------------------------------------------------------------------------------------


def nothing_more(case: Case) -> None:
    """It is there: it does not go a second time."""
    case.after(DAY_S)
    assert len(case.tries()) == 1


def back_off(case: Case, waits: tuple[int, ...] = (15, 30, 60, 120, 240, 480, 600, 600)) -> None:
    """The destination is left alone, longer each time up to 10 min, for ever; then it gets the same bytes."""
    for wait in waits:
        assert pause_s(case.part, case.clock) == wait
        calls = len(case.archive.calls)
        case.after(wait - 0.5)
        assert len(case.archive.calls) == calls, "asked before its time"
        case.after(0.5)
        assert len(case.archive.calls) == calls + 1
        assert case.delivery().state is Q
    recovered(case)


def back_off_twice(case: Case) -> None:
    """The first steps of back_off."""
    back_off(case, (15, 30))


def once_in_a_quarter(case: Case) -> None:
    """Somebody must change a setting there: it is tried every 15 minutes, for ever."""
    for _ in range(4):
        assert pause_s(case.part, case.clock) == 900
        case.after(900)
        assert case.delivery().state is Q
    recovered(case)


def one_more_try_then_a_person(case: Case) -> None:
    """The object gets one more try, then waits for a person, who can let it go."""
    assert pause_s(case.part, case.clock) == 0
    case.after(15)
    assert len(case.tries()) == 2
    a_person(case)


def a_person(case: Case) -> None:
    """It is held: no time lets it go, a person does."""
    tries = len(case.tries())
    assert case.delivery().state is HELD
    assert pause_s(case.part, case.clock) == 0
    case.after(30 * DAY_S)
    assert (case.delivery().state, len(case.tries())) == (HELD, tries)
    case.archive.say, case.archive.takes_nothing = stored, False
    case.spool.deliveries.release(case.delivery().id)
    run(case.part)
    assert case.delivery().state is SENT


def recovered(case: Case) -> None:
    """The archive does its work again."""
    archive = case.archive
    archive.say, archive.reject, archive.midway, archive.hangs_up = stored, None, "", False
    case.after(1200)
    case.after(15)
    assert (case.delivery().state, case.other().state) == (SENT, SENT)
    assert case.part.pause is None
    assert len(set(case.tries())) == 1, "another try, other bytes"


# --- the table ---------------------------------------------------------------------------------------------------

GO, WAIT = "go", "wait"  # what the objects behind it do meanwhile
Next = Callable[[Case], None]
Do = Callable[[Scripted, str], None]  # the archive, the object's UID


@dataclass(frozen=True, kw_only=True)
class Row:
    """One outcome: what the archive does, what becomes of the delivery, what the others do, what happens next."""

    name: str
    do: Do
    state: DeliveryState
    code: str
    others: str
    then: Next
    silence: bool = False  # waits for what never comes: short limits


def answers(words: str, state: DeliveryState, code: str, others: str, then: Next) -> Iterator[Row]:
    """Yield a row for each of some statuses, written as hexadecimal digits."""
    for number, digits in enumerate(words.split()):
        status = int(digits, 16)
        if number and then is back_off:
            then = back_off_twice  # the whole ladder once a row
        do = only_it(status) if others is GO else everything(status)
        yield Row(name=digits, do=do, state=state, code=code, others=others, then=then)


def rejections(words: str, code: str, then: Next) -> Iterator[Row]:
    """Yield a row for each A-ASSOCIATE-RJ, written as result.source.reason (PS3.8 table 9-21)."""
    for digits in words.split():
        result, source, reason = (int(digit) for digit in digits.split("."))

        def do(archive: Scripted, _: str, answer: tuple[int, int, int] = (result, source, reason)) -> None:
            archive.reject = answer

        yield Row(name=f"RJ {digits}", do=do, state=Q, code=code, others=WAIT, then=then)


def fault(name: str, do: Do, code: str) -> Row:
    """Return the row of a transfer that breaks: transient, and the same bytes go again."""
    silence = code == "timeout"
    return Row(name=name, do=do, state=Q, code=code, others=WAIT, then=back_off_twice, silence=silence)


def only_it(status: int) -> Do:
    """An answer to this object; the archive takes the others."""

    def do(archive: Scripted, uid: str) -> None:
        archive.say = lambda each: status if each == uid else 0

    return do


def everything(answer: int | str) -> Do:
    """The same to whatever comes: the archive's own trouble."""

    def do(archive: Scripted, _: str) -> None:
        archive.say = always(answer)

    return do


def midway(what: str) -> Do:
    def do(archive: Scripted, _: str) -> None:
        archive.midway = what

    return do


def hangs_up(archive: Scripted, _: str) -> None:
    archive.hangs_up = True


def takes_no_syntax(archive: Scripted, _: str) -> None:
    archive.takes_nothing = True


ROWS: tuple[Row, ...] = (
    *answers("0000", SENT, "", GO, nothing_more),
    *answers("B000 B001 B005 B006 B007 B008 BFFF 0001 0107 0116", SENT, "stored-with-warning", GO, nothing_more),
    *answers("A700 A701 A7FF 0213", Q, "out-of-resources", WAIT, back_off),
    *answers("0110", Q, "processing-failure", WAIT, back_off),
    *answers("0111", Q, "duplicate", GO, one_more_try_then_a_person),
    *answers("0210", Q, "duplicate-invocation", WAIT, back_off),
    *answers("0122 0112", HELD, "sop-class", GO, a_person),
    *answers("0124 0214", Q, "not-authorized", WAIT, once_in_a_quarter),
    *answers("A900 A901 A9FF C000 C122 CFFF", Q, "refused", GO, one_more_try_then_a_person),
    *answers("0106 0115 0117 0119 0120 0121 0211 0212", Q, "refused", GO, one_more_try_then_a_person),
    *answers("0002 0105 1234 A600 A800 AA00 D000 FE00 FFFF", Q, "unknown-status", WAIT, back_off),
    fault("aborts in mid-dataset", midway("ABORT"), "aborted"),
    fault("drops TCP in mid-dataset", midway("DROP"), "dropped"),
    fault("stops reading in mid-dataset", midway("STUCK"), "timeout"),
    fault("aborts instead of an answer", everything(ABORT), "aborted"),
    fault("drops TCP instead of an answer", everything(DROP), "dropped"),
    fault("is silent instead of an answer", everything(MUTE), "timeout"),
    fault("accepts and hangs up", hangs_up, "aborted or dropped"),
    *rejections("2.1.1 2.2.1 2.3.1 2.3.2", "busy", back_off),
    *rejections("1.1.1 1.1.2 1.2.1 1.2.2 1.3.1", "rejected", once_in_a_quarter),
    *rejections("1.1.3 1.1.7", "rejected-title", once_in_a_quarter),
    Row(name="takes no syntax", do=takes_no_syntax, state=HELD, code="no-context", others=GO, then=a_person),
)


@pytest.fixture(params=KINDS)
def case(request: pytest.FixtureRequest, spool: Spool, archive: Scripted, clock: FakeClock) -> Case:
    exam = open_exam(spool)
    if request.param == "still":
        still(spool, exam, rows=240, columns=320)
    else:
        clip(spool, exam, padding=50_000)
    exam = let_go(spool, exam)
    wrap_all(spool)
    (subject,) = objects(spool, exam)
    assert subject.bytes > 100_000, "large enough to have a middle"
    clock.move(1)
    behind = open_exam(spool)
    still(spool, behind, rows=240, columns=320)
    let_go(spool, behind)
    wrap_all(spool)
    return Case(spool=spool, archive=archive, clock=clock, part=sender(spool, archive), subject=subject)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_each_outcome_has_its_state_its_code_and_its_next_step(case: Case, row: Row) -> None:
    row.do(case.archive, case.subject.sop_instance_uid)
    if row.silence:
        case.part = sender(case.spool, case.archive, timeouts=SHORT)
    run(case.part)
    found, other = case.delivery(), case.other()
    assert found.state is row.state
    assert found.code in row.code.split(" or ")
    if row.code:
        in_words(found)
    if row.code != "no-context":  # nothing of the others is taken either
        assert other.state is (SENT if row.others is GO else Q)
    row.then(case)


def test_an_archive_that_refuses_once_gets_everything_at_the_second_try(case: Case) -> None:
    case.archive.reject = (2, 3, 1)
    run(case.part)
    assert (case.delivery().state, case.delivery().code, pause_s(case.part, case.clock)) == (Q, "busy", 15)
    case.archive.reject = None
    case.after(15)
    assert (case.delivery().state, case.other().state, len(case.tries())) == (SENT, SENT, 1)


def test_an_answer_after_five_seconds_is_an_answer(case: Case) -> None:
    uid = case.subject.sop_instance_uid

    def say(each: str) -> int:
        if each == uid:
            case.archive.gone.wait(5)
        return 0

    case.archive.say = say
    run(case.part)
    assert (case.delivery().state, case.other().state) == (SENT, SENT)
    nothing_more(case)


def test_every_status_that_the_product_knows_stands_in_the_table() -> None:
    asked = {int(row.name, 16) for row in ROWS if len(row.name) == 4 and row.name.isalnum()}
    for rule in statuses.TABLE:
        assert {rule.first, rule.last} <= asked, f"no row for {rule.statuses}"
    assert any(statuses.rule_for(status) is statuses.UNKNOWN for status in asked)


# --- DCMTK and Orthanc -------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Real:
    """How DCMTK's storescp is started, and what becomes of a still and of a clip."""

    options: str
    still: tuple[DeliveryState, str]
    clip: tuple[DeliveryState, str]
    pause_s: int = 0
    timeouts: Timeouts = Timeouts()  # noqa: RUF009 - frozen


def alike(options: str, state: DeliveryState, code: str = "", **more: object) -> Real:
    return Real(options=options, still=(state, code), clip=(state, code), **more)  # type: ignore[arg-type]


STORESCP = (
    alike("+xa", SENT),
    alike("+xa --abort-after", Q, "aborted or dropped", pause_s=15),
    alike("+xa --abort-during", Q, "aborted or dropped", pause_s=15),
    alike("+xa --refuse", Q, "rejected", pause_s=900),
    alike("+xa --sleep-during 4", Q, "timeout", pause_s=15, timeouts=SHORT),
    alike("+xa --max-pdu 131072 --sleep-during 1", SENT),
    alike("+xa --sleep-after 2", SENT),
    alike("+xa --max-pdu 4096", SENT),
    Real(options="+xi", still=(SENT, ""), clip=(HELD, "no-context")),
    Real(options="+xs", still=(SENT, ""), clip=(HELD, "no-context")),
    Real(options="+xy", still=(SENT, ""), clip=(SENT, "")),
)


@pytest.mark.parametrize("row", STORESCP, ids=lambda row: f"{row.options}, limits {row.timeouts.answer:.0f} s")
def test_what_storescp_does_wrong_is_told_apart_and_a_good_one_in_its_place_gets_it_whole(
    case: Case, row: Real, tmp_path: Path
) -> None:
    is_clip = case.subject.frames > 1
    case.archive.port, port = free_port(), case.archive.port
    try:
        with StoreScp(tmp_path / "bad", *row.options.split(), port=case.archive.port):
            part = sender(case.spool, case.archive, timeouts=row.timeouts)
            run(part)
            found = case.delivery()
            state, code = row.clip if is_clip else row.still
            assert found.state is state
            assert found.code in code.split(" or ")
            assert pause_s(part, case.clock) == row.pause_s
        with StoreScp(tmp_path / "good", "+xa", port=case.archive.port) as good:
            case.clock.move(1000)
            if found.state is HELD:
                case.spool.deliveries.release(found.id)
            run(part)
            assert {each.state for each in deliveries(case.spool)} == {SENT}
            if found.state is not SENT:
                whole(case, good.file(case.subject.sop_instance_uid).read_bytes())
    finally:
        case.archive.port = port


def test_orthanc_has_it_whole_and_says_the_same_when_it_comes_again(case: Case, orthanc: Orthanc) -> None:
    run(sender(case.spool, orthanc))
    assert {each.state for each in deliveries(case.spool)} == {SENT}
    whole(case, orthanc.file(case.subject.sop_instance_uid))


def whole(case: Case, arrived: bytes) -> None:
    """Compare what arrived with the sealed file, data set by data set."""
    assert data_set_bytes(arrived) == data_set_bytes(case.spool.objects.path(case.subject).read_bytes())
