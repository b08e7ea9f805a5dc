"""Tests on the kernel's own virtual devices. They run in a virtual machine only: see README.md."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.appliance.suite_box import suite_box
from tests.kernel import outside
from tests.kernel.gadgets import KeyPedal, SerialPedal, plugged
from tests.kernel.machine import Machine, machine


def pytest_configure(config: pytest.Config) -> None:
    if outside.is_inside():
        config.pluginmanager.register(outside.Inside(config))
    elif config.getoption("--vm"):
        config.pluginmanager.register(outside.Outside(config, _machine(config)))


def _machine(config: pytest.Config) -> AbstractContextManager[Machine]:
    """Return the box's root tree under this checkout, or an appliance's image as it is."""
    if image := config.getoption("--appliance"):
        return suite_box(Path(image))
    keep = config.getoption("--keep-vm")
    return machine(Path(keep).absolute() if keep else None)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if outside.is_inside() or config.getoption("--vm"):
        return
    for item in filter(outside.is_ours, items):
        item.add_marker(pytest.mark.skip(reason="scripts/kernel-tests runs it in a virtual machine"))


@pytest.fixture
def serial_pedal() -> Iterator[SerialPedal]:
    with plugged(SerialPedal()) as pedal:
        yield pedal


@pytest.fixture
def key_pedal() -> Iterator[KeyPedal]:
    with plugged(KeyPedal()) as pedal:
        yield pedal
