"""Whole queues on the screen, for who serves the box: counted before and after, moved by their number, audited."""

import json
import re
from dataclasses import replace
from datetime import timedelta

import httpx2
import pytest

from gateway.model import DeliveryState, MessageKind, MessageState
from gateway.panel.people.roles import Door, Role
from gateway.panel.taking_over import TakingOver
from gateway.spool.queue.deliveries import QUIET
from gateway.spool.queue.whole_queues import peer_of
from tests.unit.panel.conftest import Bench
from tests.unit.panel.exams_that_leave import move, sealed_exam
from tests.unit.panel.who_may import people, signed_in

ARCHIVE = "/service/queue?of="


@pytest.fixture
def engineer(bench: Bench) -> httpx2.Client:
    """The browser of a service engineer before the box, in which three pictures wait for who is gone."""
    sealed_exam(bench, 3, "old")
    bench.client.headers.update(signed_in(bench, people(bench)[Role.SERVICE], Door.FRONT))
    return bench.client


def page(browser: httpx2.Client, name: str) -> str:
    text = browser.get(f"{ARCHIVE}{name}").raise_for_status().text
    return " ".join(re.sub(r"<[^>]*>", " ", text).split())


def asked(browser: httpx2.Client, what: str, **body: object) -> dict[str, object]:
    return dict(browser.post(f"/api/v1/queues/{what}", json=body).json())


def audited(bench: Bench) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in bench.spool.layout.audit.read_text().splitlines()]
    unsaid = {"utc", "line", "before"}
    found = [{key: value for key, value in line.items() if key not in unsaid} for line in lines]
    return [line for line in found if str(line["what"]).startswith("queue-")]


def test_a_queue_of_nobody_is_found_from_the_service_page_and_moved_by_its_number(
    bench: Bench, engineer: httpx2.Client
) -> None:
    assert f'href="{ARCHIVE}old"' in engineer.get("/service").text
    said = page(engineer, "old")
    assert "old is not set up any more" in said
    assert "Waiting 3 Being sent 0 Stopped or held back 0 Sent 0" in said
    assert "wait for another one (3 objects): pacs waiting there: 0 backup" in said
    assert asked(engineer, "move", **{"from": "old", "to": "pacs", "count": 3}) == {"moved": 3, "merged": 0}
    assert "Waiting 3" in page(engineer, "pacs")
    assert engineer.get(f"{ARCHIVE}old").status_code == 404
    assert f'href="{ARCHIVE}old"' not in engineer.get("/service").text
    assert audited(bench) == [
        {
            "what": "queue-moved",
            "by": "panel",
            "person": "Service",
            "source": "old",
            "target": "pacs",
            "moved": 3,
            "merged": 0,
        }
    ]


