"""A glance at a picture: what no scanner sends is known, and nothing that a scanner sends is taken for it."""

import cv2
import numpy as np
import pytest
import simplejpeg

from hardware.looks import CARD_BYTES, Plain, card_of, look_at, may_be_one_colour, unchanged
from hardware.sources import Picture, PixelFormat
from hardware.sources.pattern import draw
from hardware.sources.scenes import BARS
from tests.colour_bars import drawn

SIZE = (720, 1280, 3)


def rgb(pixels) -> Picture:
    rows, columns = pixels.shape[:2]
    facts = {"counter": 0, "time_ns": 0, "width": columns, "height": rows}
    return Picture(**facts, format=PixelFormat.RGB24, planes=(np.asarray(pixels, np.uint8),))


def as_jpeg(picture: Picture, sampling: str = "422") -> Picture:
    stream = simplejpeg.encode_jpeg(picture.planes[0], quality=85, colorspace="RGB", colorsubsampling=sampling)
    facts = {"counter": 0, "time_ns": 0, "width": picture.width, "height": picture.height, "full_range": True}
    return Picture(**facts, format=PixelFormat.JPEG, planes=(np.frombuffer(stream, np.uint8),))


def one_colour(*colour: int) -> Picture:
    return rgb(np.full(SIZE, colour, np.uint8))


def bars() -> Picture:
    whole = np.zeros(SIZE, np.uint8)
    whole[:500] = drawn(500, SIZE[1], BARS[:7])
    return rgb(whole)


def logo(text: str = "NO SIGNAL") -> Picture:
    whole = np.full(SIZE, (20, 20, 60), np.uint8)
    cv2.putText(whole, text, (300, 400), cv2.FONT_HERSHEY_SIMPLEX, 4, (220, 220, 220), 12)
    return rgb(whole)


def noisy(level: int, sigma: float) -> Picture:
    noise = np.random.default_rng(1).normal(level, sigma, SIZE)
    return rgb(np.clip(noise, 0, 255).astype(np.uint8))


@pytest.mark.parametrize("form", [lambda picture: picture, as_jpeg], ids=["pixels", "jpeg"])
@pytest.mark.parametrize(
    ("picture", "plain"),
    [
        (one_colour(0, 0, 0), Plain.ONE_COLOUR),
        (one_colour(0, 0, 191), Plain.ONE_COLOUR),
        (bars(), Plain.BARS),
        (noisy(12, 2.0), Plain.NO),  # an endoscope in the dark
        (rgb(draw("ultrasound", 3)), Plain.NO),
        (rgb(draw("bars", 3)), Plain.BARS),  # our own test picture, which does not stand still
        (logo(), Plain.NO),  # not learned
    ],
    ids=["black", "blue", "bars", "dark", "ultrasound", "test-picture", "unknown-logo"],
)
def test_what_no_scanner_sends_is_known_and_nothing_else(picture, plain, form):
    assert look_at(form(picture)).plain is plain


@pytest.mark.parametrize("sampling", ["422", "420", "pixels"])
@pytest.mark.parametrize("size", [(1080, 1920), (576, 720), (90, 160), (3, 5)])
def test_one_colour_is_suspected_at_any_size(size, sampling):
    for colour in ((0, 0, 0), (0, 0, 191), (255, 255, 255)):
        picture = rgb(np.full((*size, 3), colour, np.uint8))
        assert may_be_one_colour(picture if sampling == "pixels" else as_jpeg(picture, sampling))


@pytest.mark.parametrize("form", [lambda picture: picture, as_jpeg], ids=["pixels", "jpeg"])
def test_what_a_scanner_sends_is_not_suspected_to_be_one_colour(form):
    assert not may_be_one_colour(form(rgb(draw("ultrasound", 3))))


def soft(pixels: np.ndarray) -> np.ndarray:
    """Return what an analog line leaves of it: neighbours in a line run into each other."""
    return np.clip((cv2.GaussianBlur(pixels, (9, 1), 2).astype(int) - 128) * 3 + 128, 0, 255)


