"""What the statuses of N-CREATE and N-SET lead to (PS3.7 annex C, PS3.4 F.7.2)."""

import pytest

from gateway.errors import NeedsConfiguration, NeverAccepted, TryLater
from gateway.net import step_statuses
from gateway.net.step_statuses import TABLE, Meaning


@pytest.mark.parametrize(
    ("status", "create", "later"),
    [
        (0x0000, Meaning.TAKEN, Meaning.TAKEN),
        (0x0107, Meaning.TAKEN, Meaning.TAKEN),
        (0x0116, Meaning.TAKEN, Meaning.TAKEN),
        (0x0111, Meaning.DUPLICATE, Meaning.HOLD),
        (0x0112, Meaning.HOLD, Meaning.UNKNOWN_STEP),
        (0x0110, Meaning.TRY_LATER, Meaning.FINAL),
        (0xA710, Meaning.HOLD, Meaning.CLOSED),
        (0x0213, Meaning.TRY_LATER, Meaning.TRY_LATER),
        (0x0210, Meaning.TRY_LATER, Meaning.TRY_LATER),
        (0x0122, Meaning.NEEDS_CONFIGURATION, Meaning.NEEDS_CONFIGURATION),
        (0x0118, Meaning.NEEDS_CONFIGURATION, Meaning.NEEDS_CONFIGURATION),
        (0x0124, Meaning.NEEDS_CONFIGURATION, Meaning.NEEDS_CONFIGURATION),
        *((s, Meaning.HOLD, Meaning.HOLD) for s in (0x0105, 0x0106, 0x0115, 0x0117, 0x0119, 0x0120, 0x0121)),
        (0x0211, Meaning.HOLD, Meaning.HOLD),
        (0x0212, Meaning.HOLD, Meaning.HOLD),
        (0xB101, Meaning.TAKEN, Meaning.TAKEN),
        (0xBEEF, Meaning.TAKEN, Meaning.TAKEN),
        (0xDEAD, Meaning.TRY_LATER, Meaning.TRY_LATER),
    ],
)
def test_each_status_means_what_the_rules_say(status: int, create: Meaning, later: Meaning) -> None:
    rule = step_statuses.rule_for(status)
    assert (rule.create, rule.set) == (create, later)


def test_no_status_stands_in_two_rows() -> None:
    statuses = [status for rule in TABLE for status in rule.statuses]
    assert len(set(statuses)) == len(statuses) > 15


@pytest.mark.parametrize(
    ("status", "kind"),
    [(0x0110, TryLater), (0xDEAD, TryLater), (0x0122, NeedsConfiguration), (0x0106, NeverAccepted)],
)
def test_a_refusal_says_who_said_what_and_what_to_do(status: int, kind: type) -> None:
    rule = step_statuses.rule_for(status)
    error = step_statuses.failure(status, rule, rule.set, who="the procedure step server ris")
    assert type(error) is kind
    assert error.status == f"{status:04X}"
    assert error.what.startswith("The procedure step server ris")
    assert error.action
