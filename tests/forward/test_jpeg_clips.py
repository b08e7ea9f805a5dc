"""An archive that takes no H.264: it gets the clip as JPEG frames where it takes these, and else stills of it."""

import contextlib
import errno
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import simplejpeg
from pydicom.encaps import generate_frames

from gateway.clock import FakeClock
from gateway.config.settings import Destination
from gateway.errors import DeliveryError, DiskFull, ScopegateError
from gateway.forward.making.fallback import Fallbacks
from gateway.forward.making.jpeg_clips import JpegClips
from gateway.forward.making.release import Release
from gateway.forward.sending.rearm import rearm
from gateway.model import Capture, DeliveryState, Exam, MessageKind, SealedObject
from gateway.net import statuses
from gateway.spool.inspection import inspect_exam
from gateway.spool.opening import open_spool
from gateway.spool.recovery.seals import adopt_seals
from gateway.spool.spool import Spool
from tests.forward.bench import (
    STATION,
    Disk,
    StopsAfter,
    clip,
    deliveries,
    films,
    let_go,
    open_exam,
    ordered,
    still,
    wrap_all,
)
from tests.forward.channels import EVERYTHING, Archive, pacs, run, sender
from tests.forward.step_bench import planner
from tests.forward.test_fallback import fallbacks
from tests.forward.test_films import on_a_disk
from tests.forward.test_retention import Box

Q, SENDING, SENT, COMMITTED, HELD = DeliveryState
CLIPS = "1.2.840.10008.5.1.4.1.1.7.4"
BASELINE = "1.2.840.10008.1.2.4.50"
H264 = "1.2.840.10008.1.2.4.102"
AS_JPEG, AS_STILLS = pacs(fallback="jpeg"), pacs(fallback="key-stills")


def taking(*of_clips: str) -> Archive:
    """An archive that takes clips in these forms, and stills in all."""
    archive = Archive()
    archive.accepts = lambda sop_class: of_clips if sop_class == CLIPS else EVERYTHING
    return archive


def film(spool: Spool, *names: str, frames: int = 4) -> Capture:
    """Return a clip of a released exam, sealed as H.264."""
    exam = open_exam(spool, ordered())
    recorded = clip(spool, exam, frames=frames, clip_as="h264")
    let_go(spool, exam)
    films(spool, *names).step()
    return recorded


def maker(spool: Spool, *to: Destination, stop: threading.Event | None = None) -> JpegClips:
    return JpegClips(spool=spool, station=STATION, destinations=to or (AS_JPEG,), stop=stop or threading.Event())


def forward(spool: Spool, archive: Archive, to: Destination = AS_JPEG) -> None:
    """Send, make what is wanting, send that, until nothing is left to do."""
    part, stills, clips = sender(spool, archive, to), fallbacks(spool, to), maker(spool, to)
    for _ in range(3):
        run(part)
        while clips.step() or stills.step():
            pass


def said(spool: Spool, uid: str, destination: str = "pacs") -> tuple[DeliveryState, str]:
    (found,) = (d for d in deliveries(spool, destination) if d.sop_instance_uid == uid)
    return found.state, found.code


def derived(spool: Spool, recorded: Capture) -> list[SealedObject]:
    return [each for each in spool.objects.of_exam(recorded.exam) if each.derived_from]


def as_jpeg(spool: Spool, recorded: Capture) -> SealedObject:
    (found,) = derived(spool, recorded)
    return found


@pytest.mark.parametrize("to", [AS_JPEG, AS_STILLS], ids=["jpeg", "key-stills"])
def test_an_archive_that_takes_jpeg_and_no_h264_gets_the_whole_clip_as_jpeg(spool: Spool, to: Destination) -> None:
    recorded, archive = film(spool), taking(BASELINE)
    forward(spool, archive, to)
    made = as_jpeg(spool, recorded)
    assert (made.transfer_syntax_uid, made.sop_class_uid, made.frames) == (BASELINE, CLIPS, 4)
    assert archive.got == [made.sop_instance_uid]
    assert said(spool, recorded.sop_instance_uid) == (HELD, "sent-as-jpeg")
    assert said(spool, made.sop_instance_uid) == (SENT, "")
    assert spool.deliveries.stopped() == {}
    assert list(inspect_exam(spool, recorded.exam)) == []
    assert not list(spool.layout.exam(recorded.exam).glob("*.part"))


