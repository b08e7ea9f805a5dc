"""Asking an archive to vouch: durable before it leaves, asked once, and nothing counts but its own word."""

import errno
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
from pydicom.dataset import Dataset

from gateway.clock import FakeClock
from gateway.config.settings import Destination, Entity
from gateway.errors import DiskFailed, NeedsConfiguration, SpoolError, TryLater
from gateway.forward.proving.commitment import Committer
from gateway.forward.proving.finder import Finder
from gateway.forward.proving.query import Querier
from gateway.forward.proving.reports import Reports
from gateway.model import DeliveryState
from gateway.net.commitment import Caller, Hear, RawReport
from gateway.spool.queue.deliveries import AFTER_REBUILD
from gateway.spool.spool import Spool
from tests.forward.bench import CANARY_WORDS, Disk, deliveries, sealed_exam
from tests.unit.dicom.test_commitment_reports import EXPLICIT, information, raw
from tests.unit.spool.values import index_unwritable

QUEUED, SENDING, SENT, COMMITTED, HELD = DeliveryState
HOUR = 3600.0
PACS = Caller(ae_title="PACS", address="10.0.0.6")


class Archive:
    """Vouches in memory. `refuse`: raised when it is asked; `says`: reports on the same association."""

    def __init__(self) -> None:
        self.refuse: Exception | None = None
        self.away: Exception | None = None
        self.says: Callable[[str, Sequence[str]], RawReport] | None = None
        self.asked: list[tuple[str, list[str]]] = []
        self.durable: list[bool] = []
        self.look: Callable[[str], bool] = lambda _: False
        self.answers: list[object] = []

    @contextmanager
    def open(self) -> Iterator["Archive"]:
        if self.away:
            raise self.away
        yield self

    def ask(self, transaction_uid: str, instances: list[tuple[str, str]]) -> None:
        self.durable.append(self.look(transaction_uid))
        self.asked.append((transaction_uid, [uid for _, uid in instances]))
        if self.refuse:
            raise self.refuse

    def listen(self, seconds: float, hear: Hear, *, enough: Callable[[], bool]) -> None:
        assert 0 <= seconds <= 15
        assert not enough()
        if self.says:
            transaction, uids = self.asked[-1]
            try:
                self.answers.append(hear(self.says(transaction, uids), PACS))
            except SpoolError as error:  # the edge answers 0110
                self.answers.append(error)
            assert enough() is (self.answers[-1] is True)


def all_stored(transaction: str, uids: Sequence[str]) -> RawReport:
    return report(transaction, tuple(uids))


def report(transaction: str, stored: tuple[str, ...] = (), failed: dict[str, int] | None = None) -> RawReport:
    said: Dataset = information(stored, failed)
    said.TransactionUID = transaction
    return RawReport(event_type=2 if failed else 1, transfer_syntax_uid=EXPLICIT, raw=raw(said))


@pytest.fixture
def archive() -> Archive:
    return Archive()


def destination(**more: object) -> Destination:
    values = {"name": "pacs", "ae_title": "STORE", "host": "10.0.0.5", "port": 104}
    vouches = Entity(ae_title="PACS", host="10.0.0.6", port=105)
    return Destination(**{**values, "commitment": vouches, **more})  # type: ignore[arg-type]


def reports(spool: Spool, *more: Destination) -> Reports:
    return Reports(spool=spool, destinations=(destination(), *more), addresses_of=lambda host: {host})


def committer(spool: Spool, archive: Archive) -> Committer:
    return Committer(
        spool=spool,
        destination=destination(),
        open_way=archive.open,
        hear=reports(spool).hear_from("pacs"),
    )


def sent_exam(spool: Spool, clock: FakeClock, stills: int = 2, *names: str) -> None:
    sealed_exam(spool, *(names or ("pacs",)), stills=stills)
    mark_sent(spool)
    clock.move(10)


def mark_sent(spool: Spool) -> None:
    with spool.database.write() as connection:
        connection.execute(
            "UPDATE delivery SET state = 'sent', changed_ns = ? WHERE state = 'queued'", (spool.clock.utc_ns(),)
        )


def states(spool: Spool, name: str = "pacs") -> list[DeliveryState]:
    return [each.state for each in deliveries(spool, name)]


def audited(spool: Spool) -> list[dict[str, object]]:
    if not spool.layout.audit.exists():
        return []
    lines = [json.loads(line) for line in spool.layout.audit.read_text().splitlines()]
    return [line for line in lines if line["what"] == "commitment-report-refused"]


# --- asking -------------------------------------------------------------------------------------------------------


