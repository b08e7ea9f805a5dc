"""The cached worklist: fresh when its server answers, old but whole when it does not."""

import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pydicom.dataset import Dataset
from pynetdicom import evt

from gateway.clock import FakeClock, Moment
from gateway.config.settings import Worklist
from gateway.errors import DiskFailed
from gateway.forward.asking import Servers
from gateway.forward.worklist import REFRESH, Refresher
from gateway.model import RequestState
from gateway.net.peers import Timeouts
from gateway.spool.spool import Spool
from tests.loopback.forward_archive import memory_spool
from tests.loopback.peers import FaultWorklist, RawServer, free_port
from tests.loopback.peers.faults import silent
from tests.loopback.peers.items import worklist_item


class LocalClock(FakeClock):
    """A clock that stands still in a time zone of its own."""

    def __init__(self, local: datetime, hours: float = 0) -> None:
        self.hours = hours
        super().__init__(local.replace(tzinfo=UTC) - timedelta(hours=hours))

    def _moment(self, utc: datetime, boottime_ns: int) -> Moment:
        return Moment(
            utc=utc,
            offset=timedelta(hours=self.hours),
            boot_id=self.boot_id,
            boottime_ns=boottime_ns,
            trusted=True,
        )


@pytest.fixture
def clock() -> LocalClock:
    return LocalClock(datetime(2026, 11, 21, 9, 0))  # noqa: DTZ001 - local time; the class gives it its zone


@pytest.fixture
def spool(clock: LocalClock) -> Iterator[Spool]:
    with memory_spool(clock) as opened:
        yield opened


@pytest.fixture
def ris() -> Iterator[FaultWorklist]:
    with FaultWorklist((worklist_item(number=1), worklist_item(number=2))) as peer:
        yield peer


def server(
    peer: FaultWorklist | RawServer | None, ae_title: str = "TAKES", name: str = "ris", **more: object
) -> Worklist:
    port = peer.port if peer else free_port()
    return Worklist(**{"name": name, "ae_title": ae_title, "host": "127.0.0.1", "port": port, **more})  # type: ignore[arg-type]


def refresher(
    spool: Spool, *servers: Worklist, deadline_s: float = 120.0, timeouts: Timeouts | None = None
) -> Refresher:
    asked = Servers(every=servers, our_ae="SCOPEGATE", clock=spool.clock, timeouts=timeouts)
    return Refresher(spool=spool, servers=asked, deadline_s=deadline_s)


def ids(spool: Spool) -> list[str]:
    return sorted(item.patient.id for item in spool.worklist.items())


def code(spool: Spool, name: str = "ris") -> str:
    return {state.server: state.code for state in spool.worklist.servers()}[name]


def test_the_list_is_asked_for_at_once_and_every_minute(
    spool: Spool, ris: FaultWorklist, clock: LocalClock
) -> None:
    part = refresher(spool, server(ris))
    assert part.step()
    assert ids(spool) == ["P00001", "P00002"]
    assert not part.step()
    clock.move(59)
    assert not part.step()
    clock.move(1)
    assert part.step()
    assert len(ris.questions) == 2


@pytest.mark.parametrize("years", [-30, 30])
def test_a_clock_that_is_set_delays_no_refresh(
    spool: Spool, ris: FaultWorklist, clock: LocalClock, years: int
) -> None:
    part = refresher(spool, server(ris))
    part.step()
    clock.set(clock.utc() + timedelta(days=365 * years))
    clock.move(60)
    assert part.step()


def test_who_asks_is_answered_without_a_patient_s_data(spool: Spool, ris: FaultWorklist) -> None:
    part = refresher(spool, server(ris), server(None, name="old-ris"))
    part.step()
    asked = [spool.requests.ask(REFRESH, {}, deadline_s=30) for _ in range(3)]
    assert part.step()
    assert not part.step()
    assert len(ris.questions) == 2, "three wishes are one refresh"
    for request in asked:
        found = spool.requests.get(request)
        assert found.state is RequestState.DONE
        good, bad = found.answer["servers"]
        assert good == {"server": "ris", "ok": True, "items": 2}
        assert (bad["server"], bad["ok"], bad["code"]) == ("old-ris", False, "worklist-unreachable")
        assert not any(word in str(found.answer) for word in ("Doe", "P0000", "A0000", "1970"))


def test_a_wish_that_waited_too_long_fails(spool: Spool, ris: FaultWorklist, clock: LocalClock) -> None:
    part = refresher(spool, server(ris))
    part.step()
    request = spool.requests.ask(REFRESH, {}, deadline_s=10)
    clock.move(11)
    assert not part.step()
    assert spool.requests.get(request).state is RequestState.FAILED
    assert len(ris.questions) == 1


