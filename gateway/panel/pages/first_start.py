"""The first start, one question a screen: language, time, name, administrator, devices, how long, the end."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import CaptureGone, NotFound
from gateway.messages import N_
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.first_start import choices, steps
from gateway.panel.first_start.progress import Answer
from gateway.panel.first_start.steps import Step
from gateway.panel.own_machine import cities, regions
from gateway.panel.pages.frame import Elsewhere, Frame, Values
from gateway.panel.pages.other_systems import OtherSystemsPages
from gateway.panel.pages.people import FIRST_NAME, typed_name
from gateway.panel.pages.questions import API_ROOT, ROOT, TITLES, Questions
from gateway.panel.people.roles import AT_THE_BOX, FIRST_SET_UP
from gateway.panel.people.store import LONGEST_NAME
from gateway.panel.shown import first_start as shown
from gateway.panel.shown import tried
from gateway.panel.words import NAMES


class FirstStartPages:
    """One method a page."""

    def __init__(self, context: Context, frame: Frame) -> None:
        self._context = context
        self._frame = frame
        self._questions = Questions(context, frame)
        self._setting_up = context.setting_up

    def routes(self) -> list[Route]:
        page = self._questions.page
        return [
            self._frame.route(ROOT, "setup_begin.html", self._begin, who=AT_THE_BOX),
            page("/language", "setup_language.html", Step.LANGUAGE, self._language),
            page("/time", "setup_time.html", Step.TIME, self._time),
            page("/zones", "setup_zones.html", Step.TIME, self._zones),
            page("/zones/{region}", "setup_zones.html", Step.TIME, self._cities),
            page("/station", "setup_field.html", Step.STATION, self._station),
            page("/administrator", "setup_administrator.html", Step.ADMINISTRATOR, self._administrator),
            page("/administrator/name", "setup_person.html", Step.ADMINISTRATOR, self._administrator_name),
            self._with_devices("/source", "setup_source.html", self._source),
            self._with_devices("/source/profile", "setup_profile.html", self._profiles),
            page("/source/kind", "setup_kind.html", Step.SOURCE, self._kinds),
            page("/pedal", "setup_pedal.html", Step.PEDAL, self._pedal),
            page("/retention", "setup_choices.html", Step.RETENTION, self._retention),
            page("/summary", "setup_summary.html", Step.SUMMARY, self._summary),
            *OtherSystemsPages(self._context, self._questions).routes(),
        ]

    # --- questions ------------------------------------------------------------------------------------------

    def _begin(self, request: Request) -> Values:
        """Go on where somebody stopped; what nobody began yet begins at once, unless a patient waits (`leave`)."""
        progress = self._setting_up.now()
        following = self._setting_up.next_open(progress)
        if not progress.answers and not progress.done and "leave" not in request.query_params:
            raise Elsewhere(f"{ROOT}/{following}")
        every = steps.asked(whole=progress.whole)
        return {
            "following": f"{ROOT}/{following}",
            "answered": sum(bool(self._setting_up.state_of(step, progress)) for step in every),
            "count": len(every),
            "archive_open": self._setting_up.archive_is_open(),
            "source_open": self._setting_up.source_is_open(),
        }

    def _language(self, request: Request) -> Values:
        del request
        return {"names": NAMES}

    def _time(self, request: Request) -> Values:
        now, machine = self._context.clock.now(), self._context.own_machine
        chosen = machine.editor.now().document.get("time", {}).get("zone", "") if machine.there else ""
        zone = self._setting_up.timekeeping.zone()
        return {
            "day": shown.day(now.local.date()),
            "zone": zone,
            "wrong": "wrong" in request.query_params,
            "on_the_screen": machine.there,
            "as_delivered": not chosen,
            "awaited": chosen if chosen != zone else "",
        }

    def _zones(self, request: Request) -> Values:
        """Ask for the time zone of an appliance: the part of the world first."""
        del request
        return {"regions": regions(), "zones": [], "back": f"{ROOT}/{Step.TIME}"}

    def _cities(self, request: Request) -> Values:
        region = request.path_params["region"]
        if region not in regions():
            raise NotFound("There is no such page.")
        chosen = self._context.own_machine.settings().time.zone
        return {"regions": [], "zones": list(cities(region)), "chosen": chosen, "back": f"{ROOT}/zones"}

    def _station(self, request: Request) -> Values:
        name = self._setting_up.document().get("station", {}).get("name", "")
        label = N_("Name of this box, as it stands in every picture")
        return {
            **self._questions.typed(request, label, "name", str(name)),
            "longest": 16,
            "keys": "code",
            "answers": True,
            "optional": False,
        }

    def _administrator(self, request: Request) -> Values:
        """Ask for the PIN; the name was typed on a page of its own, which has the letters."""
        people, name = self._context.desk.people, typed_name(request)
        if not people.has_administrator and not name:
            raise Elsewhere(f"{ROOT}/{Step.ADMINISTRATOR}/name")
        return {"exists": people.has_administrator, "confirmed": people.recovery_confirmed, "name": name}

    def _administrator_name(self, request: Request) -> Values:
        if self._context.desk.people.has_administrator:
            raise Elsewhere(f"{ROOT}/{Step.ADMINISTRATOR}")
        suggested = self._frame.word(request, FIRST_NAME)
        return {
            **self._questions.typed(request, N_("Name"), "name", typed_name(request) or suggested),
            "longest": LONGEST_NAME,
            "keys": "name",
            "answers": False,
            "optional": False,
        }

    def _source(self, request: Request) -> Values:
        del request
        return {}

    def _profiles(self, request: Request) -> Values:
        del request
        device = self._questions.draft(Step.SOURCE).get("device")
        if not device:
            raise Elsewhere(f"{ROOT}/source")
        return {"device": device, "back": f"{ROOT}/source"}

    def _kinds(self, request: Request) -> Values:
        del request
        draft = self._questions.draft(Step.SOURCE)
        if not draft.get("device"):
            raise Elsewhere(f"{ROOT}/source")
        kinds = {word: kind[-1] for word, kind in choices.KINDS.items()}
        return {"draft": draft, "kinds": kinds, "back": f"{ROOT}/source/profile"}

    def _pedal(self, request: Request) -> Values:
        del request
        waiting = self._context.own_machine.usb.waiting()
        return {"source": bool(self._setting_up.document().get("source")), "waiting": waiting}

    def _retention(self, request: Request) -> Values:
        del request
        now = self._setting_up.document().get("retention", {}).get("keep_days", 30)
        return {
            "asked": N_("How long do pictures stay on this box after every archive vouched for them?"),
            "choices": [
                shown.Choice(
                    label=label,
                    post=f"{API_ROOT}/answer",
                    body={"step": Step.RETENTION, "values": {"keep_days": days}},
                    href=f"{ROOT}/{Step.SUMMARY}",
                    chosen=days == now,
                )
                for days, label in shown.DAYS.items()
            ],
        }

    def _summary(self, request: Request) -> Values:
        del request
        progress = self._setting_up.now()
        document = self._setting_up.document()
        rows = [
            shown.Row(
                title=TITLES[step],
                href=f"{ROOT}/{step}",
                value=shown.value(step, document, answer),
                is_open=answer in {"", Answer.SKIPPED},
                warning=self._warning(step, document),
            )
            for step in steps.asked(whole=progress.whole)[:-1]
            for answer in [self._setting_up.state_of(step, progress)]
        ]
        return {
            "rows": rows,
            "writable": self._context.configuring.state().writable,
            "test_picture": shown.is_test_picture(document),
        }

    # --- inside ----------------------------------------------------------------------------------------------

    def _with_devices(self, path: str, template: str, page: Callable[[Request], Values]) -> Route:
        """Return the route of a page on what capture sees: it is awaited here, pages are made in threads."""

        async def answer(request: Request) -> Response:
            found: Values = {"devices": [], "profiles": [], "trouble": None}
            try:
                found |= await self._context.recorder.devices()
            except CaptureGone as error:
                found["trouble"] = error

            def values(request: Request) -> Values:
                return {**self._questions.around(Step.SOURCE), **found, **page(request)}

            return await self._context.work.spool(partial(self._frame.answer, template, values, request))

        return Route(f"{ROOT}{path}", answer, methods=["GET"], who=FIRST_SET_UP)

    def _warning(self, step: Step, document: Mapping[str, Any]) -> str:
        """Return what is to be said of a system that was kept although its trial failed."""
        table = choices.TABLES.get(step, "")
        found = (tried.last(self._context.spool, table, each) for each in document.get(table, []))
        return N_("The trial failed") if any(map(tried.failed, found)) else ""
