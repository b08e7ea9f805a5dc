"""A clip that an archive takes in no form: its key stills go instead, once, and say what they are."""

import contextlib
import errno
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import simplejpeg
from pydicom.encaps import generate_frames

from gateway.clock import FakeClock
from gateway.config.settings import Destination
from gateway.dicom import key_still, objects
from gateway.errors import ScopegateError
from gateway.forward.making.fallback import Fallbacks
from gateway.forward.media.export import export
from gateway.forward.sending.rearm import rearm
from gateway.model import DeliveryState, Equipment, Exam, SealedObject
from gateway.spool import records
from gateway.spool.inspection import inspect_exam
from gateway.spool.opening import open_spool
from gateway.spool.recovery.seals import adopt_seals
from gateway.spool.spool import Spool
from tests.dicom_samples import MODALITIES
from tests.forward.bench import (
    STATION,
    Disk,
    clip,
    deliveries,
    let_go,
    open_exam,
    ordered,
    sealed_exam,
    still,
    wrap_all,
)
from tests.forward.channels import EVERYTHING, Archive, pacs, run, sender
from tests.forward.media_bench import listed

Q, SENDING, SENT, COMMITTED, HELD = DeliveryState
LOSSLESS, BASELINE, EXPLICIT, IMPLICIT = EVERYTHING
CLIPS = {"1.2.840.10008.5.1.4.1.1.7.4"}
STILL = "1.2.840.10008.5.1.4.1.1.7"
PACS = pacs(fallback="key-stills")


class NoClips(Archive):
    """Takes stills, in these forms, and no clip."""

    def __init__(self, *forms: str) -> None:
        super().__init__()
        self.accepts = lambda sop_class: () if sop_class in CLIPS else (forms or EVERYTHING)
        self.keep_files = True


def fallbacks(spool: Spool, *destinations: Destination) -> Fallbacks:
    return Fallbacks(spool=spool, station=STATION, destinations=destinations or (PACS,))


def exam_with_clip(spool: Spool, frames: int = 7, *, stills: int = 0) -> Exam:
    exam = open_exam(spool, ordered())
    for _ in range(stills):
        still(spool, exam)
    clip(spool, exam, frames=frames)
    exam = let_go(spool, exam)
    wrap_all(spool)
    return exam


def the_clip(spool: Spool, exam: Exam) -> SealedObject:
    (found,) = (each for each in spool.objects.of_exam(exam.id) if each.sop_class_uid in CLIPS)
    return found


def key_stills(spool: Spool, exam: Exam) -> list[SealedObject]:
    found = [each for each in spool.objects.of_exam(exam.id) if each.derived_from]
    return sorted(found, key=lambda each: number(spool, each))


def number(spool: Spool, sealed: SealedObject) -> int:
    return int(pydicom.dcmread(spool.objects.path(sealed)).InstanceNumber)


def of_clip(spool: Spool, exam: Exam, destination: str = "pacs") -> tuple[DeliveryState, str]:
    uid = the_clip(spool, exam).sop_instance_uid
    (found,) = (d for d in deliveries(spool, destination) if d.sop_instance_uid == uid)
    return found.state, found.code


def forward(spool: Spool, archive: Archive, to: Destination = PACS) -> None:
    """Send, make what is wanting, send that."""
    part = sender(spool, archive, to)
    run(part)
    made = fallbacks(spool, to)
    while made.step():
        pass
    run(part)


def test_an_archive_that_takes_no_clip_gets_stills_of_it(spool: Spool) -> None:
    exam = exam_with_clip(spool, stills=1)
    archive = NoClips()
    forward(spool, archive)
    stills = key_stills(spool, exam)
    assert len(stills) == 3
    assert {d.sop_instance_uid for d in deliveries(spool) if d.state is SENT} >= {
        s.sop_instance_uid for s in stills
    }
    assert of_clip(spool, exam) == (HELD, "sent-as-key-stills")
    assert spool.deliveries.stopped() == {}
    assert list(inspect_exam(spool, exam.id)) == []
    assert the_clip(spool, exam).sop_instance_uid not in archive.got


def test_a_medium_gets_the_clip_itself_whatever_an_archive_got_of_it(spool: Spool, tmp_path: Path) -> None:
    exam = exam_with_clip(spool, stills=1)
    forward(spool, NoClips())
    captured = {each.capture.sop_instance_uid for each in spool.captures.of_exam(exam.id)}
    assert len(spool.objects.of_exam(exam.id)) > len(captured)
    (tmp_path / "stick").mkdir()
    done = export(spool, [exam.id], tmp_path / "stick", by="test")

    assert set(listed(tmp_path / "stick")) == captured
    assert (done.objects, done.left_out) == (2, 0)


