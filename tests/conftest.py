"""A network of their own for all tests, before anything starts a thread; options of the long tests."""

import pytest

from tests.loopback.peers.namespace import enter_private_network

enter_private_network()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=20, help="how many processes the crash test kills (100 = long)")
    parser.addoption("--seed", type=int, default=20261121, help="of everything random in the crash tests")
