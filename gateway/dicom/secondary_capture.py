"""SC Equipment (PS3.3 C.8.6.1): which gateway captured the picture, and how."""

from gateway import __version__
from gateway.config.settings import Station
from gateway.dicom.draft import Draft
from gateway.dicom.series_equipment import GATEWAY
from gateway.model import Capture


def modules(draft: Draft, capture: Capture, station: Station) -> None:
    """Write what Secondary Capture objects have beside the common modules."""
    draft.put("ConversionType", "DI" if capture.equipment.digital else "DV")
    draft.describe("SecondaryCaptureDeviceID", station.name)
    draft.describe("SecondaryCaptureDeviceManufacturer", GATEWAY)
    draft.describe("SecondaryCaptureDeviceManufacturerModelName", GATEWAY)
    draft.describe("SecondaryCaptureDeviceSoftwareVersions", __version__)
