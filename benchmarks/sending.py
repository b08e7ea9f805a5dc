"""One race for all bars about sending: the same files to the same peer, ours against DCMTK's storescu.

Both open one association and both are counted from before it until after its end; storescu's start is counted as
well (about 15 ms), so a race lasts long enough for it not to matter.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from benchmarks import samples
from benchmarks.harness import NotHere, Pair
from gateway.clock import Clock
from gateway.config.settings import Destination
from gateway.dicom.part10 import JPEG_LOSSLESS_SV1
from gateway.net.store import StoreAssociation, Wanted
from tests.loopback.peers import Orthanc, StoreScp

STORESCU = Path("/usr/bin/storescu")
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_MEMORY = Path("/dev/shm")  # what arrives is of no use: keep the peer's disk out of it


class _Peer(Protocol):
    port: int
    ae_title: str


@dataclass(kw_only=True, slots=True)
class Load:
    """Files with new UIDs at every turn: an archive that knows an object already does less."""

    folder: Path
    stream: bytes
    rows: int
    columns: int
    count: int
    clock: Clock = field(default_factory=Clock)
    files: dict[str, Path] = field(default_factory=dict)

    def renew(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        self.files = {}
        for number in range(1, self.count + 1):
            record = samples.capture(
                self.clock, "e1", number, stream=self.stream, rows=self.rows, columns=self.columns
            )
            path = self.folder / f"{number}.dcm"
            samples.write_object(path, self.clock, record, self.stream)
            self.files[record.sop_instance_uid] = path

    @property
    def megabytes(self) -> float:
        return sum(path.stat().st_size for path in self.files.values()) / 1e6


def ours(peer: _Peer, load: Load) -> float:
    """Send everything with the product's own code; return seconds."""
    destination = Destination(name="pacs", ae_title=peer.ae_title, host="127.0.0.1", port=peer.port)
    wanted = [Wanted(sop_class_uid=SECONDARY_CAPTURE, transfer_syntax_uid=JPEG_LOSSLESS_SV1, lossy=False)]
    start = time.perf_counter()
    with StoreAssociation(destination, our_ae="SCOPEGATE", wanted=wanted) as association:
        for uid, path in load.files.items():
            association.store(
                path,
                sop_class_uid=SECONDARY_CAPTURE,
                sop_instance_uid=uid,
                transfer_syntax_uid=JPEG_LOSSLESS_SV1,
            )
    return time.perf_counter() - start


def storescu(peer: _Peer, load: Load) -> float:
    """Send everything with DCMTK; return seconds."""
    command = [str(STORESCU), "--propose-lossless", "-aec", peer.ae_title, "127.0.0.1", str(peer.port)]
    start = time.perf_counter()
    subprocess.run([*command, *map(str, load.files.values())], check=True, env={**os.environ, "TCP_NODELAY": "1"})
    return time.perf_counter() - start


@contextmanager
def race(load: Load, *, peer: str, in_megabytes: bool = False) -> Iterator[Pair]:
    """Race to `peer`: "storescp", "storescp-large" (NODELAY, PDUs of 128 KB) or "orthanc". Raises NotHere."""
    if not STORESCU.exists():
        raise NotHere("DCMTK is not installed (storescu)")
    with ExitStack() as stack:
        place = load.folder.with_name("peer")
        if _MEMORY.is_dir():
            place = _MEMORY / load.folder.parent.name
            stack.callback(shutil.rmtree, place, ignore_errors=True)
        server = stack.enter_context(_server(peer, place))

        def amount() -> float:
            return load.megabytes if in_megabytes else load.count

        def turn(side: str) -> float:
            load.renew()
            spent = (ours if side == "ours" else storescu)(server, load)
            if isinstance(server, StoreScp):
                assert server.count() == load.count
                for file in server.received.iterdir():
                    file.unlink()
            return amount() / spent

        facts = {"load": f"{load.count} objects of {len(load.stream) / 1000:.0f} KB a turn"}
        yield Pair(ours=lambda: turn("ours"), theirs=lambda: turn("theirs"), facts=facts)


@contextmanager
def _server(peer: str, place: Path) -> Iterator[Orthanc | StoreScp]:
    if peer == "orthanc":
        if not Path("/usr/sbin/Orthanc").exists():
            raise NotHere("Orthanc is not installed")
        with Orthanc(place) as orthanc:
            yield orthanc
        return
    large = peer == "storescp-large"
    before = os.environ.get("TCP_NODELAY")
    if large:
        os.environ["TCP_NODELAY"] = "1"  # DCMTK reads it once, at its start
    try:
        server = StoreScp(place, "+xa", *(["--max-pdu", "131072"] if large else []))
        with server:
            yield server
    finally:
        if large and before is None:
            del os.environ["TCP_NODELAY"]
