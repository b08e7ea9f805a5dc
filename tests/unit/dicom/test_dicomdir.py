"""DICOMDIR: every record leads to its object, names stay byte for byte, and pydicom reads the same tree."""

from dataclasses import replace

import pydicom
import pytest

from gateway.dicom import dicomdir
from gateway.dicom.dicomdir import Directory, Entry
from gateway.dicom.elements import Malformed
from gateway.dicom.sealed import SealedFile
from gateway.errors import ObjectError
from tests.dicom_samples import SCRIPTS, STUDY, clip, element, exam, exam_of, order_file, seal, still, temporary

FILE_SET = "2.25.4242"


@pytest.fixture
def made(tmp_path):
    """Make an object and its entry: `made(number, exam, order=..., picture=...)`."""

    def make(number: int, who, order=None, picture=None) -> Entry:
        record, streams = picture or still()
        record = replace(record, sop_instance_uid=f"2.25.600{number}", instance_number=number)
        path = seal(tmp_path / f"{number}.dcm", who, record, streams, order)
        with SealedFile(path) as file:
            return dicomdir.entry(("DICOM", "SG000000", f"I{number:07d}"), file.meta, file.header)

    return make


def written(entries, tmp_path):
    path = tmp_path / "DICOMDIR"
    path.write_bytes(dicomdir.encode(Directory(file_set_uid=FILE_SET, entries=tuple(entries))))
    return path


def by_offset(path):
    """The records as pydicom reads them, by their place in the file."""
    data = pydicom.dcmread(path)
    return data, {item.seq_item_tell: item for item in data.DirectoryRecordSequence}


def followed(records, offset):
    """Follow the offsets, as a viewer does, and return (record, records below it)."""
    while offset:
        record = records[offset]
        yield record, list(followed(records, record.OffsetOfReferencedLowerLevelDirectoryEntity))
        offset = record.OffsetOfTheNextDirectoryRecord


def shape(tree):
    return [(record.DirectoryRecordType, shape(below)) for record, below in tree]


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_record_has_its_objects_exact_bytes_and_says_their_character_set(made, tmp_path, script):
    order = order_file(script)
    path = written([made(1, exam_of(order), order)], tmp_path)

    character_set, name, description = SCRIPTS[script]
    raw = path.read_bytes()
    assert raw.count(element(0x00100010, "PN", name)) == 1
    assert raw.count(element(0x00081030, "LO", description)) == 1
    assert raw.count(element(0x00080005, "CS", character_set)) == 4, "one in each record"


def test_texts_that_ascii_holds_need_no_character_set(made, tmp_path):
    assert b"\x08\x00\x05\x00CS" not in written([made(1, exam())], tmp_path).read_bytes()


@pytest.mark.parametrize("name", ["Meier^A", "Meier^Al", "M", "Meier", ""])
def test_names_of_odd_and_even_length_are_padded_and_come_back(made, tmp_path, name):
    order = order_file("latin-1", x00100010=name.encode())
    entry = made(1, exam_of(order), order)
    path = written([entry], tmp_path)

    _, records = by_offset(path)
    patients = [r for r in records.values() if r.DirectoryRecordType == "PATIENT"]
    assert [str(p.PatientName) for p in patients] == [name]
    assert dicomdir.decode(path.read_bytes()).entries == (entry,)
    assert len(path.read_bytes()) % 2 == 0


def test_a_viewer_that_follows_the_offsets_finds_patients_studies_series_and_every_object(made, tmp_path):
    anna, boris = exam(), exam(patient=replace(exam().patient, name="Other^Boris", id="B-2"))
    second = replace(anna, id="e2", study_instance_uid="2.25.8")
    entries = [made(1, anna), made(2, boris), made(3, anna, picture=clip()), made(4, second), made(5, boris)]
    data, records = by_offset(written(entries, tmp_path))

    tree = list(followed(records, data.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity))
    picture = ("IMAGE", [])
    assert shape(tree) == [
        ("PATIENT", [("STUDY", [("SERIES", [picture] * 2)]), ("STUDY", [("SERIES", [picture])])]),
        ("PATIENT", [("STUDY", [("SERIES", [picture] * 2)])]),
    ]
    last = data.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity
    assert records[last].PatientID == "B-2"
    leaves = [r for r in records.values() if r.DirectoryRecordType == "IMAGE"]
    assert {tuple(r.ReferencedFileID) for r in leaves} == {entry.file_id for entry in entries}
    assert data.FileSetConsistencyFlag == 0
    assert data.FileSetID == "SCOPEGATE"
    assert data.file_meta.MediaStorageSOPInstanceUID == FILE_SET


