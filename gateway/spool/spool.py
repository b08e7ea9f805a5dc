"""The spool as one value: its layout, its files, its index and the tables. Opening is in `opening`."""

from dataclasses import dataclass
from pathlib import Path

from gateway.clock import Clock
from gateway.spool.audit import Audit
from gateway.spool.captures import Captures
from gateway.spool.commitments import Commitments
from gateway.spool.database import Database
from gateway.spool.deliveries import Deliveries
from gateway.spool.exams import Exams
from gateway.spool.files import Files
from gateway.spool.objects import Objects
from gateway.spool.paths import Layout
from gateway.spool.proofs import Proofs
from gateway.spool.requests import Requests
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
    objects: Objects
    deliveries: Deliveries
    proofs: Proofs
    commitments: Commitments
    worklist: Worklist
    requests: Requests
    audit: Audit

    def close(self) -> None:
        self.database.close()


def assemble(
    root: Path, *, clock: Clock, files: Files, checkpoints: bool = False, index: Database | None = None
) -> Spool:
    """Build the parts of a spool without touching the disk; `index` when it is not the usual one."""
    layout = Layout(root)
    database = index or Database(layout.database, checkpoints=checkpoints)
    exams = Exams(layout=layout, files=files, database=database, clock=clock)
    return Spool(
        layout=layout,
        files=files,
        database=database,
        clock=clock,
        exams=exams,
        captures=Captures(layout=layout, files=files, database=database, clock=clock, exams=exams),
        objects=Objects(layout=layout, files=files, database=database, clock=clock),
        deliveries=Deliveries(database=database, clock=clock),
        proofs=Proofs(database=database, clock=clock),
        commitments=Commitments(database=database, clock=clock),
        worklist=Worklist(database=database, clock=clock),
        requests=Requests(database=database, clock=clock),
        audit=Audit(path=layout.audit, files=files, clock=clock),
    )
