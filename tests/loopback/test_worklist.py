"""Asking worklist servers: DCMTK's, and ones that misbehave."""

from datetime import date
from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.filewriter import write_file_meta_info

from gateway.config.settings import Worklist
from gateway.errors import WorklistError
from gateway.net import worklist
from gateway.net.peers import Timeouts
from tests.loopback.peers import RawServer, faults, free_port, items

# Only where silence is what is waited for: on a machine with much to do, an answer takes its time too.
SILENT, MUTE = Timeouts(connect=1.0, negotiate=0.5), Timeouts(answer=1.0)
TODAY = date(2026, 11, 21)


def _find(peer, *, ae_title="", modality="", station="", timeouts=None, **more):
    server = Worklist(
        name="ris",
        ae_title=ae_title or peer.ae_title,
        host="127.0.0.1",
        port=peer.port,
        modality=modality,
        station_ae_title=station,
    )
    more = {"deadline_s": 100.0, **more}  # of which each step has its share
    return worklist.find(server, our_ae="SCOPEGATE", today=TODAY, timeouts=timeouts, **more)


def _read(answer):
    """Read an answer as whoever wraps it into a file does."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = answer.transfer_syntax_uid
    out = BytesIO()
    out.write(b"\0" * 128 + b"DICM")
    write_file_meta_info(out, meta, enforce_standard=False)
    out.write(answer.raw)
    out.seek(0)
    return dcmread(out)


@pytest.fixture
def filled(worklist_server):
    for number, (script, (character_set, name)) in enumerate(items.NAMES.items(), 1):
        worklist_server.add(script, items.worklist_item(name=name, character_set=character_set, number=number))
    yield worklist_server
    worklist_server.clear()


@pytest.mark.parametrize(("number", "script"), list(enumerate(items.NAMES, 1)))
def test_a_name_comes_back_byte_for_byte_in_every_script(filled, number, script):
    character_set, name = items.NAMES[script]
    sent = items.worklist_item(name=name, character_set=character_set, number=number)
    (answer,) = [a for a in _find(filled) if f"A{number:05d}".encode() in a.raw]
    read = _read(answer)
    assert str(read.PatientName) == name
    assert read.StudyInstanceUID == sent.StudyInstanceUID
    encoded = dcmread(filled.folder / "worklists" / filled.ae_title / f"{script}.wl")["PatientName"]
    bytes_on_file = encoded.value.original_string.rstrip(b" ")
    assert bytes_on_file in answer.raw


def test_only_the_days_around_today_are_asked_for(worklist_server):
    for number, day in enumerate(("20261119", "20261120", "20261121", "20261122", "20261123"), 1):
        worklist_server.add(day, items.worklist_item(number=number, day=day))
    found = _find(worklist_server)
    worklist_server.clear()
    days = {_read(a).ScheduledProcedureStepSequence[0].ScheduledProcedureStepStartDate for a in found}
    assert days == {"20261120", "20261121", "20261122"}


def test_only_the_wanted_modality_and_station_are_asked_for(worklist_server):
    worklist_server.add("us", items.worklist_item(number=1, modality="US", station="ROOM2"))
    worklist_server.add("es", items.worklist_item(number=2, modality="ES", station="ROOM2"))
    worklist_server.add("other", items.worklist_item(number=3, modality="US", station="ROOM3"))
    found = _find(worklist_server, modality="US", station="ROOM2")
    worklist_server.clear()
    assert [_read(a).AccessionNumber for a in found] == ["A00001"]


def test_an_empty_list_is_an_answer(worklist_server):
    assert _find(worklist_server) == []


def test_a_server_that_strips_the_character_set_is_shown_as_it_answers(stripping_worklist_server):
    character_set, name = items.NAMES["latin-1"]
    stripping_worklist_server.add("one", items.worklist_item(name=name, character_set=character_set))
    (answer,) = _find(stripping_worklist_server)
    stripping_worklist_server.clear()
    assert b"ISO_IR" not in answer.raw
    assert name.encode("latin-1") in answer.raw


def test_the_question_names_dates_without_times_and_asks_for_the_character_set(fault_worklist):
    _find(fault_worklist, ae_title="TAKES", modality="US", station="ROOM2")
    question = fault_worklist.questions[-1]
    (step,) = question.ScheduledProcedureStepSequence
    assert step.ScheduledProcedureStepStartDate == "20261120-20261122"
    assert step.ScheduledProcedureStepStartTime == ""
    assert (step.Modality, step.ScheduledStationAETitle) == ("US", "ROOM2")
    for keyword in ("SpecificCharacterSet", "StudyInstanceUID", "IssuerOfPatientID", "RequestedProcedureID"):
        assert keyword in question
        assert question[keyword].is_empty


@pytest.mark.parametrize("kind", ["NOUID", "NOSTEP"])
def test_an_incomplete_item_is_handed_on_for_others_to_judge(fault_worklist, kind):
    (answer,) = _find(fault_worklist, ae_title=kind)
    assert b"Doe^Jane" in answer.raw


@pytest.mark.parametrize(("kind", "noise"), [("MIXED", b"\x08\x00\x05\x00CS\xff\xff"), ("GARBAGE", b"<html>")])
def test_what_is_no_item_at_all_is_handed_on_too(fault_worklist, kind, noise):
    first, *others = _find(fault_worklist, ae_title=kind)
    assert first.raw.startswith(noise)
    assert all(b"Doe^Jane" in answer.raw for answer in others)


@pytest.mark.parametrize(
    ("behaviour", "code", "words"),
    [
        ("BADCMD", "worklist-garbage", "gave an answer that is not DICOM"),
        ("ABORT", "worklist-aborted", "broke off the transfer"),
        ("HUGE", "worklist-endless", "sent more than any answer has"),
        ("MUTE", "worklist-timeout", "did not answer in time"),
        ("SA700", "worklist-refused", "refused the question (status A700)"),
        ("SC001", "worklist-refused", "refused the question (status C001)"),
        ("S0122", "worklist-refused", "refused the question (status 0122)"),
        ("REJ117", "worklist-rejected-title", "does not have the AE title"),
        ("REJ231", "worklist-busy", "takes no further connection"),
        ("NONE", "worklist-no-context", "takes none of the kinds"),
    ],
)
def test_a_server_that_gives_no_whole_answer_gives_none(fault_worklist, behaviour, code, words):
    with pytest.raises(WorklistError) as caught:
        _find(fault_worklist, ae_title=behaviour, timeouts=MUTE if behaviour == "MUTE" else None)
    assert caught.value.code == code
    assert caught.value.what.startswith("The worklist server ris ")
    assert words in caught.value.what


def test_a_server_that_never_ends_its_list_is_stopped(fault_worklist):
    with pytest.raises(WorklistError) as caught:
        _find(fault_worklist, ae_title="ENDLESS", deadline_s=4.0)
    assert caught.value.code in ("worklist-endless", "worklist-timeout")


def test_a_list_longer_than_anybody_reads_is_refused(fault_worklist):
    with pytest.raises(WorklistError) as caught:
        _find(fault_worklist, ae_title="ENDLESS", most=50)
    assert caught.value.code == "worklist-endless"
    assert "date range" in caught.value.action


@pytest.mark.parametrize(
    ("behave", "code"),
    [
        (faults.silent, "worklist-silent"),
        (faults.closes, "worklist-dropped"),
        (faults.speaks_http, "worklist-garbage"),
        (faults.trickles, "worklist-silent"),
    ],
)
def test_what_is_no_worklist_server_is_recognised(behave, code):
    with RawServer(behave) as peer, pytest.raises(WorklistError) as caught:
        _find(peer, ae_title="X", timeouts=SILENT if code == "worklist-silent" else None)
    assert caught.value.code == code


def test_a_server_that_is_down_is_unreachable():
    class Down:
        port = free_port()

    with pytest.raises(WorklistError) as caught:
        _find(Down, ae_title="X")
    assert caught.value.code == "worklist-unreachable"
    assert caught.value.safe == "The last list stays usable; new patients may be missing."
