"""Decides what is said of performed procedure steps, and when: at an exam's beginning, and when it is over.

Makes the messages and queues them; who sends is `step_sender`. Pictures never wait for any of it.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from gateway.config.settings import Source, Station
from gateway.dicom import procedure_step
from gateway.dicom.procedure_step import PerformedSeries
from gateway.errors import NotFound, ObjectError, ScopegateError, SpoolDamaged
from gateway.forward.making import key_objects
from gateway.forward.making.series_of import series_uid
from gateway.log import event, warn
from gateway.model import (
    KEY_OBJECTS,
    WRONG_ENTRY,
    Exam,
    ExamState,
    Identity,
    MessageKind,
    MessageState,
    Step,
    StepMessage,
)
from gateway.spool.exams import DOCUMENTS
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)
_OTHER = "OT"  # modality (PS3.3 C.7.3.1.1.1)
_OVER = frozenset({ExamState.RELEASED, ExamState.DISCONTINUED})


class Settled(Protocol):
    """Says whether it is known as what each clip of an exam leaves that was sealed and has such a number."""

    def __call__(self, exam: Exam, *, above: int, upto: int | None) -> bool: ...


class ProcedureSteps:
    """Queues messages for `servers` (names); without any it does nothing.

    What waits: the announcement of an exam whose patient a person must check or whose identity is temporary, unless
    `temporary` is "send": the same that keeps its pictures.
    """

    def __init__(
        self,
        *,
        spool: Spool,
        servers: Sequence[str],
        station: Station,
        sources: Sequence[Source],
        temporary: str,
        settled: Settled,
        listed: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """`listed`: says of an exam that its key images are listed, or cannot be."""
        self._spool = spool
        self._settled = settled
        self._listed = listed
        self._servers = tuple(servers)
        self._station = station
        self._modalities = tuple(source.modality for source in sources)
        self._temporary_goes = temporary == "send"
        self._stuck: set[str] = set()  # exams that cannot be announced before the next start

    def step(self) -> bool:
        """Announce the open exam and end what is over; say whether anything was queued. Raises SpoolError."""
        opened = self._spool.exams.open_one() if self._servers else None
        changed = opened is not None and opened.id not in self._stuck and self._announced(opened)
        for exam in self._spool.steps.under_way():
            changed |= self._conclude(exam)
        return changed

    def _announced(self, exam: Exam) -> bool:
        try:
            return self.announce(exam).revision != exam.revision
        except (SpoolDamaged, NotFound) as error:
            warn(_log, "step_not_announced", exam=exam.id, code=error.code)
            self._stuck.add(exam.id)
            return False

    def announce(self, exam: Exam) -> Exam:
        """Queue the beginning of an exam's present step, once; return the exam as it is then.

        Raises SpoolDamaged or NotFound when the exam's files cannot be read.
        """
        step = exam.steps[-1] if exam.steps else None
        if not self._servers or step is None or not self._may_leave(exam):
            return exam
        kind, uid = MessageKind.CREATE, step.sop_instance_uid
        if step.servers:
            if not self._spool.steps.of_step(uid, kind):  # a cut came between the file and the rows
                self._spool.steps.queue(exam, uid, kind, step.servers)
            return exam
        error = self._write_beginning(exam, step)
        announced = self._spool.exams.announce(exam.id, revision=exam.revision, servers=self._servers)
        present = announced.steps[-1]
        if present.sop_instance_uid != uid or not present.servers:
            return exam  # a person changed it at this moment: the next look sees what it is now
        self._queue(announced, present, kind, present.servers, error)
        event(_log, "step_announced", exam=exam.id, step=uid)
        return announced

    def _queue(
        self, exam: Exam, step: Step, kind: MessageKind, servers: Sequence[str], error: ScopegateError | None
    ) -> None:
        """Queue a message; one that cannot be said is held at once, so that somebody reads why."""
        self._spool.steps.queue(
            exam,
            step.sop_instance_uid,
            kind,
            servers,
            state=MessageState.HELD if error else MessageState.QUEUED,
            code=error.code if error else "",
            reason=f"{error.what} {error.action}" if error else "",
        )
        if error:
            warn(_log, "step_not_said", exam=exam.id, step=step.sop_instance_uid, kind=kind, code=error.code)

    # --- the beginning ------------------------------------------------------------------------------------

    def _may_leave(self, exam: Exam) -> bool:
        temporary = exam.identity is Identity.TEMPORARY and not self._temporary_goes
        return not (exam.please_check or temporary or exam.discontinued == WRONG_ENTRY)

    def _write_beginning(self, exam: Exam, step: Step) -> ScopegateError | None:
        """Write what is said; return why it cannot be said of this exam, which keeps nothing from its archive."""
        try:
            content = procedure_step.begun(
                exam,
                step,
                order=self._spool.exams.order(exam),
                further=self._spool.exams.further_orders(exam),
                station=self._station,
                modality=self._modality(exam),
            )
        except ObjectError as error:
            return error
        except OSError as error:
            return SpoolDamaged(f"The order of this exam cannot be read ({type(error).__name__}).")
        self._spool.steps.write(exam.id, step.sop_instance_uid, MessageKind.CREATE, content)
        return None

    def _modality(self, exam: Exam) -> str:
        """Return what was ordered when a source of this box is that, else what its first one is."""
        ordered = exam.procedure.modality
        return ordered if ordered in self._modalities else next(iter(self._modalities), ordered or _OTHER)

    # --- the end ------------------------------------------------------------------------------------------

    def _conclude(self, exam_id: str) -> bool:
        """Queue the end of those of an exam's steps that are over; say whether there were any."""
        exam = self._spool.exams.get(exam_id)
        said = {  # what was taken back before it left was told to nobody, and needs no end
            (message.step, message.kind)
            for message in self._spool.steps.of_exam(exam_id)
            if message.kind is MessageKind.SET or message.state is not MessageState.WITHDRAWN
        }
        over = [
            step
            for at, step in enumerate(exam.steps)
            if (step.sop_instance_uid, MessageKind.CREATE) in said
            and (step.sop_instance_uid, MessageKind.SET) not in said
            and self._is_over(exam, at)
        ]
        for step in over:
            self._end(exam, step)
        return bool(over)

    def _is_over(self, exam: Exam, at: int) -> bool:
        """Say whether everything that belongs to a step is known: it ended, and its pictures are settled."""
        step = exam.steps[at]
        if step.ended is None:
            return False
        if step.reason == WRONG_ENTRY:
            return True  # its pictures are another step's
        last = at == len(exam.steps) - 1
        if last and exam.state not in _OVER:
            return False
        upto = None if last else exam.steps[at + 1].above
        if not self._spool.captures.are_settled(exam.id, above=step.above, upto=upto):
            return False
        return self._settled(exam, above=step.above, upto=upto) and (not last or self._listed(exam.id))

    def _end(self, exam: Exam, step: Step) -> None:
        queued = self._spool.steps.of_step(step.sop_instance_uid, MessageKind.CREATE)
        creates = [each for each in queued if each.state is not MessageState.WITHDRAWN]
        if step.reason == WRONG_ENTRY:
            creates = [each for each in creates if not self._withdrawn(each)]
        if not creates:
            return  # nobody heard of it
        error = self._write_end(exam, step)
        self._queue(exam, step, MessageKind.SET, [each.server for each in creates], error)
        event(_log, "step_ended", exam=exam.id, step=step.sop_instance_uid, state=step.state)

    def _write_end(self, exam: Exam, step: Step) -> ScopegateError | None:
        """Write what is said; return why that cannot be."""
        uid = step.sop_instance_uid
        try:
            beginning = self._spool.steps.path(exam.id, uid, MessageKind.CREATE).read_bytes()
            content = procedure_step.over(exam, step, beginning, self._series(exam, step))
        except ObjectError as error:
            return error
        except OSError as error:
            return SpoolDamaged(f"A file of this exam cannot be read ({type(error).__name__}).")
        self._spool.steps.write(exam.id, uid, MessageKind.SET, content)
        return None

    def _withdrawn(self, create: StepMessage) -> bool:
        """Take back the announcement of a wrong entry that never left."""
        return create.state is MessageState.QUEUED and self._spool.steps.withdraw(create)

    def _series(self, exam: Exam, step: Step) -> list[PerformedSeries]:
        """Return the step's series as its objects say it; one without images when it made none."""
        found: dict[str, list[tuple[str, str]]] = {}
        captures = {each.capture.sop_instance_uid: each.capture for each in self._spool.captures.of_exam(exam.id)}
        numbers = {uid: each.instance_number for uid, each in captures.items()}
        objects = sorted(self._spool.objects.of_exam(exam.id), key=lambda each: numbers.get(each.capture, 0))
        for sealed in objects:
            owner = exam.step_of(numbers.get(sealed.capture, 0))
            if owner is None or owner.sop_instance_uid != step.sop_instance_uid:
                continue
            series = series_uid(self._spool, exam, sealed, captures[sealed.capture])
            found.setdefault(series, []).append((sealed.sop_class_uid, sealed.sop_instance_uid))
        series_made = [PerformedSeries(series_instance_uid=uid, images=images) for uid, images in found.items()]
        series_made += self._lists(exam, step)
        return series_made or [PerformedSeries(series_instance_uid=self._spool.clock.uid())]

    def _lists(self, exam: Exam, step: Step) -> list[PerformedSeries]:
        """Return the series of the step's lists of key images, if there are any."""
        uid = step.sop_instance_uid
        sealed = {each.sop_instance_uid for each in self._spool.objects.of_exam(exam.id)}
        documents = [d for d in exam.key_documents if d.step == uid and d.sop_instance_uid in sealed]
        if not documents:
            return []
        series = self._spool.exams.series_for(exam.id, "", key_objects.FAMILY, uid, first=DOCUMENTS)
        others = [(KEY_OBJECTS, each.sop_instance_uid) for each in documents]
        return [PerformedSeries(series_instance_uid=series.series_instance_uid, others=others)]
