"""Every screen in every state: what brings a box into it, and the address to look at.

Layout, words, contrast and pictures are checked over this one list; a screen that is not here is checked by nobody.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from playwright.sync_api import Page, Route

from gateway.clock import Clock
from gateway.config.settings import Address
from gateway.errors import MediaGone, WorklistError
from gateway.model import Exam, Identity, Patient, PleaseCheck, Side, WorklistItem
from gateway.panel.first_start.progress import Kept, Progress
from gateway.panel.pages.typed import STEPS
from gateway.spool.live import LiveState
from gateway.spool.requests import Request
from gateway.spool.subjects import Subject
from tests.browser.conftest import Box
from tests.unit.panel.conftest import seal
from tests.unit.panel.fake_capture import START

LONG = "Wolfeschlegelsteinhausenbergerdorff-Schönbrunn^Maria-Theresia"
Made = Callable[[Box], str]
SCREENS: dict[str, Made] = {}
_BEFORE: dict[str, Callable[[Box, Page], None]] = {}  # what a person did in this browser
_AFTER: dict[str, Callable[[Page], Any]] = {}  # what a person does there


def screen(make: Made) -> Made:
    SCREENS[make.__name__] = make
    return make


def show(name: str, box: Box, page: Page) -> str:
    """Bring the box into a state and the page to its screen; return the address."""
    address = SCREENS[name](box)
    if before := _BEFORE.get(name):
        before(box, page)
    look(name, address, box, page)
    return address


def look(name: str, address: str, box: Box, page: Page) -> None:
    """Go to a screen whose state the box is in, and wait until it stands still."""
    page.goto(f"{box.address}{address}")
    page.wait_for_selector("body.ready")
    if "/live/" in page.url:
        page.wait_for_selector(f"body[data-live={'on' if box.capture.script.signal == 'live' else 'off'}]")
    if after := _AFTER.get(name):
        after(page)


def exam(box: Box, pictures: int = 0, *, name: str = "Meier^Anna", identity: Identity = Identity.TYPED) -> Exam:
    patient = Patient(name=name, id="4711-0815", birth_date="19680314", sex="F")
    if identity is Identity.TEMPORARY:
        patient = Patient(name="EMERG-US-ROOM-2-261126-K7Q2", id="EMERG-US-ROOM-2-261126-K7Q2")
    opened, _ = box.spool.exams.open(Subject(identity=identity, patient=patient))
    for _ in range(pictures):
        box.capture.store(opened, frame=START + 1)
    return opened


def said_of_forward(box: Box, **said: Any) -> None:
    folder = box.settings.station.runtime_dir
    LiveState(folder=folder, process="forward", files=box.spool.files, clock=Clock()).write(said)


# --- choose patient ------------------------------------------------------------------------------------------


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


# --- confirm -------------------------------------------------------------------------------------------------


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
def confirm_without_patient(box: Box) -> str:
    del box
    return "/confirm"


@screen
def confirm_made_id(box: Box) -> str:
    del box
    return "/type"


# --- a patient who is typed ------------------------------------------------------------------------------------

MEIER = {"family": "Meier", "given": "Anna", "day": "14", "month": "03", "year": "1968", "sex": "F"}


def fill(page: Page, until_step: int, **fields: str) -> None:
    """Type a patient with a real keyboard; stop before this step (1 to 6), or beyond the last with 7."""
    for number, names in enumerate(STEPS[: until_step - 1]):
        for name in names:
            if name == "sex":
                page.locator(f".choice:has(input[value='{fields.get('sex', '')}']) input").evaluate(
                    "one => { one.checked = true; }"
                )
            else:
                page.locator(f"input[name={name}]").fill(fields.get(name, ""))
        page.locator("#next").tap()
        if number + 1 < len(STEPS):
            page.wait_for_selector(f".step:not([hidden]) input[name={STEPS[number + 1][0]}]", state="attached")


@screen
def type_patient(box: Box) -> str:
    del box
    return "/type"


@screen
def type_wrong(box: Box) -> str:
    del box
    return "/type"


@screen
def type_date(box: Box) -> str:
    del box
    return "/type"


@screen
def type_wrong_date(box: Box) -> str:
    del box
    return "/type"


@screen
def type_sex(box: Box) -> str:
    del box
    return "/type"


@screen
def type_id(box: Box) -> str:
    del box
    return "/type"


@screen
def type_accents(box: Box) -> str:
    del box
    return "/type"


@screen
def type_known(box: Box) -> str:
    patient = Patient(name="MEIER^Anna Maria", id="3311-0001", birth_date="19680314", sex="F")
    opened, _ = box.spool.exams.open(Subject(identity=Identity.TYPED, patient=patient))
    box.spool.exams.finish(opened.id)
    return "/type"


def _unknown(page: Page) -> None:
    family, given = LONG.split("^")
    fill(page, 7, **{**MEIER, "family": family, "given": given})
    page.wait_for_selector("body.confirm.ready")


def _wrong_date(page: Page) -> None:
    fill(page, 3, **MEIER)
    for name, text in (("day", "31"), ("month", "02"), ("year", "1968")):
        page.locator(f"input[name={name}]").fill(text)
    page.wait_for_selector("#wrong:not([hidden])")


def _known(page: Page) -> None:
    fill(page, 7, **MEIER)
    page.wait_for_selector("body.known.ready")


_AFTER["confirm_made_id"] = _unknown
_AFTER["type_wrong"] = lambda page: page.locator("#next").tap()
_AFTER["type_date"] = lambda page: fill(page, 3, **MEIER)
_AFTER["type_wrong_date"] = _wrong_date
_AFTER["type_sex"] = lambda page: fill(page, 4, **MEIER)
_AFTER["type_id"] = lambda page: fill(page, 5, **MEIER)
_AFTER["type_accents"] = lambda page: page.locator(".hg-button-accents").tap()
_AFTER["type_known"] = _known


# --- search, scan, several orders ------------------------------------------------------------------------------


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


_AFTER["search_found"] = _look_for("me")
_AFTER["search_nobody"] = _look_for("zz")
_AFTER["scanned_nobody"] = _scan_and_ask("9999-0000")
_AFTER["scanned_several"] = _scan_and_ask("4711-0815")
_AFTER["confirm_other_wristband"] = lambda page: scan(page, "4712-0031")


# --- live ----------------------------------------------------------------------------------------------------


@screen
def live(box: Box) -> str:
    return f"/live/{exam(box, 3).id}"


@screen
def live_long_name(box: Box) -> str:
    return f"/live/{exam(box, 12, name=LONG).id}"


@screen
def live_without_patient(box: Box) -> str:
    return f"/live/{exam(box, 1, identity=Identity.TEMPORARY).id}"


@screen
def live_unplugged(box: Box) -> str:
    box.capture.script.pedals = [{"name": "input-1", "connected": False, "what": "There is no pedal."}]
    box.capture.script.signs = [{"name": "tone-1", "connected": False, "what": "There is no sound card."}]
    return f"/live/{exam(box, 1).id}"


@screen
def live_idle(box: Box) -> str:
    opened = exam(box, 2)
    box.spool.exams.ask_to_check(opened.id, PleaseCheck.IDLE)
    return f"/live/{opened.id}"


@screen
def live_noise(box: Box) -> str:
    box.capture.script.noise = True
    return f"/live/{exam(box, 1).id}"


def _without_picture(signal: str) -> None:
    def make(box: Box) -> str:
        script = box.capture.script
        script.signal = signal
        if signal == "refused":
            script.what = "The picture cannot be made as its device profile says."
            script.action = "Do what this says, or call IT."
            script.code = "VID-05"
        return f"/live/{exam(box, 1).id}"

    make.__name__ = f"live_{signal.replace('-', '_')}"
    screen(make)


for _signal in ("no-signal", "no-cable", "out-of-range", "no-signal-picture", "missing", "refused"):
    _without_picture(_signal)


@screen
def live_recording(box: Box) -> str:
    opened = exam(box, 1)
    box.capture._call_clip_start({"exam": opened.id, "request": None, "source": "ultrasound"})
    box.capture.script.ends = {"why": "limit", "seconds": 42}
    return f"/live/{opened.id}"


@screen
def live_sources(box: Box) -> str:
    box.connect("endoscope", "room-camera", "monitor")
    box.capture.lost.add("monitor")
    opened = exam(box, 12)
    box.capture._call_clip_start({"exam": opened.id, "request": None, "source": "endoscope"})
    return f"/live/{opened.id}"


@screen
def live_left(box: Box) -> str:
    opened = exam(box, 1)
    box.capture.store(opened, frame=START + 1, side=Side.RIGHT)
    box.spool.sides.from_now_on(opened.id, Side.LEFT)
    box.capture.store(opened, frame=START + 1, side=Side.LEFT)
    return f"/live/{opened.id}"


# --- after the pictures --------------------------------------------------------------------------------------


@screen
def finish(box: Box) -> str:
    return f"/finish/{exam(box, 3).id}"


@screen
def finish_side_missing(box: Box) -> str:
    opened = exam(box, 1)
    box.capture.store(opened, frame=START + 1, side=Side.RIGHT)
    box.capture.store(opened, frame=START + 1, side=Side.UNPAIRED)
    return f"/finish/{opened.id}"


def with_keys(box: Box) -> Exam:
    """Return an exam with a marked picture among others, with sides."""
    opened = exam(box, 2)
    marked = box.capture.store(opened, frame=START + 1, side=Side.RIGHT)
    box.spool.key_images.mark(marked.sop_instance_uid, key=True)
    return opened


@screen
def finish_key_images(box: Box) -> str:
    return f"/finish/{with_keys(box).id}"


@screen
def live_key_images(box: Box) -> str:
    return f"/live/{with_keys(box).id}"


@screen
def review_key_image(box: Box) -> str:
    captures = box.spool.captures.of_exam(with_keys(box).id)
    return f"/picture/{captures[-1].capture.sop_instance_uid}"


@screen
def finish_idle(box: Box) -> str:
    opened = exam(box, 3)
    box.spool.exams.ask_to_check(opened.id, PleaseCheck.IDLE)
    return f"/finish/{opened.id}"


@screen
def finish_without_patient(box: Box) -> str:
    return f"/finish/{exam(box, 1, identity=Identity.TEMPORARY).id}"


@screen
def exam_saved(box: Box) -> str:
    opened = exam(box, 3)
    box.spool.exams.finish(opened.id)
    return f"/exam/{opened.id}"


@screen
def exam_empty(box: Box) -> str:
    opened = exam(box)
    box.spool.exams.finish(opened.id)
    return f"/exam/{opened.id}"


@screen
def exam_needs_patient(box: Box) -> str:
    opened = exam(box, 1, identity=Identity.TEMPORARY)
    box.spool.exams.finish(opened.id)
    return f"/exam/{opened.id}"


@screen
def exam_please_check(box: Box) -> str:
    opened = exam(box, 2)
    other = Subject(identity=Identity.TYPED, patient=Patient(name="Okonkwo^Chidi", id="4712-0031"))
    box.spool.exams.open(other, close_open=True)
    return f"/exam/{opened.id}"


@screen
def picture(box: Box) -> str:
    opened = exam(box, 3)
    return f"/picture/{box.spool.captures.of_exam(opened.id)[1].capture.sop_instance_uid}"


@screen
def picture_of_a_side(box: Box) -> str:
    opened = exam(box, 3)
    uid = box.spool.captures.of_exam(opened.id)[1].capture.sop_instance_uid
    box.spool.sides.say(uid, Side.LEFT)
    return f"/picture/{uid}"


@screen
def picture_removed(box: Box) -> str:
    opened = exam(box, 3)
    uid = box.spool.captures.of_exam(opened.id)[1].capture.sop_instance_uid
    box.spool.captures.reject(uid, "removed on the panel")
    return f"/picture/{uid}"


@screen
def picture_clip(box: Box) -> str:
    opened = exam(box, 1)
    uid = box.capture._call_clip_start({"exam": opened.id, "request": None, "source": "ultrasound"})["clip"]
    box.capture._call_clip_stop({"clip": uid})
    return f"/picture/{uid}"


@screen
def exam_of_before(box: Box) -> str:
    opened = exam(box, 2)
    box.spool.exams.finish(opened.id)
    box.spool.exams.release(opened.id)
    return f"/exam/{opened.id}"


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
def move_nowhere(box: Box) -> str:
    return f"/move/{box.spool.captures.of_exam(exam(box, 1).id)[0].capture.sop_instance_uid}"


# --- delivery and trouble ------------------------------------------------------------------------------------


@screen
def delivery(box: Box) -> str:
    for name in ("Meier^Anna", "Okonkwo^Chidi", LONG):
        box.spool.exams.finish(exam(box, 2, name=name).id)
    return "/delivery"


@screen
def delivery_nothing(box: Box) -> str:
    del box
    return "/delivery"


def _sealed(box: Box, pictures: int = 3, name: str = "Meier^Anna") -> Exam:
    """Return an exam that ended, and whose objects wait for both archives."""
    opened = exam(box, pictures, name=name)
    box.spool.exams.finish(opened.id)
    box.spool.exams.release(opened.id)
    for listed in box.spool.captures.of_exam(opened.id):
        seal(box, opened.id, listed.capture.sop_instance_uid)
    return opened


def _move(box: Box, destination: str, **values: str | int) -> None:
    with box.spool.database.write() as connection:
        columns = ", ".join(f"{name} = :{name}" for name in values)
        connection.execute(
            f"UPDATE delivery SET {columns} WHERE destination = :to",
            {**values, "to": destination},
        )


def _away(box: Box, minutes: int) -> None:
    since = (box.spool.clock.utc() - timedelta(minutes=minutes)).isoformat()
    what = "The archive pacs did not answer: no machine answered at 127.0.0.1:11114."
    line = {"name": "pacs", "state": "paused", "code": "unreachable", "what": what, "action": "", "since": since}
    said_of_forward(box, destinations=[{**line, "attempt": 3, "next_attempt_in_s": 40}])
    reason = {"reason": what, "code": "unreachable", "attempts": 3}
    _move(box, "pacs", next_attempt_ns=box.spool.clock.utc_ns() + 3_600_000_000_000, **reason)
    _move(box, "backup", state="sent", attempts=1)


@screen
def delivery_away(box: Box) -> str:
    _sealed(box)
    _away(box, 20)
    return "/delivery"


@screen
def delivery_away_for_hours(box: Box) -> str:
    _sealed(box)
    _away(box, 200)
    return "/delivery"


def _refused(box: Box) -> Exam:
    opened = _sealed(box)
    said_of_forward(box, destinations=[{"name": "pacs", "state": "ok"}])
    reason = (
        "The archive pacs does not take this kind of object (status 0122). "
        "Call IT: the settings of the box and of the archive do not match."
    )
    _move(box, "pacs", state="held", code="sop-class", status="0122", reason=reason, attempts=1)
    _move(box, "backup", state="committed", proof="commitment", attempts=1)
    return opened


@screen
def delivery_refused(box: Box) -> str:
    _refused(box)
    return "/delivery"


@screen
def delivery_not_confirmed(box: Box) -> str:
    _sealed(box)
    what = "The archive pacs took the pictures but does not confirm that it keeps them."
    action = "It is asked again by itself. Call IT: can the archive reach this box to report?"
    proof = {"state": "silent", "code": "commitment-silent", "what": what, "action": action}
    said_of_forward(box, destinations=[{"name": "pacs", "state": "ok", "proof": proof}])
    for name in ("pacs", "backup"):
        _move(box, name, state="sent", attempts=1)
    return "/delivery"


@screen
def details_refused(box: Box) -> str:
    return f"/delivery/{_refused(box).id}"


@screen
def details_away(box: Box) -> str:
    opened = _sealed(box, 12, name=LONG)
    _away(box, 20)
    return f"/delivery/{opened.id}"


@screen
def details_nothing(box: Box) -> str:
    opened = exam(box, 1)
    box.spool.exams.finish(opened.id)
    return f"/delivery/{opened.id}"


# --- onto a stick ----------------------------------------------------------------------------------------------


def _plugged(box: Box, **said: Any) -> None:
    medium = {"free": 14_200_000_000, "total": 16_000_000_000, "read_only": False, **said}
    said_of_forward(box, destinations=[{"name": "stick", "state": "ok", "medium": medium}])


@screen
def copy(box: Box) -> str:
    opened = _sealed(box, 12)
    _plugged(box)
    return f"/copy?exam={opened.id}"


@screen
def copy_several(box: Box) -> str:
    exams = [_sealed(box, 2, name) for name in ("Meier^Anna", LONG, "Okonkwo^Chidi")]
    _plugged(box)
    return f"/copy?{'&'.join(f'exam={each.id}' for each in exams)}&jpeg=1"


@screen
def copy_no_stick(box: Box) -> str:
    opened = _sealed(box, name=LONG)
    said_of_forward(box, destinations=[{"name": "stick", "state": "absent"}])
    return f"/copy?exam={opened.id}"


@screen
def copy_read_only(box: Box) -> str:
    opened = _sealed(box)
    _plugged(box, read_only=True)
    return f"/copy?exam={opened.id}"


@screen
def copy_which(box: Box) -> str:
    for name in ("Meier^Anna", LONG, "Okonkwo^Chidi"):
        _sealed(box, 2, name)
    return "/copy/which"


def _copying(box: Box) -> tuple[str, Request]:
    opened = _sealed(box)
    _plugged(box)
    arguments = {"exams": [opened.id], "destination": "stick", "jpeg": False}
    identifier = box.spool.requests.ask("export", arguments, deadline_s=60)
    request = box.spool.requests.begin("export")
    assert request
    return identifier, request


@screen
def copying(box: Box) -> str:
    identifier, request = _copying(box)
    so_far = {"objects_done": 4, "objects": 13, "bytes_done": 61_200_114, "bytes": 86_012_340, "left_s": 9}
    box.spool.requests.progress(request, so_far)
    return f"/copying/{identifier}"


@screen
def copying_done(box: Box) -> str:
    identifier, request = _copying(box)
    box.spool.requests.done(request, {"exams": 1, "objects": 13, "bytes": 43_006_170, "left_out": 1})
    return f"/copying/{identifier}"


@screen
def copying_failed(box: Box) -> str:
    identifier, request = _copying(box)
    box.spool.requests.failed(request, MediaGone())
    return f"/copying/{identifier}"


# --- what stays --------------------------------------------------------------------------------------------------


@screen
def archive(box: Box) -> str:
    for name in ("Meier^Anna", LONG, "Okonkwo^Chidi"):
        _sealed(box, 2, name)
    return "/archive"


@screen
def archive_nothing(box: Box) -> str:
    del box
    return "/archive"


@screen
def play(box: Box) -> str:
    opened = exam(box)
    uid = box.capture._call_clip_start({"exam": opened.id, "request": None, "source": "ultrasound"})["clip"]
    box.capture._call_clip_stop({"clip": uid})
    return f"/play/{uid}"


_AFTER["play"] = lambda page: page.wait_for_selector("#frames[data-drawn='5']")


@screen
def evening(box: Box) -> str:
    _sealed(box)
    said_of_forward(box, destinations=[{"name": n, "state": "ok", "bytes_per_s": 300} for n in ("pacs", "backup")])
    return "/evening"


@screen
def evening_nothing(box: Box) -> str:
    del box
    return "/evening"


@screen
def evening_much(box: Box) -> str:
    _refused(box)
    exam(box, 2)
    other = Subject(identity=Identity.TYPED, patient=Patient(name="Okonkwo^Chidi", id="4712-0031"))
    box.spool.exams.finish(box.spool.exams.open(other, close_open=True)[0].id)
    _sealed(box)
    _away(box, 20)
    return "/evening"


@screen
def numbers(box: Box) -> str:
    _sealed(box, 6)
    for number, hours in enumerate((0, 0, 0.5, 5, 30)):
        with box.spool.database.write() as connection:
            connection.execute(
                "UPDATE delivery SET queued_ns = ? WHERE id = ?",
                (box.spool.clock.utc_ns() - int(hours * 3_600_000_000_000), number + 1),
            )
    return "/numbers"


@screen
def numbers_nothing(box: Box) -> str:
    del box
    return "/numbers"


@screen
def problem(box: Box) -> str:
    del box
    return "/exam/0000000000"


# --- the box itself ------------------------------------------------------------------------------------------


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
def clean(box: Box) -> str:
    del box
    return "/more"


@screen
def choose_covered(box: Box) -> str:
    del box
    return "/?next=1"


_AFTER["clean"] = lambda page: page.locator("#clean-key").tap()


# --- people --------------------------------------------------------------------------------------------------

PIN = "402918"


def ask(box: Box, page: Page, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Ask the API from this browser, whose cookies go along."""
    answer = page.request.post(f"{box.address}/api/v1{path}", data=body)
    assert answer.ok, answer.text()
    found: dict[str, Any] = answer.json()
    return found


