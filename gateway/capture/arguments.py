"""Reads the arguments of a call on capture's socket. Raises BadValue for whatever is not what it should be."""

import math
from typing import Any

from gateway.errors import BadValue
from gateway.model import RequestStamp, Side

_LONGEST = 200  # of a name, an id or a digest
_MOST = 2**53 - 1


class Arguments:
    """What a caller sent along; what is missing is empty."""

    def __init__(self, values: Any) -> None:  # noqa: ANN401 - anything may arrive
        if not isinstance(values, dict):
            raise BadValue("The arguments of a call are an object.")
        self._values: dict[str, Any] = values

    def text(self, name: str) -> str:
        """Return a name or an id, "" when missing."""
        value = self._values.get(name, "")
        if not isinstance(value, str) or len(value) > _LONGEST or not value.isprintable():
            raise BadValue(f"{name!r} must be a short text.")
        return value

    def whole(self, name: str, *, default: int = 0) -> int:
        """Return a whole number from 0 to 2^53 - 1."""
        value = self._values.get(name, default)
        if type(value) is not int or not 0 <= value <= _MOST:
            raise BadValue(f"{name!r} must be a whole number from 0 to 2^53 - 1.")
        return value

    def side(self) -> Side | None:
        """Return of which side the picture is, None when missing: what holds for the exam."""
        value = self._values.get("side")
        if value is None:
            return None
        if not isinstance(value, str) or value not in set(Side):
            raise BadValue("'side' must be R, L, B, U or empty.")
        return Side(value)

    def flag(self, name: str) -> bool:
        """Return true or false, false when missing."""
        value = self._values.get(name, False)
        if not isinstance(value, bool):
            raise BadValue(f"{name!r} must be true or false.")
        return value

    def seconds(self, name: str, *, most: float) -> float:
        """Return a duration, at most `most`."""
        value = self._values.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise BadValue(f"{name!r} must be a number of seconds.")
        return float(min(value, most))

    def request(self) -> RequestStamp | None:
        """Return the caller's request id and digest, or None without one."""
        value = self._values.get("request")
        if value is None:
            return None
        inner = Arguments(value)
        stamp = RequestStamp(id=inner.text("id"), digest=inner.text("digest"))
        if not stamp.id:
            raise BadValue("A request has an id and a digest.")
        return stamp
