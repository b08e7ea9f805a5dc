"""Clips that become H.264: every frame once, verified before the frames go, and never in anybody's way."""

import io
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
import simplejpeg

from gateway.clock import FakeClock
from gateway.errors import DiskFull
from gateway.forward.making.fallback import Fallbacks
from gateway.forward.making.jpeg_clips import JpegClips
from gateway.model import Capture
from gateway.spool.disk.room import Room
from gateway.spool.disk.space import Space
from gateway.spool.files import sha256_of
from gateway.spool.inspection import inspect_exam
from gateway.spool.opening import open_spool
from gateway.spool.recovery.captures import recover_captures
from gateway.spool.spool import Spool
from tests.forward.bench import (
    STATION,
    Disk,
    StopsAfter,
    clip,
    deliveries,
    films,
    let_go,
    objects,
    open_exam,
    still,
    wrap_all,
)
from tests.forward.channels import EVERYTHING, Archive, pacs, run, sender
from tests.forward.media_bench import items, listed, write
from tests.small_disk import SmallDisk, small_disk

H264 = "1.2.840.10008.1.2.4.102"
BASELINE = "1.2.840.10008.1.2.4.50"


def syntax(spool: Spool, capture: Capture) -> str:
    sealed = spool.objects.of_capture(capture.sop_instance_uid)
    assert sealed
    return sealed.transfer_syntax_uid


def left_of(spool: Spool, capture: Capture) -> set[str]:
    uid = capture.sop_instance_uid
    return {path.name.removeprefix(uid) for path in spool.layout.exam(capture.exam).glob(uid + "*")}


def test_a_clip_that_is_to_be_h264_becomes_it_and_its_frames_go(spool: Spool) -> None:
    exam = open_exam(spool)
    capture = clip(spool, exam, frames=7, clip_as="h264")
    let_go(spool, exam)
    assert films(spool).step()

    (sealed,) = objects(spool, exam)
    path = spool.objects.path(sealed)
    dataset = pydicom.dcmread(path)
    assert dataset.file_meta.TransferSyntaxUID == H264
    assert (dataset.NumberOfFrames, dataset.PhotometricInterpretation) == (7, "YBR_PARTIAL_420")
    assert left_of(spool, capture) == {".json", ".dcm", ".seal"}
    assert list(inspect_exam(spool, exam.id)) == []
    assert [each.destination for each in deliveries(spool)] == ["pacs"]


def test_a_long_clip_of_auto_becomes_h264_and_a_short_one_stays_as_it_is(spool: Spool) -> None:
    exam = open_exam(spool)
    short = clip(spool, exam, frames=4, clip_as="auto", step_ms=1000)
    long = clip(spool, exam, frames=12, clip_as="auto", step_ms=1000)
    let_go(spool, exam)
    wrap_all(spool)
    assert [each.capture for each in objects(spool, exam)] == [short.sop_instance_uid]
    assert films(spool).step()
    assert (syntax(spool, short), syntax(spool, long)) == (BASELINE, H264)


def test_stills_behind_a_long_clip_do_not_wait_for_it(spool: Spool) -> None:
    exam = open_exam(spool)
    clip(spool, exam, clip_as="h264")
    picture = still(spool, exam)
    let_go(spool, exam)
    wrap_all(spool)
    assert [each.sop_instance_uid for each in deliveries(spool)] == [picture.sop_instance_uid]


def test_a_box_that_is_switched_off_while_it_encodes_begins_anew(spool: Spool) -> None:
    exam = open_exam(spool)
    capture = clip(spool, exam, frames=5, clip_as="h264")
    let_go(spool, exam)
    stop = StopsAfter(3)
    assert not films(spool, stop=stop).step()
    assert left_of(spool, capture) == {".json", ".frames", ".index"}
    assert not spool.captures.are_settled(exam.id, above=0, upto=None), "the procedure step waits for it"

    assert films(spool).step()
    assert syntax(spool, capture) == H264
    assert spool.captures.are_settled(exam.id, above=0, upto=None)


