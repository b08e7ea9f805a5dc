"""A patient is looked for at the worklist servers: the questions, and what comes of the answers."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import partial

import pytest

from gateway.config.settings import Worklist
from gateway.demo import patients
from gateway.demo.worklist import DemoWorklist
from gateway.forward.asking import Servers
from gateway.forward.searching import SEARCH, Searcher, questions
from gateway.spool.processes.requests import Request
from gateway.spool.spool import Spool
from gateway.threads import Supervisor
from tests.loopback.forward_archive import memory_spool
from tests.loopback.peers import FaultWorklist, free_port
from tests.loopback.peers.items import worklist_item
from tests.loopback.test_forward_worklist import LocalClock

TODAY = date(2026, 11, 21)
LATER = patients.orders(day=TODAY + timedelta(days=20), around=time(10, 17), seed="a clinic")


@pytest.fixture
def spool() -> Iterator[Spool]:
    clock = LocalClock(datetime(2026, 11, 21, 9, 0))  # noqa: DTZ001 - local time; the class gives it its zone
    with memory_spool(clock) as opened:
        yield opened


@pytest.fixture(scope="module")
def ris() -> Iterator[DemoWorklist]:
    peer, supervisor = DemoWorklist(lambda: LATER), Supervisor()
    thread = supervisor.start("peer", partial(peer.serve, supervisor.stop))
    yield peer
    supervisor.stop.set()
    assert supervisor.run()
    assert not thread.is_alive()


def server(port: int, ae_title: str, **more: object) -> Worklist:
    return Worklist(**{"name": "ris", "ae_title": ae_title, "host": "127.0.0.1", "port": port, **more})  # type: ignore[arg-type]


def search(spool: Spool, text: str, *servers: Worklist) -> Request:
    every = Servers(every=servers, our_ae="SCOPEGATE", clock=spool.clock)
    searcher = Searcher(spool=spool, servers=every, deadline_s=60)
    assert not searcher.step()
    asked = spool.requests.ask(SEARCH, {"text": text}, deadline_s=60)
    assert searcher.step()
    return spool.requests.get(asked)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("meier", ["MEIER^Anna"]),
        ("meier anna", ["MEIER^Anna"]),
        ("Meier, Anna", ["MEIER^Anna"]),
        ("müller", ["Müller-Sørensen^Søren^Åge"]),
        ("DEMO-1002", ["MEYER^Anna"]),
        (LATER[0].accession_number, ["MEIER^Anna"]),
        ("张", ["Zhang^Yangli=张^样例"]),
        ("nobody", []),
        ("*", []),
    ],
)
def test_who_is_looked_for_is_found_weeks_away(
    spool: Spool, ris: DemoWorklist, text: str, found: list[str]
) -> None:
    answer = search(spool, text, server(ris.port, ris.ae_title)).answer
    assert answer == {"servers": [{"server": "ris", "ok": True, "items": len(found)}]}
    items = spool.worklist.items()
    assert [item.patient.name for item in items] == found
    assert spool.worklist.items(found=False) == []
    assert all(spool.worklist.get(item.id).answer for item in items)


def test_a_server_that_does_not_answer_keeps_nobody_from_the_others(spool: Spool, ris: DemoWorklist) -> None:
    gone = server(free_port(), "GONE", name="gone")
    answer = search(spool, "meier", gone, server(ris.port, ris.ae_title)).answer
    assert [each["ok"] for each in answer["servers"]] == [False, True]
    assert "meier" not in str(answer).lower()
    assert [item.patient.name for item in spool.worklist.items()] == ["MEIER^Anna"]


def test_a_server_that_answers_with_all_that_it_has_is_not_believed(spool: Spool) -> None:
    with FaultWorklist(tuple(worklist_item(number=number) for number in range(250))) as peer:
        (said,) = search(spool, "meier", server(peer.port, "TAKES")).answer["servers"]
    assert (said["ok"], said["code"]) == (False, "worklist-endless")
    assert spool.worklist.items() == []


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("Meier", [{"PatientName": "Meier*"}]),
        ("Müller Jörg", [{"PatientName": "M?ller*"}]),
        ("王", [{"PatientName": "王*"}]),
        ("4711-0815", [{"PatientID": "4711-0815"}, {"AccessionNumber": "4711-0815"}]),
        ("4711-0815-2222-333", [{"PatientID": "4711-0815-2222-333"}]),  # longer than any accession number
        ("*?", []),
        ("M*", [{"PatientName": "M*"}]),
    ],
)
def test_what_servers_are_asked(text: str, asked: list[dict[str, str]]) -> None:
    assert questions(text) == asked