def test_a_request_is_on_the_disk_before_it_leaves_the_box(
    spool: Spool, clock: FakeClock, archive: Archive
) -> None:
    def known(transaction: str) -> bool:
        with spool.database.read() as connection:
            found = connection.execute(
                "SELECT count(*) FROM commitment JOIN commitment_item USING (transaction_uid) "
                "WHERE transaction_uid = ? AND state = 'asked'",
                (transaction,),
            ).fetchone()
        return bool(found[0] == 2)

    archive.look = known
    sent_exam(spool, clock)
    assert committer(spool, archive).step()
    assert archive.durable == [True]


def test_an_exam_that_the_archive_vouches_for_is_committed_and_asked_about_once(
    spool: Spool, clock: FakeClock, archive: Archive
) -> None:
    archive.says = all_stored
    sent_exam(spool, clock)
    part = committer(spool, archive)
    assert part.step()
    assert not part.step()
    assert archive.answers == [True]
    assert [(each.state, each.proof) for each in deliveries(spool)] == [(COMMITTED, "commitment")] * 2
    assert len(archive.asked) == 1


def test_nothing_is_asked_when_the_index_cannot_keep_the_request(
    spool: Spool, clock: FakeClock, archive: Archive
) -> None:
    sent_exam(spool, clock)
    part = committer(spool, archive)
    part.step()
    clock.move(24 * HOUR)
    with index_unwritable(spool), pytest.raises(DiskFailed):
        part.step()
    assert len(archive.asked) == 1


def test_a_report_that_the_index_cannot_keep_is_not_acknowledged_and_not_believed(
    spool: Spool, clock: FakeClock, archive: Archive
) -> None:
    sent_exam(spool, clock)
    part = committer(spool, archive)
    part.step()
    transaction, uids = archive.asked[0]
    with index_unwritable(spool), pytest.raises(DiskFailed):
        reports(spool).hear(all_stored(transaction, uids), PACS)
    assert states(spool) == [SENT] * 2
    assert reports(spool).hear(all_stored(transaction, uids), PACS)
    assert states(spool) == [COMMITTED] * 2


def test_an_archive_that_is_away_is_left_alone_and_asked_again(
    spool: Spool, clock: FakeClock, archive: Archive
) -> None:
    archive.away = TryLater("It is away.", code="unreachable")
    sent_exam(spool, clock)
    part = committer(spool, archive)
    assert not part.step()
    assert part.pause is not None
    assert part.pause.error.code == "unreachable"
    with spool.database.read() as connection:
        assert connection.execute("SELECT count(*) FROM commitment").fetchone()[0] == 0
    archive.away = None
    assert not part.step()
    clock.move(15)
    assert part.step()
    assert part.pause is None


@pytest.mark.parametrize("answered", [True, False])
def test_a_request_that_fails_is_repeated_under_a_new_transaction_uid(
    spool: Spool,
    clock: FakeClock,
    archive: Archive,
    answered: bool,  # noqa: FBT001
) -> None:
    sent_exam(spool, clock)
    part = committer(spool, archive)
    archive.refuse = TryLater("It refused.", code="commitment-refused")
    archive.refuse.status = "0131" if answered else ""
    assert not part.step()
    clock.move(15)
    archive.refuse = None
    assert part.step()
    (first, uids), (second, again) = archive.asked
    assert first != second
    assert uids == again
    assert reports(spool).hear(all_stored(first, uids), PACS) is not answered, "a refused request has no report"


def test_a_setting_at_the_archive_that_keeps_us_out_is_waited_for(
    spool: Spool, clock: FakeClock, archive: Archive
) -> None:
    archive.away = NeedsConfiguration("It does not offer that.", code="no-context")
    sent_exam(spool, clock)
    part = committer(spool, archive)
    for _ in range(3):
        assert not part.step()
        assert part.pause is not None
        clock.move(15 * 60)
    assert states(spool) == [SENT] * 2


def test_an_archive_that_never_reports_is_asked_every_day_and_said_so(
    spool: Spool, clock: FakeClock, archive: Archive
) -> None:
    sent_exam(spool, clock)
    part = committer(spool, archive)
    for _ in range(30 * 24):
        part.step()
        clock.move(HOUR)
    assert len(archive.asked) == 30
    assert len({transaction for transaction, _ in archive.asked}) == 30
    assert part.silent_since_ns is not None
    assert states(spool) == [SENT] * 2


def test_a_picture_that_the_archive_loses_goes_again_with_growing_waits_until_a_person_is_asked(
    spool: Spool, clock: FakeClock, archive: Archive
) -> None:
    archive.says = lambda transaction, uids: report(transaction, failed=dict.fromkeys(uids, 0x0112))
    sent_exam(spool, clock, 1)
    part = committer(spool, archive)
    sent_again = 0
    for _ in range(4 * 24 * 60):
        part.step()
        if spool.deliveries.due("pacs", cap_s=1000):
            sent_again += 1
            mark_sent(spool)
        clock.move(60)
    assert sent_again == 11
    (held,) = deliveries(spool)
    assert (held.state, held.code, held.in_doubt) == (HELD, "not-committed", True)
    assert len(archive.asked) == 12


