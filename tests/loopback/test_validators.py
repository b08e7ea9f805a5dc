"""Objects under the eyes of dciodvfy, dcmftest and dcmdump; copies proven byte by byte in the file."""

import hashlib
import io
import shutil
import subprocess
from dataclasses import replace

import imagecodecs
import numpy as np
import pydicom
import pytest
import simplejpeg

from gateway.config.body_parts import BODY_PARTS, is_paired
from gateway.dicom import derived, film_frames, key_still, objects
from gateway.dicom.encapsulate import file_chunks
from gateway.dicom.transcode import uncompressed
from gateway.dicom.verify import verify_sealed
from gateway.errors import ObjectError
from gateway.model import Equipment, Side, Step
from tests.dicom_checks import findings, missing_tools, problems, shown, unseen
from tests.dicom_samples import (
    CODECS,
    EXPLICIT,
    IMPLICIT,
    MODALITIES,
    OPENED,
    RICH,
    SCRIPTS,
    SERIES,
    STATION,
    capture,
    clip,
    element,
    encoded,
    exam,
    exam_of,
    grouped,
    lossless,
    made_as,
    order_file,
    picture,
    seal,
    still,
    temporary,
)

pytestmark = pytest.mark.skipif(bool(missing_tools()), reason=f"not installed: {missing_tools()}")
PICTURES = {
    "grey still": lambda: still(samples=1),
    "colour still": still,
    "grabber's JPEG": lambda: still(codec="jpeg", columns=52),
    "clip": clip,
    "uneven clip": lambda: clip(times=(0, 40_000_000, 140_000_000, 180_000_000, 200_000_000)),
    "clip of one frame": lambda: clip(frames=1),
    "lossless clip": lambda: clip(codec="jpeg-lossless"),
    "H.264 clip": lambda: encoded(rows=47, columns=65),
    "uneven H.264 clip": lambda: encoded(times=(0, 40_000_000, 140_000_000, 180_000_000, 200_000_000)),
}
NAMES = {
    "latin-1": "Müller^Änne",
    "utf-8": "Łukasz^Żaneta=山田^太郎",
    "gb18030": "Wang^XiaoDong=王^小东",
    "iso-2022-jp": "Yamada^Tarou=山田^太郎=やまだ^たろう",
}
DESCRIPTIONS = {
    "latin-1": "Échographie",
    "utf-8": "Überprüfung ж",
    "gb18030": "腹部超声",
    "iso-2022-jp": "超音波検査",
}


@pytest.mark.parametrize("made", PICTURES)
@pytest.mark.parametrize("script", SCRIPTS)
def test_an_ordered_picture_has_no_errors_and_its_orders_exact_bytes(tmp_path, script, made):
    order = order_file(script)
    path = seal(tmp_path / "o.dcm", exam_of(order), *PICTURES[made](), order)

    assert problems(path) == []
    character_set, name, description = SCRIPTS[script]
    whole = path.read_bytes()
    patient = whole[: whole.index(b"\x40\x00\x75\x02SQ")]
    request = whole[len(patient) :]
    for part, wanted in (
        (patient, element(0x00080005, "CS", character_set)),
        (patient, element(0x00100010, "PN", name)),
        (patient, element(0x00100020, "LO", b"PAT-0815")),
        (patient, element(0x00100021, "LO", b"CLINIC")),
        (patient, element(0x0020000D, "UI", b"1.2.276.0.7230010.3.2.101")),
        (patient, element(0x00080050, "SH", b"ACC 4711")),
        (patient, element(0x00081030, "LO", description)),
        (request, element(0x0020000D, "UI", b"1.2.276.0.7230010.3.2.101")),
        (request, element(0x00080050, "SH", b"ACC 4711")),
        (request, element(0x00401001, "SH", b"RP-100")),
        (request, element(0x00400009, "SH", b"SPS-1")),
        (request, element(0x00321060, "LO", description)),
        (request, element(0x00400007, "LO", description)),
    ):
        assert part.count(wanted) == 1


