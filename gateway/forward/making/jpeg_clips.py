"""Makes a clip of JPEG frames of an H.264 one, for destinations that take no H.264 and want what they take.

A step of the films' thread: it takes as long as they do. The frames that were recorded are gone by then; these are
decoded from the film, which loses a little once more and says so.
"""

import hashlib
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import BufferedRandom
from pathlib import Path

from gateway.config.settings import Destination, Station
from gateway.dicom import film, film_frames
from gateway.dicom.derived import ALL, Origin
from gateway.dicom.part10 import JPEG_BASELINE
from gateway.dicom.sealed import SealedFile
from gateway.dicom.window import film_of
from gateway.errors import (
    CodestreamBroken,
    DiskFull,
    NotFound,
    ObjectError,
    ScopegateError,
    SpoolDamaged,
)
from gateway.forward.making.derived import Derived, Made
from gateway.forward.making.progress import Progress
from gateway.forward.sending import outgoing
from gateway.log import event, warn
from gateway.model import Capture, Delivery, SealedObject
from gateway.spool.disk import room
from gateway.spool.key_stills import KeyStill
from gateway.spool.queue.deliveries import JPEG_WANTED, KEY_STILLS_WANTED, SENT_AS_JPEG
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)
_MB = 1_000_000
_BATCH = 200
_LOOK = 25  # frames between two looks at the disk


