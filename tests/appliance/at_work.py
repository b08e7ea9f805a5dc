"""Runs inside the box: a technician who works until the power is cut, and tells at once what was acknowledged.

`python3 -m tests.appliance.at_work '{"seed": 1, "day": 1, "way": "exams"}'`. Lines of JSON go through the tests'
port: {"step": ...} before each call, then {"capture", "exam", "patient", "sha256"}, {"settings": name} and so on.
Beside the technician two careless writers work, as the control: nothing of theirs is flushed.
"""

import http.client
import json
import mmap
import os
import random
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.box import Panel, Refusal, until
from tests.crash.technician import Technician

SPOOL = Path("/var/lib/scopegate")
CARELESS = Path("/data/careless")
UPDATE = Path("/media/usb/update.raucb")
PIN = "402918"
PORT = 8080
READY_S = 400
BLOCK = 4096
BLOCKS = 8192  # of the careless disk writer
_NOTICED_S = 0.25
_BETWEEN_FLUSHES_S = 0.02  # the product has the disk flush its cache several times a second
_SENDING_S = 120
_LONGEST_CLIP_S = 9.0  # a longer one becomes H.264, with other bytes
_HAS_BEGUN_S = 5.0  # after which something of a clip is on the disk: pictures are flushed twice a second


def tell(**what: object) -> None:
    os.write(int(os.environ["SCOPEGATE_REPORT"]), json.dumps(what).encode() + b"\n")


def ready(panel: Panel) -> bool:
    """Say whether the technician can take pictures."""
    try:
        return all(source["state"] == "live" for source in panel.get("/health")["sources"])
    except (OSError, http.client.HTTPException, Refusal):
        return False


class Telling(Technician):
    """Tells every step and everything that the box acknowledged."""

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name == "step":
            tell(step=value)

    def insist(
        self, path: str, body: dict[str, object] | None = None, *, creates: bool = True
    ) -> dict[str, object]:
        """An exam that was open when the power went still is: whoever opens another one says so."""
        close = {"close_open": True} if path == "/exams" else {}
        return super().insist(path, None if body is None else {**body, **close}, creates=creates)

    def note(self, uid: object, exam: str) -> None:
        """Tell what is stored, and then what its record says of its pictures."""
        super().note(uid, exam)
        tell(capture=uid, exam=exam, patient=self.patient_of[exam])
        sidecar = json.loads((SPOOL / "exams" / exam / f"{uid}.json").read_bytes())
        tell(capture=uid, exam=exam, patient=self.patient_of[exam], sha256=sidecar["sha256"])

    def clip(self, exam: str) -> None:
        """A clip that goes on for some seconds has to be there, whatever happens; one that just began need not."""
        self.step = "clip"
        clip = str(self.insist(f"/exams/{exam}/clips", {})["clip"])
        length_s = self.chance.uniform(0.5, _LONGEST_CLIP_S)
        time.sleep(min(length_s, _HAS_BEGUN_S))
        if length_s > _HAS_BEGUN_S:
            tell(capture=clip, exam=exam, patient=self.patient_of[exam])
            time.sleep(length_s - _HAS_BEGUN_S)
        self.step = "stopping the clip"
        for part in self.insist(f"/clips/{clip}/stop")["sop_instance_uids"]:
            self.note(part, exam)

    def until_finished(self, exam: str) -> None:
        super().until_finished(exam)
        tell(finished=exam)


def exams(technician: Telling, day: int) -> None:
    """One exam after the other."""
    for number in range(1, 1000):
        technician.exam(f"D{day}-{number}")


def sending(technician: Telling, day: int) -> None:
    """Exams, each followed by a wait while it is sent."""
    for number in range(1, 1000):
        before = len(technician.exam_of)
        technician.exam(f"D{day}-{number}")
        technician.step = "sending"
        exam, count = technician.exams[-1], len(technician.exam_of) - before
        with suppress(AssertionError):
            technician.box.until_delivered(exam, count, deadline_s=_SENDING_S)
            tell(arrived=exam)


def settings(technician: Telling, day: int) -> None:
    """An exam, then changes of the settings, which every process takes."""
    technician.exam(f"D{day}-1")
    administrator = Administrator()
    for number in range(1, 1000):
        name = f"Clinic {day}-{number}"
        technician.step = "changing settings"
        tell(asked=name)
        administrator.change(["station", "institution"], name)
        tell(settings=name)
        technician.step = "settings are taken"
        until("the settings to be taken", administrator.has_taken, READY_S)
        technician.exam(f"D{day}-{number + 1}")


def rebuilding(technician: Telling, day: int) -> None:
    """An exam, then starts with an index that is gone."""
    for number in range(1, 1000):
        technician.exam(f"D{day}-{number}")
        technician.step = "making the index anew"
        services = ["scopegate-capture", "scopegate-forward", "scopegate-panel"]
        subprocess.run(["systemctl", "stop", *services], check=True)
        tell(index="gone")
        for file in SPOOL.glob("scopegate.db*"):
            file.unlink()
        subprocess.run(["systemctl", "start", *services], check=True)
        until("the box to be ready", lambda: ready(technician.box), READY_S, pause_s=0.5)
        tell(rebuilt=number)


