"""What guards the disk of an appliance, on the screen: as it is, changed by root alone, never without a code."""

from collections.abc import Iterator

import pytest

from tests.unit.panel.conftest import Bench
from tests.unit.panel.root import Root
from tests.unit.panel.settings_desk import with_settings

OPEN = {
    "opened": True, "made": True, "guard": "none", "recovery_code": "", "tpm": False, "secure_boot": False,
    "number": "", "code": "", "what": "", "safe": "", "action": "",
}  # fmt: skip
CODE = "0123-4567-89AB-CDEF-0123-4567-89AB-CDEF"


@pytest.fixture
def box(bench: Bench) -> Bench:
    return with_settings(bench)


@pytest.fixture
def root(box: Bench) -> Iterator[Root]:
    station = box.settings.station
    obeying = Root("data", requests=station.runtime_dir, says=station.data_dir.parent / "says", usual=OPEN)
    obeying.say()
    try:
        yield obeying
    finally:
        obeying.stop()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, "A stolen box can be read."),
        ({"tpm": True}, "Nothing guards the disk yet."),
        ({"guard": "tpm", "tpm": True, "secure_boot": True}, "in this box alone"),
        ({"guard": "tpm", "tpm": True}, "Secure Boot is off"),
        ({"guard": "pin"}, "The start PIN guards the disk."),
        ({"recovery_code": "2026-11-27"}, "Opens the disk on any PC, since 2026-11-27"),
        ({"recovery_code": ""}, "None yet: make one"),
    ],
)
def test_the_page_says_what_guards_the_disk(box: Bench, root: Root, said: dict[str, object], words: str) -> None:
    root.say(**said)
    assert words in box.client.get("/machine/data").raise_for_status().text


def test_a_computer_that_is_no_appliance_says_that_this_is_not_its_matter(box: Bench) -> None:
    page = box.client.get("/machine/data").raise_for_status().text
    assert "by its administrator" in page
    assert box.client.post("/api/v1/machine/start-pin", json={"pin": "48151623"}).json()["code"] == "no-machine"


def test_a_recovery_code_opens_the_disk_once_it_was_written_down(box: Bench, root: Root) -> None:
    code = box.client.post("/api/v1/people/recovery/renew", json={}).raise_for_status().json()["recovery_code"]
    assert root.asked == []
    wrong = box.client.post("/api/v1/people/recovery/confirm", json={"last": "XXXX"})
    assert wrong.json()["code"] == "wrong-code"
    assert root.asked == []
    box.client.post("/api/v1/people/recovery/confirm", json={"last": code[-4:]}).raise_for_status()
    assert [(each["do"], each["secret"]) for each in root.asked] == [("recovery-code", code)]


def test_a_code_that_root_could_not_take_is_said_so_and_confirmed_when_it_can(box: Bench, root: Root) -> None:
    root.answer = {"code": "keys-not-changed", "what": "It did not work.", "safe": "As before.", "action": "Again."}
    code = box.client.post("/api/v1/people/recovery/renew", json={}).raise_for_status().json()["recovery_code"]
    answer = box.client.post("/api/v1/people/recovery/confirm", json={"last": code[-4:]})
    assert answer.status_code == 409
    assert answer.json()["code"] == "keys-not-changed"
    assert answer.json()["action"] == "Again."
    assert box.client.get("/api/v1/people").json()["recovery_confirmed"] is False
    root.answer = {}
    box.client.post("/api/v1/people/recovery/confirm", json={"last": code[-4:]}).raise_for_status()
    assert box.client.get("/api/v1/people").json()["recovery_confirmed"] is True
    assert [each["secret"] for each in root.asked] == [code, code]


def test_a_start_pin_is_set_and_taken_away_by_root(box: Bench, root: Root) -> None:
    box.client.post("/api/v1/machine/start-pin", json={"pin": "48151623"}).raise_for_status()
    box.client.post("/api/v1/machine/start-pin/remove", json={"pin": "48151623"}).raise_for_status()
    assert [(each["do"], each["secret"]) for each in root.asked] == [
        ("start-pin", "48151623"),
        ("no-start-pin", "48151623"),
    ]
    noted = box.spool.layout.audit.read_text()
    assert "start-pin-set" in noted
    assert "start-pin-removed" in noted
    assert "48151623" not in noted


def test_the_page_of_the_start_pin_wants_a_recovery_code_first(box: Bench, root: Root) -> None:
    assert "Write a recovery code down first" in box.client.get("/machine/start-pin").text
    root.say(recovery_code="2026-11-27")
    assert "Ask for it at every start" in box.client.get("/machine/start-pin").text
    root.say(recovery_code="2026-11-27", guard="pin")
    assert "Start without a PIN" in box.client.get("/machine/start-pin").text
