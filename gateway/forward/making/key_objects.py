"""Makes the lists of an exam's key images, once all of these are objects: a Key Object Selection Document each.

One list names all key images and goes to whoever gets just these. An archive that gets fewer, or something made of
a clip in its place, gets a list of its own: no list names what does not go there. What is named is decided in
exam.json first, so a cut in the middle makes the same lists again. No picture waits for any of it.
"""

import logging
from collections.abc import Sequence
from typing import Protocol

from gateway.config.settings import Station
from gateway.dicom import encapsulate, key_objects
from gateway.dicom.key_objects import Named
from gateway.errors import DiskFailed, NotFound, ObjectError, SpoolDamaged
from gateway.forward.making.seals import seal_of_document
from gateway.forward.making.series_of import series_uid
from gateway.forward.making.wrap import reading
from gateway.log import event, warn
from gateway.model import Delivery, Exam, KeyDocument, SealedObject
from gateway.spool import records
from gateway.spool.captures import Listed
from gateway.spool.exams import DOCUMENTS
from gateway.spool.key_images import named
from gateway.spool.queue.deliveries import INSTEAD
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)
FAMILY = "key-objects"  # of their series


class Settled(Protocol):
    """Says whether it is known as what each clip of an exam leaves."""

    def __call__(self, exam: Exam, *, above: int = 0, upto: int | None = None) -> bool: ...


class KeyObjects:
    """One thread only."""

    def __init__(self, *, spool: Spool, station: Station, settled: Settled) -> None:
        self._spool = spool
        self._station = station
        self._settled = settled
        self._stuck: set[str] = set()  # exams whose lists cannot be made before the next start

    def step(self) -> bool:
        """Make the lists of exams whose key images are objects; say whether any was made.

        Raises DiskFull, DiskFailed or SpoolBusy.
        """
        made = [self._take(exam) for exam in self._spool.key_images.waiting() if exam not in self._stuck]
        return any(made)

    def are_made(self, exam: str) -> bool:
        """Say whether nothing more is to be listed of an exam, as things are."""
        return exam in self._stuck or exam not in self._spool.key_images.waiting()

    # --- inside -------------------------------------------------------------------------------------------

    def _take(self, exam_id: str) -> bool:
        exam, marked = self._spool.exams.get(exam_id), self._spool.key_images.of_exam(exam_id)
        own = {each.capture: each for each in self._spool.objects.of_exam(exam_id) if not each.derived_from}
        kept = [each for each in marked if each.capture.sop_instance_uid in own]
        unmade = [each for each in marked if each not in kept and not each.problem_code]
        if unmade or not kept or not self._settled(exam):
            return False
        try:
            wanted = {each.capture.sop_instance_uid for each in kept}
            if not named(exam) >= wanted:
                decided = self._decided(exam, kept)
                exam = self._spool.key_images.decide(exam_id, decided, revision=exam.revision)
            if not named(exam) >= wanted:  # it was opened again at this moment
                return False
            for document in exam.key_documents:
                self._seal(exam, document)
        except (ObjectError, SpoolDamaged, NotFound) as error:
            warn(_log, "key_objects_not_made", exam=exam_id, code=error.code)
            self._stuck.add(exam_id)
            return False
        self._spool.key_images.are_named([each.capture.sop_instance_uid for each in kept])
        return True

    def _decided(self, exam: Exam, kept: Sequence[Listed]) -> list[KeyDocument]:
        """Return the lists to make: of all key images, and of each other choice that some archives got."""
        whole = tuple(each.capture.sop_instance_uid for each in kept)
        got = self._got(exam, kept)
        choices: dict[tuple[str, ...], list[str]] = {whole: []}
        for destination in sorted(got):
            choices.setdefault(got[destination], []).append(destination)
        now, first = self._spool.clock.now(), len(exam.key_documents) + 1
        step = exam.steps[-1].sop_instance_uid if exam.steps else ""
        found: list[KeyDocument] = []
        for number, (pictures, destinations) in enumerate(choices.items(), first):
            found.append(
                KeyDocument(
                    sop_instance_uid=self._spool.clock.uid(),
                    number=number,
                    made=now,
                    pictures=pictures,
                    destinations=tuple(destinations),
                    step=step,
                    part_of=found[0].sop_instance_uid if found else "",
                )
            )
        return found

    def _got(self, exam: Exam, kept: Sequence[Listed]) -> dict[str, tuple[str, ...]]:
        """Return by destination which objects of the key images go there, in the order of their presses."""
        place = {each.capture.sop_instance_uid: number for number, each in enumerate(kept)}
        objects = {
            each.sop_instance_uid: (place[each.capture], number)
            for number, each in enumerate(self._spool.objects.of_exam(exam.id))
            if each.capture in place
        }
        found: dict[str, list[Delivery]] = {}
        for delivery in self._spool.deliveries.list(exam=exam.id, limit=100_000):
            if delivery.sop_instance_uid in objects and delivery.code not in INSTEAD:
                found.setdefault(delivery.destination, []).append(delivery)
        return {
            name: tuple(sorted({each.sop_instance_uid for each in those}, key=lambda uid: objects[uid]))
            for name, those in found.items()
        }

    def _seal(self, exam: Exam, document: KeyDocument) -> None:
        """Make one list, unless it is made."""
        uid = document.sop_instance_uid
        if self._is_listed(uid):
            return
        sealed = self._before(exam.id, uid) or self._made(exam, document)
        self._spool.objects.seal_all([(sealed, document.destinations)])
        event(_log, "key_objects_sealed", exam=exam.id, uid=uid, pictures=len(document.pictures))

    def _is_listed(self, uid: str) -> bool:
        try:
            self._spool.objects.get(uid)
        except NotFound:
            return False
        return True

    def _before(self, exam: str, uid: str) -> SealedObject | None:
        path = self._spool.layout.seal(exam, uid)
        if not path.exists():
            return None
        with reading("the seal of a list of key images"):
            return records.load(SealedObject, path.read_bytes())

    def _made(self, exam: Exam, document: KeyDocument) -> SealedObject:
        uid = document.sop_instance_uid
        series = self._spool.exams.series_for(exam.id, "", FAMILY, document.step, first=DOCUMENTS)
        pictures = [self._named(exam, each) for each in document.pictures]
        with reading("the order of this exam"):
            order, further = self._spool.exams.order(exam), self._spool.exams.further_orders(exam)
        header = key_objects.build(
            exam, document, series, pictures, order=order, station=self._station, further=further
        )
        path = self._spool.layout.object(exam.id, uid)
        try:
            written = self._spool.objects.write(exam.id, uid, [encapsulate.head(header)])
            found = key_objects.verify(path, exam=exam, series=series, pictures=pictures, written=header)
        except OSError as error:
            raise DiskFailed(f"A file that was just written cannot be read ({type(error).__name__}).") from error
        except ObjectError:
            self._spool.files.remove(path)  # it has no seal: nobody may take it for an object
            raise
        if found.sha256 != written.sha256:
            raise DiskFailed("A file that was just written reads back differently.")
        return seal_of_document(found, document, exam.id, at=self._spool.clock.now())

    def _named(self, exam: Exam, uid: str) -> Named:
        sealed = self._spool.objects.get(uid)
        capture = self._spool.captures.get(sealed.capture).capture
        with reading("a key image"):
            series = series_uid(self._spool, exam, sealed, capture)
        return Named(
            series_instance_uid=series,
            sop_class_uid=sealed.sop_class_uid,
            sop_instance_uid=uid,
        )
