"""The files of a clip while it is recorded: append-only, so that a power cut costs half a second of it at most.

`<uid>.frames`: each codestream behind its length (4 bytes, big-endian).
`<uid>.index`: a JSON line that tells whose clip it is, then 36 bytes a frame (`_ENTRY`).
Both carry `.part` until the clip is closed. Salvage = the frames up to the first entry that does not hold.
"""

import hashlib
import struct
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from gateway.clock import Moment
from gateway.errors import SpoolDamaged
from gateway.model import Capture, Equipment, MediaKind, Patient, RequestStamp, Side
from gateway.spool import records
from gateway.spool.files import Appender, Files
from gateway.spool.paths import FRAMES, Layout

_PIECE = 1 << 20  # bytes that are read at a time
_LONG_S = 10.0  # a clip that may become H.264 does from this length on
_LENGTH = struct.Struct(">I")
_ENTRY = struct.Struct(">QIIQQI")  # offset, length, CRC-32 of the codestream, time, sequence, CRC-32 of these five


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipHeader:
    """What a salvage needs to know of a clip, fixed before its first frame."""

    exam: str
    source: str
    sop_instance_uid: str
    instance_number: int
    part: int  # from 1
    pressed: Moment
    patient: Patient
    equipment: Equipment
    rows: int
    columns: int
    lossy_before: float = 0  # as Capture has it, of the first frame
    clip_as: str = ""  # "jpeg", "h264", or "auto": it hangs on the length; "" is as "jpeg"
    side: Side = Side.NOT_SAID
    request: RequestStamp | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One frame of a clip. `time_ns` is CLOCK_BOOTTIME."""

    offset: int
    length: int
    crc: int
    time_ns: int
    sequence: int


class ClipWriter:
    """Writes one part of a clip. `sync` makes everything so far safe, frames before their entries."""

    def __init__(self, *, layout: Layout, files: Files, header: ClipHeader) -> None:
        self.header = header
        self._layout = layout
        self._files = files
        with ExitStack() as opened:  # a disk that refuses half of this leaves no file open
            self.frames: Appender = files.append(self._path("frames"))
            opened.callback(self.frames.close)
            self._index: Appender = files.append(self._path("index"))
            opened.callback(self._index.close)
            self._index.write(_one_line(header))
            self._index.sync()
            opened.pop_all()
        self.entries: list[Entry] = []
        self._digest = hashlib.sha256()

    def add(self, codestream: bytes, *, time_ns: int, sequence: int) -> None:
        offset = self.frames.size
        fields = (offset, len(codestream), zlib.crc32(codestream), time_ns, sequence)
        self.frames.write(_LENGTH.pack(len(codestream)), codestream)
        self._index.write(_entry(fields))
        self._digest.update(codestream)
        self.entries.append(
            Entry(offset=offset, length=len(codestream), crc=fields[2], time_ns=time_ns, sequence=sequence)
        )

    def sync(self) -> None:
        self.frames.sync()
        self._index.sync()

    def close(self, *, lost_frames: int = 0) -> Capture:
        """Flush both files, give them their final names and return the sidecar that makes them a capture."""
        try:
            self.sync()
        finally:
            self.abandon()
        finish(self._layout, self._files, self.header.exam, self.header.sop_instance_uid)
        return as_capture(self.header, self.entries, self._digest.hexdigest(), lost_frames=lost_frames)

    def abandon(self) -> None:
        """Let go of both files as they are, for a salvage."""
        try:
            self.frames.close()
        finally:
            self._index.close()

    def _path(self, kind: str) -> Path:
        place = self._layout.frames if kind == "frames" else self._layout.index
        return place(self.header.exam, self.header.sop_instance_uid, recording=True)


def finish(layout: Layout, files: Files, exam: str, uid: str) -> None:
    """Rename a clip's files to their final names; what was renamed before stays."""
    for place in (layout.frames, layout.index):
        if (part := place(exam, uid, recording=True)).exists():
            files.rename(part, place(exam, uid))


def cut(layout: Layout, files: Files, header: ClipHeader, entries: list[Entry]) -> None:
    """Shorten both files of a clip to its whole pictures, so that every reader finds the same ones."""
    exam, uid = header.exam, header.sop_instance_uid
    files.cut(layout.frames(exam, uid), entries[-1].offset + _LENGTH.size + entries[-1].length)
    index = layout.index(exam, uid)
    with index.open("rb") as file:
        start = len(file.readline())
    files.cut(index, start + len(entries) * _ENTRY.size)


def read_header(path: Path) -> ClipHeader:
    """Return whose clip this index belongs to. Raises SpoolDamaged."""
    with path.open("rb") as file:
        line = file.readline()
    if not line.endswith(b"\n"):
        raise SpoolDamaged("A clip's index has no header.")
    return records.load(ClipHeader, line)


