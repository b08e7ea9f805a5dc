import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pydicom
import pytest

from gateway.dicom.encapsulate import file_chunks
from gateway.errors import ObjectError, TextDoesNotFit
from gateway.model import Patient, Procedure, Series
from tests.dicom_samples import (
    OPENED,
    RICH,
    SCRIPTS,
    SERIES,
    build,
    clip,
    element,
    encoded,
    exam,
    exam_of,
    order_file,
    seal,
    still,
    temporary,
)


def read(exam, record_and_streams, order=None, series=SERIES):
    """The finished object as pydicom reads it."""
    record, streams = record_and_streams
    header = build(exam, record, order, series)
    chunks = file_chunks(header, [len(stream) for stream in streams], streams)
    return pydicom.dcmread(io.BytesIO(b"".join(chunks)))


def of_order(*, fallback="", change=None, **other):
    order = order_file(**other)
    opened = exam_of(order, fallback=fallback)
    return read(replace(opened, **change or {}), still(), order)


@pytest.mark.parametrize("script", SCRIPTS)
def test_an_object_carries_its_orders_bytes_in_the_orders_character_set(script):
    character_set, name, description = SCRIPTS[script]
    order = order_file(script)
    data = build(exam_of(order), still()[0], order).data

    for tag, vr, value in (
        (0x00080005, "CS", character_set),
        (0x00100010, "PN", name),
        (0x00081030, "LO", description),
    ):
        assert data.count(element(tag, vr, value)) == 1
    request = data[data.index(b"\x40\x00\x75\x02SQ") :]
    for tag, vr, value in (
        (0x00080050, "SH", b"ACC 4711"),
        (0x0020000D, "UI", b"1.2.276.0.7230010.3.2.101"),
        (0x00321032, "PN", b"Request^Doc"),
        (0x00321060, "LO", description),
        (0x00400007, "LO", description),
        (0x00400009, "SH", b"SPS-1"),
        (0x00401001, "SH", b"RP-100"),
    ):
        assert request.count(element(tag, vr, value)) == 1


def test_an_answer_in_implicit_vr_gives_the_same_object():
    objects = []
    for explicit in (True, False):
        order = order_file(explicit=explicit)
        objects.append(build(exam_of(order), still()[0], order).data)

    assert objects[0] == objects[1]


def test_codes_come_through_and_the_empty_items_of_servers_do_not():
    dataset = of_order()

    assert [item.CodeValue for item in dataset.ProcedureCodeSequence] == ["RP-7"]
    request = dataset.RequestAttributesSequence[0]
    assert request.ScheduledProtocolCodeSequence[0].CodeMeaning == "Échographie"
    assert dataset.PerformedProtocolCodeSequence[0].CodeValue == "US-ABD"


def test_one_local_text_that_does_not_fit_takes_the_whole_data_set_to_utf_8():
    order = order_file("iso-2022-jp")
    record, streams = still()
    record = replace(record, equipment=replace(record.equipment, department="Sonographie Süd"))
    dataset = read(exam_of(order), (record, streams), order)

    assert dataset.SpecificCharacterSet == "ISO_IR 192"
    assert str(dataset.PatientName) == "Yamada^Tarou=山田^太郎=やまだ^たろう"
    assert dataset.InstitutionalDepartmentName == "Sonographie Süd"
    assert dataset.RequestAttributesSequence[0].RequestedProcedureDescription == "超音波検査"


def test_a_typed_patient_is_written_in_ascii_when_it_can_be():
    assert "SpecificCharacterSet" not in read(exam(), still())


def test_a_typed_name_beyond_ascii_is_written_in_utf_8():
    dataset = read(exam(patient=Patient(name="Müller^Änne", id="7")), still())

    assert dataset.SpecificCharacterSet == "ISO_IR 192"
    assert dataset.PatientName == "Müller^Änne"


def test_a_typed_exam_has_no_request_even_when_an_order_lies_beside_it():
    dataset = read(exam(), still(), order_file())

    assert "RequestAttributesSequence" not in dataset
    assert "ReferencedStudySequence" not in dataset
    assert dataset.AccessionNumber == ""
    assert (dataset.PatientName, dataset.PatientID) == ("Typed^Tina", "T-1")
    assert dataset.StudyInstanceUID == "2.25.4711"


