"""Beside P2: the same by pydicom, and what no safe sealing can leave out. Both are printed, neither has a bar."""

import hashlib
import io
import itertools
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pydicom

from benchmarks import samples
from benchmarks.harness import Bar, Pair
from benchmarks.p02_wrap import BYTES, MS, STILLS, plain
from gateway.clock import Clock
from gateway.dicom import still
from gateway.dicom.encapsulate import file_chunks


@contextmanager
def _pydicom(folder: Path) -> Iterator[Pair]:
    """Build the object of a still with pydicom, write, flush and rename it: no more."""
    stream, rows, columns = samples.codestream_of(BYTES)
    target = folder / "plain"
    target.mkdir()
    exam = samples.exam(Clock())
    record = samples.capture(Clock(), exam.id, 1, stream=stream, rows=rows, columns=columns)
    header = still.build(exam, record, samples.SERIES, order=None, station=samples.STATION)
    model = pydicom.dcmread(io.BytesIO(b"".join(file_chunks(header, [len(stream)], [stream]))))

    def wrap(number: int) -> None:
        data_set = pydicom.Dataset()
        for element in model:
            if element.keyword != "PixelData":
                setattr(data_set, element.keyword, element.value)
        data_set.SOPInstanceUID, data_set.InstanceNumber = f"2.25.{number}", number
        data_set.PixelData = pydicom.encaps.encapsulate([stream])
        data_set["PixelData"].is_undefined_length = True
        data_set.file_meta = pydicom.dataset.FileMetaDataset()
        data_set.file_meta.TransferSyntaxUID = header.transfer_syntax_uid
        part = target / f"{number}.part"
        data_set.save_as(part, enforce_file_format=True)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(part.with_suffix(".dcm"))
        samples.flush_folder(target)

    def ours() -> float:
        os.sync()
        start = time.perf_counter()
        for number in range(STILLS):
            wrap(number)
        return (time.perf_counter() - start) / STILLS * MS

    yield Pair(ours=ours, theirs=partial(plain, target, stream))


@contextmanager
def _the_least(folder: Path) -> Iterator[Pair]:
    """Copy a still that is hashed, flush, read back, hash, note it in an index, remove the first copy: no more."""
    stream, _, _ = samples.codestream_of(BYTES)
    target = folder / "plain"
    target.mkdir()
    index = sqlite3.connect(folder / "index", isolation_level=None)
    index.executescript(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
        "CREATE TABLE object (name TEXT PRIMARY KEY, picture TEXT, file TEXT)"
    )

    exams = itertools.count()

    def least() -> float:
        exam = folder / f"exam-{next(exams)}"
        exam.mkdir()
        media = [exam / f"{number}.media" for number in range(STILLS)]
        for path in media:
            samples.durable_write(path, stream)
        os.sync()
        start = time.perf_counter()
        _seal_bare(exam, media, index)
        return (time.perf_counter() - start) / STILLS * MS

    try:
        yield Pair(ours=least, theirs=partial(plain, target, stream))
    finally:
        index.close()


def _seal_bare(folder: Path, media: list[Path], index: sqlite3.Connection) -> None:
    parts = [folder / f"{path.stem}.part" for path in media]
    fds = [os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) for part in parts]
    for fd, path in zip(fds, media, strict=True):
        os.write(fd, path.read_bytes())
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    for fd in fds:
        os.fsync(fd)
        os.close(fd)
    sums = []
    for part in parts:
        part.replace(part.with_suffix(".dcm"))
        content = part.with_suffix(".dcm").read_bytes()
        picture, file = (hashlib.sha256(content).hexdigest() for _ in range(2))  # for its record and for its seal
        sums.append((f"{folder.name} {part.stem}", picture, file))
    samples.flush_folder(folder)
    index.execute("BEGIN")
    index.executemany("INSERT INTO object VALUES (?, ?, ?)", sums)
    index.execute("COMMIT")
    for path in media:
        path.unlink()
    samples.flush_folder(folder)


BARS = (
    Bar(
        name="P2p",
        what="the same by pydicom / durable write of the same bytes",
        ours="ms a still, 20 in a row",
        theirs="ms a write",
        pair=_pydicom,
        turns=3,
        needs_disk=True,
    ),
    Bar(
        name="P2c",
        what="the least that a safe sealing does / durable write of the same bytes",
        ours="ms a still, 20 in a row",
        theirs="ms a write",
        pair=_the_least,
        turns=3,
        needs_disk=True,
    ),
)