@pytest.mark.parametrize("script", SCRIPTS)
def test_dcmtk_reads_the_same_names_in_every_script(tmp_path, script):
    order = order_file(script)
    path = seal(tmp_path / "o.dcm", exam_of(order), *still(), order)

    assert shown(path, "0010,0010") == [NAMES[script]]
    assert set(shown(path, "0032,1060")) == {DESCRIPTIONS[script]}
    assert set(shown(path, "0008,0050")) == {"ACC 4711"}


@pytest.mark.parametrize("script", SCRIPTS)
def test_dcmtk_reads_the_same_names_after_the_change_to_utf_8(tmp_path, script):
    order = order_file(script)
    record, streams = still()
    record = replace(record, equipment=replace(record.equipment, department="Кабинет ü 1"))
    path = seal(tmp_path / "o.dcm", exam_of(order), record, streams, order)

    assert problems(path) == []
    assert (b"ISO_IR 192" in path.read_bytes()) == (script != "gb18030"), "GB18030 has every letter"
    assert shown(path, "0010,0010") == [NAMES[script]]
    assert set(shown(path, "0032,1060")) == {DESCRIPTIONS[script]}


@pytest.mark.parametrize("made", PICTURES)
@pytest.mark.parametrize(
    "who",
    [
        exam(),
        exam(patient=replace(exam().patient, name="Müller^Änne=山田")),
        temporary(),
    ],
    ids=["typed", "typed beyond ASCII", "temporary"],
)
def test_an_unscheduled_picture_has_no_errors(tmp_path, who, made):
    path = seal(tmp_path / "o.dcm", who, *PICTURES[made]())

    assert problems(path) == []
    assert shown(path, "0010,0010") == [who.patient.id if who.identity == "temporary" else who.patient.name]


