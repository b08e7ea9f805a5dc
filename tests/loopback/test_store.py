"""Sending to archives: real ones, and ones that misbehave."""

import re
import socket
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.config.settings import Destination
from gateway.errors import DeliveryError, NeedsConfiguration, NeverAccepted, SpoolDamaged, TryLater
from gateway.net import tuning
from gateway.net.echo import echo
from gateway.net.peers import Timeouts
from gateway.net.store import StoreAssociation, StoreResult, Wanted
from tests.loopback.peers import RawServer, StoreScp, faults, free_port, items

# Only where silence is what is waited for: on a machine with much to do, an answer takes its time too.
QUICK = Timeouts(answer=0.7, stall=0.5)
SILENT = ("MUTE", "STUCK")
STILL = items.SECONDARY_CAPTURE


def _open(peer, *, ae_title="", wanted=(STILL, items.EXPLICIT), lossy=False, timeouts=None, syntaxes=()):
    destination = Destination(
        name="pacs",
        ae_title=ae_title or peer.ae_title,
        host="127.0.0.1",
        port=peer.port,
        transfer_syntaxes=syntaxes,
    )
    needed = [Wanted(sop_class_uid=wanted[0], transfer_syntax_uid=wanted[1], lossy=lossy)]
    return StoreAssociation(destination, our_ae="SCOPEGATE", wanted=needed, timeouts=timeouts)


def _store(association, file: Path, *, syntax=items.EXPLICIT, sop_class=STILL, uid="", sent_before=False):
    return association.store(
        file,
        sop_class_uid=sop_class,
        sop_instance_uid=uid or file.stem,
        transfer_syntax_uid=syntax,
        sent_before=sent_before,
    )


def _try(peer, ae_title, file, **more):
    """Send one object; return the result or error, and whether the association can go on."""
    timeouts = QUICK if ae_title in SILENT else None
    with _open(peer, ae_title=ae_title, timeouts=timeouts) as association:
        try:
            return _store(association, file, **more), association.usable
        except DeliveryError as error:
            return error, association.usable


# --- what arrives ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [
        (STILL, items.JPEG_LOSSLESS, False),
        (STILL, items.EXPLICIT, False),
        (STILL, items.IMPLICIT, False),
        (items.MULTI_FRAME_TRUE_COLOUR, items.JPEG_BASELINE, True),
    ],
)
@pytest.mark.parametrize("archive", ["orthanc", "archive_of_everything"])
def test_what_arrives_is_bit_for_bit_what_was_sealed(request, tmp_path, archive, kind):
    sop_class, syntax, lossy = kind
    peer = request.getfixturevalue(archive)
    file = items.sample(tmp_path, sop_class_uid=sop_class, transfer_syntax_uid=syntax)
    with _open(peer, wanted=(sop_class, syntax), lossy=lossy) as association:
        result = _store(association, file, syntax=syntax, sop_class=sop_class)
    assert result == StoreResult(status="0000")
    arrived = peer.file(file.stem)
    content = arrived if isinstance(arrived, bytes) else arrived.read_bytes()
    assert items.data_set_bytes(content) == items.data_set_bytes(file.read_bytes())


def test_an_archive_of_implicit_only_gets_stills_uncompressed_and_says_so_before(archive_of_implicit, tmp_path):
    file = items.sample(tmp_path, transfer_syntax_uid=items.IMPLICIT)
    with _open(archive_of_implicit, wanted=(STILL, items.JPEG_LOSSLESS)) as association:
        assert association.accepted(STILL) == (items.IMPLICIT,)
        assert association.accepted(items.MULTI_FRAME_TRUE_COLOUR) == ()
        _store(association, file, syntax=items.IMPLICIT)
    arrived = archive_of_implicit.file(file.stem).read_bytes()
    assert items.data_set_bytes(arrived) == items.data_set_bytes(file.read_bytes())