def as_administrator(box: Box, page: Page, *others: tuple[str, str]) -> None:
    made = ask(box, page, "/people/first", {"name": "Dr. Huber", "pin": PIN})
    ask(box, page, "/people/recovery/confirm", {"last": made["recovery_code"][-4:]})
    for name, role in others:
        ask(box, page, "/people", {"name": name, "role": role, "pin": PIN})


def _signed_out(box: Box, page: Page, *others: tuple[str, str]) -> None:
    as_administrator(box, page, *others)
    ask(box, page, "/session/end", {})


def _people_screen(name: str, address: str, before: Callable[[Box, Page], None] | None = None) -> None:
    def make(box: Box) -> str:
        del box
        return address

    make.__name__ = name
    screen(make)
    if before:
        _BEFORE[name] = before


_MANY = [
    ("Rossi", "technician"),
    ("Wolfeschlegelsteinhausenbergerdo", "reviewer"),
    ("王小东", "service"),
    ("Technik Röntgen", "technician"),
    ("Meier", "administrator"),
]
_people_screen("first_administrator", "/first")
_people_screen("sign_in", "/people", _signed_out)
_people_screen("sign_in_several", "/sign-in", lambda box, page: _signed_out(box, page, *_MANY))
_people_screen("recover", "/recover", _signed_out)
_people_screen("people", "/people", lambda box, page: as_administrator(box, page, *_MANY))
_people_screen(
    "people_without_code",
    "/people",
    lambda box, page: (as_administrator(box, page), ask(box, page, "/people/recovery/renew", {})),
)
_people_screen("person_name", "/people/name", as_administrator)
_people_screen("person_add", "/people/add?name=Rossi", as_administrator)
_people_screen("person", "/people", lambda box, page: as_administrator(box, page, *_MANY))
_people_screen("own_pin", "/pin", as_administrator)
_people_screen("recovery_code", "/people/code", as_administrator)
_people_screen("recovery_code_confirm", "/people/code", as_administrator)
_people_screen("more_signed_in", "/more", as_administrator)