def test_a_temporary_patient_is_named_by_its_id_and_never_blank():
    dataset = read(temporary(), still())

    assert dataset.PatientName == dataset.PatientID == "EMERG-US-ROOM-2-20261121235958-A1B2"
    assert dataset.IssuerOfPatientID == "US-ROOM-2"
    assert (dataset.PatientSex, dataset.PatientBirthDate) == ("", "")


def test_the_exam_counts_where_the_order_says_otherwise():
    order = order_file()
    opened = exam_of(order)
    corrected = replace(opened.patient, birth_date="19580318", name="Müller^Anna")
    dataset = read(replace(opened, patient=corrected), still(), order)

    assert (dataset.PatientBirthDate, dataset.PatientName) == ("19580318", "Müller^Anna")
    assert dataset.SpecificCharacterSet == "ISO_IR 100"


def test_the_order_of_another_patient_lends_nothing():
    opened = exam_of(order_file())

    with pytest.raises(ObjectError, match="another patient"):
        build(opened, still()[0], order_file(x00100020=b"PAT-2"))


def test_a_lost_order_leaves_what_the_exam_knows():
    dataset = read(exam_of(order_file()), still())

    assert dataset.PatientName == "Müller^Änne"
    request = dataset.RequestAttributesSequence[0]
    assert (request.RequestedProcedureID, request.ScheduledProcedureStepID) == ("RP-100", "SPS-1")


def test_a_missing_study_uid_is_the_exams_in_both_places():
    dataset = of_order(without={0x0020000D}, change={"study_instance_uid": "2.25.99"})

    assert dataset.StudyInstanceUID == "2.25.99"
    assert dataset.RequestAttributesSequence[0].StudyInstanceUID == "2.25.99"


@pytest.mark.parametrize(
    ("fault", "keyword", "written"),
    [
        ({"x00100030": b"19581399"}, "PatientBirthDate", ""),
        ({"x00100040": b"female"}, "PatientSex", ""),
        ({"x00080050": b"A" * 20}, "AccessionNumber", ""),
        ({"x00080090": b"R" * 70}, "ReferringPhysicianName", ""),
        ({"x00380010": b"X\\Y"}, "AdmissionID", None),
        ({"x00101030": b"seventy"}, "PatientWeight", None),
        ({"x00400009": b"S" * 17}, "StudyID", "RP-100"),
    ],
)
def test_a_fault_in_the_orders_details_costs_that_detail_only(fault, keyword, written):
    assert of_order(**fault).get(keyword) == written


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"x00100020": b"A" * 65}, ObjectError),
        ({"x00100010": b"A" * 65}, ObjectError),
        ({"x00100010": b"A^B^C^D^E^F"}, ObjectError),
        ({"x00100010": b"Meier\\Schulz"}, ObjectError),
        ({"x00100021": b"I" * 65}, ObjectError),
        ({"without": {0x00080005}}, TextDoesNotFit),
    ],
)
def test_an_identity_that_cannot_be_written_as_it_is_is_refused_not_repaired(fault, kind):
    with pytest.raises(kind) as refused:
        of_order(**fault)
    assert "typed patient data" in refused.value.action
    assert "Meier" not in str(refused.value)


def test_an_order_without_any_request_id_makes_no_request_attributes():
    assert "RequestAttributesSequence" not in of_order(without={0x00401001, 0x00400009})


def test_everything_that_a_talkative_server_says_finds_its_place():
    dataset = of_order(**RICH)
    request = dataset.RequestAttributesSequence[0]

    assert (dataset.PatientWeight, dataset.PatientSize, dataset.AdmissionID) == (70.5, 1.75, "ADM-1")
    for place in (dataset, request):
        assert [item.ReferencedSOPInstanceUID for item in place.ReferencedStudySequence] == ["1.2.4"]
        assert place.IssuerOfAccessionNumberSequence[0].LocalNamespaceEntityID == "RIS"
    assert request.ReasonForTheRequestedProcedure == "Pain"
    assert request.ReasonForRequestedProcedureCodeSequence[0].CodeValue == "R1"
    assert not [element for element in dataset if element.tag.is_private]


