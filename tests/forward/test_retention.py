"""What leaves the disk of a box that lives for a year, and what never does. The rules: test_retention_rules.py."""

import errno
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.clock import FakeClock
from gateway.errors import DiskFailed, DiskFull, Purged
from gateway.forward.keeping.retention import Retention, Rules
from gateway.forward.media.export import export
from gateway.model import Exam, ExamState
from gateway.spool.disk.room import Room
from gateway.spool.disk.space import Space
from gateway.spool.inspection import inspect_exam
from gateway.spool.opening import open_spool
from gateway.spool.purging import Facts, Purging
from gateway.spool.recovery.captures import recover_captures
from gateway.spool.recovery.seals import adopt_seals
from gateway.spool.reopening import reopen
from gateway.spool.spool import Spool
from tests.forward.bench import Disk, clip, let_go, open_exam, sealed_exam, still, wrap_all

RULES = Rules(required=frozenset({"pacs"}), keep_days=30, rejected_days=30)
HOUR = 3600.0


# --- a box that lives --------------------------------------------------------------------------------------------


class Box:
    """A spool, its retention, and the days."""

    def __init__(self, spool: Spool, clock: FakeClock, rules: Rules = RULES, *, share: float = 0.9) -> None:
        self.clock, self.share = clock, share
        look = lambda: Room(total=64 * 10**9, free=int(64 * 10**9 * self.share))  # noqa: E731
        self.spool = replace(spool, space=Space(look=look, captures=spool.captures, clock=clock))
        self.retention = Retention(spool=self.spool, rules=rules)

    def run(self) -> None:
        while self.retention.step():
            pass

    def live(self, days: int, *, runs: int = 4) -> None:
        for _ in range(days * runs):
            self.clock.move(24 / runs * HOUR)
            self.run()

    def objects(self, exam: Exam) -> list[str]:
        folder = self.spool.layout.exam(exam.id)
        return sorted(path.name for path in folder.glob("2.25.*.*") if path.suffix in {".dcm", ".ljpg", ".frames"})


def commit(spool: Spool, *, destination: str = "pacs", proof: str = "commitment") -> None:
    with spool.database.write() as connection:
        connection.execute(
            "UPDATE delivery SET state = 'committed', proof = ? WHERE destination = ?", (proof, destination)
        )


@pytest.fixture
def box(spool: Spool, clock: FakeClock) -> Box:
    return Box(spool, clock)


def test_committed_pictures_go_after_thirty_days_and_tell_who_has_them(box: Box) -> None:
    exam = sealed_exam(box.spool, stills=2, clips=1)
    box.live(40)
    assert len(box.objects(exam)) == 3, "sent nowhere yet"
    commit(box.spool)
    box.live(29)
    assert len(box.objects(exam)) == 3
    box.live(2)
    assert box.objects(exam) == []
    names = {path.suffix for path in box.spool.layout.exam(exam.id).iterdir()}
    assert names == {".json", ".seal", ".purged", ""}, "what it was stays, as history without pictures"
    for listed in box.spool.captures.of_exam(exam.id):
        assert listed.purged
        (sent,) = box.spool.deliveries.list(uid=listed.capture.sop_instance_uid)
        assert (sent.state, sent.proof) == ("committed", "commitment")
    audited = [json.loads(line) for line in box.spool.layout.audit.read_text().splitlines()]
    assert [(line["what"], line["held_by"]) for line in audited] == [("capture-purged", "pacs (commitment)")] * 3
    assert list(inspect_exam(box.spool, exam.id)) == []


def test_an_exam_that_was_let_go_is_not_exported_and_nobody_is_told_of_damage(box: Box, tmp_path: Path) -> None:
    exam = sealed_exam(box.spool, stills=2)
    commit(box.spool)
    box.live(31)
    with pytest.raises(Purged, match="let the pictures"):
        export(box.spool, [exam.id], tmp_path, by="test")
    assert not list(tmp_path.glob("DICOM*"))


def test_an_exam_that_a_person_keeps_stays(box: Box) -> None:
    exam = sealed_exam(box.spool)
    box.spool.exams.keep(exam.id, keep=True)
    commit(box.spool)
    box.live(100)
    assert len(box.objects(exam)) == 1
    box.spool.exams.keep(exam.id, keep=False)
    box.live(29)
    assert len(box.objects(exam)) == 1, "its days begin when it may go"
    box.live(2)
    assert box.objects(exam) == []


