"""Writing to a medium: complete or not at all, and in the clinic's words when it fails."""

import errno
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import simplejpeg

from gateway.clock import FakeClock
from gateway.dicom import part10
from gateway.errors import (
    DeliveryError,
    MediaAbsent,
    MediaBusy,
    MediaDamaged,
    MediaError,
    MediaFull,
    MediaGone,
    MediaReadOnly,
    ObjectError,
    SpoolDamaged,
)
from gateway.forward.media.medium import meaning
from gateway.forward.media.progress import Progress
from gateway.forward.media.writer import Writing
from gateway.model import Patient
from gateway.spool.files import Files
from gateway.spool.spool import Spool
from tests import dicom_samples
from tests.forward.bench import Disk, clip, let_go, open_exam, sealed_exam, still, typed, wrap_all
from tests.forward.media_bench import BadStick, holds, items, listed, sha256, write


def test_an_exam_on_a_medium_is_listed_whole_and_byte_for_byte(spool: Spool, stick: Path) -> None:
    wanted = items(spool, sealed_exam(spool, stills=2, clips=1))
    write(stick, wanted)

    assert holds(stick, wanted)
    assert len(wanted) == 3
    names = {path.relative_to(stick).parts for path in listed(stick).values()}
    assert names == {("DICOM", "SG000000", f"I{n:07d}") for n in (1, 2, 3)}
    assert "PATIENTS' DATA" in (stick / "README.TXT").read_text("ascii")
    assert not list(stick.rglob("*.part"))


def test_a_second_exam_joins_the_first_on_the_same_medium(spool: Spool, stick: Path) -> None:
    first = items(spool, sealed_exam(spool, stills=2))
    write(stick, first)
    identity = pydicom.dcmread(stick / "DICOMDIR").file_meta.MediaStorageSOPInstanceUID
    second = items(spool, sealed_exam(spool))
    write(stick, second)

    assert holds(stick, first + second)
    assert pydicom.dcmread(stick / "DICOMDIR").file_meta.MediaStorageSOPInstanceUID == identity


def test_the_same_exam_twice_is_on_the_medium_once(spool: Spool, stick: Path) -> None:
    wanted = items(spool, sealed_exam(spool, stills=2))
    write(stick, wanted)
    before = sorted(stick.rglob("*"))
    write(stick, wanted)

    assert holds(stick, wanted)
    assert sorted(stick.rglob("*")) == before


def test_an_object_that_was_spoiled_on_the_medium_is_written_again(spool: Spool, stick: Path) -> None:
    wanted = items(spool, sealed_exam(spool, stills=2))
    write(stick, wanted)
    victim = listed(stick)[wanted[0].sealed.sop_instance_uid]
    victim.write_bytes(victim.read_bytes()[:-1] + b"x")
    write(stick, wanted)

    assert holds(stick, wanted)


def test_an_object_that_somebody_deleted_from_the_medium_is_not_claimed_any_more(spool: Spool, stick: Path) -> None:
    first = items(spool, sealed_exam(spool, stills=2))
    write(stick, first)
    listed(stick)[first[0].sealed.sop_instance_uid].unlink()
    second = items(spool, sealed_exam(spool))
    write(stick, second)

    assert holds(stick, first[1:] + second)


def test_an_object_that_the_profile_does_not_take_leaves_nothing_on_the_medium(spool: Spool, stick: Path) -> None:
    good, other = items(spool, sealed_exam(spool, stills=2))
    content = other.path.read_bytes().replace(b"1.2.840.10008.1.2.4.70", b"1.2.840.10008.1.2.4.80", 1)
    other.path.write_bytes(content)
    other = replace(other, sealed=replace(other.sealed, sha256=sha256(other.path)))
    with Writing(stick, [good, other], files=Files(), clock=FakeClock()) as writing:
        writing.put(good)
        with pytest.raises(ObjectError, match="media-profile"):
            writing.put(other)
        writing.finish()

    assert holds(stick, [good])
    assert len(list((stick / "DICOM").rglob("I*"))) == 1


