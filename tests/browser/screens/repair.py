"""A box that is made new or rescued, as whoever stands before it sees it."""

from playwright.sync_api import Page

from tests.browser.conftest import Box
from tests.browser.screens.own_machine import disk
from tests.browser.screens.registry import at
from tests.browser.screens.updates import says


def _appliance(box: Box, page: Page) -> None:
    disk(box, page)
    page.context.clear_cookies()  # nobody's PIN is asked for


def _proving(box: Box, page: Page) -> None:
    says(box, trying=True, proving=True)
    _appliance(box, page)


at("repair", "/repair", _appliance)
at("repair_proving", "/repair/keep", _proving)
at("repair_pc", "/repair")
at("repair_destroy", "/repair/destroy", _appliance)
at("repair_keep", "/repair/keep", _appliance)
at("repair_keep_code", "/repair/keep?code", _appliance)
at("repair_rescue", "/repair/rescue", _appliance)
at("repair_begun", "/repair/begun", _appliance)