def test_what_a_killed_process_left_of_a_film_is_removed(spool: Spool) -> None:
    exam = open_exam(spool)
    left = spool.layout.film(exam.id, "2.25.1")
    left.write_bytes(b"half")
    recover_captures(spool)
    assert left.exists(), "another process may be writing it"
    films(spool).step()
    assert not left.exists()


def test_a_clip_that_cannot_be_encoded_is_sealed_as_it_is(spool: Spool, caplog: pytest.LogCaptureFixture) -> None:
    exam = open_exam(spool)
    capture = clip(spool, exam, frames=4, clip_as="h264", cut=True)
    let_go(spool, exam)
    maker = films(spool)
    assert maker.step()
    assert "clip_not_encoded" in caplog.text
    assert syntax(spool, capture) == BASELINE
    assert left_of(spool, capture) == {".json", ".dcm", ".seal"}
    assert not maker.step()


def test_a_disk_that_fills_up_leaves_the_frames_and_seals_them_when_there_is_room(spool: Spool, disk: Disk) -> None:
    exam = open_exam(spool)
    capture = clip(spool, exam, frames=4, clip_as="h264")
    let_go(spool, exam)
    maker = films(spool)
    disk.fail()
    with pytest.raises(DiskFull):
        maker.step()
    assert left_of(spool, capture) == {".json", ".frames", ".index"}
    disk.heal()
    assert maker.step()
    assert left_of(spool, capture) == {".json", ".dcm", ".seal"}
    assert len(deliveries(spool)) == 1


def test_a_clip_that_is_larger_as_h264_stays_what_it_is_and_takes_no_more_room_than_its_frames(
    spool: Spool,
) -> None:
    exam = open_exam(spool)
    capture = clip(spool, exam, frames=31, clip_as="h264", size=(96, 96), noise=True)
    let_go(spool, exam)
    largest = 0

    def looked() -> int:
        nonlocal largest
        here = sum(path.stat().st_size for path in spool.layout.exam(exam.id).iterdir())
        largest = max(largest, here - capture.bytes)
        return 1_000_000_000

    assert films(on_a_disk(spool, looked)).step()
    assert syntax(spool, capture) == BASELINE
    assert left_of(spool, capture) == {".json", ".dcm", ".seal"}
    assert 0 < largest < 2 * capture.bytes


@pytest.mark.parametrize("at", ["the first look", "the last look"])
def test_an_encoding_for_which_the_disk_becomes_too_small_ends_and_leaves_what_stills_are_to_find(
    spool: Spool, at: str, caplog: pytest.LogCaptureFixture
) -> None:
    exam = open_exam(spool)
    capture = clip(spool, exam, frames=31, clip_as="h264", padding=50_000)
    let_go(spool, exam)
    rooms = [1_000_000_000, *([1_000_000_000] if at == "the last look" else []), 50_000_000, 50_000_000]

    with pytest.raises(DiskFull):
        films(on_a_disk(spool, lambda: rooms.pop(0))).step()
    assert rooms == [], "nothing else looked, and the second 50 MB were those of the JPEG"
    assert "clip_not_encoded" in caplog.text
    assert "disk-full" in caplog.text
    assert left_of(spool, capture) == {".json", ".frames", ".index"}
    assert films(spool).step()
    assert left_of(spool, capture) == {".json", ".dcm", ".seal"}


class Noting(Disk):
    """Notes how little room there was before any of its operations."""

    def __init__(self, small: SmallDisk) -> None:
        super().__init__()
        self._small = small
        self.least = small.free

    def _may(self, what: str, name: str) -> None:
        self.least = min(self.least, self._small.free)
        super()._may(what, name)


