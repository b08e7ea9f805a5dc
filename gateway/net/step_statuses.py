"""What a status of N-CREATE or N-SET means for a message about a procedure step: the table, nothing that sends.

The values are PS3.7 annex C, PS3.4 F.7.2.1.3 and F.7.2.2.3; what follows from them is this product's decision.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from gateway.errors import DeliveryError, NeedsConfiguration, NeverAccepted, TryLater
from gateway.messages import N_
from gateway.net.peers import capital
from gateway.net.statuses import REFUSALS, WARNINGS


class Meaning(StrEnum):
    """What is to be done."""

    TAKEN = "taken"
    TRY_LATER = "try again later"
    NEEDS_CONFIGURATION = "wait for a change of settings"
    HOLD = "hold this message for a person"
    DUPLICATE = "create: taken if it may have arrived before, else hold"
    UNKNOWN_STEP = "set: create it again, then this; hold when that did not help"
    FINAL = "set: try again later; if it may have arrived before, twelve times, then taken"
    CLOSED = "set: taken if it may have arrived before, else hold"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One row: statuses, what to do with a create and with a set, the stable code, what the server says, why."""

    statuses: Sequence[int]
    create: Meaning
    set: Meaning
    code: str
    says: str
    grounds: str


def _row(
    statuses: Sequence[int], create: Meaning, code: str, says: str, grounds: str, *, also: Meaning | None = None
) -> Rule:
    return Rule(statuses=statuses, create=create, set=also or create, code=code, says=says, grounds=grounds)


_SAME_AGAIN = "the same message will be refused again"
_BY_HAND = "no repetition changes it; somebody must change a setting, here or there"

TABLE: tuple[Rule, ...] = (
    _row((0x0000,), Meaning.TAKEN, "taken", "took it", "success"),
    _row(
        WARNINGS,
        Meaning.TAKEN,
        "taken-with-warning",
        "took it but not every value",
        "a warning is a success (PS3.7 C.4)",
    ),
    _row(
        range(0xB000, 0xC000),
        Meaning.TAKEN,
        "taken-with-warning",
        "took it with a warning",
        "the class of this status is Warning (PS3.7 annex C)",
    ),
    _row(
        (0x0111,),
        Meaning.DUPLICATE,
        "duplicate",
        "says that it has another step of this identity",
        "a create whose answer was lost is repeated as it was",
        also=Meaning.HOLD,
    ),
    _row(
        (0x0112,),
        Meaning.HOLD,
        "unknown-step",
        "does not know this procedure step",
        "servers lose steps, or never had what a predecessor took",
        also=Meaning.UNKNOWN_STEP,
    ),
    _row(
        (0x0110,),
        Meaning.TRY_LATER,
        "processing-failure",
        "could not process it",
        "databases that are away; on a set also: the step is over already (PS3.4 F.7.2.2.3)",
        also=Meaning.FINAL,
    ),
    _row(
        (0xA710,),
        Meaning.HOLD,
        "step-closed",
        "says that this procedure step is over already",
        "the word for a step that may no longer be changed (PS3.4 F.7.2.2.3, as Error ID with 0110)",
        also=Meaning.CLOSED,
    ),
    _row((0x0213, 0xA700), Meaning.TRY_LATER, "out-of-resources", "is out of resources", "disks are emptied"),
    _row(
        (0x0210,),
        Meaning.TRY_LATER,
        "duplicate-invocation",
        "mixed up two messages",
        "a new association starts its message numbers anew",
    ),
    _row(
        (0x0118, 0x0122),
        Meaning.NEEDS_CONFIGURATION,
        "sop-class",
        "does not take procedure steps",
        _BY_HAND,
    ),
    _row((0x0124,), Meaning.NEEDS_CONFIGURATION, "not-authorized", "does not allow it", _BY_HAND),
    *(
        _row((status,), Meaning.HOLD, "refused", says, _SAME_AGAIN)
        for status, says in ((0x0105, N_("does not know an attribute")), *REFUSALS)
    ),
)

UNKNOWN = _row(
    (-1,), Meaning.TRY_LATER, "unknown-status", "gave an answer that the standard does not know", "as 0110"
)

_FAILURES: MappingProxyType[Meaning, type[DeliveryError]] = MappingProxyType(
    {Meaning.TRY_LATER: TryLater, Meaning.FINAL: TryLater, Meaning.NEEDS_CONFIGURATION: NeedsConfiguration}
)


def rule_for(status: int) -> Rule:
    """Return the row of a status, `UNKNOWN` when the table has none."""
    return next((rule for rule in TABLE if status in rule.statuses), UNKNOWN)


def failure(status: int, rule: Rule, meaning: Meaning, *, who: str) -> DeliveryError:
    """Return the error of a status that is not a success."""
    kind = _FAILURES.get(meaning, NeverAccepted)
    error = kind(
        N_(f"{capital(who)} {rule.says} (status {status:04X})."),
        code=rule.code,
        action=_ACTIONS.get(kind, ""),
    )
    error.status = f"{status:04X}"
    return error


_ACTIONS: MappingProxyType[type[DeliveryError], str] = MappingProxyType(
    {
        NeedsConfiguration: "Call IT: the procedure step server must be set to take messages of this box.",
        NeverAccepted: "Pictures are not affected. Call IT: settle the step on the server, or release the message.",
    }
)


def as_markdown() -> str:
    """Print the table as the documents show it."""
    lines = ["| status | the server | N-CREATE | N-SET | because |", "|---|---|---|---|---|"]
    for rule in (*TABLE, UNKNOWN):
        cells = (_statuses(rule), rule.says, _word(rule.create), _word(rule.set), rule.grounds)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _statuses(rule: Rule) -> str:
    if rule is UNKNOWN:
        return "any other"
    if isinstance(rule.statuses, range):
        return f"{rule.statuses[0]:04X}-{rule.statuses[-1]:04X}"
    return ", ".join(f"{status:04X}" for status in rule.statuses)


def _word(meaning: Meaning) -> str:
    """Leave out which of the two it is: the column says so."""
    return meaning.removeprefix("create: ").removeprefix("set: ")
