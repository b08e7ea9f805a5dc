"""What a C-STORE status means for a picture: the table, and nothing that sends.

The values are PS3.4 table B.2-1 and PS3.7 annex C; what follows from them is this product's decision.
"""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from gateway.errors import DeliveryError, NeedsConfiguration, NeverAccepted, TryLater
from gateway.messages import N_
from gateway.net.peers import capital


class Meaning(StrEnum):
    """What is to be done."""

    STORED = "stored"
    STORED_WITH_WARNING = "stored, with a warning"
    TRY_LATER = "try again later"
    NEEDS_CONFIGURATION = "wait for a change of settings"
    NOT_THIS_CLASS = "hold this object at once, until settings change"
    NEVER_ACCEPTED = "hold this object"
    DUPLICATE = "stored if it was transferred before, else hold"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One row: statuses `first` to `last`, what to do, the stable code, what the peer says, on what grounds."""

    first: int
    last: int
    meaning: Meaning
    code: str
    says: str
    grounds: str

    @property
    def statuses(self) -> str:
        one = f"{self.first:04X}"
        return one if self.first == self.last else f"{one}-{self.last:04X}"


def _row(statuses: tuple[int, int], meaning: Meaning, code: str, says: str, grounds: str) -> Rule:
    return Rule(first=statuses[0], last=statuses[1], meaning=meaning, code=code, says=says, grounds=grounds)


_STORED_ALL_THE_SAME = "a warning is a success (PS3.4 B.2.3); the original stays here until it may go"
_A_WARNING = "the class of this status is Warning (PS3.7 annex C)"
_THIS_OBJECT = "the same bytes will be refused again; others may pass"
_BY_HAND = "no repetition changes it; somebody must change a setting, here or there"

REFUSALS = N_(
    (  # of whatever is asked: PS3.7 annex C
        (0x0106, "refuses a value in it"),
        (0x0115, "refuses an argument"),
        (0x0117, "calls its identity invalid"),
        (0x0119, "says that class and identity do not match"),
        (0x0120, "misses an attribute"),
        (0x0121, "misses a value"),
        (0x0211, "does not know the operation"),
        (0x0212, "calls an argument mistyped"),
    )
)

WARNINGS = (0x0001, 0x0107, 0x0116)  # of whatever is asked, besides B000 to BFFF: PS3.7 annex C

TABLE: tuple[Rule, ...] = (
    _row((0x0000, 0x0000), Meaning.STORED, "stored", "stored it", "success"),
    _row(
        (0xB000, 0xB000), Meaning.STORED_WITH_WARNING, "coerced", "changed some of its values", _STORED_ALL_THE_SAME
    ),
    _row(
        (0xB006, 0xB006), Meaning.STORED_WITH_WARNING, "discarded", "left some elements out", _STORED_ALL_THE_SAME
    ),
    _row(
        (0xB007, 0xB007), Meaning.STORED_WITH_WARNING, "mismatch", "found it unlike its class", _STORED_ALL_THE_SAME
    ),
    *(
        _row(statuses, Meaning.STORED_WITH_WARNING, "warning", "found fault with it", _A_WARNING)
        for statuses in ((0xB001, 0xB005), (0xB008, 0xBFFF), *((status, status) for status in WARNINGS))
    ),
    _row((0xA700, 0xA7FF), Meaning.TRY_LATER, "out-of-resources", "is out of resources", "disks are emptied"),
    _row((0x0213, 0x0213), Meaning.TRY_LATER, "out-of-resources", "is out of resources", "as A700"),
    _row(
        (0x0110, 0x0110),
        Meaning.TRY_LATER,
        "processing-failure",
        "could not process it",
        "archives answer this while their database is away",
    ),
    _row(
        (0x0111, 0x0111),
        Meaning.DUPLICATE,
        "duplicate",
        "says that it has another object of this identity",
        "bytes of a sealed object never change: an object that left before is the same one",
    ),
    _row(
        (0x0210, 0x0210),
        Meaning.TRY_LATER,
        "duplicate-invocation",
        "mixed up two messages",
        "a new association starts its message numbers anew",
    ),
    _row((0x0122, 0x0122), Meaning.NOT_THIS_CLASS, "sop-class", "does not take this kind of object", _BY_HAND),
    _row(
        (0x0112, 0x0112),
        Meaning.NOT_THIS_CLASS,
        "sop-class",
        "does not take this kind of object",
        "PS3.2's template lists the refused SOP class here, PS3.7 under 0122",
    ),
    _row((0x0124, 0x0124), Meaning.NEEDS_CONFIGURATION, "not-authorized", "does not allow it", _BY_HAND),
    _row(
        (0x0214, 0x0214),
        Meaning.NEEDS_CONFIGURATION,
        "not-authorized",
        "does not allow it",
        "PS3.2's template lists it here, PS3.7 under 0124",
    ),
    _row((0xA900, 0xA9FF), Meaning.NEVER_ACCEPTED, "refused", "says that it does not fit its class", _THIS_OBJECT),
    _row((0xC000, 0xCFFF), Meaning.NEVER_ACCEPTED, "refused", "cannot understand it", _THIS_OBJECT),
    *(_row((status, status), Meaning.NEVER_ACCEPTED, "refused", says, _THIS_OBJECT) for status, says in REFUSALS),
)

UNKNOWN = _row(
    (-1, -1), Meaning.TRY_LATER, "unknown-status", "gave an answer that the standard does not know", "as 0110"
)

_FAILURES: MappingProxyType[Meaning, type[DeliveryError]] = MappingProxyType(
    {
        Meaning.TRY_LATER: TryLater,
        Meaning.NEEDS_CONFIGURATION: NeedsConfiguration,
        Meaning.NOT_THIS_CLASS: NeedsConfiguration,
        Meaning.NEVER_ACCEPTED: NeverAccepted,
        Meaning.DUPLICATE: NeverAccepted,
    }
)


def rule_for(status: int) -> Rule:
    """Return the row of a status, `UNKNOWN` when the table has none."""
    return next((rule for rule in TABLE if rule.first <= status <= rule.last), UNKNOWN)


def is_warning(status: int) -> bool:
    """Say whether a status of any service is of the class Warning: what was asked is done (PS3.7 annex C)."""
    return rule_for(status).meaning is Meaning.STORED_WITH_WARNING


def failure(status: int, *, who: str) -> DeliveryError:
    """Return the error to raise for a status that is not a success."""
    rule = rule_for(status)
    error = _FAILURES[rule.meaning](N_(f"{capital(who)} {rule.says} (status {status:04X})."), code=rule.code)
    error.status = f"{status:04X}"
    return error


def as_markdown() -> str:
    """Print the table as the documents show it."""
    lines = ["| status | the archive | the box | because |", "|---|---|---|---|"]
    lines += [f"| {r.statuses} | {r.says} | {r.meaning} | {r.grounds} |" for r in TABLE]
    lines.append(f"| any other | {UNKNOWN.says} | {UNKNOWN.meaning} | {UNKNOWN.grounds} |")
    return "\n".join(lines) + "\n"
