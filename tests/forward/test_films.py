"""Clips that become H.264: every frame once, verified before the frames go, and never in anybody's way."""

import pydicom

from gateway.model import Capture
from gateway.spool.spool import Spool
from tests.forward.bench import clip, deliveries, films, let_go, objects, open_exam, still, wrap_all

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
    assert [each.capture for each in deliveries_of(spool)] == [picture.sop_instance_uid]


def deliveries_of(spool: Spool):  # type: ignore[no-untyped-def]
    return [spool.objects.get(each.sop_instance_uid) for each in deliveries(spool)]