def test_a_picture_that_is_sent_again_and_then_vouched_for_is_safe(
    spool: Spool, clock: FakeClock, archive: Archive
) -> None:
    sent_exam(spool, clock, 2)
    part = committer(spool, archive)
    archive.says = lambda transaction, uids: report(transaction, (uids[0],), {uids[1]: 0x0110})
    part.step()
    assert states(spool) == [COMMITTED, QUEUED]
    mark_sent(spool)
    archive.says = all_stored
    clock.move(14)
    part.step()
    assert states(spool) == [COMMITTED, SENT], "the archive needs time to file it"
    clock.move(1)
    part.step()
    assert states(spool) == [COMMITTED] * 2
    assert [len(uids) for _, uids in archive.asked] == [2, 1]


def test_what_a_report_leaves_out_or_gives_no_reason_for_is_not_safe(
    spool: Spool, clock: FakeClock, archive: Archive
) -> None:
    sent_exam(spool, clock, 3)
    part = committer(spool, archive)
    archive.says = lambda transaction, uids: report(transaction, (uids[0],), {uids[1]: 0})
    part.step()
    assert states(spool) == [COMMITTED, QUEUED, SENT]


# --- who may say what ---------------------------------------------------------------------------------------------


def asked(spool: Spool, clock: FakeClock, archive: Archive) -> tuple[str, list[str]]:
    sent_exam(spool, clock)
    committer(spool, archive).step()
    return archive.asked[0]


def test_a_report_counts_from_the_peer_that_was_asked_on_any_association(
    spool: Spool, clock: FakeClock, archive: Archive
) -> None:
    assert reports(spool).hear(all_stored(*asked(spool, clock, archive)), PACS)
    assert states(spool) == [COMMITTED] * 2


STRANGERS = {
    "another title": Caller(ae_title="STORE", address="10.0.0.6"),
    "another address": Caller(ae_title="PACS", address="10.0.0.5"),
}


@pytest.mark.parametrize("who", STRANGERS)
def test_a_report_of_anybody_else_changes_nothing_and_is_audited(
    spool: Spool, clock: FakeClock, archive: Archive, who: str
) -> None:
    transaction, uids = asked(spool, clock, archive)
    ears = reports(spool, destination(name="other", commitment=True))
    assert not ears.hear(all_stored(transaction, uids), STRANGERS[who])
    assert states(spool) == [SENT] * 2
    (line,) = audited(spool)
    assert (line["why"], line["transaction"]) == ("another peer was asked", transaction)
    assert (line["caller"], line["address"]) == (STRANGERS[who].ae_title, STRANGERS[who].address)


def test_an_archive_may_speak_on_its_own_association_for_itself_only(
    spool: Spool, clock: FakeClock, archive: Archive
) -> None:
    transaction, uids = asked(spool, clock, archive)
    other = reports(spool, destination(name="other")).hear_from("other")
    assert not other(all_stored(transaction, uids), PACS)
    assert states(spool) == [SENT] * 2


def test_reports_that_make_no_sense_are_audited_without_their_content(
    spool: Spool, clock: FakeClock, archive: Archive
) -> None:
    transaction, uids = asked(spool, clock, archive)
    ears = reports(spool)
    noise = RawReport(event_type=1, transfer_syntax_uid=EXPLICIT, raw=" ".join(CANARY_WORDS).encode())
    assert not ears.hear(noise, PACS)
    assert not ears.hear(all_stored("2.25.99", uids), PACS)
    assert not ears.hear(all_stored(transaction, [*uids, "2.25.4711"]), PACS)
    assert [line["transaction"] for line in audited(spool)] == ["", "2.25.99", transaction]
    text = spool.layout.audit.read_text()
    assert not [word for word in CANARY_WORDS if word in text]
    assert states(spool) == [SENT] * 2


def test_a_flood_of_forged_reports_does_not_fill_the_disk(spool: Spool, clock: FakeClock, archive: Archive) -> None:
    _, uids = asked(spool, clock, archive)
    ears = reports(spool)
    for number in range(500):
        assert not ears.hear(all_stored(f"2.25.{number + 1}", uids), PACS)
        clock.move(0.5)
    assert len(audited(spool)) == 5


def test_a_forged_report_that_cannot_be_audited_is_not_acknowledged(
    spool: Spool, clock: FakeClock, archive: Archive, disk: Disk
) -> None:
    _, uids = asked(spool, clock, archive)
    disk.fail(errno.EIO)
    with pytest.raises(DiskFailed):
        reports(spool).hear(all_stored("2.25.99", uids), PACS)


