"""Tests on the kernel's own virtual devices. They run in a virtual machine only: see README.md."""

from collections.abc import Iterator

import pytest

from tests.kernel import outside
from tests.kernel.gadgets import KeyPedal, SerialPedal, plugged


def pytest_configure(config: pytest.Config) -> None:
    if outside.is_inside():
        config.pluginmanager.register(outside.Inside(config))
    elif config.getoption("--vm"):
        config.pluginmanager.register(outside.Outside(config, config.getoption("--keep-vm")))


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
