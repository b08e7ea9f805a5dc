"""Orders, exams and captures for the tests of objects. Writes orders with its own few lines, not the product's."""

import hashlib
import io
import struct
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import imagecodecs
import numpy as np
import simplejpeg

from gateway.clock import Moment
from gateway.config.settings import Station
from gateway.dicom import film, multiframe
from gateway.dicom import still as still_object
from gateway.dicom.encapsulate import file_chunks, film_chunks
from gateway.dicom.order import worklist_item, wrap_answer
from gateway.model import (
    Capture,
    Equipment,
    Exam,
    ExamState,
    FurtherOrder,
    Identity,
    MediaKind,
    Patient,
    Procedure,
    Series,
)

STATION = Station(name="US-ROOM-2", institution="Klinik", issuer="BOX")
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
STUDY = "1.2.276.0.7230010.3.2.101"
OPENED = Moment(
    utc=datetime(2026, 11, 21, 22, 59, 58, 250000, tzinfo=UTC),
    offset=timedelta(hours=1),
    boot_id="boot-1",
    boottime_ns=1_000_000_000,
    trusted=True,
)
# name -> (SpecificCharacterSet, PatientName, RequestedProcedureDescription) as a server writes them
SCRIPTS = {
    "latin-1": (b"ISO_IR 100", "Müller^Änne".encode("latin-1"), "Échographie".encode("latin-1")),
    "utf-8": (b"ISO_IR 192", "Łukasz^Żaneta=山田^太郎".encode(), "Überprüfung ж".encode()),
    "gb18030": (b"GB18030", "Wang^XiaoDong=王^小东".encode("gb18030"), "腹部超声".encode("gb18030")),
    "iso-2022-jp": (
        b"\\ISO 2022 IR 87",
        b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
        b"\x1b$BD62;GH8!::\x1b(B",
    ),
}


def element(tag, vr, value, *, explicit=True):
    """One element of an answer; a list of items makes a sequence."""
    if isinstance(value, list):
        value = b"".join(struct.pack("<HHL", 0xFFFE, 0xE000, len(item)) + item for item in value)
    value += b"\0 "[vr != "UI" :][:1] * (len(value) % 2)
    start = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    if not explicit:
        return start + struct.pack("<L", len(value)) + value
    if vr in {"SQ", "OB", "UN", "UT"}:
        return start + vr.encode() + struct.pack("<HL", 0, len(value)) + value
    return start + vr.encode() + struct.pack("<H", len(value)) + value


def code(value, meaning, *, explicit=True):
    return b"".join(
        element(tag, vr, text, explicit=explicit)
        for tag, vr, text in (
            (0x00080100, "SH", value),
            (0x00080102, "SH", b"99CLINIC"),
            (0x00080104, "LO", meaning),
        )
    )


def answer(script="latin-1", *, explicit=True, without=(), **other):
    """A worklist answer as bytes. `other`: x00100010=b"..." or ("PN", b"...") replaces a value."""
    character_set, name, description = SCRIPTS[script]
    step = {
        0x00080060: ("CS", b"US"),
        0x00400001: ("AE", b"SCOPEGATE"),
        0x00400002: ("DA", b"20261121"),
        0x00400003: ("TM", b"233000"),
        0x00400007: ("LO", description),
        0x00400008: ("SQ", [code(b"US-ABD", description, explicit=explicit)]),
        0x00400009: ("SH", b"SPS-1"),
    }
    order = {
        0x00080005: ("CS", character_set),
        0x00080050: ("SH", b"ACC 4711"),
        0x00080090: ("PN", b"House^G"),
        0x00100010: ("PN", name),
        0x00100020: ("LO", b"PAT-0815"),
        0x00100021: ("LO", b"CLINIC"),
        0x00100030: ("DA", b"19580317"),
        0x00100040: ("CS", b"F"),
        0x0020000D: ("UI", STUDY.encode()),
        0x00321032: ("PN", b"Request^Doc"),
        0x00321060: ("LO", description),
        0x00321064: ("SQ", [code(b"RP-7", description, explicit=explicit), b""]),
        0x00380010: ("LO", b"ADM-1"),
        0x00400100: ("SQ", None),
        0x00401001: ("SH", b"RP-100"),
    }
    for word, value in other.items():
        number = int(word[1:], 16)
        table = step if number in step else order
        known = table[number][0] if number in table else "LO"
        table[number] = value if isinstance(value, tuple) else (known, value)
    parts = {
        number: element(number, vr, value, explicit=explicit)
        for number, (vr, value) in step.items()
        if number not in without
    }
    order[0x00400100] = ("SQ", [b"".join(parts[number] for number in sorted(parts))])
    return b"".join(
        element(number, *order[number], explicit=explicit) for number in sorted(order) if number not in without
    )


