"""What callers send: JSON bodies and query words, read strictly. Says what is wrong; guesses nothing."""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from gateway.errors import BadValue
from gateway.model import RequestStamp, Side
from gateway.panel.problems import BadRequest, NotJson

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# Controls, and what nobody sees but what makes two names look alike or turns the letters round (UTR 36 2.5, 3.6).
_UNSEEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb\ufffe\uffff]|[\U000e0000-\U000e0fff]"
)
_DEEPEST = 8  # levels of a body; calls take three
Values = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One request's body. `stamp` is None when the caller gave no request id."""

    values: Values
    stamp: RequestStamp | None = None


async def read(request: Request, *known: str, creating: bool = False) -> Asked:
    """Read a body of at most the `known` keys; a `creating` call takes `request_id` as well.

    Raises BadRequest, NotJson, BadValue.
    """
    raw = await request.body()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if raw and kind != "application/json":
        raise NotJson
    values = parse(raw) if raw else {}
    return understand(values, *known, creating=creating, route=f"{request.method} {request.url.path}")


def parse(raw: bytes | str) -> Values:
    """Return a JSON object. Raises BadRequest."""
    try:
        values = json.loads(raw)
        if _nests(values, _DEEPEST):
            raise BadRequest("The body nests deeper than any call needs.")
        json.dumps(values, ensure_ascii=False).encode()  # half a surrogate pair is JSON but no text
    except (ValueError, RecursionError) as error:
        raise BadRequest("The body is not JSON.") from error
    if not isinstance(values, dict):
        raise BadRequest("The body is not a JSON object.")
    return values


def understand(values: Values, *known: str, creating: bool, route: str) -> Asked:
    """Check a body's keys and stamp it: the same request id may ask for the same thing only."""
    identifier = values.pop("request_id", None) if creating else None
    if unknown := sorted(values.keys() - set(known)):
        # The name of an unknown key is the caller's word and could be anything.
        raise BadRequest(f"This call knows no such key ({len(unknown)} of them); it takes: {', '.join(known)}.")
    if identifier is None:
        return Asked(values=values)
    if not isinstance(identifier, str) or not _UUID.fullmatch(identifier.lower()):
        raise BadValue("request_id is not a UUID.")
    return Asked(values=values, stamp=RequestStamp(id=identifier.lower(), digest=_digest(route, values)))


def text(values: Values, key: str, *, longest: int = 64, required: bool = False) -> str:
    """Return a text without control characters, trimmed. Raises BadValue."""
    value = values.get(key, "")
    if not isinstance(value, str):
        raise BadValue(f"{key} is not a text.")
    value = value.strip()
    if required and not value:
        raise BadValue(f"{key} is missing.")
    if len(value) > longest:
        raise BadValue(f"{key} is longer than {longest} characters.")
    if _UNSEEN.search(value):
        raise BadValue(f"{key} contains characters that cannot be printed.")
    return value


def side(values: Values) -> Side | None:
    """Return the value of `laterality`, None when it is missing. Raises BadValue."""
    value = values.get("laterality")
    if value is None:
        return None
    if not isinstance(value, str) or value not in set(Side):
        raise BadValue("laterality is none of R, L, B, U and nothing at all.")
    return Side(value)


def flag(values: Values, key: str, *, required: bool = False) -> bool:
    """Return true or false, false when it is missing. Raises BadValue."""
    if required and key not in values:
        raise BadValue(f"{key} is missing.")
    value = values.get(key, False)
    if not isinstance(value, bool):
        raise BadValue(f"{key} is neither true nor false.")
    return value


def number(values: Values, key: str, *, least: int, most: int, default: int) -> int:
    value = values.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or (key in values and not least <= value <= most):
        raise BadValue(f"{key} is not a whole number from {least} to {most}.")
    return value


def query_number(request: Request, key: str, *, least: int, most: int, default: int) -> int:
    """Return a number from the address. Raises BadValue."""
    word = request.query_params.get(key)
    if word is None:
        return default
    value = whole(word)
    if value is None or not least <= value <= most:
        raise BadValue(f"{key} is not a whole number from {least} to {most}.")
    return value


def whole(word: str) -> int | None:
    """Return a number that stands in an address, None for what is none or does not fit into 64 bits."""
    return int(word) if re.fullmatch(r"[0-9]{1,18}", word) else None


def table(values: Values, key: str, *known: str) -> Values:
    """Return an object inside the body. Raises BadValue, BadRequest."""
    value = values.get(key, {})
    if not isinstance(value, dict):
        raise BadValue(f"{key} is not an object.")
    if value.keys() - set(known):
        raise BadRequest(f"{key} takes: {', '.join(known)}.")
    return value


def _nests(value: object, levels: int) -> bool:
    """Say whether a value nests deeper than so many levels."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(levels == 0 or _nests(each, levels - 1) for each in inner)


def _digest(route: str, values: Values) -> str:
    """Digest what was asked: the route and the body, however its keys are ordered."""
    canonical = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(f"{route}\n{canonical}".encode("utf-8", "surrogatepass")).hexdigest()
