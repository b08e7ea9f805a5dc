"""The service engineer: a full disk, a read-only disk, a lost index, a stopped process, garbage in the data folder.

Whole boxes on small disks (tmpfs). What was acknowledged stays, health tells the truth, and the box goes on by
itself when the trouble ends.
"""

import http.client
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.box import Box, Refusal, until
from tests.loopback.peers import StoreScp
from tests.small_disk import SmallDisk, small_disk

ROLES = ("capture", "forward", "panel")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "box" / "data", 220) as small:
        yield small


def box_on(folder: Path, **words: Any) -> Box:
    return Box(folder, retention={"reserve_mb": 64}, **words)


def health(box: Box) -> dict[str, Any]:
    """Return /health, also when it says that nothing can be captured; empty while nobody answers."""
    try:
        answer: dict[str, Any] = json.loads(box.request("GET", "/health")[1])
    except (OSError, http.client.HTTPException):
        return {}
    return answer


def process(box: Box, name: str) -> dict[str, Any]:
    return next((line for line in health(box).get("processes", []) if line["name"] == name), {})


def recovers(box: Box) -> None:
    until("pictures to be taken again", lambda: health(box).get("can_capture"))


def refusal(call: Callable[[], object]) -> str:
    """Return the code with which a call is refused."""
    with pytest.raises(Refusal) as raised:
        call()
    return raised.value.code


def kept(box: Box, exam: str) -> list[str]:
    return sorted(capture["sop_instance_uid"] for capture in box.get(f"/exams/{exam}")["captures"])


def listed(box: Box, exam: str) -> list[str]:
    """Return what the box lists of an exam, nothing while it does not answer."""
    try:
        return kept(box, exam)
    except (Refusal, OSError, http.client.HTTPException):
        return []


def still(box: Box, exam: str) -> str:
    return str(box.still(exam)["sop_instance_uid"])


def insist(box: Box, exam: str) -> str:
    """Press until the box stores it; what it refuses meanwhile it must not store."""

    def press() -> str:
        try:
            return still(box, exam)
        except (Refusal, OSError, http.client.HTTPException):
            return ""

    return until("a picture to be stored", press)


def test_a_full_disk_is_said_and_the_box_goes_on_by_itself_when_there_is_room(
    disk: SmallDisk, tmp_path: Path
) -> None:
    with (
        StoreScp(tmp_path / "archive", "+xa") as archive,
        box_on(tmp_path / "box", destinations=[archive_of(archive)]) as box,
    ):
        exam = box.open_typed()
        stored = [still(box, exam) for _ in range(3)]
        disk.fill()
        assert refusal(lambda: box.still(exam)) == "disk-full"
        disk.fill()
        box.post(f"/captures/{stored[0]}/reject", {"reason": "x"})  # there is a reserve for that
        disk.fill()
        box.post(f"/captures/{stored[0]}/restore")
        report = health(box)
        assert (report["can_capture"], report["disk"]["state"]) == (False, "full")
        disk.make_room()
        stored.append(still(box, exam))

        clip = box.create(f"/exams/{exam}/clips")["clip"]
        time.sleep(0.8)  # the clip's length: some of it is flushed
        for role in ROLES:  # as a power cut and the next morning: a clip is to be closed, and there is no room
            box.kill(role)
        disk.fill()
        until("the clip to be closed on the full disk", lambda: listed(box, exam) == sorted([*stored, clip]))
        assert refusal(lambda: box.still(exam)) == "disk-full"
        waiting = box.running("capture")

        disk.make_room()
        recovers(box)
        assert box.pid("capture") == waiting, "it went on by itself, without another start"
        box.post(f"/captures/{stored[0]}/reject", {"reason": "x"})
        disk.fill()
        box.finish(exam)
        box.until_delivered(exam, 4)
        assert health(box)["disk"]["state"] == "full", "what leaves the box needs no room on it"
        assert archive.count() == 4


def archive_of(archive: StoreScp) -> dict[str, Any]:
    return {
        "name": "pacs",
        "ae_title": archive.ae_title,
        "host": "127.0.0.1",
        "port": archive.port,
        "commitment": False,
    }


def test_a_box_whose_disk_is_full_or_read_only_at_the_start_says_so_and_waits(
    disk: SmallDisk, tmp_path: Path
) -> None:
    box = box_on(tmp_path / "box")
    box.start()
    try:
        exam = box.open_typed()
        stored = [still(box, exam)]
        until("the reserve to be there", (box.data / "reserve").exists)
    finally:
        box.stop()
    for trouble, state in (("disk-full", "full"), ("disk-failed", "failed")):
        if state == "full":
            disk.fill()
        else:
            disk.read_only(on=True)
        try:
            box.start(wait=False)
            until("the panel to say it", lambda c=trouble: health(box).get("disk", {}).get("code") == c)
            assert health(box)["disk"]["state"] == state
            status, page = front_page(box)
            # On a full disk the reserve lets everything begin; on one that is read-only nothing does.
            assert (status, trouble.encode() in page) == (200 if state == "full" else 503, True)
            # The panel may be there before the recorder is.
            until("a press to be refused for the disk", lambda c=trouble: refusal(lambda: box.still(exam)) == c)
            if state == "full":
                disk.make_room()
            else:
                disk.read_only(on=False)
            recovers(box)
            assert kept(box, exam) == sorted(stored)
            stored.append(insist(box, exam))
        finally:
            box.stop()


