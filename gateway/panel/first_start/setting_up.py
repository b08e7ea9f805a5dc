"""The first start of a box: what is asked next, and what an answer does. Blocks: everything here reads files.

Every answer is written into the configuration at once and taken over by the processes at the end: a restart after
each question would sign the administrator out and cost a patient who waits some seconds each time.
"""

from collections.abc import Mapping
from typing import Any

from gateway.config.changes import Change
from gateway.config.values import Wrong
from gateway.errors import BadValue, WrongState
from gateway.panel.configuring import Configuring
from gateway.panel.first_start import choices, steps
from gateway.panel.first_start.progress import Answer, Kept, Progress
from gateway.panel.first_start.steps import Step
from gateway.panel.people.store import People
from gateway.panel.shown import setting_values
from gateway.panel.timekeeping import Timekeeping
from gateway.spool.spool import Spool

_LOOKS, _LOOK_S = 25, 0.2
_DRAFTED = (Step.SOURCE, Step.WORKLIST, Step.ARCHIVE)


class SettingUp:
    """One box being set up.

    `untouched`: its configuration named nothing when this panel started; `archives`: it names some.
    """

    def __init__(
        self,
        *,
        spool: Spool,
        configuring: Configuring,
        people: People,
        timekeeping: Timekeeping,
        untouched: bool,
        archives: bool,
    ) -> None:
        self.timekeeping = timekeeping
        self._spool = spool
        self._configuring = configuring
        self._people = people
        self._untouched = untouched
        self._archives = archives
        self._kept = Kept(spool.layout.first_start, spool.files)

    def now(self) -> Progress:
        return self._kept.read() or Progress(whole=self._untouched)

    @property
    def is_unfinished(self) -> bool:
        """Say whether there are questions that somebody put off, or that nobody has seen yet."""
        progress = self.now()
        return progress.whole and not progress.done and self._people.is_readable

    def is_due(self) -> bool:
        """Say whether the screen shows it by itself: never over an exam, and not when somebody put it off."""
        progress = self._kept.read()
        if progress is None:
            begun = self._untouched and self._people.is_readable and not self._people.has_administrator
        else:
            begun = progress.whole and not progress.done and progress.later != self._boot()
        return begun and self._spool.exams.open_one() is None

    def source_is_open(self) -> bool:
        """Say whether nothing is named yet of which pictures could be taken."""
        return not self.document().get("source")

    def archive_is_open(self) -> bool:
        """Say whether nobody has said yet where pictures go: no archive was chosen, and not that there is none."""
        progress = self.now()
        unsaid = self.state_of(Step.ARCHIVE, progress) in {"", Answer.SKIPPED}
        return progress.whole and unsaid and not self._archives

    def state_of(self, step: Step, progress: Progress) -> str:
        """Return an `Answer`, "" as long as there is none."""
        if step is Step.ADMINISTRATOR and self._people.has_administrator:
            return Answer.SET
        return progress.answers.get(step, "")

    def next_open(self, progress: Progress) -> Step:
        """Return the first question without an answer."""
        every = steps.asked(whole=progress.whole)
        return next((step for step in every if not self.state_of(step, progress)), every[-1])

    def document(self) -> Mapping[str, Any]:
        """Return what the file says now."""
        return self._configuring.now().document

    def answer(self, step: Step, values: Mapping[str, Any]) -> None:
        """Write what was answered. Raises BadValue with the first mistake, WrongState, and what writing raises."""
        self.must_be_asked(step)
        draft = self.now().drafts.get(step, {})
        self._write(choices.of_step(step, {**draft, **values}, self.document()))
        if step is not Step.STATION or "name" in values:  # its title for other systems is asked with them
            self._note(step, Answer.SET)

    def none(self, step: Step) -> None:
        """Write that there is none of it. Raises as `answer`."""
        self.must_be_asked(step)
        self._write(choices.none(step, self.document()))
        self._note(step, Answer.NONE)

    def skip(self, step: Step) -> None:
        """Leave a question for later; what was answered stays, but for a time that is called wrong by now."""
        self.must_be_asked(step)
        if step is Step.TIME or not self.state_of(step, self.now()):
            self._note(step, Answer.SKIPPED)

    def draft(self, step: Step, values: Mapping[str, Any]) -> None:
        """Keep what was typed of an entry, each value checked as the configuration does. Raises BadValue."""
        self.must_be_asked(step)
        if step not in _DRAFTED:
            raise BadValue("Nothing is typed for this.")
        if table := choices.TABLES.get(step):
            keys = self._configuring.tables[table].keys
            for key, value in values.items():
                self._check(keys.get(key), value)
        progress = self.now()
        drafts = {**progress.drafts, step: {**progress.drafts.get(step, {}), **values}}
        self._kept.change(progress, drafts=drafts)

    def must_be_asked(self, step: Step) -> None:
        """Raise WrongState for an answer to what this box is not asked: it would replace what an engineer wrote."""
        progress = self.now()
        if progress.done or step not in steps.asked(whole=progress.whole):
            raise WrongState("This box is set up.", action="Change it in the settings.")

    def see_zone(self, zone: str) -> None:
        """Wait until the machine is in the time zone that root was told, some seconds at most."""
        for _ in range(_LOOKS):
            if self.timekeeping.zone() == zone:
                break
            self._spool.clock.pause(_LOOK_S)

    def later(self) -> None:
        """Let the box be used with what there is; asked again after its next start."""
        self._kept.change(self.now(), later=self._boot())
        self._configuring.take()

    def finish(self) -> None:
        self._kept.change(self.now(), done=True, drafts={})
        self._configuring.take()

    # --- inside --------------------------------------------------------------------------------------------

    def _write(self, changes: list[Change]) -> None:
        if not changes:
            return
        revision = self._configuring.state().revision
        trial = self._configuring.tried(changes, revision)
        if wrong := next(iter(trial.problems), None):
            name = setting_values.label(wrong.key)
            raise BadValue(f"This cannot be used: {name}: {wrong.reason}.")
        if trial.differences:
            self._configuring.keep(trial, revision)

    def _note(self, step: Step, answer: Answer) -> None:
        progress = self.now()
        self._kept.change(progress, answers={**progress.answers, step: answer})

    def _check(self, check: Any, value: object) -> None:  # noqa: ANN401 - a Check, or a Table
        if not callable(check):
            raise BadValue("This key is not changed here.")
        try:
            check(value)
        except Wrong as error:
            raise BadValue(f"This cannot be used: {error}.") from None

    def _boot(self) -> str:
        return self._spool.clock.now().boot_id
