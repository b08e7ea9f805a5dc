"""C-ECHO: does a peer answer to us, and if not, why, in plain words."""

from dataclasses import dataclass
from datetime import datetime

from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made at import time

from gateway.config.settings import Tls
from gateway.errors import DeliveryError
from gateway.net.association import open_link
from gateway.net.peers import Peer, Timeouts, in_both_syntaxes, shared_out
from gateway.net.wires import WireBroken


@dataclass(frozen=True, kw_only=True, slots=True)
class EchoAnswer:
    """`ok`, or what is wrong, its code, and what to check."""

    ok: bool
    what: str = ""
    code: str = ""
    action: str = ""
    proven_until: datetime | None = None  # when the peer's certificate ends; None without TLS


def echo(
    host: str,
    port: int,
    ae_title: str,
    our_ae: str,
    *,
    kind: str = "archive",
    name: str = "",
    deadline_s: float = 10.0,
    timeouts: Timeouts | None = None,
    tls: Tls | None = None,
) -> EchoAnswer:
    """Ask one peer whether it hears us. Never raises for what a peer does."""
    peer = Peer(kind=kind, name=name or ae_title, ae_title=ae_title, host=host, port=port, tls=tls)
    offers = in_both_syntaxes(str(Verification))
    patience = shared_out(timeouts or Timeouts(), deadline_s)
    try:
        with open_link(peer, our_ae=our_ae, contexts=offers, timeouts=patience) as link:
            try:
                with link.within(patience.answer):
                    answer = link.association.send_c_echo()
            except (WireBroken, RuntimeError, ValueError):
                raise link.broken() from None
            if "Status" not in answer:
                raise link.broken()
            until = link.proven_until
    except DeliveryError as error:
        return EchoAnswer(ok=False, what=error.what, code=error.code, action=error.action)
    status = int(answer.Status)
    if status:
        return EchoAnswer(
            ok=False,
            what=f"The {kind} {peer.name} answered but is not well (status {status:04X}).",
            code="unwell",
            action="Call IT: look at its log.",
        )
    return EchoAnswer(ok=True, proven_until=until)