def test_a_damaged_order_file_is_an_error_of_the_object():
    order = order_file()
    with pytest.raises(ObjectError, match="cannot be read"):
        build(exam_of(order), still()[0], order[:-3])


def test_the_study_begins_once_and_midnight_does_not_split_it():
    dataset = read(exam(), still())

    assert (dataset.StudyDate, dataset.StudyTime) == ("20261121", "235958.250000")
    assert (dataset.ContentDate, dataset.ContentTime) == ("20261122", "000000.250000")
    assert (dataset.AcquisitionDate, dataset.AcquisitionTime) == ("20261122", "000000.250000")
    assert dataset.TimezoneOffsetFromUTC == "+0100"


def test_the_end_of_summer_time_does_not_turn_pictures_round():
    opened = replace(OPENED, utc=datetime(2026, 10, 25, 0, 59, 50, tzinfo=UTC), offset=timedelta(hours=2))
    taken = replace(OPENED, utc=opened.utc + timedelta(seconds=20), offset=timedelta(hours=1))
    dataset = read(exam(opened=opened), still(taken=taken))

    assert (dataset.StudyTime, dataset.ContentTime) == ("025950.000000", "030010.000000")
    assert dataset.TimezoneOffsetFromUTC == "+0200"


@pytest.mark.parametrize("year", [1970, 2036])
def test_a_clock_that_was_never_set_still_gives_an_object(year):
    moment = replace(OPENED, utc=datetime(year, 1, 1, tzinfo=UTC), offset=timedelta(hours=-3, minutes=-30))
    dataset = read(exam(opened=moment), still(taken=moment))

    assert dataset.StudyDate == f"{year - 1}1231"
    assert dataset.TimezoneOffsetFromUTC == "-0330"


@pytest.mark.parametrize(
    ("made", "photometric", "syntax", "lossy"),
    [
        (still(samples=1), "MONOCHROME2", "1.2.840.10008.1.2.4.70", "00"),
        (still(), "RGB", "1.2.840.10008.1.2.4.70", "00"),
        (still(codec="jpeg", columns=52), "YBR_FULL_422", "1.2.840.10008.1.2.4.50", "01"),
        (still(codec="jpeg", samples=1), "MONOCHROME2", "1.2.840.10008.1.2.4.50", "01"),
        (still(codec="jpeg-ls"), "RGB", "1.2.840.10008.1.2.4.80", "00"),
        (still(codec="jpeg-ls", samples=1), "MONOCHROME2", "1.2.840.10008.1.2.4.80", "00"),
        (still(codec="uncompressed"), "RGB", "1.2.840.10008.1.2.1", "00"),
        (still(codec="uncompressed", samples=1), "MONOCHROME2", "1.2.840.10008.1.2.1", "00"),
        (clip(), "YBR_FULL_422", "1.2.840.10008.1.2.4.50", "01"),
    ],
)
def test_the_pixels_are_described_as_they_are(made, photometric, syntax, lossy):
    dataset = read(exam(), made)

    assert dataset.PhotometricInterpretation == photometric
    assert dataset.file_meta.TransferSyntaxUID == syntax
    assert dataset.LossyImageCompression == lossy
    assert ("LossyImageCompressionMethod" in dataset) == (lossy == "01")
    assert (dataset.BurnedInAnnotation, dataset.PatientOrientation) == ("YES", "")
    assert dataset.Laterality == ""
    assert "ImageLaterality" not in dataset
    assert "PixelSpacing" not in dataset


def test_every_compression_that_lost_something_is_told_with_its_own_ratio_in_order(tmp_path):
    record, streams = clip(lossy_ratio=11.0, lossy_before=8.0)
    recorded = read(exam(), (record, streams))
    assert list(recorded.LossyImageCompressionMethod) == ["ISO_10918_1", "ISO_10918_1"]
    assert list(recorded.LossyImageCompressionRatio) == [8, 11]
    made, stream = encoded(lossy_before=8.0)
    film = pydicom.dcmread(seal(tmp_path / "film", exam(), made, stream))
    assert list(film.LossyImageCompressionMethod) == ["ISO_10918_1", "ISO_10918_1", "ISO_14496_10"]
    now = round(48 * 64 * 3 * 5 / made.bytes, 2)
    assert list(film.LossyImageCompressionRatio) == [8, 7.25, now]