def _look_at_code(page: Page) -> None:
    page.locator("#entry [type=submit]").tap()
    page.locator("#code-shown").wait_for()


def _type_code(page: Page) -> None:
    _look_at_code(page)
    page.locator("#code-written").tap()


def _first_person(page: Page) -> None:
    page.locator(".row.person").nth(1).tap()
    page.wait_for_url("**/people/*")
    page.wait_for_selector("body.ready")


_AFTER["recovery_code"] = _look_at_code
_AFTER["recovery_code_confirm"] = _type_code
_AFTER["person"] = _first_person


# --- practice ------------------------------------------------------------------------------------------------


def in_practice(box: Box) -> None:
    """Make the panel that of practice."""
    box.configure(practice_of=Address(host="127.0.0.1", port=8080))


@screen
def practice(box: Box) -> str:
    box.configure(practice=True)
    return "/practice"


@screen
def practice_choose(box: Box) -> str:
    in_practice(box)
    return "/"


@screen
def practice_live(box: Box) -> str:
    in_practice(box)
    return f"/live/{exam(box, 12, name=LONG).id}"


@screen
def practice_type(box: Box) -> str:
    in_practice(box)
    return "/type"


@screen
def practice_more(box: Box) -> str:
    in_practice(box)
    return "/more"


@screen
def standby_of_the_box(box: Box) -> str:
    box.configure(kiosk=True)
    return "/standby"


