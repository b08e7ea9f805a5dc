"""DICOMDIR (PS3.3 F, PS3.10 8.6): from objects' headers to the directory of a medium, and back. Knows no disk.

A record's texts are its object's own bytes, and each record names their character set: nothing is decoded and
written again, so no name is damaged. It reads the directories it wrote; another maker's is none of its business.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from gateway import IMPLEMENTATION_CLASS_UID
from gateway.dicom import charset, elements, part10
from gateway.dicom.elements import Element, Elements, Malformed
from gateway.errors import ObjectError
from gateway.model import KEY_OBJECTS

PROFILE = "STD-GEN-USB-JPEG"  # PS3.11 J: uncompressed, JPEG baseline and JPEG lossless; H.264 augments it
FILE_SET_ID = "SCOPEGATE"
_MOST_ELEMENTS = 1_000_000  # of 20,000 objects, were each of a patient of its own
_CLASS = "1.2.840.10008.1.3.10"  # Media Storage Directory Storage
_OF_PROFILE = frozenset(
    {part10.EXPLICIT_LE, part10.JPEG_BASELINE, part10.JPEG_LOSSLESS_SV1, part10.H264, "1.2.840.10008.1.2.4.51"}
)

# The keys of each record: those of PS3.3 F.5 and those that the profile adds. A type 1 key that an object may leave
# empty has the value that stands in for it.
_PATIENT = ("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex")
_STUDY = ("StudyDate", "StudyTime", "AccessionNumber", "StudyDescription", "StudyInstanceUID", "StudyID")
_SERIES = ("Modality", "InstitutionName", "SeriesInstanceUID", "SeriesNumber")
_IMAGE = ("ImageType", "InstanceNumber", "NumberOfFrames", "Rows", "Columns", "LossyImageCompressionRatio")
_KEY_OBJECTS = ("InstanceNumber", "ContentDate", "ContentTime", "ConceptNameCodeSequence")
_LEVELS = ("PATIENT", "STUDY", "SERIES", "IMAGE")
_DOCUMENT = "KEY OBJECT DOC"  # in the place of IMAGE
_MAY_BE_EMPTY = frozenset({"PatientName", "AccessionNumber", "StudyDescription"})  # type 2: there, though empty
_STAND_INS = {"StudyID": b"NONE", "InstanceNumber": b"0", "SeriesNumber": b"0"}
_LINKS = frozenset(
    map(
        elements.tag,
        (
            "OffsetOfTheNextDirectoryRecord",
            "RecordInUseFlag",
            "OffsetOfReferencedLowerLevelDirectoryEntity",
            "DirectoryRecordType",
            "ReferencedFileID",
            "ReferencedSOPClassUIDInFile",
            "ReferencedSOPInstanceUIDInFile",
            "ReferencedTransferSyntaxUIDInFile",
        ),
    )
)
_IN_USE = b"\xff\xff"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One object of a medium: its file, what it is, and the keys of the four records that lead to it."""

    file_id: tuple[str, ...]  # folders and name below the medium's root
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    keys: tuple[Elements, ...]  # of PATIENT, STUDY, SERIES, IMAGE or KEY OBJECT DOC


@dataclass(frozen=True, kw_only=True, slots=True)
class Directory:
    """What a DICOMDIR says: the identity of the medium, and its objects."""

    file_set_uid: str
    entries: tuple[Entry, ...]


def entry(file_id: Sequence[str], meta: part10.Meta, header: Elements) -> Entry:
    """Return an object's entry. Raises ObjectError for what the profile does not take."""
    if meta.transfer_syntax_uid not in _OF_PROFILE:
        raise ObjectError(f"This object's format is not one of {PROFILE}.", code="media-profile")
    is_list = meta.sop_class_uid == KEY_OBJECTS
    if not is_list and not header.number("Rows"):
        raise ObjectError("Only pictures, clips and lists of key images can be written.", code="media-profile")
    return Entry(
        file_id=tuple(file_id),
        sop_class_uid=meta.sop_class_uid,
        sop_instance_uid=meta.sop_instance_uid,
        transfer_syntax_uid=meta.transfer_syntax_uid,
        keys=tuple(
            _keys(header, wanted) for wanted in (_PATIENT, _STUDY, _SERIES, _KEY_OBJECTS if is_list else _IMAGE)
        ),
    )


def encode(directory: Directory) -> bytes:
    """Return the file DICOMDIR: records depth first, in the order of the entries."""
    preface = part10.preface(
        part10.Meta(
            sop_class_uid=_CLASS,
            sop_instance_uid=directory.file_set_uid,
            transfer_syntax_uid=part10.EXPLICIT_LE,
        )
    )
    records = list(_depth_first(_tree(directory.entries)))
    first = len(preface) + len(_file_set(0, 0)) + len(elements.head(_SEQUENCE, 0, explicit=True))
    for record in records:
        record.offset = first
        first += len(_item(record))
    body = b"".join(_item(record) for record in records)
    roots = [record.offset for record in records if record.level == 0] or [0]
    return b"".join(
        (preface, _file_set(roots[0], roots[-1]), elements.head(_SEQUENCE, len(body), explicit=True), body)
    )


def is_ours(raw: bytes) -> bool:
    """Say whether this product wrote that file last, by its meta information (PS3.10 7.1)."""
    try:
        meta = part10.read_meta(raw)
    except Malformed:
        return False
    return meta.sop_class_uid == _CLASS and IMPLEMENTATION_CLASS_UID.encode() in raw[: meta.length]


