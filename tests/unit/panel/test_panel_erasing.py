"""An exam that an administrator erases on the screen: said before what goes and what stays, by number, audited."""

import json
import re

import httpx2
import pytest

from gateway.errors import WrongState
from gateway.model import DeliveryState, Identity, MessageKind, Patient
from gateway.panel.people.roles import Door, Role
from gateway.spool.erasure import erasable, erased, erasing
from gateway.spool.files import locked
from gateway.spool.states import Owner
from gateway.spool.subjects import Subject
from tests.unit.panel.conftest import Bench
from tests.unit.panel.exams_that_leave import move, sealed_exam
from tests.unit.panel.who_may import people, signed_in


@pytest.fixture
def huber(bench: Bench) -> httpx2.Client:
    """The browser of an administrator who signed in at the box."""
    bench.client.headers.update(signed_in(bench, people(bench)[Role.ADMINISTRATOR], Door.FRONT))
    return bench.client


def page(browser: httpx2.Client, exam: str) -> str:
    text = browser.get(f"/erase/{exam}").raise_for_status().text
    return " ".join(re.sub(r"<[^>]*>", " ", text).split())


def erase(browser: httpx2.Client, exam: str, pictures: str) -> str:
    return sent(browser, exam, pictures, agreed(browser, exam))


def agreed(browser: httpx2.Client, exam: str) -> str:
    """Return what the page with the number says is agreed to; of an exam that cannot be erased, nothing."""
    found = re.findall(r'name="exams" value="([^"]*)"', browser.get(f"/erase/{exam}/number").text)
    return found[0] if found else "nothing"


def sent(browser: httpx2.Client, exam: str, pictures: str, exams: str) -> str:
    answer = browser.post(f"/api/v1/exams/{exam}/erase", json={"pictures": pictures, "exams": exams})
    return "" if answer.status_code == 200 else f"{answer.status_code} {answer.json()['code']}"


def audited(bench: Bench) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in bench.spool.layout.audit.read_text().splitlines()]
    return [line for line in lines if line["what"] == "exam-erased"]


def test_what_goes_and_what_stays_elsewhere_is_said_before(bench: Bench, huber: httpx2.Client) -> None:
    exam = sealed_exam(bench, 3)
    move(bench, "backup", state="held", in_doubt=1)
    uid = bench.spool.captures.of_exam(exam)[0].capture.sop_instance_uid
    with bench.spool.database.write() as connection:
        connection.execute(
            "UPDATE delivery SET state = 'committed' WHERE destination = 'pacs' AND sop_instance_uid = ?", (uid,)
        )
    bench.spool.audit.note("exported", by="panel", exam=exam, objects=3, to="/media/stick")
    said = page(huber, exam)
    assert "Pictures that are erased for good: 3." in said
    assert "Never sent to pacs" in said
    assert ": 2. Sent or not, no archive said that it keeps them: 2." in said
    assert "backup objects: 0 perhaps more: 3" in said
    assert "pacs objects: 1 said to be kept: 1" in said
    assert "/media/stick objects: 3" in said
    assert "Archives, sticks, downloads and backups keep what they have." in said
    assert "type how many pictures it has: 3" in huber.get(f"/erase/{exam}/number").text


def test_the_right_number_erases_it_and_the_audit_has_the_person_and_no_patient(
    bench: Bench, huber: httpx2.Client
) -> None:
    exam, other = sealed_exam(bench, 2), sealed_exam(bench, 1)
    for wrong in ("1", "3", "two", "-2"):
        assert erase(huber, exam, wrong) == "403 other-number"
    assert erase(huber, exam, "") == "422 bad-value"
    assert len(bench.spool.exams.list()) == 2
    assert erase(huber, exam, "2") == ""
    assert [each.id for each in bench.spool.exams.list()] == [other]
    assert not bench.spool.layout.exam(exam).exists()
    (line,) = audited(bench)
    assert (line["by"], line["person"], line["exam"], line["pictures"], line["unsent"]) == (
        "panel",
        "Huber",
        exam,
        2,
        2,
    )
    assert "MEIER" not in str(line)
    assert erase(huber, exam, "2") == "404 not-found"
    assert "The exam is erased from this box." in huber.get("/erased").text


def test_an_exam_that_is_open_or_being_sent_is_refused_and_the_page_says_so(
    bench: Bench, huber: httpx2.Client
) -> None:
    sent = sealed_exam(bench, 1)
    delivery = bench.spool.deliveries.list(exam=sent, states_wanted=(DeliveryState.QUEUED,))[0]
    bench.spool.deliveries.move(delivery, DeliveryState.SENDING, Owner.FORWARD)
    opened = bench.open_exam()
    for exam, number, why in (
        (sent, "1", "A picture of this exam is being sent at this moment."),
        (opened, "0", "This exam is open."),
    ):
        assert why in page(huber, exam)
        assert f"/erase/{exam}/number" not in huber.get(f"/erase/{exam}").text
        asked = huber.get(f"/erase/{exam}/number", follow_redirects=False)
        assert (asked.status_code, asked.headers["location"]) == (303, f"/erase/{exam}")
        assert erase(huber, exam, number) == "409 wrong-state"
    assert len(bench.spool.exams.list()) == 2
    assert audited(bench) == []