# --- the first start -----------------------------------------------------------------------------------------

_LINES = {
    "good": [
        {"part": "answers", "ok": True, "what": "It answers.", "action": "", "code": ""},
        {
            "part": "kinds",
            "ok": True,
            "what": "It takes what this box makes: stills and clips.",
            "action": "",
            "code": "",
        },
    ],
    "bad": [
        {"part": "answers", "ok": True, "what": "It answers.", "action": "", "code": ""},
        {
            "part": "kinds",
            "ok": False,
            "what": "It does not take clips.",
            "action": "Call IT: the archive must be set to take them, or another format be chosen here.",
            "code": "no-context",
        },
        {
            "part": "commitment",
            "ok": True,
            "what": "It takes the question whether it keeps pictures.",
            "action": "",
            "code": "",
        },
        {
            "part": "way-back",
            "ok": False,
            "what": "It took the question, and its answer did not come back within 20 seconds.",
            "action": "Call IT: the archive must know SCOPEGATE with this box's address and port 11112. "
            "Some archives answer later; then test again.",
            "code": "no-way-back",
        },
    ],
}


def new_box(box: Box, page: Page | None = None, **drafts: dict[str, Any]) -> None:
    """Let the box be one that nobody set up, as far as the file says."""
    del page
    progress = Progress(whole=True, answers={"language": "set", "worklist": "none"}, drafts=drafts)
    kept = Kept(box.spool.layout.first_start, box.spool.files)
    kept.change(progress)


