"""The panel's pages, rendered here; everything that changes something goes through the API."""

from collections.abc import Callable
from datetime import date, datetime
from functools import cache, partial
from typing import Any
from urllib.parse import parse_qsl

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from gateway.errors import NotFound, ScopegateError
from gateway.model import Exam, ExamState, MediaKind, WorklistItem
from gateway.panel import archives, names, problems, similar, subjects, views, worklist_calls
from gateway.panel.context import Context
from gateway.panel.health import Health
from gateway.panel.views import Look

_DELIVERIES_SHOWN = 30
Values = dict[str, Any]
Page = Callable[[Request], Values]
_FIELDS = ("family", "given", "id", "day", "month", "year", "sex", "description")
_DATE = (("year", 4), ("month", 2), ("day", 2))
_EMPTY = dict.fromkeys(_FIELDS, "")


class Pages:
    """One method a page; each returns the template's values and runs in a thread."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._look = Look(context.spool, context.settings)
        self._health = Health(context)
        self._templates = _templates()

    def routes(self) -> list[Route]:
        return [
            self._route("/", "choose.html", self._choose),
            self._route("/confirm", "confirm.html", self._confirm),
            Route("/typed", self.typed, methods=["POST"]),
            self._route("/type", "type.html", self._type),
            self._route("/live/{exam}", "live.html", self._live),
            self._route("/finish/{exam}", "finish.html", self._finish),
            self._route("/exam/{exam}", "exam.html", self._exam),
            self._route("/picture/{uid}", "picture.html", self._picture),
            self._route("/delivery", "delivery.html", self._delivery),
        ]

    # --- pages --------------------------------------------------------------------------------------------

    def _choose(self, request: Request) -> Values:
        spool, today = self._context.spool, self._today()
        items = spool.worklist.items()
        listed = similar.Names(items)
        age = worklist_calls.age(self._context, spool.worklist.servers())
        assign = self._assigned(request)
        opened = spool.exams.open_one() if assign is None else None
        waiting = [] if assign else self._look.waiting(today)
        return {
            "items": [views.item_view(item, listed, today) for item in items],
            "today": sum(item.procedure.scheduled_at.startswith(f"{today:%Y%m%d}") for item in items),
            "as_of": _local_time(age["as_of"], self._context),
            "old": age["stale"],
            "asked": bool(self._context.settings.worklists),
            "problem": next((s["problem"] for s in age["servers"] if s["problem"]), ""),
            "assign": assign,
            "opened": self._look.exam(opened, today) if opened else None,
            "waiting": waiting,
        }

    def _confirm(self, request: Request) -> Values:
        """Ask whether this is the patient; without `item`, whether to start without one."""
        spool, today = self._context.spool, self._today()
        assign = self._assigned(request)
        item = request.query_params.get("item", "")
        values: Values = {
            "assign": assign,
            "opened": self._other_open(assign),
            "body": {"emergency": True},
            "item": None,
        }
        if item:
            found = spool.worklist.get(item)
            values["item"] = views.item_view(found, similar.Names(spool.worklist.items()), today)
            values["body"] = {"worklist_item": item}
        return values

    def _type(self, request: Request) -> Values:
        return {"assign": self._assigned(request), "words": _EMPTY, "problem": None}

    async def typed(self, request: Request) -> Response:
        """Show what was typed for confirmation; nothing is opened yet."""
        raw = (await request.body()).decode("utf-8", "replace")
        words = dict(parse_qsl(raw, keep_blank_values=True, max_num_fields=20))
        return await self._context.work.spool(partial(self._typed, request, words))

    def _typed(self, request: Request, words: dict[str, str]) -> Response:
        assign = self._assigned(request)
        body = {"patient": _patient_of(words), "procedure": {"description": words.get("description", "").strip()}}
        try:
            subject = subjects.typed(body, station=self._context.settings.station, clock=self._context.clock)
        except ScopegateError as problem:
            return self._page(
                "type.html", {"assign": assign, "words": {**_EMPTY, **words}, "problem": problem}, status=422
            )
        items = self._context.spool.worklist.items()
        item = WorklistItem(
            id="",
            server="",
            patient=subject.patient,
            procedure=subject.procedure,
            study_instance_uid="",
            character_set="",
        )
        same = [other for other in items if other.patient.id == subject.patient.id]
        values: Values = {
            "assign": assign,
            "opened": self._other_open(assign),
            "item": views.item_view(item, similar.Names(items), self._today()),
            "same": [views.item_view(other, similar.Names(()), self._today()) for other in same],
            "body": body,
        }
        return self._page("confirm.html", values)

    def _live(self, request: Request) -> Values:
        exam = self._context.spool.exams.get(request.path_params["exam"])
        if exam.state is not ExamState.OPEN:
            raise _Elsewhere(f"/exam/{exam.id}")
        sources = [source.name for source in self._context.settings.sources]
        wanted = request.query_params.get("source", "")
        shown = wanted if wanted in sources else sources[0]
        captures = self._context.spool.captures.of_exam(exam.id)
        return {
            "exam": self._look.exam(exam, self._today()),
            "other_source": sources[(sources.index(shown) + 1) % len(sources)] if len(sources) > 1 else "",
            "data": {
                "exam": exam.id,
                "source": shown,
                "captures": [views.capture_line(c) for c in captures],
            },
        }

    def _finish(self, request: Request) -> Values:
        exam = self._context.spool.exams.get(request.path_params["exam"])
        if exam.state is not ExamState.OPEN:
            raise _Elsewhere(f"/exam/{exam.id}")
        return {"exam": self._look.exam(exam, self._today()), "deliver": bool(self._context.settings.destinations)}

    def _exam(self, request: Request) -> Values:
        exam = self._context.spool.exams.get(request.path_params["exam"])
        return {"exam": self._look.exam(exam, self._today())}

    def _picture(self, request: Request) -> Values:
        capture = self._context.spool.captures.get(request.path_params["uid"]).capture
        exam = self._look.exam(self._context.spool.exams.get(capture.exam), self._today())
        place = next(n for n, c in enumerate(exam.captures) if c.uid == capture.sop_instance_uid)
        return {
            "exam": exam,
            "capture": exam.captures[place],
            "clip": capture.kind is MediaKind.CLIP,
            "frames": capture.frames,
            "place": place + 1,
            "before": exam.captures[place - 1].uid if place else "",
            "after": exam.captures[place + 1].uid if place + 1 < len(exam.captures) else "",
            "changeable": exam.state in {ExamState.OPEN, ExamState.FINISHED} and not exam.captures[place].left,
        }

    def _delivery(self, request: Request) -> Values:
        del request
        spool = self._context.spool
        exams = spool.exams.list(limit=_DELIVERIES_SHOWN)
        forward = self._context.live["forward"].read()
        making = (forward or {}).get("film")
        return {
            "exams": [self._look.exam(exam, self._today(), making=making) for exam in exams],
            "troubles": archives.troubles(
                deliveries=spool.deliveries,
                destinations=self._context.settings.destinations,
                forward=forward,
                clock=self._context.clock,
            ),
            "configured": bool(self._context.settings.destinations),
        }

    # --- inside -------------------------------------------------------------------------------------------

    def _assigned(self, request: Request) -> views.ExamView | None:
        """Return the exam that is to get another patient, when the page is about that."""
        exam = request.query_params.get("assign", "")
        return self._look.exam(self._context.spool.exams.get(exam), self._today()) if exam else None

    def _other_open(self, assign: views.ExamView | None) -> views.ExamView | None:
        """Return the exam that opening another one would close."""
        opened: Exam | None = None if assign else self._context.spool.exams.open_one()
        return self._look.exam(opened, self._today()) if opened else None

    def _today(self) -> date:
        return self._context.clock.now().local.date()

    def _route(self, path: str, template: str, page: Page) -> Route:
        async def answer(request: Request) -> Response:
            return await self._context.work.spool(partial(self._render, template, page, request))

        return Route(path, answer, methods=["GET"])

    def _render(self, template: str, page: Page, request: Request) -> Response:
        try:
            return self._page(template, page(request))
        except _Elsewhere as elsewhere:
            return RedirectResponse(elsewhere.path, 303)
        except NotFound as problem:
            return self._page("problem.html", {"problem": problem}, status=problems.status_of(problem))

    def _page(self, template: str, values: Values, *, status: int = 200) -> Response:
        frame = {
            "badge": self._look.badge(),
            "disk": self._health.disk(),
            "now": names.clock_time(self._context.clock.now().local),
            "trusted": self._context.clock.now().trusted,
            "birth_date_missing": names.NO_BIRTH_DATE,
            "same": [],
        }
        return HTMLResponse(self._templates.get_template(template).render({**frame, **values}), status)


class _Elsewhere(Exception):
    """This page has nothing to show; that one has."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


@cache
def _templates() -> jinja2.Environment:
    """Return the templates; each is compiled when it is first shown."""
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("gateway.panel"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    templates.install_null_translations(newstyle=True)  # type: ignore[attr-defined]  # by the extension
    return templates


def _patient_of(words: dict[str, str]) -> dict[str, str]:
    family, given = words.get("family", "").strip(), words.get("given", "").strip()
    # A separator typed into a field would move the rest into another component.
    clean = [part.replace("^", " ").replace("=", " ") for part in (family, given)]
    day = "".join(words.get(key, "").strip().rjust(width, "0") for key, width in _DATE)
    return {
        "name": "^".join(clean).rstrip("^"),
        "id": words.get("id", "").strip(),
        "birth_date": "" if day == "0" * 8 else day,
        "sex": words.get("sex", ""),
    }


def _local_time(text: str | None, context: Context) -> str:
    if text is None:
        return ""
    offset = context.clock.now().local.tzinfo
    moment = datetime.fromisoformat(text).astimezone(offset)
    today = context.clock.now().local.date()
    time = names.clock_time(moment)
    return time if moment.date() == today else f"{names.day(f'{moment:%Y%m%d}')} {time}"
