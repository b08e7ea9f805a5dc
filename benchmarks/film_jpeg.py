"""A process of its own that records what a JPEG grabber gives: `python -m benchmarks.film_jpeg FOLDER SECONDS`.

The grabber gives 1080p at 30 pictures a second, whether somebody reads or not, and has four buffers, as usual with
V4L2. Prints how many pictures it gave from the first to the last of the clip, and how many the clip has.
"""

import json
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks import samples
from gateway.capture.moment import Ask
from gateway.capture.parts import Devices, build
from gateway.capture.presses import Origin
from gateway.clock import Clock
from gateway.config.settings import Settings, Source, Station
from gateway.spool.opening import open_spool
from gateway.threads import Supervisor
from hardware.sources import Picture
from hardware.sources.pace import Pace

_RATE = 30
_BUFFERS = 4


class Grabber:
    """Gives the same JPEG in real time; a reader that comes late has lost what no buffer held."""

    def __init__(self, clock: Clock) -> None:
        self._pace = Pace(clock_ns=clock.boottime_ns, wait=clock.pause)
        self._picture = samples.hd_jpeg(0)
        self._start_ns = self._next = 0

    def open(self) -> None:
        self._start_ns = self._pace.now()

    def read(self, timeout: float) -> Picture | None:
        newest = (self._pace.now() - self._start_ns) * _RATE // 1_000_000_000
        counter = max(self._next, newest - _BUFFERS + 1)
        due_ns = self._start_ns + counter * 1_000_000_000 // _RATE
        if not self._pace.until(due_ns, timeout):
            return None
        self._next = counter + 1
        return replace(self._picture, counter=counter, time_ns=due_ns)

    def close(self) -> None:
        """Nothing to close."""


def main(folder: Path, seconds: float) -> None:
    clock, supervisor = Clock(), Supervisor()
    settings = Settings(
        station=Station(data_dir=folder / "data", runtime_dir=folder / "run"),
        sources=(Source(name="scope", device="pattern:bars", modality="ES"),),
    )
    spool = open_spool(settings.station.data_dir, clock=clock)
    parts = build(settings, spool, Devices(source=lambda _: Grabber(clock), trigger=_none, sign=_none), 1)
    supervisor.start("source", partial(parts.grabbers["scope"].run, supervisor.stop))
    supervisor.start("clip", partial(parts.clips.work, "scope", supervisor.stop))
    spool.exams.open(samples.SUBJECT, close_open=True)
    clock.pause(0.5)
    presses = parts.desk.presses
    clip = presses.take_clip(Ask(time_ns=clock.boottime_ns(), source="scope"), Origin.SOCKET).result(30)
    clock.pause(seconds)
    presses.stop_clip(clip, Origin.SOCKET)
    stored = spool.captures.get(clip).capture
    spool.layout.media(stored.exam, stored.media).unlink()
    print(json.dumps({"given": stored.frames + stored.lost_frames, "kept": stored.frames}))
    supervisor.stop.set()
    supervisor.run(10)
    spool.close()


def _none(_: object) -> None:
    raise AssertionError("there is none")


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
