"""Exams to a medium because a person wants it: which objects, in what order, and its line in the audit file."""

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from gateway.config.settings import Destination
from gateway.errors import MediaAbsent, NotFound, NotSealed, Purged, ScopegateError, SpoolError
from gateway.forward.media.forms import Item
from gateway.forward.media.medium import is_mounted
from gateway.forward.media.progress import Progress, Report, unseen
from gateway.forward.media.writer import Writing
from gateway.log import event, warn
from gateway.model import KEY_OBJECTS, CaptureState, ExamState
from gateway.spool.files import Files
from gateway.spool.processes.requests import Request
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)
EXPORT = "export"  # the kind of request that this module executes
_WAIT_S = 300.0  # for a batch of the queue that is being written to the same medium
_ENDED = (ExamState.RELEASED, ExamState.DISCONTINUED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Exported:
    """What is on the medium now. `left_out`: captures that became no DICOM object, or that the box let go."""

    exams: int
    objects: int
    pictures: int  # of these; lists of key images are none
    bytes: int
    left_out: int


def mounted(destination: Destination, data_dir: Path) -> Path:
    """Return the folder of a media destination. Raises MediaAbsent while nothing is mounted there."""
    if not is_mounted(destination.folder, data_dir):
        raise MediaAbsent(
            f"No medium is mounted at {destination.folder}.",
            code="media-not-mounted" if destination.folder.is_dir() else "",
        )
    return destination.folder


def items_of(spool: Spool, exam: str) -> tuple[list[Item], int]:
    """Return an exam's sealed objects in the order of their captures, and how many captures have none here.

    Key stills stay out: the clip itself is there. Raises NotFound, Purged when the box let all of them go, and
    NotSealed while some are still to be made.
    """
    found = spool.exams.get(exam)
    if found.state not in _ENDED:
        raise NotSealed(
            f"Exam {exam} was not released yet: its DICOM objects are not made.",
            action="Finish it; if it asks for its patient, confirm or choose the patient. Then repeat this.",
        )
    listed = [each for each in spool.captures.of_exam(exam) if each.capture.state is not CaptureState.REJECTED]
    gone = {each.capture.sop_instance_uid for each in listed if each.purged}
    # A clip goes as itself: its key stills are for archives that cannot take it.
    objects = [sealed for sealed in spool.objects.of_exam(exam) if not sealed.derived_from]
    by_capture = {sealed.capture: sealed for sealed in objects if sealed.capture not in gone}
    if gone and len(gone) == len(listed):
        raise Purged(f"The box let the pictures of exam {exam} go.")
    missing = [each for each in listed if each.capture.sop_instance_uid not in by_capture]
    if any(not each.problem_code and not each.purged for each in missing):
        raise NotSealed(
            f"{len(missing)} pictures of exam {exam} are not DICOM objects yet.",
            action="Wait until they are made; call service if that lasts longer than some minutes.",
        )
    sealed = [by_capture[uid] for each in listed if (uid := each.capture.sop_instance_uid) in by_capture]
    here = {each.sop_instance_uid for each in sealed}
    whole = {doc.sop_instance_uid for doc in found.key_documents if here.issuperset(doc.pictures)}
    sealed += [each for each in objects if each.sop_class_uid == KEY_OBJECTS and each.sop_instance_uid in whole]
    return [Item(sealed=each, path=spool.objects.path(each)) for each in sealed], len(missing)


def export(
    spool: Spool,
    exams: Sequence[str],
    folder: Path,
    *,
    by: str,
    jpeg: bool = False,
    report: Report = unseen,
    files: Files | None = None,
    stop: threading.Event | None = None,
) -> Exported:
    """Write exams to a medium; when this returns, all of it was read back and it may be taken away.

    by: who did it, for the audit file. Raises MediaError, NotFound, NotSealed, SpoolDamaged, ObjectError.
    """
    found = {exam: items_of(spool, exam) for exam in dict.fromkeys(exams)}
    items = [item for each, _ in found.values() for item in each]
    if not items:
        raise NotFound("These exams have no pictures on this box.")
    files = files or Files()
    with Writing(
        folder, items, files=files, clock=spool.clock, report=report, jpeg=jpeg, stop=stop, wait_s=_WAIT_S
    ) as writing:
        for item in items:
            writing.put(item)
        writing.finish()
    for exam, (each, _) in found.items():
        _note(spool, exam, by=by, objects=len(each), to=str(folder))
    return Exported(
        exams=len(found),
        objects=len(items),
        pictures=sum(item.sealed.sop_class_uid != KEY_OBJECTS for item in items),
        bytes=sum(item.sealed.bytes for item in items),
        left_out=sum(left_out for _, left_out in found.values()),
    )


def _note(spool: Spool, exam: str, *, by: str, objects: int, to: str) -> None:
    try:
        spool.audit.note("exported", by=by, exam=exam, objects=objects, to=to)
    except SpoolError as error:  # a full box is a reason to export: it must not be in its way
        warn(_log, "audit_not_written", exam=exam, code=error.code)


class Exporter:
    """Executes the requests of kind `export`, one after the other."""

    def __init__(
        self,
        *,
        spool: Spool,
        destinations: Sequence[Destination],
        stop: threading.Event,
        files: Files | None = None,
    ) -> None:
        self._spool = spool
        self._destinations = {each.name: each for each in destinations if each.kind == "media"}
        self._stop = stop
        self._files = files
        self._answer: Callable[[], None] | None = None  # of a request whose end could not be written yet

    def step(self) -> bool:
        """Execute one request; say whether there was one. Raises SpoolError; the answer is then written later."""
        if self._answer is None:
            request = self._spool.requests.begin(EXPORT)
            if request is None:
                return False
            self._answer = self._executed(request)
        self._answer()
        self._answer = None
        return True

    def _executed(self, request: Request) -> Callable[[], None]:
        """Execute a request and return what answers it."""
        try:
            done = self._export(request)
        except ScopegateError as error:
            warn(_log, "export_failed", code=error.code)
            return partial(self._spool.requests.failed, request, error)
        event(_log, "export_done", exams=done.exams, objects=done.objects, bytes=done.bytes)
        return partial(self._spool.requests.done, request, asdict(done))

    def _export(self, request: Request) -> Exported:
        asked: dict[str, Any] = request.arguments
        destination = self._destinations.get(asked["destination"])
        if destination is None:
            raise NotFound("There is no media destination of that name.")

        def report(progress: Progress) -> None:
            with suppress(SpoolError):  # nobody's pictures hang on it
                self._spool.requests.progress(request, asdict(progress))

        return export(
            self._spool,
            asked["exams"],
            mounted(destination, self._spool.layout.root),
            by="forward",
            jpeg=asked["jpeg"],
            report=report,
            files=self._files,
            stop=self._stop,
        )
