"""Two patients back to back under load: no picture of before an exam's opening is in it."""

import threading
import uuid
from itertools import pairwise
from pathlib import Path

import imagecodecs

from hardware.sources import counter
from tests.box import Box, Refusal

Stored = tuple[str, str, int]  # exam, SOP Instance UID, frame


def press_without_end(box: Box, stop: threading.Event, exams: list[str], stored: list[Stored]) -> None:
    """Press for the exam that was opened last, as fast as answers come."""
    while not stop.is_set():
        exam = exams[-1]
        try:
            answer = box.post(f"/exams/{exam}/stills", {"request_id": str(uuid.uuid4())})
        except Refusal:
            continue
        stored.append((exam, str(answer["sop_instance_uid"]), int(str(answer["frame"]))))


def test_no_picture_taken_before_an_exam_opened_is_stored_in_it(tmp_path: Path) -> None:
    stop = threading.Event()
    stored: list[Stored] = []
    with Box(tmp_path) as box:
        exams = [box.open_typed(patient_id="P0")]
        pressing = [
            threading.Thread(target=press_without_end, args=(box, stop, exams, stored), name=f"press-{n}")
            for n in range(2)
        ]
        for thread in pressing:
            thread.start()
        newest: dict[str, int] = {}
        for number in range(1, 5):
            before = len(stored)
            while len(stored) < before + 3:
                stop.wait(0.01)
            newest[exams[-1]] = max(frame for _, _, frame in stored)  # seen before the next exam opened
            exams.append(box.open_typed(patient_id=f"P{number}", close_open=True))
        stop.set()
        for thread in pressing:
            thread.join(60)
        taken = {e: box.get(f"/exams/{e}") for e in exams}
    assert len(stored) >= 12
    for earlier, later in pairwise(exams):
        opened = taken[later]["opened_at"]
        for capture in taken[later]["captures"]:
            assert capture["taken_at"] >= opened
            assert capture["frame"] > newest[earlier]
            (media,) = box.data.glob(f"exams/{later}/{capture['sop_instance_uid']}.ljpg")
            painted = counter.read(imagecodecs.jpeg8_decode(media.read_bytes()))
            assert painted is not None
            assert painted + 1 == capture["frame"] & 0xFFFFFFFF
    for exam, uid, _ in stored:
        assert uid in {c["sop_instance_uid"] for c in taken[exam]["captures"]}
