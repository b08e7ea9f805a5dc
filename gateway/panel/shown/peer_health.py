"""How the other systems are: archives, worklist servers, procedure step servers, and what waits for each."""

from collections.abc import Mapping

from gateway.config.settings import Settings
from gateway.model import UNSETTLED, UNTOLD, DeliveryState, MessageState
from gateway.panel.shown import answers
from gateway.panel.shown.answers import Json
from gateway.panel.shown.health import OK, Lines
from gateway.spool.spool import Spool


class PeerHealth:
    """From the index, and from what the forward process says of itself. Asks nobody."""

    def __init__(self, *, spool: Spool, settings: Settings, lines: Lines) -> None:
        self._spool = spool
        self._settings = settings
        self._lines = lines

    def destinations(self, forward: Json | None) -> list[Json]:
        counts = self._spool.deliveries.counts()
        stopped = self._spool.deliveries.stopped()
        said = {each.get("name"): each for each in (forward or {}).get("destinations", [])}
        lines = []
        for destination in self._settings.destinations:
            numbers = {str(state): counts.get((destination.name, state), 0) for state in DeliveryState}
            found: Json = said.get(destination.name, {})
            elsewhere = found.get("sent_to_the_one_before")
            state = found.get("state") or ("unknown" if forward is None else OK)
            if state == OK and (proof := found.get("proof") or {}).get("state", OK) != OK:
                state, found = "unconfirmed", proof  # it takes the pictures but does not say that it has them
            if stopped.get(destination.name) and state == OK:
                state, found = "held", self._first_held(destination.name)
            line = self._lines.of(
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

    def worklists(self) -> list[Json]:
        known = {state.server: state for state in self._spool.worklist.servers()}
        lines = []
        for worklist in self._settings.worklists:
            found = known.get(worklist.name)
            state = OK if found and found.answered_ns and not found.code else "failed" if found else "never-asked"
            line = self._lines.of(
                f"worklist {worklist.name}",
                state,
                code=found.code if found else "",
                what=found.problem if found else "",
                action="" if state == OK else "Type the patient or start without patient; call IT if it lasts.",
            )
            answered = answers.instant(found.answered_ns) if found else None
            lines.append({**line, "name": worklist.name, "answered_at": answered})
        return lines

    def procedure_steps(self, forward: Json | None) -> list[Json]:
        counts = self._spool.steps.counts()
        said = {each.get("name"): each for each in (forward or {}).get("procedure_steps", [])}
        lines = []
        for server in self._settings.procedure_steps:
            found: Json = said.get(server.name, {})
            numbers = {str(state): counts.get((server.name, state), 0) for state in UNTOLD}
            state = found.get("state") or ("unknown" if forward is None else OK)
            if numbers["held"] and state == OK:
                state = "held"
            line = self._lines.of(
                f"procedure_step {server.name}",
                state,
                code=found.get("code", ""),
                what=found.get("what", ""),
                action="" if state == OK else "Pictures are not affected. Call IT if it lasts.",
            )
            lines.append({**line, "name": server.name, "since": found.get("since", line["since"]), **numbers})
        return [*lines, *self._unheard(counts)]

    def audit(self, forward: Json | None) -> list[Json]:
        """Return the line about the audit repository, none where none is configured."""
        repository = self._settings.audit
        if repository is None:
            return []
        found: Json = (forward or {}).get("audit", {})
        state = found.get("state") or ("unknown" if forward is None else OK)
        line = self._lines.of(
            "audit repository",
            state,
            code=found.get("code", ""),
            what=found.get("what", ""),
            action="" if state == OK else "Pictures are not affected. Call IT if it lasts.",
        )
        facts = {"name": repository.host, "since": found.get("since", line["since"])}
        return [{**line, **facts, "waiting": found.get("waiting", 0)}]

    def _orphans(self, counts: Mapping[tuple[str, DeliveryState], int]) -> list[Json]:
        """Name the destinations that left the configuration with a queue: it is kept, and somebody must know."""
        configured = {destination.name for destination in self._settings.destinations}
        lines = []
        for name in sorted({name for name, _ in counts} - configured):
            numbers = {str(state): counts.get((name, state), 0) for state in DeliveryState}
            if waiting := sum(counts.get((name, state), 0) for state in UNSETTLED):
                line = self._lines.of(
                    f"destination {name}",
                    "not-configured",
                    code="destination-not-configured",
                    what=f"Objects wait for {name}, which is not configured any more: {waiting}.",
                    action="Call IT: configure it again, or move its queue to another destination.",
                )
                lines.append({**line, "name": name, "required": False, **numbers})
        return lines

    def _first_held(self, destination: str) -> Json:
        first = self._spool.deliveries.first_stopped(destination)
        return {"code": first.code, "what": first.reason} if first else {}

    def _unheard(self, counts: Mapping[tuple[str, MessageState], int]) -> list[Json]:
        """Name the servers that left the configuration while messages waited for them."""
        configured = {server.name for server in self._settings.procedure_steps}
        lines = []
        for name in sorted({name for name, _ in counts} - configured):
            numbers = {str(state): counts.get((name, state), 0) for state in UNTOLD}
            line = self._lines.of(
                f"procedure_step {name}",
                "not-configured",
                code="step-server-not-configured",
                what=f"Waiting for {name}, which is not configured any more: {sum(numbers.values())}.",
                action="Pictures are not affected. Call IT: configure it again, or give these messages up.",
            )
            lines.append({**line, "name": name, **numbers})
        return lines
