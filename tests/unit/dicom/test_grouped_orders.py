"""Objects of exams that several orders ask for, and of which procedure step they are."""

from dataclasses import replace

import pydicom
import pytest

from gateway.dicom.verify import verify_sealed
from gateway.errors import ObjectError
from gateway.model import Step
from tests import dicom_checks, dicom_samples
from tests.dicom_samples import OPENED, SERIES, STUDY

SECOND = {"x00400009": b"SPS-2", "x00401001": b"RP-200", "x0020000D": b"1.2.3.9"}
STEPS = (
    Step(sop_instance_uid="2.25.91", id="e1-1", started=OPENED, servers=("ris",)),
    Step(sop_instance_uid="2.25.92", id="e1-2", started=OPENED, servers=("ris",), above=3),
)


def sealed(path, exam, order=None, further=(), **still):
    record, streams = dicom_samples.still(**still)
    dicom_samples.seal(path, exam, record, streams, order, further=further)
    verify_sealed(path, exam=exam, capture=record, series=SERIES, order=order, further=further)
    assert dicom_checks.unseen(path) == []
    return pydicom.dcmread(path)


@pytest.mark.parametrize("second", dicom_samples.SCRIPTS)
@pytest.mark.parametrize("first", dicom_samples.SCRIPTS)
def test_every_order_of_an_exam_has_its_request_attributes(tmp_path, first, second):
    orders = [dicom_samples.order_file(first), dicom_samples.order_file(second, x00080050=b"ACC 2", **SECOND)]
    found = sealed(tmp_path / "x.dcm", dicom_samples.grouped(*orders), orders[0], orders[1:])
    one, two = found.RequestAttributesSequence
    assert (one.ScheduledProcedureStepID, two.ScheduledProcedureStepID) == ("SPS-1", "SPS-2")
    assert (one.RequestedProcedureID, two.RequestedProcedureID) == ("RP-100", "RP-200")
    assert (one.AccessionNumber, two.AccessionNumber) == ("ACC 4711", "ACC 2")
    assert (one.StudyInstanceUID, two.StudyInstanceUID) == (STUDY, "1.2.3.9")
    assert found.StudyInstanceUID == STUDY
    for script, item in ((first, one), (second, two)):
        text = pydicom.charset.decode_bytes(
            dicom_samples.SCRIPTS[script][2],
            pydicom.charset.convert_encodings(dicom_samples.SCRIPTS[script][0].decode().split("\\")),
            set(),
        )
        assert item.RequestedProcedureDescription == text


def test_a_study_has_the_accession_number_that_its_orders_share_and_none_when_they_differ(tmp_path):
    shared = [dicom_samples.order_file("latin-1"), dicom_samples.order_file("latin-1", **SECOND)]
    exam = dicom_samples.grouped(*shared)
    assert sealed(tmp_path / "a.dcm", exam, shared[0], shared[1:]).AccessionNumber == "ACC 4711"
    differing = [shared[0], dicom_samples.order_file("latin-1", x00080050=b"ACC 2", **SECOND)]
    exam = dicom_samples.grouped(*differing)
    found = sealed(tmp_path / "b.dcm", exam, differing[0], differing[1:])
    assert found.AccessionNumber == ""
    assert "IssuerOfAccessionNumberSequence" not in found


def test_the_codes_of_all_orders_are_what_was_done(tmp_path):
    code = dicom_samples.code(b"RP-8", b"Knee")
    orders = [dicom_samples.order_file("latin-1"), dicom_samples.order_file(x00321064=("SQ", [code]), **SECOND)]
    found = sealed(tmp_path / "x.dcm", dicom_samples.grouped(*orders), orders[0], orders[1:])
    assert [item.CodeValue for item in found.ProcedureCodeSequence] == ["RP-7", "RP-8"]


def test_an_object_that_lost_one_of_its_orders_is_not_sealed(tmp_path):
    orders = [dicom_samples.order_file("latin-1"), dicom_samples.order_file("latin-1", **SECOND)]
    exam = dicom_samples.grouped(*orders)
    record, streams = dicom_samples.still()
    path = dicom_samples.seal(tmp_path / "x.dcm", replace(exam, further=()), record, streams, orders[0])
    with pytest.raises(ObjectError):
        verify_sealed(path, exam=exam, capture=record, series=SERIES, order=orders[0], further=orders[1:])
    path = dicom_samples.seal(tmp_path / "y.dcm", exam, record, streams, orders[0], further=orders[1:])
    with pytest.raises(ObjectError):
        verify_sealed(path, exam=replace(exam, further=()), capture=record, series=SERIES, order=orders[0])


def test_a_further_order_of_another_patient_is_refused(tmp_path):
    orders = [
        dicom_samples.order_file("latin-1"),
        dicom_samples.order_file("latin-1", x00100020=b"OTHER", **SECOND),
    ]
    with pytest.raises(ObjectError, match="another patient"):
        sealed(tmp_path / "x.dcm", dicom_samples.grouped(*orders), orders[0], orders[1:])


@pytest.mark.parametrize(("number", "step"), [(3, STEPS[0]), (4, STEPS[1])])
def test_an_object_names_the_step_that_it_was_made_in(tmp_path, number, step):
    exam = dicom_samples.exam(steps=STEPS)
    found = sealed(tmp_path / "x.dcm", exam, instance_number=number)
    (reference,) = found.ReferencedPerformedProcedureStepSequence
    assert reference.ReferencedSOPInstanceUID == step.sop_instance_uid
    assert found.PerformedProcedureStepID == step.id
    assert found.PerformedProcedureStepStartDate == found.StudyDate


def test_a_step_of_which_nobody_hears_is_not_named(tmp_path):
    exam = dicom_samples.exam(steps=(replace(STEPS[0], servers=()),))
    assert "ReferencedPerformedProcedureStepSequence" not in sealed(tmp_path / "x.dcm", exam)


def test_an_object_that_names_another_step_is_not_sealed(tmp_path):
    record, streams = dicom_samples.still()
    path = dicom_samples.seal(tmp_path / "x.dcm", dicom_samples.exam(steps=STEPS), record, streams)
    other = (replace(STEPS[0], sop_instance_uid="2.25.99"),)
    with pytest.raises(ObjectError, match="PerformedProcedureStep"):
        verify_sealed(path, exam=dicom_samples.exam(steps=other), capture=record, series=SERIES, order=None)
