"""Power cuts of a box whose disk loses its cache: nothing acknowledged is lost, and the box starts by itself.

The controls: beside the technician two careless writers work, whose records must be lost; and the product itself,
kept from flushing, must lose what it acknowledged. A check that cannot see that proves nothing.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.appliance.cuts import SHARES, Cut, Place, day, first_start_cut, look, noted, run, summary
from tests.appliance.story import WHILE_WRITTEN, Start
from tests.appliance.updated_box import bundle
from tests.kernel.machine import one_at_a_time

CARELESS_CUTS = 2


class Lived(NamedTuple):
    """What became of a box."""

    cuts: list[Cut]
    end: Start


@pytest.fixture(scope="module")
def lived(image: Path, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Lived:
    place = Place(tmp_path_factory.mktemp("box"), image, update=bundle("99.0.0"), has_chip=True)
    seed = pytestconfig.getoption("--seed")
    end = run(place, pytestconfig.getoption("--cuts"), seed=seed)
    print(f"\nseed {seed}\n{summary(noted(place.results))}")
    return Lived(noted(place.results), end)


@pytest.fixture(scope="module")
def careless(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Cut]]:
    """Yield the cuts of a box whose processes never flush anything."""
    place = Place(tmp_path_factory.mktemp("careless"), image)
    with place.archive(), one_at_a_time(), place.stopped():
        place.first_start()
        for number in range(CARELESS_CUTS):
            day(place, seed=number, way="exams", careless=True)
        place.box.switch_on()
        look(place)
        yield noted(place.results)


def test_nothing_acknowledged_is_lost_by_a_power_cut(lived: Lived) -> None:
    assert [cut.lost for cut in lived.cuts if cut.lost] == []
    assert lived.end.lost == []
    assert sum(cut.acknowledged for cut in lived.cuts) >= len(lived.cuts)


def test_each_way_of_working_was_cut_off(lived: Lived) -> None:
    assert {cut.way for cut in lived.cuts} == set(SHARES)
    assert WHILE_WRITTEN in {cut.step for cut in lived.cuts}


def test_every_start_after_a_power_cut_is_a_good_one(lived: Lived) -> None:
    assert [cut.wrong for cut in lived.cuts if cut.wrong] == []
    assert lived.end.wrong == []


def test_the_cuts_took_the_disks_cache_with_them(lived: Lived) -> None:
    worked = [cut for cut in lived.cuts if cut.careless]
    for writer in ("memory", "disk"):
        assert sum(cut.careless[writer] for cut in worked) > 0
    assert [cut for cut in worked if cut.is_none] == []


@pytest.mark.parametrize(("has", "span"), [("data", (0.0, 3.0)), ("data", (3.0, 20.0)), ("", (15.0, 90.0))])
def test_a_first_start_that_was_cut_off_begins_again(
    image: Path, tmp_path: Path, pytestconfig: pytest.Config, has: str, span: tuple[float, float]
) -> None:
    """The first two fall while the partition of the data is there, and is not what it will be."""
    after_s = round(random.Random(f"{pytestconfig.getoption('--seed')} {span}").uniform(*span), 1)
    start = first_start_cut(Place(tmp_path / "box", image), after_s, has=has)
    print(f"\ncut {after_s} s after {has or 'a first start'} began: {start.wrong or 'a good box'}")
    assert start.wrong == []


def test_a_product_that_never_flushes_loses_what_it_acknowledged(careless: list[Cut]) -> None:
    assert sum(len(cut.lost) for cut in careless) > 0
