import os
import random
from pathlib import Path

import cv2
import numpy as np
import pytest

from hardware import colour
from hardware.errors import EncodingFailed
from hardware.pixels import clip_jpeg, preview_jpeg, to_gray_or_rgb, to_rgb
from hardware.sources import Picture, PixelFormat

# Where each matrix is from: Rec. ITU-R BT.601-7, BT.709-6
KR_KB = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}
CHROMA = {"444": (1, 1), "422": (1, 2), "420": (2, 2), "411": (1, 4), "440": (2, 1)}


def picture_of(planes, form=PixelFormat.PLANAR_YUV, matrix="bt601", *, full_range=False) -> Picture:
    rows, columns = planes[0].shape[:2]
    return Picture(
        counter=0,
        time_ns=0,
        format=form,
        width=columns,
        height=rows,
        planes=tuple(planes),
        matrix=matrix,
        full_range=full_range,
    )


def noise(rows, columns, sampling="420", seed=1):
    samples = np.random.default_rng(seed)
    down, across = CHROMA[sampling]
    small = (-(-rows // down), -(-columns // across))
    return [samples.integers(0, 256, shape, dtype=np.uint8) for shape in ((rows, columns), small, small)]


def by_the_book(picture) -> np.ndarray:
    """The formula of the standards in floating point, written without a look at the product's."""
    red, blue = KR_KB[picture.matrix]
    rows, columns = picture.height, picture.width
    luma, *chroma = (plane.astype(float) for plane in picture.planes)
    down, across = (2 ** round(np.log2(a / b)) for a, b in zip(luma.shape, chroma[0].shape, strict=True))
    cb, cr = (np.kron(plane, np.ones((down, across)))[:rows, :columns] for plane in chroma)
    if picture.full_range:
        y, pb, pr = luma / 255, (cb - 128) / 255, (cr - 128) / 255
    else:
        y, pb, pr = (luma - 16) / 219, (cb - 128) / 224, (cr - 128) / 224
    r = y + 2 * (1 - red) * pr
    b = y + 2 * (1 - blue) * pb
    g = (y - red * r - blue * b) / (1 - red - blue)
    return np.clip(np.floor(np.stack([r, g, b], -1) * 255 + 0.5), 0, 255)


def frame_header(stream: bytes):
    """Marker, rows, columns and sampling factors of each component."""
    place = 2
    while stream[place + 1] not in (0xC0, 0xC1, 0xC2):
        place += 2 + int.from_bytes(stream[place + 2 : place + 4], "big")
    rows, columns = (int.from_bytes(stream[place + at : place + at + 2], "big") for at in (5, 7))
    count = stream[place + 9]
    return stream[place + 1], rows, columns, [stream[place + 11 + 3 * n] for n in range(count)]


def decoded(stream: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(stream, np.uint8), cv2.IMREAD_COLOR)[..., ::-1].astype(int)


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", KR_KB)
@pytest.mark.parametrize("sampling", CHROMA)
def test_colour_follows_the_standards_formula_within_1(sampling, matrix, full_range):
    for rows, columns in ((64, 96), (33, 47)):
        picture = picture_of(noise(rows, columns, sampling), matrix=matrix, full_range=full_range)
        difference = np.abs(to_rgb(picture) - by_the_book(picture))
        assert difference.max() <= 1
        assert (difference > 0).mean() < 0.05


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", colour.MATRICES)
def test_colour_is_the_stated_integer_arithmetic_to_the_bit(matrix, full_range):
    picture = picture_of(noise(301, 331, "444"), matrix=matrix, full_range=full_range)
    weights = colour.factors(matrix, full_range=full_range)
    samples = np.stack(picture.planes, -1).astype(np.int64)
    expected = np.clip((samples @ weights[:, :3].T + weights[:, 3] + 512) >> 10, 0, 255)
    assert np.array_equal(to_rgb(picture), expected)


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", colour.MATRICES)
def test_a_grey_screen_gets_no_tint(matrix, full_range):
    gray = np.arange(256, dtype=np.uint8).reshape(16, 16)
    neutral = np.full((8, 8), 128, np.uint8)
    rgb = to_rgb(picture_of((gray, neutral, neutral), matrix=matrix, full_range=full_range)).astype(int)
    assert (rgb[..., 0] == rgb[..., 1]).all()
    assert (rgb[..., 1] == rgb[..., 2]).all()
    ends = (0, 255) if full_range else (16, 235)
    assert [rgb.reshape(-1, 3)[end, 0] for end in ends] == [0, 255]


def test_grey_and_rgb_pictures_keep_every_sample():
    gray = noise(31, 45)[0]
    grey_picture = picture_of((gray,), PixelFormat.GRAY8)
    assert np.array_equal(to_gray_or_rgb(grey_picture), gray)
    assert np.array_equal(to_rgb(grey_picture), np.stack([gray] * 3, -1))
    rgb = np.random.default_rng(5).integers(0, 256, (31, 45, 3), dtype=np.uint8)
    assert np.array_equal(to_gray_or_rgb(picture_of((rgb,), PixelFormat.RGB24)), rgb)


def smooth_scene(rows, columns) -> np.ndarray:
    y, x = np.mgrid[0:rows, 0:columns]
    waves = [127 + 100 * np.sin(x / 40 + phase) * np.cos(y / 30 + phase) for phase in (0, 2, 4)]
    return np.stack(waves, -1).astype(np.uint8)


def yuv_of(rgb, sampling, matrix, *, full_range):
    """Y'CbCr planes by the book, chroma averaged."""
    red, blue = KR_KB[matrix]
    r, g, b = (rgb[..., index] / 255 for index in range(3))
    y = red * r + (1 - red - blue) * g + blue * b
    pb, pr = (b - y) / (2 - 2 * blue), (r - y) / (2 - 2 * red)
    down, across = CHROMA[sampling]
    rows, columns = y.shape
    pad = ((0, -rows % down), (0, -columns % across))
    small = [np.pad(p, pad, mode="edge").reshape(-(-rows // down), down, -1, across).mean((1, 3)) for p in (pb, pr)]
    gain, zero, spread = (255, 0, 255) if full_range else (219, 16, 224)
    planes = [y * gain + zero, *(plane * spread + 128 for plane in small)]
    return [np.clip(plane + 0.5, 0, 255).astype(np.uint8) for plane in planes]


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", KR_KB)
@pytest.mark.parametrize("sampling", CHROMA)
def test_a_clip_frame_is_a_baseline_422_colour_jpeg_of_the_same_picture(sampling, matrix, full_range):
    for rows, columns in ((120, 160), (121, 163)):
        scene = smooth_scene(rows, columns)
        planes = yuv_of(scene, sampling, matrix, full_range=full_range)
        picture = picture_of(planes, matrix=matrix, full_range=full_range)
        stream = clip_jpeg(picture, quality=90)
        assert frame_header(stream) == (0xC0, rows, columns, [0x21, 0x11, 0x11])
        difference = np.abs(decoded(stream) - scene)
        assert difference.mean() < 2
        assert difference.max() <= 20


def test_a_grey_clip_frame_becomes_colour_without_a_tint():
    for rows, columns in ((64, 80), (51, 33)):
        gray = smooth_scene(rows, columns)[..., 0]
        stream = clip_jpeg(picture_of((gray,), PixelFormat.GRAY8))
        assert frame_header(stream) == (0xC0, rows, columns, [0x21, 0x11, 0x11])
        seen = decoded(stream)
        assert np.ptp(seen, axis=2).max() == 0
        assert np.abs(seen[..., 0] - gray).max() <= 8


@pytest.mark.parametrize("columns", [33, 34])
def test_nothing_but_the_picture_gets_into_its_jpeg(columns):
    """A byte beyond an odd row would be whatever lay in memory, another patient's picture as well."""
    chance = random.Random(columns)
    streams = set()
    for _ in range(100):
        dirt = [np.full(chance.randint(10, 4000), chance.randint(0, 255), np.uint8) for _ in range(20)]
        del dirt  # what is reserved next lies where this was
        gray = np.ascontiguousarray(smooth_scene(51, columns)[..., 0])
        streams.add(clip_jpeg(picture_of((gray,), PixelFormat.GRAY8)))
    assert len(streams) == 1


def test_an_rgb_clip_frame_is_a_baseline_422_jpeg():
    scene = smooth_scene(75, 101)
    stream = clip_jpeg(picture_of((scene,), PixelFormat.RGB24))
    assert frame_header(stream) == (0xC0, 75, 101, [0x21, 0x11, 0x11])
    assert np.abs(decoded(stream) - scene).mean() < 2


def test_the_smallest_pictures_become_jpegs_too():
    for rows, columns in ((1, 1), (1, 2), (2, 1), (3, 3)):
        gray = np.full((rows, columns), 77, np.uint8)
        for picture in (picture_of((gray,), PixelFormat.GRAY8), picture_of(noise(rows, columns))):
            assert frame_header(clip_jpeg(picture)) == (0xC0, rows, columns, [0x21, 0x11, 0x11])
            assert frame_header(preview_jpeg(picture, 640))[1:3] == (rows, columns)


@pytest.mark.parametrize("matrix", KR_KB)
def test_the_preview_shows_the_picture_in_its_colours_and_proportions(matrix):
    scene = smooth_scene(540, 961)
    planes = yuv_of(scene, "420", matrix, full_range=False)
    pictures = [
        picture_of(planes, matrix=matrix),
        picture_of((scene,), PixelFormat.RGB24),
    ]
    for picture in pictures:
        for width, height in ((480, 270), (700, 393), (961, 540)):
            seen = decoded(preview_jpeg(picture, width, quality=90))
            assert seen.shape == (height, width, 3)
            wanted = cv2.resize(scene, (width, height), interpolation=cv2.INTER_AREA)
            assert np.abs(seen - wanted).mean() < 3
    assert decoded(preview_jpeg(pictures[0], 4000)).shape == scene.shape


def test_a_grey_preview_has_one_component():
    gray = smooth_scene(100, 200)[..., 0]
    assert frame_header(preview_jpeg(picture_of((gray,), PixelFormat.GRAY8), 100)) == (0xC0, 50, 100, [0x11])


def test_a_picture_that_no_jpeg_can_hold_is_said_so():
    large = np.zeros((1, 70_000), np.uint8)
    with pytest.raises(EncodingFailed, match="70000 x 1"):
        clip_jpeg(picture_of((large,), PixelFormat.GRAY8))


# --- against an independent build of the decoder and of the colour conversion ----------------------------

EXACT = "flags=neighbor+accurate_rnd+full_chroma_int+full_chroma_inp"


def independent(ffmpeg, path, picture, number, flags=EXACT):
    form = "gray" if picture.format is PixelFormat.GRAY8 else "rgb24"
    chain = f"select=eq(n\\,{number}),scale=in_color_matrix={picture.matrix}:{flags},format={form}"
    words = ["-i", str(path), "-vf", chain, "-vsync", "0", "-frames:v", "1", "-f", "rawvideo", "-"]
    return np.frombuffer(ffmpeg(*words), np.uint8).reshape(to_gray_or_rgb(picture).shape).astype(int)


@pytest.mark.parametrize(
    "case",
    [
        ("gray", "ffv1", (63, 49), (2, 0)),
        ("yuv420p", "ffv1", (63, 49), (2, 0)),
        ("yuv420p", "libx264", (96, 64), (1, 1)),
        ("yuv411p", "ffv1", (61, 47), (2, 0)),
    ],
)
def test_a_picture_has_the_samples_of_an_independent_decode(film, play, ffmpeg, samples_of, case):
    form, codec, size, tags = case
    path, _ = film(form, codec=codec, size=size, tags=tags)
    source = play(path)
    ours = b"".join(samples_of(source.read(1.0)) for _ in range(3))
    assert ours == ffmpeg("-i", str(path), "-f", "rawvideo", "-pix_fmt", form, "-")


@pytest.mark.parametrize(
    "case",
    [
        ("gray", "ffv1", (2, 0), 0),
        ("yuv420p", "libx264", (1, 1), 1),
        ("yuvj420p", "mjpeg", (5, 2), 1),
        ("yuv422p", "ffv1", (2, 0), 1),
        ("yuv444p", "ffv1", (1, 1), 1),
    ],
)
def test_a_still_has_the_colours_of_an_independent_conversion(film, play, ffmpeg, case):
    form, codec, tags, most = case
    # Even sizes and moderate colours: libswscale stretches the chroma of odd sizes, and wraps around where a
    # colour lies far outside RGB. The tests against the formula cover both.
    path, _ = film(form, codec=codec, size=(96, 64), tags=tags, span=(64, 192))
    source = play(path)
    picture = [source.read(1.0) for _ in range(2)][1]
    expected = independent(ffmpeg, path, picture, 1)
    assert np.abs(to_gray_or_rgb(picture) - expected).max() <= most


CLIPS = sorted(Path(os.environ.get("SCOPEGATE_CLIPS", "/nonexistent")).glob("*.m*"))


@pytest.mark.skipif(not CLIPS, reason="SCOPEGATE_CLIPS does not name a folder of video files")
@pytest.mark.parametrize("path", CLIPS, ids=lambda path: path.name)
def test_real_clips_equal_an_independent_decode(play, ffmpeg, path):
    source = play(path)
    picture = [source.read(2.0) for _ in range(6)][5]
    pixels = to_gray_or_rgb(picture).astype(int)
    exact = np.abs(pixels - independent(ffmpeg, path, picture, 5))
    usual = np.abs(pixels - independent(ffmpeg, path, picture, 5, flags="flags=bicubic"))
    print(f"{path.name}: {picture.format} {picture.matrix} exact {exact.max()} usual {usual.max()}")
    assert exact.max() <= 1
    assert usual.max() <= 3
