"""Every message that a person may read on the screen, found in the sources: what the catalogues must hold.

A message is an English sentence; a value in it is a place with a name: `f"{len(rows)} rows"` is `{len} rows`.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from io import BytesIO
from itertools import product
from pathlib import Path

from jinja2.ext import babel_extract

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "gateway/panel/templates"
# What a terminal alone shows stays English, as all that an engineer reads.
NOT_ON_THE_SCREEN = ("gateway/cli", "gateway/demo")
_SPOKEN = {
    "what",
    "action",
    "safe",
    "detail",
    "reason",
    "word",
    "problem",
    "late",
    "says",
    "because",
    "check",
    "warning",
}
_ROOTS = {"ScopegateError", "DeviceError", "Wrong"}
_PLACE = re.compile(r"\{(\w+)\}")
_NO_WORDS = re.compile(
    r"^(auto|both|audit|as 0110)$|^\{\w+\}(Date|Time)$|"
    r"^[A-Z][a-z]*([A-Z]+[a-z]+)+$|^[A-Z][A-Za-z]+(ID|UID)$|^\w\w-\d\d$| = \?| IN \(|^\w+-[\w-]+$"
)  # attributes, codes, SQL
_LETTERS = re.compile(r"[A-Za-z]{2}")
_MOST = 8  # texts that a part of a sentence may be; of more it is a place
Names = dict[str, list[ast.expr]]  # what a name may be
Places = dict[str, list[str]]  # message: where it stands


def messages() -> Places:
    """Return the messages of templates and of Python."""
    found: Places = {}
    for path in sorted(TEMPLATES.glob("*.html")):
        for line, _, message, _ in babel_extract(BytesIO(path.read_bytes()), ("_", "gettext", "ngettext"), (), {}):
            for each in (message,) if isinstance(message, str) else message:
                found.setdefault(each, []).append(f"{_name(path)}:{line}") if each else None
    for module in _modules():
        for message, line in module.messages():
            if _LETTERS.search(_PLACE.sub("", message)) and not _NO_WORDS.search(message):
                found.setdefault(message, []).append(f"{_name(module.path)}:{line}")
    return found


class Module:
    """One Python file: its names, and the messages that its errors and values for the screen are made of."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tree = ast.parse(path.read_text())
        self.constants = _assignments(self.tree.body)
        self.functions = {n.name: n for n in ast.walk(self.tree) if isinstance(n, ast.FunctionDef)}
        self.classes = {
            node.name: {_last(base) for base in node.bases}
            for node in ast.walk(self.tree)
            if isinstance(node, ast.ClassDef)
        }
        self.imported = {
            alias.asname or alias.name: (node.module or "", alias.name)
            for node in ast.walk(self.tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }

    def messages(self) -> Iterator[tuple[str, int]]:
        yield from self._in(self.tree, {})

    def _in(self, node: ast.AST, names: Names) -> Iterator[tuple[str, int]]:
        """Yield what stands in a part of the file; `names`: what its local names may be."""
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names = _assignments(n for n in ast.walk(node) if isinstance(n, ast.stmt))
        if isinstance(node, ast.ClassDef) and node.name in _errors():
            yield from self._of_class(node)
        elif isinstance(node, ast.Call):
            for each in self._spoken(node):
                yield from ((text, node.lineno) for text in self.texts(each, names) if text)
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value in _SPOKEN:
                    yield from ((text, node.lineno) for text in self.texts(value, names) if text)
        for below in ast.iter_child_nodes(node):
            yield from self._in(below, names)

    def _of_class(self, node: ast.ClassDef) -> Iterator[tuple[str, int]]:
        if (text := ast.get_docstring(node)) and "`" not in text.splitlines()[0]:  # one that is always said anew
            yield text.splitlines()[0], node.lineno
        for name, values in _assignments(node.body).items():
            for value in values if name in _SPOKEN else ():
                yield from ((text, value.lineno) for text in self.texts(value, {}) if text)

    def _spoken(self, node: ast.Call) -> list[ast.expr]:
        """Return the arguments of a call that a person will read."""
        name = _last(node.func)
        if name == "N_":
            return node.args
        found = [keyword.value for keyword in node.keywords if keyword.arg in _SPOKEN]
        if name in _errors():
            found += node.args[:1]
        elif function := self.functions.get(name):  # of this file: what its parameters are called is known
            parameters = [each.arg for each in function.args.args]
            method = parameters[:1] == ["self"]
            spoken = {"reason"} if method else _SPOKEN
            found += [value for value, each in zip(node.args, parameters[method:], strict=False) if each in spoken]
        return found

    def texts(self, node: ast.expr, names: Names) -> list[str | None]:
        """Return the texts that an expression may come to, and None where no file says what."""
        if isinstance(node, ast.Constant):
            return [node.value if isinstance(node.value, str) else None]
        if isinstance(node, ast.JoinedStr):
            return list(self._with_places(node, names))
        if isinstance(node, ast.Name):
            values = self._values(node.id, names)
            return [text for value in values for text in self.texts(value, {})] or [None]
        if isinstance(node, ast.Dict | ast.Tuple | ast.List):
            within = node.values if isinstance(node, ast.Dict) else node.elts
            return [text for each in within for text in self.texts(each, names)]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            pairs = product(self.texts(node.left, names), self.texts(node.right, names))
            return ["".join(filter(None, pair)) for pair in pairs if None not in pair] or [None]
        branches = _branches(node)
        return [text for each in branches for text in self.texts(each, names)] or [None]

    def _values(self, name: str, names: Names) -> list[ast.expr]:
        if name in names or name in self.constants:
            return names.get(name) or self.constants[name]
        where, original = self.imported.get(name, ("", ""))
        other = _by_name().get(where)
        return other.constants.get(original, []) if other else []

    def _with_places(self, node: ast.JoinedStr, names: Names) -> list[str]:
        """Return what an f-string may come to: texts that are known in it, places for the others."""
        parts, seen = [], set()
        for number, part in enumerate(node.values):
            if isinstance(part, ast.Constant):
                parts.append([str(part.value)])
            elif isinstance(part, ast.FormattedValue):
                known = self.texts(part.value, names) if not isinstance(part.value, ast.Subscript) else []
                name = _last(part.value) or "value"
                name = f"{name}_{number}" if name in seen else name
                seen.add(name)
                place = f"{{{name}}}"
                parts.append([place if each is None else each for each in dict.fromkeys(known)] or [place])
                if len(parts[-1]) > _MOST:
                    parts[-1] = [place]
        return ["".join(found) for found in product(*parts)]


def _branches(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.IfExp):
        return [node.body, node.orelse]
    if isinstance(node, ast.BoolOp):
        return node.values
    if isinstance(node, ast.Subscript):
        return [node.value]
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute) and node.func.attr == "get":  # of a table
            return [node.func.value, *(node.args[1:] or [ast.Constant(None)])]
        return node.args[:1] if _last(node.func) in {"N_", "MappingProxyType"} else []
    return []


