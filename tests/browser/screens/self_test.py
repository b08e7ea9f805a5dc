"""The hardware self-test: before it, while hands are waited for, at its end, and its corners."""

import json

from playwright.sync_api import Page

from tests.browser.conftest import Box
from tests.browser.screens.people import as_administrator
from tests.browser.screens.registry import BEFORE, at, screen

_PASSED = {"name": "", "result": "passed", "measured": "", "code": "", "what": "", "action": ""}
_CHECKS = [
    {**_PASSED, "kind": "source", "name": "ultrasound", "measured": "1280 x 720, 30/s"},
    {**_PASSED, "kind": "sign", "name": "tone-1"},
    {**_PASSED, "kind": "disk", "measured": "62 MB/s, 88 MB/s"},
    {
        **_PASSED,
        "kind": "disk-life",
        "result": "failed",
        "measured": "eMMC mmcblk0, 80 %",
        "code": "disk-worn",
        "what": "The disk is worn.",
        "action": "Plan another disk, or another box, for the next visit of service.",
    },
    {**_PASSED, "kind": "battery-clock", "measured": "+1 s"},
    {**_PASSED, "kind": "tpm", "result": "not-there"},
    {**_PASSED, "kind": "memory", "measured": "3793 MB, 2000 MB"},
]
_HANDS = [{**_PASSED, "kind": "pedal", "name": "input-1"}, {**_PASSED, "kind": "touch", "measured": "4/4"}]


def _record(box: Box, *, ended: bool) -> None:
    record = {
        "at": "2026-11-27T09:00:00+00:00",
        "boot_id": box.spool.clock.boot_id,
        "begun_ns": box.spool.clock.boottime_ns(),
        "at_screen": True,
        "ended": ended,
        "checks": [*_CHECKS, *(_HANDS if ended else [])],
        "pedals": {},
        "corners": [],
    }
    box.spool.layout.self_test.write_text(json.dumps(record))


def _ended(box: Box, page: Page) -> None:
    _record(box, ended=True)
    as_administrator(box, page)


def _waits(box: Box, page: Page) -> None:
    _record(box, ended=False)
    as_administrator(box, page)


@screen
def self_test(box: Box) -> str:
    del box
    return "/service/self-test"


BEFORE["self_test"] = as_administrator
at("self_test_waits", "/service/self-test", _waits)
at("self_test_failed", "/service/self-test", _ended)
at("self_test_touch", "/service/self-test/touch", _waits)
