"""An exam's captures with everything that goes somewhere because of them, as the index knows it. Only looks."""

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.model import KEY_OBJECTS, Capture, CaptureState, Delivery
from gateway.spool.captures import Listed
from gateway.spool.spool import Spool

_MOST = 100_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """One capture with the deliveries of its object.

    `derived`: those of what was made of a clip for destinations that do not take it as it is.
    """

    listed: Listed
    sealed: bool
    deliveries: tuple[Delivery, ...]
    derived: tuple[Delivery, ...]

    @property
    def capture(self) -> Capture:
        return self.listed.capture

    @property
    def removed(self) -> bool:
        return self.capture.state is CaptureState.REJECTED

    @property
    def all_deliveries(self) -> Iterator[Delivery]:
        yield from self.deliveries
        yield from self.derived


def lists_of_exam(spool: Spool, exam: str) -> tuple[Delivery, ...]:
    """Return the deliveries of an exam's lists of key images."""
    lists = {each.sop_instance_uid for each in spool.objects.of_exam(exam) if each.sop_class_uid == KEY_OBJECTS}
    found = spool.deliveries.list(exam=exam, limit=_MOST) if lists else ()
    return tuple(each for each in found if each.sop_instance_uid in lists)


def of_exam(spool: Spool, exam: str) -> tuple[Picture, ...]:
    """Return an exam's pictures in the order of their presses, without what is being recorded."""
    listed = spool.captures.of_exam(exam)
    objects = {each.sop_instance_uid: each for each in spool.objects.of_exam(exam)}
    sealed = {each.capture for each in objects.values() if not each.derived_from}
    own: dict[str, list[Delivery]] = {}
    derived: dict[str, list[Delivery]] = {}
    for delivery in spool.deliveries.list(exam=exam, limit=_MOST):
        if found := objects.get(delivery.sop_instance_uid):
            (derived if found.derived_from else own).setdefault(found.capture, []).append(delivery)
    return tuple(
        Picture(
            listed=each,
            sealed=uid in sealed,
            deliveries=tuple(own.get(uid, ())),
            derived=tuple(derived.get(uid, ())),
        )
        for each in listed
        if (uid := each.capture.sop_instance_uid)
    )
