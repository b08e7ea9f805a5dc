"""Each kind of source makes objects of its own classes, which say no more than a video output tells."""

import io
from dataclasses import replace

import pydicom
import pytest
from pydicom.sr.codedict import codes
from pydicom.uid import UID

from gateway.config.body_parts import BODY_PARTS
from gateway.dicom import icc, objects
from gateway.dicom import still as still_object
from gateway.dicom.alike import Alike
from gateway.dicom.encapsulate import file_chunks
from gateway.dicom.verify import verify_sealed
from gateway.errors import ObjectError
from gateway.model import Equipment, MediaKind, Side
from gateway.spool import records
from tests.dicom_samples import MODALITIES, SERIES, STATION, build, clip, element, exam, made_as, seal, still

KINDS = list(MODALITIES)
VISIBLE_LIGHT = ["endoscopic", "photographic"]


def read(kind, made):
    record, streams = made_as(kind, made)
    chunks = file_chunks(build(exam(), record), [len(stream) for stream in streams], streams)
    return pydicom.dcmread(io.BytesIO(b"".join(chunks)))


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (
            "secondary-capture",
            ["Secondary Capture Image Storage", "Multi-frame True Color Secondary Capture Image Storage"],
        ),
        ("ultrasound", ["Ultrasound Image Storage", "Ultrasound Multi-frame Image Storage"]),
        ("endoscopic", ["VL Endoscopic Image Storage", "Video Endoscopic Image Storage"]),
        ("photographic", ["VL Photographic Image Storage", "Video Photographic Image Storage"]),
    ],
)
def test_stills_and_clips_of_a_source_are_of_the_classes_it_is_configured_for(kind, names):
    found = [read(kind, made) for made in (still(), clip())]

    assert [UID(each.SOPClassUID).name for each in found] == names
    assert {each.Modality for each in found} == {MODALITIES[kind]}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("made", [still(), still(samples=1), clip(), clip(frames=1)])
def test_a_good_object_of_every_kind_is_found_good(tmp_path, kind, made):
    record, streams = made_as(kind, made)
    path = seal(tmp_path / "o.dcm", exam(), record, streams)

    sealed = verify_sealed(path, exam=exam(), capture=record, series=SERIES, order=None)
    assert sealed.sop_class_uid == objects.sop_class(record)


@pytest.mark.parametrize("kind", VISIBLE_LIGHT)
def test_colours_of_visible_light_are_srgb_and_grey_needs_no_profile(kind):
    colour, grey = read(kind, still()), read(kind, still(samples=1))

    assert (colour.ICCProfile, colour.ColorSpace) == (icc.srgb(), "SRGB")
    assert "ICCProfile" not in grey
    assert list(colour.AcquisitionContextSequence) == []


@pytest.mark.parametrize("kind", VISIBLE_LIGHT)
def test_a_video_shows_the_entire_body_and_no_side_of_it_and_a_still_says_nothing(kind):
    video, picture = read(kind, clip()), read(kind, still())

    (region,) = video.AnatomicRegionSequence
    assert (region.CodeValue, region.CodingSchemeDesignator, region.CodeMeaning) == (
        "38266002",
        "SCT",
        "Entire body",
    )
    assert "Laterality" not in video
    assert "AnatomicRegionSequence" not in picture
    assert picture.Laterality == ""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("made", [still(), clip()])
def test_what_a_source_is_said_to_show_stands_in_its_objects_and_has_no_side(tmp_path, kind, made):
    record, streams = made_as(kind, made)
    record = replace(record, equipment=replace(record.equipment, body_part="COLON"))
    path = seal(tmp_path / "o.dcm", exam(), record, streams)

    dataset = pydicom.dcmread(path)
    assert dataset.BodyPartExamined == "COLON"
    assert "Laterality" not in dataset
    regions = [(each.CodeValue, each.CodeMeaning) for each in dataset.get("AnatomicRegionSequence", ())]
    assert regions == ([("71854001", "Colon")] if kind in VISIBLE_LIGHT else [])
    verify_sealed(path, exam=exam(), capture=record, series=SERIES, order=None)
    with pytest.raises(ObjectError):
        verify_sealed(path, exam=exam(), capture=made_as(kind, made)[0], series=SERIES, order=None)


def test_every_part_of_the_body_that_a_source_may_show_has_the_code_that_its_name_has():
    for word, region in BODY_PARTS.items():
        known = getattr(codes.SCT, region.meaning.title().replace(" ", ""))
        assert (known.value, known.meaning) == (region.code, region.meaning)
        assert word == region.meaning.upper().removesuffix(" JOINT")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("made", [still(), clip()])
@pytest.mark.parametrize("side", [side for side in Side if side])
@pytest.mark.parametrize("body_part", ["", "KNEE"])
def test_a_side_that_was_said_stands_at_the_picture_alone(tmp_path, kind, made, side, body_part):
    record, streams = made_as(kind, made)
    record = replace(record, equipment=replace(record.equipment, body_part=body_part), side=side)
    path = seal(tmp_path / "o.dcm", exam(), record, streams)

    dataset = pydicom.dcmread(path)
    sided = bool(body_part) or record.kind is MediaKind.STILL or kind not in VISIBLE_LIGHT
    assert dataset.get("ImageLaterality") == (side if sided else None)
    assert "Laterality" not in dataset
    verify_sealed(path, exam=exam(), capture=record, series=SERIES, order=None)
    if sided:
        for other in set(Side) - {side}:
            with pytest.raises(ObjectError):
                verify_sealed(path, exam=exam(), capture=replace(record, side=other), series=SERIES, order=None)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("made", [still(), clip()])
