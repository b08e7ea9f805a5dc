"""Steps, storage commitment and queries over TLS: what is told and what is asked never leaves in clear."""

from collections.abc import Iterator
from functools import partial

import pytest

from gateway.clock import FakeClock
from gateway.config.settings import Destination, Tls
from gateway.errors import NeedsConfiguration
from gateway.forward.proving.commitment import opener
from gateway.forward.proving.finder import finder_of
from gateway.net.commitment import Caller, CommitmentAssociation, RawReport
from gateway.spool.spool import Spool
from tests.certificates import Authority, Identity
from tests.loopback.forward_archive import QUICK
from tests.loopback.listening import listening
from tests.loopback.peers import StepServer, VouchingArchive, items
from tests.loopback.test_step_servers import DONE, a_day, states, tell, teller

INSTANCES = [(items.SECONDARY_CAPTURE, "1.2.3"), (items.MULTI_FRAME_TRUE_COLOUR, "1.2.4")]


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("clinic"))


@pytest.fixture(scope="module")
def ours(clinic: Authority) -> Tls:
    return clinic.tls(clinic.issue("127.0.0.1", label="box"))


@pytest.fixture(scope="module")
def pacs(clinic: Authority) -> Identity:
    return clinic.issue("127.0.0.1", label="pacs")


@pytest.fixture
def archive(clinic: Authority, pacs: Identity) -> Iterator[VouchingArchive]:
    with VouchingArchive(secured=clinic.server(pacs)) as peer:
        peer.calls_with = clinic.client(pacs)
        yield peer


class Ears:
    """Believes and keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[RawReport, Caller]] = []

    def __call__(self, report: RawReport, caller: Caller) -> bool:
        self.heard.append((report, caller))
        return True


def asked(archive: VouchingArchive, tls: Tls | None) -> Destination:
    where = {"ae_title": "VOUCHES", "host": "127.0.0.1", "port": archive.port}
    return Destination(name="pacs", commitment=True, query=True, tls=tls, **where)  # type: ignore[arg-type]


def way(archive: VouchingArchive, tls: Tls | None) -> CommitmentAssociation:
    found = opener(asked(archive, tls), our_ae="SCOPEGATE", timeouts=QUICK)()
    assert isinstance(found, CommitmentAssociation)
    return found


def test_a_step_server_behind_tls_is_told_of_an_exam(
    spool: Spool, clock: FakeClock, clinic: Authority, ours: Tls, pacs: Identity
) -> None:
    with StepServer(secured=clinic.server(pacs)) as server:
        exam = a_day(spool)
        tell(teller(spool, server, tls=ours), clock)
        assert states(spool) == DONE
        assert server.states == {exam.steps[0].sop_instance_uid: "COMPLETED"}
        assert server.problems == []


def test_an_archive_behind_tls_vouches_on_the_association_that_asked(archive: VouchingArchive, ours: Tls) -> None:
    archive.how = "same"
    ears = Ears()
    with way(archive, ours) as link:
        link.ask("2.25.1", INSTANCES)
        link.listen(5, ears, enough=partial(bool, archive.answers))
    assert archive.requests == {"2.25.1": ["1.2.3", "1.2.4"]}
    assert archive.answers == [0x0000]
    assert len(ears.heard) == 1


def test_a_report_comes_to_the_box_over_tls_and_in_clear_it_is_not_heard(
    archive: VouchingArchive, ours: Tls
) -> None:
    ears = Ears()
    with listening(tls=ours, hear=ears, callers=[("VOUCHES", "127.0.0.1")]) as listener:
        archive.how = "never"
        archive.box_port = listener.port
        with way(archive, ours) as link:
            link.ask("2.25.1", INSTANCES)
        assert archive.report("2.25.1") == 0x0000
        archive.calls_with = None
        assert archive.report("2.25.1") is None
    ((report, caller),) = ears.heard
    assert (report.event_type, caller.ae_title) == (1, "VOUCHES")


def test_an_archive_behind_tls_says_what_it_has(archive: VouchingArchive, ours: Tls) -> None:
    archive.has = {"1.2": {"1.2.1": ["1.2.1.1", "1.2.1.2"]}}
    finder = finder_of(asked(archive, ours), our_ae="SCOPEGATE", timeouts=QUICK)
    assert finder is not None
    assert finder.find("1.2", ["1.2.1.1", "1.2.9"]) == {"1.2.1.1"}


def test_an_archive_behind_tls_is_not_asked_without_a_certificate(
    archive: VouchingArchive, clinic: Authority
) -> None:
    with pytest.raises(NeedsConfiguration) as caught, way(archive, clinic.tls()):
        pass
    assert caught.value.code == "tls-client-certificate-refused"
    assert archive.calls == []