def _setup_screen(name: str, path: str, **drafts: dict[str, Any]) -> None:
    SCREENS[name] = lambda box: (new_box(box, **drafts), f"/first-start{path}")[1]


def _tried(lines: list[dict[str, Any]]) -> Callable[[Box, Page], None]:
    """Let whatever is tried end with these lines, in the words of the page's language."""

    def answered(box: Box, page: Page) -> None:
        def begun(route: Route) -> None:
            answer = route.fetch()
            asked = box.spool.requests.begin("trial")
            assert asked is not None
            box.spool.requests.done(asked, {"lines": lines})
            route.fulfill(response=answer)

        page.route(f"{box.address}/api/v1/trials", begun)

    return answered


_ARCHIVE = {"kind": "dicom", "host": "10.0.0.6", "port": 104, "ae_title": "PACS", "commitment": True}
_setup_screen("setup_begin", "")
_setup_screen("setup_language", "/language")
_setup_screen("setup_time", "/time")
_setup_screen("setup_time_wrong", "/time?wrong=1")
_setup_screen("setup_station", "/station")
_setup_screen("setup_administrator", "/administrator")
_setup_screen("setup_source", "/source")
_setup_screen("setup_profile", "/source/profile", source={"device": "pattern:ultrasound"})
_setup_screen("setup_kind", "/source/kind", source={"device": "pattern:ultrasound"})
_setup_screen("setup_pedal", "/pedal")
_setup_screen("setup_pedal_heard", "/pedal")
_setup_screen("setup_pedal_without_source", "/pedal")
_setup_screen("setup_worklist", "/worklist")
_setup_screen("setup_host", "/worklist/type/host")
_setup_screen("setup_port", "/worklist/type/port")
_setup_screen("setup_archive", "/archive")
_setup_screen("setup_commitment", "/archive/commitment", archive=_ARCHIVE)
_setup_screen("setup_trial", "/archive/try", archive=_ARCHIVE)
_setup_screen("setup_trial_bad", "/archive/try", archive=_ARCHIVE)
_setup_screen("setup_retention", "/retention")
_setup_screen("setup_summary", "/summary")
_BEFORE["setup_trial"] = _tried(_LINES["good"])
_BEFORE["setup_trial_bad"] = _tried(_LINES["bad"])


