"""What is to be known before the box is switched off: what leaves yet, how long that takes, what nobody checked."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from gateway.config.settings import Destination
from gateway.messages import N_
from gateway.model import DeliveryState
from gateway.panel.shown import badge, fates, names
from gateway.panel.shown.exam_fates import ExamFates
from gateway.panel.shown.fates import Fate
from gateway.spool import days
from gateway.spool.queue import backlog
from gateway.spool.queue.backlog import Backlog, Which
from gateway.spool.spool import Spool

_LEAVING = (DeliveryState.QUEUED, DeliveryState.SENDING)
_LEFT = N_("Not yet: see below what is left.")
_MINUTE = 60
_HOUR = 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class Evening:
    """`lasts`: how long sending may take, in words, once those `away` answer; "" when that is not known."""

    exams: int
    pictures: int  # each once, wherever it goes
    preparing: int
    in_open: int  # pictures that wait for the end of the exam that is open
    lasts: str
    away: tuple[str, ...]  # archives that take nothing now
    stopped: int
    can_ask: bool  # whether an archive can be asked what it has
    unchecked: tuple[tuple[str, str], ...]  # days as the API and as people write them


def of(
    spool: Spool, destinations: Sequence[Destination], forward: Mapping[str, Any] | None, today: date
) -> Evening:
    """Return how it stands. `forward`: what it said of itself last, None when it is not there."""
    archives = [each.name for each in destinations if each.kind != "media"]
    waiting = [each for each in backlog.of(spool) if each.destination in archives]
    said = {each["name"]: each for each in (forward or {}).get("destinations", [])}
    paused = {name for name, line in said.items() if line.get("state") == "paused"}
    preparing = backlog.preparing(spool) if archives else 0
    wanted = archives if preparing else [each.destination for each in waiting]
    away = [name for name in wanted if forward is None or name in paused]
    can_ask = any(each.query for each in destinations)
    left = backlog.counted(spool, *(Which(state=state, to=archives) for state in _LEAVING))
    return Evening(
        exams=left.exams,
        pictures=left.pictures,
        preparing=preparing,
        in_open=backlog.in_the_open_exam(spool),
        lasts=_lasts(waiting, said),
        away=tuple(away),
        stopped=badge.stopped(spool, [each.name for each in destinations]) if archives else 0,
        can_ask=can_ask,
        unchecked=tuple(_days(days.unchecked(spool, today))) if can_ask else (),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """Whether everything got where it goes and people may go: a mark and one line, never better than known."""

    mark: str
    word: str
    here: int = 0  # pictures of today that stay on this box by the rules


def verdict(
    spool: Spool,
    destinations: Sequence[Destination],
    found: Evening,
    today: date,
    *,
    judge: ExamFates,
    to_check: int,
    is_open: bool,
    runs: bool,
) -> Verdict:
    """Return the answer for the whole day. `runs`: whether the process that sends is there."""
    if is_open:
        return Verdict(mark="warn", word=N_("Not yet: an exam is open. Finish it first."))
    if found.stopped:
        return Verdict(mark="bad", word=N_(f"Not yet. Pictures that are stopped: {found.stopped}. See below why."))
    if to_check:
        return Verdict(mark="warn", word=N_(f"Not yet. Exams whose patient is to be checked: {to_check}."))
    if all(each.kind == "media" for each in destinations):
        return Verdict(mark="none", word=N_("You may go. No archive is set up: pictures stay on this box."))
    if left := found.pictures + found.preparing:
        return _of_what_leaves(left, found.away, runs=runs)
    return _of_what_left(spool, destinations, today, judge)


def _of_what_leaves(left: int, away: Sequence[str], *, runs: bool) -> Verdict:
    if not runs:
        word = N_(
            f"Not yet: the delivery process does not run. Pictures that wait: {left}. Call service if that stays."
        )
        return Verdict(mark="bad", word=word)
    if away:
        name = ", ".join(away)
        word = N_(
            f"You may go. Pictures that wait on this box: {left}. They go by themselves when {name} answers; "
            "leave the box on."
        )
        return Verdict(mark="warn", word=word)
    return Verdict(mark="going", word=N_(f"You may go. Pictures on their way: {left}. Leave the box on."))


def _of_what_left(spool: Spool, destinations: Sequence[Destination], today: date, judge: ExamFates) -> Verdict:
    required = frozenset(each.name for each in destinations if each.required)
    taken = [each for exam in days.of(spool, today) for each in exam.pictures if not each.removed]
    goes = [each for each in taken if not judge.stays(each)]
    here = len(taken) - len(goes)
    if not all(fates.arrived(each, required) for each in goes):
        return Verdict(mark="warn", word=_LEFT, here=here)
    if not taken:
        return Verdict(mark="none", word=N_("Yes. No pictures were taken today."))
    if not here and all(fates.of_picture(each, required) >= Fate.FOUND for each in goes):
        return Verdict(mark="ok", word=N_("Yes. All pictures of today are in the archive."))
    if here:
        word = N_(f"Yes. What goes to an archive was sent. On this box by the rules of your IT: {here}.")
        return Verdict(mark="ok" if goes else "none", word=word, here=here)
    return Verdict(mark="ok", word=N_("Yes. Everything of today that goes to an archive was sent."))


def _lasts(waiting: Sequence[Backlog], said: Mapping[str, Mapping[str, Any]]) -> str:
    """Return how long the slowest archive needs; each has its own connection."""
    needed = []
    for each in waiting:
        pace = said.get(each.destination, {}).get("bytes_per_s")
        if not pace:
            return ""
        needed.append(each.bytes / pace)
    return time_needed(max(needed)) if needed else ""


def time_needed(seconds: float) -> str:
    """Return a time as people plan with it: never less than it is."""
    if seconds > 2 * _HOUR:
        hours = math.ceil(seconds / _HOUR)
        return N_(f"about {hours} hours")
    minutes = max(1, math.ceil(seconds / _MINUTE))
    return N_(f"about {minutes} min")


def _days(found: Iterable[date]) -> Iterable[tuple[str, str]]:
    return ((day.isoformat(), names.day(f"{day:%Y%m%d}")) for day in found)
