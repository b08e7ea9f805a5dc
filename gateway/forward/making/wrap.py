"""Makes sealed objects of a released exam's captures: build, write, read back, seal, then the media may go.

A capture that cannot become an object is marked and passed over; a disk that cannot be written stops them all.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from gateway.config.settings import Station
from gateway.dicom import multiframe, objects, still
from gateway.dicom.alike import Alike
from gateway.dicom.draft import Header
from gateway.dicom.encapsulate import file_chunks
from gateway.dicom.verify import Sealed, verify_sealed
from gateway.errors import DiskFailed, DiskFull, NotFound, ObjectError, SpoolDamaged
from gateway.forward.making.seals import seal_of
from gateway.log import event, warn
from gateway.model import Capture, Exam, MediaKind, SealedObject
from gateway.spool import clips, records
from gateway.spool.disk import room
from gateway.spool.files import sha256_of
from gateway.spool.queue.routing import Addressee, recipients
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)
_BATCH = 20
_MOST_BYTES = 16_000_000  # of stills that are in memory at a time


class Wrapper:
    """Seals captures and queues each for the destinations that get it.

    Stills of one exam are sealed together: they then share the flushes of the disk, which on a card cost more than
    all the rest.
    """

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
        for group in _together([listed.capture for listed in waiting]):
            self.take(group)
        if len(waiting) == _BATCH:
            return True
        unlisted = self._spool.objects.unlisted(_BATCH)
        for exam in unlisted:  # once an exam, when the last of it is sealed
            self._spool.objects.write_sums(exam)
        return len(unlisted) == _BATCH

    def seal(self, *captures: Capture) -> None:
        """Make the objects of an exam's captures final together and queue each for the destinations that get it.

        Raises ObjectError when one of them cannot become an object, SpoolDamaged or NotFound when its files are not
        what was stored, DiskFull or DiskFailed; nothing is sealed then.
        """
        found = [self._sealed_before(capture) for capture in captures]
        new = [capture for capture, before in zip(captures, found, strict=True) if before is None]
        sealed = [*filter(None, found), *self._made(new)] if new else list(filter(None, found))
        by_uid = {capture.sop_instance_uid: recipients(self._destinations, capture) for capture in captures}
        self._spool.objects.seal_all([(each, by_uid[each.sop_instance_uid]) for each in sealed])
        for each in sealed:
            uid = each.sop_instance_uid
            event(_log, "object_sealed", exam=each.exam, uid=uid, bytes=each.bytes, destinations=len(by_uid[uid]))
        self._spool.objects.drop_media(*captures)

    def take(self, captures: Sequence[Capture]) -> None:
        """Seal captures together as they are; when one of them is at fault, each for itself.

        Raises DiskFull, DiskFailed or SpoolBusy.
        """
        wanted = [self._spool.sides.as_said(capture) for capture in captures if not self._taken_out(capture)]
        try:
            if wanted:
                self.seal(*wanted)
        except (ObjectError, SpoolDamaged, NotFound, DiskFull) as error:
            if len(wanted) > 1:  # on a full disk one may fit: its media makes room for the next
                for capture in wanted:
                    self.take([capture])
                return
            if isinstance(error, DiskFull):
                raise
            self._spool.files.blame(error, self._spool.layout.probe("wrap"))
            exam, uid = wanted[0].exam, wanted[0].sop_instance_uid
            warn(_log, "capture_not_wrapped", exam=exam, uid=uid, code=error.code)
            self._spool.captures.set_problem(uid, error.code, error.what)

    def _taken_out(self, capture: Capture) -> bool:
        """Say whether a person removed it and its row fell behind, which is put right; or is moving it away."""
        if self._spool.layout.moved(capture.exam, capture.sop_instance_uid).exists():
            return True
        if not self._spool.layout.tombstone(capture.exam, capture.sop_instance_uid).exists():
            return False
        self._spool.captures.obey_tombstone(capture.exam, capture.sop_instance_uid)
        return True

    def _sealed_before(self, capture: Capture) -> SealedObject | None:
        """Return what stands in a seal whose row could not be written: nothing else may become of this capture."""
        path = self._spool.layout.seal(capture.exam, capture.sop_instance_uid)
        if not path.exists():
            return None
        with reading("the seal of this picture"):
            sealed = records.load(SealedObject, path.read_bytes())
            if sha256_of(self._spool.objects.path(sealed)) != sealed.sha256:
                raise SpoolDamaged("The DICOM file of this picture is not the one that was sealed.")
        return sealed

    def _made(self, captures: Sequence[Capture]) -> list[SealedObject]:
        self._room_for(captures)
        exam = self._spool.exams.get(captures[0].exam)
        kinds = {capture.sop_instance_uid: series_of(exam, capture) for capture in captures}
        made = {kind: self._spool.exams.series_for(exam.id, *kind) for kind in dict.fromkeys(kinds.values())}
        series = {uid: made[kind] for uid, kind in kinds.items()}
        exam = self._spool.exams.get(exam.id)
        with reading("the order of this exam"):
            order, further = self._spool.exams.order(exam), self._spool.exams.further_orders(exam)
        alike, headers, contents = Alike(exam), {}, {}
        for capture in captures:
            uid = capture.sop_instance_uid
            build = partial(still.build, alike=alike) if capture.kind is MediaKind.STILL else multiframe.build
            headers[uid] = build(exam, capture, series[uid], order=order, station=self._station, further=further)
            with reading("this picture"):
                contents[uid] = file_chunks(headers[uid], *self._codestreams(capture))
        self._spool.objects.write_all(exam.id, contents)
        check = partial(verify_sealed, exam=exam, order=order, further=further, alike=alike)
        return [
            self._verified(capture, headers[uid], partial(check, capture=capture, series=series[uid]))
            for capture in captures
            if (uid := capture.sop_instance_uid)
        ]

    def _verified(self, capture: Capture, header: Header, check: Callable[..., Sealed]) -> SealedObject:
        """Read a written object back and return what it is."""
        path = self._spool.layout.object(capture.exam, capture.sop_instance_uid)
        try:
            sealed = check(path, written=header)
        except OSError as error:
            raise DiskFailed(f"A file that was just written cannot be read ({type(error).__name__}).") from error
        except ObjectError as error:
            changed = not self._holds(path, file_chunks(header, *self._codestreams(capture)))
            self._spool.files.remove(path)  # it has no seal: nobody may take it for an object
            if changed:
                raise SpoolDamaged("A DICOM file that was just written reads back differently.") from error
            raise
        decoded = sealed.lossy and capture.codec != "jpeg"
        uid, now = capture.sop_instance_uid, self._spool.clock.now()
        return seal_of(sealed, uid, capture.exam, at=now, decoded=decoded)

    @staticmethod
    def _holds(path: Path, chunks: Iterable[bytes]) -> bool:
        """Say whether a file is what was to be written."""
        with path.open("rb") as file:
            return all(file.read(len(chunk)) == chunk for chunk in chunks) and not file.read(1)

    def _codestreams(self, capture: Capture) -> tuple[Sequence[int], Iterator[bytes]]:
        if capture.kind is MediaKind.CLIP:
            return codestreams_of(self._spool, capture)
        return [capture.bytes], iter([self._spool.layout.media(capture.exam, capture.media).read_bytes()])

    def _room_for(self, captures: Sequence[Capture]) -> None:
        """Make room for the second copies, from the reserve if need be: what leaves makes room. Raises DiskFull."""
        is_clip = captures[0].kind is MediaKind.CLIP
        total = sum(capture.bytes for capture in captures)
        if not room.copy_fits(self._spool.space.room(), total, clip=is_clip):
            raise DiskFull(f"The box is too full to make the DICOM file of a {captures[0].kind}.")
        self._spool.reserve.ease(total + room.FLOOR)


def codestreams_of(spool: Spool, clip: Capture) -> tuple[Sequence[int], Iterator[bytes]]:
    """Return the lengths of a recorded clip's codestreams, and these. Raises SpoolDamaged, now or while reading."""
    media = spool.layout.media(clip.exam, clip.media)
    with reading("this clip"):
        _, entries = clips.read_index(spool.layout.index(clip.exam, clip.sop_instance_uid))
    return [entry.length for entry in entries], _read(lambda: clips.codestreams(media, entries))


def series_of(exam: Exam, capture: Capture) -> tuple[str, str, str]:
    """Return what a series is made for: source, family, procedure step."""
    step = exam.step_of(capture.instance_number)
    return capture.source, objects.series_family(capture), step.sop_instance_uid if step else ""


def _together(captures: Sequence[Capture]) -> Iterator[list[Capture]]:
    """Part captures into those that are sealed together: stills of one exam that follow each other."""
    group: list[Capture] = []
    for capture in captures:
        fits = (
            group
            and capture.kind is group[0].kind is MediaKind.STILL
            and capture.exam == group[0].exam
            and sum(each.bytes for each in group) + capture.bytes <= _MOST_BYTES
        )
        if group and not fits:
            yield group
            group = []
        group.append(capture)
    if group:
        yield group


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Lay a file that cannot be read at its own door: the disk as a whole may be well."""
    try:
        yield
    except FileNotFoundError as error:
        raise SpoolDamaged(f"The file of {what} is not on the disk any more.", code="file-missing") from error
    except OSError as error:
        raise SpoolDamaged(f"The file of {what} cannot be read.", code="file-unreadable") from error


def _read(open_it: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
    with reading("this clip"):
        yield from open_it()
