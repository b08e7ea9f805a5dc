"""Whose exam it is: the list, a search in it, a scan, and the question whether it is this patient."""

from collections.abc import Callable
from dataclasses import replace

from playwright.sync_api import Page

from gateway.errors import WorklistError
from gateway.model import Exam, Identity, Patient, WorklistItem
from gateway.spool.subjects import Subject
from tests.browser.conftest import Box
from tests.browser.screens.registry import AFTER, screen
from tests.browser.screens.states import LONG, exam, said_of_forward
from tests.unit.panel.fake_capture import START


@screen
def choose(box: Box) -> str:
    del box
    return "/"


@screen
def choose_nobody(box: Box) -> str:
    box.spool.worklist.replace("ris", [])
    return "/"


@screen
def choose_old_list(box: Box) -> str:
    box.spool.worklist.failed("ris", WorklistError("The worklist server does not answer."))
    return "/"


@screen
def choose_while_open(box: Box) -> str:
    exam(box, 2)
    return "/"


@screen
def choose_please_check(box: Box) -> str:
    exam(box, 2)
    other = Subject(identity=Identity.TYPED, patient=Patient(name="Okonkwo^Chidi", id="4712-0031"))
    box.spool.exams.open(other, close_open=True)
    return "/"


@screen
def choose_for_exam(box: Box) -> str:
    opened = exam(box, 1, identity=Identity.TEMPORARY)
    box.spool.exams.finish(opened.id)
    return f"/?assign={opened.id}"


def unnamed(box: Box, pictures: int = 1) -> Exam:
    """Return an exam without a patient that is over."""
    opened = exam(box, pictures, identity=Identity.TEMPORARY)
    box.spool.exams.finish(opened.id)
    return opened


@screen
def choose_many_waiting(box: Box) -> str:
    choose_please_check(box)
    box.spool.exams.finish(box.open_exam().id)
    for _ in range(3):
        unnamed(box)
    return "/"


@screen
def choose_known_for_exam(box: Box) -> str:
    for name in ("Meier^Anna", LONG):
        box.spool.exams.finish(exam(box, 1, name=name).id)
    subject = subject_of(box.spool.worklist.get("item-3"))
    box.spool.exams.finish(box.spool.exams.open(subject)[0].id)
    return f"/?assign={unnamed(box).id}"


def subject_of(item: WorklistItem) -> Subject:
    return Subject(identity=Identity.WORKLIST, patient=item.patient, worklist_item=item.id)


@screen
def choose_asking(box: Box) -> str:
    with box.spool.database.write() as connection:
        connection.execute("DELETE FROM worklist_item")
        connection.execute("DELETE FROM worklist_server")
    said_of_forward(box)
    return "/"


def examined(box: Box) -> None:
    """Let two on the list have been here today, one of them twice."""
    for number, count in ((1, 3), (2, 12), (1, 1)):
        opened, _ = box.spool.exams.open(subject_of(box.spool.worklist.get(f"item-{number}")))
        for _ in range(count):
            box.capture.store(opened, frame=START + 1)
        box.spool.exams.finish(opened.id)


@screen
def choose_examined(box: Box) -> str:
    examined(box)
    return "/"


@screen
def confirm_examined(box: Box) -> str:
    examined(box)
    return "/confirm?item=item-1"


@screen
def confirm_for_exam(box: Box) -> str:
    return f"/confirm?item=item-1&assign={unnamed(box, 3).id}"


@screen
def exam_one_more_unnamed(box: Box) -> str:
    first = unnamed(box, 3)
    unnamed(box)
    box.spool.exams.assign(first.id, subject_of(box.spool.worklist.get("item-1")))
    return f"/exam/{first.id}"


@screen
def confirm_similar(box: Box) -> str:
    del box
    return "/confirm?item=item-1"


@screen
def confirm_without_birth_date(box: Box) -> str:
    del box
    return "/confirm?item=item-6"


@screen
def confirm_incomplete(box: Box) -> str:
    items: list[WorklistItem] = box.spool.worklist.items()
    box.spool.worklist.replace("ris", [replace(items[0], missing=("StudyInstanceUID", "PatientID")), *items[1:]])
    return "/confirm?item=item-1"


@screen
def confirm_while_open(box: Box) -> str:
    exam(box, 2)
    return "/confirm?item=item-3"


@screen
def confirm_much_to_warn_of(box: Box) -> str:
    exam(box, 2, name=LONG)
    first, second, *others = box.spool.worklist.items()
    items = [
        replace(each, patient=replace(each.patient, name=name))
        for each, name in ((first, LONG), (second, LONG + "a"))
    ]
    box.spool.worklist.replace("ris", [replace(items[0], missing=("StudyInstanceUID",)), items[1], *others])
    return "/confirm?item=item-1"


@screen
def confirm_without_patient(box: Box) -> str:
    del box
    return "/confirm"


@screen
def search(box: Box) -> str:
    del box
    return "/search"


@screen
def search_found(box: Box) -> str:
    del box
    return "/search"


@screen
def search_nobody(box: Box) -> str:
    del box
    return "/search"


@screen
def scanned_nobody(box: Box) -> str:
    del box
    return "/"


@screen
def scanned_several(box: Box) -> str:
    grouped(box)
    return "/"


@screen
def confirm_several(box: Box) -> str:
    grouped(box)
    return "/confirm?item=item-1&item=more-1"


@screen
def confirm_other_wristband(box: Box) -> str:
    del box
    return "/confirm?item=item-1"


def grouped(box: Box) -> None:
    """Give the first patient of the list three more orders."""
    items = box.spool.worklist.items()
    first, procedure = items[0], items[0].procedure
    more = [
        replace(
            first,
            id=f"more-{number}",
            procedure=replace(procedure, description=what, accession_number=f"B-700{number}"),
            study_instance_uid=f"1.2.4.{number}",
        )
        for number, what in enumerate(
            ("Thyroid ultrasound", "Duplex of the carotid arteries", "Breast ultrasound"), 1
        )
    ]
    box.spool.worklist.replace("ris", [*items, *more])


def scan(page: Page, text: str, end: str = "Enter") -> None:
    """Read a barcode: a scanner types faster than any hand."""
    page.evaluate(
        "(keys) => keys.forEach((key) => document.activeElement.dispatchEvent("
        "new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true })))",
        [*text, *([end] if end else [])],
    )


def _look_for(text: str) -> Callable[[Page], None]:
    def look(page: Page) -> None:
        page.locator("#text").fill(text)
        page.keyboard.press("Enter")
        page.wait_for_selector("body.results #found .row, body.results #found .empty")
        page.wait_for_function("document.getElementById('count').textContent !== ''")

    return look


def _scan_and_ask(text: str) -> Callable[[Page], None]:
    def read(page: Page) -> None:
        scan(page, text)
        page.wait_for_selector("body.known.ready")

    return read


AFTER["search_found"] = _look_for("me")
AFTER["search_nobody"] = _look_for("zz")
AFTER["scanned_nobody"] = _scan_and_ask("9999-0000")
AFTER["scanned_several"] = _scan_and_ask("4711-0815")
AFTER["confirm_other_wristband"] = lambda page: scan(page, "4712-0031")


@screen
def choose_covered(box: Box) -> str:
    del box
    return "/?next=1"


@screen
def choose_covered_while_open(box: Box) -> str:
    exam(box, 2, name=LONG)
    return "/?next=1"
