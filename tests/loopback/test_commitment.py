"""Storage commitment and queries over the network: an archive of our own that lies and dawdles, and Orthanc."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from gateway.config.settings import Address, Destination, Entity
from gateway.errors import DeliveryError, DiskFull, NeedsConfiguration, TryLater
from gateway.forward.connections import others
from gateway.forward.proving.finder import finder_of
from gateway.model import DeliveryState
from gateway.net.commitment import Caller, CommitmentAssociation, RawReport
from gateway.net.listener import Listener
from gateway.net.peers import Peer, Timeouts
from gateway.spool.spool import Spool
from tests.box import until
from tests.loopback.forward_archive import QUICK
from tests.loopback.peers import FaultArchive, Orthanc, VouchingArchive, free_port
from tests.loopback.peers import items as samples
from tests.loopback.peers.vouching import flood
from tests.loopback.test_forward_service import (
    clip,
    deliveries,
    open_exam,
    running,
    sealed_exam,
    settings,
    spool,
    states,
    still,
)

__all__ = ["spool"]  # a fixture

SENT, QUEUED, HELD, COMMITTED = (
    DeliveryState.SENT,
    DeliveryState.QUEUED,
    DeliveryState.HELD,
    DeliveryState.COMMITTED,
)
INSTANCES = [(samples.SECONDARY_CAPTURE, "1.2.3"), (samples.SECONDARY_CAPTURE, "1.2.4")]


@pytest.fixture
def archive() -> Iterator[VouchingArchive]:
    with VouchingArchive() as peer:
        yield peer


class Ears:
    """Keeps what it hears. `fails`: raised instead."""

    def __init__(self) -> None:
        self.heard: list[tuple[RawReport, Caller]] = []
        self.believes = True
        self.fails: Exception | None = None
        self.at_once = 0
        self.most_at_once = 0

    def __call__(self, report: RawReport, caller: Caller) -> bool:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(0.005)
        self.at_once -= 1
        if self.fails:
            raise self.fails
        self.heard.append((report, caller))
        return self.believes


def way(
    peer: VouchingArchive | FaultArchive, ae_title: str = "VOUCHES", timeouts: Timeouts = QUICK
) -> CommitmentAssociation:
    to = Peer(kind="archive", name="pacs", ae_title=ae_title, host="127.0.0.1", port=peer.port)
    return CommitmentAssociation(to, our_ae="SCOPEGATE", timeouts=timeouts)


@contextmanager
def listening(ears: Ears | None) -> Iterator[int]:
    listener = Listener(
        Address(host="127.0.0.1", port=0),
        ae_title="SCOPEGATE",
        callers=[("VOUCHES", "127.0.0.1")],
        hear=ears,
        timeouts=Timeouts(negotiate=1.0, stall=1.0),
    )
    listener.open()
    stop = threading.Event()
    thread = threading.Thread(target=listener.serve, args=(stop,))
    thread.start()
    try:
        yield listener.port
    finally:
        stop.set()
        thread.join(5)


# --- on the association that asked --------------------------------------------------------------------------------


def test_a_report_on_the_same_association_is_heard_and_answered_once_it_is_kept(archive: VouchingArchive) -> None:
    archive.how = "same"
    ears = Ears()
    with way(archive) as link:
        link.ask("2.25.1", INSTANCES)
        link.listen(5, ears, enough=partial(bool, archive.answers))
    assert archive.requests == {"2.25.1": ["1.2.3", "1.2.4"]}
    assert archive.answers == [0x0000]
    ((report, caller),) = ears.heard
    assert report.event_type == 1
    assert caller == Caller(ae_title="VOUCHES", address="127.0.0.1")


def test_a_report_of_an_archive_that_hangs_up_without_its_answer_counts_all_the_same(
    archive: VouchingArchive,
) -> None:
    archive.how = "leaves"
    ears = Ears()
    with way(archive) as link:
        link.ask("2.25.1", INSTANCES)
        until("it to hang up", lambda: not link._link.usable)
        link.listen(0, ears, enough=lambda: False)
    assert len(ears.heard) == 1


@pytest.mark.parametrize(("trouble", "status"), [("disk", 0x0110), ("nonsense", 0x0115)])
def test_a_report_that_is_not_kept_is_not_acknowledged(archive: VouchingArchive, trouble: str, status: int) -> None:
    ears = Ears()
    ears.fails = DiskFull() if trouble == "disk" else None
    ears.believes = False
    archive.how = "same"
    with way(archive) as link:
        link.ask("2.25.1", INSTANCES)
        link.listen(5, ears, enough=partial(bool, archive.answers))
    with listening(ears) as archive.box_port:
        archive.report("2.25.1")
    assert archive.answers == [status, status]


def test_an_answer_is_not_lost_to_a_report_that_comes_beside_it(archive: VouchingArchive) -> None:
    """The peer's requests and the answer that a call waits for go separate ways."""
    for number in range(20):
        archive.how = "same"
        ears = Ears()
        with way(archive) as link:
            link.ask(f"2.25.{number + 1}", INSTANCES)
            link.listen(5, ears, enough=partial(bool, ears.heard))
            archive.how = "never"
            link.ask(f"2.26.{number + 1}", INSTANCES)
    assert len(archive.requests) == 40


