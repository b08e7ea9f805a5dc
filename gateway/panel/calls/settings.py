"""The calls on the configuration: look, try, change, take the last change back. Nothing invalid is written."""

import base64
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from gateway.config.changes import Add, Change, Drop, Put
from gateway.config.differences import Difference
from gateway.config.editing import Trial
from gateway.config.lines import Place
from gateway.config.secret import secret_of
from gateway.config.table import Table
from gateway.errors import BadValue, Problem, SettingsWrong
from gateway.panel import problems
from gateway.panel.calls import bodies
from gateway.panel.calls.bodies import Values
from gateway.panel.configuring import Configuring, State
from gateway.panel.context import Context, acting
from gateway.panel.doors.routing import Route
from gateway.panel.people.roles import SET_UP
from gateway.panel.shown import setting_values
from gateway.panel.shown import settings as shown
from gateway.panel.shown.setting_values import SECRETS
from gateway.panel.shown.setting_words import PAGES
from gateway.panel.taking_over import STARTS_ANEW, WAITS, starts_anew
from gateway.panel.words import Words, of_call

Json = dict[str, Any]
Make = Callable[[Configuring], State]
_MOST = 50  # changes at once
_LONGEST = 1024  # of a text
_DEEPEST_PLACE = 5
_REVISION = 64


class SettingsCalls:
    """`/settings`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._configuring = context.configuring

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/settings", self.get, methods=["GET"], who=SET_UP),
            Route("/settings/state", self.state, methods=["GET"], who=SET_UP),
            Route("/settings/check", self.check, methods=["POST"], who=SET_UP),
            Route("/settings/change", self.change, methods=["POST"], who=SET_UP),
            Route("/settings/before", self.before, methods=["GET"], who=SET_UP),
            Route("/settings/take-back", self.take_back, methods=["POST"], who=SET_UP),
            Route("/settings/export", self.export, methods=["GET"], who=SET_UP),
            Route("/settings/import/check", self.import_check, methods=["POST"], who=SET_UP),
            Route("/settings/import", self.take_in, methods=["POST"], who=SET_UP),
            Route("/settings/secrets", self.secret, methods=["POST"], who=SET_UP),
        ]

    async def get(self, request: Request) -> Response:
        return JSONResponse(await self._context.work.spool(partial(self._everything, of_call(request))))

    async def state(self, request: Request) -> Response:
        """Say whether a change waits, and for what; in few bytes, because a page asks again and again."""
        state = await self._context.work.spool(self._configuring.state)
        return JSONResponse(_state(state, of_call(request)))

    async def check(self, request: Request) -> Response:
        """Say what changes would change and what is wrong with them. Writes nothing."""
        asked = await bodies.read(request, "changes", "revision")
        changes, revision = changes_of(asked.values), revision_of(asked.values)
        trial = await self._context.work.spool(partial(self._configuring.tried, changes, revision))
        return JSONResponse(_trial(trial, self._configuring.tables, of_call(request)))

    async def change(self, request: Request) -> Response:
        asked = await bodies.read(request, "changes", "revision")
        changes, revision, person = changes_of(asked.values), revision_of(asked.values), acting.get()

        def make(configuring: Configuring) -> State:
            configuring.write(configuring.tried(changes, revision), revision, person=person)
            return configuring.state()

        return await self._made(request, make)

    async def before(self, request: Request) -> Response:
        """Say what taking the last change back would change."""
        trial = await self._context.work.spool(self._configuring.tried_before)
        return JSONResponse(_trial(trial, self._configuring.tables, of_call(request)))

    async def take_back(self, request: Request) -> Response:
        asked = await bodies.read(request, "revision")
        revision, person = revision_of(asked.values), acting.get()

        def make(configuring: Configuring) -> State:
            configuring.write(configuring.tried_before(), revision, person=person)
            return configuring.state()

        return await self._made(request, make)

    async def export(self, request: Request) -> Response:
        """Send the settings as one file, without secrets."""
        del request
        raw = await self._context.work.spool(self._configuring.out)
        await self._context.note("settings-exported")
        name = file_name(self._context.settings.station.name)
        headers = {
            "content-disposition": f'attachment; filename="{name}"',
            "cache-control": "no-store",
        }
        return Response(raw, media_type="application/zip", headers=headers)

    async def import_check(self, request: Request) -> Response:
        """Say what another file of settings would change here. Writes no setting."""
        asked = await bodies.read(request, "file")
        trial = await self._context.work.spool(partial(self._configuring.tried_file, _file(asked.values)))
        return JSONResponse(_trial(trial, self._configuring.tables, of_call(request)))

    async def take_in(self, request: Request) -> Response:
        asked = await bodies.read(request, "file", "revision")
        raw, revision, person = _file(asked.values), revision_of(asked.values), acting.get()

        def make(configuring: Configuring) -> State:
            configuring.write(configuring.tried_file(raw), revision, person=person)
            return configuring.state()

        return await self._made(request, make)

    async def secret(self, request: Request) -> Response:
        """Keep a password or a token in a file of its own; the answer names it for a change."""
        asked = await bodies.read(request, "secret")
        secret = asked.values.get("secret")
        raw = secret.encode("utf-8", "replace") if isinstance(secret, str) else b""
        try:
            secret_of(raw)
        except ValueError:
            raise BadValue("A secret is one line without spaces, of letters, digits and signs.") from None
        file = await self._context.work.spool(partial(self._configuring.keep_secret, raw))
        return JSONResponse({"file": file}, 201)

    # --- inside --------------------------------------------------------------------------------------------

    async def _made(self, request: Request, make: Make) -> Response:
        """Make a change; what is wrong with it is answered place by place."""
        try:
            state = await self._context.work.spool(partial(make, self._configuring))
        except SettingsWrong as error:
            language = of_call(request)
            wrong = [problem_of(each, language) for each in error.problems]
            document = {**problems.document_of(error, language), "problems": wrong}
            return JSONResponse(document, problems.status_of(error), media_type=problems.MEDIA_TYPE)
        return JSONResponse(_state(state, of_call(request)))

    def _everything(self, language: Words) -> Json:
        state, now = self._configuring.state(), self._configuring.now()
        tables = self._configuring.tables
        return {
            **_state(state, language),
            "can_take_back": self._configuring.editor.kept.before() is not None,
            "problems": [problem_of(each, language) for each in now.problems],
            "pages": [
                {
                    "id": page,
                    "title": language.said(PAGES[page].title),
                    "sections": [_section(each, language) for each in shown.sections(page, tables, now.document)],
                }
                for page in PAGES
            ],
        }


def _section(section: shown.Section, language: Words) -> Json:
    entries = [
        {
            "place": list(entry.place),
            "name": entry.name,
            "fields": [_labelled(shown.as_json(field), language) for field in entry.fields],
        }
        for entry in section.entries
    ]
    return {"table": section.table, "many": section.many, "kinds": list(section.kinds), "entries": entries}


def _labelled(field: Json, language: Words) -> Json:
    said = {**field, "label": language.said(field["label"])}
    if "fields" in field:
        said["fields"] = [_labelled(each, language) for each in field["fields"]]
    return said


def _state(state: State, language: Words) -> Json:
    waits = {"for": state.waits, "what": language.said(WAITS[state.waits])} if state.waits else None
    return {"revision": state.revision, "writable": state.writable, "waits": waits}


def _trial(trial: Trial, tables: dict[str, Table], language: Words) -> Json:
    which = starts_anew(trial)
    return {
        **outcome(trial, tables, language),
        "starts_anew": {"which": which, "what": language.said(STARTS_ANEW[which])},
    }


def outcome(trial: Trial, tables: dict[str, Table], language: Words) -> Json:
    """Return what is wrong with changes, and what they would change, in words."""
    return {
        "problems": [problem_of(each, language) for each in trial.problems],
        "differences": [_difference(each, tables, language) for each in trial.differences],
    }


def problem_of(problem: Problem, language: Words) -> Json:
    return {
        "place": list(problem.place),
        "key": problem.key,
        "label": language.said(setting_values.label(problem.key)),
        "reason": language.said(problem.reason),
    }


def _difference(difference: Difference, tables: dict[str, Table], language: Words) -> Json:
    """Return what differs; the place of a secret says nothing, whether there is one does."""
    old, new = difference.old, difference.new
    if difference.steps[-1] in SECRETS:
        old, new = (None if each is None else "kept" for each in (old, new))
    said = setting_values.difference(difference, tables, language.said)
    return {"steps": list(difference.steps), "old": old, "new": new, "words": said}


def file_name(station: str) -> str:
    """Return how a box's file of settings is called, whatever signs its own name has."""
    return f"scopegate-{re.sub(r'[^A-Za-z0-9._-]', '-', station)}.zip"


