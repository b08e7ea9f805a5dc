"""N-CREATE and N-SET to one procedure step server: the attribute list goes out as it lies in its file.

Written anew, what a worklist server wrote would not come back to it byte for byte. What an answer means stands in
`step_statuses`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from gateway.config.settings import ProcedureStep
from gateway.errors import TryLater
from gateway.net import encoded, step_statuses
from gateway.net.peers import Peer, Timeouts, in_both_syntaxes
from gateway.net.service import ServiceAssociation
from gateway.net.step_statuses import Meaning
from gateway.net.wires import WireBroken

SOP_CLASS = "1.2.840.10008.3.1.2.3.3"
_CLOSED = 0xA710  # Error ID: this step may no longer be updated (PS3.4 F.7.2.2.3)


class Took(Enum):
    """How a message came to be taken."""

    NOW = auto()
    BEFORE = auto()  # an earlier try of it had arrived, as far as anybody can tell
    UNKNOWN_STEP = auto()  # not taken: the server does not know the step


@dataclass(frozen=True, kw_only=True, slots=True)
class StepAnswer:
    """What the server made of a message. `status`: four hex digits; `warning`: what it said besides, or empty."""

    took: Took
    status: str
    warning: str = ""


class StepAssociation(ServiceAssociation):
    """One association to one server."""

    def __init__(self, server: ProcedureStep, *, our_ae: str, timeouts: Timeouts | None = None) -> None:
        peer = Peer(
            kind="procedure step server",
            name=server.name,
            ae_title=server.ae_title,
            host=server.host,
            port=server.port,
            tls=server.tls,
        )
        super().__init__(peer, our_ae=our_ae, contexts=in_both_syntaxes(SOP_CLASS), timeouts=timeouts)
        self._message = 0

    def create(self, step: str, attributes: Mapping[str, bytes], *, sent_before: bool) -> StepAnswer:
        """Announce a step; `attributes`: the attribute list by transfer syntax.

        sent_before: an earlier try may have arrived. Raises TryLater, NeedsConfiguration, NeverAccepted.
        """
        status, error_id = self._ask(encoded.n_create, step, attributes)
        rule = step_statuses.rule_for(_CLOSED if error_id == _CLOSED else status)
        return self._judge(status, rule, rule.create, sent_before=sent_before)

    def set(self, step: str, modifications: Mapping[str, bytes], *, sent_before: bool) -> StepAnswer:
        """Say how a step ended; arguments and errors as for `create`."""
        status, error_id = self._ask(encoded.n_set, step, modifications)
        rule = step_statuses.rule_for(_CLOSED if error_id == _CLOSED else status)
        return self._judge(status, rule, rule.set, sent_before=sent_before)

    def _ask(self, send: encoded.Send, step: str, attributes: Mapping[str, bytes]) -> tuple[int, int]:
        link = self._link
        if link is None or not link.usable:
            raise TryLater(f"The connection to {self._peer.who} has ended.", code="dropped")
        syntax = link.accepted[0].transfer_syntax  # in the order of the offer; with none it would not be open
        data = attributes[syntax]
        self._message = self._message % 0xFFFF + 1
        try:
            with link.within(self._timeouts.for_bytes(len(data))):
                answer = send(
                    link.association,
                    encoded.Message(
                        number=self._message,
                        sop_class_uid=SOP_CLASS,
                        sop_instance_uid=step,
                        transfer_syntax_uid=syntax,
                        data=data,
                    ),
                )
        except (WireBroken, RuntimeError, ValueError):
            raise link.broken() from None
        if answer is None:
            raise link.broken()
        return answer

    def _judge(self, status: int, rule: step_statuses.Rule, meaning: Meaning, *, sent_before: bool) -> StepAnswer:
        word = f"{status:04X}"
        if meaning is Meaning.TAKEN:
            warning = f"The server {self._peer.name} {rule.says}." if status else ""
            return StepAnswer(took=Took.NOW, status=word, warning=warning)
        if meaning is Meaning.UNKNOWN_STEP:
            return StepAnswer(took=Took.UNKNOWN_STEP, status=word)
        if meaning in {Meaning.DUPLICATE, Meaning.CLOSED} and sent_before:
            return StepAnswer(took=Took.BEFORE, status=word)
        if rule.code == "duplicate-invocation" and self._link is not None:
            self._link.drop()
        raise step_statuses.failure(status, rule, meaning, who=self._peer.who)
