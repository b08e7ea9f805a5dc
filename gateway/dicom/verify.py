"""Reads a sealed object back and compares it with what it was made from, before the media file may go.

It checks what format checkers do not see: that the codestreams are the captured ones and are what the header says,
that the order's values came through, that every text can be read, that a lossy picture says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.dicom import (
    charset,
    copies,
    derived,
    draft,
    elements,
    encapsulate,
    icc,
    laterality,
    objects,
    values,
    visible_light,
)
from gateway.dicom.alike import Alike
from gateway.dicom.draft import Header
from gateway.dicom.elements import Elements
from gateway.dicom.image import PHOTOMETRIC, TRANSFER_SYNTAX, is_lossy, lossy_method
from gateway.dicom.part10 import Meta
from gateway.dicom.patient_study import local
from gateway.dicom.sealed import SealedFile
from gateway.dicom.verify_pictures import same_pictures
from gateway.errors import ObjectError, TextDoesNotFit
from gateway.model import Capture, Exam, Identity, MediaKind, Series

_CHECKED_VRS = charset.TEXT_VRS | {"AE", "CS", "DA", "DS", "IS", "TM", "UI"}
_SEVERAL = frozenset(map(elements.tag, (*draft.SEVERAL, "SpecificCharacterSet")))
_COLOURS = 3
_VISIBLE_LIGHT = frozenset({"endoscopic", "photographic"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Sealed:
    """What a verified file is; `sha256` of the whole file."""

    sop_class_uid: str
    transfer_syntax_uid: str
    bytes: int
    sha256: str
    frames: int
    lossy: bool


def verify_sealed(
    path: Path,
    *,
    exam: Exam,
    capture: Capture,
    series: Series,
    order: bytes | None,
    further: Sequence[bytes] = (),
    clip: Capture | None = None,
    alike: Alike | None = None,
    written: Header | None = None,
) -> Sealed:
    """Check a sealed file against its exam, record and orders. Raises ObjectError or CodestreamBroken.

    `clip`: what it was made of, if it is a key still, lossless itself while its clip is not, or a clip made anew.
    `alike`: what is known of this exam's other stills. `written`: the header that the file must have, byte for
    byte; with its pictures, which are compared in any case, that is all of it.
    """
    lossy = clip is not None or is_lossy(capture)
    method = derived.method_since(clip, capture) if clip else lossy_method(capture)
    with SealedFile(path, alike.template(capture, series) if alike else None) as file:
        header, meta = file.header, file.meta
        if written and file.head != encapsulate.head(written):
            raise ObjectError("The sealed object reads back differently.")
        _named(meta, capture)
        _its_own(header, exam, capture, lossy=method)
        if not file.is_like_it:
            _same("SOPClassUID", header.text("SOPClassUID"), meta.sop_class_uid)
            identity(header, exam, series)
            readable(header)
            _truthful(header, capture, lossy=method)
            _of_its_family(header, capture)
            _origin(header, capture.kind if clip else None)
            _performed(header, exam, clip or capture)
            copies.check(header, exam, order, further)
        same_pictures(file, capture)
        if alike and not file.is_like_it:
            alike.checked(capture, series, header, file.head[meta.length :])
        return _sealed(file, capture, lossy=lossy)


def _sealed(file: SealedFile, capture: Capture, *, lossy: bool) -> Sealed:
    return Sealed(
        sop_class_uid=file.meta.sop_class_uid,
        transfer_syntax_uid=file.meta.transfer_syntax_uid,
        bytes=file.size,
        sha256=file.sha256,
        frames=capture.frames,
        lossy=lossy,
    )


def _named(meta: Meta, capture: Capture) -> None:
    _same("SOPInstanceUID", meta.sop_instance_uid, capture.sop_instance_uid)
    _same("SOPClassUID", meta.sop_class_uid, objects.sop_class(capture))
    _same("TransferSyntaxUID", meta.transfer_syntax_uid, TRANSFER_SYNTAX[capture.codec])


def _its_own(header: Elements, exam: Exam, capture: Capture, *, lossy: str) -> None:
    """Check what other stills of its source do not share: gateway.dicom.alike.OWN."""
    _same("SOPInstanceUID", header.text("SOPInstanceUID"), capture.sop_instance_uid)
    _same("InstanceNumber", header.text("InstanceNumber"), str(capture.instance_number))
    taken = local(capture.taken, exam)
    for what in ("Content", "Acquisition"):
        _same(f"{what}Date", header.text(f"{what}Date"), f"{taken:%Y%m%d}")
        _same(f"{what}Time", header.text(f"{what}Time"), f"{taken:%H%M%S.%f}")
    ratios = header.text("LossyImageCompressionRatio")
    if bool(ratios) != bool(lossy) or ratios.count("\\") != lossy.count("\\"):
        raise ObjectError("LossyImageCompressionRatio is not as the picture is.")
    if lossy and not all(values.allowed("DS", each) for each in ratios.split("\\")):
        raise ObjectError("LossyImageCompressionRatio is not as the picture is.")


def identity(header: Elements, exam: Exam, series: Series) -> None:
    """Check whose an object is, and of which study and series. Raises ObjectError naming what differs."""
    patient = exam.patient
    written = header.text("SpecificCharacterSet")
    name = patient.id if exam.identity is Identity.TEMPORARY else patient.name
    _same("PatientName", charset.decode(header.value("PatientName"), written), name)
    _same("PatientID", charset.decode(header.value("PatientID"), written), patient.id)
    if patient.issuer:
        _same("IssuerOfPatientID", charset.decode(header.value("IssuerOfPatientID"), written), patient.issuer)
    _same("PatientBirthDate", header.text("PatientBirthDate"), values.as_date(patient.birth_date))
    _same("PatientSex", header.text("PatientSex"), patient.sex)
    _same("StudyInstanceUID", header.text("StudyInstanceUID"), exam.study_instance_uid)
    _same("SeriesInstanceUID", header.text("SeriesInstanceUID"), series.series_instance_uid)
    _same("SeriesNumber", header.text("SeriesNumber"), str(series.number))


def _performed(header: Elements, exam: Exam, capture: Capture) -> None:
    """Check that the object names the performed procedure step that it is listed in, and no other."""
    step = exam.step_of(capture.instance_number)
    told = step is not None and bool(step.servers)
    reference = header.first("ReferencedPerformedProcedureStepSequence")
    wanted = (step.sop_instance_uid, step.id) if step and told else ("", "")
    _same("ReferencedPerformedProcedureStepSequence", reference.text("ReferencedSOPInstanceUID"), wanted[0])
    _same("PerformedProcedureStepID", header.text("PerformedProcedureStepID"), wanted[1])


def readable(header: Elements) -> None:
    """Check that every text can be decoded in the character set it claims, and is of its VR."""
    written = header.text("SpecificCharacterSet")
    for element in header.walk():
        if element.vr not in _CHECKED_VRS or not element.bare:
            continue
        try:
            text = charset.decode(element.value, written if element.vr in charset.TEXT_VRS else "")
        except TextDoesNotFit as error:
            what = elements.keyword(element)
            raise TextDoesNotFit(f"{what} of the sealed object is not in its character set.") from error
        parts = text.split("\\") if element.tag in _SEVERAL else [text]
        if not all(values.allowed(element.vr, part) for part in parts):
            what = elements.keyword(element)
            raise ObjectError(f"{what} of the sealed object has a value that DICOM does not allow.")


def _origin(header: Elements, made: MediaKind | None) -> None:
    """Check that a picture says what it was made of, if it was made of another one, as a still or as a clip."""
    _same("ImageType", header.text("ImageType"), "DERIVED\\SECONDARY" if made else "ORIGINAL\\PRIMARY")
    source = header.first("SourceImageSequence")
    texts = [source.text(f"Referenced{what}") for what in ("SOPClassUID", "SOPInstanceUID", "FrameNumber")]
    texts.append(header.text("DerivationDescription"))
    wanted = [bool(made), bool(made), made is MediaKind.STILL, bool(made)]
    if [bool(text) for text in texts] != wanted:
        raise ObjectError("The sealed object does not say what it was made of.")


def _truthful(header: Elements, capture: Capture, *, lossy: str) -> None:
    """Check what the header says of its picture against the record. `lossy`: how it lost something."""
    _same("LossyImageCompression", header.text("LossyImageCompression"), "01" if lossy else "00")
    _same("LossyImageCompressionMethod", header.text("LossyImageCompressionMethod"), lossy)
    photometric = PHOTOMETRIC[capture.codec, capture.samples]
    _same("PhotometricInterpretation", header.text("PhotometricInterpretation"), photometric)
    for keyword, number in (
        ("Rows", capture.rows),
        ("Columns", capture.columns),
        ("SamplesPerPixel", capture.samples),
        ("BitsAllocated", 8),
        ("BitsStored", 8),
        ("HighBit", 7),
    ):
        _same(keyword, str(header.number(keyword)), str(number))
    _same("PixelAspectRatio", header.text("PixelAspectRatio"), capture.pixel_aspect)
    _same("BurnedInAnnotation", header.text("BurnedInAnnotation"), "YES")
    if capture.kind is MediaKind.CLIP:
        _cine(header, capture)


def _of_its_family(header: Elements, capture: Capture) -> None:
    """Check what hangs on the object's family: what captured it, its colours, which part of the body it shows."""
    plain, visible = objects.is_plain(capture), capture.equipment.object in _VISIBLE_LIGHT
    gateway = "ConversionType" if plain else "ContributingEquipmentSequence"
    if header.find(gateway) is None:
        raise ObjectError("The sealed object does not say what captured it.")
    profile = header.find("ICCProfile")
    wanted = icc.srgb() if visible and capture.samples == _COLOURS else b""
    if (profile.value if profile else b"") != wanted:
        raise ObjectError("The sealed object does not say which colours its numbers mean.")
    region = visible_light.region_of(capture) if visible else None
    named = header.first("AnatomicRegionSequence").text("CodeValue")
    _same("AnatomicRegionSequence", named, region.code if region else "")
    _same("BodyPartExamined", header.text("BodyPartExamined"), capture.equipment.body_part)
    laterality.check(header, capture)


def _cine(header: Elements, capture: Capture) -> None:
    _same("NumberOfFrames", header.text("NumberOfFrames"), str(capture.frames))
    pointer = header.find("FrameIncrementPointer")
    if capture.frames == 1 and pointer is None and objects.is_plain(capture):
        return
    number = (
        int.from_bytes(pointer.value[:2], "little") << 16 | int.from_bytes(pointer.value[2:4], "little")
        if pointer
        else 0
    )
    target = header.by_tag.get(number)
    if target is None or elements.keyword(target) not in {"FrameTime", "FrameTimeVector"}:
        raise ObjectError("FrameIncrementPointer does not point to the clip's frame times.")
    times = target.bare.split(b"\\")
    if elements.keyword(target) == "FrameTimeVector" and len(times) != capture.frames:
        raise ObjectError("FrameTimeVector has another number of values than the clip has frames.")


def _same(what: str, found: str, wanted: str) -> None:
    if found != wanted.rstrip(" "):  # trailing blanks are padding
        raise ObjectError(f"{what} of the sealed object is not what it was made from.")