# --- what callers send -------------------------------------------------------------------------------------


def revision_of(values: Values) -> str:
    return bodies.text(values, "revision", longest=_REVISION, required=True)


def _file(values: Values) -> bytes:
    """Return a file that was sent, in base64. Raises BadValue."""
    try:
        return base64.b64decode(str(values.get("file", "")), validate=True)
    except ValueError:
        raise BadValue("file is not a file in base64.") from None


def changes_of(values: Values) -> list[Change]:
    """Return what is to be changed. Raises BadValue."""
    found = values.get("changes")
    if not isinstance(found, list) or not 1 <= len(found) <= _MOST:
        raise BadValue(f"changes is not a list of 1 to {_MOST} changes.")
    return [_change(each) for each in found]


def _change(value: object) -> Change:
    if isinstance(value, dict):
        if value.keys() == {"place", "value"} and _is_plain(value["value"]):
            return Put(place=_place(value["place"]), value=value["value"])
        if value.keys() == {"place", "remove"} and value["remove"] is True:
            return Drop(place=_place(value["place"], least=1))  # a table that there may be none of
        if value.keys() == {"add", "values"} and isinstance(value["values"], dict) and _is_plain(value["values"]):
            return Add(table=str(value["add"]), values=value["values"])
    raise BadValue("A change is {place, value}, {place, remove: true} or {add, values}.")


def _place(value: object, *, least: int = 2) -> Place:
    if not isinstance(value, list) or not least <= len(value) <= _DEEPEST_PLACE:
        raise BadValue("A place is a list of the names and numbers that lead to it.")
    if not isinstance(value[0], str) or not all(_is_step(each) for each in value):
        raise BadValue("A place is a list of the names and numbers that lead to it.")
    return tuple(value)


def _is_step(value: object) -> bool:
    if isinstance(value, str):
        return 0 < len(value) <= 64  # noqa: PLR2004 - no key is longer
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1000  # noqa: PLR2004 - nor an array


def _is_plain(value: object) -> bool:
    """Say whether the configuration can hold a value."""
    if isinstance(value, str):
        return len(value) <= _LONGEST
    if isinstance(value, bool | int):
        return abs(int(value)) < 2**53
    if isinstance(value, list):
        return len(value) <= 100 and all(_is_plain(each) for each in value)  # noqa: PLR2004 - nobody lists more
    if isinstance(value, dict):
        return len(value) <= 100 and all(isinstance(key, str) and _is_plain(each) for key, each in value.items())  # noqa: PLR2004
    return False
