"""What is kept of people: their file, their sessions, how long a wrong PIN makes them wait."""

import json
from pathlib import Path

import pytest

from gateway.clock import FakeClock
from gateway.config.recovery_code import digits_of
from gateway.errors import BadValue, DiskFull
from gateway.panel.pages.people import next_page
from gateway.panel.people.hosts import Names
from gateway.panel.people.roles import Door, Role, permit
from gateway.panel.people.secrets import pin_of
from gateway.panel.people.sessions import Sessions
from gateway.panel.people.store import People
from gateway.panel.people.waits import Waits
from gateway.panel.problems import (
    AdministratorExists,
    LastAdministrator,
    NameTaken,
    PeopleUnreadable,
    WrongCode,
)
from gateway.spool.files import Files
from tests.unit.panel.conftest import QUICK

PIN, OTHER = "402918", "731840"


def people_in(folder: Path, files: Files | None = None) -> People:
    return People(path=folder / "people.json", files=files or Files(), clock=FakeClock(), hashes=QUICK)


# --- the file ------------------------------------------------------------------------------------------------


def test_a_new_box_has_no_administrator_and_no_pin_that_somebody_could_know(tmp_path: Path) -> None:
    people = people_in(tmp_path)
    assert not people.has_administrator
    assert people.check("Administrator", "") is None
    assert not (tmp_path / "people.json").exists()


def test_people_are_on_the_disk_for_the_panel_alone_and_without_their_pins(tmp_path: Path) -> None:
    people = people_in(tmp_path)
    _, code = people.first("Huber", PIN)
    people.add("Rossi", Role.REVIEWER, OTHER)
    path = tmp_path / "people.json"
    assert path.stat().st_mode & 0o777 == 0o600
    content = path.read_text()
    assert "$argon2id$" in content
    for secret in (PIN, OTHER, code, digits_of(code)):
        assert secret not in content
    again = people_in(tmp_path)
    assert [(person.name, person.role) for person in again.all()] == [
        ("Huber", "administrator"),
        ("Rossi", "reviewer"),
    ]
    assert again.check("huber", PIN) == again.named("HUBER")
    assert again.check("Huber", OTHER) is None
    assert again.check("Nobody", PIN) is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"people": [{"id": 1}]}', '{"people": [], "recovery": ""}'])
def test_a_damaged_file_of_people_is_no_new_box(tmp_path: Path, content: str) -> None:
    (tmp_path / "people.json").write_text(content)
    people = people_in(tmp_path)
    assert not people.is_readable
    with pytest.raises(PeopleUnreadable):
        people.first("Huber", PIN)
    assert (tmp_path / "people.json").read_text() == content


def test_a_full_disk_changes_no_person(tmp_path: Path) -> None:
    class Full(Files):
        full = False

        def _write(self, fd: int, data: bytes | memoryview) -> None:
            if self.full:
                raise OSError(28, "No space left on device")
            super()._write(fd, data)

    files = Full()
    people = people_in(tmp_path, files)
    person, _ = people.first("Huber", PIN)
    before = (tmp_path / "people.json").read_bytes()
    files.full = True
    with pytest.raises(DiskFull):
        people.set_pin(person.id, OTHER)
    assert people.check("Huber", PIN)
    assert [path.name for path in tmp_path.iterdir()] == ["people.json"]
    assert (tmp_path / "people.json").read_bytes() == before


def test_the_last_administrator_stays_one(tmp_path: Path) -> None:
    people = people_in(tmp_path)
    first, _ = people.first("Huber", PIN)
    with pytest.raises(AdministratorExists):
        people.first("Meier", OTHER)
    for change in (lambda: people.remove(first.id), lambda: people.set_role(first.id, Role.REVIEWER)):
        with pytest.raises(LastAdministrator):
            change()
    second = people.add("Meier", Role.ADMINISTRATOR, OTHER)
    people.remove(first.id)
    with pytest.raises(LastAdministrator):
        people.remove(second.id)


def test_two_people_never_have_the_same_name(tmp_path: Path) -> None:
    people = people_in(tmp_path)
    people.first("Müller", PIN)
    for name in ("müller", " MÜLLER ", "Mu\u0308ller"):
        with pytest.raises(NameTaken):
            people.add(name, Role.TECHNICIAN, OTHER)


@pytest.mark.parametrize("pin", ["", "12345", "000000", "123456", "654321", "1" * 65, "4029\n18", 402918, None])
def test_a_pin_that_anybody_would_try_first_is_not_taken(pin: object) -> None:
    with pytest.raises(BadValue):
        pin_of(pin)


