"""The main job, end to end: worklist in, pictures taken, objects in real archives, driven through the HTTP API."""

import subprocess
import sys
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.encaps import get_frame

from hardware.sources import counter
from hardware.sources.pattern import draw
from tests import dicom_checks
from tests.box import Box, Refusal, until
from tests.loopback.peers import StoreScp, WlmScpfs
from tests.loopback.peers.items import NAMES, worklist_item
from tests.loopback.whole_box import Archives, as_destination, as_worklist, pixels_of, today

MULTI_FRAME = "1.2.840.10008.5.1.4.1.1.7.4"


@pytest.mark.parametrize(
    ("kind", "script"), [*(("ultrasound", script) for script in sorted(NAMES)), ("bars", "latin-1")]
)
def test_three_stills_and_a_clip_reach_every_archive_as_the_patient_of_the_worklist(
    tmp_path: Path,
    kind: str,
    script: str,
    worklist_server: WlmScpfs,
    archives: Archives,
) -> None:
    character_set, name = NAMES[script]
    number = 100 + sorted(NAMES).index(script) * 2 + (kind == "bars")
    item = worklist_item(
        name=name,
        character_set=character_set,
        number=number,
        day=today(),
        modality="US",
    )
    worklist_server.clear()
    worklist_server.add(f"item{number}", item)
    source = {"name": "us", "device": f"pattern:{kind}", "modality": "US"}
    box = Box(
        tmp_path,
        sources=[source],
        worklists=[as_worklist(worklist_server)],
        destinations=archives.as_destinations(),
    )
    with box:
        exam = str(box.create("/exams", {"worklist_item": box.worklist_item(str(item.PatientID))})["id"])
        stills = [box.still(exam) for _ in range(3)]
        (clip,) = box.clip(exam, 1.2)
        box.finish(exam)
        box.until_delivered(exam, 11)
        box.until_delivered(exam, 1, state="held")
        (lost,) = [c["lost_frames"] for c in box.get(f"/exams/{exam}")["captures"] if c["kind"] == "clip"]
        held = [d for d in box.deliveries(exam) if d["state"] == "held"]
        assert [(d["destination"], d["sop_instance_uid"]) for d in held] == [("implicit", clip)]
        assert held[0]["code"] == "no-context"
        assert held[0]["reason"]

    uids = [still["sop_instance_uid"] for still in stills]
    for still in stills:
        received = archives.everything.file(still["sop_instance_uid"])
        stored = pixels_of(received)
        painted = counter.read(stored)
        assert painted is not None
        assert np.array_equal(stored, draw(kind, painted, (1280, 720)))
        assert np.array_equal(pixels_of(archives.implicit.file(still["sop_instance_uid"])), stored)
    for uid in [*uids, clip]:
        file = archives.everything.file(uid)
        assert dicom_checks.problems(file) == []
        sent = file.read_bytes()
        assert archives.orthanc.file(uid)[-1000:] == sent[-1000:]
        same_as_ordered(file, item, name, worklist_server.item(f"item{number}"))
    numbers = [pydicom.dcmread(archives.everything.file(uid)).InstanceNumber for uid in [*uids, clip]]
    assert numbers == [1, 2, 3, 4]
    moving = pydicom.dcmread(archives.everything.file(clip))
    assert moving.SOPClassUID == MULTI_FRAME
    counters = [
        counter.read(
            imagecodecs.jpeg8_decode(get_frame(moving.PixelData, n, number_of_frames=moving.NumberOfFrames))
        )
        for n in range(moving.NumberOfFrames)
    ]
    assert counters == sorted(set(counters))
    assert counters[-1] - counters[0] + 1 == len(counters) + lost


# PatientName, PatientID, PatientBirthDate, PatientSex, StudyInstanceUID, AccessionNumber
COPIED = (0x00100010, 0x00100020, 0x00100030, 0x00100040, 0x0020000D, 0x00080050)


def raw_values(file: Path) -> dict[int, bytes]:
    """Return the bytes of a file's top-level short elements, without padding, walked by hand (PS3.5 7.1)."""
    content, at, found = file.read_bytes(), 132, {}
    while at < len(content):
        group, element = (
            int.from_bytes(content[at : at + 2], "little"),
            int.from_bytes(content[at + 2 : at + 4], "little"),
        )
        if (group, element) >= (0x7FE0, 0):
            break
        if content[at + 4 : at + 6] in {b"OB", b"OW", b"SQ", b"UN", b"UT", b"UC", b"UR"}:
            length, start = int.from_bytes(content[at + 8 : at + 12], "little"), at + 12
            if length == 0xFFFFFFFF:
                length = content.index(b"\xfe\xff\xdd\xe0", start) + 8 - start
        else:
            length, start = int.from_bytes(content[at + 6 : at + 8], "little"), at + 8
        found[group << 16 | element] = content[start : start + length].rstrip(b" \0")
        at = start + length
    return found


