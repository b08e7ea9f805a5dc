"""The whole product with a grabber of the kernel's: pulled out in the middle of a clip, and without signal."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.box import Box, Refusal, until
from tests.kernel.boxes import SLOW_S, captures, running
from tests.kernel.virtual_grabber import HDMI, NO_LOCK, VGA, VirtualGrabber


@pytest.fixture(scope="module")
def grabber() -> Iterator[VirtualGrabber]:
    made = VirtualGrabber()
    show(made)
    yield made
    made.throw_away()


@pytest.fixture(scope="module")
def box(grabber: VirtualGrabber, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    source = {"name": "us", "device": f"v4l2:{grabber.device}", "modality": "US", "input": "HDMI 000-0"}
    with running(tmp_path_factory.mktemp("box"), sources=[source]) as box:
        yield box


def test_a_clip_in_whose_middle_the_grabber_is_pulled_out_is_stored_and_pictures_come_back(
    box: Box, grabber: VirtualGrabber
) -> None:
    exam = box.open_typed()
    box.create(f"/exams/{exam}/clips")
    until("the clip to have pictures", lambda: recorded(box) > 200_000)
    grabber.unplug()
    until("the box to miss the grabber", lambda: state(box)["state"] != "live")
    until("the clip to be stored", lambda: [each["kind"] for each in captures(box, exam)] == ["clip"])
    with pytest.raises(Refusal, match="no-signal"):
        box.still(exam)
    grabber.plug()
    show(grabber)
    until("the picture to be back", lambda: state(box)["state"] == "live")
    until("a still", lambda: taken(box, exam))
    box.finish(exam)
    until("both to be sealed", lambda: len(list(box.data.glob("exams/*/*.dcm"))) == 2, SLOW_S)


def test_a_lost_signal_is_on_the_screen_and_stores_nothing_until_it_is_back(
    box: Box, grabber: VirtualGrabber
) -> None:
    exam = box.open_typed(patient_id="P2")
    until("a still", lambda: taken(box, exam))
    grabber.set(dv_timings_signal_mode=NO_LOCK)
    until("the box to say so", lambda: state(box)["state"] == "no-signal")
    with pytest.raises(Refusal, match="no-signal"):
        box.still(exam)
    grabber.arrive(VGA)
    until("the picture to be back", lambda: state(box)["state"] == "live")
    until("a still", lambda: taken(box, exam))
    assert [each["kind"] for each in captures(box, exam)] == ["still", "still"]
    box.finish(exam)


def show(grabber: VirtualGrabber) -> None:
    grabber.switch(HDMI)
    grabber.move()
    grabber.arrive(VGA)  # larger pictures leave the processor no time


def recorded(box: Box) -> int:
    return sum(path.stat().st_size for path in box.data.glob("exams/*/*.frames.part"))


def taken(box: Box, exam: str) -> bool:
    """Take a still; False while the picture is not there yet, or the processor is busy."""
    try:
        box.still(exam)
    except Refusal:
        return False
    return True


def state(box: Box) -> dict[str, Any]:
    answer = box.request("GET", "/health")[1]
    (source,) = json.loads(answer)["sources"]
    return dict(source)
