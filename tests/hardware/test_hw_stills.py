"""Stills of every kind, and a device's own JPEG: never compressed twice, decoded only where it must be."""

import imagecodecs
import numpy as np
import pytest
import simplejpeg

from hardware.errors import EncodingFailed
from hardware.pixels import clip_jpeg, decoded, preview_jpeg, to_gray_or_rgb, to_rgb
from hardware.sources import Picture, PixelFormat, Scan
from hardware.stills import StillKind, lossy_before, still_of
from hardware.views import Box, View

ROWS, COLUMNS = 97, 131


def scene(rows: int = ROWS, columns: int = COLUMNS) -> np.ndarray:
    down, across = np.mgrid[:rows, :columns]
    red, green, blue = down * 255 // rows, across * 255 // columns, (down + across) * 255 // (rows + columns)
    return np.dstack([red, green, blue]).astype(np.uint8)


def delivered(stream: bytes, rows: int = ROWS, columns: int = COLUMNS, **more) -> Picture:
    facts = {"counter": 0, "time_ns": 0, "format": PixelFormat.JPEG, "width": columns, "height": rows}
    return Picture(**{**facts, "planes": (np.frombuffer(stream, np.uint8),), "full_range": True, **more})


def jpeg(pixels: np.ndarray, space: str = "RGB", sampling: str = "422") -> bytes:
    return simplejpeg.encode_jpeg(
        np.ascontiguousarray(pixels), quality=95, colorspace=space, colorsubsampling=sampling
    )


def rgb(pixels: np.ndarray) -> Picture:
    rows, columns = pixels.shape[:2]
    form = PixelFormat.RGB24 if pixels.ndim == 3 else PixelFormat.GRAY8
    return Picture(counter=0, time_ns=0, format=form, width=columns, height=rows, planes=(pixels,))


@pytest.mark.parametrize(
    "kind", [StillKind.JPEG_LOSSLESS, StillKind.JPEG_LS, StillKind.UNCOMPRESSED, StillKind.AUTO]
)
@pytest.mark.parametrize("pixels", [scene(), scene()[..., 0].copy()], ids=["colour", "grey"])
def test_a_lossless_still_gives_back_every_sample(kind, pixels):
    still = still_of(rgb(pixels), View(), kind=kind, quality=90)
    assert (still.rows, still.columns, still.samples) == (ROWS, COLUMNS, 3 if pixels.ndim == 3 else 1)
    assert still.lossy_ratio == 0
    if still.codec is StillKind.UNCOMPRESSED:
        back = np.frombuffer(still.data, np.uint8).reshape(pixels.shape)
    elif still.codec is StillKind.JPEG_LS:
        back = imagecodecs.jpegls_decode(still.data)
    else:
        assert still.codec is StillKind.JPEG_LOSSLESS
        back = imagecodecs.jpeg8_decode(still.data)
    assert np.array_equal(back, pixels)


def test_a_lossy_still_says_how_lossy_it_is():
    still = still_of(rgb(scene()), View(), kind=StillKind.JPEG, quality=90)
    assert still.codec is StillKind.JPEG
    assert still.lossy_ratio == pytest.approx(ROWS * COLUMNS * 3 / len(still.data))
    difference = simplejpeg.decode_jpeg(still.data).astype(int) - scene()
    assert np.abs(difference).mean() < 3


def test_a_devices_own_jpeg_goes_through_untouched():
    stream = jpeg(scene())
    picture = delivered(stream)
    still = still_of(picture, View(), kind=StillKind.AUTO, quality=10)
    assert (still.codec, still.data, still.samples) == (StillKind.JPEG, stream, 3)
    assert clip_jpeg(picture, 10) == stream
    assert preview_jpeg(picture, COLUMNS) == stream


@pytest.mark.parametrize("kind", [StillKind.JPEG_LOSSLESS, StillKind.JPEG_LS, StillKind.UNCOMPRESSED])
def test_what_was_a_jpeg_says_so_in_every_lossless_form(kind):
    stream = jpeg(scene())
    still = still_of(delivered(stream), View(), kind=kind, quality=90)
    assert still.codec is kind
    assert still.lossy_ratio == pytest.approx(ROWS * COLUMNS * 3 / len(stream))


def test_a_jpeg_of_which_only_a_part_is_seen_is_decoded_once_and_kept_lossless():
    stream = jpeg(scene())
    box = Box(x=10, y=20, width=50, height=30)
    still = still_of(delivered(stream), View(crop=box), kind=StillKind.AUTO, quality=90)
    assert (still.codec, still.rows, still.columns) == (StillKind.JPEG_LOSSLESS, 30, 50)
    assert np.array_equal(imagecodecs.jpeg8_decode(still.data), simplejpeg.decode_jpeg(stream)[20:50, 10:60])
    assert still.lossy_ratio > 0


def test_a_devices_jpeg_that_is_compressed_anew_says_what_it_had_lost_before():
    stream = jpeg(scene())
    picture, view = delivered(stream), View(crop=Box(x=10, y=20, width=50, height=30))
    still = still_of(picture, view, kind=StillKind.JPEG, quality=90)
    assert still.lossy_before == lossy_before(picture, view) == pytest.approx(ROWS * COLUMNS * 3 / len(stream))
    assert still.lossy_ratio == pytest.approx(50 * 30 * 3 / len(still.data))
    for untouched, seen_as in ((picture, View()), (rgb(scene()), view)):
        assert still_of(untouched, seen_as, kind=StillKind.JPEG, quality=90).lossy_before == 0


