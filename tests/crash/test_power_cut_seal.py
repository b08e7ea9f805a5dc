"""The real wrapper, cut after every file operation: a picture is in its media or in a sealed object, always.

What a cut may leave is modelled in power_cut.py. Before the wrapping everything is safe on the disk; the other
story, the storing, is test_power_cut_spool.py's.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import pydicom
import pytest
from pydicom.encaps import generate_frames

from gateway.clock import FakeClock
from gateway.dicom.verify import verify_sealed
from gateway.errors import SpoolDamaged, WrongState
from gateway.forward.making.fallback import Fallbacks
from gateway.model import Capture, Identity, SealedObject
from gateway.spool import clips, records
from gateway.spool.files import sha256_of
from gateway.spool.opening import open_spool
from gateway.spool.queue.deliveries import KEY_STILLS_WANTED
from gateway.spool.recovery.captures import recover_captures
from gateway.spool.recovery.seals import adopt_seals
from gateway.spool.spool import Spool
from tests.crash import power_cut
from tests.crash.power_cut import (
    VARIANTS,
    Cut,
    FilesNeverFlushed,
    NamesNeverFlushed,
    Recording,
    for_each_cut,
    for_each_disk,
    keep,
)
from tests.forward.bench import (
    STATION,
    clip,
    let_go,
    open_exam,
    ordered,
    release,
    still,
    wrap_all,
    wrapper,
)
from tests.forward.channels import pacs
from tests.memory import folder_in_memory


@pytest.fixture
def root() -> Iterator[Path]:
    with folder_in_memory() as folder:
        yield folder / "data"


@dataclass(kw_only=True, slots=True)
class Story:
    """What was stored before, and the recording of its wrapping."""

    captures: list[Capture]
    recording: Recording
    begin: int  # operations that only made the disk as it was before
    at_once: bool = False  # the exam is open, and what was saved of it leaves all the same


def wrapped(root: Path, kind: type[Recording], *, at_once: bool = False) -> Story:
    """Store a still, a clip and a still, all safe on the disk, then record how they become objects."""
    spool = open_spool(root, clock=FakeClock(), destinations=("pacs",))
    exam = open_exam(spool, ordered())
    captures = [still(spool, exam), clip(spool, exam), still(spool, exam)]
    if not at_once:
        let_go(spool, exam)
    spool.close()
    recording = kind(root)
    begin = len(recording.log)
    spool = open_spool(root, clock=FakeClock(), files=recording, destinations=("pacs",))
    keep_index(recording, spool)
    for capture in captures:
        if at_once:
            assert spool.releases.release(exam.id, capture.sop_instance_uid, tuple(Identity))
        wrapper(spool).seal(capture)
        keep_index(recording, spool)
    spool.close()
    return Story(captures=captures, recording=recording, begin=begin, at_once=at_once)


def keep_index(recording: Recording, spool: Spool) -> None:
    """Let later cuts find the index as it is now: whole, but older than the files."""
    with spool.database.read() as connection:
        keep(recording, "scopegate.db", connection.serialize())


def pixels_in_media(spool: Spool, capture: Capture) -> str:
    """Return the digest of the codestreams in a capture's media, "" when they are not whole."""
    media = spool.layout.media(capture.exam, capture.media)
    if not media.exists():
        return ""
    if media.suffix != ".frames":
        return sha256(media.read_bytes()).hexdigest()
    try:
        _, entries = clips.read_index(spool.layout.index(capture.exam, capture.sop_instance_uid))
        return clips.digest_of(media, entries)
    except (SpoolDamaged, OSError):
        return ""


def pixels_in_object(path: Path) -> str:
    """Return the digest of the codestreams in a DICOM file, read without any code of the product."""
    data = pydicom.dcmread(path)
    frames = generate_frames(data.PixelData, number_of_frames=int(data.get("NumberOfFrames", 1)))
    return sha256(b"".join(each.rstrip(b"\0") for each in frames)).hexdigest()