def test_a_key_still_says_what_it_was_made_of_and_what_was_lost(spool: Spool) -> None:
    exam = exam_with_clip(spool)
    forward(spool, NoClips())
    source = pydicom.dcmread(spool.objects.path(the_clip(spool, exam)))
    frames = list(generate_frames(source.PixelData, number_of_frames=7))
    for place, sealed in enumerate(key_stills(spool, exam), 1):
        made = pydicom.dcmread(spool.objects.path(sealed))
        frame = (1, 4, 7)[place - 1]
        assert (made.SOPClassUID, list(made.ImageType)) == (STILL, ["DERIVED", "SECONDARY"])
        (origin,) = made.SourceImageSequence
        assert origin.ReferencedSOPClassUID == source.SOPClassUID
        assert (origin.ReferencedSOPInstanceUID, origin.ReferencedFrameNumber) == (source.SOPInstanceUID, frame)
        assert made.DerivationDescription == f"Frame {frame} of 7 of a clip, as a still"
        assert made.LossyImageCompression == "01"
        assert made.LossyImageCompressionRatio == source.LossyImageCompressionRatio
        assert made.LossyImageCompressionMethod == "ISO_10918_1"
        assert made.InstanceNumber == 100 * source.InstanceNumber + 30 + place
        assert made.SeriesInstanceUID != source.SeriesInstanceUID
        for same in ("PatientID", "PatientName", "StudyInstanceUID", "AccessionNumber", "TimezoneOffsetFromUTC"):
            assert made[same].value == source[same].value
        expected = simplejpeg.decode_jpeg(frames[frame - 1], "RGB")
        assert np.array_equal(made.pixel_array, expected)
        assert made.ContentTime > source.ContentTime or frame == 1


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("ultrasound", "Ultrasound Image Storage"),
        ("endoscopic", "VL Endoscopic Image Storage"),
        ("photographic", "VL Photographic Image Storage"),
    ],
)
def test_key_stills_are_of_the_class_that_the_stills_of_their_source_have(
    spool: Spool, kind: str, name: str
) -> None:
    exam = open_exam(spool, ordered())
    equipment = Equipment(modality=MODALITIES[kind], object=kind)
    still(spool, exam, equipment=equipment)
    clip(spool, exam, equipment=equipment)
    exam = let_go(spool, exam)
    wrap_all(spool)
    archive = NoClips()
    archive.accepts = lambda sop_class: () if sop_class in objects.CLIPS else EVERYTHING
    forward(spool, archive)
    made = [pydicom.dcmread(spool.objects.path(each)) for each in key_stills(spool, exam)]
    assert [each.SOPClassUID.name for each in made] == [name] * 3
    assert {tuple(each.ImageType) for each in made} == {("DERIVED", "SECONDARY")}
    families = [each.family for each in spool.exams.get(exam.id).series]
    assert families == [f"{kind}-still", f"{kind}-clip", f"{kind}-key-still"]


@pytest.mark.parametrize("form", [LOSSLESS, EXPLICIT, IMPLICIT])
def test_key_stills_go_in_every_lossless_form_down_to_implicit(spool: Spool, form: str) -> None:
    exam = exam_with_clip(spool)
    archive = NoClips(form)
    forward(spool, archive)
    for sealed in key_stills(spool, exam):
        plain = spool.layout.root / "arrived.dcm"
        plain.write_bytes(archive.forms[sealed.sop_instance_uid])
        arrived = pydicom.dcmread(plain)
        assert arrived.file_meta.TransferSyntaxUID == form
        assert arrived.LossyImageCompression == "01"
        assert np.array_equal(arrived.pixel_array, pydicom.dcmread(spool.objects.path(sealed)).pixel_array)


def test_without_the_setting_the_clip_waits_for_a_person(spool: Spool) -> None:
    exam = exam_with_clip(spool)
    forward(spool, NoClips(), pacs())
    assert of_clip(spool, exam) == (HELD, "no-context")
    assert key_stills(spool, exam) == []


def test_an_archive_that_takes_the_clip_gets_the_clip_alone(spool: Spool) -> None:
    exam = exam_with_clip(spool)
    forward(spool, Archive())
    assert of_clip(spool, exam) == (SENT, "")
    assert key_stills(spool, exam) == []


def test_an_archive_that_takes_nothing_at_all_holds_the_still_and_falls_back_for_the_clip(spool: Spool) -> None:
    exam = exam_with_clip(spool, stills=1)
    archive = Archive()
    archive.accepts = lambda _: ()
    forward(spool, archive)
    codes = {d.code for d in deliveries(spool)}
    assert of_clip(spool, exam) == (HELD, "sent-as-key-stills")
    assert codes == {"sent-as-key-stills", "no-context"}
    assert spool.deliveries.stopped() == {"pacs": 4}


