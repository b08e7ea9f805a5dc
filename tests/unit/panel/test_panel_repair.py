"""A box that is made new or rescued, on its screen: what would be lost is counted, and root alone does it."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from gateway.clock import Clock, FakeClock
from gateway.config.settings import AuditRepository, Tls
from gateway.panel.own_repair import OwnRepair
from gateway.spool.audit_sent import AuditSent
from tests.memory import folder_in_memory
from tests.unit.panel.conftest import Bench, running
from tests.unit.panel.exams_that_leave import move, sealed_exam
from tests.unit.panel.root import Root
from tests.unit.panel.settings_desk import PIN, with_settings

CODE = "0123-4567-89AB-CDEF-0123-4567-89AB-CDEF"


@pytest.fixture
def root(bench: Bench) -> Iterator[Root]:
    with obeying(bench) as one:
        yield one


@contextmanager
def obeying(bench: Bench) -> Iterator[Root]:
    station = bench.settings.station
    one = Root("repair", requests=station.runtime_dir, says=station.data_dir.parent / "says", usual={"refused": {}})
    one.tell("data", {"opened": True})
    try:
        yield one
    finally:
        one.stop()


def did(root: Root) -> list[str]:
    return [each["do"] for each in root.asked]


def number_on(bench: Bench) -> str:
    found = re.search(r"type (\d{6})\b", bench.client.get("/repair/destroy").raise_for_status().text)
    assert found
    return found[1]


def noted(bench: Bench) -> list[tuple[str, str | None]]:
    """Return what the audit file says of repairs, and why not."""
    lines = [json.loads(line) for line in bench.spool.layout.audit.read_text().splitlines()]
    return [(line["what"], line.get("why")) for line in lines if line["what"].startswith(("box-", "settings-new-"))]


def destroy(bench: Bench, number: str) -> str:
    answer = bench.client.post("/api/v1/repair/destroy", json={"number": number})
    return "" if answer.status_code == 200 else str(answer.json()["code"])


@pytest.mark.usefixtures("root")
def test_what_would_be_lost_is_counted_before_anything_is_erased(bench: Bench) -> None:
    sealed_exam(bench, 3)
    move(bench, "backup", state="held")
    for page in ("/repair", "/repair/destroy"):
        assert "in no archive: 3" in bench.client.get(page).text
    move(bench, "pacs", state="sent")
    text = bench.client.get("/repair").text
    assert "in no archive: 0" in text
    assert "keeps them: 3" in text
    move(bench, "pacs", state="committed")
    assert "keeps them: 0" in bench.client.get("/repair").text


@pytest.mark.usefixtures("root")
def test_a_picture_of_which_no_object_was_made_is_in_no_archive(bench: Bench) -> None:
    exam = bench.open_exam()
    kept, rejected = bench.still(exam), bench.still(exam)
    bench.post(f"/captures/{rejected}/reject")
    assert kept
    assert "in no archive: 1" in bench.client.get("/repair").text


def test_a_box_is_erased_without_a_pin_by_who_typed_the_number(bench: Bench, root: Root) -> None:
    number = number_on(with_settings(bench))
    bench.client.cookies.clear()
    assert destroy(bench, number) == ""
    assert did(root) == ["destroy"]
    assert noted(bench) == [("box-erase-asked", None)]


def test_the_audit_file_does_not_say_that_was_done_which_root_refused(bench: Bench, root: Root) -> None:
    number = number_on(with_settings(bench))
    root.answer = {"refused": {"code": "keys-busy", "what": "Busy.", "safe": "Nothing.", "action": "Wait."}}
    bench.client.cookies.clear()
    assert destroy(bench, number) == "keys-busy"
    bench.refused("/repair/keep", {"name": "Huber", "pin": PIN}, 409, "keys-busy")
    asked, refused, *keep = noted(bench)
    assert (asked, refused) == (("box-erase-asked", None), ("box-erase-refused", "keys-busy"))
    assert keep == [("settings-new-asked", None), ("settings-new-refused", "keys-busy")]


class Forward(FakeClock):
    """Time in which the audit file's lines leave the box after some looks at it, and root obeys at once."""

    def __init__(self, bench: Bench, root: Root, *, looks: int) -> None:
        super().__init__()
        self._spool, self._root, self._looks = bench.spool, root, looks
        layout = self._spool.layout
        self.sent = AuditSent(path=layout.audit_sent, audit=self._spool.audit, files=self._spool.files)
        self.left_when_asked: list[int] = []
        self._erased = bench.settings.station.runtime_dir / "repair"

    def pause(self, seconds: float) -> None:
        super().pause(seconds)
        self._looks -= 1
        if self._looks == 0:
            self.sent.taken(self.sent.waiting(100)[-1])
        if self._erased.exists():
            self.left_when_asked.append(self.sent.left)
            Clock().pause(0.05)  # of the thread that is root


@pytest.mark.parametrize(("looks", "left"), [(3, 0), (10**6, 1)])
def test_the_audit_repository_hears_of_it_before_the_box_is_erased(
    bench: Bench, root: Root, looks: int, left: int
) -> None:
    clock = Forward(bench, root, looks=looks)
    repository = AuditRepository(host="audit.clinic.example", tls=Tls(ca=None))
    repair = OwnRepair(
        requests=bench.settings.station.runtime_dir,
        spool=bench.spool,
        settings=replace(bench.settings, audit=repository),
        clock=clock,
        says=bench.settings.station.data_dir.parent / "says",
    )
    before = bench.spool.audit.last
    number, _ = repair.offer()
    repair.destroy(number, "")
    assert did(root) == ["destroy"]
    assert (clock.sent.left == 0) == (left == 0)
    assert bench.spool.audit.last == before + 1
    assert all((each == 0) == (left == 0) for each in clock.left_when_asked)


