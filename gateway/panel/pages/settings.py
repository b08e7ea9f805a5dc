"""The pages on which an administrator changes the box: lists of what there is, and one question at a time."""

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway.config import forms
from gateway.errors import CaptureGone, NotFound
from gateway.panel.calls import bodies
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.pages.frame import Frame, Values
from gateway.panel.people.roles import SET_UP
from gateway.panel.shown import first_start as shown
from gateway.panel.shown import setting_values, settings
from gateway.panel.shown.setting_words import ONE, PAGES, WORDS
from gateway.panel.shown.settings import Field, Section
from gateway.panel.taking_over import STARTS_ANEW, WAITS, starts_anew
from gateway.panel.words import Words
from gateway.spool.processes import trials


class SettingsPages:
    """One method a page. Places stand in addresses: names of tables and keys, never a value."""

    def __init__(self, context: Context, frame: Frame) -> None:
        self._context = context
        self._configuring = context.configuring
        self._frame = frame

    def routes(self) -> list[Route]:
        one = "/settings/{page}/{table}"
        return [
            self._frame.route("/settings", "settings.html", self._all, who=SET_UP),
            self._frame.route("/settings/before", "settings_before.html", self._before, who=SET_UP),
            self._frame.route("/settings/file", "settings_file.html", self._file, who=SET_UP),
            self._frame.route("/settings/{page}", "settings_page.html", self._page, who=SET_UP),
            self._with_devices("/settings/{page}/ask/{place:path}", self._ask),
            self._with_devices("/settings/{page}/elsewhere/{place:path}", self._elsewhere),
            self._frame.route("/settings/pedals/trigger/learn", "settings_pedal.html", self._pedal, who=SET_UP),
            self._with_devices(f"{one}/new", self._new),
            self._frame.route(f"{one}/{{number}}", "settings_page.html", self._entry, who=SET_UP),
        ]

    def _file(self, request: Request) -> Values:
        """Offer what brings settings out and in: a file of the browser, or a stick; "" is any stick."""
        del request
        media = [each.name for each in self._context.settings.destinations if each.kind == "media"]
        places = ["", *media] if len(media) > 1 else [""]
        return {**self._state(), "places": places, "network": self._context.settings.panel.lan is not None}

    def _all(self, request: Request) -> Values:
        del request
        kept = self._configuring.editor.kept
        return {**self._state(), "pages": PAGES, "can_take_back": kept.before() is not None}

    def _before(self, request: Request) -> Values:
        """Show what taking the last change back would change."""
        trial = self._configuring.tried_before()
        said = self._said(request)
        return {
            **self._state(),
            "differences": [
                setting_values.difference(each, self._configuring.tables, said) for each in trial.differences
            ],
            "applying": STARTS_ANEW[starts_anew(trial)],
        }

    def _page(self, request: Request) -> Values:
        name, found = self._sections(request)
        return {
            **self._state(),
            **self._around(name),
            "sections": found,
            "entry": next((entry for each in found if each.optional for entry in each.entries), None),
            "elsewhere": (),
            "value": self.value(request),
        }

    def _entry(self, request: Request) -> Values:
        """Show one element of an array."""
        name, found = self._sections(request)
        table, number = request.path_params["table"], bodies.whole(request.path_params["number"])
        entries = [entry for section in found if section.table == table for entry in section.entries]
        if number is None or number >= len(entries):
            raise NotFound("There is no such entry in the configuration.")
        return {
            **self._state(),
            **self._around(name),
            "sections": [],
            "entry": entries[number],
            "elsewhere": settings.elsewhere(entries[number]),
            "value": self.value(request),
        }

    def _ask(self, request: Request) -> Values:
        """Ask for one key; for a table in a table, for all of its keys one after the other."""
        name, found = self._sections(request)
        wanted = _place(request)
        every = {field.place: field for section in found for entry in section.entries for field in entry.fields}
        if wanted not in every:
            raise NotFound("There is no such entry in the configuration.")
        field = every[wanted]
        back = f"/settings/{name}/{wanted[0]}/{wanted[1]}" if isinstance(wanted[1], int) else f"/settings/{name}"
        title = field.label if field.inner else PAGES[name].title
        fields = [*with_a_way_out(field), *_kept_for(field, every.values())]
        return self.asking(request, name, fields, title=title, back=back)

    def _elsewhere(self, request: Request) -> Values:
        """Ask for the other address that gives a service of an archive; its three keys are one value."""
        name, found = self._sections(request)
        entries = (entry for section in found if section.many for entry in section.entries)
        every = {field.place: field for entry in entries for field in settings.elsewhere(entry)}
        field = every.get(_place(request))
        if field is None:
            raise NotFound("There is no such entry in the configuration.")
        back = f"/settings/{name}/{field.place[0]}/{field.place[1]}"
        asking = self.asking(request, name, list(field.inner), title=field.label, back=back)
        return {**asking, "whole": list(field.place)}

    def _new(self, request: Request) -> Values:
        """Ask for what a new element needs."""
        name, found = self._sections(request)
        table = request.path_params["table"]
        section = next((each for each in found if each.table == table and each.grows), None)
        kind = request.query_params.get("kind", "")
        if section is None or (kind and kind not in section.kinds) or (section.kinds and not kind):
            raise NotFound("There is no such entry in the configuration.")
        fields = settings.new(table, self._configuring.tables[table], kind)
        asking = self.asking(request, name, fields, title=ONE[table], back=f"/settings/{name}")
        return {**asking, "add": table if section.many else "", "kind": kind}

    def _pedal(self, request: Request) -> Values:
        """Learn a pedal by pressing it, as the first start does."""
        del request
        triggers = self._configuring.now().document.get("trigger", [])
        return {
            **self._state(),
            "sources": self._sources(),
            "triggers": len(triggers),
            "waiting": self._context.own_machine.usb.waiting(),
        }

    # --- inside --------------------------------------------------------------------------------------------

    def _with_devices(self, path: str, page: Callable[[Request], Values]) -> Route:
        """Return the route of questions; those about picture sources know what capture sees plugged in."""

        async def answer(request: Request) -> Response:
            request.state.plugged = {}
            if request.path_params["page"] == "sources":
                with suppress(CaptureGone):
                    request.state.plugged = await self._context.recorder.devices()
            return await self._context.work.spool(partial(self._frame.answer, "settings_ask.html", page, request))

        return Route(path, answer, methods=["GET"], who=SET_UP)

    def _sections(self, request: Request) -> tuple[str, list[Section]]:
        name = request.path_params["page"]
        if name not in PAGES:
            raise NotFound("There is no such page.")
        return name, settings.sections(name, self._configuring.tables, self._configuring.now().document)

    def _state(self) -> Values:
        state = self._configuring.state()
        return {"state": state, "waits": WAITS.get(state.waits, "")}

    def _around(self, name: str) -> Values:
        return {"name": name, "page": PAGES[name], "one": ONE, "kinds": WORDS, "tried": trials.TABLES}

    def asking(self, request: Request, name: str, fields: list[Field], *, title: str, back: str) -> Values:
        """Return what a page has that asks for some keys one after the other."""
        steps = [self._step(field, request) for field in fields]
        return {
            **self._state(),
            "name": name,
            "title": title,
            "steps": steps,
            "previewed": any(each["device"] for each in steps),
            "back": back,
            "add": "",
            "whole": "",
            "kind": "",
            "keyboard": self._frame.keyboard(request),
        }

    def _step(self, field: Field, request: Request) -> Values:
        """Return how a field is asked for; the names of sources are choices, wherever one is asked for."""
        said = self._said(request)
        one = field.form.kind in {forms.TEXT, forms.FILE}
        choices: list[tuple[str, str]] = [(word, said(field.word(word))) for word in field.form.choices]
        if field.key in {"trigger.source", "destination.sources"}:
            choices = [(name, name) for name in self._sources()]
        elif kept := self._context.own_machine.certificate.for_field(field.place):
            choices = [(words, said(label)) for words, label in kept.items()]
            choices += [(str(field.value), str(field.value))] if field.value and field.value not in kept else []
        plugged = _plugged(field, request.state.plugged, said)
        if field.form.kind in {forms.FLAG, forms.ENTITY, forms.TABLE}:
            choices = [("true", said(setting_values.YES)), ("false", said(setting_values.NO))]
        if (
            isinstance(field.now, dict) and not field.inner
        ):  # another address than the archive's: it can be kept here, and not typed
            choices.append((json.dumps(field.now), setting_values.words(field, field.now, said)))
        return {
            "field": field,
            "place": list(field.place),
            "kind": forms.CHOICE if plugged or (choices and one) else field.form.kind,
            "choices": plugged or choices,
            "device": self._device(field) if plugged else "",
            "chosen": _chosen(field),
            "text": setting_values.typed(field),
            "usual": setting_values.words(field, field.default, said),
            "keys": _keys(field),
        }

    def _device(self, field: Field) -> str:
        """Return the device with which profiles are tried before one is chosen; "" where none is asked for."""
        if field.key != "source.profile":
            return ""
        source = self._configuring.now().document["source"][field.place[1]]
        return str(source.get("device", ""))

    def _sources(self) -> list[str]:
        """Return how the sources of the file are called."""
        found = self._configuring.now().document.get("source", [])
        named = [str(each.get("name", "")) for each in found if isinstance(each, dict)]
        return [name for name in named if name]

    def _said(self, request: Request) -> Any:  # noqa: ANN401 - a function of the language
        return self._spoken(request).said

    def _spoken(self, request: Request) -> Words:
        return self._context.languages.of_page(request, self._context.settings.panel.language)

    def value(self, request: Request) -> Any:  # noqa: ANN401
        """Return the function that says what a field has now."""
        spoken = self._spoken(request)

        def value(field: Field) -> str:
            now = setting_values.words(field, field.now, spoken.said, there=field.value is not None)
            return setting_values.with_this_screen(field, now, spoken.language, spoken.said)

        return value


