"""SC Equipment (PS3.3 C.8.6.1): which gateway captured the picture, and how."""

from gateway import __version__
from gateway.config.settings import Station
from gateway.dicom.draft import Draft
from gateway.dicom.series_equipment import GATEWAY
from gateway.model import Capture, MediaKind


def modules(draft: Draft, capture: Capture, station: Station) -> None:
    """Write what Secondary Capture objects have beside the common modules."""
    draft.put("ConversionType", "DI" if capture.equipment.digital else "DV")
    draft.describe("SecondaryCaptureDeviceID", station.name)
    draft.describe("SecondaryCaptureDeviceManufacturer", GATEWAY)
    draft.describe("SecondaryCaptureDeviceManufacturerModelName", GATEWAY)
    draft.describe("SecondaryCaptureDeviceSoftwareVersions", __version__)
    if capture.kind is MediaKind.CLIP and capture.samples == 1:
        _grey(draft)


def _grey(draft: Draft) -> None:
    """Write the display pipeline that PS3.3 A.8.3 wants of grey clips: stored values are what was seen."""
    draft.put("RescaleIntercept", "0").put("RescaleSlope", "1").put("RescaleType", "US")
    draft.put("PresentationLUTShape", "IDENTITY")
