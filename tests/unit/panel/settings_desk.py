"""A box whose settings somebody changes: its file, who may, and a change as the API takes it."""

import base64
from typing import Any

import httpx2

from tests.unit.panel.conftest import Bench

PIN = "402918"
WRITTEN = """\
# by the clinic's IT
[station]
name = "US-ROOM-2"

[[source]]
name = "ultrasound"
device = "pattern:ultrasound"
modality = "US"

[[trigger]]
kind = "input"
device = "usb:1-1.4"
source = "ultrasound"
still = "key:F1"

[[destination]]
name = "pacs"
ae_title = "PACS"
host = "127.0.0.1"
port = 11114
"""


def config(bench: Bench) -> Any:
    return bench.settings.station.data_dir / "scopegate.toml"


def revision(bench: Bench) -> str:
    return str(bench.client.get("/api/v1/settings/state").raise_for_status().json()["revision"])


def asked(bench: Bench, path: str, *changes: dict[str, Any]) -> httpx2.Response:
    body = {"changes": list(changes), "revision": revision(bench)}
    return bench.client.post(f"/api/v1/settings/{path}", json=body)


def put(*place: str | int, value: object) -> dict[str, Any]:
    return {"place": list(place), "value": value}


def with_settings(bench: Bench) -> Bench:
    """Return the box with a file of its own, before which somebody with the PIN stands."""
    config(bench).write_text(WRITTEN)
    bench.client.post("/api/v1/people/first", json={"name": "Huber", "pin": PIN}).raise_for_status()
    return bench


def sent(raw: bytes) -> str:
    """Return a file of settings as a page sends it."""
    return base64.b64encode(raw).decode()
