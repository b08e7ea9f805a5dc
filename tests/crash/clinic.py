"""What stands around the box that is killed: a worklist, a server of procedure steps, three archives and a medium.

None of them misbehaves: whatever is lost or wrong in the end is the box's doing.
"""

import gc
import logging
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pynetdicom import ALL_TRANSFER_SYNTAXES
from pynetdicom.transport import AssociationSocket

from tests.crash.busy import Ordered
from tests.crash.warm_box import WarmBox
from tests.loopback.peers import StepServer, StoreScp, WlmScpfs
from tests.loopback.peers.faults import FaultArchive
from tests.loopback.peers.items import IMPLICIT, NAMES, worklist_item
from tests.loopback.peers.vouching import VouchingArchive
from tests.loopback.whole_box import as_worklist, today

_PATIENTS = 24  # on the worklist; every third of them with two orders
_REPORT_AGAIN_S = 0.3
FILES, VOUCHES, STILLS, MEDIUM = "pacs", "vouching", "stills", "usb"


class Vouching(VouchingArchive):
    """An archive that vouches for what it is asked about, and reports again until somebody hears it.

    `told`: the status with which the box answered the report about each object, as far as it was heard.
    """

    def __init__(self) -> None:
        super().__init__()
        self.told: dict[str, int] = {}

    def _report_later(self, transaction: str, assoc: Any) -> None:
        del assoc  # the box may be dead by then
        while not self.gone.wait(_REPORT_AGAIN_S):
            status = None
            with suppress(OSError, RuntimeError, ValueError):  # it is dead, or died while it was told
                socket.create_connection(("127.0.0.1", self.box_port), timeout=5).close()
                status = self.report(transaction)
            if status is not None:
                self.told.update(dict.fromkeys(self.requests[transaction], status))
                return


class OfStills(FaultArchive):
    """An archive that takes nothing compressed, so that it gets stills in place of clips."""

    def __init__(self) -> None:
        super().__init__()
        for context in self._entity.supported_contexts:
            if set(context.transfer_syntax or ()) == set(ALL_TRANSFER_SYNTAXES):
                context.transfer_syntax = [IMPLICIT]


@dataclass(frozen=True, kw_only=True)
class Clinic:
    """The box and what stands around it. `medium` is None where nothing can be mounted."""

    box: WarmBox
    files: StoreScp
    vouching: Vouching
    stills: OfStills
    steps: StepServer
    medium: Path | None
    films: bool = False  # clips become H.264, and nobody wants stills of them
    orders: list[Ordered] = field(default_factory=list)

    @property
    def everything(self) -> set[str]:
        """Return the destinations that get every picture."""
        return {FILES, VOUCHES, *([MEDIUM] if self.medium else [])}


@contextmanager
def clinic(folder: Path, *, careless: bool, at_once: bool, purging: bool, films: bool) -> Iterator[Clinic]:
    """Open a clinic. `purging`: what is vouched for leaves the box at its next start."""
    with ExitStack() as opened:
        opened.enter_context(quiet())
        files = opened.enter_context(StoreScp(folder / "archive", "+xa"))
        worklist = opened.enter_context(WlmScpfs(folder / "worklist"))
        vouching, stills = opened.enter_context(Vouching()), opened.enter_context(OfStills())
        steps = opened.enter_context(StepServer())
        medium = opened.enter_context(mounted(folder / "medium"))
        optional = {"required": False}
        destinations = [
            {"name": FILES, **_peer(files, files.ae_title), "commitment": False, **optional},
            {"name": VOUCHES, **_peer(vouching, vouching.ae_title), "commitment": True, "commitment_wait_s": 0},
            {"name": STILLS, **_peer(stills, "TAKES"), "types": ["clip"], "fallback": "key-stills", **optional},
        ]
        destinations[-1] |= {"key_stills": 2, "commitment": False}
        if films:  # an archive that took no H.264 once would get the others no more of it
            destinations.pop()
        source = {
            "name": "us",
            "device": "pattern:ultrasound",
            "modality": "US",
            "clip": "h264" if films else "jpeg",
        }
        if medium:
            destinations.append({"name": MEDIUM, "kind": "media", "folder": str(medium), **optional})
        box = WarmBox(
            folder / "box",
            medium=folder / "medium",
            careless=careless,
            worklists=[as_worklist(worklist)],
            procedure_steps=[{"name": "ris", **_peer(steps, steps.ae_title)}],
            destinations=destinations,
            sources=[source],
            release={"when": "at-once" if at_once else "finish"},
            retention={"keep_days": 0 if purging else 30, "reserve_mb": 64},
        )
        vouching.box_port = box.dicom_port
        orders = list(ordered(worklist))
        opened.enter_context(box)
        yield Clinic(
            box=box,
            files=files,
            vouching=vouching,
            stills=stills,
            steps=steps,
            medium=medium,
            films=films,
            orders=orders,
        )


def ordered(worklist: WlmScpfs) -> Iterator[Ordered]:
    """Fill a worklist and return who is on it."""
    scripts = list(NAMES.values())
    for number in range(1, _PATIENTS + 1):
        character_set, name = scripts[number % len(scripts)]
        accessions = []
        for order in (number, 100 + number) if number % 3 == 0 else (number,):
            item = worklist_item(name=name, character_set=character_set, number=order, day=today())
            item.PatientID = f"W{number:05d}"
            worklist.add(f"item{order}", item)
            accessions.append(str(item.AccessionNumber))
        yield Ordered(patient=f"W{number:05d}", accessions=tuple(accessions), study=f"2.25.{1000 + number}")


@contextmanager
def quiet() -> Iterator[None]:
    """Log no lost connection, and close in the end what pynetdicom forgets of those whose other end was killed."""
    log = logging.getLogger("pynetdicom")
    before = log.level
    log.setLevel(logging.CRITICAL + 1)  # pytest would keep what is logged, with the socket on which it happened
    try:
        yield
    finally:
        log.setLevel(before)
        for each in gc.get_objects():
            if type(each) is AssociationSocket and each.socket is not None:
                each.socket.close()


@contextmanager
def mounted(folder: Path) -> Iterator[Path | None]:
    """Put a file system of its own there, as a medium is; None where that is not allowed."""
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2g", "tmpfs", str(folder)], capture_output=True, check=False
    )
    try:
        yield None if made.returncode else folder
    finally:
        if not made.returncode:
            subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)


def _peer(server: Any, ae_title: str) -> dict[str, Any]:
    return {"ae_title": ae_title, "host": "127.0.0.1", "port": server.port}
