"""Which pictures may leave the box's disk: the rules, as arithmetic, and the runs that apply them.

A picture goes only when every archive that must have it vouches for it, and never by a clock that may be wrong:
days are counted in the box's own age. docs/decisions/0017-retention.md.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from gateway.clock import Moment
from gateway.config.settings import Settings
from gateway.errors import SpoolDamaged
from gateway.log import event, warn
from gateway.model import UNSETTLED, CaptureState, Delivery, DeliveryState, ExamState
from gateway.spool import records
from gateway.spool.disk.room import Level
from gateway.spool.purging import Facts, Purging
from gateway.spool.queue.deliveries import INSTEAD
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)
DAY_S = 86_400
_EVERY_S = 3600.0
_EVERY_WHEN_LOW_S = 60.0
_PAGE = 100
_JUMP = timedelta(hours=1)
_LONGEST_OFF = timedelta(days=3)  # a weekend; a longer time without power cannot be told from a wrong clock
_ENDED = frozenset({ExamState.RELEASED, ExamState.DISCONTINUED})


class Why(StrEnum):
    """Why a picture may go."""

    COMMITTED = "committed"
    REJECTED = "rejected"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """What the site configured. `trusted_queries`: destinations whose answer to a query counts as a proof."""

    required: frozenset[str]
    keep_days: int
    rejected_days: int
    trusted_queries: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Age:
    """How long this box has lived as far as it can prove, and when that was counted: retention.json."""

    seconds: int
    at: Moment


def grown(last: Age, now: Moment) -> tuple[Age, bool]:
    """Return the age now, and whether the clock went evenly since then.

    Within a boot the kernel's own time counts; over a restart the wall clock, if it says something plausible.
    """
    by_clock = now.utc - last.at.utc
    trusted = now.trusted and last.at.trusted
    if now.boot_id == last.at.boot_id:
        lived = timedelta(microseconds=(now.boottime_ns - last.at.boottime_ns) / 1000)
        even = abs(by_clock - lived) <= _JUMP
    else:
        even = -_JUMP <= by_clock <= _LONGEST_OFF
        lived = max(by_clock, timedelta()) if even and trusted else timedelta()
    return Age(seconds=last.seconds + int(lived.total_seconds()), at=now), even and trusted


def may_go(facts: Facts, rules: Rules) -> Why | None:
    """Return why a capture may go once its time has come, or None: it may not."""
    deliveries = [delivery for of_one in (*facts.deliveries, *facts.of_derived) for delivery in of_one]
    if not rules.required or facts.keep or facts.exam_state not in _ENDED:
        return None
    if any(delivery.state in UNSETTLED and not _needs_no_clip(delivery, rules) for delivery in deliveries):
        return None  # also one to a destination that left the configuration
    if facts.state is CaptureState.REJECTED:
        return Why.REJECTED
    if facts.deliveries and all(_vouched(of_one, facts, rules) for of_one in facts.deliveries):
        return Why.COMMITTED
    return None


def _needs_no_clip(delivery: Delivery, rules: Rules) -> bool:
    """Say whether it got something made of this clip and is content: nobody waits for the clip there."""
    held = delivery.state is DeliveryState.HELD and delivery.code in INSTEAD
    return held and delivery.destination not in rules.required


def its_time(facts: Facts, age_s: int, rules: Rules, *, low: bool) -> bool:
    """Say whether a capture that may go goes now. `low`: the disk fills, a day is enough for what is committed."""
    waited = age_s - facts.settled_s
    if facts.settled_why == Why.REJECTED:
        return waited >= rules.rejected_days * DAY_S
    return waited >= rules.keep_days * DAY_S or (low and waited >= DAY_S)


def rules_of(settings: Settings) -> Rules:
    return Rules(
        required=frozenset(each.name for each in settings.destinations if each.required),
        keep_days=settings.retention.keep_days,
        rejected_days=settings.retention.rejected_days,
        trusted_queries=frozenset(each.name for each in settings.destinations if each.trust_query),
    )


def _vouched(of_one: tuple[Delivery, ...], facts: Facts, rules: Rules) -> bool:
    """Say whether every required destination that was to get this object vouches for it, and at least one does.

    The word of an archive that another one replaced counts no longer: a person may have it sent to the new one.
    """
    counted = [delivery for delivery in of_one if delivery.destination in rules.required]
    return bool(counted) and all(
        delivery.state is DeliveryState.COMMITTED
        and delivery.id not in facts.elsewhere
        and (
            delivery.proof == "commitment"
            or (delivery.proof == "query" and delivery.destination in rules.trusted_queries)
        )
        for delivery in counted
    )


class Retention:
    """Runs every hour, every minute while the disk is low; a step looks at one page of captures."""

    def __init__(self, *, spool: Spool, rules: Rules) -> None:
        self._spool = spool
        self._purging = Purging(spool)
        self._rules = rules
        self._path = spool.layout.root / "retention.json"
        self._due_ns = 0
        self._cursor = -1  # -1 = no run goes on
        self._age_s = 0

    def step(self) -> bool:
        """Begin a run when it is time, or go on with it; say whether it goes on. Raises SpoolError."""
        if self._cursor < 0 and not self._begin():
            return False
        facts, self._cursor = self._purging.here(after=self._cursor, limit=_PAGE)
        self._consider(facts)
        if self._cursor == 0:
            self._cursor = -1
        return self._cursor > 0

    def _begin(self) -> bool:
        """Count the age, and say whether a run may begin: time has come, and the clock can be believed."""
        now = self._spool.clock.now()
        if now.boottime_ns < self._due_ns:
            return False
        last = self._last(now)
        age, even = grown(last, now)
        self._spool.files.write(self._path, [records.dump(age)])
        every_s = _EVERY_WHEN_LOW_S if self._low() else _EVERY_S
        self._due_ns = now.boottime_ns + int(every_s * 1e9)
        self._age_s = age.seconds
        if not even:
            warn(_log, "retention_waits", why="the clock jumped or cannot be trusted")
            return False
        self._cursor = 0
        return True

    def _last(self, now: Moment) -> Age:
        try:
            return records.load(Age, self._path.read_bytes())
        except (FileNotFoundError, SpoolDamaged):
            return Age(seconds=self._purging.latest_s() + 1, at=now)  # never younger than what was noted

    def _consider(self, facts: list[Facts]) -> None:
        changes = [(each, may_go(each, self._rules)) for each in facts]
        news = [(each.uid, why or "", self._age_s) for each, why in changes if (why or "") != each.settled_why]
        if news:
            self._purging.settle(news)
        low = self._low()
        for each, why in changes:
            if why and why == each.settled_why and its_time(each, self._age_s, self._rules, low=low):
                if self._purging.let_go(each):
                    event(_log, "picture_let_go", exam=each.exam, uid=each.uid, why=why)
                low = low and self._low()

    def _low(self) -> bool:
        return self._spool.space.view().level is not Level.OK
