"""An entry of the configuration is tried, saved or not: what is asked, and what is found out."""

from dataclasses import asdict, dataclass
from typing import Any

from gateway.messages import N_

REQUEST = "trial"
TABLES = ("worklist", "procedure_step", "destination", "audit")  # of the configuration, that name another system
DEADLINE_S = 120.0
NO_OTHER = N_("Only a worklist server, a procedure step server, an archive or an audit repository can be tried.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One thing that was found out. `ok`: None is neither good nor bad; `part`: what was tried, for programs."""

    part: str
    ok: bool | None
    what: str
    action: str = ""
    code: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
