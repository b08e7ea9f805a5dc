"""Records one part of a clip: its start made durable, frame after frame, until something ends it."""

import logging
import threading
from collections.abc import Iterator, Mapping

from gateway.capture.answers import FAILURES, explained, fail, give
from gateway.capture.closing import Closing
from gateway.capture.developing import Darkroom, Developed, Made, Shot, develop
from gateway.capture.ending import fits, lost_before, why
from gateway.capture.grabber import Grabber
from gateway.capture.prerecord import PreRecord
from gateway.capture.recording import End, Recording, placeholder
from gateway.capture.reel import Reel
from gateway.capture.sieve import Sieve
from gateway.clock import Clock
from gateway.errors import Busy, ScopegateError
from gateway.log import event, warn
from gateway.model import Capture
from gateway.spool.clips import ClipWriter
from gateway.spool.disk import room
from gateway.spool.spool import Spool
from hardware.errors import EncodingFailed

_log = logging.getLogger(__name__)
_SYNC_NS = 400_000_000  # under the 500 ms that a power cut may cost
_WAIT_S = 0.05  # between two looks at `stop` and at the limits of a clip


class Filming:
    """What a clip's thread does with one part of it."""

    def __init__(
        self, *, spool: Spool, closing: Closing, clock: Clock, prerecords: Mapping[str, PreRecord]
    ) -> None:
        self._spool = spool
        self._closing = closing
        self._clock = clock
        self._prerecords = prerecords

    def reel(self, source: str, grabber: Grabber) -> Reel:
        """Return where the frames of this source come from."""
        return Reel(grabber=grabber, kept=self._prerecords.get(source))

    def begin(self, recording: Recording) -> ScopegateError | None:
        """Make a clip's start durable; return why there is none, and nothing is left of it then."""
        header = recording.header
        try:
            self._spool.captures.begin_clip(placeholder(header, recording.first))
            recording.writer = ClipWriter(layout=self._spool.layout, files=self._spool.files, header=header)
            # A frame, before the start is acknowledged: a clip that began is never empty.
            _add(recording, develop(recording.opening[0], recording.grabber))
            recording.writer.sync()
        except FAILURES as failure:
            error = explained(failure)
            if recording.writer:
                recording.writer.abandon()
        else:
            if give(recording.begun, header.sop_instance_uid):
                event(_log, "clip_started", exam=header.exam, uid=recording.uid, source=header.source)
                return None
            recording.writer.abandon()
            error = Busy()
        warn(_log, "clip_not_started", exam=header.exam, uid=recording.uid, code=error.code)
        self._closing.discard(header)
        fail(recording.begun, error)
        return error

    def film(self, recording: Recording, stop: threading.Event) -> tuple[Capture | None, ScopegateError | None]:
        """Record one part that has begun to its end; return what is durable of it, and what went wrong.

        Its row says that it is being recorded until somebody enters what is returned.
        """
        error = None
        try:
            self._add_frames(recording, stop)
            capture: Capture | None = self._closing.close(recording)
        except FAILURES as failure:
            error = explained(failure)
            recording.end = End.FAILED
            warn(_log, "clip_failed", exam=recording.header.exam, uid=recording.uid, code=error.code)
            capture = self._closing.salvage(recording.header)
        if capture:
            event(_log, "clip_stored", uid=recording.uid, frames=capture.frames, end=recording.end)
        return capture, error

    def _add_frames(self, recording: Recording, stop: threading.Event) -> None:
        """Write frame after frame; every 400 ms what was written is made safe."""
        writer, reel = recording.writer, self.reel(recording.header.source, recording.grabber)
        assert writer
        sieve, darkroom = Sieve(recording.grabber.watch), Darkroom(recording.grabber)
        synced_ns = self._clock.boottime_ns()
        try:
            _add_shots(recording, darkroom, reel, _shots(darkroom, recording.opening))  # looked at before the start
            for frame in self._frames(recording, reel, sieve, stop):
                passed = _passed(recording, sieve, frame)
                shots = _shots(darkroom, passed) + (darkroom.rest() if recording.is_quiet else [])
                _add_shots(recording, darkroom, reel, shots)
                recording.waiting = sieve.waiting + darkroom.waiting
                if (now := self._clock.boottime_ns()) - synced_ns > _SYNC_NS:
                    writer.sync()
                    synced_ns = now
            _add_shots(recording, darkroom, reel, _shots(darkroom, sieve.rest()) + darkroom.rest())
            recording.waiting = 0
            writer.sync()
        except FAILURES:
            writer.abandon()
            raise

    def _frames(
        self, recording: Recording, reel: Reel, sieve: Sieve, stop: threading.Event
    ) -> Iterator[Made | None]:
        """Yield what follows the opening, in order, and None whenever nothing came for a while, until it ends."""
        last = recording.opening[0]
        for leading in recording.opening:
            recording.lost += max(0, leading.sequence - last.sequence - 1)
            last = leading
        came = last
        while not stop.is_set():
            frame = reel.after(came.sequence, _WAIT_S)
            recording.waited = 0 if frame else recording.waited + 1
            other = frame is not None and not fits(recording, frame)
            first = _first_of_part(recording, sieve, frame) if frame and other else None
            none = other and first is None
            end = self._end(recording, last, frame, none=none)
            if frame:
                recording.lost += lost_before(end, recording, came, frame)
                came = frame
            if end:
                recording.end, recording.unfit = end, first if end is End.SIZE else None
                return
            recording.idle = 0 if frame and not none else recording.idle + 1
            last = last if none else frame or last
            yield None if none else frame

    def _end(self, recording: Recording, last: Made, frame: Made | None, *, none: bool) -> End | None:
        """Say why a clip ends before `frame`, or before the one that did not come."""
        if end := why(recording, last, frame, none=none, now_ns=self._clock.boottime_ns()):
            return end
        recorded, coming = recording.sizes
        # What is coming will be on the disk, and once more in the DICOM copy.
        return None if room.clip_fits(self._spool.space.room(), recorded + 2 * coming) else End.DISK


