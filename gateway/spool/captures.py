"""Captures: sidecar first, then the row. Recording, saving, rejecting, restoring; never rewriting."""

import builtins
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from gateway.clock import Clock
from gateway.errors import NotFound, Purged, RequestReused, SpoolDamaged, WrongState
from gateway.model import Capture, CaptureState, Exam, ExamState, MediaKind, RequestStamp, Side
from gateway.spool import clips, marks, records, states
from gateway.spool.database import Database
from gateway.spool.disk.room import Typical
from gateway.spool.exams import Exams
from gateway.spool.files import PART, Files, Written, locked
from gateway.spool.leaving import refuse_leaving
from gateway.spool.paths import INDEX, MOVED, SIDECAR, Layout
from gateway.spool.releases import is_released, released_already
from gateway.spool.states import Owner

_RECENT = 40  # captures by which the size of the next ones is judged


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejection:
    """The content of a tombstone."""

    reason: str
    utc: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """A capture as the index knows it."""

    capture: Capture
    reason: str = ""
    problem_code: str = ""
    problem: str = ""
    purged: str = ""  # when its pictures were let go, UTC; "" = they are here
    key: bool = False  # a key image


@dataclass(frozen=True, kw_only=True, slots=True)
class _Numbered:
    """What a mark of a picture that was moved away says of its number here (gateway.spool.moving)."""

    instance_number: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Remembered:
    """What an earlier call with the same request id led to."""

    uid: str
    state: CaptureState


