"""The index made anew from the files. Nothing is sent again unasked: what was sealed is held for a person."""

import logging
from collections.abc import Sequence

from gateway.errors import SpoolDamaged
from gateway.log import event, warn
from gateway.model import Capture, DeliveryState, Exam, MessageKind, MessageState, SealedObject
from gateway.spool import records
from gateway.spool.paths import SEAL, SIDECAR
from gateway.spool.purging import Purging
from gateway.spool.queue import routing
from gateway.spool.queue.deliveries import AFTER_REBUILD
from gateway.spool.queue.routing import Addressee
from gateway.spool.recovery.captures import adopt_capture
from gateway.spool.recovery.exams import adopt_exam, every_exam
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)
_REASON = "The index of the box was made anew: whether this was sent before is not known."


def fill(spool: Spool, destinations: Sequence[Addressee]) -> int:
    """Fill an empty index from the files and return how many exams it holds; the log names damaged files."""
    exams = every_exam(spool)
    for exam in exams:
        adopt_exam(spool.exams, exam)
        folder = spool.layout.exam(exam.id)
        for sidecar in sorted(folder.glob("*" + SIDECAR)):
            uid = sidecar.name.removesuffix(SIDECAR)
            if sidecar.name != "exam.json" and not spool.layout.moved(exam.id, uid).exists():
                _adopt_capture(spool, exam.id, uid)
        for seal in sorted(folder.glob("*" + SEAL)):
            _adopt_object(spool, exam.id, seal.name.removesuffix(SEAL), destinations)
        _adopt_messages(spool, exam)
    spool.releases.reconcile()
    event(_log, "index_rebuilt", exams=len(exams))
    return len(exams)


def _adopt_capture(spool: Spool, exam: str, uid: str) -> None:
    try:
        capture = records.load(Capture, spool.layout.sidecar(exam, uid).read_bytes())
    except SpoolDamaged:
        warn(_log, "sidecar_damaged", exam=exam, uid=uid)
        return
    adopt_capture(spool, capture)


def _adopt_object(spool: Spool, exam: str, uid: str, destinations: Sequence[Addressee]) -> None:
    try:
        sealed = records.load(SealedObject, spool.layout.seal(exam, uid).read_bytes())
    except SpoolDamaged:
        warn(_log, "seal_damaged", exam=exam, uid=uid)
        return
    if spool.layout.purged(sealed.exam, sealed.capture).exists():  # its mark says who has it
        spool.objects.put_row(sealed, ())
        Purging(spool).adopt(sealed.exam, sealed.capture)
        return
    names = routing.of_sealed(spool.layout, sealed, destinations)
    state = DeliveryState.HELD
    spool.objects.put_row(sealed, names, state=state, code=AFTER_REBUILD, reason=_REASON, in_doubt=True)


def _adopt_messages(spool: Spool, exam: Exam) -> None:
    """Hold what was, or was to be, said of the exam's procedure steps; a message without its file too."""
    for step in exam.steps:
        for kind in MessageKind:
            if kind is MessageKind.CREATE or spool.steps.path(exam.id, step.sop_instance_uid, kind).exists():
                spool.steps.queue(
                    exam,
                    step.sop_instance_uid,
                    kind,
                    step.servers,
                    state=MessageState.HELD,
                    code=AFTER_REBUILD,
                    reason=_REASON,
                    in_doubt=True,
                )
