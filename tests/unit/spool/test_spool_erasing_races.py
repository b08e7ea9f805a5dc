"""What becomes of an erasing, and of what others do, when both happen at once or the disk fails in between."""

import errno
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.errors import DiskFailed, NotFound, WrongState
from gateway.model import DeliveryState, Exam
from gateway.spool import moving
from gateway.spool.erasure import erasable, erased, erasing
from gateway.spool.files import Files, locked
from gateway.spool.paths import ERASED, ERASURE
from gateway.spool.spool import Spool
from tests.unit.spool.test_spool_erasing import (
    CANARY,
    erase,
    is_open,
    marked,
    of_another,
    release,
    rows_of,
    with_everything,
    words_on_disk,
)
from tests.unit.spool.values import BORIS, codestream_of, still, store, subject

Opened = Callable[..., Spool]


class At(Files):
    """Does something once, at the first operation of that kind on a file or folder with that name."""

    def __init__(self) -> None:
        self._then: dict[tuple[str, str], Callable[[], None]] = {}

    def at(self, what: str, name: str, then: Callable[[], None]) -> None:
        self._then[what, name] = then

    def _mkdir(self, path: Path) -> None:
        super()._mkdir(path)
        self._come("mkdir", path)

    def _create(self, path: Path, *, keep: bool = False) -> int:
        self._come("create", path)
        return super()._create(path, keep=keep)

    def _unlink(self, path: Path) -> None:
        super()._unlink(path)
        self._come("unlink", path)

    def _sync_folder(self, path: Path) -> None:
        if list(path.glob(f"*{ERASED}")):
            self._come("mark", path)
        super()._sync_folder(path)

    def _come(self, what: str, path: Path) -> None:
        for name in (path.name, "*"):
            if then := self._then.pop((what, name), None):
                then()


# --- an exam that is opened at that moment -----------------------------------------------------------------------


def test_while_an_exam_is_open_that_was_opened_after_the_last_mark_the_index_is_not_written_anew(
    opened: Opened, root: Path
) -> None:
    files = At()
    spool, others = opened(files=files), opened()
    exam = with_everything(spool)

    def somebody_opens_one() -> None:
        others.exams.open(subject(BORIS))

    files.at("unlink", ERASURE, somebody_opens_one)
    assert not erase(spool, exam)  # else a clip that begins waits until it is written, or cannot begin
    (came,) = spool.exams.list()
    assert erased.unfinished(spool) == [exam.id]
    release(spool, came)
    opened()
    assert words_on_disk(root) == []
    assert erased.unfinished(spool) == []


def test_the_index_is_not_written_anew_under_an_exam_that_is_being_opened(opened: Opened) -> None:
    opens, erases = At(), At()
    spool, others = opened(files=erases), opened(files=opens)
    exam = of_another(spool)
    gone = threading.Event()
    clean: list[bool] = []
    erases.at("unlink", ERASURE, gone.set)
    eraser = threading.Thread(target=lambda: clean.append(erase(spool, exam)))

    def everything_is_gone() -> None:
        eraser.start()
        assert gone.wait(60)

    opens.at("mkdir", "*", everything_is_gone)
    others.exams.open(subject(CANARY))
    eraser.join()
    assert clean == [False]


def test_a_process_with_little_memory_leaves_the_index_to_the_others_when_it_starts(
    spool: Spool, opened: Opened, root: Path
) -> None:
    exam = with_everything(spool)
    spool.close()
    marked(spool, exam)
    small = opened(anew=False)
    assert small.exams.list() == []
    assert erased.unfinished(small) == [exam.id]
    opened()
    assert words_on_disk(root) == []
    assert erased.unfinished(small) == []


# --- pictures whose row was not written yet ----------------------------------------------------------------------


def stored_without_a_row(spool: Spool, exam: Exam, number: int) -> None:
    """Store a picture as where the index is full, or written anew: it was acknowledged, and its row follows."""
    capture = still(exam, number, clock=spool.clock)
    spool.captures.write_media(exam.id, capture.media, [codestream_of(capture.sop_instance_uid)])
    spool.captures.write_sidecar(capture)


def test_a_picture_whose_row_is_not_written_yet_counts_among_what_is_lost(spool: Spool) -> None:
    exam = is_open(spool)
    store(spool, exam, 1)
    stored_without_a_row(spool, exam, 2)
    spool.exams.finish(exam.id)
    loss = erasable.loss(spool, exam.id, ["pacs"])
    assert (loss.pictures, loss.unsent, loss.unproven) == (2, 2, 2)
    assert erase(spool, exam)
    assert [line["pictures"] for line in spool.audit.about(exam.id)] == [2]


def test_a_picture_that_was_stored_since_somebody_agreed_is_not_erased_though_no_row_tells_of_it(
    spool: Spool,
) -> None:
    exam = is_open(spool)
    store(spool, exam, 1)
    spool.exams.finish(exam.id)
    loss = erasable.loss(spool, exam.id, ["pacs"])
    stored_without_a_row(spool, exam, 2)
    with pytest.raises(WrongState, match="pictures of this exam have changed"):
        erasing.erase(spool, loss, by="panel", servers=())
    assert spool.layout.exam(exam.id).is_dir()


# --- a disk that fails in between --------------------------------------------------------------------------------