def _first_of_part(recording: Recording, sieve: Sieve, frame: Made) -> Developed | None:
    """Return a frame of another size as the next part begins with it.

    None does with what a device shows without signal, which may have a size of its own, nor with a torn frame.
    """
    if not recording.anyway and sieve.is_card(frame):
        return None
    try:
        return develop(frame, recording.grabber)
    except EncodingFailed as error:
        _left_out(recording, error)
        return None


def _passed(recording: Recording, sieve: Sieve, frame: Made | None) -> list[Made]:
    """Return the frames that are known to be pictures now."""
    if frame is None:
        return sieve.rest() if recording.is_quiet else []
    return [frame] if recording.anyway else sieve.put(frame)


def _shots(darkroom: Darkroom, frames: list[Made]) -> list[Shot]:
    return [shot for frame in frames for shot in darkroom.put(frame)]


def _add_shots(recording: Recording, darkroom: Darkroom, reel: Reel, shots: list[Shot]) -> None:
    """Add frames, as the pre-record made them if it did; one that cannot be compressed is lost."""
    for shot in shots:
        if shot.frame is recording.opening[0]:
            continue  # written when the clip began
        try:
            _add(recording, reel.ready(shot) or darkroom.develop(shot))
        except EncodingFailed as error:
            _left_out(recording, error)


def _left_out(recording: Recording, error: EncodingFailed) -> None:
    """Count a frame as lost that cannot be compressed; said once a part."""
    recording.lost += 1
    if not recording.torn:
        warn(_log, "frames_left_out", uid=recording.uid, code=error.code)
    recording.torn = True


def _add(recording: Recording, developed: Developed) -> None:
    assert recording.writer
    recording.writer.add(developed.jpeg, time_ns=developed.time_ns, sequence=developed.sequence)
