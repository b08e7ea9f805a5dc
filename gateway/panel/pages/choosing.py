"""Whose exam it is: the list, a search in it, a scan, and the question whether it is this patient."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway.errors import NotFound
from gateway.model import Exam, Identity, Patient, WorklistItem
from gateway.panel.calls import archive as archive_calls
from gateway.panel.calls import worklist as worklist_calls
from gateway.panel.calls.exams import MOST_ITEMS
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.pages.forms import Fields, form
from gateway.panel.pages.frame import Elsewhere, Frame, Values
from gateway.panel.people.roles import LOOK, WORK, Door, caller_of
from gateway.panel.shown import names, patients, similar
from gateway.panel.shown.views import ExamView
from gateway.spool import days

_LONGEST_SCAN = 64  # of an ID (PS3.5 6.2)
_LONGEST_SEARCH = 64
_EXAMS_COUNTED = 50
_STRIPS = 2  # above the list; more would leave no room for it
_RECENT = timedelta(hours=12)
_RECENTS = 3
_LOOKED_THROUGH = 50  # exams, the latest first


@dataclass(frozen=True, kw_only=True, slots=True)
class Other:
    """Another order of the patient, and the address where it is ticked, or is not any more."""

    item: patients.ItemView
    ticked: bool
    query: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Recent:
    """Who had an exam here just before, and the entry of the list that it was for, if that is still there."""

    exam: ExamView
    patient: Patient
    item: str
    similar: bool  # to another name on the page


class ChoosingPages:
    """One method a page."""

    def __init__(self, context: Context, frame: Frame) -> None:
        self._context = context
        self._frame = frame

    def routes(self) -> list[Route]:
        return [
            self._frame.route("/", "choose.html", self._choose, who=WORK),
            self._frame.route("/confirm", "confirm.html", self._confirm, who=WORK),
            self._frame.route("/search", "search.html", partial(self._found, ""), who=WORK),
            form("/search", self._context.work, self._search, who=WORK),
            form("/scanned", self._context.work, self._scanned, who=WORK),
        ]

    def _choose(self, request: Request) -> Values:
        if caller_of(request.scope).door is Door.FRONT and self._context.setting_up.is_due():
            raise Elsewhere("/first-start")
        spool, today = self._context.spool, self._frame.today()
        items = spool.worklist.items(found=False)
        age = worklist_calls.age(self._context, spool.worklist.servers())
        assign = self._frame.assigned(request)
        opened = spool.exams.open_one() if assign is None else None
        waiting = [] if assign else self._frame.look.waiting(today)
        shown = waiting if len(waiting) <= _STRIPS else waiting[: _STRIPS - 1]
        problem = next((s["problem"] for s in age["servers"] if s["problem"]), "")
        left = spool.exams.get(assign.id) if assign else None
        items = [item for item in items if left is None or item.patient != left.patient]
        recents = self._recents(left, items) if left else []
        above = {recent.item for recent in recents}
        return {
            "items": self._views([item for item in items if item.id not in above], items, recents),
            "today": sum(item.procedure.scheduled_at.startswith(f"{today:%Y%m%d}") for item in items),
            "as_of": _local_time(age["as_of"], self._context),
            "old": age["stale"],
            "asked": bool(self._context.settings.worklists),
            "asking": age["as_of"] is None and not problem and self._asks(),
            "problem": problem,
            "assign": assign,
            "opened": self._frame.look.exam(opened, today) if opened else None,
            "waiting": shown,
            "more_waiting": len(waiting) - len(shown),
            "recents": recents,
            "archive_open": self._context.setting_up.archive_is_open(),
            "source_open": not self._context.settings.sources,
            "unfinished": self._context.setting_up.is_unfinished,
        }

    def _asks(self) -> bool:
        """Say whether there is somebody who asks the worklist servers, and answers for them when they do not."""
        return bool(self._context.settings.worklists) and self._context.live["forward"].read() is not None

    def _recents(self, left: Exam, items: Sequence[WorklistItem]) -> list[Recent]:
        """Return whose exams were here just before: an exam that needs a patient is often of one of them."""
        spool, today = self._context.spool, self._frame.today()
        since = self._context.clock.utc() - _RECENT
        listed = {item.id: item.patient for item in items}
        found = list[Exam]()
        for exam in spool.exams.list(limit=_LOOKED_THROUGH):
            known = exam.identity is not Identity.TEMPORARY and not exam.please_check and exam.opened.utc >= since
            if known and exam.patient not in (left.patient, *(each.patient for each in found)):
                found.append(exam)
        found, named = found[:_RECENTS], similar.Names([*items, *found[:_RECENTS]])
        return [
            Recent(
                exam=self._frame.look.exam(exam, today),
                patient=exam.patient,
                item=exam.worklist_item if listed.get(exam.worklist_item) == exam.patient else "",
                similar=bool(named.like(exam.patient)),
            )
            for exam in found
        ]

    def _found(self, text: str, request: Request) -> Values:
        items = self._context.spool.worklist.items()
        found = [item for item in items if text and worklist_calls.matches(item, text)]
        return {
            "assign": self._frame.assigned(request),
            "text": text,
            "items": self._views(found, items),
            "here": self._here(text) if text and not found and caller_of(request.scope).may(LOOK) else "",
            "asked": bool(self._context.settings.worklists),
            "keyboard": self._frame.keyboard(request),
        }

    def _here(self, text: str) -> str:
        """Return how many exams on this box fit what nobody on the worklist does, "" for none."""
        found = archive_calls.find(self._context, text, first=None, last=None, limit=_EXAMS_COUNTED, but_empty=True)
        return f"{len(found.exams)}{'+' if found.more else ''}" if found.exams else ""

    def _search(self, request: Request, fields: Fields) -> Response:
        """Show what was searched for: a form, so that no name stands in an address."""
        text = fields.get("text", "").strip()[:_LONGEST_SEARCH]
        return self._frame.page(request, "search.html", self._found(text, request))

    def _scanned(self, request: Request, fields: Fields) -> Response:
        """Go to the one entry with this patient ID or accession number; of several or none, ask."""
        text = fields.get("text", "").strip()
        if len(text) > _LONGEST_SCAN or not text.isprintable():
            text = ""
        items = self._context.spool.worklist.items()
        found = [item for item in items if text and worklist_calls.is_of(item, text)]
        assign = request.query_params.get("assign", "")
        if len(found) == 1:
            query = {"item": found[0].id, **({"assign": assign} if assign else {})}
            return RedirectResponse(f"/confirm?{urlencode(query)}", 303)
        values = {"assign": self._frame.assigned(request), "text": text, "items": self._views(found, items)}
        return self._frame.page(request, "scanned.html", values)

    def _confirm(self, request: Request) -> Values:
        """Ask whether this is the patient; without `item`, whether to start without one."""
        worklist, assign = self._context.spool.worklist, self._frame.assigned(request)
        wanted = list(dict.fromkeys(request.query_params.getlist("item")))[:MOST_ITEMS]
        values: Values = {
            "assign": assign,
            "sends": self._frame.sends(assign),
            "opened": self._frame.other_open(assign),
            "body": {"emergency": True},
        }
        if not wanted:
            return {**values, "item": None}
        items = worklist.items()
        ticked = [worklist.get(item) for item in wanted]
        first, *further = ticked
        if any(item.patient != first.patient for item in further):
            raise NotFound("These entries of the worklist are not all of the same patient.", action="Choose again.")
        return {
            **values,
            "item": self._views([first], items)[0],
            "orders": self._views(ticked, ()),
            "others": self._others(first, wanted, items),
            "body": {"worklist_item": wanted if further else first.id},
        }

    def _others(self, first: WorklistItem, wanted: list[str], items: Sequence[WorklistItem]) -> list[Other]:
        """Return the patient's other orders, each with the page on which its tick is the other way round."""
        found, today = [], self._frame.today()
        taken = days.taken(self._context.spool, today)
        for item in items:
            if item.id == first.id or item.patient != first.patient:
                continue
            ticked = item.id in wanted
            after = [each for each in wanted if each != item.id] if ticked else [*wanted, item.id]
            view = patients.item_view(item, similar.Names(()), today, taken=taken)
            found.append(Other(item=view, ticked=ticked, query=urlencode([("item", each) for each in after])))
        return found

    def _views(
        self, items: Sequence[WorklistItem], among: Sequence[WorklistItem], recents: Sequence[Recent] = ()
    ) -> list[patients.ItemView]:
        """Return entries of a list as they are shown `among` others, and `recents` above them."""
        listed, today = similar.Names([*among, *recents]), self._frame.today()
        taken = days.taken(self._context.spool, today)
        return [
            patients.item_view(
                item, listed, today, orders=sum(item.patient == other.patient for other in among), taken=taken
            )
            for item in items
        ]


def _local_time(text: str | None, context: Context) -> str:
    if text is None:
        return ""
    offset = context.clock.now().local.tzinfo
    moment = datetime.fromisoformat(text).astimezone(offset)
    return names.clock_time_of_day(moment, context.clock.now().local.date())
