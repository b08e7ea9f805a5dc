"""An exam after its pictures: its end, what is in it, each picture."""

from datetime import timedelta

from playwright.sync_api import Page

from gateway.model import Exam, Identity, Patient, PleaseCheck, Side
from gateway.spool import reopening
from gateway.spool.subjects import Subject
from tests.browser.conftest import Box
from tests.browser.screens.registry import AFTER, screen
from tests.browser.screens.states import exam, said_of_forward, sealed
from tests.unit.panel.fake_capture import START


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
    said_of_forward(box)
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
def picture_sure(box: Box) -> str:
    return picture(box)


def _touch_once(page: Page) -> None:
    page.locator("[data-sure]").tap()
    page.wait_for_selector("body.ready [data-second]")


AFTER["picture_sure"] = _touch_once


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
def picture_left(box: Box) -> str:
    opened = sealed(box, 2)
    reopening.reopen(box.spool, opened.id, within=timedelta(hours=1))
    return f"/picture/{box.spool.captures.of_exam(opened.id)[0].capture.sop_instance_uid}"


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
