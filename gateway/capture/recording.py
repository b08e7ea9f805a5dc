"""A clip that is being recorded, as a value that its thread and its callers share. Does nothing by itself."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from enum import StrEnum

from gateway.capture.developing import Developed, Made
from gateway.capture.grabber import Grabber
from gateway.model import Capture, MediaKind
from gateway.spool.clips import ClipHeader, ClipWriter

QUIET = 6  # waits for a frame in a row, each 50 ms long


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
    """A clip, or one part of it, that is being recorded.

    `begun` is settled when its start is durable, `done` when the end of the whole clip is, with its last part.
    """

    header: ClipHeader
    grabber: Grabber
    first: Made  # that of the press, or of the change of size
    before: Sequence[Made] = ()  # what led to it
    anyway: bool = False  # also what a device shows without signal
    writer: ClipWriter | None = None
    stopped_ns: int = 0  # 0 = goes on; else frames up to this time belong to it
    end: End = End.PROCESS
    lost: int = 0
    waited: int = 0  # times in a row that no frame came
    idle: int = 0  # times in a row that none came that may be a picture of this part
    waiting: int = 0  # frames that are looked at before they are written
    torn: bool = False  # whether a frame could not be compressed
    earlier: tuple[str, ...] = ()  # UIDs of the parts before
    unfit: Developed | None = None  # the frame of another size that ended it
    next: "Recording | None" = None  # the part that follows
    begun: Future[str] = field(default_factory=Future)
    done: Future[Capture] = field(default_factory=Future)

    def __post_init__(self) -> None:
        if isinstance(self.first, Developed):  # it begins a part whose header is made from that of the part before
            self.header = replace(self.header, lossy_before=self.first.lossy_before)

    @property
    def opening(self) -> list[Made]:
        """Return what led to it and the frame of the press: what is there when it begins."""
        return [*self.before, self.first]

    @property
    def uid(self) -> str:
        return self.header.sop_instance_uid

    @property
    def uids(self) -> tuple[str, ...]:
        """Return the UIDs of the clip's parts up to this one."""
        return (*self.earlier, self.uid)

    @property
    def last(self) -> "Recording":
        """Return the part that is recorded now, or was last."""
        return self.next.last if self.next else self

    @property
    def is_quiet(self) -> bool:
        """Whether nothing has come for a while: nothing is held back for the next frame then."""
        return self.idle > QUIET

    @property
    def has_begun(self) -> bool:
        """Whether its start is durable."""
        return self.begun.done() and self.begun.exception() is None

    @property
    def started_ns(self) -> int:
        return self.header.pressed.boottime_ns

    @property
    def limit_s(self) -> int:
        """Return the seconds after its press at which a forgotten clip ends by itself."""
        return self.grabber.settings.clip_limit_s

    @property
    def limit_ns(self) -> int:
        """Return when that is, CLOCK_BOOTTIME."""
        return self.started_ns + self.limit_s * 1_000_000_000

    @property
    def written_ns(self) -> int:
        """Return the time of the frame that was written last; that of its press before the first one is."""
        return self.writer.entries[-1].time_ns if self.writer and self.writer.entries else self.first.time_ns

    @property
    def frames(self) -> int:
        """Return how many it has, with those that will be written in a moment."""
        return len(self.writer.entries) + self.waiting if self.writer else 0

    @property
    def sizes(self) -> tuple[int, int]:
        """Return how many bytes are recorded, and about how many will be in a moment."""
        if self.writer is None or not self.writer.entries:
            return 0, 0
        recorded = self.writer.frames.size
        return recorded, recorded * self.waiting // len(self.writer.entries)


def placeholder(header: ClipHeader, first: Made) -> Capture:
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