def test_an_interlaced_jpeg_is_shown_of_one_field():
    whole = scene()
    whole[1::2] = 255 - whole[1::2]
    still = still_of(delivered(jpeg(whole), scan=Scan.TOP_FIRST), View(), kind=StillKind.AUTO, quality=90)
    back = imagecodecs.jpeg8_decode(still.data)
    assert np.array_equal(back[0::2], simplejpeg.decode_jpeg(jpeg(whole))[0::2])


def test_a_grey_jpeg_is_grey_where_it_may_be_and_has_three_components_where_it_must():
    stream = jpeg(scene()[..., :1], "GRAY", "Gray")
    picture = delivered(stream)
    assert to_gray_or_rgb(picture).shape == (ROWS, COLUMNS)
    assert to_rgb(picture).shape == (ROWS, COLUMNS, 3)
    assert simplejpeg.decode_jpeg_header(clip_jpeg(picture, 90))[2] != "Gray"


def test_a_jpeg_whose_device_means_other_colours_is_not_passed_on_as_if_it_meant_the_usual_ones():
    levels = np.array([[[16, 128, 128], [235, 128, 128]]], np.uint8).repeat(16, axis=0).repeat(16, axis=1)
    stream = imagecodecs.jpeg8_encode(
        levels, level=100, colorspace="YCBCR", outcolorspace="YCBCR", subsampling="444"
    )
    picture = delivered(bytes(stream), 16, 32, full_range=False)
    pixels = to_rgb(picture).astype(int)
    assert np.abs(pixels[8, 4] - 0).max() <= 2
    assert np.abs(pixels[8, 28] - 255).max() <= 2
    assert clip_jpeg(picture, 90) != bytes(stream)
    still = still_of(delivered(bytes(stream), 16, 32), View(full_range=False), kind=StillKind.AUTO, quality=90)
    assert still.codec is StillKind.JPEG_LOSSLESS
    assert np.array_equal(imagecodecs.jpeg8_decode(still.data), pixels)


@pytest.mark.parametrize("width", [40, 64, 100])
def test_a_small_preview_of_a_jpeg_shows_the_same_picture(width):
    stream = jpeg(scene(480, 640))
    small = simplejpeg.decode_jpeg(preview_jpeg(delivered(stream, 480, 640), width)).astype(int)
    assert small.shape[1] == width
    centre = small[small.shape[0] // 2, width // 2]
    assert np.abs(centre - scene(480, 640)[240, 320]).max() <= 12


@pytest.mark.parametrize(
    "damage",
    [
        lambda stream: stream[: len(stream) // 2],
        lambda stream: stream[:0],
        lambda stream: stream[:2] + stream[-2:],
        lambda stream: bytes(len(stream)),
    ],
)
def test_a_jpeg_that_cannot_be_decoded_is_refused_and_never_shown_half(damage):
    picture = delivered(damage(jpeg(scene())))
    for use in (
        decoded,
        lambda each: preview_jpeg(each, 40),
        lambda each: still_of(each, View(turn=90), kind=StillKind.AUTO, quality=90),
    ):
        with pytest.raises(EncodingFailed):
            use(picture)


@pytest.mark.parametrize("view", [View(), View(matrix="bt709"), View(crop=Box(x=0, y=0, width=8, height=8))])
def test_half_a_picture_that_ends_as_a_whole_one_is_no_still(view):
    whole = jpeg(scene())
    start = whole.index(b"\xff\xda")
    torn = whole[: start + (len(whole) - start) // 3] + b"\xff\xd9"
    with pytest.raises(EncodingFailed, match="cannot be decoded"):
        still_of(delivered(torn), view, kind=StillKind.AUTO, quality=90)


def test_a_jpeg_of_red_green_and_blue_is_not_passed_on_as_what_it_is_not():
    stream = bytes(imagecodecs.jpeg8_encode(scene(), level=95, colorspace="RGB", outcolorspace="RGB"))
    picture = delivered(stream)
    still = still_of(picture, View(), kind=StillKind.AUTO, quality=90)
    assert still.codec is StillKind.JPEG_LOSSLESS
    assert clip_jpeg(picture, 90) != stream
    for view in (View(), View(matrix="bt709", full_range=False)):
        made = still_of(picture, view, kind=StillKind.AUTO, quality=90)
        assert np.abs(imagecodecs.jpeg8_decode(made.data).astype(int) - scene()).mean() < 3


def test_a_grey_jpeg_is_kept_lossless_as_a_still_and_says_what_its_device_did():
    stream = jpeg(scene()[..., :1], "GRAY", "Gray")
    still = still_of(delivered(stream), View(), kind=StillKind.AUTO, quality=90)
    assert (still.codec, still.samples) == (StillKind.JPEG_LOSSLESS, 1)
    assert still.lossy_ratio == pytest.approx(ROWS * COLUMNS / len(stream))


def test_noise_is_compressed_without_loss_as_well():
    noise = np.random.default_rng(0).integers(0, 256, (576, 768, 3), np.uint8)
    still = still_of(rgb(noise), View(), kind=StillKind.JPEG_LS, quality=90)
    assert np.array_equal(imagecodecs.jpegls_decode(still.data), noise)


def test_a_jpeg_of_another_size_than_its_device_says_is_refused():
    with pytest.raises(EncodingFailed, match="another size"):
        decoded(delivered(jpeg(scene()), ROWS + 1, COLUMNS))
