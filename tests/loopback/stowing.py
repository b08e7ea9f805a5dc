"""Sending one object to a web archive, and what such an archive may answer."""

from gateway.config.settings import Destination
from gateway.errors import DeliveryError
from gateway.net.peers import Timeouts
from gateway.net.store import StoreResult, Wanted
from gateway.net.stow import StowChannel
from tests.loopback.peers import items

# Only where silence is what is waited for: on a machine with much to do, an answer takes its time too.
QUICK = Timeouts(connect=1.0, negotiate=1.0, answer=0.7, stall=0.5, slowest=16e6)
STILL = items.SECONDARY_CAPTURE
FOUND = StoreResult(status="found")


def to(url, **more):
    return Destination(name="pacs", kind="stow", url=url, **more)


def channel_to(destination, *, syntax=items.EXPLICIT, sop_class=STILL, timeouts=None):
    wanted = [Wanted(sop_class_uid=sop_class, transfer_syntax_uid=syntax, lossy=False)]
    return StowChannel(destination, wanted=wanted, timeouts=timeouts)


def store(channel, file, *, syntax=items.EXPLICIT, sop_class=STILL, sent_before=False):
    return channel.store(
        file,
        sop_class_uid=sop_class,
        sop_instance_uid=file.stem,
        transfer_syntax_uid=syntax,
        sent_before=sent_before,
    )


def send_one(url, file, *, sent_before=False, timeouts=None, **more):
    """Send one object; return the result or the error, and whether the channel can go on."""
    with channel_to(to(url, **more), timeouts=timeouts) as channel:
        try:
            return store(channel, file, sent_before=sent_before), channel.usable
        except DeliveryError as error:
            return error, channel.usable


def answering(status, body=b"", kind="application/dicom+json", **headers):
    """Return a behaviour: take the body, then answer so to a POST."""

    def behave(request, asked):
        if asked.method != "POST":
            return False
        request.take(asked)
        request.peer.has.clear()  # whatever it says, it kept nothing
        said = body(asked.uids[0]) if callable(body) else body
        return request.answer(status, said, kind, **headers)

    return behave
