"""What was made of a clip, and is lost: put back byte for byte, or said; nothing else takes its name."""

import threading
from dataclasses import replace

import pytest

from gateway.config.settings import Destination
from gateway.forward.making.jpeg_clips import JpegClips
from gateway.model import Capture, SealedObject
from gateway.spool.inspection import inspect_exam
from gateway.spool.spool import Spool
from tests.forward.bench import (
    STATION,
    deliveries,
)
from tests.forward.channels import Archive, pacs, run, sender
from tests.forward.test_jpeg_clips import (
    AS_JPEG,
    AS_STILLS,
    BASELINE,
    HELD,
    as_jpeg,
    derived,
    film,
    forward,
    maker,
    said,
    taking,
)


def lost(spool: Spool, made: SealedObject, how: str = "removed") -> bytes:
    """Take an object's file from the disk, or change it there; return what it was."""
    path = spool.objects.path(made)
    content = path.read_bytes()
    path.unlink()
    if how == "damaged":
        path.write_bytes(content[:-1] + b"?")
    return content


def offered_again(spool: Spool, recorded: Capture, archive: Archive, to: Destination) -> None:
    """Let a person release the clip itself."""
    (held,) = (d for d in deliveries(spool, to.name) if d.sop_instance_uid == recorded.sop_instance_uid)
    spool.deliveries.release(held.id)
    forward(spool, archive, to)


@pytest.mark.parametrize("how", ["removed", "damaged"])
@pytest.mark.parametrize("taken", [BASELINE, ""], ids=["jpeg", "key stills"])
def test_what_was_made_of_a_clip_and_lost_is_put_back_as_it_was_sealed(spool: Spool, taken: str, how: str) -> None:
    recorded = film(spool, "pacs", "cloud")
    forward(spool, taking(taken), AS_STILLS)
    before = derived(spool, recorded)
    contents = [lost(spool, each, how) for each in before]
    archive = taking(taken)
    forward(spool, archive, pacs("cloud", fallback="key-stills"))
    assert sorted(archive.got) == sorted(each.sop_instance_uid for each in before)
    assert derived(spool, recorded) == before
    assert [spool.objects.path(each).read_bytes() for each in before] == contents
    assert list(inspect_exam(spool, recorded.exam)) == []


def test_a_jpeg_clip_that_is_lost_before_it_went_waits_for_a_person_and_goes_when_its_clip_is_released(
    spool: Spool,
) -> None:
    recorded, archive = film(spool), taking(BASELINE)
    run(sender(spool, archive, AS_JPEG))
    maker(spool).step()
    made = as_jpeg(spool, recorded)
    lost(spool, made)
    forward(spool, archive)
    assert said(spool, made.sop_instance_uid) == (HELD, "file-missing")
    assert spool.deliveries.stopped() == {"pacs": 1}
    offered_again(spool, recorded, archive, AS_JPEG)
    assert archive.got == [made.sop_instance_uid]
    assert said(spool, recorded.sop_instance_uid) == (HELD, "sent-as-jpeg")
    assert spool.deliveries.stopped() == {}


def test_what_cannot_be_made_again_as_it_was_is_said_and_nothing_else_takes_its_name(spool: Spool) -> None:
    recorded, archive = film(spool, "pacs", "cloud"), taking(BASELINE)
    forward(spool, archive)
    made = as_jpeg(spool, recorded)
    lost(spool, made)
    other = replace(STATION, institution="Another clinic")
    cloud = pacs("cloud", fallback="jpeg")
    run(sender(spool, taking(BASELINE), cloud))
    JpegClips(spool=spool, station=other, destinations=(cloud,), stop=threading.Event()).step()
    assert said(spool, recorded.sop_instance_uid, "cloud") == (HELD, "file-missing")
    assert spool.deliveries.stopped() == {"cloud": 1}
    assert not spool.objects.path(made).exists()
    assert not list(spool.layout.exam(recorded.exam).glob("*.part"))
    assert derived(spool, recorded) == [made]


def test_a_jpeg_clip_that_the_box_let_go_is_not_made_again(spool: Spool) -> None:
    recorded = film(spool, "pacs", "cloud")
    forward(spool, taking(BASELINE))
    made = as_jpeg(spool, recorded)
    for uid in (made.sop_instance_uid, recorded.sop_instance_uid):
        spool.layout.object(recorded.exam, uid).unlink()
    cloud = pacs("cloud", fallback="jpeg")
    with spool.database.write() as connection:
        connection.execute("UPDATE delivery SET state = 'held', code = 'jpeg-wanted' WHERE destination = 'cloud'")
    spool.layout.purged(recorded.exam, recorded.sop_instance_uid).write_bytes(b"")
    forward(spool, taking(BASELINE), cloud)
    assert said(spool, made.sop_instance_uid, "cloud") == (HELD, "purged")
    assert spool.deliveries.stopped() == {}


# --- what else looks at it ---------------------------------------------------------------------------------------
