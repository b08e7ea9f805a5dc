"""Letting pictures go: row, mark, audit line, then the files. Decides nothing; forward/keeping/retention.py does.

What remains of a capture is its sidecar, its seal and the mark `<uid>.purged`: that it was, and who has it now.
A cut before the mark leaves the picture, a cut after it leaves work for `take_up`.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from gateway.errors import NotFound, SpoolError
from gateway.log import event
from gateway.model import CaptureState, Delivery, DeliveryState, ExamState, MediaKind, SealedObject
from gateway.spool import marks, records
from gateway.spool.files import PART, still_there
from gateway.spool.marks import Mark, Proof
from gateway.spool.paths import DAMAGED, KEY, KEY_STILLS, MOVED, PURGED, RELEASED, SEAL, SIDE, SIDECAR, TOMBSTONE
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)
_REMAINS = (SIDECAR, SEAL, TOMBSTONE, RELEASED, PURGED, SIDE, KEY, MOVED, PART, DAMAGED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What decides whether a capture that is here may go. `deliveries`: those of each of its objects."""

    uid: str
    exam: str
    exam_state: ExamState
    keep: bool  # a person asked for the exam to be kept
    state: CaptureState
    settled_s: int
    settled_why: str
    deliveries: tuple[tuple[Delivery, ...], ...]
    of_derived: tuple[tuple[Delivery, ...], ...] = ()  # those of what was made of a clip
    elsewhere: frozenset[int] = frozenset()  # of `deliveries`, what only an archive got that bore the name before


