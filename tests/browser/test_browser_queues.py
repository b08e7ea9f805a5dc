"""An archive was replaced: what waits for the old one is moved by touch, from the service page."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Box, ready
from tests.browser.screens.people import as_administrator
from tests.browser.screens.queues import left_behind
from tests.browser.screens.states import sealed, set_deliveries

pytestmark = pytest.mark.parametrize("size", ["front"], indirect=True)


def test_what_waits_for_an_archive_that_is_gone_goes_to_another_one_at_the_second_touch(
    page: Page, box: Box
) -> None:
    sealed(box, 3)
    set_deliveries(box, "backup", state="sent")
    left_behind(box, "old")
    as_administrator(box, page)
    page.goto(f"{box.address}/service")
    ready(page)
    page.get_by_role("link", name="Destination old").tap()
    page.wait_for_url("**/service/queue?of=old")
    ready(page)
    key = page.get_by_role("button", name="pacs")
    key.tap()
    expect(key).to_contain_text("Touch again: 3 objects go to pacs")
    ready(page)
    assert {each.destination for each in box.spool.deliveries.list()} == {"old", "backup"}
    page.get_by_role("button", name="Touch again: 3 objects go to pacs").tap()
    page.wait_for_url("**/service/queue?of=pacs")
    expect(page.locator("dl dd").first).to_have_text("3")
    assert {each.destination for each in box.spool.deliveries.list()} == {"pacs", "backup"}
