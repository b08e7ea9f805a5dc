"""Clips: whatever a cut leaves of the two files, the pictures up to the last whole one become the clip."""

import errno
import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import DiskFailed, DiskFull, SpoolDamaged
from gateway.model import Capture, CaptureState, Exam
from gateway.spool import clips
from gateway.spool.clips import ClipWriter
from gateway.spool.files import Files
from gateway.spool.paths import DAMAGED
from gateway.spool.recovery.captures import recover_captures
from gateway.spool.recovery.clips import salvage
from gateway.spool.spool import Spool
from tests.unit.spool.values import add_frames, begin_clip, frame, store, subject

FRAMES = 3
ENTRY = 36  # bytes of one index entry


@pytest.fixture
def exam(spool: Spool) -> Exam:
    return spool.exams.open(subject())[0]


@pytest.fixture
def writer(spool: Spool, exam: Exam) -> ClipWriter:
    """A clip of three pictures, recorded until now."""
    writer = begin_clip(spool, exam, 5)
    add_frames(writer, FRAMES)
    writer.sync()
    writer.abandon()
    return writer


def parts(spool: Spool, writer: ClipWriter) -> tuple[Path, Path]:
    header = writer.header
    return (
        spool.layout.frames(header.exam, header.sop_instance_uid, recording=True),
        spool.layout.index(header.exam, header.sop_instance_uid, recording=True),
    )


def salvaged(spool: Spool, writer: ClipWriter) -> Capture | None:
    return salvage(spool, writer.header.exam, writer.header.sop_instance_uid)


def played(spool: Spool, capture: Capture) -> list[bytes]:
    """Read a clip as the wrapper does: by its index."""
    _, entries = clips.read_index(spool.layout.index(capture.exam, capture.sop_instance_uid))
    return list(clips.codestreams(spool.layout.media(capture.exam, capture.media), entries))


def test_a_closed_clip_tells_its_pictures_times_and_digest(spool: Spool, exam: Exam) -> None:
    writer = begin_clip(spool, exam, 2)
    add_frames(writer, 4)
    capture = writer.close(lost_frames=3)
    whole = b"".join(frame(number) for number in range(4))
    assert (capture.frames, capture.lost_frames, capture.salvaged) == (4, 3, False)
    assert (capture.bytes, capture.sha256) == (len(whole), hashlib.sha256(whole).hexdigest())
    assert capture.frame_times == tuple(1_000_000_000 + n * 33_000_000 for n in range(4))
    assert (capture.instance_number, capture.exam, capture.sequence) == (2, exam.id, 0)
    assert played(spool, capture) == [frame(n) for n in range(4)]
    assert capture.taken.boottime_ns == capture.frame_times[0]
    assert not any(path.exists() for path in parts(spool, writer))


def test_a_clip_that_was_never_closed_becomes_a_capture_of_its_exam(
    spool: Spool, exam: Exam, writer: ClipWriter
) -> None:
    capture = salvaged(spool, writer)
    assert capture
    assert (capture.frames, capture.salvaged, capture.exam, capture.instance_number) == (3, True, exam.id, 5)
    assert capture.patient == exam.patient
    assert capture.request == writer.header.request
    assert played(spool, capture) == [frame(n) for n in range(3)]
    listed = spool.captures.get(capture.sop_instance_uid).capture
    assert (listed, listed.state) == (capture, CaptureState.SAVED)


def test_salvaging_twice_gives_the_same_clip(spool: Spool, writer: ClipWriter) -> None:
    assert salvaged(spool, writer) == salvaged(spool, writer)


def expected_frames(frames_left: int, index_left: int, header: int) -> int:
    """Say how many pictures are whole when so many bytes of each file are left."""
    count = end = 0
    for number in range(FRAMES):
        end += 4 + len(frame(number))
        if end <= frames_left and header + (number + 1) * ENTRY <= index_left:
            count = number + 1
    return count


@pytest.mark.parametrize("cut", ["frames", "index"])
@pytest.mark.parametrize("tail", ["lost", "zeros"])
def test_a_cut_at_any_byte_leaves_every_whole_picture(
    spool: Spool, writer: ClipWriter, cut: str, tail: str
) -> None:
    frames, index = parts(spool, writer)
    contents = {"frames": frames.read_bytes(), "index": index.read_bytes()}
    header = contents["index"].index(b"\n") + 1
    sizes = {"frames": len(contents["frames"]), "index": len(contents["index"])}
    first = header if cut == "index" else 0  # the header was durable before the first picture
    for left in range(first, sizes[cut]):
        for path in (frames, index):
            path.with_suffix("").unlink(missing_ok=True)
        lost = sizes[cut] - left
        torn = contents[cut][:left] + (b"\0" * lost if tail == "zeros" else b"")
        frames.write_bytes(torn if cut == "frames" else contents["frames"])
        index.write_bytes(torn if cut == "index" else contents["index"])
        _, entries = clips.read_index(index)
        whole = clips.whole_entries(frames, entries)
        reach = {**sizes, cut: left}
        assert len(whole) == expected_frames(reach["frames"], reach["index"], header)
        assert list(clips.codestreams(frames, whole)) == [frame(n) for n in range(len(whole))]