def test_an_archive_of_implicit_only_does_not_get_a_lossy_clip(archive_of_implicit):
    wanted = (items.MULTI_FRAME_TRUE_COLOUR, items.JPEG_BASELINE)
    with pytest.raises(NeedsConfiguration) as caught, _open(archive_of_implicit, wanted=wanted, lossy=True):
        pass
    assert caught.value.code == "no-context"


def test_an_object_in_a_format_that_was_not_accepted_is_held_and_the_others_go_on(archive_of_implicit, tmp_path):
    compressed = items.sample(tmp_path, transfer_syntax_uid=items.JPEG_LOSSLESS)
    plain = items.sample(tmp_path, transfer_syntax_uid=items.IMPLICIT)
    with _open(archive_of_implicit, wanted=(STILL, items.JPEG_LOSSLESS)) as association:
        with pytest.raises(NeedsConfiguration) as caught:
            _store(association, compressed, syntax=items.JPEG_LOSSLESS)
        assert caught.value.code == "no-context"
        assert _store(association, plain, syntax=items.IMPLICIT).status == "0000"


def test_a_destination_s_own_formats_are_the_only_ones_offered(archive_of_everything):
    with _open(
        archive_of_everything, wanted=(STILL, items.JPEG_LOSSLESS), syntaxes=(items.EXPLICIT,)
    ) as association:
        assert association.accepted(STILL) == (items.EXPLICIT,)


def test_an_object_made_on_the_way_out_goes_from_memory(archive_of_everything, tmp_path):
    file = items.sample(tmp_path)
    with _open(archive_of_everything) as association:
        association.store(
            file.read_bytes(), sop_class_uid=STILL, sop_instance_uid=file.stem, transfer_syntax_uid=items.EXPLICIT
        )
    arrived = archive_of_everything.file(file.stem).read_bytes()
    assert items.data_set_bytes(arrived) == items.data_set_bytes(file.read_bytes())


def test_an_exam_goes_over_one_association(fault_archive, tmp_path):
    calls = len(fault_archive.calls)
    files = [items.sample(tmp_path) for _ in range(20)]
    with _open(fault_archive, ae_title="TAKES") as association:
        for file in files:
            _store(association, file)
    assert {a.sop_instance_uid for a in fault_archive.arrived} >= {file.stem for file in files}
    assert len(fault_archive.calls) == calls + 1


# --- what the archive answers ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        ("A700", TryLater, "out-of-resources"),
        ("0213", TryLater, "out-of-resources"),
        ("0110", TryLater, "processing-failure"),
        ("1234", TryLater, "unknown-status"),
        ("0122", NeedsConfiguration, "sop-class"),
        ("0112", NeedsConfiguration, "sop-class"),
        ("0124", NeedsConfiguration, "not-authorized"),
        ("A900", NeverAccepted, "refused"),
        ("C000", NeverAccepted, "refused"),
        ("0117", NeverAccepted, "refused"),
        ("0111", NeverAccepted, "duplicate"),
    ],
)
def test_a_refused_object_says_what_to_do_and_the_next_one_can_go(fault_archive, still, status, kind, code):
    error, usable = _try(fault_archive, f"S{status}", still)
    assert type(error) is kind
    assert (error.code, error.status) == (code, status)
    assert usable


@pytest.mark.parametrize("status", ["B000", "B006", "B007"])
def test_a_warning_is_stored_and_says_what_happened(fault_archive, still, status):
    result, _ = _try(fault_archive, f"S{status}", still)
    assert result.status == status
    assert result.warning.startswith("The archive pacs stored it but ")


def test_a_duplicate_is_ours_when_the_object_left_before(fault_archive, still):
    result, _ = _try(fault_archive, "S0111", still, sent_before=True)
    assert result == StoreResult(status="0111")


def test_mixed_up_messages_need_a_new_association(fault_archive, still):
    error, usable = _try(fault_archive, "S0210", still)
    assert (type(error), error.code, usable) == (TryLater, "duplicate-invocation", False)