def test_the_ratio_of_a_lossy_clip_is_the_measured_one():
    record, streams = clip(lossy_ratio=11.256)

    assert read(exam(), (record, streams)).LossyImageCompressionRatio == 11.26
    bare = read(exam(), clip()).LossyImageCompressionRatio
    assert float(bare) == pytest.approx(48 * 64 * 3 * 5 / sum(map(len, streams)), abs=0.01)


def test_the_device_is_the_equipment_and_the_gateway_the_capturer():
    dataset = read(exam(), still())

    assert (dataset.Manufacturer, dataset.ManufacturerModelName) == ("Sonomat", "S1")
    assert (dataset.SecondaryCaptureDeviceManufacturer, dataset.ConversionType) == ("Scopegate", "DI")
    assert (dataset.StationName, dataset.InstitutionName) == ("US-ROOM-2", "Klinik")
    record, streams = still()
    analog = replace(record, equipment=replace(record.equipment, digital=False))
    assert read(exam(), (analog, streams)).ConversionType == "DV"


def test_series_and_instance_are_numbered_as_recorded():
    series = Series(source="us", family="clip", number=4, series_instance_uid="2.25.9")
    dataset = read(exam(), still(instance_number=12), series=series)

    assert (dataset.SeriesNumber, dataset.InstanceNumber, dataset.SeriesInstanceUID) == (4, 12, "2.25.9")


def test_a_steady_clip_says_one_frame_time_and_an_uneven_one_says_each():
    steady, uneven = (
        read(exam(), clip()),
        read(exam(), clip(times=(0, 40_000_000, 140_000_000, 180_000_000, 2 * 10**8))),
    )

    assert (steady.FrameIncrementPointer, float(steady.FrameTime)) == (0x00181063, 40)
    assert uneven.FrameIncrementPointer == 0x00181065
    assert list(uneven.FrameTimeVector) == [0, 40, 100, 40, 20]
    assert "FrameTime" not in uneven
    assert steady.RecommendedDisplayFrameRate == 25


def test_a_clip_of_one_frame_points_to_no_time():
    assert "FrameIncrementPointer" not in read(exam(), clip(frames=1))


@pytest.mark.parametrize(
    "record",
    [
        clip(times=(0, 1))[0],
        clip(times=(0, 5, 4, 6, 7))[0],
        replace(still()[0], codec="hevc"),
        replace(still()[0], rows=0),
        replace(still()[0], frames=2),
        replace(still()[0], equipment=replace(still()[0].equipment, modality="")),
    ],
)
def test_a_record_that_cannot_be_true_makes_no_object(record):
    with pytest.raises(ObjectError):
        build(exam(), record)


def test_an_exam_without_patient_id_makes_no_object():
    with pytest.raises(ObjectError, match="no patient ID"):
        build(exam(patient=Patient(name="A", id="")), still()[0])


def test_long_words_of_the_configuration_are_shortened_not_refused():
    record, streams = still()
    wordy = replace(record, equipment=replace(record.equipment, station_name="ULTRASOUND-ROOM-NUMBER-2\\B"))

    assert read(exam(), (wordy, streams)).StationName == "ULTRASOUND-ROOM-"


def test_a_typed_accession_and_procedure_are_written():
    procedure = Procedure(description="Abdomen", accession_number="A1", referring_physician="House^G")
    dataset = read(exam(procedure=procedure, study_id="S9"), still())

    assert (dataset.AccessionNumber, dataset.StudyDescription, dataset.StudyID) == ("A1", "Abdomen", "S9")
    assert "RequestAttributesSequence" not in dataset


@pytest.mark.parametrize("operator", ["Huber^Maria", "Müller^Jörg", "王^小东"])
def test_who_said_that_they_did_it_is_named(operator):
    assert read(exam(operator=operator), still()).OperatorsName == operator
    order = order_file()
    assert read(replace(exam_of(order), operator=operator), still(), order).OperatorsName == operator
    assert "OperatorsName" not in read(exam(), still())
