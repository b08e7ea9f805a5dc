"""What the documents say is what the code does: tables, examples, commands, addresses, codes, defaults.

Tables between `<!-- table: NAME -->` and `<!-- end -->` are made here; `python tests/rules/test_docs.py` writes
them anew.
"""

import ast
import dataclasses
import json
import re
import shlex
import tomllib
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from typer.testing import CliRunner

from gateway import errors
from gateway.capture.recording import End
from gateway.cli.app import app
from gateway.config import keys, reader, values
from gateway.config.settings import Tls, Worklist
from gateway.dicom import copies
from gateway.forward.proving import parts as proving
from gateway.forward.proving import proof
from gateway.forward.sending import step_sender
from gateway.model import PleaseCheck
from gateway.net import commitment as net_commitment
from gateway.net import statuses, step_statuses, webanswers
from gateway.net import worklist as net_worklist
from gateway.panel import exam_calls, problems
from gateway.spool import deliveries, erasing, space, states
from hardware import errors as device_errors
from hardware import profiles

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
OPENAPI = json.loads((ROOT / "gateway/panel/openapi.json").read_text())
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
    ours = (errors, problems)
    found = [errors.ScopegateError, *kinds(errors.ScopegateError)]
    mine = [kind for kind in found if kind.__module__ in {module.__name__ for module in ours}]
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
        erasing.BEING_ERASED,
        deliveries.AFTER_REBUILD,
        deliveries.BY_PERSON,
        deliveries.LOST_BY_ARCHIVE,
        *deliveries.QUIET,
    } | {words[0] for words in problems._WORDS.values()}
    found |= {code for code in space.CODES.values() if code}
    found |= {row.code for row in webanswers.TABLE}
    found |= {rule.code for rule in STEP_FAILING} | {step_sender.TAKEN_BEFORE, step_sender.TAKEN_WITH_WARNING}
    found |= {proof.NOT_COMMITTED, proof.NOT_FOUND, proof.REFUSED, proving.SILENT, net_commitment.REFUSED}
    found |= {"http"}  # what else starlette's router may refuse
    return found | set(PleaseCheck)


def test_every_code_has_its_line_and_every_line_its_code():
    cells = re.findall(r"^\| (`[^|]*`) \|", (DOCS / "errors.md").read_text(), re.MULTILINE)
    documented = {code for cell in cells for code in re.findall(r"`([^`]+)`", cell)}
    assert documented == codes_in_the_code()


# --- the configuration ---------------------------------------------------------------------------------------


def fenced(kind: str) -> list[tuple[str, str]]:
    blocks = re.compile(rf"^```{kind}\n(.*?)^```", re.MULTILINE | re.DOTALL)
    return [
        (f"{page.name} {n}", text) for page in PAGES for n, text in enumerate(blocks.findall(page.read_text()), 1)
    ]


@pytest.mark.parametrize(("where", "text"), fenced("toml"))
def test_every_configuration_in_the_documents_is_accepted(where, text, tmp_path):
    path = tmp_path / "scopegate.toml"
    path.write_text(text)
    assert reader.check(path) == [], where


def documented_keys() -> dict[str, dict[str, list[str]]]:
    """Return the rows of it.md's configuration tables by table and key: default, allowed, meaning."""
    found = {}
    for part in re.split(r"^### ", (DOCS / "it.md").read_text(), flags=re.MULTILINE)[1:]:
        if name := re.match(r"`\[{1,2}([a-z_]+)\]{1,2}`", part):
            rows = re.findall(r"^\| `([a-z0-9_]+)` \| (.*) \|$", part, re.MULTILINE)
            found[name[1]] = {key: re.split(r" \|(?: |$)", rest) for key, rest in rows}
    return found


def test_every_key_of_the_configuration_is_documented_with_its_default_and_its_limits(tmp_path):
    documented = documented_keys()
    tables = {name: made for name, made in keys.tables(tmp_path).items() if made.made}
    assert {name: set(rows) for name, rows in documented.items()} == {n: set(t.keys) for n, t in tables.items()}
    for name, made in tables.items():
        fields = {field.name: field.default for field in dataclasses.fields(made.made)}
        for key, (default, allowed, *_) in documented[name].items():
            check, where = made.keys[key], f"{name}.{key}"
            if key in made.needed or any(key in needed for needed in made.needed_by_kind.values()):
                assert default == "needed", where
            elif default == "-":
                assert fields.get(key) is None, where
            else:
                value = check(tomllib.loads(f"x = {default.strip('`')}")["x"])
                assert value == fields.get(key, value), where
            if check is values.later:
                assert allowed == "not in this version", where
            if limits := re.fullmatch(r"([\d,]+) to ([\d,]+)(?: MB| days)?", allowed):
                low, high = (int(limit.replace(",", "")) for limit in limits.groups())
                assert (check(low), check(high)) == (low, high), where
                for beyond in (low - 1, high + 1):
                    with pytest.raises(values.Wrong):
                        check(beyond)


