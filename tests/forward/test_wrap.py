"""From stored pictures to sealed objects: nothing lost, nothing made twice, one bad picture stops no other."""

import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest

from gateway.clock import FakeClock
from gateway.errors import DiskFailed, DiskFull, ScopegateError
from gateway.forward.making.wrap import Wrapper
from gateway.model import Capture, DeliveryState, Equipment, Exam
from gateway.spool.disk.room import Room
from gateway.spool.disk.space import Space
from gateway.spool.files import sha256_of
from gateway.spool.opening import open_spool
from gateway.spool.recovery.captures import recover_captures
from gateway.spool.recovery.seals import adopt_seals
from gateway.spool.spool import Spool
from tests.dicom_samples import MODALITIES
from tests.forward.bench import (
    CANARY,
    STATION,
    Disk,
    clip,
    deliveries,
    let_go,
    numbers,
    objects,
    open_exam,
    ordered,
    still,
    wrap_all,
    wrapper,
)
from tests.forward.channels import pacs


def problem(spool: Spool, capture: Capture) -> tuple[str, str]:
    listed = spool.captures.get(capture.sop_instance_uid)
    return listed.problem_code, listed.problem


def files_of(spool: Spool, capture: Capture) -> set[str]:
    """Return the suffixes of a capture's files."""
    uid = capture.sop_instance_uid
    return {path.name.removeprefix(uid) for path in spool.layout.exam(capture.exam).glob(uid + "*")}


# --- what becomes of good pictures -------------------------------------------------------------------------------


def test_stills_and_clips_of_a_released_exam_become_objects_for_every_destination(spool: Spool) -> None:
    exam = open_exam(spool, ordered())
    captures = [still(spool, exam), clip(spool, exam), still(spool, exam)]
    let_go(spool, exam)
    wrap_all(spool, "pacs", "cloud")
    for capture, sealed in zip(captures, objects(spool, exam), strict=True):
        path = spool.objects.path(sealed)
        assert (sealed.sop_instance_uid, sealed.sha256) == (capture.sop_instance_uid, sha256_of(path))
        assert sealed.bytes == path.stat().st_size
        assert pydicom.dcmread(path).InstanceNumber == capture.instance_number
        assert files_of(spool, capture) == {".json", ".dcm", ".seal"}
    assert [len(deliveries(spool, name)) for name in ("pacs", "cloud")] == [3, 3]
    assert {each.state for each in spool.deliveries.list()} == {DeliveryState.QUEUED}


def test_without_destinations_pictures_become_objects_all_the_same(spool: Spool) -> None:
    exam = open_exam(spool)
    still(spool, exam)
    let_go(spool, exam)
    Wrapper(spool=spool, station=STATION, destinations=()).step()
    assert len(spool.objects.of_exam(exam.id)) == 1
    assert spool.deliveries.list() == []


def test_a_picture_stored_after_the_release_of_its_exam_follows(spool: Spool) -> None:
    exam = open_exam(spool)
    first = still(spool, exam)
    let_go(spool, exam)
    wrap_all(spool)
    late = still(spool, exam)
    wrap_all(spool)
    assert [each.capture for each in objects(spool, exam)] == [first.sop_instance_uid, late.sop_instance_uid]
    written = [pydicom.dcmread(spool.objects.path(each)) for each in objects(spool, exam)]
    assert len({data.SeriesInstanceUID for data in written}) == 1


def test_a_rejected_picture_is_never_made_into_an_object(spool: Spool) -> None:
    exam = open_exam(spool)
    rejected, kept = still(spool, exam), still(spool, exam)
    spool.captures.reject(rejected.sop_instance_uid, "blurred")
    let_go(spool, exam)
    wrap_all(spool)
    assert [each.capture for each in objects(spool, exam)] == [kept.sop_instance_uid]
    assert files_of(spool, rejected) == {".json", ".ljpg", ".rejected"}


