"""Makes sealed objects of a released exam's captures: build, write, read back, seal, then the media may go.

A capture that cannot become an object is marked and passed over; a disk that cannot be written stops them all.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from gateway.config.settings import Station
from gateway.dicom import multiframe, secondary_capture
from gateway.dicom.encapsulate import file_chunks
from gateway.dicom.verify import Sealed, verify_sealed
from gateway.errors import DiskFailed, DiskFull, NotFound, ObjectError, SpoolDamaged
from gateway.log import event, warn
from gateway.model import Capture, Exam, MediaKind, SealedObject, Series
from gateway.spool import clips, records, room
from gateway.spool.files import sha256_of
from gateway.spool.routing import Addressee, recipients
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)
_BATCH = 5


class Wrapper:
    """Seals captures one by one and queues each for the destinations that get it."""

    def __init__(
        self,
        *,
        spool: Spool,
        station: Station,
        destinations: Sequence[Addressee],
    ) -> None:
        self._spool = spool
        self._station = station
        self._destinations = destinations

    def step(self) -> bool:
        """Seal some captures; say whether there may be more.

        Raises DiskFull, DiskFailed or SpoolBusy: no capture is at fault then, and all of them wait.
        """
        waiting = self._spool.captures.unsealed(_BATCH)
        for listed in waiting:
            self._try(listed.capture)
        if len(waiting) == _BATCH:
            return True
        unlisted = self._spool.objects.unlisted(_BATCH)
        for exam in unlisted:  # once an exam, when the last of it is sealed
            self._spool.objects.write_sums(exam)
        return len(unlisted) == _BATCH

    def seal(self, capture: Capture) -> SealedObject:
        """Make one capture's object final and queue it for the destinations that get it.

        Raises ObjectError when it cannot become an object, SpoolDamaged or NotFound when its files are not what was
        stored, DiskFull or DiskFailed.
        """
        result = self._sealed_before(capture) or self._made(capture)
        names = recipients(self._destinations, capture)
        self._spool.objects.seal(result, names)
        uid = capture.sop_instance_uid
        event(_log, "object_sealed", exam=capture.exam, uid=uid, bytes=result.bytes, destinations=len(names))
        self._spool.objects.drop_media(capture)
        return result

    def _sealed_before(self, capture: Capture) -> SealedObject | None:
        """Return what stands in a seal whose row could not be written: nothing else may become of this capture."""
        path = self._spool.layout.seal(capture.exam, capture.sop_instance_uid)
        if not path.exists():
            return None
        with _reading("the seal of this picture"):
            sealed = records.load(SealedObject, path.read_bytes())
            if sha256_of(self._spool.objects.path(sealed)) != sealed.sha256:
                raise SpoolDamaged("The DICOM file of this picture is not the one that was sealed.")
        return sealed

    def _made(self, capture: Capture) -> SealedObject:
        self._room_for(capture)
        step = self._spool.exams.get(capture.exam).step_of(capture.instance_number)
        uid = step.sop_instance_uid if step else ""
        series = self._spool.exams.series_for(capture.exam, capture.source, capture.kind.value, uid)
        exam = self._spool.exams.get(capture.exam)
        sealed = self._written(exam, capture, series)
        return SealedObject(
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

    def _try(self, capture: Capture) -> None:
        uid = capture.sop_instance_uid
        if self._spool.layout.tombstone(capture.exam, uid).exists():
            self._spool.captures.obey_tombstone(capture.exam, uid)  # a person took it out, its row fell behind
            return
        try:
            self.seal(capture)
        except (ObjectError, SpoolDamaged, NotFound) as error:
            self._spool.files.blame(error, self._spool.layout.probe("wrap"))
            warn(_log, "capture_not_wrapped", exam=capture.exam, uid=uid, code=error.code)
            self._spool.captures.set_problem(uid, error.code, error.what)

    def _written(self, exam: Exam, capture: Capture, series: Series) -> Sealed:
        uid = capture.sop_instance_uid
        with _reading("the order of this exam"):
            order, further = self._spool.exams.order(exam), self._spool.exams.further_orders(exam)
        build = secondary_capture.build if capture.kind is MediaKind.STILL else multiframe.build
        header = build(exam, capture, series, order=order, station=self._station, further=further)
        with _reading("this picture"):
            lengths, fragments = self._codestreams(capture)
        path = self._spool.layout.object(exam.id, uid)
        try:
            written = self._spool.objects.write(exam.id, uid, file_chunks(header, lengths, fragments))
            sealed = verify_sealed(path, exam=exam, capture=capture, series=series, order=order, further=further)
        except OSError as error:
            raise DiskFailed(f"A file that was just written cannot be read ({type(error).__name__}).") from error
        except ObjectError:
            self._spool.files.remove(path)  # it has no seal: nobody may take it for an object
            raise
        if sealed.sha256 != written.sha256:
            raise DiskFailed("A file that was just written reads back differently.")
        return sealed

    def _codestreams(self, capture: Capture) -> tuple[Sequence[int], Iterator[bytes]]:
        media = self._spool.layout.media(capture.exam, capture.media)
        if capture.kind is MediaKind.STILL:
            return [capture.bytes], iter([media.read_bytes()])
        _, entries = clips.read_index(self._spool.layout.index(capture.exam, capture.sop_instance_uid))
        return [entry.length for entry in entries], _read(lambda: clips.codestreams(media, entries))

    def _room_for(self, capture: Capture) -> None:
        """Make room for the second copy, from the reserve if need be: what leaves makes room. Raises DiskFull."""
        is_clip = capture.kind is MediaKind.CLIP
        if not room.copy_fits(self._spool.space.room(), capture.bytes, clip=is_clip):
            raise DiskFull(f"The box is too full to make the DICOM file of a {capture.kind}.")
        self._spool.reserve.ease(capture.bytes + room.FLOOR)


@contextmanager
def _reading(what: str) -> Iterator[None]:
    """Lay a file that cannot be read at its own door: the disk as a whole may be well."""
    try:
        yield
    except FileNotFoundError as error:
        raise SpoolDamaged(f"The file of {what} is not on the disk any more.", code="file-missing") from error
    except OSError as error:
        raise SpoolDamaged(f"The file of {what} cannot be read.", code="file-unreadable") from error


def _read(open_it: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
    with _reading("this clip"):
        yield from open_it()
