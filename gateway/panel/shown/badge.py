"""The state of all deliveries in three words, on every screen: how many pictures, each once wherever it goes.

Its sign is never better than what is known: there is no tick before anything arrived anywhere, nor while pictures
wait for the end of their exam.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.config.settings import Destination
from gateway.model import DeliveryState, ExamState
from gateway.panel.shown.archives import GONE, UNCONFIRMED, Trouble
from gateway.panel.shown.archives import away as archives_away
from gateway.panel.shown.exam_fates import ExamFates
from gateway.spool.queue import backlog
from gateway.spool.queue.backlog import Which
from gateway.spool.spool import Spool

_ARRIVED = frozenset({DeliveryState.SENT, DeliveryState.COMMITTED})


@dataclass(frozen=True, kw_only=True, slots=True)
class Badge:
    """A shape and its words."""

    mark: str
    word: str


def badge(
    spool: Spool, fates: ExamFates, destinations: Sequence[Destination], troubles: Sequence[Trouble] = ()
) -> Badge:
    """Return what is stopped or late, what waits for somebody, what moves. Blocks for some looks into the index."""
    names = [each.name for each in destinations]
    archives = [each.name for each in destinations if each.kind != "media"]
    held = stopped(spool, names)
    late, moving = _on_the_way(spool, archives, troubles)
    unproven = [each.name for each in troubles if each.screen == UNCONFIRMED]
    doubted = backlog.counted(spool, Which(state=DeliveryState.SENT, to=unproven)).pictures if unproven else 0
    for_stick = _pictures(spool, Which(state=DeliveryState.QUEUED, to=set(names) - set(archives)))
    waiting = _to_check(spool, fates)
    said = (
        (held, Badge(mark="warn" if _by_person(spool, troubles) else "bad", word=f"{held} stopped")),
        (late and any(each.bad and each.waits for each in troubles), Badge(mark="bad", word=f"{late} waiting")),
        (waiting, Badge(mark="warn", word=f"{waiting} to check")),
        (late, Badge(mark="warn", word=f"{late} waiting")),
        (doubted, Badge(mark="warn", word=f"{doubted} not confirmed")),
        (moving, Badge(mark="going", word=f"{moving} on the way")),
        (for_stick, Badge(mark="none", word=f"{for_stick} for the stick")),
    )
    arrived = any(count and state in _ARRIVED for (_, state), count in spool.deliveries.counts().items())
    ticked = arrived and not backlog.in_the_open_exam(spool)
    nothing = Badge(mark="ok" if ticked else "none", word="Delivery")
    return next((each for so, each in said if so), nothing)


def stopped(spool: Spool, names: Sequence[str]) -> int:
    """Return how many pictures go nowhere before a person did something."""
    held = Which(state=DeliveryState.HELD, stopped=True)
    orphaned = Which(state=DeliveryState.QUEUED, but_not=names)
    return _pictures(spool, held, orphaned) + backlog.unmakeable(spool)


def _on_the_way(spool: Spool, archives: Sequence[str], troubles: Sequence[Trouble]) -> tuple[int, int]:
    """Return how many pictures are late, and how many are on their way, those included."""
    preparing = backlog.preparing(spool) if archives else 0
    going = Which(state=DeliveryState.SENDING), Which(state=DeliveryState.QUEUED, to=archives)
    tried = Which(state=DeliveryState.QUEUED, to=archives, tried=True)
    away = archives_away(troubles)
    late = _pictures(spool, Which(state=DeliveryState.QUEUED, to=away), tried)
    waits_too = away or any(each.code == GONE for each in troubles)  # what is made for an archive that is away
    return late + (preparing if waits_too else 0), _pictures(spool, *going) + preparing


def _pictures(spool: Spool, *wanted: Which) -> int:
    return backlog.counted(spool, *wanted).pictures


def _to_check(spool: Spool, fates: ExamFates) -> int:
    finished = spool.exams.list(states_wanted=(ExamState.FINISHED,))
    return sum(fates.waits(exam, spool.captures.of_exam(exam.id)) for exam in finished)


def _by_person(spool: Spool, troubles: Sequence[Trouble]) -> bool:
    """Say whether nothing is stopped but what somebody held back."""
    held = [each for each in troubles if not each.waits and each.screen != UNCONFIRMED]
    return bool(held) and not any(each.bad for each in held) and not backlog.unmakeable(spool)