def test_it_says_what_it_was_made_of_and_each_of_its_three_losses(spool: Spool) -> None:
    recorded = film(spool)
    forward(spool, taking(BASELINE))
    source = pydicom.dcmread(spool.objects.path(spool.objects.get(recorded.sop_instance_uid)))
    made = pydicom.dcmread(spool.objects.path(as_jpeg(spool, recorded)))
    (origin,) = made.SourceImageSequence
    assert (origin.ReferencedSOPClassUID, origin.ReferencedSOPInstanceUID) == (CLIPS, recorded.sop_instance_uid)
    assert "ReferencedFrameNumber" not in origin
    assert list(made.ImageType) == ["DERIVED", "SECONDARY"]
    assert made.DerivationDescription == "The 4 frames of an H.264 clip, as JPEG"
    assert made.DerivationCodeSequence[0].CodeValue == "113040"
    assert made.LossyImageCompression == "01"
    assert list(made.LossyImageCompressionMethod) == ["ISO_10918_1", "ISO_14496_10", "ISO_10918_1"]
    ratios = list(made.LossyImageCompressionRatio)
    size = sum(len(each.rstrip(b"\0")) for each in generate_frames(made.PixelData, number_of_frames=4))
    assert ratios[:2] == list(source.LossyImageCompressionRatio)
    assert ratios[2] == pytest.approx(16 * 16 * 3 * 4 / size, abs=0.01)
    assert made.InstanceNumber == 100 * source.InstanceNumber + 1
    assert made.SeriesInstanceUID != source.SeriesInstanceUID
    assert made.PhotometricInterpretation == "YBR_FULL_422"
    for same in ("PatientID", "StudyInstanceUID", "NumberOfFrames", "FrameTime", "ContentTime", "AccessionNumber"):
        assert made[same].value == source[same].value


def test_its_frames_show_what_was_recorded_also_where_h264_had_to_repeat_a_row_and_a_column(spool: Spool) -> None:
    exam = open_exam(spool)
    recorded = clip(spool, exam, frames=5, clip_as="h264", size=(33, 47))
    media = spool.layout.media(exam.id, recorded.media).read_bytes()
    first = simplejpeg.decode_jpeg(media[4 : 4 + int.from_bytes(media[:4], "big")])
    let_go(spool, exam)
    films(spool).step()
    forward(spool, taking(BASELINE))
    made = pydicom.dcmread(spool.objects.path(as_jpeg(spool, recorded)))
    frames = [simplejpeg.decode_jpeg(each) for each in generate_frames(made.PixelData, number_of_frames=5)]
    assert {each.shape for each in frames} == {(33, 47, 3)} == {first.shape}
    assert np.abs(frames[0].astype(int) - first).mean() < 12


def test_where_neither_is_taken_stills_go_and_no_jpeg_clip_is_made_for_nothing(spool: Spool) -> None:
    recorded, archive = film(spool), taking()
    forward(spool, archive, AS_STILLS)
    assert len(derived(spool, recorded)) == 3
    assert {each.frames for each in derived(spool, recorded)} == {1}
    assert said(spool, recorded.sop_instance_uid) == (HELD, "sent-as-key-stills")
    assert len(archive.got) == 3


def test_with_jpeg_alone_a_clip_that_is_taken_in_neither_form_waits_for_a_person(spool: Spool) -> None:
    recorded = film(spool)
    forward(spool, taking())
    assert said(spool, recorded.sop_instance_uid) == (HELD, "no-context")
    assert derived(spool, recorded) == []
    assert spool.deliveries.stopped() == {"pacs": 1}


class AnswersClips(Archive):
    """Promises everything, and answers every clip that it does not take its class."""

    def __init__(self, spool: Spool) -> None:
        super().__init__()
        self._spool = spool
        self.accepts = lambda _: (*EVERYTHING, H264)
        self.keep_files = True
        self.say = self._say

    def _say(self, uid: str) -> DeliveryError | str:
        of_clips = self._spool.objects.get(uid).sop_class_uid == CLIPS
        return statuses.failure(0x0122, who="the archive pacs") if of_clips else "0000"


