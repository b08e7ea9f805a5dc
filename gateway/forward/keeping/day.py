"""Asks every archive whether it has what it was given on a day. What it lost waits for a person.

Only what was sent is asked about. An archive that cannot be asked, or does not answer, proves nothing.
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from typing import Any

from gateway.clock import Stopwatch
from gateway.errors import BadValue, DeliveryError, WrongState
from gateway.forward.proving.finder import Finder
from gateway.log import event, warn
from gateway.model import Delivery, DeliveryState
from gateway.spool import days
from gateway.spool.days import ExamOfDay
from gateway.spool.processes.requests import Request
from gateway.spool.queue.deliveries import LOST_BY_ARCHIVE
from gateway.spool.spool import Spool
from gateway.spool.states import Owner

_log = logging.getLogger(__name__)
_GIVEN = frozenset({DeliveryState.SENT, DeliveryState.COMMITTED})
_CATCH_UP = 7  # days, at a start
_IN_TIME_S = 3600.0  # for the days before, after a start
_PATIENCE_S = 90.0  # for a whole day; what was not asked by then is said to be so


def catch_up(spool: Spool, today: date) -> int:
    """Have the archives asked about the days before today that nobody asked about; return how many.

    A box may be switched off every evening: no window of the night is needed. Raises SpoolError.
    """
    missed = days.unchecked(spool, today)[:_CATCH_UP]
    for day in missed:
        spool.requests.ask(days.REQUEST, {"date": day.isoformat()}, deadline_s=_IN_TIME_S)
    return len(missed)


class DayCheck:
    """Executes the requests of kind `day-check`, one after the other."""

    def __init__(self, *, spool: Spool, destinations: Sequence[str], finders: Mapping[str, Finder]) -> None:
        self._spool = spool
        self._destinations = destinations
        self._finders = finders

    def step(self) -> bool:
        """Execute one request, if there is one; say whether there was. Raises SpoolError."""
        request = self._spool.requests.begin(days.REQUEST)
        if request is None:
            return False
        try:
            answer = self.check(_day(request))
        except BadValue as error:
            self._spool.requests.failed(request, error)
        else:
            self._spool.requests.done(request, answer)
        return True

    def check(self, day: date) -> dict[str, Any]:
        """Ask about every exam of that day; return what each archive said. Raises SpoolError."""
        watch = Stopwatch(self._spool.clock)
        exams = days.of(self._spool, day)
        answers = [
            self._ask(exam, name, out_of_time=watch.seconds > _PATIENCE_S)
            for exam in exams
            for name in self._destinations
        ]
        lost = sum(len(answer["lost"]) for answer in answers)
        silent = sum(not answer["asked"] and answer["code"] != "not-asked" for answer in answers)
        self._spool.audit.note(
            days.CHECKED, by="forward", day=day.isoformat(), exams=len(exams), lost=lost, silent=silent
        )
        event(_log, "day_checked", exams=len(exams), lost=lost)
        return {"asked_at": self._spool.clock.now().utc.isoformat(), "archives": answers}

    def _ask(self, exam: ExamOfDay, name: str, *, out_of_time: bool) -> dict[str, Any]:
        given = {
            delivery.sop_instance_uid: delivery
            for picture in exam.pictures
            for delivery in picture.all_deliveries
            if delivery.destination == name and delivery.state in _GIVEN
        }
        said = {"exam": exam.exam.id, "destination": name, "given": len(given), "code": "", "what": ""}
        try:
            found = self._found(exam, name, sorted(given), out_of_time=out_of_time)
        except DeliveryError as error:
            return {**said, "asked": False, "found": 0, "lost": [], "code": error.code, "what": error.what}
        lost = sorted(given.keys() - found)
        for uid in lost:
            if self._spool.destinations.got(given[uid].id):  # who bears the name now lost nothing that it never got
                self._hold(exam, given[uid])
        return {**said, "asked": True, "found": len(given) - len(lost), "lost": lost}

    def _found(self, exam: ExamOfDay, name: str, uids: Sequence[str], *, out_of_time: bool) -> frozenset[str]:
        if not uids:
            return frozenset()
        finder = self._finders.get(name)
        if finder is None:
            raise DeliveryError(f"The archive {name} cannot be asked what it has.", code="not-asked")
        if out_of_time:
            raise DeliveryError(f"There was no time left to ask the archive {name}.", code="too-late")
        return finder.find(exam.exam.study_instance_uid, uids)

    def _hold(self, exam: ExamOfDay, delivery: Delivery) -> None:
        """Let a person decide about what an archive vouched for and does not have, if our copy is here still."""
        warn(_log, "lost_by_archive", destination=delivery.destination, uid=delivery.sop_instance_uid)
        self._spool.audit.note(
            LOST_BY_ARCHIVE,
            by="forward",
            destination=delivery.destination,
            uid=delivery.sop_instance_uid,
            exam=exam.exam.id,
        )
        if delivery.state is not DeliveryState.COMMITTED or self._was_let_go(delivery):
            return
        with suppress(WrongState):
            self._spool.deliveries.move(
                delivery,
                DeliveryState.HELD,
                Owner.FORWARD,
                code=LOST_BY_ARCHIVE,
                reason=f"The archive {delivery.destination} vouched for this and does not have it any more. "
                "Call IT: look at the archive, then release it to send it again.",
            )

    def _was_let_go(self, delivery: Delivery) -> bool:
        """Say so as it is now: the archive may have taken minutes to answer."""
        sealed = self._spool.objects.get(delivery.sop_instance_uid)
        return self._spool.layout.purged(sealed.exam, sealed.capture).exists()


def _day(request: Request) -> date:
    try:
        return date.fromisoformat(str(request.arguments.get("date")))
    except ValueError:
        raise BadValue("This is no date.") from None