def test_a_flood_of_reports_starts_no_threads_and_is_served_one_by_one(archive: VouchingArchive) -> None:
    archive.how = "many"
    ears = Ears()
    before = threading.active_count()
    with way(archive) as link:
        link.ask("2.25.1", INSTANCES)
        link.listen(15, ears, enough=archive.flooded.is_set)
        assert archive.flooded.is_set()
        assert threading.active_count() < before + 10
    assert 1 <= len(ears.heard) <= 100
    assert ears.most_at_once == 1


def test_reports_of_one_caller_are_served_in_their_turn(archive: VouchingArchive) -> None:
    """pynetdicom would serve each in a thread of its own."""
    ears = Ears()
    archive.requests["2.25.1"] = ["1.2.3"]
    with listening(ears) as archive.box_port:
        original = archive._say

        def say(assoc, said, event_type):
            (context,) = assoc.accepted_contexts
            for number in range(50):
                flood(assoc, context, said, event_type, number + 2)
            until("all to be heard", lambda: len(ears.heard) == 50)
            original(assoc, said, event_type)

        archive._say = say  # type: ignore[method-assign]  # the peer's own manners, not ours
        assert archive.report("2.25.1") == 0
    assert ears.most_at_once == 1


FAILING = {
    "S0110": (TryLater, "commitment-refused", "0110"),
    "S0213": (TryLater, "commitment-refused", "0213"),
    "S0131": (TryLater, "commitment-refused", "0131"),
    "S0122": (NeedsConfiguration, "commitment-refused", "0122"),
    "S0124": (NeedsConfiguration, "commitment-refused", "0124"),
    "mute": (TryLater, "timeout", ""),
}


@pytest.mark.parametrize("how", FAILING)
def test_a_request_that_is_not_taken_is_told_apart_from_one_without_answer(
    archive: VouchingArchive, how: str
) -> None:
    archive.how = how
    kind, code, status = FAILING[how]
    with pytest.raises(DeliveryError) as caught, way(archive) as link:
        link.ask("2.25.1", INSTANCES)
    assert (type(caught.value), caught.value.code, caught.value.status) == (kind, code, status)


def test_an_archive_without_storage_commitment_is_told_so() -> None:
    with FaultArchive() as peer, pytest.raises(NeedsConfiguration) as caught, way(peer):
        pass
    assert caught.value.code == "no-context"


# --- our listener -------------------------------------------------------------------------------------------------


def test_a_report_on_a_new_association_is_heard_with_its_caller(archive: VouchingArchive) -> None:
    ears = Ears()
    archive.requests["2.25.1"] = ["1.2.3"]
    with listening(ears) as archive.box_port:
        assert archive.report("2.25.1") == 0x0000
        archive.how = "partial"
        assert archive.report("2.25.1") == 0x0000
    assert [(report.event_type, caller.ae_title) for report, caller in ears.heard] == [
        (1, "VOUCHES"),
        (2, "VOUCHES"),
    ]


