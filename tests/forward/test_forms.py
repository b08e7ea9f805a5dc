"""What a destination is remembered to take: a context that is accepted takes back that there was none."""

from gateway.forward.sending.rearm import rearm
from gateway.model import DeliveryState
from gateway.spool.spool import Spool
from tests.forward.bench import deliveries
from tests.forward.channels import run, sender
from tests.forward.test_jpeg_clips import (
    AS_JPEG,
    BASELINE,
    CLIPS,
    AnswersClips,
    as_jpeg,
    film,
    forward,
    maker,
    said,
    taking,
)

HELD = DeliveryState.HELD


def test_an_archive_that_was_set_up_for_jpeg_meanwhile_gets_the_clip_when_it_is_offered_again(spool: Spool) -> None:
    rearm(spool, [AS_JPEG])
    recorded = film(spool)
    forward(spool, taking())
    assert said(spool, recorded.sop_instance_uid) == (HELD, "no-context")
    assert rearm(spool, [AS_JPEG]) == 1, "with each start"
    now = taking(BASELINE)
    forward(spool, now)
    assert said(spool, recorded.sop_instance_uid) == (HELD, "sent-as-jpeg")
    assert now.got == [as_jpeg(spool, recorded).sop_instance_uid]


def test_an_archive_that_was_set_up_for_jpeg_meanwhile_gets_the_next_film_too_without_a_start(spool: Spool) -> None:
    first, second = film(spool), film(spool)
    archive = taking()
    part = sender(spool, archive, AS_JPEG)
    run(part)
    while maker(spool).step():
        pass
    assert {d.code for d in deliveries(spool)} == {"no-context"}
    archive.accepts = taking(BASELINE).accepts
    for each in deliveries(spool):
        spool.deliveries.release(each.id)
    run(part)
    while maker(spool).step():
        pass
    for each in (first, second):
        assert said(spool, each.sop_instance_uid) == (HELD, "sent-as-jpeg")


def test_an_accepted_context_takes_back_no_answer(spool: Spool) -> None:
    recorded = film(spool)
    forward(spool, AnswersClips(spool))
    spool.deliveries.release_all("sent-as-jpeg")
    for archive in (taking(), AnswersClips(spool)):  # refuses its context, then accepts it and answers
        run(sender(spool, archive, AS_JPEG))
        assert said(spool, recorded.sop_instance_uid) == (HELD, "jpeg-wanted")
        assert spool.destinations.takes("pacs", CLIPS, BASELINE) is False
        spool.deliveries.release_all("jpeg-wanted")
