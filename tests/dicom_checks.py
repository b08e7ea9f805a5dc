"""Foreign eyes on a DICOM file: dciodvfy, dcmftest, dcmdump, and what these three do not see.

`problems(path)` is empty for a good object. Nothing here uses the product's own reader or writer.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import imagecodecs
import pydicom
import simplejpeg
from pydicom.encaps import generate_fragments, generate_frames
from pydicom.multival import MultiValue

_ALLOWED = tomllib.loads(Path(__file__).with_name("dciodvfy_allow.toml").read_text())["allow"]
BASELINE, LOSSLESS, LS = (f"1.2.840.10008.1.2.4.{number}" for number in (50, 70, 80))
H264 = "1.2.840.10008.1.2.4.102"
_TOOLS = ("dcmftest", "dcmdump")
_PAIRED = frozenset(
    (
        *(
            "ANKLE",
            "AXILLA",
            "BREAST",
            "CLAVICLE",
            "EAR",
            "ELBOW",
            "EYE",
            "FEMUR",
            "FOOT",
            "FOREARM",
            "HAND",
            "HIP",
        ),
        *(
            "HUMERUS",
            "KIDNEY",
            "KNEE",
            "OVARY",
            "SCAPULA",
            "SHOULDER",
            "TESTIS",
            "THIGH",
            "WRIST",
        ),
    )
)


def dciodvfy():
    """The newest dciodvfy there is: the one beside this Python, else Debian's; "" when there is none."""
    beside = Path(sys.executable).with_name("dciodvfy")
    return str(beside) if beside.exists() else shutil.which("dciodvfy") or ""


def missing_tools():
    missing = [tool for tool in _TOOLS if not shutil.which(tool)]
    return missing if dciodvfy() else [*missing, "dciodvfy"]


def findings(path, kind="Error"):
    """Lines of dciodvfy that begin with `kind`, without the allowed ones."""
    done = subprocess.run([dciodvfy(), str(path)], capture_output=True, check=False, timeout=60)
    lines = done.stderr.decode("latin-1").splitlines()
    assert done.stderr, "dciodvfy says something about every file"
    return [
        line for line in lines if line.startswith(kind) and not any(entry["text"] in line for entry in _ALLOWED)
    ]