def test_a_picture_never_stands_under_a_name_that_it_does_not_carry(made, tmp_path):
    wrong = exam(patient=replace(exam().patient, name="Other^Name"))
    _, records = by_offset(written([made(1, exam()), made(2, wrong)], tmp_path))

    patients = [r for r in records.values() if r.DirectoryRecordType == "PATIENT"]
    assert [(str(p.PatientName), p.PatientID) for p in patients] == [("Typed^Tina", "T-1"), ("Other^Name", "T-1")]


def test_the_same_patient_in_two_character_sets_is_one_patient(made, tmp_path):
    name = "Müller^Änne"
    latin, utf8 = order_file("latin-1"), order_file("utf-8", x00100010=name.encode())
    _, records = by_offset(written([made(1, exam_of(latin), latin), made(2, exam_of(utf8), utf8)], tmp_path))

    assert [r.DirectoryRecordType for r in records.values()].count("PATIENT") == 1


def test_what_a_record_needs_and_an_object_may_lack_is_said_to_be_none(made, tmp_path):
    _, records = by_offset(written([made(1, temporary())], tmp_path))

    (study,) = (r for r in records.values() if r.DirectoryRecordType == "STUDY")
    assert study.StudyID == "NONE"
    assert study.AccessionNumber == ""


def test_what_was_written_reads_back_and_is_written_again_to_the_byte(made, tmp_path):
    order = order_file("iso-2022-jp")
    entries = [made(1, exam_of(order), order), made(2, exam(), picture=clip()), made(3, exam())]
    path = written(entries, tmp_path)
    found = dicomdir.decode(path.read_bytes())

    assert {e.sop_instance_uid for e in found.entries} == {e.sop_instance_uid for e in entries}
    assert found.file_set_uid == FILE_SET
    assert dicomdir.encode(found) == path.read_bytes()


def test_an_empty_medium_has_an_empty_directory(tmp_path):
    data, records = by_offset(written([], tmp_path))

    assert data.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity == 0
    assert not records
    assert dicomdir.decode((tmp_path / "DICOMDIR").read_bytes()).entries == ()


@pytest.mark.parametrize(
    "spoiled",
    [
        lambda raw: raw[:-40],
        lambda raw: raw[:200],
        lambda raw: raw[:0],
        lambda raw: raw.replace(b"222891630817621297522644091424000587859", b"1" * 39),
        lambda raw: raw.replace(b"SERIES", b"SURVEY"),
        lambda raw: raw.replace(b"STUDY ", b"IMAGE "),
        lambda raw: raw.replace(b"1.2.840.10008.1.3.10", b"1.2.840.10008.1.3.11"),
    ],
)
def test_a_directory_that_is_torn_or_of_another_maker_is_not_read(made, tmp_path, spoiled):
    raw = written([made(1, exam())], tmp_path).read_bytes()
    assert dicomdir.decode(raw)

    with pytest.raises(Malformed):
        dicomdir.decode(spoiled(raw))


def test_what_the_profile_does_not_take_is_refused(tmp_path):
    path = seal(tmp_path / "o.dcm", exam(), *still())
    with SealedFile(path) as file:
        meta, header = file.meta, file.header

    with pytest.raises(ObjectError, match="media-profile"):
        dicomdir.entry(("DICOM", "I1"), replace(meta, transfer_syntax_uid="1.2.840.10008.1.2.4.80"), header)
    without = type(header)({number: each for number, each in header.by_tag.items() if number != 0x00280010})
    with pytest.raises(ObjectError, match="media-profile"):
        dicomdir.entry(("DICOM", "I1"), meta, without)


def test_studies_of_one_order_stay_one_study(made, tmp_path):
    order = order_file()
    _, records = by_offset(written([made(n, exam_of(order), order) for n in (1, 2)], tmp_path))

    studies = [r for r in records.values() if r.DirectoryRecordType == "STUDY"]
    assert [s.StudyInstanceUID for s in studies] == [STUDY]
