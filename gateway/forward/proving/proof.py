"""What an archive's answer to "do you have it?" makes of a sent object. Arithmetic and one table; no I/O.

The failure reasons are PS3.3 C.14.1.1 and PS3.4 J.3.3; what follows from them is this product's decision.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from gateway.messages import N_
from gateway.model import DeliveryState
from gateway.spool.queue.proofs import ROUNDS, Verdict

FIRST = timedelta(seconds=15)
CAP = timedelta(hours=8)  # with the waits between them twelve answers take about two days
_LATE = 3  # rounds in which a query that finds nothing may be too early: archives file some time after they store
_FOURFOLD = 8  # beyond the cap anyway

COMMITMENT, QUERY = "commitment", "query"  # kinds of proof
NOT_COMMITTED, NOT_FOUND, REFUSED = "not-committed", "not-found-there", "proof-refused"


class Then(StrEnum):
    """What is to be done."""

    SEND_AGAIN = "send it again, then ask again; hold it after twelve answers in vain"
    ASK_AGAIN = "ask again later"
    ASK_ANEW = "ask again soon, under another Transaction UID"
    HOLD = "hold it for a person"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One FailureReason, what it says in our words, what to do, and why."""

    reason: int
    says: str
    then: Then
    because: str


_GONE = "the bytes are on this box: the archive gets them once more"
_BY_HAND = "the same bytes would be answered alike"

TABLE: tuple[Rule, ...] = (
    Rule(reason=0x0110, says="could not process it", then=Then.SEND_AGAIN, because=_GONE),
    Rule(reason=0x0112, says="does not have it", then=Then.SEND_AGAIN, because=_GONE),
    Rule(
        reason=0x0213, says="is out of resources", then=Then.ASK_AGAIN, because="it may have it, and says so later"
    ),
    Rule(reason=0x0122, says="does not keep this kind of object", then=Then.HOLD, because=_BY_HAND),
    Rule(reason=0x0119, says="has another kind of object of this identity", then=Then.HOLD, because=_BY_HAND),
    Rule(
        reason=0x0131,
        says="knows this Transaction UID already",
        then=Then.ASK_ANEW,
        because="each request has a new one; somebody else used it",
    ),
)
UNKNOWN = Rule(
    reason=-1, says="gave a reason that the standard does not know", then=Then.SEND_AGAIN, because="as 0110"
)


def rule_for(reason: int) -> Rule:
    """Return the row of a FailureReason, `UNKNOWN` when the table has none."""
    return next((rule for rule in TABLE if rule.reason == reason), UNKNOWN)


def delay_after(answers: int) -> timedelta:
    """15 s, 1 min, 4 min ... up to 8 h. `answers` in vain before this one, counted anew after twelve."""
    return min(FIRST * float(4 ** min(answers % ROUNDS, _FOURFOLD)), CAP)


def committed(proof: str) -> Verdict:
    return Verdict(state=DeliveryState.COMMITTED, proof=proof)


def not_committed(reason: int | None, *, answers: int, archive: str) -> Verdict:
    """Return what follows from a FailureReason; None = the report says nothing about this object."""
    if reason is None:
        return _later(answers)
    rule = rule_for(reason)
    said = N_(
        f"The archive {archive} was asked whether it keeps this picture and {rule.says} (reason {reason:04X})."
    )
    if rule.then is Then.ASK_ANEW:
        return Verdict(state=DeliveryState.SENT, wait_s=FIRST.total_seconds())
    if rule.then is Then.ASK_AGAIN:
        return _later(answers)
    if rule.then is Then.HOLD:
        advice = "The picture is on this box. Call IT: compare the settings of the archive, then release it."
        return Verdict(state=DeliveryState.HELD, code=REFUSED, reason=f"{said} {advice}")
    return _once_more(answers, NOT_COMMITTED, said)


def not_found(*, answers: int, archive: str) -> Verdict:
    """Return what follows when a query does not find what was sent."""
    if answers % ROUNDS < _LATE:
        return _later(answers)
    said = N_(f"The archive {archive} took this picture but does not find it when it is asked.")
    return _once_more(answers, NOT_FOUND, said)


def _later(answers: int) -> Verdict:
    return Verdict(state=DeliveryState.SENT, wait_s=delay_after(answers).total_seconds())


def _once_more(answers: int, code: str, said: str) -> Verdict:
    if answers % ROUNDS == ROUNDS - 1:
        advice = "It was asked about twelve times and is on this box. Call IT: look at the archive and its log."
        return Verdict(state=DeliveryState.HELD, code=code, reason=f"{said} {advice}")
    return Verdict(state=DeliveryState.QUEUED, wait_s=delay_after(answers).total_seconds(), code=code, reason=said)


def as_markdown() -> str:
    """Print the table as the documents show it."""
    lines = ["| reason | the archive | the box | because |", "|---|---|---|---|"]
    lines += [f"| {r.reason:04X} | {r.says} | {r.then} | {r.because} |" for r in TABLE]
    lines.append(f"| any other | {UNKNOWN.says} | {UNKNOWN.then} | {UNKNOWN.because} |")
    return "\n".join(lines) + "\n"