@pytest.mark.parametrize("form", [lambda picture: picture, as_jpeg], ids=["pixels", "jpeg"])
@pytest.mark.parametrize(
    ("picture", "noise"),
    [
        (noisy(128, 80), True),
        (rgb(soft(noisy(128, 80).planes[0])), True),
        (rgb(draw("ultrasound", 3)), False),
        (noisy(12, 2.0), False),
        (one_colour(0, 0, 191), False),
        (bars(), False),
        (logo(), False),
    ],
    ids=["snow", "analog-snow", "ultrasound", "dark", "blue", "bars", "logo"],
)
def test_snow_is_told_and_is_no_card(picture, noise, form):
    look = look_at(form(picture))
    assert look.noise is noise
    assert look.plain is not Plain.CARD


def test_one_line_alone_is_no_noise():
    assert not look_at(rgb(np.arange(90, dtype=np.uint8).reshape(1, 30, 3))).noise


def test_an_almost_black_screen_with_one_small_text_is_a_picture():
    whole = np.zeros(SIZE, np.uint8)
    cv2.putText(whole, "12:31", (1100, 700), cv2.FONT_HERSHEY_SIMPLEX, 1, (200, 200, 200), 2)
    assert look_at(rgb(whole)).plain is Plain.NO


@pytest.mark.parametrize("form", [lambda picture: picture, as_jpeg], ids=["pixels", "jpeg"])
def test_a_learned_card_is_known_again_and_a_picture_is_none(form):
    card = card_of(form(logo()))
    assert len(card) == CARD_BYTES
    assert look_at(as_jpeg(logo()), card).plain is Plain.CARD
    assert look_at(logo(), card).plain is Plain.CARD
    for picture in (rgb(draw("ultrasound", 3)), noisy(40, 10), one_colour(128, 128, 128)):
        assert look_at(picture, card).plain is not Plain.CARD


@pytest.mark.parametrize("form", [lambda picture: picture, as_jpeg], ids=["pixels", "jpeg"])
def test_a_dark_room_and_a_dark_worksheet_are_no_cards(form):
    assert look_at(form(noisy(5, 1.2))).plain is Plain.NO
    black = card_of(one_colour(0, 0, 0))
    for lines in (1, 6, 14):
        sheet = np.zeros(SIZE, np.uint8)
        for line in range(lines):
            cv2.putText(sheet, "LVIDd 4.2 cm  IVSd 0.9 cm", (60, 60 + 45 * line), 0, 1, (255, 255, 255), 2)
        assert look_at(form(rgb(sheet)), black).plain is Plain.NO


def test_a_picture_that_stands_still_is_told_from_one_in_which_a_clock_runs():
    first, noise = rgb(draw("ultrasound", 3)), np.random.default_rng(2).integers(0, 3, (720, 1280, 3))
    analog = rgb(np.clip(first.planes[0] + noise, 0, 255).astype(np.uint8))
    assert unchanged(look_at(first), look_at(analog))
    clock = first.planes[0].copy()
    cv2.putText(clock, "3", (1000, 60), cv2.FONT_HERSHEY_SIMPLEX, 1, (255, 255, 255), 3)
    assert not unchanged(look_at(first), look_at(rgb(clock)))


def test_levels_that_its_range_does_not_have_are_cut():
    rows, columns = 480, 640
    luma = np.linspace(0, 255, columns).astype(np.uint8)[np.newaxis].repeat(rows, axis=0)
    chroma = np.full((rows, columns // 2), 128, np.uint8)
    facts = {"counter": 0, "time_ns": 0, "width": columns, "height": rows, "format": PixelFormat.PLANAR_YUV}
    assert look_at(Picture(**facts, planes=(luma, chroma, chroma))).cut
    assert not look_at(Picture(**facts, planes=(luma, chroma, chroma), full_range=True)).cut
    legal = np.clip(luma, 16, 235)
    assert not look_at(Picture(**facts, planes=(legal, chroma, chroma))).cut
