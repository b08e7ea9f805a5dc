"""Of which side of the body a picture is: Image Laterality, or the empty Laterality of its series.

PS3.3 C.7.3.1 and C.7.6.1: never both. Of a part that is no pair neither is there: an empty one would be an error.
Of one of a pair, or one that is not known, whose side nobody said, the empty one is the truth, and absent an error.
"""

from gateway.config.body_parts import takes_side
from gateway.dicom.draft import Draft
from gateway.dicom.elements import Elements
from gateway.errors import ObjectError
from gateway.model import Capture


def laterality(draft: Draft, capture: Capture) -> None:
    """Write the side of a picture."""
    if not takes_side(capture.equipment, capture.kind):
        return
    if capture.side:
        draft.put("ImageLaterality", capture.side)
    else:
        draft.put("Laterality")


def check(header: Elements, capture: Capture) -> None:
    """Raise ObjectError when a header says anything else of a picture's side."""
    asked = takes_side(capture.equipment, capture.kind)
    image, series = header.find("ImageLaterality"), header.find("Laterality")
    found = header.text("ImageLaterality") if image else ""
    wanted = capture.side.value if asked else ""
    if found != wanted or (image is not None) != bool(wanted):
        raise ObjectError("The sealed object is not of the side that was said.")
    if (series is not None) != (asked and not wanted) or (series and series.bare):
        raise ObjectError(
            "Laterality must be present and empty while the side could be said and was not, else absent."
        )
