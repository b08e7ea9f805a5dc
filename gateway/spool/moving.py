"""Moves pictures that have not left to the exam that they are of: same bytes, same UID, a number of their new exam.

`<uid>.moved` in the old exam is the decision; it is durable before anything else is done, and stays, so that the
number is given to no other picture. Then the media gets a second name in the new exam, a sidecar of that exam
follows, the row, and last what is left in the old exam goes. Whatever was cut in between, the next start finishes.
"""

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from gateway.errors import BadValue, NotFound, SpoolDamaged, WrongState
from gateway.log import event, warn
from gateway.model import Capture, CaptureState, Exam, ExamState
from gateway.spool import records
from gateway.spool.captures import refuse_left
from gateway.spool.files import PART, locked
from gateway.spool.leaving import Moved, refuse_leaving
from gateway.spool.paths import DAMAGED, MOVED, SIDECAR
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)
_STAYS = (SIDECAR, MOVED, PART, DAMAGED)


def move(spool: Spool, exam: str, uids: Sequence[str], to: str, *, numbers: Sequence[int]) -> list[Capture]:
    """Move pictures to another exam that has not left either; return them as they are there, in press order.

    `numbers`: InstanceNumbers of the other exam that capture gave for them. Raises BadValue, NotFound, WrongState;
    nothing is moved then.
    """
    if exam == to or len(set(uids)) != len(uids) or not uids:
        raise BadValue("These pictures cannot be moved: name each once, and another exam than theirs.")
    with ExitStack() as stack:
        for each in sorted({exam, to}):
            spool.exams.get(each)  # a folder's lock tells nothing of an exam that never was
            stack.enter_context(locked(spool.layout.exam_lock(each)))
        if not spool.layout.exam(to).is_dir():  # erased while this waited; its row is the last to know
            raise NotFound("There is no such exam.")
        captures = _movable(spool, spool.exams.get(exam), uids, to)
        free = _numbers(spool, spool.exams.get(to), len(captures), numbers)
        for capture in captures:  # what the move left there that took the picture away
            if spool.layout.moved(to, capture.sop_instance_uid).exists():
                _clear(spool, to, capture.sop_instance_uid)
        utc = spool.clock.utc().isoformat()
        marks = [
            Moved(to=to, number=number, instance_number=capture.instance_number, utc=utc)
            for capture, number in zip(captures, free, strict=True)
        ]
        spool.files.write_all(
            [
                (spool.layout.moved(exam, capture.sop_instance_uid), [records.dump(mark)])
                for capture, mark in zip(captures, marks, strict=True)
            ]
        )
        for capture, mark in zip(captures, marks, strict=True):
            _carry(spool, exam, capture.sop_instance_uid, mark)
    return [spool.captures.get(capture.sop_instance_uid).capture for capture in captures]


def take_up(spool: Spool) -> None:
    """Finish what a cut interrupted; every process does so when it starts, before anybody looks."""
    marks = sorted(spool.layout.of_exams("*" + MOVED))
    if not marks:
        return
    with spool.database.read() as connection:
        listed = {tuple(row) for row in connection.execute("SELECT exam, sop_instance_uid FROM capture")}
    for path in marks:
        exam, uid = path.parent.name, path.name.removesuffix(MOVED)
        files = set(path.parent.glob(uid + ".*"))
        if path not in files or ((exam, uid) not in listed and files == {path}):
            continue  # it is settled, or a later move brought it back
        try:
            _take_up(spool, exam, uid, path)
        except (SpoolDamaged, NotFound) as error:
            warn(_log, "move_not_finished", exam=exam, uid=uid, code=error.code)


def _take_up(spool: Spool, exam: str, uid: str, path: Path) -> None:
    mark = _mark(path)
    if mark is None:
        return
    if not spool.layout.exam(mark.to).is_dir():  # erased since: the picture is where it was
        spool.files.remove(path)
        return
    with ExitStack() as stack:
        for each in sorted({exam, mark.to}):
            stack.enter_context(locked(spool.layout.exam_lock(each)))
        if _mark(path) != mark or not _is_left(spool, exam, uid, path):
            return  # who moved it was not cut: they went on, and somebody may have moved it further since
        _carry(spool, exam, uid, mark)
    event(_log, "move_finished", exam=exam, uid=uid, to=mark.to)


