"""Whose exam it is: the list, the question whether it is this patient, a patient who is typed."""

from datetime import datetime
from functools import partial
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import ScopegateError
from gateway.model import Exam, WorklistItem
from gateway.panel import names, similar, subjects, views, worklist_calls
from gateway.panel.context import Context
from gateway.panel.pages.frame import Frame, Values
from gateway.panel.people.roles import WORK
from gateway.panel.routing import Route

_FIELDS = ("family", "given", "id", "day", "month", "year", "sex", "description")
_DATE = (("year", 4), ("month", 2), ("day", 2))
_EMPTY = dict.fromkeys(_FIELDS, "")


class ChoosingPages:
    """One method a page."""

    def __init__(self, context: Context, frame: Frame) -> None:
        self._context = context
        self._frame = frame

    def routes(self) -> list[Route]:
        return [
            self._frame.route("/", "choose.html", self._choose, who=WORK),
            self._frame.route("/confirm", "confirm.html", self._confirm, who=WORK),
            Route("/typed", self.typed, methods=["POST"], who=WORK),
            self._frame.route("/type", "type.html", self._type, who=WORK),
        ]

    def _choose(self, request: Request) -> Values:
        spool, today = self._context.spool, self._frame.today()
        items = spool.worklist.items()
        listed = similar.Names(items)
        age = worklist_calls.age(self._context, spool.worklist.servers())
        assign = self._assigned(request)
        opened = spool.exams.open_one() if assign is None else None
        waiting = [] if assign else self._frame.look.waiting(today)
        return {
            "items": [views.item_view(item, listed, today) for item in items],
            "today": sum(item.procedure.scheduled_at.startswith(f"{today:%Y%m%d}") for item in items),
            "as_of": _local_time(age["as_of"], self._context),
            "old": age["stale"],
            "asked": bool(self._context.settings.worklists),
            "problem": next((s["problem"] for s in age["servers"] if s["problem"]), ""),
            "assign": assign,
            "opened": self._frame.look.exam(opened, today) if opened else None,
            "waiting": waiting,
        }

    def _confirm(self, request: Request) -> Values:
        """Ask whether this is the patient; without `item`, whether to start without one."""
        spool, today = self._context.spool, self._frame.today()
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
        return {"assign": self._assigned(request), "typed": _EMPTY, "problem": None}

    async def typed(self, request: Request) -> Response:
        """Show what was typed for confirmation; nothing is opened yet."""
        raw = (await request.body()).decode("utf-8", "replace")
        fields = dict(parse_qsl(raw, keep_blank_values=True, max_num_fields=20))
        return await self._context.work.spool(partial(self._typed, request, fields))

    def _typed(self, request: Request, fields: dict[str, str]) -> Response:
        assign = self._assigned(request)
        body = {"patient": _patient_of(fields), "procedure": {"description": fields.get("description", "").strip()}}
        try:
            subject = subjects.typed(body, station=self._context.settings.station, clock=self._context.clock)
        except ScopegateError as problem:
            typed = {"assign": assign, "typed": {**_EMPTY, **fields}, "problem": problem}
            return self._frame.page(request, "type.html", typed, status=422)
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
            "item": views.item_view(item, similar.Names(items), self._frame.today()),
            "same": [views.item_view(other, similar.Names(()), self._frame.today()) for other in same],
            "body": body,
        }
        return self._frame.page(request, "confirm.html", values)

    # --- inside -------------------------------------------------------------------------------------------

    def _assigned(self, request: Request) -> views.ExamView | None:
        """Return the exam that is to get another patient, when the page is about that."""
        exam = request.query_params.get("assign", "")
        return self._frame.look.exam(self._context.spool.exams.get(exam), self._frame.today()) if exam else None

    def _other_open(self, assign: views.ExamView | None) -> views.ExamView | None:
        """Return the exam that opening another one would close."""
        opened: Exam | None = None if assign else self._context.spool.exams.open_one()
        return self._frame.look.exam(opened, self._frame.today()) if opened else None


def _patient_of(fields: dict[str, str]) -> dict[str, str]:
    family, given = fields.get("family", "").strip(), fields.get("given", "").strip()
    # A separator typed into a field would move the rest into another component.
    clean = [part.replace("^", " ").replace("=", " ") for part in (family, given)]
    day = "".join(fields.get(key, "").strip().rjust(width, "0") for key, width in _DATE)
    return {
        "name": "^".join(clean).rstrip("^"),
        "id": fields.get("id", "").strip(),
        "birth_date": "" if day == "0" * 8 else day,
        "sex": fields.get("sex", ""),
    }


def _local_time(text: str | None, context: Context) -> str:
    if text is None:
        return ""
    offset = context.clock.now().local.tzinfo
    moment = datetime.fromisoformat(text).astimezone(offset)
    today = context.clock.now().local.date()
    time = names.clock_time(moment)
    return time if moment.date() == today else f"{names.day(f'{moment:%Y%m%d}')} {time}"
