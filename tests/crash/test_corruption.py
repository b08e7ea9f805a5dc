"""Bytes that the disk gave back wrong, an index that is half there: an alarm, and nothing lost or sent wrongly.

Whole boxes. Files are damaged while the box is off, as a bad card does it; the next start has to notice.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest

from tests.box import Box, until
from tests.loopback.peers import StoreScp, free_port

ROLES = ("capture", "forward", "panel")


def flip(path: Path, what: bytes, *, bit: int = 0x01) -> None:
    """Change one bit: of the first letter of `what`."""
    content = bytearray(path.read_bytes())
    content[content.index(what)] ^= bit
    path.write_bytes(content)


def flip_in_the_middle(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def still(box: Box, exam: str) -> str:
    return str(box.still(exam)["sop_instance_uid"])


def listed(box: Box, exam: str) -> set[str]:
    return {capture["sop_instance_uid"] for capture in box.get(f"/exams/{exam}")["captures"]}


def states(box: Box, exam: str) -> dict[str, tuple[str, str]]:
    """Return state and code of each picture's delivery."""
    found = {}
    for capture in box.get(f"/exams/{exam}")["captures"]:
        for delivery in capture["deliveries"]:
            found[capture["sop_instance_uid"]] = (delivery["state"], delivery["code"])
    return found


def arrived(archive: StoreScp) -> dict[str, str]:
    """Return the PatientID of everything that arrived."""
    files = {file.name.split(".", 1)[1]: file for file in archive.received.iterdir()}
    return {uid: str(pydicom.dcmread(file, stop_before_pixels=True).PatientID) for uid, file in files.items()}


def sealed(box: Box, exam: str) -> bool:
    folder = box.data / "exams" / exam
    return len(list(folder.glob("*.seal"))) == len(listed(box, exam)) and not list(folder.glob("*.ljpg"))


def destination(port: int) -> dict[str, Any]:
    return {"name": "pacs", "ae_title": "STORESCP", "host": "127.0.0.1", "port": port, "commitment": False}


def health(box: Box) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(box.request("GET", "/health")[1])
    return answer


