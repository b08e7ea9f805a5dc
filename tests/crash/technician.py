"""A technician who works through exams while processes are killed, and remembers what was acknowledged."""

import http.client
import random
import threading
import time
import uuid

from tests.box import Panel, Refusal

PATIENCE_S = 60.0


class Technician:
    """Works through exams; repeats every call that got no answer, with the same request id, as the panel does.

    `patient_of`: the PatientID that each exam ended with; `exam_of`: each acknowledged capture's exam; `rejected`:
    captures that were taken out of their exam in the end.
    """

    longest_s = 1.0  # of a clip

    def __init__(self, box: Panel, chance: random.Random, *, slow_s: float = 0.0) -> None:
        self.box = box
        self.chance = chance
        self.slow_s = slow_s  # looks at the screen that long before finishing
        self.step = "between exams"
        self.stop = threading.Event()
        self.patient_of: dict[str, str] = {}
        self.exam_of: dict[str, str] = {}
        self.rejected: set[str] = set()
        self.error: BaseException | None = None

    @property
    def owners(self) -> dict[str, str]:
        """Return the PatientID of every acknowledged capture that is to leave."""
        return {uid: self.patient_of[exam] for uid, exam in self.exam_of.items() if uid not in self.rejected}

    @property
    def exams(self) -> list[str]:
        return list(self.patient_of)

    def work(self) -> None:
        try:
            number = 0
            while not self.stop.is_set():
                number += 1
                self.exam(f"P{number}")
        except BaseException as error:  # noqa: BLE001 - told by the test
            self.error = error

    def exam(self, patient_id: str) -> None:
        self.step = "opening"
        exam = str(self.insist("/exams", {"patient": patient(patient_id)})["id"])
        self.patient_of[exam] = patient_id
        for _ in range(self.chance.randint(1, 4)):
            self.step = "still"
            self.note(self.insist(f"/exams/{exam}/stills", {})["sop_instance_uid"], exam)
        if self.chance.random() < 0.6:
            self.clip(exam)
        time.sleep(self.slow_s)
        self.step = "finishing"
        self.until_finished(exam)

    def clip(self, exam: str) -> None:
        self.step = "clip"
        clip = str(self.insist(f"/exams/{exam}/clips", {})["clip"])
        self.note(clip, exam)
        time.sleep(self.chance.uniform(0.1, self.longest_s))  # the clip's length
        self.step = "stopping the clip"
        parts = self.insist(f"/clips/{clip}/stop")["sop_instance_uids"]
        assert parts == [clip]

    def until_finished(self, exam: str) -> None:
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                self.box.finish(exam)
            except (OSError, http.client.HTTPException, Refusal):
                assert time.monotonic() < end, "an exam cannot be finished"
            try:
                if self.box.get(f"/exams/{exam}")["state"] != "open":
                    return
            except (OSError, http.client.HTTPException, Refusal):
                pass
            time.sleep(0.02)

    def insist(
        self, path: str, body: dict[str, object] | None = None, *, creates: bool = True
    ) -> dict[str, object]:
        """Ask until there is an answer; 5xx and a broken connection mean: nobody knows, so ask the same again."""
        asked = {} if body is None else {"request_id": str(uuid.uuid4()), **body} if creates else body
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self.box.post(path, asked)
            except (OSError, http.client.HTTPException) as error:
                last: object = error
            except Refusal as refusal:
                if refusal.status < 500 and refusal.status != 429:
                    raise
                last = refusal
            assert time.monotonic() < end, f"no answer to {path.rsplit('/', 1)[-1]}: {last!r}"
            time.sleep(0.02)

    def note(self, uid: object, exam: str) -> None:
        self.exam_of[str(uid)] = exam


def patient(patient_id: str) -> dict[str, str]:
    return {"name": f"Test^{patient_id}", "id": patient_id, "birth_date": "19700102", "sex": "F"}
