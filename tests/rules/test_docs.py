"""What the documents say is what the code does: tables, examples, commands, addresses, codes, defaults.

Tables between `<!-- table: NAME -->` and `<!-- end -->` are made here; `python tests/rules/test_docs.py` writes
them anew.
"""

import ast
import json
import re
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from gateway import errors
from gateway.capture.recording import End
from gateway.config.settings import Worklist
from gateway.dicom import copies
from gateway.forward.proving import parts as proving
from gateway.forward.proving import proof
from gateway.forward.sending import step_sender
from gateway.machine import locks
from gateway.machine.encryption import closed, guarding
from gateway.machine.encryption import service as encryption
from gateway.machine.repair import desk as repair
from gateway.machine.repair import pieces, rescue
from gateway.machine.update import proving as box_proving
from gateway.machine.update import refusals
from gateway.model import PleaseCheck
from gateway.net import commitment as net_commitment
from gateway.net import statuses, step_statuses, webanswers
from gateway.net import worklist as net_worklist
from gateway.panel import problems
from gateway.panel.calls import exams as exam_calls
from gateway.panel.self_test.check import TROUBLES
from gateway.panel.stored_data import troubles as stored
from gateway.spool import states
from gateway.spool.disk import space
from gateway.spool.queue import deliveries
from hardware import errors as device_errors
from hardware import profiles
from tests import attribute_table

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
OPENAPI = json.loads((ROOT / "gateway/panel/calls/openapi.json").read_text())
MARK = re.compile(r"(<!-- table: ([a-z-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
SCREEN_CODE = re.compile(r"\b(?:VID|WL|SYS|TIM|NET|PAC|STO|IN)-\d\d\b")


# --- what the documents are made of --------------------------------------------------------------------------


def table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(titles)
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |\n" for row in lines)


def kinds(root: type) -> Iterator[type]:
    for kind in root.__subclasses__():
        if not kind.__module__.startswith("gateway.demo"):
            yield kind
            yield from kinds(kind)


def summary(kind: type) -> str:
    return (kind.__doc__ or "").splitlines()[0].split(" `status`")[0]


def error_table() -> str:
    root = closed, locks, guarding, encryption, refusals, box_proving, repair, rescue, pieces
    ours = (errors, problems, *root)
    found = [errors.ScopegateError, *kinds(errors.ScopegateError)]
    known = [kind for kind in found if kind.__module__ in {module.__name__ for module in ours}]
    mine = sorted(known, key=lambda kind: (kind.code, kind.__qualname__))
    rows = [
        (
            f"`{k.code}`",
            "A mistake in the program." if k is errors.ScopegateError else summary(k),
            k.safe or "-",
            k.action,
        )
        for k in mine
    ]
    return table(("code", "what happened", "is the work safe", "what to do"), rows)


def device_table() -> str:
    found = [device_errors.DeviceError, *kinds(device_errors.DeviceError)]
    return table(("code", "what happened"), [(f"`{kind.code}`", summary(kind)) for kind in found])


FAILING = [
    rule
    for rule in (*statuses.TABLE, statuses.UNKNOWN)
    if rule.meaning not in {statuses.Meaning.STORED, statuses.Meaning.STORED_WITH_WARNING}
]


def store_failure_table() -> str:
    rows: dict[str, list[statuses.Rule]] = {}
    for rule in FAILING:
        rows.setdefault(rule.code, []).append(rule)
    return table(
        ("code", "the archive", "status", "the box"),
        [
            (
                f"`{code}`",
                "; ".join(dict.fromkeys(rule.says for rule in rules)),
                ", ".join("any other" if rule is statuses.UNKNOWN else rule.statuses for rule in rules),
                str(rules[0].meaning),
            )
            for code, rules in rows.items()
        ],
    )


STEP_FAILING = [
    rule for rule in (*step_statuses.TABLE, step_statuses.UNKNOWN) if rule.create is not step_statuses.Meaning.TAKEN
]


def step_failure_table() -> str:
    rows: dict[str, list[step_statuses.Rule]] = {}
    for rule in STEP_FAILING:
        rows.setdefault(rule.code, []).append(rule)
    return table(
        ("code", "the server", "status"),
        [
            (
                f"`{code}`",
                "; ".join(dict.fromkeys(rule.says for rule in rules)),
                ", ".join(
                    "any other" if rule is step_statuses.UNKNOWN else f"{status:04X}"
                    for rule in rules
                    for status in rule.statuses
                ),
            )
            for code, rules in rows.items()
        ],
    )


def moves_table(*tables: states.Moves) -> str:
    found = [each for moves in tables for each in moves.items()]
    rows = [(f"`{old}`", f"`{new}`", str(owner), why) for (old, new), (owner, why) in found]
    return table(("from", "to", "by", "when"), rows)


def mapping_table() -> str:
    def named(place: str, keyword: str) -> str:
        return f"{place} > {keyword}" if place else keyword

    rows = [(named(place, keyword), named(source, taken)) for place, keyword, source, taken in copies.MAPPING]
    return table(("in the object", "from the worklist entry"), rows)


def worklist_table() -> str:
    server = Worklist(name="ris", ae_title="RIS", host="127.0.0.1", port=104, modality="US", station_ae_title="US1")
    query = net_worklist._query(server, date(2026, 11, 21))
    return table(("level", "keys"), [(level, ", ".join(found)) for level, found in levels(query, "entry")])


def levels(data_set: Dataset, name: str) -> Iterator[tuple[str, list[str]]]:
    yield name, [element.keyword for element in data_set if element.VR != "SQ"]
    for element in data_set:
        for item in element.value or () if element.VR == "SQ" else ():
            yield from levels(item, element.keyword)


def calls() -> Iterator[tuple[str, str, dict]]:
    for path, methods in OPENAPI["paths"].items():
        for method, call in methods.items():
            yield ("WS" if "101" in call["responses"] else method.upper()), path, call


def call_table() -> str:
    rows = [(f"`{method} {path}`", call["summary"], ", ".join(call["responses"])) for method, path, call in calls()]
    return table(("call", "does", "answers"), rows)


def decision_table() -> str:
    pages = sorted((DOCS / "decisions").glob("*.md"))
    titles = [re.sub(r"^# \d+[.:] ", "", page.read_text().splitlines()[0]) for page in pages]
    return table(
        ("no.", "decision"),
        [
            (str(int(page.name[:4])), f"[{title}](decisions/{page.name})")
            for page, title in zip(pages, titles, strict=True)
        ],
    )


def profile_table() -> str:
    found = {name: profiles.load(name) for name in profiles.names()}
    rows = ((f"`{name}`", each.title, "{} x {}".format(*each.view.size or "??")) for name, each in found.items())
    return table(("profile", "for", "delivered"), rows)


TABLES = {
    "profiles": profile_table,
    "errors": error_table,
    "device-errors": device_table,
    "store-failures": store_failure_table,
    "storage-statuses": statuses.as_markdown,
    "web-statuses": webanswers.as_markdown,
    "step-failures": step_failure_table,
    "step-statuses": step_statuses.as_markdown,
    "attributes": attribute_table.as_markdown,
    "mapping": mapping_table,
    "worklist-keys": worklist_table,
    "calls": call_table,
    "reasons": lambda: table(("word", "code"), [(f"`{w}`", code) for w, code in exam_calls.REASONS.items()]),
    "exam-states": lambda: moves_table(states.EXAM),
    "capture-states": lambda: moves_table(states.CAPTURE),
    "delivery-states": lambda: moves_table(states.DELIVERY, states.BY_PERSON),
    "step-message-states": lambda: moves_table(states.STEP_MESSAGE, states.GIVEN_UP),
    "request-states": lambda: moves_table(states.REQUEST),
    "commitment-states": lambda: moves_table(states.COMMITMENT),
    "failure-reasons": proof.as_markdown,
    "decisions": decision_table,
}


def renewed(text: str) -> str:
    return MARK.sub(lambda found: f"{found[1]}{TABLES[found[2]]()}{found[4]}", text)


# --- tables --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_table_that_the_code_knows_is_as_the_code_says(page):
    text = page.read_text()
    assert renewed(text) == text, "write it anew: .venv/bin/python tests/rules/test_docs.py"


def test_every_table_stands_in_some_document():
    shown = {found[2] for page in PAGES for found in MARK.finditer(page.read_text())}
    assert shown == set(TABLES)


# --- codes ---------------------------------------------------------------------------------------------------

DYNAMIC = {
    "worklist-{}": lambda: {
        f"worklist-{code}"
        for code in literal_codes(f"gateway/net/{name}.py" for name in ("association", "refusals", "tls"))
    },
    "clip-{}": lambda: {f"clip-{end}" for end in End if end is not End.ASKED},
    "{}-gone": lambda: {"capture-gone", "forward-gone"},
}


def expressions(path: Path) -> Iterator[ast.expr]:
    """Yield what stands behind `code=`, `code =` and `"code":` in a module."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef):
            for line in node.body:
                targets = line.targets if isinstance(line, ast.Assign) else [getattr(line, "target", None)]
                if any(isinstance(target, ast.Name) and target.id == "code" for target in targets):
                    yield line.value
        elif isinstance(node, ast.keyword) and node.arg == "code":
            yield node.value
        elif isinstance(node, ast.Dict):
            yield from (v for k, v in zip(node.keys, node.values, strict=True) if getattr(k, "value", "") == "code")


def codes_of(expression: ast.expr | None) -> Iterator[str]:
    if isinstance(expression, ast.IfExp):
        yield from codes_of(expression.body)
        yield from codes_of(expression.orelse)
    elif isinstance(expression, ast.Constant) and isinstance(expression.value, str) and expression.value:
        yield expression.value
    elif isinstance(expression, ast.JoinedStr):
        shape = "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in expression.values)
        yield from DYNAMIC[shape]()  # a new shape has to be explained above


def literal_codes(names: Iterable[str]) -> set[str]:
    return {code for name in names for expression in expressions(ROOT / name) for code in codes_of(expression)}


def codes_in_the_code() -> set[str]:
    modules = [
        path.relative_to(ROOT)
        for folder in ("gateway", "hardware")
        for path in (ROOT / folder).rglob("*.py")
        if path.parts[len(ROOT.parts) + 1] != "demo"
    ]
    shown = [
        *(ROOT / name for name in modules),
        *(ROOT / "gateway/panel").rglob("*.html"),
        *(ROOT / "gateway/panel").rglob("*.js"),
    ]
    found = literal_codes(map(str, modules)) | {rule.code for rule in FAILING}
    found |= {code for path in shown for code in SCREEN_CODE.findall(path.read_text())}
    found |= {
        deliveries.BEING_ERASED,
        deliveries.AFTER_REBUILD,
        deliveries.BY_PERSON,
        deliveries.LOST_BY_ARCHIVE,
        *deliveries.QUIET,
    } | {words[0] for words in problems._WORDS.values()}
    found |= {code for code in space.CODES.values() if code}
    found |= {row.code for row in webanswers.TABLE}
    found |= {rule.code for rule in STEP_FAILING} | {
        step_sender.TAKEN_BEFORE,
        step_sender.TAKEN_WITH_WARNING,
        step_sender.IN_DOUBT,
    }
    found |= {proof.NOT_COMMITTED, proof.NOT_FOUND, proof.REFUSED, proving.SILENT, net_commitment.REFUSED}
    found |= {"http"}  # what else starlette's router may refuse
    return found | set(PleaseCheck) | set(TROUBLES) | set(stored.TROUBLES)


def test_every_code_has_its_line_and_every_line_its_code():
    cells = re.findall(r"^\| (`[^|]*`) \|", (DOCS / "errors.md").read_text(), re.MULTILINE)
    documented = {code for cell in cells for code in re.findall(r"`([^`]+)`", cell)}
    assert documented == codes_in_the_code()


# --- links ---------------------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_every_link_leads_to_a_file_and_a_heading_that_exist():
    wrong = []
    for page in PAGES:
        for target, anchor in re.findall(r"(?<!!)\[[^\]]*\]\(([^)#\s]*)#?([^)\s]*)\)", page.read_text()):
            there = (page.parent / target).resolve() if target else page
            if "://" not in target and (not there.exists() or (anchor and anchor not in anchors(there))):
                wrong.append(f"{page.name}: {target}#{anchor}")
    assert wrong == []


def test_every_page_is_in_the_index():
    index = (DOCS / "README.md").read_text()
    pages = [page.relative_to(DOCS) for page in DOCS.rglob("*.md") if page != DOCS / "README.md"]
    assert [str(page) for page in pages if f"({page})" not in index] == []


def test_every_crash_test_stands_in_the_summary_of_what_was_done():
    page = (DOCS / "reliability.md").read_text()
    summary = page[page.index("## Summary") : page.index("## Kills")]
    missing = [
        path.name
        for path in sorted((ROOT / "tests/crash").glob("test_*.py"))
        if f"`{path.stem.removeprefix('test_')}`" not in summary
    ]
    assert missing == []


if __name__ == "__main__":
    for page_of_it in PAGES:
        old = page_of_it.read_text()
        if (new := renewed(old)) != old:
            page_of_it.write_text(new)
