"""Key Object Selection Document: which pictures of an exam are of interest.

PS3.3 A.35.4 and C.17.6, PS3.16 TID 2010.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from gateway import __version__
from gateway.config.settings import Station
from gateway.dicom import elements, encapsulate
from gateway.dicom.draft import Draft, Header
from gateway.dicom.elements import Elements
from gateway.dicom.part10 import EXPLICIT_LE
from gateway.dicom.patient_study import local, patient_study, request_of
from gateway.dicom.sealed import SealedFile
from gateway.dicom.series_equipment import GATEWAY, PERFORMED_PROCEDURE_STEP, code
from gateway.dicom.verify import Sealed, identity, readable
from gateway.errors import ObjectError
from gateway.model import KEY_OBJECTS, Exam, KeyDocument, Series

OF_INTEREST = ("113000", "DCM", "Of Interest")  # CID 7010
_TEMPLATE = "2010"


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    """One object that a list names, and in which series it is."""

    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str


def build(
    exam: Exam,
    document: KeyDocument,
    series: Series,
    pictures: Sequence[Named],
    *,
    order: bytes | None,
    station: Station,
    further: Sequence[bytes] = (),
) -> Header:
    """Return the document. `pictures`: what it names, at least one, in this order.

    `order`, `further`: as for pictures. Raises ObjectError when the exam's identity cannot be written as DICOM.
    """
    if not pictures:
        raise ObjectError("A list of key images without pictures cannot be written.")
    request, draft = request_of(exam, order, further), Draft()
    patient_study(draft, exam, request, station.issuer or station.name)
    _series(draft, exam, document, series)
    _equipment(draft, station)
    made = local(document.made, exam)
    draft.put("InstanceNumber", str(document.number))
    draft.put("ContentDate", f"{made:%Y%m%d}").put("ContentTime", f"{made:%H%M%S.%f}")
    draft.sequence("ReferencedRequestSequence", request.referenced())
    draft.sequence("CurrentRequestedProcedureEvidenceSequence", [_evidence(exam, pictures)])
    _content(draft, pictures)
    draft.put("SOPClassUID", KEY_OBJECTS).put("SOPInstanceUID", document.sop_instance_uid)
    return Header(
        sop_class_uid=KEY_OBJECTS,
        sop_instance_uid=document.sop_instance_uid,
        transfer_syntax_uid=EXPLICIT_LE,
        frames=0,
        data=elements.joined(draft.encoded(request.character_set)),
    )


def verify(path: Path, *, exam: Exam, series: Series, pictures: Sequence[Named], written: Header) -> Sealed:
    """Read a written document back; every byte is compared, and what it names with what it is to name.

    Raises ObjectError when it is not what was made.
    """
    with SealedFile(path) as file:
        header = file.header
        if file.head != encapsulate.head(written) or file.size != len(file.head):
            raise ObjectError("The list of key images reads back differently.")
        identity(header, exam, series)
        readable(header)
        if list(names(header)) != [(each.sop_class_uid, each.sop_instance_uid) for each in pictures]:
            raise ObjectError("The list of key images names other pictures than it is to name.")
        return Sealed(
            sop_class_uid=file.meta.sop_class_uid,
            transfer_syntax_uid=file.meta.transfer_syntax_uid,
            bytes=file.size,
            sha256=file.sha256,
            frames=0,
            lossy=False,
        )


def names(document: Elements) -> list[tuple[str, str]]:
    """Return SOP class and instance of each picture that a document names, in its order."""
    content = document.find("ContentSequence")
    references = (item.first("ReferencedSOPSequence") for item in (content.items if content else ()))
    return [(each.text("ReferencedSOPClassUID"), each.text("ReferencedSOPInstanceUID")) for each in references]


def _series(draft: Draft, exam: Exam, document: KeyDocument, series: Series) -> None:
    """Write the Key Object Document Series (C.17.6.1)."""
    draft.put("Modality", "KO")
    draft.put("SeriesInstanceUID", series.series_instance_uid).put("SeriesNumber", str(series.number))
    draft.put("SeriesDescription", "Key images")
    step = next((each for each in exam.steps if each.sop_instance_uid == document.step), None)
    if step and step.servers:
        reference = Draft().put("ReferencedSOPClassUID", PERFORMED_PROCEDURE_STEP)
        reference.put("ReferencedSOPInstanceUID", step.sop_instance_uid)
        draft.sequence("ReferencedPerformedProcedureStepSequence", [reference])
    draft.present("ReferencedPerformedProcedureStepSequence")


def _equipment(draft: Draft, station: Station) -> None:
    """Write who made the document: the gateway, not the device that the pictures are of."""
    draft.put("Manufacturer", GATEWAY).put("ManufacturerModelName", GATEWAY)
    draft.describe("SoftwareVersions", __version__)
    draft.describe("StationName", station.name[:16])
    draft.describe("InstitutionName", station.institution)


def _evidence(exam: Exam, pictures: Sequence[Named]) -> Draft:
    """Return the study's item of the evidence: every object that is named, by series (C.17.2.1)."""
    by_series = sorted(pictures, key=lambda each: each.series_instance_uid)
    items = [
        Draft()
        .put("SeriesInstanceUID", uid)
        .sequence("ReferencedSOPSequence", [_reference(each) for each in those])
        for uid, those in groupby(by_series, key=lambda each: each.series_instance_uid)
    ]
    study = Draft().put("StudyInstanceUID", exam.study_instance_uid)
    return study.sequence("ReferencedSeriesSequence", items)


def _content(draft: Draft, pictures: Sequence[Named]) -> None:
    """Write the root and what it contains (C.17.3, TID 2010): whole objects, a clip as all of its frames."""
    draft.put("ValueType", "CONTAINER").put("ContinuityOfContent", "SEPARATE")
    draft.sequence("ConceptNameCodeSequence", [code(*OF_INTEREST)])
    template = Draft().put("MappingResource", "DCMR").put("TemplateIdentifier", _TEMPLATE)
    draft.sequence("ContentTemplateSequence", [template])
    draft.sequence(
        "ContentSequence",
        [
            Draft()
            .put("RelationshipType", "CONTAINS")
            .put("ValueType", "IMAGE")
            .sequence("ReferencedSOPSequence", [_reference(each)])
            for each in pictures
        ],
    )


def _reference(picture: Named) -> Draft:
    item = Draft().put("ReferencedSOPClassUID", picture.sop_class_uid)
    return item.put("ReferencedSOPInstanceUID", picture.sop_instance_uid)
