"""What is said of performed procedure steps: PS3.4 F.7.2, and the worklist server's own bytes."""

import io
from dataclasses import replace

import pydicom
import pytest
from pydicom.datadict import tag_for_keyword
from pydicom.sr.codedict import codes

from gateway.dicom import procedure_step
from gateway.dicom.procedure_step import REASONS, PerformedSeries
from gateway.errors import ObjectError
from gateway.model import Identity, Patient, Procedure, Step, StepState
from gateway.panel.calls.exams import REASONS as WORDS
from tests import dicom_samples, step_checks
from tests.dicom_samples import OPENED, RICH, SCRIPTS, STATION

STEP = Step(sop_instance_uid="2.25.9", id="e1-1", started=OPENED, servers=("ris",))
IMAGES = [PerformedSeries(series_instance_uid="2.25.5", images=[("1.2.840.10008.5.1.4.1.1.7", "2.25.6")])]


def begun(exam, order=None, further=(), modality="US"):
    return procedure_step.begun(exam, STEP, order=order, further=further, station=STATION, modality=modality)


def over(exam, beginning, series=IMAGES, state=StepState.COMPLETED, reason=""):
    step = replace(STEP, ended=OPENED, state=state, reason=reason)
    return procedure_step.over(exam, step, beginning, series)


def read(file):
    return pydicom.dcmread(io.BytesIO(file))


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("explicit", [True, False])
def test_what_the_worklist_said_comes_back_to_its_server_byte_for_byte(script, explicit):
    order = dicom_samples.order_file(script, explicit=explicit)
    exam = dicom_samples.exam_of(order)
    file = begun(exam, order)
    create, item = read(file), read(file).ScheduledStepAttributesSequence[0]
    assert step_checks.problems_of_create(create) == []
    character_set, name, description = SCRIPTS[script]
    raw = read(file)
    for keyword, value in (
        ("PatientName", name),
        ("PerformedProcedureStepDescription", description),
    ):
        assert raw.get_item(tag_for_keyword(keyword)).value.rstrip(b" ") == value
    assert b"\x08\x00\x05\x00CS" + bytes([len(character_set) + len(character_set) % 2, 0]) + character_set in file
    assert file.count(description) == 7  # the procedure's and the protocol's codes, twice each, and three texts
    assert (item.AccessionNumber, item.RequestedProcedureID) == ("ACC 4711", "RP-100")
    assert (item.ScheduledProcedureStepID, item.StudyInstanceUID) == ("SPS-1", dicom_samples.STUDY)
    assert create.StudyID == "RP-100"


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize(("state", "reason"), [(StepState.COMPLETED, ""), (StepState.DISCONTINUED, "110504")])
def test_the_end_has_the_character_set_of_the_beginning_and_says_nothing_that_was_not_created(
    script, state, reason
):
    order = dicom_samples.order_file(script, **RICH)
    exam = dicom_samples.exam_of(order)
    beginning = begun(exam, order)
    end = over(exam, beginning, state=state, reason=reason)
    assert step_checks.problems_of_set(read(end), read(beginning)) == []
    (series,) = read(end).PerformedSeriesSequence
    assert SCRIPTS[script][2] in end  # ProtocolName: the step as scheduled
    assert series.ReferencedImageSequence[0].ReferencedSOPInstanceUID == "2.25.6"


def test_the_end_of_a_step_is_the_same_whatever_its_exam_was_assigned_to_since():
    order = dicom_samples.order_file("gb18030")
    beginning = begun(dicom_samples.exam_of(order), order)
    other = dicom_samples.exam(patient=Patient(name="Łukasz^Z", id="X"), procedure=Procedure(description="Knie"))
    assert over(other, beginning) == over(dicom_samples.exam_of(order), beginning)


def test_without_patient_one_scheduled_step_names_the_study_and_nothing_else():
    exam = dicom_samples.temporary()
    create = read(begun(exam))
    assert step_checks.problems_of_create(create) == []
    (item,) = create.ScheduledStepAttributesSequence
    assert {element.keyword for element in item if element.value} == {"StudyInstanceUID"}
    assert item.StudyInstanceUID == exam.study_instance_uid
    assert create.PatientName == create.PatientID == exam.patient.id
    assert create.PatientBirthDate == create.PatientSex == create.StudyID == ""


def test_a_typed_exam_says_what_was_typed():
    typed = dicom_samples.exam(procedure=Procedure(description="Schädel", accession_number="A-1"))
    create = read(begun(typed))
    assert step_checks.problems_of_create(create) == []
    assert create.SpecificCharacterSet == "ISO_IR 192"
    assert create.PerformedProcedureStepDescription == "Schädel"
    assert create.ScheduledStepAttributesSequence[0].AccessionNumber == "A-1"
    end = read(over(typed, begun(typed)))
    assert end.SpecificCharacterSet == "ISO_IR 192"
    assert end.PerformedSeriesSequence[0].ProtocolName == "Schädel"