def test_the_recovery_code_sets_a_new_pin_once(tmp_path: Path) -> None:
    people = people_in(tmp_path)
    _, code = people.first("Huber", PIN)
    people.add("Rossi", Role.TECHNICIAN, PIN)
    for name, wrong in (
        ("Huber", ""),
        ("Huber", "0" * 32),
        ("Rossi", code),
        ("Nobody", code),
        ("Huber", code[:-1]),
    ):
        with pytest.raises(WrongCode):
            people.recover(name, wrong, OTHER)
    _, second = people.recover("Huber", code.lower().replace("-", " "), OTHER)
    assert people.check("Huber", OTHER)
    assert people.check("Huber", PIN) is None
    with pytest.raises(WrongCode):
        people.recover("Huber", code, PIN)
    people.renew_code()
    with pytest.raises(WrongCode):
        people.recover("Huber", second, PIN)


def test_a_code_counts_as_written_down_when_its_last_characters_were_typed(tmp_path: Path) -> None:
    people = people_in(tmp_path)
    _, code = people.first("Huber", PIN)
    for wrong in ("", "0000" if not code.endswith("0000") else "1111", code):
        with pytest.raises(WrongCode):
            people.shown_code(wrong)
    assert people.shown_code(code[-4:].lower()) == code
    assert not people_in(tmp_path).recovery_confirmed
    people.confirm_code(code)
    assert people_in(tmp_path).recovery_confirmed
    assert json.loads((tmp_path / "people.json").read_text())["recovery_confirmed"] is True
    for again in (people.shown_code, people.confirm_code):
        with pytest.raises(WrongCode):
            again("")


def test_a_code_that_was_renewed_meanwhile_is_not_the_one_that_was_written_down(tmp_path: Path) -> None:
    people = people_in(tmp_path)
    _, code = people.first("Huber", PIN)
    people.renew_code()
    with pytest.raises(WrongCode):
        people.confirm_code(code)
    assert not people.recovery_confirmed


# --- sessions ------------------------------------------------------------------------------------------------


def test_a_session_ends_ten_minutes_after_the_last_touch() -> None:
    clock = FakeClock()
    sessions = Sessions(clock)
    token = sessions.begin("p1", Door.LAN)
    for _ in range(5):
        clock.move(599)
        assert sessions.find(token, Door.LAN, touch=True) == "p1"
    clock.move(599)
    assert sessions.find(token, Door.LAN) == "p1"  # looked at, not touched
    clock.move(1)
    assert sessions.find(token, Door.LAN, touch=True) is None


