"""What became of an exam, as a shape, a word and what a person has to do about it. Looks; changes nothing."""

from collections.abc import Collection, Sequence, Sized
from dataclasses import dataclass

from gateway.config.settings import Settings
from gateway.messages import N_
from gateway.model import Delivery, DeliveryState, Exam, ExamState, Identity, PleaseCheck
from gateway.panel.shown import fates, reasons, ways
from gateway.panel.shown.fates import Fate
from gateway.spool.pictures import Picture
from gateway.spool.queue.deliveries import QUIET
from gateway.spool.queue.routing import recipients
from gateway.spool.spool import Spool

BY_RULES = N_("No archive gets this: it stays on this box by the rules of your IT.")
WHY_CHECK: dict[str, str] = N_(
    {
        PleaseCheck.CLOSED_BY_NEXT: "It was closed when another patient was chosen.",
        PleaseCheck.IDLE: "Nobody worked on it for a long time.",
        PleaseCheck.REBOOT: "The box restarted while it was open.",
        PleaseCheck.STUDY_SHARED: "The worklist server gave the same study to another patient.",
        PleaseCheck.WRONG_ENTRY: "It was ended because the worklist entry was wrong.",
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class FateView:
    """What became of an exam: a shape, a word and what a person has to do about it."""

    mark: str  # "ok", "going", "warn", "bad", "open", "none"
    word: str
    detail: str = ""
    at: str = ""  # since when, local, once everything got there
    receipt: bool = False  # an archive has it and was asked to vouch for it
    waits_for: str = ""  # the destination that `detail` is about, when it is tried again


class ExamFates:
    """Judges exams by where their pictures are. Blocks: runs in a thread."""

    def __init__(self, spool: Spool, settings: Settings) -> None:
        self._spool = spool
        self._required = frozenset(d.name for d in settings.destinations if d.required)
        self._vouching = frozenset(d.name for d in settings.destinations if d.commitment or d.trust_query)
        self._hold_temporary = settings.release.temporary == "hold"
        self._destinations = settings.destinations
        self._has_destination = bool(settings.destinations)
        self._archives = frozenset(d.name for d in settings.destinations if d.kind != "media")

    def of(self, exam: Exam, kept: Sequence[Picture], away: Collection[str] = ()) -> FateView:
        """Say what became of an exam with these pictures, those that were removed left out.

        `away`: archives that take nothing at present.
        """
        if exam.state is ExamState.OPEN:
            going = [each for each in kept if each.deliveries]
            detail = self._progress(going, away).word if going else ""
            return FateView(mark="open", word="Exam is open", detail=detail)
        if self.waits(exam, kept):
            word = "Please check the patient" if exam.please_check else "Needs a patient"
            return FateView(mark="warn", word=word, detail=WHY_CHECK.get(exam.please_check, exam.please_check))
        if not kept:
            return FateView(mark="none", word="No pictures")
        return _obstacle(kept) or self._progress(kept, away)

    def waits(self, exam: Exam, kept: Sized) -> bool:
        """Say whether a finished exam's pictures stay until a person did something."""
        question = exam.please_check or (self._hold_temporary and exam.identity is Identity.TEMPORARY)
        return exam.state is ExamState.FINISHED and bool(question) and bool(kept)

    def stays(self, picture: Picture) -> bool:
        """Say whether no destination gets this picture, because of the rules that are configured."""
        nowhere = not picture.deliveries and not recipients(self._destinations, picture.capture)
        return self._has_destination and nowhere

    def goes_to(self, kept: Sequence[Picture]) -> frozenset[str]:
        """Return the destinations that have not got all of these pictures and wait for no person."""
        queued = {d.destination for each in kept for d in each.all_deliveries if d.state is DeliveryState.QUEUED}
        return frozenset(queued.union(*(self._will_get(each) for each in kept)))

    def _will_get(self, picture: Picture) -> frozenset[str]:
        """Return who gets a picture whose object is not made yet."""
        if picture.sealed or picture.listed.problem_code or picture.listed.purged:
            return frozenset()
        return self._archives.intersection(recipients(self._destinations, picture.capture))

    def _progress(self, pictures: Sequence[Picture], away: Collection[str]) -> FateView:
        kept = [each for each in pictures if not self.stays(each)]
        if not kept:
            return FateView(mark="none", word=fates.WORDS[Fate.ON_THIS_BOX], detail=BY_RULES)
        got = [fates.of_picture(each, self._required) for each in kept]
        if all(fates.arrived(each, self._required) for each in kept):
            return self._arrived(kept, min(got))
        arrived, moves = sum(fate >= Fate.SENT for fate in got), Fate.SENDING in got
        queued = [d for each in kept for d in each.all_deliveries if d.state is DeliveryState.QUEUED]
        tried = sorted((d for d in queued if d.attempts), key=lambda d: d.destination not in self._archives)
        detail, waits_for = (reasons.of_delivery(tried[0]), tried[0].destination) if tried else ("", "")
        late = bool(tried) or not self.goes_to(kept).isdisjoint(away)
        if moves or arrived:
            mark, word = "warn" if late and not moves else "going", N_(f"{arrived} of {len(got)} sent")
            return FateView(mark=mark, word=word, detail=detail, waits_for=waits_for)
        if late:
            return FateView(mark="warn", word=fates.WAITS, detail=detail, waits_for=waits_for)
        words = {fates.word_of_picture(each, self._required, leaves=bool(self._archives)) for each in kept}
        word = next((each for each in (fates.PREPARED, fates.NEXT) if each in words), fates.WORDS[Fate.ON_THIS_BOX])
        return FateView(mark="going" if self._archives else "none", word=word)

    def _arrived(self, kept: Sequence[Picture], fate: Fate) -> FateView:
        there = [d for each in kept for d in each.all_deliveries]
        return FateView(
            mark="ok",
            word=fates.WORDS[fate],
            at=ways.moment(max(d.changed_ns for d in there), self._spool.clock),
            receipt=any(d.state is DeliveryState.SENT and d.destination in self._vouching for d in there),
        )


def _obstacle(kept: Sequence[Picture]) -> FateView | None:
    """Say what a person must remove before everything can be delivered."""
    if problems := [each.listed for each in kept if each.listed.problem_code]:
        return FateView(mark="bad", word=f"{len(problems)} cannot be prepared", detail=problems[0].problem)
    held = [found for each in kept if (found := stopped(list(each.all_deliveries)))]
    if held:
        return FateView(mark="bad", word=f"{len(held)} stopped", detail=reasons.of_delivery(held[0][0]))
    return None


def stopped(deliveries: Sequence[Delivery]) -> list[Delivery]:
    """Return those that nothing sends any more until a person did something."""
    return [d for d in deliveries if d.state is DeliveryState.HELD and d.code not in QUIET]
