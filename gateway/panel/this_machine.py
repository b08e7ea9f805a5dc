"""What a changed configuration asks of this machine that it has not got: memory, an address.

`config check` cannot know it: it may run elsewhere. Values are those of the file, which other checks judge.
"""

import errno
import os
import socket
from collections.abc import Iterator, Mapping
from typing import Any

from gateway.config.settings import Address, Source, Station
from gateway.config.values import Wrong, address
from gateway.errors import Problem

_MB = 1_000_000
_FOR_PICTURES = 0.5  # of the memory; the rest is the processes', the browser's, the disk cache's


def lacking(now: Mapping[str, Any], wanted: Mapping[str, Any], *, memory: int = 0) -> Iterator[Problem]:
    """Yield what is new in `wanted` and cannot be had here. `memory`: bytes; 0 = this machine's."""
    if now.get("source") != wanted.get("source"):
        yield from _memory(wanted, memory or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    yield from _listener(_listen(now), _listen(wanted))


def _memory(document: Mapping[str, Any], memory: int) -> Iterator[Problem]:
    """Yield that the last pictures would fill the memory: capture would be killed in the middle of an exam."""
    sources = document.get("source", [])
    needed, largest = 0, 0
    for number, source in enumerate(sources):
        ring = source.get("ring_mb", Source().ring_mb)
        if not isinstance(ring, int):
            return
        needed += ring * (2 if source.get("pre_record_s") else 1)  # what led to a clip is kept beside the last ones
        largest = number if ring >= sources[largest].get("ring_mb", Source().ring_mb) else largest
    most = int(memory * _FOR_PICTURES) // _MB
    if needed > most:
        reason = f"the last pictures of all sources would take {needed} MB of memory; this box has {most} for them"
        yield Problem(line=0, key="source.ring_mb", place=("source", largest, "ring_mb"), reason=reason)


def _listener(now: Address | None, wanted: Address | None) -> Iterator[Problem]:
    """Yield that the listener could not take its address: the forward process does not start without."""
    if wanted is None or wanted == now:
        return
    port = wanted.port if now is None or now.port != wanted.port else 0  # its own is taken, by itself
    family = socket.AF_INET6 if ":" in wanted.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((wanted.host, port))
    except OSError as error:
        if error.errno == errno.EACCES:  # a port below 1024 is not the panel's to take
            return
        reason = f"this box cannot listen at {wanted}: {error.strerror}"
        yield Problem(line=0, key="station.listen", place=("station", "listen"), reason=reason)


def _listen(document: Mapping[str, Any]) -> Address | None:
    """Return where the listener is, None for what is no address."""
    try:
        return address(document.get("station", {}).get("listen", str(Station().listen)))
    except (Wrong, AttributeError):
        return None
