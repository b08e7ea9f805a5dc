"""The demo's data folder: what lies where, the configuration written for the children, ports that are free.

Everything stands in folders of the demo's own, so that a folder given by mistake loses nothing.
"""

import json
import shutil
import socket
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.clock import Clock
from gateway.config import reader
from gateway.config.settings import Settings
from gateway.demo.failed import DemoFailed
from gateway.demo.patients import MODALITY
from gateway.demo.peer import LOOPBACK
from gateway.errors import ScopegateError
from gateway.spool.files import Files
from gateway.spool.paths import Layout
from gateway.spool.processes import locks

AE_TITLE = "SCOPEGATE"
_PORTS = 100  # looked at, one after the other
_HIGHEST_PORT = 65535
_RESERVE_MB = 64  # the least there is: a temporary folder often lies on a small disk

Table = Mapping[str, str | int | bool | Sequence[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Folder:
    """Where the demo keeps what. A temporary one is removed when the demo ended well."""

    root: Path
    temporary: bool

    @property
    def config(self) -> Path:
        return self.root / "demo.toml"

    @property
    def spool(self) -> Path:
        return self.root / "spool"

    @property
    def archive(self) -> Path:
        return self.root / "archive"

    @property
    def runtime(self) -> Path:
        return self.root / "run"

    @property
    def log(self) -> Path:
        return self.root / "demo.log"

    @property
    def seed(self) -> Path:
        return self.root / "demo.seed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ports:
    panel: int
    station: int
    worklist: int
    archive: int


@contextmanager
def opened(data_dir: Path | None) -> Iterator[Folder]:
    """Make or reuse a data folder, for one demo at a time. Raises DemoFailed, SpoolLocked."""
    with ExitStack() as stack:
        try:
            folder = _made(data_dir)
            stack.enter_context(locks.role(Layout(folder.root), "demo"))
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise DemoFailed(f"The data folder cannot be used: {why}.", action="Use another folder.") from error
        try:
            yield folder
        except ScopegateError:  # before anything was started
            if folder.temporary:
                removed(folder)
            raise


def removed(folder: Folder) -> None:
    """Remove a temporary folder with everything in it."""
    shutil.rmtree(folder.root, ignore_errors=True)


def _made(data_dir: Path | None) -> Folder:
    if data_dir:
        data_dir.mkdir(parents=True, exist_ok=True)
    root = data_dir.resolve() if data_dir else Path(tempfile.mkdtemp(prefix="scopegate-demo-"))
    folder = Folder(root=root, temporary=data_dir is None)
    folder.archive.mkdir(exist_ok=True)
    return folder


def seed_of(folder: Folder, clock: Clock) -> str:
    """Return the word that this folder's study UIDs are made from; a kept folder keeps it."""
    if not folder.seed.exists():
        Files().write(folder.seed, [clock.token(32).encode()])
    return folder.seed.read_text(encoding="ascii")


def write_config(folder: Folder, ports: Ports, *, worklist_ae: str, archive_ae: str) -> None:
    """Write the configuration of the demo's box.

    Raises DemoFailed or ConfigurationError when the folder's name cannot stand in it.
    """
    peers: list[tuple[str, Table]] = [
        ("[[worklist]]", _peer("demo-ris", worklist_ae, ports.worklist) | {"modality": MODALITY}),
        ("[[destination]]", _peer("demo-archive", archive_ae, ports.archive) | {"commitment": True}),
    ]
    write_tables(folder.config, [*_box(folder, ports), *peers])


def write_tables(path: Path, tables: Iterable[tuple[str, Table]]) -> Settings:
    """Write a configuration that this program made, and return it as its processes will read it.

    Raises DemoFailed or ConfigurationError when the folder's name cannot stand in it.
    """
    lines = ["# Written anew at every start: changes do not last.", "config_version = 1"]
    for title, table in tables:
        lines += ["", title, *(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in table.items())]
    try:
        text = "\n".join([*lines, ""]).encode()
    except UnicodeEncodeError as error:
        raise DemoFailed("The data folder's name is no text.", action="Use another folder.") from error
    Files().write(path, [text])
    return reader.read(path)


def next_free_port(first: int, *, promised: int = 0) -> int:
    """Return the first port from `first` on that nobody has, nor was promised to anybody. Raises DemoFailed."""
    for port in range(first, min(first + _PORTS, _HIGHEST_PORT + 1)) if first > 0 else ():
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the panel does: past TIME_WAIT
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        if port != promised:
            return port
    raise DemoFailed(f"There is no free port from {first} on.", action="Give another one, such as 8080.")


def _box(folder: Folder, ports: Ports) -> list[tuple[str, Table]]:
    return [
        (
            "[station]",
            {
                "name": "DEMO",
                "ae_title": AE_TITLE,
                "listen": f"{LOOPBACK}:{ports.station}",
                "institution": "Demo Clinic",
                "issuer": "DEMO",
                "data_dir": str(folder.spool),
                "runtime_dir": str(folder.runtime),
            },
        ),
        ("[panel]", {"listen": f"{LOOPBACK}:{ports.panel}"}),
        ("[retention]", {"reserve_mb": _RESERVE_MB}),
        (
            "[[source]]",
            {
                "name": "ultrasound",
                "device": "pattern:ultrasound",
                "modality": MODALITY,
                "manufacturer": "Scopegate",
                "model": "Test picture",
            },
        ),
    ]


def _peer(name: str, ae_title: str, port: int) -> dict[str, str | int | bool]:
    return {"name": name, "ae_title": ae_title, "host": LOOPBACK, "port": port}