def seal_of(spool: Spool, capture: Capture) -> SealedObject | None:
    """Return what stands in a capture's seal when its object is there and is that one."""
    path = spool.layout.seal(capture.exam, capture.sop_instance_uid)
    if not path.exists():
        return None
    sealed = records.load(SealedObject, path.read_bytes())
    return sealed if sha256_of(spool.objects.path(sealed)) == sealed.sha256 else None


@dataclass(kw_only=True, slots=True)
class Tally(power_cut.Tally):
    lost: set[str] = field(default_factory=set)
    in_media: int = 0
    in_object: int = 0
    refused: int = 0


def survey(story: Story) -> Tally:
    tally = Tally()
    for cut, folder in for_each_disk(story.recording, tally, begin=story.begin):
        try:
            check(folder, story, tally)
        except Exception as error:  # noqa: BLE001 - told by the test
            tally.problems.append(f"{where(cut)}: {type(error).__name__} {error}")
    return tally


def where(cut: Cut) -> str:
    return f"cut {cut.position} names {cut.variant.names} data {cut.variant.data} index {cut.variant.kept}"


def check(folder: Path, story: Story, tally: Tally) -> None:
    """Start the box on what is left and let the wrapper go on."""
    clock = FakeClock()
    clock.reboot()
    spool = open_spool(folder, clock=clock, destinations=("pacs",))
    try:
        recover_captures(spool)
        before = {capture.sop_instance_uid: seal_of(spool, capture) for capture in story.captures}
        for capture in story.captures:
            uid = capture.sop_instance_uid
            in_media = pixels_in_media(spool, capture) == capture.sha256
            sealed = before[uid]
            in_object = sealed is not None and pixels_in_object(spool.objects.path(sealed)) == capture.sha256
            tally.in_media += in_media
            tally.in_object += in_object
            if not in_media and not in_object:
                tally.lost.add(uid)
                tally.problems.append(f"{uid} is neither in its media nor in a sealed object")
        spool.releases.reconcile()
        adopt_seals(spool, ("pacs",))
        if story.at_once:
            may_not_be_changed_once_sealed(spool, story, before, tally)
        wrap_all(spool)
        for capture in story.captures:
            problems_of(spool, capture, before[capture.sop_instance_uid], tally)
    finally:
        spool.close()


def may_not_be_changed_once_sealed(
    spool: Spool, story: Story, before: dict[str, SealedObject | None], tally: Tally
) -> None:
    """Note a picture that has an object already and could be removed; remove and bring back what may be."""
    for capture in story.captures:
        uid = capture.sop_instance_uid
        try:
            spool.captures.reject(uid, "")
            spool.captures.restore(uid)
            if before[uid]:
                tally.problems.append(f"{uid} is sealed and could be removed")
        except WrongState:
            tally.refused += 1
        release(spool, at_once=True).step()


def problems_of(spool: Spool, capture: Capture, before: SealedObject | None, tally: Tally) -> None:
    """Note what is not as it must be when the wrapper has come to its end."""
    uid = capture.sop_instance_uid
    sealed = spool.objects.of_capture(uid)
    if sealed is None or pixels_in_object(spool.objects.path(sealed)) != capture.sha256:
        tally.problems.append(f"{uid} has no object in the end")
        return
    if before and before.sha256 != sealed.sha256:
        tally.problems.append(f"{uid} became a second, different object")
    if len(list(spool.layout.exam(capture.exam).glob(f"{uid}*.dcm"))) != 1:
        tally.problems.append(f"{uid} has more than one object")
    if spool.layout.media(capture.exam, capture.media).exists():
        tally.problems.append(f"{uid} is on the disk twice")
    if f"{sealed.sha256}  {uid}.dcm\n" not in spool.layout.sums(capture.exam).read_text():
        tally.problems.append(f"{uid} does not stand in SHA256SUMS")
    exam = spool.exams.get(capture.exam)
    step = exam.step_of(capture.instance_number)
    assert step
    series = spool.exams.series_for(exam.id, capture.source, capture.kind.value, step.sop_instance_uid)
    verify_sealed(
        spool.objects.path(sealed), exam=exam, capture=capture, series=series, order=spool.exams.order(exam)
    )
    if len(spool.deliveries.list(uid=uid)) != 1:
        tally.problems.append(f"{uid} is not queued once")


