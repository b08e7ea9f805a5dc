"""The demo: its worklist and archive against our own network code, and the whole of it as somebody starts it."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from datetime import date, datetime, time, timedelta
from functools import partial
from pathlib import Path

import pytest
from pydicom import dcmread

from gateway.clock import FakeClock
from gateway.config.settings import Destination, Worklist
from gateway.demo import patients
from gateway.demo.api import data_set_digest
from gateway.demo.archive import Arrival, DemoArchive, read
from gateway.demo.exam import HeadlessExam
from gateway.demo.failed import DemoFailed
from gateway.demo.patience import Patience
from gateway.demo.worklist import DemoWorklist
from gateway.dicom import commitment, order
from gateway.errors import DeliveryError, NeedsConfiguration
from gateway.net import echo, worklist
from gateway.net.commitment import CommitmentAssociation
from gateway.net.peers import Peer
from gateway.net.store import StoreAssociation, Wanted
from gateway.threads import Supervisor
from tests.box import until
from tests.loopback.peers import items

TODAY = date(2026, 11, 21)
ORDERS = patients.orders(day=TODAY, around=time(10, 17), seed="a clinic", station_ae_title="SCOPEGATE")
DEADLINE_S = 90


def serving(peer, *helpers):
    """Serve a peer until the test is over; its threads must end then."""
    supervisor = Supervisor()
    threads = [supervisor.start("peer", partial(each.serve, supervisor.stop)) for each in (peer, *helpers)]
    yield peer
    supervisor.stop.set()
    assert supervisor.run()
    assert not any(thread.is_alive() for thread in threads)


@pytest.fixture(scope="module")
def ris():
    yield from serving(DemoWorklist(lambda: ORDERS))


def ask(ris, *, today=TODAY, modality="", station="", days=(0, 0)):
    server = Worklist(
        name="demo",
        ae_title=ris.ae_title,
        host="127.0.0.1",
        port=ris.port,
        modality=modality,
        station_ae_title=station,
        days_back=days[0],
        days_ahead=days[1],
    )
    answers = worklist.find(server, our_ae="SCOPEGATE", today=today)
    files = [order.wrap_answer(each.raw, each.transfer_syntax_uid) for each in answers]
    return [order.worklist_item(file, server="demo") for file in files]


# --- patients and worklist -------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", ORDERS, ids=[each.character_set.strip("\\") for each in ORDERS])
def test_every_invented_patient_comes_over_the_wire_as_he_is_written(ris, wanted):
    (item,) = [each for each in ask(ris) if each.study_instance_uid == wanted.study_instance_uid]
    assert item.patient == wanted.patient
    assert item.character_set == wanted.character_set
    assert item.procedure.description == wanted.description
    assert item.procedure.referring_physician == wanted.referring_physician
    assert item.procedure.accession_number == wanted.accession_number
    assert item.procedure.requested_procedure_id == wanted.requested_procedure_id
    assert item.procedure.step_id == wanted.step_id
    assert item.procedure.scheduled_at == f"{wanted.scheduled_at:%Y%m%d%H%M%S}"
    assert item.missing == ()


def test_ten_patients_in_many_scripts_two_of_them_easily_mixed_up_and_one_without_birth_date():
    assert len({each.patient.id for each in ORDERS}) == len({each.study_instance_uid for each in ORDERS}) == 10
    assert len({each.character_set for each in ORDERS}) >= 7
    assert [each.patient.name for each in ORDERS[:2]] == ["MEIER^Anna", "MEYER^Anna"]
    assert sum(not each.patient.birth_date for each in ORDERS) == 1
    ages = [TODAY.year - int(each.patient.birth_date[:4]) for each in ORDERS if each.patient.birth_date]
    assert min(ages) > 5
    assert max(ages) < 90


@pytest.mark.parametrize("now", [time(0, 0), time(0, 40), time(12, 3), time(20, 0), time(23, 59)])
def test_the_orders_lie_around_now_and_never_on_another_day(now):
    found = [
        each.scheduled_at for each in patients.orders(day=TODAY, around=now, seed="", station_ae_title="SCOPEGATE")
    ]
    assert found == sorted(set(found))
    assert {each.date() for each in found} == {TODAY}
    around = datetime.combine(TODAY, now)
    assert min(abs(each - around) for each in found) <= timedelta(minutes=30)


def test_a_kept_folder_has_the_same_orders_again_and_another_clinic_has_others():
    again = patients.orders(day=TODAY, around=time(15, 0), seed="a clinic")
    other = patients.orders(day=TODAY, around=time(10, 17), seed="another clinic")
    tomorrow = patients.orders(day=TODAY + timedelta(days=1), around=time(10, 17), seed="a clinic")
    uids = [{each.study_instance_uid for each in some} for some in (ORDERS, again, other, tomorrow)]
    assert uids[0] == uids[1]
    assert not uids[0] & uids[2]
    assert not uids[0] & uids[3]


def test_the_worklist_answers_only_what_was_asked_for(ris):
    assert len(ask(ris, modality="US", station="SCOPEGATE", days=(1, 1))) == 10
    assert ask(ris, modality="CT") == []
    assert ask(ris, station="ELSEWHERE") == []
    assert ask(ris, today=TODAY + timedelta(days=2), days=(1, 1)) == []
    assert len(ask(ris, today=TODAY + timedelta(days=2), days=(2, 0))) == 10


# --- archive ---------------------------------------------------------------------------------------------


@pytest.fixture
def arrivals() -> list[Arrival]:
    return []


@pytest.fixture
def pacs(tmp_path, arrivals):
    (tmp_path / "archive").mkdir()
    archive = DemoArchive(tmp_path / "archive", arrived=arrivals.append)
    yield from serving(archive, archive.vouching)


def send(pacs, *files, lossy=False, ae_title=""):
    """Send files as the forward process does."""
    metas = [dcmread(file, stop_before_pixels=True).file_meta for file in files]
    offers = [
        Wanted(
            sop_class_uid=str(meta.MediaStorageSOPClassUID),
            transfer_syntax_uid=str(meta.TransferSyntaxUID),
            lossy=lossy,
        )
        for meta in metas
    ]
    destination = Destination(name="demo", ae_title=ae_title or pacs.ae_title, host="127.0.0.1", port=pacs.port)
    with StoreAssociation(destination, our_ae="SCOPEGATE", wanted=offers) as association:
        return [
            association.store(
                file,
                sop_class_uid=offer.sop_class_uid,
                sop_instance_uid=str(meta.MediaStorageSOPInstanceUID),
                transfer_syntax_uid=offer.transfer_syntax_uid,
            ).status
            for file, offer, meta in zip(files, offers, metas, strict=True)
        ]


@pytest.mark.parametrize("syntax", [items.EXPLICIT, items.IMPLICIT, items.JPEG_LOSSLESS, items.JPEG_BASELINE])
def test_the_archive_keeps_what_our_sender_brings_byte_for_byte(tmp_path, pacs, arrivals, syntax):
    file = items.sample(tmp_path, transfer_syntax_uid=syntax)
    assert send(pacs, file, lossy=syntax == items.JPEG_BASELINE) == ["0000"]
    (arrival,) = arrivals
    sent, kept = dcmread(file), dcmread(arrival.path)
    assert kept == sent
    assert kept.file_meta.TransferSyntaxUID == arrival.transfer_syntax_uid == syntax
    assert arrival.path == tmp_path / "archive" / sent.StudyInstanceUID / f"{sent.SOPInstanceUID}.dcm"
    assert read(arrival.path) == arrival
    assert pacs.count(sent.StudyInstanceUID) == 1


def test_an_object_that_comes_twice_is_kept_once(tmp_path, pacs, arrivals):
    file = items.sample(tmp_path)
    assert send(pacs, file, file) == ["0000", "0000"]
    assert [each.again for each in arrivals] == [False, True]
    assert pacs.count(arrivals[0].study_instance_uid) == 1
    found_again = DemoArchive(tmp_path / "archive", arrived=arrivals.append)
    try:
        assert found_again.count(arrivals[0].study_instance_uid) == 1
    finally:
        stop = threading.Event()
        stop.set()
        found_again.serve(stop)


def test_an_object_whose_study_is_no_name_for_a_folder_is_refused(tmp_path, pacs, arrivals):
    file = items.sample(tmp_path)
    data = dcmread(file)
    data["StudyInstanceUID"]._value = "../1.2.3"
    data.save_as(file)
    with pytest.raises(DeliveryError) as refused:
        send(pacs, file)
    assert "A900" in refused.value.what
    assert arrivals == []
    assert list((tmp_path / "archive").iterdir()) == []


def vouched(pacs, *instances):
    """Ask the archive to vouch for these, as the forward process does; return its one report."""
    said = []

    def hear(report, _):
        said.append(report)
        return True

    peer = Peer(kind="archive", name="demo", ae_title=pacs.ae_title, host="127.0.0.1", port=pacs.port)
    with CommitmentAssociation(peer, our_ae="SCOPEGATE") as way:
        way.ask("2.25.4711", instances)
        way.listen(10, hear, enough=lambda: bool(said))
    (report,) = said
    return commitment.read_report(
        report.raw, event_type=report.event_type, transfer_syntax_uid=report.transfer_syntax_uid
    )


def test_the_archive_vouches_for_what_it_has_and_for_nothing_else(tmp_path, pacs):
    files = [items.sample(tmp_path), items.sample(tmp_path)]
    assert send(pacs, *files) == ["0000", "0000"]
    (here, sop_class), (other, _) = [(data.SOPInstanceUID, data.SOPClassUID) for data in map(dcmread, files)]
    report = vouched(pacs, (sop_class, here))
    assert (report.transaction_uid, report.stored, report.failed) == ("2.25.4711", (here,), {})
    report = vouched(pacs, (sop_class, here), (sop_class, "2.25.1"), (items.MULTI_FRAME_TRUE_COLOUR, other))
    assert report.stored == (here,)
    assert report.failed == {"2.25.1": 0x0112, other: 0x0119}


def test_the_peers_answer_an_echo_and_only_under_their_own_name(tmp_path, pacs, ris):
    for peer in (pacs, ris):
        echo.echo("127.0.0.1", peer.port, peer.ae_title, "SCOPEGATE")
    with pytest.raises(NeedsConfiguration):
        send(pacs, items.sample(tmp_path), ae_title="SOMEBODY")


# --- all of it, as somebody starts it --------------------------------------------------------------------


class Demo:
    """`python -m gateway demo` with its output, and every process that came of it."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._output = folder / f"output-{len(list(folder.glob('output-*')))}.txt"
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gateway", "demo", "--port", "18080", *options],
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "TMPDIR": str(folder)},
            )

    @property
    def output(self) -> str:
        return self._output.read_text("utf-8")

    def family(self) -> set[int]:
        """Return the processes that run on this demo's configuration now."""
        (config,) = re.findall(r"^  data +(\S+?)(?:;|$)", self.output, re.MULTILINE)
        words = f"{config}/demo.toml".encode()
        return {int(path.name) for path in Path("/proc").glob("[0-9]*") if words in _command(path)}