def test_jpeg_copies_lie_beside_it_under_names_that_tell_no_patient(spool: Spool, stick: Path) -> None:
    exam = open_exam(spool)
    still(spool, exam)
    clip(spool, exam)
    exam = let_go(spool, exam)
    wrap_all(spool)
    wanted = items(spool, exam)
    write(stick, wanted, jpeg=True)

    assert holds(stick, wanted)
    copies = sorted(path.relative_to(stick / "JPEG") for path in (stick / "JPEG").rglob("*.JPG"))
    opened = exam.opened.local.strftime("%Y%m%d_%H%M")
    assert [str(copy) for copy in copies] == [f"{opened}_{exam.id}/0001.JPG", f"{opened}_{exam.id}/0002_CLIP.JPG"]
    import cv2  # noqa: PLC0415 - a decoder that this product does not write JPEG with

    for copy, shape in zip(copies, [(16, 18, 3), (16, 16, 3)], strict=True):
        assert cv2.imread(str(stick / "JPEG" / copy)).shape == shape


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize(
    ("codec", "syntax"),
    [
        ("jpeg-ls", part10.EXPLICIT_LE),
        ("uncompressed", part10.EXPLICIT_LE),
        ("jpeg", part10.JPEG_BASELINE),
        ("jpeg-lossless", part10.JPEG_LOSSLESS_SV1),
    ],
)
def test_stills_of_every_codec_are_on_a_medium_in_a_form_of_its_profile(
    spool: Spool, stick: Path, codec: str, syntax: str, samples: int
) -> None:
    exam = open_exam(spool)
    still(spool, exam, codec=codec, samples=samples, rows=15, columns=18)
    exam = let_go(spool, exam)
    wrap_all(spool)
    wanted = items(spool, exam)
    write(stick, wanted, jpeg=True)
    write(stick, wanted)

    (file,) = listed(stick).values()
    there, here = pydicom.dcmread(file), pydicom.dcmread(wanted[0].path)
    assert there.file_meta.TransferSyntaxUID == syntax
    assert (there.pixel_array == here.pixel_array).all()
    (record,) = [r for r in pydicom.dcmread(stick / "DICOMDIR").DirectoryRecordSequence if "ReferencedFileID" in r]
    assert record.ReferencedTransferSyntaxUIDInFile == syntax
    assert len(list((stick / "DICOM").rglob("I*"))) == 1, "what is there already is not written again"
    (copy,) = (stick / "JPEG").rglob("*.JPG")
    looked_at = simplejpeg.decode_jpeg(copy.read_bytes(), "GRAY" if samples == 1 else "RGB")
    shown = dicom_samples.picture(15, 18, samples)
    assert np.abs(looked_at.reshape(shown.shape).astype(int) - shown).mean() < 12


def test_a_jpeg_ls_file_that_the_box_s_disk_turned_goes_on_no_medium(spool: Spool, stick: Path) -> None:
    exam = open_exam(spool)
    still(spool, exam, codec="jpeg-ls")
    exam = let_go(spool, exam)
    wrap_all(spool)
    (wanted,) = items(spool, exam)
    content = bytearray(wanted.path.read_bytes())
    content[-100] ^= 1
    wanted.path.write_bytes(content)
    with pytest.raises(SpoolDamaged):
        write(stick, [wanted])
    wanted.path.unlink()
    with pytest.raises(SpoolDamaged):
        write(stick, [wanted])


def test_patients_whose_names_need_different_scripts_share_a_medium(spool: Spool, stick: Path) -> None:
    people = ["Müller^Änne", "Борисов^Борис", "王^小东", "Plain^Name"]
    wanted = []
    for number, name in enumerate(people):
        exam = open_exam(spool, typed(Patient(name=name, id=f"P-{number}", issuer="CLINIC")))
        still(spool, exam)
        exam = let_go(spool, exam)
        wrap_all(spool)
        wanted += items(spool, exam)
    write(stick, wanted)

    records = pydicom.dcmread(stick / "DICOMDIR").DirectoryRecordSequence
    assert [str(r.PatientName) for r in records if r.DirectoryRecordType == "PATIENT"] == people


