"""What is measured: pictures, records and sealed files that look like a day's work. Its patients are invented."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gateway.clock import Clock
from gateway.config.settings import Station
from gateway.dicom import multiframe
from gateway.dicom import still as still_object
from gateway.dicom.encapsulate import file_chunks
from gateway.model import Capture, Equipment, Exam, ExamState, Identity, MediaKind, Patient, Procedure, Series
from gateway.spool.subjects import Subject
from hardware.codecs import lossless_jpeg
from hardware.pixels import clip_jpeg
from hardware.sources import Picture, PixelFormat
from hardware.sources.pattern import draw

HD = (1920, 1080)
STATION = Station(name="US-ROOM-2", institution="Clinic", issuer="CLINIC")
PATIENT = Patient(name="Doe^Jane", id="P-1", issuer="CLINIC", birth_date="19700102", sex="F")
EQUIPMENT = Equipment(modality="US", manufacturer="Maker", model="Model 1", serial_number="7")
SUBJECT = Subject(identity=Identity.TYPED, patient=PATIENT)
SERIES = Series(source="us", family="still", number=1, series_instance_uid="2.25.5001")


def screen(size: tuple[int, int] = HD) -> NDArray[np.uint8]:
    """Return the ultrasound test picture with an analog grabber's noise: uint8, shape (rows, columns, 3), RGB."""
    clean = draw("ultrasound", 5, size)
    noise = np.random.default_rng(1).integers(0, 8, clean.shape, np.uint8)
    return np.asarray(cv2.add(clean, noise), np.uint8)


def codestream_of(size: int) -> tuple[bytes, int, int]:
    """Return a lossless picture of about `size` bytes, cut from the screen, its rows and columns."""
    whole = screen()
    rows, columns = whole.shape[:2]
    for rows in range(1080, 16, -16):
        columns = rows * 16 // 9
        top, left = (whole.shape[0] - rows) // 2, (whole.shape[1] - columns) // 2
        stream = lossless_jpeg(np.ascontiguousarray(whole[top : top + rows, left : left + columns]))
        if len(stream) <= size:
            return stream, rows, columns
    raise AssertionError("no picture is that small")


def noise_of(size: int) -> tuple[bytes, int, int]:
    """Return a lossless picture of about `size` bytes that does not compress."""
    columns, rows = 1920, size // (1920 * 3)
    pixels = np.random.default_rng(2).integers(0, 256, (rows, columns, 3), np.uint8)
    return lossless_jpeg(pixels), rows, columns


def hd_video(clock_ns: Callable[[], int], counter: int = 0) -> Picture:
    """Return a 1080p picture as an HD video file gives it: planes Y, U, V in 4:2:0, BT.709, limited range."""
    planes = cv2.cvtColor(screen(), cv2.COLOR_RGB2YUV_I420).reshape(-1)
    columns, rows = HD
    luma, half = columns * rows, columns * rows // 4
    return Picture(
        counter=counter,
        time_ns=clock_ns(),
        format=PixelFormat.PLANAR_YUV,
        width=columns,
        height=rows,
        planes=(
            np.ascontiguousarray(planes[:luma].reshape(rows, columns), np.uint8),
            np.ascontiguousarray(planes[luma : luma + half].reshape(rows // 2, columns // 2), np.uint8),
            np.ascontiguousarray(planes[luma + half :].reshape(rows // 2, columns // 2), np.uint8),
        ),
        matrix="bt709",
        full_range=False,
    )


def hd_jpeg(time_ns: int, counter: int = 0, quality: int = 90) -> Picture:
    """Return the screen as a grabber with a JPEG encoder gives it: 1080p, 4:2:2."""
    stream = clip_jpeg(hd_video(lambda: time_ns), quality)
    columns, rows = HD
    return Picture(
        counter=counter,
        time_ns=time_ns,
        format=PixelFormat.JPEG,
        width=columns,
        height=rows,
        planes=(np.frombuffer(stream, np.uint8),),
        full_range=True,
    )


def exam(clock: Clock) -> Exam:
    """Return a released exam that lies in no spool."""
    return Exam(
        id="e1",
        revision=1,
        state=ExamState.RELEASED,
        identity=Identity.TYPED,
        patient=PATIENT,
        procedure=Procedure(),
        study_instance_uid="2.25.4711",
        study_key="",
        study_id="S1",
        server="",
        character_set="",
        opened=clock.now(),
    )


def capture(
    clock: Clock, exam: str, number: int, *, stream: bytes, rows: int, columns: int, frames: int = 1
) -> Capture:
    """Return the record of a still, or of a clip that repeats one frame."""
    uid, still = clock.uid(), frames == 1
    digest = hashlib.sha256()
    for _ in range(frames):
        digest.update(stream)
    start = clock.boottime_ns()
    return Capture(
        sop_instance_uid=uid,
        exam=exam,
        kind=MediaKind.STILL if still else MediaKind.CLIP,
        source="us",
        instance_number=number,
        media=uid + (".ljpg" if still else ".frames"),
        codec="jpeg-lossless" if still else "jpeg",
        rows=rows,
        columns=columns,
        samples=3,
        frames=frames,
        frame_times=tuple(start + index * 33_333_333 for index in range(frames)),
        sequence=(1 << 32) + number,
        bytes=len(stream) * frames,
        sha256=digest.hexdigest(),
        taken=clock.now(),
        pressed=clock.now(),
        patient=PATIENT,
        equipment=EQUIPMENT,
    )


def write_object(path: Path, clock: Clock, record: Capture, stream: bytes) -> None:
    """Write a record's DICOM file as the wrapper does, unflushed."""
    build = still_object.build if record.kind is MediaKind.STILL else multiframe.build
    header = build(exam(clock), record, SERIES, order=None, station=STATION)
    streams = (stream for _ in range(record.frames))
    with path.open("wb") as file:
        file.writelines(file_chunks(header, [len(stream)] * record.frames, streams))


def durable_write(path: Path, content: bytes) -> None:
    """Write a file the shortest safe way: bytes flushed, renamed, name flushed. What the bars divide by."""
    part = path.with_name(path.name + ".part")
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o660)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(fd, view) :]
        os.fsync(fd)
    finally:
        os.close(fd)
    part.replace(path)
    flush_folder(path.parent)


def flush_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
