"""The exams on this box, and a clip that is played."""

from tests.browser.conftest import Box
from tests.browser.screens.registry import AFTER, screen
from tests.browser.screens.states import LONG, exam, sealed


@screen
def archive(box: Box) -> str:
    for name in ("Meier^Anna", LONG, "Okonkwo^Chidi"):
        sealed(box, 2, name)
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


AFTER["play"] = lambda page: page.wait_for_selector("#frames[data-drawn='5']")
