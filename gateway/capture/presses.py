"""Every press, whoever made it: what it takes, and what it begins or ends. `saying` answers it."""

from concurrent.futures import Future
from dataclasses import replace
from functools import partial

from gateway.capture.answers import Due, given_up
from gateway.capture.clips import Clips
from gateway.capture.grabber import Grabber
from gateway.capture.heat import Heat
from gateway.capture.moment import Ask, Moments, equipment_of
from gateway.capture.recorder import Pressed, Recorder
from gateway.capture.recording import Recording
from gateway.capture.requests import Requests
from gateway.capture.saying import LastAnswer, Origin, Saying, pass_on
from gateway.clock import Clock
from gateway.config.body_parts import takes_side
from gateway.config.settings import Station
from gateway.errors import Busy, ClipRecording, DiskFull, NotFound, ScopegateError, WrongState
from gateway.model import Capture, Equipment, Exam, MediaKind, Side
from gateway.spool.clips import ClipHeader
from gateway.spool.disk import room
from gateway.spool.spool import Spool
from hardware.indicators import Answer, Indicator
from hardware.stills import StillKind, lossy_before

__all__ = ["Origin", "Presses"]


class Presses:
    """What can be pressed. A future is settled, and lamp and tone say so, only when what was asked is durable.

    `take_still`, `take_clip` and `end_clip` never wait for the disk; their futures are settled within 5 s. All
    methods raise, after saying it, what `Moments.fix` and `Recorder.submit` raise.
    """

    def __init__(
        self,
        *,
        spool: Spool,
        moments: Moments,
        recorder: Recorder,
        clips: Clips,
        requests: Requests,
        due: Due,
        heat: Heat,
        indicator: Indicator,
        station: Station,
        clock: Clock,
    ) -> None:
        self._spool = spool
        self._moments = moments
        self._recorder = recorder
        self._clips = clips
        self._requests = requests
        self._due = due
        self._heat = heat
        self._saying = Saying(indicator)
        self._station = station
        self._clock = clock

    @property
    def last(self) -> LastAnswer | None:
        """The answer that the last press got."""
        return self._saying.last

    @property
    def refused(self) -> int:
        """How many presses were answered that nothing was stored, since this process began."""
        return self._saying.refused

    def pressed(self) -> None:
        """Show that a pedal was heard. What it means is looked at later, and its answer follows."""
        self._saying.pressed()

    def take_still(self, ask: Ask, origin: Origin) -> Future[Capture]:
        """Pin the frame of this press and return the answer that it gets in time.

        Raises Busy, DiskFull and RequestReused as well.
        """
        answer: Future[Capture] = Future()
        with self._saying.refusals(origin), self._moments.turn(ask) as waited:
            stored = self._requests.still(ask.request)
            if stored is None:
                self._saying.noticed(origin)
                stored = self._pin(waited)
                self._requests.note(ask.request, MediaKind.STILL, stored)
                answer.add_done_callback(partial(self._saying.still, origin))
        self._due.expect(answer, since_ns=ask.time_ns, late=partial(given_up, stored))
        stored.add_done_callback(partial(pass_on, answer))
        return answer

    def take_clip(self, ask: Ask, origin: Origin) -> Future[str]:
        """Begin a clip and return its UID to be. Raises ClipRecording, TooHot, DiskFull, RequestReused as well."""
        with self._saying.refusals(origin), self._moments.turn(ask) as waited:
            if known := self._requests.clip(ask.request):
                return known
            self._saying.noticed(origin)
            recording = self._begin_clip(waited)
            self._requests.note(ask.request, MediaKind.CLIP, recording.begun)
        late = partial(Busy, "No clip was started: the box's disk does not answer.")
        self._due.expect(recording.begun, since_ns=ask.time_ns, late=late)
        recording.begun.add_done_callback(partial(self._saying.clip_begun, origin))
        recording.done.add_done_callback(partial(self._saying.clip_done, origin, recording))
        return recording.begun

    def end_clip(self, recording: Recording, time_ns: int, origin: Origin) -> Future[Capture]:
        """End a clip with the frame of that time and return what becomes of it."""
        self._clips.stop(recording, time_ns + recording.grabber.delay_ns)
        answer: Future[Capture] = Future()
        late = Busy("The clip is not stored yet: the box's disk does not answer.")
        self._due.expect(answer, since_ns=time_ns, late=lambda: late)
        recording.done.add_done_callback(partial(pass_on, answer))
        answer.add_done_callback(lambda done: self.refuse(late, origin) if done.exception() is late else None)
        return answer

    def stop_clip(self, uid: str, origin: Origin) -> list[str]:
        """End a clip and return its parts' UIDs when they are durable; a clip that ended before is named again."""
        recording = next((running for running in self._clips.running() if uid in running.uids), None)
        if recording is None:
            self._stored_clip(uid)
        else:
            self._saying.noticed(origin)
            self.end_clip(recording, self._clock.boottime_ns(), origin).result()
        return list(self._clips.parts_of(uid))

    def toggle_clip(self, ask: Ask, origin: Origin) -> None:
        """Begin a clip of this source, or end the running one: what a pedal does."""
        running = self._clips.of_source(self._moments.grabber(ask.source).settings.name)
        if running is None or running.stopped_ns:
            self.take_clip(ask, origin)
        else:
            self.end_clip(running, ask.time_ns, origin)

    def reserve(self, exam: str, count: int) -> list[int]:
        """Give InstanceNumbers of an exam to pictures that somebody moves there."""
        return self._moments.reserve(exam, count)

    def rehearse(self, answer: Answer) -> None:
        """Show an answer on lamps and loudspeakers that answers no press."""
        self._saying.rehearse(answer)

    def refuse(self, error: ScopegateError, origin: Origin) -> None:
        """Say that nothing was stored, and why."""
        self._saying.refuse(error, origin)

    # --- what was pressed ---------------------------------------------------------------------------------

    def _pin(self, ask: Ask) -> Future[Capture]:
        if not self._spool.space.still_fits(waiting=self._recorder.pending):
            raise DiskFull("The picture was NOT stored: the box is full.")
        fixed = self._moments.fix(ask)
        equipment = self._equipment(fixed.grabber)
        return self._recorder.submit(
            Pressed(
                exam=fixed.exam.id,
                patient=fixed.exam.patient,
                source=fixed.grabber.settings.name,
                equipment=equipment,
                frame=fixed.frame,
                view=replace(fixed.grabber.view, square=fixed.grabber.settings.aspect == "square"),
                still=StillKind(fixed.grabber.settings.still),
                quality=fixed.grabber.settings.jpeg_quality,
                taken=self._clock.at(fixed.frame.time_ns),
                pressed=self._clock.at(ask.time_ns),
                sop_instance_uid=fixed.uid,
                instance_number=fixed.number,
                side=_side(ask, fixed.exam, equipment, MediaKind.STILL),
                request=ask.request,
            )
        )

    def _begin_clip(self, ask: Ask) -> Recording:
        running = self._clips.of_source(self._moments.grabber(ask.source).settings.name)
        if running and running.stopped_ns:
            raise ClipRecording("No clip was started: the clip before is still being stored.")
        if running:
            raise ClipRecording
        self._heat.check()
        if not room.clip_fits(self._spool.space.room()):
            raise DiskFull("No clip was started: the box is nearly full and the rest is kept for stills.")
        fixed = self._moments.fix(ask)
        picture, view = fixed.frame.picture, fixed.grabber.view
        columns, rows = view.size_seen(picture)
        equipment = self._equipment(fixed.grabber)
        header = ClipHeader(
            exam=fixed.exam.id,
            source=fixed.grabber.settings.name,
            sop_instance_uid=fixed.uid,
            instance_number=fixed.number,
            part=1,
            pressed=self._clock.at(ask.time_ns),
            patient=fixed.exam.patient,
            equipment=equipment,
            rows=rows,
            columns=columns,
            lossy_before=lossy_before(picture, view),
            clip_as=fixed.grabber.settings.clip,
            side=_side(ask, fixed.exam, equipment, MediaKind.CLIP),
            request=ask.request,
        )
        return self._clips.start(header, fixed.grabber, fixed.frame, since_ns=fixed.since_ns, anyway=ask.anyway)

    def _stored_clip(self, uid: str) -> str:
        if kept_open := self._clips.kept_open(uid):
            raise kept_open
        if any(capture.sop_instance_uid == uid for capture in self._recorder.without_row()):
            return uid
        try:
            kind = self._spool.captures.get(uid).capture.kind
        except NotFound:
            kind = None
        if kind is not MediaKind.CLIP:
            raise WrongState("This clip is not being recorded.")
        return uid

    def _equipment(self, grabber: Grabber) -> Equipment:
        return equipment_of(grabber, station=self._station.name, institution=self._station.institution)


def _side(ask: Ask, exam: Exam, equipment: Equipment, kind: MediaKind) -> Side:
    """Return of which side a picture is: what the screen showed at a touch, else what was said of the exam."""
    if not takes_side(equipment, kind):
        return Side.NOT_SAID
    return exam.side if ask.side is None else ask.side
