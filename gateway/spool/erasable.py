"""What would be lost with an exam, where copies of it are, and what forbids erasing it. Changes nothing."""

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from gateway.errors import ClipRecording, ExamOpen, WrongState
from gateway.model import Delivery, DeliveryState, Exam, ExamState
from gateway.spool import records
from gateway.spool.room import MB
from gateway.spool.spool import Spool

MOST_OF_INDEX = 150 * MB  # which the panel writes anew in its memory (systemd/scopegate-panel.service)
_ARRIVED = (DeliveryState.SENT, DeliveryState.COMMITTED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Copy:
    """Objects of an exam at one other place. `perhaps`: a transfer began and nobody knows how it ended."""

    where: str
    objects: int
    proven: int = 0
    perhaps: int = 0
    replaced: bool = False  # another archive bears the name now


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
    found = spool.exams.get(exam)
    pictures = [listed.capture.sop_instance_uid for listed in spool.captures.of_exam(exam)]
    own = {each.sop_instance_uid: each.capture for each in spool.objects.of_exam(exam) if not each.derived_from}
    deliveries = spool.deliveries.list(exam=exam, limit=1_000_000)
    before = _of_earlier_bearers(spool, exam)
    there = [d for d in deliveries if d.destination in required and d.state in _ARRIVED and d.id not in before]
    sent = {own.get(d.sop_instance_uid, "") for d in there}
    proven = {own.get(d.sop_instance_uid, "") for d in there if d.state is DeliveryState.COMMITTED}
    return Loss(
        exam=found,
        uids=frozenset(pictures),
        pictures=len(pictures),
        unsent=sum(uid not in sent for uid in pictures),
        unproven=sum(uid not in proven for uid in pictures),
        untold=_untold(spool, exam),
        copies=(
            *_delivered([d for d in deliveries if d.id not in before]),
            *_delivered([d for d in deliveries if d.id in before], replaced=True),
            *_exported(spool, exam, {d.destination for d in deliveries}),
        ),
    )


def losses(
    spool: Spool, exams: Sequence[str], *, required: Collection[str], servers: Collection[str]
) -> list[Loss]:
    """Return what would be lost with each exam. Raises NotFound, and what forbids erasing one of them now."""
    found = [loss(spool, exam, required) for exam in exams]
    with spool.database.read() as connection:
        for exam in exams:
            refuse(connection, exam, servers)
    return found


def of_patient(spool: Spool, patient_id: str, issuer: str | None) -> list[Exam]:
    """Return every exam of the patient with exactly this ID; `issuer`: None = whatever it is."""
    with spool.database.read() as connection:
        rows = connection.execute(
            "SELECT document FROM exam WHERE json_extract(document, '$.patient.id') = ? ORDER BY opened_at, id",
            (patient_id,),
        ).fetchall()
    exams = (records.load(Exam, row["document"]) for row in rows)
    return [exam for exam in exams if issuer is None or exam.patient.issuer == issuer]


def named_in(spool: Spool, patient_id: str) -> list[str]:
    """Return other patients' exams with a picture whose record names this ID: it was taken under it."""
    with spool.database.read() as connection:
        rows = connection.execute(
            "SELECT DISTINCT exam.id FROM capture JOIN exam ON exam.id = capture.exam "
            "WHERE json_extract(capture.document, '$.patient.id') = ?1 "
            "AND json_extract(exam.document, '$.patient.id') <> ?1 ORDER BY exam.opened_at, exam.id",
            (patient_id,),
        ).fetchall()
    return [row["id"] for row in rows]


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


def _of_earlier_bearers(spool: Spool, exam: str) -> frozenset[int]:
    """Return the deliveries that another archive got, which bore the name before."""
    with spool.database.read() as connection:
        rows = connection.execute(
            "SELECT delivery.id FROM delivery JOIN destination ON destination.name = delivery.destination "
            "WHERE delivery.exam = ? AND delivery.state IN ('sent', 'committed') AND sent_to <> generation",
            (exam,),
        )
        return frozenset(row[0] for row in rows)


def _delivered(deliveries: Collection[Delivery], *, replaced: bool = False) -> Iterator[Copy]:
    for name in sorted({d.destination for d in deliveries}):
        there = [d for d in deliveries if d.destination == name]
        copy = Copy(
            where=name,
            objects=sum(d.state in _ARRIVED for d in there),
            proven=sum(d.state is DeliveryState.COMMITTED for d in there),
            perhaps=sum(d.in_doubt and d.state not in _ARRIVED for d in there),
            replaced=replaced,
        )
        if copy.objects or copy.perhaps:
            yield copy


def _exported(spool: Spool, exam: str, known: Collection[str]) -> Iterator[Copy]:
    """Yield the media that were written by hand: only the audit knows of them. `known`: destinations."""
    written: dict[str, int] = {}
    for line in spool.audit.about(exam):
        where, objects = line.get("to"), line.get("objects")
        if line.get("what") == "exported" and isinstance(where, str) and isinstance(objects, int):
            written[where] = max(objects, written.get(where, 0))
    yield from (Copy(where=where, objects=count) for where, count in written.items() if where not in known)
