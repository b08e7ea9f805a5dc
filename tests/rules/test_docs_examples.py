"""Configurations, commands, addresses, requests and answers in the documents are ones that the product takes."""

import dataclasses
import json
import re
import shlex
import tomllib
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from gateway.cli.app import app
from gateway.config import keys, machine, reader, values
from gateway.config.settings import Lan, Tls
from tests.rules.test_docs import DOCS, OPENAPI, PAGES, calls

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
    if "[network]" in text:
        machine.read_text(text.encode(), path.with_name(machine.NAME))
    else:
        assert reader.check(path) == [], where


def test_every_key_of_the_machine_is_documented_with_its_default(tmp_path):
    part = (DOCS / "it.md").read_text().split("\n### The file of the machine\n")[1].split("\n### ")[0]
    rows = re.findall(r"^\| `([a-z0-9_]+)` \| ([^|]*) \|", part, re.MULTILINE)
    tables = machine.tables(tmp_path).values()
    assert [key for key, _ in rows] == [key for table in tables for key in table.keys]
    fields = {field.name: field.default for table in tables for field in dataclasses.fields(table.made)}
    for key, default in rows:
        shown = "-" if fields[key] is None else f"`{json.dumps(fields[key])}`"
        assert default == shown, key


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


def test_every_key_of_lan_is_documented_with_its_default(tmp_path):
    part = re.split(
        r"^### ", (DOCS / "it.md").read_text().split("\n### Browsers on the network\n")[1], flags=re.MULTILINE
    )
    rows = dict(re.findall(r"^\| `([a-z_]+)` \| ([^|]*) \|", part[0], re.MULTILINE))
    table = keys.tables(tmp_path)["panel"].keys["lan"]
    defaults = {field.name: field.default for field in dataclasses.fields(Lan)}
    assert set(rows) == set(table.keys)
    for key, default in rows.items():
        shown = "needed" if key in table.needed else f"`{json.dumps(defaults[key], default=str)}`"
        assert default == shown, key


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
        if at > 0 and words[at - 1] in {"-g", "-s"}:  # a group, and what a link leads to
            continue
        if word == "scopegate" or word.endswith("/bin/scopegate"):
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
