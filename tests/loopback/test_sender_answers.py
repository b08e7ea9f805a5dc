"""What an archive's answers make of a delivery, and what arrives. Every status: test_fault_matrix.py."""

import re

import pydicom
import pytest

from gateway.clock import FakeClock
from gateway.forward.making.fallback import Fallbacks
from gateway.model import DeliveryState
from gateway.spool.spool import Spool
from tests.forward.bench import STATION, deliveries, delivery, objects, sealed_exam
from tests.loopback.forward_archive import (
    ABORT,
    DROP,
    MUTE,
    Scripted,
    always,
    in_words,
    limits,
    pause_s,
    run,
    sender,
)
from tests.loopback.peers import FaultArchive, StoreScp
from tests.loopback.peers.items import data_set_bytes

Q, SENDING, SENT, COMMITTED, HELD = DeliveryState


def test_an_object_that_was_taken_is_sent(spool: Spool, archive: Scripted, clock: FakeClock) -> None:
    sealed_exam(spool)
    part = sender(spool, archive)
    run(part)
    found = delivery(spool)
    assert (found.state, found.code, found.reason, found.status, found.attempts) == (SENT, "", "", "0000", 1)
    assert pause_s(part, clock) == 0
    run(part)
    assert len(archive.calls) == 1


@pytest.mark.parametrize("status", [0xB000, 0xB006, 0xB007])
def test_a_warning_is_sent_and_says_what_the_archive_did(spool: Spool, archive: Scripted, status: int) -> None:
    sealed_exam(spool)
    archive.say = always(status)
    run(sender(spool, archive))
    found = delivery(spool)
    assert (found.state, found.code, found.status) == (SENT, "stored-with-warning", f"{status:04X}")
    assert "stored it but" in in_words(found)


@pytest.mark.parametrize("status", [0x0122, 0x0112])
def test_a_kind_of_object_that_is_not_taken_waits_for_a_person_and_the_others_go(
    spool: Spool, archive: Scripted, clock: FakeClock, status: int
) -> None:
    exam = sealed_exam(spool, stills=3)
    unwanted = objects(spool, exam)[0].sop_instance_uid
    archive.say = lambda uid: status if uid == unwanted else 0
    part = sender(spool, archive)
    run(part)
    first, *others = deliveries(spool)
    assert (first.state, first.code, first.status) == (HELD, "sop-class", f"{status:04X}")
    assert "Call IT" in in_words(first)
    assert {d.state for d in others} == {SENT}
    assert pause_s(part, clock) == 0
    assert len(archive.calls) == 1


REFUSALS = [0xA900, 0xA9FF, 0xC000, 0xCFFF, 0x0106, 0x0115, 0x0117, 0x0119, 0x0120, 0x0121, 0x0211, 0x0212]


@pytest.mark.parametrize("status", REFUSALS)
def test_an_object_refused_for_itself_gets_one_more_try_then_waits_and_the_others_go(
    spool: Spool, archive: Scripted, clock: FakeClock, status: int
) -> None:
    exam = sealed_exam(spool, stills=3)
    bad = objects(spool, exam)[1].sop_instance_uid
    archive.say = lambda uid: status if uid == bad else 0
    part = sender(spool, archive)
    run(part)
    first, refused, last = deliveries(spool)
    assert (first.state, last.state) == (SENT, SENT)
    assert (refused.state, refused.code, refused.status) == (Q, "refused", f"{status:04X}")
    assert pause_s(part, clock) == 0
    clock.move(15)
    run(part)
    held = deliveries(spool)[1]
    assert (held.state, held.code, held.attempts) == (HELD, "refused", 2)
    assert "sending it again will not help" in in_words(held)
    for _ in range(5):
        clock.move(3600)
        run(part)
    assert archive.uids.count(bad) == 2


def test_another_object_of_the_same_identity_is_no_success(
    spool: Spool, archive: Scripted, clock: FakeClock
) -> None:
    sealed_exam(spool)
    archive.say = always(0x0111)
    part = sender(spool, archive)
    run(part)
    clock.move(15)
    run(part)
    found = delivery(spool)
    assert (found.state, found.code, found.status) == (HELD, "duplicate", "0111")


def test_refused_connections_are_no_transfer_that_a_duplicate_could_be_of(
    spool: Spool, archive: Scripted, clock: FakeClock
) -> None:
    sealed_exam(spool)
    archive.reject = (2, 3, 1)
    part = sender(spool, archive)
    for _ in range(3):
        run(part)
        clock.move(700)
    archive.reject = None
    archive.say = always(0x0111)
    for _ in range(3):
        run(part)
        clock.move(700)
    assert delivery(spool).state is HELD


