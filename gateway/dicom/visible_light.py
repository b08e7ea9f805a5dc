"""VL Image, Acquisition Context and ICC Profile of endoscopic and photographic objects (PS3.3 A.32, C.8.12.1)."""

from gateway.config.settings import Station
from gateway.dicom import icc
from gateway.dicom.draft import Draft
from gateway.dicom.series_equipment import code, contributing_gateway
from gateway.model import Capture, MediaKind

_COLOURS = 3


def modules(draft: Draft, capture: Capture, station: Station) -> None:
    """Write what visible light objects have beside the common modules.

    Videos must name an anatomic region (type 1C of C.8.12.1): all that is known is that it is somewhere on the
    patient, so it is the entire body, which is of no side. Stills need not name one, and do not.
    """
    contributing_gateway(draft, station)
    draft.present("AcquisitionContextSequence")  # of type 2: nothing is known of the conditions
    if capture.kind is MediaKind.CLIP:
        draft.sequence("AnatomicRegionSequence", [code("38266002", "SCT", "Entire body")])
        draft.leave_out("Laterality")
    if capture.samples == _COLOURS:  # a profile tells colours only (C.11.15.1.1)
        draft.octets("ICCProfile", icc.srgb()).put("ColorSpace", "SRGB")
