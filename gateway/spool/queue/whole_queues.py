"""A person's word about whole queues, by a command or on a page: what is refused, what is done, its line of audit.

How it is done in the index is `rerouting`'s.
"""

import dataclasses
from collections.abc import Container
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from gateway.config.settings import Destination, Settings
from gateway.errors import BadValue, NotFound, WrongState
from gateway.model import UNTOLD, DeliveryState
from gateway.spool.queue import routing
from gateway.spool.queue.deliveries import NOT_AT_ONCE
from gateway.spool.queue.rerouting import Moved
from gateway.spool.spool import Spool

_PEER = ("kind", "ae_title", "host", "port", "url")  # what makes it another archive when it changes


@dataclass(frozen=True, kw_only=True, slots=True)
class Queue:
    """How many objects of one destination are where. `elsewhere`: sent to who bore its name before, not to it."""

    name: str
    configured: bool
    queued: int
    sending: int
    held: int
    sent: int
    committed: int
    elsewhere: int = 0

    @property
    def movable(self) -> int:
        """Return how many can wait for another one: what is being sent at this moment stays."""
        return self.queued + self.held


@dataclass(frozen=True, kw_only=True, slots=True)
class Messages:
    """How many messages to one procedure step server did not leave yet."""

    name: str
    configured: bool
    queued: int
    sending: int
    held: int