def test_every_key_of_tls_is_documented_with_its_default(tmp_path):
    part = re.split(r"^### ", (DOCS / "it.md").read_text().split("\n### `tls`\n")[1], flags=re.MULTILINE)[0]
    rows = dict(re.findall(r"^\| `([a-z_]+)` \| ([^|]*) \|", part, re.MULTILINE))
    inline = [table.keys["tls"] for table in keys.tables(tmp_path).values() if "tls" in table.keys]
    assert len(inline) > 2
    assert set(rows) == {key for made in inline for key in made.keys}
    fields = {field.name: field.default for field in dataclasses.fields(Tls)}
    for key, default in rows.items():
        needed = any(key in made.needed for made in inline if "check_name" in made.keys)
        assert (default == "needed") == needed, key
        if not needed:
            assert fields[key] == {"-": None, "`true`": True}[default], key


# --- commands and calls --------------------------------------------------------------------------------------


def command_lines() -> list[str]:
    spans = [span for page in PAGES for span in re.findall(r"`((?:/\S*/)?scopegate [^`\n]+)`", page.read_text())]
    lines = [line for _, text in fenced("(?:sh|)") for line in text.splitlines()]
    return sorted({" ".join(words) for line in (*spans, *lines) for words in after_the_command(line)})


def after_the_command(line: str) -> Iterator[list[str]]:
    """Yield the words behind `scopegate`, also of a line quoted for another shell."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        return
    for at, word in enumerate(words):
        is_a_group = at > 0 and words[at - 1] == "-g"
        if (word == "scopegate" and not is_a_group) or word.endswith("/bin/scopegate"):
            yield words[at + 1 :]
            return
        if "scopegate " in word:
            yield from after_the_command(word)


def test_every_command_line_in_the_documents_is_one_that_the_program_takes():
    runner, lines = CliRunner(), command_lines()
    assert len(lines) > 10
    wrong = [line for line in lines if runner.invoke(app, [*shlex.split(line), "--help"]).exit_code]
    assert wrong == []


def call_named(method: str, path: str) -> dict | None:
    address = path.removeprefix("/api/v1").split("?")[0]
    for known, template, call in calls():
        pattern = "".join(
            "[^/]+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{[a-z]+\})", template)
        )
        if method in {known, "ANY"} and re.fullmatch(pattern, address):
            return call
    return None


def test_every_address_of_the_api_in_the_documents_is_one_that_it_has():
    named = [
        (page.name, *call)
        for page in PAGES
        for call in (
            *re.findall(r"`(GET|POST|WS) (/[^\s`]*)", page.read_text()),
            *(("ANY", path) for path in re.findall(r"(?<![\w.])/api/v1(/[^\s`'\"]*)", page.read_text())),
        )
    ]
    assert len(named) > 40
    assert [call for call in named if call_named(*call[1:]) is None] == []


def schema_of(call: dict) -> dict:
    body = call.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    return body.get("properties", {})


def test_every_request_in_the_documents_sends_what_its_call_takes():
    lines = [line for _, text in fenced("sh") for line in text.replace("\\\n", " ").splitlines() if "curl " in line]
    assert len(lines) > 5
    for line in lines:
        words = shlex.split(line, comments=True)
        address = next(word for word in words if "/api/v1" in word or word.startswith("$API"))
        path = re.sub(r"^(\$API|.*/api/v1)", "", address)
        method = words[words.index("-X") + 1] if "-X" in words else "POST" if "-d" in words else "GET"
        call = call_named(method, re.sub(r"\$[A-Z]+", "x", path))
        assert call is not None, line
        if "-d" in words:
            assert json.loads(words[words.index("-d") + 1]).keys() <= schema_of(call).keys(), line


def test_every_answer_in_the_documents_has_only_keys_of_its_schema():
    found = re.compile(r"(?:<!-- schema: (\w+) -->\n)?```json\n(.*?)^```", re.MULTILINE | re.DOTALL)
    blocks = [(page.name, *block) for page in PAGES for block in found.findall(page.read_text())]
    assert len(blocks) > 3
    for name, schema, text in blocks:
        assert schema, f"{name}: which schema is this? {text[:40]}"
        known = OPENAPI["components"]["schemas"][schema]["properties"]
        assert json.loads(text).keys() <= known.keys(), name


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


if __name__ == "__main__":
    for page_of_it in PAGES:
        old = page_of_it.read_text()
        if (new := renewed(old)) != old:
            page_of_it.write_text(new)


def test_every_crash_test_stands_in_the_summary_of_what_was_done():
    page = (DOCS / "reliability.md").read_text()
    summary = page[page.index("## Summary") : page.index("## Kills")]
    missing = [
        path.name
        for path in sorted((ROOT / "tests/crash").glob("test_*.py"))
        if f"`{path.stem.removeprefix('test_')}`" not in summary
    ]
    assert missing == []
