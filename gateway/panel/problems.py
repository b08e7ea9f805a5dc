"""Errors as RFC 9457 problem documents. The only module that knows which HTTP status an error has."""

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


class WrongHost(Refused):
    """This box does not answer to that name."""

    code = "wrong-host"
    action = "Use http://127.0.0.1 and the panel's port."


class WrongOrigin(Refused):
    """This request comes from another page than the panel's."""

    code = "wrong-origin"
    action = "Use the panel's own pages."


class PanelFailed(ScopegateError):
    """The panel made a mistake."""

    safe = "Pictures stored before are on this box."


# The first row that fits decides: finer kinds stand above their parents.
_STATUS: tuple[tuple[type[ScopegateError], int], ...] = (
    (BadRequest, 400),
    (TooLarge, 413),
    (NotJson, 415),
    (TooMany, 503),
    (WrongHost, 421),
    (WrongOrigin, 403),
    (errors.NotFound, 404),
    (errors.RequestReused, 422),
    (errors.BadValue, 422),
    (errors.FrameGone, 410),
    (errors.Purged, 410),
    (errors.Busy, 429),
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
