"""The page on which who serves the box installs another version, and reads what became of the last one."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from gateway.messages import N_
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.own_updates import OwnUpdates
from gateway.panel.own_upload import OwnUpload
from gateway.panel.pages.frame import Frame, Values
from gateway.panel.people.roles import SERVE, SET_UP, Door, caller_of

_LAST = N_(
    {
        "installed": "It is installed and runs from the next start on.",
        "trying": "It runs, and has to prove itself within the next minutes.",
        "good": "It was installed, and proved itself.",
        "went-back": "It did not prove itself: the box went back to the version before.",
        "failed": "It was not installed.",
        "stays": "It did not prove itself, and the box did not get back to the one before. Install another one.",
    }
)
_OTHER_MARKS = {"next": "going", "went-back": "bad", "no-way-back": "bad"}
_MARKS = {"installed": "going", "trying": "going", "good": "ok", "went-back": "bad", "failed": "warn"}
_WHY = N_(
    {
        "units": "Its programs did not stay up.",
        "picture": "It took no test picture.",
        "spool": "It could not read the pictures on this box.",
        "panel": "Its screen did not answer.",
        "exam": "Its test exam did not get through.",
        "health": "It could not be looked at.",
        "firmware": "The firmware of this box did not take it.",
        "no-start": "It did not start.",
        "no-end": "Its first start did not come to an end.",
        "cut-off": "Writing it was cut off: install it again.",
        "update-failed": "It could not be written.",
        "update-none": "This box was built without its maker's keys: it takes no updates.",
        "update-foreign": "It was not signed by the maker of this box: do not install it.",
        "update-damaged": "It is damaged, or is no update: copy it once more.",
        "update-other-machine": "It is for another kind of box.",
        "update-too-old": "It is older than what this box may run.",
        "keys-busy": "The box is at work on its keys or its disk: install or send it again once that is done.",
        "update-exam-open": "An exam is open, or nobody knows whether one is: finish it first.",
        "update-absent": "It is not there any more: put the stick in again, or send it again.",
        "update-trying": "The version that runs has not proven itself yet: wait a few minutes.",
    }
)
_OTHER = N_(
    {
        "before": "It is the version before.",
        "next": "It waits for the next start.",
        "went-back": "It was taken back.",
        "no-way-back": "The box did not get back to it.",
        "unknown": "Nobody knows what is in it.",
    }
)
_UNKNOWN = N_("It did not work: try again, or call service.")


class UpdatePages:
    """One page."""

    def __init__(self, context: Context, frame: Frame) -> None:
        self._frame = frame
        self._updates: OwnUpdates = context.own_machine.updates
        self._upload: OwnUpload = context.own_machine.upload

    def routes(self) -> list[Route]:
        return [self._frame.route("/service/update", "update.html", self._update, who=SERVE)]

    def _update(self, request: Request) -> Values:
        if not self._updates.there:
            return {"there": False, "uploads": False}
        seen, asker = self._updates.seen(), caller_of(request.scope)
        last, refused = seen.update["last"], seen.update["refused"]
        return {
            "there": True,
            "seen": seen.update,
            "last": last if last["phase"] in _LAST else None,
            "mark": _MARKS.get(last["phase"], "none"),
            "word": _LAST.get("stays" if last["phase"] == "went-back" and last["stays"] else last["phase"], ""),
            "why": _why(last["reason"]),
            "other": _other(seen.update),
            "coming": self._upload.percent,
            "uploads": asker.door is Door.LAN and asker.may(SET_UP) and seen.update["takes_updates"],
            "refused": _why(refused["code"]) if refused else "",
            "looked": seen.offers is not None,
            "stick": bool((seen.offers or {}).get("stick")),
            "offers": [_offer(each) for each in (seen.offers or {}).get("files", [])],
        }


def _why(code: str) -> str:
    return _WHY.get(code, _UNKNOWN) if code else ""


def _other(update: Mapping[str, Any]) -> dict[str, str]:
    """Return what is in the slot that does not run, and what it is there for."""
    use = update["other"]["use"]
    why = _why(update["last"]["reason"]) if use == "went-back" else ""
    return {
        "version": update["other"]["version"],
        "mark": _OTHER_MARKS.get(use, "none"),
        "word": _OTHER.get(use, ""),
        "why": why,
    }


def _offer(said: dict[str, Any]) -> dict[str, Any]:
    return {**said, "why": _why(said["code"]), "body": {"do": "install", "file": said["file"]}}
