import resource
import shutil
from fractions import Fraction
from pathlib import Path

import av
import av.video.format
import numpy as np
import pytest

from hardware.errors import DeviceMissing, DeviceRefused
from hardware.pixels import to_rgb
from hardware.sources import PixelFormat, Scan
from hardware.sources.decode import picture_of
from hardware.views import View, seen

ODD = (33, 25)
OPEN_FILES = Path("/proc/self/fd")


def first(play, path):
    return play(path).read(1.0)


@pytest.mark.parametrize("form", ["yuv420p", "yuv422p", "yuv444p", "yuv440p", "yuv411p", "yuva420p", "gray"])
def test_samples_come_as_decoded_also_of_odd_sizes(film, play, samples_of, form):
    path, written = film(form, size=ODD)
    source = play(path)
    for frame in written:
        picture = source.read(1.0)
        assert (picture.width, picture.height) == ODD
        assert picture.planes[0].shape == (25, 33)
        assert samples_of(picture) == frame[: picture.bytes]  # alpha comes last and is dropped
    assert picture.format is (PixelFormat.GRAY8 if form == "gray" else PixelFormat.PLANAR_YUV)


@pytest.mark.parametrize(("form", "bits"), [("yuv420p10le", 10), ("yuv422p12le", 12), ("gray16le", 16)])
def test_deep_samples_are_rounded_to_8_bits(film, play, samples_of, form, bits):
    path, written = film(form, size=ODD)
    deep = np.frombuffer(written[0], "<u2").astype(float)
    expected = np.minimum(np.floor(deep / 2 ** (bits - 8) + 0.5), 255).astype(np.uint8)
    assert samples_of(first(play, path)) == expected.tobytes()


def raw(film, form, size=(32, 24)):
    path, written = film(form, codec="rawvideo", name="film.nut", size=size)
    return path, np.frombuffer(written[0], np.uint8)


def test_interleaved_chroma_is_taken_apart(film, play):
    path, written = film("nv12", codec="rawvideo", name="film.nut")
    samples = np.frombuffer(written[0], np.uint8)
    picture = first(play, path)
    assert picture.planes[0].tobytes() == samples[: 32 * 24].tobytes()
    with av.open(path) as container:
        frame = next(container.decode(video=0))
        chroma = np.frombuffer(memoryview(frame.planes[1]), np.uint8).reshape(12, -1)[:, :32]
    assert np.array_equal(picture.planes[1], chroma[:, 0::2])
    assert np.array_equal(picture.planes[2], chroma[:, 1::2])


def test_packed_yuv_is_taken_apart(film, play):
    path, samples = raw(film, "yuyv422")
    picture = first(play, path)
    packed = samples.reshape(24, 16, 4)
    assert np.array_equal(picture.planes[0], packed[..., 0::2].reshape(24, 32))
    assert np.array_equal(picture.planes[1], packed[..., 1])
    assert np.array_equal(picture.planes[2], packed[..., 3])


@pytest.mark.parametrize(
    ("form", "order"), [("rgb24", (0, 1, 2)), ("bgr24", (2, 1, 0)), ("rgba", (0, 1, 2)), ("bgra", (2, 1, 0))]
)
@pytest.mark.parametrize("size", [(32, 24), ODD])
def test_rgb_in_any_order_becomes_rgb_without_its_alpha(film, play, form, order, size):
    path, samples = raw(film, form, size)
    picture = first(play, path)
    assert picture.format is PixelFormat.RGB24
    packed = samples.reshape(size[1], size[0], -1)
    assert np.array_equal(picture.planes[0], packed[..., order])


def test_planar_rgb_becomes_rgb(film, play):
    path, samples = raw(film, "gbrp", ODD)
    green, blue, red = samples.reshape(3, 25, 33)
    assert np.array_equal(first(play, path).planes[0], np.stack([red, green, blue], -1))


