"""Finds the first answer to a repeated request: on its way, stored without its row yet, or in the index."""

from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from gateway.capture.answers import settled
from gateway.capture.recorder import Recorder
from gateway.errors import RequestReused
from gateway.model import Capture, CaptureState, MediaKind, RequestStamp
from gateway.spool.spool import Spool


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    request: RequestStamp
    kind: MediaKind
    answer: Future[Any]


class Requests:
    """What was asked with a request id. Its user holds the lock of the moment of a press."""

    def __init__(self, *, spool: Spool, recorder: Recorder) -> None:
        self._spool = spool
        self._recorder = recorder
        self._asked: dict[str, _Asked] = {}  # not answered yet, by request id

    def note(self, request: RequestStamp | None, kind: MediaKind, answer: Future[Any]) -> None:
        """Remember what is on its way; what was answered is found on the disk from then on."""
        self._asked = {key: asked for key, asked in self._asked.items() if not asked.answer.done()}
        if request:
            self._asked[request.id] = _Asked(request=request, kind=kind, answer=answer)

    def still(self, request: RequestStamp | None) -> Future[Capture] | None:
        """Return the answer to a still that was asked for before. Raises RequestReused."""
        if request is None:
            return None
        if on_its_way := self._on_its_way(request, MediaKind.STILL):
            return on_its_way
        found = self._stored(request)
        if found is None:
            return None
        if not isinstance(found, Capture) or found.kind is not MediaKind.STILL:
            raise RequestReused
        return settled(found)

    def clip(self, request: RequestStamp | None) -> Future[str] | None:
        """Return the answer, a UID, to a clip that was asked for before. Raises RequestReused."""
        if request is None:
            return None
        if on_its_way := self._on_its_way(request, MediaKind.CLIP):
            return on_its_way
        found = self._stored(request)
        if isinstance(found, Capture):
            if found.kind is not MediaKind.CLIP:
                raise RequestReused
            return settled(found.sop_instance_uid)
        return settled(found) if found else None

    def _on_its_way(self, request: RequestStamp, kind: MediaKind) -> Future[Any] | None:
        asked = self._asked.get(request.id)
        if asked is None or asked.answer.done():
            return None
        if (asked.request, asked.kind) != (request, kind):
            raise RequestReused
        return asked.answer

    def _stored(self, request: RequestStamp) -> Capture | str | None:
        """Return what this request stored, or the UID of the clip that is being recorded for it."""
        for capture in self._recorder.without_row():
            if capture.request and capture.request.id == request.id:
                if capture.request != request:
                    raise RequestReused
                return capture
        found = self._spool.captures.remembered(request)
        if found is None:
            return None
        return found.uid if found.state is CaptureState.RECORDING else self._spool.captures.get(found.uid).capture
