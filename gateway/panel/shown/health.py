"""How the box itself is, line by line, each with what to do. Looks; changes nothing."""

import threading
from collections.abc import Sequence
from typing import Any

from gateway.clock import Clock
from gateway.config.settings import Settings, Sign, Trigger
from gateway.errors import DiskFailed, DiskFull, SpoolError, TooHot
from gateway.panel.shown import answers
from gateway.panel.shown.answers import Json
from gateway.spool.disk.room import MB, Level
from gateway.spool.spool import Spool

OK = "ok"
_ADVICE = {
    "capture": "It starts again by itself within seconds; call service if it stays away.",
    "forward": "It starts again by itself; pictures are stored meanwhile. Call service if it stays away.",
}
GONE = {"code": "capture-gone", "what": "The capture process does not run.", "action": _ADVICE["capture"]}
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


class Lines:
    """Makes lines of health, and remembers since when each is in its state."""

    def __init__(self, clock: Clock) -> None:
        self._since = Since(clock)

    def of(self, name: str, state: str, *, code: str = "", what: str = "", action: str = "") -> dict[str, Any]:
        since = self._since.of(name, state)
        return {"name": name, "state": state, "since": since, "code": code, "what": what, "action": action}


class BoxHealth:
    """Processes, devices, disk, clock, heat and power of this box, from what the processes say of themselves."""

    def __init__(self, *, spool: Spool, settings: Settings, clock: Clock, lines: Lines) -> None:
        self._spool = spool
        self._settings = settings
        self._clock = clock
        self._lines = lines

    def process(self, name: str, said: Json | None) -> Json:
        if trouble := (said or {}).get("trouble"):
            return self._lines.of(name, "waiting", **trouble)
        state = OK if said is not None else "gone"
        return self._lines.of(
            name,
            state,
            code="" if said is not None else f"{name}-gone",
            what="" if said is not None else f"The {name} process does not run.",
            action="" if said is not None else _ADVICE[name],
        )

    def sources(self, capture: Json | None) -> list[Json]:
        said = {source["name"]: source for source in (capture or {}).get("sources", [])}
        absent = (capture or {}).get("trouble") or GONE
        lines = []
        for source in self._settings.sources:
            found = said.get(source.name)
            state = found["state"] if found else "unknown"
            line = self._lines.of(
                f"source {source.name}",
                state,
                code=found.get("code", "") if found else absent["code"],
                what=found.get("what", "") if found else absent["what"],
                action=found.get("action", "") if found else absent["action"],
            )
            lines.append({**line, "name": source.name, "since": (found or line).get("since", line["since"])})
        return lines

    def attached(
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
            line = self._lines.of(
                f"{word} {name}",
                state,
                code=code if missing else "",
                what=found["what"] if found and missing else "",
                action=_PLUG if missing else "",
            )
            lines.append({**line, "name": name, "device": each.device})
        return lines

    def disk(self, capture: Json | None, forward: Json | None) -> Json:
        """Return the one alarm for the disk, whichever process met it first."""
        try:
            seen = self._spool.space.view()
        except SpoolError as error:
            return {**self._lines.of("disk", Level.FAILED, code=error.code, what=error.what, action=error.action)}
        state, code, what, action = str(seen.level), seen.code, seen.what, seen.action
        if seen.level is not Level.FULL and (trouble := _refused(capture, forward)):
            kind = DiskFull if trouble["code"] == DiskFull.code else DiskFailed
            state = Level.FULL if kind is DiskFull else Level.FAILED
            code, what, action = kind.code, trouble["what"], kind.action
        line = self._lines.of("disk", state, code=code, what=what, action=action)
        return {
            **line,
            "free_mb": seen.room.free // MB,
            "total_mb": seen.room.total // MB,
            "reserve_mb": seen.room.held // MB,
            "stills_left": seen.stills,
            "clip_seconds_left": seen.clip_seconds,
        }

    def clock(self) -> Json:
        now = self._clock.now()
        line = self._lines.of(
            "clock",
            OK if now.trusted else "untrusted",
            code="" if now.trusted else "clock-untrusted",
            what="" if now.trusted else "The clock may be wrong: it was never set since the box started.",
            action="" if now.trusted else "Check date and time before the first picture.",
        )
        return {**line, "utc": answers.moment(now.utc)}

    def listener(self, forward: Json | None) -> Json:
        """Say whether other systems can reach the box to report; what it sends does not depend on it."""
        said = (forward or {}).get("listener")
        state = "unknown" if forward is None else "shut" if said else OK
        return self._lines.of("listener", state, **(said or {}))

    def heat(self, capture: Json | None) -> Json:
        """Say whether it is too hot for clips (SYS-03)."""
        said = (capture or {}).get("machine") or {}
        state, celsius = said.get("heat", "unknown"), said.get("celsius")
        hot = state == "hot"
        line = self._lines.of(
            "heat",
            state,
            code=TooHot.code if hot else "",
            what=f"The box is hot ({celsius} °C): clips are off until it cools." if hot else "",
            action="Check that its vents are free; call service if it stays." if hot else "",
        )
        return {**line, "celsius": celsius}

    def power(self, capture: Json | None) -> Json:
        """Say whether the supply is too weak (SYS-04), where the machine tells."""
        state = ((capture or {}).get("machine") or {}).get("power", "unknown")
        weak = state == "weak"
        return self._lines.of(
            "power",
            state,
            code="undervoltage" if weak else "",
            what="The box gets too little power." if weak else "",
            action="Use the power supply and the cable that belong to it; call service if it stays."
            if weak
            else "",
        )

    def second_door(self, panel: Json | None) -> Json:
        """Say whether browsers of the network can come in."""
        lan = self._settings.panel.lan
        if lan is None:
            line = self._lines.of("second door", "off", code="", what="", action="")
            return {**line, "listens_at": ""}
        listens_at = str((panel or {}).get("lan", ""))
        shut = panel is not None and not listens_at
        line = self._lines.of(
            "second door",
            "unknown" if panel is None else "shut" if shut else "open",
            code="door-shut" if shut else "",
            what="Browsers of the network cannot come in." if shut else "",
            action="Make an administrator; then look at “Browsers of the clinic's network”." if shut else "",
        )
        return {**line, "listens_at": listens_at}


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
