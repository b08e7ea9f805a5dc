"""Names the durable steps of each process, by what the product writes.

A step is a call of the operating system or a commit, and what it is about: "sync still". The names of the files
stand in gateway/spool/paths.py, those of the tables in gateway/spool/schema_*.sql.
"""

import re
from pathlib import Path

ROLES = ("capture", "forward", "panel")
WHEN = ("before", "after")
_MADE = ("create", "write", "sync", "rename")


def _made(*things: str) -> tuple[tuple[str, str], ...]:
    """Return what it takes to have files of these kinds, durably."""
    return tuple((kind, what) for what in things for kind in _MADE)


_BY_ROLE: dict[str, tuple[tuple[str, str], ...]] = {
    "capture": (
        *_made("still", "sidecar", "clip pictures", "clip index"),
        ("sync", "folder"),
        ("commit", "capture rows"),
    ),
    "forward": (
        *_made("object", "seal", "sums", "exam", "step beginning", "step end"),
        *_made("medium object", "medium directory", "medium copy"),
        ("make", "medium folder"),
        ("sync", "medium folder"),
        ("remove", "still"),
        ("remove", "clip pictures"),
        ("remove", "clip index"),
        ("create", "audit"),
        ("write", "audit"),
        ("sync", "audit"),
        ("sync", "folder"),
        *(("commit", f"{what} rows") for what in ("exam", "seal", "sums", "delivery", "commitment", "step")),
        *(("commit", f"{what} rows") for what in ("worklist", "request", "destination")),
    ),
    "panel": (
        ("make", "folder"),
        *_made("exam", "order", "tombstone"),
        ("remove", "tombstone"),
        ("create", "audit"),
        ("write", "audit"),
        ("sync", "audit"),
        ("sync", "folder"),
        *(("commit", f"{what} rows") for what in ("exam", "capture", "request")),
    ),
}
# What only a box does that is set up that way; all of it is the forward process's.
AT_ONCE = (*_made("released mark"), ("commit", "capture rows"))
PURGING = (*_made("purged mark"), ("remove", "object"), ("remove", "sums"), ("commit", "purging rows"))
FILMING = (("create", "film"), ("remove", "film"))  # where clips become H.264
STILLS = _made("key still plan")  # and where stills go in place of clips: never on the same box
# What is done again and again while JPEG is made of a backlog of H.264: killing_jpeg.py.
RUNG = (
    *_made("key still plan", "object", "seal"),
    *FILMING,
    *(("commit", f"{what} rows") for what in ("seal", "delivery", "destination")),
)


def named(steps: tuple[tuple[str, str], ...]) -> list[str]:
    """Return the names of the moments before and after these steps."""
    return [f"{when} {kind} {what}" for kind, what in steps for when in WHEN]


RARE = AT_ONCE + PURGING + FILMING + STILLS
STEPS: dict[str, list[str]] = {
    role: named((*steps, *(RARE if role == "forward" else ()))) for role, steps in _BY_ROLE.items()
}
_NAMES = {
    "exam.json": "exam",
    "SHA256SUMS": "sums",
    "retention.json": "age",
    "capture.start": "start count",
    "reserve": "reserve",
    "DICOMDIR": "medium directory",
    "README.TXT": "medium text",
}
_PATTERNS = tuple(
    (re.compile(pattern), what)
    for pattern, what in (
        (r".*\.lock", "lock"),
        (r"order(-\d+)?(-and-\d+)?\.dcm", "order"),
        (r"step-.+\.create\.dcm", "step beginning"),
        (r"step-.+\.set\.dcm", "step end"),
        (r".+\.key-stills-\d+", "key still plan"),
        (r"I\d{7}", "medium object"),
        (r".+\.(JPG|MP4)", "medium copy"),
        (r"audit\..+", "audit"),
        (r"scopegate\.db.*", "index"),
        (r".+\.probe", "probe"),
    )
)
_SUFFIXES = {
    ".ljpg": "still",
    ".jpg": "still",
    ".json": "sidecar",
    ".frames": "clip pictures",
    ".index": "clip index",
    ".mp4": "film",
    ".rejected": "tombstone",
    ".released": "released mark",
    ".purged": "purged mark",
    ".dcm": "object",
    ".seal": "seal",
}
_WRITES = re.compile(r"\s*(INSERT INTO|UPDATE|DELETE FROM) (\w+)(?: SET (\w+))?")
_TABLES = {
    "object": "seal",
    "step_message": "step",
    "worklist_item": "worklist",
    "worklist_server": "worklist",
    "commitment_item": "commitment",
}
_COLUMNS = {("object", "listed"): "sums", ("capture", "settled_why"): "purging", ("capture", "purged"): "purging"}


def subject(path: Path) -> str:
    """Name what a path of the data folder, or of a medium, is."""
    name = path.name.removesuffix(".part")
    if name in _NAMES:
        return _NAMES[name]
    for pattern, what in _PATTERNS:
        if pattern.fullmatch(name):
            return what
    return _SUFFIXES.get(path.with_name(name).suffix, "folder" if path.is_dir() else "other")


def rows(statement: str) -> str:
    """Name what a statement changes, "" when it changes nothing."""
    found = _WRITES.match(statement)
    if not found:
        return ""
    _, table, column = found.groups()
    return f"{_COLUMNS.get((table, column)) or _TABLES.get(table, table)} rows"