@pytest.mark.parametrize("what", ["keeps", "opens again"])
def test_an_exam_that_a_person_claims_while_its_pictures_go_loses_no_more_of_them(box: Box, what: str) -> None:
    spool = box.spool
    exam = sealed_exam(spool, stills=3)
    commit(spool)
    box.live(2)
    first, *others = Purging(spool).here(after=0)[0]
    assert Purging(spool).let_go(first)
    if what == "keeps":
        spool.exams.keep(exam.id, keep=True)
    else:
        reopen(spool, exam.id, within=timedelta(days=400))
    assert [Purging(spool).let_go(each) for each in others] == [False, False]
    assert len(box.objects(exam)) == 2


def test_what_the_archive_no_longer_vouches_for_begins_its_days_anew(box: Box) -> None:
    exam = sealed_exam(box.spool)
    commit(box.spool)
    box.live(29)
    with box.spool.database.write() as connection:
        connection.execute("UPDATE delivery SET state = 'held', proof = ''")
    box.live(5)
    commit(box.spool)
    box.live(29)
    assert len(box.objects(exam)) == 1
    box.live(2)
    assert box.objects(exam) == []


def test_when_the_disk_fills_the_oldest_committed_pictures_go_first_and_only_as_many_as_needed(box: Box) -> None:
    exams = [sealed_exam(box.spool) for _ in range(4)]
    commit(box.spool)
    waiting = sealed_exam(box.spool)
    box.live(2)
    spool, freed = box.spool, []
    let = Purging.let_go

    class Counted(Purging):
        def let_go(self, facts: Facts) -> bool:
            freed.append(facts.exam)
            box.share = 0.19 if len(freed) < 2 else 0.5
            return let(self, facts)

    box.retention._purging = Counted(spool)
    box.share = 0.1
    box.live(1)
    assert freed == [exams[0].id, exams[1].id]
    box.share = 0.1
    box.retention._purging = Purging(spool)
    box.live(10)
    assert [len(box.objects(exam)) for exam in exams] == [0, 0, 0, 0]
    assert len(box.objects(waiting)) == 1, "what was not committed stays, however full the disk is"


@pytest.mark.parametrize("move", [timedelta(days=3650), timedelta(days=-3650), timedelta(hours=2)])
def test_a_clock_that_was_set_wrong_lets_nothing_go_early(box: Box, clock: FakeClock, move: timedelta) -> None:
    exam = sealed_exam(box.spool)
    commit(box.spool)
    box.live(5)
    clock.set(clock.utc() + move)
    box.live(24)
    assert len(box.objects(exam)) == 1
    clock.reboot()
    clock.set(clock.utc() + move)
    box.retention = Retention(spool=box.spool, rules=RULES)
    box.run()
    assert len(box.objects(exam)) == 1


def test_while_the_clock_is_not_to_be_trusted_nothing_goes(box: Box, clock: FakeClock) -> None:
    exam = sealed_exam(box.spool)
    commit(box.spool)
    box.live(1)
    right = clock.utc()
    clock.set(right - timedelta(days=20_000))
    box.live(60)
    assert not clock.now().trusted
    assert len(box.objects(exam)) == 1
    clock.set(right + timedelta(days=60))
    box.live(1)
    assert box.objects(exam) == []


def test_removed_pictures_go_after_their_days_and_cannot_be_brought_back_then(box: Box) -> None:
    exam = open_exam(box.spool)
    removed, kept = still(box.spool, exam), still(box.spool, exam)
    removed_clip = clip(box.spool, exam)
    for each in (removed, removed_clip):
        box.spool.captures.reject(each.sop_instance_uid, "blurred")
    let_go(box.spool, exam)
    wrap_all(box.spool)
    box.live(29)
    assert len(box.objects(exam)) == 3
    box.live(2)
    assert box.objects(exam) == [f"{kept.sop_instance_uid}.dcm"]
    for each in box.spool.exams.list():
        box.spool.exams.put_row(replace(each, state=ExamState.FINISHED, released=None))
    with pytest.raises(Purged):
        box.spool.captures.restore(removed.sop_instance_uid)


