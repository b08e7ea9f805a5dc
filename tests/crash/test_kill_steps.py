"""kill -9 at every durable step, and at any moment between: no acknowledged capture is lost, doubled, given away.

The long run: `pytest tests/crash/test_kills.py tests/crash/test_kill_steps.py -s --kills=2000 --results FILE`, with
`-n 2 --dist load` on two cores. It is cut into parts; a part that stands in FILE is not run again. A kill keeps the
page cache, so this proves nothing about fsync: test_power_cut*.py does.
"""

from pathlib import Path

import pytest

from tests.crash.killing import Part, Setting, note, noted, part, summary
from tests.crash.steps import ROLES, STEPS
from tests.crash.test_kills import WHOLE_STARTS
from tests.memory import folder_in_memory

A_PART = 40  # kills on one box at most
# pynetdicom leaves sockets open whose other end, the box, was killed.
pytestmark = pytest.mark.filterwarnings("ignore:.*socket:pytest.PytestUnraisableExceptionWarning")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kills_of_part" not in metafunc.fixturenames:
        return
    left = max(0, metafunc.config.getoption("--kills") - WHOLE_STARTS)
    parts = -(-left // A_PART)  # all of about one size: in a short one a slow machine comes to no film
    sizes = [left // parts + (number < left % parts) for number in range(parts)]
    first = metafunc.config.getoption("--seed")
    metafunc.parametrize(
        ("kills_of_part", "seed"),
        [(size, first + 1 + number) for number, size in enumerate(sizes)],
        ids=[f"part-{number + 1}-of-{len(sizes)}" for number in range(len(sizes))],
    )


def test_no_step_at_which_a_process_dies_loses_an_acknowledged_capture(
    kills_of_part: int, seed: int, request: pytest.FixtureRequest
) -> None:
    result = known_or_new(kills_of_part, seed, request.config.getoption("--results"))
    print(f"\nkills at steps, seed {seed}:\n{summary([result])}")
    assert result.kills == kills_of_part
    assert result.lost == []
    assert result.wrong == []
    assert bool(result.films) is Setting.of(seed).films
    assert result.arrived == result.acknowledged - result.kept_back > 0
    assert not [step for step in result.hits if "by itself" in step]


def known_or_new(kills: int, seed: int, results: str) -> Part:
    """Return this part's result: from the file of results, or by doing it."""
    before = noted(Path(results)) if results else []
    for known in before:
        if (known.seed, known.kills) == (seed, kills):
            return known
    with folder_in_memory() as folder:
        result = part(folder, seed=seed, kills=kills, met={hit for known in before for hit in known.hits})
    if results:
        note(Path(results), result)
    return result


@pytest.mark.parametrize("kills", [0, 8])
def test_a_recorder_that_answers_before_the_name_is_there_loses_captures_when_it_is_killed(
    kills: int, request: pytest.FixtureRequest
) -> None:
    with folder_in_memory() as folder:
        result = part(
            folder, seed=request.config.getoption("--seed"), kills=kills, roles=("capture",), careless=True
        )
    print(f"\nthe careless recorder, {kills} kills: {len(result.lost)} of {result.acknowledged} captures lost")
    assert bool(result.lost) is bool(kills)


def test_every_process_has_named_steps_that_kills_can_meet() -> None:
    assert set(STEPS) == set(ROLES)
    assert all(len(set(steps)) == len(steps) > 10 for steps in STEPS.values())
