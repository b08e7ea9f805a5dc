"""Who may only look gets pages without the keys of those who work: not hidden, not there."""

import re

import pytest

from gateway.panel.people.roles import Door, Role
from gateway.panel.people.sessions import COOKIE
from tests.unit.panel.conftest import Bench

_KEY = re.compile(r"<button[^>]*data-post=\"([^\"]*)\"(?![^>]*data-always)")
_WORK = re.compile(r"href=\"(/move|/wrong|/\?assign|/\?next|/confirm|/finish)")


def signed_in(bench: Bench, role: Role) -> dict[str, str]:
    desk = bench.watching.app.state.desk
    person = desk.people.add(name=f"Rossi {role}", role=role, pin="402918")
    return {"cookie": f"{COOKIE[Door.LAN]}={desk.sessions.begin(person.id, Door.LAN)}"}


@pytest.mark.parametrize("ending", ["open", "asked", "finished", "temporary", "released"])
def test_no_page_of_a_reviewer_has_a_key_that_changes_something(bench: Bench, ending: str) -> None:
    if ending == "temporary":
        exam = str(bench.post("/exams", {"emergency": True}, status=201)["id"])
    else:
        exam = bench.open_exam()
    uid = bench.still(exam)
    if ending == "asked":
        bench.spool.exams.ask_to_check(exam, "idle")
    if ending in {"finished", "temporary", "released"}:
        bench.post(f"/exams/{exam}/finish")
    if ending == "released":
        bench.spool.exams.release(exam)
    pages = ["/archive", "/delivery", f"/delivery/{exam}", f"/exam/{exam}", f"/picture/{uid}", "/more"]
    pages += [f"/live/{exam}"] if ending in {"open", "asked"} else []
    reviewer = signed_in(bench, Role.REVIEWER)
    with bench.elsewhere() as lan:
        for address in pages:
            page = lan.get(address, headers=reviewer)
            assert page.status_code == 200, address
            assert _KEY.findall(page.text) == [], address
            assert _WORK.findall(page.text) == [], address
            assert 'id="capture"' not in page.text


def test_a_technician_has_them(bench: Bench) -> None:
    exam = bench.open_exam()
    uid = bench.still(exam)
    assert f"/api/v1/captures/{uid}/reject" in _KEY.findall(bench.client.get(f"/picture/{uid}").text)
    assert 'id="capture"' in bench.client.get(f"/live/{exam}").text
    assert 'id="finish"' in bench.client.get(f"/live/{exam}").text
