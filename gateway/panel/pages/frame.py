"""What every page has around its own: its language, the badge, the disk, the clock."""

from collections.abc import Callable
from datetime import date
from functools import cache, partial
from typing import Any

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from gateway.errors import NotFound, ScopegateError
from gateway.panel import problems
from gateway.panel.context import Context
from gateway.panel.doors.routing import IN_USE, Route
from gateway.panel.people.roles import CAPTURE, LOOK, SERVE, SET_UP, SIGNED_IN, WORK, Permit, caller_of
from gateway.panel.shown import archives, names
from gateway.panel.shown.archives import Trouble
from gateway.panel.shown.badge import Badge, badge
from gateway.panel.shown.views import SIDES, ExamView, Look

_KEYBOARDS = {"de": "qwertz", "it": "italian"}  # what lies on the tables where this is spoken
THEMES = ("dark", "light")
THEME_COOKIE = "theme"  # what somebody chose for this browser
Values = dict[str, Any]
Page = Callable[[Request], Values]  # returns the template's values; runs in a thread

_MAY = {
    "watch": SIGNED_IN,
    "look": LOOK,
    "work": WORK,
    "capture": CAPTURE,
    "set-up": SET_UP,
    "serve": SERVE,
}  # words of a page


class Elsewhere(Exception):
    """This page has nothing to show; that one has."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class Frame:
    """Renders pages."""

    def __init__(self, context: Context) -> None:
        self.look = Look(context.spool, context.settings)
        self._context = context
        self._templates = _templates()

    def route(self, path: str, template: str, page: Page, *, who: Permit) -> Route:
        """Return the route of a page that is looked at."""

        async def answer(request: Request) -> Response:
            return await self._context.work.spool(partial(self.answer, template, page, request))

        return Route(path, answer, methods=["GET"], who=who)

    async def refused(self, request: Request, why: ScopegateError) -> Response:
        """Return a page that says why another one is not shown."""
        return await self._context.work.spool(partial(self._problem, request, why))

    def page(self, request: Request, template: str, values: Values, *, status: int = 200) -> Response:
        """Return a page. Blocks: runs in a thread."""
        panel, now = self._context.settings.panel, self._context.clock.now()
        caller = caller_of(request.scope)
        spoken = self._context.languages.of_page(request, panel.language)
        around = {
            "language": spoken.language,
            "direction": spoken.direction,
            "gettext": spoken.gettext,
            "ngettext": spoken.ngettext,
            "said": spoken.said,
            "panel": panel,
            "theme": _theme(request, panel.theme),
            "practice": self._context.practice,
            "kiosk": self._context.kiosk,
            "asker": caller,  # Jinja keeps `caller` for itself
            "in_use": bool(request.scope.get(IN_USE)),
            "may": [word for word, wanted in _MAY.items() if caller.may(wanted)],
            "badge": self._badge(),
            "alarm": self._context.report.alarm(),
            "now": names.clock_time(now.local),
            "trusted": now.trusted,
            "birth_date_missing": names.NO_BIRTH_DATE,
            "operator": self._operator(),
            "same": [],
            "sides_said": SIDES,
            "typed": None,
            "made_id": False,
            "orders": [],
            "others": [],
        }
        return HTMLResponse(self._templates.get_template(template).render({**around, **values}), status)

    def keyboard(self, request: Request) -> str:
        """Return which keyboard the page has: the configured one, else the one of its language."""
        panel = self._context.settings.panel
        usual = _KEYBOARDS.get(self._context.languages.of_page(request, panel.language).language, "qwerty")
        return usual if panel.keyboard == "auto" else panel.keyboard

    def word(self, request: Request, text: str) -> str:
        """Return a word in the language of the page, for a field that begins with it."""
        return self._context.languages.of_page(request, self._context.settings.panel.language).said(text)

    def troubles(self) -> list[Trouble]:
        """Return what keeps archives from getting their pictures."""
        return archives.troubles(
            spool=self._context.spool,
            destinations=self._context.settings.destinations,
            forward=self._context.live["forward"].read(),
        )

    def away(self) -> set[str]:
        """Return the archives that take nothing at present, as far as anybody knows."""
        return archives.away(self.troubles())

    def _badge(self) -> Badge:
        destinations = self._context.settings.destinations
        return badge(self._context.spool, self.look.fates, destinations, self.troubles())

    def today(self) -> date:
        """Return the day that it is here."""
        return self._context.clock.now().local.date()

    def assigned(self, request: Request) -> ExamView | None:
        """Return the exam that is to get another patient, when the page is about that."""
        exam = request.query_params.get("assign", "")
        return self.look.exam(self._context.spool.exams.get(exam), self.today()) if exam else None

    def sends(self, exam: ExamView | None) -> bool:
        """Say whether an exam's pictures go to an archive as soon as a person says whose they are."""
        archives = any(each.kind != "media" for each in self._context.settings.destinations)
        return exam is not None and exam.waits and archives

    def other_open(self, assign: ExamView | None) -> ExamView | None:
        """Return the exam that opening another one would close."""
        opened = None if assign else self._context.spool.exams.open_one()
        return self.look.exam(opened, self.today()) if opened else None

    def _operator(self) -> dict[str, Any]:
        """Return who may work here, and who does, as written and as shown."""
        names_of, now = self._context.operators.names, self._context.operator()
        every = [{"name": name, "shown": names.plain(name)} for name in names_of]
        return {"every": every, "now": now, "shown": names.plain(now)}

    def answer(self, template: str, page: Page, request: Request) -> Response:
        """Return a page, or the one that it leads to. Blocks: runs in a thread."""
        try:
            return self.page(request, template, page(request))
        except Elsewhere as elsewhere:
            return RedirectResponse(elsewhere.path, 303)
        except NotFound as problem:
            return self._problem(request, problem)

    def _problem(self, request: Request, problem: ScopegateError) -> Response:
        return self.page(request, "problem.html", {"problem": problem}, status=problems.status_of(problem))


def _theme(request: Request, usual: str) -> str:
    """Return whether a page is dark or light: as was chosen in this browser, else as the box is."""
    chosen = request.cookies.get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else usual


@cache
def _templates() -> jinja2.Environment:
    """Return the templates; each is compiled when it is first shown."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("gateway.panel"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
