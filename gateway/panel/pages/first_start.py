"""The first start, one question a screen: languages, time, name, administrator, devices, other systems, the end."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway.config.settings import Station
from gateway.errors import CaptureGone
from gateway.messages import N_
from gateway.panel.context import API, Context
from gateway.panel.doors.routing import Route
from gateway.panel.first_start import choices, steps
from gateway.panel.first_start.progress import Answer
from gateway.panel.first_start.steps import Step
from gateway.panel.pages.frame import Elsewhere, Frame, Values
from gateway.panel.pages.people import FIRST_NAME, typed_name
from gateway.panel.people.roles import AT_THE_BOX, FIRST_SET_UP
from gateway.panel.people.store import LONGEST_NAME
from gateway.panel.shown import first_start as shown
from gateway.panel.shown import tried
from gateway.panel.words import NAMES

ROOT = "/first-start"
API_ROOT = f"{API}{ROOT}"
TITLES = {
    Step.LANGUAGE: N_("Language"),
    Step.TIME: N_("Is the time right?"),
    Step.STATION: N_("Name of this box"),
    Step.ADMINISTRATOR: N_("First administrator"),
    Step.SOURCE: N_("Picture source"),
    Step.PEDAL: N_("Pedal"),
    Step.WORKLIST: N_("Worklist"),
    Step.ARCHIVE: N_("Archive"),
    Step.RETENTION: N_("How long pictures stay here"),
    Step.SUMMARY: N_("Ready"),
}


class FirstStartPages:
    """One method a page."""

    def __init__(self, context: Context, frame: Frame) -> None:
        self._context = context
        self._frame = frame
        self._setting_up = context.setting_up

    def routes(self) -> list[Route]:
        page = self._page
        return [
            self._frame.route(ROOT, "setup_begin.html", self._begin, who=AT_THE_BOX),
            page("/language", "setup_language.html", Step.LANGUAGE, self._language),
            page("/time", "setup_time.html", Step.TIME, self._time),
            page("/station", "setup_field.html", Step.STATION, self._station),
            page("/administrator", "setup_administrator.html", Step.ADMINISTRATOR, self._administrator),
            page("/administrator/name", "setup_person.html", Step.ADMINISTRATOR, self._administrator_name),
            self._with_devices("/source", "setup_source.html", self._source),
            self._with_devices("/source/profile", "setup_profile.html", self._profiles),
            page("/source/kind", "setup_kind.html", Step.SOURCE, self._kinds),
            page("/pedal", "setup_pedal.html", Step.PEDAL, self._pedal),
            page("/worklist", "setup_choices.html", Step.WORKLIST, self._worklist),
            page("/archive", "setup_choices.html", Step.ARCHIVE, self._archive),
            page("/retention", "setup_choices.html", Step.RETENTION, self._retention),
            page("/archive/commitment", "setup_choices.html", Step.ARCHIVE, self._commitment),
            page("/{step}/try", "setup_trial.html", None, self._trial),
            page("/{step}/ours", "setup_field.html", None, self._our_title),
            page("/{step}/type/{field}", "setup_field.html", None, self._field),
            page("/summary", "setup_summary.html", Step.SUMMARY, self._summary),
        ]

    # --- questions -----------------------------------------------------------------------------------------

    def _begin(self, request: Request) -> Values:
        """Go on where somebody stopped; what nobody began yet begins at once."""
        del request
        progress = self._setting_up.now()
        following = self._setting_up.next_open(progress)
        if not progress.answers and not progress.done:
            raise Elsewhere(f"{ROOT}/{following}")
        every = steps.asked(whole=progress.whole)
        return {
            "following": f"{ROOT}/{following}",
            "answered": sum(bool(self._setting_up.state_of(step, progress)) for step in every),
            "count": len(every),
        }

    def _language(self, request: Request) -> Values:
        del request
        return {"names": NAMES}

    def _time(self, request: Request) -> Values:
        now = self._context.clock.now()
        return {
            "day": shown.day(now.local.date()),
            "zone": self._setting_up.timekeeping.zone(),
            "wrong": "wrong" in request.query_params,
        }

    def _station(self, request: Request) -> Values:
        name = self._setting_up.document().get("station", {}).get("name", "")
        return {
            **self._typed(request, N_("Name of this box, as it stands in every picture"), "name", str(name)),
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
            **self._typed(request, N_("Name"), "name", typed_name(request) or suggested),
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
        device = self._draft(Step.SOURCE).get("device")
        if not device:
            raise Elsewhere(f"{ROOT}/source")
        return {"device": device, "back": f"{ROOT}/source"}

    def _kinds(self, request: Request) -> Values:
        del request
        draft = self._draft(Step.SOURCE)
        if not draft.get("device"):
            raise Elsewhere(f"{ROOT}/source")
        kinds = {word: kind[-1] for word, kind in choices.KINDS.items()}
        return {"draft": draft, "kinds": kinds, "back": f"{ROOT}/source/profile"}

    def _pedal(self, request: Request) -> Values:
        del request
        return {"source": bool(self._setting_up.document().get("source"))}

    def _worklist(self, request: Request) -> Values:
        del request
        return {
            "asked": N_("Does a worklist tell this box who comes today?"),
            "choices": [
                shown.Choice(label=N_("Yes, there is a worklist server"), href=f"{ROOT}/worklist/type/host"),
                self._none(Step.WORKLIST, N_("We have none"), N_("Patients are typed.")),
            ],
        }

    def _archive(self, request: Request) -> Values:
        del request
        return {
            "asked": N_("Where do the pictures go?"),
            "choices": [
                self._kind("dicom", N_("To a DICOM archive (PACS)"), "host"),
                self._kind("stow", N_("To a web archive (DICOMweb)"), "url"),
                self._none(
                    Step.ARCHIVE,
                    N_("We have none"),
                    N_("They stay on this box, and nothing is deleted by itself. Copies go onto a stick."),
                ),
            ],
        }

    def _commitment(self, request: Request) -> Values:
        del request
        said = N_("Shall the archive be asked whether it keeps the pictures (storage commitment)?")
        yes = N_("Only then the box says: Safe in PACS. The archive must be able to call this box.")
        return {
            "asked": said,
            "choices": [
                self._drafted(Step.ARCHIVE, N_("Yes"), {"commitment": True}, "try", yes),
                self._drafted(Step.ARCHIVE, N_("No"), {"commitment": False}, "try", N_("The box says Sent.")),
            ],
            "back": f"{ROOT}/archive/type/ae_title",
        }

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

    # --- other systems: typed field by field, tried, kept ----------------------------------------------------

    def _field(self, request: Request) -> Values:
        step, kind = self._system(request)
        fields = shown.fields(step, kind)
        field = fields.get(request.path_params["field"])
        if field is None:
            raise Elsewhere(f"{ROOT}/{step}")
        names = list(fields)
        at = names.index(field.key)
        last = f"{ROOT}/archive/commitment" if step is Step.ARCHIVE and kind == "dicom" else f"{ROOT}/{step}/try"
        return {
            **self._typed(request, field.label, field.key, str(self._draft(step).get(field.key, ""))),
            **self._around(step),
            "longest": field.longest,
            "keys": field.keys,
            "number": field.is_number,
            "answers": False,
            "optional": field.optional,
            "next": f"{ROOT}/{step}/type/{names[at + 1]}" if at + 1 < len(names) else last,
            "back": f"{ROOT}/{step}/type/{names[at - 1]}" if at else f"{ROOT}/{step}",
        }

    def _trial(self, request: Request) -> Values:
        step, kind = self._system(request)
        draft = self._draft(step)
        if any(not draft.get(each.key) for each in shown.fields(step, kind).values() if not each.optional):
            raise Elsewhere(f"{ROOT}/{step}")
        document = self._setting_up.document()
        listen = choices.hearing(draft, document)
        station = self._context.settings.station
        port = (listen or str(document.get("station", {}).get("listen", station.listen))).rpartition(":")[2]
        return {
            **self._around(step),
            "trial": {"table": choices.TABLES[step], "values": choices.entry(step, draft), "listen": listen},
            "ours": {"ae_title": self._title(), "port": port, "href": f"{ROOT}/{step}/ours"},
            "commitment": bool(draft.get("commitment")),
            "change": f"{ROOT}/{step}/type/{next(iter(shown.fields(step, kind)))}",
        }

    def _our_title(self, request: Request) -> Values:
        """Ask how this box is called by other systems: what an archive knows already may be another name."""
        step, _ = self._system(request)
        label = N_("Name of this box for other systems (AE title)")
        return {
            **self._typed(request, label, "ae_title", self._title()),
            **self._around(step),
            "step": Step.STATION,
            "longest": 16,
            "keys": "code",
            "answers": True,
            "optional": False,
            "next": f"{ROOT}/{step}/try",
            "back": f"{ROOT}/{step}/try",
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

    def _page(self, path: str, template: str, step: Step | None, page: Callable[[Request], Values]) -> Route:
        def answer(request: Request) -> Values:
            around = self._around(step) if step else {}
            return {**around, **page(request)}

        return self._frame.route(f"{ROOT}{path}", template, answer, who=FIRST_SET_UP)

    def _with_devices(self, path: str, template: str, page: Callable[[Request], Values]) -> Route:
        """Return the route of a page on what capture sees: it is awaited here, pages are made in threads."""

        async def answer(request: Request) -> Response:
            found: Values = {"devices": [], "profiles": [], "trouble": None}
            try:
                found |= await self._context.recorder.devices()
            except CaptureGone as error:
                found["trouble"] = error

            def values(request: Request) -> Values:
                return {**self._around(Step.SOURCE), **found, **page(request)}

            return await self._context.work.spool(partial(self._frame.answer, template, values, request))

        return Route(f"{ROOT}{path}", answer, methods=["GET"], who=FIRST_SET_UP)

    def _around(self, step: Step) -> Values:
        """Return what every question has around it: its place in the row, and where back and skip lead."""
        whole = self._setting_up.now().whole
        every = steps.asked(whole=whole)
        if step not in every:
            raise Elsewhere(ROOT)
        before = steps.before(step, whole=whole)
        return {
            "step": step,
            "title": TITLES[step],
            "place": every.index(step) + 1,
            "count": len(every),
            "back": f"{ROOT}/{before}" if before else "",
            "next": f"{ROOT}/{steps.after(step, whole=whole)}",
        }

    def _system(self, request: Request) -> tuple[Step, str]:
        """Return which other system a page is about, and of which kind. Raises Elsewhere."""
        step = request.path_params["step"]
        if step not in choices.TABLES:
            raise Elsewhere(ROOT)
        return Step(step), str(self._draft(Step(step)).get("kind", "dicom"))

    def _title(self) -> str:
        """Return how this box is going to be called by other systems."""
        return self._context.configuring.our_title() or Station().ae_title

    def _warning(self, step: Step, document: Mapping[str, Any]) -> str:
        """Return what is to be said of a system that was kept although its trial failed."""
        table = choices.TABLES.get(step, "")
        found = (tried.last(self._context.spool, table, each) for each in document.get(table, []))
        return N_("The trial failed") if any(map(tried.failed, found)) else ""

    def _draft(self, step: Step) -> Mapping[str, Any]:
        return self._setting_up.now().drafts.get(step, {})

    def _typed(self, request: Request, label: str, field: str, value: str) -> Values:
        return {
            "label": label,
            "field": field,
            "value": value,
            "number": False,
            "keyboard": self._frame.keyboard(request),
        }

    def _none(self, step: Step, label: str, small: str) -> shown.Choice:
        following = steps.after(step, whole=True)
        return shown.Choice(
            label=label,
            small=small,
            post=f"{API_ROOT}/answer",
            body={"step": step, "none": True},
            href=f"{ROOT}/{following}",
        )

    def _kind(self, kind: str, label: str, first: str) -> shown.Choice:
        return self._drafted(Step.ARCHIVE, label, {"kind": kind}, f"type/{first}")

    def _drafted(self, step: Step, label: str, values: dict[str, Any], to: str, small: str = "") -> shown.Choice:
        return shown.Choice(
            label=label,
            small=small,
            post=f"{API_ROOT}/draft",
            body={"step": step, "values": values},
            href=f"{ROOT}/{step}/{to}",
        )