FAULTS = [
    ("GARBAGE", "worklist-garbage"),
    ("BADCMD", "worklist-"),
    ("ABORT", "worklist-aborted"),
    ("SA700", "worklist-refused"),
    ("SC001", "worklist-refused"),
    ("REJ117", "worklist-rejected-title"),
    ("NONE", "worklist-no-context"),
    ("MUTE", "worklist-timeout"),
]


@pytest.mark.parametrize(("fault", "wanted"), FAULTS)
def test_a_server_that_fails_leaves_the_last_list_with_its_age_and_the_reason(
    spool: Spool, ris: FaultWorklist, clock: LocalClock, fault: str, wanted: str
) -> None:
    refresher(spool, server(ris)).step()
    (before,) = spool.worklist.servers()
    clock.move(3600)
    # Short only where silence is what is waited for.
    refresher(spool, server(ris, fault), timeouts=Timeouts(answer=1.0) if fault == "MUTE" else None).step()
    (after,) = spool.worklist.servers()
    assert ids(spool) == ["P00001", "P00002"]
    assert after.answered_ns == before.answered_ns
    assert after.asked_ns == before.asked_ns + 3600 * 10**9
    assert after.code.startswith(wanted)
    assert after.problem
    refresher(spool, server(ris)).step()
    assert code(spool) == ""


def test_a_server_that_is_down_leaves_the_last_list(spool: Spool, ris: FaultWorklist) -> None:
    refresher(spool, server(ris)).step()
    refresher(spool, server(None)).step()
    assert (ids(spool), code(spool)) == (["P00001", "P00002"], "worklist-unreachable")


def test_an_answer_that_cannot_be_read_keeps_no_other_from_the_list(
    spool: Spool, ris: FaultWorklist, caplog: pytest.LogCaptureFixture
) -> None:
    refresher(spool, server(ris, "MIXED")).step()
    assert (ids(spool), code(spool)) == (["P00001", "P00002"], "")
    assert "worklist_items_unusable server=ris count=1" in caplog.messages


def test_items_of_other_days_and_modalities_are_not_listed_when_a_server_sends_them_all(
    spool: Spool, ris: FaultWorklist
) -> None:
    ris.items += [worklist_item(number=3, day="20261125"), worklist_item(number=4, modality="ES")]
    refresher(spool, server(ris, modality="US")).step()
    assert ids(spool) == ["P00001", "P00002"]


def test_an_entry_without_patient_is_left_out(spool: Spool, ris: FaultWorklist) -> None:
    nobody = worklist_item(number=3, name="")
    nobody.PatientID = ""
    ris.items.append(nobody)
    refresher(spool, server(ris)).step()
    assert ids(spool) == ["P00001", "P00002"]


def test_a_list_of_nothing_usable_does_not_replace_one_that_is(spool: Spool, ris: FaultWorklist) -> None:
    part = refresher(spool, server(ris))
    part.step()
    for item in ris.items:
        item.PatientID = item.PatientName = ""
    spool.requests.ask(REFRESH, {}, deadline_s=30)
    part.step()
    assert (ids(spool), code(spool)) == (["P00001", "P00002"], "worklist-garbage")


def test_entries_of_other_days_beside_an_unusable_one_are_no_garbage(spool: Spool, ris: FaultWorklist) -> None:
    nobody = worklist_item(number=3, name="")
    nobody.PatientID = ""
    ris.items[:] = [nobody, worklist_item(number=4, day="20261125")]
    refresher(spool, server(ris)).step()
    assert (ids(spool), code(spool)) == ([], "")


def test_an_empty_list_is_a_good_answer(spool: Spool, ris: FaultWorklist, clock: LocalClock) -> None:
    part = refresher(spool, server(ris))
    part.step()
    ris.items.clear()
    clock.move(60)
    part.step()
    assert (ids(spool), code(spool)) == ([], "")


@pytest.mark.parametrize("fault", ["NOUID", "NOSTEP"])
def test_an_entry_that_lacks_something_is_listed_and_says_so(spool: Spool, ris: FaultWorklist, fault: str) -> None:
    refresher(spool, server(ris, fault)).step()
    assert ids(spool) == ["P00001", "P00002"]
    wanted = {"NOUID": "StudyInstanceUID", "NOSTEP": "ScheduledProcedureStepSequence"}[fault]
    assert all(wanted in item.missing for item in spool.worklist.items())


def test_an_entry_that_comes_twice_is_listed_once(spool: Spool, ris: FaultWorklist) -> None:
    ris.items += [worklist_item(number=1), worklist_item(number=1)]
    refresher(spool, server(ris)).step()
    assert ids(spool) == ["P00001", "P00002"]


