"""What every question of the first start has around it: its title, its place in the row, the way back and on."""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request

from gateway.messages import N_
from gateway.panel.context import API, Context
from gateway.panel.doors.routing import Route
from gateway.panel.first_start import steps
from gateway.panel.first_start.steps import Step
from gateway.panel.pages.frame import Elsewhere, Frame, Values
from gateway.panel.people.roles import FIRST_SET_UP

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


class Questions:
    """Makes the routes of questions, and the values that all of them need."""

    def __init__(self, context: Context, frame: Frame) -> None:
        self._setting_up = context.setting_up
        self._frame = frame

    def page(self, path: str, template: str, step: Step | None, page: Callable[[Request], Values]) -> Route:
        """Return the route of a question; `step` is None where the address says which it is."""

        def answer(request: Request) -> Values:
            around = self.around(step) if step else {}
            return {**around, **page(request)}

        return self._frame.route(f"{ROOT}{path}", template, answer, who=FIRST_SET_UP)

    def around(self, step: Step) -> Values:
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

    def draft(self, step: Step) -> Mapping[str, Any]:
        """Return what was typed for a question so far."""
        return self._setting_up.now().drafts.get(step, {})

    def typed(self, request: Request, label: str, field: str, value: str) -> Values:
        """Return what a page with one field and the keyboard needs."""
        return {
            "label": label,
            "field": field,
            "value": value,
            "number": False,
            "hint": "",
            "later": "",
            "keyboard": self._frame.keyboard(request),
        }
