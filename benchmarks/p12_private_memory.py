"""P12: the private memory of the three processes at rest with one viewer, less the frames in the ring."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from websockets.sync.client import connect

from benchmarks.box import private_mb
from benchmarks.harness import Bar, Pair
from tests.box import Box

_ROLES = ("capture", "forward", "panel")
_FRAME = 1280 * 720 * 3  # bytes of a test picture
_RING_MB = 96
_WARM_S = 6.0
_LOOK_S = 1.0


@contextmanager
def _pair(folder: Path) -> Iterator[Pair]:
    source = {"name": "us", "device": "pattern:ultrasound", "modality": "US", "ring_mb": _RING_MB}
    ring = _RING_MB * 1024 * 1024 // _FRAME * _FRAME / 1024 / 1024
    facts: dict[str, str] = {}
    with (
        Box(folder, sources=[source]) as box,
        connect(f"ws://127.0.0.1:{box.port}/api/v1/preview/us", proxy=None) as viewer,
    ):

        def watch(seconds: float) -> None:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                viewer.recv(10)
                viewer.send("credit")

        def ours() -> float:
            watch(_LOOK_S)
            found = {role: private_mb(box.pid(role)) for role in _ROLES}
            found["capture"] -= ring
            facts["MiB"] = ", ".join(f"{role} {value:.0f}" for role, value in found.items())
            return sum(found.values())

        watch(_WARM_S)
        yield Pair(ours=ours, theirs=lambda: 1.0, facts=facts)


BARS = (
    Bar(
        name="P12",
        what="private memory of the three processes with a viewer, without the ring",
        ours="MiB",
        theirs="one MiB",
        pair=_pair,
        at_most=250,
        stretch=150,
        rounds=5,
    ),
)