def test_reports_are_taken_from_configured_systems_only_and_only_when_somebody_was_asked(
    archive: VouchingArchive,
) -> None:
    ears = Ears()
    archive.requests["2.25.1"] = ["1.2.3"]
    with listening(ears) as archive.box_port:
        assert archive.report("2.25.1", calling="STRANGER") is None
    with listening(None) as archive.box_port:
        assert archive.report("2.25.1") is None
    assert ears.heard == []


def test_other_events_and_other_classes_are_told_that_they_are_not_understood(archive: VouchingArchive) -> None:
    ears = Ears()
    archive.requests["2.25.1"] = ["1.2.3"]
    with listening(ears) as archive.box_port:
        words = archive.words("2.25.1")[0]
        archive.words = lambda _: (words, 3)  # type: ignore[method-assign]  # the peer's own manners
        assert archive.report("2.25.1") == 0x0113
    assert ears.heard == []


# --- the whole forward process ------------------------------------------------------------------------------------


def vouching(archive: VouchingArchive, **more: object) -> Destination:
    values = {"name": "pacs", "ae_title": "VOUCHES", "host": "127.0.0.1", "port": archive.port, "commitment": True}
    return Destination(**{**values, **more})  # type: ignore[arg-type]


def finished_exam(spool: Spool, *, stills: int, clips: int = 0) -> None:
    """Leave an exam to the forward process that runs: two would seal the same pictures."""
    exam = open_exam(spool)
    for _ in range(stills):
        still(spool, exam)
    for _ in range(clips):
        clip(spool, exam)
    spool.exams.finish(exam.id)


def wait_is_over(spool: Spool) -> None:
    """Let what was asked or sent again be due at once."""
    with spool.database.write() as connection:
        connection.execute("UPDATE delivery SET proof_due_ns = 0")


def taken(spool: Spool) -> int:
    """Return how many requests wait for their report."""
    with spool.database.read() as connection:
        return int(connection.execute("SELECT count(*) FROM commitment WHERE state = 'accepted'").fetchone()[0])


@pytest.mark.parametrize("how", ["same", "separate", "twice", "early"])
def test_what_the_archive_vouches_for_is_safe_however_it_reports(
    tmp_path: Path, spool: Spool, archive: VouchingArchive, how: str
) -> None:
    archive.how = how
    archive.box_port = free_port()
    sealed_exam(spool, stills=2, clips=1)
    with running(settings(tmp_path, listen=archive.box_port, destinations=(vouching(archive),))):
        until("the archive to vouch", lambda: states(spool) == [COMMITTED] * 3)
        until("our answers", lambda: len(archive.answers) == (2 if how == "twice" else 1))
    assert set(archive.answers) == {0}
    assert len(archive.requests) == 1
    assert {each.proof for each in deliveries(spool)} == {"commitment"}
    assert len(archive.arrived) == 3


def test_what_the_archive_has_lost_goes_again_and_the_rest_is_safe(
    tmp_path: Path, spool: Spool, archive: VouchingArchive
) -> None:
    archive.how = "partial"
    archive.lost = 2
    archive.box_port = free_port()
    sealed_exam(spool, stills=2, clips=1)
    with running(settings(tmp_path, listen=archive.box_port, destinations=(vouching(archive),))):
        until("the report", lambda: archive.answers)
        archive.how = "separate"
        until("a still and a clip to be sent again", lambda: len(archive.arrived) == 5)
        until("them to be sent", lambda: states(spool) == [COMMITTED, SENT, SENT])
        wait_is_over(spool)
        until("the lost ones to be safe", lambda: states(spool) == [COMMITTED] * 3)
    sent = [each.sop_instance_uid for each in archive.arrived]
    assert sorted(sent[3:]) == sorted(each.sop_instance_uid for each in deliveries(spool)[1:])


