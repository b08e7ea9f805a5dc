"""Exams: exam.json under the exam's lock first, then the row. Opening, ending, assigning, confirming."""

import builtins
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from gateway.clock import Clock, Moment
from gateway.errors import ClipRecording, ExamOpen, NotFound, RequestReused, SpoolError, WrongState
from gateway.model import (
    WRONG_ENTRY,
    Exam,
    ExamState,
    FurtherOrder,
    Identity,
    Patient,
    PleaseCheck,
    Procedure,
    RequestStamp,
    Series,
)
from gateway.spool import performed, records, states
from gateway.spool.database import Database
from gateway.spool.files import Files, locked
from gateway.spool.paths import DAMAGED, Layout
from gateway.spool.releases import refuse_begun
from gateway.spool.states import Owner

_ID_DIGITS = 10
_UNDER_WAY = frozenset({ExamState.OPEN, ExamState.FINISHED})
_RELEASED = "This exam was released already: its pictures may have left the box."


@dataclass(frozen=True, kw_only=True, slots=True)
class Further:
    """One more worklist entry that an exam is for: of the same patient, done in the same go."""

    procedure: Procedure
    character_set: str
    worklist_item: str
    answer: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """Whom and what an exam is about: a worklist item, typed words, or nobody yet."""

    identity: Identity
    patient: Patient
    procedure: Procedure = field(default_factory=Procedure)
    study_instance_uid: str = ""  # "" = mint one, once per `study_key`
    study_key: str = ""
    server: str = ""
    character_set: str = ""
    worklist_item: str = ""
    answer: bytes | None = None  # the order file
    further: tuple[Further, ...] = ()  # the other entries of a grouped exam


