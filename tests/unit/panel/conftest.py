"""One panel a test: a real spool, the fake capture process, a hand on the clock where time matters."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from argon2 import PasswordHasher
from starlette.testclient import TestClient

from gateway.clock import Clock
from gateway.config.settings import (
    Destination,
    Panel,
    ProcedureStep,
    Release,
    Settings,
    Sign,
    Source,
    Station,
    Trigger,
    Worklist,
)
from gateway.dicom import part10
from gateway.errors import CaptureGone, CaptureSilent
from gateway.model import Patient, Procedure, SealedObject, WorklistItem
from gateway.panel.app import create_app
from gateway.panel.context import Timing
from gateway.panel.machine_says import MachineSays
from gateway.panel.people.roles import DOOR, Door
from gateway.panel.people.secrets import Hashes
from gateway.panel.power import Switch
from gateway.spool.opening import open_spool
from gateway.spool.spool import Spool
from tests.empty_index import with_index
from tests.memory import folder_in_memory
from tests.unit.panel.fake_capture import FakeCapture

ADDRESS = "http://127.0.0.1:8080"
LAN_ADDRESS = "https://box.clinic.example:8443"
_TRIES = 20  # of some seconds each
_UNANSWERED = (CaptureSilent.code, CaptureGone.code)  # it runs: its connection was not taken up in time either
QUICK = Hashes(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


def settings_for(tmp_path: Path) -> Settings:
    runtime = tmp_path / "run"
    runtime.mkdir(exist_ok=True)
    return Settings(
        station=Station(name="US-ROOM-2", issuer="CLINIC", data_dir=tmp_path / "data", runtime_dir=runtime),
        sources=(Source(name="ultrasound", device="pattern:ultrasound", modality="US"),),
        triggers=(
            Trigger(kind="input", device="usb:1-1.4", source="ultrasound"),
            Trigger(kind="gpio", device="/dev/gpiochip0", source="ultrasound"),
        ),
        signs=(Sign(kind="tone"),),
        worklists=(Worklist(name="ris", ae_title="RIS", host="127.0.0.1", port=11113),),
        procedure_steps=(ProcedureStep(name="ris", ae_title="RIS", host="127.0.0.1", port=11116),),
        destinations=(
            Destination(name="pacs", ae_title="PACS", host="127.0.0.1", port=11114),
            Destination(name="backup", ae_title="BACKUP", host="127.0.0.1", port=11115, required=False),
        ),
        release=Release(),
    )


def item(number: int, name: str, **changes: object) -> WorklistItem:
    values: dict[str, object] = {
        "id": f"item-{number}",
        "server": "ris",
        "patient": Patient(name=name, id=f"4711-{number:04d}", issuer="HIS", birth_date="19680314", sex="F"),
        "procedure": Procedure(
            description="Abdomen ultrasound",
            accession_number=f"A-{number:05d}",
            requested_procedure_id=f"RP{number}",
            step_id=f"S{number}",
            modality="US",
            scheduled_at=f"2026112114{number:02d}00",
        ),
        "study_instance_uid": f"1.2.3.{number}",
        "character_set": "ISO_IR 192",
        "answer": b"order",
    }
    return WorklistItem(**{**values, **changes})  # type: ignore[arg-type]


class Direct(httpx2.BaseTransport):
    """Asks the application with one step into its thread; TestClient, which can stream, makes nine."""

    def __init__(self, running: TestClient, *, door: Door = Door.FRONT, address: str = "127.0.0.1") -> None:
        self._running = running
        self._door = door
        self._address = address

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": request.method,
            "scheme": url.scheme,
            "path": url.path,
            "raw_path": url.raw_path.partition(b"?")[0],
            "query_string": url.query,
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "server": (url.host, url.port),
            "client": (self._address, 50000),
            DOOR: self._door,
        }
        start, *parts = self._running.portal.call(self._answer, scope, request.read())
        return httpx2.Response(
            start["status"], headers=start["headers"], content=b"".join(part.get("body", b"") for part in parts)
        )

    async def _answer(self, scope: dict[str, Any], body: bytes) -> list[dict[str, Any]]:
        """Return what the application says to this request (ASGI 3.0, HTTP)."""
        said: list[dict[str, Any]] = []
        whole = asyncio.Event()
        coming = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if not coming:
                await whole.wait()
            return coming.pop() if coming else {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            said.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                whole.set()

        with suppress(Exception):  # it was answered with 500 before it came here
            await self._running.app(scope, receive, send)
        assert whole.is_set()
        return said


@dataclass(kw_only=True)
class Bench:
    """A running panel and what stands behind it."""

    client: httpx2.Client
    watching: TestClient  # for what does not end: streams and sockets
    spool: Spool
    capture: FakeCapture
    settings: Settings
    clock: Clock

    @contextmanager
    def elsewhere(self, address: str = "10.0.0.7") -> Iterator[httpx2.Client]:
        """Ask through the second door, from a machine of the network."""
        self.watching.app.state.names.certified = frozenset({"box.clinic.example", "*.kis.example", "10.0.0.5"})
        transport = Direct(self.watching, door=Door.LAN, address=address)
        with httpx2.Client(transport=transport, base_url=LAN_ADDRESS) as client:
            yield client

    def post(self, path: str, body: dict[str, object] | None = None, *, status: int = 200) -> dict[str, object]:
        answer = self.client.post(f"/api/v1{path}", json=body if body is not None else {})
        assert answer.status_code == status, answer.text
        return answer.json()

    def get(self, path: str, *, status: int = 200) -> dict[str, object]:
        answer = self.client.get(f"/api/v1{path}")
        assert answer.status_code == status, answer.text
        return answer.json()

    def refused(self, path: str, body: dict[str, object] | None, status: int, code: str) -> dict[str, object]:
        """Post and expect a problem document of that status and code."""
        answer = self.client.post(f"/api/v1{path}", json=body if body is not None else {})
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["what"]
        assert answer.json()["action"]
        return answer.json()

    def open_exam(self, name: str = "MEIER^Anna", **more: object) -> str:
        body = {"patient": {"name": name, "id": "4711-0815", "birth_date": "19680314", "sex": "F"}, **more}
        return str(self.post("/exams", body, status=201)["id"])

    @property
    def exam(self) -> str:
        """The exam that is open."""
        exam = self.spool.exams.open_one()
        assert exam
        return exam.id

    def still(self, exam: str, **body: object) -> str:
        """Store a still; asked for again, as the screen does, while a starved machine gives no answer."""
        asked = {"request_id": str(uuid4()), **body}
        for _ in range(_TRIES):
            answer = self.client.post(f"/api/v1/exams/{exam}/stills", json=asked)
            if answer.json().get("code") not in _UNANSWERED:
                break
        assert answer.status_code == 201, answer.text
        return str(answer.json()["sop_instance_uid"])


def seal(bench: Bench, exam: str, uid: str, destinations: tuple[str, ...] = ("pacs", "backup")) -> bytes:
    """Wrap a capture's codestreams as the forward process does, with as little header as a file can have."""
    capture = bench.spool.captures.get(uid).capture
    folder = bench.spool.layout.exam(exam)
    streams = [(folder / capture.media).read_bytes()]
    if capture.kind == "clip":
        raw, streams = streams[0], []
        while raw:
            length = int.from_bytes(raw[:4], "big")
            streams.append(raw[4 : 4 + length])
            raw = raw[4 + length :]
    meta = part10.Meta(sop_class_uid="1.2.3", sop_instance_uid=uid, transfer_syntax_uid="1.2.840.10008.1.2.4.50")
    items = [b"", *streams]
    body = b"".join(
        b"\xfe\xff\x00\xe0" + (len(i) + len(i) % 2).to_bytes(4, "little") + i + b"\0" * (len(i) % 2) for i in items
    )
    file = part10.preface(meta) + b"\x10\x00\x20\x00LO\x02\x0012" + b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff" + body
    file += b"\xfe\xff\xdd\xe0" + bytes(4)
    written = bench.spool.objects.write(exam, uid, [file])
    sealed = SealedObject(
        sop_instance_uid=uid,
        sop_class_uid="1.2.3",
        transfer_syntax_uid="1.2.840.10008.1.2.4.50",
        exam=exam,
        capture=uid,
        bytes=written.bytes,
        sha256=written.sha256,
        lossy=False,
        frames=capture.frames,
        sealed=bench.spool.clock.now(),
    )
    bench.spool.objects.seal(sealed, destinations)
    bench.spool.objects.drop_media(capture)
    return file


