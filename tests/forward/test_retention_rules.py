"""What may leave the box's disk and what never does: the rules as a table, and how the box ages."""

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.clock import FakeClock, Moment
from gateway.config import reader
from gateway.forward.keeping.retention import DAY_S, Age, Rules, Why, grown, its_time, may_go, rules_of
from gateway.model import CaptureState, Delivery, DeliveryState, ExamState
from gateway.spool.purging import Facts

RULES = Rules(required=frozenset({"pacs"}), keep_days=30, rejected_days=30)
TRUSTING = replace(RULES, trusted_queries=frozenset({"pacs"}))


def delivery(destination: str = "pacs", state: str = "committed", proof: str = "commitment") -> Delivery:
    proof = proof if state == "committed" else ""
    return Delivery(
        id=1, sop_instance_uid="1", exam="e", destination=destination, state=DeliveryState(state), proof=proof
    )


def facts(*objects: tuple[Delivery, ...], **changes: object) -> Facts:
    values: dict[str, object] = {
        "uid": "1",
        "exam": "e",
        "exam_state": ExamState.RELEASED,
        "keep": False,
        "state": CaptureState.SAVED,
        "settled_s": 1,
        "settled_why": "",
        "deliveries": objects,
    }
    return Facts(**{**values, **changes})  # type: ignore[arg-type]


COMMITTED = (delivery(),)
TABLE = {
    "committed by the only required archive": (facts(COMMITTED), RULES, Why.COMMITTED),
    "discontinued and committed": (facts(COMMITTED, exam_state=ExamState.DISCONTINUED), RULES, Why.COMMITTED),
    "no archive is required": (facts(COMMITTED), replace(RULES, required=frozenset()), None),
    "the exam is open": (facts(COMMITTED, exam_state=ExamState.OPEN), RULES, None),
    "the exam waits": (facts(COMMITTED, exam_state=ExamState.FINISHED), RULES, None),
    "a person keeps it": (facts(COMMITTED, keep=True), RULES, None),
    "no object was made": (facts(), RULES, None),
    "no delivery exists": (facts(()), RULES, None),
    "sent is not committed": (facts((delivery(state="sent"),)), RULES, None),
    "queued": (facts((delivery(state="queued"),)), RULES, None),
    "sending": (facts((delivery(state="sending"),)), RULES, None),
    "held": (facts((delivery(state="held"),)), RULES, None),
    "the archive only answered a query": (facts((delivery(proof="query"),)), RULES, None),
    "the archive's answer to a query counts here": (facts((delivery(proof="query"),)), TRUSTING, Why.COMMITTED),
    "committed without a proof": (facts((delivery(proof=""),)), TRUSTING, None),
    "only an archive that is not required has it": (facts((delivery("cloud"),)), RULES, None),
    "one that is not required was sent it only": (
        facts((*COMMITTED, delivery("cloud", "sent"))),
        RULES,
        Why.COMMITTED,
    ),
    "one that is not required waits for it": (facts((*COMMITTED, delivery("cloud", "queued"))), RULES, None),
    "one that left the configuration waits for it": (facts((*COMMITTED, delivery("old", "held"))), RULES, None),
    "one of two required archives has it": (
        facts((*COMMITTED, delivery("second", "sent"))),
        replace(RULES, required=frozenset({"pacs", "second"})),
        None,
    ),
    "another archive took the name of the one that has it": (
        facts(COMMITTED, elsewhere=frozenset({1})),
        RULES,
        None,
    ),
    "one of its two objects is not committed": (facts(COMMITTED, (delivery(state="sent"),)), RULES, None),
    "both of its objects are committed": (facts(COMMITTED, COMMITTED), RULES, Why.COMMITTED),
    "removed from the exam": (facts(state=CaptureState.REJECTED), RULES, Why.REJECTED),
    "removed, no archive is required": (
        facts(state=CaptureState.REJECTED),
        replace(RULES, required=frozenset()),
        None,
    ),
    "removed, and its object waits": (
        facts((delivery(state="held"),), state=CaptureState.REJECTED),
        RULES,
        None,
    ),
    "removed from an open exam": (facts(state=CaptureState.REJECTED, exam_state=ExamState.OPEN), RULES, None),
}


