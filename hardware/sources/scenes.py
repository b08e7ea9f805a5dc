"""What the test pictures show. Each scene is a pure function of its size and a number; nobody's data is in it."""

import math
from collections.abc import Callable
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

# 75 % bars, brightest first, as generators of every standard order them
BARS = (
    (191, 191, 191),
    (191, 191, 0),
    (0, 191, 191),
    (0, 191, 0),
    (191, 0, 191),
    (191, 0, 0),
    (0, 0, 191),
    (0, 0, 0),
)
_DEPTHS, _ANGLES, _PERIOD = 512, 512, 1024  # samples along a beam, beams of the sector, beams until it repeats
_NO_MAP = np.empty(0, np.int16)  # places are whole: remap() needs no table of fractions
_HALF_ANGLE = math.radians(36)


class Scene(Protocol):
    """One moving picture."""

    def draw(self, number: int) -> Pixels:
        """Return a new picture, shape (rows, columns, 3), RGB."""


class Bars:
    """Colour bars, a grey ramp, and a white block that crosses the lower part."""

    def __init__(self, size: tuple[int, int]) -> None:
        width, height = size
        self._still = np.zeros((height, width, 3), np.uint8)
        columns = np.arange(width)
        self._ramp_top, self._lane_top = height * 60 // 100, height * 72 // 100
        self._still[: self._ramp_top] = np.array(BARS, np.uint8)[columns * len(BARS) // width]
        self._still[self._ramp_top : self._lane_top] = (columns * 256 // width)[:, np.newaxis]
        self._still[self._lane_top :] = 40
        self._block = max(8, height // 12)

    def draw(self, number: int) -> Pixels:
        pixels = self._still.copy()
        way = pixels.shape[1] - self._block
        left = _there_and_back(number * max(1, way // 120), way)
        top = self._lane_top + self._block // 3
        pixels[top : top + self._block, left : left + self._block] = 255
        pixels[self._ramp_top : self._lane_top, (left, left + self._block - 1)] = (255, 0, 0)
        return pixels


class Ultrasound:
    """A convex probe rocked to and fro over layers, cysts, a stone with its shadow and a beating vessel.

    Tissue is a table of beams and depths; a picture looks its sector up in that table at a moving offset.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self._width, self._height = size
        self._tissue = _tissue()
        self._places = _sector(size)
        self._still = _screen(size)
        grays = np.arange(256)
        self._bluish = np.minimum(255, grays + grays * (255 - grays) // 1800).astype(np.uint8)

    def draw(self, number: int) -> Pixels:
        offset = _there_and_back(number * 2, _PERIOD)
        beams = self._tissue[:, offset : offset + _ANGLES]
        # Whole places and the nearest sample: nothing is interpolated.
        seen = cv2.remap(beams, self._places, _NO_MAP, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT)
        gray = np.asarray(seen, np.uint8)
        self._vessel(gray, number)
        cv2.bitwise_or(gray, self._still, gray)
        return np.asarray(cv2.merge([gray, gray, cv2.LUT(gray, self._bluish)]), np.uint8)

    def _vessel(self, gray: Pixels, number: int) -> None:
        """Draw the vessel; one beat takes 24 pictures, 75 a minute at 30/s."""
        unit = self._height // 90
        swell = _there_and_back(number, 12) * unit // 8
        middle = (self._width // 2 + 5 * unit, self._height * 62 // 100)
        axes = (4 * unit + swell, 3 * unit + swell)
        cv2.ellipse(gray, middle, axes, 15, 0, 360, 14, -1)
        cv2.ellipse(gray, middle, axes, 15, 0, 360, 150, max(1, unit // 4))


SCENES: dict[str, Callable[[tuple[int, int]], Scene]] = {"bars": Bars, "ultrasound": Ultrasound}


def _there_and_back(way: int, length: int) -> int:
    """Return a place in 0..length of something that goes to and fro."""
    place = way % (2 * length)
    return place if place <= length else 2 * length - place


def _sector(size: tuple[int, int]) -> NDArray[np.int16]:
    """Return for every place of the picture which (beam, depth) it shows; -1 outside the sector."""
    width, height = size
    radius = min(height * 0.98, width / 2 / math.sin(_HALF_ANGLE) * 0.9)
    skin = radius * 0.16
    y = np.arange(height, dtype=np.float32)[:, np.newaxis] - height * 0.07 + skin * 0.8
    x = np.arange(width, dtype=np.float32) - width / 2
    far, angle = np.hypot(x, y), np.arctan2(x, y)
    inside = (far >= skin) & (far < radius) & (abs(angle) < _HALF_ANGLE)
    beam = np.clip((angle + _HALF_ANGLE) / (2 * _HALF_ANGLE) * _ANGLES, 0, _ANGLES - 1)
    depth = np.clip((far - skin) / (radius - skin) * _DEPTHS, 0, _DEPTHS - 1)
    return np.where(inside[..., np.newaxis], np.stack([beam, depth], -1), -1).astype(np.int16)


def _tissue() -> Pixels:
    """Return the table, shape (depths, beams), its first beams repeated at the end."""
    depth = np.arange(_DEPTHS, dtype=np.float32)[:, np.newaxis]
    beam = np.arange(_PERIOD, dtype=np.float32)
    turn = beam * np.float32(2 * math.pi / _PERIOD)
    level = 96 - depth * 0.07 + 10 * np.sin(turn * 3 + depth / 60)
    for at, swing, gain in ((30, 4, 90), (74, 9, 60), (230, 24, 70), (420, 14, 110)):
        level += gain * np.exp(-(((depth - at - swing * np.sin(turn * 2 + at)) / 5) ** 2))
    for at, where, tall, wide in ((150, 190, 34, 40), (330, 600, 46, 38), (190, 820, 24, 30)):
        away = ((depth - at) / tall) ** 2 + ((beam - where) / wide) ** 2
        level *= np.clip((away - 0.8) * 2.5, 0.07, 1)  # a cyst: no echo inside
        behind = np.exp(-(((beam - where) / wide) ** 4)) * np.clip((depth - at - tall * 0.9) / 20, 0, 0.4)
        level *= 1 + behind  # fluid attenuates less than tissue
    stone = np.exp(-(((beam - 380) / 13) ** 4)) * np.exp(-(((depth - 270) / 5) ** 2))
    shadow = np.exp(-(((beam - 380) / 14) ** 4)) * np.clip((depth - 272) / 8, 0, 0.85)
    level = level * (1 - shadow) + 190 * stone
    seen = np.clip(level * (0.25 + 0.75 * _speckle()), 0, 255).astype(np.uint8)
    return np.hstack([seen, seen[:, :_ANGLES]])


def _speckle() -> NDArray[np.float32]:
    """Return Rayleigh-like grain of mean 1 from a hash of the place: no chance is involved."""
    place = np.arange(_DEPTHS * _PERIOD, dtype=np.uint32)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        place = (place ^ (place >> np.uint32(shift))) * np.uint32(factor)
    uniform = ((place >> np.uint32(8)).astype(np.float32) + 1) / (1 << 24)
    grain = np.sqrt(-np.log(uniform)).reshape(_DEPTHS, _PERIOD)
    smooth = np.asarray(cv2.blur(grain, (5, 3)), np.float32)
    return np.asarray(smooth / smooth.mean(), np.float32)


def _screen(size: tuple[int, int]) -> Pixels:
    """Return what stands still around the sector: title, depth ruler and grey bar."""
    width, height = size
    gray = np.zeros((height, width), np.uint8)
    unit = height / 720
    write(gray, "SCOPEGATE TEST PICTURE  NOT A PATIENT", (round(24 * unit), round(36 * unit)), 0.8 * unit)
    left = width - round(60 * unit)
    for step in range(17):
        y = height * 10 // 100 + height * step // 20
        reach = round((18 if step % 4 == 0 else 9) * unit)
        gray[y : y + max(1, round(2 * unit)), left : left + reach] = 200
    top, bottom, wide = height * 20 // 100, height * 60 // 100, max(2, round(18 * unit))
    ramp = np.linspace(255, 0, bottom - top).astype(np.uint8)
    gray[top:bottom, round(30 * unit) : round(30 * unit) + wide] = ramp[:, np.newaxis]
    return gray


def write(pixels: Pixels, text: str, corner: tuple[int, int], scale: float) -> None:
    """Write light text into grey or RGB pixels; `corner` (x, y) is its lower left one."""
    colour = (220, 220, 220)
    cv2.putText(pixels, text, corner, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, max(1, round(2 * scale)))
