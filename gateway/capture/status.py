"""What the capture process says of itself, on its socket and in its live state. Contains no patient data."""

from dataclasses import asdict
from typing import Any

from gateway.capture.clips import Clips
from gateway.capture.foreseen import Foreseen
from gateway.capture.grabber import Grabber
from gateway.capture.heat import Heat
from gateway.capture.pedals import Pedal
from gateway.capture.presses import Presses
from gateway.capture.recorder import Recorder
from gateway.capture.signs import Sign
from gateway.clock import Clock
from gateway.errors import DiskFull, SpoolError
from gateway.spool.disk.room import Level
from gateway.spool.spool import Spool


class Status:
    """Builds the `state` event (docs/decisions/0007-capture-socket.md)."""

    def __init__(
        self,
        *,
        spool: Spool,
        grabbers: dict[str, Grabber],
        pedals: list[Pedal],
        signs: list[Sign],
        presses: Presses,
        clips: Clips,
        foreseen: Foreseen,
        recorder: Recorder,
        heat: Heat,
        clock: Clock,
    ) -> None:
        self._spool = spool
        self._grabbers = grabbers
        self._pedals = pedals
        self._signs = signs
        self._presses = presses
        self._clips = clips
        self._foreseen = foreseen
        self._recorder = recorder
        self._heat = heat
        self._clock = clock
        self._exam = ""

    def state(self) -> dict[str, Any]:
        last = self._presses.last
        return {
            "event": "state",
            "exam": self._open_exam(),
            "sources": [_source(grabber) for grabber in self._grabbers.values()],
            "pedals": [{**_attached(pedal), "presses": pedal.presses} for pedal in self._pedals],
            "signs": [_attached(sign) for sign in self._signs],
            "clip": self._clip(),
            "pending": self._recorder.pending,
            "disk": self._disk(),
            "machine": self._heat.state(),
            "last": asdict(last) if last else None,
            "refused": self._presses.refused,
        }

    def _open_exam(self) -> str:
        """Return the open exam's id; with an index that cannot be read, the last one known."""
        try:
            exam = self._spool.exams.open_one()
        except SpoolError:
            return self._exam
        self._exam = exam.id if exam else ""
        return self._exam

    def _disk(self) -> dict[str, Any]:
        try:
            seen = self._spool.space.view()
        except SpoolError as error:
            return {"level": Level.FAILED, "stills": 0, "clip_seconds": 0, "code": error.code, "what": error.what}
        trouble = self._recorder.alarm.trouble
        if trouble and seen.level is not Level.FULL:
            level = Level.FULL if isinstance(trouble, DiskFull) else Level.FAILED
            return {"level": level, "stills": 0, "clip_seconds": 0, "code": trouble.code, "what": trouble.what}
        return {
            "level": seen.level,
            "stills": seen.stills,
            "clip_seconds": seen.clip_seconds,
            "code": seen.code,
            "what": seen.what,
            "sizes": asdict(self._spool.space.typical),
        }

    def _clip(self) -> dict[str, Any] | None:
        recording = next(iter(self._clips.running()), None)
        if recording is None:
            return None
        header = recording.header
        ahead = self._foreseen.of(recording)
        return {
            "clip": recording.uid,
            "source": header.source,
            "exam": header.exam,
            "started_at": header.pressed.utc.isoformat(),
            "seconds": round((self._clock.boottime_ns() - recording.started_ns) / 1e9, 1),
            "limit_seconds": recording.limit_s,
            "ends": {"why": ahead.end, "seconds": round(ahead.seconds)} if ahead else None,
            "frames": recording.frames,
            "lost": recording.lost,
        }


def _attached(device: Pedal | Sign) -> dict[str, Any]:
    return {"name": device.name, "connected": device.connected, "what": device.what}


def _source(grabber: Grabber) -> dict[str, Any]:
    state = grabber.state
    newest = grabber.ring.newest()
    return {
        "name": grabber.settings.name,
        "modality": grabber.settings.modality,
        "state": state.signal,
        "code": state.code,
        "what": state.what,
        "action": state.action,
        "since": state.since.utc.isoformat(),
        "width": state.width,
        "height": state.height,
        "rate": grabber.ring.rate(),
        "sequence": newest.sequence if newest else 0,
        "lost": grabber.ring.lost,
        "unchanged_s": round(grabber.watch.unchanged_s),
        "levels_cut": grabber.watch.cut,
        "noise": grabber.watch.noise,
        "size_expected": grabber.view.fits(newest.picture) if newest else True,
    }
