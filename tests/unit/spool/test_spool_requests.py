"""Work that one process asks of another, and the cached worklist."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.clock import FakeClock
from gateway.errors import NotFound, TryLater, WorklistError
from gateway.model import Procedure, RequestState, WorklistItem
from gateway.spool.spool import Spool
from tests.unit.spool.values import ANNA, BORIS


def item(name: str, *, server: str = "ris", at: str = "202611210900") -> WorklistItem:
    return WorklistItem(
        id=f"{server}-{name}",
        server=server,
        patient=ANNA if name == "anna" else BORIS,
        procedure=Procedure(description=name, scheduled_at=at),
        study_instance_uid="1.2.3",
        character_set="ISO_IR 192",
        answer=b"\0\xff" + name.encode(),
    )


# --- requests ----------------------------------------------------------------------------------------------------


def test_a_request_is_begun_once_in_order_and_answered(spool: Spool, opened: Callable[..., Spool]) -> None:
    first = spool.requests.ask("refresh", {"server": "ris"}, deadline_s=30)
    second = spool.requests.ask("refresh", {"server": "his"}, deadline_s=30)
    other = opened()
    begun = other.requests.begin("refresh")
    assert begun
    assert (begun.id, begun.arguments, begun.state) == (first, {"server": "ris"}, RequestState.RUNNING)
    again = spool.requests.begin("refresh")
    assert again
    assert again.id == second
    assert spool.requests.begin("refresh") is None
    assert spool.requests.begin("export") is None
    other.requests.done(begun, {"items": 3})
    other.requests.failed(again, TryLater("The archive is away."))
    assert (spool.requests.get(first).state, spool.requests.get(first).answer) == (RequestState.DONE, {"items": 3})
    failed = spool.requests.get(second).answer
    assert (failed["code"], failed["what"]) == ("try-later", "The archive is away.")
    assert failed["safe"]
    assert failed["action"]
    other.requests.done(again, {"late": 1})
    assert spool.requests.get(second).state is RequestState.FAILED


def test_a_request_that_nobody_began_in_time_fails_instead_of_surprising_later(
    spool: Spool, clock: FakeClock
) -> None:
    request = spool.requests.ask("refresh", {}, deadline_s=10)
    clock.move(11)
    assert spool.requests.begin("refresh") is None
    assert spool.requests.get(request).state is RequestState.FAILED
    assert spool.requests.get(request).answer["code"] == "too-late"


def test_requests_are_forgotten_after_a_day(spool: Spool, clock: FakeClock) -> None:
    old = spool.requests.ask("refresh", {}, deadline_s=10)
    clock.move(86_401)
    new = spool.requests.ask("refresh", {}, deadline_s=10)
    with pytest.raises(NotFound):
        spool.requests.get(old)
    assert spool.requests.get(new).state is RequestState.WAITING


def test_the_newest_is_the_one_that_was_asked_for_last_within_a_day(spool: Spool, clock: FakeClock) -> None:
    first = spool.requests.ask("connections", {}, deadline_s=1e9)
    clock.move(86_400)
    assert (newest := spool.requests.newest("connections"))
    assert newest.id == first
    clock.move(1)
    assert spool.requests.newest("connections") is None
    second = spool.requests.ask("connections", {}, deadline_s=1e9)
    clock.set(clock.utc() - timedelta(hours=12))
    third = spool.requests.ask("connections", {}, deadline_s=1e9)
    assert (newest := spool.requests.newest("connections"))
    assert (newest.id, newest.id != second) == (third, True)
    clock.set(clock.utc() - timedelta(days=400))
    assert spool.requests.newest("connections") is None


def test_a_running_request_says_how_far_it_is_until_it_is_answered(spool: Spool) -> None:
    identifier = spool.requests.ask("export", {}, deadline_s=30)
    running = spool.requests.begin("export")
    assert running
    spool.requests.progress(running, {"bytes_done": 5})
    seen = spool.requests.get(identifier)
    assert (seen.state, seen.answer) == (RequestState.RUNNING, {"bytes_done": 5})
    spool.requests.done(running, {"objects": 1})
    spool.requests.progress(running, {"bytes_done": 6})
    seen = spool.requests.get(identifier)
    assert (seen.state, seen.answer) == (RequestState.DONE, {"objects": 1}), "late news change nothing"


# --- worklist ----------------------------------------------------------------------------------------------------


def test_a_new_answer_replaces_the_whole_old_list_of_its_server(spool: Spool, clock: FakeClock) -> None:
    spool.worklist.replace("ris", [item("anna"), item("boris", at="202611210800")])
    spool.worklist.replace("his", [item("anna", server="his", at="2027")])
    assert [found.id for found in spool.worklist.items()] == ["ris-boris", "ris-anna", "his-anna"]
    clock.move(60)
    changed = replace(item("anna"), patient=replace(ANNA, name="Married^Anna"))
    spool.worklist.replace("ris", [changed])
    assert [found.id for found in spool.worklist.items()] == ["ris-anna", "his-anna"]
    assert spool.worklist.get("ris-anna") == changed
    spool.worklist.replace("ris", [])
    assert [found.id for found in spool.worklist.items()] == ["his-anna"]


def test_an_entry_brings_its_answer_byte_for_byte(spool: Spool, reopened: Callable[..., Spool]) -> None:
    spool.worklist.replace("ris", [item("anna")])
    assert reopened().worklist.get("ris-anna").answer == b"\0\xffanna"
    with pytest.raises(NotFound):
        spool.worklist.get("ris-nobody")


def test_a_server_that_fails_leaves_its_last_list_and_its_age(spool: Spool, clock: FakeClock) -> None:
    spool.worklist.replace("ris", [item("anna")])
    (good,) = spool.worklist.servers()
    clock.move(60)
    spool.worklist.failed("ris", WorklistError("No answer.", code="worklist-away"))
    (state,) = spool.worklist.servers()
    assert [found.id for found in spool.worklist.items()] == ["ris-anna"]
    assert state.answered_ns == good.answered_ns
    assert state.asked_ns == good.asked_ns + 60_000_000_000
    assert (state.code, state.problem) == ("worklist-away", "No answer.")
    spool.worklist.replace("ris", [item("anna")])
    assert spool.worklist.servers()[0].code == ""


def test_a_server_that_never_answered_is_known_as_such(spool: Spool) -> None:
    spool.worklist.failed("ris", WorklistError())
    assert spool.worklist.servers()[0].answered_ns == 0
    assert spool.worklist.items() == []


def test_a_server_that_left_the_configuration_leaves_the_list(spool: Spool) -> None:
    spool.worklist.replace("ris", [item("anna")])
    spool.worklist.replace("his", [item("anna", server="his")])
    spool.worklist.keep_only(["his"])
    assert [found.server for found in spool.worklist.items()] == ["his"]
    assert [state.server for state in spool.worklist.servers()] == ["his"]
    spool.worklist.keep_only([])
    assert spool.worklist.items() == []


def test_a_long_list_is_replaced_whole(spool: Spool) -> None:
    spool.worklist.replace("ris", [item(f"n{number}") for number in range(230)])
    assert len(spool.worklist.items()) == 230
    spool.worklist.replace("ris", [item(f"n{number}") for number in range(229)])
    assert len(spool.worklist.items()) == 229


def test_what_a_killed_owner_was_working_on_fails_for_the_one_who_waits(spool: Spool) -> None:
    asked = spool.requests.ask("worklist-refresh", {}, deadline_s=10)
    assert spool.requests.begin("worklist-refresh")
    spool.requests.forget_running()
    assert spool.requests.get(asked).state is RequestState.FAILED
