"""Procedure steps told to real servers: a strict one that fails at every point, and one in JavaScript."""

from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest

from gateway.clock import FakeClock
from gateway.config.settings import ProcedureStep
from gateway.errors import NeedsConfiguration, NeverAccepted, TryLater
from gateway.forward.sending.step_sender import StepSender, connector
from gateway.model import Exam, MessageKind, MessageState
from gateway.net.procedure_step import StepAssociation, Took
from gateway.spool.spool import Spool
from tests import dicom_samples
from tests.box import Box, until
from tests.forward.bench import open_exam, ordered, still
from tests.forward.step_bench import forward_works
from tests.loopback.forward_archive import QUICK
from tests.loopback.peers import JavaScriptPeer, RawServer, StepServer
from tests.loopback.peers.faults import closes, silent, speaks_http
from tests.loopback.peers.step_server import ABORT, DROP, LATE, MUTE

Case = tuple[str, int, list[tuple[str, str]], list[str]]
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"


@pytest.fixture
def server() -> Iterator[StepServer]:
    with StepServer() as peer:
        yield peer


@pytest.fixture(scope="module")
def javascript(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JavaScriptPeer]:
    with JavaScriptPeer(tmp_path_factory.mktemp("javascript")) as peer:
        yield peer


@pytest.fixture
def foreign(javascript: JavaScriptPeer) -> JavaScriptPeer:
    javascript.forget()
    return javascript


def settings(peer: object, **more: object) -> ProcedureStep:
    values = {"ae_title": getattr(peer, "ae_title", "ANY"), "host": "127.0.0.1", "port": peer.port}  # type: ignore[attr-defined]
    return ProcedureStep(name="ris", **{**values, **more})  # type: ignore[arg-type]


def teller(spool: Spool, peer: object, **more: object) -> StepSender:
    link = connector(settings(peer, **more), our_ae="SCOPEGATE", timeouts=QUICK)
    return StepSender(spool=spool, server="ris", connect=link)


def a_day(spool: Spool, *, script: str = "latin-1", **end: str) -> Exam:
    """Return an exam that is over, its messages queued."""
    exam = open_exam(spool, ordered(script))
    still(spool, exam)
    spool.exams.finish(exam.id, **end)
    forward_works(spool)
    return spool.exams.get(exam.id)


def tell(part: StepSender, clock: FakeClock, *, tries: int = 4) -> None:
    """Let it work, and time pass where it pauses."""
    for _ in range(tries):
        while part.step():
            pass
        clock.move(1000)


def states(spool: Spool) -> list[tuple[str, str]]:
    return [(str(m.kind), str(m.state)) for m in spool.steps.list()]


DONE = [("create", "sent"), ("set", "sent")]


# --- bytes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize("script", dicom_samples.SCRIPTS)
def test_a_server_gets_the_bytes_that_lie_in_the_files(
    spool: Spool, clock: FakeClock, script: str, syntax: str
) -> None:
    with StepServer(syntaxes=(syntax,)) as server:
        exam = a_day(spool, script=script)
        tell(teller(spool, server), clock)
        assert (server.problems, server.words) == ([], [("create", 0), ("set", 0)])
        _, name, description = dicom_samples.SCRIPTS[script]
        for message, kind in zip(server.heard, MessageKind, strict=True):
            kept = spool.steps.path(exam.id, message.step, kind).read_bytes()
            assert message.transfer_syntax_uid == syntax
            assert kept.endswith(message.raw) == (syntax == EXPLICIT)
            assert description in message.raw
        assert name in server.heard[0].raw


def test_the_two_ways_to_write_an_attribute_list_carry_equal_values(spool: Spool, clock: FakeClock) -> None:
    with StepServer(syntaxes=(IMPLICIT,)) as implicit:
        exam = a_day(spool, script="iso-2022-jp")
        tell(teller(spool, implicit), clock)
        kept = spool.steps.path(exam.id, exam.steps[0].sop_instance_uid, MessageKind.CREATE)
        assert pydicom.dcmread(kept) == implicit.heard[0].data_set


# --- a whole step against another implementation ------------------------------------------------------------------


