"""What a form has to know of a key: its kind, its limits, its choices. Checks carry it; judges nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

TEXT = "text"
FLAG = "flag"
NUMBER = "number"
CHOICE = "choice"
SEVERAL = "several"  # of `choices`, or texts when there are none
NUMBERS = "numbers"  # `count` of them
TABLE = "table"  # of keys of its own
ENTITY = "entity"  # yes, no, or the address of another one
FILE = "file"  # of this machine
SECRET = "secret"  # a file that holds one; its content is typed and never shown  # noqa: S105


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """How a value is asked for. `low`, `high` and `unit` are of numbers, `longest` of texts."""

    kind: str = TEXT
    low: int = 0
    high: int = 0
    unit: str = ""
    choices: tuple[str, ...] = ()
    longest: int = 128
    count: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Shaped:
    """A check that knows its form."""

    form: Form
    check: Callable[[object], Any]

    def __call__(self, value: object) -> Any:  # noqa: ANN401 - what the product uses: of every kind
        return self.check(value)


def form_of(check: Callable[[object], Any]) -> Form:
    """Return the form of a check; one that says nothing of itself takes a text."""
    return check.form if isinstance(check, Shaped) else Form()
