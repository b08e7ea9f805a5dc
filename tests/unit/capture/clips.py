"""What a test asks of a clip: what is stored of it, how far it is, whether it has ended. And what spoils one."""

from contextlib import suppress
from pathlib import Path

import imagecodecs
import numpy as np

from gateway.spool.clips import codestreams, read_index
from hardware.sources import Picture, PixelFormat, counter


def stored(box, uid: str):
    return box.spool.captures.get(uid).capture


def painted(box, capture) -> list[int]:
    """Return the counters that are painted into a clip's pictures."""
    _, entries = read_index(box.spool.layout.index(capture.exam, capture.sop_instance_uid))
    path = box.spool.layout.media(capture.exam, capture.media)
    return [counter.read(imagecodecs.jpeg8_decode(stream)) for stream in codestreams(path, entries)]


def held_open(folder: Path) -> list[str]:
    """Return the files of this folder that this process holds open."""
    found = []
    for number in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            found.append(number.readlink())
    return [path.name for path in found if path.parent == folder]


def recorded(box, uid: str) -> int:
    return next((running.frames for running in box.clips.running() if running.uid == uid), 0)


def written(box, uid: str) -> int:
    """Return how many frames are in a clip's file: they follow 0.2 s later, once they were looked at."""
    return next((len(running.writer.entries) for running in box.clips.running() if running.uid == uid), 0)


def ended(box, wait) -> None:
    wait(lambda: not box.clips.running())
    wait(lambda: box.answers()[-1] in {"clip-stopped", "not-stored"})


def torn(box) -> Picture:
    """The next picture of a source, one that cannot be decoded."""
    box._counters["us"] += 1
    facts = {"counter": box._counters["us"], "width": 320, "height": 180, "format": PixelFormat.JPEG}
    return Picture(**facts, time_ns=box.clock.boottime_ns(), planes=(np.full(500, 0xFF, np.uint8),))
