"""Why a peer did not let us in, in plain words: pynetdicom says "aborted" for most of it.

Owns the codes unreachable, silent, busy, rejected, rejected-title, no-context, aborted, dropped, garbage.
"""

import errno
import socket
import ssl

from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.pdu import A_ABORT_RQ, A_ASSOCIATE_RJ

from gateway.errors import DeliveryError, NeedsConfiguration, TryLater
from gateway.net import tls
from gateway.net.peers import Peer, capital
from gateway.net.wires import TlsSocket, WatchedSocket

AGAIN = "It is tried again by itself. If it lasts, call IT"


class Ears:
    """Hears what pynetdicom reports but does not keep.

    It calls an association aborted when a rejection came, and the connection ended, before it looked for either.
    """

    def __init__(self) -> None:
        self.aborted = False
        self.garbage = False
        self.rejection: A_ASSOCIATE_RJ | None = None

    def pdu(self, heard: evt.Event) -> None:
        if isinstance(heard.pdu, A_ABORT_RQ):
            self.aborted = True
        elif isinstance(heard.pdu, A_ASSOCIATE_RJ):
            self.rejection = heard.pdu

    def machine(self, heard: evt.Event) -> None:
        if heard.action == "AA-8":  # PS3.8 table 9-8: an unexpected or unreadable PDU
            self.garbage = True


def refusal(peer: Peer, our_ae: str, association: Association, wire: WatchedSocket, ears: Ears) -> DeliveryError:
    """Tell refused, silent, rejected, nothing accepted, aborted apart: pynetdicom says "aborted" for most."""
    if wire.trouble is not None and not isinstance(wire.trouble, ssl.SSLEOFError):
        agreed = isinstance(wire, TlsSocket) and wire.agreed
        return tls.refusal(peer, wire.trouble, agreed=agreed)
    if wire.securing and wire.failure is not None:
        return not_secured(peer, wire.failure)
    if wire.failure is not None:
        return not_connected(peer, wire.failure)
    if ears.rejection is not None:
        return _rejected(peer, our_ae, ears.rejection)
    if association.rejected_contexts and not association.accepted_contexts:
        return NeedsConfiguration(
            f"{capital(peer.who)} takes none of the kinds of data that were offered.",
            code="no-context",
            action=f"Call IT: the {peer.kind} must be set to take them, or another format be configured here.",
        )
    return _not_answered(peer, wire, ears)


def _not_answered(peer: Peer, wire: WatchedSocket, ears: Ears) -> TryLater:
    check = f"{AGAIN}: check that {peer.port} is the DICOM port of the {peer.kind}"
    if ears.aborted:
        words = f"{capital(peer.who)} broke off the connection before anything was said."
        return TryLater(words, code="aborted", action=f"{check} and that this box may use it.")
    if ears.garbage:
        words = f"What answers at {peer.where} does not speak DICOM."
        return TryLater(words, code="garbage", action=f"{check}.")
    if wire.lost:
        words = f"{capital(peer.who)} closed the connection without an answer."
        return TryLater(words, code="dropped", action=f"{check} and that this box may use it.")
    words = f"{capital(peer.who)} took the connection at {peer.where} but did not answer."
    return TryLater(words, code="silent", action=f"{check} and that the program there is not stuck.")


def not_connected(peer: Peer, failure: OSError) -> TryLater:
    if isinstance(failure, socket.gaierror):
        return unknown_host(peer)
    if isinstance(failure, ConnectionRefusedError):
        return unreachable(peer, f"nothing listens at {peer.where}", "program there, host and port")
    if isinstance(failure, TimeoutError):
        words = f"{capital(peer.who)} did not answer: no machine answered at {peer.where}."
        check = f"{AGAIN}: check that it is on, the network cable and the address."
        return TryLater(words, code="silent", action=check)
    reason = errno.errorcode.get(failure.errno or 0, "network error")
    return unreachable(peer, f"there is no way to {peer.where} ({reason})", "network cable and address")


def not_secured(peer: Peer, failure: OSError) -> TryLater:
    """The other side is there, but said nothing to TLS, or hung up."""
    check = f"{AGAIN}: check that {peer.port} is the port of the {peer.kind} that speaks TLS"
    if isinstance(failure, TimeoutError):
        words = f"{capital(peer.who)} took the connection at {peer.where} but did not answer to TLS."
        return TryLater(words, code="silent", action=f"{check} and that the program there is not stuck.")
    words = f"{capital(peer.who)} closed the connection while it was being secured."
    return TryLater(words, code="dropped", action=f"{check} and that this box may use it.")


def unknown_host(peer: Peer) -> TryLater:
    """The name says nothing to any name server, or the port of this box that the address names is not there."""
    _, scoped, port = peer.host.partition("%")
    if scoped:
        check = f"port's name after % in the host of {peer.name}"
        return unreachable(peer, f"this box has no port {port} now", check)
    return unreachable(peer, f"the name {peer.host} is not known in this network", "host name")


def unreachable(peer: Peer, because: str, check: str) -> TryLater:
    return TryLater(
        f"{capital(peer.who)} did not answer: {because}.", code="unreachable", action=f"{AGAIN}: check the {check}."
    )


def _rejected(peer: Peer, our_ae: str, answer: A_ASSOCIATE_RJ) -> DeliveryError:
    """PS3.8 table 9-21: result 1 is permanent, 2 transient; source 1 service user, 2 and 3 the provider."""
    source, reason = answer.source, answer.reason_diagnostic
    if answer.result != 1:
        return TryLater(f"{capital(peer.who)} takes no further connection now.", code="busy")
    if (source, reason) == (1, 7):
        return NeedsConfiguration(
            f"{capital(peer.who)} does not have the AE title {peer.ae_title}.",
            code="rejected-title",
            action=f"Call IT: correct ae_title of {peer.name} here, or the title of the {peer.kind} there.",
        )
    if (source, reason) == (1, 3):
        return NeedsConfiguration(
            f"{capital(peer.who)} does not know this box by its AE title {our_ae}.",
            code="rejected-title",
            action=f"Call IT: register {our_ae} with this box's address at the {peer.kind}.",
        )
    return NeedsConfiguration(
        f"{capital(peer.who)} refuses connections of this box (source {source}, reason {reason}).", code="rejected"
    )
