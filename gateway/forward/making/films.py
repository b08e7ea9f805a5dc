"""Makes H.264 of the clips that are to be it: of their recorded frames, verified before these go.

A thread of its own: encoding takes minutes, and no other picture waits for it. What cannot be encoded is sealed as
the JPEG frames that it is.
"""

import hashlib
import logging
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from io import BufferedRandom

from gateway.config.settings import Station
from gateway.dicom import film, film_frames, multiframe, objects
from gateway.dicom.encapsulate import film_chunks
from gateway.dicom.part10 import H264
from gateway.dicom.sealed import SealedFile
from gateway.dicom.verify import verify_sealed
from gateway.dicom.window import film_of
from gateway.errors import (
    CodestreamBroken,
    DiskFailed,
    DiskFull,
    NotFound,
    ObjectError,
    ScopegateError,
    SpoolBusy,
    SpoolDamaged,
)
from gateway.forward.making.progress import Progress
from gateway.forward.making.seals import seal_of
from gateway.forward.making.wrap import Wrapper, codestreams_of, reading, series_of
from gateway.log import event, warn
from gateway.model import Capture, SealedObject
from gateway.spool.disk import room
from gateway.spool.queue.routing import Addressee, recipients
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)
_PIECE = 1 << 20
_LOOKED_AT_EVERY = 30  # frames: so often a decoded one is compared with the JPEG that it was made of
_WEIGHED_EVERY = 30  # frames between two looks at the disk: at most 8 MB at the encoder's highest rate
_SMALL = 100_000  # bytes: an MP4 is larger than a few small frames, and that matters to nobody
_TRIES = 2  # of a disk or an index that refuses what took minutes to make


