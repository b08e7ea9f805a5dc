import struct

import imagecodecs
import numpy as np
import pytest

from gateway.dicom.icc import srgb


def test_the_profile_is_one_of_an_input_device_that_another_reader_takes():
    profile = srgb()

    assert imagecodecs.cms_profile_validate(profile) is None
    assert struct.unpack_from(">L", profile)[0] == len(profile) < 3000
    assert len(profile) % 2 == 0, "an OB value"
    assert (profile[12:24], profile[36:40]) == (b"scnrRGB XYZ ", b"acsp")


def test_white_red_green_and_blue_are_those_of_srgb():
    """XYZ under D50, as the colour consortium publishes them for its own sRGB profile."""
    stored = np.array([[[255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    xyz = imagecodecs.cms_transform(
        stored, srgb(), imagecodecs.cms_profile("xyz"), outcolorspace="xyz", outdtype="float64"
    )[0]

    expected = [[0.9642, 1.0, 0.8249], [0.4361, 0.2225, 0.0139], [0.3851, 0.7169, 0.0971], [0.1431, 0.0606, 0.7141]]
    assert xyz == pytest.approx(np.array(expected), abs=3e-4)


def test_no_colour_changes_between_our_srgb_and_that_of_another_maker():
    """A step of one is the rounding between two curves."""
    levels = np.arange(0, 256, 15, np.uint8)
    colours = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    there = imagecodecs.cms_transform(colours, srgb(), imagecodecs.cms_profile("srgb"), colorspace="rgb")

    assert np.abs(there.astype(int) - colours).max() <= 1
