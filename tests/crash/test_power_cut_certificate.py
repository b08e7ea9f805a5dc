"""The box's own certificate, cut after every file operation while another one is taken: its key always fits it.

A configuration that names a key and a certificate which do not fit each other starts no process at all.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.clock import FakeClock
from gateway.config.certificates import misfit
from gateway.panel.own_certificate import CERTIFICATE, KEY, OwnCertificate
from gateway.spool.audit import Audit
from gateway.spool.files import Files
from tests.crash.power_cut import FilesNeverFlushed, Recording, Tally, ack, for_each_disk
from tests.memory import folder_in_memory

NAMES = ["box.clinic.example"]


class OneAfterTheOther(OwnCertificate):
    """As it was once: two files, each whole."""

    def _keep(self, key: bytes, certificate: bytes) -> None:
        self._files.write(self.path(KEY), [key])
        self._files.write(self.path(CERTIFICATE), [certificate])


@pytest.fixture
def root() -> Iterator[Path]:
    with folder_in_memory() as folder:
        (folder / "data").mkdir()
        yield folder / "data"


def own_in(root: Path, files: Files, kind: type[OwnCertificate] = OwnCertificate) -> OwnCertificate:
    clock = FakeClock()
    audit = Audit(path=root / "audit.jsonl", files=Files(), clock=clock)
    return kind(base=root, files=files, audit=audit, clock=clock)


def signed(own: OwnCertificate) -> str:
    words = ["openssl", "x509", "-req", "-signkey", own.path("box-new.key"), "-days", "365"]
    return subprocess.run(words, input=own.request(), capture_output=True, check=True).stdout.decode()


def pair(folder: Path) -> tuple[bytes, bytes] | None:
    there = [folder / "certificates" / name for name in (KEY, CERTIFICATE)]
    if not all(path.exists() for path in there):
        return None
    return there[0].read_bytes(), there[1].read_bytes()


def lived(root: Path, *, kind: type[OwnCertificate] = OwnCertificate, files: type[Recording] = Recording) -> Tally:
    """Take two certificates, one after the other, where two plain files lay before; look at every disk."""
    own_in(root, Files(), OneAfterTheOther).make(NAMES)
    recording = files(root)
    begin, own, pairs = len(recording.log), own_in(root, recording, kind), [pair(root)]
    for _ in range(2):
        own.make(NAMES)
        own.take(signed(own))
        pairs.append(pair(root))
        ack(recording, len(pairs) - 1)
    assert len(set(pairs)) == 3
    tally = Tally()
    for cut, folder in for_each_disk(recording, tally, begin=begin):
        promised = cut.facts[-1] if cut.facts else 0
        wrong = misfit(folder / "certificates" / CERTIFICATE, folder / "certificates" / KEY)
        if wrong:
            tally.problems.append(wrong[0])
        elif pair(folder) not in pairs[promised : promised + 2]:
            tally.problems.append("an older pair")
    return tally


def test_a_power_cut_at_any_moment_leaves_the_key_and_the_certificate_that_belong_together(root: Path) -> None:
    tally = lived(root)
    print(f"\npower cut while a certificate is taken: {tally.cuts} cuts, {len(tally.disks)} different disks")
    assert tally.problems == []
    assert len(tally.disks) >= 20


def test_two_files_one_after_the_other_do_not_so_the_test_can_see_it(root: Path) -> None:
    tally = lived(root, kind=OneAfterTheOther)
    print(f"\ntwo files one after the other: {len(tally.problems)} of {len(tally.disks)} disks")
    assert set(tally.problems) == {"key"}


def test_files_that_nobody_flushed_do_not_either(root: Path) -> None:
    tally = lived(root, files=FilesNeverFlushed)
    print(f"\nwithout fsync of files: {len(tally.problems)} of {len(tally.disks)} disks")
    assert tally.problems


def test_the_first_pair_of_a_new_box_is_whole_or_not_there(root: Path) -> None:
    recording = Recording(root)
    own_in(root, recording).make(NAMES)
    tally = Tally()
    found = [pair(folder) for _, folder in for_each_disk(recording, tally, begin=0)]
    assert set(found) == {None, pair(root)}