def test_a_rejection_whose_row_was_lost_counts(spool: Spool) -> None:
    exam = open_exam(spool)
    rejected = still(spool, exam)
    spool.captures.reject(rejected.sop_instance_uid, "blurred")
    with spool.database.write() as connection:
        connection.execute("UPDATE capture SET state = 'saved'")
    let_go(spool, exam)
    wrap_all(spool)
    assert spool.objects.of_exam(exam.id) == []
    assert spool.captures.get(rejected.sop_instance_uid).capture.state == "rejected"


def test_series_are_numbered_by_source_and_kind_in_the_order_of_their_first_picture(spool: Spool) -> None:
    exam = open_exam(spool)
    order = [
        still(spool, exam, source="scope"),
        clip(spool, exam),
        still(spool, exam),
        still(spool, exam, source="scope"),
        clip(spool, exam, source="scope"),
        clip(spool, exam),
    ]
    let_go(spool, exam)
    wrap_all(spool)
    written = [pydicom.dcmread(spool.objects.path(each)) for each in objects(spool, exam)]
    assert [data.SeriesNumber for data in written] == [1, 2, 3, 1, 4, 2]
    assert [data.InstanceNumber for data in written] == [1, 2, 3, 4, 5, 6]
    assert len({data.SeriesInstanceUID for data in written}) == 4
    assert [capture.sop_instance_uid for capture in order] == [str(data.SOPInstanceUID) for data in written]


def of_kind(spool: Spool, exam: Exam, kind: str, make: Callable[..., Capture] = still) -> Capture:
    """Store a picture of a source that was configured for that kind of object when it was taken."""
    equipment = Equipment(modality=MODALITIES[kind], object=kind)
    return make(spool, exam, equipment=equipment)


def test_a_changed_kind_of_object_begins_another_series_and_leaves_what_was_taken_as_it_was(spool: Spool) -> None:
    exam = open_exam(spool)
    for kind in ("secondary-capture", "endoscopic", "secondary-capture", "endoscopic"):
        of_kind(spool, exam, kind)
    let_go(spool, exam)
    wrap_all(spool)
    written = [pydicom.dcmread(spool.objects.path(each)) for each in objects(spool, exam)]
    assert [data.SeriesNumber for data in written] == [1, 2, 1, 2]
    assert [data.SOPClassUID.name for data in written[:2]] == [
        "Secondary Capture Image Storage",
        "VL Endoscopic Image Storage",
    ]
    assert [(each.family, each.number) for each in spool.exams.get(exam.id).series] == [
        ("still", 1),
        ("endoscopic-still", 2),
    ]


def test_what_a_device_gave_as_jpeg_stays_lossy_for_ever_and_may_go_uncompressed(spool: Spool) -> None:
    exam = open_exam(spool)
    for codec in ("jpeg-lossless", "jpeg-ls", "uncompressed", "jpeg"):
        still(spool, exam, codec=codec, lossy_ratio=12.5)
    let_go(spool, exam)
    wrap_all(spool)
    sealed = objects(spool, exam)
    for each in sealed:
        data = pydicom.dcmread(spool.objects.path(each))
        said = (data.LossyImageCompression, data.LossyImageCompressionRatio, data.LossyImageCompressionMethod)
        assert said == ("01", 12.5, "ISO_10918_1")
    assert [(each.lossy, each.may_go_uncompressed) for each in sealed] == [(True, True)] * 3 + [(True, False)]


# --- what cannot become an object --------------------------------------------------------------------------------


def media_gone(spool: Spool, capture: Capture) -> None:
    spool.layout.media(capture.exam, capture.media).unlink()


def media_changed(spool: Spool, capture: Capture) -> None:
    path = spool.layout.media(capture.exam, capture.media)
    content = bytearray(path.read_bytes())
    content[-20] ^= 0x55
    path.write_bytes(content)


