"""Who may move what from which state to which. Code asks these tables; documents print them."""

from enum import StrEnum

from gateway.errors import WrongState
from gateway.model import CaptureState, CommitmentState, DeliveryState, ExamState, MessageState, RequestState


class Owner(StrEnum):
    """The process that performs a transition; the command line acts as the panel does."""

    CAPTURE = "capture"
    FORWARD = "forward"
    PANEL = "panel"


Moves = dict[tuple[StrEnum, StrEnum], tuple[Owner, str]]

EXAM: Moves = {
    (ExamState.OPEN, ExamState.FINISHED): (
        Owner.PANEL,
        "a person finished, discontinued or replaced it, or nobody worked on it for long",
    ),
    (ExamState.FINISHED, ExamState.RELEASED): (Owner.FORWARD, "its patient is confirmed: objects are made"),
    (ExamState.FINISHED, ExamState.DISCONTINUED): (Owner.FORWARD, "as released, with a reason for the order"),
    (ExamState.RELEASED, ExamState.OPEN): (Owner.PANEL, "a person adds pictures, within `reopen_hours`"),
    (ExamState.DISCONTINUED, ExamState.OPEN): (Owner.PANEL, "as a released one: it was not over after all"),
}
CAPTURE: Moves = {
    (CaptureState.RECORDING, CaptureState.SAVED): (
        Owner.CAPTURE,
        "the clip was closed, or salvaged at start",
    ),
    (CaptureState.SAVED, CaptureState.REJECTED): (Owner.PANEL, "removed from the exam, until its release"),
    (CaptureState.REJECTED, CaptureState.SAVED): (Owner.PANEL, "restored, until the exam's release"),
}
DELIVERY: Moves = {
    (DeliveryState.QUEUED, DeliveryState.SENDING): (
        Owner.FORWARD,
        "an association to the destination is open",
    ),
    (DeliveryState.SENDING, DeliveryState.SENT): (
        Owner.FORWARD,
        "the destination answered that it stored it",
    ),
    (DeliveryState.SENDING, DeliveryState.QUEUED): (
        Owner.FORWARD,
        "it may go later, or the sender restarted",
    ),
    (DeliveryState.SENDING, DeliveryState.HELD): (
        Owner.FORWARD,
        "it will not go as things are: a person decides",
    ),
    (DeliveryState.QUEUED, DeliveryState.HELD): (Owner.PANEL, "a person holds it back"),
    (DeliveryState.HELD, DeliveryState.QUEUED): (Owner.PANEL, "a person lets it go"),
    (DeliveryState.SENT, DeliveryState.COMMITTED): (Owner.FORWARD, "the destination vouches for it"),
    (DeliveryState.SENT, DeliveryState.QUEUED): (Owner.FORWARD, "not committed: send again"),
    (DeliveryState.SENT, DeliveryState.HELD): (
        Owner.FORWARD,
        "the destination will not vouch for it: a person decides",
    ),
    (DeliveryState.HELD, DeliveryState.SENT): (
        Owner.FORWARD,
        "after a rebuild, the destination was asked and has it",
    ),
    (DeliveryState.COMMITTED, DeliveryState.HELD): (Owner.FORWARD, "the archive lost it: a person decides"),
}
# A second way for these: whoever replaced, lost or moved an archive has everything sent, or asked about, once more.
BY_PERSON: Moves = {
    (DeliveryState.SENT, DeliveryState.QUEUED): (Owner.PANEL, "a person has it sent again"),
    (DeliveryState.COMMITTED, DeliveryState.QUEUED): (Owner.PANEL, "a person has it sent again"),
    (DeliveryState.COMMITTED, DeliveryState.SENT): (
        Owner.PANEL,
        "its archive got another address: there it is asked again",
    ),
}
STEP_MESSAGE: Moves = {
    (MessageState.QUEUED, MessageState.SENDING): (Owner.FORWARD, "an association to the server is open"),
    (MessageState.SENDING, MessageState.SENT): (Owner.FORWARD, "the server took it, or had it already"),
    (MessageState.SENDING, MessageState.QUEUED): (Owner.FORWARD, "it may go later, or the sender restarted"),
    (MessageState.SENDING, MessageState.HELD): (Owner.FORWARD, "the server refuses it: a person decides"),
    (MessageState.SENT, MessageState.QUEUED): (Owner.FORWARD, "the server forgot the step: it is created again"),
    (MessageState.QUEUED, MessageState.WITHDRAWN): (
        Owner.FORWARD,
        "another order was chosen before it left",
    ),
    (MessageState.HELD, MessageState.QUEUED): (Owner.PANEL, "a person lets it go"),
}
# A second way for the first of these: whoever removed a server gives up what waits for it.
GIVEN_UP: Moves = {
    (old, MessageState.WITHDRAWN): (Owner.PANEL, "a person gives it up: its server is not configured any more")
    for old in (MessageState.QUEUED, MessageState.HELD)
}
COMMITMENT: Moves = {
    (CommitmentState.ASKED, CommitmentState.ACCEPTED): (
        Owner.FORWARD,
        "the destination took the request: a report will come",
    ),
    (CommitmentState.ASKED, CommitmentState.REFUSED): (
        Owner.FORWARD,
        "it answered that it does not take it: asked again under another Transaction UID",
    ),
    (CommitmentState.ASKED, CommitmentState.REPORTED): (
        Owner.FORWARD,
        "its report came, though its answer did not",
    ),
    (CommitmentState.ACCEPTED, CommitmentState.REPORTED): (Owner.FORWARD, "its report came and was kept"),
}
REQUEST: Moves = {
    (RequestState.WAITING, RequestState.RUNNING): (Owner.FORWARD, "its deadline has not passed"),
    (RequestState.RUNNING, RequestState.DONE): (Owner.FORWARD, "answered"),
    (RequestState.RUNNING, RequestState.FAILED): (Owner.FORWARD, "the answer names the error"),
    (RequestState.WAITING, RequestState.FAILED): (Owner.FORWARD, "nobody began it before its deadline"),
}


def check(moves: Moves, old: StrEnum, new: StrEnum, owner: Owner) -> None:
    """Raise WrongState unless `owner` may move something from `old` to `new`."""
    allowed = moves.get((old, new))
    if allowed is None or allowed[0] is not owner:
        raise WrongState(f"This is {old} and cannot become {new}.")