class Captures:
    """The table `capture` and the sidecars."""

    def __init__(self, *, layout: Layout, files: Files, database: Database, clock: Clock, exams: Exams) -> None:
        self._layout = layout
        self._files = files
        self._database = database
        self._clock = clock
        self._exams = exams

    # --- looking ------------------------------------------------------------------------------------------

    def get(self, uid: str) -> Listed:
        """Return the capture. Raises NotFound, also while it is being recorded."""
        found = self._select("sop_instance_uid = ? AND state <> 'recording'", (uid,))
        if not found:
            raise NotFound("There is no such capture.")
        return found[0]

    def of_exam(self, exam: str) -> builtins.list[Listed]:
        """Return an exam's captures in the order of their presses, without what is being recorded."""
        return self._select("exam = ? AND state <> 'recording' ORDER BY instance_number", (exam,))

    def unsealed(self, limit: int = 20, *, films: bool = False) -> builtins.list[Listed]:
        """Return saved captures that were released, alone or with their exam, and have no object yet.

        None with a problem that prevents one. `films`: only those that are to be encoded before, else only others.
        """
        return self._select(
            "state = 'saved' AND problem_code = '' AND sealed = 0 "
            "AND (coalesce(json_extract(document, '$.clip_as'), '') = 'h264') = ? "
            "AND (released = 1 "
            "OR (SELECT state FROM exam WHERE id = capture.exam) IN ('released', 'discontinued')) "
            "AND NOT EXISTS (SELECT 1 FROM object WHERE object.capture = capture.sop_instance_uid) "
            "ORDER BY exam, instance_number LIMIT ?",
            (films, limit),
        )

    def are_settled(self, exam: str, *, above: int, upto: int | None) -> bool:
        """Say whether of the captures with these numbers each has its object, or will not get one as things are."""
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT 1 FROM capture WHERE exam = ? AND instance_number > ? "
                "AND (? IS NULL OR instance_number <= ?) "
                "AND (state = 'recording' OR (state = 'saved' AND problem_code = '' AND sealed = 0 AND NOT EXISTS "
                "(SELECT 1 FROM object WHERE object.capture = capture.sop_instance_uid))) LIMIT 1",
                (exam, above, upto, upto),
            ).fetchone()
        return row is None

    def numbered(self, exam: str, *, above: int, upto: int | None) -> frozenset[str]:
        """Return the UIDs of an exam's captures with these numbers."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT sop_instance_uid FROM capture WHERE exam = ? AND instance_number > ? "
                "AND (? IS NULL OR instance_number <= ?)",
                (exam, above, upto, upto),
            )
            return frozenset(row["sop_instance_uid"] for row in rows)

    def remembered(self, request: RequestStamp) -> Remembered | None:
        """Return what this request stored, or began to record, before. Raises RequestReused."""
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT sop_instance_uid, state, request_digest FROM capture WHERE request_id = ?", (request.id,)
            ).fetchone()
        if row is None:
            return None
        if row["request_digest"] != request.digest:
            raise RequestReused
        return Remembered(uid=row["sop_instance_uid"], state=CaptureState(row["state"]))

    def highest_number(self, exam: str) -> int:
        """Return the highest InstanceNumber ever given in this exam, from its files and the index.

        A damaged record is passed over: its capture cannot become an object, and the next one must be stored.
        """
        with self._database.read() as connection:
            (highest,) = connection.execute(
                "SELECT coalesce(max(instance_number), 0) FROM capture WHERE exam = ?", (exam,)
            ).fetchone()
        return max([int(highest), self._exams.get(exam).numbered, *self._numbers(exam)])

    def typical(self) -> Typical:
        """Return how large the pictures stored last were."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT kind, avg(bytes), max(bytes), sum(bytes) / max(1.0, sum(ns) / 1e9) FROM (SELECT "
                "json_extract(document, '$.kind') AS kind, json_extract(document, '$.bytes') AS bytes, "
                "json_extract(document, '$.frame_times[#-1]') - json_extract(document, '$.frame_times[0]') AS ns "
                "FROM capture WHERE state <> 'recording' ORDER BY rowid DESC LIMIT ?) GROUP BY kind",
                (_RECENT,),
            ).fetchall()
        usual = Typical()
        sizes = {row[0]: [max(1, int(number)) for number in row[1:]] for row in rows}
        still, largest, _ = sizes.get(MediaKind.STILL, [usual.still, usual.largest_still, 0])
        _, _, second = sizes.get(MediaKind.CLIP, [0, 0, usual.clip_second])
        return Typical(still=still, largest_still=largest, clip_second=second)

    # --- recording ----------------------------------------------------------------------------------------

    def write_media(self, exam: str, name: str, chunks: Iterable[bytes]) -> Written:
        """Write a still's codestream durably."""
        return self._files.write(self._layout.media(exam, name), chunks, picture=True)

    def write_sidecar(self, capture: Capture) -> None:
        """Make a capture a fact: from here on it survives anything, with or without its row."""
        path = self._layout.sidecar(capture.exam, capture.sop_instance_uid)
        self._files.write(path, [records.dump(capture)])

    def put_row(self, capture: Capture, *, patience_ms: int = 10_000) -> None:
        """Write the row of what stands in the sidecar. Raises SpoolBusy after `patience_ms`."""
        with self._database.write(patience_ms=patience_ms) as connection:
            connection.execute(
                "INSERT INTO capture (sop_instance_uid, exam, state, instance_number, "
                "request_id, request_digest, side, document) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (sop_instance_uid) DO UPDATE SET state = excluded.state, side = excluded.side, "
                "document = excluded.document WHERE capture.state = 'recording'",
                _row(capture),
            )

    def begin_clip(self, capture: Capture) -> None:
        """Enter a clip that is being recorded; its exam cannot be finished until `put_row` or `forget_clip`."""
        with locked(self._layout.exam_lock(capture.exam)):
            if self._exams.get(capture.exam).state is not ExamState.OPEN:
                raise WrongState("The exam was finished at the same moment.")
            self.put_row(replace(capture, state=CaptureState.RECORDING))

    def forget_clip(self, uid: str) -> None:
        """Drop the row of a clip of which not one picture was recorded."""
        with self._database.write() as connection:
            connection.execute("DELETE FROM capture WHERE sop_instance_uid = ? AND state = 'recording'", (uid,))

    def recording(self) -> builtins.list[tuple[str, str]]:
        """Return (exam, UID) of every clip whose row says that it is being recorded."""
        with self._database.read() as connection:
            rows = connection.execute("SELECT exam, sop_instance_uid FROM capture WHERE state = 'recording'")
            return [(row["exam"], row["sop_instance_uid"]) for row in rows]

    # --- a person's doing ---------------------------------------------------------------------------------

    @contextmanager
    def at(self, uid: str) -> Iterator[Listed]:
        """Hold the lock of the exam in which a picture is, also when it was moved while somebody else held one.

        Raises NotFound.
        """
        while True:
            exam = self.get(uid).capture.exam
            with locked(self._layout.exam_lock(exam)):
                found = self.get(uid)
                if found.capture.exam == exam:
                    yield found
                    return

    def reject(self, uid: str, reason: str) -> Listed:
        """Take a picture out of its exam; it is kept, never sent. Raises WrongState after the release."""
        return self._move(uid, CaptureState.REJECTED, reason)

    def restore(self, uid: str) -> Listed:
        """Bring a rejected picture back. Raises WrongState after the release."""
        return self._move(uid, CaptureState.SAVED, "")

    def obey_tombstone(self, exam: str, uid: str) -> bool:
        """Make the row say what the tombstone, or its absence, says; True when it said something else."""
        with locked(self._layout.exam_lock(exam)):
            tombstone = self._layout.tombstone(exam, uid)
            if not tombstone.exists():
                return self._set_state(exam, uid, CaptureState.REJECTED, CaptureState.SAVED, "")
            try:
                reason = records.load(Rejection, tombstone.read_bytes()).reason
            except SpoolDamaged:
                reason = ""  # a person took it out; why is lost
            return self._set_state(exam, uid, CaptureState.SAVED, CaptureState.REJECTED, reason)

    def obey_mark(self, exam: str, uid: str) -> None:
        """Make the row say what the mark of a capture that was let go, or its absence, says."""
        mark = marks.read(self._layout.purged(exam, uid))
        with self._database.write() as connection:
            connection.execute(
                "UPDATE capture SET purged = ? WHERE sop_instance_uid = ?", (mark.utc if mark else "", uid)
            )

    def set_problem(self, uid: str, code: str, problem: str) -> None:
        """Note why no object can be made of this capture; an empty code lets it be tried again."""
        with self._database.write() as connection:
            connection.execute(
                "UPDATE capture SET problem_code = ?, problem = ? WHERE sop_instance_uid = ?", (code, problem, uid)
            )

    def clear_problems(self) -> int:
        """Let every capture without object be tried again, as a new version may succeed."""
        with self._database.write() as connection:
            return connection.execute(
                "UPDATE capture SET problem_code = '', problem = '' WHERE problem_code <> ''"
            ).rowcount

    # --- inside -------------------------------------------------------------------------------------------

    def _numbers(self, exam: str) -> Iterator[int]:
        folder = self._layout.exam(exam)
        for path in sorted(folder.glob("*" + SIDECAR)):
            if path.name != "exam.json":
                with suppress(SpoolDamaged):
                    yield records.load(Capture, path.read_bytes()).instance_number
        for path in sorted(folder.glob("*" + MOVED)):
            with suppress(SpoolDamaged):
                yield records.load(_Numbered, path.read_bytes()).instance_number
        for path in sorted((*folder.glob("*" + INDEX), *folder.glob("*" + INDEX + PART))):
            with suppress(SpoolDamaged, FileNotFoundError):
                yield clips.read_header(path).instance_number

    def _move(self, uid: str, new: CaptureState, reason: str) -> Listed:
        with self.at(uid) as old:
            exam = self._exams.get(old.capture.exam)
            refuse_left(self._layout, exam, old.capture)
            refuse_leaving(self._layout, exam.id, uid)
            if old.capture.state is new:
                return old
            if self._layout.purged(exam.id, uid).exists():
                raise Purged("This picture was removed from its exam, and the box let it go for good.")
            states.check(states.CAPTURE, old.capture.state, new, Owner.PANEL)
            self._mark(old.capture, new, reason)
            self._set_state(exam.id, uid, old.capture.state, new, reason)
        return self.get(uid)

    def _set_state(self, exam: str, uid: str, old: CaptureState, new: CaptureState, reason: str) -> bool:
        with self._database.write() as connection:
            changed = connection.execute(
                "UPDATE capture SET state = ?, reason = ? WHERE sop_instance_uid = ? AND exam = ? AND state = ?",
                (new, reason, uid, exam, old),
            ).rowcount
        return changed == 1

    def _mark(self, capture: Capture, new: CaptureState, reason: str) -> None:
        tombstone = self._layout.tombstone(capture.exam, capture.sop_instance_uid)
        if new is CaptureState.REJECTED:
            rejection = Rejection(reason=reason, utc=self._clock.utc().isoformat())
            self._files.write(tombstone, [records.dump(rejection)])
        else:
            self._files.remove(tombstone)

    def _select(self, where: str, values: tuple[str | int, ...]) -> builtins.list[Listed]:
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT document, state, side, reason, problem_code, problem, purged, key_image FROM capture "  # noqa: S608 - fixed
                f"WHERE {where}",
                values,
            ).fetchall()
        return [
            Listed(
                capture=replace(
                    records.load(Capture, row["document"]),
                    state=CaptureState(row["state"]),
                    side=Side(row["side"]),
                ),
                reason=row["reason"],
                problem_code=row["problem_code"],
                problem=row["problem"],
                purged=row["purged"],
                key=bool(row["key_image"]),
            )
            for row in rows
        ]


def was_released(exam: Exam, capture: Capture) -> bool:
    """Say whether this picture was let go before its exam was opened again."""
    return exam.released is not None and bool(exam.steps) and capture.instance_number <= exam.steps[-1].above


def refuse_left(layout: Layout, exam: Exam, capture: Capture) -> None:
    """Raise WrongState when nothing about this picture can change any more. Under the exam's lock only."""
    if has_left(layout, exam, capture):
        raise released_already()


def has_left(layout: Layout, exam: Exam, capture: Capture) -> bool:
    """Say whether nothing about this picture can change any more."""
    over = exam.state not in {ExamState.OPEN, ExamState.FINISHED} or was_released(exam, capture)
    return over or is_released(layout, capture.exam, capture.sop_instance_uid)


def _row(capture: Capture) -> tuple[str | int | None, ...]:
    return (
        capture.sop_instance_uid,
        capture.exam,
        capture.state,
        capture.instance_number,
        capture.request.id if capture.request else None,
        capture.request.digest if capture.request else None,
        capture.side,
        records.dump(capture).decode(),
    )
