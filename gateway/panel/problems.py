"""Errors as RFC 9457 problem documents. The only module that knows which HTTP status an error has."""

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway import errors
from gateway.errors import Refused, ScopegateError

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


# The first row that fits decides: finer kinds stand above their parents.
_STATUS: tuple[tuple[type[ScopegateError], int], ...] = (
    (BadRequest, 400),
    (TooLarge, 413),
    (NotJson, 415),
    (TooMany, 503),
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
_RETRY_AFTER_S = {429: "1", 503: "2"}
_WORDS = {
    404: ("not-found", "There is nothing at this address.", "Check the address."),
    405: ("method-not-allowed", "This address does not take that method.", "Check the method."),
}


def status_of(error: ScopegateError) -> int:
    return next(status for kind, status in _STATUS if isinstance(error, kind))


def problem(
    *, status: int, code: str, what: str, safe: str = "", action: str = "", headers: Mapping[str, str] | None = None
) -> Response:
    """Return a problem document; `what`, `safe` and `action` are for people, `code` is stable."""
    content = document(status=status, code=code, what=what, safe=safe, action=action)
    return JSONResponse(content, status, headers, MEDIA_TYPE)


def document(*, status: int, code: str, what: str, safe: str, action: str) -> dict[str, str | int]:
    """Return a problem document's content."""
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


def document_of(error: ScopegateError) -> dict[str, str | int]:
    return document(status=status_of(error), code=error.code, what=error.what, safe=error.safe, action=error.action)


def of_error(error: ScopegateError) -> Response:
    status = status_of(error)
    headers = {"retry-after": _RETRY_AFTER_S[status]} if status in _RETRY_AFTER_S else {}
    return problem(
        status=status, code=error.code, what=error.what, safe=error.safe, action=error.action, headers=headers
    )


async def answer_error(request: Request, error: Exception) -> Response:
    """Starlette's handler of our own errors."""
    del request
    assert isinstance(error, ScopegateError)
    return of_error(error)


async def answer_http(request: Request, error: Exception) -> Response:
    """Starlette's handler of what its router refuses."""
    del request
    assert isinstance(error, HTTPException)
    code, what, action = _WORDS.get(error.status_code, ("http", "This request was refused.", "Check the request."))
    return problem(status=error.status_code, code=code, what=what, action=action, headers=error.headers)


async def answer_bug(request: Request, error: Exception) -> Response:
    """Starlette's handler of a bug of ours: says so, never quotes it."""
    del request, error
    return problem(
        status=500,
        code="internal",
        what="The panel made a mistake.",
        safe="Pictures stored before are on this box.",
        action="Try again; if it happens again, call service.",
    )
