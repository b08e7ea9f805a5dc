# ruff: noqa: E501 - a table of breaches reads best with one on each line
"""The rules of the code that a program can check, and proof that this program notices each breach."""

import ast
import inspect
import pydoc
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.config.differences import OF_THE_SCREEN

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("gateway", "hardware")

# Each part of the product and its row: a part imports lower rows and itself. Rows 0 and 5 are one part each.
ROWS = {
    "words": 0,
    "gateway.config": 1,
    "gateway.wire": 1,
    "gateway.spool": 2,
    "hardware": 2,
    "gateway.net": 3,
    "gateway.dicom": 3,
    "gateway.capture": 4,
    "gateway.forward": 4,
    "gateway.panel": 4,
    "gateway.machine": 4,
    "compose": 5,
}
WORDS = {"gateway", *(f"gateway.{name}" for name in ("model", "errors", "messages", "clock", "threads", "log"))}
COMPOSE = ("gateway.cli", "gateway.demo", "gateway.__main__")
MAY_IMPORT_HARDWARE = {"gateway.capture", "compose", "hardware"}

DICOM_LIBRARIES = {"pydicom", "pynetdicom", "pylibjpeg", "libjpeg"}
NETWORK_LIBRARIES = {
    "asyncio", "ftplib", "http", "httpx", "httpx2", "requests", "smtplib", "socketserver", "ssl", "starlette",
    "urllib", "uvicorn", "websockets", "xmlrpc",
}  # fmt: skip
NOT_IN = {  # what a part may not import from outside
    "gateway.dicom": {"socket", "sqlite3", "pynetdicom", *NETWORK_LIBRARIES},
    "gateway.spool": {"socket", "pynetdicom", "pydicom", *NETWORK_LIBRARIES},
    "gateway.forward": {"cv2", "serial", "pyudev", "pynetdicom", "httpx2", "ssl"},
    "gateway.panel": {"pynetdicom", "serial", "pyudev", "httpx2", "ssl"},
    "hardware": {*DICOM_LIBRARIES, *NETWORK_LIBRARIES},
}

OPENS_NETWORK = {
    "AF_INET", "AF_INET6", "create_connection", "create_server", "open_connection", "start_server",
}  # fmt: skip
CLOCK_ONLY = {
    "time.sleep", "time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns", "time.clock_gettime_ns",
    "time.clock_gettime", "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today",
    "datetime.date.today", "uuid.uuid1", "uuid.uuid4", "os.urandom",
}  # fmt: skip
CLOCK_ONLY_MODULES = {"random", "secrets"}
CLOCK = "gateway.clock"
SUPERVISOR = "gateway.threads"
TUNING = "gateway.net.tuning"
LONGEST_MODULE = 500
LONGEST_FUNCTION = 40


@dataclass(kw_only=True)
class Module:
    """One file, what it imports and which foreign names it uses."""

    name: str
    tree: ast.Module
    lines: int
    imports: set[str] = field(default_factory=set)
    aliases: dict[str, str] = field(default_factory=dict)
    nodes: list[ast.AST] = field(init=False)  # all of the tree, walked once for every rule

    def __post_init__(self) -> None:
        self.nodes = list(ast.walk(self.tree))

    @property
    def part(self) -> str:
        if self.name in WORDS:
            return "words"
        if any(self.name == top or self.name.startswith(f"{top}.") for top in COMPOSE):
            return "compose"
        return part_of(self.name)


def part_of(name: str) -> str:
    first, *rest = name.split(".")
    return first if first == "hardware" else ".".join([first, *rest[:1]])


def load(root: Path) -> dict[str, Module]:
    modules = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            words = path.relative_to(root).with_suffix("").parts
            name = ".".join(words[:-1] if words[-1] == "__init__" else words)
            text = path.read_text(encoding="utf-8")
            modules[name] = Module(name=name, tree=ast.parse(text), lines=text.count("\n"))
            if words[-1] == "__init__":
                modules[name].aliases["__package__"] = name
    for module in modules.values():
        note_imports(module, modules)
    return modules


