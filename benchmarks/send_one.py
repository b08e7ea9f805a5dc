"""`python -m benchmarks.send_one PORT AE SMALL LARGE`: prints the MB that sending the large file made it grow."""

import sys
from pathlib import Path

from pydicom.filereader import read_file_meta_info

from gateway.config.settings import Destination
from gateway.net.store import StoreAssociation, Wanted


def main() -> None:
    port, ae_title, *names = sys.argv[1:]
    small, large = map(Path, names)
    destination = Destination(name="pacs", ae_title=ae_title, host="127.0.0.1", port=int(port))
    meta = read_file_meta_info(small)
    kind, syntax = str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID)
    wanted = [Wanted(sop_class_uid=kind, transfer_syntax_uid=syntax, lossy=True)]
    with StoreAssociation(destination, our_ae="SCOPEGATE", wanted=wanted) as association:

        def send(path: Path) -> None:
            uid = str(read_file_meta_info(path).MediaStorageSOPInstanceUID)
            association.store(path, sop_class_uid=kind, sop_instance_uid=uid, transfer_syntax_uid=syntax)

        send(small)  # what every object costs once is not growth
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # proc(5): the peak begins anew
        before = _kilobytes("VmRSS")
        send(large)
        print((_kilobytes("VmHWM") - before) * 1024 / 1e6)


def _kilobytes(name: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0])
    raise AssertionError(name)


if __name__ == "__main__":
    main()
