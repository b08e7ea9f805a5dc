"""The side of the body that a person said stands in everything that is made of a picture."""

import pydicom
import pytest

from gateway.model import Exam, Side
from gateway.spool.spool import Spool
from tests.forward.bench import clip, films, let_go, open_exam, ordered, still, wrap_all
from tests.forward.channels import pacs
from tests.forward.test_fallback import NoClips
from tests.forward.test_fallback import forward as with_stills
from tests.forward.test_jpeg_clips import AS_JPEG, BASELINE, taking
from tests.forward.test_jpeg_clips import forward as with_jpeg


def sides(spool: Spool, exam: Exam) -> list[str]:
    """Return the side of each object of an exam, by InstanceNumber."""
    found = [pydicom.dcmread(spool.objects.path(each)) for each in spool.objects.of_exam(exam.id)]
    return [
        each.get("ImageLaterality", "none") for each in sorted(found, key=lambda each: int(each.InstanceNumber))
    ]


def test_pictures_of_one_series_are_each_of_their_own_side(spool: Spool) -> None:
    exam = open_exam(spool, ordered())
    for side in (Side.LEFT, Side.RIGHT, Side.NOT_SAID, Side.LEFT):
        spool.sides.say(still(spool, exam).sop_instance_uid, side)
    let_go(spool, exam)
    wrap_all(spool)
    assert sides(spool, exam) == ["L", "R", "none", "L"]


@pytest.mark.parametrize("clip_as", ["jpeg", "h264"])
def test_a_side_whose_row_was_lost_counts(spool: Spool, clip_as: str) -> None:
    exam = open_exam(spool, ordered())
    spool.sides.say(still(spool, exam).sop_instance_uid, Side.LEFT)
    spool.sides.say(clip(spool, exam, frames=4, clip_as=clip_as).sop_instance_uid, Side.RIGHT)
    with spool.database.write() as connection:
        connection.execute("UPDATE capture SET side = ''")
    let_go(spool, exam)
    wrap_all(spool)
    while films(spool, "pacs").step():
        pass
    assert sides(spool, exam) == ["L", "R"]
    assert [each.capture.side for each in spool.captures.of_exam(exam.id)] == [Side.LEFT, Side.RIGHT]


def test_stills_of_a_clip_are_of_its_side(spool: Spool) -> None:
    exam = open_exam(spool, ordered())
    spool.sides.say(clip(spool, exam, frames=7).sop_instance_uid, Side.RIGHT)
    let_go(spool, exam)
    wrap_all(spool)
    with_stills(spool, NoClips(), pacs(fallback="key-stills"))
    assert sides(spool, exam) == ["R"] * 4


def test_a_clip_that_is_made_anew_is_of_its_side(spool: Spool) -> None:
    exam = open_exam(spool, ordered())
    spool.sides.say(clip(spool, exam, frames=4, clip_as="h264").sop_instance_uid, Side.RIGHT)
    let_go(spool, exam)
    films(spool).step()
    with_jpeg(spool, taking(BASELINE), AS_JPEG)
    assert sides(spool, exam) == ["R", "R"]