def test_an_archive_that_refuses_both_with_its_answers_gets_stills_of_the_film_itself(spool: Spool) -> None:
    recorded = film(spool)
    forward(spool, AnswersClips(spool), AS_STILLS)
    made = {each.frames: each for each in derived(spool, recorded)}
    assert sorted(each.frames for each in derived(spool, recorded)) == [1, 1, 1, 4]
    assert said(spool, recorded.sop_instance_uid) == (HELD, "sent-as-key-stills")
    assert said(spool, made[4].sop_instance_uid) == (HELD, "sent-as-key-stills")
    sources = {
        pydicom.dcmread(spool.objects.path(each)).SourceImageSequence[0].ReferencedSOPInstanceUID
        for each in derived(spool, recorded)
    }
    assert sources == {recorded.sop_instance_uid}
    assert spool.deliveries.stopped() == {}


def test_an_archive_that_takes_h264_gets_nothing_else(spool: Spool) -> None:
    recorded, archive = film(spool), taking(H264, BASELINE)
    forward(spool, archive)
    assert archive.got == [recorded.sop_instance_uid]
    assert derived(spool, recorded) == []


def test_two_archives_get_the_same_jpeg_clip(spool: Spool) -> None:
    recorded = film(spool, "pacs", "cloud")
    first, second = taking(BASELINE), taking(BASELINE)
    forward(spool, first)
    forward(spool, second, pacs("cloud", fallback="key-stills"))
    assert first.got == second.got == [as_jpeg(spool, recorded).sop_instance_uid]


def test_a_clip_whose_jpeg_would_be_larger_than_the_archive_gets_waits_for_a_person_who_may_raise_it(
    spool: Spool,
) -> None:
    exam = open_exam(spool)
    recorded = clip(spool, exam, frames=4, padding=300_000, clip_as="h264")
    let_go(spool, exam)
    films(spool).step()
    small = pacs(fallback="jpeg", max_object_mb=1)
    rearm(spool, [small])
    forward(spool, taking(BASELINE), small)
    assert said(spool, recorded.sop_instance_uid) == (HELD, "too-large")
    assert derived(spool, recorded) == []
    assert rearm(spool, [AS_JPEG]) == 1
    forward(spool, taking(BASELINE))
    assert said(spool, recorded.sop_instance_uid) == (HELD, "sent-as-jpeg")


def test_a_box_that_is_switched_off_meanwhile_begins_anew(spool: Spool) -> None:
    recorded = film(spool, frames=6)
    run(sender(spool, taking(BASELINE), AS_JPEG))
    part = maker(spool, stop=StopsAfter(3))
    assert not part.step()
    assert part.progress is None
    assert said(spool, recorded.sop_instance_uid) == (HELD, "jpeg-wanted")
    assert not list(spool.layout.exam(recorded.exam).glob("*.part"))
    maker(spool).step()
    assert said(spool, recorded.sop_instance_uid) == (HELD, "sent-as-jpeg")


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_an_interruption_anywhere_makes_it_once(
    spool: Spool, clock: FakeClock, root: Path, disk: Disk, error: int
) -> None:
    recorded = film(spool)
    run(sender(spool, taking(BASELINE), AS_JPEG))
    seen: set[str] = set()
    for operations in range(40):
        disk.fail(error, after=operations)
        with contextlib.suppress(ScopegateError):
            maker(spool).step()
        disk.heal()
        spool.close()
        spool = open_spool(root, clock=clock, files=disk, destinations=("pacs",))
        adopt_seals(spool, (AS_JPEG,))
        seen |= {path.name for path in spool.layout.exam(recorded.exam).glob("*.seal")}
        if said(spool, recorded.sop_instance_uid)[1] == "sent-as-jpeg":
            break
    assert operations > 5
    assert said(spool, recorded.sop_instance_uid) == (HELD, "sent-as-jpeg")
    assert len(seen) == 2
    assert len(deliveries(spool)) == 2
    assert list(inspect_exam(spool, recorded.exam)) == []
    spool.close()


def test_a_film_that_is_damaged_is_said_so_and_nothing_is_made_of_it(spool: Spool) -> None:
    recorded = film(spool)
    run(sender(spool, taking(BASELINE), AS_JPEG))
    path = spool.objects.path(spool.objects.get(recorded.sop_instance_uid))
    content = bytearray(path.read_bytes())
    content[-300] ^= 1
    path.write_bytes(content)
    maker(spool).step()
    assert said(spool, recorded.sop_instance_uid) == (HELD, "spool-damaged")
    assert derived(spool, recorded) == []


