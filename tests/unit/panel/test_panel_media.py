"""Stills of every codec can be looked at, and handed out as recorded, before and after they were sealed."""

import numpy as np
import pytest
import simplejpeg

from gateway.panel.pictures.media import as_recorded, frames_in_object
from gateway.panel.pictures.small import viewable, viewed
from tests.dicom_samples import CODECS, clip, encoded, exam, picture, seal, still


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("codec", CODECS)
def test_a_sealed_still_of_every_codec_is_found_again(tmp_path, codec, samples):
    record, (stream,) = still(codec=codec, samples=samples, rows=49, columns=51)
    frames = frames_in_object(seal(tmp_path / "o.dcm", exam(), record, [stream]))

    ((prefix, offset, length),) = as_recorded(frames, record)
    assert (prefix, frames.path.read_bytes()[offset : offset + length]) == (b"", stream)
    for content in (stream, frames.read(0)):
        seen = simplejpeg.decode_jpeg(viewable(content, record, width=640), "GRAY" if samples == 1 else "RGB")
        wanted = picture(49, 51, samples)
        assert np.abs(seen.reshape(wanted.shape).astype(int) - wanted).mean() < 12


def test_a_clip_that_became_h264_shows_its_frames_and_is_handed_out_as_mp4(tmp_path):
    made, (stream,) = encoded(frames=4)
    recorded, streams = clip(frames=4)
    frames = frames_in_object(seal(tmp_path / "o.dcm", exam(), made, [stream]))
    assert frames.film
    ((prefix, offset, length),) = as_recorded(frames, recorded)
    assert (prefix, frames.path.read_bytes()[offset : offset + length]) == (b"", stream)
    for number in (4, 1):
        seen = simplejpeg.decode_jpeg(viewed(frames, recorded, number, 640), "GRAY").astype(int)
        assert np.abs(seen - simplejpeg.decode_jpeg(streams[number - 1], "GRAY")).mean() < 12