def front_page(box: Box) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", box.port, timeout=10)
    try:
        connection.request("GET", "/")
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_an_index_that_is_deleted_or_overwritten_while_the_box_runs_is_made_anew(tmp_path: Path) -> None:
    with box_on(tmp_path / "box") as box:
        exam = box.open_typed()
        stored = [still(box, exam), *box.clip(exam, 0.3)]
        for path in box.data.glob("scopegate.db*"):
            path.unlink()
        stored.append(insist(box, exam))
        for name in ("scopegate.db", "scopegate.db-wal"):
            path = box.data / name
            until("the index that is made anew", path.exists)  # a still is stored without it
            with path.open("r+b") as file:
                file.write(random.Random(1).randbytes(path.stat().st_size))
        stored.append(insist(box, exam))
        recovers(box)
        until("every picture to be listed", lambda: kept(box, exam) == sorted(stored))
        assert [c["instance_number"] for c in box.get(f"/exams/{exam}")["captures"]] == [1, 2, 3, 4]
        box.finish(exam)
        assert box.get(f"/exams/{exam}")["state"] in {"finished", "released"}


def test_a_recorder_that_stands_still_is_said_and_comes_back(tmp_path: Path) -> None:
    with box_on(tmp_path / "box") as box:
        exam = box.open_typed()
        stored = [still(box, exam)]
        capture = box.running("capture")
        os.kill(capture, signal.SIGSTOP)
        try:
            assert refusal(lambda: box.still(exam)) == "recorder-gone"
            until("health to say it", lambda: process(box, "capture").get("state") == "gone")
        finally:
            os.kill(capture, signal.SIGCONT)
        recovers(box)
        stored.append(still(box, exam))
        assert kept(box, exam) == sorted(stored)
        assert box.pid("capture") == capture


def test_a_second_box_on_the_same_data_does_nothing_and_a_killed_one_leaves_no_process(tmp_path: Path) -> None:
    with box_on(tmp_path / "box") as box:
        exam = box.open_typed()
        pids = {role: box.running(role) for role in ROLES}
        second = subprocess.Popen(
            [sys.executable, "-m", "gateway", "run", "--config", str(box.config)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            assert second.stdout
            said = b""
            while said.count(b"[spool-locked]") < len(ROLES):
                said += second.stdout.readline()
            assert all(f"process {pid}".encode() in said for pid in pids.values())
        finally:
            second.terminate()
            second.communicate(timeout=30)
        assert {role: box.pid(role) for role in ROLES} == pids
        stored = [still(box, exam)]

        assert box._process
        box._process.kill()
        box._process.wait()
        until("its children to end", lambda: not any(alive(pid) for pid in pids.values()))
        box.start()
        assert kept(box, exam) == stored


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_kills_in_the_middle_of_starting_and_garbage_in_the_folder_cost_no_picture(tmp_path: Path) -> None:
    dice = random.Random(7)
    box = box_on(tmp_path / "box")
    with box:
        hurt = box.open_typed("Hurt^Ann", "H1")
        of_hurt = [still(box, hurt) for _ in range(2)]
        box.finish(hurt)
        exam = box.open_typed()
        stored = [still(box, exam) for _ in range(4)]
        stored.append(box.create(f"/exams/{exam}/clips")["clip"])
        time.sleep(0.8)  # the clip's length
        for role in ROLES:
            box.kill(role)
    folder = box.data / "exams" / exam
    for name in ("2.25.1.ljpg.part", "2.25.2.json.part", "2.25.3.frames.part", "2.25.4.ljpg", "exam.json.part"):
        (folder / name).write_bytes(dice.randbytes(999))
    (folder / "2.25.5.json").write_bytes(b'{"exam": ')
    (folder / "2.25.6.seal").write_bytes(b"")
    (box.data / "exams" / "nonsense").mkdir()
    (box.data / "exams" / "nonsense" / "exam.json").write_bytes(b"\0" * 50)
    (box.data / "scopegate.db.new").write_bytes(b"half of an index")
    killed = 0
    for _ in range(4):
        box.start(wait=False)
        until("a process to begin", lambda: any(box.pid(role) for role in ROLES))
        time.sleep(dice.uniform(0.0, 0.5))  # the random moment
        for role in ROLES:
            if pid := box.pid(role):
                os.kill(pid, signal.SIGKILL)
                killed += 1
        box.stop()
    # The index knows the other exam still; a rebuild could not.
    (box.data / "exams" / hurt / "exam.json").write_bytes(b"")
    (box.data / "exams" / hurt / f"{of_hurt[0]}.json").write_bytes(b"\0" * 300)
    with box:
        assert kept(box, exam) == sorted(stored)
        assert box.get(f"/exams/{exam}")["patient"]["id"] == "P1"
        assert kept(box, hurt) == sorted(of_hurt)
        assert box.get(f"/exams/{hurt}")["patient"]["id"] == "H1"
        stored.append(insist(box, exam))
        numbers = [capture["instance_number"] for capture in box.get(f"/exams/{exam}")["captures"]]
        assert numbers == sorted(set(numbers))
        assert {path.name for path in folder.glob("*.part")} <= {"exam.json.part"}  # of who changes the exam next
    assert killed
    print(f"\n{killed} processes killed while they started; {len(stored)} pictures kept")
