"""The chain of the audit file: whatever is done to its lines is found, with the number of the first one."""

import json
import multiprocessing
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.clock import Clock
from gateway.spool.audit import Audit
from gateway.spool.chain import Fault, Verdict, Witness
from gateway.spool.files import Files
from gateway.spool.spool import Spool

OLD = [
    b'{"utc": "2026-01-01T00:00:00+00:00", "what": "exam-opened", "by": "panel"}\n',
    b'{"utc": "2026-01-01T00:01:00+00:00", "what": "exam-finished", "by": "panel"}\n',
]


@pytest.fixture
def written(spool: Spool) -> Spool:
    """Six lines, as acts follow each other."""
    for number in range(1, 7):
        spool.audit.note("capture-rejected", by="panel", capture=f"1.2.{number}")
    return spool


def lines(spool: Spool) -> list[bytes]:
    return spool.layout.audit.read_bytes().splitlines(keepends=True)


def rewrite(spool: Spool, content: list[bytes]) -> Verdict:
    spool.layout.audit.write_bytes(b"".join(content))
    return spool.audit.verify()


def test_a_file_that_nobody_touched_is_whole(written: Spool) -> None:
    assert written.audit.verify() == Verdict(lines=6, unmarked=0, torn=False, fault=None)


def test_a_box_on_which_nothing_happened_yet_is_whole(spool: Spool) -> None:
    assert spool.audit.verify() == Verdict(lines=0, unmarked=0, torn=False, fault=None)


def changed(content: list[bytes]) -> None:
    content[2] = content[2].replace(b"1.2.3", b"1.2.9")


def mark_removed(content: list[bytes]) -> None:
    entry = json.loads(content[2])
    del entry["line"], entry["before"]
    content[2] = json.dumps(entry).encode() + b"\n"


def made_unreadable(content: list[bytes]) -> None:
    content[2] = b"\0" * 40 + b"\n"


def number_changed(content: list[bytes]) -> None:
    content[2] = content[2].replace(b'"line": 3', b'"line": 2')


def removed(content: list[bytes]) -> None:
    del content[2]


def several_removed(content: list[bytes]) -> None:
    del content[2:5]


def first_removed(content: list[bytes]) -> None:
    del content[0]


def old_line_inserted(content: list[bytes]) -> None:
    content.insert(2, OLD[0])


def repeated(content: list[bytes]) -> None:
    content.insert(3, content[2])


def exchanged(content: list[bytes]) -> None:
    content[2:4] = [content[3], content[2]]


def removed_and_renumbered(content: list[bytes]) -> None:
    del content[2]
    content[2:] = [
        line.replace(b'"line": %d' % number, b'"line": %d' % (number - 1))
        for number, line in enumerate(content[2:], start=4)
    ]


@pytest.mark.parametrize(
    ("tamper", "line", "says"),
    [
        (changed, 3, "was changed"),
        (mark_removed, 3, "was changed"),
        (made_unreadable, 3, "was changed"),
        (number_changed, 3, "was changed"),
        (removed, 3, "is missing"),
        (several_removed, 3, "and the following ones, to 5, are missing"),
        (first_removed, 1, "is missing"),
        (old_line_inserted, 3, "was inserted"),
        (repeated, 4, "was inserted"),
        (exchanged, 3, "was inserted"),
        (removed_and_renumbered, 2, "was changed, or the mark of line 3"),
    ],
)
def test_the_first_line_that_somebody_touched_is_named(
    written: Spool, tamper: Callable[[list[bytes]], None], line: int, says: str
) -> None:
    content = lines(written)
    tamper(content)
    fault = rewrite(written, content).fault
    assert fault is not None
    assert (fault.line, says in fault.why) == (line, True), fault.why


def test_a_tail_that_was_cut_off_is_missed(written: Spool) -> None:
    assert rewrite(written, lines(written)[:4]).fault == Fault(
        line=5, why="is missing: there were 6 lines at least"
    )


def test_a_last_line_that_was_changed_is_not_the_one_that_was_written(written: Spool) -> None:
    content = lines(written)
    content[5] = content[5].replace(b"1.2.6", b"1.2.7")
    assert rewrite(written, content).fault == Fault(line=6, why="is not the one that audit.head knows")


def test_a_file_that_is_gone_is_missed(written: Spool) -> None:
    written.layout.audit.unlink()
    assert written.audit.verify().fault == Fault(line=1, why="is missing: there were 6 lines at least")


def test_what_is_written_after_a_cut_does_not_hide_it(written: Spool) -> None:
    rewrite(written, lines(written)[:4])
    written.audit.note("exam-finished", by="panel")
    assert written.audit.verify().fault == Fault(line=5, why="and the following ones, to 6, are missing")


