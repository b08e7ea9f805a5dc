"""A line of 1 MB/s: a large clip arrives whole in little memory, and an object has the time that its size takes.

`pytest tests/loopback/test_slow_link.py -s --megabytes=300` is the long run; it takes five minutes.
"""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from gateway.clock import Clock
from gateway.config.settings import Destination
from gateway.forward.sending.channel import connector
from gateway.model import DeliveryState, SealedObject
from gateway.net.peers import Timeouts
from gateway.net.store import Wanted
from gateway.spool.opening import open_spool
from tests.forward.bench import clip, deliveries, let_go, objects, open_exam, still, wrap_all
from tests.loopback.peers import FaultArchive, FaultWeb, SlowLink, StoreScp
from tests.loopback.peers.items import EXPLICIT, SECONDARY_CAPTURE, data_set_bytes, sample

MB = 1_000_000
LINE = 1 * MB  # bytes/s
ALLOWED = 30 * MB

_MEMORY = """
import json, sys
from pathlib import Path

def memory(what):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(what))

def begin():
    Path("/proc/self/clear_refs").write_text("5")  # proc(5): the peak begins anew
    return memory("VmRSS")
"""
_OURS = (
    _MEMORY
    + """
from gateway.clock import Clock
from gateway.config.settings import Destination
from gateway.forward.sending.channel import connector
from gateway.forward.sending.sender import Sender
from gateway.spool.opening import open_spool

spool = open_spool(Path(sys.argv[1]), clock=Clock())
pacs = Destination(name="pacs", ae_title="STORESCP", host="127.0.0.1", port=int(sys.argv[2]))
sender = Sender(spool=spool, destination=pacs, connect=connector(pacs, our_ae="SCOPEGATE"))
sender.step()  # a small picture: everything is loaded now
before = begin()
sender.step()
print(json.dumps(memory("VmHWM") - before))
"""
)
_LIBRARY = (
    _MEMORY
    + """
from pydicom import dcmread
from pynetdicom import AE

entity = AE("SCOPEGATE")
meta = dcmread(sys.argv[1], stop_before_pixels=True)
entity.add_requested_context(meta.SOPClassUID, meta.file_meta.TransferSyntaxUID)
entity.dimse_timeout = entity.network_timeout = 3600
association = entity.associate("127.0.0.1", int(sys.argv[2]), ae_title="STORESCP")
before = begin()
assert association.send_c_store(dcmread(sys.argv[1])).Status == 0
print(json.dumps(memory("VmHWM") - before))
association.release()
"""
)


def growth(program: str, path: Path, port: int) -> int:
    """Return by how many bytes a process grew that sends over `port`."""
    done = subprocess.run(
        [sys.executable, "-c", program, str(path), str(port)],
        capture_output=True,
        cwd=Path(__file__).parents[2],
        text=True,
        timeout=3600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return int(json.loads(done.stdout))


def large_clip(root: Path, megabytes: int) -> SealedObject:
    """Leave a spool with a small picture and, behind it in the queue, a sealed clip of about that size."""
    spool = open_spool(root, clock=Clock(), destinations=("pacs",))
    first = open_exam(spool)
    still(spool, first)
    let_go(spool, first)
    wrap_all(spool)
    exam = open_exam(spool)
    clip(spool, exam, frames=5, copies=max(1, megabytes // 5), padding=MB)
    exam = let_go(spool, exam)
    wrap_all(spool)
    (sealed,) = objects(spool, exam)
    spool.close()
    return sealed


def test_a_large_clip_over_a_slow_line_arrives_whole_in_little_memory(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    root = tmp_path / "data"
    sealed = large_clip(root, request.config.getoption("--megabytes"))
    file = root / "exams" / sealed.exam / f"{sealed.sop_instance_uid}.dcm"
    library: list[int] = []
    with (
        StoreScp(tmp_path / "one", "+xa") as archive,
        StoreScp(tmp_path / "two", "+xa") as other,
        SlowLink(archive.port, bytes_per_s=LINE) as line,
        SlowLink(other.port, bytes_per_s=LINE) as second_line,
    ):
        control = threading.Thread(target=lambda: library.append(growth(_LIBRARY, file, second_line.port)))
        control.start()
        began = time.monotonic()
        ours = growth(_OURS, root, line.port)
        seconds = time.monotonic() - began
        control.join()
        arrived = archive.file(sealed.sop_instance_uid)
        assert data_set_bytes(arrived.read_bytes()) == data_set_bytes(file.read_bytes())
        assert line.passed > sealed.bytes
    spool = open_spool(root, clock=Clock())
    assert {each.state for each in deliveries(spool)} == {DeliveryState.SENT}
    spool.close()
    (theirs,) = library
    print(
        f"\n{sealed.bytes / MB:.0f} MB over {LINE / MB:.0f} MB/s in {seconds:.0f} s: the sender grew by "
        f"{ours / MB:.1f} MB, the library's own way by {theirs / MB:.1f} MB"
    )
    assert ours <= min(ALLOWED, sealed.bytes / 3)
    assert theirs > 0.9 * sealed.bytes, "the measure does not see what it is to see"


@pytest.mark.parametrize("kind", ["dicom", "stow"])
def test_an_object_has_the_time_that_its_size_takes_on_a_slow_line(tmp_path: Path, kind: str) -> None:
    """It takes three seconds; an answer may take one, and a line that carries 500 kB/s gets six more."""
    patience = Timeouts(answer=1, stall=1, slowest=LINE / 2)
    file = sample(tmp_path, pixels=bytes(3 * MB - 3 * MB % 256))
    wanted = [Wanted(sop_class_uid=SECONDARY_CAPTURE, transfer_syntax_uid=EXPLICIT, lossy=False)]
    with (
        FaultArchive() as archive,
        FaultWeb() as web,
        SlowLink({"dicom": archive, "stow": web}[kind].port, bytes_per_s=LINE) as line,
    ):
        where = {
            "dicom": {"ae_title": "TAKES", "host": "127.0.0.1", "port": line.port},
            "stow": {"kind": "stow", "url": f"http://127.0.0.1:{line.port}/dicom-web"},
        }[kind]
        pacs = Destination(name="pacs", **where)  # type: ignore[arg-type]
        with connector(pacs, our_ae="SCOPEGATE", timeouts=patience)(wanted) as channel:
            channel.store(
                file,
                sop_class_uid=SECONDARY_CAPTURE,
                sop_instance_uid=file.stem,
                transfer_syntax_uid=EXPLICIT,
            )
        arrived = archive.arrived[0].data_set if kind == "dicom" else data_set_bytes(web.has[file.stem])
    assert arrived == data_set_bytes(file.read_bytes())
