"""Tries an archive: does it answer, take our kinds of objects, say what it keeps. A medium: is it there."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from gateway.config.settings import Address, Destination, Source
from gateway.errors import DeliveryError
from gateway.forward.media.medium import capacity, is_mounted
from gateway.forward.trying import kinds
from gateway.forward.trying.way_back import WayBack
from gateway.net.peers import Timeouts, service_of, shared_out
from gateway.net.query import QueryAssociation
from gateway.net.reach import reach
from gateway.spool.processes.trials import Line

_ECHO_S = 8.0
_GB = 1e9


class ArchiveTrial:
    """What is tried of a destination, one after the other; what follows a silence is left out."""

    def __init__(self, *, sources: Sequence[Source], data_dir: Path, way_back: WayBack) -> None:
        self._sources = sources
        self._data_dir = data_dir
        self._way_back = way_back
        self._timeouts = shared_out(Timeouts(), _ECHO_S)

    def tried(self, destination: Destination, listen: Address, *, our_ae: str) -> Iterator[Line]:
        """Yield each thing that is found out. `listen` and `our_ae`: where and as whom this box is heard of."""
        if destination.kind == "media":
            yield self._medium(destination.folder)
            return
        answer = reach(destination, our_ae=our_ae, deadline_s=_ECHO_S)
        if not answer.ok:
            yield Line(part="answers", ok=False, what=answer.what, action=answer.action, code=answer.code)
            return
        yield Line(part="answers", ok=True, what="It answers.")
        if destination.kind == "stow":
            yield Line(part="kinds", ok=None, what="Whether it takes pictures is seen when the first one is sent.")
            return
        yield from kinds.tried(destination, sources=self._sources, our_ae=our_ae, timeouts=self._timeouts)
        if destination.query:
            yield self._query(destination, our_ae)
        if destination.commitment:
            yield from self._way_back.tried(destination, listen, our_ae=our_ae, timeouts=self._timeouts)
        else:
            yield Line(
                part="commitment",
                ok=None,
                what="It is not asked whether it keeps pictures (storage commitment): "
                "the box can say Sent, and no more.",
            )

    def _query(self, destination: Destination, our_ae: str) -> Line:
        peer = service_of(destination, destination.query)
        assert peer is not None
        try:
            with QueryAssociation(peer, our_ae=our_ae, timeouts=self._timeouts):
                return Line(part="query", ok=True, what="It can be asked what it has.")
        except DeliveryError as error:
            return Line(part="query", ok=False, what=error.what, action=error.action, code=error.code)

    def _medium(self, folder: Path) -> Line:
        found = capacity(folder) if is_mounted(folder, self._data_dir) else None
        if found is None:
            return Line(
                part="medium",
                ok=False,
                what="There is no medium in this folder.",
                action="Plug the stick or disk in. A folder on the box's own disk would protect from nothing.",
                code="media-absent",
            )
        free = f"{found.free / _GB:.1f}"
        if found.read_only:
            return Line(
                part="medium",
                ok=False,
                what="The medium can only be read.",
                action="Take another one, or remove its write protection.",
                code="media-read-only",
            )
        return Line(part="medium", ok=True, what=f"The medium is there. Free: {free} GB.")