def _with_source(box: Box, page: Page) -> None:
    (box.settings.station.data_dir / "scopegate.toml").write_text(
        '[[source]]\nname = "ultrasound"\ndevice = "pattern:ultrasound"\n'
    )
    del page


def _pressed(box: Box, page: Page) -> None:
    _with_source(box, page)
    box.capture.script.presses.append({"word": "key:0xB7"})


_BEFORE["setup_pedal"] = _with_source
_BEFORE["setup_pedal_heard"] = _pressed
_AFTER["setup_profile"] = lambda page: page.locator("#setup-tried[data-over]").wait_for()
_AFTER["setup_pedal"] = lambda page: page.locator("#setup-press").wait_for()
_AFTER["setup_pedal_heard"] = lambda page: page.locator("#setup-again:not([hidden])").wait_for()
for _name in ("setup_trial", "setup_trial_bad"):
    _AFTER[_name] = lambda page: page.locator("#setup-retry:not([disabled])").wait_for()


# --- settings ------------------------------------------------------------------------------------------------

_CONFIGURATION = """
[station]
name = "US-ROOM-2"
institution = "Klinik am Südpark"

[panel]
operators = ["Huber^Maria", "Rossi^Paolo"]

[[source]]
name = "ultrasound"
device = "pattern:ultrasound"
modality = "US"

[[trigger]]
kind = "input"
device = "usb:1-1.4"
source = "ultrasound"
still = "key:F1"

[[sign]]
kind = "tone"

[[worklist]]
name = "ris"
ae_title = "RIS"
host = "10.0.0.5"
port = 104

[[destination]]
name = "pacs"
ae_title = "PACS"
host = "10.0.0.6"
port = 104

[[destination]]
name = "stick"
kind = "media"
folder = "/media/stick"
required = false
"""


