"""What scripts/check itself must know: on which disk its tests would fail for a reason that none of them names."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from gateway.spool.disk.room import Level, Room, Typical, level

RESERVE = 512_000_000  # bytes, of a box that is configured by nobody
GB = 1_000_000_000


@pytest.fixture(scope="module")
def check() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "scripts" / "check.py"
    spec = importlib.util.spec_from_file_location("scripts_check", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look a class's module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("total", [25 * GB, 64 * GB, 252 * GB])
def test_the_tests_begin_only_on_a_disk_on_which_a_box_warns_of_nothing(check: ModuleType, total: int):
    share, most = check.WARNED_OF
    needed = min(int(total * share), most) + check.OWN_ROOM
    assert not check.disk_trouble(total, needed)
    assert "GB free" in check.disk_trouble(total, needed - 1)

    def warned(free: int) -> Level:
        return level(Room(total=total, free=free, reserve=RESERVE), Typical())

    assert warned(needed) is Level.OK
    assert warned(needed - check.OWN_ROOM) is Level.LOW  # so that what the tests write is room enough, and no more
