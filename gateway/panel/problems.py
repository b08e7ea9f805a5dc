"""Errors as RFC 9457 problem documents. The only module that knows which HTTP status an error has."""

import math

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway import errors
from gateway.errors import Refused, ScopegateError
from gateway.panel.words import Words, of_call

MEDIA_TYPE = "application/problem+json"


class BadRequest(Refused):
    """This request cannot be read."""

    code = "bad-request"
    action = "Correct the request; /api/v1/openapi.json says what is expected."


class TooLarge(Refused):
    """This request is larger than any that the box expects."""

    code = "too-large"
    action = "Send less."


class NotJson(Refused):
    """The body of this request is not marked as JSON."""

    code = "not-json"
    action = "Send it with the content type application/json."


class TooMany(Refused):
    """Too many pages are watching this box."""

    code = "too-many-watchers"
    action = "Close pages that nobody looks at."


class NoPractice(Refused):
    """Practice is not set up on this box."""

    code = "no-practice"
    action = "IT: say Yes to “The screen may begin practice” and enable scopegate-practice.path."


class NoSwitch(Refused):
    """This box cannot be switched off on its screen."""

    code = "no-switch"
    action = "Use the switch on the box itself; or IT: say Yes to “The screen may switch the box off”."


class NoMachine(Refused):
    """Network and time of this machine are not set here."""

    code = "no-machine"
    action = "Whoever administers this computer sets them with its own programs."


class NoUpdates(Refused):
    """This machine is not updated here."""

    code = "no-updates"
    action = "Whoever administers this computer updates it as its documents say."


class UpdateRunning(Refused):
    """An update is being uploaded, installed or tried already."""

    code = "update-running"
    safe = "Nothing was changed."
    action = "Wait until the page says what became of it."


class UpdateTooLarge(Refused):
    """This file is larger than any update."""

    code = "update-too-large"
    safe = "Nothing was changed."
    action = "Choose the file that ends in .raucb."


class UpdateTooSlow(Refused):
    """The file came too slowly, or stopped coming."""

    code = "update-too-slow"
    safe = "Nothing was changed."
    action = "Send it from a computer with a faster network to the box, or install it from a stick."


class NoRoomForUpdate(Refused):
    """The box has no room for this update: what is free is kept for pictures."""

    code = "update-no-room"
    safe = "Nothing was changed."
    action = "Install it from a stick, or have IT get the archive back, so that the box can empty itself."


class NoUsb(Refused):
    """What is plugged into this machine is not let in here."""

    code = "no-usb"
    action = "Whoever administers this computer decides what may be plugged in."


class NoSuchDevice(Refused):
    """This device does not wait to be let in, or is not on the list."""

    code = "no-such-device"
    action = "Plug it in again, and look at the list."


class NothingTried(Refused):
    """No network is being tried: it was taken back, or kept already."""

    code = "nothing-tried"
    action = "Make the change again."


class ClockIsSet(Refused):
    """A time server sets this clock."""

    code = "clock-is-set"
    action = "If it is wrong, change the time servers or the time zone."


class CopyRunning(Refused):
    """A copy onto a stick is being written."""

    code = "copy-running"
    action = "Wait until it says that the stick can be removed."


class WrongHost(Refused):
    """This box does not answer to that name."""

    code = "wrong-host"
    action = "Use http://127.0.0.1 and the panel's port; on the network, a name that its certificate has."


class WrongOrigin(Refused):
    """This request comes from another page than the panel's."""

    code = "wrong-origin"
    action = "Use the panel's own pages."


class NotSignedIn(Refused):
    """Nobody is signed in here."""

    code = "not-signed-in"
    action = "Sign in."


class NotPermitted(Refused):
    """This is not for the role of whoever is signed in."""

    code = "not-permitted"
    action = "Ask an administrator of the box."


class OnlyAtTheBox(Refused):
    """This can be done at the box only."""

    code = "only-at-the-box"
    action = "Do it on the screen of the box."


class NoCaptureHere(Refused):
    """The picture was NOT stored: pictures are taken at the box."""

    code = "no-capture-here"
    action = "Take it at the box, or have an administrator allow it for browsers of the network."


class WrongPin(Refused):
    """Name or PIN is wrong."""

    code = "wrong-pin"
    action = "Check both and try again; each wrong try makes the next one wait longer, up to a minute."


class WrongCode(Refused):
    """This is not the recovery code."""

    code = "wrong-code"
    action = "Compare it with what was written down."


class DataKeys(Refused):
    """What guards the disk was not changed."""

    code = "data-keys"
    safe = "The disk is guarded as before."


class NotRepaired(Refused):
    """The box was not repaired."""

    code = "not-repaired"
    safe = "Nothing was changed."


class OtherNumber(Refused):
    """This is not the number that erases this box."""

    code = "other-number"
    safe = "Nothing was erased."
    action = "Look at the page again: each time it shows another number, and what would be lost may have changed."


class MustWait(Refused):
    """After a wrong PIN the next try has to wait."""

    code = "wait-after-wrong-pin"
    action = "Wait, then try again."

    def __init__(self, what: str = "", *, seconds: float = 1.0, code: str = "", action: str = "") -> None:
        super().__init__(what, code=code, action=action)
        self.seconds = seconds


