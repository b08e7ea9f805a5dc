"""Notices what other processes changed in the index and tells the pages. Reads rows only when a number moved."""

import asyncio
import logging
from typing import Any

from gateway.errors import SpoolError
from gateway.log import warn
from gateway.panel.live.hub import Hub
from gateway.panel.live.recorder import Recorder
from gateway.panel.pictures.small import Pictures
from gateway.panel.shown import answers, views
from gateway.panel.work import Work
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)
_LATEST = 30  # exams whose changes are told
Topics = dict[str, dict[str, Any]]


class Changes:
    """Turns new rows and capture's words into events: exam, capture, delivery, worklist, source.

    When exams are gone, so are the pictures that the panel kept of them.
    """

    def __init__(
        self, *, spool: Spool, pictures: Pictures, work: Work, hub: Hub, recorder: Recorder, poll_s: float
    ) -> None:
        self._spool = spool
        self._pictures = pictures
        self._exams = 0
        self._work = work
        self._hub = hub
        self._recorder = recorder
        self._poll_s = poll_s
        self._version = -1
        self._told: Topics = {}
        self._failing = False

    async def run(self) -> None:
        while True:
            await self.step()
            await asyncio.sleep(self._poll_s)

    async def step(self) -> None:
        """Look once, and tell what is new."""
        try:
            version = await self._work.watch(self._spool.database.version)
            if version == self._version:
                return
            topics = await self._work.spool(self._look)
        except SpoolError as error:
            if not self._failing:
                warn(_log, "index_not_readable", code=error.code)
            self._failing = True
            return
        self._failing = False
        self._version = version
        for name, data in topics.items():
            if self._told.get(name) != data:
                self._hub.publish(name, data)
        self._told = topics

    def first(self) -> Topics:
        """Return what a new page must know: the newest word on each topic."""
        return {**self._told, "source": source_event(self._recorder)}

    def said(self) -> None:
        """Tell what capture just said, or that it is gone."""
        self._hub.publish("source", source_event(self._recorder))

    def _look(self) -> Topics:
        before, self._exams = self._exams, self._spool.exams.count()
        if self._exams < before:
            self._pictures.forget()
        exams = self._spool.exams.list(limit=_LATEST)
        current = next((exam for exam in exams if exam.state == "open"), exams[0] if exams else None)
        captures = self._spool.captures.of_exam(current.id) if current else []
        counts = self._spool.deliveries.counts()
        return {
            "exam": {
                "open": current.id if current and current.state == "open" else "",
                "exams": {exam.id: exam.revision for exam in exams},
                "count": self._exams,
            },
            "capture": {
                "exam": current.id if current else "",
                "laterality": current.side if current else "",
                "captures": [views.capture_line(c) for c in captures],
            },
            "delivery": {f"{destination} {state}": count for (destination, state), count in sorted(counts.items())},
            "worklist": {
                "servers": [answers.server(s) for s in self._spool.worklist.servers()],
                "items": len(self._spool.worklist.items()),
            },
        }


def source_event(recorder: Recorder) -> dict[str, Any]:
    """Return capture's state for the pages; `recorder` tells whether it is there: ok, waiting or gone."""
    if recorder.state is None:
        state = "waiting" if recorder.trouble else "gone"
        nothing: dict[str, Any] = {"exam": "", "sources": [], "clip": None, "pending": 0, "last": None}
        return {"recorder": state, "trouble": recorder.trouble, **nothing}
    return {"recorder": "ok", **{key: value for key, value in recorder.state.items() if key != "event"}}