def test_a_server_of_other_making_reads_what_was_done(
    spool: Spool, clock: FakeClock, foreign: JavaScriptPeer
) -> None:
    exam = a_day(spool, script="utf-8", discontinued="110504")
    tell(teller(spool, foreign), clock)
    create, final = foreign.heard
    step = exam.steps[0].sop_instance_uid
    assert [(m["kind"], m["uid"], m["status"]) for m in foreign.heard] == [("create", step, 0), ("set", step, 0)]
    said = create["elements"]
    assert said["PerformedProcedureStepStatus"] == "IN PROGRESS"
    assert said["PatientName"] == [{"Alphabetic": "Łukasz^Żaneta", "Ideographic": "山田^太郎"}]
    assert said["ScheduledStepAttributesSequence"][0]["ScheduledProcedureStepID"] == "SPS-1"
    assert said["PerformedSeriesSequence"] == []
    ended = final["elements"]
    assert ended["PerformedProcedureStepStatus"] == "DISCONTINUED"
    reasons = ended["PerformedProcedureStepDiscontinuationReasonCodeSequence"]
    assert [reason["CodeValue"] for reason in reasons] == ["110504"]
    (series,) = ended["PerformedSeriesSequence"]
    (sealed,) = spool.objects.of_exam(exam.id)
    assert [i["ReferencedSOPInstanceUID"] for i in series["ReferencedImageSequence"]] == [sealed.sop_instance_uid]
    assert states(spool) == DONE


@pytest.mark.parametrize(
    "case",
    [  # the message, its answer, what becomes of both messages, what the server heard in the end
        ("create", 0x0107, DONE, ["create", "set"]),
        ("create", 0x0116, DONE, ["create", "set"]),
        ("create", 0x0110, DONE, ["create", "create", "set"]),
        ("create", 0x0213, DONE, ["create", "create", "set"]),
        ("create", 0x0210, DONE, ["create", "create", "set"]),
        ("create", 0x0122, DONE, ["create", "create", "set"]),
        ("create", 0x0124, DONE, ["create", "create", "set"]),
        ("create", 0xDEAD, DONE, ["create", "create", "set"]),
        ("create", 0xB101, DONE, ["create", "set"]),
        *(
            ("create", status, [("create", "held"), ("set", "queued")], ["create"])
            for status in (0x0105, 0x0106, 0x0111, 0x0112, 0x0115, 0x0117, 0x0119, 0x0120, 0x0121, 0x0211, 0x0212)
        ),
        ("set", 0x0107, DONE, ["create", "set"]),
        ("set", 0x0110, DONE, ["create", "set", "set"]),
        ("set", 0x0112, DONE, ["create", "set", "create", "set"]),
        ("set", 0x0213, DONE, ["create", "set", "set"]),
        ("set", 0x0124, DONE, ["create", "set", "set"]),
        *(
            ("set", status, [("create", "sent"), ("set", "held")], ["create", "set"])
            for status in (0x0105, 0x0106, 0x0115, 0x0117, 0x0119, 0x0120, 0x0121)
        ),
    ],
)
def test_each_status_leads_to_its_state(
    spool: Spool, clock: FakeClock, foreign: JavaScriptPeer, case: Case
) -> None:
    kind, status, end, said = case
    foreign.answers(**{kind: [status]})
    a_day(spool)
    tell(teller(spool, foreign), clock)
    assert states(spool) == end
    assert [message["kind"] for message in foreign.heard] == said
    for held in spool.steps.list(states_wanted=[MessageState.HELD]):
        assert held.status == f"{status:04X}"
        assert held.reason
        assert held.code


# --- faults ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [before + word for word in (ABORT, DROP, MUTE) for before in ("", "before_")])
@pytest.mark.parametrize("at", [0, 1])
def test_a_message_whose_answer_was_lost_is_repeated_as_it_was(
    spool: Spool, clock: FakeClock, server: StepServer, fault: str, at: int
) -> None:
    server.faults = [0] * at + [fault]
    exam = a_day(spool)
    tell(teller(spool, server), clock)
    assert states(spool) == DONE
    assert server.problems == []
    assert server.states == {exam.steps[0].sop_instance_uid: "COMPLETED"}
    lost = server.heard[at]
    again = server.heard[at + 1]
    assert (lost.kind, lost.raw) == (again.kind, again.raw)
    code = spool.steps.list()[at].code
    assert code == ("" if fault.startswith("before_") else "taken-before")


AWAY = 0x0110