def note_imports(module: Module, modules: dict[str, Module]) -> None:
    for node in module.nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                module.imports.add(alias.name)
                module.aliases[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                own = module.name.split(".")
                keep = len(own) - node.level + ("__package__" in module.aliases)
                base = ".".join([*own[:keep], *filter(None, [node.module])])
            for alias in node.names:
                full = f"{base}.{alias.name}"
                module.imports.add(full if full in modules else base)
                module.aliases[alias.asname or alias.name] = full


def ours(module: Module, modules: dict[str, Module]) -> set[str]:
    """Return which of our modules it imports, with the packages around them."""
    found = {name for name in module.imports if name.split(".")[0] in PACKAGES}
    around = {".".join(name.split(".")[:depth]) for name in found for depth in range(1, name.count(".") + 1)}
    return (found | around) & modules.keys()


def foreign(module: Module) -> set[str]:
    return {name.split(".")[0] for name in module.imports} - set(PACKAGES)


def reached(start: set[str], modules: dict[str, Module]) -> set[str]:
    seen: set[str] = set()
    left = set(start)
    while left:
        name = left.pop()
        seen.add(name)
        left |= ours(modules[name], modules) - seen
    return seen


def dotted(node: ast.AST, module: Module) -> str:
    """Return the full name behind `dt.datetime.now`, "" when it is no plain name."""
    words: list[str] = []
    while isinstance(node, ast.Attribute):
        words.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in module.aliases:
        return ""
    return ".".join([module.aliases[node.id], *reversed(words)])


# --- the rules -------------------------------------------------------------------------------------------


def upward_imports(modules: dict[str, Module]) -> Iterator[str]:
    for module in modules.values():
        if module.part not in ROWS:
            yield f"{module.name}: belongs to no row of the design"
            continue
        for name in ours(module, modules):
            other = modules[name].part
            if other in {module.part, "words"}:
                continue
            if module.part == "hardware" or ROWS.get(other, 9) >= ROWS[module.part]:
                yield f"{module.name}: imports {name}"
            elif other == "hardware" and module.part not in MAY_IMPORT_HARDWARE:
                yield f"{module.name}: imports {name}, and is no place for devices"


def hardware_alone(modules: dict[str, Module]) -> Iterator[str]:
    for module in modules.values():
        if module.part == "hardware":
            for name in module.imports:
                if name.split(".")[0] == "gateway":
                    yield f"{module.name}: imports {name}"


def foreign_imports(modules: dict[str, Module]) -> Iterator[str]:
    for module in modules.values():
        for name in foreign(module) & NOT_IN.get(module.part, set()):
            yield f"{module.name}: imports {name}"


def capture_apart(modules: dict[str, Module]) -> Iterator[str]:
    """Capture reaches no DICOM and no network, however far its imports lead."""
    start = {name for name, module in modules.items() if module.part == "gateway.capture"}
    for name in reached(start, modules):
        module = modules[name]
        if module.part in {"gateway.net", "gateway.dicom"}:
            yield f"gateway.capture: reaches {name}"
        # asyncio moves bytes between streams that somebody else opened; opening them is what is looked for.
        for library in foreign(module) & (DICOM_LIBRARIES | NETWORK_LIBRARIES - {"asyncio"}):
            yield f"gateway.capture: reaches {library} through {name}"
        for node in module.nodes:
            if isinstance(node, ast.Attribute) and node.attr in OPENS_NETWORK:
                yield f"gateway.capture: reaches {node.attr} through {name}:{node.lineno}"


def broad_excepts(modules: dict[str, Module]) -> Iterator[str]:
    """Catching everything is the supervisor's; tidying up and raising again is anybody's."""
    for module in modules.values():
        if module.name == SUPERVISOR:
            continue
        for node in module.nodes:
            if isinstance(node, ast.ExceptHandler):
                kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
                caught = {kind and ast.unparse(kind) for kind in kinds}
                end = node.body[-1]
                raises = isinstance(end, ast.Raise) and end.exc is None
                if "Exception" in caught or (caught & {"BaseException", None} and not raises):
                    yield f"{module.name}:{node.lineno}: catches everything"


def own_time_and_chance(modules: dict[str, Module]) -> Iterator[str]:
    for module in modules.values():
        if module.name == CLOCK:
            continue
        for name in foreign(module) & CLOCK_ONLY_MODULES:
            yield f"{module.name}: imports {name}"
        for node in module.nodes:
            if isinstance(node, ast.Attribute | ast.Name) and (name := dotted(node, module)) in CLOCK_ONLY:
                yield f"{module.name}:{node.lineno}: {name}"


def screen_for_the_panel(modules: dict[str, Module]) -> Iterator[str]:
    """Nothing below or beside the panel reads `[panel]`: a change of it alone starts no other process anew."""
    for module in modules.values():
        if module.part in {"gateway.panel", "gateway.config", "gateway.machine", "compose"}:
            continue  # root looks at every listener after each change
        for node in module.nodes:
            if isinstance(node, ast.Attribute) and node.attr == OF_THE_SCREEN:
                yield f"{module.name}:{node.lineno}: reads [{OF_THE_SCREEN}]"


def pynetdicom_inside(modules: dict[str, Module]) -> Iterator[str]:
    """One module knows what pynetdicom keeps to itself; a new pynetdicom is looked at there."""
    for module in modules.values():
        if module.name == TUNING or not (module.part == "gateway.net" or "pynetdicom" in foreign(module)):
            continue
        for name in module.aliases.values():
            if name.startswith("pynetdicom.") and "._" in name:
                yield f"{module.name}: imports {name}"
        for node in module.nodes:
            if isinstance(node, ast.Attribute) and private(node.attr) and not own(node.value):
                yield f"{module.name}:{node.lineno}: {ast.unparse(node)}"
            elif isinstance(node, ast.ClassDef):
                taken = {name for base in node.bases for name in privates_of(dotted(base, module))}
                for name in sorted(taken & set(privates(ast.unparse(node)))):
                    yield f"{module.name}:{node.lineno}: {node.name} uses or replaces {name}"


def private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def own(value: ast.AST) -> bool:
    return isinstance(value, ast.Name) and value.id in {"self", "cls"}


def privates(text: str) -> Iterator[str]:
    """Return the private names that the text of a class defines or uses as its own."""
    return (name for name in re.findall(r"\b(?:self\.|cls\.|def )(_\w+)", text) if private(name))


def privates_of(name: str) -> set[str]:
    """Return the private names of a class of pynetdicom and of those it is made of; of other classes none."""
    if not name.startswith("pynetdicom."):
        return set()
    found = pydoc.locate(name)
    assert isinstance(found, type), name
    family = [each for each in found.__mro__ if each.__module__.startswith("pynetdicom")]
    return {private for each in family for private in privates(inspect.getsource(each))}


def too_long(modules: dict[str, Module]) -> Iterator[str]:
    for module in modules.values():
        if module.lines > LONGEST_MODULE:
            yield f"{module.name}: {module.lines} lines"
        for node in module.nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > LONGEST_FUNCTION:
                    yield f"{module.name}:{node.lineno}: {node.name} has {lines} lines"


def silent_modules(modules: dict[str, Module]) -> Iterator[str]:
    for module in modules.values():
        if module.tree.body and not ast.get_docstring(module.tree):
            yield f"{module.name}: does not say what it owns"


RULES = (
    upward_imports,
    hardware_alone,
    foreign_imports,
    capture_apart,
    broad_excepts,
    own_time_and_chance,
    screen_for_the_panel,
    pynetdicom_inside,
    too_long,
    silent_modules,
)


@pytest.fixture(scope="module")
def product():
    modules = load(ROOT)
    assert len(modules) > 10
    return modules


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_product_keeps_the_rule(product, rule):
    assert sorted(set(rule(product))) == []


# --- negative controls -----------------------------------------------------------------------------------

BREACHES = [
    (upward_imports, "gateway/errors.py", "from gateway.config import settings", "gateway.errors: imports gateway.config"),
    (upward_imports, "gateway/spool/files.py", "import gateway.net.store", "imports gateway.net.store"),
    (upward_imports, "gateway/panel/app.py", "from gateway.capture import ring", "imports gateway.capture.ring"),
    (upward_imports, "gateway/net/store.py", "from ..dicom import draft", "imports gateway.dicom.draft"),
    (upward_imports, "gateway/forward/a.py", "def f():\n    import hardware.fakes", "no place for devices"),
    (upward_imports, "gateway/extra/a.py", "", "belongs to no row"),
    (hardware_alone, "hardware/fakes.py", "from gateway.clock import Clock", "imports gateway.clock"),
    (upward_imports, "hardware/fakes.py", "from gateway.config import settings", "imports gateway.config"),
    (foreign_imports, "gateway/dicom/draft.py", "import sqlite3", "imports sqlite3"),
    (foreign_imports, "gateway/panel/app.py", "from pynetdicom.ae import AE", "imports pynetdicom"),
    (foreign_imports, "gateway/forward/a.py", "import httpx2", "gateway.forward.a: imports httpx2"),
    (foreign_imports, "hardware/fakes.py", "import pydicom.uid", "imports pydicom"),
    (capture_apart, "gateway/capture/ring.py", "import pydicom", "reaches pydicom through gateway.capture.ring"),
    (capture_apart, "gateway/spool/files.py", "import http.client", "reaches http through gateway.spool.files"),
    (capture_apart, "gateway/capture/ring.py", "import gateway.dicom.draft", "reaches gateway.dicom.draft"),
    (capture_apart, "gateway/wire.py", "import socket\nsocket.AF_INET", "reaches AF_INET through gateway.wire:2"),
    (broad_excepts, "gateway/log.py", "try:\n    f()\nexcept (OSError, Exception):\n    f()", "catches everything"),
    (broad_excepts, "gateway/log.py", "try:\n    f()\nexcept Exception:\n    raise", "catches everything"),
    (broad_excepts, "gateway/log.py", "try:\n    f()\nexcept BaseException:\n    pass", "catches everything"),
    (broad_excepts, "hardware/fakes.py", "try:\n    f()\nexcept:\n    f()", "catches everything"),
    (own_time_and_chance, "gateway/log.py", "from time import sleep as nap\nnap(1)", "time.sleep"),
    (own_time_and_chance, "gateway/log.py", "import datetime as dt\ndt.datetime.now()", "datetime.datetime.now"),
    (own_time_and_chance, "gateway/log.py", "from datetime import date\ndate.today()", "datetime.date.today"),
    (own_time_and_chance, "hardware/fakes.py", "import uuid\nuuid.uuid4()", "uuid.uuid4"),
    (own_time_and_chance, "gateway/log.py", "import random", "imports random"),
    (screen_for_the_panel, "gateway/capture/ring.py", "def f(s):\n    return s.panel.theme", "gateway.capture.ring:2: reads [panel]"),
    (pynetdicom_inside, "gateway/net/echo.py", "from pynetdicom import _config", "imports pynetdicom._config"),
    (pynetdicom_inside, "gateway/net/find.py", "def f(link):\n    return link.association._accepted_cx", "link.association._accepted_cx"),
    (pynetdicom_inside, "gateway/demo/peers.py", "import pynetdicom\ndef f(a):\n    a._is_paused = True", "a._is_paused"),
    (pynetdicom_inside, "gateway/net/a.py", "from pynetdicom.transport import RequestHandler\nclass H(RequestHandler):\n    def _create_association(self):\n        return None", "H uses or replaces _create_association"),
    (pynetdicom_inside, "gateway/net/a.py", "from pynetdicom import transport as t\nclass H(t.ThreadedAssociationServer):\n    def f(self):\n        return self._handlers", "H uses or replaces _handlers"),
    (too_long, "gateway/log.py", "\n" * 501, "lines"),
    (too_long, "gateway/log.py", "def f():\n" + "    x = 1\n" * 60, "f has 61 lines"),
    (silent_modules, "gateway/log.py", "x = 1", "does not say"),
]  # fmt: skip


@pytest.fixture
def made_up(tmp_path):
    """A small product that keeps every rule."""
    files = {
        "gateway/__init__.py": "",
        "gateway/errors.py": "",
        "gateway/log.py": "",
        "gateway/clock.py": "import random\nimport time\ntime.sleep(1)",
        "gateway/threads.py": "try:\n    f()\nexcept Exception:\n    f()",
        "gateway/wire.py": "import gateway.errors\ntry:\n    f()\nexcept BaseException:\n    f()\n    raise",
        "gateway/config/__init__.py": "",
        "gateway/config/settings.py": "from gateway import errors",
        "gateway/spool/files.py": "from gateway.config.settings import Settings",
        "gateway/net/store.py": "import pynetdicom\nimport socket",
        "gateway/net/listener.py": "from pynetdicom.transport import AssociationServer\nclass S(AssociationServer):\n    def f(self):\n        return self._mine",
        "gateway/net/tuning.py": "from pynetdicom import _config\n_config.x = 1",
        "gateway/dicom/draft.py": "import pydicom",
        "gateway/capture/ring.py": "import hardware.fakes\nfrom gateway.spool import files\nimport gateway.wire",
        "gateway/forward/a.py": "from gateway.net import store\nimport gateway.dicom.draft",
        "gateway/panel/app.py": "import starlette",
        "gateway/cli/main.py": "from gateway.capture import ring\nfrom gateway.demo import peers",
        "gateway/demo/peers.py": "import pynetdicom",
        "hardware/__init__.py": "",
        "hardware/fakes.py": "import numpy",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'"""Words."""\n{text}\n' if text else "")
    return tmp_path


def test_a_product_that_keeps_the_rules_is_left_in_peace(made_up):
    assert [offence for rule in RULES for offence in rule(load(made_up))] == []


@pytest.mark.parametrize(
    ("rule", "name", "text", "offence"), BREACHES, ids=[f"{b[0].__name__}: {b[3]}" for b in BREACHES]
)
def test_each_breach_is_noticed(made_up, rule, name, text, offence):
    path = made_up / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    assert any(offence in found for found in rule(load(made_up)))
