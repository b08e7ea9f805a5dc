"""The demo's own use of the HTTP API: JSON in and out, each call with its deadline. Knows no exam."""

import hashlib
import http.client
import json
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from gateway.clock import Clock
from gateway.demo.failed import DemoFailed
from gateway.demo.peer import LOOPBACK
from gateway.dicom import part10

Json = dict[str, Any]
_TIMEOUT_S = 30.0
_PIECE = 1 << 20  # bytes


class PanelAway(DemoFailed):
    """The panel does not answer."""

    code = "panel-away"


class ApiRefused(DemoFailed):
    """The panel refused a call. `status`: of HTTP."""

    status = 0


class Api:
    """`/api/v1` of one panel on this machine."""

    def __init__(self, port: int, clock: Clock) -> None:
        self._port = port
        self._clock = clock

    def get(self, path: str) -> Json:
        """Return an answer. Raises ApiRefused, PanelAway."""
        return _accepted(*self._call("GET", path))

    def post(self, path: str, body: Json | None = None) -> Json:
        """Return the answer to a call that may be made twice. Raises ApiRefused, PanelAway."""
        return _accepted(*self._call("POST", path, body or {}))

    def create(self, path: str, body: Json | None = None) -> Json:
        """Return the answer to a call that creates something, under a request id. Raises ApiRefused, PanelAway."""
        return self.creating(path, body)()

    def creating(self, path: str, body: Json | None = None) -> Callable[[], Json]:
        """Return the same as a call that may be made again: it has one request id, and creates nothing twice."""
        return partial(self.post, path, {**(body or {}), "request_id": self._request_id()})

    def health(self) -> tuple[bool, Json]:
        """Return whether pictures can be captured safely, and what is said of everything. Raises PanelAway."""
        status, answer = self._call("GET", "/health")
        return status == http.HTTPStatus.OK, answer

    def object_digest(self, sop_instance_uid: str) -> str:
        """Return the SHA-256 of a sealed object's data set, as the box has it. Raises ApiRefused, PanelAway."""
        connection = self._connection()
        try:
            connection.request("GET", f"/api/v1/captures/{sop_instance_uid}/dicom")
            response = connection.getresponse()
            if response.status != http.HTTPStatus.OK:
                _accepted(response.status, _object(response.read()))
            return data_set_digest(response)
        except (OSError, http.client.HTTPException) as error:
            raise PanelAway from error
        finally:
            connection.close()

    def _request_id(self) -> str:
        return str(UUID(int=int(self._clock.uid().rpartition(".")[2])))  # a 2.25 UID is a UUID in decimal

    def _call(self, method: str, path: str, body: Json | None = None) -> tuple[int, Json]:
        connection = self._connection()
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(method, f"/api/v1{path}", sent, {"content-type": "application/json"})
            response = connection.getresponse()
            return response.status, _object(response.read())
        except (OSError, http.client.HTTPException) as error:
            raise PanelAway from error
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(LOOPBACK, self._port, timeout=_TIMEOUT_S)


def data_set_digest(file: Any) -> str:  # noqa: ANN401 - whatever can be read: a file, an answer
    """Return the SHA-256 of a DICOM file's data set, without the meta information in front of it."""
    start = file.read(_PIECE)
    digest = hashlib.sha256(start[part10.read_meta(start).length :])
    while piece := file.read(_PIECE):
        digest.update(piece)
    return digest.hexdigest()


def _accepted(status: int, answer: Json) -> Json:
    if status < http.HTTPStatus.BAD_REQUEST:
        return answer
    words = " ".join(filter(None, (answer.get("what"), answer.get("safe"))))
    refused = ApiRefused(words or f"The panel answered {status}.", code=str(answer.get("code") or "panel"))
    refused.status = status
    raise refused


def _object(raw: bytes) -> Json:
    try:
        answer = json.loads(raw)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
