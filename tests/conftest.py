"""Options of the long tests."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=20, help="how many processes the crash test kills (100 = long)")
    parser.addoption("--seed", type=int, default=20261121, help="of everything random in the crash tests")
