"""From a frame to the JPEG that a clip holds of it, with the frames beside it where it has two fields."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.capture.grabber import Grabber
from gateway.capture.ring import Frame
from hardware.pixels import clip_jpeg
from hardware.sources import Picture
from hardware.stills import lossy_before
from hardware.views import Motion, seen, seen_between


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Developed:
    """A frame as a clip holds it; `size`: columns and rows as delivered, `seen`: of the JPEG.

    `lossy_before`: as Still has it, of the picture that was delivered.
    """

    sequence: int
    time_ns: int
    size: tuple[int, int]
    seen: tuple[int, int]
    since_ns: int  # when the first picture was taken that it has something of
    lossy_before: float = 0
    beside: tuple[int, int] = (0, 0)  # sequences of the frames before and after that it has something of; 0 = none
    card: bool = False  # what a device shows without signal
    jpeg: bytes = field(repr=False)


Made = Frame | Developed


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Shot:
    """A frame to be developed, and those beside it that it may have something of."""

    frame: Made
    before: Made | None = None
    after: Made | None = None

    @property
    def beside(self) -> tuple[int, int]:
        """Return the sequences of the frames before and after; 0 for none."""
        return self.before.sequence if self.before else 0, self.after.sequence if self.after else 0


class Darkroom:
    """Develops the frames of one source for one clip, or for what leads to one."""

    def __init__(self, grabber: Grabber) -> None:
        self._grabber = grabber
        self._motion = Motion()
        self._before: Made | None = None
        self._waiting: Frame | None = None  # for the one after it

    @property
    def waiting(self) -> int:
        return 1 if self._waiting else 0

    def put(self, frame: Made) -> list[Shot]:
        """Take the next frame; return what can be developed now. A break leaves frames without neighbours."""
        shots = self._settled(frame if self._waiting and _follow(self._waiting, frame) else None)
        if self._before and not _follow(self._before, frame):
            self._before = None
        if isinstance(frame, Developed):
            self._before = frame
            return [*shots, Shot(frame=frame)]
        if not self._grabber.view.needs_neighbours(frame.picture):
            return [*shots, Shot(frame=frame)]
        self._waiting = frame
        return shots

    def rest(self) -> list[Shot]:
        """Return what waits for a frame that does not come."""
        return self._settled(None)

    def forget(self) -> None:
        """Know no frame of before any more."""
        self._before = self._waiting = None

    def develop(self, shot: Shot) -> Developed:
        """Return the JPEG of what is seen of a frame. Raises EncodingFailed."""
        frame = shot.frame
        if isinstance(frame, Developed):
            return frame
        around = (_picture(shot.before), _picture(shot.after))
        picture = seen_between(frame.picture, self._grabber.view, self._motion, around=around)
        since_ns = (shot.before or frame).time_ns
        return _developed(frame, picture, self._grabber, since_ns=since_ns, beside=shot.beside)

    def _settled(self, after: Made | None) -> list[Shot]:
        frame, self._waiting = self._waiting, None
        if frame is None:
            return []
        shot = Shot(frame=frame, before=self._before, after=after)
        self._before = frame
        return [shot]


def develop(frame: Made, grabber: Grabber) -> Developed:
    """Return the JPEG of what is seen of a frame by itself. Raises EncodingFailed."""
    if isinstance(frame, Developed):
        return frame
    return _developed(frame, seen(frame.picture, grabber.view), grabber, since_ns=frame.time_ns)


def _developed(
    frame: Frame, picture: Picture, grabber: Grabber, *, since_ns: int, beside: tuple[int, int] = (0, 0)
) -> Developed:
    return Developed(
        sequence=frame.sequence,
        time_ns=frame.time_ns,
        size=frame.size,
        seen=(picture.width, picture.height),
        since_ns=since_ns,
        beside=beside,
        lossy_before=lossy_before(frame.picture, grabber.view),
        jpeg=clip_jpeg(picture, grabber.settings.jpeg_quality),
    )


def _follow(one: Made, other: Made) -> bool:
    return other.sequence == one.sequence + 1 and other.size == one.size


def _picture(frame: Made | None) -> Picture | None:
    return frame.picture if isinstance(frame, Frame) else None


def last_of(frames: Sequence[Made]) -> int:
    """Return the sequence of the last of these frames; 0 of none."""
    return frames[-1].sequence if frames else 0
