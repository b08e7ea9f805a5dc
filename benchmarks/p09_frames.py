"""P9: a minute of 1080p JPEG at 30 pictures a second is recorded while another exam is sent: is a frame lost?"""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import samples, sending
from benchmarks.harness import Bar, Pair
from tests.loopback.peers import StoreScp

_SECONDS = 12  # five rounds: a minute
_BYTES, _COUNT = 6_000_000, 20


@contextmanager
def _pair(folder: Path) -> Iterator[Pair]:
    stream, rows, columns = samples.noise_of(_BYTES)
    load = sending.Load(folder=folder / "load", stream=stream, rows=rows, columns=columns, count=_COUNT)
    load.renew()
    given: list[int] = []
    sent: list[float] = []
    with StoreScp(folder / "archive", "+xa", "--ignore") as peer:

        def kept() -> float:
            done = threading.Event()
            sender = threading.Thread(target=_send, args=(peer, load, done, sent))
            sender.start()
            try:
                words = [sys.executable, "-m", "benchmarks.film_jpeg", str(folder / "film"), str(_SECONDS)]
                answer = subprocess.run(words, capture_output=True, text=True, check=True, timeout=_SECONDS + 60)
            finally:
                done.set()
                sender.join()
            result = json.loads(answer.stdout)
            given.append(result["given"])
            return float(result["kept"])

        facts = {"sent meanwhile": f"objects of {_BYTES / 1e6:.0f} MB to storescp, one after the other"}
        yield Pair(ours=kept, theirs=lambda: float(given[-1]), facts=facts)


def _send(peer: StoreScp, load: sending.Load, done: threading.Event, sent: list[float]) -> None:
    while not done.is_set():
        sent.append(sending.ours(peer, load))


BARS = (
    Bar(
        name="P9",
        what="frames of a 1080p30 JPEG clip while another exam is sent / frames that the grabber gave",
        ours="frames kept",
        theirs="frames given",
        pair=_pair,
        at_least=1.0,
        rounds=5,
        needs_disk=True,
    ),
)
