"""What a picture is at a glance: the one of a device without signal, the same as before, of cut levels.

Rather a missed card than a refused picture: one colour means that nothing in it differs by more than rounding, and
no sensor and no scanner's screen gives that. A JPEG may lose a dark sensor's noise: there black must be quite so.
"""

from dataclasses import dataclass, field
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from hardware.pixels import decoded, small_rgb
from hardware.sources import Picture, PixelFormat

SIZE = (64, 36)  # columns and rows of a glance
_CARD_SIZE = (32, 18)
CARD_BYTES = 32 * 18 * 3
_STEP = 8  # every so many lines and columns are looked at
_POINTS = 16  # down, and across, at least, where a picture has so many lines and columns to look at
_ROUNDING = 2
_DETAIL = 48  # pixels a byte of a JPEG, beside its tables: of one colour 51 or more in 4:2:2 and 4:2:0
_TABLES = 4096
_CARD_MEAN, _CARD_MOST = 3, 16  # how far a card may be from the learned one
_BAR_ROWS = slice(2, 20)  # of a glance: bars fill the upper part, below there may be something else
_LEAST_BARS, _VIVID = 6, 100
_CUT_SHARE = 0.01
_LIMITED = (16, 235)
_LEAST_DIFFERS = 3  # levels, standard deviation of the averaged picture: less is a dark or a flat one
_RESEMBLES = (0.35, 0.5)  # correlation with the line below and the column beside; a scanner's picture has some 0.9


class Plain(StrEnum):
    """A picture that no scanner sends."""

    NO = ""
    ONE_COLOUR = "one-colour"  # most grabbers show black or blue
    BARS = "bars"  # a scanner may send a test picture as well: they count when they stand still
    CARD = "card"  # the one that was learned of this grabber


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Look:
    """`small`: uint8, shape (36, 64, 3), RGB; `cut`: levels beyond those of its range, so that detail is lost;
    `noise`: nothing in it is like what is beside it. That is for people to know: no picture is refused for it.
    """

    small: NDArray[np.uint8] = field(repr=False)
    plain: Plain
    cut: bool
    noise: bool


def look_at(picture: Picture, card: bytes = b"") -> Look:
    """Look at a picture; `card`: what `card_of` returned of the one without signal. Raises EncodingFailed."""
    wide = small_rgb(picture, 2 * SIZE[0])
    small = _smaller(wide)
    plain = Plain.NO
    if card and _is_card(small, card):
        plain = Plain.CARD
    elif _is_one_colour(small) and _is_one_colour(*_some_of(picture)) and not _may_be_dark(picture, small):
        plain = Plain.ONE_COLOUR
    elif _is_bars(small):
        plain = Plain.BARS
    return Look(small=small, plain=plain, cut=_is_cut(picture), noise=_is_noise(wide))


def may_be_one_colour(picture: Picture) -> bool:
    """Say whether a look might find one colour: from a few points, or a JPEG's length, at hardly any cost."""
    if picture.format is PixelFormat.JPEG:
        return picture.bytes < picture.width * picture.height // _DETAIL + _TABLES
    rows, columns = (max(1, length // _POINTS // _STEP) * _STEP for length in picture.planes[0].shape[:2])
    return _is_one_colour(picture.planes[0][::rows, ::columns])


def unchanged(one: Look, other: Look) -> bool:
    """Say whether two pictures look the same, apart from the noise of an analog line."""
    return bool(cv2.absdiff(one.small, other.small).max() <= _ROUNDING)


def card_of(picture: Picture) -> bytes:
    """Return what to remember of the picture that a device shows without signal. Raises EncodingFailed."""
    return _as_card(_smaller(small_rgb(picture, 2 * SIZE[0]))).tobytes()


def _smaller(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(pixels, SIZE, interpolation=cv2.INTER_AREA), np.uint8)


def _as_card(small: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(small, _CARD_SIZE, interpolation=cv2.INTER_AREA), np.uint8)


def _is_card(small: NDArray[np.uint8], card: bytes) -> bool:
    learned = np.frombuffer(card, np.uint8).reshape(_CARD_SIZE[1], _CARD_SIZE[0], 3)
    difference = cv2.absdiff(_as_card(small), learned)
    return bool(difference.mean() <= _CARD_MEAN and difference.max() <= _CARD_MOST)


def _may_be_dark(picture: Picture, small: NDArray[np.uint8]) -> bool:
    """Say whether compression may have made one colour of a dark room."""
    colour = small.reshape(-1, 3).mean(axis=0)
    grey = np.ptp(colour) < _VIVID // 2
    return picture.format is PixelFormat.JPEG and bool(grey and colour.max() > _ROUNDING)


def _some_of(picture: Picture) -> tuple[NDArray[np.uint8], ...]:
    """Return pixels as delivered, not averaged: in an average the noise of a sensor is gone."""
    return tuple(plane[::_STEP, ::_STEP] for plane in decoded(picture).planes)


def _is_one_colour(*planes: NDArray[np.uint8]) -> bool:
    return all(np.ptp(plane.reshape(-1, *plane.shape[2:]), axis=0).max() <= _ROUNDING for plane in planes)


def _is_bars(small: NDArray[np.uint8]) -> bool:
    """Say whether the upper part has vertical bars of one colour each, some of them vivid."""
    upper = small[_BAR_ROWS].astype(np.int16)
    if np.ptp(upper, axis=0).max() > _ROUNDING:
        return False
    line = upper[0]
    edges = np.abs(np.diff(line, axis=0)).max(axis=1) > _ROUNDING
    flat = np.split(line, np.flatnonzero(edges) + 1)
    wide = [bar[0] for bar in flat if len(bar) > 2]  # noqa: PLR2004 - an edge between two bars is one or two wide
    vivid = sum(int(np.ptp(colour) >= _VIVID) for colour in wide)
    return len(wide) >= _LEAST_BARS and vivid >= _LEAST_BARS // 2


def _is_noise(wide: NDArray[np.uint8]) -> bool:
    """Say whether the green of an averaged picture is as that of snow: lines know nothing of their neighbours."""
    green = wide[..., 1].astype(np.float32)
    green -= green.mean()
    power = float((green * green).mean())
    if power < _LEAST_DIFFERS**2 or min(green.shape) < 2:  # noqa: PLR2004 - one line has none below
        return False
    below, beside = (green[1:] * green[:-1]).mean() / power, (green[:, 1:] * green[:, :-1]).mean() / power
    return bool(below < _RESEMBLES[0] and beside < _RESEMBLES[1])


def _is_cut(picture: Picture) -> bool:
    if picture.format is not PixelFormat.PLANAR_YUV or picture.full_range:
        return False
    luma = picture.planes[0][::_STEP, ::_STEP]
    beyond = (luma < _LIMITED[0] - _ROUNDING) | (luma > _LIMITED[1] + _ROUNDING)
    return bool(beyond.mean() > _CUT_SHARE)
