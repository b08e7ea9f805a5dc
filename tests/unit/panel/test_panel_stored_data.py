"""The check of what is stored: what is wrong in people's words, how far it is, who it gives way to, how it ends."""

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from gateway.clock import FakeClock
from gateway.errors import ExamOpen
from gateway.panel.stored_data.checking import Phase, Seen, StoredData
from gateway.panel.stored_data.troubles import FEW, TROUBLES
from gateway.panel.work import Work
from gateway.spool.opening import open_spool
from gateway.spool.spool import Spool
from tests.memory import folder_in_memory
from tests.unit.panel.conftest import Bench, with_index
from tests.unit.panel.settings_desk import with_settings
from tests.unit.spool.values import store, subject

PATH = "/service/stored-data"


@pytest.fixture
def spool() -> Iterator[Spool]:
    with folder_in_memory() as folder:
        spool = open_spool(with_index(folder / "data"), clock=FakeClock())
        yield spool
        spool.close()


def with_pictures(spool: Spool, count: int) -> list[Any]:
    """Return the media of an exam that ended."""
    exam, _ = spool.exams.open(subject())
    found = [store(spool, exam, number) for number in range(1, count + 1)]
    spool.exams.finish(exam.id)
    return [spool.layout.media(exam.id, each.media) for each in found]


def checked(spool: Spool, person: str = "") -> Seen:
    stored_data = StoredData(spool)
    stored_data.begin(person)
    stored_data.turn()
    seen = stored_data.seen()
    assert seen
    return seen


def noted(spool: Spool, what: str) -> list[dict[str, Any]]:
    return list(spool.audit.lately(what))


def test_everything_is_read_and_is_as_it_was_stored(spool: Spool) -> None:
    with_pictures(spool, 3)
    seen = checked(spool, "Huber")
    assert (seen.phase, seen.pictures, seen.of, seen.troubles) == (Phase.ENDED, 3, 3, ())
    assert [line["person"] for line in noted(spool, "stored-data-check")] == ["Huber"]
    assert [(line["lines"], line["fault"]) for line in noted(spool, "audit-verified")] == [(seen.lines, 0)]


def test_a_picture_that_rotted_and_an_audit_file_that_was_changed_are_told(spool: Spool) -> None:
    media = with_pictures(spool, 2)
    media[1].write_bytes(b"rot")
    for number in (3, 4, 5):
        spool.audit.note("capture-rejected", by="panel", capture=f"1.2.{number}")
    spool.layout.audit.write_bytes(spool.layout.audit.read_bytes().replace(b"1.2.4", b"1.2.9"))
    audit, picture = checked(spool).troubles
    assert (audit.code, audit.count, audit.places[0].name) == ("audit-changed", 1, "audit.jsonl:2")
    assert (picture.code, picture.places[0].name) == ("spool-damaged", f"{media[1].parent.name}/{media[1].name}")
    assert all((audit.what, audit.safe, audit.action, picture.what, picture.safe, picture.action))
    assert noted(spool, "audit-verified")[0]["fault"]


def test_of_thousands_of_troubles_a_few_are_named_and_all_are_counted(spool: Spool) -> None:
    for media in with_pictures(spool, FEW + 5):
        media.unlink()
    (trouble,) = checked(spool).troubles
    assert (trouble.code, trouble.count, len(trouble.places)) == ("file-missing", FEW + 5, FEW)


def test_pictures_are_read_though_the_audit_file_cannot_be(spool: Spool) -> None:
    with_pictures(spool, 2)
    spool.layout.audit.unlink(missing_ok=True)
    spool.layout.audit.mkdir()
    seen = checked(spool)
    assert (seen.phase, seen.pictures, [each.code for each in seen.troubles]) == (
        Phase.ENDED,
        2,
        ["file-unreadable"],
    )


def test_an_index_that_is_damaged_ends_it_and_it_is_not_called_well(spool: Spool) -> None:
    with spool.database.write() as connection:
        connection.execute("PRAGMA user_version = 0")
    seen = checked(spool)
    assert (seen.phase, [each.code for each in seen.troubles]) == (Phase.STOPPED, ["spool-damaged"])