def test_two_archives_that_want_as_many_get_the_same_stills(spool: Spool) -> None:
    exam = open_exam(spool)
    clip(spool, exam)
    let_go(spool, exam)
    wrap_all(spool, "pacs", "cloud", "more")
    cloud, more = pacs("cloud", fallback="key-stills"), pacs("more", fallback="key-stills", key_stills=1)
    for to in (PACS, cloud, more):
        run(sender(spool, NoClips(), to))
    made = fallbacks(spool, PACS, cloud, more)
    made.step()
    uids = {
        name: {d.sop_instance_uid for d in deliveries(spool, name) if d.state is Q}
        for name in ("pacs", "cloud", "more")
    }
    assert len(uids["pacs"]) == 3
    assert uids["pacs"] == uids["cloud"]
    assert len(uids["more"]) == 1
    assert not uids["more"] & uids["pacs"]
    numbers = [number(spool, each) for each in key_stills(spool, exam)]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize(
    ("frames", "wanted", "numbers"),
    [
        (1, 3, (1,)),
        (2, 3, (1, 2)),
        (3, 3, (1, 2, 3)),
        (7, 1, (4,)),
        (300, 3, (1, 151, 300)),
        (300, 2, (1, 300)),
        (10, 9, (1, 2, 3, 4, 5, 7, 8, 9, 10)),
    ],
)
def test_the_first_the_last_and_those_between_stand_for_a_clip(
    frames: int, wanted: int, numbers: tuple[int, ...]
) -> None:
    assert key_still.chosen(frames, wanted) == numbers


def test_a_clip_of_one_frame_falls_back_too(spool: Spool) -> None:
    exam = exam_with_clip(spool, frames=1)
    forward(spool, NoClips(IMPLICIT))
    assert len(key_stills(spool, exam)) == 1
    assert of_clip(spool, exam) == (HELD, "sent-as-key-stills")


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_an_interruption_anywhere_makes_the_same_stills_once(
    spool: Spool, clock: FakeClock, root: Path, disk: Disk, error: int
) -> None:
    exam = exam_with_clip(spool)
    run(sender(spool, NoClips(), PACS))
    seen: set[str] = set()
    for operations in range(60):
        disk.fail(error, after=operations)
        with contextlib.suppress(ScopegateError):
            fallbacks(spool).step()
        disk.heal()
        spool.close()
        spool = open_spool(root, clock=clock, files=disk, destinations=("pacs",))
        adopt_seals(spool, (PACS,))
        seen |= {path.name for path in spool.layout.exam(exam.id).glob("*.seal")}
        if of_clip(spool, exam)[1] == "sent-as-key-stills":
            break
    assert operations > 10
    assert of_clip(spool, exam) == (HELD, "sent-as-key-stills")
    assert len(seen) == 4
    assert len(key_stills(spool, exam)) == 3
    assert len(deliveries(spool)) == 4
    archive = NoClips()
    run(sender(spool, archive, PACS))
    assert sorted(archive.got) == sorted(each.sop_instance_uid for each in key_stills(spool, exam))
    assert list(inspect_exam(spool, exam.id)) == []
    spool.close()


def test_a_rebuilt_index_makes_no_second_set(spool: Spool, clock: FakeClock, root: Path) -> None:
    exam = exam_with_clip(spool)
    forward(spool, NoClips())
    before = [each.sop_instance_uid for each in key_stills(spool, exam)]
    spool.close()
    for path in root.glob("scopegate.db*"):
        path.unlink()
    again = open_spool(root, clock=clock, destinations=(PACS,))
    assert [(d.state, d.code) for d in deliveries(again)] == [(HELD, "after-rebuild")]
    again.deliveries.release_all("after-rebuild")
    archive = NoClips()
    forward(again, archive)
    assert archive.got == before
    again.close()


def test_a_clip_whose_file_is_damaged_is_said_so_and_nothing_is_made_of_it(spool: Spool) -> None:
    exam = exam_with_clip(spool)
    path = spool.objects.path(the_clip(spool, exam))
    run(sender(spool, NoClips(), PACS))
    content = bytearray(path.read_bytes())
    content[-40] ^= 1
    path.write_bytes(content)
    fallbacks(spool).step()
    assert of_clip(spool, exam)[1] in {"spool-damaged", "codestream-broken"}
    assert key_stills(spool, exam) == []
    assert sum(spool.deliveries.stopped().values()) == 1


