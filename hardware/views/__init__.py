"""What the technician shall see of a picture: `seen` applies a `View` to one, whoever needs it.

Applied on demand and in this order: what the profile knows better than the device, one field of two, masks, crop,
turning, square pixels. In a clip both fields count: `seen_between` knows the pictures around it. Boxes are in
pixels of the picture as delivered, so they count for one size of it alone.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

import cv2

from hardware.errors import EncodingFailed
from hardware.pixels import decoded, is_jfif
from hardware.sources import Picture, PixelFormat, Scan
from hardware.views.boxes import Box, cropped, masked
from hardware.views.fields import one_field
from hardware.views.motion import Motion
from hardware.views.shape import mirrored, size_of_squared, squared, turned

__all__ = ["AS_DELIVERED", "Box", "Motion", "View", "seen", "seen_between"]


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """What is done to a picture. Everything is left alone by default but fields and pixels that are no squares.

    `scan`, `pixel_aspect`, `matrix`, `full_range`: what is known of the device; None = what it says itself.
    """

    size: tuple[int, int] | None = None  # columns, rows that `crop` and `masks` are for; None = any
    deinterlace: bool = True
    clip_fields: str = "both"  # of a clip: "both" where nothing moves, or "one" as of a still
    crop: Box | None = None
    masks: tuple[Box, ...] = ()
    turn: int = 0  # degrees clockwise: 0, 90, 180 or 270
    mirror: bool = False  # left and right change places, after turning
    square: bool = True
    scan: Scan | None = None
    pixel_aspect: Fraction | None = None
    matrix: str | None = None
    full_range: bool | None = None

    def fits(self, picture: Picture) -> bool:
        """Say whether crop and masks are for pictures of this size."""
        inside = self.crop is None or self.crop.inside(picture.width, picture.height)
        return self.is_for(picture) and inside

    def is_for(self, picture: Picture) -> bool:
        """Say whether the picture has the size that this view was made for."""
        return self.size in (None, (picture.width, picture.height))

    def forbids(self, picture: Picture) -> bool:
        """Say whether nothing may be seen of this picture: it has another size than the masks are for."""
        return bool(self.masks) and not self.is_for(picture)

    def size_seen(self, picture: Picture) -> tuple[int, int]:
        """Return columns and rows of what is seen of this picture."""
        aspect = self.pixel_aspect or picture.pixel_aspect
        box = self.crop if self.crop and self.fits(picture) else picture
        width, height = box.width, box.height
        if self.turn % 180:
            width, height, aspect = height, width, 1 / aspect
        return size_of_squared(width, height, aspect) if self.square else (width, height)

    def needs_neighbours(self, picture: Picture) -> bool:
        """Say whether a clip's frame is made of the pictures around it too."""
        fields = (self.scan or picture.scan) is not Scan.PROGRESSIVE
        return self.deinterlace and self.clip_fields == "both" and fields

    def leaves_alone(self, picture: Picture) -> bool:
        """Say whether this picture is seen as it was delivered."""
        told = _told(picture, self)
        boxes = self.masks or (self.crop and self.fits(picture))
        shape = self.turn or self.mirror or (self.square and told.pixel_aspect != 1)
        fields = self.deinterlace and told.scan is not Scan.PROGRESSIVE
        colours = picture.format is PixelFormat.JPEG and not is_jfif(told)
        return not (boxes or shape or fields or colours)


AS_DELIVERED = View(deinterlace=False, square=False)


def seen(picture: Picture, view: View, fields: Callable[[Picture], Picture] = one_field) -> Picture:
    """Return what shall be seen of a picture; the same one when that is all of it, as it is.

    fields: makes one picture of a decoded one of two fields.

    Raises EncodingFailed for a JPEG that cannot be decoded, and when there are masks for another size: what they
    hide would be seen. A crop for another size is not applied; `View.fits` says so.
    """
    if view.leaves_alone(picture):
        return _told(picture, view)
    if view.forbids(picture):
        raise EncodingFailed(
            f"The picture is {picture.width} x {picture.height} now, and the masks of its device profile are for "
            "another size: nothing is shown or stored of it."
        )
    try:
        return _applied(decoded(_told(picture, view)), view, fields, view.crop if view.fits(picture) else None)
    except (cv2.error, MemoryError) as error:
        raise EncodingFailed("The picture cannot be made as its device profile says.") from error


def seen_between(picture: Picture, view: View, motion: Motion, *, around: tuple[Picture | None, ...]) -> Picture:
    """Return what shall be seen of a picture in a clip; around: the pictures before and after it, as delivered.

    Raises EncodingFailed as `seen` does; a neighbour that cannot be decoded counts as none.
    """
    before, after = around

    def ready(neighbour: Picture) -> Picture | None:
        try:
            return decoded(_told(neighbour, view))
        except EncodingFailed:
            return None

    return seen(picture, view, lambda made: motion.made(made, before=before, after=after, ready=ready))


def _applied(made: Picture, view: View, fields: Callable[[Picture], Picture], crop: Box | None) -> Picture:
    if view.deinterlace:
        made = fields(made)
    made = masked(made, view.masks)
    if crop:
        made = cropped(made, crop)
    made = turned(made, view.turn)
    if view.mirror:
        made = mirrored(made)
    return squared(made) if view.square else made


def _told(picture: Picture, view: View) -> Picture:
    """Return the picture with what is known of its device."""
    if all(known is None for known in (view.scan, view.pixel_aspect, view.matrix, view.full_range)):
        return picture
    return replace(
        picture,
        scan=view.scan or picture.scan,
        pixel_aspect=view.pixel_aspect or picture.pixel_aspect,
        matrix=view.matrix or picture.matrix,
        full_range=picture.full_range if view.full_range is None else view.full_range,
    )
