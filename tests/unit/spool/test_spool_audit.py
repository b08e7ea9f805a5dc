"""The audit file: one durable line an act, and a torn line is kept, not lost."""

import hashlib
import json
import threading

import pytest

from gateway.spool.spool import Spool


def lines(spool: Spool) -> list[dict[str, object]]:
    return [json.loads(line) for line in spool.layout.audit.read_text().splitlines()]


def test_every_act_becomes_one_line(spool: Spool) -> None:
    spool.audit.note("exam-finished", by="panel", exam="e1")
    spool.audit.note("capture-rejected", by="panel", exam="e1", captures=2)
    assert [entry["what"] for entry in lines(spool)] == ["exam-finished", "capture-rejected"]
    first, _ = spool.layout.audit.read_bytes().splitlines(keepends=True)
    assert lines(spool)[1] == {
        "utc": "2026-11-21T09:00:00+00:00",
        "what": "capture-rejected",
        "by": "panel",
        "exam": "e1",
        "captures": 2,
        "line": 2,
        "before": hashlib.sha256(first).hexdigest(),
    }


@pytest.mark.parametrize("torn", [b'{"utc": "2026', b"\0" * 30, b"{"])
def test_a_line_torn_by_a_power_cut_is_moved_aside_and_recorded(spool: Spool, torn: bytes) -> None:
    spool.audit.note("exam-opened", by="panel", exam="e1")
    with spool.layout.audit.open("ab") as file:
        file.write(torn)
    spool.audit.note("exam-finished", by="panel", exam="e1")
    assert [entry["what"] for entry in lines(spool)] == ["exam-opened", "audit-line-torn", "exam-finished"]
    (aside,) = spool.layout.root.glob("audit.torn-*")
    assert aside.read_bytes() == torn
    assert lines(spool)[1]["kept_in"] == aside.name
    assert spool.audit.verify().fault is None


def test_acts_of_several_threads_never_share_a_line(spool: Spool) -> None:
    def note(number: int) -> None:
        for _ in range(5):
            spool.audit.note("exam-finished", by=f"thread-{number}")

    threads = [threading.Thread(target=note, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lines(spool)) == 20
    assert spool.audit.verify().fault is None
