"""A process that starts puts right what cuts left, and nothing of what running ones do at that moment."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.model import CaptureState, Exam, Side
from gateway.spool import moving, sides
from gateway.spool.erasure import erasable, erasing
from gateway.spool.moving import move
from gateway.spool.recovery import captures as recovery
from gateway.spool.recovery.captures import reconcile_rejections, recover_captures
from gateway.spool.spool import Spool
from tests.unit.spool.values import ANNA, BORIS, seal, store, subject

Opened = Callable[..., Spool]


@pytest.fixture
def exams(spool: Spool) -> tuple[Exam, Exam]:
    """Anna's exam, which was closed by Boris's, which is open."""
    first, _ = spool.exams.open(subject(ANNA))
    second, _ = spool.exams.open(subject(BORIS), close_open=True)
    return spool.exams.get(first.id), second


def once(monkeypatch: pytest.MonkeyPatch, what: object, name: str, happens: Callable[[], object]) -> list[str]:
    """Let something happen before the first call of a function; return what tells that it was called."""
    real, called = getattr(what, name), []

    def wrapped(*words: object, **named: object) -> object:
        called.append(name)
        if len(called) == 1:
            happens()
        return real(*words, **named)

    monkeypatch.setattr(what, name, wrapped)
    return called


# --- moves ----------------------------------------------------------------------------------------------------


def test_a_picture_that_is_moved_back_stays_where_it_came_back_to(
    spool: Spool, exams: tuple[Exam, Exam], opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = exams
    uid = store(spool, old, 1).sop_instance_uid
    move(spool, old.id, [uid], new.id, numbers=[1])
    mark = spool.layout.moved(old.id, uid)
    starting = opened()
    once(monkeypatch, moving, "ExitStack", lambda: move(spool, new.id, [uid], old.id, numbers=[2]))
    moving._take_up(starting, old.id, uid, mark)
    assert spool.captures.get(uid).capture.exam == old.id
    assert spool.layout.sidecar(old.id, uid).exists()
    assert not spool.layout.sidecar(new.id, uid).exists()


def test_a_picture_that_was_moved_on_keeps_its_files(
    spool: Spool, exams: tuple[Exam, Exam], opened: Opened
) -> None:
    first, third = exams
    second, _ = spool.exams.open(subject(ANNA), close_open=True)
    uid = store(spool, first, 1).sop_instance_uid
    move(spool, first.id, [uid], second.id, numbers=[1])
    move(spool, second.id, [uid], third.id, numbers=[1])
    for exam in (first, second):
        mark = spool.layout.moved(exam.id, uid)
        moving._take_up(opened(), exam.id, uid, mark)
    listed = spool.captures.get(uid).capture
    assert listed.exam == third.id
    assert spool.layout.media(third.id, listed.media).exists()


def test_a_mark_that_goes_is_no_end(spool: Spool, exams: tuple[Exam, Exam], opened: Opened) -> None:
    old, new = exams
    uid = store(spool, old, 1).sop_instance_uid
    moving._take_up(opened(), old.id, uid, spool.layout.moved(old.id, uid))
    assert spool.captures.get(uid).capture.exam == old.id
    assert spool.exams.get(new.id)


# --- what capture looks after ---------------------------------------------------------------------------------


def test_a_picture_that_is_moved_is_not_taken_for_lost(
    spool: Spool, exams: tuple[Exam, Exam], opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = exams
    uid = store(spool, old, 1).sop_instance_uid
    starting = opened()
    once(monkeypatch, recovery, "_has_files", lambda: move(spool, old.id, [uid], new.id, numbers=[1]))
    recover_captures(starting)
    listed = spool.captures.get(uid)
    assert (listed.capture.exam, listed.problem_code) == (new.id, "")


def test_a_picture_that_is_sealed_is_not_taken_for_lost(
    spool: Spool, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    exam, _ = spool.exams.open(subject(ANNA))
    capture = store(spool, exam, 1)
    spool.exams.finish(exam.id)
    spool.exams.release(exam.id)
    starting = opened()
    assert once(monkeypatch, starting.captures, "get", lambda: seal(spool, capture)) == []
    recover_captures(starting)
    assert not spool.layout.media(exam.id, capture.media).exists()
    assert spool.captures.get(capture.sop_instance_uid).problem_code == ""


def test_a_record_that_is_moved_is_not_taken_for_damaged(
    spool: Spool, exams: tuple[Exam, Exam], opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = exams
    uid = store(spool, old, 1).sop_instance_uid
    adopt = recovery._adopt_sidecars

    def moved(starting: Spool, exam: str, names: set[str], known: set[str]) -> None:
        if exam == old.id:
            move(spool, old.id, [uid], new.id, numbers=[1])
        adopt(starting, exam, names, known)

    monkeypatch.setattr(recovery, "_adopt_sidecars", moved)
    recover_captures(opened())
    assert spool.captures.get(uid).capture.exam == new.id
    assert list(spool.layout.of_exams("*.damaged")) == []


@contextmanager
def start_before(
    monkeypatch: pytest.MonkeyPatch, starting: Spool, what: object, name: str, wanted: Callable[[Path], bool]
) -> Iterator[None]:
    """Let capture start before a file or folder gets this name: until it ends, or waits for what holds the lock."""
    waits = threading.Event()
    real, locked = getattr(what, name), recovery.locked
    start = threading.Thread(target=lambda: (recover_captures(starting), waits.set()))

    def waiting(path: Path) -> object:
        if threading.current_thread() is start:
            waits.set()
        return locked(path)

    def renamed(old: Path, new: Path) -> None:
        if wanted(new) and not start.ident:
            start.start()
            assert waits.wait(10)
            start.join(0.2)
        real(old, new)

    monkeypatch.setattr(recovery, "locked", waiting)
    monkeypatch.setattr(what, name, renamed)
    yield
    assert start.ident
    start.join(10)
    assert not start.is_alive()


def test_a_record_that_is_half_written_by_a_move_stays(
    spool: Spool, exams: tuple[Exam, Exam], opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = exams
    uid = store(spool, old, 1).sop_instance_uid
    record = spool.layout.sidecar(new.id, uid)
    with start_before(monkeypatch, opened(), spool.files, "_rename", lambda path: path == record):
        move(spool, old.id, [uid], new.id, numbers=[1])
    assert spool.captures.get(uid).capture.exam == new.id
    assert record.exists()


def test_what_the_audit_is_to_hear_of_an_erasing_stays(
    spool: Spool, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    exam, _ = spool.exams.open(subject(ANNA))
    store(spool, exam, 1)
    spool.exams.finish(exam.id)
    folder = spool.layout.erased(exam.id)
    with start_before(monkeypatch, opened(), spool.files, "rename", lambda path: path == folder):
        erasing.erase(spool, erasable.loss(spool, exam.id, ()), by="test", servers=())
    assert [line["exam"] for line in spool.audit.of_kinds("exam-erased")] == [exam.id]


def test_a_plan_of_key_stills_that_is_half_written_stays(
    spool: Spool, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    exam, _ = spool.exams.open(subject(ANNA))
    uid = store(spool, exam, 1).sop_instance_uid
    with start_before(monkeypatch, opened(), spool.files, "_rename", lambda path: "key-stills" in path.name):
        spool.key_stills.plan(exam.id, uid, 1, wanted=3, frames=(1, 2, 3))


# --- what was said --------------------------------------------------------------------------------------------


def test_a_side_that_is_said_at_that_moment_is_the_one(
    spool: Spool, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    exam, _ = spool.exams.open(subject(ANNA))
    uid = store(spool, exam, 1).sop_instance_uid
    starting = opened()
    spool.sides.say(uid, Side.LEFT)
    with spool.database.write() as connection:  # as a cut between file and row leaves it
        connection.execute("UPDATE capture SET side = ''")
    called = once(monkeypatch, sides, "locked", lambda: spool.sides.say(uid, Side.RIGHT))
    starting.sides.reconcile()
    assert called
    assert spool.captures.get(uid).capture.side is Side.RIGHT


def test_a_picture_that_was_moved_and_removed_there_stays_removed(
    spool: Spool, exams: tuple[Exam, Exam], opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = exams
    uid = store(spool, old, 1).sop_instance_uid
    spool.captures.reject(uid, "blurred")
    starting = opened()

    def removed_elsewhere() -> None:
        spool.captures.restore(uid)
        move(spool, old.id, [uid], new.id, numbers=[1])
        spool.captures.reject(uid, "blurred")

    called = once(monkeypatch, starting.captures, "obey_tombstone", removed_elsewhere)
    spool.layout.tombstone(old.id, uid).unlink()
    reconcile_rejections(starting)
    assert called
    assert spool.captures.get(uid).capture.state is CaptureState.REJECTED


def test_a_start_makes_no_key_image_of_what_a_person_says_is_none_any_more(
    spool: Spool, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    exam, _ = spool.exams.open(subject(ANNA))
    uid = store(spool, exam, 1).sop_instance_uid
    spool.key_images.mark(uid, key=True)
    starting = opened()
    with spool.database.write() as connection:  # as a cut between file and row leaves it
        connection.execute("UPDATE capture SET key_image = 0")
    said = threading.Thread(target=lambda: spool.key_images.mark(uid, key=False))
    set_row = starting.key_images._set_row

    def looked(exam: str, uid: str, *, key: bool) -> bool:
        said.start()
        said.join(timeout=0.5)  # it waits for its turn, after this one
        return set_row(exam, uid, key=key)

    monkeypatch.setattr(starting.key_images, "_set_row", looked)
    starting.key_images.reconcile()
    said.join()
    assert spool.captures.get(uid).key is False
    assert b"false" in spool.layout.key(exam.id, uid).read_bytes()


def test_one_lock_that_cannot_be_opened_keeps_no_box_from_starting(spool: Spool, opened: Opened) -> None:
    exam, _ = spool.exams.open(subject(ANNA))
    uid = store(spool, exam, 1).sop_instance_uid
    spool.key_images.mark(uid, key=True)
    with spool.database.write() as connection:  # as cuts between file and row leave it
        connection.execute("UPDATE capture SET key_image = 0")
    lock = spool.layout.exam_lock(exam.id)
    lock.unlink()
    lock.mkdir()
    recover_captures(opened())
    assert spool.captures.get(uid).problem_code == ""
