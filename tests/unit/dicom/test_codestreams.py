import imagecodecs
import pytest
import simplejpeg

from gateway.dicom.codestream import check, read
from gateway.errors import CodestreamBroken
from tests.dicom_samples import baseline, lossless, picture

SHAPE = {"rows": 48, "columns": 51}


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("codec", ["jpeg", "jpeg-lossless"])
def test_a_codestream_says_what_its_record_says(codec, samples):
    pixels = picture(samples=samples)
    stream = baseline(pixels) if codec == "jpeg" else lossless(pixels)
    facts = check(stream, samples=samples, codec=codec, **SHAPE)

    assert (facts.rows, facts.columns, facts.length) == (48, 51, len(stream))
    assert check(stream + b"\0", samples=samples, codec=codec, **SHAPE).length == len(stream)


@pytest.mark.parametrize(
    "said",
    [
        {"rows": 49},
        {"columns": 50},
        {"samples": 1},
        {"codec": "jpeg"},
        {"codec": "h264"},
    ],
)
def test_a_record_that_says_otherwise_is_caught(said):
    with pytest.raises(CodestreamBroken):
        check(lossless(picture()), **{"samples": 3, "codec": "jpeg-lossless", **SHAPE, **said})


def test_colours_coded_otherwise_are_caught():
    pixels = picture()
    as_ycc = bytes(imagecodecs.jpeg8_encode(pixels, lossless=True, predictor=1, colorspace="RGB"))
    as_rgb = bytes(imagecodecs.jpeg8_encode(pixels, level=90, colorspace="RGB", outcolorspace="RGB"))
    full = simplejpeg.encode_jpeg(pixels, 90, "RGB", "444")
    other = bytes(
        imagecodecs.jpeg8_encode(pixels, lossless=True, predictor=4, colorspace="RGB", outcolorspace="RGB")
    )

    assert read(as_rgb).is_ycbcr is False
    for stream, codec in ((as_rgb, "jpeg"), (full, "jpeg"), (other, "jpeg-lossless")):
        with pytest.raises(CodestreamBroken):
            check(stream, samples=3, codec=codec, **SHAPE)
    if read(as_ycc).is_ycbcr:
        with pytest.raises(CodestreamBroken):
            check(as_ycc, samples=3, codec="jpeg-lossless", **SHAPE)


@pytest.mark.parametrize("codec", ["jpeg", "jpeg-lossless"])
def test_a_cut_codestream_is_caught_wherever_it_was_cut(codec):
    stream = baseline(picture()) if codec == "jpeg" else lossless(picture())
    for end in [*range(700), *range(700, len(stream), 97), len(stream) - 1]:
        with pytest.raises(CodestreamBroken):
            check(stream[:end], samples=3, codec=codec, **SHAPE)


def test_what_follows_the_end_is_caught():
    stream = lossless(picture())
    for tail in (b"\0\0", b"\1", stream):
        with pytest.raises(CodestreamBroken):
            check(stream + tail, samples=3, codec="jpeg-lossless", **SHAPE)
