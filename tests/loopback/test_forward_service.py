"""The forward process as a whole: it takes up what was left, says how it is, and names no patient."""

import json
import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.clock import Clock, FakeClock
from gateway.config.settings import Address, Destination, ProcedureStep, Release, Settings, Station, Worklist
from gateway.forward import service
from gateway.model import DeliveryState, ExamState, Identity, MessageKind
from gateway.net.echo import echo
from gateway.spool import records
from gateway.spool.opening import open_spool
from gateway.spool.spool import Spool
from gateway.threads import Supervisor
from tests.box import until
from tests.certificates import Authority
from tests.forward.bench import (
    CANARY,
    CANARY_WORDS,
    clip,
    deliveries,
    objects,
    open_exam,
    release,
    sealed_exam,
    still,
    typed,
    wrap_all,
)
from tests.loopback.forward_archive import (
    ABORT,
    Scripted,
    destination,
    memory_spool,
    sender,
)
from tests.loopback.peers import FaultArchive, FaultWeb, FaultWorklist, RawServer, StepServer, StoreScp, free_port
from tests.loopback.peers.faults import silent
from tests.loopback.peers.items import worklist_item
from tests.loopback.whole_box import today

SENT, HELD, QUEUED = DeliveryState.SENT, DeliveryState.HELD, DeliveryState.QUEUED


@pytest.fixture
def archive() -> Iterator[Scripted]:
    with Scripted() as peer:
        yield peer


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """What the capture and panel processes see; the forward process has its own."""
    opened = open_spool(tmp_path / "data", clock=Clock())
    yield opened
    opened.close()


def settings(folder: Path, *, listen: int = 0, **more: object) -> Settings:
    station = Station(
        data_dir=folder / "data",
        runtime_dir=folder / "run",
        listen=Address(host="127.0.0.1", port=listen or free_port()),
    )
    return Settings(station=station, **more)  # type: ignore[arg-type]


@contextmanager
def running(wanted: Settings) -> Iterator[Callable[[], dict[str, object]]]:
    """Run the forward process in threads of this one; yields a look at its live state."""
    supervisor = Supervisor()
    ended: list[bool] = []

    def work() -> None:
        ended.append(service.run(wanted, clock=Clock(), supervisor=supervisor))

    thread = threading.Thread(target=work, name="forward")
    thread.start()
    file = wanted.station.runtime_dir / "forward.json"
    try:
        until("the live state", file.exists)
        yield lambda: dict(json.loads(file.read_bytes()))
    finally:
        supervisor.stop.set()
        thread.join(30)
    assert ended == [True], "a thread of the forward process died"


def states(spool: Spool, name: str = "pacs") -> list[DeliveryState]:
    return [each.state for each in deliveries(spool, name)]


def test_a_finished_exam_reaches_its_archive_and_one_that_waits_for_its_patient_does_not(
    tmp_path: Path, spool: Spool, archive: Scripted
) -> None:
    with running(settings(tmp_path, destinations=(destination(archive),))):
        waiting = open_exam(spool, typed(identity=Identity.TEMPORARY))
        still(spool, waiting)
        exam = open_exam(spool)
        kept = [still(spool, exam), clip(spool, exam)]
        spool.exams.finish(exam.id)
        until("the exam to be sent", lambda: states(spool) == [SENT, SENT])
        late = still(spool, exam)
        until("what came late to be sent", lambda: states(spool) == [SENT] * 3)
    assert archive.uids == [each.sop_instance_uid for each in (*kept, late)]
    assert spool.exams.get(waiting.id).state is ExamState.FINISHED


def test_it_leaves_the_index_to_those_with_more_memory_after_an_erasing_and_sends(
    tmp_path: Path, spool: Spool, archive: Scripted
) -> None:
    exam = sealed_exam(spool, "pacs")
    left = spool.layout.erased("3bd7cbffc7")
    left.mkdir()  # an exam was open when the box started
    with running(settings(tmp_path, destinations=(destination(archive),))):
        until("the exam to be sent", lambda: set(states(spool)) == {SENT})
    assert left.is_dir()
    assert spool.exams.get(exam.id)
    open_spool(tmp_path / "data", clock=Clock()).close()  # as capture does
    assert not left.exists()


def test_the_setting_to_send_without_patient_is_obeyed(tmp_path: Path, spool: Spool, archive: Scripted) -> None:
    with running(settings(tmp_path, destinations=(destination(archive),), release=Release(temporary="send"))):
        exam = open_exam(spool, typed(identity=Identity.TEMPORARY))
        still(spool, exam)
        spool.exams.finish(exam.id)
        until("the exam to be sent", lambda: states(spool) == [SENT])