def test_a_session_ends_after_twelve_hours_however_busy_and_at_the_box_after_two() -> None:
    for door, longest in ((Door.LAN, 12 * 3600), (Door.FRONT, 2 * 3600)):
        clock = FakeClock()
        sessions = Sessions(clock)
        token = sessions.begin("p1", door)
        for _ in range(longest // 60 - 1):
            clock.move(60)
            assert sessions.find(token, door, touch=True) == "p1"
        clock.move(60)
        assert sessions.find(token, door, touch=True) is None


def test_a_session_counts_at_the_door_at_which_it_began() -> None:
    sessions = Sessions(FakeClock())
    assert sessions.find(sessions.begin("p1", Door.FRONT), Door.LAN) is None
    assert sessions.find(sessions.begin("p1", Door.LAN), Door.FRONT) is None


def test_tokens_are_long_differ_and_are_not_kept() -> None:
    sessions = Sessions(FakeClock())
    tokens = {sessions.begin(f"p{number}", Door.LAN) for number in range(50)}
    assert len(tokens) == 50
    assert {len(token) for token in tokens} == {64}
    assert not any(token in repr(sessions._open) for token in tokens)
    assert sessions.find(next(iter(tokens))[:-1], Door.LAN) is None


def test_who_is_changed_is_signed_out_everywhere_and_one_browser_alone_by_itself() -> None:
    sessions = Sessions(FakeClock())
    here, there, other = (sessions.begin(person, Door.LAN) for person in ("p1", "p1", "p2"))
    sessions.end(here)
    assert [sessions.find(each, Door.LAN) for each in (here, there, other)] == [None, "p1", "p2"]
    sessions.end_of("p1")
    assert [sessions.find(each, Door.LAN) for each in (there, other)] == [None, "p2"]


def test_signing_in_again_and_again_keeps_sixteen_browsers() -> None:
    clock = FakeClock()
    sessions = Sessions(clock)
    tokens = []
    for _ in range(20):
        clock.move(1)
        tokens.append(sessions.begin("p1", Door.LAN))
    assert [sessions.find(token, Door.LAN) is not None for token in tokens] == [False] * 4 + [True] * 16


# --- waiting ---------------------------------------------------------------------------------------------------


def test_each_wrong_pin_makes_the_next_one_wait_twice_as_long_up_to_a_minute() -> None:
    clock = FakeClock()
    waits = Waits(clock)
    seen = []
    for _ in range(9):
        seen.append(waits.wrong("Huber", "10.0.0.7"))
        assert waits.left("huber", "10.0.0.7") == pytest.approx(seen[-1])
        clock.move(seen[-1])
        assert waits.left("Huber", "10.0.0.7") == 0
    assert seen == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    waits.right("Huber", "10.0.0.7")
    assert waits.wrong("Huber", "10.0.0.7") == 1


def test_waiting_is_for_that_person_and_that_machine_alone() -> None:
    waits = Waits(FakeClock())
    for _ in range(5):
        waits.wrong("Huber", "10.0.0.7")
    assert waits.left("Huber", "10.0.0.8") == 0
    assert waits.left("Rossi", "10.0.0.7") == 0
    assert waits.left("Huber", "") == 0
    waits.wrong("Huber", "2001:db8::1")
    assert waits.left("Huber", "2001:db8::ffff:2") > 0  # one machine has them all
    assert waits.left("Huber", "2001:db8:0:1::1") == 0
    assert waits.left("Huber", "::ffff:10.0.0.7") > 0


def test_wrong_pins_of_the_morning_are_forgotten_at_noon() -> None:
    clock = FakeClock()
    waits = Waits(clock)
    for _ in range(8):
        clock.move(waits.wrong("Huber", "10.0.0.7"))
    clock.move(3600)
    assert waits.wrong("Huber", "10.0.0.7") == 1


def test_a_flood_of_names_fills_no_memory_and_frees_no_one_from_waiting_at_once() -> None:
    clock = FakeClock()
    waits = Waits(clock)
    for _ in range(7):
        clock.move(waits.wrong("Huber", "10.0.0.7"))
    waits.wrong("Huber", "10.0.0.7")
    for number in range(5000):
        waits.wrong(f"x{number}", "10.0.0.7")
    assert len(waits._wrong) == 4096
    assert waits.left("Huber", "10.0.0.7") > 0


# --- what names and addresses may be ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "fits"),
    [
        ("box.clinic.example", True),
        ("BOX.clinic.example", True),
        ("box.clinic.example.", True),
        ("us1.kis.example", True),
        ("10.0.0.5", True),
        ("192.168.7.7", True),
        ("evil.example", False),
        ("a.us1.kis.example", False),
        ("kis.example", False),
        ("box.clinic.example.evil.example", False),
        ("10.0.0.6", False),
        ("127.0.0.1", False),
        ("localhost", False),
        ("", False),
        (".", False),
    ],
)
def test_the_second_door_answers_to_its_certificate_and_to_the_address_that_was_called(
    host: str, *, fits: bool
) -> None:
    names = Names()
    names.certified = frozenset({"box.clinic.example", "*.kis.example", "10.0.0.5"})
    assert names.fit(host, "192.168.7.7") == fits


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "evil",
        "",
        "/sign-in?next=/",
        "//[",
    ],
)
def test_signing_in_leads_to_no_other_place(wanted: str) -> None:
    assert next_page(wanted, "/") == "/"


def test_signing_in_leads_to_the_page_that_was_wanted() -> None:
    assert next_page("/exam/3bd7cbffc7?x=1", "/") == "/exam/3bd7cbffc7?x=1"


def test_a_route_for_nobody_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="nobody"):
        permit()


# --- a panel that starts anew for a changed setting ------------------------------------------------------------


def test_who_is_signed_in_stays_so_when_the_panel_takes_a_changed_setting() -> None:
    clock = FakeClock()
    before, after = Sessions(clock), Sessions(clock)
    token = before.begin("p1", Door.FRONT)
    raw = before.hand_over()
    assert token.encode() not in raw
    clock.move(20)
    after.take_over(raw)
    assert after.find(token, Door.FRONT) == "p1"
    assert after.find(token, Door.LAN) is None


def test_what_is_handed_over_too_late_or_broken_signs_nobody_in() -> None:
    clock = FakeClock()
    sessions = Sessions(clock)
    token = sessions.begin("p1", Door.FRONT)
    raw = sessions.hand_over()
    clock.move(61)
    other_boot = raw.replace(clock.boot_id.encode(), b"another-boot")
    for handed in (raw, other_boot, b"", b"[]", b"{}", b'{"boot_id": 1, "at": 0, "sessions": [1]}'):
        successor = Sessions(clock)
        successor.take_over(handed)
        assert successor.find(token, Door.FRONT) is None
