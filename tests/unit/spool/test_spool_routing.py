"""What goes where: by source, type and length, the same at sealing, after a cut and after a rebuild."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway.clock import FakeClock
from gateway.config.settings import Destination
from gateway.model import Capture, Exam, MediaKind
from gateway.spool.queue.routing import recipients
from gateway.spool.recovery.seals import adopt_seals
from gateway.spool.spool import Spool
from tests.unit.spool.values import ANNA, seal, still, store, subject


def to(name: str = "pacs", **rules: object) -> Destination:
    return Destination(name=name, ae_title="PACS", host="127.0.0.1", port=104, **rules)  # type: ignore[arg-type]


@pytest.fixture
def exam(spool: Spool) -> Exam:
    return spool.exams.open(subject(ANNA))[0]


def clip_of(exam: Exam, clock: FakeClock, seconds: float) -> Capture:
    value = still(exam, 1, clock=clock)
    times = tuple(int(seconds * 1e9 * step / 10) for step in range(11))
    return replace(value, kind=MediaKind.CLIP, frames=11, frame_times=times, source="endo")


STILL, SHORT, LONG = "still", "short clip", "long clip"


@pytest.mark.parametrize(
    ("rules", "goes"),
    [
        ({}, {STILL, SHORT, LONG}),
        ({"sources": ("ultrasound",)}, {STILL}),
        ({"sources": ("endo", "other")}, {SHORT, LONG}),
        ({"sources": ("endo", "ultrasound")}, {STILL, SHORT, LONG}),
        ({"types": ("still",)}, {STILL}),
        ({"types": ("clip",)}, {SHORT, LONG}),
        ({"longest_clip_s": 10}, {STILL, SHORT}),
        ({"types": ("clip",), "longest_clip_s": 10}, {SHORT}),
        ({"sources": ("ultrasound",), "types": ("clip",)}, set()),
    ],
)
def test_each_destination_gets_what_its_rules_say(
    exam: Exam, clock: FakeClock, rules: dict[str, object], goes: set[str]
) -> None:
    pictures = {
        STILL: still(exam, 1, clock=clock),
        SHORT: clip_of(exam, clock, 10.0),
        LONG: clip_of(exam, clock, 10.2),
    }
    assert {name for name, picture in pictures.items() if recipients([to(**rules)], picture) == ("pacs",)} == goes
    assert recipients([to(**rules), "all"], pictures[STILL])[-1] == "all"


def test_after_a_cut_and_after_a_rebuild_the_same_rules_hold(
    spool: Spool, exam: Exam, reopened: Callable[..., Spool]
) -> None:
    wanted = (to("stills", types=("still",)), to("clips", types=("clip",)))
    seal(spool, store(spool, exam, 1), ("stills",))
    with spool.database.write() as connection:
        connection.execute("DELETE FROM delivery")
        connection.execute("DELETE FROM object")
    adopt_seals(spool, wanted)
    assert [d.destination for d in spool.deliveries.list()] == ["stills"]
    rebuilt = reopened(lose_index=True, destinations=wanted)
    assert [(d.destination, d.code) for d in rebuilt.deliveries.list()] == [("stills", "after-rebuild")]


def test_an_object_whose_record_is_lost_goes_everywhere_rather_than_nowhere(spool: Spool, exam: Exam) -> None:
    capture = store(spool, exam, 1)
    seal(spool, capture, ())
    with spool.database.write() as connection:
        connection.execute("DELETE FROM object")
    spool.layout.sidecar(exam.id, capture.sop_instance_uid).unlink()
    adopt_seals(spool, (to(types=("clip",)),))
    assert [d.destination for d in spool.deliveries.list()] == ["pacs"]
