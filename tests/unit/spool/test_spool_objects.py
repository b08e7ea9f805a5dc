"""Sealed objects: final once sealed, and their media goes only after them."""

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest

from gateway.errors import DiskFailed, NotFound, SpoolDamaged, WrongState
from gateway.model import Capture, DeliveryState, Exam
from gateway.spool.files import Files
from gateway.spool.objects import Objects
from gateway.spool.queue.deliveries import AFTER_REBUILD
from gateway.spool.recovery.captures import recover_captures
from gateway.spool.recovery.seals import adopt_seals
from gateway.spool.spool import Spool
from tests.unit.spool.values import add_frames, begin_clip, index_unwritable, seal, sealed, store, subject


@pytest.fixture
def exam(spool: Spool) -> Exam:
    return spool.exams.open(subject())[0]


def test_a_sealed_object_is_queued_once_for_every_destination(spool: Spool, exam: Exam) -> None:
    capture = store(spool, exam, 1)
    made = seal(spool, capture, ("pacs", "cloud"))
    assert spool.objects.get(made.sop_instance_uid) == made
    assert spool.objects.of_capture(capture.sop_instance_uid) == made
    assert spool.objects.of_exam(exam.id) == [made]
    assert [d.destination for d in spool.deliveries.list()] == ["pacs", "cloud"]
    assert {d.state for d in spool.deliveries.list()} == {DeliveryState.QUEUED}
    assert spool.objects.path(made).read_bytes().startswith(b"DICM")
    assert not spool.layout.media(exam.id, capture.media).exists()
    spool.objects.put_row(made, ("pacs", "cloud", "new"))
    assert [d.destination for d in spool.deliveries.list()] == ["pacs", "cloud", "new"]


def test_an_object_nobody_made_is_not_found(spool: Spool) -> None:
    assert spool.objects.of_capture("1.2") is None
    with pytest.raises(NotFound):
        spool.objects.get("1.2")


def test_a_sealed_file_is_never_written_again(spool: Spool, exam: Exam) -> None:
    capture = store(spool, exam, 1)
    made = seal(spool, capture)
    content = spool.objects.path(made).read_bytes()
    with pytest.raises(WrongState):
        spool.objects.write(exam.id, made.sop_instance_uid, [b"another"])
    assert spool.objects.path(made).read_bytes() == content


def test_a_file_that_was_not_sealed_yet_is_written_anew(spool: Spool, exam: Exam) -> None:
    capture = store(spool, exam, 1)
    spool.objects.write(exam.id, capture.sop_instance_uid, [b"before the restart"])
    spool.objects.write(exam.id, capture.sop_instance_uid, [b"after it"])
    assert spool.layout.object(exam.id, capture.sop_instance_uid).read_bytes() == b"after it"


class Forgetful(Files):
    """A disk that stores another byte than it was given."""

    def _write(self, fd: int, data: bytes | memoryview) -> None:
        super()._write(fd, bytes([data[0] ^ 1]) + bytes(data[1:]))


def test_a_file_that_reads_back_differently_is_not_sealed(spool: Spool, opened: Callable[..., Spool]) -> None:
    exam, _ = spool.exams.open(subject())
    with pytest.raises(SpoolDamaged):
        opened(files=Forgetful()).objects.write(exam.id, "1.2", [b"DICM"])


def test_a_seal_whose_row_cannot_be_written_is_taken_back_and_made_later(spool: Spool, exam: Exam) -> None:
    capture = store(spool, exam, 1)
    with index_unwritable(spool), pytest.raises(DiskFailed):
        seal(spool, capture)
    assert spool.layout.media(exam.id, capture.media).exists()
    assert seal(spool, capture) in spool.objects.of_exam(exam.id)


def test_a_cut_between_seal_and_row_is_made_good(spool: Spool, exam: Exam) -> None:
    capture = store(spool, exam, 1)
    made = seal(spool, capture)
    forget(spool)
    adopt_seals(spool, ("pacs",))
    assert spool.objects.of_capture(capture.sop_instance_uid) == made
    assert [d.state for d in spool.deliveries.list()] == [DeliveryState.QUEUED]
    adopt_seals(spool, ("pacs", "new"))
    assert len(spool.deliveries.list()) == 1