def media_shorter(spool: Spool, capture: Capture) -> None:
    path = spool.layout.media(capture.exam, capture.media)
    path.write_bytes(path.read_bytes()[:-10])


def media_empty(spool: Spool, capture: Capture) -> None:
    spool.layout.media(capture.exam, capture.media).write_bytes(b"")


def media_unreadable(spool: Spool, capture: Capture) -> None:
    path = spool.layout.media(capture.exam, capture.media)
    path.unlink()
    path.mkdir()  # read(2) fails, also for root


def index_gone(spool: Spool, capture: Capture) -> None:
    spool.layout.index(capture.exam, capture.sop_instance_uid).unlink()


def index_damaged(spool: Spool, capture: Capture) -> None:
    spool.layout.index(capture.exam, capture.sop_instance_uid).write_bytes(b"no header")


BROKEN = [
    (still, media_gone, "file-missing"),
    (still, media_changed, "codestream-broken"),
    (still, media_shorter, "codestream-broken"),
    (still, media_empty, "codestream-broken"),
    (still, media_unreadable, "file-unreadable"),
    (clip, media_gone, "file-missing"),
    (clip, media_changed, "spool-damaged"),
    (clip, media_shorter, "spool-damaged"),
    (clip, media_unreadable, "file-unreadable"),
    (clip, index_gone, "file-missing"),
    (clip, index_damaged, "spool-damaged"),
]


def test_a_picture_is_queued_for_the_destinations_that_get_it_and_for_no_other(spool: Spool) -> None:
    exam = open_exam(spool)
    still(spool, exam)
    clip(spool, exam)
    let_go(spool, exam)
    wanted = (pacs("stills", types=("still",)), pacs("clips", types=("clip",)), pacs("none", sources=("endo",)))
    Wrapper(spool=spool, station=STATION, destinations=wanted).step()
    kinds = {d.destination: spool.objects.get(d.sop_instance_uid).frames > 1 for d in spool.deliveries.list()}
    assert kinds == {"stills": False, "clips": True}


@pytest.mark.parametrize(("make", "harm", "code"), BROKEN)
def test_a_broken_picture_is_marked_with_its_reason_and_stops_no_other(
    spool: Spool, make: Callable[..., Capture], harm: Callable[..., None], code: str
) -> None:
    exam = open_exam(spool)
    broken, good = make(spool, exam), still(spool, exam)
    let_go(spool, exam)
    harm(spool, broken)
    wrap_all(spool)
    found, words = problem(spool, broken)
    assert found == code
    assert words.endswith(".")
    assert not any(word in words for word in (CANARY.name, CANARY.id))
    assert [each.capture for each in objects(spool, exam)] == [good.sop_instance_uid]
    assert not files_of(spool, broken) & {".dcm", ".seal", ".dcm.part"}


def test_a_broken_picture_is_tried_again_after_a_restart(spool: Spool) -> None:
    exam = open_exam(spool)
    capture = still(spool, exam)
    let_go(spool, exam)
    media = spool.layout.media(exam.id, capture.media)
    media.rename(media.with_suffix(".away"))
    wrap_all(spool)
    assert problem(spool, capture)[0] == "file-missing"
    media.with_suffix(".away").rename(media)
    wrap_all(spool)
    assert objects(spool, exam) == []
    assert spool.captures.clear_problems() == 1
    wrap_all(spool)
    assert len(objects(spool, exam)) == 1
    assert problem(spool, capture) == ("", "")


def order_gone(spool: Spool, exam: Exam) -> None:
    spool.layout.media(exam.id, exam.order).unlink()


def order_damaged(spool: Spool, exam: Exam) -> None:
    spool.layout.media(exam.id, exam.order).write_bytes(b"no order")