def shown(path, tag):
    """All values of an element ("0010,0010"), those in sequences too, as DCMTK reads them.

    DCMTK makes UTF-8 of them, except of ISO 2022 texts, for which Debian's has no table: Python's codec does it.
    """
    japanese = b"ISO 2022 IR 87" in path.read_bytes()
    command = ["dcmdump", "-q", *([] if japanese else ["+U8"]), "+L", "+P", tag, str(path)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    text = done.stdout.decode("iso2022_jp" if japanese else "utf-8")
    return [value.rstrip(" ") for value in re.findall(r" \[(.*)\] +#", text)]


def problems(path):
    """Everything that is wrong with an object, as sentences."""
    found = [f"dciodvfy: {line}" for line in findings(path)]
    commands = [["dcmftest"], ["dcmdump", "-q", "+E"]]
    if b"ISO 2022" not in path.read_bytes():
        commands.append(["dcmdump", "-q", "+U8"])
    for command in commands:
        done = subprocess.run([*command, str(path)], capture_output=True, check=False, timeout=60)
        noise = done.stderr.decode("latin-1").splitlines() if command[0] != "dcmftest" else []
        if done.returncode or any(line[:2] in {"W:", "E:"} for line in noise):
            found.append(f"{command[0]}: {done.returncode} {noise}")
    return found + unseen(path)


def unseen(path):
    """What dciodvfy does not see (measured: it passed objects with each of these faults)."""
    dataset = pydicom.dcmread(path)
    if dataset.Modality == "KO":
        return []  # it has no picture: dciodvfy sees all of it
    parts = (_lossy, _pixels, _rules, _performed, _visible_light, _captured_by)
    return [found for part in parts for found in part(dataset)]


def _lossy(dataset):
    syntax = dataset.file_meta.TransferSyntaxUID
    trio = [dataset.get(f"LossyImageCompression{part}") for part in ("", "Ratio", "Method")]
    ratios, methods = (_several(value) for value in trio[1:])
    told = trio[0] == "01" and len(ratios) == len(methods) > 0 and set(methods) <= {"ISO_10918_1", "ISO_14496_10"}
    if syntax == BASELINE and (not told or methods[-1] != "ISO_10918_1"):
        yield f"the lossy attributes of a JPEG say {trio}"
    if syntax == H264 and (not told or methods[-2:] != ["ISO_10918_1", "ISO_14496_10"]):
        yield f"the lossy attributes of an H.264 clip say {trio}"
    if not told and ("SourceImageSequence" in dataset or trio != ["00", None, None]):
        yield f"the lossy attributes say {trio}"


def _several(value):
    """The values of an element, one or many or none."""
    if value is None:
        return []
    return list(value) if isinstance(value, MultiValue) else [value]


def _pixels(dataset):
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax == H264:
        yield from _film(dataset)
        return
    if syntax not in {BASELINE, LOSSLESS, LS}:
        yield from _plain_pixels(dataset)
        return
    frames = int(dataset.get("NumberOfFrames", 1))
    streams = list(generate_frames(dataset.PixelData, number_of_frames=frames))
    if len(streams) != frames or dataset.PixelData.count(b"\xff\xd8\xff") < frames:
        yield f"{frames} frames are promised, {len(streams)} are there"
    wanted = (dataset.Rows, dataset.Columns) + (dataset.SamplesPerPixel,) * (dataset.SamplesPerPixel > 1)
    for stream in streams:
        if (imagecodecs.jpegls_decode if syntax == LS else imagecodecs.jpeg8_decode)(stream).shape != wanted:
            yield "a codestream has another size than the header says"
    colour = "YBR_FULL_422" if syntax == BASELINE else "RGB"
    expected = colour if dataset.SamplesPerPixel == 3 else "MONOCHROME2"
    if dataset.PhotometricInterpretation != expected:
        yield f"PhotometricInterpretation is {dataset.PhotometricInterpretation}, not {expected}"
    if syntax == BASELINE and dataset.SamplesPerPixel == 3:
        sampling = simplejpeg.decode_jpeg_header(streams[0])[3]
        if sampling not in {"422", "420", "444", "440", "411"}:
            yield f"chroma is sampled {sampling}"


def _film(dataset):
    """What ffmpeg's own tool says of the stream, all of whose frames it decodes."""
    (stream,) = generate_fragments(dataset.PixelData[8:])
    asked = "stream=codec_name,profile,level,width,height,pix_fmt,sample_aspect_ratio,color_range,nb_read_frames"
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_entries", asked, "-of", "json", "-i", "pipe:0"]
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        file.write(stream)
        file.flush()
        done = subprocess.run([*command[:-1], file.name], capture_output=True, check=False, timeout=60)
    (found,) = json.loads(done.stdout)["streams"]
    wanted = {
        "codec_name": "h264",
        "profile": "High",
        "width": dataset.Columns,
        "height": dataset.Rows,
        "sample_aspect_ratio": "1:1",
        "pix_fmt": "yuv420p",
        "color_range": "tv",
        "level": 41,
        "nb_read_frames": str(dataset.NumberOfFrames),
    }
    if done.stderr or found != wanted:
        yield f"the H.264 stream is {found} {done.stderr}"
    if dataset.PixelData[:8] != b"\xfe\xff\x00\xe0" + bytes(4) or stream[4:8] != b"ftyp" or len(stream) % 2:
        yield "the H.264 stream is no MP4 in one fragment after an empty offset table"
    if dataset.PhotometricInterpretation != "YBR_PARTIAL_420" or "PixelAspectRatio" in dataset:
        yield "an H.264 clip has other pixels than YBR_PARTIAL_420"


def _plain_pixels(dataset):
    pixels = dataset.Rows * dataset.Columns * dataset.SamplesPerPixel * int(dataset.get("NumberOfFrames", 1))
    if len(dataset.PixelData) != pixels + pixels % 2:
        yield "there are more or fewer pixels than the header says"
    if dataset.PhotometricInterpretation != ("RGB" if dataset.SamplesPerPixel == 3 else "MONOCHROME2"):
        yield f"PhotometricInterpretation is {dataset.PhotometricInterpretation} without compression"


def _sides(dataset):
    named = "AnatomicRegionSequence" in dataset or "BodyPartExamined" in dataset  # else nobody knows of what it is
    if named and dataset.get("BodyPartExamined", "") not in _PAIRED:  # the entire body, or none of a pair
        if "Laterality" in dataset or "ImageLaterality" in dataset:
            yield "there is a side of what has none"
    elif dataset.get("ImageLaterality"):
        if "Laterality" in dataset or dataset.ImageLaterality not in {"R", "L", "B", "U"}:
            yield "there is another side beside that of the image"
    elif "Laterality" not in dataset or dataset.Laterality or "ImageLaterality" in dataset:
        yield "Laterality is not the empty one of a side that nobody said"


def _rules(dataset):
    if dataset.get("BurnedInAnnotation") != "YES":
        yield "BurnedInAnnotation is not YES"
    yield from _sides(dataset)
    for forbidden in ("PixelSpacing", "ImagerPixelSpacing", "SequenceOfUltrasoundRegions"):
        if forbidden in dataset:
            yield f"{forbidden} is there without calibration"
    if not dataset.get("PatientID"):
        yield "there is no PatientID"
    if len(dataset.get("TimezoneOffsetFromUTC", "")) != 5:
        yield "TimezoneOffsetFromUTC is missing"


def _performed(dataset):
    """An image either says all of its performed procedure step, or nothing (PS3.17 J.2.2)."""
    references = dataset.get("ReferencedPerformedProcedureStepSequence", [])
    said = [
        keyword in dataset for keyword in (f"PerformedProcedureStep{w}" for w in ("ID", "StartDate", "StartTime"))
    ]
    if said != [bool(references)] * 3:
        yield "the performed procedure step is told by halves"
    if any(each.ReferencedSOPClassUID != "1.2.840.10008.3.1.2.3.3" for each in references):
        yield "the referenced procedure step is of another class"


def _visible_light(dataset):
    """A visible light object says what its colours are; as a video, of which region it is (PS3.3 C.8.12.1)."""
    if ".77.1." not in dataset.SOPClassUID:
        return
    if ("ICCProfile" in dataset) != (dataset.SamplesPerPixel == 3):
        yield "a colour profile is missing, or explains grey"
    try:
        imagecodecs.cms_profile_validate(dataset.get("ICCProfile", imagecodecs.cms_profile("srgb")))
    except imagecodecs.CmsError as error:
        yield f"littlecms does not read the colour profile: {error}"
    if ("AnatomicRegionSequence" in dataset) != ("NumberOfFrames" in dataset or "BodyPartExamined" in dataset):
        yield "a video names no region, or a still names one"


def _captured_by(dataset):
    plain = dataset.SOPClassUID.startswith("1.2.840.10008.5.1.4.1.1.7") and ".77." not in dataset.SOPClassUID
    gateway = [item.ManufacturerModelName for item in dataset.get("ContributingEquipmentSequence", [])]
    if plain != ("ConversionType" in dataset) or plain == bool(gateway):
        yield "the gateway that captured it is not named once"
