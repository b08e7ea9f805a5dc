"""When traces of erased exams are taken out of the index: after a while without anybody at work, and again."""

import pytest

from gateway.capture.traces import REST_S, Traces
from gateway.clock import FakeClock
from gateway.errors import SpoolBusy
from gateway.spool.erasure import erased
from gateway.spool.spool import Spool
from tests.unit.spool.conftest import opened, spool
from tests.unit.spool.test_spool_erasing import erase, is_open, of_another
from tests.unit.spool.values import BORIS

__all__ = ["opened", "spool"]


@pytest.fixture
def traces(spool: Spool) -> Traces:
    """Traces of an exam that was erased while another one was open, which has ended since."""
    goes = of_another(spool)
    other = is_open(spool)
    assert not erase(spool, goes)
    assert erased.unfinished(spool) == [goes.id]
    spool.exams.finish(other.id)
    return Traces(spool, lambda: spool.exams.open_one() is None)


def steps(traces: Traces, clock: FakeClock, seconds: float) -> None:
    for _ in range(round(seconds / 60)):
        traces.step()
        clock.move(60)


def test_traces_go_when_the_box_was_at_rest_and_not_before(spool: Spool, traces: Traces, clock: FakeClock) -> None:
    steps(traces, clock, REST_S)
    assert erased.unfinished(spool)
    traces.step()
    assert erased.unfinished(spool) == []
    assert BORIS.name.encode() not in spool.layout.database.read_bytes()


def test_an_exam_that_is_opened_begins_the_rest_anew(spool: Spool, traces: Traces, clock: FakeClock) -> None:
    steps(traces, clock, REST_S - 60)
    exam = is_open(spool)
    steps(traces, clock, 3 * REST_S)
    spool.exams.finish(exam.id)
    steps(traces, clock, REST_S)
    assert erased.unfinished(spool)
    traces.step()
    assert erased.unfinished(spool) == []


def test_a_try_that_did_not_do_it_is_made_again_later(
    spool: Spool, traces: Traces, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []
    rewrite = spool.database.rewrite

    def fails() -> bool:
        tries.append(1)
        if len(tries) == 1:
            raise SpoolBusy
        return False

    monkeypatch.setattr(spool.database, "rewrite", fails)
    steps(traces, clock, 4 * REST_S)
    assert len(tries) == 2
    monkeypatch.setattr(spool.database, "rewrite", rewrite)
    steps(traces, clock, 4 * REST_S)
    assert erased.unfinished(spool) == []