def test_nothing_is_erased_on_the_screen_while_any_exam_is_open(bench: Bench, huber: httpx2.Client) -> None:
    exam = sealed_exam(bench, 1)
    bench.open_exam()  # its clips could not begin while the index is written anew
    assert "An exam is open on this box." in page(huber, exam)
    assert erase(huber, exam, "1") == "409 exam-open"
    assert bench.spool.layout.exam(exam).exists()


def test_an_index_that_is_larger_than_the_panel_s_memory_is_not_written_anew(
    bench: Bench, huber: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    exam = sealed_exam(bench, 1)
    monkeypatch.setattr(erasable, "MOST_OF_INDEX", 1)
    assert "more pictures than its screen can erase from" in page(huber, exam)
    assert erase(huber, exam, "1") == "409 wrong-state"


def test_of_a_page_that_is_old_nothing_is_erased(bench: Bench, huber: httpx2.Client) -> None:
    exam = bench.open_exam()
    bench.spool.exams.finish(exam)
    looked_at = agreed(huber, exam)
    other = Patient(name="HUBER^Karl", id="1")
    bench.spool.exams.assign(exam, Subject(identity=Identity.TYPED, patient=other))
    assert sent(huber, exam, "0", looked_at) == "403 other-number"
    assert sent(huber, exam, "0", "") == "422 bad-value"
    assert bench.spool.exams.get(exam).patient == other
    assert sent(huber, exam, "0", agreed(huber, exam)) == ""


def test_pictures_that_were_moved_there_meanwhile_are_not_erased(bench: Bench) -> None:
    first = sealed_exam(bench, 2)
    second = sealed_exam(bench, 1)
    (agreed,) = erasable.losses(bench.spool, [first], required=["pacs"], servers=[])
    (goes,) = (each.capture.sop_instance_uid for each in bench.spool.captures.of_exam(second))
    with bench.spool.database.write() as connection:  # as while it waits for its turn
        connection.execute(
            "UPDATE capture SET exam = ?, instance_number = 9 WHERE sop_instance_uid = ?", (first, goes)
        )
    with pytest.raises(WrongState, match="have changed"):
        erasing.erase(bench.spool, agreed, by="panel", servers=[])
    assert len(bench.spool.captures.of_exam(first)) == 3
    assert bench.spool.layout.exam(first).exists()
    assert audited(bench) == []


def test_of_a_page_that_is_old_no_other_pictures_are_erased_that_are_as_many(
    bench: Bench, huber: httpx2.Client
) -> None:
    exam, other = sealed_exam(bench, 2), sealed_exam(bench, 1)
    looked_at = agreed(huber, exam)
    goes, comes = (bench.spool.captures.of_exam(each)[0].capture.sop_instance_uid for each in (exam, other))
    for uid, old, new in ((goes, exam, other), (comes, other, exam)):  # since the page was shown
        with bench.spool.database.write() as connection:
            connection.execute(
                "UPDATE capture SET exam = ?, instance_number = 9 WHERE sop_instance_uid = ?", (new, uid)
            )
        bench.spool.layout.sidecar(old, uid).rename(bench.spool.layout.sidecar(new, uid))
    assert sent(huber, exam, "2", looked_at) == "403 other-number"
    assert len(bench.spool.captures.of_exam(exam)) == 2
    assert sent(huber, exam, "2", agreed(huber, exam)) == ""


def test_a_procedure_step_is_not_left_in_progress_at_its_server(bench: Bench, huber: httpx2.Client) -> None:
    exam = sealed_exam(bench, 1)
    found = bench.spool.exams.get(exam)
    (server,) = bench.settings.procedure_steps
    bench.spool.steps.queue(found, found.steps[-1].sop_instance_uid, MessageKind.CREATE, [server.name])
    assert f"The server {server.name} does not know how this exam ended" in page(huber, exam)
    assert erase(huber, exam, "1") == "409 wrong-state"


def test_traces_that_are_left_are_said_until_they_are_gone(bench: Bench, huber: httpx2.Client) -> None:
    exam = sealed_exam(bench, 1)
    folder = bench.spool.layout.exam(exam)
    (folder / "a folder that somebody made").mkdir()
    answer = huber.post(f"/api/v1/exams/{exam}/erase", json={"pictures": "1", "exams": agreed(huber, exam)})
    assert answer.json() == {"clean": False}
    assert bench.spool.exams.list() == []
    assert "Traces are left on the disk." in huber.get("/erased").text
    (bench.spool.layout.erased(exam) / "a folder that somebody made").rmdir()
    with locked(bench.spool.layout.migration_lock):  # as the next start does
        assert erased.take_up(bench.spool)
    assert "Traces are left on the disk." not in huber.get("/erased").text


def test_the_way_to_it_is_on_the_exam_s_details_for_an_administrator_alone(bench: Bench) -> None:
    ids = people(bench)
    exam = sealed_exam(bench, 1)
    way = f'href="/erase/{exam}"'
    assert way in bench.client.get(f"/delivery/{exam}").text  # it leads to signing in
    asked = bench.client.get(f"/erase/{exam}", follow_redirects=False)
    assert asked.headers["location"].startswith("/sign-in")
    for role, shown in ((Role.TECHNICIAN, False), (Role.REVIEWER, False), (Role.ADMINISTRATOR, True)):
        with bench.elsewhere() as browser:
            browser.headers.update(signed_in(bench, ids[role], Door.LAN))
            assert (way in browser.get(f"/delivery/{exam}").text) is shown
    opened = bench.open_exam()
    assert f"/erase/{opened}" not in bench.client.get(f"/delivery/{opened}").text
