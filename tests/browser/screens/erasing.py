"""An exam that an administrator erases from the box."""

from playwright.sync_api import Page

from tests.browser.conftest import Box
from tests.browser.screens.people import as_administrator
from tests.browser.screens.registry import BEFORE, at, screen
from tests.browser.screens.states import LONG, refused, sealed, set_deliveries


@screen
def erase(box: Box) -> str:
    opened = sealed(box, 12, name=LONG)
    set_deliveries(box, "pacs", state="committed", proof="commitment", attempts=1)
    set_deliveries(box, "backup", in_doubt=1)
    box.spool.audit.note("exported", by="panel", exam=opened.id, objects=12, to="/media/stick")
    return f"/erase/{opened.id}"


@screen
def erase_refused(box: Box) -> str:
    opened = sealed(box)
    set_deliveries(box, "pacs", state="sending")
    return f"/erase/{opened.id}"


@screen
def erase_number(box: Box) -> str:
    return f"/erase/{refused(box).id}/number"


for _name in ("erase", "erase_refused", "erase_number"):
    BEFORE[_name] = as_administrator
at("erased", "/erased", as_administrator)


def _traces(box: Box, page: Page) -> None:
    as_administrator(box, page)
    (box.spool.layout.exams / "0123456789.erased" / "somebody's").mkdir(parents=True)


at("erased_traces", "/erased", _traces)
