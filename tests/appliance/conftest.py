"""Tests of the appliance's image. They want an image: see README.md."""

from pathlib import Path

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--appliance"):
        return
    here = Path(__file__).resolve().parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="scripts/appliance-tests builds an image and runs it"))


@pytest.fixture(scope="session")
def image(pytestconfig: pytest.Config) -> Path:
    """The folder of an image that tests can get into."""
    return Path(pytestconfig.getoption("--appliance"))
