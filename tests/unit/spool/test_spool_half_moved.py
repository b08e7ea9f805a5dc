"""A move that failed after it was decided: until it is made once more, nothing else is decided of its picture."""

from collections.abc import Callable

import pytest

from gateway.errors import DiskFailed, SpoolBusy, WrongState
from gateway.model import CaptureState, Identity, Side
from gateway.spool import moving
from gateway.spool.moving import move
from gateway.spool.spool import Spool
from tests.unit.spool.values import ANNA, BORIS, store, subject

DECIDED: dict[str, Callable[[Spool, str], object]] = {
    "rejected": lambda spool, uid: spool.captures.reject(uid, "blurred"),
    "side": lambda spool, uid: spool.sides.say(uid, Side.RIGHT),
    "key image": lambda spool, uid: spool.key_images.mark(uid, key=True),
}


@pytest.fixture
def exams(spool: Spool) -> tuple[str, str, str]:
    """Anna's exam, Boris's, and another of Anna's, which is open."""
    first, second, third = (spool.exams.open(subject(who), close_open=True)[0].id for who in (ANNA, BORIS, ANNA))
    return first, second, third


def half_moved(monkeypatch: pytest.MonkeyPatch, spool: Spool, old: str, new: str) -> str:
    """Take a picture with a side and move it: its row cannot be written. Return its UID."""
    uid = store(spool, spool.exams.get(old), 1).sop_instance_uid
    spool.sides.say(uid, Side.LEFT)

    def busy(*_: object) -> None:
        raise SpoolBusy

    with monkeypatch.context() as patched:
        patched.setattr(moving, "_set_row", busy)
        with pytest.raises(SpoolBusy):
            move(spool, old, [uid], new, numbers=[1])
    return uid


def once_more(spool: Spool, old: str, uid: str, new: str) -> Spool:
    move(spool, old, [uid], new, numbers=[2])
    return spool


@pytest.fixture(params=["once more", "next start"])
def finished(request: pytest.FixtureRequest, reopened: Callable[..., Spool]) -> Callable[..., Spool]:
    """Finish a move: by hand, or by a start of the box."""
    return once_more if request.param == "once more" else lambda *_: reopened()


@pytest.mark.parametrize("decided", DECIDED.values(), ids=DECIDED)
def test_what_is_decided_waits_for_the_move(
    spool: Spool,
    exams: tuple[str, str, str],
    finished: Callable[..., Spool],
    monkeypatch: pytest.MonkeyPatch,
    decided: Callable[[Spool, str], object],
) -> None:
    old, new, _ = exams
    uid = half_moved(monkeypatch, spool, old, new)
    with pytest.raises(WrongState, match="being moved"):
        decided(spool, uid)
    found = finished(spool, old, uid, new)
    listed = found.captures.get(uid)
    assert (listed.capture.exam, listed.capture.state) == (new, CaptureState.SAVED)
    assert (found.sides.as_said(listed.capture).side, listed.key) == (Side.LEFT, False)
    decided(found, uid)


def test_it_goes_where_it_was_to_go_and_nowhere_else(
    spool: Spool, exams: tuple[str, str, str], reopened: Callable[..., Spool], monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new, third = exams
    uid = half_moved(monkeypatch, spool, old, new)
    with pytest.raises(WrongState, match="being moved to another exam"):
        move(spool, old, [uid], third, numbers=[1])
    assert spool.sides.say_missing(old, Side.RIGHT) == []
    again = reopened(lose_index=True)
    assert again.captures.get(uid).capture.exam == new
    assert not again.layout.sidecar(old, uid).exists()


def test_it_does_not_leave_with_the_exam_that_it_is_leaving(
    spool: Spool, exams: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, new, opened = exams
    uid = half_moved(monkeypatch, spool, opened, new)
    assert spool.releases.ready(tuple(Identity)) == [(opened, uid)]
    assert not spool.releases.release(opened, uid, tuple(Identity))
    assert not spool.layout.released(opened, uid).exists()


def test_a_mark_that_nobody_can_read_forbids_nothing(spool: Spool, exams: tuple[str, str, str]) -> None:
    old, _, _ = exams
    uid = store(spool, spool.exams.get(old), 1).sop_instance_uid
    spool.layout.moved(old, uid).write_bytes(b"{")
    assert spool.captures.reject(uid, "blurred").capture.state is CaptureState.REJECTED


def test_a_picture_that_is_moved_back_before_all_of_it_had_gone_stays(
    spool: Spool, exams: tuple[str, str, str], reopened: Callable[..., Spool], monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new, _ = exams
    uid = store(spool, spool.exams.get(old), 1).sop_instance_uid

    def fails(*_: object) -> None:
        raise DiskFailed

    with monkeypatch.context() as patched:
        patched.setattr(moving, "_clear", fails)
        with pytest.raises(DiskFailed):
            move(spool, old, [uid], new, numbers=[1])
    assert spool.captures.get(uid).capture.exam == new
    spool.sides.say(uid, Side.RIGHT)
    move(spool, new, [uid], old, numbers=[2])
    spool.captures.reject(uid, "blurred")
    again = reopened()
    listed = again.captures.get(uid).capture
    assert (listed.exam, listed.state, listed.side) == (old, CaptureState.REJECTED, Side.RIGHT)
    assert not again.layout.sidecar(new, uid).exists()
