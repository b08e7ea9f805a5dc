"""A clip that is being recorded, as a value that its thread and its callers share. Does nothing by itself."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.capture.grabber import Grabber
from gateway.capture.prerecord import Developed
from gateway.capture.ring import Frame
from gateway.model import Capture, MediaKind
from gateway.spool.clips import ClipHeader, ClipWriter


class End(StrEnum):
    """Why a clip ended."""

    ASKED = "asked"
    LIMIT = "limit"
    SIGNAL = "no-signal"
    SIZE = "size-changed"
    DISK = "disk-full"
    FAILED = "failed"
    PROCESS = "process-stopped"


@dataclass(kw_only=True, slots=True, eq=False)
class Recording:
    """A clip that is being recorded. `begun` and `done` are settled when its start and its end are durable."""

    header: ClipHeader
    grabber: Grabber
    first: Frame  # that of the press
    before: Sequence[Developed] = ()  # what led to it
    writer: ClipWriter | None = None
    stopped_ns: int = 0  # 0 = goes on; else frames up to this time belong to it
    end: End = End.PROCESS
    lost: int = 0
    begun: Future[str] = field(default_factory=Future)
    done: Future[Capture] = field(default_factory=Future)

    @property
    def opening(self) -> list[Frame | Developed]:
        """Return what led to it and the frame of the press: what is there when it begins."""
        return [*self.before, self.first]

    @property
    def uid(self) -> str:
        return self.header.sop_instance_uid

    @property
    def started_ns(self) -> int:
        return self.header.pressed.boottime_ns

    @property
    def frames(self) -> int:
        return len(self.writer.entries) if self.writer else 0


def placeholder(header: ClipHeader, first: Frame) -> Capture:
    """Return the row's content while a clip is recorded."""
    return Capture(
        sop_instance_uid=header.sop_instance_uid,
        exam=header.exam,
        kind=MediaKind.CLIP,
        source=header.source,
        instance_number=header.instance_number,
        media="",
        codec="jpeg",
        rows=header.rows,
        columns=header.columns,
        samples=3,
        frames=0,
        frame_times=(),
        sequence=first.sequence,
        bytes=0,
        sha256="",
        taken=header.pressed,
        pressed=header.pressed,
        patient=header.patient,
        equipment=header.equipment,
        request=header.request,
    )
