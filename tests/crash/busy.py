"""A technician who does everything that the HTTP API offers around an exam, while processes are killed."""

import http.client
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tests.box import Box, Refusal
from tests.crash.technician import PATIENCE_S, Technician, patient

_WRONG = {"reason": "incorrect-worklist-entry"}
_LEFT = {"released", "discontinued"}
_REOPEN_S = 5.0  # that an exam may take to be released; one that is not by then is not opened again


@dataclass(frozen=True, kw_only=True)
class Ordered:
    """One patient of the worklist, the accession numbers of the orders, and the study of the first one."""

    patient: str
    accessions: tuple[str, ...]
    study: str


class BusyTechnician(Technician):
    """Works with the worklist too, without patient, with exams opened again and with wrong entries.

    `study_of`: the study that an order gave an exam; `kept_back`: exams that nobody lets go. `at_once`: pictures
    leave while their exam is open, so that some of them can no more be taken out. `captures_only`: does nothing but
    to take pictures, as what a careless recorder lost can neither be taken out nor counted as taken out.
    """

    longest_s = 0.4

    def __init__(
        self,
        box: Box,
        chance: random.Random,
        *,
        orders: Sequence[Ordered],
        at_once: bool,
        captures_only: bool,
        medium: str,
    ) -> None:
        super().__init__(box, chance, slow_s=1.0 if captures_only else 0.0)
        self.at_once = at_once
        self.captures_only = captures_only
        self.medium = medium  # the destination onto which exams are copied, "" = there is none
        self.copies: dict[str, str] = {}  # what was asked for, by number, and of which exam
        self.study_of: dict[str, str] = {}
        self.kept_back: set[str] = set()
        self._orders = list(reversed(orders))

    @property
    def owners(self) -> dict[str, str]:
        return {uid: owner for uid, owner in super().owners.items() if self.exam_of[uid] not in self.kept_back}

    def exam(self, patient_id: str) -> None:
        if self.captures_only:
            super().exam(patient_id)
        else:
            self.any_exam(patient_id)

    def any_exam(self, patient_id: str) -> None:
        exam, nobody = self.open(patient_id)
        self.pictures(exam)
        late = nobody and self.chance.random() < 0.5
        if not late and (nobody or self.chance.random() < 0.2):
            self.assign(exam, f"{patient_id}-B")
        if self.chance.random() < 0.15 and not self.at_once:
            self.wrong_entry(exam, patient_id)
        else:
            self.end(exam)
            if late and self.chance.random() < 0.2:
                self.kept_back.add(exam)
            elif late:
                self.assign(exam, f"{patient_id}-B")
            if self.chance.random() < 0.25 and exam not in self.kept_back:
                self.again(exam)
        if self.medium and self.chance.random() < 0.4:
            self.copy(self.chance.choice(self.exams[-4:-1] or self.exams))

    # --- who --------------------------------------------------------------------------------------------------

    def open(self, patient_id: str) -> tuple[str, bool]:
        """Open an exam; say whether it is nobody's yet."""
        self.step = "opening"
        nobody = self.chance.random() < 0.12
        order = None if nobody else self.order()
        asked = {"emergency": True} if nobody else self.subject(order, patient_id)
        exam = str(self.insist("/exams", asked)["id"])
        self.name(exam, order, patient_id)
        return exam, nobody

    def assign(self, exam: str, patient_id: str) -> None:
        """Give an exam to another patient, unless some of it left already or a kill hides that it was done."""
        self.step = "assigning"
        order = self.order()
        subject, wanted = self.subject(order, patient_id), order.patient if order else patient_id
        why: object = ""
        try:
            self.insist(f"/exams/{exam}/assign", subject, creates=False)
        except Refusal as refusal:
            why = refusal
        if self.look(f"/exams/{exam}")["patient"]["id"] == wanted:
            self.name(exam, order, patient_id)
        else:
            assert self.at_once, f"an exam of which nothing left cannot be given to another patient: {why}"

    def order(self) -> Ordered | None:
        """Take the next patient of the worklist, or None for one who is typed."""
        return self._orders.pop() if self._orders and self.chance.random() < 0.5 else None

    def subject(self, order: Ordered | None, patient_id: str) -> dict[str, object]:
        if order is None:
            return {"patient": patient(patient_id)}
        found = {each["accession_number"]: each["id"] for each in self.look("/worklist")["items"]}
        while not found.keys() >= set(order.accessions):  # the forward process may die over it
            items: Any = self.insist("/worklist/refresh", {}, creates=False)["items"]
            found = {each["accession_number"]: each["id"] for each in items}
        items = [found[each] for each in order.accessions]
        return {"worklist_item": items if len(items) > 1 else items[0]}

    def name(self, exam: str, order: Ordered | None, patient_id: str) -> None:
        self.patient_of[exam] = order.patient if order else patient_id
        self.study_of.pop(exam, None)
        if order:
            self.study_of[exam] = order.study

    # --- pictures ---------------------------------------------------------------------------------------------

    def pictures(self, exam: str) -> None:
        taken = []
        for _ in range(self.chance.randint(1, 4)):
            self.step = "still"
            taken.append(str(self.insist(f"/exams/{exam}/stills", {})["sop_instance_uid"]))
            self.note(taken[-1], exam)
        if self.chance.random() < 0.5:
            self.clip(exam)
        self.take_out(self.chance.choice(taken), exam)

    def take_out(self, uid: str, exam: str) -> None:
        """Perhaps take a picture out, perhaps bring it back, as far as it did not leave."""
        for act, body, state in (("reject", {"reason": "blurred"}, "rejected"), ("restore", None, "saved")):
            if self.chance.random() < 0.5:
                self.step = f"to {act}"
                if not self.done(f"/captures/{uid}/{act}", body, lambda s=state: self.state_of(uid, exam) == s):
                    assert self.at_once, "a picture that did not leave cannot be taken out"
                    return
                self.rejected ^= {uid}
            else:
                return

    def state_of(self, uid: str, exam: str) -> str:
        listed = self.box.get(f"/exams/{exam}")["captures"]
        return next((str(one["state"]) for one in listed if one["sop_instance_uid"] == uid), "")

    # --- the end ----------------------------------------------------------------------------------------------

    def end(self, exam: str) -> None:
        if self.chance.random() < 0.15:
            self.step = "discontinuing"
            done = self.done(f"/exams/{exam}/discontinue", {"reason": "patient-refused"}, lambda: self.ended(exam))
        else:
            self.step = "finishing"
            done = self.done(f"/exams/{exam}/finish", None, lambda: self.ended(exam))
        assert done

    def ended(self, exam: str) -> bool:
        return bool(self.box.get(f"/exams/{exam}")["state"] != "open")

    def wrong_entry(self, exam: str, patient_id: str) -> None:
        """End an exam as one of a wrong entry, and perhaps find out whose it is."""
        self.step = "ending a wrong entry"
        assert self.done(f"/exams/{exam}/discontinue", _WRONG, lambda: self.ended(exam))
        if self.chance.random() < 0.5:
            self.assign(exam, f"{patient_id}-C")
        else:
            self.kept_back.add(exam)

    def again(self, exam: str) -> None:
        """Open an exam once more for further pictures."""
        self.step = "opening again"
        end = time.monotonic() + _REOPEN_S
        while self.look(f"/exams/{exam}")["state"] not in _LEFT:
            if time.monotonic() > end:
                return
            time.sleep(0.1)
        assert self.done(f"/exams/{exam}/reopen", None, lambda: not self.ended(exam))
        self.pictures(exam)
        self.end(exam)

    def copy(self, exam: str) -> None:
        """Have an exam's pictures put onto the medium for looking at; nobody waits for it."""
        self.step = "asking for a copy"
        asked = {"exams": [exam], "destination": self.medium, "jpeg": True}
        self.copies[str(self.insist("/exports", asked)["id"])] = exam

    # --- asking -----------------------------------------------------------------------------------------------

    def done(self, path: str, body: dict[str, object] | None, is_so: Callable[[], bool]) -> bool:
        """Ask for it until it is so: after a kill nobody knows whether it was done. False: it was refused."""
        end = time.monotonic() + PATIENCE_S
        while True:
            refused = False
            try:
                self.box.post(path, body)
            except (OSError, http.client.HTTPException):
                pass
            except Refusal as refusal:
                refused = refusal.code == "wrong-state"
            with suppress(OSError, http.client.HTTPException, Refusal):
                if is_so():
                    return True
                if refused:
                    return False
            assert time.monotonic() < end, f"no {path.rsplit('/', 1)[-1]}"
            time.sleep(0.02)

    def look(self, path: str) -> dict[str, Any]:
        """Return what the panel shows, however long it takes."""
        end = time.monotonic() + PATIENCE_S
        while True:
            with suppress(OSError, http.client.HTTPException, Refusal):
                return self.box.get(path)
            assert time.monotonic() < end, "the panel shows nothing"
            time.sleep(0.02)