def test_a_step_without_pictures_and_words_has_one_series_with_a_protocol():
    exam = dicom_samples.temporary()
    beginning = begun(exam)
    end = read(over(exam, beginning, [PerformedSeries(series_instance_uid="2.25.5")]))
    assert step_checks.problems_of_set(end, read(beginning)) == []
    assert end.PerformedSeriesSequence[0].ProtocolName == "US"
    assert list(end.PerformedSeriesSequence[0].ReferencedImageSequence) == []


def test_a_step_that_has_not_ended_or_has_no_series_has_no_end():
    exam = dicom_samples.temporary()
    with pytest.raises(ObjectError):
        procedure_step.over(exam, STEP, begun(exam), IMAGES)
    with pytest.raises(ObjectError):
        over(exam, begun(exam), [])


def test_several_orders_done_in_one_go_are_several_scheduled_steps_of_one_study():
    orders = [
        dicom_samples.order_file("latin-1"),
        dicom_samples.order_file(
            "utf-8", x00400009=b"SPS-2", x00401001=b"RP-200", x00080050=b"ACC 2", x0020000D=b"1.2.3.9"
        ),
    ]
    exam = dicom_samples.grouped(*orders)
    create = read(begun(exam, orders[0], orders[1:2]))
    assert step_checks.problems_of_create(create) == []
    steps = create.ScheduledStepAttributesSequence
    assert [step.ScheduledProcedureStepID for step in steps] == ["SPS-1", "SPS-2"]
    assert [step.AccessionNumber for step in steps] == ["ACC 4711", "ACC 2"]
    assert {step.StudyInstanceUID for step in steps} == {dicom_samples.STUDY}
    # the second order's Cyrillic does not fit the first one's Latin-1: all of it is UTF-8, as text the same
    assert create.SpecificCharacterSet == "ISO_IR 192"
    assert [step.RequestedProcedureDescription for step in steps] == ["Échographie", "Überprüfung ж"]
    assert create.PatientName == "Müller^Änne"


def test_the_order_of_another_patient_makes_no_step():
    order = dicom_samples.order_file("latin-1")
    exam = replace(dicom_samples.exam_of(order), patient=Patient(name="B", id="OTHER"))
    with pytest.raises(ObjectError, match="another patient"):
        begun(exam, order)


def test_a_patient_whose_name_cannot_be_read_makes_no_step():
    order = dicom_samples.order_file("latin-1", x00080005=b"ISO_IR 192")
    with pytest.raises(ObjectError):
        begun(dicom_samples.exam_of(order), order)


def test_start_and_end_are_local_times_of_the_exam():
    create = read(begun(dicom_samples.temporary()))
    assert (create.PerformedProcedureStepStartDate, create.PerformedProcedureStepStartTime) == (
        "20261121",
        "235958.250000",
    )


def test_both_transfer_syntaxes_say_the_same():
    order = dicom_samples.order_file("iso-2022-jp", **RICH)
    file = begun(dicom_samples.exam_of(order), order)
    said = procedure_step.attribute_lists(file)
    assert file.endswith(said["1.2.840.10008.1.2.1"])
    implicit = pydicom.dcmread(io.BytesIO(said["1.2.840.10008.1.2"]), force=True)
    assert implicit == pydicom.dcmread(io.BytesIO(said["1.2.840.10008.1.2.1"]), force=True)


def test_a_file_that_was_cut_says_nothing():
    file = begun(dicom_samples.temporary())
    with pytest.raises(ObjectError):
        procedure_step.attribute_lists(file[:-3])


def test_the_reasons_are_those_of_the_standard_and_of_the_api():
    known = {code.value: code.meaning for code in codes.DCM.concepts.values()}
    assert {value: known[value].lower() for value in REASONS} == {v: m.lower() for v, m in REASONS.items()}
    assert set(WORDS.values()) == set(REASONS)


def test_identity_is_worklist_or_nothing_is_copied():
    order = dicom_samples.order_file("latin-1")
    exam = replace(dicom_samples.exam_of(order), identity=Identity.TYPED)
    create = read(begun(exam, order))
    assert create.ScheduledStepAttributesSequence[0].RequestedProcedureDescription == ""


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("operator", ["", "Huber^Maria", "Müller^Jörg", "王^小东"])
def test_the_end_names_who_said_that_they_did_it(script, operator):
    order = dicom_samples.order_file(script, **RICH)
    exam = replace(dicom_samples.exam_of(order), operator=operator)
    beginning = begun(exam, order)
    end = read(over(exam, beginning))
    assert step_checks.problems_of_set(end, read(beginning)) == []
    holds_all = script in {"utf-8", "gb18030"}
    fits = operator.isascii() or holds_all or (script == "latin-1" and operator == "Müller^Jörg")
    assert end.PerformedSeriesSequence[0].OperatorsName == (operator if fits else "")