def updating(technician: Telling, day: int) -> None:
    """An exam, then exams while an update is written into the other slot, and after that."""
    technician.exam(f"D{day}-1")
    technician.step = "an update is checked"
    until(
        "the stick, and the end of a trial", lambda: UPDATE.exists() and not is_on_trial(), 4 * READY_S, pause_s=1
    )
    with subprocess.Popen(["/opt/scopegate/bin/scopegate", "update", "install", UPDATE]) as update:
        until("the update to be written", lambda: writes() or update.poll() is not None, READY_S, pause_s=0.5)
        assert update.returncode is None, "the update was refused"
        tell(writes=day)
        for number in range(2, 1000):
            technician.exam(f"D{day}-{number}")


def is_on_trial() -> bool:
    """Say whether the version that runs has to prove itself, as after a day that ended with an update written."""
    return bool(json.loads(Path("/run/scopegate-machine/update.json").read_bytes())["trying"])


def writes() -> bool:
    """Say whether an update is being written."""
    journal = ["journalctl", "--boot", "--unit=rauc", "--output=cat"]
    return "Updating /dev" in subprocess.run(journal, capture_output=True, text=True, check=True).stdout


# What a day can be cut off in; another one is a function here, and its share in cuts.SHARES.
WAYS = {
    "exams": exams, "sending": sending, "settings": settings, "rebuilding": rebuilding, "updating": updating,
}  # fmt: skip


class Administrator:
    """Somebody with the PIN, before the box."""

    def __init__(self) -> None:
        self._cookie = ""

    def first(self) -> None:
        """Become the administrator of a new box."""
        self._call("POST", "/people/first", {"name": "Huber", "pin": PIN})

    def change(self, place: list[str | int], value: object) -> None:
        """Return when the change was acknowledged. Raises Refusal."""
        body = {"changes": [{"place": place, "value": value}], "revision": self._state()["revision"]}
        self._call("POST", "/settings/change", body)

    def has_taken(self) -> bool:
        try:
            return self._state()["waits"] is None and ready(Panel(PORT))
        except (OSError, http.client.HTTPException, Refusal):
            return False

    def _state(self) -> dict[str, Any]:
        """Return how the settings are; sessions end with the panel, so sign in again where it is needed."""
        try:
            return self._call("GET", "/settings/state")
        except Refusal as refusal:
            if refusal.status != http.HTTPStatus.UNAUTHORIZED:
                raise
        self._call("POST", "/session", {"name": "Huber", "pin": PIN})
        return self._call("GET", "/settings/state")

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
        headers = {"Content-Type": "application/json", "Cookie": self._cookie}
        try:
            connection.request(method, f"/api/v1{path}", json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            content = json.loads(answer.read() or b"{}")
            if answer.status >= http.HTTPStatus.BAD_REQUEST:
                raise Refusal(answer.status, content)
            if cookie := answer.getheader("Set-Cookie"):
                self._cookie = cookie.partition(";")[0]
            return dict(content)
        finally:
            connection.close()


# --- the control: what nobody flushed ---------------------------------------------------------------------------


def careless_of_memory() -> None:
    """Write records that the kernel may keep in memory; tell how many there are."""
    with (CARELESS / "memory").open("wb", buffering=0) as file:
        for count in range(1, 1_000_000):
            file.write(count.to_bytes(8, "big") * (BLOCK // 8))
            tell(memory=count)
            time.sleep(_NOTICED_S)


def careless_of_the_disk() -> None:
    """Write records past the kernel's memory, so that the disk has them, and never have its cache flushed."""
    place = os.open(CARELESS / "disk", os.O_WRONLY | os.O_DIRECT)
    block = mmap.mmap(-1, BLOCK)  # where such writes want their bytes
    for count in range(1, BLOCKS):
        block[:] = count.to_bytes(8, "big") * (BLOCK // 8)
        os.pwritev(place, [block], count * BLOCK)
        tell(disk=count)
        time.sleep(_BETWEEN_FLUSHES_S)


def prepare_careless_writers() -> None:
    CARELESS.mkdir(exist_ok=True)
    for name, size in (("memory", 0), ("disk", BLOCKS * BLOCK)):
        with (CARELESS / name).open("wb") as file:
            file.write(bytes(size))
            os.fsync(file.fileno())
    os.sync()


def main() -> None:
    asked = json.loads(sys.argv[1])
    panel = Panel(PORT)
    prepare_careless_writers()
    technician = Telling(panel, random.Random(asked["seed"]))
    for writer in (careless_of_memory, careless_of_the_disk):
        threading.Thread(target=writer, daemon=True).start()
    tell(begins=asked["way"])
    WAYS[asked["way"]](technician, asked["day"])


if __name__ == "__main__":
    main()