def test_another_number_erases_nothing_and_each_is_good_once(bench: Bench, root: Root) -> None:
    assert destroy(bench, "123456") == "other-number"
    first = number_on(bench)
    second = number_on(bench)
    assert destroy(bench, first) == "other-number"
    assert destroy(bench, second) == "other-number"  # a wrong one ends the number that was shown
    assert did(root) == []


def test_a_number_that_stood_beside_fewer_pictures_erases_nothing(bench: Bench, root: Root) -> None:
    number = number_on(bench)
    sealed_exam(bench, 1)
    assert destroy(bench, number) == "other-number"
    assert did(root) == []


def test_nothing_is_repaired_while_an_exam_is_open(bench: Bench, root: Root) -> None:
    number = number_on(with_settings(bench))
    bench.open_exam()
    assert destroy(bench, number) == "exam-open"
    bench.refused("/repair/keep", {"name": "Huber", "pin": PIN}, 409, "exam-open")
    bench.refused("/repair/rescue", {"code": CODE}, 409, "exam-open")
    assert did(root) == []


def test_settings_are_made_new_with_an_administrators_pin_or_the_recovery_code(bench: Bench, root: Root) -> None:
    with_settings(bench)
    code = str(bench.post("/people/recovery/renew")["recovery_code"])
    bench.client.cookies.clear()
    assert "Make the settings new" in bench.client.get("/repair/keep").text
    assert "Recovery code" in bench.client.get("/repair/keep?code").text
    bench.post("/repair/keep", {"name": "Huber", "pin": PIN})
    bench.post("/repair/keep", {"code": code.replace("-", " ").lower()})
    assert did(root) == ["keep", "keep"]


def test_where_the_people_cannot_be_read_root_holds_the_recovery_code_against_the_disk() -> None:
    with folder_in_memory() as folder:
        path = folder / "data/people.json"
        path.parent.mkdir()
        path.write_text("{")
        with running(folder) as bench, obeying(bench) as root:
            assert "Recovery code" in bench.client.get("/repair/keep").text
            for who in ({}, {"name": "Huber", "pin": PIN}):
                bench.refused("/repair/keep", who, 403, "wrong-pin")
            assert did(root) == []
            bench.post("/repair/keep", {"name": "Huber", "code": CODE})
            assert [(each["do"], each["secret"]) for each in root.asked] == [("keep", CODE)]
            (asked,) = [json.loads(line) for line in bench.spool.layout.audit.read_text().splitlines()][-1:]
            assert (asked["what"], asked.get("person")) == ("settings-new-asked", None)  # nobody said who they are
            root.answer = {
                "refused": {"code": "key-refused", "what": "Wrong.", "safe": "Nothing.", "action": "Again."}
            }
            bench.refused("/repair/keep", {"code": CODE}, 403, "wrong-code")
            bench.refused("/repair/keep", {"code": CODE}, 429, "wait-after-wrong-pin")


@pytest.mark.parametrize(
    ("body", "code"),
    [({"name": "Huber", "pin": "000000"}, "wrong-pin"), ({}, "wrong-pin"), ({"code": CODE}, "wrong-code")],
)
def test_settings_are_not_made_new_by_anybody_else(
    bench: Bench, root: Root, body: dict[str, object], code: str
) -> None:
    with_settings(bench)
    bench.refused("/repair/keep", body, 403, code)
    assert did(root) == []


def test_a_technicians_pin_makes_no_settings_new(bench: Bench, root: Root) -> None:
    with_settings(bench)
    bench.post("/people", {"name": "Rossi", "role": "technician", "pin": PIN}, status=201)
    bench.refused("/repair/keep", {"name": "Rossi", "pin": PIN}, 403, "wrong-pin")
    assert did(root) == []


def test_a_rescue_is_begun_by_root_who_alone_knows_the_code(bench: Bench, root: Root) -> None:
    bench.post("/repair/rescue", {"code": CODE})
    assert [(each["do"], each["secret"]) for each in root.asked] == [("rescue", CODE)]
    why = {"code": "key-refused", "what": "Wrong.", "safe": "Nothing.", "action": "Again."}
    root.answer = {"refused": why}
    bench.refused("/repair/rescue", {"code": CODE}, 409, "key-refused")
    assert CODE not in bench.spool.layout.audit.read_text()


def test_the_pages_say_that_a_new_version_proves_itself_before_anybody_asks(bench: Bench, root: Root) -> None:
    root.tell("update", {"proving": True})
    for page in ("/repair", "/repair/destroy", "/repair/keep", "/repair/rescue"):
        text = bench.client.get(page).raise_for_status().text
        assert "The box is proving its new version." in text
        assert "<form" not in text
        assert 'href="/repair/' not in text
    root.tell("update", {"proving": False})
    assert 'href="/repair/rescue"' in bench.client.get("/repair").text


def test_the_pages_say_so_on_a_computer_that_is_no_appliance(bench: Bench) -> None:
    for page in ("/repair", "/repair/destroy", "/repair/keep", "/repair/rescue"):
        assert "Only an appliance" in bench.client.get(page).raise_for_status().text
    bench.refused("/repair/rescue", {"code": CODE}, 409, "no-machine")


@pytest.mark.usefixtures("root")
def test_whoever_lost_pin_and_code_is_led_to_the_way_back(bench: Bench) -> None:
    with_settings(bench)
    assert 'href="/repair"' in bench.client.get("/recover").text
    assert 'href="/repair"' in bench.client.get("/service").text
    bench.client.cookies.clear()
    assert 'href="/repair"' not in bench.client.get("/sign-in").text
    bench.watching.app.state.desk.people.is_readable = False
    assert 'href="/repair"' in bench.client.get("/sign-in").text