@pytest.mark.parametrize("how", ["unknown", "foreign", "stranger"])
def test_a_forged_report_makes_nothing_safe_and_stands_in_the_audit_file(
    tmp_path: Path, spool: Spool, archive: VouchingArchive, how: str
) -> None:
    archive.how = how
    archive.box_port = free_port()
    sealed_exam(spool, stills=1, clips=1)
    other = vouching(archive, name="other", ae_title="STRANGER", port=free_port())
    with running(settings(tmp_path, listen=archive.box_port, destinations=(vouching(archive), other))):
        until("our answer", lambda: archive.answers)
    assert archive.answers == [0x0115]
    assert states(spool) == [SENT] * 2
    assert "commitment-report-refused" in spool.layout.audit.read_text()


def test_an_archive_that_never_reports_is_asked_anew_and_its_late_word_counts_once(
    tmp_path: Path, spool: Spool, archive: VouchingArchive
) -> None:
    archive.how = "never"
    archive.box_port = free_port()
    sealed_exam(spool, stills=1, clips=1)
    to = vouching(archive, commitment_wait_s=0)
    with running(settings(tmp_path, listen=archive.box_port, destinations=(to,))):
        until("a request that is taken", lambda: taken(spool) == 1)
        wait_is_over(spool)
        until("another request", lambda: len(archive.requests) == 2)
        assert states(spool) == [SENT] * 2
        first, second = archive.requests
        assert first != second
        assert archive.requests[first] == archive.requests[second]
        archive.how = "separate"
        assert archive.report(first) == 0x0000
        assert states(spool) == [COMMITTED] * 2
        archive.how = "partial"
        assert archive.report(first) == 0x0000, "it said so before"
        assert archive.report(second) == 0x0000
        assert states(spool) == [COMMITTED] * 2
    assert len(archive.arrived) == 2


def test_an_archive_that_refuses_to_vouch_keeps_nothing_from_being_sent_and_is_named(
    tmp_path: Path, spool: Spool, archive: VouchingArchive
) -> None:
    archive.how = "S0122"
    sealed_exam(spool, stills=2)
    with running(settings(tmp_path, listen=free_port(), destinations=(vouching(archive),))) as look:
        until("the refusal", lambda: archive.requests)

        def said() -> dict[str, object]:
            (found,) = look()["destinations"]  # type: ignore[misc]
            return dict(found["proof"]) if found["proof"]["state"] == "paused" else {}  # type: ignore[index]

        proof = until("the refusal to be said", said)
        finished_exam(spool, stills=2)
        until("the next exam to be sent all the same", lambda: states(spool) == [SENT] * 4)
    assert proof["code"] == "commitment-refused"
    assert "Call IT" in str(proof["action"])


def test_orthanc_vouches_for_what_it_has_and_says_what_it_has_not(tmp_path: Path, spool: Spool) -> None:
    port = free_port()
    with Orthanc(tmp_path / "orthanc", DicomModalities={"box": ["SCOPEGATE", "127.0.0.1", port]}) as peer:
        to = Destination(
            name="pacs", ae_title="ORTHANC", host="127.0.0.1", port=peer.port, commitment=True, query=True
        )
        exam = sealed_exam(spool, stills=2, clips=1)
        uids = [each.sop_instance_uid for each in deliveries(spool)]
        ears = Ears()
        with running(settings(tmp_path, listen=port, destinations=(to,))):
            until("Orthanc to vouch", lambda: states(spool) == [COMMITTED] * 3)
            finder = finder_of(to, our_ae="SCOPEGATE")
            assert finder is not None
            assert finder.find(exam.study_instance_uid, [*uids, "1.2.3"]) == set(uids)
            assert finder.find("1.2.3.4", uids) == frozenset()
            finished_exam(spool, stills=1, clips=1)
            until("the second exam to be sent", lambda: states(spool)[3:] == [SENT] * 2)
            lost = {each.sop_instance_uid for each in deliveries(spool)[3:]}
            for uid in lost:
                peer.delete(uid)
            until("both to be sent again", lambda: lost <= set(peer.sop_instance_uids()))
            wait_is_over(spool)
            until("Orthanc to vouch for them", lambda: states(spool) == [COMMITTED] * 5)
    assert ears.heard == []


# --- asking what an archive has -----------------------------------------------------------------------------------


