"""A list of key images says which objects of which series are of interest, in the order's own bytes."""

import io
from dataclasses import replace

import pydicom
import pytest
from pydicom.sr.codedict import codes

from gateway.dicom import dicomdir, encapsulate, key_objects, part10
from gateway.dicom.key_objects import Named
from gateway.dicom.transcode import uncompressed
from gateway.errors import ObjectError
from gateway.model import KEY_OBJECTS, KeyDocument, Series, Step
from tests import dicom_samples
from tests.dicom_samples import OPENED, RICH, SCRIPTS, STATION

STILL, CLIP = "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.7.4"
PICTURES = [
    Named(series_instance_uid="2.25.20", sop_class_uid=STILL, sop_instance_uid="2.25.21"),
    Named(series_instance_uid="2.25.30", sop_class_uid=CLIP, sop_instance_uid="2.25.31"),
    Named(series_instance_uid="2.25.20", sop_class_uid=STILL, sop_instance_uid="2.25.22"),
]
SERIES = Series(source="", family="key-objects", number=900, series_instance_uid="2.25.90")
DOCUMENT = KeyDocument(
    sop_instance_uid="2.25.91",
    number=1,
    made=OPENED,
    pictures=tuple(each.sop_instance_uid for each in PICTURES),
    destinations=("pacs",),
    step="2.25.9",
)
STEP = Step(sop_instance_uid="2.25.9", id="e1-1", started=OPENED, servers=("ris",))


def built(exam, order=None, pictures=PICTURES, further=()):
    return key_objects.build(exam, DOCUMENT, SERIES, pictures, order=order, station=STATION, further=further)


def read(header):
    return pydicom.dcmread(io.BytesIO(encapsulate.head(header)))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "o.dcm"
    path.write_bytes(encapsulate.head(built(dicom_samples.exam())))
    return path


def test_the_list_is_titled_of_interest_and_contains_whole_objects_in_the_order_of_the_presses():
    found = read(built(dicom_samples.exam()))
    (title,), (template,) = found.ConceptNameCodeSequence, found.ContentTemplateSequence
    wanted = codes.DCM.OfInterest
    assert (title.CodeValue, title.CodingSchemeDesignator, title.CodeMeaning) == (
        wanted.value,
        wanted.scheme_designator,
        wanted.meaning,
    )
    assert (template.MappingResource, template.TemplateIdentifier) == ("DCMR", "2010")
    items = [(i.RelationshipType, i.ValueType, i.ReferencedSOPSequence[0]) for i in found.ContentSequence]
    assert {item[:2] for item in items} == {("CONTAINS", "IMAGE")}
    assert [(r.ReferencedSOPClassUID, r.ReferencedSOPInstanceUID) for *_, r in items] == [
        (each.sop_class_uid, each.sop_instance_uid) for each in PICTURES
    ]
    assert not any("ReferencedFrameNumber" in reference for *_, reference in items)


def test_every_object_that_is_named_stands_once_in_the_evidence_under_its_series():
    (study,) = read(built(dicom_samples.exam())).CurrentRequestedProcedureEvidenceSequence
    found = {
        series.SeriesInstanceUID: [each.ReferencedSOPInstanceUID for each in series.ReferencedSOPSequence]
        for series in study.ReferencedSeriesSequence
    }
    assert found == {"2.25.20": ["2.25.21", "2.25.22"], "2.25.30": ["2.25.31"]}
    assert study.StudyInstanceUID == dicom_samples.exam().study_instance_uid


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_list_names_the_patient_and_the_request_in_the_bytes_of_the_order(script):
    order = dicom_samples.order_file(script, **RICH)
    exam = dicom_samples.exam_of(order)
    written = encapsulate.head(built(exam, order))
    assert SCRIPTS[script][1] in written
    (request,) = pydicom.dcmread(io.BytesIO(written)).ReferencedRequestSequence
    assert (request.AccessionNumber, request.RequestedProcedureID) == ("ACC 4711", "RP-100")
    assert request.StudyInstanceUID == dicom_samples.STUDY
    assert {"PlacerOrderNumberImagingServiceRequest", "FillerOrderNumberImagingServiceRequest"} <= {
        element.keyword for element in request
    }


def test_a_list_of_an_exam_without_order_answers_no_request():
    assert "ReferencedRequestSequence" not in read(built(dicom_samples.temporary()))


def test_a_list_is_of_the_procedure_step_that_a_server_is_told_of():
    told = read(built(dicom_samples.exam(steps=(STEP,))))
    assert told.ReferencedPerformedProcedureStepSequence[0].ReferencedSOPInstanceUID == "2.25.9"
    untold = read(built(dicom_samples.exam(steps=(replace(STEP, servers=()),))))
    assert list(untold.ReferencedPerformedProcedureStepSequence) == []


def test_a_list_of_nothing_is_not_written():
    with pytest.raises(ObjectError):
        built(dicom_samples.exam(), pictures=[])


def test_a_list_that_reads_back_differently_is_found_out(file):
    good = built(dicom_samples.exam())
    facts = {"exam": dicom_samples.exam(), "series": SERIES, "pictures": PICTURES, "written": good}
    assert key_objects.verify(file, **facts).sop_class_uid == KEY_OBJECTS
    for wrong in (
        file.read_bytes().replace(b"2.25.22", b"2.25.23"),
        file.read_bytes()[:-2],
        file.read_bytes() + b"\0\0",
    ):
        file.write_bytes(wrong)
        with pytest.raises(ObjectError):
            key_objects.verify(file, **facts)


def test_an_archive_that_takes_implicit_vr_only_gets_the_list_so_with_the_same_content(file):
    changed = b"".join(uncompressed(file, part10.IMPLICIT_LE))
    found = pydicom.dcmread(io.BytesIO(changed))
    assert found.file_meta.TransferSyntaxUID == part10.IMPLICIT_LE
    assert found == pydicom.dcmread(file)


def test_a_directory_lists_it_as_a_key_object_document_and_reads_that_back():
    header = built(dicom_samples.exam())
    meta = part10.read_meta(encapsulate.head(header))
    one = dicomdir.entry(("DICOM", "I0000001"), meta, part10.read_data_set(encapsulate.head(header)))
    raw = dicomdir.encode(dicomdir.Directory(file_set_uid="2.25.1", entries=(one,)))
    record = pydicom.dcmread(io.BytesIO(raw)).DirectoryRecordSequence[-1]
    assert (record.DirectoryRecordType, record.InstanceNumber) == ("KEY OBJECT DOC", 1)
    assert record.ConceptNameCodeSequence[0].CodeValue == "113000"
    assert (bool(record.ContentDate), bool(record.ContentTime)) == (True, True)
    assert dicomdir.encode(dicomdir.decode(raw)) == raw
