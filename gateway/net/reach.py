"""Does a destination hear us, whatever its kind: for `doctor` and for whoever tests one from the screen."""

from gateway.config.settings import Destination
from gateway.net.echo import EchoAnswer, echo


def reach(destination: Destination, *, our_ae: str, deadline_s: float) -> EchoAnswer:
    """Ask one destination. Never raises for what it does."""
    if destination.kind == "stow":
        from gateway.net import stow  # noqa: PLC0415 - an HTTP client, for those who have such a destination

        return stow.ask(destination, deadline_s=deadline_s)
    return echo(
        destination.host,
        destination.port,
        destination.ae_title,
        our_ae,
        name=destination.name,
        deadline_s=deadline_s,
        tls=destination.tls,
    )
