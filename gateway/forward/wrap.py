"""Makes sealed objects of a released exam's captures: build, write, read back, seal, then the media may go."""

import logging
from collections.abc import Iterator, Sequence

from gateway.config.settings import Station
from gateway.dicom import multiframe, secondary_capture
from gateway.dicom.encapsulate import file_chunks
from gateway.dicom.verify import Sealed, verify_sealed
from gateway.errors import DiskFailed, DiskFull, ObjectError, ScopegateError, SpoolDamaged
from gateway.log import event, warn
from gateway.model import Capture, Exam, MediaKind, SealedObject, Series
from gateway.spool import clips
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)
_BATCH = 20


class Wrapper:
    """Seals captures one by one. `trouble` is what keeps all of them from being sealed now, or None."""

    def __init__(self, *, spool: Spool, station: Station, destinations: Sequence[str]) -> None:
        self._spool = spool
        self._station = station
        self._destinations = destinations
        self.trouble: ScopegateError | None = None

    def step(self) -> bool:
        """Seal some captures; say whether there may be more. A full disk fails none of them."""
        waiting = self._spool.captures.unsealed(_BATCH)
        for listed in waiting:
            try:
                self.seal(listed.capture)
            except (DiskFull, DiskFailed) as error:
                self._note_trouble(error)
                return False
            except (ObjectError, SpoolDamaged) as error:
                uid = listed.capture.sop_instance_uid
                warn(_log, "capture_not_wrapped", exam=listed.capture.exam, uid=uid, code=error.code)
                self._spool.captures.set_problem(uid, error.code, error.what)
        self.trouble = None
        return len(waiting) == _BATCH

    def seal(self, capture: Capture) -> SealedObject:
        """Make one capture's object final and queue it for every destination.

        Raises ObjectError when it cannot become an object, SpoolDamaged when its media is not what was stored.
        """
        family = capture.kind.value
        series = self._spool.exams.series_for(capture.exam, capture.source, family)
        exam = self._spool.exams.get(capture.exam)
        sealed = self._written(exam, capture, series)
        result = SealedObject(
            sop_instance_uid=capture.sop_instance_uid,
            sop_class_uid=sealed.sop_class_uid,
            transfer_syntax_uid=sealed.transfer_syntax_uid,
            exam=capture.exam,
            capture=capture.sop_instance_uid,
            bytes=sealed.bytes,
            sha256=sealed.sha256,
            lossy=sealed.lossy,
            frames=sealed.frames,
            sealed=self._spool.clock.now(),
        )
        self._spool.objects.seal(result, self._destinations)
        self._spool.objects.drop_media(capture)
        event(_log, "object_sealed", exam=capture.exam, uid=capture.sop_instance_uid, bytes=sealed.bytes)
        return result

    def _written(self, exam: Exam, capture: Capture, series: Series) -> Sealed:
        order = self._spool.exams.order(exam)
        build = secondary_capture.build if capture.kind is MediaKind.STILL else multiframe.build
        header = build(exam, capture, series, order=order, station=self._station)
        lengths, fragments = self._codestreams(capture)
        written = self._spool.objects.write(
            exam.id, capture.sop_instance_uid, file_chunks(header, lengths, fragments)
        )
        path = self._spool.layout.object(exam.id, capture.sop_instance_uid)
        sealed = verify_sealed(path, exam=exam, capture=capture, series=series, order=order)
        if sealed.sha256 != written.sha256:
            raise SpoolDamaged("A DICOM file that was just written reads back differently.")
        return sealed

    def _codestreams(self, capture: Capture) -> tuple[Sequence[int], Iterator[bytes]]:
        media = self._spool.layout.media(capture.exam, capture.media)
        if not media.exists():
            raise SpoolDamaged("The file of this picture is not on the disk any more.", code="file-missing")
        if capture.kind is MediaKind.STILL:
            return [capture.bytes], iter([media.read_bytes()])
        _, entries = clips.read_index(self._spool.layout.index(capture.exam, capture.sop_instance_uid))
        return [entry.length for entry in entries], clips.codestreams(media, entries)

    def _note_trouble(self, error: ScopegateError) -> None:
        if self.trouble is None:
            warn(_log, "wrapping_paused", code=error.code)
        self.trouble = error
