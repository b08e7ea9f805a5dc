"""What a test asks of a box that nobody set up yet: the fixture `new`."""

import html
import tomllib
from typing import Any

from gateway.spool.processes import trials
from gateway.spool.processes.trials import Line
from tests.unit.panel.conftest import Bench

PIN = "402918"


def answer(bench: Bench, step: str, **values: Any) -> Any:
    return bench.client.post("/api/v1/first-start/answer", json={"step": step, "values": values})


def draft(bench: Bench, step: str, **values: Any) -> Any:
    return bench.client.post("/api/v1/first-start/draft", json={"step": step, "values": values})


def file_of(bench: Bench) -> dict[str, Any]:
    return tomllib.loads((bench.settings.station.data_dir / "scopegate.toml").read_text())


def plain(text: str) -> str:
    return html.unescape(text)


def state(bench: Bench) -> dict[str, Any]:
    found: dict[str, Any] = bench.client.get("/api/v1/first-start").json()
    return found


def tried(bench: Bench, table: str, line: Line) -> None:
    """Try the entry of the file, and let the trial end with this line."""
    body = {"table": table, "values": file_of(bench)[table][0]}
    bench.client.post("/api/v1/trials", json=body).raise_for_status()
    bench.spool.requests.done(bench.spool.requests.begin(trials.REQUEST), {"lines": [line.to_json()]})


def page(bench: Bench, path: str) -> str:
    """Return where a page ends, after its redirections."""
    return str(bench.client.get(path).request.url.path)
