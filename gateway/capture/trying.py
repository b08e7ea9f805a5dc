"""The calls of capture's socket on devices that are not configured yet: what is asked, what was found."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.capture.arguments import Arguments
from gateway.capture.workbench import Workbench
from gateway.wire import Header

if TYPE_CHECKING:
    from hardware.triggers.learning import Candidate

_WIDEST, _USUAL = 1280, 640  # of a picture for looking
_LONGEST_S = 10.0


def found_on(bench: Workbench) -> Header:
    """Answer `devices`: what is plugged in, and with which profiles it can be looked at."""
    return {"devices": bench.devices(), "profiles": bench.profiles()}


def looked_at(bench: Workbench, arguments: Arguments) -> tuple[Header, bytes]:
    """Answer `look`: a device, a profile, a width; the JPEG is the answer's body."""
    width = min(arguments.whole("width", default=_USUAL), _WIDEST)
    look = bench.look(arguments.text("device"), arguments.text("profile"), max(width, 1))
    return {"result": {"width": look.width, "height": look.height}}, look.jpeg


def heard_by(bench: Workbench, arguments: Arguments, wanted: Callable[[], bool]) -> Header:
    """Answer `hear`: what was pressed within so many seconds, and what is listened to."""
    heard, listening = bench.hear(arguments.seconds("seconds", most=_LONGEST_S), wanted)
    return {
        "heard": {**_said(heard.candidate), "word": heard.word, "words": list(heard.words)} if heard else None,
        "listening": [_said(each) for each in listening.ears],
        "deaf": [{**_said(each), "reason": why} for each, why in listening.deaf.items()],
    }


def _said(candidate: "Candidate") -> Header:
    return {
        "kind": candidate.kind,
        "device": candidate.device,
        "identity": candidate.identity,
        "name": candidate.name,
    }
