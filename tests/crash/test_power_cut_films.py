"""Clips that become H.264, cut after every file operation: the frames go when the film is safe, never before.

What a cut may leave is modelled in power_cut.py. Before the encoding everything is safe on the disk.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pydicom
import pytest
import simplejpeg
from pydicom.encaps import generate_frames

from gateway.clock import FakeClock
from gateway.forward.making.jpeg_clips import JpegClips
from gateway.model import Capture
from gateway.spool.clips import codestreams, read_index
from gateway.spool.files import sha256_of
from gateway.spool.opening import open_spool
from gateway.spool.queue.deliveries import JPEG_WANTED
from gateway.spool.recovery.captures import recover_captures
from gateway.spool.recovery.seals import adopt_seals
from gateway.spool.spool import Spool
from tests.crash import power_cut
from tests.crash.power_cut import (
    VARIANTS,
    FilesNeverFlushed,
    NamesNeverFlushed,
    Recording,
    for_each_cut,
    for_each_disk,
)
from tests.crash.test_power_cut_seal import keep_index, pixels_in_media, seal_of, where
from tests.dicom_checks import H264
from tests.forward.bench import STATION, StopsAfter, clip, films, let_go, open_exam, ordered, wrap_all
from tests.forward.channels import pacs
from tests.memory import folder_in_memory

FRAMES = 4
NEVER = StopsAfter(10**9)


@pytest.fixture
def root() -> Iterator[Path]:
    with folder_in_memory() as folder:
        yield folder / "data"


@dataclass(kw_only=True, slots=True)
class Story:
    """A clip, its pictures, and the recording of what becomes of it since operation `begin`."""

    capture: Capture
    pictures: list[np.ndarray]
    recording: Recording
    begin: int


def a_clip(root: Path) -> tuple[Capture, list[np.ndarray]]:
    """Record a clip that is to be H.264, release it, and have all of it safe on the disk."""
    spool = open_spool(root, clock=FakeClock(), destinations=("pacs",))
    exam = open_exam(spool, ordered())
    capture = clip(spool, exam, frames=FRAMES, clip_as="h264")
    _, entries = read_index(spool.layout.index(exam.id, capture.sop_instance_uid))
    streams = codestreams(spool.layout.media(exam.id, capture.media), entries)
    pictures = [simplejpeg.decode_jpeg(each) for each in streams]
    let_go(spool, exam)
    spool.close()
    return capture, pictures


def encoded(root: Path, kind: type[Recording]) -> Story:
    """Record how a clip becomes H.264."""
    capture, pictures = a_clip(root)
    recording = kind(root)
    begin = len(recording.log)
    spool = open_spool(root, clock=FakeClock(), files=recording, destinations=("pacs",))
    keep_index(recording, spool)
    make(spool)
    keep_index(recording, spool)
    spool.close()
    return Story(capture=capture, pictures=pictures, recording=recording, begin=begin)


def make(spool: Spool) -> None:
    maker = films(spool)
    while maker.step():
        pass
    wrap_all(spool)  # the exam's list of files


def shows(path: Path, pictures: list[np.ndarray]) -> bool:
    """Say whether a sealed H.264 clip has these pictures, all of them, read without any code of the product."""
    data = pydicom.dcmread(path)
    if data.file_meta.TransferSyntaxUID != H264 or data.NumberOfFrames != len(pictures):
        return False
    (stream,) = generate_frames(data.PixelData, number_of_frames=1)
    with av.open(io.BytesIO(stream)) as film:
        found = [frame.to_ndarray(format="gray").astype(int) for frame in film.decode(video=0)]
    grey = [picture.astype(int).mean(axis=2) for picture in pictures]
    return len(found) == len(grey) and all(
        np.abs(a - b).mean() < 25
        for a, b in zip(found, grey, strict=True)  # limited range, and what H.264 lost
    )


@dataclass(kw_only=True, slots=True)
class Tally(power_cut.Tally):
    lost: int = 0
    in_frames: int = 0
    in_film: int = 0


def survey(story: Story) -> Tally:
    tally = Tally()
    for cut, folder in for_each_disk(story.recording, tally, begin=story.begin):
        try:
            found = list(check(folder, story, tally))
        except Exception as error:  # noqa: BLE001 - told by the test
            found = [f"{type(error).__name__} {error}"]
        tally.problems += [f"{where(cut)}: {each}" for each in found]
    return tally


def check(folder: Path, story: Story, tally: Tally) -> Iterator[str]:
    """Start the box on what is left, and let it make what is missing; yield what is wrong."""
    clock, capture, uid = FakeClock(), story.capture, story.capture.sop_instance_uid
    clock.reboot()
    spool = open_spool(folder, clock=clock, destinations=("pacs",))
    try:
        spool.layout.film(capture.exam, uid).write_bytes(b"half")  # never flushed: anything may be left of it
        recover_captures(spool)
        in_frames, sealed = pixels_in_media(spool, capture) == capture.sha256, seal_of(spool, capture)
        in_film = sealed is not None and shows(spool.objects.path(sealed), story.pictures)
        tally.in_frames += in_frames
        tally.in_film += in_film
        if not in_frames and not in_film:
            tally.lost += 1
            yield "the clip is neither in its frames nor in a film"
            return
        adopt_seals(spool, ("pacs",))
        make(spool)
        made = spool.objects.of_capture(uid)
        if made is None or not shows(spool.objects.path(made), story.pictures):
            yield "no film in the end"
            return
        if sealed and sealed.sha256 != made.sha256:
            yield "a second, different film"
        left = {path.name.removeprefix(uid) for path in spool.layout.exam(capture.exam).glob(f"{uid}*")}
        if left != {".json", ".dcm", ".seal"}:
            yield f"left: {sorted(left)}"
        if f"{made.sha256}  {uid}.dcm\n" not in spool.layout.sums(capture.exam).read_text():
            yield "not in SHA256SUMS"
        if len(spool.deliveries.list(uid=uid)) != 1:
            yield "not queued once"
    finally:
        spool.close()


def test_a_power_cut_at_any_moment_leaves_a_clip_s_frames_or_its_film_and_makes_one_film_of_it(root: Path) -> None:
    tally = survey(encoded(root, Recording))
    print(
        f"\npower cut while a clip becomes H.264: {tally.cuts} cuts, {len(tally.disks)} different disks, found "
        f"{tally.in_frames} times in frames, {tally.in_film} times in a film, lost = {tally.lost}"
    )
    assert tally.problems == []
    assert tally.in_frames
    assert tally.in_film
    assert len(tally.disks) > 20


@pytest.mark.parametrize("careless", [FilesNeverFlushed, NamesNeverFlushed])
def test_control_the_same_encoding_without_flushing_loses_the_clip(root: Path, careless: type[Recording]) -> None:
    tally = survey(encoded(root, careless))
    print(
        f"\npower cut while a clip becomes H.264, {careless.__name__}: {len(tally.disks)} disks, "
        f"lost after {tally.lost} of them"
    )
    assert tally.lost > 0


# --- the film as JPEG again --------------------------------------------------------------------------------------


def wanted(spool: Spool) -> None:
    """Let the film's delivery be as a sender leaves it that was told that no H.264 is taken."""
    with spool.database.write() as connection:
        connection.execute(
            "UPDATE delivery SET state = 'held', code = ? WHERE sop_instance_uid IN "
            "(SELECT sop_instance_uid FROM object WHERE json_extract(document, '$.derived_from') = '')",
            (JPEG_WANTED,),
        )


