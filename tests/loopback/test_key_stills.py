"""A clip whose form an archive refuses with its answer, over either wire: its key stills arrive in its place."""

from typing import Any

import pytest

from gateway.config.settings import Destination
from gateway.forward.making.fallback import Fallbacks
from gateway.forward.sending.channel import connector
from gateway.forward.sending.sender import Sender
from gateway.model import DeliveryState
from gateway.spool.spool import Spool
from tests.forward.bench import STATION, deliveries, objects, sealed_exam
from tests.loopback.forward_archive import Scripted, destination, run
from tests.loopback.peers import FaultWeb
from tests.loopback.peers.web import Asked, json_answer

Q, SENDING, SENT, COMMITTED, HELD = DeliveryState


def forward(spool: Spool, to: Destination) -> dict[str, tuple[DeliveryState, str, str]]:
    """Send, make what is wanting, send that; return what became of each object."""
    part = Sender(spool=spool, destination=to, connect=connector(to, our_ae="SCOPEGATE"))
    run(part)
    made = Fallbacks(spool=spool, station=STATION, destinations=[to])
    while made.step():
        pass
    run(part)
    assert part.pause is None
    return {d.sop_instance_uid: (d.state, d.code, d.status) for d in deliveries(spool)}


def refusing(peer: FaultWeb, clip: str, status: int, reason: int | None) -> None:
    """Let a web archive take everything but the clip."""

    def behave(request: Any, asked: Asked) -> bool:
        request.take(asked)
        if asked.uids != [clip]:
            request.answer(200, json_answer(dict.fromkeys(asked.uids)))
        else:
            del peer.has[clip]
            request.answer(status, json_answer(failed={clip: reason}) if reason else b"")
        return True

    peer.behave = behave


@pytest.mark.parametrize("status", [0x0122, 0x0112])
def test_an_archive_that_answers_a_clip_with_its_class_gets_stills_of_it(
    spool: Spool, archive: Scripted, status: int
) -> None:
    exam = sealed_exam(spool, stills=1, clips=1)
    still, clip = (each.sop_instance_uid for each in objects(spool, exam))
    archive.say = lambda uid: status if uid == clip else 0
    found = forward(spool, destination(archive, fallback="key-stills"))
    made = {each.sop_instance_uid for each in spool.objects.of_exam(exam.id) if each.derived_from}
    assert found[clip] == (HELD, "sent-as-key-stills", f"{status:04X}")
    assert {found[uid] for uid in (still, *made)} == {(SENT, "", "0000")}
    assert len(made) == 3
    assert set(archive.uids) == {still, clip, *made}


@pytest.mark.parametrize(("status", "reason"), [(415, None), (409, 0x0122), (202, 0x0122), (409, 0xC122)])
def test_a_web_archive_that_answers_a_clip_with_its_form_gets_stills_of_it(
    spool: Spool, web_archive: FaultWeb, status: int, reason: int | None
) -> None:
    exam = sealed_exam(spool, stills=1, clips=1)
    still, clip = (each.sop_instance_uid for each in objects(spool, exam))
    refusing(web_archive, clip, status, reason)
    found = forward(spool, Destination(name="pacs", kind="stow", url=web_archive.url, fallback="key-stills"))
    made = {each.sop_instance_uid for each in spool.objects.of_exam(exam.id) if each.derived_from}
    said = f"{reason:04X}" if reason else f"HTTP {status}"
    assert found[clip] == (HELD, "sent-as-key-stills", said)
    assert {found[uid] for uid in (still, *made)} == {(SENT, "", "HTTP 200")}
    assert len(made) == 3
    assert set(web_archive.has) == {still, *made}
    assert len(web_archive.posts()) == 5, "the clip was offered once"
