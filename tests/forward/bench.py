"""Exams with real pictures in a real spool, and a disk that can fail, for the tests of the forward process."""

import errno
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import simplejpeg

from gateway.config.settings import Station
from gateway.forward.making.films import Films
from gateway.forward.making.release import Release
from gateway.forward.making.wrap import Wrapper
from gateway.model import Capture, Delivery, Equipment, Exam, Identity, Patient, Procedure, SealedObject
from gateway.spool.clips import ClipHeader, ClipWriter
from gateway.spool.files import Files
from gateway.spool.queue.routing import Addressee
from gateway.spool.spool import Spool
from gateway.spool.subjects import Subject
from tests import dicom_samples

STATION = Station(name="US-ROOM-2", institution="Clinic")
# Nobody's: every part of it is searched for in logs.
CANARY = Patient(name="Kanari^Vögelchen", id="CANARY-4711", issuer="CLINIC", birth_date="19010203", sex="F")
ACCESSION = "ACC-CANARY-77"
CANARY_WORDS = ("Kanari", "Vögelchen", "CANARY-4711", "19010203", "ACC-CANARY-77")


# As the recorder names them.
SUFFIXES = {"jpeg-lossless": ".ljpg", "jpeg-ls": ".jls", "jpeg": ".jpg", "uncompressed": ".raw"}


class Disk(Files):
    """Fails with `error` once `writes` more file operations were made; None = never."""

    def __init__(self) -> None:
        self.error = errno.ENOSPC
        self.writes: int | None = None
        self.log: list[tuple[str, str]] = []
        self._names: dict[int, str] = {}

    def fail(self, error: int = errno.ENOSPC, *, after: int = 0) -> None:
        self.error, self.writes = error, after

    def heal(self) -> None:
        self.writes = None

    def _may(self, what: str, name: str) -> None:
        if self.writes is not None:
            if self.writes == 0:
                raise OSError(self.error, "the disk fails")
            self.writes -= 1
        self.log.append((what, name))

    def _create(self, path: Path, *, keep: bool = False) -> int:
        self._may("create", path.name)
        fd = super()._create(path, keep=keep)
        self._names[fd] = path.name
        return fd

    def _write(self, fd: int, data: bytes | memoryview) -> None:
        self._may("write", self._names[fd])
        super()._write(fd, data)

    def _sync(self, fd: int) -> None:
        self._may("sync", self._names.get(fd, ""))
        super()._sync(fd)

    def _rename(self, old: Path, new: Path) -> None:
        self._may("rename", new.name)
        super()._rename(old, new)

    def _unlink(self, path: Path) -> None:
        if self.writes != 0:  # a full disk gives room back
            self._may("unlink", path.name)
        super()._unlink(path)

    def _sync_folder(self, path: Path) -> None:
        self._may("sync-folder", path.name)
        super()._sync_folder(path)


def typed(patient: Patient = CANARY, *, identity: Identity = Identity.TYPED, **more: object) -> Subject:
    procedure = Procedure(description="Abdomen", accession_number=ACCESSION)
    return Subject(**{"identity": identity, "patient": patient, "procedure": procedure, **more})  # type: ignore[arg-type]


def ordered(script: str = "latin-1", **values: bytes) -> Subject:
    """Return the subject of a worklist item, its order beside it; `values` as for dicom_samples.answer."""
    answer = dicom_samples.order_file(script, **values)
    exam = dicom_samples.exam_of(answer)
    return Subject(
        identity=Identity.WORKLIST,
        patient=exam.patient,
        procedure=exam.procedure,
        study_instance_uid=exam.study_instance_uid,
        server="ris",
        character_set=exam.character_set,
        worklist_item="item-1",
        answer=answer,
    )


def open_exam(spool: Spool, subject: Subject | None = None) -> Exam:
    """Open an exam; one that was open is finished and confirmed."""
    if previous := spool.exams.open_one():
        spool.exams.finish(previous.id)
    return spool.exams.open(subject or typed())[0]


def still(
    spool: Spool, exam: Exam, *, source: str = "us", rows: int = 16, columns: int = 18, **other: object
) -> Capture:
    """Store a still as the recorder does: media, sidecar, row."""
    record, streams = dicom_samples.still(rows=rows, columns=columns, **other)
    uid = spool.clock.uid()
    capture = replace(
        record,
        sop_instance_uid=uid,
        exam=exam.id,
        source=source,
        instance_number=spool.captures.highest_number(exam.id) + 1,
        media=uid + SUFFIXES[record.codec],
        patient=exam.patient,
    )
    spool.captures.write_media(exam.id, capture.media, streams)
    spool.captures.write_sidecar(capture)
    spool.captures.put_row(capture)
    return capture


