"""What became of a day's exams, as the index knows it. Looks, and changes nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from gateway.model import Capture, CaptureState, Delivery, Exam
from gateway.spool import records
from gateway.spool.captures import Listed
from gateway.spool.spool import Spool

REQUEST = "day-check"  # the kind of request by which forward asks the archives about a day


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """One capture with its deliveries, each object's apart; without objects it is not sealed.

    `derived`: those of what was made of a clip for destinations that do not take it as it is.
    """

    listed: Listed
    deliveries: tuple[tuple[Delivery, ...], ...]
    derived: tuple[tuple[Delivery, ...], ...] = ()

    @property
    def capture(self) -> Capture:
        return self.listed.capture

    @property
    def removed(self) -> bool:
        return self.capture.state is CaptureState.REJECTED

    @property
    def all_deliveries(self) -> Iterator[Delivery]:
        return (delivery for of_one in (*self.deliveries, *self.derived) for delivery in of_one)


@dataclass(frozen=True, kw_only=True, slots=True)
class ExamOfDay:
    """One exam and everything that was captured in it."""

    exam: Exam
    recording: int  # clips that are recorded at this moment
    pictures: tuple[Picture, ...]


def of(spool: Spool, day: date) -> list[ExamOfDay]:
    """Return the exams that were opened on that day by the box's own time, the first one first."""
    around = ((day - timedelta(days=1)).isoformat(), (day + timedelta(days=2)).isoformat())  # UTC is not local time
    with spool.database.read() as connection:
        rows = connection.execute(
            "SELECT document FROM exam WHERE opened_at >= ? AND opened_at < ? ORDER BY opened_at, id", around
        ).fetchall()
    exams = (records.load(Exam, row["document"]) for row in rows)
    recording = [exam for exam, _ in spool.captures.recording()]
    return [
        ExamOfDay(exam=exam, recording=recording.count(exam.id), pictures=_pictures(spool, exam.id))
        for exam in exams
        if exam.opened.local.date() == day
    ]


def _pictures(spool: Spool, exam: str) -> tuple[Picture, ...]:
    by_object: dict[str, list[Delivery]] = {}
    for delivery in spool.deliveries.list(exam=exam, limit=100_000):
        by_object.setdefault(delivery.sop_instance_uid, []).append(delivery)
    own: dict[str, list[tuple[Delivery, ...]]] = {}
    derived: dict[str, list[tuple[Delivery, ...]]] = {}
    for sealed in spool.objects.of_exam(exam):
        of_kind = derived if sealed.derived_from else own
        of_kind.setdefault(sealed.capture, []).append(tuple(by_object.get(sealed.sop_instance_uid, ())))
    return tuple(
        Picture(listed=listed, deliveries=tuple(own.get(uid, ())), derived=tuple(derived.get(uid, ())))
        for listed in spool.captures.of_exam(exam)
        if (uid := listed.capture.sop_instance_uid)
    )
