"""A picture that is moved between somebody's look at it and their turn: what is decided holds where it is now."""

from collections.abc import Callable

import pytest

from gateway.errors import WrongState
from gateway.model import CaptureState, Exam, Identity, Side
from gateway.spool.moving import move
from gateway.spool.spool import Spool
from tests.unit.spool.values import ANNA, BORIS, store, subject

DECIDED: dict[str, Callable[[Spool, str], object]] = {
    "rejected": lambda spool, uid: spool.captures.reject(uid, "blurred"),
    "side": lambda spool, uid: spool.sides.say(uid, Side.LEFT),
    "key image": lambda spool, uid: spool.key_images.mark(uid, key=True),
}


@pytest.fixture
def exams(spool: Spool) -> tuple[Exam, Exam]:
    """Anna's exam, which was closed by Boris's, which is open."""
    first, _ = spool.exams.open(subject(ANNA))
    second, _ = spool.exams.open(subject(BORIS), close_open=True)
    return spool.exams.get(first.id), second


def after_the_first_look(monkeypatch: pytest.MonkeyPatch, spool: Spool, happens: Callable[[], object]) -> None:
    """Let something happen between the first look at a picture and the turn that it is asked for."""
    looks, get = [], spool.captures.get

    def looked(uid: str) -> object:
        found = get(uid)
        looks.append(uid)
        if len(looks) == 1:
            happens()
        return found

    monkeypatch.setattr(spool.captures, "get", looked)


@pytest.mark.parametrize("decided", DECIDED.values(), ids=DECIDED)
def test_what_left_with_its_new_exam_does_not_change_any_more(
    spool: Spool,
    exams: tuple[Exam, Exam],
    monkeypatch: pytest.MonkeyPatch,
    decided: Callable[[Spool, str], object],
) -> None:
    old, new = exams
    uid = store(spool, old, 1).sop_instance_uid

    def leaves() -> None:
        move(spool, old.id, [uid], new.id, numbers=[1])
        spool.exams.finish(new.id)
        spool.exams.release(new.id)

    after_the_first_look(monkeypatch, spool, leaves)
    with pytest.raises(WrongState):
        decided(spool, uid)
    listed = spool.captures.get(uid)
    assert (listed.capture.exam, listed.capture.state) == (new.id, CaptureState.SAVED)
    assert (listed.capture.side, listed.key) == (Side.NOT_SAID, False)
    assert not spool.layout.tombstone(new.id, uid).exists()


@pytest.mark.parametrize("decided", DECIDED.values(), ids=DECIDED)
def test_what_was_decided_is_still_so_after_a_lost_index(
    spool: Spool,
    exams: tuple[Exam, Exam],
    reopened: Callable[..., Spool],
    monkeypatch: pytest.MonkeyPatch,
    decided: Callable[[Spool, str], object],
) -> None:
    old, new = exams
    uid = store(spool, old, 1).sop_instance_uid
    after_the_first_look(monkeypatch, spool, lambda: move(spool, old.id, [uid], new.id, numbers=[1]))
    decided(spool, uid)
    said = spool.captures.get(uid)
    assert said.capture.exam == new.id
    assert (said.capture.state, said.capture.side, said.key) != (CaptureState.SAVED, Side.NOT_SAID, False)
    assert reopened(lose_index=True).captures.get(uid) == said


def test_a_picture_that_was_moved_does_not_leave_with_its_old_exam(spool: Spool, exams: tuple[Exam, Exam]) -> None:
    new, old = exams
    uid = store(spool, old, 1).sop_instance_uid
    assert spool.releases.ready(tuple(Identity)) == [(old.id, uid)]
    move(spool, old.id, [uid], new.id, numbers=[1])
    assert not spool.releases.release(old.id, uid, tuple(Identity))
    assert not spool.layout.released(old.id, uid).exists()
    assert spool.captures.reject(uid, "blurred").capture.state is CaptureState.REJECTED