def test_on_a_small_disk_a_clip_that_fits_only_as_jpeg_frames_never_takes_what_a_copy_leaves(
    tmp_path: Path, clock: FakeClock
) -> None:
    with small_disk(tmp_path / "small", 40) as small:
        disk = Noting(small)
        spool = open_spool(small.place / "data", clock=clock, files=disk, destinations=("pacs",), reserve_mb=0)
        exam = open_exam(spool)
        capture = clip(spool, exam, frames=31, clip_as="h264", size=(560, 560), noise=True)
        let_go(spool, exam)
        leaves = 40 * 2**20 // 20
        small.fill(leave=capture.bytes + leaves + 500_000)
        assert films(spool).step()
        assert syntax(spool, capture) == BASELINE
        assert disk.least >= leaves
        spool.close()


def on_a_disk(spool: Spool, free: Callable[[], int]) -> Spool:
    look = lambda: Room(total=1_000_000_000, free=free())  # noqa: E731
    return replace(spool, space=Space(look=look, captures=spool.captures, clock=spool.clock))


def test_more_frames_a_second_than_the_level_holds_stay_jpeg_frames(spool: Spool) -> None:
    exam = open_exam(spool)
    capture = clip(spool, exam, frames=4, clip_as="h264", step_ms=0.004)
    let_go(spool, exam)
    assert films(spool).step()
    assert syntax(spool, capture) == BASELINE


def test_an_archive_that_took_no_h264_gets_the_next_clips_as_jpeg_frames(spool: Spool) -> None:
    archive = Archive()
    first = one_film(spool)
    run(sender(spool, archive))
    (held,) = deliveries(spool)
    assert (held.code, archive.got) == ("no-context", [])
    assert "H.264" in held.reason
    assert 'set fallback = "jpeg"' in held.reason
    second = one_film(spool)
    assert (syntax(spool, first), syntax(spool, second)) == (H264, BASELINE)
    run(sender(spool, archive))
    assert archive.got == [second.sop_instance_uid]


def test_key_stills_of_an_h264_clip_say_both_losses(spool: Spool) -> None:
    archive, to = Archive(), pacs(fallback="key-stills", key_stills=2)
    archive.keep_files = True
    archive.accepts = lambda sop_class: () if sop_class.endswith("7.4") else EVERYTHING
    capture = one_film(spool)
    run(sender(spool, archive, to))
    JpegClips(spool=spool, station=STATION, destinations=(to,), stop=threading.Event()).step()
    while Fallbacks(spool=spool, station=STATION, destinations=(to,)).step():
        pass
    run(sender(spool, archive, to))
    stills = [pydicom.dcmread(io.BytesIO(archive.forms[uid])) for uid in archive.got]
    assert [each.SourceImageSequence[0].ReferencedFrameNumber for each in stills] == [1, 4]
    for each in stills:
        assert list(each.LossyImageCompressionMethod) == ["ISO_10918_1", "ISO_14496_10"]
        assert len(each.LossyImageCompressionRatio) == 2
        assert (each.Rows, each.Columns) == (capture.rows, capture.columns)


def test_a_stick_gets_an_h264_clip_as_it_is_and_an_mp4_for_looking(spool: Spool, stick: Path) -> None:
    exam = open_exam(spool)
    clip(spool, exam, frames=4, clip_as="h264")
    exam = let_go(spool, exam)
    films(spool).step()
    (sealed,) = objects(spool, exam)
    write(stick, items(spool, exam), jpeg=True)
    assert sha256_of(listed(stick)[sealed.sop_instance_uid]) == sealed.sha256
    (film,) = stick.glob("JPEG/*/*.MP4")
    (still_of_it,) = stick.glob("JPEG/*/*.JPG")
    assert film.read_bytes()[4:8] == b"ftyp"
    assert simplejpeg.decode_jpeg(still_of_it.read_bytes()).shape == (16, 16, 3)


def one_film(spool: Spool) -> Capture:
    """Return a clip of a released exam after its sealing."""
    exam = open_exam(spool)
    capture = clip(spool, exam, frames=4, clip_as="h264")
    let_go(spool, exam)
    films(spool).step()
    return capture