def test_a_clip_whose_destination_left_the_configuration_waits_for_a_person(spool: Spool) -> None:
    recorded = film(spool)
    run(sender(spool, taking(BASELINE), AS_JPEG))
    maker(spool, pacs("another", fallback="jpeg")).step()
    assert said(spool, recorded.sop_instance_uid) == (HELD, "no-context")


# --- a file that was lost ----------------------------------------------------------------------------------------


def listed_at_the_end(spool: Spool, exam: Exam) -> set[str]:
    """Return what the end of an exam's procedure step names."""
    (step,) = spool.exams.get(exam.id).steps
    return uids_of(spool.steps.path(exam.id, step.sop_instance_uid, MessageKind.SET))


def uids_of(path: Path) -> set[str]:
    end = pydicom.dcmread(path)
    return {i.ReferencedSOPInstanceUID for s in end.PerformedSeriesSequence for i in s.ReferencedImageSequence}


def test_a_procedure_step_ends_when_the_jpeg_clip_is_there_and_lists_it(spool: Spool, clock: FakeClock) -> None:
    settled = fallbacks(spool, AS_JPEG).settled
    steps = planner(spool, settled=settled)
    exam = open_exam(spool, ordered())
    recorded, picture = clip(spool, exam, clip_as="h264"), still(spool, exam)
    spool.exams.finish(exam.id)
    steps.step()
    Release(spool=spool, temporary="hold", announce=steps.announce).step()
    wrap_all(spool)
    films(spool).step()
    assert not settled(spool.exams.get(exam.id)), "it may go as something else"
    run(sender(spool, taking(BASELINE), AS_JPEG))
    clock.move(3600)  # nobody waits so long for an archive; this box is at work
    steps.step()
    assert not list(spool.layout.exam(exam.id).glob("step-*.set.dcm"))
    maker(spool).step()
    steps.step()
    made = as_jpeg(spool, recorded).sop_instance_uid
    assert listed_at_the_end(spool, exam) == {recorded.sop_instance_uid, picture.sop_instance_uid, made}


@pytest.mark.parametrize(("name", "left"), [("pacs", 2), ("cloud", 0)], ids=["required", "not required"])
def test_the_film_stays_on_the_disk_where_its_archive_must_have_it(
    spool: Spool, clock: FakeClock, name: str, left: int
) -> None:
    box = Box(spool, clock)  # where pacs must have everything
    recorded = film(spool, "pacs", "cloud")
    for to in ("pacs", "cloud"):
        forward(spool, taking(*([BASELINE] if to == name else [H264])), pacs(to, fallback="jpeg"))
    with spool.database.write() as connection:
        connection.execute("UPDATE delivery SET state = 'committed', proof = 'commitment' WHERE state = 'sent'")
    box.live(40)
    assert len(box.objects(spool.exams.get(recorded.exam))) == left


def test_how_far_it_is_is_told_while_it_is_made(spool: Spool) -> None:
    film(spool, frames=6)
    run(sender(spool, taking(BASELINE), AS_JPEG))
    seen: list[tuple[int, int]] = []
    part = maker(spool, stop=Looks(lambda: seen.append((p.done, p.frames)) if (p := part.progress) else None))
    part.step()
    assert seen[:5] == [(number, 6) for number in range(1, 6)]
    assert part.progress is None


