import imagecodecs
import pytest
import simplejpeg

from gateway.dicom.codestream import check, own, read
from gateway.errors import CodestreamBroken
from tests.dicom_samples import CODECS, jpeg_ls, lossless, picture

SHAPE = {"rows": 48, "columns": 51}
COMPRESSED = ["jpeg", "jpeg-lossless", "jpeg-ls"]


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("codec", COMPRESSED)
def test_a_codestream_says_what_its_record_says(codec, samples):
    stream = CODECS[codec](picture(samples=samples))
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
        {"codec": "jpeg-ls"},
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
    other = bytes(
        imagecodecs.jpeg8_encode(pixels, lossless=True, predictor=4, colorspace="RGB", outcolorspace="RGB")
    )

    assert read(as_rgb).is_ycbcr is False
    for stream, codec in ((as_rgb, "jpeg"), (other, "jpeg-lossless")):
        with pytest.raises(CodestreamBroken):
            check(stream, samples=3, codec=codec, **SHAPE)
    if read(as_ycc).is_ycbcr:
        with pytest.raises(CodestreamBroken):
            check(as_ycc, samples=3, codec="jpeg-lossless", **SHAPE)


@pytest.mark.parametrize("codec", COMPRESSED)
def test_a_cut_codestream_is_caught_wherever_it_was_cut(codec):
    stream = CODECS[codec](picture())
    for end in [*range(700), *range(700, len(stream), 97), len(stream) - 1]:
        with pytest.raises(CodestreamBroken):
            check(stream[:end], samples=3, codec=codec, **SHAPE)


def test_what_follows_the_end_is_caught():
    stream = lossless(picture())
    for tail in (b"\0\0", b"\1", stream):
        with pytest.raises(CodestreamBroken):
            check(stream + tail, samples=3, codec="jpeg-lossless", **SHAPE)


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("codec", CODECS)
def test_the_own_bytes_of_a_picture_are_those_that_were_captured(codec, samples):
    stream = CODECS[codec](picture(samples=samples))
    for padded in (stream, stream + b"\0"):
        assert own(padded, samples=samples, codec=codec, **SHAPE) == stream
    for wrong in (stream[:-1], stream + b"\1", stream + b"\0\0"):
        with pytest.raises(CodestreamBroken):
            own(wrong, samples=samples, codec=codec, **SHAPE)


def test_a_jpeg_ls_that_lost_something_or_changed_its_colours_is_caught():
    near = bytes(imagecodecs.jpegls_encode(picture(), level=2))
    assert read(near).near == 2
    good = jpeg_ls(picture())
    as_hp3 = good[:2] + b"\xff\xe8\x00\x07mrfx\x03" + good[2:]
    assert read(as_hp3).transformed
    as_ycc = good[:2] + b"\xff\xee\x00\x0eAdobe\x00\x64\0\0\0\0\1" + good[2:]
    for stream in (near, as_hp3, as_ycc):
        with pytest.raises(CodestreamBroken):
            check(stream, samples=3, codec="jpeg-ls", **SHAPE)


def test_a_jpeg_ls_of_one_scan_for_each_colour_is_read_to_its_end():
    """Every scan says for itself how much it may lose."""
    good, grey = jpeg_ls(picture()), jpeg_ls(picture(samples=1))
    start = grey.index(b"\xff\xda")
    head = good[: good.index(b"\xff\xda")]
    scans = [b"\xff\xda\x00\x08\x01" + bytes((number, 0, near, 0, 0)) for number, near in ((1, 0), (2, 0), (3, 1))]
    body = grey[start + 10 : -2]
    stream = head + b"".join(scan + body for scan in scans) + b"\xff\xd9"
    assert read(stream).near == 1
    assert read(stream).length == len(stream)


@pytest.mark.parametrize("sampling", ["444", "440", "422", "420"])
def test_a_device_s_own_jpeg_passes_however_it_samples_colours(sampling):
    stream = simplejpeg.encode_jpeg(picture(), 90, "RGB", sampling)
    assert own(stream, samples=3, codec="jpeg", **SHAPE) == stream


def test_a_jpeg_whose_colours_are_finer_than_its_light_is_caught():
    stream = bytearray(simplejpeg.encode_jpeg(picture(), 90, "RGB", "444"))
    at = stream.index(b"\xff\xc0") + 11
    assert stream[at] == 0x11
    stream[at + 3] = 0x21
    with pytest.raises(CodestreamBroken, match="sampled"):
        check(bytes(stream), samples=3, codec="jpeg", **SHAPE)
