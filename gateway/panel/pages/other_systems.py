"""The first start's questions about worklist servers and archives: typed field by field, tried, kept."""

from typing import Any

from starlette.requests import Request

from gateway.config.settings import Station
from gateway.messages import N_
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.first_start import choices, steps
from gateway.panel.first_start.steps import Step
from gateway.panel.pages.frame import Elsewhere, Values
from gateway.panel.pages.questions import API_ROOT, ROOT, Questions
from gateway.panel.shown import first_start as shown


class OtherSystemsPages:
    """One method a page."""

    def __init__(self, context: Context, questions: Questions) -> None:
        self._context = context
        self._questions = questions
        self._setting_up = context.setting_up

    def routes(self) -> list[Route]:
        page = self._questions.page
        return [
            page("/worklist", "setup_choices.html", Step.WORKLIST, self._worklist),
            page("/archive", "setup_choices.html", Step.ARCHIVE, self._archive),
            page("/archive/commitment", "setup_choices.html", Step.ARCHIVE, self._commitment),
            page("/{step}/try", "setup_trial.html", None, self._trial),
            page("/{step}/ours", "setup_field.html", None, self._our_title),
            page("/{step}/type/{field}", "setup_field.html", None, self._field),
        ]

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

    def _field(self, request: Request) -> Values:
        step, kind = self._system(request)
        fields = shown.fields(step, kind)
        field = fields.get(request.path_params["field"])
        if field is None:
            raise Elsewhere(f"{ROOT}/{step}")
        names = list(fields)
        at = names.index(field.key)
        around = self._questions.around(step)
        last = f"{ROOT}/archive/commitment" if step is Step.ARCHIVE and kind == "dicom" else f"{ROOT}/{step}/try"
        return {
            **self._questions.typed(
                request, field.label, field.key, str(self._questions.draft(step).get(field.key, ""))
            ),
            **around,
            "hint": field.hint,
            "later": around["next"],
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
        draft = self._questions.draft(step)
        if any(not draft.get(each.key) for each in shown.fields(step, kind).values() if not each.optional):
            raise Elsewhere(f"{ROOT}/{step}")
        document = self._setting_up.document()
        listen = choices.hearing(draft, document)
        station = self._context.settings.station
        port = (listen or str(document.get("station", {}).get("listen", station.listen))).rpartition(":")[2]
        return {
            **self._questions.around(step),
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
            **self._questions.typed(request, label, "ae_title", self._title()),
            **self._questions.around(step),
            "step": Step.STATION,
            "longest": 16,
            "keys": "code",
            "answers": True,
            "optional": False,
            "next": f"{ROOT}/{step}/try",
            "back": f"{ROOT}/{step}/try",
        }

    # --- inside ----------------------------------------------------------------------------------------------

    def _system(self, request: Request) -> tuple[Step, str]:
        """Return which other system a page is about, and of which kind. Raises Elsewhere."""
        step = request.path_params["step"]
        if step not in choices.TABLES:
            raise Elsewhere(ROOT)
        return Step(step), str(self._questions.draft(Step(step)).get("kind", "dicom"))

    def _title(self) -> str:
        """Return how this box is going to be called by other systems."""
        return self._context.configuring.our_title() or Station().ae_title

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
