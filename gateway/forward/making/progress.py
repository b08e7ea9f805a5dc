"""How far the making of a clip is that takes minutes."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """The clip that is being made. `done` of `frames`: H.264 has two passes, encoding and looking at the result."""

    exam: str
    uid: str  # of the capture
    into: str  # "h264" or "jpeg"
    done: int
    frames: int

    @property
    def percent(self) -> int:
        return 100 * self.done // self.frames