def check(box: Box) -> tuple[int, str]:
    """Run `scopegate spool check`."""
    words = [sys.executable, "-m", "gateway", "spool", "check", "--config", str(box.config)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


def killed(box: Box) -> None:
    """End all at once, as a power cut does for those who look at the index's log."""
    for role in ROLES:
        box.kill(role)
    box.stop()


def exam_of(box: Box, patient_id: str, count: int = 2, **more: Any) -> tuple[str, list[str]]:
    exam = box.open_typed(f"Test^{patient_id}", patient_id, **more)
    return exam, [still(box, exam) for _ in range(count)]


def test_a_flipped_bit_is_found_before_it_does_harm_wherever_it_is(tmp_path: Path) -> None:
    port = free_port()
    box = Box(tmp_path / "box", destinations=[destination(port)])
    with box:
        of_object, in_object = exam_of(box, "OBJ")
        box.finish(of_object)
        of_seal, in_seal = exam_of(box, "SEAL")
        box.finish(of_seal)
        for exam in (of_object, of_seal):
            until("the objects to be sealed", lambda e=exam: sealed(box, e))
        of_sidecar, in_sidecar = exam_of(box, "SIDE")
        of_exam, in_exam = exam_of(box, "EXAM", close_open=True)  # the one before it waits for a person
        assert box.get(f"/exams/{of_sidecar}")["please_check"]
        killed(box)

    exams = box.data / "exams"
    flip_in_the_middle(exams / of_object / f"{in_object[0]}.dcm")
    flip(exams / of_seal / f"{in_seal[0]}.seal", b'"sha256": "'[1:])
    flip(exams / of_sidecar / f"{in_sidecar[0]}.json", b"Test^SIDE")
    flip(exams / of_exam / "exam.json", b"EXAM")  # a letter of the PatientID: valid JSON, another person
    code, words = check(box)
    assert code == 1
    for damaged in (
        f"{in_object[0]}.dcm",
        f"{in_seal[0]}.dcm",
        f"{in_sidecar[0]}.json",
        f"exam_file_damaged exam={of_exam}",
    ):
        assert damaged in words
    assert "Test" not in words

    with StoreScp(tmp_path / "archive", "+xa", port=port) as archive, box:
        until("the good ones to arrive", lambda: archive.count() == 3)
        until(
            "the damaged one to be held", lambda: states(box, of_object)[in_object[0]] == ("held", "spool-damaged")
        )
        assert states(box, of_object)[in_object[1]] == ("sent", "")
        assert set(states(box, of_seal).values()) == {("sent", "")}, "its row knows what was sealed"
        (line,) = health(box)["destinations"]
        assert (line["state"], line["code"]) == ("held", "spool-damaged")
        assert "Call service" in line["what"]

        assert box.get(f"/exams/{of_exam}")["patient"]["id"] == "EXAM"
        assert box.get(f"/exams/{of_exam}")["please_check"], "a person looks at a patient that was damaged"
        for exam in (of_sidecar, of_exam):
            if exam == of_exam:
                box.finish(exam)
            box.post(f"/exams/{exam}/confirm")
            box.until_delivered(exam, 2)
        every = {"OBJ": in_object, "SEAL": in_seal, "SIDE": in_sidecar, "EXAM": in_exam}
        owners = {uid: patient for patient, uids in every.items() for uid in uids}
        del owners[in_object[0]]
        assert arrived(archive) == owners
        for exam, uids in ((of_object, in_object), (of_sidecar, in_sidecar), (of_exam, in_exam)):
            assert listed(box, exam) == set(uids)
        assert list((exams / of_exam).glob("exam.json.damaged"))
        assert list((exams / of_sidecar).glob(f"{in_sidecar[0]}.json.damaged"))


def cut_in_half(box: Box) -> None:
    path = box.data / "scopegate.db"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def log_cut_in_half(box: Box) -> None:
    path = box.data / "scopegate.db-wal"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def log_gone(box: Box) -> None:
    (box.data / "scopegate.db-wal").unlink()


def nothing_left(box: Box) -> None:
    (box.data / "scopegate.db").write_bytes(b"")


@pytest.mark.parametrize(
    ("harm", "rebuilt"), [(cut_in_half, True), (nothing_left, True), (log_gone, False), (log_cut_in_half, False)]
)
def test_an_index_that_is_half_there_costs_no_picture_and_nothing_goes_wrong(
    tmp_path: Path, harm: Callable[[Box], None], *, rebuilt: bool
) -> None:
    with StoreScp(tmp_path / "archive", "+xa") as archive:
        box = Box(tmp_path / "box", destinations=[destination(archive.port)])
        with box:
            first, in_first = exam_of(box, "FIRST")
            box.finish(first)
            box.until_delivered(first, 2)
            before = {file.name: file.read_bytes() for file in archive.received.iterdir()}
            second, in_second = exam_of(box, "SECOND", 3)
            box.post(f"/captures/{in_second[2]}/reject", {"reason": "blurred"})
            killed(box)
        harm(box)
        with box:
            assert listed(box, first) == set(in_first)
            assert listed(box, second) == set(in_second)
            assert box.get(f"/exams/{second}")["patient"]["id"] == "SECOND"
            in_second.append(still(box, second))
            numbers = [capture["instance_number"] for capture in box.get(f"/exams/{second}")["captures"]]
            assert numbers == [1, 2, 3, 4]
            box.finish(second)
            if box.get(f"/exams/{second}")["please_check"]:
                box.post(f"/exams/{second}/confirm")
            box.until_delivered(second, 3)
            if rebuilt:
                until("forward to have read its queue", lambda: states(box, first))
                assert set(states(box, first).values()) == {("held", "after-rebuild")}
                (line,) = health(box)["destinations"]
                assert (line["state"], line["code"]) == ("held", "after-rebuild")
                release(box)
            box.until_delivered(first, 2)
            owners = dict.fromkeys(in_first, "FIRST") | dict.fromkeys(in_second, "SECOND")
            del owners[in_second[2]]
            assert arrived(archive) == owners
            assert {name: (archive.received / name).read_bytes() for name in before} == before, (
                "sent again, changed"
            )


def release(box: Box) -> None:
    words = ["queue", "release", "--all", "after-rebuild", "--config", str(box.config)]
    subprocess.run([sys.executable, "-m", "gateway", *words], check=True, capture_output=True, timeout=60)
