"""The one error of the demo's own."""

from gateway.errors import ScopegateError


class DemoFailed(ScopegateError):
    """The demo could not be run."""

    code = "demo"
    action = "Correct that and start the demo again."
