"""Video files as sources: the stored still is the decoded frame, as the ffmpeg tool decodes it on its own.

`SCOPEGATE_CLIPS=FOLDER` adds every video file of a folder to the ones made here.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import dicom_checks
from tests.box import Box
from tests.loopback.peers import WlmScpfs
from tests.loopback.peers.items import worklist_item
from tests.loopback.whole_box import Archives, as_worklist, pixels_of, today

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
        "stream=width,height,nb_read_frames,pix_fmt,color_space",
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
    untagged = "bt709" if width >= 1280 or height > 576 else "bt601"
    matrix = {"bt470bg": "bt601", "smpte170m": "bt601", "bt709": "bt709"}.get(
        str(facts.get("color_space")), untagged
    )
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
def test_an_exam_of_a_video_file_reaches_every_archive_as_ffmpeg_decodes_it(
    tmp_path: Path, videos: Path, name: str, worklist_server: WlmScpfs, archives: Archives
) -> None:
    video = next((path for path in FOREIGN if path.name == name), videos / name)
    item = worklist_item(number=300, day=today())
    worklist_server.clear()
    worklist_server.add("item300", item)
    box = Box(
        tmp_path / "box",
        sources=[{"name": "us", "device": f"file:{video}", "modality": "US"}],
        worklists=[as_worklist(worklist_server)],
        destinations=archives.as_destinations(),
    )
    with box:
        exam = str(box.create("/exams", {"worklist_item": box.worklist_item(str(item.PatientID))})["id"])
        stills = [box.still(exam) for _ in range(3)]
        (clip,) = box.clip(exam, 1.0)
        box.finish(exam)
        box.until_delivered(exam, 11)
        box.until_delivered(exam, 1, state="held")
        held = [d for d in box.deliveries(exam) if d["state"] == "held"]
        assert [(d["destination"], d["sop_instance_uid"], d["code"]) for d in held] == [
            ("implicit", clip, "no-context")
        ]
    worst = max(difference_to_ffmpeg(video, still, archives) for still in stills)
    print(f"{name}: largest difference to ffmpeg {worst}")
    exact = str(probe(video)["pix_fmt"]).startswith(("bgr", "gbr", "gray", "rgb"))
    assert worst <= (0 if exact else 1)  # 1: the two round the same formula at different steps
    assert set(archives.orthanc.sop_instance_uids()) >= {clip, *(still["sop_instance_uid"] for still in stills)}
    assert dicom_checks.problems(archives.everything.file(clip)) == []


def difference_to_ffmpeg(video: Path, still: dict[str, Any], archives: Archives) -> int:
    """Return the largest difference of a received still to ffmpeg's decode of the same frame."""
    file = archives.everything.file(still["sop_instance_uid"])
    assert dicom_checks.problems(file) == []
    facts = probe(video)
    stored = pixels_of(file)
    index = ((still["frame"] & 0xFFFFFFFF) - 1) % int(str(facts["nb_read_frames"]))
    expected = decoded_by_ffmpeg(video, index, grey=str(facts["pix_fmt"]).startswith("gray"))
    assert stored.shape == expected.shape
    assert np.array_equal(pixels_of(archives.implicit.file(still["sop_instance_uid"])), stored)
    return int(np.abs(stored.astype(int) - expected).max())
