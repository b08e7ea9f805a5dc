"""The words that stand for patients on this box and its worklist, read a part at a time. Changes nothing."""

import json
import re
from collections.abc import Iterator

from gateway.spool.spool import Spool

_ROWS = 10_000  # read at once: some 10 MB of words, and a look through every text for each
_SHORTEST = 3  # signs of a number: shorter ones are parts of every text
_BETWEEN = re.compile(r"[\^= ]")
_FIELDS = (
    "json_array(json_extract(document, '$.patient.name'), json_extract(document, '$.patient.id'), "
    "json_extract(document, '$.patient.birth_date'), json_extract(document, '$.procedure.accession_number'))"
)
_FURTHER = "json_extract(further.value, '$.procedure.accession_number')"
_EXAMS = (
    f"SELECT id AS at, {_FIELDS} AS words, "  # noqa: S608 - fixed words
    f"(SELECT json_group_array({_FURTHER}) FROM json_each(exam.document, '$.further') AS further) AS numbers "
    "FROM exam WHERE id > ? ORDER BY id LIMIT ?"
)
_ITEMS = (
    f"SELECT rowid AS at, {_FIELDS} AS words, '[]' AS numbers "  # noqa: S608 - fixed words
    "FROM worklist_item WHERE rowid > ? ORDER BY rowid LIMIT ?"
)


def batches(spool: Spool) -> Iterator[set[str]]:
    """Yield parts of a patient's name, IDs, birth dates and accession numbers, of some thousand patients at a time.

    Raises SpoolError.
    """
    for statement, before in ((_EXAMS, ""), (_ITEMS, -1)):
        last: str | int | None = before
        while last is not None:
            with spool.database.read() as connection:
                rows = connection.execute(statement, (last, _ROWS)).fetchall()
            words = set[str]()
            for row in rows:
                words |= _words(json.loads(row["words"]), json.loads(row["numbers"]))
            if words:
                yield words
            last = rows[-1]["at"] if rows else None


def _words(fields: list[str | None], further: list[str | None]) -> set[str]:
    name, *numbers = (each or "" for each in (*fields, *further))
    words = {number for number in numbers if len(number) >= _SHORTEST}
    return words | {word for word in _BETWEEN.split(name) if len(word) > 1 or (word and not word.isascii())}
