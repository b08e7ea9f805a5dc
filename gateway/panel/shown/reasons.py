"""Why a picture is not there yet, in the words of whoever took it. What was answered, word by word, stands in its
details alone.
"""

from collections.abc import Sequence
from types import MappingProxyType

from gateway.messages import N_
from gateway.model import Delivery
from gateway.spool.queue.deliveries import JPEG_WANTED, KEY_STILLS_WANTED, SENT_AS_JPEG, SENT_AS_KEY_STILLS

_SAID: dict[str, str] = N_(
    {
        "away": "The archive {archive} does not answer.",
        "shut": "The archive {archive} does not let this box in.",
        "unable": "The archive {archive} cannot store pictures at present.",
        "kind": "The archive {archive} does not take this kind of picture.",
        "film": "The archive {archive} does not take clips of this kind (H.264).",
        "frames": "The archive {archive} does not take clips of this kind (JPEG).",
        "refused": "The archive {archive} refuses this picture.",
        "too-large": "This picture is larger than the archive {archive} takes.",
        JPEG_WANTED: "A clip is made into another form for the archive {archive}.",
        SENT_AS_JPEG: "The archive {archive} gets the clip in another form. The clip itself is on this box.",
        KEY_STILLS_WANTED: "Stills of a clip are made for the archive {archive}.",
        SENT_AS_KEY_STILLS: "The archive {archive} gets stills of the clip. The clip itself is on this box.",
    }
)
_ALIKE = MappingProxyType(
    {
        "away": ("unreachable", "silent", "timeout", "dropped", "aborted", "garbage", "endless"),
        "shut": (
            *("rejected", "rejected-title", "not-authorized", "moved", "wrong-address", "secret-file"),
            *("tls-expired", "tls-not-yet-valid", "tls-unknown-ca", "tls-wrong-name", "tls-certificate"),
            *("tls-client-certificate-refused", "tls-version", "tls-plain-peer", "tls-file", "tls-failed"),
        ),
        "unable": (
            *("busy", "out-of-resources", "processing-failure", "duplicate-invocation", "server-error"),
            *("unconfirmed", "unknown-status", "outage"),
        ),
        "kind": ("no-context", "sop-class", "format"),
        "refused": ("refused", "duplicate"),
    }
)
_OF_CLIPS = MappingProxyType({"H.264 clips": "film", "JPEG clips": "frames"})  # as forward's own reason says it
_KIND_OF = {code: kind for kind, codes in _ALIKE.items() for code in codes} | {
    code: code for code in _SAID if code not in _ALIKE
}


def plain(code: str, archive: str, reason: str) -> str:
    """Return what people need to know of an answer; of what has no words of its own, the answer itself."""
    if code not in _KIND_OF:
        return reason
    clip = next((kind for words, kind in _OF_CLIPS.items() if words in reason), "")
    kind = _KIND_OF[code]
    return _SAID[clip if clip and kind == "kind" else kind].format(archive=archive)


def of_delivery(delivery: Delivery) -> str:
    return plain(delivery.code, delivery.destination, delivery.reason)


def shared(reasons: Sequence[str]) -> str:
    """Return what several say in the same words; "" when they do not."""
    return reasons[0] if len(reasons) > 1 and len(set(reasons)) == 1 else ""