def test_it_is_not_begun_while_an_exam_is_open(spool: Spool) -> None:
    spool.exams.open(subject())
    with pytest.raises(ExamOpen):
        StoredData(spool).begin("")
    assert not noted(spool, "stored-data-check")


def test_it_outlives_its_process_and_one_that_ran_then_has_ended(spool: Spool) -> None:
    with_pictures(spool, 2)
    first = checked(spool)
    assert StoredData(spool).seen() == first
    kept = json.loads(spool.layout.stored_data.read_bytes())
    spool.layout.stored_data.write_text(json.dumps({**kept, "phase": "pictures", "rests": True}))
    after = StoredData(spool).seen()
    assert after
    assert (after.phase, after.rests) == (Phase.STOPPED, False)
    for text in ("rubbish", "[]", "{}", '{"troubles": [{"other": 1}]}', '{"troubles": [], "phase": "other"}'):
        spool.layout.stored_data.write_text(text)
        assert StoredData(spool).seen() is None


def test_every_trouble_says_whether_the_work_is_safe_and_what_to_do() -> None:
    assert all(text.endswith(".") for texts in TROUBLES.values() for text in texts)


def until(what: str, true: Callable[[], Any]) -> Any:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if found := true():
            return found
        time.sleep(0.01)
    raise AssertionError(what)


def phase(box: Bench) -> str:
    return str(box.get(PATH)["stored_data"]["phase"])


def test_the_screen_begins_it_and_says_how_it_ended(bench: Bench) -> None:
    box = with_settings(bench)
    assert PATH in box.client.get("/service/self-test").text
    assert box.get(PATH)["stored_data"] is None
    assert "every picture" in box.client.get(PATH).raise_for_status().text
    exam = box.open_exam()
    box.refused(PATH, {"do": "begin"}, 409, "exam-open")
    uid = box.still(exam)
    box.post(f"/exams/{exam}/finish")
    box.post(PATH, {"do": "begin"})
    until("its end", lambda: phase(box) == "ended")
    assert "Everything is as it was stored." in box.client.get(PATH).text
    box.spool.layout.sidecar(exam, uid).write_bytes(b"{}")
    box.post(PATH, {"do": "begin"})
    until("its end", lambda: phase(box) == "ended")
    page = box.client.get(PATH).text
    assert "Everything is as it was stored." not in page
    assert f"{exam}/{uid}.json" in page
    assert "MEIER" not in page
    assert "spool-damaged" in page
    box.refused(PATH, {"do": "other"}, 422, "bad-value")


def test_it_rests_while_an_exam_is_open_and_goes_on_afterwards(spool: Spool) -> None:
    with_pictures(spool, 2)
    with begun_before_an_exam(spool) as (stored_data, exam):
        until("its rest", lambda: now(stored_data).rests)
        assert now(stored_data).pictures == 0
        spool.exams.finish(exam)
    assert (now(stored_data).phase, now(stored_data).pictures) == (Phase.ENDED, 2)


def test_a_person_ends_it_also_while_it_rests(spool: Spool) -> None:
    with_pictures(spool, 2)
    with begun_before_an_exam(spool) as (stored_data, _):
        until("its rest", lambda: now(stored_data).rests)
        stored_data.stop()
    assert (now(stored_data).phase, now(stored_data).rests, now(stored_data).troubles) == (Phase.STOPPED, False, ())
    assert StoredData(spool).seen() == now(stored_data)


@contextmanager
def begun_before_an_exam(spool: Spool) -> Iterator[tuple[StoredData, str]]:
    """Begin a look, open an exam, let the look run; it has ended behind this."""
    stored_data = StoredData(spool)
    stored_data.begin("")
    exam, _ = spool.exams.open(subject())
    thread = threading.Thread(target=stored_data.turn)
    thread.start()
    yield stored_data, exam.id
    thread.join(20)
    assert not thread.is_alive()


def now(stored_data: StoredData) -> Seen:
    seen = stored_data.seen()
    assert seen
    return seen


def test_what_takes_long_gives_way() -> None:
    work = Work()
    assert asyncio.run(work.slowly(lambda: os.nice(0))) == 10
    work.close()