@pytest.mark.parametrize(
    ("behaviour", "code", "words"),
    [
        ("ABORT", "aborted", "The archive pacs broke off the transfer."),
        ("DROP", "dropped", "The connection to the archive pacs broke."),
        ("MUTE", "timeout", "The archive pacs took the request but did not answer in time."),
    ],
)
def test_an_uncertain_end_is_tried_again_on_a_new_association(fault_archive, tmp_path, behaviour, code, words):
    file = items.sample(tmp_path, pixels=bytes(1_000_000) if behaviour != "MUTE" else bytes(256))
    error, usable = _try(fault_archive, behaviour, file)
    assert (type(error), error.code, error.what) == (TryLater, code, words)
    assert not usable


def test_after_an_uncertain_end_nothing_more_goes_over_that_association(fault_archive, tmp_path):
    files = [items.sample(tmp_path, pixels=bytes(1_000_000)) for _ in range(2)]
    with _open(fault_archive, ae_title="DROP") as association:
        for file in files:
            with pytest.raises(TryLater) as caught:
                _store(association, file)
            assert caught.value.code == "dropped"
    assert not {a.sop_instance_uid for a in fault_archive.arrived} & {file.stem for file in files}


def test_an_answer_that_comes_twice_counts_for_no_other_object(fault_archive, tmp_path):
    files = [items.sample(tmp_path) for _ in range(3)]
    with _open(fault_archive, ae_title="TWICE") as association:
        assert _store(association, files[0]).status == "0000"
        for file in files[1:]:
            with pytest.raises(TryLater) as caught:
                _store(association, file)
            assert caught.value.status == "A700"


def test_an_archive_that_answers_without_end_is_cut_off(fault_archive, still):
    patient = Timeouts(connect=1.0, negotiate=1.0, answer=120.0, stall=5.0, idle=5.0)
    with _open(fault_archive, ae_title="POURS", timeouts=patient) as association:
        with pytest.raises(TryLater) as caught:
            _store(association, still)
        assert (caught.value.code, association.usable) == ("endless", False)


def test_an_archive_that_stops_reading_is_left(fault_archive, tmp_path):
    file = items.sample(tmp_path, pixels=bytes(16_000_000))
    error, usable = _try(fault_archive, "STUCK", file)
    assert (type(error), error.code, usable) == (TryLater, "timeout", False)


def test_an_archive_that_thinks_for_a_while_is_waited_for(fault_archive, still):
    with _open(fault_archive, ae_title="LATE") as association:
        assert _store(association, still).status == "0000"


@pytest.mark.parametrize("option", ["--abort-during", "--abort-after"])
def test_an_archive_that_aborts_is_tried_again(tmp_path, option):
    file = items.sample(tmp_path, pixels=bytes(1_000_000))
    with StoreScp(tmp_path / "scp", "+xa", option) as peer, _open(peer) as association:
        with pytest.raises(TryLater) as caught:
            _store(association, file)
        assert caught.value.code == "aborted"
        assert not association.usable


def test_a_release_that_is_not_answered_changes_nothing_for_what_was_stored(fault_archive, still):
    with _open(fault_archive, ae_title="NOREPLY", timeouts=Timeouts(negotiate=2.0)) as association:
        result = _store(association, still)
    assert result.status == "0000"


# --- our own files ---------------------------------------------------------------------------------------


def test_a_file_that_is_not_the_object_of_its_record_does_not_leave(fault_archive, still):
    arrived = len(fault_archive.arrived)
    error, usable = _try(fault_archive, "TAKES", still, uid="2.25.1")
    assert (type(error), error.code, usable) == (NeverAccepted, "object-mismatch", True)
    assert len(fault_archive.arrived) == arrived


