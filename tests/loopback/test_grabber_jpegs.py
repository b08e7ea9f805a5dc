"""A grabber's JPEG in a DICOM object, under the decoders of the archives: DCMTK, gdcm, pydicom with libjpeg."""

import shutil
import subprocess
from pathlib import Path

import gdcm
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit, SecondaryCaptureImageStorage, generate_uid

from hardware.jpeg import whole
from tests.grabber_jpegs import SAMPLINGS, SIZE, as_avi, complete, with_restarts, without

pytestmark = pytest.mark.skipif(not shutil.which("dcmdjpeg"), reason="dcmdjpeg is not installed")
COLUMNS, LINES = SIZE
SENT = {
    "complete": lambda jpeg: jpeg,
    "without tables": lambda jpeg: without(jpeg, 0xC4),
    "as in an AVI": as_avi,
    "with bytes after its end": lambda jpeg: jpeg + bytes(4095),
    "without tables, with bytes after its end": lambda jpeg: without(jpeg, 0xC4) + b"\xff\xd8\xff\xda" * 9,
}


def written(path: Path, jpeg: bytes, samples: int) -> Path:
    """Write the JPEG as the only frame of an object."""
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = SecondaryCaptureImageStorage, generate_uid()
    made.Rows, made.Columns, made.SamplesPerPixel = LINES, COLUMNS, samples
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit, made.PixelRepresentation = 7, 0
    made.PhotometricInterpretation = "YBR_FULL_422" if samples == 3 else "MONOCHROME2"
    if samples == 3:
        made.PlanarConfiguration = 0
    made.PixelData = encapsulate([jpeg])
    made["PixelData"].is_undefined_length = True
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    made.save_as(path, enforce_file_format=True)
    return path


def by_dcmtk(path: Path) -> np.ndarray:
    target = path.with_suffix(".raw.dcm")
    done = subprocess.run(["dcmdjpeg", "+te", str(path), str(target)], capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert b"W:" not in done.stderr + done.stdout
    read = pydicom.dcmread(target)
    assert read.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    return np.frombuffer(read.PixelData, np.uint8)[: LINES * COLUMNS * read.SamplesPerPixel]


def by_gdcm(path: Path) -> np.ndarray:
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    buffer = reader.GetImage().GetBuffer()
    return np.frombuffer(buffer.encode("utf-8", errors="surrogateescape"), np.uint8)


def by_pydicom(path: Path) -> np.ndarray:
    read = pydicom.dcmread(path)
    read.pixel_array_options(decoding_plugin="pylibjpeg", raw=True)
    return read.pixel_array.ravel()


DECODERS = {"dcmtk": by_dcmtk, "gdcm": by_gdcm, "pydicom": by_pydicom}


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("sent", SENT)
@pytest.mark.parametrize("decoder", DECODERS)
def test_every_decoder_of_an_archive_shows_what_the_grabber_took(tmp_path, decoder, sent, sampling):
    jpeg = complete(sampling)
    found = whole(SENT[sent](jpeg), width=COLUMNS, height=LINES)
    samples = 1 if sampling == "Gray" else 3
    ours = DECODERS[decoder](written(tmp_path / "o.dcm", found, samples))
    reference = DECODERS[decoder](written(tmp_path / "r.dcm", jpeg, samples))
    assert ours.size == LINES * COLUMNS * samples
    assert ours.std() > 20
    assert np.array_equal(ours, reference)


@pytest.mark.parametrize("decoder", DECODERS)
def test_restarts_are_understood(tmp_path, decoder):
    found = whole(with_restarts(), width=COLUMNS, height=LINES)
    assert DECODERS[decoder](written(tmp_path / "o.dcm", found, 3)).std() > 20


@pytest.mark.parametrize("decoder", ["dcmtk", "pydicom"])
def test_without_the_tables_these_decoders_fail(tmp_path, decoder):
    path = written(tmp_path / "o.dcm", without(complete(), 0xC4), 3)
    with pytest.raises((AssertionError, RuntimeError, ValueError)):
        DECODERS[decoder](path)
