"""Seals what is made of a sealed clip: build, write, read back, seal. Queues nothing new; repeatable after a crash.

Of what was sealed before and whose file was lost, the same bytes are made again, or none.
"""

import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from gateway.config.settings import Station
from gateway.dicom import derived, objects
from gateway.dicom.derived import Origin
from gateway.dicom.encapsulate import file_chunks
from gateway.dicom.verify import verify_sealed
from gateway.errors import DiskFailed, ObjectError, SpoolDamaged, WrongState
from gateway.forward.making.seals import seal_of
from gateway.forward.making.wrap import reading
from gateway.log import event
from gateway.model import Capture, DeliveryState, Exam, MediaKind, SealedObject, Series
from gateway.spool import records
from gateway.spool.queue.deliveries import FILE_LOST
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)
KEY_STILL, AS_JPEG = "key-still", "jpeg-clip"  # families of their series: one for each source, beside its others


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """What it is, in the words of a capture, and its codestreams; `lengths`: of these, in bytes."""

    record: Capture
    origin: Origin
    lengths: Sequence[int]
    streams: Iterable[bytes]


def family(made: SealedObject) -> str:
    """Return of which family the series of such an object is."""
    return AS_JPEG if made.sop_class_uid in objects.CLIPS else KEY_STILL


class Derived:
    """One thread only."""

    def __init__(self, *, spool: Spool, station: Station) -> None:
        self._spool = spool
        self._station = station

    def whole(self, exam: str, uid: str) -> SealedObject | None:
        """Return an object that was sealed before; None when it, or its lost file, is to be made.

        A file that the box let go is not lost. Raises SpoolDamaged when its seal cannot be read.
        """
        sealed = self._before(exam, uid)
        if sealed is None or self._spool.layout.purged(exam, sealed.capture).exists():
            return sealed
        return sealed if self._spool.objects.is_whole(sealed) else None

    def seal(self, clip: SealedObject, of: Capture, made: Made) -> SealedObject:
        """Make it an object of its own, or put its lost file back. `of`: the record of the clip.

        Raises ObjectError or SpoolDamaged when it cannot be made of this clip, or not as it was (`file-missing`),
        DiskFull or DiskFailed.
        """
        record = made.record
        series = self._series(of, AS_JPEG if record.kind is MediaKind.CLIP else KEY_STILL)
        exam, order, further = self.orders(clip.exam)
        header = derived.build(
            exam, record, series, order=order, further=further, station=self._station, origin=made.origin, clip=of
        )
        uid = record.sop_instance_uid
        path = self._spool.layout.object(exam.id, uid)
        chunks = file_chunks(header, made.lengths, made.streams)
        if before := self._before(exam.id, uid):
            self._put_back(before, chunks)
            return before
        try:
            written = self._spool.objects.write(exam.id, uid, chunks)
            found = verify_sealed(
                path, exam=exam, capture=record, series=series, order=order, further=further, clip=of
            )
        except OSError as error:
            raise DiskFailed(f"A file that was just written cannot be read ({type(error).__name__}).") from error
        except (ObjectError, SpoolDamaged):
            self._spool.files.remove(path)  # it has no seal: nobody may take it for an object
            raise
        if found.sha256 != written.sha256:
            raise DiskFailed("A file that was just written reads back differently.")
        decoded = record.kind is MediaKind.STILL
        sealed = seal_of(found, uid, exam.id, at=self._spool.clock.now(), decoded=decoded, of=clip)
        self._spool.objects.seal(sealed, ())
        return sealed

    def orders(self, exam: str) -> tuple[Exam, bytes | None, tuple[bytes, ...]]:
        """Return an exam and what it was ordered with. Raises SpoolDamaged when that cannot be read."""
        found = self._spool.exams.get(exam)
        with reading("the order of this exam"):
            return found, self._spool.exams.order(found), self._spool.exams.further_orders(found)

    def _before(self, exam: str, uid: str) -> SealedObject | None:
        seal = self._spool.layout.seal(exam, uid)
        if not seal.exists():
            return None
        with reading("the seal of this picture"):
            return records.load(SealedObject, seal.read_bytes())

    def _put_back(self, sealed: SealedObject, chunks: Iterable[bytes]) -> None:
        """Write a lost file again, and let go what is held for its loss."""
        self._spool.objects.write_again(sealed, chunks)
        event(_log, "object_put_back", exam=sealed.exam, uid=sealed.sop_instance_uid)
        held = self._spool.deliveries.list(states_wanted=(DeliveryState.HELD,), uid=sealed.sop_instance_uid)
        for delivery in held:
            if delivery.code in FILE_LOST:
                with suppress(WrongState):  # a person was faster
                    self._spool.deliveries.release(delivery.id)

    def _series(self, clip: Capture, kind: str) -> Series:
        step = self._spool.exams.get(clip.exam).step_of(clip.instance_number)
        uid = step.sop_instance_uid if step else ""
        return self._spool.exams.series_for(clip.exam, clip.source, objects.series_family(clip, kind), uid)
