"""Whatever people do at the same time: each picture stays in its exam and leaves under the name of its patient."""

import http.client
import random
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from pydicom import dcmread

from tests.box import Box, Refusal, until
from tests.loopback.peers import FaultArchive

SECONDS = 8.0
ENOUGH = 20  # pictures
EXPECTED = {  # what people are told when they come too late or too early
    "bad-value", "busy", "capture-gone", "clip-recording", "exam-changed", "exam-ended", "exam-open", "frame-gone",
    "no-exam", "no-signal", "not-found", "spool-busy", "wrong-state",
}  # fmt: skip


@dataclass
class Clinic:
    """Several people at one box, each doing things of a random kind without looking what the others do."""

    box: Box
    stop: threading.Event = field(default_factory=threading.Event)
    exams: list[str] = field(default_factory=list)
    taken: list[tuple[str, str]] = field(default_factory=list)  # for which exam, which picture
    refused: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    moved: dict[str, str] = field(default_factory=dict)  # picture to the exam it was moved to last
    moving: threading.Lock = field(default_factory=threading.Lock)  # of what is noted, in the order it was done

    def work(self, seed: int, kinds: list[str]) -> None:
        draw = random.Random(seed)
        does: dict[str, Callable[[random.Random], None]] = {
            name: getattr(self, name) for name in dict.fromkeys(kinds)
        }
        while not self.stop.is_set():
            try:
                does[draw.choice(kinds)](draw)
            except Refusal as refusal:
                self.refused[refusal.code] = self.refused.get(refusal.code, 0) + 1
                if refusal.code not in EXPECTED or refusal.status == 500:
                    self.failures.append(str(refusal))
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))

    def exam(self, draw: random.Random) -> str:
        return draw.choice(self.exams[-3:])

    def press(self, draw: random.Random) -> None:
        exam = self.exam(draw)
        answer = self.box.still(exam)
        self.taken.append((exam, str(answer["sop_instance_uid"])))

    def open(self, draw: random.Random) -> None:
        body = {"emergency": True} if draw.random() < 0.3 else {"patient": someone()}
        self.exams.append(str(self.box.create("/exams", {**body, "close_open": True})["id"]))

    def finish(self, draw: random.Random) -> None:
        self.box.finish(self.exam(draw))

    def wrong_entry(self, draw: random.Random) -> None:
        self.box.post(f"/exams/{self.exam(draw)}/discontinue", {"reason": "incorrect-worklist-entry"})

    def assign(self, draw: random.Random) -> None:
        self.box.post(f"/exams/{self.exam(draw)}/assign", {"patient": someone()})

    def confirm(self, draw: random.Random) -> None:
        self.box.post(f"/exams/{self.exam(draw)}/confirm")

    def reject(self, draw: random.Random) -> None:
        self.box.post(f"/captures/{self.picture(draw)}/reject", {"reason": "blurred"})

    def restore(self, draw: random.Random) -> None:
        self.box.post(f"/captures/{self.picture(draw)}/restore")

    def side(self, draw: random.Random) -> None:
        self.box.post(f"/captures/{self.picture(draw)}/laterality", {"laterality": draw.choice("LRBU")})

    def sides(self, draw: random.Random) -> None:
        self.box.post(f"/exams/{self.exam(draw)}/laterality", {"laterality": draw.choice("LR")})

    def move(self, draw: random.Random) -> None:
        with self.moving:
            there, uid = draw.choice(self.taken[-6:]) if self.taken else ("", "1.2.3")
            to = self.exam(draw)
            self.box.post(f"/exams/{self.moved.get(uid, there)}/move", {"captures": [uid], "to": to})
            self.moved[uid] = to

    def picture(self, draw: random.Random) -> str:
        return draw.choice(self.taken[-6:])[1] if self.taken else "1.2.3"


def someone() -> dict[str, str]:
    number = uuid.uuid4().hex[:8].upper()
    return {"name": f"Doe^{number}", "id": number}


def test_no_interleaving_puts_a_picture_into_a_wrong_record(tmp_path: Path) -> None:
    with FaultArchive() as archive:
        destination = {"name": "pacs", "ae_title": "TAKES", "host": "127.0.0.1", "port": archive.port}
        with Box(tmp_path, destinations=[destination]) as box:
            clinic = Clinic(box)
            clinic.exams.append(box.open_typed())
            deciding = ["finish", "wrong_entry", "assign", "assign", "confirm", "reject", "reject", "restore"]
            deciding += ["side", "side", "sides", "move", "move", "move"]
            people = [["press"], ["press"], ["press", *deciding], [*deciding, "open", "open"]]
            threads = [
                threading.Thread(target=clinic.work, args=(seed, kinds), name=f"person-{seed}")
                for seed, kinds in enumerate(people)
            ]
            for thread in threads:
                thread.start()
            clinic.stop.wait(SECONDS)
            until(
                "enough pictures to be taken, and one to be moved",
                lambda: (len(clinic.taken) > ENOUGH and clinic.moved) or clinic.stop.is_set(),
                60,
            )
            clinic.stop.set()
            for thread in threads:
                thread.join(60)
            box.open_typed(close_open=True)  # the last one ends too
            exams = {exam: until_settled(box, exam) for exam in clinic.exams}
            received = [dcmread(BytesIO(object_.data_set), force=True) for object_ in archive.arrived]
    assert clinic.failures == []
    assert len(clinic.taken) > ENOUGH
    kept = {capture["sop_instance_uid"]: exam for exam, found in exams.items() for capture in found["captures"]}
    wanted = [(clinic.moved.get(uid, exam), uid) for exam, uid in clinic.taken]
    assert [(exam, uid) for exam, uid in wanted if kept.get(uid) != exam] == []
    captures = {c["sop_instance_uid"]: c for found in exams.values() for c in found["captures"]}
    numbers = [(exam, c["instance_number"]) for exam, found in exams.items() for c in found["captures"]]
    assert len(set(numbers)) == len(numbers)
    rejected = {c["sop_instance_uid"] for e in exams.values() for c in e["captures"] if c["state"] == "rejected"}
    patients: dict[str, set[str]] = {}
    for each in received:
        exam = exams[kept[each.SOPInstanceUID]]
        assert (each.PatientID, each.StudyInstanceUID) == (exam["patient"]["id"], exam["study_instance_uid"])
        assert exam["state"] in {"released", "discontinued"}
        assert exam["identity"] != "temporary"
        assert each.SOPInstanceUID not in rejected
        assert each.get("ImageLaterality", "") == captures[each.SOPInstanceUID]["laterality"]
        assert each.InstanceNumber == captures[each.SOPInstanceUID]["instance_number"]
        patients.setdefault(each.StudyInstanceUID, set()).add(each.PatientID)
    assert received
    assert clinic.moved
    assert all(len(whose) == 1 for whose in patients.values())


def until_settled(box: Box, exam: str) -> dict:
    """Return the exam when everything of it that may leave has left."""

    def look() -> dict | None:
        found = box.get(f"/exams/{exam}")
        waits = found["state"] == "finished" and (found["please_check"] or found["identity"] == "temporary")
        kept = [c for c in found["captures"] if c["state"] != "rejected"]
        left = found["state"] in {"released", "discontinued"} and all(
            c["deliveries"] and all(d["state"] == "sent" for d in c["deliveries"]) for c in kept
        )
        return found if waits or left else None

    return until("the exam to settle", look)