def configured(box: Box, page: Page) -> None:
    """Let the box have a configuration of its own, and somebody with the PIN stand before it."""
    (box.settings.station.data_dir / "scopegate.toml").write_text(_CONFIGURATION)
    as_administrator(box, page)


def change(box: Box, page: Page, place: list[str | int], value: Any) -> None:
    revision = page.request.get(f"{box.address}/api/v1/settings/state").json()["revision"]
    ask(box, page, "/settings/change", {"changes": [{"place": place, "value": value}], "revision": revision})


def _trying(box: Box, page: Page) -> None:
    configured(box, page)
    _tried(_LINES["bad"])(box, page)


def _changed(box: Box, page: Page) -> None:
    configured(box, page)
    change(box, page, ["destination", 0, "host"], "pacs.klinik.example")


def _waiting(box: Box, page: Page) -> None:
    configured(box, page)
    exam(box, 2)
    change(box, page, ["panel", "theme"], "light")


def _answer(text: str, *, expect: str) -> Callable[[Page], None]:
    """Write an answer, go on, and wait for what the screen says."""

    def write(page: Page) -> None:
        page.locator(".step:not([hidden]) input").fill(text)
        page.locator("#next").tap()
        page.locator(expect).wait_for()

    return write


_people_screen("settings", "/settings", _changed)
_people_screen("settings_waiting", "/settings", _waiting)
for _name in ("station", "worklist", "archives", "sources", "pedals", "retention", "screen", "network"):
    _people_screen(f"settings_{_name}", f"/settings/{_name}", configured)