def test_a_stick_that_was_copied_reads_the_same(spool: Spool, stick: Path, tmp_path: Path) -> None:
    wanted = items(spool, sealed_exam(spool, stills=2))
    write(stick, wanted)
    shutil.copytree(stick, tmp_path / "copy")

    assert holds(tmp_path / "copy", wanted)


# --- failures --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("victim", ["I0000002", "DICOMDIR", "0001.JPG"])
def test_a_bit_that_the_medium_turns_is_noticed(spool: Spool, stick: Path, victim: str) -> None:
    wanted = items(spool, sealed_exam(spool, stills=3))
    with pytest.raises(MediaDamaged):
        write(stick, wanted, files=BadStick(victim), jpeg=True)

    assert (stick / "DICOMDIR").exists() == (victim == "DICOMDIR"), "bad objects are named nowhere"


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, MediaFull),
        (errno.EDQUOT, MediaFull),
        (errno.EFBIG, MediaFull),
        (errno.EROFS, MediaReadOnly),
        (errno.EACCES, MediaReadOnly),
        (errno.EIO, MediaGone),
        (errno.ENODEV, MediaGone),
        (errno.ENOENT, MediaGone),
        (errno.ESTALE, MediaGone),
    ],
)
def test_an_error_of_the_medium_is_said_in_words_that_help(
    spool: Spool, stick: Path, number: int, kind: type[MediaError]
) -> None:
    wanted = items(spool, sealed_exam(spool))
    disk = Disk()
    disk.fail(number, after=5)
    with pytest.raises(kind) as raised:
        write(stick, wanted, files=disk)

    assert type(raised.value) is kind
    assert raised.value.what
    assert raised.value.action
    assert "on this box" in raised.value.safe
    assert isinstance(meaning(OSError(number, "")), DeliveryError)


def test_a_medium_that_is_too_small_is_refused_before_the_first_byte(spool: Spool, stick: Path) -> None:
    wanted = [
        replace(item, sealed=replace(item.sealed, bytes=1 << 60)) for item in items(spool, sealed_exam(spool))
    ]
    with pytest.raises(MediaFull, match="too little room"):
        write(stick, wanted)

    assert not list(stick.iterdir())


def test_a_folder_that_is_not_there_is_a_medium_that_is_not_there(spool: Spool, tmp_path: Path) -> None:
    with pytest.raises(MediaAbsent):
        write(tmp_path / "nothing", items(spool, sealed_exam(spool)))


def test_two_writers_never_share_a_medium(spool: Spool, stick: Path) -> None:
    wanted = items(spool, sealed_exam(spool))
    with Writing(stick, wanted, files=Files(), clock=FakeClock()), pytest.raises(MediaBusy):
        write(stick, wanted)
    write(stick, wanted)

    assert holds(stick, wanted)


class LetsGo(FakeClock):
    """A clock on which the other writer ends while somebody waits for it."""

    def __init__(self, other: Writing) -> None:
        super().__init__()
        self._other: Writing | None = other

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        if self._other:
            self._other.__exit__()
            self._other = None
        return super().wait(stop, seconds)


def test_an_export_waits_for_what_is_being_written_to_the_same_medium(spool: Spool, stick: Path) -> None:
    wanted = items(spool, sealed_exam(spool))
    other = Writing(stick, wanted, files=Files(), clock=FakeClock())
    other.__enter__()
    with Writing(stick, wanted, files=Files(), clock=LetsGo(other), wait_s=5) as writing:
        writing.put(wanted[0])
        writing.finish()
    assert holds(stick, wanted)

    clock = FakeClock()
    start = clock.boottime_ns()
    with (
        Writing(stick, wanted, files=Files(), clock=FakeClock()),
        pytest.raises(MediaBusy),
        Writing(stick, wanted, files=Files(), clock=clock, wait_s=5),
    ):
        pass
    assert clock.boottime_ns() - start >= 5e9


