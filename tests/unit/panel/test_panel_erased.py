"""An exam that was erased under the panel: every call and page says so, and nothing of it is kept in memory."""

import asyncio
from pathlib import Path

import pytest

from gateway.errors import SpoolDamaged
from gateway.panel.live.changes import Changes
from gateway.panel.live.hub import Hub
from gateway.panel.live.recorder import Recorder
from gateway.panel.pictures.small import Pictures
from gateway.panel.work import Work
from gateway.spool.erasure import erasable, erasing
from tests.unit.panel.conftest import Bench, seal

CALLS = ("/thumbnail", "/image", "/frames/1", "/media", "/dicom")


def erase(bench: Bench, exam: str) -> None:
    assert erasing.erase(bench.spool, erasable.loss(bench.spool, exam, []), by="command-line", servers=())


@pytest.fixture
def exam(bench: Bench) -> str:
    """A finished exam with a sealed still that was looked at."""
    exam = bench.open_exam()
    uid = bench.still(exam)
    bench.post(f"/exams/{exam}/finish")
    bench.spool.exams.release(exam)
    seal(bench, exam, uid)
    assert bench.client.get(f"/api/v1/captures/{uid}/thumbnail").status_code == 200
    return exam


def test_an_erased_exam_and_its_pictures_are_not_found_by_any_call(bench: Bench, exam: str) -> None:
    (listed,) = bench.spool.captures.of_exam(exam)
    uid = listed.capture.sop_instance_uid
    erase(bench, exam)
    for call in CALLS:
        assert bench.get(f"/captures/{uid}{call}", status=404)["code"] == "not-found"
    assert bench.get(f"/exams/{exam}", status=404)["code"] == "not-found"
    for what in ("confirm", "reopen", "finish"):
        bench.refused(f"/exams/{exam}/{what}", {}, 404, "not-found")
    for page in (f"/exam/{exam}", f"/picture/{uid}", f"/finish/{exam}"):
        answer = bench.client.get(page, follow_redirects=False)
        assert answer.status_code in {303, 404}
        assert "MEIER" not in answer.text
    assert bench.get("/exams")["exams"] == []
    assert bench.get("/deliveries")["deliveries"] == []
    assert bench.client.get("/").status_code == bench.client.get("/delivery").status_code == 200


def test_a_picture_that_goes_between_two_looks_is_not_found(bench: Bench, exam: str) -> None:
    (listed,) = bench.spool.captures.of_exam(exam)
    bench.spool.layout.exam(exam).rename(bench.spool.layout.erased(exam))
    uid = listed.capture.sop_instance_uid
    assert bench.get(f"/captures/{uid}/dicom", status=404)["code"] == "not-found"
    bench.refused(f"/exams/{exam}/reopen", {}, 404, "not-found")


def test_the_panel_keeps_no_thumbnail_of_an_erased_exam(bench: Bench, exam: str, tmp_path: Path) -> None:
    (listed,) = bench.spool.captures.of_exam(exam)
    work, pictures = Work(), Pictures(bench.spool)
    recorder = Recorder(tmp_path / "nobody.sock", lambda: None)
    changes = Changes(spool=bench.spool, pictures=pictures, work=work, hub=Hub(), recorder=recorder, poll_s=0)

    async def looked_at() -> None:
        await changes.step()
        pictures.thumbnail(listed.capture)
        erase(bench, exam)
        assert pictures.thumbnail(listed.capture)  # it is in memory
        await changes.step()
        with pytest.raises(SpoolDamaged):
            pictures.thumbnail(listed.capture)

    asyncio.run(looked_at())
    work.close()
