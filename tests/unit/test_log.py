"""The lines of the log for programs: one JSON object each, whatever is in it."""

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.log import AsJson, event, keep_in, to_stderr, warn

_log = logging.getLogger("test.log")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Put the handlers back that pytest has."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:], root.level = handlers, level


def test_an_event_is_one_object_in_one_line_with_its_values_as_they_are(tmp_path: Path) -> None:
    _log.setLevel(logging.INFO)
    keep_in(tmp_path, "forward", as_json=True)
    event(_log, "delivered", destination="pacs", count=3, at=Path("/a"), why='two\nlines "quoted" \N{SNOWMAN}')
    warn(_log, "refused", code="")
    first, second = map(json.loads, (tmp_path / "forward.log").read_text(encoding="utf-8").splitlines())
    assert first.pop("time").endswith("+00:00")
    assert first == {
        "level": "INFO",
        "process": "forward",
        "logger": "test.log",
        "event": "delivered",
        "fields": {"destination": "pacs", "count": 3, "at": "/a", "why": 'two\nlines "quoted" \N{SNOWMAN}'},
    }
    assert (second["level"], second["event"], second["fields"]) == ("WARNING", "refused", {"code": ""})
    assert "\N{SNOWMAN}" in (tmp_path / "forward.log").read_text(
        encoding="utf-8"
    )  # as somebody would search for it


def test_what_a_library_says_is_a_message_and_the_text_of_its_failure_is_left_out() -> None:
    try:
        int("Kanarienvogel")
    except ValueError:
        failed = logging.LogRecord("asyncio", logging.ERROR, "", 0, "task %s", ("ended",), sys.exc_info())
    said = json.loads(AsJson("panel").format(failed))
    assert (said["message"], said["error"], said["level"]) == ("task ended", "ValueError", "ERROR")
    assert "Kanarienvogel" not in str(said)


def test_lines_are_for_people_unless_somebody_wants_them_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    to_stderr("capture")
    event(_log, "started", source="us")
    to_stderr("capture", as_json=True)
    event(_log, "started", source="us")
    text, objects = capsys.readouterr().err.splitlines()
    assert text == "capture INFO test.log started source=us"
    assert json.loads(objects)["fields"] == {"source": "us"}
