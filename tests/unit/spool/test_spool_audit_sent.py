"""What of the audit file is still to be sent: everything once at least, in order, nothing that may vanish."""

import pytest

from gateway.clock import FakeClock
from gateway.spool.audit import Audit
from gateway.spool.audit_sent import AuditSent
from gateway.spool.files import Files


@pytest.fixture
def path(tmp_path):
    return tmp_path / "audit.jsonl"


@pytest.fixture
def audit(path):
    return Audit(path=path, files=Files(), clock=FakeClock())


@pytest.fixture
def sent(audit, tmp_path):
    return AuditSent(path=tmp_path / "audit.sent", audit=audit, files=Files())


def note(audit, count):
    for number in range(count):
        audit.note("exam-opened", by="panel", exam=f"e{number}")


def numbers(lines):
    return [line.number for line in lines]


def test_without_an_audit_file_nothing_waits(sent):
    assert sent.waiting(10) == []
    assert sent.left == 0


def test_it_begins_with_the_first_line_that_was_ever_written(audit, sent):
    note(audit, 3)

    assert numbers(sent.waiting(10)) == [1, 2, 3]
    assert sent.left == 3


def test_what_was_taken_is_not_sent_again_also_not_after_a_restart(audit, sent, tmp_path):
    note(audit, 5)
    sent.taken(sent.waiting(2)[-1])

    again = AuditSent(path=tmp_path / "audit.sent", audit=audit, files=Files())

    assert numbers(again.waiting(10)) == [3, 4, 5]
    assert [line.entry["exam"] for line in again.waiting(10)] == ["e2", "e3", "e4"]
    assert again.left == 3


def test_half_a_line_waits_until_it_is_known_what_becomes_of_it(audit, sent, path):
    note(audit, 1)
    with path.open("ab") as file:
        file.write(b'{"utc": "20')

    assert numbers(sent.waiting(10)) == [1]
    sent.taken(sent.waiting(10)[-1])
    note(audit, 1)

    assert [(line.number, line.entry["what"]) for line in sent.waiting(10)] == [
        (2, "audit-line-torn"),
        (3, "exam-opened"),
    ]


def test_lines_of_the_first_version_are_counted(audit, sent, path):
    path.write_text('{"what": "exam-opened"}\n{"what": "exam-finished"}\n')
    note(audit, 1)

    assert numbers(sent.waiting(10)) == [1, 2, 3]


def test_a_damaged_line_keeps_its_place_and_no_other_waits_for_it(audit, sent, path):
    note(audit, 3)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"\xff no json\n" + lines[2])

    found = sent.waiting(10)

    assert numbers(found) == [1, 2, 3]
    assert found[1].entry == {}


@pytest.mark.parametrize("more", [1, 5])
def test_a_file_that_somebody_shortened_goes_on_with_what_is_written_next(audit, sent, path, more):
    note(audit, 3)
    sent.taken(sent.waiting(10)[-1])
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])

    assert sent.waiting(10) == []
    note(audit, more)

    assert numbers(sent.waiting(10)) == list(range(4, 4 + more))
    assert sent.left == more


def test_a_cursor_that_is_not_whole_sends_everything_again(audit, sent, tmp_path):
    note(audit, 3)
    sent.taken(sent.waiting(10)[-1])
    (tmp_path / "audit.sent").write_text('{"line": 3')

    assert numbers(sent.waiting(10)) == [1, 2, 3]


def test_verifying_knows_what_was_sent(audit, sent, path, tmp_path):
    note(audit, 3)
    sent.taken(sent.waiting(10)[-1])
    path.unlink()
    (tmp_path / "audit.head").unlink()
    for _ in range(3):
        audit.note("exam-opened", by="somebody")  # made anew, with marks that fit each other

    witness = audit.witness(tmp_path / "audit.sent")
    assert witness
    fault = audit.verify(witness).fault

    assert fault
    assert fault.line == 3
    assert "audit.sent" in fault.why
