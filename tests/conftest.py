"""A network of their own for all tests, before anything starts a thread; options of the long tests."""

import gc
import os
import sys
from collections.abc import Generator

import pytest

from tests.loopback.peers.namespace import enter_private_network

# A virtual machine is made of packages from the network, and has one of its own, in which services answer.
if "--vm" not in sys.argv and "SCOPEGATE_REPORT" not in os.environ:
    enter_private_network()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported stays: the garbage collector, which a long run wakes often, need not look through it."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=100, help="how many processes the crash tests kill (2000 = long)")
    parser.addoption("--results", default="", help="file in which the parts of a long crash test are kept")
    parser.addoption("--megabytes", type=int, default=15, help="of the clip on the slow link (300 = long)")
    parser.addoption("--objects", type=int, default=2500, help="that wait when the long outage ends (50000 = long)")
    parser.addoption("--seed", type=int, default=20261121, help="of everything random in the crash tests")
    parser.addoption("--soak", type=float, default=0.2, help="minutes that a screen is watched (120 = long)")
    parser.addoption("--new-screens", action="store_true", help="make the pictures of docs/screens anew")
    parser.addoption("--vm", action="store_true", help="run tests/kernel, in a virtual machine")
    parser.addoption("--keep-vm", default="", help="folder of a virtual machine that stays for the next run")
    parser.addoption("--appliance", default="", help="folder of an image: run tests/appliance on it")
    parser.addoption("--arm64", default="", help="folder of an image for arm64: start it")
    parser.addoption("--again", default="", help="folder of that image, built anew elsewhere: compare them")
    parser.addoption("--cuts", type=int, default=20, help="how often a box's power is cut (200 = long)")
