"""How much memory the box takes to send one big object, over each wire; the libraries' own way is the control."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.loopback.peers import items

_SENDER = """
import json, sys
from pathlib import Path

def memory(what):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(what))

how, address, file = sys.argv[1], sys.argv[2], Path(sys.argv[3])
SOP, SYNTAX = "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.1.2.1"
if how in ("store", "stow"):
    from gateway.config.settings import Destination
    from gateway.net.store import StoreAssociation, Wanted
    from gateway.net.stow import StowChannel
    wanted = [Wanted(sop_class_uid=SOP, transfer_syntax_uid=SYNTAX, lossy=False)]
    if how == "store":
        pacs = Destination(name="pacs", ae_title="STORESCP", host="127.0.0.1", port=int(address))
        opened = StoreAssociation(pacs, our_ae="SCOPEGATE", wanted=wanted)
    else:
        opened = StowChannel(Destination(name="pacs", kind="stow", url=address), wanted=wanted)
    with opened as channel:
        before = memory("VmRSS")
        channel.store(file, sop_class_uid=SOP, sop_instance_uid=file.stem, transfer_syntax_uid=SYNTAX)
elif how == "pynetdicom":
    from pydicom import dcmread
    from pynetdicom import AE
    entity = AE("SCOPEGATE")
    entity.add_requested_context(SOP, SYNTAX)
    association = entity.associate("127.0.0.1", int(address), ae_title="STORESCP")
    before = memory("VmRSS")
    assert association.send_c_store(dcmread(file)).Status == 0
    association.release()
else:
    import httpx2
    kind = 'multipart/related; type="application/dicom"; boundary=abc'
    head = b"--abc\\r\\nContent-Type: application/dicom\\r\\n\\r\\n"
    before = memory("VmRSS")
    body = head + file.read_bytes() + b"\\r\\n--abc--\\r\\n"
    assert httpx2.post(address + "/studies", content=body, headers={"Content-Type": kind}, timeout=60).is_success
print(json.dumps({"growth": memory("VmHWM") - before}))
"""


def _growth(how: str, address: object, file: Path) -> int:
    """Send a file from a process of its own; return by how many bytes its memory grew."""
    done = subprocess.run(
        [sys.executable, "-c", _SENDER, how, str(address), file],
        capture_output=True,
        check=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": "."},
        text=True,
        timeout=240,
    )
    return int(json.loads(done.stdout)["growth"])


def _object(folder: Path, size: int) -> Path:
    return items.sample(folder, pixels=bytes(size - size % 256))


def test_a_big_object_goes_out_in_little_memory(archive_of_everything, tmp_path):
    size = 100_000_000
    file = _object(tmp_path, size)
    ours = _growth("store", archive_of_everything.port, file)
    arrived = archive_of_everything.file(file.stem)
    assert items.data_set_bytes(arrived.read_bytes()) == items.data_set_bytes(file.read_bytes())
    arrived.unlink()
    library = _growth("pynetdicom", archive_of_everything.port, file)
    archive_of_everything.file(file.stem).unlink()
    print(f"memory growth / size: ours {ours / size:.3f}, the library's own way {library / size:.3f}")
    assert ours < 0.1 * size
    assert library > 0.6 * size, "the measure does not see what it is to see"


def test_a_very_big_object_goes_over_the_web_in_little_memory(orthanc_web, tmp_path):
    url = f"http://127.0.0.1:{orthanc_web.http_port}/dicom-web"
    file = _object(tmp_path, 300_000_000)
    ours = _growth("stow", url, file)
    assert file.stem in orthanc_web.sop_instance_uids()
    whole = _growth("httpx2", url, _object(tmp_path, 100_000_000))
    print(f"memory growth: ours {ours / 1e6:.1f} MB of 300, in one piece {whole / 1e6:.0f} MB of 100")
    assert ours < 30_000_000
    assert whole > 60_000_000, "the measure does not see what it is to see"
