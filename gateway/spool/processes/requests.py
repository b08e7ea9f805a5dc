"""Work that one process asks of another: a row that its owner executes. The caller polls for the answer."""

import json
import sqlite3
from dataclasses import dataclass, replace
from typing import Any

from gateway.clock import Clock
from gateway.errors import NotFound, RequestReused, ScopegateError
from gateway.model import RequestState
from gateway.spool.database import Database

_KEPT_S = 86_400
_TOO_LATE = {"code": "too-late", "what": "Nobody began this in time."}


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One piece of work. `answer` is JSON: the result when done, code and text when failed."""

    id: str
    kind: str
    arguments: dict[str, Any]
    state: RequestState
    answer: dict[str, Any]


class Requests:
    """The table `request`."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def ask(self, kind: str, arguments: dict[str, Any], *, deadline_s: float) -> str:
        """Enter a request and return its id; one that nobody began within `deadline_s` fails."""
        return self.file(kind, arguments, deadline_s=deadline_s)[0]

    def file(
        self, kind: str, arguments: dict[str, Any], *, deadline_s: float, identifier: str = ""
    ) -> tuple[str, bool]:
        """Enter a request as `ask` does; also say whether it is new.

        The same `identifier` with the same arguments is the same request, as long as its row is kept: a day. Raises
        RequestReused when it was used for another.
        """
        request, now = identifier or self._clock.token(16), self._clock.utc_ns()
        with self._database.write() as connection:
            row = connection.execute("SELECT kind, arguments FROM request WHERE id = ?", (request,)).fetchone()
            if row is not None:
                if (row["kind"], json.loads(row["arguments"])) != (kind, arguments):
                    raise RequestReused
                return request, False
            connection.execute(
                "DELETE FROM request WHERE rowid IN (SELECT rowid FROM request WHERE created_ns < ? LIMIT 100)",
                (now - int(_KEPT_S * 1e9),),
            )
            connection.execute(
                "INSERT INTO request (id, kind, arguments, state, deadline_ns, created_ns) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (request, kind, json.dumps(arguments), RequestState.WAITING, now + int(deadline_s * 1e9), now),
            )
        return request, True

    def get(self, request: str) -> Request:
        """Return the request as it stands. Raises NotFound."""
        with self._database.read() as connection:
            row = connection.execute("SELECT * FROM request WHERE id = ?", (request,)).fetchone()
        if row is None:
            raise NotFound("There is no such request.")
        return _request(row)

    def finished(self, kind: str) -> list[Request]:
        """Return those of this kind that came to an end and are kept, the newest first."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT * FROM request WHERE kind = ? AND state IN ('done', 'failed') "
                "ORDER BY created_ns DESC, rowid DESC LIMIT 50",
                (kind,),
            ).fetchall()
        return [_request(row) for row in rows]

    def newest(self, kind: str) -> Request | None:
        """Return the one of this kind that was asked for last, within a day; what nobody began in time has failed.

        The clock may have been set since: rows stand in the order in which they were asked for, and nobody knows
        how old one is that is more than a day ahead.
        """
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT * FROM request WHERE kind = ? ORDER BY rowid DESC LIMIT 1", (kind,)
            ).fetchone()
        if row is None or abs(self._clock.utc_ns() - row["created_ns"]) > _KEPT_S * 1e9:
            return None
        found = _request(row)
        late = found.state is RequestState.WAITING and row["deadline_ns"] < self._clock.utc_ns()
        return replace(found, state=RequestState.FAILED, answer=_TOO_LATE) if late else found

    def running(self, kind: str) -> bool:
        """Say whether one of this kind waits or is worked on."""
        with self._database.read() as connection:
            found = connection.execute(
                "SELECT 1 FROM request WHERE kind = ? AND (state = 'running' OR (state = 'waiting' "
                "AND deadline_ns >= ?)) LIMIT 1",
                (kind, self._clock.utc_ns()),
            ).fetchone()
        return found is not None

    def begin(self, kind: str) -> Request | None:
        """Take the oldest waiting request of this kind, or None; what waited past its deadline fails."""
        with self._database.write() as connection:
            connection.execute(
                "UPDATE request SET state = 'failed', answer = ? WHERE kind = ? AND state = 'waiting' "
                "AND deadline_ns < ?",
                (
                    json.dumps(_TOO_LATE),
                    kind,
                    self._clock.utc_ns(),
                ),
            )
            row = connection.execute(
                "UPDATE request SET state = 'running' WHERE id = (SELECT id FROM request WHERE kind = ? "
                "AND state = 'waiting' ORDER BY created_ns, rowid LIMIT 1) RETURNING id",
                (kind,),
            ).fetchone()
        return None if row is None else self.get(row["id"])

    def drop(self, request: str) -> None:
        """Forget a request at once: what it asked for is nobody's business any more."""
        with self._database.write() as connection:
            connection.execute("DELETE FROM request WHERE id = ?", (request,))

    def progress(self, request: Request, so_far: dict[str, Any]) -> None:
        """Say how far a running request is: its answer until it has one."""
        self._settle(request, RequestState.RUNNING, so_far)

    def done(self, request: Request, answer: dict[str, Any]) -> None:
        self._settle(request, RequestState.DONE, answer)

    def failed(self, request: Request, error: ScopegateError) -> None:
        self._settle(
            request,
            RequestState.FAILED,
            {"code": error.code, "what": error.what, "safe": error.safe, "action": error.action},
        )

    def forget_running(self) -> None:
        """Fail what an owner that is gone was working on; called by its successor at start."""
        answer = json.dumps({"code": "interrupted", "what": "The process that worked on this ended."})
        with self._database.write() as connection:
            connection.execute("UPDATE request SET state = 'failed', answer = ? WHERE state = 'running'", (answer,))

    def _settle(self, request: Request, state: RequestState, answer: dict[str, Any]) -> None:
        with self._database.write() as connection:
            connection.execute(
                "UPDATE request SET state = ?, answer = ? WHERE id = ? AND state = 'running'",
                (state, json.dumps(answer), request.id),
            )


def _request(row: sqlite3.Row) -> Request:
    return Request(
        id=row["id"],
        kind=row["kind"],
        arguments=json.loads(row["arguments"]),
        state=RequestState(row["state"]),
        answer=json.loads(row["answer"] or "{}"),
    )