def _command(process: Path) -> list[bytes]:
    try:
        return (process / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


@pytest.fixture
def tmp_path():
    """A folder with a short name: a UNIX socket's path has 107 bytes at most (unix(7))."""
    with tempfile.TemporaryDirectory(prefix="sg-") as folder:
        yield Path(folder)


@pytest.fixture
def start(tmp_path):
    started = []

    def start(*options: str) -> Demo:
        started.append(Demo(tmp_path, *options))
        return started[-1]

    yield start
    for demo in started:
        if demo.process.poll() is None:
            demo.process.kill()
            demo.process.wait()


def test_one_exam_without_a_browser_arrives_whole_and_again_in_a_kept_folder_and_names_nobody(start, tmp_path):
    for run in (1, 2):
        demo = start("--headless-exam", "--data-dir", str(tmp_path / "kept"))
        assert demo.process.wait(DEADLINE_S) == 0, demo.output
        rows = [line for line in demo.output.splitlines() if re.match(r"\d  ", line)]
        assert [row.split()[0] for row in rows] == ["1", "2", "3", "4"], demo.output
        assert [("JPEG Lossless SV1" in row, "Multi-frame" in row) for row in rows] == [(True, False)] * 3 + [
            (False, True)
        ]
        assert "All 4 acknowledged objects are in the archive" in demo.output
        assert "Safe in PACS" in demo.output
        assert f"Archive received {4 * run} of {4 * run}" in demo.output
        assert demo.family() == set()
        files = [read(path) for path in (tmp_path / "kept" / "archive").glob("*/*.dcm")]
        assert len(files) == 4 * run
        clips = [each for each in files if each.sop_class_uid == items.MULTI_FRAME_TRUE_COLOUR]
        assert all(20 <= clip.frames <= 120 for clip in clips)
        assert len(clips) == run
    log = (tmp_path / "kept" / "demo.log").read_text("utf-8")
    assert "object_sent" in log
    assert not [word for each in ORDERS for word in words_about(each) if word in demo.output + log]


def words_about(order):
    return [*filter(None, re.split(r"[\^=]", order.patient.name)), order.patient.id]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_runs_until_it_is_told_to_stop_and_leaves_nothing_behind(start, tmp_path, how):
    demo = start()
    until("the demo to be ready", lambda: "Ready: open http://127.0.0.1:18080" in demo.output)
    assert len(demo.family()) == 3
    demo.process.send_signal(how)
    assert demo.process.wait(30) == 0, demo.output
    assert demo.family() == set()
    assert list(tmp_path.glob("scopegate-demo-*")) == []


def test_a_demo_that_is_killed_takes_its_processes_along(start):
    demo = start()
    until("the demo to be ready", lambda: "Ready: " in demo.output)
    demo.process.kill()
    demo.process.wait()
    until("its processes to end", lambda: not demo.family(), deadline_s=30)


def test_a_data_folder_that_cannot_be_used_is_said_and_nothing_starts(start, tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "archive").write_text("no folder")
    demo = start("--headless-exam", "--data-dir", str(kept))
    assert demo.process.wait(30) == 1
    assert "The data folder cannot be used: File exists." in demo.output
    assert "panel" not in demo.output


def test_an_exam_that_is_stopped_halfway_says_so(start):
    demo = start("--headless-exam")
    until("the exam to be under way", lambda: "Still 1 of 3 stored." in demo.output)
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(30) == 1, demo.output
    assert "stopped before its exam was complete" in demo.output
    assert demo.family() == set()


def test_the_next_free_port_is_taken_and_one_folder_has_one_demo(start, tmp_path):
    first = start("--data-dir", str(tmp_path / "kept"))
    until("the first to be ready", lambda: "Ready: open http://127.0.0.1:18080" in first.output)
    same_folder = start("--data-dir", str(tmp_path / "kept"))
    assert same_folder.process.wait(30) == 1
    assert f"process {first.process.pid}" in same_folder.output
    another = start()
    until("another to be ready", lambda: "Ready: open http://127.0.0.1:18081" in another.output)
    for demo in (first, another):
        demo.process.send_signal(signal.SIGINT)
        assert demo.process.wait(30) == 0


# --- the exam's own judgement, against a box that is made up ----------------------------------------------


class MadeUpBox:
    """Answers the API's calls; everything that was captured lies in an archive's folder already."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.study = "2.25.7"
        (folder / self.study).mkdir()
        self.captures = [self._capture(number) for number in range(1, 5)]
        self.taken = iter(self.captures)
        self.healthy = True

    def _capture(self, number: int) -> dict[str, object]:
        data = dcmread(items.sample(self.folder / self.study))
        data.StudyInstanceUID, data.InstanceNumber = self.study, number
        Path(data.filename).unlink()
        data.save_as(self.path(self.study, data.SOPInstanceUID))
        return {
            "sop_instance_uid": str(data.SOPInstanceUID),
            "instance_number": number,
            "frames": 1,
            "problem": None,
            "deliveries": [{"state": "committed", "reason": ""}],
        }

    def path(self, study: str, uid: str) -> Path:
        return self.folder / study / f"{uid}.dcm"

    def file(self, number: int) -> Path:
        return self.path(self.study, str(self.captures[number]["sop_instance_uid"]))

    def health(self):
        return self.healthy, {"sources": [{"what": "No picture comes from the device."}]}

    def get(self, path):
        exam = {"id": "e1", "study_instance_uid": self.study, "captures": self.captures}
        return {"exams": [exam]} if path.startswith("/exams?") else exam

    def post(self, path, body=None):  # noqa: ARG002 - the real one's signature
        if path == "/worklist/refresh":
            return {"items": [{"id": "i1"}], "refresh": {"what": ""}}
        return {"sop_instance_uids": [next(self.taken)["sop_instance_uid"]]} if path.endswith("/stop") else {}

    def create(self, path, body=None):  # noqa: ARG002 - likewise
        if path == "/exams":
            return {"id": "e1", "study_instance_uid": self.study}
        return {"clip": "c1"} if path.endswith("/clips") else next(self.taken)

    def object_digest(self, uid):
        with self.path(self.study, uid).open("rb") as file:
            return data_set_digest(file)


@pytest.fixture
def box(tmp_path):
    return MadeUpBox(tmp_path)


def run_exam(box, said=None):
    clock, say = FakeClock(), ([] if said is None else said).append
    patience = Patience(clock=clock, stop=threading.Event(), say=say)
    HeadlessExam(api=box, patience=patience, say=say, stored_at=box.path).run()


def test_an_exam_of_which_everything_arrived_is_shown_and_accepted(box):
    said = []
    run_exam(box, said)
    assert said[-1] == (
        "All 4 acknowledged objects are in the archive, each as the box sealed it; "
        "the archive vouched for them: Safe in PACS."
    )
    assert "2         Secondary Capture  Explicit VR Little Endian  1       66 kB" in said


def lose_one(box):
    box.file(2).unlink()


def change_one(box):
    digest = box.object_digest
    box.object_digest = lambda uid: digest(uid).upper()


def cut_frames(box):
    box.captures[1]["frames"] = 2


def renumber(box):
    box.captures[1]["instance_number"] = 9


def add_a_stranger(box):
    box.path(box.study, "1.2.3").write_bytes(box.file(0).read_bytes())


def hold_one(box):
    box.captures[3]["deliveries"][0].update(state="held", reason="The archive does not take it.")


def never_send(box):
    box.captures[3]["deliveries"][0].update(state="queued", reason="The archive does not answer.")


def never_vouch(box):
    box.captures[3]["deliveries"][0].update(state="sent")


def never_seal(box):
    box.captures[3]["deliveries"] = []


def spoil(box):
    box.captures[3]["problem"] = {"what": "The name does not fit."}


def forget_one(box):
    box.taken = iter([*box.captures[:3], {"sop_instance_uid": "1.2.3"}])


def fall_ill(box):
    box.healthy = False


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (lose_one, "was acknowledged and is not in the archive"),
        (change_one, "has other content in the archive"),
        (cut_frames, "has another number of frames in the archive"),
        (renumber, "has another instance number in the archive"),
        (add_a_stranger, "1.2.3 is in the archive and nobody captured it"),
        (hold_one, "A delivery is held: The archive does not take it."),
        (never_send, "Waited 120 s in vain for the archive. The archive does not answer."),
        (never_vouch, "Waited 120 s in vain for the archive. It does not vouch for all of it yet."),
        (never_seal, "Waited 120 s in vain for the archive. It is still on the box."),
        (spoil, "A capture could not be made an object: The name does not fit."),
        (forget_one, "1 acknowledged captures are not in their exam"),
        (fall_ill, "Waited 60 s in vain for the box to be ready. No picture comes from the device."),
    ],
)
def test_an_exam_that_did_not_go_as_promised_fails_with_its_reason(box, fault, reason):
    fault(box)
    with pytest.raises(DemoFailed) as failed:
        run_exam(box)
    assert reason in failed.value.what