@pytest.mark.parametrize("damaged", [b"", b"\0" * 200, None])
def test_a_damaged_seal_keeps_nobody_from_starting(spool: Spool, exam: Exam, damaged: bytes | None) -> None:
    broken, whole = store(spool, exam, 1), store(spool, exam, 2)
    seal(spool, broken)
    seal(spool, whole)
    forget(spool)
    path = spool.layout.seal(exam.id, broken.sop_instance_uid)
    if damaged is None:
        path.unlink()
        path.symlink_to("/proc/self/mem")  # reading its first byte is EIO, as of a bad sector
    else:
        path.write_bytes(damaged)
    adopt_seals(spool, ("pacs",))
    assert [made.capture for made in spool.objects.of_exam(exam.id)] == [whole.sop_instance_uid]


def test_media_that_a_cut_left_beside_its_sealed_object_goes_at_the_next_start(spool: Spool, exam: Exam) -> None:
    capture = store(spool, exam, 1)
    media = spool.layout.media(exam.id, capture.media)
    content = media.read_bytes()
    seal(spool, capture)
    media.write_bytes(content)
    adopt_seals(spool, ("pacs",))
    assert not media.exists()


def test_media_stays_when_its_sealed_object_is_damaged(spool: Spool, exam: Exam) -> None:
    capture = store(spool, exam, 1)
    media = spool.layout.media(exam.id, capture.media)
    content = media.read_bytes()
    made = seal(spool, capture)
    media.write_bytes(content)
    spool.objects.path(made).write_bytes(b"DICM torn")
    adopt_seals(spool, ("pacs",))
    assert media.read_bytes() == content


def test_both_files_of_a_clip_go_with_its_media_and_a_cut_between_them_is_made_good(
    spool: Spool, exam: Exam
) -> None:
    writer = begin_clip(spool, exam, 1)
    add_frames(writer, 2)
    capture = writer.close()
    spool.captures.write_sidecar(capture)
    spool.captures.put_row(capture)
    content = b"DICM clip"
    spool.objects.write(exam.id, capture.sop_instance_uid, [content])
    spool.objects.seal(sealed(capture, content, clock=spool.clock), ("pacs",))
    spool.files.remove(spool.layout.media(exam.id, capture.media))  # the cut came here
    recover_captures(spool)
    adopt_seals(spool, ("pacs",))
    left = {path.name.removeprefix(capture.sop_instance_uid) for path in spool.layout.exam(exam.id).iterdir()}
    assert left == {".json", ".dcm", ".seal", "exam.json", ".lock"}


def checked(spool: Spool, exam: Exam) -> list[str]:
    """What `sha256sum -c` says of an exam's folder, as a person without this product would ask it."""
    done = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"],
        cwd=spool.layout.exam(exam.id),
        capture_output=True,
        text=True,
        check=False,
        env={"LC_ALL": "C", "PATH": os.environ["PATH"]},
    )
    return sorted(done.stdout.splitlines())


def test_sealed_objects_can_be_checked_without_this_product(spool: Spool, exam: Exam) -> None:
    made = [seal(spool, store(spool, exam, number)) for number in (1, 2, 3)]
    list_all(spool)
    assert checked(spool, exam) == sorted(f"{each.sop_instance_uid}.dcm: OK" for each in made)
    victim = spool.objects.path(made[1])
    victim.write_bytes(victim.read_bytes()[:-1] + b"x")
    assert f"{made[1].sop_instance_uid}.dcm: FAILED" in checked(spool, exam)


def list_all(spool: Spool) -> list[str]:
    """Write what is to be written, as the wrapper does when nothing is left to seal; return the exams."""
    exams = spool.objects.unlisted(10)
    for exam in exams:
        spool.objects.write_sums(exam)
    return exams


