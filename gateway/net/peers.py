"""The values that every service shares: who is asked, what is offered, how long we wait."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass

from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from gateway.config.settings import Destination, Entity, Tls
from gateway.messages import N_


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeouts:
    """Seconds. `answer` grows with what was asked, see `for_bytes`."""

    connect: float = 10.0  # until TCP is connected
    negotiate: float = 20.0  # until the association, or its release, is answered
    answer: float = 30.0  # until a DIMSE request is answered
    stall: float = 30.0  # while writing or reading: some bytes must move
    idle: float = 60.0  # an association on which nothing happens
    slowest: float = 64 * 1024  # bytes/s: what a slow line must carry, and a slow archive store

    def for_bytes(self, count: int) -> float:
        """Return how long a request with so many bytes may take, answer included."""
        return self.answer + count / self.slowest


WHO = N_(
    {
        "archive": "the archive {name}",
        "worklist server": "the worklist server {name}",
        "procedure step server": "the procedure step server {name}",
        "audit repository": "the audit repository {name}",
    }
)
KINDS = N_(("archive", "worklist server", "procedure step server", "audit repository"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Peer:
    """Another system, in the words of the person who reads about it: kind "archive", name "pacs"."""

    kind: str
    name: str
    ae_title: str
    host: str
    port: int
    tls: Tls | None = None  # None: in clear

    @property
    def who(self) -> str:
        return WHO.get(self.kind, f"the {self.kind} {{name}}").format(name=self.name)

    @property
    def where(self) -> str:
        return f"{self.host}:{self.port}"


def service_of(destination: Destination, service: Entity | bool) -> Peer | None:  # noqa: FBT001 - a value of the file
    """Return who gives a service of this archive, None when nobody does."""
    entity = destination.entity(service)
    if entity is None:
        return None
    return Peer(
        kind="archive",
        name=destination.name,
        ae_title=entity.ae_title,
        host=entity.host,
        port=entity.port,
        tls=destination.tls,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """What is offered: one SOP class in one transfer syntax."""

    abstract_syntax: str
    transfer_syntax: str


def in_both_syntaxes(sop_class_uid: str) -> tuple[Context, ...]:
    """Offer a class in the two syntaxes of uncompressed data sets, each in a context of its own."""
    syntaxes = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
    return tuple(Context(abstract_syntax=sop_class_uid, transfer_syntax=str(syntax)) for syntax in syntaxes)


def shared_out(timeouts: Timeouts, seconds: float) -> Timeouts:
    """Return `timeouts` such that a short call (connect, negotiate, answer) takes no longer than `seconds`."""
    return Timeouts(
        connect=min(timeouts.connect, seconds / 4),
        negotiate=min(timeouts.negotiate, seconds / 4),
        answer=min(timeouts.answer, seconds / 2),
        stall=min(timeouts.stall, seconds / 2),
        idle=timeouts.idle,
        slowest=timeouts.slowest,
    )


def capital(words: str) -> str:
    """Begin a sentence."""
    return words[:1].upper() + words[1:]


def addresses(host: str) -> set[str]:
    """Return a host's addresses now; a name may move, a name server may be away."""
    try:
        return {address_of(entry[4]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):  # Python's own of a name with an empty or a too long label
        return set()


def address_of(found: Sequence[object]) -> str:
    """Return whose address a socket gives, in the words of the configuration: a link-local one with its port.

    The same one may be somebody else's at another port of this box. Raises OSError when that port is gone.
    """
    scope = found[3] if len(found) == 4 else 0  # noqa: PLR2004 - address, port, flow, scope
    return f"{found[0]}%{socket.if_indextoname(int(str(scope)))}" if scope else str(found[0])


def target(host: str) -> str | tuple[str, int, int]:
    """Return a host as pynetdicom calls it: of a link-local address it wants flow and scope. Raises gaierror."""
    if "%" not in host:
        return host
    _, _, _, _, found = socket.getaddrinfo(host, None, socket.AF_INET6, socket.SOCK_STREAM)[0]
    return str(found[0]), 0, int(found[3])  # type: ignore[misc]  # of this family it has four


def named(host: str) -> str:
    """Return a host as a certificate names it, which knows nothing of our ports."""
    return host.partition("%")[0]