def _assignments(statements: Iterable[ast.stmt]) -> Names:
    found: Names = {}
    for statement in statements:
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        if isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        for target in targets:
            value = statement.value  # type: ignore[attr-defined]  # both have one
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                pairs = zip(target.elts, value.elts, strict=False)
            else:
                pairs = [(target, value)]
            for one, of in pairs:
                if isinstance(one, ast.Name) and of is not None:
                    found.setdefault(one.id, []).append(of)
    return found


def _last(node: ast.expr) -> str:
    """Return the last name of an expression: of `a.b`, `b(...)`, `a["b"]`."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Call):
        return _last(node.func)
    if isinstance(node, ast.Subscript):
        key = node.slice
        return str(key.value) if isinstance(key, ast.Constant) and isinstance(key.value, str) else _last(node.value)
    return ""


@cache
def _modules() -> tuple[Module, ...]:
    paths = [*ROOT.glob("gateway/**/*.py"), *ROOT.glob("hardware/**/*.py")]
    return tuple(Module(path) for path in sorted(paths) if not _name(path).startswith(NOT_ON_THE_SCREEN))


@cache
def _by_name() -> dict[str, Module]:
    return {_name(module.path).removesuffix(".py").replace("/", "."): module for module in _modules()}


@cache
def _errors() -> frozenset[str]:
    """Return the names of all errors of ours, of every file."""
    known, bases = set(_ROOTS), {name: b for module in _modules() for name, b in module.classes.items()}
    while more := {name for name, above in bases.items() if above & known} - known:
        known |= more
    return frozenset(known)


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


if __name__ == "__main__":
    for message, places in messages().items():
        print(f"{places[0]:60} {message!r}")
