"""A clip whose form an archive refuses with its answer, over either wire: its key stills arrive in its place."""

import threading
from typing import Any

import pytest

from gateway.config.settings import Destination
from gateway.forward.making.fallback import Fallbacks
from gateway.forward.making.jpeg_clips import JpegClips
from gateway.forward.sending.channel import connector
from gateway.forward.sending.sender import Sender
from gateway.model import DeliveryState
from gateway.spool.spool import Spool
from tests.forward.bench import STATION, clip, deliveries, films, let_go, objects, open_exam, sealed_exam
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


@pytest.mark.parametrize("refuses", ["H.264", "H.264 and JPEG"])
def test_a_web_archive_that_refuses_h264_is_asked_about_jpeg_by_sending_it_and_then_gets_stills(
    spool: Spool, web_archive: FaultWeb, refuses: str
) -> None:
    exam = open_exam(spool)
    film = clip(spool, exam, clip_as="h264").sop_instance_uid
    exam = let_go(spool, exam)
    films(spool).step()
    to = Destination(name="pacs", kind="stow", url=web_archive.url, fallback="key-stills", key_stills=2)

    def of_clips() -> dict[str, int]:
        return {each.sop_instance_uid: each.frames for each in spool.objects.of_exam(exam.id) if each.frames > 1}

    def behave(request: Any, asked: Asked) -> bool:
        request.take(asked)
        (uid,) = asked.uids
        if uid == film or (uid in of_clips() and "JPEG" in refuses):
            del web_archive.has[uid]
            request.answer(415, b"")
        else:
            request.answer(200, json_answer({uid: None}))
        return True

    web_archive.behave = behave
    jpegs = JpegClips(spool=spool, station=STATION, destinations=[to], stop=threading.Event())
    forward(spool, to)
    while jpegs.step():
        pass
    found = forward(spool, to)
    (as_jpeg,) = of_clips().keys() - {film}
    stills = {each.sop_instance_uid for each in spool.objects.of_exam(exam.id) if each.frames == 1}
    if "JPEG" not in refuses:
        assert (found[film][:2], found[as_jpeg][:2]) == ((HELD, "sent-as-jpeg"), (SENT, ""))
        assert set(web_archive.has) == {as_jpeg}
    else:
        assert found[film][:2] == found[as_jpeg][:2] == (HELD, "sent-as-key-stills")
        assert set(web_archive.has) == stills
        assert len(stills) == 2
