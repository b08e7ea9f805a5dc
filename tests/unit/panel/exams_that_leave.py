"""A panel with exams that leave it: what forward says of itself, an exam that ended."""

from datetime import timedelta
from typing import Any

from gateway.spool.processes.live import LiveState
from tests.unit.panel.conftest import Bench, seal


def said_of_forward(bench: Bench, **said: Any) -> None:
    folder = bench.settings.station.runtime_dir
    LiveState(folder=folder, process="forward", files=bench.spool.files, clock=bench.clock).write(said)


def paused(bench: Bench, *, minutes: float, code: str = "unreachable", **more: Any) -> None:
    since = (bench.clock.utc() - timedelta(minutes=minutes)).isoformat()
    line = {"name": "pacs", "state": "paused", "code": code, "what": "The archive pacs does not answer."}
    said_of_forward(
        bench,
        destinations=[{**line, "action": "", "since": since, "attempt": 3, "next_attempt_in_s": 40, **more}],
    )


def move(bench: Bench, destination: str = "pacs", **values: str | int) -> None:
    with bench.spool.database.write() as connection:
        columns = ", ".join(f"{name} = :{name}" for name in values)
        connection.execute(
            f"UPDATE delivery SET {columns} WHERE destination = :to",
            {**values, "to": destination},
        )


def sealed_exam(bench: Bench, pictures: int = 2, *destinations: str) -> str:
    exam = bench.open_exam()
    for uid in [bench.still(exam) for _ in range(pictures)]:
        seal(bench, exam, uid, destinations or ("pacs", "backup"))
    bench.post(f"/exams/{exam}/finish")
    bench.spool.exams.release(exam)
    return exam
