"""Pixel formats of grabbers: the planes are the samples that libswscale takes from the same bytes, and no copy."""

import av
import numpy as np
import pytest
from linuxpy.video import raw

from hardware.sources import PixelFormat
from hardware.sources.v4l2.layouts import BY_NUMBER, ORDER, Kind, Layout

# Our word: what libswscale calls the same bytes, and the planar format with the same samples.
SAME = {
    "YUYV": ("yuyv422", "yuv422p"),
    "UYVY": ("uyvy422", "yuv422p"),
    "YVYU": ("yvyu422", "yuv422p"),
    "NV12": ("nv12", "yuv420p"),
    "NV21": ("nv21", "yuv420p"),
    "YU12": ("yuv420p", "yuv420p"),
    "RGB3": ("rgb24", "rgb24"),
    "BGR3": ("bgr24", "rgb24"),
    "XR24": ("bgr0", "rgb24"),
    "XB24": ("rgb0", "rgb24"),
    "BGR4": ("bgr0", "rgb24"),
    "RGB4": ("0rgb", "rgb24"),
    "GREY": ("gray", "gray"),
}
WIDTH, HEIGHT = 32, 18


def noise(layout: Layout, padding: int) -> tuple[np.ndarray, int]:
    stride = layout.stride(WIDTH) + padding
    return np.random.default_rng(1).integers(0, 256, layout.size(HEIGHT, stride), np.uint8), stride


def by_libswscale(layout: Layout, samples: np.ndarray, stride: int, names: tuple[str, str]) -> list[np.ndarray]:
    """Return the planes that libswscale makes of the buffer."""
    frame = av.VideoFrame(WIDTH, HEIGHT, names[0])
    at = 0
    for number, plane in enumerate(frame.planes):
        ours = stride // 2 if layout.kind is Kind.PLANAR and number else stride
        lines = samples[at : at + ours * plane.height].reshape(plane.height, ours)
        at += ours * plane.height
        whole = np.zeros((plane.height, plane.line_size), np.uint8)
        used = min(ours, plane.line_size)
        whole[:, :used] = lines[:, :used]
        plane.update(whole.tobytes())
    made = frame if names[0] == names[1] else frame.reformat(format=names[1])
    per_pixel = 3 if names[1] == "rgb24" else 1
    return [
        np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[
            : plane.height, : plane.width * per_pixel
        ]
        for plane in made.planes
    ]


@pytest.mark.parametrize("padding", [0, 16])
@pytest.mark.parametrize("word", SAME)
def test_each_format_has_the_samples_that_another_library_finds_in_it(word, padding):
    layout = ORDER[word]
    samples, stride = noise(layout, padding)
    planes = layout.planes(samples, width=WIDTH, height=HEIGHT, stride=stride)
    expected = by_libswscale(layout, samples, stride, SAME[word])
    assert len(planes) == len(expected)
    for ours, theirs in zip(planes, expected, strict=True):
        assert np.shares_memory(ours, samples)
        assert (ours.reshape(theirs.shape) == theirs).all()


def test_the_two_orders_that_libswscale_does_not_know_are_the_others_with_their_chroma_exchanged():
    for word, other in {"YV12": "YU12", "VYUY": "UYVY"}.items():
        samples, stride = noise(ORDER[word], 0)
        ours = ORDER[word].planes(samples, width=WIDTH, height=HEIGHT, stride=stride)
        theirs = ORDER[other].planes(samples, width=WIDTH, height=HEIGHT, stride=stride)
        assert all((a == b).all() for a, b in zip(ours, (theirs[0], theirs[2], theirs[1]), strict=True))


@pytest.mark.parametrize("word", [word for word in ORDER if ORDER[word].kind is not Kind.JPEG])
def test_odd_sizes_have_whole_chroma(word):
    layout = ORDER[word]
    stride = layout.stride(31) + (layout.stride(31) % 2)
    samples = np.zeros(layout.size(17, stride), np.uint8)
    planes = layout.planes(samples, width=31, height=17, stride=stride)
    assert planes[0].shape[:2] == (17, 31)
    if layout.format is PixelFormat.PLANAR_YUV:
        lines = 17 if layout.kind is Kind.PACKED else 9
        assert [plane.shape for plane in planes[1:]] == [(lines, 16)] * 2


def test_the_numbers_are_those_of_the_kernel():
    known = {
        "YUYV": raw.PixelFormat.YUYV,
        "NV12": raw.PixelFormat.NV12,
        "YU12": raw.PixelFormat.YUV420,
        "YV12": raw.PixelFormat.YVU420,
        "RGB3": raw.PixelFormat.RGB24,
        "XR24": raw.PixelFormat.XBGR32,
        "XB24": raw.PixelFormat.RGBX32,
        "RGB4": raw.PixelFormat.RGB32,
        "MJPEG": raw.PixelFormat.MJPEG,
        "GREY": raw.PixelFormat.GREY,
    }
    assert {word: ORDER[word].number for word in known} == {word: int(number) for word, number in known.items()}
    assert len(BY_NUMBER) == len(ORDER)