@pytest.mark.parametrize("before", [False, True], ids=["in its place", "before it is offered"])
def test_an_archive_whose_queue_is_moved_while_they_are_made_gets_none(
    spool: Spool, monkeypatch: pytest.MonkeyPatch, *, before: bool
) -> None:
    made = fallbacks(spool, PACS)
    if before:  # the archive is known to take no clip when the next one comes
        exam_with_clip(spool)
        forward(spool, NoClips())
        spool.rerouting.move("pacs", "backup")
        made.step()
    exam = exam_with_clip(spool)
    if not before:
        run(sender(spool, NoClips(), PACS))
    stills_of = made._maker.stills_of

    def moved_meanwhile(clip: SealedObject, *, wanted: int) -> list[SealedObject]:
        found = stills_of(clip, wanted=wanted)
        spool.rerouting.move("pacs", "backup")
        return found

    monkeypatch.setattr(made._maker, "stills_of", moved_meanwhile)
    while made.step():
        pass
    assert key_stills(spool, exam)
    assert {each.destination for each in spool.deliveries.list(exam=exam.id)} == {"backup"}


def test_when_the_setting_is_taken_back_the_clip_waits_for_a_person_again(spool: Spool) -> None:
    exam = exam_with_clip(spool)
    rearm(spool, [PACS])
    run(sender(spool, NoClips(), PACS))
    assert of_clip(spool, exam) == (HELD, "key-stills-wanted")
    assert rearm(spool, [pacs()]) == 1
    forward(spool, NoClips(), pacs())
    assert of_clip(spool, exam) == (HELD, "no-context")


def test_when_the_archive_was_set_up_for_clips_it_gets_the_clip_after_all(spool: Spool) -> None:
    exam = exam_with_clip(spool)
    rearm(spool, [PACS])
    forward(spool, NoClips())
    assert rearm(spool, [replace(PACS, max_object_mb=600)]) == 1
    archive = Archive()
    forward(spool, archive)
    assert of_clip(spool, exam) == (SENT, "")
    assert archive.got == [the_clip(spool, exam).sop_instance_uid]


def test_where_no_clip_was_taken_the_last_time_the_stills_are_made_before_the_clip_is_offered(spool: Spool) -> None:
    exam_with_clip(spool)
    forward(spool, NoClips())
    part = fallbacks(spool)
    part.step()
    second = exam_with_clip(spool)
    part.step()
    assert len(key_stills(spool, second)) == 3
    assert of_clip(spool, second) == (Q, "")
    forward(spool, NoClips())
    assert of_clip(spool, second) == (HELD, "sent-as-key-stills")
    assert len(key_stills(spool, second)) == 3


# --- what a procedure step waits for -----------------------------------------------------------------------------


def test_an_exam_is_settled_when_it_is_known_in_which_form_its_clips_leave(spool: Spool, clock: FakeClock) -> None:
    exam = exam_with_clip(spool, stills=1)
    part = fallbacks(spool)
    assert not part.settled(exam)
    run(sender(spool, NoClips(), PACS))
    assert not part.settled(exam)
    part.step()
    assert part.settled(exam)
    clock.move(5)
    second = exam_with_clip(spool)
    assert not part.settled(second)
    part.step()  # the archive is known by now
    assert part.settled(second)


def test_an_exam_is_settled_at_once_where_nothing_can_become_of_its_clips(spool: Spool) -> None:
    assert fallbacks(spool).settled(sealed_exam(spool, stills=2))
    exam = exam_with_clip(spool)
    assert fallbacks(spool, pacs()).settled(exam)
    run(sender(spool, Archive(), PACS))
    assert fallbacks(spool).settled(exam)
    assert fallbacks(spool).settled(exam_with_clip(spool))  # it took such a clip before


def test_a_procedure_step_does_not_wait_for_stills_that_no_destination_wants_any_more(spool: Spool) -> None:
    exam = exam_with_clip(spool)
    run(sender(spool, NoClips(), PACS))
    part = fallbacks(spool, pacs("another"))
    assert not part.settled(exam)
    part.step()
    assert of_clip(spool, exam) == (HELD, "no-context")
    assert part.settled(exam)


@pytest.mark.parametrize("what", ["goes on", "reboots"])
def test_nobody_waits_longer_than_ten_minutes_for_an_archive_that_is_away(
    spool: Spool, clock: FakeClock, what: str
) -> None:
    exam = exam_with_clip(spool)
    clock.move(300)
    if what == "reboots":
        clock.reboot()
    part = fallbacks(spool)
    clock.move(299)
    assert not part.settled(exam)
    clock.move(301 if what == "reboots" else 1)
    assert part.settled(exam)


def test_a_seal_of_the_release_before_says_what_it_always_said(spool: Spool) -> None:
    exam = exam_with_clip(spool, stills=1)
    for sealed in spool.objects.of_exam(exam.id):
        lines = records.dump(sealed).decode().splitlines()
        added = ("decoded", "derived_from", "crc32")
        old = "\n".join(line for line in lines if not any(key in line for key in added))
        old = old.replace(",\n}", "\n}")
        assert records.load(SealedObject, old) == sealed
        assert sealed.may_go_uncompressed == (sealed.sop_class_uid == STILL)
