"""Real peers for tests, each on a free port of a private network: see `namespace` first.

from tests.loopback.peers import Orthanc, StoreScp, WlmScpfs, FaultArchive, FaultWorklist, RawServer, SlowLink

Names are looked up when they are used: what they import starts threads, and a private network must come first.
"""

import importlib
from typing import Any

_WHERE = {
    "FaultArchive": "faults",
    "FaultWeb": "web",
    "FaultWorklist": "faults",
    "JavaScriptPeer": "javascript_peer",
    "Orthanc": "orthanc",
    "RawServer": "faults",
    "Rsyslog": "rsyslog",
    "SlowLink": "slow",
    "StepServer": "step_server",
    "StoreScp": "dcmtk",
    "VouchingArchive": "vouching",
    "WlmScpfs": "dcmtk",
    "enter_private_network": "namespace",
    "free_port": "process",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(name)
    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