def find(archive: VouchingArchive, study: str, *uids: str, timeouts: Timeouts = QUICK) -> frozenset[str]:
    finder = finder_of(vouching(archive, commitment=False, query=True), our_ae="SCOPEGATE", timeouts=timeouts)
    assert finder is not None
    return finder.find(study, uids)


def test_an_archive_is_asked_series_by_series_what_it_has(archive: VouchingArchive) -> None:
    archive.has = {"1.2": {"1.2.1": ["1.2.1.1", "1.2.1.2"], "1.2.2": ["1.2.2.1"]}}
    assert find(archive, "1.2", "1.2.1.1", "1.2.2.1", "1.2.9") == {"1.2.1.1", "1.2.2.1"}
    assert find(archive, "1.3", "1.2.1.1") == frozenset()
    archive.unavailable = {"1.2.1.1"}
    assert find(archive, "1.2", "1.2.1.1", "1.2.2.1") == {"1.2.2.1"}
    archive.ignores_keys = True
    assert find(archive, "1.2", "1.2.1.1", "1.2.2.1") == {"1.2.2.1"}


def test_an_object_that_an_archive_filed_in_another_study_is_not_found(archive: VouchingArchive) -> None:
    archive.has = {"1.2": {"1.2.1": ["1.2.1.1"]}}
    archive.study = "1.3"
    assert find(archive, "1.2", "1.2.1.1") == frozenset()


@pytest.mark.parametrize(("status", "kind"), [(0xA700, TryLater), (0xC001, TryLater), (0xA900, NeedsConfiguration)])
def test_an_archive_that_refuses_the_question_has_said_nothing(
    archive: VouchingArchive, status: int, kind: type[DeliveryError]
) -> None:
    archive.has = {"1.2": {"1.2.1": ["1.2.1.1"]}}
    archive.find_status = status
    with pytest.raises(kind) as caught:
        find(archive, "1.2", "1.2.1.1")
    assert caught.value.code == "query-refused"


def test_an_archive_with_more_answers_than_anybody_asked_for_is_not_believed(archive: VouchingArchive) -> None:
    archive.has = {"1.2": {"1.2.1": [f"1.2.1.{number}" for number in range(5002)]}}
    with pytest.raises(TryLater) as caught:
        find(archive, "1.2", "1.2.1.1", timeouts=Timeouts())
    assert caught.value.code == "endless"


def test_after_a_rebuild_an_archive_that_can_be_asked_settles_what_was_sent(
    tmp_path: Path, spool: Spool, archive: VouchingArchive
) -> None:
    exam = sealed_exam(spool, stills=2)
    first, _ = deliveries(spool)
    archive.has = {exam.study_instance_uid: {"1.2.1": [first.sop_instance_uid]}}
    with spool.database.write() as connection:
        connection.execute("UPDATE delivery SET state = 'held', code = 'after-rebuild'")
    with running(settings(tmp_path, destinations=(vouching(archive, commitment=False, query=True),))):
        until("both to be there", lambda: states(spool) == [SENT, SENT])
    assert [each.sop_instance_uid for each in archive.arrived] == [deliveries(spool)[1].sop_instance_uid]


def test_doctor_says_whether_an_archive_offers_what_is_to_prove_that_it_has_the_pictures(
    tmp_path: Path, archive: VouchingArchive
) -> None:
    with FaultArchive() as plain:
        elsewhere = Entity(ae_title="VOUCHES", host="127.0.0.1", port=archive.port)
        both = {"ae_title": "TAKES", "host": "127.0.0.1", "port": plain.port}
        wanted = settings(
            tmp_path,
            destinations=(
                Destination(name="one", commitment=elsewhere, query=elsewhere, **both),
                Destination(name="two", commitment=True, **both),
                Destination(name="three", **both),
            ),
        )
        lines = list(others.proofs(wanted))
    assert [(line.what, line.ok) for line in lines] == [
        ("commitment one", True),
        ("query one", True),
        ("commitment two", False),
    ]
    assert lines[2].code == "no-context"
    assert archive.requests == {}
