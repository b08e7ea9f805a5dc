"""What is plugged into an appliance, on the screen: seen, let in before the box, put out; not on a PC."""

import json

import httpx2
import pytest

from tests.unit.panel.conftest import Bench
from tests.unit.panel.settings_desk import with_settings

WAITS = {
    "key": "0c45:7403 @1-1.4", "port": "1-1.4", "identity": "0c45:7403", "name": "PCsensor FootSwitch",
    "uses": ["input"], "state": "waits", "types": True, "listed": False, "pedal": False,
}  # fmt: skip
LISTED = {**WAITS, "key": "0c2e:0200 A1", "name": "Honeywell Scanner", "state": "in", "listed": True}
OUT = {**WAITS, "key": "0bda:8153 @1-2", "name": "", "identity": "0bda:8153", "uses": [], "state": "out"}


def says(bench: Bench, *devices: dict[str, object]) -> None:
    where = bench.settings.station.data_dir.parent / "says"
    where.mkdir(exist_ok=True)
    (where / "usb.json").write_text(json.dumps({"devices": devices}))


@pytest.fixture
def box(bench: Bench) -> Bench:
    """An appliance, before which an administrator stands."""
    says(bench, OUT, LISTED, WAITS)
    return with_settings(bench)


def wish(bench: Bench) -> object:
    path = bench.settings.station.runtime_dir / "usb"
    return json.loads(path.read_text()) if path.exists() else None


def ask(client: httpx2.Client, do: str, device: str) -> httpx2.Response:
    return client.post("/api/v1/devices/usb", json={"do": do, "device": device})


def page(client: httpx2.Client, path: str = "/machine/usb") -> str:
    return client.get(path).raise_for_status().text


def test_root_is_asked_to_let_in_what_waits_and_to_put_out_what_is_in(box: Bench) -> None:
    for do, device in (("let-in", WAITS["key"]), ("put-out", LISTED["key"])):
        assert ask(box.client, do, str(device)).status_code == 200
        assert wish(box) == {"do": do, "device": device}
    noted = [json.loads(line) for line in box.spool.layout.audit.read_text().splitlines()]
    assert [(each["what"], each["device"]) for each in noted if each["what"].startswith("usb-")] == [
        ("usb-let-in", WAITS["key"]),
        ("usb-put-out", LISTED["key"]),
    ]


@pytest.mark.parametrize(
    ("do", "device", "status"),
    [
        ("let-in", LISTED["key"], 409),
        ("let-in", OUT["key"], 409),
        ("put-out", WAITS["key"], 409),
        ("let-in", "1234:5678 @1-9", 409),
        ("all", WAITS["key"], 422),
        ("let-in", "", 422),
    ],
)
def test_nothing_else_reaches_root(box: Bench, do: str, device: str, status: int) -> None:
    assert ask(box.client, do, device).status_code == status
    assert wish(box) is None


def test_the_page_says_of_each_device_what_it_may_and_what_waits_comes_first(box: Bench) -> None:
    text = page(box.client)
    assert text.index("PCsensor FootSwitch") < text.index("Honeywell Scanner") < text.index("0bda:8153")
    assert text.count("Touch again to let it in") == text.count("Touch again to put it out") == 1
    assert "It stays out: this box has no use for it." in text


def test_a_pedal_that_waits_is_let_in_where_it_is_learned(box: Bench) -> None:
    text = page(box.client, "/settings/pedals/trigger/learn")
    assert text.count("Touch again to let it in") == 1
    assert "Honeywell" not in text
    says(box, LISTED)
    assert "Touch again to let it in" not in page(box.client, "/settings/pedals/trigger/learn")


def test_on_a_pc_everything_is_its_administrators(bench: Bench) -> None:
    with_settings(bench)
    assert ask(bench.client, "let-in", str(WAITS["key"])).json()["code"] == "no-usb"
    assert bench.client.get("/api/v1/devices/usb").json() == {"devices": None}
    assert "Only an appliance says it here." in page(bench.client)
