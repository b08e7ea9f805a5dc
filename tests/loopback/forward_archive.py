"""An archive that says what a test wants, object by object, and a sender on a clock that stands still."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pynetdicom import evt

from gateway.clock import FakeClock
from gateway.config.settings import Destination
from gateway.forward.sending.channel import connector
from gateway.forward.sending.sender import Sender
from gateway.model import Delivery
from gateway.net.peers import Timeouts
from gateway.spool.opening import open_spool
from gateway.spool.spool import Spool
from tests.forward.bench import CANARY_WORDS
from tests.loopback.peers.faults import Arrived, FaultArchive
from tests.memory import folder_in_memory

# Only for tests that wait for what never comes: on a machine with much to do, an answer takes its time too.
QUICK = Timeouts(connect=5.0, negotiate=5.0, answer=2.0, stall=2.0, idle=10.0)
Say = Callable[[str], "int | str"]
ABORT, DROP, MUTE = "abort", "drop", "mute"  # instead of an answer


def stored(uid: str) -> int:
    del uid
    return 0


class Scripted(FaultArchive):
    """Answers each object with what `say(uid)` returns: a status, or ABORT, DROP, MUTE once it has the object."""

    def __init__(self) -> None:
        super().__init__()
        self.say: Say = stored
        self.reject: tuple[int, int, int] | None = None
        self.takes_nothing = False
        self.hangs_up = False  # right after it accepted the association
        self.midway = ""  # "ABORT", "DROP" or "STUCK", in the middle of each data set
        self.of_call: list[list[str]] = []  # the objects of each association

    def forget(self) -> None:
        """Behave well again, with nothing left of what was before."""
        self.say, self.reject, self.takes_nothing = stored, None, False
        self.hangs_up, self.midway = False, ""
        for kept in (self.arrived, self.calls, self.of_call):
            kept.clear()

    @property
    def uids(self) -> list[str]:
        return [each.sop_instance_uid for each in self.arrived]

    def handlers(self) -> list[Any]:
        return [*super().handlers(), (evt.EVT_ACCEPTED, self._accepted)]

    def _accepted(self, event: evt.Event) -> None:
        if self.hangs_up:
            event.assoc.abort()

    def _requested(self, event: evt.Event) -> None:
        self.calls.append("call")
        self.of_call.append([])
        event.assoc.number = len(self.of_call) - 1
        if self.reject:
            self._reject(event.assoc, *self.reject)
        elif self.takes_nothing:
            event.assoc.acceptor.supported_contexts = []

    def _middle(self, event: evt.Event) -> str:
        del event
        return self.midway

    def _store(self, event: evt.Event) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        self.of_call[event.assoc.number].append(uid)
        self.arrived.append(
            Arrived(
                sop_instance_uid=uid,
                transfer_syntax_uid=str(event.context.transfer_syntax),
                data_set=event.request.DataSet.getvalue(),
            )
        )
        answer = self.say(uid)
        if isinstance(answer, int):
            return answer
        if answer == ABORT:
            event.assoc.abort()
        elif answer == DROP:
            event.assoc.dul.socket.socket.shutdown(socket.SHUT_RDWR)
        else:
            self.gone.wait(6)
        return 0


@contextmanager
def memory_spool(clock: FakeClock, *, destinations: tuple[str, ...] = ("pacs",)) -> Iterator[Spool]:
    """Open a spool in memory."""
    with folder_in_memory() as root:
        spool = open_spool(root / "data", clock=clock, destinations=destinations)
        yield spool
        spool.close()


def destination(peer: Any, name: str = "pacs", **more: Any) -> Destination:
    values = {"ae_title": getattr(peer, "ae_title", "ANY"), "host": "127.0.0.1", "port": peer.port}
    return Destination(name=name, **{**values, **more})


def sender(spool: Spool, peer: Any, name: str = "pacs", *, timeouts: Timeouts | None = None, **more: Any) -> Sender:
    to = destination(peer, name, **more)
    return Sender(spool=spool, destination=to, connect=connector(to, our_ae="SCOPEGATE", timeouts=timeouts))


def pause_s(part: Sender, clock: FakeClock) -> float:
    """Return how long the destination is left alone from now; 0 = not at all."""
    return max(0.0, (part.pause.until_ns - clock.boottime_ns()) / 1e9) if part.pause else 0.0


def run(part: Sender) -> None:
    """Take steps until there is no more to do now."""
    steps = 0
    while part.step():
        steps += 1
        assert steps < 200, "the sender never comes to rest"


def limits(fault: int | str) -> Timeouts | None:
    """Return short limits for a fault that is silence, else None: those of the product."""
    return QUICK if fault == MUTE else None


def always(status: int | str) -> Say:
    return lambda _: status


def in_words(found: Delivery) -> str:
    """Check that a delivery's reason is for people and names nobody."""
    assert found.reason
    assert not any(word in found.reason for word in CANARY_WORDS)
    return found.reason