RICH = {  # what a talkative server adds
    "x00080051": ("SQ", [element(0x00400031, "UT", b"RIS")]),
    "x00081110": ("SQ", [element(0x00081150, "UI", b"1.2.3") + element(0x00081155, "UI", b"1.2.4"), b""]),
    "x00101020": ("DS", b"1.75"),
    "x00101030": ("DS", b"70.5"),
    "x00401002": ("LO", b"Pain"),
    "x0040100A": ("SQ", [code(b"R1", b"Pain")]),
    "x00090010": ("LO", b"PRIVATE"),
    "x00091001": ("OB", b"1234"),
}


def order_file(script="latin-1", *, explicit=True, **other):
    raw = answer(script, explicit=explicit, **other)
    return wrap_answer(raw, EXPLICIT if explicit else IMPLICIT)


def exam_of(order, *, fallback="", **other):
    """The exam that the product opens for a worklist answer."""
    item = worklist_item(order, server="ris", fallback_charset=fallback)
    values = {
        "identity": Identity.WORKLIST,
        "patient": item.patient,
        "procedure": item.procedure,
        "study_instance_uid": item.study_instance_uid or "2.25.77",
        "character_set": item.character_set,
    }
    return exam(**values | other)


def grouped(*orders):
    """The exam that the product opens for several worklist answers of one patient."""
    first, *others = (exam_of(order) for order in orders)
    further = [
        FurtherOrder(file="", worklist_item="", procedure=each.procedure, character_set=each.character_set)
        for each in others
    ]
    return replace(first, further=tuple(further))


def exam(**other):
    values = {
        "id": "e1",
        "revision": 1,
        "state": ExamState.RELEASED,
        "identity": Identity.TYPED,
        "patient": Patient(name="Typed^Tina", id="T-1", issuer="BOX", birth_date="19700102", sex="O"),
        "procedure": Procedure(),
        "study_instance_uid": "2.25.4711",
        "study_key": "",
        "study_id": "",
        "server": "ris",
        "character_set": "",
        "opened": OPENED,
    }
    return Exam(**values | other)


def temporary(**other):
    patient = Patient(name="whatever", id="EMERG-US-ROOM-2-20261121235958-A1B2", issuer="US-ROOM-2")
    return exam(identity=Identity.TEMPORARY, patient=patient, **other)


SERIES = Series(source="us", family="still", number=1, series_instance_uid="2.25.5001")


def picture(rows=48, columns=51, samples=3, seed=1):
    shape = (rows, columns) if samples == 1 else (rows, columns, samples)
    ramp = np.add.outer(np.arange(rows) * 3, np.arange(columns) * 2)
    noise = np.random.default_rng(seed).integers(0, 40, shape)
    return ((ramp if samples == 1 else ramp[..., None]) + noise).astype(np.uint8)


def lossless(pixels):
    if pixels.ndim == 2:
        return bytes(imagecodecs.jpeg8_encode(pixels, lossless=True, predictor=1))
    return bytes(
        imagecodecs.jpeg8_encode(pixels, lossless=True, predictor=1, colorspace="RGB", outcolorspace="RGB")
    )