class Purging:
    """The marks, and the columns of retention in the table `capture`. Only the forward process lets go."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool

    # --- looking ------------------------------------------------------------------------------------------

    def here(self, *, after: int, limit: int = 100) -> tuple[list[Facts], int]:
        """Return captures whose pictures are here, the oldest first, and where the next begin (0 = no more)."""
        with self._spool.database.read() as connection:
            rows = connection.execute(
                "SELECT capture.rowid AS place, sop_instance_uid, exam, capture.state AS state, settled_s, "
                "settled_why, "
                "exam.state AS exam_state, coalesce(json_extract(exam.document, '$.keep'), 0) AS keep "
                "FROM capture JOIN exam ON exam.id = capture.exam "
                "WHERE purged = '' AND capture.rowid > ? AND capture.state <> 'recording' "
                "ORDER BY capture.rowid LIMIT ?",
                (after, limit),
            ).fetchall()
        facts = [
            Facts(
                uid=row["sop_instance_uid"],
                exam=row["exam"],
                exam_state=ExamState(row["exam_state"]),
                keep=bool(row["keep"]),
                state=CaptureState(row["state"]),
                settled_s=row["settled_s"],
                settled_why=row["settled_why"],
                deliveries=self._of(self._spool.objects.made_of(row["sop_instance_uid"])),
                of_derived=self._of(self._derived(row["exam"], row["sop_instance_uid"])),
                elsewhere=self._elsewhere(row["sop_instance_uid"]),
            )
            for row in rows
        ]
        return facts, int(rows[-1]["place"]) if len(rows) == limit else 0

    def latest_s(self) -> int:
        """Return the highest box age that was written to a capture."""
        with self._spool.database.read() as connection:
            (found,) = connection.execute("SELECT coalesce(max(settled_s), 0) FROM capture").fetchone()
        return int(found)

    # --- changing -----------------------------------------------------------------------------------------

    def settle(self, changes: Sequence[tuple[str, str, int]]) -> None:
        """Note since when captures may go: (UID, why, box age in s); at most 200. An empty why: it may not."""
        with self._spool.database.write() as connection:
            connection.executemany(
                "UPDATE capture SET settled_why = ?, settled_s = ? WHERE sop_instance_uid = ? AND purged = ''",
                [(why, seconds, uid) for uid, why, seconds in changes],
            )

    def let_go(self, facts: Facts) -> bool:
        """Let a capture's pictures go; False when something about it changed meanwhile. Raises SpoolError."""
        now = self._spool.clock.utc().isoformat()
        if not self._claim(facts, now):
            return False
        known = [each for of_one in facts.deliveries for each in of_one]
        proofs = {(d.destination, d.proof) for d in known if d.proof and d.state is DeliveryState.COMMITTED}
        mark = Mark(
            utc=now,
            why=facts.settled_why,
            proofs=tuple(Proof(destination=name, proof=proof) for name, proof in sorted(proofs)),
        )
        try:
            with still_there():
                self._spool.files.write(self._spool.layout.purged(facts.exam, facts.uid), [records.dump(mark)])
        except SpoolError:
            with suppress(SpoolError):  # else the next start does it: there is no mark
                self._spool.captures.obey_mark(facts.exam, facts.uid)
            raise
        self._remove(facts.exam, facts.uid, mark)
        return True

    def take_up(self) -> None:
        """Finish what a cut left. Only the forward process may call this, before it lets anything go."""
        with self._spool.database.read() as connection:
            rows = connection.execute("SELECT exam, sop_instance_uid, purged <> '' FROM capture").fetchall()
        known = {(row[0], row[1]): bool(row[2]) for row in rows}
        found = {
            (path.parent.name, path.name.removesuffix(PURGED)) for path in self._spool.layout.of_exams("*" + PURGED)
        }
        with_pictures = self._with_pictures()
        for exam, uid in sorted(known):
            marked = (exam, uid) in found
            if marked != known[exam, uid]:
                with suppress(NotFound):  # the whole folder is gone
                    self._spool.captures.obey_mark(exam, uid)  # the cut came between its row and its mark
            mark = (
                marks.read(self._spool.layout.purged(exam, uid))
                if marked and (exam, uid) in with_pictures
                else None
            )
            if mark:
                self._remove(exam, uid, mark)

    def adopt(self, exam: str, uid: str) -> None:
        """Enter into a new index who has the pictures of a capture that was let go."""
        mark = marks.read(self._spool.layout.purged(exam, uid))
        for sealed in self._spool.objects.made_of(uid) if mark else ():
            for proof in mark.proofs if mark else ():
                self._spool.proofs.enter(sealed, proof.destination, proof.proof)

    # --- inside -------------------------------------------------------------------------------------------

    def _of(self, objects: Sequence[SealedObject]) -> tuple[tuple[Delivery, ...], ...]:
        return tuple(tuple(self._spool.deliveries.list(uid=sealed.sop_instance_uid)) for sealed in objects)

    def _derived(self, exam: str, uid: str) -> Sequence[SealedObject]:
        is_clip = self._spool.captures.get(uid).capture.kind is MediaKind.CLIP
        return self._spool.objects.derived_from(exam, uid) if is_clip else ()

    def _elsewhere(self, uid: str) -> frozenset[int]:
        with self._spool.database.read() as connection:
            rows = connection.execute(
                "SELECT delivery.id FROM object JOIN delivery USING (sop_instance_uid) "
                "JOIN destination ON destination.name = delivery.destination "
                "WHERE object.capture = ? AND delivery.sent_to <> destination.generation",
                (uid,),
            )
            return frozenset(row[0] for row in rows)

    def _claim(self, facts: Facts, now: str) -> bool:
        """Enter into the row that a capture goes, when it is still as it was seen."""
        seen = [delivery for of_one in (*facts.deliveries, *facts.of_derived) for delivery in of_one]
        with self._spool.database.write() as connection:
            moved = connection.execute(
                "SELECT count(*) FROM delivery JOIN object USING (sop_instance_uid) WHERE delivery.exam = ? "
                "AND (object.capture = ? OR json_extract(object.document, '$.derived_from') = ?)",
                (facts.exam, facts.uid, facts.uid),
            ).fetchone()[0] != len(seen) or any(
                connection.execute(
                    "SELECT 1 FROM delivery WHERE id = ? AND state = ? AND proof = ?", (d.id, d.state, d.proof)
                ).fetchone()
                is None
                for d in seen
            )
            if moved:
                return False
            return (
                connection.execute(
                    "UPDATE capture SET purged = ? WHERE sop_instance_uid = ? AND purged = '' AND state = ? "
                    "AND settled_why = ? AND EXISTS (SELECT 1 FROM exam WHERE id = capture.exam AND state = ? "
                    "AND NOT coalesce(json_extract(document, '$.keep'), 0))",
                    (now, facts.uid, facts.state, facts.settled_why, facts.exam_state),
                ).rowcount
                == 1
            )

    def _remove(self, exam: str, uid: str, mark: Mark) -> None:
        """Remove the files of a marked capture."""
        held_by = ", ".join(f"{each.destination} ({each.proof})" for each in mark.proofs)
        self._spool.audit.note(
            "capture-purged", by="forward", capture=uid, exam=exam, why=mark.why, held_by=held_by
        )
        self._spool.objects.unlist(exam, uid)
        for sealed in (*self._derived(exam, uid), *self._spool.objects.made_of(uid)):
            self._spool.files.remove(self._spool.objects.path(sealed))
        self._spool.objects.drop_media(self._spool.captures.get(uid).capture)
        event(_log, "capture_purged", exam=exam, uid=uid, why=mark.why)

    def _with_pictures(self) -> set[tuple[str, str]]:
        """Return (exam, UID) of every capture in the index of which a picture is on the disk."""
        with self._spool.database.read() as connection:
            rows = connection.execute("SELECT sop_instance_uid, capture FROM object").fetchall()
        of_object = {row[0]: row[1] for row in rows}
        files = (
            path
            for path in self._spool.layout.of_exams("*.*")
            if not path.name.endswith(_REMAINS) and KEY_STILLS not in path.name
        )
        pairs = ((path.parent.name, path.name.rpartition(".")[0]) for path in files)
        return {(exam, of_object.get(uid, uid)) for exam, uid in pairs}