def with_a_way_out(field: Field) -> list[Field]:
    """Return what is asked for a field: of a table in a table that is there, first whether it stays at all."""
    if not field.inner:
        return [field]
    return [field, *field.inner] if field.value and not field.needed else list(field.inner)


def _place(request: Request) -> tuple[str | int, ...]:
    """Return the place that stands in an address."""
    return tuple(int(step) if step.isdecimal() else step for step in request.path_params["place"].split("/"))


def _kept_for(field: Field, every: Iterable[Field]) -> list[Field]:
    """Return the secrets that are kept for an address: with another one they are asked for as well."""
    if field.place[-1] != "url":
        return []
    return [each for each in every if each.is_secret and each.value and each.place[:-1] == field.place[:-1]]


def _plugged(field: Field, found: Values, said: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - a function
    """Return what a picture source can be chosen from: what is plugged in, its profiles, and what it has now."""
    if field.key == "source.device":
        choices = {each["device"]: _device_words(each, said) for each in found.get("devices", [])}
    elif field.key == "source.profile":
        choices = {each["name"]: each["title"] or said(shown.AS_SENT) for each in found.get("profiles", [])}
    else:
        return []
    if choices and field.value:
        choices.setdefault(str(field.value), str(field.value))
    return list(choices.items())


def _device_words(each: Values, said: Any) -> str:  # noqa: ANN401 - a function of the language
    """Return how a device is called, and where it is plugged in: two may have one name."""
    if each["name"]:
        return f"{each['name']} ({each['device'].removeprefix('v4l2:')})"
    return str(said(shown.PATTERNS.get(each["device"], each["device"])))


def _keys(field: Field) -> str:
    """Return what the keyboard begins with: as the same field does wherever else it is typed."""
    if field.form.kind == forms.NUMBER:
        return "date"
    if field.key == "station.name" or field.key.endswith("ae_title"):
        return "code"
    return "name" if field.key == "panel.operators" else "search"


def _chosen(field: Field) -> list[str]:
    now: Any = field.now
    if field.inner:
        return ["true"]  # it is there
    if isinstance(now, bool | dict):
        return [json.dumps(now)]
    return [str(each) for each in now] if isinstance(now, list) else [str(now if now is not None else "")]
