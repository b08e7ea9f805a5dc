"""What every service over an association of its own shares: it is opened, used and released with `with`."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Self

from gateway.net.association import Link, open_link
from gateway.net.peers import Context, Peer, Timeouts


class ServiceAssociation:
    """One association to one peer. Entering it raises TryLater or NeedsConfiguration.

    After a failure that leaves the association in doubt `usable` is False: open a new one. `how`: as for open_link.
    """

    def __init__(
        self,
        peer: Peer,
        *,
        our_ae: str,
        contexts: Sequence[Context],
        timeouts: Timeouts | None = None,
        **how: Any,  # noqa: ANN401 - open_link knows their types
    ) -> None:
        self._peer = peer
        self._timeouts = timeouts or Timeouts()
        self._open = partial(open_link, peer, our_ae=our_ae, contexts=contexts, timeouts=self._timeouts, **how)
        self._link: Link | None = None

    def __enter__(self) -> Self:
        self._link = self._open()
        return self

    def __exit__(self, *_: object) -> None:
        if self._link is not None:
            self._link.release()

    @property
    def usable(self) -> bool:
        return self._link is not None and self._link.usable