def baseline(pixels):
    if pixels.ndim == 2:
        return simplejpeg.encode_jpeg(pixels[..., None].copy(), 90, "GRAY", "Gray")
    return simplejpeg.encode_jpeg(pixels, 90, "RGB", "422")


MODALITIES = {"secondary-capture": "US", "ultrasound": "US", "endoscopic": "ES", "photographic": "XC"}


def made_as(kind, made):
    """A record and its codestreams, of a source that is configured for that kind of object."""
    record, streams = made
    return replace(record, equipment=replace(record.equipment, object=kind, modality=MODALITIES[kind])), streams


def jpeg_ls(pixels):
    return bytes(imagecodecs.jpegls_encode(pixels))


CODECS = {"jpeg-lossless": lossless, "jpeg-ls": jpeg_ls, "jpeg": baseline, "uncompressed": np.ndarray.tobytes}


def still(*, samples=3, codec="jpeg-lossless", rows=48, columns=51, **other):
    """A still's record and its one codestream."""
    stream = CODECS[codec](picture(rows, columns, samples))
    return capture([stream], rows=rows, columns=columns, samples=samples, codec=codec, **other), [stream]


def clip(*, frames=5, rows=48, columns=64, step=40_000_000, times=(), codec="jpeg", **other):
    """A clip's record and its codestreams, 25 frames a second unless told otherwise."""
    streams = [CODECS[codec](picture(rows, columns, 3, seed)) for seed in range(frames)]
    times = times or tuple(2_000_000_000 + number * step for number in range(frames))
    record = capture(streams, rows=rows, columns=columns, samples=3, codec=codec, **other)
    return replace(record, kind=MediaKind.CLIP, frames=frames, frame_times=tuple(times)), streams


def encoded(**other):
    """A clip's record and its one stream, once it is H.264."""
    record, streams = clip(**other)
    file = io.BytesIO()
    film.make(file, streams, rows=record.rows, columns=record.columns, times=record.frame_times)
    stream = file.getvalue()
    made = replace(
        record,
        codec="h264",
        rows=film.even(record.rows),
        columns=film.even(record.columns),
        bytes=len(stream),
        sha256=hashlib.sha256(stream).hexdigest(),
        lossy_ratio=7.25,
    )
    return made, [stream]


def capture(streams, *, rows, columns, samples, codec, **other):
    taken = replace(OPENED, utc=OPENED.utc + timedelta(seconds=2), boottime_ns=2_000_000_000)
    joined = b"".join(streams)
    values = {
        "sop_instance_uid": "2.25.6001",
        "exam": "e1",
        "kind": MediaKind.STILL,
        "source": "us",
        "instance_number": 3,
        "media": "2.25.6001.jpg",
        "codec": codec,
        "rows": rows,
        "columns": columns,
        "samples": samples,
        "frames": 1,
        "frame_times": (2_000_000_000,),
        "sequence": 1,
        "bytes": len(joined),
        "sha256": hashlib.sha256(joined).hexdigest(),
        "taken": taken,
        "pressed": taken,
        "patient": Patient(name="n", id="i"),
        "equipment": Equipment(
            modality="US", manufacturer="Sonomat", model="S1", serial_number="7", department="Sono"
        ),
    }
    return Capture(**values | other)


def build(exam, record, order=None, series=SERIES, **more):
    maker = still_object if record.kind is MediaKind.STILL else multiframe
    return maker.build(exam, record, series, order=order, **{"station": STATION, **more})


def seal(path, exam, record, streams, order=None, **more):
    """Write the object's file as the product does."""
    header = build(exam, record, order, **more)
    if record.codec == "h264":
        path.write_bytes(b"".join(film_chunks(header, len(streams[0]), streams)))
        return path
    path.write_bytes(b"".join(file_chunks(header, [len(stream) for stream in streams], streams)))
    return path