@pytest.mark.parametrize(("harm", "code"), [(order_gone, "file-missing"), (order_damaged, "object")])
def test_pictures_whose_order_is_damaged_are_marked_and_other_exams_go_on(
    spool: Spool, harm: Callable[..., None], code: str
) -> None:
    exam = open_exam(spool, ordered())
    capture = still(spool, exam)
    let_go(spool, exam)
    harm(spool, exam)
    other = open_exam(spool)
    still(spool, other)
    let_go(spool, other)
    wrap_all(spool)
    assert problem(spool, capture)[0] == code
    assert len(objects(spool, other)) == 1


def test_a_name_that_cannot_be_read_marks_its_pictures(spool: Spool) -> None:
    exam = open_exam(spool, ordered("utf-8", x00100010=b"M\xfcller^Anna"))
    capture = still(spool, exam)
    let_go(spool, exam)
    wrap_all(spool)
    assert problem(spool, capture)[0] == "text-does-not-fit"


def test_the_file_of_an_exam_that_is_gone_marks_its_pictures(spool: Spool) -> None:
    exam = open_exam(spool)
    capture = still(spool, exam)
    let_go(spool, exam)
    spool.layout.exam_json(exam.id).unlink()
    wrap_all(spool)
    assert problem(spool, capture)[0] == "not-found"


def test_an_object_with_a_seal_that_cannot_be_read_is_not_made_anew(spool: Spool) -> None:
    exam = open_exam(spool)
    capture = still(spool, exam)
    let_go(spool, exam)
    spool.layout.object(exam.id, capture.sop_instance_uid).write_bytes(b"the sealed object")
    spool.layout.seal(exam.id, capture.sop_instance_uid).write_bytes(b"{")
    wrap_all(spool)
    assert problem(spool, capture)[0] == "spool-damaged"
    assert spool.layout.object(exam.id, capture.sop_instance_uid).read_bytes() == b"the sealed object"


# --- the disk ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "kind"), [(errno.ENOSPC, DiskFull), (errno.EIO, DiskFailed), (errno.EROFS, DiskFailed)]
)
def test_a_disk_that_cannot_be_written_fails_no_picture_and_all_become_objects_later(
    spool: Spool, disk: Disk, error: int, kind: type[ScopegateError]
) -> None:
    exam = open_exam(spool)
    captures = [still(spool, exam), clip(spool, exam), still(spool, exam)]
    let_go(spool, exam)
    part = wrapper(spool)
    for after in range(60):
        disk.fail(error, after=after)
        try:
            part.step()
            break
        except kind:
            assert {problem(spool, each) for each in captures} == {("", "")}
    disk.heal()
    assert after > 10, "the disk was not used as often as expected"
    wrap_all(spool)
    assert [each.capture for each in objects(spool, exam)] == [each.sop_instance_uid for each in captures]


def test_a_clip_leaves_room_for_the_next_picture(spool: Spool) -> None:
    exam = open_exam(spool)
    clip(spool, exam)
    let_go(spool, exam)
    free = 1_000_000
    look = lambda: Room(total=64_000_000_000, free=free)  # noqa: E731
    part = wrapper(replace(spool, space=Space(look=look, captures=spool.captures, clock=spool.clock)))
    with pytest.raises(DiskFull):
        part.step()
    assert not list(spool.layout.exam(exam.id).glob("*.dcm*"))
    free = 64_100_000
    part.step()
    assert len(objects(spool, exam)) == 1


# --- cuts --------------------------------------------------------------------------------------------------------


class Cut(BaseException):
    """The process ends here."""


class DyingDisk(Disk):
    """Ends the process before its n-th operation."""

    def _may(self, what: str, name: str) -> None:
        if self.writes is not None:
            if self.writes == 0:
                raise Cut
            self.writes -= 1
        self.log.append((what, name))