def clip(
    spool: Spool,
    exam: Exam,
    *,
    frames: int = 3,
    source: str = "us",
    copies: int = 1,
    padding: int = 0,
    equipment: Equipment | None = None,
    clip_as: str = "",
    step_ms: float = 40,
    cut: bool = False,
    size: tuple[int, int] = (16, 16),
    noise: bool = False,
) -> Capture:
    """Record a clip of JPEG frames as the recorder does.

    `size`: rows and columns. `noise`: its pictures show nothing else, which JPEG holds better than H.264 does. To
    make it large: `copies` repeats its pictures, `padding` adds so many bytes of comment (JPEG's COM) to each.
    """
    record, streams = dicom_samples.clip(frames=frames, rows=size[0], columns=size[1])
    if noise:
        chance = np.random.default_rng(1)
        pictures = (chance.integers(0, 256, (*size, 3), dtype=np.uint8) for _ in streams)
        streams = [simplejpeg.encode_jpeg(each, 50, "RGB", "420") for each in pictures]
    comment = b"\xff\xfe" + (50_002).to_bytes(2, "big") + bytes(50_000)
    streams = [stream[:2] + comment * (padding // 50_000) + stream[2:] for stream in streams]
    if cut:  # half of each picture's scan: its markers are right, and no decoder is content
        streams = [stream[: -len(stream) // 8] + b"\xff\xd9" for stream in streams]
    header = ClipHeader(
        exam=exam.id,
        source=source,
        sop_instance_uid=spool.clock.uid(),
        instance_number=spool.captures.highest_number(exam.id) + 1,
        part=1,
        pressed=record.pressed,
        patient=exam.patient,
        equipment=equipment or record.equipment,
        rows=record.rows,
        columns=record.columns,
        clip_as=clip_as,
    )
    spool.captures.begin_clip(
        replace(
            record, sop_instance_uid=header.sop_instance_uid, exam=exam.id, instance_number=header.instance_number
        )
    )
    writer = ClipWriter(layout=spool.layout, files=spool.files, header=header)
    for number, stream in enumerate(streams * copies):
        writer.add(stream, time_ns=record.frame_times[0] + round(number * step_ms * 1e6), sequence=number)
    capture = writer.close()
    spool.captures.write_sidecar(capture)
    spool.captures.put_row(capture)
    return capture


class StopsAfter(threading.Event):
    """Set once it was looked at so often."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self._left = looks

    def is_set(self) -> bool:
        self._left -= 1
        return self._left < 0


def films(spool: Spool, *destinations: str, stop: threading.Event | None = None) -> Films:
    maker = wrapper(spool, *destinations)
    wanted = destinations or ("pacs",)
    return Films(spool=spool, station=STATION, destinations=wanted, wrapper=maker, stop=stop or threading.Event())


def let_go(spool: Spool, exam: Exam, **end: str) -> Exam:
    """Finish an exam and release it."""
    spool.exams.finish(exam.id, **end)
    return spool.exams.release(exam.id)


def wrapper(spool: Spool, *destinations: Addressee) -> Wrapper:
    return Wrapper(spool=spool, station=STATION, destinations=destinations or ("pacs",))


def release(spool: Spool, temporary: str = "hold", *, at_once: bool = False) -> Release:
    return Release(spool=spool, temporary=temporary, at_once=at_once)


def wrap_all(spool: Spool, *destinations: Addressee) -> None:
    maker = wrapper(spool, *destinations)
    while maker.step():
        pass


def sealed_exam(spool: Spool, *destinations: str, stills: int = 1, clips: int = 0) -> Exam:
    """Return a released exam whose pictures are sealed and queued."""
    exam = open_exam(spool)
    for _ in range(stills):
        still(spool, exam)
    for _ in range(clips):
        clip(spool, exam)
    exam = let_go(spool, exam)
    wrap_all(spool, *destinations)
    return exam


def objects(spool: Spool, exam: Exam) -> list[SealedObject]:
    return sorted(spool.objects.of_exam(exam.id), key=lambda each: numbers(spool)[each.capture])


def numbers(spool: Spool) -> dict[str, int]:
    """Return each capture's InstanceNumber."""
    exams = spool.exams.list(limit=10_000)
    found = (listed.capture for exam in exams for listed in spool.captures.of_exam(exam.id))
    return {capture.sop_instance_uid: capture.instance_number for capture in found}


def deliveries(spool: Spool, destination: str = "pacs") -> list[Delivery]:
    return [each for each in spool.deliveries.list(limit=100_000) if each.destination == destination]


def delivery(spool: Spool, destination: str = "pacs") -> Delivery:
    (found,) = deliveries(spool, destination)
    return found
