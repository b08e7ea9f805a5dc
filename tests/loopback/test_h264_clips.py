"""Clips as H.264 through a whole box into real archives, also when the box dies while it encodes."""

from pathlib import Path

import pydicom

from tests.box import Box, until
from tests.dicom_checks import H264, problems
from tests.loopback.peers import StepServer, StoreScp
from tests.loopback.test_everything import peer, steps_images
from tests.loopback.whole_box import Archives, as_destination

BASELINE = "1.2.840.10008.1.2.4.50"
SOURCE = {"name": "us", "device": "pattern:ultrasound", "modality": "US", "object": "ultrasound"}


def test_a_clip_of_11_s_arrives_as_h264_and_one_of_3_s_as_jpeg_frames(tmp_path: Path, archives: Archives) -> None:
    destinations = [each for each in archives.as_destinations() if each["name"] != "implicit"]
    with Box(tmp_path, sources=[SOURCE], destinations=destinations) as box:
        exam = box.open_typed()
        (long,) = box.clip(exam, 11)
        (short,) = box.clip(exam, 3)
        box.finish(exam)
        box.until_delivered(exam, 4, deadline_s=120)
        status, video = box.request("GET", f"/captures/{long}/video")
        assert (status, video[4:8]) == (200, b"ftyp")
        status, frame = box.request("GET", f"/captures/{long}/frames/200")
        assert (status, frame[:2]) == (200, b"\xff\xd8")

    for uid, form in ((long, H264), (short, BASELINE)):
        file = archives.everything.file(uid)
        arrived = pydicom.dcmread(file)
        assert (arrived.file_meta.TransferSyntaxUID, arrived.SOPInstanceUID) == (form, uid)
        assert problems(file) == []
        assert archives.orthanc.file(uid)[-1000:] == file.read_bytes()[-1000:]


def test_a_box_that_dies_while_it_encodes_loses_nothing_and_seals_once(tmp_path: Path, archives: Archives) -> None:
    destinations = [each for each in archives.as_destinations() if each["name"] == "everything"]
    with Box(tmp_path, sources=[{**SOURCE, "clip": "h264"}], destinations=destinations) as box:
        exam = box.open_typed()
        (uid,) = box.clip(exam, 8)
        folder = tmp_path / "data" / "exams" / exam
        recorded = box.get(f"/exams/{exam}")["captures"][0]["frames"]
        box.finish(exam)
        part = folder / f"{uid}.mp4.part"
        until("the encoding to begin", lambda: part.exists() and part.stat().st_size > 0)
        box.kill("forward")
        assert (folder / f"{uid}.frames").exists()
        assert not (folder / f"{uid}.seal").exists()
        box.until_delivered(exam, 1, deadline_s=120)
        assert not part.exists()
        assert not (folder / f"{uid}.frames").exists()

    file = archives.everything.file(uid)
    assert problems(file) == []
    assert pydicom.dcmread(file).NumberOfFrames == recorded


def test_archives_without_h264_get_a_clip_as_jpeg_or_as_stills_and_the_order_s_end_lists_all_of_it(
    tmp_path: Path, archives: Archives
) -> None:
    with StepServer() as steps, StoreScp(tmp_path / "jpeg", "+xy") as of_jpeg:
        destinations = [
            as_destination("everything", archives.everything),
            {**as_destination("jpeg", of_jpeg), "fallback": "jpeg"},
            {**as_destination("implicit", archives.implicit), "fallback": "key-stills", "key_stills": 2},
        ]
        source, servers = {**SOURCE, "clip": "h264"}, [peer("ris", steps)]
        with Box(tmp_path, sources=[source], destinations=destinations, procedure_steps=servers) as box:
            exam = box.open_typed()
            (uid,) = box.clip(exam, 2)
            recorded = box.get(f"/exams/{exam}")["captures"][0]["frames"]
            box.finish(exam)
            until("the step to end", lambda: [kind for kind, _ in steps.words][-1:] == ["set"], 120)
            until("the clip as JPEG to arrive", lambda: of_jpeg.count() == 1, 60)
            (clip_as_jpeg,) = of_jpeg.received.iterdir()
            stills = steps_images(steps) - {
                uid,
                clip_as_jpeg.name.partition(".")[2],
            }  # DCMTK puts the modality first
            assert len(stills) == 2
            until("its stills to arrive", lambda: all(map(archives.implicit.has, stills)), 60)
            until("the clip to arrive", lambda: archives.everything.has(uid), 60)
            found = {each["destination"]: each["code"] for each in box.deliveries(exam)}
            assert found == {"everything": "", "jpeg": "sent-as-jpeg", "implicit": "sent-as-key-stills"}
        (file,) = of_jpeg.received.iterdir()
        arrived = pydicom.dcmread(file)
        assert (arrived.file_meta.TransferSyntaxUID, arrived.NumberOfFrames) == (BASELINE, recorded)
        assert arrived.SourceImageSequence[0].ReferencedSOPInstanceUID == uid
        assert problems(file) == []
        assert pydicom.dcmread(archives.everything.file(uid)).file_meta.TransferSyntaxUID == H264
        listed = steps_images(steps)
    assert listed == {uid, arrived.SOPInstanceUID} | stills