class TooManyTries(Refused):
    """Too many people are signing in at this moment."""

    code = "too-many-tries"
    action = "Try again in a few seconds."


class NameTaken(Refused):
    """Somebody has this name already."""

    code = "name-taken"
    action = "Choose another one."


class NoSuchPerson(Refused):
    """There is no such person."""

    code = "no-such-person"
    action = "Look at the list again."


class LastAdministrator(Refused):
    """A box keeps one administrator at least."""

    code = "last-administrator"
    action = "Make somebody else an administrator first."


class AdministratorExists(Refused):
    """This box has an administrator already."""

    code = "administrator-exists"
    action = "Sign in as one of them."


class PeopleUnreadable(ScopegateError):
    """The file of people cannot be read: nobody can sign in."""

    code = "people-unreadable"
    safe = "Exams go on, and pictures are stored."
    action = (
        "At an appliance: Reset and rescue, New settings, with the recovery code. Elsewhere call IT: put "
        "people.json in the data folder right, or remove it to begin anew, then restart the panel."
    )


class PanelFailed(ScopegateError):
    """The panel made a mistake."""

    safe = "Pictures stored before are on this box."


# The first row that fits decides: finer kinds stand above their parents.
_STATUS: tuple[tuple[type[ScopegateError], int], ...] = (
    (BadRequest, 400),
    (TooLarge, 413),
    (UpdateTooLarge, 413),
    (NoRoomForUpdate, 507),
    (NotJson, 415),
    (TooMany, 503),
    (NotSignedIn, 401),
    (NotPermitted, 403),
    (OnlyAtTheBox, 403),
    (NoCaptureHere, 403),
    (WrongPin, 403),
    (WrongCode, 403),
    (OtherNumber, 403),
    (MustWait, 429),
    (TooManyTries, 503),
    (NoSuchPerson, 404),
    (PeopleUnreadable, 503),
    (WrongHost, 421),
    (WrongOrigin, 403),
    (errors.NotFound, 404),
    (errors.RequestReused, 422),
    (errors.BadValue, 422),
    (errors.SettingsWrong, 422),
    (errors.SettingsReadOnly, 409),
    (errors.FrameGone, 410),
    (errors.Purged, 410),
    (errors.Busy, 429),
    (errors.TooHot, 503),
    (errors.NoSignal, 503),
    (errors.CaptureGone, 503),
    (errors.Refused, 409),
    (errors.DiskFull, 507),
    (errors.SpoolBusy, 503),
    (errors.SpoolLocked, 503),
    (errors.WorklistError, 503),
    (errors.TryLater, 503),
    (ScopegateError, 500),
)
Document = dict[str, str | int]
_RETRY_AFTER_S = {429: "1", 503: "2"}
_WORDS = {
    404: ("not-found", "There is nothing at this address.", "Check the address."),
    405: ("method-not-allowed", "This address does not take that method.", "Check the method."),
}
_REFUSED = ("http", "This request was refused.", "Check the request.")


def status_of(error: ScopegateError) -> int:
    return next(status for kind, status in _STATUS if isinstance(error, kind))


def document(*, status: int, code: str, what: str, safe: str = "", action: str = "") -> Document:
    """Return a problem document; `what`, `safe` and `action` are for people, `code` is stable."""
    return {
        "type": f"urn:scopegate:problem:{code}",
        "title": what,
        "status": status,
        "detail": " ".join(filter(None, (what, safe, action))),
        "code": code,
        "what": what,
        "safe": safe,
        "action": action,
    }


def document_of(error: ScopegateError, language: Words) -> Document:
    """Return what is said of an error in that language."""
    what, safe, action = map(language.said, (error.what, error.safe, error.action))
    return document(status=status_of(error), code=error.code, what=what, safe=safe, action=action)


def of_error(error: ScopegateError, language: Words) -> Response:
    """Return an error as the answer to a call, in that language."""
    status = status_of(error)
    headers = {"retry-after": _RETRY_AFTER_S[status]} if status in _RETRY_AFTER_S else {}
    if isinstance(error, MustWait):
        headers["retry-after"] = str(math.ceil(error.seconds))
    return JSONResponse(document_of(error, language), status, headers, MEDIA_TYPE)


async def answer_error(request: Request, error: Exception) -> Response:
    """Starlette's handler of our own errors."""
    assert isinstance(error, ScopegateError)
    return of_error(error, of_call(request))


async def answer_http(request: Request, error: Exception) -> Response:
    """Starlette's handler of what its router refuses."""
    assert isinstance(error, HTTPException)
    said = of_call(request).said
    code, what, action = _WORDS.get(error.status_code, _REFUSED)
    content = document(status=error.status_code, code=code, what=said(what), action=said(action))
    return JSONResponse(content, error.status_code, error.headers, MEDIA_TYPE)


async def answer_bug(request: Request, error: Exception) -> Response:
    """Starlette's handler of a bug of ours: says so, never quotes it."""
    del error
    return of_error(PanelFailed(), of_call(request))
