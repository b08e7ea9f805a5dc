"""What an archive of other making than pynetdicom answers to C-STORE, and what becomes of the delivery."""

from collections.abc import Iterator

import pytest

from gateway.clock import FakeClock
from gateway.net import statuses
from gateway.net.statuses import Meaning, Rule
from tests.forward.bench import delivery, sealed_exam
from tests.loopback.forward_archive import memory_spool, sender
from tests.loopback.peers import JavaScriptPeer

EVERY = [(status, rule) for rule in statuses.TABLE for status in sorted({rule.first, rule.last})]
KINDS = {"still": {"stills": 1}, "clip": {"stills": 0, "clips": 1}}
# what becomes of a delivery whose first try is answered so, and of one that is always answered so
FIRST = {
    Meaning.STORED: "sent",
    Meaning.STORED_WITH_WARNING: "sent",
    Meaning.TRY_LATER: "queued",
    Meaning.NEVER_ACCEPTED: "queued",
    Meaning.DUPLICATE: "queued",
}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JavaScriptPeer]:
    with JavaScriptPeer(tmp_path_factory.mktemp("javascript")) as peer:
        yield peer


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("status", "rule"), EVERY, ids=[f"{status:04X}" for status, _ in EVERY])
def test_each_status_of_an_archive_leads_to_its_state(
    archive: JavaScriptPeer, status: int, rule: Rule, kind: str
) -> None:
    clock = FakeClock()
    archive.forget()
    archive.answers(store=[status])
    with memory_spool(clock) as spool:
        sealed_exam(spool, **KINDS[kind])
        part = sender(spool, archive)
        part.step()
        found = delivery(spool)
        configured = "held" if rule.code == "sop-class" else "queued"
        assert (found.state, found.status) == (FIRST.get(rule.meaning, configured), f"{status:04X}")
        if found.state != "queued":
            return
        clock.move(3600)
        part.step()
        assert (delivery(spool).state, len(archive.heard)) == ("sent", 2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [0xA900, 0xC000, 0x0106, 0x0111])
def test_an_object_that_is_refused_twice_is_held(archive: JavaScriptPeer, status: int, kind: str) -> None:
    clock = FakeClock()
    archive.forget()
    archive.answers(store=[status] * 9)
    with memory_spool(clock) as spool:
        sealed_exam(spool, **KINDS[kind])
        part = sender(spool, archive)
        for _ in range(4):
            part.step()
            clock.move(3600)
        assert (delivery(spool).state, len(archive.heard)) == ("held", 2)