@pytest.mark.parametrize(
    "case",
    [  # what becomes of the tries of a set, and the code that it has in the end
        (["before_" + ABORT, AWAY, AWAY, 0], ""),  # its database was away, and the end of the step had not arrived
        ([ABORT, AWAY, AWAY], "taken-before"),  # it had, and the server says so in the end
        ([AWAY] * 15 + ["before_" + ABORT, AWAY, AWAY, 0], ""),  # tries before the doubt are no tries in doubt
        ([0x0112, 0, "before_" + ABORT, AWAY, AWAY, 0], ""),  # the step was created again, which is said between
    ],
)
def test_the_end_of_a_step_is_not_called_told_because_a_server_cannot_process_it(
    spool: Spool, clock: FakeClock, server: StepServer, case: tuple[list[int | str], str]
) -> None:
    faults, code = case
    server.faults = [0, *faults]
    exam = a_day(spool)
    tell(teller(spool, server), clock, tries=30)
    assert states(spool) == DONE
    assert spool.steps.list()[1].code.replace("unknown-step", "") == code
    assert server.states == {exam.steps[0].sop_instance_uid: "COMPLETED"}
    assert server.problems == []


def test_a_server_that_never_says_whether_a_step_is_over_is_asked_for_an_hour_and_nothing_else_waits(
    spool: Spool, clock: FakeClock, server: StepServer
) -> None:
    server.faults = [0, ABORT, *[AWAY] * 40]
    a_day(spool)
    part = teller(spool, server)
    began = clock.utc_ns()
    pauses = 0
    while states(spool) != DONE:
        part.step()
        pauses += part.pause is not None and spool.steps.list()[1].attempts > 1
        clock.move(10)
    said = spool.steps.list()[1]
    assert (said.code, said.status, said.in_doubt, pauses) == ("step-in-doubt", "0110", False, 0)
    assert said.reason
    assert [message.kind for message in server.heard] == ["create", "set", *["set"] * 12]
    assert 3600 < (clock.utc_ns() - began) / 1e9 < 2 * 3600


def test_an_answer_that_is_late_but_in_time_counts(spool: Spool, clock: FakeClock, server: StepServer) -> None:
    server.faults = [LATE, LATE]
    a_day(spool)
    tell(teller(spool, server), clock, tries=1)
    assert states(spool) == DONE
    assert server.words == [("create", 0), ("set", 0)]


def test_a_step_that_somebody_ended_on_the_server_waits_for_a_person(
    spool: Spool, clock: FakeClock, server: StepServer
) -> None:
    exam = open_exam(spool, ordered())
    forward_works(spool)
    part = teller(spool, server)
    tell(part, clock)
    server.states[exam.steps[0].sop_instance_uid] = "DISCONTINUED"
    spool.exams.finish(exam.id)
    forward_works(spool)
    tell(part, clock)
    held = spool.steps.list()[-1]
    assert (held.state, held.code) == (MessageState.HELD, "step-closed")


def test_a_server_that_lost_its_database_is_told_everything_again(
    spool: Spool, clock: FakeClock, server: StepServer
) -> None:
    exam = open_exam(spool, ordered())
    forward_works(spool)
    part = teller(spool, server)
    tell(part, clock)
    server.states.clear()
    spool.exams.finish(exam.id)
    forward_works(spool)
    tell(part, clock)
    assert server.states == {exam.steps[0].sop_instance_uid: "COMPLETED"}
    assert [kind for kind, _ in server.words] == ["create", "set", "create", "set"]


@pytest.mark.parametrize(
    ("called", "code"),
    [
        ("REJ231", "busy"),
        ("REJ117", "rejected-title"),
        ("REJ113", "rejected-title"),
        ("NONE", "no-context"),
    ],
)
def test_a_server_that_lets_nobody_in_keeps_the_messages_waiting(
    spool: Spool, server: StepServer, called: str, code: str
) -> None:
    a_day(spool)
    part = teller(spool, server, ae_title=called)
    assert not part.step()
    assert part.pause
    assert part.pause.error.code == code
    assert "procedure step server ris" in part.pause.error.what
    assert states(spool) == [("create", "queued"), ("set", "queued")]
    assert not any(message.in_doubt for message in spool.steps.list())


def test_a_server_that_is_busy_once_gets_everything(spool: Spool, clock: FakeClock, server: StepServer) -> None:
    a_day(spool)
    tell(teller(spool, server, ae_title="ONCE"), clock)
    assert states(spool) == DONE


