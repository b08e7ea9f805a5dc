"""Tells one server of procedure steps: its queue, one message after the other, for ever. Knows no pictures.

What an answer means stands in gateway/net; what it makes of a message is decided here.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

from gateway.config.settings import ProcedureStep
from gateway.dicom import procedure_step
from gateway.errors import DeliveryError, NeverAccepted, ObjectError, ScopegateError, SpoolDamaged
from gateway.forward import backoff
from gateway.forward.leases import Leases
from gateway.forward.patience import Patience, Pause
from gateway.log import event, warn
from gateway.model import MessageKind, MessageState, StepMessage
from gateway.net.peers import Timeouts
from gateway.net.procedure_step import StepAnswer, StepAssociation, Took
from gateway.spool.spool import Spool
from gateway.spool.states import Owner

_log = logging.getLogger(__name__)
_CAP_S = (backoff.CONFIGURATION * (1 + backoff.JITTER) + backoff.FIRST).total_seconds()  # no wait is longer
_UNKNOWN_STEP = "unknown-step"
_CANNOT_PROCESS = "0110"
_MOST_TRIES_IN_DOUBT = 12  # in an hour and a half
TAKEN_BEFORE = "taken-before"  # an earlier try had arrived, as far as anybody can tell
TAKEN_WITH_WARNING = "taken-with-warning"
IN_DOUBT = "step-in-doubt"  # its answer was lost, and the server never said whether it had arrived

Connect = Callable[[], AbstractContextManager[StepAssociation]]


def connector(server: ProcedureStep, *, our_ae: str, timeouts: Timeouts | None = None) -> Connect:
    """Return what opens an association to this server."""
    return lambda: StepAssociation(server, our_ae=our_ae, timeouts=timeouts)


class StepSender:
    """One server. `pause` is None while it takes what it gets."""

    def __init__(self, *, spool: Spool, server: str, connect: Connect, stop: threading.Event | None = None) -> None:
        self._spool = spool
        self._server = server
        self._connect = connect
        self._stop = stop or threading.Event()
        self._patience = Patience(server, clock=spool.clock)
        self._leases = Leases(lambda: spool.steps.forget_leases(server))

    @property
    def pause(self) -> Pause | None:
        return self._patience.pause

    def step(self) -> bool:
        """Send what is ready; say whether there may be more to do now. Raises SpoolError."""
        if self._patience.waits(lambda: self._spool.steps.take_asked(self._server)):
            return False
        with self._leases.kept():
            return self._send_ready()

    def _send_ready(self) -> bool:
        message = self._due()
        if message is None:
            return False
        try:
            with self._connect() as association:
                while message and association.usable and not self._patience.left_s and not self._stop.is_set():
                    self._send(association, message)
                    message = self._due()
        except DeliveryError as error:  # no association: everything waits with the server
            self._patience.hold_back(error)
            return False
        return not self._patience.left_s and not self._stop.is_set()

    def _due(self) -> StepMessage | None:
        return self._spool.steps.due(self._server, cap_s=_CAP_S)

    # --- one message --------------------------------------------------------------------------------------

    def _send(self, association: StepAssociation, message: StepMessage) -> None:
        claimed = self._spool.steps.claim(message)
        if claimed is None:
            return
        try:
            said = self._attributes(message)
        except (ObjectError, SpoolDamaged) as error:
            self._hold(claimed, error, in_doubt=message.in_doubt)
            return
        ask = association.create if message.kind is MessageKind.CREATE else association.set
        try:
            answer = ask(message.step, said, sent_before=message.in_doubt)
        except NeverAccepted as error:
            self._patience.works()
            self._hold(claimed, error, in_doubt=message.in_doubt)
        except DeliveryError as error:
            if message.kind is MessageKind.SET and message.in_doubt and error.status == _CANNOT_PROCESS:
                self._patience.works()
                self._unsaid(claimed, error)
                return
            # An answer tells that it was not taken now; without one nobody knows. Tries in doubt are counted anew.
            begins = not message.in_doubt and not error.status
            self._later(claimed, error, in_doubt=message.in_doubt or begins, attempts=1 if begins else None)
        else:
            self._patience.works()
            self._answered(claimed, answer, again=message.code == _UNKNOWN_STEP)

    def _attributes(self, message: StepMessage) -> dict[str, bytes]:
        path = self._spool.steps.path(message.exam, message.step, message.kind)
        try:
            return procedure_step.attribute_lists(path.read_bytes())
        except FileNotFoundError as error:
            raise SpoolDamaged(
                "The message about this procedure step is not on the disk.", code="file-missing"
            ) from error
        except OSError as error:
            raise SpoolDamaged(
                "The message about this procedure step cannot be read.", code="file-unreadable"
            ) from error

    def _answered(self, message: StepMessage, answer: StepAnswer, *, again: bool) -> None:
        if answer.took is Took.UNKNOWN_STEP:
            self._unknown(message, answer, again=again)
            return
        before = answer.took is Took.BEFORE
        code = TAKEN_BEFORE if before else TAKEN_WITH_WARNING if answer.warning else ""
        reason = "The server had it already: the answer to an earlier try was lost." if before else answer.warning
        self._spool.steps.move(
            message,
            MessageState.SENT,
            Owner.FORWARD,
            code=code,
            reason=reason,
            status=answer.status,
            in_doubt=False,
        )
        event(
            _log,
            "step_told",
            server=self._server,
            step=message.step,
            kind=message.kind,
            tries=message.attempts,
            status=answer.status,
            code=code,
        )

    def _unknown(self, message: StepMessage, answer: StepAnswer, *, again: bool) -> None:
        """Create a step again that the server forgot; once, else it would never end."""
        what = f"The server {self._server} does not know this procedure step."
        if again:
            error = NeverAccepted(
                f"{what} It was created again, which did not help.",
                code=_UNKNOWN_STEP,
                action="Pictures are not affected. Call IT: settle the step on the server, or release the message.",
            )
            error.status = answer.status
            self._hold(message, error, in_doubt=False)
            return
        warn(_log, "step_created_again", server=self._server, step=message.step)
        self._spool.steps.create_again(message, code=_UNKNOWN_STEP, reason=what, status=answer.status)

    def _unsaid(self, message: StepMessage, error: DeliveryError) -> None:
        """Say the end of a step again whose answer was lost, while its server only says that it cannot process it.

        So answers one whose database is away, and one that has it already but does not name the reason (Error ID
        A710, PS3.4 F.7.2.2.3). The first mostly ends within the hour; no other message waits for that.
        """
        if message.attempts <= _MOST_TRIES_IN_DOUBT:
            wait = backoff.delay_before(message.attempts)
            self._again(message, error, wait_s=wait.total_seconds(), in_doubt=True)
            return
        warn(_log, "step_in_doubt", server=self._server, step=message.step, tries=message.attempts)
        self._spool.steps.move(
            message,
            MessageState.SENT,
            Owner.FORWARD,
            code=IN_DOUBT,
            reason=f"The server {self._server} does not say whether it has the end of this procedure step.",
            status=error.status,
            in_doubt=False,
        )

    def _hold(self, message: StepMessage, error: ScopegateError, *, in_doubt: bool) -> None:
        warn(_log, "step_held", server=self._server, step=message.step, kind=message.kind, code=error.code)
        self._spool.steps.move(
            message,
            MessageState.HELD,
            Owner.FORWARD,
            code=error.code,
            reason=f"{error.what} {error.action}",
            status=error.status if isinstance(error, DeliveryError) else "",
            in_doubt=in_doubt,
        )

    def _later(self, message: StepMessage, error: DeliveryError, *, in_doubt: bool, attempts: int | None) -> None:
        # Longer than its server: if this message is what breaks it, the others go first.
        wait = self._patience.hold_back(error) + backoff.FIRST
        self._again(message, error, wait_s=wait.total_seconds(), in_doubt=in_doubt, attempts=attempts)

    def _again(
        self,
        message: StepMessage,
        error: DeliveryError,
        *,
        wait_s: float,
        in_doubt: bool,
        attempts: int | None = None,
    ) -> None:
        self._spool.steps.move(
            message,
            MessageState.QUEUED,
            Owner.FORWARD,
            attempts=attempts,
            wait_s=wait_s,
            # That a step was created again once outlasts what comes in between, else it would be for ever.
            code=_UNKNOWN_STEP if message.code == _UNKNOWN_STEP else error.code,
            reason=error.what,
            status=error.status,
            in_doubt=in_doubt,
        )