# --- asking what the archive has ----------------------------------------------------------------------------------


class Shelf:
    """A Finder over a set. `away`: raised when it is asked."""

    def __init__(self, *has: str) -> None:
        self.has = set(has)
        self.away: Exception | None = None
        self.questions: list[tuple[str, frozenset[str]]] = []

    def find(self, study_instance_uid: str, sop_instance_uids: Sequence[str]) -> frozenset[str]:
        self.questions.append((study_instance_uid, frozenset(sop_instance_uids)))
        if self.away:
            raise self.away
        return frozenset(self.has & {*sop_instance_uids})


def querier(spool: Spool, finder: Finder, **more: object) -> Querier:
    words = {"commitment": False, "query": True, "trust_query": True, **more}
    return Querier(spool=spool, destination=destination(**words), finder=finder)


def test_what_a_trusted_archive_is_found_to_have_is_proven_by_the_question(spool: Spool, clock: FakeClock) -> None:
    sent_exam(spool, clock)
    clock.move(50)
    first, second = (each.sop_instance_uid for each in deliveries(spool))
    shelf = Shelf(first)
    part = querier(spool, shelf)
    assert part.step()
    assert [(each.state, each.proof) for each in deliveries(spool)] == [(COMMITTED, "query"), (SENT, "")]
    (study,) = {each.study_instance_uid for each in spool.exams.list()}
    assert shelf.questions == [(study, {first, second})]
    assert not part.step()


def test_what_is_never_found_goes_again_and_is_held_and_never_called_safe(spool: Spool, clock: FakeClock) -> None:
    sent_exam(spool, clock, 1)
    shelf = Shelf()
    part = querier(spool, shelf)
    seen, sent_again = set(), 0
    for _ in range(4 * 24 * 60):
        part.step()
        seen |= set(states(spool))
        if spool.deliveries.due("pacs", cap_s=1000):
            sent_again += 1
            mark_sent(spool)
        clock.move(60)
    assert seen == {SENT, QUEUED, HELD}
    assert (sent_again, states(spool)) == (8, [HELD])
    assert len(shelf.questions) == 12


@pytest.mark.parametrize("why", [{"trust_query": False}, {"commitment": True}])
def test_an_answer_is_no_proof_unless_the_site_says_so_and_nobody_vouches(
    spool: Spool, clock: FakeClock, why: dict[str, bool]
) -> None:
    sent_exam(spool, clock)
    clock.move(60)
    shelf = Shelf(*(each.sop_instance_uid for each in deliveries(spool)))
    part = querier(spool, shelf, **why)
    assert not part.step()
    assert states(spool) == [SENT] * 2
    assert shelf.questions == []


def test_after_a_rebuild_the_archive_says_what_was_sent(spool: Spool, clock: FakeClock) -> None:
    sent_exam(spool, clock)
    with spool.database.write() as connection:
        connection.execute("UPDATE delivery SET state = 'held', code = ?", (AFTER_REBUILD,))
    first, _ = deliveries(spool)
    part = querier(spool, Shelf(first.sop_instance_uid), trust_query=False)
    assert part.step()
    assert not part.step()
    assert states(spool) == [SENT, QUEUED]


def test_a_study_of_which_an_archive_lists_no_end_keeps_no_other_from_its_proof(
    spool: Spool, clock: FakeClock
) -> None:
    sent_exam(spool, clock)
    sent_exam(spool, clock)
    clock.move(60)
    endless, *_ = (each.study_instance_uid for each in spool.exams.list())
    has = {each.sop_instance_uid for each in deliveries(spool)}

    class Listing(Shelf):
        def find(self, study_instance_uid: str, sop_instance_uids: Sequence[str]) -> frozenset[str]:
            self.away = TryLater("It sent more.", code="endless") if study_instance_uid == endless else None
            return super().find(study_instance_uid, sop_instance_uids)

    part = querier(spool, Listing(*has))
    for _ in range(3):
        part.step()
        clock.move(60)
    assert part.pause is None
    assert sorted(states(spool)) == sorted([COMMITTED, COMMITTED, SENT, SENT])


def test_an_archive_that_cannot_be_asked_changes_nothing(spool: Spool, clock: FakeClock) -> None:
    sent_exam(spool, clock)
    clock.move(60)
    shelf = Shelf()
    shelf.away = TryLater("It is away.", code="unreachable")
    part = querier(spool, shelf)
    for _ in range(100):
        assert not part.step()
        clock.move(60)
    assert part.pause is not None
    assert states(spool) == [SENT] * 2
    with spool.database.write() as connection:
        connection.execute("UPDATE delivery SET state = 'held', code = ?", (AFTER_REBUILD,))
    clock.move(3600)
    assert not part.step()
    assert states(spool) == [HELD] * 2
