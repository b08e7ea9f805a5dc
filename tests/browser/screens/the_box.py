"""The box itself: who works at it, its menu, its evening, its numbers, its rest."""

from gateway.model import Identity, Patient
from gateway.spool.subjects import Subject
from tests.browser.conftest import Box
from tests.browser.screens.registry import AFTER, screen
from tests.browser.screens.states import LONG, away, exam, refused, said_of_forward, sealed


def with_operators(box: Box) -> None:
    """Let five people say that they work here."""
    box.configure(operators=("Huber^Maria", "Dr. May", "Sørensen-Hauge^Ann-Kristin", "Rossi^Paolo", "王^小东"))


@screen
def choose_operator(box: Box) -> str:
    with_operators(box)
    return "/"


@screen
def operator(box: Box) -> str:
    with_operators(box)
    return "/operator"


@screen
def live_operator(box: Box) -> str:
    with_operators(box)
    return f"/live/{exam(box, 12, name=LONG).id}"


@screen
def evening(box: Box) -> str:
    sealed(box)
    said_of_forward(box, destinations=[{"name": n, "state": "ok", "bytes_per_s": 300} for n in ("pacs", "backup")])
    return "/evening"


@screen
def evening_open_exam(box: Box) -> str:
    exam(box, 2, name=LONG)
    return "/evening"


@screen
def evening_nothing(box: Box) -> str:
    del box
    return "/evening"


@screen
def evening_much(box: Box) -> str:
    refused(box)
    exam(box, 2)
    other = Subject(identity=Identity.TYPED, patient=Patient(name="Okonkwo^Chidi", id="4712-0031"))
    box.spool.exams.finish(box.spool.exams.open(other, close_open=True)[0].id)
    sealed(box)
    away(box, 20)
    return "/evening"


@screen
def numbers(box: Box) -> str:
    sealed(box, 6)
    for number, hours in enumerate((0, 0, 0.5, 5, 30)):
        with box.spool.database.write() as connection:
            connection.execute(
                "UPDATE delivery SET queued_ns = ? WHERE id = ?",
                (box.spool.clock.utc_ns() - int(hours * 3_600_000_000_000), number + 1),
            )
    said_of_forward(box)
    return "/numbers"


@screen
def numbers_nothing(box: Box) -> str:
    del box
    return "/numbers"


@screen
def problem(box: Box) -> str:
    del box
    return "/exam/0000000000"


@screen
def more(box: Box) -> str:
    del box
    return "/more"


@screen
def more_while_open(box: Box) -> str:
    exam(box, 1)
    return "/more"


@screen
def language(box: Box) -> str:
    del box
    return "/language"


@screen
def standby(box: Box) -> str:
    del box
    return "/standby"


@screen
def standby_while_open(box: Box) -> str:
    exam(box, 1)
    return "/standby"


@screen
def clean(box: Box) -> str:
    del box
    return "/more"


AFTER["clean"] = lambda page: page.locator("#clean-key").tap()


@screen
def standby_of_the_box(box: Box) -> str:
    box.configure(kiosk=True)
    return "/standby"