@pytest.mark.parametrize("left", range(0, 4 * ENTRY, 7))
def test_a_salvaged_clip_can_be_read_by_its_index_wherever_it_was_cut(
    spool: Spool, writer: ClipWriter, left: int
) -> None:
    frames, _ = parts(spool, writer)
    with frames.open("r+b") as file:
        file.truncate(min(left, frames.stat().st_size))
    capture = salvaged(spool, writer)
    count = expected_frames(left, 10**6, 0)
    if capture is None:
        assert count == 0
        assert list(spool.layout.exam(writer.header.exam).glob("*.frames*")) == []
        assert spool.captures.recording() == []
    else:
        assert played(spool, capture) == [frame(n) for n in range(count)]
        assert spool.layout.media(capture.exam, capture.media).stat().st_size == sum(
            4 + len(frame(n)) for n in range(count)
        )


@pytest.mark.parametrize("where", range(0, 3 * ENTRY, 5))
def test_a_changed_bit_in_the_index_ends_the_clip_before_it(spool: Spool, writer: ClipWriter, where: int) -> None:
    _, index = parts(spool, writer)
    content = bytearray(index.read_bytes())
    header = content.index(b"\n") + 1
    content[header + where] ^= 1
    index.write_bytes(content)
    capture = salvaged(spool, writer)
    assert (capture.frames if capture else 0) == where // ENTRY


def test_a_changed_bit_in_a_picture_is_noticed(spool: Spool, writer: ClipWriter) -> None:
    frames, index = parts(spool, writer)
    content = bytearray(frames.read_bytes())
    content[-3] ^= 1
    frames.write_bytes(content)
    _, entries = clips.read_index(index)
    with pytest.raises(SpoolDamaged):
        list(clips.codestreams(frames, entries))
    capture = salvaged(spool, writer)
    assert capture
    assert capture.frames == 2


@pytest.mark.parametrize("damage", ["gone", "header"])
def test_pictures_whose_index_is_lost_are_kept_for_service(spool: Spool, writer: ClipWriter, damage: str) -> None:
    frames, index = parts(spool, writer)
    content = frames.read_bytes()
    index.unlink() if damage == "gone" else index.write_bytes(b"\0" * 900)
    for _ in range(2):
        recover_captures(spool)
    (kept,) = spool.layout.exam(writer.header.exam).glob("*" + DAMAGED)
    assert kept.read_bytes() == content
    assert spool.captures.recording() == []
    assert spool.exams.finish(writer.header.exam)


UNREADABLE = Path("/proc/self/mem")  # reading its first byte is EIO, as of a bad sector


@pytest.mark.parametrize("number", [0, 1])
def test_a_clip_on_a_bad_sector_is_put_aside_and_the_others_are_salvaged(
    spool: Spool,
    exam: Exam,
    writer: ClipWriter,
    caplog: pytest.LogCaptureFixture,
    number: int,
) -> None:
    other = begin_clip(spool, exam, 6)
    add_frames(other, 2)
    other.sync()
    other.abandon()
    bad = parts(spool, writer)[number]
    bad.unlink()
    bad.symlink_to(UNREADABLE)
    for _ in range(2):
        recover_captures(spool)
    kept = {path.name for path in spool.layout.exam(exam.id).glob("*" + DAMAGED)}
    assert kept == {path.with_suffix(DAMAGED).name for path in parts(spool, writer)}
    (listed,) = spool.captures.of_exam(exam.id)
    assert (listed.capture.sop_instance_uid, listed.capture.frames) == (other.header.sop_instance_uid, 2)
    assert caplog.text.count("clip_damaged") == caplog.text.count("code=file-unreadable") == 1
    assert spool.exams.finish(exam.id)


class Dead(Files):
    """A disk that takes no byte any more."""

    def _write(self, fd: int, data: bytes | memoryview) -> None:
        del fd, data
        raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.mark.parametrize("number", [0, 1])