def read_index(path: Path) -> tuple[ClipHeader, list[Entry]]:
    """Return a clip's header and the entries that are whole. Raises SpoolDamaged when the header is not."""
    content = path.read_bytes()
    line, newline, body = content.partition(b"\n")
    if not newline:
        raise SpoolDamaged("A clip's index has no header.")
    header = records.load(ClipHeader, line)
    entries = []
    for start in range(0, len(body) - _ENTRY.size + 1, _ENTRY.size):
        *fields, crc = _ENTRY.unpack_from(body, start)
        if zlib.crc32(body[start : start + _ENTRY.size - 4]) != crc:
            break
        offset, length, frame_crc, time_ns, sequence = fields
        entries.append(Entry(offset=offset, length=length, crc=frame_crc, time_ns=time_ns, sequence=sequence))
    return header, entries


def codestreams(path: Path, entries: list[Entry]) -> Iterator[bytes]:
    """Yield a clip's codestreams one by one. Raises SpoolDamaged at the first that does not match its entry."""
    if not entries:
        return
    with path.open("rb") as file:
        for entry in entries:
            file.seek(entry.offset + _LENGTH.size)
            codestream = file.read(entry.length)
            if zlib.crc32(codestream) != entry.crc or len(codestream) != entry.length:
                raise SpoolDamaged("A clip's picture does not match its index.")
            yield codestream


def whole_entries(path: Path, entries: list[Entry]) -> list[Entry]:
    """Return the entries up to the first whose frame is missing or damaged. Raises OSError on a bad sector."""
    if not entries:
        return []
    with path.open("rb") as file:
        for number, entry in enumerate(entries):
            if not entry.length or _crc_of(file, entry) != entry.crc:
                return entries[:number]
    return entries


def _crc_of(file: BinaryIO, entry: Entry) -> int | None:
    """Return the CRC-32 of a frame as the file has it, None when it ends before. Read, never mapped.

    Where the disk cannot read, a read is an error, but a look at a mapping is SIGBUS and ends the process.
    """
    file.seek(entry.offset + _LENGTH.size)
    crc, left = 0, entry.length
    while left:
        piece = file.read(min(left, _PIECE))
        if not piece:
            return None
        crc, left = zlib.crc32(piece, crc), left - len(piece)
    return crc


def digest_of(path: Path, entries: list[Entry]) -> str:
    """Return the SHA-256 of a clip's concatenated codestreams."""
    digest = hashlib.sha256()
    for codestream in codestreams(path, entries):
        digest.update(codestream)
    return digest.hexdigest()


def as_capture(
    header: ClipHeader, entries: list[Entry], sha256: str, *, lost_frames: int = 0, salvaged: bool = False
) -> Capture:
    """Return the sidecar of a closed clip."""
    size = sum(entry.length for entry in entries)
    return Capture(
        sop_instance_uid=header.sop_instance_uid,
        exam=header.exam,
        kind=MediaKind.CLIP,
        source=header.source,
        instance_number=header.instance_number,
        media=header.sop_instance_uid + FRAMES,
        codec="jpeg",
        rows=header.rows,
        columns=header.columns,
        samples=3,
        frames=len(entries),
        frame_times=tuple(entry.time_ns for entry in entries),
        sequence=entries[0].sequence,
        bytes=size,
        sha256=sha256,
        taken=_moment_of(entries[0].time_ns, header.pressed),
        pressed=header.pressed,
        patient=header.patient,
        equipment=header.equipment,
        lossy_ratio=round(header.rows * header.columns * 3 * len(entries) / size, 2),
        lossy_before=header.lossy_before,
        lost_frames=lost_frames,
        salvaged=salvaged,
        clip_as=_wanted(header, entries),
        side=header.side,
        request=header.request,
    )


def _wanted(header: ClipHeader, entries: list[Entry]) -> str:
    """Say what a closed clip's object is to be, once and for all."""
    if header.clip_as != "auto":
        return header.clip_as
    return "h264" if entries[-1].time_ns - entries[0].time_ns > _LONG_S * 1e9 else "jpeg"


def _moment_of(time_ns: int, near: Moment) -> Moment:
    """Return the moment of a frame by one of the same boot: the clock may be another one by now."""
    shift = timedelta(microseconds=(time_ns - near.boottime_ns) / 1000)
    return replace(near, utc=near.utc + shift, boottime_ns=time_ns)


def _one_line(header: ClipHeader) -> bytes:
    return b" ".join(line.strip() for line in records.dump(header).splitlines()) + b"\n"


def _entry(fields: tuple[int, ...]) -> bytes:
    without = _ENTRY.pack(*fields, 0)[: -_LENGTH.size]
    return without + _LENGTH.pack(zlib.crc32(without))
