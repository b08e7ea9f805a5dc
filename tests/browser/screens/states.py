"""What boxes have in common on several screens: exams, objects that wait, what forward says of itself."""

from datetime import timedelta
from typing import Any

from gateway.clock import Clock
from gateway.model import Exam, Identity, Patient
from gateway.spool.processes.live import LiveState
from gateway.spool.subjects import Subject
from tests.browser.conftest import Box
from tests.unit.panel.conftest import seal
from tests.unit.panel.fake_capture import START

LONG = "Wolfeschlegelsteinhausenbergerdorff-Schönbrunn^Maria-Theresia"


def exam(box: Box, pictures: int = 0, *, name: str = "Meier^Anna", identity: Identity = Identity.TYPED) -> Exam:
    patient = Patient(name=name, id="4711-0815", birth_date="19680314", sex="F")
    if identity is Identity.TEMPORARY:
        patient = Patient(name="EMERG-US-ROOM-2-261126-K7Q2", id="EMERG-US-ROOM-2-261126-K7Q2")
    opened, _ = box.spool.exams.open(Subject(identity=identity, patient=patient))
    for _ in range(pictures):
        box.capture.store(opened, frame=START + 1)
    return opened


def said_of_forward(box: Box, **said: Any) -> None:
    folder = box.settings.station.runtime_dir
    LiveState(folder=folder, process="forward", files=box.spool.files, clock=Clock()).write(said)


def sealed(box: Box, pictures: int = 3, name: str = "Meier^Anna") -> Exam:
    """Return an exam that ended, and whose objects wait for both archives."""
    opened = exam(box, pictures, name=name)
    box.spool.exams.finish(opened.id)
    box.spool.exams.release(opened.id)
    for listed in box.spool.captures.of_exam(opened.id):
        seal(box, opened.id, listed.capture.sop_instance_uid)
    return opened


def set_deliveries(box: Box, destination: str, **values: str | int) -> None:
    with box.spool.database.write() as connection:
        columns = ", ".join(f"{name} = :{name}" for name in values)
        connection.execute(
            f"UPDATE delivery SET {columns} WHERE destination = :to",
            {**values, "to": destination},
        )


def away(box: Box, minutes: int) -> None:
    since = (box.spool.clock.utc() - timedelta(minutes=minutes)).isoformat()
    what = "The archive pacs did not answer: no machine answered at 127.0.0.1:11114."
    line = {"name": "pacs", "state": "paused", "code": "unreachable", "what": what, "action": "", "since": since}
    said_of_forward(box, destinations=[{**line, "attempt": 3, "next_attempt_in_s": 40}])
    reason = {"reason": what, "code": "unreachable", "attempts": 3}
    set_deliveries(box, "pacs", next_attempt_ns=box.spool.clock.utc_ns() + 3_600_000_000_000, **reason)
    set_deliveries(box, "backup", state="sent", attempts=1)


def refused(box: Box) -> Exam:
    opened = sealed(box)
    said_of_forward(box, destinations=[{"name": "pacs", "state": "ok"}])
    reason = (
        "The archive pacs does not take this kind of object (status 0122). "
        "Call IT: the settings of the box and of the archive do not match."
    )
    set_deliveries(box, "pacs", state="held", code="sop-class", status="0122", reason=reason, attempts=1)
    set_deliveries(box, "backup", state="committed", proof="commitment", attempts=1)
    return opened
