"""Whether pictures can be captured safely, and how everything else is doing. Looks; changes nothing."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.clock import Clock
from gateway.config.settings import Sign, Trigger
from gateway.errors import DiskFailed, DiskFull, SpoolError
from gateway.model import UNSETTLED, UNTOLD, DeliveryState, MessageState
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.people.roles import SIGNED_IN
from gateway.panel.shown import answers
from gateway.panel.shown.answers import Json
from gateway.spool.room import MB, Level

OK = "ok"
_ADVICE = {
    "capture": "It starts again by itself within seconds; call service if it stays away.",
    "forward": "It starts again by itself; pictures are stored meanwhile. Call service if it stays away.",
}
_GONE = {"code": "capture-gone", "what": "The capture process does not run.", "action": _ADVICE["capture"]}
_PLUG = "Check its plug; the screen and its keys work without it."


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
        return [Route("/health", self.get, methods=["GET"], who=SIGNED_IN)]

    async def get(self, request: Request) -> Response:
        del request
        report = await self._context.work.spool(self.report)
        return JSONResponse(report, 200 if report["can_capture"] else 503)

    def report(self) -> Json:
        """Return the state of everything, each with what to do. Blocks for a few file reads."""
        capture = self._context.live["capture"].read()
        forward = self._context.live["forward"].read()
        disk = self._disk(capture, forward)
        sources = self._sources(capture)
        can_capture = (
            capture is not None
            and disk["state"] not in {Level.FULL, Level.FAILED}
            and any(source["state"] == "live" for source in sources)
        )
        return {
            "can_capture": can_capture,
            "processes": [self._process("capture", capture), self._process("forward", forward)],
            "sources": sources,
            "pedals": self._attached("pedal", "IN-01", self._context.settings.triggers, capture, "pedals"),
            "signs": self._attached("sign", "IN-02", self._context.settings.signs, capture, "signs"),
            "destinations": self._destinations(forward),
            "worklists": self._worklists(),
            "procedure_steps": self._procedure_steps(forward),
            "disk": disk,
            "clock": self._clock(),
            "second_door": self._second_door(),
            "making": (forward or {}).get("film"),
        }

    def disk(self) -> Json:
        """Return the line of the disk alone, which every page shows with a code. Blocks for a few file reads."""
        line = self._disk(self._context.live["capture"].read(), self._context.live["forward"].read())
        return {**line, "screen": "STO-02" if line["state"] in {Level.FULL, Level.FAILED} else "STO-01"}

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
                action=found.get("action", "") if found else absent["action"],
            )
            lines.append({**line, "name": source.name, "since": (found or line).get("since", line["since"])})
        return lines

    def _attached(
        self, word: str, code: str, wanted: Sequence[Trigger | Sign], capture: Json | None, key: str
    ) -> list[Json]:
        """Return the lines of pedals, or of lamps and loudspeakers: pictures are taken without them as well."""
        said = {each["name"]: each for each in (capture or {}).get(key, [])}
        lines = []
        for number, each in enumerate(wanted, 1):
            name = f"{each.kind}-{number}"
            found = said.get(name)
            state = "unknown" if found is None else OK if found["connected"] else "missing"
            missing = state == "missing"
            line = self._line(
                f"{word} {name}",
                state,
                code=code if missing else "",
                what=found["what"] if found and missing else "",
                action=_PLUG if missing else "",
            )
            lines.append({**line, "name": name, "device": each.device})
        return lines

    def _destinations(self, forward: Json | None) -> list[Json]:
        counts = self._context.spool.deliveries.counts()
        stopped = self._context.spool.deliveries.stopped()
        said = {each.get("name"): each for each in (forward or {}).get("destinations", [])}
        lines = []
        for destination in self._context.settings.destinations:
            numbers = {str(state): counts.get((destination.name, state), 0) for state in DeliveryState}
            found: Json = said.get(destination.name, {})
            elsewhere = found.get("sent_to_the_one_before")
            state = found.get("state") or ("unknown" if forward is None else OK)
            if state == OK and (proof := found.get("proof") or {}).get("state", OK) != OK:
                state, found = "unconfirmed", proof  # it takes the pictures but does not say that it has them
            if stopped.get(destination.name) and state == OK:
                state, found = "held", self._first_held(destination.name)
            line = self._line(
                f"destination {destination.name}",
                state,
                code=found.get("code", ""),
                what=found.get("what", ""),
                action=found.get("action", "")
                if state == "absent"
                else ("" if state == OK else "Look at Delivery; call IT if it lasts."),
            )
            since = found.get("since", line["since"])
            facts = {"name": destination.name, "since": since, "required": destination.required}
            if elsewhere:
                facts["sent_to_the_one_before"] = elsewhere
            lines.append({**line, **facts, **numbers})
        return [*lines, *self._orphans(counts)]

    def _orphans(self, counts: Mapping[tuple[str, DeliveryState], int]) -> list[Json]:
        """Name the destinations that left the configuration with a queue: it is kept, and somebody must know."""
        configured = {destination.name for destination in self._context.settings.destinations}
        lines = []
        for name in sorted({name for name, _ in counts} - configured):
            numbers = {str(state): counts.get((name, state), 0) for state in DeliveryState}
            if waiting := sum(counts.get((name, state), 0) for state in UNSETTLED):
                line = self._line(
                    f"destination {name}",
                    "not-configured",
                    code="destination-not-configured",
                    what=f"Objects wait for {name}, which is not configured any more: {waiting}.",
                    action="Call IT: configure it again, or move its queue to another destination.",
                )
                lines.append({**line, "name": name, "required": False, **numbers})
        return lines

    def _first_held(self, destination: str) -> Json:
        first = self._context.spool.deliveries.first_stopped(destination)
        return {"code": first.code, "what": first.reason} if first else {}

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

    def _procedure_steps(self, forward: Json | None) -> list[Json]:
        counts = self._context.spool.steps.counts()
        said = {each.get("name"): each for each in (forward or {}).get("procedure_steps", [])}
        lines = []
        for server in self._context.settings.procedure_steps:
            found: Json = said.get(server.name, {})
            numbers = {str(state): counts.get((server.name, state), 0) for state in UNTOLD}
            state = found.get("state") or ("unknown" if forward is None else OK)
            if numbers["held"] and state == OK:
                state = "held"
            line = self._line(
                f"procedure_step {server.name}",
                state,
                code=found.get("code", ""),
                what=found.get("what", ""),
                action="" if state == OK else "Pictures are not affected. Call IT if it lasts.",
            )
            lines.append({**line, "name": server.name, "since": found.get("since", line["since"]), **numbers})
        return [*lines, *self._unheard(counts)]

    def _unheard(self, counts: Mapping[tuple[str, MessageState], int]) -> list[Json]:
        """Name the servers that left the configuration while messages waited for them."""
        configured = {server.name for server in self._context.settings.procedure_steps}
        lines = []
        for name in sorted({name for name, _ in counts} - configured):
            numbers = {str(state): counts.get((name, state), 0) for state in UNTOLD}
            line = self._line(
                f"procedure_step {name}",
                "not-configured",
                code="step-server-not-configured",
                what=f"Waiting for {name}, which is not configured any more: {sum(numbers.values())}.",
                action="Pictures are not affected. Call IT: configure it again, or give these messages up.",
            )
            lines.append({**line, "name": name, **numbers})
        return lines

    def _disk(self, capture: Json | None, forward: Json | None) -> Json:
        """Return the one alarm for the disk, whichever process met it first."""
        try:
            seen = self._context.spool.space.view()
        except SpoolError as error:
            return {**self._line("disk", Level.FAILED, code=error.code, what=error.what, action=error.action)}
        state, code, what, action = str(seen.level), seen.code, seen.what, seen.action
        if seen.level is not Level.FULL and (trouble := _refused(capture, forward)):
            kind = DiskFull if trouble["code"] == DiskFull.code else DiskFailed
            state = Level.FULL if kind is DiskFull else Level.FAILED
            code, what, action = kind.code, trouble["what"], kind.action
        line = self._line("disk", state, code=code, what=what, action=action)
        return {
            **line,
            "free_mb": seen.room.free // MB,
            "total_mb": seen.room.total // MB,
            "reserve_mb": seen.room.held // MB,
            "stills_left": seen.stills,
            "clip_seconds_left": seen.clip_seconds,
        }

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

    def _second_door(self) -> Json:
        """Say whether browsers of the network can come in."""
        lan = self._context.settings.panel.lan
        if lan is None:
            line = self._line("second door", "off", code="", what="", action="")
            return {**line, "listens_at": ""}
        said = self._context.live["panel"].read()
        listens_at = str((said or {}).get("lan", ""))
        shut = said is not None and not listens_at
        line = self._line(
            "second door",
            "unknown" if said is None else "shut" if shut else "open",
            code="door-shut" if shut else "",
            what="Browsers of the network cannot come in." if shut else "",
            action="Make an administrator; then look at certificate, key and address of [panel] lan."
            if shut
            else "",
        )
        return {**line, "listens_at": listens_at}

    def _line(self, name: str, state: str, *, code: str, what: str, action: str) -> dict[str, Any]:
        since = self._since.of(name, state)
        return {"name": name, "state": state, "since": since, "code": code, "what": what, "action": action}


def _refused(capture: Json | None, forward: Json | None) -> Json | None:
    """Return why the disk refused one of the processes, if it did.

    A clip whose DICOM copy finds no room keeps nobody from taking stills: that is no alarm.
    """
    said = [(capture or {}).get("disk") or {}]
    said += [
        each for name, each in ((forward or {}).get("troubles") or {}).items() if name != "wrap" or _fails(each)
    ]
    return next((each for each in said if _fails(each) or each.get("code") == DiskFull.code), None)


def _fails(said: Json) -> bool:
    return bool(said.get("code") == DiskFailed.code)