class Films:
    """One thread only. `wrapper` seals what is not encoded; `progress` is None while nothing is."""

    def __init__(
        self,
        *,
        spool: Spool,
        station: Station,
        destinations: Sequence[Addressee],
        wrapper: Wrapper,
        stop: threading.Event,
        give_way: Callable[[], None] = lambda: None,
    ) -> None:
        self._spool = spool
        self._station = station
        self._destinations = destinations
        self._wrapper = wrapper
        self._stop = stop
        self._give_way = give_way
        self._threads = max(1, (os.cpu_count() or 1) // 2)
        self._failed: dict[str, int] = {}  # by UID: how often the making of it failed
        self._begun = False
        self.progress: Progress | None = None

    def step(self) -> bool:
        """Make one clip; say whether there may be more. Raises DiskFull, DiskFailed or SpoolBusy."""
        if not self._begun:
            self._begin()
        waiting = self._spool.captures.unsealed(1, films=True)
        if not waiting or self._stop.is_set():
            return False
        try:
            self._make(waiting[0].capture)
        finally:
            self.progress = None
        return not self._stop.is_set()

    def _begin(self) -> None:
        """Give way to all others, and remove what a predecessor that was killed did not finish."""
        self._give_way()
        self._spool.files.remove(*self._spool.layout.unfinished_films())
        self._begun = True

    def _make(self, capture: Capture) -> None:
        if self._is_worth_it(capture):
            self._room_for(capture.bytes)
            try:
                self.seal(self._spool.sides.as_said(capture))
            except film.Stopped:
                return
            except (DiskFailed, SpoolBusy) as error:
                self._note(capture, error, self._failed.get(capture.sop_instance_uid, 0) + 1)
                raise
            except (ObjectError, SpoolDamaged, NotFound, DiskFull) as error:
                self._note(capture, error, _TRIES)
            else:
                return
        self._wrapper.take([capture])

    def _is_worth_it(self, capture: Capture) -> bool:
        """Say whether a clip can become H.264; not once it was sealed before a cut, or a person removed it."""
        layout, exam, uid = self._spool.layout, capture.exam, capture.sop_instance_uid
        if (
            self._failed.get(uid, 0) >= _TRIES
            or layout.tombstone(exam, uid).exists()
            or layout.moved(exam, uid).exists()
        ):
            return False
        if layout.seal(exam, uid).exists():
            return False
        no_room = film.why_not(rows=capture.rows, columns=capture.columns, times=capture.frame_times)
        why = no_room or ("not-taken" if self._is_unwelcome(capture) else "")
        if why:
            event(_log, "clip_stays_jpeg", exam=exam, uid=uid, why=why)
        return not why

    def _is_unwelcome(self, capture: Capture) -> bool:
        """Say whether one of its destinations took no such clip as H.264 the last time: all get JPEG then."""
        try:
            sop_class = objects.sop_class(capture)
        except ObjectError:
            return False  # said when its object is made
        takes = self._spool.destinations.takes
        return any(takes(name, sop_class, H264) is False for name in recipients(self._destinations, capture))

    def _note(self, capture: Capture, error: ScopegateError, failures: int) -> None:
        self._failed[capture.sop_instance_uid] = failures
        warn(_log, "clip_not_encoded", exam=capture.exam, uid=capture.sop_instance_uid, code=error.code)

    def seal(self, capture: Capture) -> None:
        """Make the H.264 object of a clip final and queue it; its frames go.

        Raises Stopped, ObjectError when it cannot be H.264, SpoolDamaged or NotFound when its files are not
        what was stored, DiskFull, DiskFailed or SpoolBusy; nothing is sealed then.
        """
        sealed = self._written(capture)
        wanted = recipients(self._destinations, capture)
        self._spool.objects.seal(sealed, wanted)
        event(
            _log,
            "object_sealed",
            exam=sealed.exam,
            uid=sealed.sop_instance_uid,
            bytes=sealed.bytes,
            destinations=len(wanted),
            frames_bytes=capture.bytes,
        )
        self._spool.objects.drop_media(capture)

    # --- inside -------------------------------------------------------------------------------------------

    def _written(self, capture: Capture) -> SealedObject:
        exam = self._spool.exams.get(capture.exam)
        series = self._spool.exams.series_for(exam.id, *series_of(exam, capture))
        exam = self._spool.exams.get(exam.id)
        with reading("the order of this exam"):
            order, further = self._spool.exams.order(exam), self._spool.exams.further_orders(exam)
        path, uid = self._spool.layout.object(exam.id, capture.sop_instance_uid), capture.sop_instance_uid
        with self._spool.files.scratch(self._spool.layout.film(exam.id, uid)) as file:
            made = self._encoded(capture, file)
            self._weigh(capture, made.bytes)
            header = multiframe.build(
                exam, made, series, order=order, station=self._station, further=further, recorded=capture
            )
            chunks = film_chunks(header, made.bytes, iter(partial(file.read, _PIECE), b""))
            written = self._spool.objects.write(exam.id, uid, chunks)
        try:
            found = verify_sealed(path, exam=exam, capture=made, series=series, order=order, further=further)
            self._look_at(capture)
        except OSError as error:
            raise DiskFailed(f"A file that was just written cannot be read ({type(error).__name__}).") from error
        except (ObjectError, film.Stopped):
            self._spool.files.remove(path)  # it has no seal: nobody may take it for an object
            raise
        if found.sha256 != written.sha256:
            raise DiskFailed("A file that was just written reads back differently.")
        return seal_of(found, uid, exam.id, at=self._spool.clock.now())

    def _encoded(self, capture: Capture, file: BufferedRandom) -> Capture:
        """Encode a clip into a file and return what it is then; the file stands at its beginning."""
        _, frames = codestreams_of(self._spool, capture)
        film.make(
            file,
            frames,
            rows=capture.rows,
            columns=capture.columns,
            times=capture.frame_times,
            stopped=self._stop.is_set,
            threads=self._threads,
            done=partial(self._encoding, capture, file),
        )
        size = file.tell()
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        return replace(
            capture,
            codec="h264",
            rows=film.even(capture.rows),
            columns=film.even(capture.columns),
            bytes=size,
            sha256=digest,
        )

    def _encoding(self, capture: Capture, file: BufferedRandom, done: int) -> None:
        self._at(capture, 0, done)
        if done % _WEIGHED_EVERY == 0:
            self._weigh(capture, file.tell())

    def _weigh(self, capture: Capture, size: int) -> None:
        """Look whether there is room for so many bytes once more, as object: before that, and while it is encoded.

        Raises DiskFull, or ObjectError when it is larger than its frames: these go for it, so that what was taken
        of the reserve comes back.
        """
        if size > max(capture.bytes, _SMALL):
            raise ObjectError("A clip is larger as H.264 than as JPEG frames.", code="not-smaller")
        self._room_for(size)

    def _look_at(self, capture: Capture) -> None:
        """Decode what was written, all of it, and compare it with the frames. Raises CodestreamBroken, Stopped."""
        path = self._spool.layout.object(capture.exam, capture.sop_instance_uid)
        _, frames = codestreams_of(self._spool, capture)
        count = 0
        with SealedFile(path) as sealed, film_of(sealed) as stream:
            for count, shown in enumerate(film_frames.decoded(stream, threads=self._threads), 1):
                if self._stop.is_set():
                    raise film.Stopped
                jpeg = next(frames, None)
                compared = count % _LOOKED_AT_EVERY == 1 or count == capture.frames
                if jpeg is None or (compared and not film_frames.resembles(shown, jpeg)):
                    raise CodestreamBroken("A clip's H.264 does not show what was recorded.")
                self._at(capture, capture.frames, count)
        if count != capture.frames:
            raise CodestreamBroken("A clip's H.264 has another number of frames than its record says.")

    def _at(self, capture: Capture, before: int, done: int) -> None:
        self.progress = Progress(
            exam=capture.exam,
            uid=capture.sop_instance_uid,
            into="h264",
            done=before + done,
            frames=2 * capture.frames,
        )

    def _room_for(self, size: int) -> None:
        """Make room for so many bytes, from the reserve if need be. Raises DiskFull."""
        if not room.copy_fits(self._spool.space.room(), size, clip=True):
            raise DiskFull("The box is too full to make the DICOM file of a clip.")
        self._spool.reserve.ease(size + room.FLOOR)