@contextmanager
def running(
    folder: Path,
    *more: Destination,
    body_part: str = "",
    clock: Clock | None = None,
    panel: Panel | None = None,
    release: Release | None = None,
    archives: bool = True,
    switch: Switch | None = None,
    refresh: float = 0.4,
    stick: float = 0.1,
    untouched: bool = False,
) -> Iterator[Bench]:
    """Run a panel; `untouched`: a box that nobody set up; `stick`: for so long, in s, forward may write on one."""
    clock, settings = clock or Clock(), settings_for(folder)
    if untouched:
        settings, archives = Settings(station=settings.station), False
    sources = tuple(replace(source, body_part=body_part) for source in settings.sources)
    settings = replace(
        settings,
        sources=sources,
        destinations=(*(settings.destinations if archives else ()), *more),
        panel=panel or settings.panel,
        release=release or settings.release,
    )
    data = settings.station.data_dir
    spool = open_spool(data if data.exists() else with_index(data), clock=clock)
    socket_path = settings.station.runtime_dir / "capture.sock"
    capture = FakeCapture(spool=spool, path=socket_path, clock=clock)
    capture.start()
    app = create_app(
        spool=spool,
        settings=settings,
        clock=clock,
        capture_socket=socket_path,
        timing=Timing(
            drain=0.5,
            refresh=refresh,
            day_check=1.0,
            poll=0.02,
            heartbeat=0.2,
            switch=0.02,
            stick=stick,
            piece=0.3,
        ),
        hashes=QUICK,
        switch=switch,
        machine_says=MachineSays(folder=folder / "says", uploads=folder / "upload"),
    )
    with (
        TestClient(app, base_url=ADDRESS, raise_server_exceptions=False) as watching,
        httpx2.Client(transport=Direct(watching), base_url=ADDRESS, follow_redirects=True) as client,
    ):
        yield Bench(client=client, watching=watching, spool=spool, capture=capture, settings=settings, clock=clock)
    capture.stop()
    spool.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    with folder_in_memory() as folder, running(folder) as bench:
        yield bench


@pytest.fixture(scope="module")
def quiet() -> Iterator[Bench]:
    """A panel with an open exam for tests that change nothing: one for all of a file."""
    with folder_in_memory() as folder, running(folder) as bench:
        bench.open_exam()
        yield bench


@pytest.fixture
def new(tmp_path: Path) -> Iterator[Bench]:
    """A box whose file says nothing of devices and other systems, and which nobody administers."""
    with running(tmp_path, untouched=True) as bench:
        yield bench