class JpegClips:
    """One thread only. `progress` is None while nothing is made."""

    def __init__(
        self, *, spool: Spool, station: Station, destinations: Sequence[Destination], stop: threading.Event
    ) -> None:
        self._spool = spool
        self._derived = Derived(spool=spool, station=station)
        self._wanted = {each.name: each for each in destinations if each.fallback != "hold"}
        self._stop = stop
        self._threads = max(1, (os.cpu_count() or 1) // 2)
        self._needs: dict[str, int] = {}  # bytes of room, by UID of the clips of which some frames were made
        self.short: frozenset[str] = frozenset()  # UIDs of clips that wait for room on the disk
        self.progress: Progress | None = None

    def step(self) -> bool:
        """Settle what becomes of H.264 clips until one was made; say whether there may be more.

        One for which the disk has no room waits, and the others do not wait for it. Raises DiskFailed or SpoolBusy,
        and DiskFull when nothing else is left to do.
        """
        short: dict[str, DiskFull] = {}
        for delivery in self._spool.deliveries.held(JPEG_WANTED, limit=_BATCH):
            try:
                if self._stop.is_set():
                    return False
                self._settle(delivery)
                if self.progress:  # minutes have passed: what is not sent in any form yet goes first
                    return True
            except film.Stopped:
                return False
            except DiskFull as error:
                short[delivery.sop_instance_uid] = error
            except (ObjectError, SpoolDamaged, NotFound) as error:
                self._give_up(delivery, error)
            finally:
                self.progress = None
                self.short = frozenset(short)
        if short:
            raise next(iter(short.values()))
        return False

    # --- inside -------------------------------------------------------------------------------------------

    def _give_up(self, delivery: Delivery, error: ScopegateError) -> None:
        warn(_log, "jpeg_clip_not_made", uid=delivery.sop_instance_uid, code=error.code)
        self._needs.pop(delivery.sop_instance_uid, None)
        name = delivery.destination
        reason = f"The archive {name} takes no H.264, and no JPEG could be made of it: {error.what}"
        self._spool.deliveries.explain(delivery, code=error.code, reason=reason)

    def _settle(self, delivery: Delivery) -> None:
        name, explain = delivery.destination, self._spool.deliveries.explain
        destination = self._wanted.get(name)
        clip = self._spool.objects.get(delivery.sop_instance_uid)
        if destination is None:  # it left the configuration, or wants nothing else any more
            explain(delivery, code=outgoing.NO_CONTEXT, reason=delivery.reason)
            return
        if self._spool.destinations.takes(name, clip.sop_class_uid, JPEG_BASELINE) is False:
            next_one = KEY_STILLS_WANTED if destination.fallback == "key-stills" else outgoing.NO_CONTEXT
            reason = f"The archive {name} takes clips neither as H.264 nor as JPEG."
            explain(delivery, code=next_one, reason=reason)
            return
        most = destination.max_object_mb * _MB
        made = self._of(clip, self._spool.captures.get(clip.capture).capture, most)
        if made.bytes > most:
            raise _too_large(made.bytes, most)
        self._spool.objects.put_row(made, [])  # there already, unless the box was switched off in between
        reason = f"The archive {name} takes no H.264: it gets the clip as JPEG; the H.264 is on this box."
        # Where the clip may have been offered before the index was lost, this may have gone then.
        if self._spool.deliveries.send_instead(delivery, made.sop_instance_uid, code=SENT_AS_JPEG, reason=reason):
            event(_log, "sent_as_jpeg", destination=name, uid=clip.sop_instance_uid, made=made.sop_instance_uid)

    def _of(self, clip: SealedObject, capture: Capture, most: int) -> SealedObject:
        """Return the clip of JPEG frames, one for all destinations, made now if there is none or its file was lost.

        Raises ObjectError when it would have more bytes than `most`.
        """
        plan = self._spool.key_stills.plan(
            clip.exam, clip.sop_instance_uid, capture.instance_number, wanted=ALL, frames=(ALL,)
        )
        (planned,) = plan.stills
        if whole := self._derived.whole(clip.exam, planned.sop_instance_uid):
            return whole
        if capture.bytes > most:
            raise _too_large(capture.bytes, most)
        self._derived.orders(clip.exam)  # what cannot be sealed is not made
        self._room_for(max(2 * capture.bytes, self._needs.get(capture.sop_instance_uid, 0)))
        try:
            made = self._made(clip, capture, planned, most)
        except OSError as error:
            raise SpoolDamaged("The DICOM file of a clip cannot be read.", code="file-missing") from error
        self._needs.pop(clip.sop_instance_uid, None)
        return made

    def _made(self, clip: SealedObject, capture: Capture, planned: KeyStill, most: int) -> SealedObject:
        uid, path = planned.sop_instance_uid, self._spool.objects.path(clip)
        with SealedFile(path) as file, film_of(file) as stream:
            if file.sha256 != clip.sha256:
                raise SpoolDamaged("An object's file is not the one that was sealed: nothing was made of it.")
            ratio, method = (file.header.text(f"LossyImageCompression{each}") for each in ("Ratio", "Method"))
            origin = Origin(
                sop_class_uid=clip.sop_class_uid,
                sop_instance_uid=clip.sop_instance_uid,
                frame=ALL,
                frames=clip.frames,
                lossy_ratio=ratio,
                lossy_method=method,
            )
            jpegs = film_frames.jpegs(stream, rows=capture.rows, columns=capture.columns, threads=self._threads)
            with self._spool.files.scratch(self._scratch(clip, uid)) as scratch:
                lengths, digest = self._written(capture, jpegs, scratch, most)
                record = _record(capture, planned, size=sum(lengths), sha256=digest)
                made = Made(record=record, origin=origin, lengths=lengths, streams=_read(scratch, lengths))
                return self._derived.seal(clip, replace(capture, codec="h264"), made)

    def _written(
        self, capture: Capture, jpegs: Iterator[bytes], file: BufferedRandom, most: int
    ) -> tuple[list[int], str]:
        """Write codestreams one after the other; return how long each is, and the SHA-256 of all of them."""
        lengths: list[int] = []
        digest, size = hashlib.sha256(), 0
        for jpeg in jpegs:
            if self._stop.is_set():
                raise film.Stopped
            if lengths and len(lengths) % _LOOK == 0:
                whole = size * capture.frames // len(lengths)
                self._needs[capture.sop_instance_uid] = 2 * whole
                self._room_for(2 * whole - size)
            size += len(jpeg)
            if size > most:
                raise _too_large(size, most)
            file.write(jpeg)
            digest.update(jpeg)
            lengths.append(len(jpeg))
            self.progress = Progress(
                exam=capture.exam,
                uid=capture.sop_instance_uid,
                into="jpeg",
                done=len(lengths),
                frames=capture.frames,
            )
        if len(lengths) != capture.frames:
            raise CodestreamBroken("A clip's H.264 has another number of frames than its record says.")
        file.seek(0)
        return lengths, digest.hexdigest()

    def _scratch(self, clip: SealedObject, uid: str) -> Path:
        return self._spool.layout.film(clip.exam, uid)

    def _room_for(self, size: int) -> None:
        """Look for room for that many bytes beside what stills are to find. Raises DiskFull.

        Nothing goes when this is made, unlike at a sealing: it gets nothing of the reserve.
        """
        if not room.clip_fits(self._spool.space.room(), size):
            raise DiskFull("The box is too full to make JPEG of an H.264 clip.")


def _too_large(size: int, most: int) -> ObjectError:
    return ObjectError(
        f"As JPEG this clip has {size // _MB} MB or more, and it gets at most {most // _MB} MB. "
        "Raise “Largest object” if the archive takes more.",
        code="too-large",
    )


def _record(clip: Capture, planned: KeyStill, *, size: int, sha256: str) -> Capture:
    return replace(
        clip,
        sop_instance_uid=planned.sop_instance_uid,
        instance_number=planned.instance_number,
        media="",
        codec="jpeg",
        bytes=size,
        sha256=sha256,
        lossy_ratio=0,  # its own: bytes and pixels say it
        request=None,
    )


def _read(file: BufferedRandom, lengths: Sequence[int]) -> Iterator[bytes]:
    return (file.read(length) for length in lengths)