FAULTS = {
    "no study": ({"without": {0x0020000D}}, {}),
    "a study that is none": ({"x0020000D": b"1.2.abc"}, {}),
    "a birth date that is none": ({"x00100030": b"19581399"}, {}),
    "an old birth date": ({"x00100030": b"1958.03.17"}, {}),
    "an accession too long": ({"x00080050": b"A" * 20}, {}),
    "no step id": ({"without": {0x00400009}}, {}),
    "no request id": ({"without": {0x00401001}}, {}),
    "no step": ({"without": {0x00400100}}, {}),
    "no id of anything": ({"without": {0x00401001, 0x00400009}}, {}),
    "a request id too long": ({"x00401001": b"R" * 20}, {}),
    "a sex in words": ({"x00100040": b"female"}, {}),
    "control characters": ({"x00321060": b"abc\x01\x02"}, {}),
    "two descriptions": ({"x00321060": b"a\\b"}, {}),
    "an emptied name": ({"x00100010": b"^"}, {}),
    "no name": ({"without": {0x00100010}}, {}),
    "a physician too long": ({"x00080090": b"x" * 90}, {}),
    "a weight in words": ({"x00101030": b"seventy"}, {}),
    "everything at once": (RICH, {}),
    "no character set": ({"without": {0x00080005}}, {"fallback": "ISO_IR 100"}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_order_still_gives_an_object_without_errors(tmp_path, fault):
    change, reading = FAULTS[fault]
    order = order_file(**change)
    path = seal(tmp_path / "o.dcm", exam_of(order, **reading), *still(samples=1), order)

    assert problems(path) == []


@pytest.mark.parametrize("made", ["grey still", "colour still", "lossless clip"])
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_the_uncompressed_form_has_no_errors_either(tmp_path, made, syntax):
    order = order_file("gb18030")
    path = seal(tmp_path / "o.dcm", exam_of(order), *PICTURES[made](), order)
    plain = tmp_path / "plain.dcm"
    plain.write_bytes(b"".join(uncompressed(path, syntax)))

    assert problems(plain) == []
    assert shown(plain, "0010,0010") == shown(path, "0010,0010") == ["Wang^XiaoDong=王^小东"]


DECODERS = {
    "dcmdjpeg": (["dcmdjpeg"], "jpeg-lossless"),
    "dcmdjpls": (["dcmdjpls"], "jpeg-ls"),
    "gdcm, JPEG Lossless": (["gdcmconv", "--raw"], "jpeg-lossless"),
    "gdcm, JPEG-LS": (["gdcmconv", "--raw"], "jpeg-ls"),
    "gdcm, plain": (["gdcmconv", "--raw"], "uncompressed"),
}


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("kind", MODALITIES)
@pytest.mark.parametrize("decoder", DECODERS)
def test_others_decode_the_still_to_the_captured_pixels(tmp_path, decoder, kind, samples):
    command, codec = DECODERS[decoder]
    if not shutil.which(command[0]):
        pytest.skip(f"not installed: {command[0]}")
    path = seal(tmp_path / "o.dcm", exam(), *made_as(kind, still(codec=codec, samples=samples)))
    assert np.array_equal(pydicom.dcmread(path).pixel_array, picture(48, 51, samples))
    subprocess.run([*command, str(path), str(tmp_path / "d.dcm")], check=True, timeout=60, capture_output=True)

    decoded = pydicom.dcmread(tmp_path / "d.dcm").pixel_array
    assert np.array_equal(decoded, picture(48, 51, samples))
    ours = pydicom.dcmread(io.BytesIO(b"".join(uncompressed(path, EXPLICIT)))).pixel_array
    assert np.array_equal(decoded, ours)


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("kind", MODALITIES)
def test_a_still_of_every_kind_and_codec_has_no_errors(tmp_path, kind, codec, samples):
    order = order_file("utf-8")
    about, (record, streams) = exam_of(order), made_as(kind, still(codec=codec, samples=samples, columns=52))
    path = seal(tmp_path / "o.dcm", about, record, streams, order)

    verify_sealed(path, exam=about, capture=record, series=SERIES, order=order)
    assert problems(path) == []
    assert shown(path, "0010,0010") == [NAMES["utf-8"]]


CLIPS = [made for made in PICTURES if "clip" in made]


@pytest.mark.parametrize("made", CLIPS)
@pytest.mark.parametrize("kind", MODALITIES)
def test_a_clip_of_every_kind_has_no_errors(tmp_path, kind, made):
    about, (record, streams) = exam(), made_as(kind, PICTURES[made]())
    path = seal(tmp_path / "o.dcm", about, record, streams)

    verify_sealed(path, exam=about, capture=record, series=SERIES, order=None)
    assert problems(path) == []


@pytest.mark.parametrize("sampling", ["444", "440", "422", "420"])
@pytest.mark.parametrize("kind", MODALITIES)
def test_a_device_s_own_jpeg_has_no_errors_however_it_samples_colours(tmp_path, kind, sampling):
    stream = simplejpeg.encode_jpeg(picture(48, 52), 90, "RGB", sampling)
    record, streams = made_as(kind, (capture([stream], rows=48, columns=52, samples=3, codec="jpeg"), [stream]))
    path = seal(tmp_path / "o.dcm", exam(), record, streams)

    verify_sealed(path, exam=exam(), capture=record, series=SERIES, order=None)
    assert problems(path) == []
    expected = simplejpeg.decode_jpeg(stream, "RGB")
    subprocess.run(["dcmdjpeg", str(path), str(tmp_path / "d.dcm")], check=True, timeout=60)
    for decoded in (path, tmp_path / "d.dcm"):
        assert np.abs(pydicom.dcmread(decoded).pixel_array.astype(int) - expected).mean() < 6


@pytest.mark.parametrize("codec", ["jpeg-lossless", "jpeg-ls", "uncompressed"])
def test_a_lossless_still_of_a_device_that_gives_jpeg_has_no_errors(tmp_path, codec):
    path = seal(tmp_path / "o.dcm", exam(), *still(codec=codec, lossy_ratio=12.5))

    assert problems(path) == []
    assert shown(path, "0028,2110") == ["01"]


@pytest.mark.parametrize(
    ("kind", "word"), [*(("endoscopic", word) for word in BODY_PARTS), *((kind, "HEART") for kind in MODALITIES)]
)
def test_a_picture_whose_source_always_shows_one_part_of_the_body_has_no_errors(tmp_path, kind, word):
    for number, made in enumerate((still(), clip(frames=2))):
        record, streams = made_as(kind, made)
        record = replace(record, equipment=replace(record.equipment, body_part=word))
        path = seal(tmp_path / f"{number}.dcm", exam(), record, streams)
        assert problems(path) == []
        assert shown(path, "0018,0015") == [word]
        if is_paired(word):
            path = seal(tmp_path / f"{number}.dcm", exam(), replace(record, side=Side.LEFT), streams)
            assert problems(path) == []
            assert shown(path, "0020,0062") == ["L"]


@pytest.mark.parametrize("kind", MODALITIES)
@pytest.mark.parametrize("side", [side for side in Side if side])
@pytest.mark.parametrize("word", ["", "BREAST"])
def test_a_picture_of_every_side_has_no_errors(tmp_path, kind, side, word):
    for number, made in enumerate((still(), clip(frames=2), still(samples=1))):
        record, streams = made_as(kind, made)
        record = replace(record, equipment=replace(record.equipment, body_part=word), side=side)
        assert problems(seal(tmp_path / f"{number}.dcm", exam(), record, streams)) == []


@pytest.mark.parametrize("kind", MODALITIES)
def test_a_still_whose_pixels_are_no_squares_says_so_without_errors(tmp_path, kind):
    record, streams = made_as(kind, still(codec="jpeg-lossless", pixel_aspect="11\\12"))
    path = seal(tmp_path / "o.dcm", exam(), record, streams)

    verify_sealed(path, exam=exam(), capture=record, series=SERIES, order=None)
    assert problems(path) == []
    assert pydicom.dcmread(path).PixelAspectRatio == [11, 12]
    with pytest.raises(ObjectError, match="PixelAspectRatio"):
        verify_sealed(path, exam=exam(), capture=replace(record, pixel_aspect=""), series=SERIES, order=None)


# The validators themselves: each deliberate breakage must be seen by one of them.


def broken(path, old, new):
    whole = path.read_bytes()
    assert old in whole
    path.write_bytes(whole.replace(old, new))
    return path


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (element(0x00080064, "CS", b"DI"), b""),
        (element(0x00200020, "CS", b""), b""),
        (element(0x00200060, "CS", b""), b""),
        (element(0x00080060, "CS", b"US"), element(0x00080060, "CS", b"")),
        (element(0x00100030, "DA", b"19580317"), element(0x00100030, "DA", b"19581399")),
        (element(0x00280101, "US", b"\x08\0"), element(0x00280101, "US", b"\x09\0")),
    ],
)
def test_dciodvfy_sees_what_it_is_there_for(tmp_path, old, new):
    order = order_file()
    path = seal(tmp_path / "o.dcm", exam_of(order), *still(), order)

    assert findings(broken(path, old, new))


