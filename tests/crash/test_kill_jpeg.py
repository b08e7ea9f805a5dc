"""kill -9 while JPEG is made of H.264 clips for an archive that takes none: each arrives once, whole.

`--kills=2000` makes 125 of these, in parts; they stand in the file of `--results` with the others.
"""

from pathlib import Path

import pytest

from tests.crash import killing_jpeg
from tests.crash.killing import Part, note, noted, summary
from tests.memory import folder_in_memory

OF_ALL = 16  # of so many kills that are asked for, one is made here
A_PART = 12  # kills on one box
SEEDS = 1_000_000  # beside those of the other kills
# pynetdicom leaves sockets open whose other end, the box, was killed.
pytestmark = pytest.mark.filterwarnings("ignore:.*socket:pytest.PytestUnraisableExceptionWarning")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kills_of_part" not in metafunc.fixturenames:
        return
    kills = metafunc.config.getoption("--kills") // OF_ALL
    sizes = [min(A_PART, kills - done) for done in range(0, kills, A_PART)]
    first = metafunc.config.getoption("--seed") + SEEDS
    metafunc.parametrize(
        ("kills_of_part", "seed"),
        [(size, first + number) for number, size in enumerate(sizes)],
        ids=[f"part-{number + 1}-of-{len(sizes)}" for number in range(len(sizes))],
    )


def test_no_kill_while_jpeg_is_made_of_a_clip_loses_it_or_makes_it_twice(
    kills_of_part: int, seed: int, request: pytest.FixtureRequest
) -> None:
    result = known_or_new(kills_of_part, seed, request.config.getoption("--results"))
    print(f"\nkills while JPEG is made, seed {seed}:\n{summary([result])}")
    assert result.kills == kills_of_part
    assert result.lost == []
    assert result.wrong == []
    assert result.jpegs == result.films > 0
    assert result.arrived == result.acknowledged
    assert not [step for step in result.hits if "by itself" in step]


def known_or_new(kills: int, seed: int, results: str) -> Part:
    """Return this part's result: from the file of results, or by doing it."""
    for known in noted(Path(results)) if results else []:
        if (known.seed, known.kills) == (seed, kills):
            return known
    with folder_in_memory() as folder:
        result = killing_jpeg.part(folder, seed=seed, kills=kills)
    if results:
        note(Path(results), result)
    return result


@pytest.mark.parametrize("kills", [0, 2])
def test_a_box_that_keeps_no_plan_of_what_it_makes_makes_a_clip_twice_when_it_is_killed(
    kills: int, request: pytest.FixtureRequest
) -> None:
    with folder_in_memory() as folder:
        result = killing_jpeg.part(folder, seed=request.config.getoption("--seed"), kills=kills, forgetful=True)
    twice = [line for line in result.wrong if "JPEG clips of it" in line]
    print(f"\nthe forgetful box, {kills} kills: {len(twice)} of {result.films} clips were made twice")
    assert bool(twice) is bool(kills)