def test_a_medium_takes_no_more_objects_than_a_viewer_can_bear(spool: Spool, stick: Path) -> None:
    first, second = items(spool, sealed_exam(spool, stills=2)), items(spool, sealed_exam(spool, stills=2))
    write(stick, first, most=3)
    with pytest.raises(MediaFull, match="at most 3"):
        write(stick, second, most=3)
    assert holds(stick, first)
    write(stick, first, most=2)


def test_nothing_lands_on_the_boxs_own_disk_when_the_medium_leaves_its_folder(
    spool: Spool, stick: Path, tmp_path: Path
) -> None:
    """What is unmounted leaves the folder behind on which it was mounted."""
    wanted = items(spool, sealed_exam(spool, stills=2))
    with Writing(stick, wanted, files=Files(), clock=FakeClock()) as writing:
        writing.put(wanted[0])
        stick.rename(tmp_path / "pulled")
        stick.mkdir()
        with pytest.raises(MediaGone):
            writing.put(wanted[1])
        with pytest.raises(MediaGone):
            writing.finish()

    assert not list(stick.iterdir())


def test_an_object_that_was_changed_on_the_box_is_not_copied(spool: Spool, stick: Path) -> None:
    good, bad = items(spool, sealed_exam(spool, stills=2))
    bad.path.write_bytes(bad.path.read_bytes()[:-1] + b"x")
    with Writing(stick, [good, bad], files=Files(), clock=FakeClock()) as writing:
        writing.put(good)
        with pytest.raises(SpoolDamaged):
            writing.put(bad)
        writing.finish()

    assert holds(stick, [good])
    assert len(list((stick / "DICOM").rglob("I*"))) == 1


def test_an_object_whose_file_is_gone_from_the_box_is_the_boxs_fault(spool: Spool, stick: Path) -> None:
    (item,) = items(spool, sealed_exam(spool))
    item.path.unlink()
    with pytest.raises(SpoolDamaged) as raised:
        write(stick, [item])

    assert raised.value.code == "file-missing"


def test_a_session_without_its_end_leaves_the_medium_as_it_was(spool: Spool, stick: Path) -> None:
    first = items(spool, sealed_exam(spool))
    write(stick, first)
    before = (stick / "DICOMDIR").read_bytes()
    second = items(spool, sealed_exam(spool, stills=2))
    with Writing(stick, second, files=Files(), clock=FakeClock()) as writing:
        writing.put(second[0])

    assert (stick / "DICOMDIR").read_bytes() == before
    count = len(list((stick / "DICOM").rglob("I*")))
    write(stick, second)
    assert holds(stick, first + second)
    assert len(list((stick / "DICOM").rglob("I*"))) == count + 1, "what was whole already was used"


# --- progress --------------------------------------------------------------------------------------------------


class Passing(FakeClock):
    """A clock on which every look takes a second."""

    def boottime_ns(self) -> int:
        self.move(1)
        return super().boottime_ns()


def test_progress_counts_up_to_everything_and_guesses_the_rest(spool: Spool, stick: Path) -> None:
    wanted = items(spool, sealed_exam(spool, stills=3))
    said: list[Progress] = []
    with Writing(stick, wanted, files=Files(), clock=Passing(), report=said.append) as writing:
        for item in wanted:
            writing.put(item)
        writing.finish()

    done = [each.bytes_done for each in said]
    assert done == sorted(done)
    assert said[0].bytes_done == 0
    assert said[-1].bytes_done == said[-1].bytes == 2 * sum(item.sealed.bytes for item in wanted)
    assert (said[-1].objects_done, said[-1].objects) == (3, 3)
    assert said[-1].left_s == 0
    assert any(each.left_s for each in said)