class Exams:
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

    def list(self, *, limit: int = 200, states_wanted: tuple[ExamState, ...] = ()) -> builtins.list[Exam]:
        """Return exams, the one opened last first."""
        wanted = states_wanted or tuple(ExamState)
        marks = ", ".join("?" * len(wanted))
        with self._database.read() as connection:
            rows = connection.execute(
                f"SELECT document FROM exam WHERE state IN ({marks}) ORDER BY opened_at DESC, id LIMIT ?",  # noqa: S608 - marks only
                (*wanted, limit),
            ).fetchall()
        return [records.load(Exam, row["document"]) for row in rows]

    def order(self, exam: Exam) -> bytes | None:
        """Return the worklist answer this exam was opened with or assigned to, as received."""
        return self._layout.media(exam.id, exam.order).read_bytes() if exam.order else None

    def further_orders(self, exam: Exam) -> tuple[bytes, ...]:
        """Return the worklist answers of a grouped exam after the first."""
        return tuple(self._layout.media(exam.id, order.file).read_bytes() for order in exam.further)

    # --- changing -----------------------------------------------------------------------------------------

    def open(
        self, subject: Subject, *, request: RequestStamp | None = None, close_open: bool = False
    ) -> tuple[Exam, bool]:
        """Open an exam durably and return it and whether it is new.

        Raises ExamOpen, ClipRecording when `close_open` meets a running clip, RequestReused.
        """
        with locked(self._layout.opening_lock):
            if request and (found := self._remembered(request)):
                return found, False
            previous = self.open_one()
            if previous and self.change(previous.id, lambda old: old).state is not ExamState.OPEN:
                previous = None  # its end was durable, but not its row
            if previous and not close_open:
                raise ExamOpen
            if previous:
                self.finish(previous.id, please_check=PleaseCheck.CLOSED_BY_NEXT)
            exam = self._create(subject, request)
        return exam, True

    def finish(self, exam: str, *, please_check: str = "", discontinued: str = "") -> Exam:
        """End an open exam. Raises ClipRecording, WrongState."""

        def end(old: Exam) -> Exam:
            states.check(states.EXAM, old.state, ExamState.FINISHED, Owner.PANEL)
            self._refuse_while_recording(exam)
            if old.released and discontinued == WRONG_ENTRY:
                raise WrongState(
                    "Pictures of this exam were released before: it cannot get another patient.",
                    action="Remove the pictures that are not this patient's, then finish the exam.",
                )
            now = self._clock.now()
            return replace(
                old,
                state=ExamState.FINISHED,
                ended=now,
                please_check=old.please_check or please_check,
                discontinued=discontinued,
                steps=performed.ended(old, now, discontinued=discontinued),
            )

        return self.change(exam, end)

    def ask_to_check(self, exam: str, why: PleaseCheck) -> Exam:
        """Mark an exam so that it does not leave before a person confirmed its patient."""
        return self.change(exam, lambda old: replace(old, please_check=old.please_check or why))

    def confirm(self, exam: str) -> Exam:
        """Note that a person looked at the patient of a "Please check" exam and said yes."""

        def confirmed(old: Exam) -> Exam:
            if old.state not in _UNDER_WAY:
                raise WrongState("This exam was released already.")
            if not old.please_check:
                return old
            shared, reason = old.please_check == PleaseCheck.STUDY_SHARED, _reason_left(old)
            if shared:
                refuse_begun(self._layout, exam)
            now = self._clock.now()
            other = shared or reason != old.discontinued
            return replace(
                old,
                please_check="",
                confirmed=now,
                steps=performed.instead(old, self._clock, now, discontinued=reason) if other else old.steps,
                # The archive would file both patients' pictures as one: theirs becomes a study of its own.
                study_instance_uid=self._clock.uid() if shared else old.study_instance_uid,
                study_key=f"own|{old.id}" if shared else old.study_key,
                discontinued=reason,
            )

        return self.change(exam, confirmed)

    def keep(self, exam: str, *, keep: bool) -> Exam:
        """Keep an exam's pictures on this box whoever else has them, or no longer."""
        return self.change(exam, lambda old: replace(old, keep=keep))

    def assign(self, exam: str, subject: Subject) -> Exam:
        """Give an exam that was not released another subject; a person did it, so nothing is left to check.

        Raises WrongState.
        """

        def assigned(old: Exam) -> Exam:
            if old.state not in _UNDER_WAY or old.released:
                raise WrongState(_RELEASED)
            refuse_begun(self._layout, exam)
            study = self._study(subject)
            shared = PleaseCheck.STUDY_SHARED if self._shared(study, subject.patient, exam) else ""
            fields = self._subject_fields(subject, exam, f"order-{old.revision + 1}")
            now, reason = self._clock.now(), _reason_left(old)
            return replace(
                old,
                **fields,  # type: ignore[arg-type]
                study_instance_uid=study,
                please_check=shared,
                confirmed=now,
                discontinued=reason,
                steps=performed.instead(old, self._clock, now, discontinued=reason),
            )

        with locked(self._layout.opening_lock):  # two exams of one order may not both mint its Study UID
            return self.change(exam, assigned)

    def release(self, exam: str, *, revision: int = 0) -> Exam:
        """Let a finished exam's captures become objects.

        Raises WrongState, also when it is to be checked, or is no more as it was at `revision` (0 = as it is).
        """

        def released(old: Exam) -> Exam:
            if old.please_check:
                raise WrongState("A person must confirm the patient of this exam first.")
            if revision not in {0, old.revision}:
                raise WrongState
            new = ExamState.DISCONTINUED if old.discontinued else ExamState.RELEASED
            states.check(states.EXAM, old.state, new, Owner.FORWARD)
            return replace(old, state=new, released=self._clock.now())

        return self.change(exam, released)

    def series_for(self, exam: str, source: str, family: str, step: str = "") -> Series:
        """Return the series of that source, family and step (UID), which begins with its first capture."""
        wanted = (source, family, step)

        def known(at: Exam) -> Series | None:
            return next((s for s in at.series if (s.source, s.family, s.step) == wanted), None)

        def added(old: Exam) -> Exam:
            if known(old):
                return old
            number = max((s.number for s in old.series), default=0) + 1
            uid = self._clock.uid()
            new = Series(source=source, family=family, number=number, series_instance_uid=uid, step=step)
            return replace(old, series=(*old.series, new))

        found = known(self.get(exam)) or known(self.change(exam, added))
        assert found
        return found

    def announce(self, exam: str, *, revision: int, servers: Sequence[str]) -> Exam:
        """Note to whom the exam's present step is announced, if the exam is still as it was at `revision`."""

        def announced(old: Exam) -> Exam:
            if old.revision != revision or not old.steps:
                return old
            return replace(old, steps=(*old.steps[:-1], replace(old.steps[-1], servers=tuple(servers))))

        return self.change(exam, announced)

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

    # --- inside -------------------------------------------------------------------------------------------

    def _create(self, subject: Subject, request: RequestStamp | None) -> Exam:
        exam_id = self._clock.token(_ID_DIGITS)
        self._files.make_folder(self._layout.exam(exam_id))
        now = self._clock.now()
        study = self._study(subject)
        shared = PleaseCheck.STUDY_SHARED if self._shared(study, subject.patient, exam_id) else ""
        exam = Exam(
            id=exam_id,
            revision=1,
            state=ExamState.OPEN,
            study_instance_uid=study,
            opened=now,
            timezone_minutes=int(now.offset.total_seconds()) // 60,
            please_check=shared,
            request=request,
            steps=performed.first(exam_id, self._clock, now),
            **self._subject_fields(subject, exam_id, "order"),  # type: ignore[arg-type]
        )
        self._files.write(self._layout.exam_json(exam_id), [records.dump(exam)])
        try:
            self.put_row(exam)
        except SpoolError:
            self._files.remove(self._layout.exam_json(exam_id))  # else the next start finds two open exams
            raise
        return exam

    def _subject_fields(self, subject: Subject, exam: str, stem: str) -> dict[str, object]:
        # Before exam.json names them, and never over older ones: an interrupted change leaves the old pair.
        order = f"{stem}.dcm" if subject.answer is not None else ""
        if subject.answer is not None:
            self._files.write(self._layout.media(exam, order), [subject.answer])
        further = tuple(
            FurtherOrder(
                file=f"{stem}-and-{number}.dcm",
                worklist_item=each.worklist_item,
                procedure=each.procedure,
                character_set=each.character_set,
            )
            for number, each in enumerate(subject.further, 2)
        )
        for named, each in zip(further, subject.further, strict=True):
            self._files.write(self._layout.media(exam, named.file), [each.answer])
        return {
            "identity": subject.identity,
            "patient": subject.patient,
            "procedure": subject.procedure,
            "study_id": subject.procedure.requested_procedure_id[:16] or exam,  # StudyID is an SH
            "study_key": subject.study_key,
            "server": subject.server,
            "character_set": subject.character_set,
            "worklist_item": subject.worklist_item,
            "order": order,
            "further": further,
        }

    def _study(self, subject: Subject) -> str:
        if subject.study_instance_uid:
            return subject.study_instance_uid
        if subject.study_key:
            for other in self._where("study_key", subject.study_key):
                if _same_patient(other.patient, subject.patient):
                    return other.study_instance_uid
        return self._clock.uid()

    def _shared(self, study: str, patient: Patient, exam: str) -> bool:
        others = (other for other in self._where("study_instance_uid", study) if other.id != exam)
        return any(not _same_patient(other.patient, patient) for other in others)

    def _where(self, column: str, value: str) -> builtins.list[Exam]:
        with self._database.read() as connection:
            rows = connection.execute(
                f"SELECT document FROM exam WHERE {column} = ? ORDER BY opened_at, id",  # noqa: S608 - fixed names
                (value,),
            ).fetchall()
        return [records.load(Exam, row["document"]) for row in rows]

    def _row_revision(self, exam: str) -> int:
        with self._database.read() as connection:
            row = connection.execute("SELECT revision FROM exam WHERE id = ?", (exam,)).fetchone()
        return 0 if row is None else int(row["revision"])

    def _remembered(self, request: RequestStamp) -> Exam | None:
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT document, request_digest FROM exam WHERE request_id = ?", (request.id,)
            ).fetchone()
        if row is None:
            return None
        if row["request_digest"] != request.digest:
            raise RequestReused
        return records.load(Exam, row["document"])

    def _refuse_while_recording(self, exam: str) -> None:
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT 1 FROM capture WHERE exam = ? AND state = 'recording' LIMIT 1", (exam,)
            ).fetchone()
        if row:
            raise ClipRecording


def _same_patient(one: Patient, other: Patient) -> bool:
    if one.id != other.id or (one.issuer and other.issuer and one.issuer != other.issuer):
        return False
    return bool(one.id) or (one.name, one.birth_date) == (other.name, other.birth_date)


def _reason_left(exam: Exam) -> str:
    """Return why an exam was discontinued once a person named its patient: a wrong entry is put right by that."""
    return "" if exam.discontinued == WRONG_ENTRY else exam.discontinued


def earlier_boot(exam: Exam, now: Moment) -> bool:
    """Say whether the box was restarted since a person last said whose exam this is."""
    return (exam.confirmed or exam.opened).boot_id != now.boot_id


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
