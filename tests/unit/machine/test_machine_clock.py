"""Whether the clock is believed, what sets it by hand, and what is told of clock and network."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.clock import FakeClock
from gateway.errors import MachineRequest
from gateway.machine.clock import state as clock_state
from gateway.machine.clock.by_hand import set_battery, set_clock, wanted
from gateway.machine.clock.state import HAND, NOBODY, NTP, RTC, ClockState, Tracking, judged, tracking
from gateway.machine.settings import turns
from gateway.machine.settings.applying import Applying, Places
from gateway.machine.status import BY_HAND, Status, built
from tests.unit.machine.conftest import Programs

# As chronyc 4.6 prints them.
FOLLOWS = (
    "C0A80001,10.0.0.1,3,1795769423.042703161,0.000012,-0.000004,0.000031,-12.3,0.001,0.02,0.003,0.0005,64.2,"
    "Normal\n"
)
ALONE = "7F7F0101,,0,0.000000000,0.000000000,0.000000000,0.000000000,0.0,0.0,0.0,1.0,1.0,0.0,Not synchronised\n"
BUILT = datetime(2026, 11, 1, tzinfo=UTC)


def test_chrony_says_whom_it_follows() -> None:
    assert tracking(FOLLOWS) == Tracking(server="10.0.0.1", stratum=3, offset_s=0.000012)
    for said in (ALONE, "", "506 Cannot talk to daemon\n", FOLLOWS.replace(",3,", ",x,"), FOLLOWS[:40]):
        assert tracking(said) is None, said


@pytest.mark.parametrize(
    ("words", "plausible"),
    [
        (str(int((BUILT + timedelta(days=3)).timestamp())), True),
        (str(int((BUILT - timedelta(days=1)).timestamp())), False),  # its battery is empty: it began anew
        ("946684800", False),
        ("4102444800", False),  # 2100
        ("", False),  # there is none
        ("x", False),
        ("9" * 30, False),
    ],
)
def test_a_battery_clock_counts_when_its_time_can_be(words: str, plausible: bool) -> None:  # noqa: FBT001
    assert clock_state.is_plausible(clock_state.of_epoch(words), BUILT) is plausible


@pytest.mark.parametrize(
    ("follows", "before", "battery", "by_hand", "by"),
    [
        (None, None, False, False, NOBODY),
        (None, None, True, False, RTC),
        (Tracking(server="s", stratum=1, offset_s=0.0), None, False, False, NTP),
        (Tracking(server="s", stratum=1, offset_s=0.0), None, False, True, NTP),
        (None, None, False, True, HAND),
        (None, ClockState(by=NTP), False, False, NTP),  # its server went since
        (None, ClockState(by=NOBODY), False, False, NOBODY),
    ],
)
def test_a_clock_is_believed_once_somebody_set_it(
    follows: Tracking | None,
    before: ClockState | None,
    battery: bool,  # noqa: FBT001
    by_hand: bool,  # noqa: FBT001
    by: str,
) -> None:
    found = judged(follows=follows, before=before, battery=battery, by_hand=by_hand)
    assert (found.by, found.trusted) == (by, by != NOBODY)


# --- by hand ----------------------------------------------------------------------------------------------------


def test_a_time_that_can_be_is_set_on_the_machine_then_on_its_battery_clock() -> None:
    order: list[tuple[str, datetime]] = []
    to = wanted(b"2026-11-27T09:30:00Z\n", BUILT)
    set_clock(
        to, machine=lambda at: order.append(("machine", at)), battery=lambda at: order.append(("battery", at))
    )
    assert order == [("machine", datetime(2026, 11, 27, 9, 30, tzinfo=UTC)), ("battery", to)]


def test_a_battery_clock_that_is_not_there_or_does_not_work_is_no_end(tmp_path: Path) -> None:
    no_clock = tmp_path / "rtc0"
    no_clock.write_bytes(b"")  # which the kernel answers with ENOTTY
    for device in (tmp_path / "none", no_clock):
        set_battery(BUILT, device)


@pytest.mark.parametrize(
    "raw", [b"", b"now", b"2026-10-01T00:00:00Z", b"2101-01-01T00:00:00Z", b"2026-13-01T00:00:00Z", b"\xff"]
)
def test_a_time_that_cannot_be_is_refused(raw: bytes) -> None:
    with pytest.raises(MachineRequest):
        wanted(raw, BUILT)


# --- what is told -----------------------------------------------------------------------------------------------

ADDRESSES = [
    {"ifname": "lo", "address": "00:00:00:00:00:00", "addr_info": []},
    {
        "ifname": "enp1s0",
        "address": "52:54:00:12:34:56",
        "addr_info": [
            {"family": "inet", "local": "10.1.2.3", "prefixlen": 24, "scope": "global"},
            {"family": "inet6", "local": "fe80::1", "prefixlen": 64, "scope": "link"},
        ],
    },
]


@pytest.fixture
def status(places: Places, programs: Programs, tmp_path: Path) -> Status:
    image, battery = tmp_path / "image", tmp_path / "since_epoch"
    image.touch()
    os.utime(image, (BUILT.timestamp(), BUILT.timestamp()))
    port = tmp_path / "sys/enp1s0"
    (port / "device").mkdir(parents=True)
    (port / "type").write_text("1")
    (port / "carrier").write_text("1")
    (places.told / "applied.json").write_text(json.dumps({"port": "enp1s0", "method": "dhcp", "until_ns": 0}))
    programs.said = {
        "ip -j address": json.dumps(ADDRESSES),
        "ip -j route": json.dumps([{"dst": "default", "gateway": "10.1.2.1", "dev": "enp1s0"}]),
        "ip -j neigh": json.dumps([{"dst": "10.1.2.1", "dev": "enp1s0", "state": ["REACHABLE"]}]),
        "chronyc": ALONE,
    }
    (places.run / "systemd/netif/state").write_text("DNS=10.1.2.2#dns.example 10.1.2.9\n")
    return Status(
        places=places, programs=programs, clock=FakeClock(), image=image, battery=battery, sys=tmp_path / "sys"
    )


def told(places: Places, name: str) -> dict[str, object]:
    path = places.told / f"{name}.json"
    assert path.stat().st_mode & 0o777 == 0o644
    return dict(json.loads(path.read_text()))


def test_a_box_without_a_battery_clock_says_that_nobody_set_its_clock(status: Status, places: Places) -> None:
    status.look()
    assert {"trusted": False, "by": NOBODY}.items() <= told(places, "clock").items()


def test_a_server_or_a_person_sets_it(status: Status, places: Places, programs: Programs) -> None:
    (places.told / BY_HAND).touch()
    status.clock()
    assert {"trusted": True, "by": HAND}.items() <= told(places, "clock").items()
    programs.said["chronyc"] = FOLLOWS
    status.clock()
    assert {"by": NTP, "server": "10.0.0.1"}.items() <= told(places, "clock").items()
    programs.fail = {"chronyc"}
    status.clock()
    assert {"by": NTP, "server": ""}.items() <= told(places, "clock").items()


def test_whether_there_is_a_server_to_follow_is_told(status: Status, places: Places, programs: Programs) -> None:
    programs.said = {"chronyc -h 127.0.0.1 -c sources": "", "chronyc -h 127.0.0.1 -c tracking": ALONE}
    status.clock()
    assert told(places, "clock")["servers"] is False
    programs.said["chronyc -h 127.0.0.1 -c sources"] = "^,?,10.0.0.1,0,6,0,4294967295,0.0,0.0,0.0"
    status.clock()
    assert told(places, "clock")["servers"] is True
    programs.fail = {"chronyc"}
    status.clock()
    assert told(places, "clock")["servers"] is True


def test_the_state_of_the_network_is_told(status: Status, places: Places, programs: Programs) -> None:
    status.network()
    assert {
        "addresses": ["10.1.2.3/24"],
        "gateway": "10.1.2.1",
        "gateway_state": "answers",
        "hardware": "52:54:00:12:34:56",
        "cable": True,
        "method": "dhcp",
        "dns": ["10.1.2.2", "10.1.2.9"],
        "port_access": "",
    }.items() <= told(places, "network").items()
    programs.said["ip -j neigh"] = json.dumps([{"dst": "10.1.2.1", "dev": "enp1s0", "state": ["FAILED"]}])
    status.network()
    assert told(places, "network")["gateway_state"] == "silent"


def test_a_program_that_says_nothing_or_nonsense_is_no_end(
    status: Status, places: Places, programs: Programs
) -> None:
    programs.fail = {"ip", "chronyc"}
    status.look()
    programs.fail = set()
    programs.said = {"ip": "{not json", "chronyc": "?"}
    status.look()
    assert {"addresses": [], "gateway_state": "unknown"}.items() <= told(places, "network").items()


def test_settings_that_changed_unnoticed_are_asked_for_again_but_in_no_trial(
    status: Status, places: Places, applying: Applying
) -> None:
    assert turns.apply_file(applying)
    places.machine.write_text("[network]\nvlan = 20\n")
    turns.say(places.told, applying.text(b"", ""), until_ns=60)
    status.look()
    assert not (places.told / turns.AGAIN).exists()
    turns.say(places.told, applying.text(b"", ""), until_ns=0)
    status.look()
    assert (places.told / turns.AGAIN).exists()


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("Supplicant PAE state=AUTHENTICATED\nsuppPortStatus=Authorized\nEAP state=SUCCESS\n", "lets-in"),
        ("Supplicant PAE state=AUTHENTICATED\nsuppPortStatus=Authorized\nEAP state=IDLE\n", "asks"),
        ("Supplicant PAE state=HELD\nsuppPortStatus=Unauthorized\nEAP state=FAILURE\n", "refuses"),
        ("", "asks"),
    ],
)
def test_how_the_switch_answers_is_told(
    status: Status, places: Places, programs: Programs, said: str, state: str
) -> None:
    (places.run / "scopegate-port-access/control").mkdir(parents=True)
    programs.said["wpa_cli"] = said
    status.network()
    assert told(places, "network")["port_access"] == state


def test_when_the_image_was_built_is_the_time_of_its_files(tmp_path: Path) -> None:
    assert built(tmp_path / "none") == datetime(1970, 1, 1, tzinfo=UTC)
