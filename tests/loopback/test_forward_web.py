"""What a web archive's answers make of deliveries, and the forward process with one."""

import threading
import time

import pytest

from gateway.clock import Clock
from gateway.config.settings import Destination
from gateway.forward.sending.channel import connector
from gateway.forward.sending.sender import Sender
from gateway.model import DeliveryState
from tests.forward.bench import deliveries, delivery, sealed_exam
from tests.loopback.forward_archive import memory_spool, pause_s
from tests.loopback.peers import free_port
from tests.loopback.peers.web import json_answer

Q, SENDING, SENT, COMMITTED, HELD = DeliveryState
KINDS = {"still": {"stills": 1}, "clip": {"stills": 0, "clips": 1}}


def _sender(spool, url, **more):
    to = Destination(name="pacs", kind="stow", url=url, **more)
    return Sender(spool=spool, destination=to, connect=connector(to, our_ae="SCOPEGATE"))


def _run(part):
    steps = 0
    while part.step():
        steps += 1
        assert steps < 100, "the sender never comes to rest"


def test_an_exam_arrives_as_it_was_sealed(spool, web_archive):
    sealed_exam(spool, stills=4, clips=1)
    part = _sender(spool, web_archive.url)
    _run(part)
    assert {(d.state, d.status, d.attempts) for d in deliveries(spool)} == {(SENT, "HTTP 200", 1)}
    assert len(web_archive.has) == 5
    for sealed in (spool.objects.get(d.sop_instance_uid) for d in deliveries(spool)):
        assert web_archive.has[sealed.sop_instance_uid] == spool.objects.path(sealed).read_bytes()
    _run(part)
    assert len(web_archive.posts()) == 5


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_whose_answer_was_lost_is_not_sent_twice(spool, web_archive, clock, kind):
    sealed_exam(spool, **KINDS[kind])

    def vanish(request, asked):
        request.take(asked)
        request.hang_up()

    web_archive.behave = vanish
    part = _sender(spool, web_archive.url)
    _run(part)
    found = delivery(spool)
    assert (found.state, found.code, found.in_doubt) == (Q, "dropped", True)
    web_archive.behave = None
    clock.move(60)
    _run(part)
    assert (delivery(spool).state, delivery(spool).status) == (SENT, "found")
    assert len(web_archive.posts()) == 1


def test_an_archive_that_is_away_leaves_no_doubt_and_gets_everything_later(spool, web_archive, clock):
    sealed_exam(spool, stills=2, clips=1)
    part = _sender(spool, f"http://127.0.0.1:{free_port()}/dicom-web")
    _run(part)
    assert {(d.state, d.code, d.in_doubt) for d in deliveries(spool)} == {(Q, "unreachable", False)}
    assert pause_s(part, clock) == 15
    clock.move(60)
    _run(_sender(spool, web_archive.url))
    assert {d.state for d in deliveries(spool)} == {SENT}
    assert web_archive.searches() == []


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_that_asks_for_a_pause_gets_it_but_not_for_ever(spool, web_archive, clock, kind):
    sealed_exam(spool, **KINDS[kind])
    part = _sender(spool, web_archive.url)
    for asked, seconds in (("120", 120), ("1", 30), ("86400", 900)):

        def busy(request, found, asked=asked):
            request.take(found)
            request.answer(429, Retry_After=asked)

        web_archive.behave = busy
        _run(part)
        assert pause_s(part, clock) == seconds
        assert delivery(spool).code == "busy"
        clock.move(seconds + 15)
    web_archive.behave = None
    _run(part)
    assert delivery(spool).state is SENT


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("status", "reason", "state", "code"),
    [
        (413, None, HELD, "too-large"),
        (409, 0xC122, HELD, "no-context"),
        (409, 0x0122, HELD, "sop-class"),
        (400, None, Q, "refused"),
        (409, 0xA900, Q, "refused"),
        (401, None, Q, "not-authorized"),
        (404, None, Q, "wrong-address"),
    ],
)
def test_an_answer_holds_the_object_or_pauses_the_archive(request, clock, kind, status, reason, state, code):  # noqa: PLR0917
    spool, web_archive = request.getfixturevalue("spool"), request.getfixturevalue("web_archive")
    sealed_exam(spool, **KINDS[kind])

    def refuse(handler, asked):
        handler.take(asked)
        handler.answer(status, json_answer(failed={asked.uids[0]: reason}) if reason else b"")

    web_archive.behave = refuse
    part = _sender(spool, web_archive.url)
    _run(part)
    assert (delivery(spool).state, delivery(spool).code) == (state, code)
    if code == "refused":  # once more, then a person decides
        clock.move(20)
        _run(part)
        assert delivery(spool).state is HELD
    waits = code in {"not-authorized", "wrong-address"}
    assert pause_s(part, clock) == (900 if waits else 0)


def test_three_big_clips_are_no_outage(spool, web_archive):
    sealed_exam(spool, stills=0, clips=4)
    web_archive.behave = lambda request, asked: (request.take(asked), request.answer(413))
    _run(_sender(spool, web_archive.url))
    assert {(d.state, d.code) for d in deliveries(spool)} == {(HELD, "too-large")}


def test_a_sender_that_is_stopped_leaves_no_thread_and_no_socket_behind(web_archive):
    with memory_spool(Clock()) as spool:
        sealed_exam(spool, stills=3)
        _run(_sender(spool, web_archive.url))
    until = time.monotonic() + 5
    while any(t.name == "network-deadline" for t in threading.enumerate()) and time.monotonic() < until:
        time.sleep(0.02)
    assert not any(t.name == "network-deadline" for t in threading.enumerate())