def test_palette_pictures_become_rgb(tmp_path, play, ffmpeg):
    path = tmp_path / "film.gif"
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=63x49:r=10:d=0.3", str(path))
    picture = first(play, path)
    assert picture.format is PixelFormat.RGB24
    command = ["-i", str(path), "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    assert picture.planes[0].tobytes() == ffmpeg(*command)


def test_a_limited_grey_stream_is_stretched_to_full_range(film, play):
    path, written = film("gray", tags=(2, 1))
    assert first(play, path).planes[0].min() == 0
    plain = np.frombuffer(written[0], np.uint8).astype(float)
    expected = np.clip(np.floor((plain - 16) * 255 / 219 + 0.5), 0, 255)
    assert np.array_equal(first(play, path).planes[0].reshape(-1), expected)


@pytest.mark.parametrize(
    ("size", "tags", "meaning"),
    [
        ((64, 48), (2, 0), ("bt601", False)),
        ((1280, 16), (2, 0), ("bt709", False)),
        ((16, 576), (2, 0), ("bt601", False)),
        ((16, 578), (2, 0), ("bt709", False)),
        ((64, 48), (1, 1), ("bt709", False)),
        ((1280, 16), (6, 2), ("bt601", True)),
        ((64, 48), (9, 1), ("bt2020", False)),
    ],
)
def test_matrix_and_range_follow_the_tags_else_the_size(film, play, size, tags, meaning):
    path, _ = film("yuv420p", size=size, tags=tags, times=(0,))
    picture = first(play, path)
    assert (picture.matrix, picture.full_range) == meaning
    assert to_rgb(picture).shape == (size[1], size[0], 3)


def test_full_range_video_of_an_old_mjpeg_camera_is_full_range(film, play):
    path, _ = film("yuvj422p", codec="mjpeg")
    assert first(play, path).full_range


def test_colours_coded_in_an_unknown_way_are_refused(film, play):
    path, _ = film("yuv444p", codec="libx264", tags=(8, 1))
    with pytest.raises(DeviceRefused, match=r"BT\.709"):
        play(path)


@pytest.mark.parametrize("codec", ["mpeg2video", "libx264"])
def test_a_film_of_fields_says_which_came_first_and_what_shape_its_pixels_have(tmp_path, ffmpeg, play, codec):
    path = tmp_path / "film.mkv"
    bars = ["-f", "lavfi", "-i", "testsrc=size=704x576:rate=50", "-frames:v", "2"]
    for first_field, scan in (("tff", Scan.TOP_FIRST), ("bff", Scan.BOTTOM_FIRST)):
        filters = ["-vf", f"interlace=scan={first_field},setsar=12/11", "-pix_fmt", "yuv420p"]
        ffmpeg("-y", *bars, *filters, "-c:v", codec, "-flags", "+ilme+ildct", str(path))
        picture = play(path).read(1.0)
        assert picture.scan is scan
        assert picture.pixel_aspect == Fraction(12, 11)
        made = seen(picture, View())
        assert (made.width, made.height, made.scan) == (768, 576, Scan.PROGRESSIVE)


@pytest.mark.parametrize("form", ["nv16", "nv24", "nv42"])
def test_interleaved_chroma_of_any_sampling_stays_colour(form):
    frame = av.VideoFrame(32, 24, form)
    samples = np.random.default_rng(1)
    for plane in frame.planes:
        plane.update(samples.integers(0, 256, plane.buffer_size, dtype=np.uint8).tobytes())
    luma, *chroma = picture_of(frame, counter=0, time_ns=0).planes
    lines = [np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[:24] for plane in frame.planes]
    assert np.array_equal(luma, lines[0][:, :32])
    pairs = lines[1][:, : 2 * chroma[0].shape[1]]
    if form == "nv42":
        chroma.reverse()
    assert np.array_equal(pairs[:, 0::2], chroma[0])
    assert np.array_equal(pairs[:, 1::2], chroma[1])


def test_pixels_of_any_kind_become_a_picture_or_are_refused():
    refused = set()
    for form in sorted(av.video.format.names):
        try:
            frame = av.VideoFrame(33, 25, form)
        except ValueError:
            continue  # lives in a graphics card
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        try:
            assert to_rgb(picture_of(frame, counter=0, time_ns=0)).shape == (25, 33, 3)
        except DeviceRefused:
            refused.add(form)
    assert len(refused) < 40
    assert not refused & {"gray10be", "yuv420p10be", "p010le", "nv24", "gbrp16le", "rgb565le", "ya8", "monob"}


# --- time --------------------------------------------------------------------------------------------------


def test_a_file_plays_by_its_own_times_and_goes_round_without_a_jump(film, play, clock):
    path, _ = film("gray", times=(0, 40, 200, 210))
    source = play(path)
    start = clock.boottime_ns()
    pictures = [source.read(1.0) for _ in range(9)]
    assert [picture.counter for picture in pictures] == list(range(9))
    after = [round((picture.time_ns - start) / 1e6) for picture in pictures]
    assert after == [0, 40, 200, 210, 250, 290, 450, 460, 500]
    assert all(picture.time_ns <= clock.boottime_ns() for picture in pictures)
    assert pictures[8].planes[0].tobytes() == pictures[0].planes[0].tobytes()


def test_times_that_run_backwards_or_far_ahead_in_the_file_do_not_stop_the_picture(film, play):
    path, _ = film("gray", times=(0, 40, 3_600_000, 3_600_040))
    source = play(path)
    times = [source.read(1.0).time_ns for _ in range(8)]
    steps = np.diff(times) / 1e6
    assert steps.min() > 0
    assert steps.max() <= 40.1


def test_a_read_ends_when_its_time_is_up_and_loses_nothing(film, play, clock):
    path, _ = film("gray", times=(0, 2_000, 4_000))
    source = play(path)
    source.read(1.0)
    before = clock.boottime_ns()
    assert source.read(0.5) is None
    assert clock.boottime_ns() - before == pytest.approx(0.5e9, abs=1000)
    assert source.read(2.0).counter == 1


def test_a_reader_that_was_away_goes_on_now_and_sees_the_gap(film, play, clock):
    path, _ = film("gray")
    source = play(path)
    source.read(1.0)
    clock.move(10)
    picture = source.read(1.0)
    assert picture.counter == pytest.approx(250, abs=2)
    assert picture.time_ns == clock.boottime_ns()
    assert source.read(1.0).counter == picture.counter + 1


def test_a_picture_stays_whole_after_the_file_was_closed(film, play, samples_of):
    path, written = film("yuv420p")
    source = play(path)
    picture = source.read(1.0)
    source.close()
    source.close()
    assert samples_of(picture) == written[0]
    with pytest.raises(DeviceMissing):
        source.read(1.0)


def test_opening_again_starts_from_0(film, play, samples_of):
    path, written = film("gray")
    source = play(path)
    source.read(1.0)
    source.read(1.0)
    source.open()
    picture = source.read(1.0)
    assert (picture.counter, samples_of(picture)) == (0, written[0])


def test_many_rounds_need_no_more_memory_or_files(film, play):
    path, _ = film("yuv420p", size=(160, 120), times=(0, 40))
    source = play(path)
    for _ in range(40):
        source.read(1.0)
    memory, files = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, len(list(OPEN_FILES.iterdir()))
    for _ in range(300):
        source.read(1.0)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 5_000  # KiB; 150 rounds decode 8 MB
    assert len(list(OPEN_FILES.iterdir())) == files


# --- files that are not what they should be ------------------------------------------------------------------


def test_a_missing_file_is_missing(tmp_path, play):
    with pytest.raises(DeviceMissing, match="check its name"):
        play(tmp_path / "none.mp4")


@pytest.mark.parametrize("content", [b"", b"\0" * 5000, b"This is a letter.\n" * 50])
def test_a_file_that_is_no_video_is_refused(tmp_path, play, content):
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    with pytest.raises(DeviceRefused, match="check that it plays on a PC"):
        play(path)


def test_a_folder_is_refused(tmp_path, play):
    with pytest.raises(DeviceRefused, match="not a file"):
        play(tmp_path)


def test_a_file_with_sound_alone_is_refused(tmp_path, play, ffmpeg):
    path = tmp_path / "sound.wav"
    ffmpeg("-f", "lavfi", "-i", "sine=d=0.1", str(path))
    with pytest.raises(DeviceRefused, match="no video"):
        play(path)


def test_a_playlist_cannot_reach_the_network(tmp_path, play):
    path = tmp_path / "film.m3u8"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises((DeviceRefused, DeviceMissing)):
        play(path)


def test_an_mp4_without_its_end_is_refused(film, play):
    path, _ = film("yuv420p", codec="libx264", name="film.mp4", size=(64, 48))
    path.write_bytes(path.read_bytes()[:-900])
    with pytest.raises(DeviceRefused, match="copy it again"):
        play(path)


def test_a_video_without_one_good_picture_is_refused(film, play):
    path, _ = film("yuv420p", codec="libx264", size=(64, 48))
    content = bytearray(path.read_bytes())
    clusters = content.index(bytes.fromhex("1f43b675"))
    content[clusters + 40 :] = bytes(len(content) - clusters - 40)
    path.write_bytes(content)
    with pytest.raises(DeviceRefused, match="No picture"):
        play(path)


def test_what_is_whole_of_a_file_cut_short_is_played_again_and_again(film, play, samples_of):
    path, written = film("gray", size=(64, 48), times=(0, 40, 80, 120))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])
    source = play(path)
    pictures = [source.read(1.0) for _ in range(8)]
    assert {samples_of(picture) for picture in pictures} == set(written[:2])
    assert all(np.diff([picture.time_ns for picture in pictures]) > 0)


def test_a_file_that_vanishes_while_it_plays_is_missing_at_its_next_round(film, play):
    path, written = film("gray")
    source = play(path)
    source.read(1.0)
    path.unlink()
    for _ in written[1:]:
        source.read(1.0)
    with pytest.raises(DeviceMissing, match="plugged in"):
        source.read(1.0)
    with pytest.raises(DeviceMissing, match="plugged in"):
        source.open()


def test_a_file_that_was_replaced_by_rubbish_is_refused_at_its_next_round(film, play, tmp_path):
    path, written = film("gray")
    source = play(path)
    other = tmp_path / "other"
    other.write_bytes(b"rubbish")
    shutil.move(other, path)
    for _ in written:
        source.read(1.0)
    with pytest.raises(DeviceRefused):
        source.read(1.0)