@pytest.mark.parametrize("make", [still, clip])
def test_wherever_the_wrapping_is_cut_one_object_comes_of_it(
    root: Path, clock: FakeClock, make: Callable[..., Capture]
) -> None:
    cuts = 0
    while True:
        folder = root.with_name(f"data-{cuts}")
        disk = DyingDisk()
        spool = open_spool(folder, clock=clock, files=disk, destinations=("pacs",))
        exam = open_exam(spool)
        capture = make(spool, exam)
        let_go(spool, exam)
        disk.log.clear()
        disk.fail(after=cuts)
        try:
            wrapper(spool).step()
            done = True
        except Cut:
            done = False
        seal = spool.layout.seal(exam.id, capture.sop_instance_uid)
        first = sha256_of(spool.layout.object(exam.id, capture.sop_instance_uid)) if seal.exists() else ""
        media = spool.layout.media(exam.id, capture.media)
        assert media.exists() or first, f"after {cuts} operations there is neither media nor sealed object"
        spool.close()
        check_restart(folder, clock, exam, capture, first)
        if done:
            break
        cuts += 1
    assert cuts > 10


def check_restart(folder: Path, clock: FakeClock, exam: Exam, capture: Capture, first: str) -> None:
    """Start again as the process does and look for exactly one object, the first one if it was sealed."""
    again = open_spool(folder, clock=clock, destinations=("pacs",))
    recover_captures(again)
    adopt_seals(again, ["pacs"])
    wrap_all(again)
    (sealed,) = again.objects.of_exam(exam.id)
    path = again.objects.path(sealed)
    assert sha256_of(path) == sealed.sha256
    assert first in {"", sealed.sha256}
    assert files_of(again, capture) == {".json", ".dcm", ".seal"}
    assert len(deliveries(again)) == 1
    assert numbers(again) == {capture.sop_instance_uid: 1}
    again.close()


def test_the_media_goes_only_after_the_object_was_read_back_and_sealed(spool: Spool, disk: Disk) -> None:
    exam = open_exam(spool)
    capture = still(spool, exam)
    let_go(spool, exam)
    disk.log.clear()
    wrap_all(spool)
    uid = capture.sop_instance_uid
    done = [entry for entry in disk.log if entry[1].startswith(uid) and entry[0] in {"rename", "unlink"}]
    assert done == [("rename", f"{uid}.dcm"), ("rename", f"{uid}.seal"), ("unlink", f"{uid}.ljpg")]


class LyingDisk(Disk):
    """Loses a bit of what it writes into objects."""

    def _write(self, fd: int, data: bytes | memoryview) -> None:
        name = self._names[fd]
        if self.writes is not None and ".dcm" in name and len(data) > 100:
            data = bytes(data[:-1]) + bytes([data[-1] ^ 1])
        super()._write(fd, data)


def test_an_object_that_reads_back_differently_is_not_sealed_and_its_media_stays(
    root: Path, clock: FakeClock
) -> None:
    disk = LyingDisk()
    spool = open_spool(root, clock=clock, files=disk, destinations=("pacs",))
    exam = open_exam(spool)
    capture = still(spool, exam)
    let_go(spool, exam)
    disk.writes = 10**9
    wrap_all(spool)
    assert problem(spool, capture)[0] == "spool-damaged"
    assert ".ljpg" in files_of(spool, capture)
    assert objects(spool, exam) == []
    disk.heal()
    spool.captures.clear_problems()
    wrap_all(spool)
    assert len(objects(spool, exam)) == 1
    spool.close()


def test_the_list_of_an_exams_digests_is_written_once_when_its_last_picture_is_sealed(
    spool: Spool, disk: Disk
) -> None:
    exam = open_exam(spool)
    for _ in range(12):
        still(spool, exam)
    let_go(spool, exam)
    wrap_all(spool)

    lines = spool.layout.sums(exam.id).read_text().splitlines()
    assert lines == sorted(
        (f"{o.sha256}  {o.sop_instance_uid}.dcm" for o in objects(spool, exam)), key=lambda x: x[64:]
    )
    assert disk.log.count(("rename", "SHA256SUMS")) == 1
