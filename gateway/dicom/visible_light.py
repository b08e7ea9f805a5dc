"""VL Image, Acquisition Context and ICC Profile of endoscopic and photographic objects (PS3.3 A.32, C.8.12.1)."""

from gateway.config.body_parts import BODY_PARTS, ENTIRE_BODY, Region
from gateway.config.settings import Station
from gateway.dicom import icc
from gateway.dicom.draft import Draft
from gateway.dicom.series_equipment import code, contributing_gateway
from gateway.model import Capture, MediaKind

_COLOURS = 3


def region_of(capture: Capture) -> Region | None:
    """Return the region that a visible light object names."""
    known = BODY_PARTS.get(capture.equipment.body_part)
    return known or (ENTIRE_BODY if capture.kind is MediaKind.CLIP else None)


def modules(draft: Draft, capture: Capture, station: Station) -> None:
    """Write what visible light objects have beside the common modules.

    Videos must name an anatomic region (type 1C of C.8.12.1). If the source says none, all that is known is that it
    is somewhere on the patient, so it is the entire body, which is of no side; stills then name none.
    """
    contributing_gateway(draft, station)
    draft.present("AcquisitionContextSequence")  # of type 2: nothing is known of the conditions
    if region := region_of(capture):
        draft.sequence("AnatomicRegionSequence", [code(region.code, "SCT", region.meaning)])
    if capture.samples == _COLOURS:  # a profile tells colours only (C.11.15.1.1)
        draft.octets("ICCProfile", icc.srgb()).put("ColorSpace", "SRGB")
