"""A whole box for tests: the three real processes on a data folder, driven through the HTTP API alone."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from tests.loopback.peers.process import free_port

_DEADLINE_S = 60.0
T = TypeVar("T")


class Refusal(Exception):
    """What the API answered instead of doing it."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        self.status, self.body = status, body
        super().__init__(f"{status} {body}")

    @property
    def code(self) -> str:
        return str(self.body.get("code", ""))


def until(what: str, look: Callable[[], T], deadline_s: float = _DEADLINE_S, *, pause_s: float = 0.05) -> T:
    """Return the first true answer of `look`, which is asked after each pause; fail with what was waited for."""
    end = time.monotonic() + deadline_s
    while True:
        answer = look()
        if answer:
            return answer
        assert time.monotonic() < end, f"waited {deadline_s} s in vain for {what}; last answer {answer!r}"
        time.sleep(pause_s)


def configuration(tables: Sequence[tuple[str, dict[str, Any]]]) -> str:
    """Return a configuration file of these tables, each a title in brackets and its values."""
    lines = ["config_version = 1"]
    for title, values in tables:
        lines += ["", title, *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
    return "\n".join(lines) + "\n"


class Panel:
    """What a page asks of a box, and what the technician does there; `port`: on this computer."""

    def __init__(self, port: int) -> None:
        self.port = port

    # --- HTTP ---------------------------------------------------------------------------------------------

    def request(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, timeout: float = 40.0
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            content = None if body is None else json.dumps(body)
            headers = {} if body is None else {"Content-Type": "application/json"}
            connection.request(method, f"/api/v1{path}", content, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def get(self, path: str) -> dict[str, Any]:
        return self._json(*self.request("GET", path))

    def post(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        return self._json(*self.request("POST", path, body or {}))

    def create(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """POST with a request id of its own."""
        return self.post(path, {"request_id": str(uuid.uuid4()), **(body or {})})

    @staticmethod
    def _json(status: int, content: bytes) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(content) if content else {}
        if status >= 400:
            raise Refusal(status, answer)
        return answer

    # --- the technician -----------------------------------------------------------------------------------

    def worklist_item(self, patient_id: str) -> str:
        """Refresh the worklist and return the id of the item of that patient."""
        items = self.post("/worklist/refresh")["items"]
        (found,) = [item["id"] for item in items if item["patient"]["id"] == patient_id]
        return str(found)

    def open_typed(self, name: str = "Doe^Jane", patient_id: str = "P1", **more: Any) -> str:
        patient = {"name": name, "id": patient_id, "birth_date": "19700102", "sex": "F"}
        return str(self.create("/exams", {"patient": patient, **more})["id"])

    def still(self, exam: str, **more: Any) -> dict[str, Any]:
        return self.create(f"/exams/{exam}/stills", more)

    def clip(self, exam: str, seconds: float, **more: Any) -> list[str]:
        clip = self.create(f"/exams/{exam}/clips", more)["clip"]
        time.sleep(seconds)  # the length of the clip, not a synchronisation
        return list(self.post(f"/clips/{clip}/stop")["sop_instance_uids"])

    def finish(self, exam: str) -> None:
        self.post(f"/exams/{exam}/finish")

    def deliveries(self, exam: str) -> list[dict[str, Any]]:
        captures = self.get(f"/exams/{exam}")["captures"]
        return [delivery for capture in captures for delivery in capture["deliveries"]]

    def until_delivered(
        self, exam: str, count: int, *, state: str = "sent", deadline_s: float = _DEADLINE_S
    ) -> None:
        """Wait until `count` deliveries of an exam are in a state."""
        until(
            f"{count} deliveries {state}",
            lambda: sum(d["state"] == state for d in self.deliveries(exam)) == count,
            deadline_s,
        )


class Box(Panel):
    """Writes a configuration into `folder`, starts `scopegate run` and speaks HTTP with its panel."""

    def __init__(
        self,
        folder: Path,
        *,
        sources: Sequence[dict[str, Any]] = ({"name": "us", "device": "pattern:ultrasound", "modality": "US"},),
        triggers: Sequence[dict[str, Any]] = (),
        worklists: Sequence[dict[str, Any]] = (),
        procedure_steps: Sequence[dict[str, Any]] = (),
        destinations: Sequence[dict[str, Any]] = (),
        release: dict[str, Any] | None = None,
        retention: dict[str, Any] | None = None,
        panel: dict[str, Any] | None = None,
        metrics: dict[str, Any] | None = None,
        log: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(free_port())
        self.folder = folder
        self.data = folder / "data"
        self.runtime = folder / "run"
        self.dicom_port = free_port()
        self.config = folder / "scopegate.toml"
        self.log = folder / "scopegate.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._painted = all(str(source["device"]).startswith("pattern:") for source in sources)
        tables: list[tuple[str, dict[str, Any]]] = [
            (
                "[station]",
                {
                    "name": "US-ROOM-2",
                    "listen": f"127.0.0.1:{self.dicom_port}",
                    "data_dir": str(self.data),
                    "runtime_dir": str(self.runtime),
                },
            ),
            ("[panel]", {"listen": f"127.0.0.1:{self.port}", **(panel or {})}),
            ("[metrics]", metrics or {}),
            ("[log]", log or {}),
            ("[release]", release or {}),
            ("[retention]", retention or {}),
        ]
        tables += [("[[source]]", source) for source in sources]
        tables += [("[[trigger]]", trigger) for trigger in triggers]
        tables += [("[[worklist]]", worklist) for worklist in worklists]
        tables += [("[[procedure_step]]", server) for server in procedure_steps]
        tables += [("[[destination]]", destination) for destination in destinations]
        folder.mkdir(parents=True, exist_ok=True)
        self.config.write_text(configuration(tables), encoding="utf-8")

    # --- the technician -----------------------------------------------------------------------------------

    def create(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """POST with a request id of its own; once more where this machine stood still.

        The box paints its test pictures itself. That none came for two seconds is no device's doing but that of the
        machine under the test, and the box refuses the press rightly: a technician would press again. Without an
        answer in time the same request id asks again, as docs/api.md tells everybody.
        """
        asked = {"request_id": str(uuid.uuid4()), **(body or {})}
        try:
            return super().create(path, asked)
        except Refusal as refusal:
            if refusal.code != "recorder-silent" and (not self._painted or refusal.code != "no-signal"):
                raise
            until("a picture to be painted", self.is_ready)
            return super().create(path, asked)

    # --- life ---------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        (self.data / "reserve").unlink(missing_ok=True)  # half a gigabyte a test
        if kind is not None:
            print(self.log.read_text(encoding="utf-8")[-6000:])

    def start(self, *, wait: bool = True) -> None:
        for said in self.runtime.glob("*.json"):  # of processes that were killed: for 5 s it would still count
            said.unlink()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gateway", "run", "--config", str(self.config)],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        if wait:
            until("the box to be ready", self.is_ready)

    def stop(self) -> None:
        """End it as a person does; every process must be gone afterwards."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def pid(self, role: str) -> int:
        """Return the process number of capture, forward or panel; 0 while it does not run."""
        try:
            pid = int((self.data / f"{role}.lock").read_text(encoding="ascii"))
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return 0
        return pid if str(self.config).encode() in arguments and role.encode() in arguments else 0

    def running(self, role: str) -> int:
        """Return the process number of capture, forward or panel, once it runs."""
        return until(f"{role} to run", lambda: self.pid(role))

    def kill(self, role: str) -> int:
        """kill -9 one process and return the number that it had."""
        pid = self.running(role)
        os.kill(pid, signal.SIGKILL)
        return pid

    def is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "scopegate run ended:\n" + self.log.read_text(encoding="utf-8")[-3000:]
        try:
            return self.request("GET", "/health")[0] == 200
        except (OSError, http.client.HTTPException):
            return False