def same_as_ordered(file: Path, item: pydicom.Dataset, name: str, ordered_file: Path) -> None:
    received = pydicom.dcmread(file)
    assert str(received.PatientName) == name
    for keyword in ("PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "AccessionNumber"):
        assert received[keyword].value == item[keyword].value
    (request,) = received.RequestAttributesSequence
    assert request.RequestedProcedureID == item.RequestedProcedureID
    assert request.ScheduledProcedureStepID == item.ScheduledProcedureStepSequence[0].ScheduledProcedureStepID
    ordered = raw_values(ordered_file)
    arrived = raw_values(file)
    for tag in COPIED:
        assert arrived[tag] == ordered[tag], f"{tag:08X} is not the bytes of the item"


def test_a_second_exam_is_refused_while_one_is_open_and_replaces_it_when_asked(tmp_path: Path) -> None:
    with Box(tmp_path) as box:
        first = box.open_typed(patient_id="P1")
        box.still(first)
        with pytest.raises(Refusal) as refused:
            box.open_typed(patient_id="P2")
        assert (refused.value.status, refused.value.code) == (409, "exam-open")
        second = box.open_typed(patient_id="P2", close_open=True)
        left = box.get(f"/exams/{first}")
        assert (left["state"], left["please_check"]) == ("finished", "closed-by-next")
        with pytest.raises(Refusal) as changed:
            box.still(first)
        assert (changed.value.status, changed.value.code) == (409, "exam-changed")
        box.post(f"/exams/{first}/confirm")
        until("the checked exam to be released", lambda: box.get(f"/exams/{first}")["state"] == "released")
        assert box.get(f"/exams/{second}")["state"] == "open"


def test_everything_arrives_by_itself_when_the_archive_comes_back(tmp_path: Path) -> None:
    archive = StoreScp(tmp_path / "archive", "+xa")  # its port is known, but nothing listens there yet
    (tmp_path / "archive").mkdir(exist_ok=True)
    with Box(tmp_path / "box", destinations=[as_destination("pacs", archive)]) as box:
        exam = box.open_typed()
        uids = {box.still(exam)["sop_instance_uid"] for _ in range(3)}
        box.finish(exam)
        until("a try that failed", lambda: any(d["attempts"] for d in box.deliveries(exam)))
        waiting = box.deliveries(exam)
        assert {d["state"] for d in waiting} <= {"queued", "sending"}
        assert {d["code"] for d in waiting if d["attempts"]} == {"unreachable"}
        with archive:
            box.until_delivered(exam, 3, deadline_s=60)
            assert {archive.file(uid).name.split(".", 1)[1] for uid in uids} == uids
            assert archive.count() == 3


def test_an_exam_without_patient_waits_for_one_and_leaves_as_that_patient(
    tmp_path: Path, archive_of_everything: StoreScp
) -> None:
    with Box(tmp_path, destinations=[as_destination("pacs", archive_of_everything)]) as box:
        exam = str(box.create("/exams", {"emergency": True})["id"])
        temporary = box.get(f"/exams/{exam}")["patient"]
        assert temporary["name"] == temporary["id"]
        uid = box.still(exam)["sop_instance_uid"]
        rejected = box.still(exam)["sop_instance_uid"]
        box.post(f"/captures/{rejected}/reject", {"reason": "blurred"})
        box.finish(exam)
        assert box.get(f"/exams/{exam}")["state"] == "finished"
        patient = {"name": "Nováková^Jana", "id": "P77", "birth_date": "", "sex": "F"}
        box.post(f"/exams/{exam}/assign", {"patient": patient})
        box.until_delivered(exam, 1)
        received = pydicom.dcmread(archive_of_everything.file(uid))
        assert str(received.PatientName) == patient["name"]
        assert received.PatientID == "P77"
        assert dicom_checks.problems(archive_of_everything.file(uid)) == []
        assert not list(archive_of_everything.received.glob(f"*{rejected}"))


def test_a_deleted_database_is_rebuilt_with_the_same_patients_and_sends_nothing_unasked(tmp_path: Path) -> None:
    with StoreScp(tmp_path / "archive", "+xa") as archive:
        box = Box(tmp_path / "box", destinations=[as_destination("pacs", archive)])
        with box:
            exam = box.open_typed(patient_id="P9")
            kept = box.still(exam)["sop_instance_uid"]
            rejected = box.still(exam)["sop_instance_uid"]
            box.post(f"/captures/{rejected}/reject", {"reason": "blurred"})
            box.finish(exam)
            box.until_delivered(exam, 1)
            before = box.get(f"/exams/{exam}")
        for file in box.data.glob("scopegate.db*"):
            file.unlink()
        archive.file(kept).unlink()
        with box:
            after = box.get(f"/exams/{exam}")
            assert (after["patient"], after["study_instance_uid"]) == (
                before["patient"],
                before["study_instance_uid"],
            )
            states = {c["sop_instance_uid"]: c["state"] for c in after["captures"]}
            assert states == {kept: "saved", rejected: "rejected"}
            (delivery,) = box.deliveries(exam)
            assert (delivery["state"], delivery["code"]) == ("held", "after-rebuild")
            assert archive.count() == 0
            command = ["queue", "release", "--all", "after-rebuild", "--config", str(box.config)]
            answer = subprocess.run(
                [sys.executable, "-m", "gateway", *command], capture_output=True, text=True, check=False
            )
            assert answer.returncode == 0, answer.stderr
            box.until_delivered(exam, 1)
            assert archive.count() == 1
            following = box.open_typed(patient_id="P9")
            assert box.still(following)["sop_instance_uid"] not in states