@pytest.mark.parametrize("fault", [ABORT, DROP, MUTE])
def test_a_duplicate_after_a_transfer_of_unknown_outcome_is_that_very_object(
    spool: Spool, archive: Scripted, clock: FakeClock, fault: str
) -> None:
    sealed_exam(spool)
    archive.say = always(fault)
    part = sender(spool, archive, timeouts=limits(fault))
    run(part)
    assert delivery(spool).in_doubt
    archive.say = always(0x0110)  # a clear answer in between takes nothing from the doubt
    clock.move(30)
    run(part)
    held = delivery(spool)
    assert (held.state, held.in_doubt) == (Q, True)
    archive.say = always(0x0111)
    clock.move(60)
    run(part)
    assert (delivery(spool).state, delivery(spool).status) == (SENT, "0111")


def test_one_association_carries_one_exam_in_the_order_of_its_pictures(spool: Spool, archive: Scripted) -> None:
    exams = [sealed_exam(spool, stills=3, clips=1) for _ in range(3)]
    run(sender(spool, archive))
    assert archive.of_call == [[each.sop_instance_uid for each in objects(spool, exam)] for exam in exams]


def test_an_archive_that_takes_its_time_gets_everything(spool: Spool) -> None:
    sealed_exam(spool)
    with FaultArchive(late_s=5.0) as slow:
        run(sender(spool, slow, ae_title="LATE"))
        assert len(slow.arrived) == 1
    assert {d.state for d in deliveries(spool)} == {SENT}


def test_what_arrives_is_the_sealed_data_set(spool: Spool, archive_of_everything: StoreScp) -> None:
    exam = sealed_exam(spool, stills=2, clips=1)
    run(sender(spool, archive_of_everything))
    for sealed in objects(spool, exam):
        arrived = archive_of_everything.file(sealed.sop_instance_uid).read_bytes()
        assert data_set_bytes(arrived) == data_set_bytes(spool.objects.path(sealed).read_bytes())


def test_an_archive_of_implicit_only_gets_stills_and_the_clip_says_what_to_set_up(
    spool: Spool, archive_of_implicit: StoreScp, clock: FakeClock
) -> None:
    exam = sealed_exam(spool, stills=2, clips=1)
    part = sender(spool, archive_of_implicit)
    run(part)
    *stills, clip = deliveries(spool)
    assert {d.state for d in stills} == {SENT}
    assert (clip.state, clip.code) == (HELD, "no-context")
    assert re.search(r"does not take JPEG clips.*set up.*1\.2\.840\.10008\.1\.2\.4\.50", in_words(clip))
    assert pause_s(part, clock) == 0
    assert archive_of_implicit.file(objects(spool, exam)[0].sop_instance_uid).stat().st_size > 0


def test_an_archive_of_implicit_only_gets_stills_of_the_clip_when_the_clinic_wants_that(
    spool: Spool, archive_of_implicit: StoreScp
) -> None:
    exam = sealed_exam(spool, clips=1)
    part = sender(spool, archive_of_implicit, fallback="key-stills")
    run(part)
    made = Fallbacks(spool=spool, station=STATION, destinations=[part._destination])
    while made.step():
        pass
    run(part)
    found = {d.sop_instance_uid: (d.state, d.code) for d in deliveries(spool)}
    stills = [each for each in spool.objects.of_exam(exam.id) if each.derived_from]
    assert len(stills) == 3
    for still in stills:
        assert found[still.sop_instance_uid] == (SENT, "")
        arrived = pydicom.dcmread(archive_of_implicit.file(still.sop_instance_uid))
        sealed = pydicom.dcmread(spool.objects.path(still))
        assert arrived.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2"
        assert (arrived.LossyImageCompression, list(arrived.ImageType)) == ("01", ["DERIVED", "SECONDARY"])
        assert (arrived.pixel_array == sealed.pixel_array).all()
        assert found[still.derived_from] == (HELD, "sent-as-key-stills")


def test_when_nothing_of_an_exam_is_taken_all_of_it_waits_for_a_person(
    spool: Spool, archive: Scripted, clock: FakeClock
) -> None:
    sealed_exam(spool, stills=1, clips=1)
    archive.takes_nothing = True
    part = sender(spool, archive)
    run(part)
    assert [(d.state, d.code) for d in deliveries(spool)] == [(HELD, "no-context")] * 2
    assert "pictures" in in_words(deliveries(spool)[0])
    assert "clips" in in_words(deliveries(spool)[1])
    assert pause_s(part, clock) == 0


def test_the_uncompressed_form_is_the_same_at_every_try(spool: Spool, archive: Scripted, clock: FakeClock) -> None:
    sealed_exam(spool)
    archive.say = always(0xA700)
    part = sender(spool, archive, transfer_syntaxes=("1.2.840.10008.1.2",))
    run(part)
    archive.say = always(0)
    clock.move(30)
    run(part)
    first, second = archive.arrived
    assert first == second
    assert first.transfer_syntax_uid == "1.2.840.10008.1.2"
