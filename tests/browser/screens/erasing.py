"""An exam, or everything of a patient, that an administrator erases from the box."""

from playwright.sync_api import Page

from tests.browser.conftest import Box
from tests.browser.screens.people import as_administrator
from tests.browser.screens.registry import BEFORE, at, screen
from tests.browser.screens.states import LONG, exam, refused, sealed, set_deliveries


@screen
def erase(box: Box) -> str:
    opened = sealed(box, 12, name=LONG)
    set_deliveries(box, "pacs", state="committed", proof="commitment", attempts=1)
    set_deliveries(box, "backup", in_doubt=1)
    box.spool.audit.note("exported", by="panel", exam=opened.id, objects=12, to="/media/stick")
    return f"/erase/{opened.id}"


@screen
def erase_refused(box: Box) -> str:
    opened = sealed(box)
    set_deliveries(box, "pacs", state="sending")
    return f"/erase/{opened.id}"


@screen
def erase_number(box: Box) -> str:
    return f"/erase/{refused(box).id}/number"


def _of_one_patient(box: Box) -> str:
    """Return the first of four exams: it has copies everywhere, one is being sent, of one the patient is unsure."""
    first = sealed(box, 12)
    set_deliveries(box, "pacs", state="committed", proof="commitment", attempts=1)
    set_deliveries(box, "backup", in_doubt=1)
    uid = box.spool.captures.of_exam(first.id)[0].capture.sop_instance_uid
    fetched = {"capture": uid, "form": "dicom", "address": "10.0.0.7"}
    box.spool.audit.note("capture-downloaded", by="panel", person="Rossi", exam=first.id, **fetched)
    sealed(box, 3, name=LONG)
    sent = sealed(box, 1)
    with box.spool.database.write() as connection:
        connection.execute(
            "UPDATE delivery SET state = 'sending' WHERE exam = ? AND destination = 'pacs'", (sent.id,)
        )
    asked = exam(box, 2)
    box.spool.exams.finish(asked.id, please_check="reboot")
    return first.id


@screen
def erase_patient(box: Box) -> str:
    return f"/erase/{_of_one_patient(box)}/patient"


@screen
def erase_patient_left(box: Box) -> str:
    sent = sealed(box, 1)
    set_deliveries(box, "pacs", state="sending")
    return f"/erase/{sent.id}/patient?after=1"


@screen
def erased_others(box: Box) -> str:
    named = sealed(box, 3, name=LONG)
    return f"/erased/others?named={named.id}&others={sealed(box, 1).id}"


@screen
def erase_patient_number(box: Box) -> str:
    return f"/erase/{_of_one_patient(box)}/patient/number"


for _name in (
    "erase",
    "erase_refused",
    "erase_number",
    "erase_patient",
    "erase_patient_left",
    "erase_patient_number",
    "erased_others",
):
    BEFORE[_name] = as_administrator
at("erased", "/erased", as_administrator)


def _traces(box: Box, page: Page) -> None:
    as_administrator(box, page)
    (box.spool.layout.exams / "0123456789.erased" / "somebody's").mkdir(parents=True)


at("erased_traces", "/erased", _traces)