def wrong_size():
    stream = lossless(picture(20, 20))
    record, _ = still()
    return record, [stream]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (element(0x00282110, "CS", b"01"), b""),
        (element(0x00282112, "DS", b"%RATIO%"), b""),
        (element(0x00282114, "CS", b"ISO_10918_1"), b""),
        (element(0x00280004, "CS", b"YBR_FULL_422"), element(0x00280004, "CS", b"RGB")),
        (element(0x00280010, "US", b"\x30\0"), element(0x00280010, "US", b"\x20\0")),
        (element(0x00280301, "CS", b"YES"), element(0x00280301, "CS", b"NO")),
    ],
)
def test_our_own_checks_see_what_dciodvfy_does_not(tmp_path, old, new):
    path = seal(tmp_path / "o.dcm", exam(), *still(codec="jpeg", columns=52, lossy_ratio=7.25))
    assert unseen(path) == []

    assert unseen(
        broken(path, old.replace(element(0x00282112, "DS", b"%RATIO%"), element(0x00282112, "DS", b"7.25")), new)
    )


def test_our_own_checks_see_a_codestream_of_another_size(tmp_path):
    record, streams = wrong_size()
    assert imagecodecs.jpeg8_decode(streams[0]).shape == (20, 20, 3)

    assert unseen(seal(tmp_path / "o.dcm", exam(), record, streams))