def as_jpeg(spool: Spool) -> None:
    made = JpegClips(spool=spool, station=STATION, destinations=[pacs(fallback="jpeg")], stop=NEVER)
    while made.step():
        pass


def test_a_power_cut_while_a_film_becomes_jpeg_again_leaves_one_of_it_and_the_film(root: Path) -> None:
    capture, _ = a_clip(root)
    spool = open_spool(root, clock=FakeClock(), destinations=("pacs",))
    make(spool)
    spool.close()
    recording = Recording(root)
    begin = len(recording.log)
    spool = open_spool(root, clock=FakeClock(), files=recording, destinations=("pacs",))
    wanted(spool)
    keep_index(recording, spool)
    as_jpeg(spool)
    spool.close()
    disks: set[bytes] = set()
    begun = 0
    for cut in for_each_cut(recording, variants=VARIANTS, without=("scopegate.db",)):
        if cut.position < begin or cut.digest in disks:
            continue
        disks.add(cut.digest)
        with folder_in_memory() as folder:
            cut.materialise(folder)
            begun += bool(list(folder.glob("exams/*/*.key-stills-0")))
            again = open_spool(folder, clock=FakeClock(), destinations=("pacs",))
            adopt_seals(again, ("pacs",))
            wanted(again)
            as_jpeg(again)
            objects = again.objects.of_exam(capture.exam)
            seals = list(folder.glob("exams/*/*.seal"))
            assert (len(objects), len(seals), len(again.deliveries.list())) == (2, 2, 2), where(cut)
            assert all(sha256_of(again.objects.path(each)) == each.sha256 for each in objects), where(cut)
            again.close()
    print(f"\npower cut while H.264 becomes JPEG: {len(disks)} different disks, {begun} with a plan, one on each")
    assert begun > 5
