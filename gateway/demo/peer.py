"""A DICOM server of the demo: on this machine's loopback only, a handful of callers at a time, ended cleanly."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from pynetdicom.ae import ApplicationEntity
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import ThreadedAssociationServer

from gateway.net import tuning

LOOPBACK = "127.0.0.1"
_MOST_ASSOCIATIONS = 8
_GLANCE_S = 0.25  # between two looks at `stop`
_PDU = 128 * 1024  # bytes
_SILENCE_S = 60.0


class DemoPeer:
    """Listens at a port of the system's choice as soon as it is made; `serve` answers."""

    def __init__(
        self,
        ae_title: str,
        *,
        contexts: Sequence[PresentationContext],
        handlers: Sequence[tuple[Any, Callable[..., Any]]],
    ) -> None:
        tuning.prepare()
        entity = ApplicationEntity(ae_title)
        entity.require_called_aet = True
        entity.maximum_associations = _MOST_ASSOCIATIONS
        entity.maximum_pdu_size = _PDU
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = _SILENCE_S
        self.ae_title = ae_title
        self._server = _Server(entity, (LOOPBACK, 0), ae_title, list(contexts), evt_handlers=list(handlers))
        self._server.timeout = _GLANCE_S

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def serve(self, stop: threading.Event) -> None:
        """Answer until `stop` is set, then end whatever is connected. For a supervised thread."""
        try:
            while not stop.is_set():
                self._server.handle_request()
        finally:
            self._server.server_close()
            for association in self._server.active_associations:
                association.abort()


class _Server(ThreadedAssociationServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - socketserver's signature
        """Say nothing of a connection that ended before it was an association."""