class Queues:
    """The queues of every destination that is configured, or was. `by`, `person`: who says it, for the audit."""

    def __init__(self, spool: Spool, settings: Settings, *, by: str, person: str = "") -> None:
        self._spool = spool
        self._configured = {each.name: each for each in settings.destinations}
        self._servers = {each.name for each in settings.procedure_steps}
        self._by = by
        self._who: dict[str, str | int] = {"person": person} if person else {}

    def all(self) -> list[Queue]:
        """Return the queues, those that are configured first, then those for which something waits still."""
        orphans = self._spool.destinations.orphans(self._configured)
        return [self.of(name) for name in (*self._configured, *sorted(orphans))]

    def of(self, name: str) -> Queue:
        """Return the queue of one name, whether or not anybody bears it."""
        counts = self._spool.deliveries.counts()
        numbers = {str(state): counts.get((name, state), 0) for state in DeliveryState}
        elsewhere = self._spool.destinations.sent_to_others(name)
        return Queue(name=name, configured=name in self._configured, elsewhere=elsewhere, **numbers)

    def configured(self, name: str) -> Destination:
        """Return who bears this name. Raises BadValue."""
        if name not in self._configured:
            raise BadValue(
                f"There is no destination called {name} in the configuration.",
                action=f"Configured are: {', '.join(self._configured) or 'none'}.",
            )
        return self._configured[name]

    def move(self, old: str, new: str) -> Moved:
        """Let what waits for one destination wait for another. Raises BadValue."""
        self.configured(new)
        if old == new:
            raise BadValue("A queue cannot be moved to itself.")
        done = self._spool.rerouting.move(old, new)
        self._note("queue-moved", source=old, target=new, moved=done.moved, merged=done.merged)
        return done

    def add(self, name: str, *, since: datetime | None = None) -> int:
        """Queue the objects of earlier exams for a destination; return how many. Raises BadValue."""
        wants = partial(routing.wants, self.configured(name))
        count = self._spool.rerouting.add(name, since=since, wants=wants)
        self._note("queue-filled", target=name, since=_day(since), count=count)
        return count

    def resend(self, name: str, *, since: datetime | None = None) -> int:
        """Queue again what was sent; return how many. Raises BadValue."""
        self.configured(name)
        count = self._spool.rerouting.resend(name, since=since)
        self._note("queue-sent-again", target=name, since=_day(since), count=count)
        return count

    def release(self, name: str, code: str, *, agreed: int) -> int:
        """Let go what is held for a destination with this code; return how many.

        Raises BadValue, also for what somebody held back by hand and what is not to be sent, and WrongState when
        another number is held.
        """
        self.configured(name)
        if code in NOT_AT_ONCE:
            raise BadValue(
                f"What is held with {code} is not let go all at once.",
                action="What can be let go is let go one by one, in the details of its exam.",
            )
        agree(self._spool.deliveries.held_by_code(name).get(code, 0), agreed)
        count = self._spool.deliveries.release_all(code, destination=name)
        self._note("queue-released", target=name, code=code, count=count)
        return count

    def release_messages(self, server: str, code: str, *, agreed: int) -> int:
        """Let go the messages to a procedure step server that are held with this code; return how many.

        Raises BadValue for a server that is not configured, and WrongState when another number is held.
        """
        if server not in self._servers:
            raise BadValue(f"There is no procedure step server called {server} in the configuration.")
        agree(self._spool.steps.held_by_code(server).get(code, 0), agreed)
        count = self._spool.steps.release_all(code, server=server)
        self._note("step-messages-released", target=server, code=code, count=count)
        return count

    def same(self, name: str) -> int:
        """Take an archive at another address as the one before; return of how many deliveries. Raises BadValue."""
        at = self.configured(name)
        with suppress(NotFound):  # the forward process never started with any
            if self._spool.destinations.get(name).peer != peer_of(at):
                raise BadValue(
                    f"{name} got another address since the processes were started.",
                    action="Restart them first, or wait until the box took the change; then repeat this.",
                )
        count = self._spool.rerouting.same(name)
        self._note("queue-same-archive", target=name, count=count)
        return count

    def orphaned(self, name: str) -> int:
        """Return how many objects wait for who is not configured any more. Raises BadValue for who is."""
        _must_be_gone(name, self._configured)
        return self._spool.destinations.unsettled(name)

    def orphaned_messages(self, server: str) -> int:
        """Return how many messages wait for a procedure step server that is gone. Raises BadValue."""
        _must_be_gone(server, self._servers)
        return self._spool.steps.waiting().get(server, 0)

    def messages(self, server: str) -> Messages | None:
        """Return the messages to a procedure step server; None for one that nobody set up and nothing waits for."""
        counts = self._spool.steps.counts()
        numbers = {str(state): counts.get((server, state), 0) for state in UNTOLD}
        configured = server in self._servers
        return (
            Messages(name=server, configured=configured, **numbers) if configured or any(numbers.values()) else None
        )

    def drop(self, name: str, *, agreed: int) -> int:
        """Give up what waits for nobody. Raises BadValue, and WrongState when another number waits."""
        agree(self.orphaned(name), agreed)
        count = self._spool.rerouting.drop(name)
        self._note("queue-dropped", target=name, count=count)
        return count

    def drop_messages(self, server: str, *, agreed: int) -> int:
        """Give up the messages to a procedure step server that is gone. Raises as `drop`."""
        agree(self.orphaned_messages(server), agreed)
        count = self._spool.rerouting.drop_messages(server)
        self._note("step-messages-dropped", target=server, count=count)
        return count

    def _note(self, what: str, **details: str | int) -> None:
        self._spool.audit.note(what, by=self._by, **self._who, **details)


def peer_of(destination: Destination) -> str:
    """Return where a destination is, as people read it."""
    values = dataclasses.asdict(destination)
    return " ".join(str(values[key]) for key in _PEER if values.get(key))


def agree(waiting: int, agreed: int) -> None:
    """Refuse what was agreed to about another number. Raises WrongState."""
    if waiting != agreed:
        raise WrongState(f"Another number waits by now: {waiting}.", action="Look again, then decide.")


def _must_be_gone(name: str, configured: Container[str]) -> None:
    if name in configured:
        raise BadValue(
            f"{name} is configured: its queue is not dropped.",
            action="Take it out of the configuration and restart the processes first.",
        )


def _day(since: datetime | None) -> str:
    return f"{since.astimezone():%Y-%m-%d}" if since else "ever"
