"""The first administrator, and the way back of who forgot the PIN."""

import re

from gateway.clock import FakeClock
from tests.memory import folder_in_memory
from tests.unit.panel.conftest import Bench, running
from tests.unit.panel.who_may import PIN, sign_in


def test_the_first_administrator_is_made_at_the_box_once_and_gets_a_recovery_code(bench: Bench) -> None:
    with bench.elsewhere() as lan:
        assert lan.post("/api/v1/people/first", json={"name": "Eve", "pin": PIN}).status_code == 403
    made = bench.post("/people/first", {"name": "Huber", "pin": PIN}, status=201)
    code = str(made["recovery_code"])
    assert re.fullmatch(r"([0-9A-F]{4}-){7}[0-9A-F]{4}", code)
    assert str(made["qr"]).startswith("<svg")
    assert bench.get("/people")["recovery_confirmed"] is False  # signed in by it
    bench.refused("/people/recovery/confirm", {"last": "x"}, 403, "wrong-code")
    assert bench.post("/people/recovery/confirm", {"last": code[-4:]}) == {"recovery_confirmed": True}
    bench.refused("/people/first", {"name": "Eve", "pin": PIN}, 409, "administrator-exists")
    assert code not in bench.spool.layout.audit.read_text()


def test_who_forgot_the_pin_sets_another_one_with_the_code_and_gets_a_new_code() -> None:
    clock = FakeClock()
    with folder_in_memory() as folder, running(folder, clock=clock) as bench:
        forgot(bench, clock)


def forgot(bench: Bench, clock: FakeClock) -> None:
    code = bench.post("/people/first", {"name": "Huber", "pin": PIN}, status=201)["recovery_code"]
    bench.refused("/people/recover", {"name": "Huber", "code": "0" * 32, "pin": "731840"}, 403, "wrong-code")
    right = {"name": "Huber", "code": code, "pin": "731840"}
    bench.refused("/people/recover", right, 429, "wait-after-wrong-pin")
    with bench.elsewhere() as lan:
        assert lan.post("/api/v1/people/recover", json=right).json()["code"] == "only-at-the-box"
    clock.move(1)
    second = bench.post("/people/recover", right)["recovery_code"]
    assert second != code
    assert sign_in(bench.client, pin="731840").status_code == 200
    bench.refused("/people/recover", right, 403, "wrong-code")


def test_a_box_whose_people_cannot_be_read_takes_exams_and_nobody_as_administrator() -> None:
    with folder_in_memory() as folder:
        path = folder / "data/people.json"
        path.parent.mkdir()
        path.write_text("{")
        with running(folder) as bench:
            bench.refused("/people/first", {"name": "Eve", "pin": PIN}, 503, "people-unreadable")
            bench.refused("/session", {"name": "Eve", "pin": PIN}, 503, "people-unreadable")
            for asked in ("/people", "/sign-in", "/first", "/first/name", "/recover", "/settings"):
                said = bench.client.get(asked, follow_redirects=True)
                assert said.url.path == "/sign-in"
                assert "nobody can sign in" in said.text  # and no field is offered in which a name could be typed
                assert "<input" not in said.text
            bench.still(bench.open_exam())
        assert path.read_text() == "{"