@pytest.mark.parametrize("content", [None, b"", b"not a DICOM file, but longer than nothing"])
def test_a_file_that_cannot_be_read_is_a_matter_of_the_box(fault_archive, tmp_path, content):
    file = tmp_path / "2.25.2.dcm"
    if content is not None:
        file.write_bytes(content)
    with _open(fault_archive, ae_title="TAKES") as association, pytest.raises(SpoolDamaged):
        _store(association, file)


# --- why nobody let us in --------------------------------------------------------------------------------


@contextmanager
def _nobody():
    class Nobody:
        port = free_port()

    yield Nobody()


@contextmanager
def _full():
    """Listen, but with no room for one more connection: the next one is not answered at all."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for connection in waiting:
            connection.setblocking(False)
            connection.connect_ex(address)

        class Full:
            port = address[1]

        yield Full()
        for connection in waiting:
            connection.close()


@pytest.mark.parametrize(
    ("peer", "ae_title", "expected"),
    [
        (_nobody, "X", (TryLater, "unreachable", "nothing listens at 127.0.0.1:")),
        (_full, "X", (TryLater, "silent", "no machine answered at 127.0.0.1:")),
        (lambda: RawServer(faults.silent), "X", (TryLater, "silent", "took the connection .* but did not answer")),
        (
            lambda: RawServer(faults.trickles),
            "X",
            (TryLater, "silent", "took the connection .* but did not answer"),
        ),
        (lambda: RawServer(faults.closes), "X", (TryLater, "dropped", "closed the connection without an answer")),
        (lambda: RawServer(faults.speaks_http), "X", (TryLater, "garbage", "does not speak DICOM")),
        ("fault_archive", "REJ231", (TryLater, "busy", "takes no further connection now")),
        ("fault_archive", "REJ232", (TryLater, "busy", "takes no further connection now")),
        ("fault_archive", "REJ117", (NeedsConfiguration, "rejected-title", "does not have the AE title REJ117")),
        ("fault_archive", "REJ113", (NeedsConfiguration, "rejected-title", "by its AE title SCOPEGATE")),
        ("fault_archive", "REJ111", (NeedsConfiguration, "rejected", "refuses connections of this box")),
        ("fault_archive", "REJ122", (NeedsConfiguration, "rejected", "refuses connections of this box")),
        ("fault_archive", "NONE", (NeedsConfiguration, "no-context", "takes none of the kinds of data")),
        ("fault_archive", "TINY", (TryLater, "garbage", "PDUs too small")),
    ],
)
def test_each_reason_for_not_getting_in_has_its_own_words(request, peer, ae_title, expected):
    if isinstance(peer, str):
        _check_refusal(request.getfixturevalue(peer), ae_title, expected)
    else:
        with peer() as started:
            _check_refusal(started, ae_title, expected)


def _check_refusal(peer, ae_title, expected):
    kind, code, words = expected
    waiting = Timeouts(connect=1.0, negotiate=0.5) if code == "silent" else None
    with pytest.raises(DeliveryError) as caught, _open(peer, ae_title=ae_title, timeouts=waiting):
        pass
    assert (type(caught.value), caught.value.code) == (kind, code)
    assert re.search(words, caught.value.what)
    assert caught.value.action


def test_a_name_that_nobody_knows_is_told_from_a_machine_that_is_off():
    destination = Destination(name="pacs", ae_title="X", host="pacs.invalid", port=104)
    wanted = [Wanted(sop_class_uid=STILL, transfer_syntax_uid=items.EXPLICIT, lossy=False)]
    with (
        pytest.raises(TryLater) as caught,
        StoreAssociation(destination, our_ae="SCOPEGATE", wanted=wanted),
    ):
        pass
    assert (
        caught.value.what == "The archive pacs did not answer: the name pacs.invalid is not known in this network."
    )


def test_an_archive_that_refuses_every_association_is_told_by_its_answer(tmp_path):
    with (
        StoreScp(tmp_path / "scp", "+xa", "--refuse") as peer,
        pytest.raises(DeliveryError) as caught,
        _open(peer),
    ):
        pass
    assert caught.value.code in ("rejected", "busy")


def test_an_archive_that_was_busy_once_is_found_well_the_next_time(fault_archive, still):
    with pytest.raises(TryLater), _open(fault_archive, ae_title="ONCE-A"):
        pass
    assert _try(fault_archive, "ONCE-A", still)[0].status == "0000"


def test_an_echo_says_well_or_why_not(orthanc, fault_archive):
    assert echo("127.0.0.1", orthanc.port, "ORTHANC", "SCOPEGATE").ok
    refused = echo("127.0.0.1", fault_archive.port, "REJ117", "SCOPEGATE", name="pacs")
    assert (refused.ok, refused.code) == (False, "rejected-title")
    unwell = echo("127.0.0.1", fault_archive.port, "SA700", "SCOPEGATE", name="pacs")
    assert (unwell.ok, unwell.code) == (False, "unwell")
    nobody = echo("127.0.0.1", free_port(), "X", "SCOPEGATE", name="pacs")
    assert (nobody.ok, nobody.code) == (False, "unreachable")
    assert nobody.action


# --- what pynetdicom does with it ------------------------------------------------------------------------


def test_objects_go_straight_to_the_network_and_nothing_waits_for_small_packets(fault_archive, tmp_path):
    file = items.sample(tmp_path, pixels=bytes(1_000_000))
    with _open(fault_archive, ae_title="TAKES") as association:
        link = association._link
        wire = tuning.wire_of(link.association)
        assert wire is not None, "pynetdicom made its socket elsewhere"
        _store(association, file)
        assert wire.written > file.stat().st_size, "P-DATA did not pass our queue"
        assert link.association.dul.to_provider_queue.empty()
        assert wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert wire.gettimeout() == Timeouts().stall
        entity = link.association.ae
        assert None not in (
            entity.connection_timeout,
            entity.acse_timeout,
            entity.dimse_timeout,
            entity.network_timeout,
        )


def test_an_archive_that_sets_no_limit_gets_pieces_all_the_same(fault_archive, tmp_path):
    file = items.sample(tmp_path, pixels=bytes(1_000_000))
    fault_archive.largest_pdu = 0
    assert _try(fault_archive, "FREE", file)[0].status == "0000"
    assert 60_000 < fault_archive.largest_pdu <= tuning.LARGEST_PDU + 6


def test_failures_leave_no_thread_and_no_socket_behind(fault_archive, tmp_path):
    file = items.sample(tmp_path, pixels=bytes(1_000_000))
    big = items.sample(tmp_path, pixels=bytes(16_000_000))

    def all_of_it():
        for behaviour in ("ABORT", "DROP", "S0210", "TAKES"):
            _try(fault_archive, behaviour, file)
        _try(fault_archive, "STUCK", big)
        for behaviour in ("REJ117", "NONE", "TINY"):
            with pytest.raises(DeliveryError), _open(fault_archive, ae_title=behaviour):
                pass
        echo("127.0.0.1", free_port(), "X", "SCOPEGATE")

    def ours():
        names = [t.name for t in threading.enumerate()]
        return sum(1 for name in names if name.startswith(("RequestorThread", "network-deadline")))

    all_of_it()
    until = time.monotonic() + 5
    while ours() and time.monotonic() < until:
        time.sleep(0.02)
    assert ours() == 0


def test_an_archive_that_refuses_and_hangs_up_at_once_is_heard_each_time(tmp_path):
    # When the end comes before it looked, pynetdicom takes it for one that was never connected: one in 15 here.
    with StoreScp(tmp_path, "+xa", "--refuse") as peer:
        heard = [echo("127.0.0.1", peer.port, "SCOPEGATE", peer.ae_title).code for _ in range(200)]
    assert heard == ["rejected"] * 200
