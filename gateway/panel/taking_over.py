"""How a changed configuration gets from the file into the processes: what that costs, and for what it waits."""

from collections.abc import Mapping
from typing import Any

from gateway.config.differences import is_of_the_screen
from gateway.config.editing import Trial
from gateway.messages import N_
from gateway.model import DeliveryState
from gateway.spool.processes.live import LiveState
from gateway.spool.processes.taking import Wish
from gateway.spool.spool import Spool

WAITS = {
    "exam": N_("A change waits until the exam is finished."),
    "recorder": N_("The recorder takes the change over."),
    "sending": N_("A change waits until the picture that is being sent is through."),
    "delivery": N_("The delivery takes the change over."),
    "screen": N_("The screen starts anew with the change."),
}
STARTS_ANEW = {  # what a change costs, said before it is made
    "box": N_(
        "The box starts anew with this: for about ten seconds there is no live picture, and nothing can be"
        " captured. It waits until no exam is open."
    ),
    "screen": N_("Only the screen starts anew with this, within a few seconds. It waits until no exam is open."),
}


def starts_anew(trial: Trial) -> str:
    """Return a word of `STARTS_ANEW` for a change."""
    return "screen" if is_of_the_screen(trial.differences) else "box"


class TakingOver:
    """One box's processes and what they run with. `revision` is the one that this panel was built from."""

    def __init__(self, *, wish: Wish, spool: Spool, lives: Mapping[str, LiveState], revision: str) -> None:
        self._wish = wish
        self._spool = spool
        self._lives = lives
        self._revision = revision

    def begin(self, revision: str) -> None:
        """Wish that every process takes a revision of the file."""
        self._wish.leave(revision)

    def waits(self, revision: str) -> str:
        """Return for what the file of that revision waits: a word of `WAITS`, "" when every process has it."""
        wanted = self._wish.read()
        if wanted != revision:
            return ""  # changed by hand: whoever did it starts the box anew
        capture, forward = (self._lives[name].read() for name in ("capture", "forward"))
        here = self._revision == wanted
        if _is_old(capture, wanted, here=here):
            return "exam" if self._spool.exams.open_one() else "recorder"
        if _is_old(forward, wanted, here=here):
            return "sending" if self._is_sending() else "delivery"
        if here:
            return ""
        return "exam" if self._spool.exams.open_one() else "screen"

    def _is_sending(self) -> bool:
        """Say whether a picture is on its way; the forward process also makes, asks and tells, which is short."""
        counts = self._spool.deliveries.counts()
        return any(count for (_, state), count in counts.items() if state is DeliveryState.SENDING)


def _is_old(state: Mapping[str, Any] | None, wanted: str, *, here: bool) -> bool:
    """Say whether a process has not taken it yet; one that says nothing has when the panel, the last, has."""
    return not here if state is None else state.get("settings") != wanted