def test_one_of_a_pair_whose_side_nobody_said_has_an_empty_one(tmp_path, kind, made):
    record, streams = made_as(kind, made)
    record = replace(record, equipment=replace(record.equipment, body_part="KNEE"))
    path = seal(tmp_path / "o.dcm", exam(), record, streams)

    dataset = pydicom.dcmread(path)
    assert (dataset.BodyPartExamined, dataset.Laterality) == ("KNEE", "")
    assert "ImageLaterality" not in dataset
    verify_sealed(path, exam=exam(), capture=record, series=SERIES, order=None)


def test_stills_of_two_sides_are_not_taken_for_alike(tmp_path):
    alike = Alike(exam())
    for number, side in enumerate((Side.LEFT, Side.RIGHT, Side.LEFT, Side.NOT_SAID), 1):
        record, streams = still(side=side, instance_number=number)
        header = still_object.build(exam(), record, SERIES, order=None, station=STATION, alike=alike)
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(b"".join(file_chunks(header, [len(streams[0])], streams)))
        verify_sealed(path, exam=exam(), capture=record, series=SERIES, order=None, alike=alike, written=header)
        assert pydicom.dcmread(path).get("ImageLaterality", "") == side


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("made", [still(), clip()])
def test_no_object_claims_what_a_video_output_does_not_tell(kind, made):
    dataset = read(kind, made)

    assert list(dataset.ImageType) == ["ORIGINAL", "PRIMARY"]
    assert dataset.BurnedInAnnotation == "YES"
    for keyword in ("UltrasoundColorDataPresent", "SequenceOfUltrasoundRegions", "PixelSpacing", "SpecimenUID"):
        assert keyword not in dataset


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "secondary-capture"])
def test_the_gateway_is_named_as_what_had_a_part_in_it(kind):
    dataset = read(kind, still())

    (gateway,) = dataset.ContributingEquipmentSequence
    assert (gateway.Manufacturer, gateway.StationName, gateway.InstitutionName) == (
        "Scopegate",
        "US-ROOM-2",
        "Klinik",
    )
    assert gateway.PurposeOfReferenceCodeSequence[0].CodeMeaning == "Processing Equipment"
    assert dataset.Manufacturer == "Sonomat"
    assert "ConversionType" not in dataset


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "secondary-capture"])
def test_a_clip_of_one_frame_says_that_no_time_passed(kind):
    dataset = read(kind, clip(frames=1))

    assert dataset.FrameIncrementPointer == 0x00181065
    assert float(dataset.FrameTimeVector) == 0


def test_a_capture_of_the_release_before_is_a_secondary_capture():
    old = records.dump(Equipment(modality="US")).replace(b',\n "object": "secondary-capture"', b"")
    old = old[: old.index(b',\n "crc32"')] + b"\n}\n"
    assert b"object" not in old

    assert records.load(Equipment, old).object == "secondary-capture"


def test_a_capture_of_a_kind_that_a_later_release_made_is_refused_with_words():
    record, _ = still()
    with pytest.raises(ObjectError, match="this release does not know"):
        build(exam(), replace(record, equipment=replace(record.equipment, object="dermoscopic")))


def test_series_of_secondary_captures_have_the_words_they_always_had():
    words = {kind: [objects.series_family(made_as(kind, made)[0]) for made in (still(), clip())] for kind in KINDS}

    assert words["secondary-capture"] == ["still", "clip"]
    assert len({word for each in words.values() for word in each}) == 8
    assert objects.series_family(made_as("ultrasound", clip())[0], "key-still") == "ultrasound-key-still"


BREAKAGES = {
    "another class": (b"1.2.840.10008.5.1.4.1.1.77.1.1.1", b"1.2.840.10008.5.1.4.1.1.77.1.4.1"),
    "another red": (icc.srgb()[-96:], bytes(96)),
    "no colour profile": (b"\x28\0\x00\x20OB", b"\x28\0\x01\x20OB"),
    "another region": (b"38266002", b"38266003"),
    "a side of the entire body": (element(0x00200020, "CS", b""), element(0x00200060, "CS", b"")),
    "no gateway": (b"\x18\0\x01\xa0SQ", b"\x18\0\x02\xa0SQ"),
}


@pytest.mark.parametrize("what", BREAKAGES)
def test_the_readback_of_a_video_catches(tmp_path, what):
    record, streams = made_as("endoscopic", clip())
    path = seal(tmp_path / "o.dcm", exam(), record, streams)
    old, new = BREAKAGES[what]
    whole = path.read_bytes()
    assert old in whole
    path.write_bytes(whole.replace(old, new))

    with pytest.raises(ObjectError):
        verify_sealed(path, exam=exam(), capture=record, series=SERIES, order=None)
