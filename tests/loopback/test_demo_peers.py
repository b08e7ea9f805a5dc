"""The demo's worklist and archive against our own network code."""

import threading
from datetime import date, datetime, time, timedelta
from functools import partial

import pytest
from pydicom import dcmread

from gateway.config.dicom import TRANSFER_SYNTAXES
from gateway.config.settings import Destination, Worklist
from gateway.demo import patients
from gateway.demo.archive import Arrival, DemoArchive, read
from gateway.demo.worklist import DemoWorklist
from gateway.dicom import commitment, order, part10
from gateway.errors import DeliveryError, NeedsConfiguration
from gateway.net import echo, worklist
from gateway.net.commitment import CommitmentAssociation
from gateway.net.peers import Peer
from gateway.net.store import StoreAssociation, Wanted
from gateway.threads import Supervisor
from tests.loopback.peers import items

LOSSY = (items.JPEG_BASELINE, part10.H264)
TODAY = date(2026, 11, 21)
ORDERS = patients.orders(day=TODAY, around=time(10, 17), seed="a clinic", station_ae_title="SCOPEGATE")


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


@pytest.mark.parametrize("syntax", TRANSFER_SYNTAXES)
def test_the_archive_keeps_what_our_sender_brings_byte_for_byte(tmp_path, pacs, arrivals, syntax):
    file = items.sample(tmp_path, transfer_syntax_uid=syntax)
    assert send(pacs, file, lossy=syntax in LOSSY) == ["0000"]
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
