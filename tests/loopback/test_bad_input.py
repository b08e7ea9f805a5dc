"""What goes wrong outside the box: it says so, says what to do, and what was acknowledged is still there."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.box import Box, Refusal, until
from tests.loopback.peers import StoreScp
from tests.loopback.whole_box import as_destination
from tests.small_disk import MB, small_disk


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gateway", *words], capture_output=True, text=True, check=False, timeout=60
    )


def test_every_mistake_of_a_configuration_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "scopegate.toml"
    file.write_text(
        'config_version = 1\n[station]\nae_title = "MUCH_TOO_LONG_FOR_A_TITLE"\nnmae = "x"\n'
        '[panel]\nlisten = "0.0.0.0:8080"\n[[source]]\nname = "us"\ndevice = "v4l2:/dev/video0"\n'
        'station_ae_title = "X"\n',
        encoding="utf-8",
    )
    for words in (("config", "check", str(file)), ("run", "--config", str(file))):
        answer = command(*words)
        assert answer.returncode == 2
        for line in (3, 4, 6, 10):
            assert f"{file}:{line}: " in answer.stderr
        assert "not in this version" in answer.stderr
        assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("content", [b"", b"this is no video", b"\x00" * 100_000])
def test_a_file_that_is_no_video_is_a_clear_state_and_stores_nothing(tmp_path: Path, content: bytes) -> None:
    video = tmp_path / "clip.mp4"
    video.write_bytes(content)
    box = Box(tmp_path / "box", sources=[{"name": "us", "device": f"file:{video}", "modality": "US"}])
    box.start(wait=False)
    try:
        until("the panel to answer", lambda: answers(box))
        status, _ = until("the source's state", lambda: state_of(box, "refused"))
        assert status == 503
        exam = box.open_typed()
        with pytest.raises(Refusal) as refused:
            box.still(exam)
        assert (refused.value.status, refused.value.code) == (503, "no-signal")
        assert refused.value.body["action"]
    finally:
        box.stop()


def test_a_source_that_vanishes_and_returns_costs_no_capture(tmp_path: Path) -> None:
    video, away = tmp_path / "clip.mkv", tmp_path / "away.mkv"
    make = ["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25", "-frames:v", "12", "-c:v", "ffv1", str(video)]
    subprocess.run(["ffmpeg", "-v", "error", *make], check=True, timeout=60)
    with Box(tmp_path / "box", sources=[{"name": "us", "device": f"file:{video}", "modality": "US"}]) as box:
        exam = box.open_typed()
        before = box.still(exam)["sop_instance_uid"]
        video.rename(away)
        until("the source to be missing", lambda: state_of(box, "missing"))
        with pytest.raises(Refusal) as refused:
            box.still(exam)
        assert refused.value.code == "no-signal"
        away.rename(video)
        until("the source to be back", lambda: state_of(box, "live"))
        after = box.still(exam)["sop_instance_uid"]
        assert [c["sop_instance_uid"] for c in box.get(f"/exams/{exam}")["captures"]] == [before, after]


def test_a_worklist_server_that_is_down_leaves_the_box_usable(tmp_path: Path) -> None:
    nobody = {"name": "ris", "ae_title": "RIS", "host": "127.0.0.1", "port": 9}
    with Box(tmp_path, worklists=[nobody]) as box:
        answer = box.post("/worklist/refresh")
        assert answer["items"] == []
        assert answer["stale"]
        exam = str(box.create("/exams", {"emergency": True})["id"])
        assert box.still(exam)["sop_instance_uid"]


def press_until_refused(box: Box, exam: str) -> tuple[list[str], Refusal]:
    """Take stills until one is refused; return those that were acknowledged and the refusal."""
    stored: list[str] = []
    for _ in range(60):
        try:
            stored.append(box.still(exam)["sop_instance_uid"])
        except Refusal as refusal:
            return stored, refusal
    raise AssertionError("the disk did not become full")


def test_a_full_disk_refuses_new_pictures_and_keeps_the_old(tmp_path: Path) -> None:
    with StoreScp(tmp_path / "archive", "+xa") as archive, small_disk(tmp_path / "box" / "data", 700) as disk:
        with Box(tmp_path / "box", destinations=[as_destination("pacs", archive)]) as box:
            exam = box.open_typed()
            until("the reserve to be made", lambda: "reserve_renewed" in box.log.read_text(encoding="utf-8"))
            disk.fill(leave=30 * MB)
            stored, refusal = press_until_refused(box, exam)
            assert (refusal.status, refusal.code) == (507, "disk-full")
            assert "NOT stored" in refusal.body["detail"]
            assert len(stored) > 2
            assert [c["sop_instance_uid"] for c in box.get(f"/exams/{exam}")["captures"]] == stored
            assert box.request("GET", "/health")[0] == 503
            disk.make_room()
            again = box.still(exam)["sop_instance_uid"]
            box.finish(exam)
            box.until_delivered(exam, len(stored) + 1)
        assert {file.name.split(".", 1)[1] for file in archive.received.iterdir()} == {*stored, again}


def test_what_a_destination_refuses_waits_for_a_person_and_is_sent_when_it_may(
    tmp_path: Path, archive_of_implicit: StoreScp
) -> None:
    with Box(tmp_path, destinations=[as_destination("pacs", archive_of_implicit)]) as box:
        exam = box.open_typed()
        (clip,) = box.clip(exam, 0.5)
        box.finish(exam)
        box.until_delivered(exam, 1, state="held")
        (held,) = box.deliveries(exam)
        assert held["sop_instance_uid"] == clip
        listed = command("queue", "list", "--config", str(box.config))
        assert "no-context" in listed.stdout
        assert listed.returncode == 0
        box.post(f"/deliveries/{held['id']}/release")
        until("it to be refused again", lambda: box.log.read_text(encoding="utf-8").count("delivery_held") == 2)
        until("it to be held again", lambda: box.deliveries(exam)[0]["state"] == "held")


def answers(box: Box) -> bool:
    try:
        return bool(box.request("GET", "/health"))
    except OSError:
        return False


def state_of(box: Box, wanted: str) -> tuple[int, dict[str, object]] | None:
    """Return the health's status and body once the source is in the wanted state."""
    status, content = box.request("GET", "/health")
    body = json.loads(content)
    states = [source["state"] for source in body["sources"]]
    return (status, body) if states == [wanted] else None
