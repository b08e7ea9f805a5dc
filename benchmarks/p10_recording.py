"""P10: the processor time of recording a 1080p frame of a clip, against copying the same bytes to the disk."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks import samples
from benchmarks.desk import opened_desk
from benchmarks.harness import Bar, Pair
from gateway.capture.moment import Ask
from gateway.capture.presses import Origin
from gateway.spool.clips import ClipHeader, ClipWriter
from hardware.pixels import clip_jpeg
from hardware.sources import Picture

_FRAMES = 48
_SYNC = 12  # frames, as 400 ms of them at 30 Hz


@contextmanager
def _ready_made(folder: Path) -> Iterator[Pair]:
    """Frames that arrive compressed: what is left is lengths, digests and flushing."""
    still = samples.hd_video(time.monotonic_ns)
    stream = clip_jpeg(still)
    with opened_desk(folder / "spool", lambda _time_ns, _counter: still) as desk:

        def ours() -> float:
            header = ClipHeader(
                exam=desk.exam.id,
                source="us",
                sop_instance_uid=desk.clock.uid(),
                instance_number=1,
                part=1,
                pressed=desk.clock.now(),
                patient=samples.PATIENT,
                equipment=samples.EQUIPMENT,
                rows=still.height,
                columns=still.width,
            )
            writer = ClipWriter(layout=desk.spool.layout, files=desk.spool.files, header=header)
            start = time.process_time()
            for number in range(_FRAMES):
                writer.add(stream, time_ns=number * 33_333_333, sequence=number)
                if number % _SYNC == _SYNC - 1:
                    writer.sync()
            spent = time.process_time() - start
            writer.abandon()
            for path in desk.spool.layout.exam(desk.exam.id).glob(f"{header.sop_instance_uid}*"):
                path.unlink()
            return spent / _FRAMES * 1000

        yield Pair(ours=ours, theirs=lambda: _copy(folder, stream), facts={"frame": f"{len(stream) / 1000:.0f} KB"})


@contextmanager
def _encoded(folder: Path) -> Iterator[Pair]:
    """Frames that arrive as pixels: the whole way from the ring to the disk, compression included."""
    still = samples.hd_video(time.monotonic_ns)
    stream = clip_jpeg(still)

    def picture(time_ns: int, counter: int) -> Picture:
        return replace(still, time_ns=time_ns, counter=counter)

    with opened_desk(folder / "spool", picture) as desk:

        def ours() -> float:
            desk.grabber.step()
            first = desk.clock.boottime_ns()
            for _ in range(_FRAMES - 1):
                desk.grabber.step()
            last = desk.clock.boottime_ns()
            start = time.process_time()
            uid = desk.presses.take_clip(Ask(time_ns=first), Origin.SOCKET).result(30)
            (recording,) = [running for running in desk.clips.running() if running.uid == uid]
            capture = desk.presses.end_clip(recording, last, Origin.SOCKET).result(60)
            spent = time.process_time() - start
            desk.due.step()
            assert capture.frames == _FRAMES
            desk.spool.layout.media(desk.exam.id, capture.media).unlink()
            return spent / _FRAMES * 1000

        yield Pair(ours=ours, theirs=lambda: _copy(folder, stream), facts={"frame": f"{len(stream) / 1000:.0f} KB"})


def _copy(folder: Path, stream: bytes) -> float:
    """Write the same bytes, flushed as often; return processor ms a frame."""
    target = folder / "copy"
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    start = time.process_time()
    for number in range(_FRAMES):
        os.write(fd, stream)
        if number % _SYNC == _SYNC - 1:
            os.fsync(fd)
    spent = time.process_time() - start
    os.close(fd)
    target.unlink()
    return spent / _FRAMES * 1000


BARS = (
    Bar(
        name="P10",
        what="recording processor time a 1080p JPEG frame / copying the same bytes to disk",
        ours="ms",
        theirs="ms to copy",
        pair=_ready_made,
        at_most=3,
        stretch=1.5,
        turns=5,
        needs_disk=True,
    ),
    Bar(
        name="P10b",
        what="recording processor time a 1080p frame that arrives as pixels / copying the compressed bytes",
        ours="ms",
        theirs="ms to copy",
        pair=_encoded,
        needs_disk=True,
    ),
)
