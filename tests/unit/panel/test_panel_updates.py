"""An appliance's updates on the screen: seen, asked for; never during an exam, and not on a PC."""

import json

import httpx2
import pytest

from gateway.panel.people.roles import Door, Role
from tests.unit.panel.conftest import Bench
from tests.unit.panel.settings_desk import with_settings
from tests.unit.panel.who_may import people, signed_in

LAST = {"phase": "none", "version": "", "slot": "", "reason": "", "at": "", "stays": False}
UPDATE = {
    "version": "0.3.0",
    "build": "20261127-abc",
    "slot": "a",
    "takes_updates": True,
    "floor": "0.2.0",
    "trying": False,
    "proving": False,
    "installing": None,
    "from_stick": False,
    "refused": None,
    "other": {"version": "0.2.9", "use": "before"},
    "last": LAST,
}
OFFER = {"file": "new.raucb", "version": "0.4.0", "build": "x", "code": "", "what": ""}


def says(bench: Bench, name: str, **said: object) -> None:
    where = bench.settings.station.data_dir.parent / "says"
    where.mkdir(exist_ok=True)
    (where / f"{name}.json").write_text(json.dumps(said))


@pytest.fixture
def box(bench: Bench) -> Bench:
    """An appliance, before which an administrator stands."""
    says(bench, "update", **UPDATE)
    return with_settings(bench)


def wish(bench: Bench) -> object:
    path = bench.settings.station.runtime_dir / "update"
    return json.loads(path.read_text()) if path.exists() else None


def ask(client: httpx2.Client, **body: str) -> httpx2.Response:
    return client.post("/api/v1/update", json=body)


def page(client: httpx2.Client) -> str:
    return client.get("/service/update").raise_for_status().text


def test_the_page_says_how_old_an_update_may_be(box: Bench) -> None:
    says(box, "update", **UPDATE)
    assert "takes none older than 0.2.0" in page(box.client)


def test_root_is_asked_for_what_a_person_wants(box: Bench) -> None:
    for body in ({"do": "look"}, {"do": "install", "file": "new.raucb"}, {"do": "restart"}):
        assert ask(box.client, **body).status_code == 200
        assert wish(box) == body
        refused = ask(box.client, do="look")  # it would be written over the one that waits
        assert (refused.status_code, refused.json()["code"]) == (409, "update-running")
        (box.settings.station.runtime_dir / "update").unlink()


def test_a_service_engineer_installs_from_the_stick_and_the_audit_file_has_who(bench: Bench) -> None:
    says(bench, "update", **UPDATE)
    says(bench, "update-offers", stick=True, files=[OFFER])
    bench.client.headers.update(signed_in(bench, people(bench)[Role.SERVICE], Door.FRONT))
    assert 'href="/service/update"' in bench.client.get("/service").text
    assert "Touch again to install" in page(bench.client)
    assert ask(bench.client, do="install", file="new.raucb").status_code == 200
    assert wish(bench) == {"do": "install", "file": "new.raucb"}
    (noted,) = bench.spool.audit.lately("update-install")
    assert (noted["person"], noted["file"]) == ("Service", "new.raucb")


@pytest.mark.parametrize("body", [{"do": "look"}, {"do": "install", "file": "new.raucb"}, {"do": "restart"}])
def test_nothing_that_is_asked_for_while_root_installs_comes_true_minutes_later(
    box: Bench, body: dict[str, str]
) -> None:
    says(box, "update", **{**UPDATE, "installing": 42})
    assert ask(box.client, **body).json()["code"] == "update-running"
    assert wish(box) is None


@pytest.mark.parametrize(
    "body",
    [
        {"do": "fly"},
        {"do": "install"},
        {"do": "install", "file": "../x.raucb"},
        {"do": "install", "file": "x.zip"},
        {"do": "restart", "file": "new.raucb"},
        {},
    ],
)
def test_what_is_no_wish_reaches_nobody(box: Bench, body: dict[str, str]) -> None:
    assert ask(box.client, **body).status_code == 422
    assert wish(box) is None


@pytest.mark.parametrize("body", [{"do": "install", "file": "new.raucb"}, {"do": "restart"}])
def test_nothing_is_asked_for_during_an_exam(box: Bench, body: dict[str, str]) -> None:
    box.open_exam()
    assert ask(box.client, **body).json()["code"] == "exam-open"
    assert wish(box) is None


def test_a_pc_is_not_updated_here(bench: Bench) -> None:
    with_settings(bench)
    assert ask(bench.client, do="look").json()["code"] == "no-updates"
    assert "Only an appliance is updated here." in page(bench.client)
    assert "/service/update" not in bench.client.get("/service").text


def test_what_is_on_the_stick_is_offered_or_says_why_not(box: Bench) -> None:
    assert "Put a stick in, then look." in page(box.client)
    bad = {**OFFER, "file": "bad.raucb", "version": "", "code": "update-foreign"}
    says(box, "update-offers", stick=True, files=[OFFER, bad])
    text = page(box.client)
    assert text.count("Touch again to install") == 1
    assert "It was not signed by the maker of this box: do not install it." in text
    assert "/service/update" in box.client.get("/service").text


def test_the_page_says_what_became_of_the_last_update_and_why(box: Bench) -> None:
    last = {**LAST, "phase": "went-back", "version": "0.4.0", "reason": "picture"}
    says(box, "update", **{**UPDATE, "last": last})
    text = page(box.client)
    assert "It did not prove itself: the box went back to the version before. It took no test picture." in text


def test_the_page_says_how_far_an_installation_is_and_why_a_wish_was_refused(box: Bench) -> None:
    says(box, "update-offers", stick=True, files=[OFFER])
    says(box, "update", **{**UPDATE, "installing": 41})
    assert "Being installed: 41 %. You can leave this page." in page(box.client)
    says(box, "update", **{**UPDATE, "installing": 42, "from_stick": True})
    text = page(box.client)
    assert "Being installed: 42 %. Do not pull the stick out." in text
    assert "Touch again to install" not in text
    says(box, "update", **{**UPDATE, "refused": {"code": "update-damaged", "what": "", "action": ""}})
    assert "It is damaged, or is no update: copy it once more." in page(box.client)
