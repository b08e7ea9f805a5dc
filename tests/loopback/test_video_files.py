"""Video files as sources: the stored still is the decoded frame, as the ffmpeg tool decodes it on its own.

`SCOPEGATE_CLIPS=FOLDER` adds every video file of a folder to the ones made here.
"""

import json
import os
import subprocess
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.encaps import get_frame

from tests import dicom_checks
from tests.box import Box
from tests.loopback.peers import StoreScp
from tests.loopback.test_main_job import as_destination

# So that only the stated conversion differs: exact arithmetic, nearest chroma, the same matrix.
FLAGS = "neighbor+accurate_rnd+full_chroma_int+full_chroma_inp"
MADE = {
    # name: (ffmpeg's source, codec words): odd sizes, grey, subsampled chroma, a frame rate that is no round number
    "grey.mkv": ("testsrc2=size=322x242:rate=10", ["-pix_fmt", "gray", "-c:v", "ffv1"]),
    "yuv420.mp4": ("testsrc2=size=640x480:rate=25", ["-pix_fmt", "yuv420p", "-c:v", "libx264", "-g", "10"]),
    "hd.mkv": ("testsrc2=size=1280x720:rate=30000/1001", ["-pix_fmt", "yuv422p", "-c:v", "ffv1"]),
    "rgb.mkv": ("testsrc2=size=319x241:rate=15", ["-pix_fmt", "bgr0", "-c:v", "ffv1"]),
}
FOREIGN = sorted(
    path
    for path in Path(os.environ.get("SCOPEGATE_CLIPS", "/nonexistent")).glob("*")
    if path.suffix in {".avi", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg"}
)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for name, (source, codec) in MADE.items():
        command = [
            "ffmpeg",
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            source,
            "-frames:v",
            "40",
            *codec,
            str(folder / name),
        ]
        subprocess.run(command, check=True, timeout=60)
    return folder


def probe(video: Path) -> dict[str, object]:
    words = [
        "-select_streams",
        "v:0",
        "-count_frames",
        "-show_entries",
        "stream=width,height,nb_read_frames,pix_fmt",
    ]
    answer = subprocess.run(
        ["ffprobe", "-v", "error", *words, "-of", "json", str(video)], capture_output=True, check=True, timeout=60
    )
    (stream,) = json.loads(answer.stdout)["streams"]
    return dict(stream)


def decoded_by_ffmpeg(video: Path, index: int, *, grey: bool) -> np.ndarray:
    """Return one frame as the ffmpeg tool sees it."""
    facts = probe(video)
    width, height = int(str(facts["width"])), int(str(facts["height"]))
    matrix = "bt709" if width >= 1280 or height > 576 else "bt601"
    scale = f"scale=in_color_matrix={matrix}:flags={FLAGS}"
    picked = rf"select=eq(n\,{index}),{scale}"
    pixels = "gray" if grey else "rgb24"
    command = ["ffmpeg", "-v", "error", "-i", str(video), "-vf", picked, "-frames:v", "1", "-pix_fmt", pixels]
    answer = subprocess.run(
        [*command, "-f", "rawvideo", "-fps_mode", "passthrough", "-"], capture_output=True, check=True, timeout=60
    )
    shape = (height, width) if grey else (height, width, 3)
    return np.frombuffer(answer.stdout, np.uint8).reshape(shape)


@pytest.mark.parametrize("name", [*MADE, *(path.name for path in FOREIGN)])
def test_a_still_of_a_video_file_is_the_frame_that_ffmpeg_decodes(tmp_path: Path, videos: Path, name: str) -> None:
    video = next((path for path in FOREIGN if path.name == name), videos / name)
    facts = probe(video)
    grey = str(facts["pix_fmt"]).startswith("gray")
    source = {"name": "us", "device": f"file:{video}", "modality": "US"}
    with StoreScp(tmp_path / "archive", "+xa") as archive:
        with Box(tmp_path / "box", sources=[source], destinations=[as_destination("pacs", archive)]) as box:
            exam = box.open_typed()
            stills = [box.still(exam) for _ in range(3)]
            (clip,) = box.clip(exam, 1.0)
            box.finish(exam)
            box.until_delivered(exam, 4)
        worst = 0
        for still in stills:
            file = archive.file(still["sop_instance_uid"])
            data = pydicom.dcmread(file)
            stored = imagecodecs.jpeg8_decode(get_frame(data.PixelData, 0, number_of_frames=1))
            index = ((still["frame"] & 0xFFFFFFFF) - 1) % int(str(facts["nb_read_frames"]))
            expected = decoded_by_ffmpeg(video, index, grey=grey)
            assert stored.shape == expected.shape
            worst = max(worst, int(np.abs(stored.astype(int) - expected).max()))
            assert dicom_checks.problems(file) == []
        print(f"{name}: largest difference to ffmpeg {worst}")
        exact = grey or str(facts["pix_fmt"]).startswith(("bgr", "rgb", "gbr"))
        assert worst <= (0 if exact else 1)  # 1: the two round the same formula at different steps
        assert dicom_checks.problems(archive.file(clip)) == []
