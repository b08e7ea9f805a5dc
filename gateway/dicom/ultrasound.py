"""What ultrasound objects say beside the common modules (PS3.3 A.6, A.7).

Of the US Image module only what a video output tells: Image Type has no third and fourth value, for neither anatomy
nor mode is known; there are no regions, for nothing is calibrated.
"""

from gateway.config.settings import Station
from gateway.dicom.draft import Draft
from gateway.dicom.series_equipment import contributing_gateway
from gateway.model import Capture


def modules(draft: Draft, capture: Capture, station: Station) -> None:
    """Write the gateway; the picture's own modules have everything else that is known."""
    del capture
    contributing_gateway(draft, station)
