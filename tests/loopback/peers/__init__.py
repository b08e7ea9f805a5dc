"""Real peers for tests, each on a free port of a private network: see `namespace` first.

from tests.loopback.peers import Orthanc, StoreScp, WlmScpfs, FaultArchive, FaultWorklist, RawServer
"""

from tests.loopback.peers.dcmtk import StoreScp, WlmScpfs
from tests.loopback.peers.faults import FaultArchive, FaultWorklist, RawServer
from tests.loopback.peers.namespace import enter_private_network
from tests.loopback.peers.orthanc import Orthanc
from tests.loopback.peers.process import free_port

__all__ = [
    "FaultArchive",
    "FaultWorklist",
    "Orthanc",
    "RawServer",
    "StoreScp",
    "WlmScpfs",
    "enter_private_network",
    "free_port",
]
