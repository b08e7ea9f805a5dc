"""What would be lost with an exam, and what forbids erasing it. Changes nothing."""

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from gateway.errors import ClipRecording, ExamOpen, WrongState
from gateway.model import DeliveryState, Exam, ExamState
from gateway.spool.disk.room import MB
from gateway.spool.paths import SIDECAR
from gateway.spool.queue import copies
from gateway.spool.queue.copies import ARRIVED, Copy
from gateway.spool.spool import Spool

MOST_OF_INDEX = 150 * MB  # which the panel writes anew in its memory (systemd/scopegate-panel.service)


@dataclass(frozen=True, kw_only=True, slots=True)
class Loss:
    """One exam as it would be erased. `pictures`: all of them, also what was removed or let go."""

    exam: Exam
    uids: frozenset[str]  # of its pictures, which are agreed to
    pictures: int
    unsent: int  # of these, to no required destination
    unproven: int  # of these, by no required destination; what is unsent too
    untold: (
        int  # messages about its procedure steps that wait for a person, or for a server that is configured no more
    )
    copies: tuple[Copy, ...]


def loss(spool: Spool, exam: str, required: Collection[str]) -> Loss:
    """Return what would be lost with an exam. Raises NotFound."""
    (found,) = each_loss(spool, [spool.exams.get(exam)], required)
    return found


def each_loss(spool: Spool, exams: Sequence[Exam], required: Collection[str]) -> list[Loss]:
    """Return what would be lost with each of these exams. Of one at a time all rows are in memory."""
    uids = {exam.id: pictures_of(spool, exam.id) for exam in exams}
    taken = copies.by_hand(spool.audit, uids)
    return [_loss(spool, exam, uids[exam.id], taken[exam.id], required) for exam in exams]


def pictures_of(spool: Spool, exam: str) -> frozenset[str]:
    """Return the UIDs of an exam's pictures; with those that are stored, and whose row waits for a full index."""
    listed = {each.capture.sop_instance_uid for each in spool.captures.of_exam(exam)}
    stored = {path.name.removesuffix(SIDECAR) for path in spool.layout.exam(exam).glob("*" + SIDECAR)}
    return frozenset(listed | stored - {"exam"})  # exam.json is none


def _loss(spool: Spool, exam: Exam, uids: frozenset[str], taken: Sequence[Copy], required: Collection[str]) -> Loss:
    own = {o.sop_instance_uid: o.capture for o in spool.objects.of_exam(exam.id) if not o.derived_from}
    deliveries = spool.deliveries.list(exam=exam.id, limit=1_000_000)
    before = copies.of_earlier_bearers(spool, exam.id)
    there = [d for d in deliveries if d.destination in required and d.state in ARRIVED and d.id not in before]
    sent = {own.get(d.sop_instance_uid, "") for d in there}
    proven = {own.get(d.sop_instance_uid, "") for d in there if d.state is DeliveryState.COMMITTED}
    configured = {d.destination for d in deliveries}  # which audit what they write, too
    return Loss(
        exam=exam,
        uids=uids,
        pictures=len(uids),
        unsent=len(uids - sent),
        unproven=len(uids - proven),
        untold=_untold(spool, exam.id),
        copies=(
            *copies.delivered([d for d in deliveries if d.id not in before]),
            *copies.delivered([d for d in deliveries if d.id in before], replaced=True),
            *(copy for copy in taken if copy.fetched or copy.where not in configured),
        ),
    )


def losses(
    spool: Spool, exams: Sequence[str], *, required: Collection[str], servers: Collection[str]
) -> list[Loss]:
    """Return what would be lost with each exam. Raises NotFound, and what forbids erasing one of them now."""
    found = each_loss(spool, [spool.exams.get(exam) for exam in exams], required)
    with spool.database.read() as connection:
        for exam in exams:
            refuse(connection, exam, servers)
    return found


def refuse(connection: sqlite3.Connection, exam: str, servers: Collection[str]) -> None:
    """Raise what forbids erasing this exam at this moment; within a transaction nothing of it changes.

    `servers`: those of procedure steps that are configured.
    """
    row = connection.execute("SELECT state FROM exam WHERE id = ?", (exam,)).fetchone()
    if row is not None and row["state"] == ExamState.OPEN:
        raise still_open()
    if _any(connection, "SELECT 1 FROM capture WHERE exam = ? AND state = 'recording'", exam):
        raise ClipRecording
    if _any(connection, "SELECT 1 FROM delivery WHERE exam = ? AND state = 'sending'", exam):
        raise WrongState("A picture of this exam is being sent at this moment.", action="Try again in a minute.")
    if _any(connection, f"SELECT 1 FROM request WHERE state IN ('waiting', 'running') AND {MENTIONS}", exam):  # noqa: S608 - fixed words
        raise WrongState(
            "This exam is being written to a medium, or looked for in an archive, at this moment.",
            action="Try again in a minute.",
        )
    told = connection.execute(
        "SELECT DISTINCT server FROM step_message WHERE exam = ? AND (state IN ('queued', 'sending') "
        "OR (kind = 'create' AND state = 'sent' AND ended = 0)) ORDER BY server",
        (exam,),
    ).fetchall()
    if waiting := [row["server"] for row in told if row["server"] in servers]:
        raise WrongState(
            f"The server {', '.join(waiting)} does not know how this exam ended: it would stay in progress there.",
            action="Confirm its patient if that is asked for, and wait until the server has answered; or take the "
            "server out of the configuration.",
        )


MENTIONS = "instr(arguments || answer, ?) > 0"  # of a row of the table `request`: the exam's number stands in it


def refuse_on_screen(spool: Spool) -> None:
    """Raise what forbids erasing anything from the panel at this moment, for the sake of everything else.

    The index is written anew meanwhile, in the memory of who erases: no clip can begin so long, and the panel has
    not so much of it.
    """
    if spool.exams.open_one():
        raise ExamOpen("An exam is open on this box.", action="Finish it first: nothing may be in its way.")
    if spool.layout.database.stat().st_size > MOST_OF_INDEX:
        raise WrongState("This box knows more pictures than its screen can erase from.", action="Call service.")


def still_open() -> WrongState:
    return WrongState("This exam is open.", action="Finish or discontinue it first.")


def _any(connection: sqlite3.Connection, query: str, exam: str) -> bool:
    return connection.execute(f"{query} LIMIT 1", (exam,)).fetchone() is not None


def _untold(spool: Spool, exam: str) -> int:
    with spool.database.read() as connection:
        (count,) = connection.execute(
            "SELECT count(*) FROM step_message WHERE exam = ? AND state IN ('queued', 'held')", (exam,)
        ).fetchone()
    return int(count)
