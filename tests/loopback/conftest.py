"""One peer of each kind for the whole run; a sender's clock and spool, new for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.clock import FakeClock
from gateway.spool.spool import Spool
from tests.loopback.forward_archive import Scripted, memory_spool
from tests.loopback.peers import FaultArchive, FaultWeb, FaultWorklist, Orthanc, StoreScp, WlmScpfs, items
from tests.loopback.peers.orthanc import DICOM_WEB
from tests.loopback.whole_box import Archives


@pytest.fixture(scope="session")
def peers_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("peers")


@pytest.fixture(scope="session")
def orthanc(peers_folder: Path) -> Iterator[Orthanc]:
    with Orthanc(peers_folder / "orthanc") as peer:
        yield peer


@pytest.fixture(scope="session")
def orthanc_web(peers_folder: Path) -> Iterator[Orthanc]:
    """Orthanc with its DICOMweb plug-in."""
    with Orthanc(peers_folder / "orthanc-web", Plugins=[DICOM_WEB], DicomWeb={"Enable": True}) as peer:
        yield peer


@pytest.fixture(scope="session")
def archive_of_everything(peers_folder: Path) -> Iterator[StoreScp]:
    """storescp +xa: takes every transfer syntax DCMTK knows."""
    with StoreScp(peers_folder / "storescp-xa", "+xa") as peer:
        yield peer


@pytest.fixture(scope="session")
def archive_of_implicit(peers_folder: Path) -> Iterator[StoreScp]:
    """storescp +xi: takes Implicit VR Little Endian only."""
    with StoreScp(peers_folder / "storescp-xi", "+xi") as peer:
        yield peer


@pytest.fixture(scope="session")
def worklist_server(peers_folder: Path) -> Iterator[WlmScpfs]:
    """wlmscpfs -csk, empty: add items, clear afterwards."""
    with WlmScpfs(peers_folder / "wlm") as peer:
        yield peer


@pytest.fixture(scope="session")
def stripping_worklist_server(peers_folder: Path) -> Iterator[WlmScpfs]:
    """wlmscpfs without -csk: it drops SpecificCharacterSet from its answers."""
    with WlmScpfs(peers_folder / "wlm-stripping", keeps_character_set=False) as peer:
        yield peer


@pytest.fixture(scope="session")
def fault_archive() -> Iterator[FaultArchive]:
    with FaultArchive() as peer:
        yield peer


@pytest.fixture(scope="session")
def fault_worklist() -> Iterator[FaultWorklist]:
    with FaultWorklist() as peer:
        yield peer


@pytest.fixture(scope="session")
def archives(orthanc: Orthanc, archive_of_everything: StoreScp, archive_of_implicit: StoreScp) -> Archives:
    return Archives(orthanc=orthanc, everything=archive_of_everything, implicit=archive_of_implicit)


@pytest.fixture(scope="session")
def only_scripted_archive() -> Iterator[Scripted]:
    with Scripted() as peer:
        yield peer


@pytest.fixture
def archive(only_scripted_archive: Scripted) -> Scripted:
    """The archive that says what a test wants, with nothing left of the test before."""
    only_scripted_archive.forget()
    return only_scripted_archive


@pytest.fixture
def web_archive() -> Iterator[FaultWeb]:
    """A web archive that takes everything until a test says otherwise."""
    with FaultWeb() as peer:
        yield peer


@pytest.fixture
def still(tmp_path: Path) -> Path:
    """A small object as a PS3.10 file, named by its SOP Instance UID."""
    return items.sample(tmp_path)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def spool(clock: FakeClock) -> Iterator[Spool]:
    """A spool in memory, on a clock that stands still."""
    with memory_spool(clock) as opened:
        yield opened
