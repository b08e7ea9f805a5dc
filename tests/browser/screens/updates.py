"""An appliance's updates, as an administrator sees them."""

import json

from playwright.sync_api import Page

from tests.browser.conftest import Box
from tests.browser.screens.people import as_administrator
from tests.browser.screens.registry import at

_LAST = {"phase": "none", "version": "", "slot": "", "reason": "", "at": "", "stays": False}
_UPDATE = {
    "version": "0.3.0",
    "build": "20261127.0930",
    "slot": "a",
    "takes_updates": True,
    "floor": "0.2.0",
    "trying": False,
    "proving": False,
    "installing": None,
    "from_stick": False,
    "refused": None,
    "other": {"version": "0.2.9", "use": "before"},
    "last": _LAST,
}
_NEW = {"file": "scopegate-0.4.0-amd64.raucb", "version": "0.4.0", "build": "20270115.0812", "code": "", "what": ""}
_OTHERS = [
    {**_NEW, "file": "holiday.raucb", "version": "", "code": "update-foreign"},
    {**_NEW, "file": "scopegate-0.1.0-amd64.raucb", "version": "0.1.0", "code": "update-too-old"},
]


def says(box: Box, offers: list[dict[str, str]] | None = None, **changes: object) -> None:
    folder = box.settings.station.runtime_dir / "machine"
    folder.mkdir(exist_ok=True)
    (folder / "update.json").write_text(json.dumps({**_UPDATE, **changes}))
    if offers is not None:
        (folder / "update-offers.json").write_text(json.dumps({"stick": True, "files": offers}))


def _says(box: Box, page: Page, offers: list[dict[str, str]] | None = None, **changes: object) -> None:
    says(box, offers, **changes)
    as_administrator(box, page)


def _offered(box: Box, page: Page) -> None:
    _says(box, page, [_NEW, *_OTHERS])


def _installing(box: Box, page: Page) -> None:
    _says(box, page, [_NEW], installing=42, from_stick=True)


def _installing_what_was_sent(box: Box, page: Page) -> None:
    _says(box, page, [_NEW], installing=42)


def _went_back(box: Box, page: Page) -> None:
    last = {**_LAST, "phase": "went-back", "version": "0.4.0", "slot": "b", "reason": "picture"}
    other = {"version": "0.4.0", "use": "went-back"}
    _says(box, page, [], last=last, other=other, refused={"code": "update-exam-open", "what": "", "action": ""})


def _stays(box: Box, page: Page) -> None:
    last = {**_LAST, "phase": "went-back", "version": "0.4.0", "slot": "b", "reason": "picture", "stays": True}
    _says(box, page, [], version="0.4.0", last=last, other={"version": "0.3.0", "use": "no-way-back"})


at("update", "/service/update", _offered)
at("update_installing", "/service/update", _installing)
at("update_installing_sent", "/service/update", _installing_what_was_sent)
at("update_went_back", "/service/update", _went_back)
at("update_stays", "/service/update", _stays)
at("update_pc", "/service/update", as_administrator)