@pytest.mark.parametrize(
    ("what", "body", "code"),
    [
        ("move", {"from": "old", "to": "pacs", "count": 2}, "wrong-state"),
        ("move", {"from": "old", "to": "pacs"}, "wrong-state"),
        ("move", {"from": "old", "to": "nowhere", "count": 3}, "bad-value"),
        ("move", {"from": "pacs", "to": "pacs", "count": 0}, "bad-value"),
        ("drop", {"from": "old", "count": 2}, "wrong-state"),
        ("drop", {"from": "pacs", "count": 0}, "bad-value"),
        ("same", {"of": "old"}, "bad-value"),
        ("resend", {"of": "old"}, "bad-value"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    bench: Bench, engineer: httpx2.Client, what: str, body: dict[str, object], code: str
) -> None:
    assert asked(engineer, what, **body)["code"] == code
    assert audited(bench) == []
    assert "Waiting 3" in page(engineer, "old")


def test_what_an_earlier_archive_of_that_name_got_is_sent_to_the_present_one(
    bench: Bench, engineer: httpx2.Client
) -> None:
    sealed_exam(bench, 2, "old", "pacs")
    bench.spool.destinations.put("pacs", peer="one", settings="x")
    first = bench.spool.destinations.get("pacs").generation
    with bench.spool.database.write() as connection:
        connection.execute(
            "UPDATE delivery SET state = 'committed', sent_to = ? WHERE destination = 'pacs'", (first,)
        )
    bench.spool.destinations.put("pacs", peer="another", settings="x")
    assert asked(engineer, "move", **{"from": "old", "to": "pacs", "count": 5}) == {"moved": 3, "merged": 2}
    assert "Waiting 5" in page(engineer, "pacs")


def test_nothing_is_moved_while_changed_settings_wait(
    engineer: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TakingOver, "waits", lambda *_: "exam")  # what waits may lack the archive
    assert asked(engineer, "move", **{"from": "old", "to": "pacs", "count": 3})["code"] == "wrong-state"
    assert "Waiting 3" in page(engineer, "old")


def test_what_is_being_sent_stays_and_is_not_in_the_number(bench: Bench, engineer: httpx2.Client) -> None:
    first = bench.spool.deliveries.list()[0].id
    with bench.spool.database.write() as connection:
        connection.execute("UPDATE delivery SET state = 'sending' WHERE id = ?", (first,))
    assert "(2 objects)" in page(engineer, "old")
    assert asked(engineer, "move", **{"from": "old", "to": "pacs", "count": 2})["moved"] == 2
    assert "Waiting 0 Being sent 1" in page(engineer, "old")


def test_a_queue_of_nobody_is_given_up_by_its_number_and_the_pictures_stay(
    bench: Bench, engineer: httpx2.Client
) -> None:
    objects = sorted(bench.spool.layout.exams.glob("*/*.dcm"))
    assert len(objects) == 3
    assert asked(engineer, "drop", **{"from": "old", "count": 3}) == {"dropped": 3}
    assert sorted(bench.spool.layout.exams.glob("*/*.dcm")) == objects
    assert [line["what"] for line in audited(bench)] == ["queue-dropped"]
    assert "Give up" not in page(engineer, "pacs")


def test_an_archive_that_moved_or_was_replaced_is_asked_again_or_sent_all(
    bench: Bench, engineer: httpx2.Client
) -> None:
    sealed_exam(bench, 2, "pacs")
    move(bench, "pacs", state="committed", proof="commitment")
    pacs = bench.settings.destinations[0]
    for at in (replace(pacs, host="10.0.0.6"), pacs):
        bench.spool.destinations.put("pacs", peer=peer_of(at), settings="")
    said = page(engineer, "pacs")
    assert "Objects that were sent to the archive that was called pacs before: 2." in said
    assert asked(engineer, "same", of="pacs") == {"same": 2}
    said = page(engineer, "pacs")
    assert "was called pacs before" not in said
    assert "Sent 2 The archive said that it keeps them 0" in said
    assert asked(engineer, "resend", of="pacs") == {"queued": 2}
    assert [line["what"] for line in audited(bench)] == ["queue-same-archive", "queue-sent-again"]


def test_no_patient_is_on_the_page(bench: Bench, engineer: httpx2.Client) -> None:
    text = engineer.get(f"{ARCHIVE}old").text
    assert "MEIER" not in text
    assert bench.spool.exams.list()[0].id not in text


def test_earlier_exams_go_to_an_archive_that_came_later_and_nothing_goes_twice(
    bench: Bench, engineer: httpx2.Client
) -> None:
    assert "/service/queue/add?of=pacs" in engineer.get(f"{ARCHIVE}pacs").text
    assert "/service/queue/add" not in engineer.get(f"{ARCHIVE}old").text
    today = f"{bench.clock.now().local:%Y-%m-%d}"
    assert f'"since": "{today}", "to": "pacs"' in engineer.get("/service/queue/add?of=pacs").text
    assert engineer.get("/service/queue/add?of=old").status_code == 404
    tomorrow = f"{bench.clock.now().local + timedelta(days=1):%Y-%m-%d}"
    assert asked(engineer, "add", to="pacs", since=tomorrow) == {"queued": 0}
    assert asked(engineer, "add", to="pacs", since=today) == {"queued": 3}
    assert asked(engineer, "add", to="pacs", since="1970-01-01") == {"queued": 0}
    assert "Waiting 3" in page(engineer, "pacs")
    assert [(line["what"], line["target"], line["since"], line["count"]) for line in audited(bench)] == [
        ("queue-filled", "pacs", tomorrow, 0),
        ("queue-filled", "pacs", today, 3),
        ("queue-filled", "pacs", "1970-01-01", 0),
    ]


@pytest.mark.parametrize("since", ["", "21.11.2026", "2026-11-31", "0001-01-01", "1969-12-31"])
def test_earlier_than_what_is_refused(bench: Bench, engineer: httpx2.Client, since: str) -> None:
    assert asked(engineer, "add", to="pacs", since=since)["code"] == "bad-value"
    assert asked(engineer, "add", to="old", since="2026-11-21")["code"] == "bad-value"
    assert audited(bench) == []


@pytest.mark.parametrize("what", ["add", "again"])
def test_all_days_are_those_of_a_clock_that_was_not_set_too(
    bench: Bench, engineer: httpx2.Client, what: str
) -> None:
    sealed_exam(bench, 2, "pacs")
    with bench.spool.database.write() as connection:
        connection.execute(
            "UPDATE exam SET opened_at = '1970-01-01T00:01:00+00:00'"
        )  # west of Greenwich it is 1969
        if what == "again":
            connection.execute("UPDATE delivery SET state = 'sent' WHERE destination = 'pacs'")
    text = engineer.get(f"/service/queue/{what}?of=pacs").text
    key = {"add": "to", "again": "of"}[what]
    call = {"add": "add", "again": "resend"}[what]
    assert f"""/api/v1/queues/{call}" data-body='{{"{key}": "pacs"}}'""" in text
    assert asked(engineer, call, **{key: "pacs"}) == {"queued": {"add": 3, "again": 2}[what]}
    assert audited(bench)[-1]["since"] == "ever"


def test_what_an_archive_lost_is_sent_again_from_exams_since_a_day(bench: Bench, engineer: httpx2.Client) -> None:
    sealed_exam(bench, 2, "pacs")
    move(bench, "pacs", state="committed", proof="commitment")
    assert "/service/queue/again?of=pacs" in engineer.get(f"{ARCHIVE}pacs").text
    assert "/service/queue/again" not in engineer.get(f"{ARCHIVE}old").text
    assert engineer.get("/service/queue/again?of=old").status_code == 404
    text = engineer.get("/service/queue/again?of=pacs").text
    today, tomorrow = (f"{bench.clock.now().local + timedelta(days=days):%Y-%m-%d}" for days in (0, 1))
    assert f'"of": "pacs", "since": "{today}"' in text
    assert "Sent so far: 2." in text
    assert asked(engineer, "resend", of="pacs", since="31.12.2026")["code"] == "bad-value"
    assert asked(engineer, "resend", of="pacs", since=tomorrow) == {"queued": 0}
    assert asked(engineer, "resend", of="pacs", since=today) == {"queued": 2}
    assert "Waiting 2" in page(engineer, "pacs")
    assert [(line["what"], line["since"], line["count"]) for line in audited(bench)] == [
        ("queue-sent-again", tomorrow, 0),
        ("queue-sent-again", today, 2),
    ]


def test_what_is_held_with_one_code_is_let_go_by_its_number_for_one_archive_alone(
    bench: Bench, engineer: httpx2.Client
) -> None:
    sealed_exam(bench, 3, "pacs", "backup")
    with bench.spool.database.write() as connection:
        connection.execute("UPDATE delivery SET state = 'held', code = 'no-context' WHERE destination <> 'old'")
        connection.execute("UPDATE delivery SET code = 'too-large' WHERE id = (SELECT max(id) FROM delivery)")
        connection.execute("UPDATE delivery SET state = 'held', code = 'format' WHERE destination = 'old'")
    held = bench.spool.deliveries.held_by_code
    assert held("pacs") == {"no-context": 3}
    assert "no-context held: 3" in page(engineer, "pacs")
    assert "too-large held: 1" in page(engineer, "backup")
    assert "format" not in page(engineer, "old")  # nobody would send it
    for body, code in (
        ({"of": "pacs", "code": "no-context", "count": 2}, "wrong-state"),
        ({"of": "pacs", "code": "too-large", "count": 1}, "wrong-state"),
        ({"of": "old", "code": "format", "count": 3}, "bad-value"),
        ({"of": "pacs", "count": 3}, "bad-value"),
    ):
        assert asked(engineer, "release", **body)["code"] == code
    assert asked(engineer, "release", of="pacs", code="no-context", count=3) == {"queued": 3}
    assert (held("pacs"), held("backup")) == ({}, {"no-context": 2, "too-large": 1})
    assert [(line["what"], line["target"], line["code"], line["count"]) for line in audited(bench)] == [
        ("queue-released", "pacs", "no-context", 3)
    ]


@pytest.mark.parametrize("code", ["held-by-person", "being-erased", *QUIET])
def test_what_was_held_back_by_hand_or_is_not_to_be_sent_is_never_let_go_with_one_code(
    bench: Bench, engineer: httpx2.Client, code: str
) -> None:
    sealed_exam(bench, 2, "pacs")
    with bench.spool.database.write() as connection:
        connection.execute("UPDATE delivery SET state = 'held', code = ? WHERE destination = 'pacs'", (code,))
    assert bench.spool.deliveries.held_by_code("pacs") == {}
    assert code not in page(engineer, "pacs")
    for count in (2, 0):
        assert asked(engineer, "release", of="pacs", code=code, count=count)["code"] == "bad-value"
    assert bench.spool.deliveries.counts()["pacs", DeliveryState.HELD] == 2
    assert audited(bench) == []


def test_messages_for_a_server_that_is_gone_are_given_up_by_their_number(
    bench: Bench, engineer: httpx2.Client
) -> None:
    assert "/service/messages?of=gone" not in engineer.get("/service").text
    exam = bench.spool.exams.list()[0]
    bench.spool.steps.queue(exam, exam.steps[0].sop_instance_uid, MessageKind.CREATE, ["gone"])
    assert 'href="/service/messages?of=gone"' in engineer.get("/service").text
    said = engineer.get("/service/messages?of=gone").text
    assert "gone is not set up any more. Messages about exams that wait for it: 1." in said
    assert exam.id not in said
    for body, code in (
        ({"server": "gone", "count": 2}, "wrong-state"),
        ({"server": "ris", "count": 0}, "bad-value"),
        ({"server": "gone", "from": "old", "count": 1}, "bad-value"),
        ({"count": 1}, "bad-value"),
    ):
        assert asked(engineer, "drop", **body)["code"] == code
    assert asked(engineer, "drop", server="gone", count=1) == {"dropped": 1}
    assert engineer.get("/service/messages?of=gone").status_code == 404
    assert "Waiting 3" in page(engineer, "old")
    assert "step-messages-dropped" in bench.spool.layout.audit.read_text()


def test_messages_that_a_server_refused_are_let_go_by_their_code_and_number(
    bench: Bench, engineer: httpx2.Client
) -> None:
    step = bench.spool.exams.list()[0]
    uid, servers = step.steps[0].sop_instance_uid, ["ris", "gone"]
    bench.spool.steps.queue(step, uid, MessageKind.CREATE, servers, state=MessageState.HELD, code="refused")
    bench.spool.steps.queue(step, uid, MessageKind.SET, servers)
    assert 'href="/service/messages?of=ris"' in engineer.get("/service").text

    def said(name: str) -> str:
        text = engineer.get(f"/service/messages?of={name}").raise_for_status().text
        return " ".join(re.sub(r"<[^>]*>", " ", text).split())

    assert "Waiting 1 Being sent 0 Stopped 1" in said("ris")
    assert "refused held: 1" in said("ris")
    assert "held: 1" not in said("gone")  # nobody would tell it
    assert step.id not in said("ris")
    for body, code in (
        ({"server": "ris", "code": "refused", "count": 2}, "wrong-state"),
        ({"server": "ris", "code": "other", "count": 1}, "wrong-state"),
        ({"server": "gone", "code": "refused", "count": 1}, "bad-value"),
        ({"server": "ris", "of": "pacs", "code": "refused", "count": 1}, "bad-value"),
        ({"code": "refused", "count": 1}, "bad-value"),
    ):
        assert asked(engineer, "release", **body)["code"] == code
    assert asked(engineer, "release", server="ris", code="refused", count=1) == {"queued": 1}
    assert "Waiting 2 Being sent 0 Stopped 0" in said("ris")
    assert bench.spool.steps.held_by_code("gone") == {"refused": 1}
    assert '"what":"step-messages-released"' in bench.spool.layout.audit.read_text().replace(" ", "")
    assert engineer.get("/service/messages?of=nobody").status_code == 404
