"""Believable values for the spool's tests, and the shortest way to store them. Its patients are invented."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from gateway.clock import Clock, Moment
from gateway.model import (
    Capture,
    Equipment,
    Exam,
    Identity,
    MediaKind,
    Patient,
    Procedure,
    RequestStamp,
    SealedObject,
)
from gateway.spool.clips import ClipHeader, ClipWriter
from gateway.spool.spool import Spool
from gateway.spool.subjects import Subject

ANNA = Patient(name="Meier^Anna", id="P-1", issuer="CLINIC", birth_date="19700102", sex="F")
BORIS = Patient(name="Борисов^Борис=", id="P-2", issuer="CLINIC")
ULTRASOUND = Equipment(modality="US", manufacturer="Maker", model="Model 1")
MOMENT = Moment(
    utc=datetime(2026, 11, 21, 9, 0, 0, 123456, tzinfo=UTC),
    offset=timedelta(hours=-3, minutes=-30),
    boot_id="boot-1",
    boottime_ns=77,
    trusted=True,
)


def subject(patient: Patient = ANNA, **values: object) -> Subject:
    """Return a subject; a worklist one when it brings an answer."""
    identity = Identity.WORKLIST if values.get("answer") is not None else Identity.TYPED
    return Subject(**{"identity": identity, "patient": patient, **values})  # type: ignore[arg-type]


def item_subject(patient: Patient = ANNA, **values: object) -> Subject:
    """Return the subject of a worklist item that brings everything."""
    fields = {
        "procedure": Procedure(description="Abdomen", accession_number="A-1", requested_procedure_id="RP-1"),
        "study_instance_uid": f"1.2.3.{patient.id.removeprefix('P-')}",
        "server": "ris",
        "character_set": "ISO_IR 192",
        "worklist_item": f"item-{patient.id}",
        "answer": b"order of " + patient.id.encode(),
    }
    return subject(patient, **{**fields, **values})


def still(exam: Exam, number: int, *, clock: Clock, uid: str = "", request: RequestStamp | None = None) -> Capture:
    """Return the sidecar of a still whose codestream is `codestream_of` its UID."""
    uid = uid or clock.uid()
    content = codestream_of(uid)
    return Capture(
        sop_instance_uid=uid,
        exam=exam.id,
        kind=MediaKind.STILL,
        source="ultrasound",
        instance_number=number,
        media=uid + ".ljpg",
        codec="jpeg-lossless",
        rows=480,
        columns=640,
        samples=3,
        frames=1,
        frame_times=(clock.boottime_ns(),),
        sequence=(1 << 32) + number,
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        taken=clock.now(),
        pressed=clock.now(),
        patient=exam.patient,
        equipment=ULTRASOUND,
        request=request,
    )


def codestream_of(uid: str) -> bytes:
    """Return bytes that belong to this UID alone."""
    return b"\xff\xd8" + uid.encode() * 5 + b"\xff\xd9"


def store(spool: Spool, exam: Exam, number: int, *, request: RequestStamp | None = None) -> Capture:
    """Store a still as the recorder does: media, sidecar, row."""
    capture = still(exam, number, clock=spool.clock, request=request)
    spool.captures.write_media(exam.id, capture.media, [codestream_of(capture.sop_instance_uid)])
    spool.captures.write_sidecar(capture)
    spool.captures.put_row(capture)
    return capture


def clip_header(exam: Exam, number: int, *, clock: Clock) -> ClipHeader:
    return ClipHeader(
        exam=exam.id,
        source="ultrasound",
        sop_instance_uid=clock.uid(),
        instance_number=number,
        part=1,
        pressed=clock.now(),
        patient=exam.patient,
        equipment=ULTRASOUND,
        rows=480,
        columns=640,
    )


def frame(number: int) -> bytes:
    """Return a codestream of its own length for each number."""
    return b"\xff\xd8" + bytes([number % 251]) * (20 + number) + b"\xff\xd9"


def begin_clip(spool: Spool, exam: Exam, number: int) -> ClipWriter:
    """Begin a clip as the recorder does: row, then files."""
    header = clip_header(exam, number, clock=spool.clock)
    placeholder = still(exam, number, clock=spool.clock, uid=header.sop_instance_uid)
    spool.captures.begin_clip(placeholder)
    return ClipWriter(layout=spool.layout, files=spool.files, header=header)


def add_frames(writer: ClipWriter, count: int) -> None:
    start = len(writer.entries)
    for number in range(start, start + count):
        writer.add(frame(number), time_ns=1_000_000_000 + number * 33_000_000, sequence=number)


def sealed(capture: Capture, content: bytes, *, clock: Clock) -> SealedObject:
    return SealedObject(
        sop_instance_uid=capture.sop_instance_uid,
        sop_class_uid="1.2.840.10008.5.1.4.1.1.7",
        transfer_syntax_uid="1.2.840.10008.1.2.4.70",
        exam=capture.exam,
        capture=capture.sop_instance_uid,
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        lossy=False,
        frames=1,
        sealed=clock.now(),
    )


def seal(spool: Spool, capture: Capture, destinations: tuple[str, ...] = ("pacs",)) -> SealedObject:
    """Seal a stored still as the wrapper does, around the bytes of its media."""
    content = b"DICM" + spool.layout.media(capture.exam, capture.media).read_bytes()
    spool.objects.write(capture.exam, capture.sop_instance_uid, [content])
    result = sealed(capture, content, clock=spool.clock)
    spool.objects.seal(result, destinations)
    spool.objects.drop_media(capture)
    return result


@contextmanager
def index_unwritable(spool: Spool) -> Iterator[None]:
    """Let SQLite refuse every write of this thread, as it does on a broken disk."""
    with spool.database.read() as connection:
        connection.execute("PRAGMA query_only = ON")
    yield
    with spool.database.read() as connection:
        connection.execute("PRAGMA query_only = OFF")