def test_in_400_days_without_an_archive_and_with_a_full_disk_no_picture_goes(
    spool: Spool, clock: FakeClock
) -> None:
    box = Box(spool, clock, replace(RULES, required=frozenset()), share=0.0)
    exams = []
    for day in range(400):
        if day % 8 == 0:
            exam = open_exam(spool)
            taken = [still(spool, exam), still(spool, exam)]
            spool.captures.reject(taken[1].sop_instance_uid, "blurred")
            let_go(spool, exam)
            wrap_all(spool, *(("optional",) if day % 16 else ("pacs",)))
            exams.append(exam)
        commit(spool, destination="optional")
        box.live(1, runs=1)
    gone = 2 * len(exams) - sum(len(box.objects(exam)) for exam in exams)
    print(f"\n400 days, {2 * len(exams)} captures, no required destination, full disk: {gone} captures gone")
    assert gone == 0


# --- the disk, a rebuild, a restart ------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_a_disk_that_fails_at_any_step_leaves_the_picture_or_its_mark_and_the_rest_is_done_later(
    root: Path, clock: FakeClock, error: int
) -> None:
    done = 0
    for after in range(40):
        disk = Disk()
        spool = open_spool(root.with_name(f"data-{after}"), clock=clock, files=disk, destinations=("pacs",))
        box = Box(spool, clock, replace(RULES, keep_days=1))
        exam = sealed_exam(spool)
        commit(spool)
        box.live(1)
        clock.move(6 * HOUR)
        disk.fail(error, after=after)
        try:
            box.run()
            done += 1
        except (DiskFull, DiskFailed):
            (listed,) = spool.captures.of_exam(exam.id)
            marked = spool.layout.purged(exam.id, listed.capture.sop_instance_uid).exists()
            assert marked or box.objects(exam)
            assert marked == bool(listed.purged)
            assert not listed.problem_code
        disk.heal()
        Purging(spool).take_up()
        box.live(1)
        assert box.objects(exam) == []
        spool.close()
    assert 0 < done < 40


def test_a_new_index_does_not_bring_back_what_was_let_go_nor_sound_an_alarm(
    root: Path, clock: FakeClock, spool: Spool
) -> None:
    box = Box(spool, clock)
    exam = sealed_exam(spool, stills=2)
    removed = open_exam(spool)
    rejected = still(spool, removed)
    spool.captures.reject(rejected.sop_instance_uid, "blurred")
    let_go(spool, removed)
    commit(spool)
    box.live(32)
    spool.close()
    for path in root.glob("scopegate.db*"):
        path.unlink()
    again = open_spool(root, clock=clock, destinations=("pacs",))
    recover_captures(again)
    adopt_seals(again, ("pacs",))
    Purging(again).take_up()
    for listed in (*again.captures.of_exam(exam.id), *again.captures.of_exam(removed.id)):
        assert (bool(listed.purged), listed.problem_code) == (True, "")
    assert {(each.state, each.proof) for each in again.deliveries.list()} == {("committed", "commitment")}
    assert again.captures.unsealed() == []
    assert again.captures.highest_number(exam.id) == 2
    again.close()


def test_a_damaged_mark_removes_nothing(spool: Spool) -> None:
    exam = sealed_exam(spool)
    (listed,) = spool.captures.of_exam(exam.id)
    spool.layout.purged(exam.id, listed.capture.sop_instance_uid).write_bytes(b"\0" * 20)
    Purging(spool).take_up()
    assert spool.layout.object(exam.id, listed.capture.sop_instance_uid).exists()
    assert not spool.captures.of_exam(exam.id)[0].purged


def test_a_picture_that_a_person_asks_for_at_the_last_moment_stays(box: Box) -> None:
    exam = sealed_exam(box.spool)
    commit(box.spool)
    box.live(1)
    (seen,), _ = Purging(box.spool).here(after=0)
    with box.spool.database.write() as connection:
        connection.execute("UPDATE delivery SET state = 'held', code = 'lost-by-archive'")
    assert not Purging(box.spool).let_go(seen)
    assert len(box.objects(exam)) == 1


def test_an_age_that_was_lost_never_makes_the_box_younger_than_its_notes(box: Box) -> None:
    sealed_exam(box.spool)
    box.live(40)
    commit(box.spool)
    box.live(10)
    (box.spool.layout.root / "retention.json").write_bytes(b"{")
    (before,), _ = Purging(box.spool).here(after=0)
    box.live(28)
    assert not box.spool.captures.get(before.uid).purged, "the ten days are not remembered"
    box.live(3)
    assert box.spool.captures.get(before.uid).purged