class Looks(threading.Event):
    """Never set; does something whenever it is looked at."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__()
        self._act = act

    def is_set(self) -> bool:
        self._act()
        return False


def test_the_next_clips_of_such_an_archive_are_never_h264_and_lose_nothing_more(spool: Spool) -> None:
    film(spool)
    forward(spool, taking(BASELINE))
    second = film(spool)
    sealed = spool.objects.get(second.sop_instance_uid)
    assert (sealed.transfer_syntax_uid, derived(spool, second)) == (BASELINE, [])


def settings(values: Sequence[str]) -> list[Destination]:
    return [replace(AS_JPEG, fallback=each) for each in values]


def test_when_the_setting_is_taken_back_the_clip_waits_for_a_person_again(spool: Spool) -> None:
    wanted, none = settings(["jpeg", "hold"])
    recorded = film(spool)
    rearm(spool, [wanted])
    run(sender(spool, taking(BASELINE), wanted))
    assert said(spool, recorded.sop_instance_uid) == (HELD, "jpeg-wanted")
    assert rearm(spool, [none]) == 1
    forward(spool, taking(BASELINE), none)
    assert said(spool, recorded.sop_instance_uid) == (HELD, "no-context")


# --- what goes wrong meanwhile -----------------------------------------------------------------------------------


def wanted(spool: Spool, *names: str, frames: int = 4) -> Capture:
    """Return a film that its archive refused."""
    recorded = film(spool, *names, frames=frames)
    for name in names or ("pacs",):
        run(sender(spool, taking(BASELINE), pacs(name, fallback="jpeg")))
    return recorded


def test_what_stills_are_to_find_is_left_alone_while_it_is_made(spool: Spool) -> None:
    recorded = wanted(spool, frames=60)
    free, looks = 150_000_000 + 3 * recorded.bytes, 0

    def shrinking() -> int:
        nonlocal looks
        looks += 1
        return free if looks == 1 else 150_000_000  # the stills' part, and others took the rest

    with pytest.raises(DiskFull):
        maker(on_a_disk(spool, shrinking)).step()
    assert looks == 2, "it is looked at again while frames are written"
    assert said(spool, recorded.sop_instance_uid) == (HELD, "jpeg-wanted")
    assert not list(spool.layout.exam(recorded.exam).glob("*.part"))
    assert derived(spool, recorded) == []
    maker(spool).step()
    assert said(spool, recorded.sop_instance_uid) == (HELD, "sent-as-jpeg")


def test_a_clip_without_room_keeps_neither_others_nor_the_end_of_its_step_waiting(
    spool: Spool, clock: FakeClock
) -> None:
    recorded = wanted(spool, "pacs", "cloud")
    spool.destinations.learn("cloud", {(CLIPS, BASELINE): False})
    part = maker(on_a_disk(spool, lambda: 1_000_000), AS_JPEG, pacs("cloud", fallback="jpeg"))
    with pytest.raises(DiskFull):
        part.step()
    assert said(spool, recorded.sop_instance_uid) == (HELD, "jpeg-wanted")
    assert said(spool, recorded.sop_instance_uid, "cloud") == (HELD, "no-context"), "it needed no disk"
    assert part.short == {recorded.sop_instance_uid}
    exam = spool.exams.get(recorded.exam)
    hurried = Fallbacks(spool=spool, station=STATION, destinations=(AS_JPEG,), short=lambda: part.short)
    assert not hurried.settled(exam)
    clock.move(601)
    assert hurried.settled(exam)
    assert not fallbacks(spool, AS_JPEG).settled(exam), "what is being made is waited for"


@pytest.mark.parametrize("by", ["move", "drop"])
def test_what_a_person_takes_away_while_it_is_made_does_not_go(spool: Spool, by: str) -> None:
    recorded = wanted(spool)

    class Meddling(threading.Event):
        def is_set(self) -> bool:
            if by == "move":
                spool.rerouting.move("pacs", "cloud")
            else:
                spool.rerouting.drop("pacs")
            return False

    maker(spool, stop=Meddling()).step()
    assert derived(spool, recorded)
    went = {(d.destination, d.sop_instance_uid) for d in (*deliveries(spool, "pacs"), *deliveries(spool, "cloud"))}
    assert went <= {("cloud", recorded.sop_instance_uid)}


def test_an_order_that_cannot_be_read_is_said_before_anything_is_made(spool: Spool) -> None:
    recorded = wanted(spool)
    exam = spool.exams.get(recorded.exam)
    spool.layout.media(exam.id, exam.order).unlink()
    maker(spool).step()
    assert said(spool, recorded.sop_instance_uid) == (HELD, "file-missing")


def test_jpeg_that_was_made_for_one_archive_is_not_sent_where_it_is_too_large(spool: Spool) -> None:
    recorded = wanted(spool, "pacs", "small")
    maker(spool, AS_JPEG, pacs("small", fallback="jpeg", max_object_mb=0)).step()
    maker(spool, AS_JPEG, pacs("small", fallback="jpeg", max_object_mb=0)).step()
    made = as_jpeg(spool, recorded).sop_instance_uid
    assert said(spool, recorded.sop_instance_uid) == (HELD, "sent-as-jpeg")
    assert said(spool, recorded.sop_instance_uid, "small") == (HELD, "too-large")
    assert made not in {d.sop_instance_uid for d in deliveries(spool, "small")}
