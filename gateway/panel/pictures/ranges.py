"""A file put together from pieces of another one, answered whole or in part (RFC 9110 14). One range at a time."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

_BLOCK = 256 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """Some bytes of our own, then `length` bytes of `path` from `offset`."""

    prefix: bytes
    path: Path
    offset: int
    length: int

    @property
    def size(self) -> int:
        return len(self.prefix) + self.length


async def answer(request: Request, pieces: Sequence[Piece], media_type: str, name: str) -> Response:
    """Answer the pieces one after the other, or the part that `Range` asks for."""
    total = sum(piece.size for piece in pieces)
    headers = {"accept-ranges": "bytes", "content-disposition": f'attachment; filename="{name}"'}
    wanted = request.headers.get("range")
    span = _span(wanted, total) if wanted else (0, total)
    if span is None:
        return Response(status_code=416, headers={"content-range": f"bytes */{total}"})
    first, end = span
    status = 200
    if wanted:
        status = 206
        headers["content-range"] = f"bytes {first}-{end - 1}/{total}"
    headers["content-length"] = str(end - first)
    return StreamingResponse(read(pieces, first, end), status, headers, media_type)


def read(pieces: Sequence[Piece], first: int, end: int) -> Iterator[bytes]:
    """Yield the bytes from `first` up to `end`, a block at a time."""
    position = 0
    for piece in pieces:
        start, stop = max(first - position, 0), min(end - position, piece.size)
        position += piece.size
        if start >= stop:
            continue
        if start < len(piece.prefix):
            yield piece.prefix[start:stop]
        begin, left = max(start - len(piece.prefix), 0), stop - max(start, len(piece.prefix))
        if left <= 0:
            continue
        with piece.path.open("rb") as file:
            file.seek(piece.offset + begin)
            while left > 0 and (block := file.read(min(_BLOCK, left))):
                left -= len(block)
                yield block


def _span(wanted: str, total: int) -> tuple[int, int] | None:
    """Return first byte and end of a single range; None when it cannot be satisfied."""
    match = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", wanted.strip())
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        first, end = max(0, total - int(match[2])), total
    else:
        first, end = int(match[1]), min(int(match[2]) + 1 if match[2] else total, total)
    return (first, end) if first < end else None
