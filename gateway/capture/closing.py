"""How a clip comes to its end on the disk: closed, salvaged, discarded, or kept open until there is room."""

import logging

from gateway.capture.answers import FAILURES
from gateway.capture.recording import Recording
from gateway.errors import ScopegateError, SpoolError
from gateway.log import warn
from gateway.model import Capture
from gateway.spool.clips import ClipHeader
from gateway.spool.recovery.clips import salvage
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)


class Closing:
    """Makes captures of clips that ended, and remembers those that the disk kept open."""

    def __init__(self, *, spool: Spool) -> None:
        self._spool = spool
        self._unclosed: dict[tuple[str, str], str] = {}  # (exam, UID): the code of why

    def close(self, recording: Recording) -> Capture:
        """Make a clip a capture that is durable. Raises what `FAILURES` names: it can be salvaged then.

        Its row is not written: it keeps the exam open until the next part has one.
        """
        assert recording.writer
        capture = recording.writer.close(lost_frames=recording.lost)
        self._spool.captures.write_sidecar(capture)
        return capture

    def salvage(self, header: ClipHeader) -> Capture | None:
        """Make a capture of what is whole, or remove what is there; later when the disk does not allow it now."""
        try:
            return salvage(self._spool, header.exam, header.sop_instance_uid)
        except SpoolError as error:
            warn(_log, "clip_not_closed", exam=header.exam, uid=header.sop_instance_uid, code=error.code)
            self._unclosed[header.exam, header.sop_instance_uid] = error.code
            return None

    def discard(self, header: ClipHeader) -> None:
        """Remove what is there of a clip whose start was refused; what cannot be removed now is closed later."""
        layout, exam, uid = self._spool.layout, header.exam, header.sop_instance_uid
        try:
            for place in (layout.index, layout.frames):
                self._spool.files.remove(place(exam, uid, recording=True))
            self._spool.captures.forget_clip(uid)
        except FAILURES:
            self.salvage(header)

    def close_leftovers(self) -> None:
        """Close the clips that the disk kept open, as soon as it lets us."""
        for exam, uid in list(self._unclosed):
            try:
                salvage(self._spool, exam, uid)
            except SpoolError:
                continue  # what is wrong with one may be right with the next
            del self._unclosed[exam, uid]

    def kept_open(self, uid: str) -> SpoolError | None:
        """Return why a clip that has ended is not stored yet."""
        unclosed = list(self._unclosed.items())  # other threads change it
        return next((_kept(code) for (_, known), code in unclosed if known == uid), None)

    def why(self, header: ClipHeader, error: ScopegateError) -> ScopegateError:
        """Return what to say of a clip that is no capture, or not yet."""
        if (header.exam, header.sop_instance_uid) not in self._unclosed:
            return error
        return _kept(error.code)


def _kept(code: str) -> SpoolError:
    return SpoolError(
        "The clip was ended: the box's disk took no more. What was recorded is kept.",
        code=code,
        action="Make room on the box: the clip is closed by itself then.",
    )
