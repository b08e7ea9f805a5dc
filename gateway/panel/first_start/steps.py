"""Which questions there are, in which order, and which of them this box is asked."""

from enum import StrEnum

from gateway.config.settings import Settings


class Step(StrEnum):
    LANGUAGE = "language"
    TIME = "time"
    STATION = "station"
    ADMINISTRATOR = "administrator"
    SOURCE = "source"
    PEDAL = "pedal"
    WORKLIST = "worklist"
    ARCHIVE = "archive"
    RETENTION = "retention"
    SUMMARY = "summary"


EVERY = tuple(Step)
MISSING = (Step.ADMINISTRATOR, Step.SUMMARY)  # of a box whose file an engineer wrote


def says_nothing(settings: Settings) -> bool:
    """Say whether a configuration names no device and no other system: nobody set this box up."""
    named = (
        settings.sources,
        settings.triggers,
        settings.worklists,
        settings.procedure_steps,
        settings.destinations,
    )
    return not any(named)


def asked(*, whole: bool) -> tuple[Step, ...]:
    return EVERY if whole else MISSING


def after(step: Step, *, whole: bool) -> Step:
    """Return the question that follows; the last one stays."""
    steps = asked(whole=whole)
    return steps[min(steps.index(step) + 1, len(steps) - 1)] if step in steps else steps[0]


def before(step: Step, *, whole: bool) -> Step | None:
    steps = asked(whole=whole)
    return steps[steps.index(step) - 1] if step in steps and steps.index(step) else None
