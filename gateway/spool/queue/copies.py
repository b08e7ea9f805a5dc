"""Where else pictures of an exam are, as far as this box knows: by its queue, and by its audit. Changes nothing."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from gateway.model import Delivery, DeliveryState
from gateway.spool.audit import Audit
from gateway.spool.spool import Spool

ARRIVED = (DeliveryState.SENT, DeliveryState.COMMITTED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Copy:
    """Objects of an exam at one other place. `perhaps`: a transfer began and nobody knows how it ended."""

    where: str  # of files that a browser fetched: who was signed in, else the browser's address
    objects: int
    proven: int = 0
    perhaps: int = 0
    replaced: bool = False  # another archive bears the name now
    fetched: bool = False  # as files, with a browser; of each picture once


def of_earlier_bearers(spool: Spool, exam: str) -> frozenset[int]:
    """Return the deliveries that another archive got, which bore the name before."""
    with spool.database.read() as connection:
        rows = connection.execute(
            "SELECT delivery.id FROM delivery JOIN destination ON destination.name = delivery.destination "
            "WHERE delivery.exam = ? AND delivery.state IN ('sent', 'committed') AND sent_to <> generation",
            (exam,),
        )
        return frozenset(row[0] for row in rows)


def delivered(deliveries: Collection[Delivery], *, replaced: bool = False) -> Iterator[Copy]:
    """Yield what destinations have of these."""
    for name in sorted({d.destination for d in deliveries}):
        there = [d for d in deliveries if d.destination == name]
        copy = Copy(
            where=name,
            objects=sum(d.state in ARRIVED for d in there),
            proven=sum(d.state is DeliveryState.COMMITTED for d in there),
            perhaps=sum(d.in_doubt and d.state not in ARRIVED for d in there),
            replaced=replaced,
        )
        if copy.objects or copy.perhaps:
            yield copy


def by_hand(audit: Audit, pictures: Mapping[str, Collection[str]]) -> dict[str, list[Copy]]:
    """Return what people took away of each exam: media that they wrote, files that they fetched.

    Only the audit knows of them; it is read once, line by line, for all exams. pictures: the UIDs of each, because
    a picture that was moved after somebody fetched it counts where it is now.
    """
    exam_of = {uid: exam for exam, uids in pictures.items() for uid in uids}
    written: dict[tuple[str, str], int] = {}
    fetched: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for line in audit.of_kinds("exported", "capture-downloaded"):
        match line:
            case {"what": "exported", "exam": str(exam), "to": str(to), "objects": int(objects)} if (
                exam in pictures
            ):
                written[exam, to] = max(objects, written.get((exam, to), 0))
            case {"what": "capture-downloaded", "capture": str(uid)} if uid in exam_of:
                fetched[exam_of[uid], str(line.get("person") or line.get("address", ""))].add(uid)
    found: dict[str, list[Copy]] = {exam: [] for exam in pictures}
    for (exam, where), objects in written.items():
        found[exam].append(Copy(where=where, objects=objects))
    for (exam, who), uids in fetched.items():
        found[exam].append(Copy(where=who, objects=len(uids), fetched=True))
    return found