def test_a_new_list_replaces_the_old_one_whole(spool: Spool, ris: FaultWorklist, clock: LocalClock) -> None:
    part = refresher(spool, server(ris))
    part.step()
    ris.items[:] = [worklist_item(number=number) for number in range(2, 5)]
    clock.move(60)
    part.step()
    assert ids(spool) == ["P00002", "P00003", "P00004"]


def test_a_list_of_a_thousand_is_kept_whole(spool: Spool, ris: FaultWorklist) -> None:
    ris.items[:] = [worklist_item(number=number) for number in range(1000)]
    refresher(spool, server(ris), timeouts=Timeouts(answer=60.0)).step()
    assert len(ids(spool)) == 1000


def test_a_server_that_sends_more_than_a_day_can_hold_leaves_the_last_list(
    spool: Spool, ris: FaultWorklist
) -> None:
    refresher(spool, server(ris)).step()
    refresher(spool, server(ris, "ENDLESS")).step()
    assert ids(spool) == ["P00001", "P00002"]
    assert code(spool) in {"worklist-endless", "worklist-timeout"}  # whichever limit is met first


def test_of_two_servers_a_dead_one_costs_its_deadline_once_and_the_other_stays_fresh(
    spool: Spool, ris: FaultWorklist, clock: LocalClock
) -> None:
    asked_before: list[int] = []  # how often the good one was asked when the dead one was

    def dies(connection: socket.socket, gone: threading.Event) -> None:
        asked_before.append(len(ris.questions))
        silent(connection, gone)

    with RawServer(dies) as dead:
        part = refresher(spool, server(dead, name="dead"), server(ris), deadline_s=2.0)
        start = time.monotonic()
        part.step()
        assert time.monotonic() - start < 8.0
        assert (ids(spool), code(spool), code(spool, "dead")) == (["P00001", "P00002"], "", "worklist-silent")
        ris.items.append(worklist_item(number=3))
        clock.move(60)
        part.step()
    assert len(ids(spool)) == 3
    assert asked_before == [0, 2], "the one that failed comes last the next time"


def test_the_day_is_the_local_one(ris: FaultWorklist) -> None:
    """On both sides of midnight, far from Greenwich, and on the days that have 23 and 25 hours."""
    cases = [
        (datetime(2026, 11, 21, 23, 59, 59), 13.0, "20261120-20261122"),  # noqa: DTZ001
        (datetime(2026, 11, 22, 0, 0, 1), 13.0, "20261121-20261123"),  # noqa: DTZ001
        (datetime(2026, 11, 21, 23, 59, 59), -11.0, "20261120-20261122"),  # noqa: DTZ001
        (datetime(2026, 3, 29, 1, 59, 59), 1.0, "20260328-20260330"),  # noqa: DTZ001
        (datetime(2026, 3, 29, 3, 0, 1), 2.0, "20260328-20260330"),  # noqa: DTZ001
        (datetime(2026, 10, 25, 0, 30), 2.0, "20261024-20261026"),  # noqa: DTZ001
        (datetime(2026, 10, 25, 23, 30), 1.0, "20261024-20261026"),  # noqa: DTZ001
        (datetime(2026, 12, 31, 23, 30), 1.0, "20261230-20270101"),  # noqa: DTZ001
    ]
    for local, hours, wanted in cases:
        with memory_spool(LocalClock(local, hours)) as spool:
            today = worklist_item(number=7, day=f"{local:%Y%m%d}")
            old = worklist_item(number=8, day=f"{local - timedelta(days=2):%Y%m%d}")
            ris.items[:] = [today, old]  # it ignores the range: the box looks itself
            refresher(spool, server(ris)).step()
            step = ris.questions[-1].ScheduledProcedureStepSequence[0]
            assert step.ScheduledProcedureStepStartDate == wanted
            assert not step.ScheduledProcedureStepStartTime
            assert ids(spool) == ["P00007"]


def test_a_disk_that_fails_in_the_middle_leaves_nobody_without_an_answer(spool: Spool) -> None:
    with spool.database.read() as connection:
        ours = connection

    class Breaking(FaultWorklist):
        def _find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
            if not self.questions:
                ours.execute("PRAGMA query_only = ON")  # the disk fails while the server answers
            yield from super()._find(event)

    request = spool.requests.ask(REFRESH, {}, deadline_s=30)
    with Breaking() as peer:
        part = refresher(spool, server(peer))
        with pytest.raises(DiskFailed):
            part.step()
        ours.execute("PRAGMA query_only = OFF")
        assert spool.requests.get(request).state is RequestState.RUNNING
        part.step()
    assert spool.requests.get(request).state is RequestState.DONE
