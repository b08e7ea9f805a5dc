"""The records of exams: exam.json under the exam's lock first, then its row. Not what they mean."""

import builtins
from collections.abc import Callable, Sequence
from dataclasses import replace

from gateway.clock import Clock
from gateway.errors import NotFound, RequestReused, SpoolError
from gateway.model import Exam, ExamState, Identity, PleaseCheck, RequestStamp
from gateway.spool import records
from gateway.spool.database import Database
from gateway.spool.files import Files, locked
from gateway.spool.paths import DAMAGED, Layout

# Of a query in the table `exam`: it is open, or has captures, removed or not. What was moved away is none.
NOT_EMPTY = "(state = 'open' OR EXISTS (SELECT 1 FROM capture WHERE capture.exam = exam.id))"


class ExamRecords:
    """The table `exam` and the exams' folders."""

    def __init__(self, *, layout: Layout, files: Files, database: Database, clock: Clock) -> None:
        self._layout = layout
        self._files = files
        self._database = database
        self._clock = clock

    # --- looking ------------------------------------------------------------------------------------------

    def get(self, exam: str) -> Exam:
        """Return the exam. Raises NotFound."""
        with self._database.read() as connection:
            row = connection.execute("SELECT document FROM exam WHERE id = ?", (exam,)).fetchone()
        if row is None:
            raise NotFound("There is no such exam.")
        return records.load(Exam, row["document"])

    def open_one(self) -> Exam | None:
        """Return the exam that is open, if any: there is at most one."""
        with self._database.read() as connection:
            row = connection.execute("SELECT document FROM exam WHERE state = 'open'").fetchone()
        return None if row is None else records.load(Exam, row["document"])

    def unquestioned(
        self, limit: int = 100, *, identities: Sequence[Identity] = tuple(Identity), but_not: str = ""
    ) -> builtins.list[Exam]:
        """Return finished exams whose patient nobody needs to check, the one opened first first.

        `identities`: only these; `but_not`: not those that were discontinued for this reason.
        """
        marks = ", ".join("?" * len(identities))
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT document FROM exam WHERE state = 'finished' AND please_check = '' AND "  # noqa: S608 - marks only
                f"(? = '' OR discontinued <> ?) AND identity IN ({marks}) ORDER BY opened_at LIMIT ?",
                (but_not, but_not, *identities, limit),
            ).fetchall()
        return [records.load(Exam, row["document"]) for row in rows]

    def list(
        self, *, limit: int = 200, states_wanted: tuple[ExamState, ...] = (), but_empty: bool = False
    ) -> builtins.list[Exam]:
        """Return exams, the one opened last first. `but_empty`: without those that ended with nothing in them."""
        wanted = states_wanted or tuple(ExamState)
        marks = ", ".join("?" * len(wanted))
        which = f"state IN ({marks})" + (f" AND {NOT_EMPTY}" if but_empty else "")
        with self._database.read() as connection:
            rows = connection.execute(
                f"SELECT document FROM exam WHERE {which} ORDER BY opened_at DESC, id LIMIT ?",  # noqa: S608 - marks only
                (*wanted, limit),
            ).fetchall()
        return [records.load(Exam, row["document"]) for row in rows]

    def count(self) -> int:
        """Return how many exams are on this box."""
        with self._database.read() as connection:
            return int(connection.execute("SELECT count(*) FROM exam").fetchone()[0])

    def order(self, exam: Exam) -> bytes | None:
        """Return the worklist answer this exam was opened with or assigned to, as received."""
        return self._layout.media(exam.id, exam.order).read_bytes() if exam.order else None

    def further_orders(self, exam: Exam) -> tuple[bytes, ...]:
        """Return the worklist answers of a grouped exam after the first."""
        return tuple(self._layout.media(exam.id, order.file).read_bytes() for order in exam.further)

    def where(self, column: str, value: str) -> builtins.list[Exam]:
        """Return the exams with this value in a column, the one opened first first."""
        with self._database.read() as connection:
            rows = connection.execute(
                f"SELECT document FROM exam WHERE {column} = ? ORDER BY opened_at, id",  # noqa: S608 - fixed names
                (value,),
            ).fetchall()
        return [records.load(Exam, row["document"]) for row in rows]

    def remembered(self, request: RequestStamp) -> Exam | None:
        """Return the exam that this request opened, if it did. Raises RequestReused."""
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT document, request_digest FROM exam WHERE request_id = ?", (request.id,)
            ).fetchone()
        if row is None:
            return None
        if row["request_digest"] != request.digest:
            raise RequestReused
        return records.load(Exam, row["document"])

    # --- changing -----------------------------------------------------------------------------------------

    def change(self, exam: str, how: Callable[[Exam], Exam], *, heal: bool = True) -> Exam:
        """Apply `how` to exam.json under the exam's lock, then to the row; the revision grows by one.

        A row that fell behind is brought up to date first, unless `heal` says that it cannot be. Raises NotFound,
        SpoolDamaged and what `how` raises.
        """
        if not self._layout.exam_json(exam).exists():
            raise NotFound("There is no such exam.")
        with locked(self._layout.exam_lock(exam)):
            old = records.load(Exam, self._layout.exam_json(exam).read_bytes())
            if heal and self._row_revision(exam) < old.revision:
                self.put_row(old)  # the index was full or busy when this was written
            new = how(old)
            if new == old:
                return old
            new = replace(new, revision=old.revision + 1)
            self._files.write(self._layout.exam_json(exam), [records.dump(new)])
            self.put_row(new)
        return new

    def restore(self, exam: str) -> None:
        """Write a lost or damaged exam.json anew from its row; a person checks the patient if they still can."""
        path = self._layout.exam_json(exam)
        with locked(self._layout.exam_lock(exam)):
            known = self.get(exam)
            waits = known.state in {ExamState.OPEN, ExamState.FINISHED}
            if path.exists():
                self._files.rename(path, path.with_name(path.name + DAMAGED))
            new = replace(
                known,
                revision=known.revision + 1,
                please_check=known.please_check or (PleaseCheck.REBOOT if waits else ""),
            )
            self._files.write(path, [records.dump(new)])
            self.put_row(new)

    def put_row(self, exam: Exam) -> None:
        """Write the row of what stands in exam.json; an older revision never replaces a newer one."""
        values = _row(exam)
        names = ", ".join(values)
        marks = ", ".join(f":{name}" for name in values)
        updates = ", ".join(f"{name} = excluded.{name}" for name in values if name != "id")
        with self._database.write() as connection:
            connection.execute(
                f"INSERT INTO exam ({names}) VALUES ({marks}) ON CONFLICT (id) DO UPDATE SET {updates} "  # noqa: S608 - fixed names
                "WHERE excluded.revision >= exam.revision",
                values,
            )

    def is_listed(self, exam: str, revision: int) -> bool:
        """Say whether the row came after all, of this revision or a newer one; False when that cannot be known."""
        try:
            return self._row_revision(exam) >= revision
        except SpoolError:
            return False

    def _row_revision(self, exam: str) -> int:
        with self._database.read() as connection:
            row = connection.execute("SELECT revision FROM exam WHERE id = ?", (exam,)).fetchone()
        return 0 if row is None else int(row["revision"])


def _row(exam: Exam) -> dict[str, str | int | None]:
    return {
        "id": exam.id,
        "revision": exam.revision,
        "state": exam.state,
        "please_check": exam.please_check,
        "identity": exam.identity,
        "discontinued": exam.discontinued,
        "study_instance_uid": exam.study_instance_uid,
        "study_key": exam.study_key,
        "opened_at": exam.opened.utc.isoformat(),
        "request_id": exam.request.id if exam.request else None,
        "request_digest": exam.request.digest if exam.request else None,
        "document": records.dump(exam).decode(),
    }
