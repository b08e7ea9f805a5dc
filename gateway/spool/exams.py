"""The life of an exam: opened, ended, assigned, confirmed, released. What is written of it: `exam_records`."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from gateway.clock import Moment
from gateway.errors import ClipRecording, ExamOpen, NotFound, SpoolDamaged, SpoolError, WrongState
from gateway.log import warn
from gateway.model import WRONG_ENTRY, Exam, ExamState, Patient, PleaseCheck, RequestStamp, Series
from gateway.spool import performed, questions, records, states
from gateway.spool.exam_records import ExamRecords
from gateway.spool.files import locked
from gateway.spool.releases import refuse_begun
from gateway.spool.states import Owner
from gateway.spool.subjects import Subject, same_patient

_log = logging.getLogger(__name__)
DOCUMENTS = 900  # SeriesNumber of the first series of lists and the like
_ID_DIGITS = 10
_UNDER_WAY = frozenset({ExamState.OPEN, ExamState.FINISHED})
_STILL_THERE = frozenset({PleaseCheck.IDLE, PleaseCheck.REBOOT})
_RELEASED = "This exam was released already: its pictures may have left the box."


class Exams(ExamRecords):
    """What may happen to an exam, and what must hold then."""

    def open(
        self,
        subject: Subject,
        *,
        request: RequestStamp | None = None,
        close_open: bool = False,
        operator: str = "",
        closed: Callable[[Exam], object] = lambda _: None,
    ) -> tuple[Exam, bool]:
        """Open an exam durably and return it and whether it is new.

        `operator`: who works at the box; `closed` is told the exam that was ended for it. Raises ExamOpen,
        ClipRecording when `close_open` meets a running clip, RequestReused.
        """
        with locked(self._layout.opening_lock):
            if request and (found := self.remembered(request)):
                return found, False
            previous = self._open_still()
            if previous and not close_open:
                raise ExamOpen
            if previous:
                closed(self.finish(previous.id, please_check=PleaseCheck.CLOSED_BY_NEXT))
            exam = self._create(subject, request, operator)
        return exam, True

    def finish(
        self,
        exam: str,
        *,
        please_check: str = "",
        discontinued: str = "",
        confirmed: bool = False,
        question: str = "",
        still: Callable[[Exam], bool] = lambda _: True,
    ) -> Exam:
        """End an open exam. Raises ClipRecording, WrongState, also when something else is asked than `question`.

        `confirmed`: a person who sees its patient and pictures says that they belong together. That answers whether
        the patient is still there, and no other question. Nor is it ended unless `still` is so, under its lock.
        """

        def end(old: Exam) -> Exam:
            states.check(states.EXAM, old.state, ExamState.FINISHED, Owner.PANEL)
            self._refuse_while_recording(exam)
            questions.refuse_another(old, question)
            if not still(old):
                raise WrongState
            if old.released and discontinued == WRONG_ENTRY:
                raise WrongState(
                    "Pictures of this exam were released before: it cannot get another patient.",
                    action="Remove the pictures that are not this patient's, then finish the exam.",
                )
            now = self._clock.now()
            answered = confirmed and old.please_check in _STILL_THERE
            return replace(
                old,
                state=ExamState.FINISHED,
                ended=now,
                please_check=questions.graver("" if answered else old.please_check, please_check),
                confirmed=now if answered else old.confirmed,
                discontinued=discontinued,
                steps=performed.ended(old, now, discontinued=discontinued),
            )

        return self.change(exam, end)

    def ask_to_check(self, exam: str, why: PleaseCheck) -> Exam:
        """Mark an open exam so that it does not leave before a person confirmed its patient; no other one."""

        def asked(old: Exam) -> Exam:
            return replace(old, please_check=old.please_check or why) if old.state is ExamState.OPEN else old

        return self.change(exam, asked)

    def confirm(self, exam: str, *, question: str = "") -> tuple[Exam, bool]:
        """Note that a person said yes to the patient of a "Please check" exam; return it and whether it was asked.

        Raises WrongState, also when something else is asked than `question` ("" = whatever is asked).
        """
        answered = False

        def confirmed(old: Exam) -> Exam:
            nonlocal answered
            if old.state not in _UNDER_WAY:
                raise WrongState("This exam was released already.")
            if not old.please_check:
                return old
            questions.refuse_another(old, question)
            shared, reason = old.please_check == PleaseCheck.STUDY_SHARED, _reason_left(old)
            if shared:
                refuse_begun(self._layout, exam)
            now = self._clock.now()
            other, answered = shared or reason != old.discontinued, True
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

        return self.change(exam, confirmed), answered

    def operated(self, exam: str, operator: str) -> Exam:
        """Note who does an open exam; its objects and steps name the last one who said so."""

        def noted(old: Exam) -> Exam:
            return replace(old, operator=operator) if old.state is ExamState.OPEN else old

        return self.change(exam, noted)

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

    def series_for(self, exam: str, source: str, family: str, step: str = "", *, first: int = 1) -> Series:
        """Return the series of that source, family and step (UID), which begins with its first object.

        `first`: the number from which series of its kind are counted: pictures from 1, documents from DOCUMENTS.
        """
        wanted = (source, family, step)

        def known(at: Exam) -> Series | None:
            return next((s for s in at.series if (s.source, s.family, s.step) == wanted), None)

        def added(old: Exam) -> Exam:
            if known(old):
                return old
            alike = [s.number for s in old.series if (s.number >= DOCUMENTS) == (first >= DOCUMENTS)]
            number = max(alike, default=first - 1) + 1
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

    # --- inside -------------------------------------------------------------------------------------------

    def _open_still(self) -> Exam | None:
        """Return the exam that is open, by its file: its end may be durable, but not in its row.

        A file that is gone is written anew from the row: nobody could end that exam, nor open another one.
        """
        listed = self.open_one()
        if listed is None:
            return None
        try:
            found = self.change(listed.id, lambda old: old)
        except (NotFound, SpoolDamaged) as error:
            if self._is_readable(listed.id):  # it is the index that is damaged
                raise
            warn(_log, "open_exam_restored", exam=listed.id, code=error.code)
            with suppress(FileExistsError):
                self._files.make_folder(self._layout.exam(listed.id))
            self.restore(listed.id)
            found = self.get(listed.id)
        return found if found.state is ExamState.OPEN else None

    def _is_readable(self, exam: str) -> bool:
        try:
            records.load(Exam, self._layout.exam_json(exam).read_bytes())
        except (SpoolDamaged, OSError):
            return False
        return True

    def _create(self, subject: Subject, request: RequestStamp | None, operator: str) -> Exam:
        exam_id = self._clock.token(_ID_DIGITS)
        self._files.make_folder(self._layout.exam(exam_id))
        now = self._clock.now()
        study = self._study(subject)
        shared = PleaseCheck.STUDY_SHARED if self._shared(study, subject.patient, exam_id) else ""
        try:
            exam = Exam(
                id=exam_id,
                revision=1,
                state=ExamState.OPEN,
                study_instance_uid=study,
                opened=now,
                timezone_minutes=int(now.offset.total_seconds()) // 60,
                please_check=shared,
                request=request,
                operator=operator,
                steps=performed.first(exam_id, self._clock, now),
                **self._subject_fields(subject, exam_id, "order"),  # type: ignore[arg-type]
            )
            self._files.write(self._layout.exam_json(exam_id), [records.dump(exam)])
            self.put_row(exam)
        except SpoolError:
            # Else the next start would find two open exams, and nobody the name that the order files hold.
            if not self.is_listed(exam_id, 1):
                orders = self._layout.exam(exam_id).glob("order*")
                self._files.remove(self._layout.exam_json(exam_id), *orders)
                raise
        return exam

    def _subject_fields(self, subject: Subject, exam: str, stem: str) -> dict[str, object]:
        # Before exam.json names them, and never over older ones: an interrupted change leaves the old pair.
        for name, answer in subject.answers(stem):
            self._files.write(self._layout.media(exam, name), [answer])
        return subject.fields(exam, stem)

    def _study(self, subject: Subject) -> str:
        if subject.study_instance_uid:
            return subject.study_instance_uid
        if subject.study_key:
            for other in self.where("study_key", subject.study_key):
                if same_patient(other.patient, subject.patient):
                    return other.study_instance_uid
        return self._clock.uid()

    def _shared(self, study: str, patient: Patient, exam: str) -> bool:
        others = (other for other in self.where("study_instance_uid", study) if other.id != exam)
        return any(not same_patient(other.patient, patient) for other in others)

    def _refuse_while_recording(self, exam: str) -> None:
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT 1 FROM capture WHERE exam = ? AND state = 'recording' LIMIT 1", (exam,)
            ).fetchone()
        if row:
            raise ClipRecording


def _reason_left(exam: Exam) -> str:
    """Return why an exam was discontinued once a person named its patient: a wrong entry is put right by that."""
    return "" if exam.discontinued == WRONG_ENTRY else exam.discontinued


def earlier_boot(exam: Exam, now: Moment) -> bool:
    """Say whether the box was restarted since a person last said whose exam this is."""
    return (exam.confirmed or exam.opened).boot_id != now.boot_id
