"""Erasing exams for good. Decides nothing: a command and a page do, and `erasable` says what forbids it.

The mark is the folder's new name, `<exam>.erased`: one rename, flushed. A cut before it leaves the exam as it was,
a cut after it leaves work for `erased.take_up`. Running processes find nothing from the rename on: their paths lead
nowhere.
"""

import logging
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass

from gateway.errors import Refused, SpoolDamaged, SpoolError, WrongState
from gateway.log import event
from gateway.model import ExamState
from gateway.spool import records
from gateway.spool.erasure import erasable
from gateway.spool.erasure.erasable import Loss
from gateway.spool.erasure.erasable_patient import Staying
from gateway.spool.erasure.erased import Erasure, exam_in, is_marked, take_up
from gateway.spool.files import locked
from gateway.spool.leaving import leaves_for
from gateway.spool.paths import ERASURE
from gateway.spool.queue.deliveries import BEING_ERASED
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)
May = Callable[[], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of exams. `clean`: see `erase`."""

    staying: tuple[Staying, ...]
    clean: bool


def erase(
    spool: Spool, exam: Loss, *, by: str, servers: Collection[str], person: str = "", may: May = lambda: None
) -> bool:
    """Erase one exam; False when the index's log, which somebody reads, holds traces for a while.

    Otherwise as `erase_each`. Raises what keeps it on the box: WrongState, ClipRecording, NotFound, SpoolError.
    """
    done = erase_each(spool, [exam], by=by, servers=servers, person=person, may=may)
    for each in done.staying:
        raise each.why
    return done.clean


def erase_each(
    spool: Spool,
    exams: Sequence[Loss],
    *,
    by: str,
    servers: Collection[str],
    person: str = "",
    may: May = lambda: None,
) -> Outcome:
    """Erase what can be; an exam that cannot, or is no more as it was agreed to, stays and stops no other.

    servers: those of procedure steps that are configured. may: raises what forbids the next one, for the sake of
    everything else; what was begun before is finished.
    """
    staying = []
    with locked(spool.layout.migration_lock):  # no start and no rebuild looks at half of it
        try:
            for each in exams:
                try:
                    may()
                    _begin(spool, each, by=by, person=person, servers=servers)
                except (Refused, SpoolError) as why:
                    if not is_marked(spool, each.exam.id):  # else it failed after that, and goes
                        staying.append(Staying(exam=each.exam, why=why))
        finally:
            clean = take_up(spool)
    return Outcome(staying=tuple(staying), clean=clean)


def _begin(spool: Spool, exam: Loss, *, by: str, person: str, servers: Collection[str]) -> None:
    """Claim the exam's queue, write down what is lost, and give the folder its new name."""
    uid, layout = exam.exam.id, spool.layout
    with suppress(SpoolDamaged):  # a damaged exam may be erased as well
        spool.exams.change(uid, lambda old: old)  # brings a row up to date that fell behind
    with locked(layout.exam_lock(uid)):
        _refuse_changed(spool, exam)
        with spool.database.write() as connection:
            erasable.refuse(connection, uid, servers)
            connection.execute(
                "UPDATE delivery SET state = 'held', code = ? WHERE exam = ? AND state = 'queued'",
                (BEING_ERASED, uid),
            )
        record = Erasure(
            exam=uid,
            utc=spool.clock.utc().isoformat(),
            by=by,
            pictures=exam.pictures,
            unsent=exam.unsent,
            unproven=exam.unproven,
            person=person,
        )
        spool.files.write(layout.media(uid, ERASURE), [records.dump(record)])
        spool.files.rename(layout.exam(uid), layout.erased(uid))
    event(_log, "exam_erasure_begun", exam=uid)


def _refuse_changed(spool: Spool, agreed: Loss) -> None:
    """Raise WrongState when an exam is not what was agreed to any more. Under its lock only."""
    exam, layout = agreed.exam.id, spool.layout
    known = exam_in(layout.exam_json(exam))
    if known and known.state is ExamState.OPEN:
        raise erasable.still_open()
    # By its file or its row: one of them may be damaged or behind.
    if max(known.revision if known else 0, spool.exams.get(exam).revision) != agreed.exam.revision:
        # Given to another patient, to be checked, or to be kept, while this waited for its turn.
        raise WrongState("The exam has changed meanwhile.", action="Look at it again before you erase it.")
    there = erasable.pictures_of(spool, exam)
    if any(leaves_for(layout, exam, uid) for uid in there):  # it is the other exam's: that was decided
        raise WrongState(
            "A picture of this exam is being moved to another one.",
            action="Move it there once more, or start the box again.",
        )
    if there != agreed.uids:
        # Pictures were moved, or stored, while this waited for its turn: nobody agreed to lose those.
        raise WrongState("The pictures of this exam have changed.", action="Look at it again before you erase it.")