def test_what_is_written_after_a_changed_last_line_does_not_hide_it(written: Spool) -> None:
    content = lines(written)
    content[5] = content[5].replace(b"1.2.6", b"1.2.7")
    rewrite(written, content)
    written.audit.note("exam-finished", by="panel")
    assert written.audit.verify().fault == Fault(line=6, why="was changed, or the mark of line 7")


def test_a_file_made_anew_as_a_whole_is_not_the_one_that_others_know(written: Spool) -> None:
    known = Witness(who="the archive", line=2, sha256="0" * 64)
    assert written.audit.verify(known).fault == Fault(line=2, why="is not the one that the archive knows")


@pytest.mark.parametrize("kept", [b"", b"{", b"[]", b'{"line": "x", "sha256": 1}'])
def test_a_head_that_a_power_cut_spoiled_accuses_nobody(written: Spool, kept: bytes) -> None:
    written.layout.audit.with_suffix(".head").write_bytes(kept)
    assert written.audit.verify().fault is None


def test_a_head_older_than_the_file_accuses_nobody(written: Spool) -> None:
    head = written.layout.audit.with_suffix(".head")
    before = head.read_bytes()
    written.audit.note("exam-finished", by="panel")
    head.write_bytes(before)
    assert written.audit.verify() == Verdict(lines=7, unmarked=0, torn=False, fault=None)


def test_a_half_line_at_the_end_is_said_and_is_no_fault(written: Spool) -> None:
    with written.layout.audit.open("ab") as file:
        file.write(b'{"utc": "20')
    assert written.audit.verify() == Verdict(lines=6, unmarked=0, torn=True, fault=None)


def test_a_last_line_that_was_cut_in_two_is_missed(written: Spool) -> None:
    content = lines(written)
    content[5] = content[5][:30]
    verdict = rewrite(written, content)
    assert (verdict.torn, verdict.fault) == (True, Fault(line=6, why="is missing: there were 6 lines at least"))


def test_lines_of_an_earlier_version_are_counted_and_held_by_the_first_mark(spool: Spool) -> None:
    spool.layout.audit.write_bytes(b"".join(OLD))
    spool.audit.note("exam-opened", by="panel", exam="e1")
    spool.audit.note("exam-finished", by="panel", exam="e1")
    assert spool.audit.verify() == Verdict(lines=4, unmarked=2, torn=False, fault=None)
    assert [json.loads(line).get("line") for line in lines(spool)] == [None, None, 3, 4]


@pytest.mark.parametrize("number", [0, 1])
def test_an_old_line_changed_since_the_first_mark_is_found(spool: Spool, number: int) -> None:
    spool.layout.audit.write_bytes(b"".join(OLD))
    spool.audit.note("exam-opened", by="panel", exam="e1")
    content = lines(spool)
    content[number] = content[number].replace(b"panel", b"somebody")
    fault = rewrite(spool, content).fault
    assert fault is not None
    assert fault.line == 1
    assert "to 2 have no marks" in fault.why


def test_what_an_earlier_version_wrote_after_a_way_back_is_named_and_the_chain_goes_on(written: Spool) -> None:
    with written.layout.audit.open("ab") as file:
        file.write(OLD[0])
    written.audit.note("exam-finished", by="panel")
    content = lines(written)
    assert json.loads(content[7])["line"] == 8
    fault = written.audit.verify().fault
    assert fault is not None
    assert (fault.line, "has no mark" in fault.why) == (7, True)


def test_a_line_longer_than_any_other_is_chained_like_them(spool: Spool) -> None:
    spool.audit.note("exam-opened", by="panel")
    spool.audit.note("settings-changed", by="panel", keys="k" * 100_000)
    spool.layout.audit.with_suffix(".head").unlink()  # else the mark would come from there
    spool.audit.note("exam-finished", by="panel")
    assert spool.audit.verify() == Verdict(lines=3, unmarked=0, torn=False, fault=None)


def _write(path: Path, by: str) -> None:
    audit = Audit(path=path, files=Files(), clock=Clock())
    for _ in range(20):
        audit.note("exam-finished", by=by)


def test_two_processes_write_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(path, by)) for by in ("panel", "forward")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    verdict = Audit(path=path, files=Files(), clock=Clock()).verify()
    assert verdict == Verdict(lines=40, unmarked=0, torn=False, fault=None)


def test_who_works_does_not_wait_for_a_look_at_the_file(written: Spool) -> None:
    """A line that comes meanwhile is written at once, and is none of those that are looked at."""
    noted = []

    def note() -> None:
        if not noted:
            noted.append(written.audit.note("exam-opened", by="panel", exam="e1"))

    assert written.audit.verify(step=note) == Verdict(lines=6, unmarked=0, torn=False, fault=None)
    assert written.audit.verify().lines == 7


def test_a_line_longer_than_any_of_ours_is_wrong_wherever_it_stands(written: Spool) -> None:
    found = rewrite(written, [*lines(written)[:2], b"x" * 3_000_000 + b"\n", *lines(written)[3:]])
    assert found.fault
    assert found.fault.line == 3
