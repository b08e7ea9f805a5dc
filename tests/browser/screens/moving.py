"""Where pictures go that are of another patient."""

from gateway.model import Identity, Patient
from gateway.spool.subjects import Subject
from tests.browser.conftest import Box
from tests.browser.screens.registry import screen
from tests.browser.screens.states import LONG, exam


@screen
def move(box: Box) -> str:
    first = exam(box, 3)
    other = Subject(
        identity=Identity.TYPED,
        patient=Patient(name="Okonkwo^Chidi", id="4712-0031", birth_date="19900909", sex="M"),
    )
    box.spool.exams.finish(box.spool.exams.open(other, close_open=True)[0].id)
    exam(box, 1, name=LONG)
    return f"/move/{box.spool.captures.of_exam(first.id)[1].capture.sop_instance_uid}"


@screen
def wrong_patient(box: Box) -> str:
    return f"/wrong/{exam(box, 3).id}"


@screen
def move_nowhere(box: Box) -> str:
    return f"/move/{box.spool.captures.of_exam(exam(box, 1).id)[0].capture.sop_instance_uid}"