def test_the_list_of_digests_survives_starts_and_is_made_anew_with_the_index(
    spool: Spool, exam: Exam, reopened: Callable[..., Spool]
) -> None:
    made = seal(spool, store(spool, exam, 1))
    assert list_all(spool) == [exam.id]
    assert list_all(spool) == [], "written once"
    good = [f"{made.sop_instance_uid}.dcm: OK"]
    recover_captures(spool)
    assert checked(spool, exam) == good
    for lose_index in (False, True):
        spool.layout.sums(exam.id).unlink()
        forget(spool)
        spool = reopened(lose_index=lose_index)
        adopt_seals(spool, ("pacs",))
        assert list_all(spool) == [exam.id]
        assert checked(spool, exam) == good


def test_a_list_that_could_not_be_written_is_written_later(spool: Spool, exam: Exam) -> None:
    seal(spool, store(spool, exam, 1))
    with index_unwritable(spool), pytest.raises(DiskFailed):
        list_all(spool)
    assert list_all(spool) == [exam.id]
    seal(spool, store(spool, exam, 2))
    assert list_all(spool) == [exam.id]
    assert len(checked(spool, exam)) == 2


class LettingGo(Files):
    """Lets a capture go, as another thread does, in the moment in which an exam's list of digests is written."""

    def __init__(self, spool: Spool, capture: Capture) -> None:
        super().__init__()
        self._spool, self._capture = spool, capture
        self.thread = threading.Thread(target=self._let_go)

    def write_all(self, contents: Sequence[tuple[Path, Iterable[bytes]]], *, picture: bool = False) -> None:
        if self.thread.ident is None:
            self.thread.start()
            self.thread.join(0.1)  # it waits for the list, or has its whole turn in the middle of it
        super().write_all(contents, picture=picture)

    def _let_go(self) -> None:
        exam, uid = self._capture.exam, self._capture.sop_instance_uid
        self._spool.layout.purged(exam, uid).write_bytes(b"{}")
        self._spool.objects.unlist(exam, uid)


def test_the_list_of_digests_follows_a_picture_that_is_let_go_while_it_is_written(spool: Spool, exam: Exam) -> None:
    kept, gone = store(spool, exam, 1), store(spool, exam, 2)
    seal(spool, kept)
    seal(spool, gone)
    files = LettingGo(spool, gone)
    other = Objects(layout=spool.layout, files=files, database=spool.database, clock=spool.clock)
    other.write_sums(exam.id)
    files.thread.join(10)
    list_all(spool)
    assert checked(spool, exam) == [f"{kept.sop_instance_uid}.dcm: OK"]


def test_an_exam_whose_folder_somebody_removed_stops_nobody(spool: Spool, exam: Exam) -> None:
    seal(spool, store(spool, exam, 1))
    shutil.rmtree(spool.layout.exam(exam.id))
    assert list_all(spool) == [exam.id]
    assert list_all(spool) == []


def test_after_a_lost_index_nothing_sealed_is_sent_again_unasked(
    spool: Spool, exam: Exam, reopened: Callable[..., Spool]
) -> None:
    made = seal(spool, store(spool, exam, 1))
    spool.exams.finish(exam.id)
    spool.exams.release(exam.id)
    rebuilt = reopened(lose_index=True, destinations=("pacs", "cloud"))
    adopt_seals(rebuilt, ("pacs", "cloud"))
    held = rebuilt.deliveries.list()
    assert [(d.destination, d.state, d.code) for d in held] == [
        ("pacs", DeliveryState.HELD, AFTER_REBUILD),
        ("cloud", DeliveryState.HELD, AFTER_REBUILD),
    ]
    assert rebuilt.captures.unsealed() == []
    assert rebuilt.objects.of_exam(exam.id) == [made]
    assert rebuilt.deliveries.release_all(AFTER_REBUILD) == 2
    assert {(d.state, d.code, d.reason) for d in rebuilt.deliveries.list()} == {(DeliveryState.QUEUED, "", "")}


def forget(spool: Spool) -> None:
    """Remove the rows of all objects, as if a cut had come before they were written."""
    with spool.database.write() as connection:
        connection.execute("DELETE FROM delivery")
        connection.execute("DELETE FROM object")