def _mark(path: Path) -> Moved | None:
    """Return what a mark says, None when it is gone: the picture came back. Raises SpoolDamaged."""
    try:
        return records.load(Moved, path.read_bytes())
    except FileNotFoundError:
        return None


def _is_left(spool: Spool, exam: str, uid: str, path: Path) -> bool:
    """Say whether anything of a picture with a mark is in its old exam still. Under that exam's lock only."""
    with spool.database.read() as connection:
        query = "SELECT 1 FROM capture WHERE exam = ? AND sop_instance_uid = ?"
        row = connection.execute(query, (exam, uid)).fetchone()
    return row is not None or set(path.parent.glob(uid + ".*")) != {path}


def _movable(spool: Spool, exam: Exam, uids: Sequence[str], to: str) -> list[Capture]:
    captures = [spool.captures.get(uid).capture for uid in uids]
    for capture in captures:
        if capture.exam != exam.id:
            raise NotFound("There is no such picture in this exam.")
        refuse_left(spool.layout, exam, capture)
        refuse_leaving(spool.layout, exam.id, capture.sop_instance_uid, but_to=to)
        if capture.state is not CaptureState.SAVED:
            raise WrongState("A picture that was removed cannot be moved.", action="Bring it back first.")
    return sorted(captures, key=lambda each: each.instance_number)


def _numbers(spool: Spool, exam: Exam, count: int, given: Sequence[int]) -> Sequence[int]:
    """Return the InstanceNumbers that were given, in their order. Raises WrongState."""
    if exam.state not in {ExamState.OPEN, ExamState.FINISHED}:
        raise WrongState("The other exam was released already: nothing can be moved into it.")
    used = {each.capture.instance_number for each in spool.captures.of_exam(exam.id)}
    if len(set(given) - used) != count:
        raise WrongState("The other exam changed at this moment: nothing was moved.", action="Try again.")
    return sorted(given)


def _carry(spool: Spool, exam: str, uid: str, mark: Moved) -> None:
    """Do what a mark says, from wherever it was left. Under the locks of both exams only."""
    layout = spool.layout
    there = _loaded(spool, mark.to, uid) or _as_of(spool, _record(spool, exam, uid), mark)
    for path in sorted(layout.exam(exam).glob(uid + ".*")):
        if path.suffix not in _STAYS:
            spool.files.link(path, layout.exam(mark.to) / path.name)
    if not layout.sidecar(mark.to, uid).exists():
        spool.files.remove(layout.moved(mark.to, uid))  # it came back: that mark would say that it is elsewhere
        spool.captures.write_sidecar(there)
    if not _set_row(spool, there):
        spool.captures.put_row(there)
        spool.sides.as_said(there)
        spool.key_images.obey(there.exam, uid)
    _clear(spool, exam, uid)


def _as_of(spool: Spool, capture: Capture, mark: Moved) -> Capture:
    """Return what is recorded in the new exam; the name of the patient that it is not of stays behind."""
    return replace(
        capture,
        exam=mark.to,
        instance_number=mark.number,
        patient=spool.exams.get(mark.to).patient,
        state=CaptureState.SAVED,
    )


def _record(spool: Spool, exam: str, uid: str) -> Capture:
    """Return what was recorded; its row says it as well when the disk does not."""
    return _loaded(spool, exam, uid) or spool.captures.get(uid).capture


def _loaded(spool: Spool, exam: str, uid: str) -> Capture | None:
    try:
        return records.load(Capture, spool.layout.sidecar(exam, uid).read_bytes())
    except FileNotFoundError:
        return None
    except (SpoolDamaged, OSError) as error:
        warn(_log, "sidecar_damaged", exam=exam, uid=uid, error=type(error).__name__)
        return None


def _set_row(spool: Spool, there: Capture) -> bool:
    with spool.database.write() as connection:
        return (
            connection.execute(
                "UPDATE capture SET exam = ?, instance_number = ?, document = ? WHERE sop_instance_uid = ?",
                (there.exam, there.instance_number, records.dump(there).decode(), there.sop_instance_uid),
            ).rowcount
            == 1
        )


def _clear(spool: Spool, exam: str, uid: str) -> None:
    """Remove what a picture that went left in its old exam, but for the mark: its sidecar first."""
    paths = [path for path in spool.layout.exam(exam).glob(uid + ".*") if path.suffix != MOVED]
    spool.files.remove(*sorted(paths, key=lambda path: path.suffix != SIDECAR))