def test_a_clip_that_a_dead_disk_cannot_read_is_no_damaged_clip(
    spool: Spool, writer: ClipWriter, reopened: Callable[..., Spool], number: int
) -> None:
    bad = parts(spool, writer)[number]
    bad.unlink()
    bad.symlink_to(UNREADABLE)
    again = reopened(files=Dead())
    with pytest.raises(DiskFailed):
        recover_captures(again)
    assert list(spool.layout.exam(writer.header.exam).glob("*" + DAMAGED)) == []
    assert all(os.path.lexists(path.with_suffix("")) for path in parts(spool, writer))
    assert len(again.captures.recording()) == 1


@pytest.mark.parametrize("empty", [True, False])
def test_a_clip_without_pictures_leaves_nothing_behind(spool: Spool, writer: ClipWriter, empty: bool) -> None:  # noqa: FBT001
    frames, _ = parts(spool, writer)
    frames.write_bytes(b"") if empty else frames.unlink()
    recover_captures(spool)
    assert spool.captures.of_exam(writer.header.exam) == []
    assert spool.captures.recording() == []
    assert {path.name for path in spool.layout.exam(writer.header.exam).iterdir()} <= {"exam.json", ".lock"}


@pytest.mark.parametrize("renamed", [["frames"], ["frames", "index"]])
def test_a_clip_that_was_cut_while_it_was_closed_is_finished(
    spool: Spool, writer: ClipWriter, renamed: list[str]
) -> None:
    for path in parts(spool, writer):
        if any(f".{kind}." in path.name for kind in renamed):
            path.rename(path.with_suffix(""))
    recover_captures(spool)
    (listed,) = spool.captures.of_exam(writer.header.exam)
    assert listed.capture.frames == 3


def test_a_clip_whose_sidecar_was_written_is_not_salvaged_again(spool: Spool, exam: Exam) -> None:
    writer = begin_clip(spool, exam, 1)
    add_frames(writer, 2)
    capture = writer.close()
    spool.captures.write_sidecar(capture)  # and the power went before its row
    recover_captures(spool)
    assert spool.captures.get(capture.sop_instance_uid).capture == capture
    assert spool.captures.recording() == []


class Told(Files):
    """Tells which file is flushed when."""

    def __init__(self) -> None:
        self.synced: list[str] = []

    def _sync(self, fd: int) -> None:
        self.synced.append(Path(f"/proc/self/fd/{fd}").readlink().name.split(".")[-2])
        super()._sync(fd)


def test_pictures_are_flushed_before_their_entries(spool: Spool, exam: Exam) -> None:
    files = Told()
    header = begin_clip(spool, exam, 1).header
    shutil.rmtree(spool.layout.exam(exam.id))
    spool.layout.exam(exam.id).mkdir()
    writer = ClipWriter(layout=spool.layout, files=files, header=header)
    assert files.synced == ["index"]
    add_frames(writer, 1)
    writer.sync()
    writer.abandon()
    assert files.synced == ["index", "frames", "index"]


def test_a_clip_and_stills_share_one_numbering(spool: Spool, exam: Exam, writer: ClipWriter) -> None:
    store(spool, exam, 6)
    salvaged(spool, writer)
    numbers = [listed.capture.instance_number for listed in spool.captures.of_exam(exam.id)]
    assert numbers == [5, 6]
    assert spool.captures.highest_number(exam.id) == 6


class FullAt(Files):
    """A disk that is full at its n-th operation, n from 0."""

    def __init__(self, number: int) -> None:
        self.left = number

    def _step(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _create(self, path: Path, *, keep: bool = False) -> int:
        self._step()
        return super()._create(path, keep=keep)

    def _write(self, fd: int, data: bytes | memoryview) -> None:
        self._step()
        super()._write(fd, data)

    def _sync(self, fd: int) -> None:
        self._step()
        super()._sync(fd)

    def _sync_folder(self, path: Path) -> None:
        self._step()
        super()._sync_folder(path)


def open_files() -> set[str]:
    return {str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()}


@pytest.mark.parametrize("number", [*range(6), *range(9, 13)])  # 6 to 8 are frames: who adds them lets go
def test_a_clip_that_the_disk_refuses_leaves_no_file_open(spool: Spool, exam: Exam, number: int) -> None:
    header = replace(begin_clip(spool, exam, 5).header, sop_instance_uid="1.2")

    def record(files: Files) -> None:
        writer = ClipWriter(layout=spool.layout, files=files, header=header)
        add_frames(writer, 1)
        writer.close()

    with pytest.raises(DiskFull):
        record(FullAt(number))
    assert not {name for name in open_files() if "/1.2." in name}