_people_screen("settings_archive", "/settings/archives/destination/0", configured)
_people_screen("settings_try", "/settings/archives/destination/0/try", _trying)
_AFTER["settings_try"] = _AFTER["setup_trial"]
_people_screen("settings_text", "/settings/archives/ask/destination/0/host", configured)
_people_screen("settings_number", "/settings/retention/ask/retention/keep_days", configured)
_people_screen("settings_choice", "/settings/screen/ask/panel/keyboard", configured)
_people_screen("settings_choice_many", "/settings/sources/ask/source/0/body_part", configured)
_people_screen("settings_several", "/settings/archives/ask/destination/0/types", configured)
_people_screen("settings_secret", "/settings/archives/destination/new?kind=stow", configured)
_people_screen("settings_wrong", "/settings/retention/ask/retention/keep_days", configured)
_people_screen("settings_sure", "/settings/archives/ask/destination/0/host", configured)
_people_screen("settings_file", "/settings/file", configured)
_people_screen("settings_before", "/settings/before", _changed)
_AFTER["settings_wrong"] = _answer("99999", expect="#wrong:not([hidden])")
_AFTER["settings_sure"] = _answer("pacs.klinik.example", expect="#sure:not([hidden])")
# --- service -------------------------------------------------------------------------------------------------


@screen
def service(box: Box) -> str:
    said_of_forward(box, destinations=[{"name": "pacs", "state": "ok"}])
    return "/service"


@screen
def service_signs(box: Box) -> str:
    del box
    return "/service/signs"


_BEFORE["service"] = _BEFORE["service_signs"] = as_administrator
