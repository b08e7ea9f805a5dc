"""Worklist items and objects to play with. All names are invented."""

from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import generate_uid

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
MULTI_FRAME_TRUE_COLOUR = "1.2.840.10008.5.1.4.1.1.7.4"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"

# character set, name in it: one item each, three groups where the script has them
NAMES = {
    "latin-1": ("ISO_IR 100", "Müller^Jürgen"),
    "utf-8": ("ISO_IR 192", "Παπαδοπούλου^Ελένη"),
    "gb18030": ("GB18030", "Wang^XiaoDong=王^小东"),
    "japanese": (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
}


def worklist_item(
    *,
    name: str = "Doe^Jane",
    character_set: str | list[str] = "ISO_IR 100",
    number: int = 1,
    day: str = "20261121",
    modality: str = "US",
    station: str = "SCOPEGATE",
) -> Dataset:
    """Return a complete item of a worklist server."""
    step = Dataset()
    step.ScheduledStationAETitle = station
    step.ScheduledProcedureStepStartDate = day
    step.ScheduledProcedureStepStartTime = "0930"
    step.Modality = modality
    step.ScheduledPerformingPhysicianName = ""
    step.ScheduledProcedureStepDescription = "Abdomen"
    step.ScheduledProcedureStepID = f"SPS{number}"
    step.ScheduledStationName = ""
    step.ScheduledProcedureStepLocation = ""
    item = Dataset()
    item.SpecificCharacterSet = character_set
    item.AccessionNumber = f"A{number:05d}"
    item.ReferringPhysicianName = ""
    item.PatientName = name
    item.PatientID = f"P{number:05d}"
    item.PatientBirthDate = "19700102"
    item.PatientSex = "F"
    item.PatientWeight = None
    item.MedicalAlerts = ""
    item.Allergies = ""
    item.PregnancyStatus = 4
    item.StudyInstanceUID = f"2.25.{1000 + number}"
    item.RequestingPhysician = ""
    item.RequestedProcedureDescription = "Ultrasound of the abdomen"
    item.RequestedProcedureID = f"RP{number}"
    item.RequestedProcedurePriority = "MEDIUM"
    item.AdmissionID = ""
    item.SpecialNeeds = ""
    item.CurrentPatientLocation = ""
    item.PatientState = ""
    item.ConfidentialityConstraintOnPatientDataDescription = ""
    item.PatientTransportArrangements = ""
    item.ScheduledProcedureStepSequence = Sequence([step])
    return item


def sample(
    folder: Path,
    *,
    sop_class_uid: str = SECONDARY_CAPTURE,
    transfer_syntax_uid: str = EXPLICIT,
    pixels: bytes = bytes(range(256)) * 256,
) -> Path:
    """Write a small object, 64 KiB of pixels unless told otherwise; its name is its SOP Instance UID."""
    uid = generate_uid(prefix=None)
    data = Dataset()
    data.SOPClassUID = sop_class_uid
    data.SOPInstanceUID = uid
    data.PatientName = "Doe^Jane"
    data.PatientID = "P00001"
    data.StudyInstanceUID = generate_uid(prefix=None)
    data.SeriesInstanceUID = generate_uid(prefix=None)
    data.Modality = "OT"
    data.ConversionType = "DI"
    data.Rows, data.Columns = min(len(pixels) // 256, 65535), 256
    data.SamplesPerPixel = 1
    data.PhotometricInterpretation = "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit = 8, 8, 7
    data.PixelRepresentation = 0
    if transfer_syntax_uid in (EXPLICIT, IMPLICIT):
        data.PixelData = pixels
    else:
        fragment = b"\xff\xd8" + pixels + b"\xff\xd9"  # nobody decodes it here
        data.PixelData = encapsulate([fragment])
    data["PixelData"].VR = "OB"
    data.file_meta = FileMetaDataset()
    data.file_meta.MediaStorageSOPClassUID = sop_class_uid
    data.file_meta.MediaStorageSOPInstanceUID = uid
    data.file_meta.TransferSyntaxUID = transfer_syntax_uid
    path = folder / f"{uid}.dcm"
    data.save_as(path, enforce_file_format=True, overwrite=False)
    return path


def data_set_bytes(file: bytes) -> bytes:
    """Return what follows the file meta information of a DICOM file."""
    assert file[128:132] == b"DICM"
    assert file[132:140] == b"\x02\x00\x00\x00UL\x04\x00"
    return file[144 + int.from_bytes(file[140:144], "little") :]
