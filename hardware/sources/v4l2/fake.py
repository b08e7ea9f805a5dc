"""A grabber at the seam of its ioctls, in physical words: what the worst of them do, without any hardware."""

import errno
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
from linuxpy.video import raw

from hardware.sources.v4l2.fake_node import FakeNode
from hardware.sources.v4l2.layouts import ORDER, Kind
from hardware.sources.v4l2.node import Node


@dataclass(kw_only=True)
class FakeInput:
    """One input: a camera's; an analog one with `standards`; a digital one with `timings` (width, height, rate)."""

    name: str = "Camera 1"
    standards: int = 0
    timings: tuple[int, int, int] | None = None
    status: int = 0
    query_error: int = 0  # of a question for standard or timings
    powered: bool = True
    picture_aspect: tuple[int, int] | None = None


@dataclass(kw_only=True)
class FakeGrabber:
    """A device with its faults as switches; `open_node` is what a source is given to open it with.

    `offers`: format word -> its sizes, each with its rates. `clock_ns` is CLOCK_MONOTONIC as the driver reads it;
    `wait` lets time pass.
    """

    clock_ns: Callable[[], int]
    wait: Callable[[float], None]
    inputs: list[FakeInput] = field(default_factory=lambda: [FakeInput()])
    offers: dict[str, dict[tuple[int, int], tuple[int, ...]]] = field(
        default_factory=lambda: {"YUYV": {(64, 48): (30,)}}
    )
    content: Callable[[int], bytes] | None = None  # of picture number n; else what `samples` gives
    field: int = int(raw.Field.NONE)
    padding: int = 0  # bytes at the end of each line
    period_ns: int = 33_333_333  # 0: it floods
    flags: int = int(raw.BufferFlag.TIMESTAMP_MONOTONIC)
    colorspace: int = int(raw.Colorspace.SRGB)
    ycbcr_enc: int = 0
    quantization: int = 0
    plugged: bool = True
    stalled: bool = False
    shortened: int = 0  # bytes that each buffer lacks
    gives: tuple[int, int] | None = None  # the size that it agrees to, whatever it is asked
    is_set_to: tuple[int, int] | None = None  # the size that it says it is in, whatever it agreed to
    compose: tuple[int, int] | None = None  # a rectangle that was left behind; None: it has no such thing
    keeps_compose: bool = False
    told_aspect: tuple[int, int] | None = None  # height by width of a pixel of 720 x 576
    no_room: bool = False  # of its USB port
    sequence_step: int = 1
    interlaced: bool = False  # its digital signal
    top_first: bool = True  # of fields that come by themselves
    counts_fields: bool = False  # rather than frames
    widest: int = 4096  # digital picture that it can take
    arriving: int = 0  # bits of the standard at its analog input
    abilities: int = int(raw.Capability.VIDEO_CAPTURE | raw.Capability.STREAMING)
    promises: int = 0  # so often it says that it has a picture and an event, and has none
    opened: int = 0
    calls: int = 0

    def __post_init__(self) -> None:
        self.events: deque[int] = deque()
        self.size = next(iter(next(iter(self.offers.values()))))
        self.word = next(iter(self.offers))
        self.input = 0
        self.standard = 0
        self.rate = Fraction(30)
        self.timings = (0, 0, 0)  # as agreed
        self.sequence = self.delivered = 0
        self.streaming = False
        self.next_ns = 0

    def open_node(self, path: Path) -> Node:
        """Stand for `KernelNode`."""
        del path
        self.opened += 1
        self.streaming = False
        return FakeNode(self)

    def open_beside(self, path: Path) -> Node:
        """Stand for a second opening, of somebody who only asks."""
        del path
        return FakeNode(self, asks_only=True)

    def unplug(self) -> None:
        self.plugged = False

    def replug(self) -> None:
        """Plug it in again: it counts from 0 and knows nothing of what was agreed."""
        self.plugged, self.streaming, self.sequence = True, False, 0

    def lose_signal(self, error: int = errno.ENOLINK, status: int = int(raw.InputStatus.NO_SIGNAL)) -> None:
        """Take the signal from the input that it is switched to, as a pulled cable does."""
        self.inputs[self.input].query_error, self.inputs[self.input].status = error, status

    def find_signal(self) -> None:
        self.inputs[self.input].query_error = self.inputs[self.input].status = 0

    def change_signal(self, width: int, height: int, rate: int = 60, *, tells: bool = True) -> None:
        """Let another picture arrive at the digital input; with an event if it `tells`."""
        self.inputs[self.input].timings = (width, height, rate)
        if tells:
            self.events.append(int(raw.EventType.SOURCE_CHANGE))

    @property
    def height(self) -> int:
        """Return the lines of one buffer."""
        return self.size[1] // 2 if self.field == raw.Field.ALTERNATE else self.size[1]

    @property
    def stride(self) -> int:
        return ORDER[self.word].stride(self.size[0]) + self.padding

    def buffer_size(self) -> int:
        layout = ORDER[self.word]
        return (
            self.size[0] * self.size[1] * 2 if layout.kind is Kind.JPEG else layout.size(self.height, self.stride)
        )

    def samples(self, number: int) -> bytes:
        """Return picture number `number`: noise that depends on it alone."""
        if self.content is not None:
            return self.content(number)
        return np.random.default_rng(number).integers(0, 256, self.buffer_size(), np.uint8).tobytes()