def decode(raw: bytes) -> Directory:
    """Read a directory that this product wrote. Raises Malformed for every other one."""
    if not is_ours(raw):
        raise Malformed("this directory is not ours")
    meta = part10.read_meta(raw)
    said = elements.parse(raw[meta.length :], explicit=True, most=_MOST_ELEMENTS)
    sequence = said.find("DirectoryRecordSequence")
    entries: list[Entry] = []
    path: list[Elements] = []
    for item in sequence.items if sequence else ():
        kind = item.text("DirectoryRecordType").replace(_DOCUMENT, _LEVELS[-1])
        level = _LEVELS.index(kind) if kind in _LEVELS else len(_LEVELS)
        if level > len(path) or level == len(_LEVELS):
            raise Malformed("a directory record has no place in the order that this product writes")
        path[level:] = [Elements.of(each for each in item if each.tag not in _LINKS)]
        if level == len(_LEVELS) - 1:
            entries.append(_read_entry(item, tuple(path)))
    return Directory(file_set_uid=meta.sop_instance_uid, entries=tuple(entries))


# --- keys ------------------------------------------------------------------------------------------------------


def _keys(header: Elements, wanted: Iterable[str]) -> Elements:
    """Copy what a record takes of a header, its character set first of all."""
    found = []
    for keyword in ("SpecificCharacterSet", *wanted):
        number = elements.tag(keyword)
        element = header.find(keyword)
        if element and element.items:
            found.append(element)
            continue
        value = (element.bare if element and element.vr != "US" else element.value if element else b"") or (
            _STAND_INS.get(keyword, b"")
        )
        if value or keyword in _MAY_BE_EMPTY:
            found.append(Element(tag=number, vr=elements.vr_of(number), value=value))
    return Elements.of(found)


def _read_entry(item: Elements, keys: tuple[Elements, ...]) -> Entry:
    return Entry(
        file_id=tuple(item.text("ReferencedFileID").split("\\")),
        sop_class_uid=item.text("ReferencedSOPClassUIDInFile"),
        sop_instance_uid=item.text("ReferencedSOPInstanceUIDInFile"),
        transfer_syntax_uid=item.text("ReferencedTransferSyntaxUIDInFile"),
        keys=tuple(Elements.of(map(_unpadded, each)) for each in keys),
    )


def _unpadded(element: Element) -> Element:
    if element.items:
        return element
    value = element.value if element.vr == "US" else element.bare
    return Element(tag=element.tag, vr=element.vr, value=value)


# --- records ---------------------------------------------------------------------------------------------------

_SEQUENCE = Element(tag=elements.tag("DirectoryRecordSequence"), vr="SQ")


@dataclass(slots=True)
class _Record:
    """A directory record; `entry`: of an IMAGE."""

    level: int
    keys: Elements
    entry: Entry | None = None
    below: "dict[object, _Record]" = field(default_factory=dict)
    offset: int = 0  # from the file's beginning
    following: "_Record | None" = None


def _tree(entries: Iterable[Entry]) -> dict[object, _Record]:
    root = _Record(level=-1, keys=Elements())
    for each in entries:
        record = root
        for level, name in enumerate(_names(each)):
            new = _Record(level=level, keys=each.keys[level], entry=each if level == len(_LEVELS) - 1 else None)
            record = record.below.setdefault(name, new)
    return root.below


def _names(entry: Entry) -> tuple[object, ...]:
    """Return what tells one record from another on each level.

    Two names under one ID are two patients here: a picture is never listed under a name that it does not carry.
    """
    patient, study, series, _ = entry.keys
    character_set = patient.text("SpecificCharacterSet")
    texts = ("PatientID", "IssuerOfPatientID", "PatientName")
    who = tuple(charset.decode_for_display(patient.value(keyword), character_set) for keyword in texts)
    return who, study.text("StudyInstanceUID"), series.text("SeriesInstanceUID"), entry.sop_instance_uid


def _depth_first(records: dict[object, _Record]) -> Iterator[_Record]:
    siblings = list(records.values())
    for record, following in zip_longest(siblings, siblings[1:]):
        record.following = following
        yield record
        yield from _depth_first(record.below)


def _item(record: _Record) -> bytes:
    """Return a record as an item of the sequence; its size does not hang on the offsets in it."""
    following = record.following.offset if record.following else 0
    lower = next(iter(record.below.values())).offset if record.below else 0
    is_list = record.entry is not None and record.entry.sop_class_uid == KEY_OBJECTS
    links = [
        _number("OffsetOfTheNextDirectoryRecord", following),
        Element(tag=elements.tag("RecordInUseFlag"), vr="US", value=_IN_USE),
        _number("OffsetOfReferencedLowerLevelDirectoryEntity", lower),
        _words("DirectoryRecordType", _DOCUMENT if is_list else _LEVELS[record.level]),
    ]
    if record.entry:
        links += [
            _words("ReferencedFileID", "\\".join(record.entry.file_id)),
            _words("ReferencedSOPClassUIDInFile", record.entry.sop_class_uid),
            _words("ReferencedSOPInstanceUIDInFile", record.entry.sop_instance_uid),
            _words("ReferencedTransferSyntaxUIDInFile", record.entry.transfer_syntax_uid),
        ]
    data = elements.encode([*links, *record.keys], explicit=True)
    return struct.pack("<HHL", 0xFFFE, 0xE000, len(data)) + data


def _file_set(first: int, last: int) -> bytes:
    return elements.encode(
        [
            _words("FileSetID", FILE_SET_ID),
            _number("OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity", first),
            _number("OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity", last),
            Element(tag=elements.tag("FileSetConsistencyFlag"), vr="US", value=b"\0\0"),
        ],
        explicit=True,
    )


def _number(keyword: str, value: int) -> Element:
    return Element(tag=elements.tag(keyword), vr="UL", value=struct.pack("<L", value))


def _words(keyword: str, value: str) -> Element:
    number = elements.tag(keyword)
    return Element(tag=number, vr=elements.vr_of(number), value=value.encode("ascii"))
