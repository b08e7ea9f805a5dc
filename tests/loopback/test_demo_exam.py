"""How the demo judges its own exam, shown on a box that is made up."""

import threading
from pathlib import Path

import pytest
from pydicom import dcmread

from gateway.clock import FakeClock
from gateway.demo.api import ApiRefused, data_set_digest
from gateway.demo.exam import HeadlessExam
from gateway.demo.failed import DemoFailed
from gateway.demo.patience import Patience
from tests.loopback.peers import items


class MadeUpBox:
    """Answers the API's calls; everything that was captured lies in an archive's folder already."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.study = "2.25.7"
        (folder / self.study).mkdir()
        self.captures = [self._capture(number) for number in range(1, 5)]
        self.taken = iter(self.captures)
        self.healthy = True
        self.silent = 0  # so often it does not say what became of a press
        self.late = 0  # so often it says that the clip is not stored yet

    def _capture(self, number: int) -> dict[str, object]:
        data = dcmread(items.sample(self.folder / self.study))
        data.StudyInstanceUID, data.InstanceNumber = self.study, number
        Path(data.filename).unlink()
        data.save_as(self.path(self.study, data.SOPInstanceUID))
        return {
            "sop_instance_uid": str(data.SOPInstanceUID),
            "instance_number": number,
            "frames": 1,
            "problem": None,
            "deliveries": [{"state": "committed", "reason": ""}],
        }

    def path(self, study: str, uid: str) -> Path:
        return self.folder / study / f"{uid}.dcm"

    def file(self, number: int) -> Path:
        return self.path(self.study, str(self.captures[number]["sop_instance_uid"]))

    def health(self):
        return self.healthy, {"sources": [{"what": "No picture comes from the device."}]}

    def get(self, path):
        exam = {"id": "e1", "study_instance_uid": self.study, "captures": self.captures}
        return {"exams": [exam]} if path.startswith("/exams?") else exam

    def post(self, path, body=None):  # noqa: ARG002 - the real one's signature
        if path == "/worklist/refresh":
            return {"items": [{"id": "i1"}], "refresh": {"what": ""}}
        if path.endswith("/stop") and self.late:
            self.late -= 1
            raise ApiRefused("The clip is not stored yet.", code="busy")
        return {"sop_instance_uids": [next(self.taken)["sop_instance_uid"]]} if path.endswith("/stop") else {}

    def create(self, path, body=None):  # noqa: ARG002 - likewise
        assert path == "/exams"
        return {"id": "e1", "study_instance_uid": self.study}

    def creating(self, path, body=None):  # noqa: ARG002 - likewise
        stored = {"clip": "c1"} if path.endswith("/clips") else next(self.taken)

        def asked():
            if self.silent:
                self.silent -= 1
                raise ApiRefused("Whether this was stored is not known yet.", code="recorder-silent")
            return stored

        return asked

    def object_digest(self, uid):
        with self.path(self.study, uid).open("rb") as file:
            return data_set_digest(file)


@pytest.fixture
def box(tmp_path):
    return MadeUpBox(tmp_path)


def run_exam(box, said=None):
    clock, say = FakeClock(), ([] if said is None else said).append
    patience = Patience(clock=clock, stop=threading.Event(), say=say)
    HeadlessExam(api=box, patience=patience, say=say, stored_at=box.path).run()


def test_an_exam_of_which_everything_arrived_is_shown_and_accepted(box):
    said = []
    run_exam(box, said)
    assert said[-1] == (
        "All 4 acknowledged objects are in the archive, each as the box sealed it; "
        "the archive vouched for them: Safe in PACS."
    )
    assert "2         Secondary Capture  Explicit VR Little Endian  1       66 kB" in said


def test_a_slow_box_is_asked_again_for_its_clip(box):
    box.late = 3
    said = []
    run_exam(box, said)
    assert "Clip stored." in said
    assert not box.late


def test_a_press_that_got_no_answer_is_asked_about_again_and_not_made_twice(box):
    box.silent = 2
    run_exam(box)
    assert not box.silent


def never_store(box):
    box.late = 1_000_000


def lose_one(box):
    box.file(2).unlink()


def change_one(box):
    digest = box.object_digest
    box.object_digest = lambda uid: digest(uid).upper()


def cut_frames(box):
    box.captures[1]["frames"] = 2


def renumber(box):
    box.captures[1]["instance_number"] = 9


def add_a_stranger(box):
    box.path(box.study, "1.2.3").write_bytes(box.file(0).read_bytes())


def hold_one(box):
    box.captures[3]["deliveries"][0].update(state="held", reason="The archive does not take it.")


def never_send(box):
    box.captures[3]["deliveries"][0].update(state="queued", reason="The archive does not answer.")


def never_vouch(box):
    box.captures[3]["deliveries"][0].update(state="sent")


def never_seal(box):
    box.captures[3]["deliveries"] = []


def spoil(box):
    box.captures[3]["problem"] = {"what": "The name does not fit."}


def forget_one(box):
    box.taken = iter([*box.captures[:3], {"sop_instance_uid": "1.2.3"}])


def fall_ill(box):
    box.healthy = False


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (lose_one, "was acknowledged and is not in the archive"),
        (change_one, "has other content in the archive"),
        (cut_frames, "has another number of frames in the archive"),
        (renumber, "has another instance number in the archive"),
        (add_a_stranger, "1.2.3 is in the archive and nobody captured it"),
        (hold_one, "A delivery is held: The archive does not take it."),
        (never_send, "Waited 120 s in vain for the archive. The archive does not answer."),
        (never_vouch, "Waited 120 s in vain for the archive. It does not vouch for all of it yet."),
        (never_seal, "Waited 120 s in vain for the archive. It is still on the box."),
        (spoil, "A capture could not be made an object: The name does not fit."),
        (forget_one, "1 acknowledged captures are not in their exam"),
        (never_store, "Waited 60 s in vain for the clip to be stored. The clip is not stored yet."),
        (fall_ill, "Waited 180 s in vain for the box to be ready. No picture comes from the device."),
    ],
)
def test_an_exam_that_did_not_go_as_promised_fails_with_its_reason(box, fault, reason):
    fault(box)
    with pytest.raises(DemoFailed) as failed:
        run_exam(box)
    assert reason in failed.value.what
