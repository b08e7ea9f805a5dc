"""Looks for a patient at the worklist servers, beyond the days of the list, because a person asked for it."""

import logging
import re
from typing import Any

from gateway.config.settings import Worklist
from gateway.errors import WorklistError
from gateway.forward import noting
from gateway.forward.asking import Servers
from gateway.log import event
from gateway.model import WorklistItem
from gateway.spool.processes.requests import Request
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)
SEARCH = "worklist-search"  # the kind of request that this module executes
_DEADLINE_S = 8.0  # for one question to one server
_MOST = 200  # entries; a person does not read more
_LONGEST_ACCESSION = 16  # an SH
_NO_LETTERS = re.compile(r"[*?\\^=,]+")  # wildcards and separators (PS3.4 C.2.2.2.4)


class Searcher:
    """Asks every configured worklist server for what somebody typed; what they have is added to the list."""

    def __init__(self, *, spool: Spool, servers: Servers, deadline_s: float = _DEADLINE_S) -> None:
        self._spool = spool
        self._servers = servers
        self._deadline_s = deadline_s

    def step(self) -> bool:
        """Answer one request, if there is one. Raises SpoolError."""
        request = self._spool.requests.begin(SEARCH)
        if request is None:
            return False
        answers = [self._search(server, request) for server in self._servers.every]
        self._spool.requests.done(request, {"servers": answers})
        return True

    def _search(self, server: Worklist, request: Request) -> dict[str, Any]:
        found: dict[str, WorklistItem] = {}
        try:
            for sought in questions(str(request.arguments.get("text", ""))):
                items = self._servers.ask(server, deadline_s=self._deadline_s, most=_MOST, sought=sought)
                found.update((item.id, item) for item in items)
        except WorklistError as error:
            noting.note(self._spool, "worklist-searched", server=server.name, failed=error.code)
            return {"server": server.name, "ok": False, "code": error.code, "what": error.what}
        self._spool.worklist.add(server.name, list(found.values()))
        noting.note(self._spool, "worklist-searched", server=server.name, items=len(found))
        event(_log, "worklist_searched", server=server.name, items=len(found))
        return {"server": server.name, "ok": True, "items": len(found)}


def questions(text: str) -> list[dict[str, str]]:
    """Return what to ask for: a text with digits is an ID or an accession number, another one begins a name.

    Of several words the first is the family name's; who reads the list compares the others. A letter beyond ASCII
    stands as `?`, because servers read a question's letters in character sets of their own.
    """
    words = _NO_LETTERS.sub(" ", text).split()
    whole = " ".join(words)
    if not whole:
        return []
    if any(sign.isdigit() for sign in whole):
        number = [{"AccessionNumber": whole}] if len(whole) <= _LONGEST_ACCESSION else []
        return [{"PatientID": whole[:64]}, *number]
    name = words[0][:60]
    plain = "".join(letter if letter.isascii() else "?" for letter in name)
    return [{"PatientName": f"{plain if plain.strip('?') else name}*"}]