@pytest.mark.parametrize("made", ["colour still", "clip"])
@pytest.mark.parametrize("second", SCRIPTS)
def test_a_picture_of_several_orders_and_an_announced_step_has_no_errors(tmp_path, second, made):
    more = {"x00400009": b"SPS-2", "x00401001": b"RP-200", "x00080050": b"ACC 2", "x0020000D": b"1.2.3.9"}
    orders = [order_file("latin-1"), order_file(second, **more)]
    step = Step(sop_instance_uid="2.25.91", id="3bd7cbffc7-1", started=OPENED, servers=("ris",))
    asked = replace(grouped(*orders), steps=(step,))
    path = seal(tmp_path / "o.dcm", asked, *PICTURES[made](), orders[0], further=orders[1:])
    assert problems(path) == []
    assert shown(path, "0040,0009") == ["SPS-1", "SPS-2"]
    assert shown(path, "0040,0253") == ["3bd7cbffc7-1"]


@pytest.mark.parametrize("made", ["clip", "uneven clip", "clip of one frame"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_key_still_has_no_errors_in_any_form_and_the_pixels_of_its_frame(tmp_path, script, made):
    order = order_file(script)
    about, (record, streams) = exam_of(order), PICTURES[made]()
    frame = len(streams)
    pixels = simplejpeg.decode_jpeg(streams[-1], "RGB")
    still_of = key_still.without_further_loss(pixels)
    as_record = key_still.record(record, still_of, uid="2.25.7001", frame=frame, number=331)
    origin = derived.Origin(
        sop_class_uid=objects.FAMILIES[objects.PLAIN].clip,
        sop_instance_uid=record.sop_instance_uid,
        frame=frame,
        frames=frame,
        lossy_ratio="9.87",
        lossy_method="ISO_10918_1",
    )
    header = derived.build(about, as_record, SERIES, order=order, station=STATION, origin=origin, clip=record)
    path = tmp_path / "key.dcm"
    path.write_bytes(b"".join(file_chunks(header, [len(still_of)], [still_of])))
    verify_sealed(path, exam=about, capture=as_record, series=SERIES, order=order, clip=record)
    assert problems(path) == []
    pixels = pydicom.dcmread(path).pixel_array
    for syntax in (EXPLICIT, IMPLICIT):
        plain = tmp_path / "plain.dcm"
        plain.write_bytes(b"".join(uncompressed(path, syntax)))
        assert findings(plain) == []
        assert np.array_equal(pydicom.dcmread(plain).pixel_array, pixels)


@pytest.mark.parametrize("kind", sorted(objects.FAMILIES))
@pytest.mark.parametrize(("rows", "columns"), [(48, 64), (33, 47)])
def test_a_clip_that_was_h264_and_is_jpeg_again_has_no_errors(tmp_path, kind, rows, columns):
    about, equipment = exam(), Equipment(modality=MODALITIES[kind], object=kind)
    recorded, _ = clip(rows=rows, columns=columns)
    _, (stream,) = encoded(rows=rows, columns=columns)
    streams = list(film_frames.jpegs(io.BytesIO(stream), rows=rows, columns=columns))
    recorded = replace(recorded, equipment=equipment, lossy_ratio=9.5)
    joined = b"".join(streams)
    made = replace(
        recorded,
        sop_instance_uid="2.25.7002",
        instance_number=301,
        bytes=len(joined),
        sha256=hashlib.sha256(joined).hexdigest(),
        lossy_ratio=0,
    )
    origin = derived.Origin(
        sop_class_uid=objects.FAMILIES[kind].clip,
        sop_instance_uid=recorded.sop_instance_uid,
        frame=derived.ALL,
        frames=recorded.frames,
        lossy_ratio="9.5\\40",
        lossy_method="ISO_10918_1\\ISO_14496_10",
    )
    recorded = replace(recorded, codec="h264")
    header = derived.build(about, made, SERIES, order=None, station=STATION, origin=origin, clip=recorded)
    path = tmp_path / "jpeg.dcm"
    path.write_bytes(b"".join(file_chunks(header, [len(each) for each in streams], streams)))
    verify_sealed(path, exam=about, capture=made, series=SERIES, order=None, clip=recorded)
    assert problems(path) == []
