"""P7: how much the sender's memory grows while it sends a clip of 299 MB, against the size of the file."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

from benchmarks import samples, send_one
from benchmarks.harness import Bar, NotHere, Pair
from gateway.clock import Clock
from hardware.pixels import clip_jpeg
from tests.loopback.peers import StoreScp

_BYTES = 299_000_000
_SLOW = 60_000_000  # bytes/s
_PIECE = 64 * 1024
_LEAST = 1.0  # MB; less is counted as this much: a ratio of a few pages says nothing


@contextmanager
def _pair(folder: Path, *, slow: bool) -> Iterator[Pair]:
    if not Path("/usr/bin/storescp").exists():
        raise NotHere("DCMTK is not installed (storescp)")
    file, small = _clip(folder / "clip.dcm", _BYTES), _clip(folder / "small.dcm", 1_000_000)
    size = file.stat().st_size / 1e6
    with ExitStack() as stack:
        server = stack.enter_context(StoreScp(folder / "peer", "+xa", "--ignore"))
        port = stack.enter_context(_slow_link(server.port)) if slow else server.port

        def ours() -> float:
            words = [sys.executable, "-m", send_one.__name__, str(port), server.ae_title, str(small), str(file)]
            done = subprocess.run(words, check=True, capture_output=True, text=True)
            return max(float(done.stdout), _LEAST)

        facts = {"link": f"{_SLOW // 1_000_000} MB/s"} if slow else {}
        yield Pair(ours=ours, theirs=lambda: size, facts=facts)


def _clip(path: Path, size: int) -> Path:
    """Write a clip of about `size` bytes."""
    clock = Clock()
    picture = samples.hd_video(clock.boottime_ns)
    stream = clip_jpeg(picture)
    frames = max(2, size // len(stream))
    record = samples.capture(
        clock, "e1", 1, stream=stream, rows=picture.height, columns=picture.width, frames=frames
    )
    samples.write_object(path, clock, record, stream)
    return path


@contextmanager
def _slow_link(port: int) -> Iterator[int]:
    """Pass everything on to `port`, no faster than `_SLOW`, with little held in between."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _PIECE)
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def serve() -> None:
            while True:
                try:
                    near, _ = listener.accept()
                except OSError:
                    return
                far = socket.create_connection(("127.0.0.1", port))
                threading.Thread(target=_pass_on, args=(far, near, 0), daemon=True).start()
                threading.Thread(target=_pass_on, args=(near, far, _SLOW), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def _pass_on(source: socket.socket, target: socket.socket, rate: int) -> None:
    start, count = time.monotonic(), 0
    with suppress(OSError):  # either side may hang up
        while data := source.recv(_PIECE):
            target.sendall(data)
            count += len(data)
            if rate and (ahead := count / rate - (time.monotonic() - start)) > 0:
                time.sleep(ahead)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


def _bar(name: str, what: str, *, slow: bool) -> Bar:
    return Bar(
        name=name,
        what=f"memory growth while sending a 299 MB clip{what} / size of the file",
        ours="MB grown",
        theirs="MB file",
        pair=partial(_pair, slow=slow),
        at_most=0.1,
        stretch=0.02,
        rounds=5,
    )


BARS = (_bar("P7", "", slow=False), _bar("P7b", " over a slow link", slow=True))
