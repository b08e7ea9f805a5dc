"""Every press, whoever made it: stills, clips and the one answer that each of them gets."""

import threading
from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum

from gateway.capture.clips import Clips, Recording
from gateway.capture.grabber import Grabber
from gateway.capture.moment import Ask, Moments, equipment_of
from gateway.capture.recorder import Pressed, Recorder
from gateway.clock import Clock
from gateway.config.settings import Station
from gateway.errors import ClipRecording, DiskFull, NotFound, ScopegateError, WrongState
from gateway.model import Capture, CaptureState, Equipment, RequestStamp
from gateway.spool.spool import Spool
from hardware.indicators import Answer, Indicator

ANSWER_S = 5.0  # a pedal gets its answer by then at the latest
_CLIP_CLOSE_S = 30.0
_CLIP_FLOOR = 0.15  # no clip begins with less of the disk free: what is left belongs to stills


class Origin(StrEnum):
    PEDAL = "pedal"
    SOCKET = "socket"


@dataclass(frozen=True, kw_only=True, slots=True)
class LastAnswer:
    """The answer that the last press got."""

    number: int
    answer: Answer
    origin: Origin
    code: str = ""
    what: str = ""
    sop_instance_uid: str = ""


class Presses:
    """What can be pressed. Returns only when what was asked is durable; says so with lamp and tone as well."""

    def __init__(
        self,
        *,
        spool: Spool,
        moments: Moments,
        recorder: Recorder,
        clips: Clips,
        indicator: Indicator,
        station: Station,
        clock: Clock,
    ) -> None:
        self._spool = spool
        self._moments = moments
        self._recorder = recorder
        self._clips = clips
        self._indicator = indicator
        self._station = station
        self._clock = clock
        self._answering = threading.Lock()
        self._asked: dict[str, Future[Capture]] = {}  # stills that are being stored, by request id
        self.last: LastAnswer | None = None

    def still(self, ask: Ask, origin: Origin) -> Capture:
        """Store the frame of this press. Raises what `Moments.fix` and `Recorder.store` raise."""
        try:
            capture = self._begin_still(ask).result()
        except ScopegateError as error:
            self.refuse(error, origin)
            raise
        self._say(Answer.STORED, origin, uid=capture.sop_instance_uid)
        return capture

    def start_clip(self, ask: Ask, origin: Origin) -> str:
        """Begin a clip and return the SOP Instance UID of its first part. Raises ClipRecording and as `still`."""
        try:
            with self._moments.lock:
                uid = self._remembered_clip(ask.request) or self._start_clip(ask).uid
        except ScopegateError as error:
            self.refuse(error, origin)
            raise
        self._say(Answer.CLIP_STARTED, origin, uid=uid)
        return uid

    def stop_clip(self, uid: str, origin: Origin, *, time_ns: int = 0) -> list[str]:
        """End a clip and return its parts' UIDs when they are durable; a clip that ended before is named again."""
        recording = self._clips.running()
        if recording is None or recording.uid != uid:
            return [self._stored(uid)]
        self._clips.stop(recording, time_ns)
        try:
            capture = recording.done.result(_CLIP_CLOSE_S)
        except ScopegateError as error:
            self.refuse(error, origin)
            raise
        self._say(Answer.CLIP_STOPPED, origin, uid=uid)
        return [capture.sop_instance_uid] if capture else []

    def toggle_clip(self, ask: Ask, origin: Origin) -> None:
        """Begin a clip of this source, or end the running one: what a pedal does."""
        running = self._clips.running(self._moments.grabber(ask.source).settings.name)
        if running:
            self.stop_clip(running.uid, origin, time_ns=ask.time_ns)
        else:
            self.start_clip(ask, origin)

    def refuse(self, error: ScopegateError, origin: Origin) -> None:
        """Say that nothing was stored, and why."""
        self._say(Answer.NOT_STORED, origin, code=error.code, what=error.what)

    # --- inside -------------------------------------------------------------------------------------------

    def _begin_still(self, ask: Ask) -> Future[Capture]:
        with self._moments.lock:
            if ask.request and (known := self._remembered_still(ask.request)):
                return known
            fixed = self._moments.fix(ask)
            future = self._recorder.submit(
                Pressed(
                    exam=fixed.exam.id,
                    patient=fixed.exam.patient,
                    source=fixed.grabber.settings.name,
                    equipment=self._equipment(fixed.grabber),
                    frame=fixed.frame,
                    taken=self._clock.at(fixed.frame.time_ns),
                    pressed=self._clock.at(ask.time_ns) if ask.time_ns else self._clock.now(),
                    sop_instance_uid=fixed.uid,
                    instance_number=fixed.number,
                    request=ask.request,
                )
            )
            if ask.request:
                self._asked = {key: value for key, value in self._asked.items() if not value.done()}
                self._asked[ask.request.id] = future
            return future

    def _remembered_still(self, request: RequestStamp) -> Future[Capture] | None:
        if (future := self._asked.get(request.id)) and not future.done():
            return future
        found = self._spool.captures.remembered(request)
        if found is None:
            return None
        future = Future()
        future.set_result(self._spool.captures.get(found.uid).capture)
        return future

    def _start_clip(self, ask: Ask) -> Recording:
        grabber = self._moments.grabber(ask.source)
        if self._clips.running(grabber.settings.name):
            raise ClipRecording
        if self._clips.free_share() < _CLIP_FLOOR:
            raise DiskFull("No clip was started: the box is nearly full and the rest is kept for stills.")
        return self._clips.start(self._moments.fix(ask), self._equipment(grabber), ask.request)

    def _remembered_clip(self, request: RequestStamp | None) -> str:
        found = self._spool.captures.remembered(request) if request else None
        return found.uid if found else ""

    def _stored(self, uid: str) -> str:
        try:
            listed = self._spool.captures.get(uid)
        except NotFound:
            raise WrongState("This clip is not being recorded.") from None
        assert listed.capture.state is not CaptureState.RECORDING
        return listed.capture.sop_instance_uid

    def _equipment(self, grabber: Grabber) -> Equipment:
        return equipment_of(grabber, station=self._station.name, institution=self._station.institution)

    def _say(self, answer: Answer, origin: Origin, *, code: str = "", what: str = "", uid: str = "") -> None:
        with self._answering:
            number = self.last.number + 1 if self.last else 1
            self.last = LastAnswer(
                number=number, answer=answer, origin=origin, code=code, what=what, sop_instance_uid=uid
            )
        self._indicator.show(answer)