@pytest.mark.parametrize(
    ("behave", "code"),
    [(silent, "silent"), (closes, "dropped"), (speaks_http, "garbage")],
    ids=["silent", "dropped", "garbage"],
)
def test_what_does_not_speak_dicom_is_said_in_plain_words(spool: Spool, behave: object, code: str) -> None:
    a_day(spool)
    with RawServer(behave) as peer:  # type: ignore[arg-type]
        part = teller(spool, peer)
        part.step()
        assert part.pause
        assert part.pause.error.code == code


def test_nobody_there_is_said_too(spool: Spool) -> None:
    a_day(spool)
    with RawServer(closes) as peer:
        gone = settings(peer)
    part = StepSender(spool=spool, server="ris", connect=connector(gone, our_ae="SCOPEGATE", timeouts=QUICK))
    part.step()
    assert part.pause
    assert part.pause.error.code == "unreachable"


# --- the association itself ---------------------------------------------------------------------------------------


def test_an_association_says_what_came_of_a_message(server: StepServer) -> None:
    create = {EXPLICIT: b"\x08\x00\x60\x00CS\x02\x00US", IMPLICIT: b"\x08\x00\x60\x00\x02\0\0\0US"}
    with StepAssociation(settings(server), our_ae="SCOPEGATE", timeouts=QUICK) as link:
        server.faults = [0x0111]
        assert link.create("2.25.1", create, sent_before=True).took is Took.BEFORE
        server.faults = [0x0111]
        with pytest.raises(NeverAccepted) as refused:
            link.create("2.25.1", create, sent_before=False)
        assert (refused.value.code, refused.value.status) == ("duplicate", "0111")
        for before in (False, True):  # without the reason it may mean that nothing arrived
            server.faults = [0x0110]
            with pytest.raises(TryLater):
                link.set("2.25.1", create, sent_before=before)
        server.faults = [0x0122]
        with pytest.raises(NeedsConfiguration):
            link.set("2.25.1", create, sent_before=True)
        server.faults = ["before_abort"]
        with pytest.raises(TryLater):
            link.create("2.25.1", create, sent_before=False)
        assert not link.usable
        with pytest.raises(TryLater):
            link.create("2.25.1", create, sent_before=False)


# --- the whole box ---------------------------------------------------------------------------------------------


def test_a_box_tells_its_server_of_an_exam_from_its_opening_to_its_end(
    tmp_path: Path, foreign: JavaScriptPeer
) -> None:
    server = {"name": "ris", "ae_title": "JSPEER", "host": "127.0.0.1", "port": foreign.port}
    with Box(tmp_path, procedure_steps=[server], destinations=[{**server, "name": "pacs"}]) as box:
        exam = box.open_typed()
        until("the announcement", lambda: [m["kind"] for m in foreign.heard] == ["create"])
        first = box.still(exam)["sop_instance_uid"]
        box.finish(exam)
        box.until_delivered(exam, 1)
        until("the end", lambda: sum(m["kind"] == "set" for m in foreign.heard) == 1)
        box.post(f"/exams/{exam}/reopen")
        second = box.still(exam)["sop_instance_uid"]
        box.finish(exam)
        box.until_delivered(exam, 2)
        until("the second end", lambda: sum(m["kind"] == "set" for m in foreign.heard) == 2)
        said = box.get(f"/exams/{exam}")
        assert [step["state"] for step in said["steps"]] == ["completed", "completed"]
        (health,) = box.get("/health")["procedure_steps"]
        assert health["state"] == "ok"
    finals = [m["elements"]["PerformedSeriesSequence"] for m in foreign.heard if m["kind"] == "set"]
    stored = {m["uid"]: m["elements"] for m in foreign.heard if m["kind"] == "store"}
    for uid, step, (series,) in zip((first, second), said["steps"], finals, strict=True):
        assert [item["ReferencedSOPInstanceUID"] for item in series["ReferencedImageSequence"]] == [uid]
        assert series["SeriesInstanceUID"] == stored[uid]["SeriesInstanceUID"]
        (reference,) = stored[uid]["ReferencedPerformedProcedureStepSequence"]
        assert reference["ReferencedSOPInstanceUID"] == step["sop_instance_uid"]
        assert stored[uid]["PerformedProcedureStepID"] == step["id"]
    assert len({elements["SeriesInstanceUID"] for elements in stored.values()}) == 2
    assert len({elements["StudyInstanceUID"] for elements in stored.values()}) == 1
