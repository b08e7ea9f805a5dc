"""Whether pictures can be captured safely, and how everything else is doing. Looks; changes nothing."""

import shutil
import threading
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.clock import Clock
from gateway.model import DeliveryState
from gateway.panel import answers
from gateway.panel.answers import Json
from gateway.panel.context import Context

_MB = 1_000_000
_LOW_SHARE = 0.10  # of the disk; below it a person should act
OK = "ok"
_ADVICE = {
    "capture": "It starts again by itself within seconds; call service if it stays away.",
    "forward": "It starts again by itself; pictures are stored meanwhile. Call service if it stays away.",
}


_GONE = {"code": "capture-gone", "what": "The capture process does not run.", "action": _ADVICE["capture"]}
_CABLE = "Check that the device is on and its cable is plugged in."


class Since:
    """Remembers since when something has been in its present state, as far as this panel saw."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[str, str | None]] = {}

    def of(self, name: str, state: str) -> str | None:
        with self._lock:
            known, since = self._seen.get(name, ("", None))
            if known != state:
                since = answers.moment(self._clock.utc())
                self._seen[name] = (state, since)
            return since


class Health:
    """`/health`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._since = Since(context.clock)

    def routes(self) -> list[Route]:
        return [Route("/health", self.get, methods=["GET"])]

    async def get(self, request: Request) -> Response:
        del request
        report = await self._context.work.spool(self.report)
        return JSONResponse(report, 200 if report["can_capture"] else 503)

    def report(self) -> Json:
        """Return the state of everything, each with what to do. Blocks for a few file reads."""
        capture = self._context.live["capture"].read()
        forward = self._context.live["forward"].read()
        disk = self._disk()
        sources = self._sources(capture)
        can_capture = (
            capture is not None and disk["state"] != "full" and any(source["state"] == "live" for source in sources)
        )
        return {
            "can_capture": can_capture,
            "processes": [self._process("capture", capture), self._process("forward", forward)],
            "sources": sources,
            "destinations": self._destinations(forward),
            "worklists": self._worklists(),
            "disk": disk,
            "clock": self._clock(),
        }

    def _process(self, name: str, said: Json | None) -> Json:
        if trouble := (said or {}).get("trouble"):
            return self._line(name, "waiting", **trouble)
        state = OK if said is not None else "gone"
        return self._line(
            name,
            state,
            code="" if said is not None else f"{name}-gone",
            what="" if said is not None else f"The {name} process does not run.",
            action="" if said is not None else _ADVICE[name],
        )

    def _sources(self, capture: Json | None) -> list[Json]:
        said = {source["name"]: source for source in (capture or {}).get("sources", [])}
        absent = (capture or {}).get("trouble") or _GONE
        lines = []
        for source in self._context.settings.sources:
            found = said.get(source.name)
            state = found["state"] if found else "unknown"
            line = self._line(
                f"source {source.name}",
                state,
                code=found.get("code", "") if found else absent["code"],
                what=found.get("what", "") if found else absent["what"],
                action="" if state == "live" else _CABLE if found else absent["action"],
            )
            lines.append({**line, "name": source.name, "since": (found or line).get("since", line["since"])})
        return lines

    def _destinations(self, forward: Json | None) -> list[Json]:
        counts = self._context.spool.deliveries.counts()
        said = {each.get("name"): each for each in (forward or {}).get("destinations", [])}
        lines = []
        for destination in self._context.settings.destinations:
            numbers = {str(state): counts.get((destination.name, state), 0) for state in DeliveryState}
            found: Json = said.get(destination.name, {})
            state = found.get("state") or ("unknown" if forward is None else OK)
            if state == OK and (proof := found.get("proof") or {}).get("state", OK) != OK:
                state, found = "unconfirmed", proof  # it takes the pictures but does not say that it has them
            if numbers[DeliveryState.HELD] and state == OK:
                state = "held"
            line = self._line(
                f"destination {destination.name}",
                state,
                code=found.get("code", ""),
                what=found.get("what", ""),
                action="" if state == OK else "Look at Delivery; call IT if it lasts.",
            )
            since = found.get("since", line["since"])
            facts = {"name": destination.name, "since": since, "required": destination.required}
            lines.append({**line, **facts, **numbers})
        return lines

    def _worklists(self) -> list[Json]:
        known = {state.server: state for state in self._context.spool.worklist.servers()}
        lines = []
        for worklist in self._context.settings.worklists:
            found = known.get(worklist.name)
            state = OK if found and found.answered_ns and not found.code else "failed" if found else "never-asked"
            line = self._line(
                f"worklist {worklist.name}",
                state,
                code=found.code if found else "",
                what=found.problem if found else "",
                action="" if state == OK else "Type the patient or start without patient; call IT if it lasts.",
            )
            answered = answers.instant(found.answered_ns) if found else None
            lines.append({**line, "name": worklist.name, "answered_at": answered})
        return lines

    def _disk(self) -> Json:
        usage = shutil.disk_usage(self._context.spool.layout.root)
        reserve = self._context.settings.retention.reserve_mb * _MB
        if usage.free < reserve:
            state, what = "full", "The box is full."
        elif usage.free < usage.total * _LOW_SHARE:
            state, what = "low", "The box is filling up."
        else:
            state, what = OK, ""
        action = "" if state == OK else "Finish the exam and call IT: the disk of the box needs room."
        line = self._line("disk", state, code="" if state == OK else f"disk-{state}", what=what, action=action)
        return {**line, "free_mb": usage.free // _MB, "total_mb": usage.total // _MB}

    def _clock(self) -> Json:
        now = self._context.clock.now()
        line = self._line(
            "clock",
            OK if now.trusted else "untrusted",
            code="" if now.trusted else "clock-untrusted",
            what="" if now.trusted else "The clock may be wrong: it was never set since the box started.",
            action="" if now.trusted else "Check date and time before the first picture.",
        )
        return {**line, "utc": answers.moment(now.utc)}

    def _line(self, name: str, state: str, *, code: str, what: str, action: str) -> dict[str, Any]:
        since = self._since.of(name, state)
        return {"name": name, "state": state, "since": since, "code": code, "what": what, "action": action}