def fail(error: int = errno.EIO) -> None:
    raise OSError(error, "the disk fails")


def test_an_exam_that_has_its_mark_is_never_said_to_stay(opened: Opened) -> None:
    files = At()
    spool = opened(files=files)
    exam = of_another(spool)
    files.at("mark", "exams", fail)
    done = erasing.erase_each(spool, [erasable.loss(spool, exam.id, ["pacs"])], by="panel", servers=())
    assert not spool.layout.exam(exam.id).exists()
    assert done == erasing.Outcome(staying=(), clean=True)
    assert [line["what"] for line in spool.audit.about(exam.id)] == ["exam-erased"]


def test_an_exam_that_came_back_from_a_backup_beside_what_is_left_of_it_is_not_said_to_be_gone(
    spool: Spool,
) -> None:
    exam = of_another(spool)
    left = spool.layout.erased(exam.id)
    left.mkdir()
    (left / "a folder that somebody made").mkdir()
    done = erasing.erase_each(spool, [erasable.loss(spool, exam.id, ["pacs"])], by="panel", servers=())
    assert spool.layout.exam(exam.id).is_dir()
    assert [each.exam.id for each in done.staying] == [exam.id]
    assert not done.clean
    waiting = spool.deliveries.list(exam=exam.id, states_wanted=(DeliveryState.QUEUED,))
    assert len(waiting) == 1  # it leaves as before


def test_an_exam_that_came_back_from_a_backup_keeps_its_rows_while_traces_are_left_of_it(
    spool: Spool, opened: Opened
) -> None:
    exam, other = of_another(spool), of_another(spool)
    spool.layout.erased(exam.id).mkdir()  # an exam was open at each start since it was erased
    is_open(spool)
    before = rows_of(spool, exam.id)
    opened()
    erase(spool, other)
    assert rows_of(spool, exam.id) == before
    assert erased.unfinished(spool) == sorted([exam.id, other.id])


def test_what_became_of_each_exam_is_said_also_when_the_disk_turns_read_only_in_the_middle(
    opened: Opened,
) -> None:
    files = At()
    spool = opened(files=files)
    goes, stays = of_another(spool), of_another(spool)
    losses = [erasable.loss(spool, exam.id, ["pacs"]) for exam in (goes, stays)]

    def turn_read_only() -> None:
        with spool.database.read() as connection:
            connection.execute("PRAGMA query_only = ON")
        fail(errno.EROFS)

    files.at("create", f"{ERASURE}.part", lambda: files.at("create", f"{ERASURE}.part", turn_read_only))
    done = erasing.erase_each(spool, losses, by="panel", servers=())
    assert [(each.exam.id, type(each.why)) for each in done.staying] == [(stays.id, DiskFailed)]
    assert not done.clean
    assert erased.unfinished(spool) == [goes.id]


# --- pictures that are moved at that moment ----------------------------------------------------------------------


def finished(spool: Spool) -> Exam:
    return spool.exams.finish(spool.exams.open(subject(BORIS))[0].id)


def times_open(path: Path) -> int:
    return sum(each.resolve() == path.resolve() for each in Path("/proc/self/fd").iterdir())


def test_a_picture_that_was_to_go_into_an_exam_that_is_erased_stays_where_it_is_and_leaves_from_there(
    spool: Spool, opened: Opened
) -> None:
    here, to = sorted((finished(spool), finished(spool)), key=lambda each: each.id)  # in the order of their locks
    picture = store(spool, here, 1)
    lock = spool.layout.exam_lock(to.id)
    why: list[Exception] = []

    def move() -> None:
        try:
            moving.move(opened(), here.id, [picture.sop_instance_uid], to.id, numbers=[1])
        except NotFound as error:
            why.append(error)

    mover = threading.Thread(target=move)
    with locked(lock):
        mover.start()
        while times_open(lock) < 2:
            pass  # until it waits for the lock, too
        marked(spool, to)
    mover.join()
    assert len(why) == 1
    assert not spool.layout.moved(here.id, picture.sop_instance_uid).exists()  # with it nobody would send it
    assert spool.captures.get(picture.sop_instance_uid).capture.exam == here.id


def test_an_exam_out_of_which_a_picture_is_still_moved_stays_until_that_is_done(
    opened: Opened, reopened: Opened, spool: Spool
) -> None:
    files = At()
    moves = opened(files=files)
    here, to = finished(spool), finished(spool)
    uid = store(spool, here, 1).sop_instance_uid
    files.at("create", f"{uid}.json.part", fail)  # the disk fails when that it goes is durable already
    with pytest.raises(DiskFailed):
        moving.move(moves, here.id, [uid], to.id, numbers=[1])
    with pytest.raises(WrongState, match="being moved to another one"):
        erase(spool, here)
    again = reopened()
    assert again.captures.get(uid).capture.exam == to.id
    assert erase(again, here)
    assert again.captures.get(uid).capture.exam == to.id


def test_a_note_of_a_move_that_the_disk_damaged_keeps_no_exam_from_being_erased(spool: Spool) -> None:
    exam = finished(spool)
    uid = store(spool, exam, 1).sop_instance_uid
    spool.exams.release(exam.id)  # from now on nobody can move it once more
    spool.layout.moved(exam.id, uid).write_bytes(b"{")
    assert erase(spool, exam)
    assert spool.exams.list() == []