def test_what_waits_for_who_was_taken_out_of_the_configuration_is_said_by_name(
    tmp_path: Path, spool: Spool, archive: Scripted
) -> None:
    exam = sealed_exam(spool, "old")
    spool.steps.queue(exam, exam.steps[0].sop_instance_uid, MessageKind.CREATE, ["gone"])
    with running(settings(tmp_path, destinations=(destination(archive),))) as look:
        said = look()
    assert said["destinations"] == [
        {"name": "pacs", "state": "ok"},
        {"name": "old", "state": "not-configured", "waiting": 1},
    ]
    (server,) = said["procedure_steps"]
    assert (server["name"], server["state"]) == ("gone", "not-configured")
    assert server["waiting"] in {1, 2}  # the end of the step is queued by the process itself, before or after this


def test_a_destination_that_is_away_shows_since_when_and_when_it_is_tried_again(
    tmp_path: Path, spool: Spool, archive: Scripted
) -> None:
    sealed_exam(spool, "pacs", "away")
    away = Destination(name="away", ae_title="AWAY", host="127.0.0.1", port=free_port())
    with running(settings(tmp_path, destinations=(destination(archive), away))) as look:
        until("the other archive to have it", lambda: states(spool) == [SENT])

        def paused() -> dict[str, object]:
            found = {each["name"]: each for each in look()["destinations"]}  # type: ignore[attr-defined]
            assert found["pacs"]["state"] == "ok"
            return dict(found["away"]) if found["away"]["state"] == "paused" else {}

        said = until("the pause to be said", paused)
    assert (said["code"], said["attempt"]) == ("unreachable", 1)
    assert isinstance(said["next_attempt_in_s"], int)
    assert 0 < said["next_attempt_in_s"] <= 18
    assert str(said["since"]).endswith("+00:00")
    assert "check the program there" in str(said["action"])


def test_the_box_answers_an_echo_while_everything_else_is_stuck(tmp_path: Path, spool: Spool) -> None:
    sealed_exam(spool)
    with RawServer(silent) as dead:
        servers = (Worklist(name="ris", ae_title="RIS", host="127.0.0.1", port=dead.port),)
        wanted = settings(tmp_path, destinations=(destination(dead, ae_title="PACS"),), worklists=servers)
        with running(wanted):
            for caller in ("PACS", "RIS"):
                answer = echo("127.0.0.1", wanted.station.listen.port, "SCOPEGATE", caller)
                assert answer.ok, answer
            assert not echo("127.0.0.1", wanted.station.listen.port, "SCOPEGATE", "STRANGER").ok


