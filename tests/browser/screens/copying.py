"""Exams onto a stick."""

from typing import Any

from gateway.errors import MediaGone
from gateway.spool.processes.requests import Request
from tests.browser.conftest import Box
from tests.browser.screens.registry import screen
from tests.browser.screens.states import LONG, said_of_forward, sealed


def plugged(box: Box, **said: Any) -> None:
    medium = {"free": 14_200_000_000, "total": 16_000_000_000, "read_only": False, **said}
    said_of_forward(box, destinations=[{"name": "stick", "state": "ok", "medium": medium}])


@screen
def copy(box: Box) -> str:
    opened = sealed(box, 12)
    plugged(box)
    return f"/copy?exam={opened.id}"


@screen
def copy_several(box: Box) -> str:
    exams = [sealed(box, 2, name) for name in ("Meier^Anna", LONG, "Okonkwo^Chidi")]
    plugged(box)
    return f"/copy?{'&'.join(f'exam={each.id}' for each in exams)}&jpeg=1"


@screen
def copy_no_stick(box: Box) -> str:
    opened = sealed(box, name=LONG)
    said_of_forward(box, destinations=[{"name": "stick", "state": "absent"}])
    return f"/copy?exam={opened.id}"


@screen
def copy_read_only(box: Box) -> str:
    opened = sealed(box)
    plugged(box, read_only=True)
    return f"/copy?exam={opened.id}"


@screen
def copy_which(box: Box) -> str:
    for name in ("Meier^Anna", LONG, "Okonkwo^Chidi"):
        sealed(box, 2, name)
    return "/copy/which"


def _copying(box: Box) -> tuple[str, Request]:
    opened = sealed(box)
    plugged(box)
    arguments = {"exams": [opened.id], "destination": "stick", "jpeg": False}
    identifier = box.spool.requests.ask("export", arguments, deadline_s=60)
    request = box.spool.requests.begin("export")
    assert request
    return identifier, request


@screen
def copying(box: Box) -> str:
    identifier, request = _copying(box)
    so_far = {
        "objects_done": 4,
        "objects": 13,
        "pictures_done": 4,
        "pictures": 13,
        "bytes_done": 61_200_114,
        "bytes": 86_012_340,
        "left_s": 9,
    }
    box.spool.requests.progress(request, so_far)
    return f"/copying/{identifier}"


@screen
def copying_done(box: Box) -> str:
    identifier, request = _copying(box)
    box.spool.requests.done(
        request, {"exams": 1, "objects": 13, "pictures": 13, "bytes": 43_006_170, "left_out": 1}
    )
    return f"/copying/{identifier}"


@screen
def copying_failed(box: Box) -> str:
    identifier, request = _copying(box)
    box.spool.requests.failed(request, MediaGone())
    return f"/copying/{identifier}"
