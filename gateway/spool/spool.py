"""The spool as one value: its layout, its files, its index and the tables. Opening is in `opening`."""

from dataclasses import dataclass
from pathlib import Path

from gateway.clock import Clock
from gateway.spool.audit import Audit
from gateway.spool.captures import Captures
from gateway.spool.database import Database
from gateway.spool.disk.reserve import Reserve
from gateway.spool.disk.space import Space
from gateway.spool.exams import Exams
from gateway.spool.files import Files
from gateway.spool.key_images import KeyImages
from gateway.spool.key_stills import KeyStills
from gateway.spool.objects import Objects
from gateway.spool.paths import Layout
from gateway.spool.processes.requests import Requests
from gateway.spool.queue.commitments import Commitments
from gateway.spool.queue.deliveries import Deliveries
from gateway.spool.queue.destinations import Destinations
from gateway.spool.queue.proofs import Proofs
from gateway.spool.queue.rerouting import Rerouting
from gateway.spool.releases import Releases
from gateway.spool.sides import Sides
from gateway.spool.steps import Steps
from gateway.spool.worklist import Worklist


@dataclass(frozen=True, kw_only=True, slots=True)
class Spool:
    """Everything durable of one data folder."""

    layout: Layout
    files: Files
    database: Database
    clock: Clock
    exams: Exams
    captures: Captures
    sides: Sides
    key_images: KeyImages
    releases: Releases
    objects: Objects
    key_stills: KeyStills
    deliveries: Deliveries
    destinations: Destinations
    rerouting: Rerouting
    steps: Steps
    proofs: Proofs
    commitments: Commitments
    worklist: Worklist
    requests: Requests
    audit: Audit
    reserve: Reserve
    space: Space

    def close(self) -> None:
        self.database.close()


def assemble(
    root: Path,
    *,
    clock: Clock,
    files: Files,
    checkpoints: bool = False,
    index: Database | None = None,
    reserve_bytes: int = 0,
) -> Spool:
    """Build the parts of a spool without touching the disk; `index` when it is not the usual one."""
    layout = Layout(root)
    reserve = Reserve(path=layout.reserve, wanted=reserve_bytes, files=files)
    files.relief = reserve
    database = index or Database(layout.database, checkpoints=checkpoints, relief=reserve)
    exams = Exams(layout=layout, files=files, database=database, clock=clock)
    captures = Captures(layout=layout, files=files, database=database, clock=clock, exams=exams)
    return Spool(
        layout=layout,
        files=files,
        database=database,
        clock=clock,
        exams=exams,
        captures=captures,
        sides=Sides(layout=layout, files=files, database=database, clock=clock, exams=exams, captures=captures),
        key_images=KeyImages(layout=layout, files=files, database=database, exams=exams, captures=captures),
        releases=Releases(layout=layout, files=files, database=database, clock=clock),
        key_stills=KeyStills(layout=layout, files=files, clock=clock),
        objects=Objects(layout=layout, files=files, database=database, clock=clock),
        deliveries=Deliveries(database=database, clock=clock),
        destinations=Destinations(database=database),
        rerouting=Rerouting(database=database, clock=clock),
        steps=Steps(layout=layout, files=files, database=database, clock=clock),
        proofs=Proofs(database=database, clock=clock),
        commitments=Commitments(database=database, clock=clock),
        worklist=Worklist(database=database, clock=clock),
        requests=Requests(database=database, clock=clock),
        audit=Audit(path=layout.audit, files=files, clock=clock),
        reserve=reserve,
        space=Space(look=reserve.room, captures=captures, clock=clock),
    )