def test_an_address_that_cannot_be_listened_at_is_said_and_everything_is_sent_all_the_same(
    tmp_path: Path, spool: Spool, archive: Scripted
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = int(other.getsockname()[1])
        with running(settings(tmp_path, listen=port, destinations=(destination(archive),))) as look:
            exam = open_exam(spool)
            still(spool, exam)
            spool.exams.finish(exam.id)
            until("the exam to be sent", lambda: states(spool) == [SENT])
            said = look()["listener"]
            assert isinstance(said, dict)
            assert (said["code"], f"127.0.0.1:{port}" in said["what"]) == ("port-taken", True)
            assert "stop the other program" in said["action"]
            other.close()
            until("the box to listen", lambda: look()["listener"] is None, 60)
            assert echo("127.0.0.1", port, "SCOPEGATE", "SCOPEGATE").ok


def test_a_destination_that_left_the_configuration_keeps_its_queue_and_a_new_one_begins(
    tmp_path: Path, spool: Spool, archive: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    sealed_exam(spool, "old", stills=2)
    stuck = deliveries(spool, "old")[0]
    with spool.database.write() as connection:
        connection.execute("UPDATE delivery SET state = 'sending' WHERE id = ?", (stuck.id,))
    with running(settings(tmp_path, destinations=(destination(archive),))) as look:
        exam = open_exam(spool)
        still(spool, exam)
        spool.exams.finish(exam.id)
        until("the new destination to get the new picture", lambda: states(spool) == [SENT])
        assert {"name": "old", "state": "not-configured", "waiting": 2} in look()["destinations"]  # type: ignore[operator]
    assert states(spool, "old") == [QUEUED, QUEUED]
    assert "destination_not_configured destination=old waiting=2" in caplog.text
    with running(settings(tmp_path, destinations=(destination(archive, "old"),))):
        until("the old destination, back again, to get its pictures", lambda: states(spool, "old") == [SENT] * 2)


def test_a_start_offers_again_what_was_taken_in_no_form(tmp_path: Path, spool: Spool, archive: Scripted) -> None:
    sealed_exam(spool, stills=2)
    archive.takes_nothing = True
    wanted = settings(tmp_path, destinations=(destination(archive),))
    with running(wanted):
        until("the pictures to be held", lambda: states(spool) == [HELD] * 2)
    person = deliveries(spool)[1]
    spool.deliveries.release(person.id)
    spool.deliveries.hold(person.id)
    archive.takes_nothing = False
    with running(wanted):
        until("the first to be sent", lambda: states(spool) == [SENT, HELD])


def test_a_problem_of_the_wrapping_is_said_and_ends_by_itself(tmp_path: Path, spool: Spool) -> None:
    exam = open_exam(spool)
    still(spool, exam)
    folder = spool.layout.exam(exam.id)
    lock = spool.layout.exam_lock(exam.id)
    lock.unlink(missing_ok=True)
    lock.mkdir()  # it cannot be opened, also not by root
    with running(settings(tmp_path)) as look:
        ended = replace(spool.exams.get(exam.id), state=ExamState.FINISHED)
        spool.exams.put_row(ended)
        said = until("the trouble to be said", lambda: look()["troubles"].get("wrap"))
        assert said["code"] == "disk-failed"  # type: ignore[index]
        lock.rmdir()
        (folder / "exam.json").write_bytes(records.dump(ended))
        until("the exam to be released", lambda: spool.exams.get(exam.id).state is ExamState.RELEASED)
        until("the trouble to be over", lambda: "wrap" not in look()["troubles"])


def test_no_log_line_and_no_live_state_names_a_patient(
    tmp_path: Path, spool: Spool, archive: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    """A patient whose every part is unmistakable goes through every failure of this process."""
    caplog.set_level(logging.DEBUG)
    item = worklist_item(name=CANARY.name, character_set="ISO_IR 192", day=today())
    item.PatientID, item.PatientBirthDate, item.AccessionNumber = CANARY.id, CANARY.birth_date, CANARY_WORDS[-1]
    with FaultWorklist((item,)) as ris:
        servers = [
            Worklist(name=name.lower(), ae_title=name, host="127.0.0.1", port=ris.port)
            for name in ("TAKES", "MIXED", "GARBAGE", "ABORT", "NOUID", "SA700")
        ]
        wanted = settings(
            tmp_path,
            destinations=(
                destination(archive),
                Destination(name="away", ae_title="X", host="127.0.0.1", port=free_port()),
            ),
            worklists=tuple(servers),
        )
        answers: Iterator[int | str] = iter([0xA900, 0xB000, 0x0122, ABORT])
        archive.say = lambda _: next(answers, 0)
        with running(wanted) as look:
            exam = open_exam(spool)
            captures = [still(spool, exam) for _ in range(6)]
            captures.append(clip(spool, exam))
            spool.layout.media(exam.id, captures[0].media).unlink()
            broken = spool.layout.media(exam.id, captures[1].media)
            broken.write_bytes(broken.read_bytes()[:-8])
            spool.exams.finish(exam.id)
            damaged = open_exam(spool)
            spool.exams.finish(damaged.id)
            spool.layout.exam_json(damaged.id).write_text(f'{{"patient": "{CANARY.name}"')
            until("every failure", lambda: len(archive.arrived) >= 4)
            until("every server", lambda: len(spool.worklist.servers()) == len(servers))
            state = until("the pauses", lambda: look() if "paused" in str(look()) else None)
    assert "capture_not_wrapped" in caplog.text
    assert "delivery_held" in caplog.text
    assert "destination_paused" in caplog.text
    assert "worklist_failed" in caplog.text
    said = "\n".join([caplog.text, json.dumps(state), *(each.reason for each in spool.deliveries.list())])
    said += "\n".join(listed.problem for listed in spool.captures.of_exam(exam.id))
    said += "\n".join(server.problem for server in spool.worklist.servers())
    assert not [word for word in CANARY_WORDS if word in said]
    assert any(CANARY.name in found.patient.name for found in spool.worklist.items()), "the canary never flew"


MEASURED = """
import sys
from pathlib import Path
from types import SimpleNamespace
from gateway.clock import Clock
from gateway.net.peers import Timeouts
from gateway.spool import records
from gateway.spool.opening import open_spool
from tests.loopback.forward_archive import sender
from tests.forward.bench import sealed_exam, wrap_all
spool = open_spool(Path(sys.argv[1]), clock=Clock())
part = sender(spool, SimpleNamespace(port=int(sys.argv[2]), ae_title="STORESCP"), timeouts=Timeouts())
sealed_exam(spool)  # everything imported and used once
while part.step():
    pass
def peak(begin=False):
    if begin:
        Path("/proc/self/clear_refs").write_text("5")  # proc(5): VmHWM begins anew
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
before = peak(True)
spool.exams.release(sys.argv[3])
wrap_all(spool)
wrapped = peak()
between = peak(True)
while part.step():
    pass
print(wrapped - before, peak() - between)
"""


def test_a_long_clip_passes_through_without_growing_the_process(tmp_path: Path, spool: Spool) -> None:
    exam = open_exam(spool)
    made = clip(spool, exam, frames=2, padding=400_000, copies=100)
    spool.exams.finish(exam.id)
    assert made.bytes > 80_000_000
    with StoreScp(tmp_path / "archive", "+xa") as peer:
        start = time.monotonic()
        arguments = [str(spool.layout.root), str(peer.port), exam.id]
        ended = subprocess.run(
            [sys.executable, "-c", MEASURED, *arguments], capture_output=True, text=True, timeout=120, check=False
        )
        assert ended.returncode == 0, ended.stderr
        wrapping, sending = (int(kib) for kib in ended.stdout.split())
        print(
            f"\n{made.bytes / 1e6:.0f} MB clip in {time.monotonic() - start:.1f} s: "
            f"{wrapping / 1024:.0f} MiB more for wrapping, {sending / 1024:.0f} MiB more for sending"
        )
        assert peer.file(made.sop_instance_uid).stat().st_size > made.bytes
    assert wrapping < 30_000
    assert sending < 30_000


def test_a_large_queue_is_taken_in_small_pieces(archive: Scripted) -> None:
    clock = FakeClock()
    with memory_spool(clock) as spool:
        exam = sealed_exam(spool, stills=60)
        part = sender(spool, archive)
        assert len(spool.deliveries.due("pacs", cap_s=1000)) == 50
        while part.step():
            pass
        assert [len(call) for call in archive.of_call] == [50, 10]
        assert archive.uids == [each.sop_instance_uid for each in objects(spool, exam)]


def test_an_exam_finished_by_time_leaves_only_after_a_look(archive: Scripted) -> None:
    with memory_spool(FakeClock()) as spool:
        exam = open_exam(spool)
        still(spool, exam)
        spool.exams.finish(exam.id, please_check="reboot")
        release(spool).step()
        wrap_all(spool)
        assert not sender(spool, archive).step()
        spool.exams.confirm(exam.id)
        release(spool).step()
        wrap_all(spool)
        sender(spool, archive).step()
        assert states(spool) == [SENT]


def test_an_exam_and_its_step_reach_secured_peers_and_the_box_is_heard_over_tls(
    tmp_path: Path, spool: Spool
) -> None:
    clinic = Authority(tmp_path / "clinic")
    box, pacs = clinic.issue("127.0.0.1", label="box"), clinic.issue("127.0.0.1", label="pacs")
    with (
        FaultArchive(secured=clinic.server(pacs)) as dicom,
        FaultWeb(secured=clinic.server(pacs)) as web,
        StepServer(secured=clinic.server(pacs)) as ris,
    ):
        wanted = settings(
            tmp_path,
            destinations=(
                destination(dicom, ae_title="TAKES", tls=clinic.tls(box)),
                Destination(name="web", kind="stow", url=web.url, tls=clinic.tls(box)),
            ),
            procedure_steps=(
                ProcedureStep(name="ris", ae_title="STEPS", host="127.0.0.1", port=ris.port, tls=clinic.tls(box)),
            ),
        )
        station = replace(wanted.station, tls=clinic.tls(box))
        with running(replace(wanted, station=station)):
            exam = open_exam(spool)
            kept = [still(spool, exam), clip(spool, exam)]
            spool.exams.finish(exam.id)
            until("both to have it", lambda: states(spool) + states(spool, "web") == [SENT] * 4)
            until("the step to be over", lambda: ris.words == [("create", 0), ("set", 0)])
            port = station.listen.port
            assert echo("127.0.0.1", port, "SCOPEGATE", "TAKES", tls=clinic.tls(pacs)).ok
            assert not echo("127.0.0.1", port, "SCOPEGATE", "TAKES").ok
    uids = {each.sop_instance_uid for each in kept}
    assert {each.sop_instance_uid for each in dicom.arrived} == uids == set(web.has)