CONFIGURED = """
config_version = 1
[[destination]]
name = "vouches"
ae_title = "PACS"
host = "127.0.0.1"
port = 104
commitment = true
query = true
[[destination]]
name = "trusted"
kind = "stow"
url = "https://pacs.example/dicom-web"
query = true
trust_query = true
[[destination]]
name = "second"
ae_title = "SECOND"
host = "10.0.0.6"
port = 104
required = false
query = true
trust_query = true
[retention]
keep_days = 7
rejected_days = 3
"""


def test_the_rules_are_those_of_the_configuration_file(tmp_path: Path) -> None:
    file = tmp_path / "scopegate.toml"
    file.write_text(CONFIGURED)
    assert rules_of(reader.read(file, {})) == Rules(
        required=frozenset({"vouches", "trusted"}),
        keep_days=7,
        rejected_days=3,
        trusted_queries=frozenset({"trusted", "second"}),
    )


@pytest.mark.parametrize("case", TABLE)
def test_a_picture_may_go_only_by_the_rules(case: str) -> None:
    seen, rules, expected = TABLE[case]
    assert may_go(seen, rules) == expected


@pytest.mark.parametrize(
    ("why", "days", "low", "goes"),
    [
        (Why.COMMITTED, 29.99, False, False),
        (Why.COMMITTED, 30, False, True),
        (Why.COMMITTED, 0.99, True, False),
        (Why.COMMITTED, 1, True, True),
        (Why.REJECTED, 29.99, True, False),
        (Why.REJECTED, 30, False, True),
    ],
)
def test_a_picture_goes_after_its_days_and_a_committed_one_after_a_day_when_the_disk_fills(
    why: Why,
    days: float,
    low: bool,  # noqa: FBT001 - a column of the table
    goes: bool,  # noqa: FBT001
) -> None:
    seen = facts(settled_why=why, settled_s=1000)
    assert its_time(seen, 1000 + int(days * DAY_S), RULES, low=low) is goes


def test_with_no_days_to_keep_a_picture_goes_as_soon_as_it_is_committed() -> None:
    assert its_time(facts(settled_why="committed", settled_s=5), 5, replace(RULES, keep_days=0), low=False)


@dataclass(frozen=True, kw_only=True)
class Passed:
    clock_s: float
    boot_s: float
    rebooted: bool = False
    trusted: tuple[bool, bool] = (True, True)


AGES = {
    "an hour": (Passed(clock_s=3600, boot_s=3600), 3600, True),
    "an hour, the clock corrected by a minute": (Passed(clock_s=3660, boot_s=3600), 3600, True),
    "the clock jumped ten years": (Passed(clock_s=3.15e8, boot_s=3600), 3600, False),
    "the clock jumped back a day": (Passed(clock_s=-DAY_S, boot_s=3600), 3600, False),
    "the clock jumped by more than an hour": (Passed(clock_s=7300, boot_s=3600), 3600, False),
    "a night without power": (Passed(clock_s=12 * 3600, boot_s=0, rebooted=True), 12 * 3600, True),
    "a weekend without power": (Passed(clock_s=2.6 * DAY_S, boot_s=0, rebooted=True), int(2.6 * DAY_S), True),
    "a month without power, or a wrong clock": (Passed(clock_s=30 * DAY_S, boot_s=0, rebooted=True), 0, False),
    "started with a clock of last year": (Passed(clock_s=-365 * DAY_S, boot_s=0, rebooted=True), 0, False),
    "the clock was never set": (Passed(clock_s=3600, boot_s=3600, trusted=(True, False)), 3600, False),
    "the clock was just set": (Passed(clock_s=3600, boot_s=3600, trusted=(False, True)), 3600, False),
    "started with a clock never set": (
        Passed(clock_s=3600, boot_s=0, rebooted=True, trusted=(True, False)),
        0,
        False,
    ),
}


@pytest.mark.parametrize("case", AGES)
def test_the_box_ages_by_what_it_can_prove(case: str) -> None:
    passed, grew, even = AGES[case]
    then = FakeClock().now()
    now = Moment(
        utc=then.utc + timedelta(seconds=passed.clock_s),
        offset=then.offset,
        boot_id="other" if passed.rebooted else then.boot_id,
        boottime_ns=then.boottime_ns + int(passed.boot_s * 1e9),
        trusted=passed.trusted[1],
    )
    age, believed = grown(Age(seconds=100, at=replace(then, trusted=passed.trusted[0])), now)
    assert (age.seconds - 100, believed) == (grew, even)
