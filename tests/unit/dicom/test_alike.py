"""Of stills that differ in a few elements these alone are written and read for each, and nothing is missed."""

from dataclasses import replace

import pytest

from gateway.dicom import encapsulate
from gateway.dicom import still as still_object
from gateway.dicom.alike import OWN, Alike
from gateway.dicom.elements import parse
from gateway.dicom.verify import verify_sealed
from gateway.errors import ObjectError
from gateway.model import Patient, Step
from tests import dicom_samples
from tests.dicom_samples import OPENED, SERIES, exam, exam_of, order_file, still

STATION = dicom_samples.STATION
LATER = replace(OPENED, utc=OPENED.utc.replace(year=2031, microsecond=7), boottime_ns=9)
SECOND = {
    "sop_instance_uid": "2.25.314159265358979323846264338327950288419",
    "instance_number": 1234,
    "taken": LATER,
}


def second_of(opened, *, order=None, **made):
    """Write the header of a second still, knowing the first, and without."""
    alike = Alike(opened)
    record, streams = still(**made)
    other = replace(record, **SECOND)
    words = {"order": order, "station": STATION}
    still_object.build(opened, record, SERIES, alike=alike, **words)
    knowing = still_object.build(opened, other, SERIES, alike=alike, **words)
    return knowing, still_object.build(opened, other, SERIES, **words), other, streams


@pytest.mark.parametrize("codec", dicom_samples.CODECS)
@pytest.mark.parametrize("script", dicom_samples.SCRIPTS)
def test_a_header_that_is_patched_is_the_one_that_is_built(script, codec):
    order = order_file(script)
    knowing, built, _, _ = second_of(exam_of(order), order=order, codec=codec)
    assert knowing == built


def test_a_still_that_differs_in_anything_else_is_built_for_itself():
    opened, (record, _) = exam(), still()
    alike = Alike(opened)
    still_object.build(opened, record, SERIES, order=None, station=STATION, alike=alike)
    assert alike.written(replace(record, **SECOND), SERIES)
    for other in (
        replace(record, rows=47),
        replace(record, source="other"),
        replace(record, lossy_ratio=2.5),
        replace(record, pixel_aspect="12\\11"),
        replace(record, equipment=replace(record.equipment, model="Other")),
    ):
        assert alike.written(other, SERIES) is None
    assert alike.written(record, replace(SERIES, number=2)) is None


def test_stills_of_two_procedure_steps_have_nothing_in_common():
    first = Step(sop_instance_uid="2.25.91", id="e1-1", started=OPENED, servers=("ris",))
    second = replace(first, sop_instance_uid="2.25.92", id="e1-2", above=3)
    opened, (record, _) = exam(steps=(first, second)), still(instance_number=1)
    alike = Alike(opened)
    still_object.build(opened, record, SERIES, order=None, station=STATION, alike=alike)
    assert alike.written(replace(record, instance_number=3), SERIES)
    assert alike.written(replace(record, instance_number=4), SERIES) is None


def checked(tmp_path, opened, alike, record, streams):
    header = still_object.build(opened, record, SERIES, order=None, station=STATION)
    path = tmp_path / f"{record.instance_number}.dcm"
    path.write_bytes(b"".join(encapsulate.file_chunks(header, [len(each) for each in streams], streams)))
    words = {"exam": opened, "capture": record, "series": SERIES, "order": None, "alike": alike}
    return path, header, lambda **more: verify_sealed(path, **words, **more)


def test_no_byte_of_a_header_that_is_read_as_another_one_was_can_differ_unseen(tmp_path):
    opened, (record, streams) = exam(), still()
    alike = Alike(opened)
    checked(tmp_path, opened, alike, record, streams)[2]()
    _, header, check = checked(tmp_path, opened, alike, replace(record, **SECOND), streams)
    assert check(written=header).sha256
    template = alike.template(record, SERIES)
    whole = parse(header.data, explicit=True)
    read, end = template.read(header.data, 0)
    assert (read, end) == (whole, len(header.data))
    for place in range(len(header.data)):
        flipped = header.data[:place] + bytes([header.data[place] ^ 1]) + header.data[place + 1 :]
        found = template.read(flipped, 0)
        changed = {tag for tag in whole.by_tag if found and found[0].by_tag.get(tag) != whole.by_tag[tag]}
        assert found is None or (changed and changed <= OWN), place


@pytest.mark.parametrize(
    "wrong",
    [
        {"sop_instance_uid": "2.25.3"},
        {"instance_number": 1235},
        {"taken": replace(LATER, utc=LATER.utc.replace(microsecond=8))},
        {"taken": replace(LATER, utc=LATER.utc.replace(day=1))},
    ],
)
def test_what_is_a_still_s_own_is_compared_with_its_record(tmp_path, wrong):
    opened, (record, streams) = exam(), still()
    alike = Alike(opened)
    checked(tmp_path, opened, alike, record, streams)[2]()
    other = replace(record, **SECOND)
    path, _, _ = checked(tmp_path, opened, alike, other, streams)
    with pytest.raises(ObjectError):
        verify_sealed(path, exam=opened, capture=replace(other, **wrong), series=SERIES, order=None, alike=alike)


def test_another_patient_s_header_is_not_taken_for_one_that_was_checked(tmp_path):
    opened, (record, streams) = exam(), still()
    alike = Alike(opened)
    checked(tmp_path, opened, alike, record, streams)[2]()
    somebody = replace(opened, patient=Patient(name="Else^Some", id=opened.patient.id))
    path, header, check = checked(tmp_path, opened, alike, replace(record, **SECOND), streams)
    foreign = still_object.build(somebody, replace(record, **SECOND), SERIES, order=None, station=STATION)
    path.write_bytes(b"".join(encapsulate.file_chunks(foreign, [len(streams[0])], streams)))
    with pytest.raises(ObjectError, match="PatientName"):
        check()
    with pytest.raises(ObjectError, match="differently"):
        check(written=header)