def test_a_power_cut_at_any_moment_of_the_wrapping_leaves_every_picture_and_makes_one_object_of_it(
    root: Path,
) -> None:
    story = wrapped(root, Recording)
    tally = survey(story)
    print(
        f"\npower cut while wrapping: {tally.cuts} cuts, {len(tally.disks)} different disks, "
        f"{len(story.captures)} captures, found {tally.in_media} times in media, {tally.in_object} times in sealed "
        f"objects, lost = {len(tally.lost)}"
    )
    assert tally.problems == []
    assert tally.in_media
    assert tally.in_object
    assert len(tally.disks) > 50


def test_a_power_cut_while_an_open_exam_s_pictures_leave_lets_nobody_change_what_is_sealed(root: Path) -> None:
    tally = survey(wrapped(root, Recording, at_once=True))
    print(
        f"\npower cut while leaving at once: {tally.cuts} cuts, {len(tally.disks)} different disks, "
        f"{tally.refused} removals refused, lost = {len(tally.lost)}"
    )
    assert tally.problems == []
    assert tally.refused
    assert tally.in_object


def held_for_key_stills(spool: Spool) -> None:
    """Let every clip's delivery be as a sender leaves it that was told that no clip is taken."""
    with spool.database.write() as connection:
        connection.execute(
            "UPDATE delivery SET state = 'held', code = ? WHERE sop_instance_uid IN "
            "(SELECT sop_instance_uid FROM object WHERE capture IN "
            "(SELECT sop_instance_uid FROM capture WHERE json_extract(document, '$.kind') = 'clip'))",
            (KEY_STILLS_WANTED,),
        )


def fall_back(spool: Spool) -> None:
    made = Fallbacks(spool=spool, station=STATION, destinations=[pacs(fallback="key-stills")])
    while made.step():
        pass


def test_a_power_cut_while_key_stills_are_made_leaves_one_set_of_them(root: Path) -> None:
    spool = open_spool(root, clock=FakeClock(), destinations=("pacs",))
    exam = open_exam(spool, ordered())
    clip(spool, exam)
    let_go(spool, exam)
    wrap_all(spool)
    held_for_key_stills(spool)
    spool.close()
    recording = Recording(root)
    begin = len(recording.log)
    spool = open_spool(root, clock=FakeClock(), files=recording, destinations=("pacs",))
    keep_index(recording, spool)
    fall_back(spool)
    spool.close()
    disks: set[bytes] = set()
    begun = 0
    for cut in for_each_cut(recording, variants=VARIANTS, without=("scopegate.db",)):
        if cut.position < begin or cut.digest in disks:
            continue
        disks.add(cut.digest)
        with folder_in_memory() as folder:
            cut.materialise(folder)
            begun += bool(list(folder.glob("exams/*/*.key-stills-3")))
            again = open_spool(folder, clock=FakeClock(), destinations=("pacs",))
            adopt_seals(again, ("pacs",))
            held_for_key_stills(again)
            fall_back(again)
            stills = [each for each in again.objects.of_exam(exam.id) if each.derived_from]
            seals = list(folder.glob("exams/*/*.seal"))
            assert (len(stills), len(seals), len(again.deliveries.list())) == (3, 4, 4), where(cut)
            assert all(sha256_of(again.objects.path(each)) == each.sha256 for each in stills), where(cut)
            again.close()
    print(
        f"\npower cut while making key stills: {len(disks)} different disks, {begun} with a plan, one set on each"
    )
    assert begun > 10


@pytest.mark.parametrize("careless", [FilesNeverFlushed, NamesNeverFlushed])
def test_the_same_wrapping_without_flushing_loses_pictures_so_the_test_can_see_a_loss(
    root: Path, careless: type[Recording]
) -> None:
    story = wrapped(root, careless)
    tally = survey(story)
    print(f"\npower cut while wrapping, {careless.__name__}: {tally.cuts} cuts, lost = {len(tally.lost)} captures")
    assert len(tally.lost) > 0
