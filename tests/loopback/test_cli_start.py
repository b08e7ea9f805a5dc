"""How the three processes are started: without what only a command line needs."""

import subprocess
import sys

BROKEN = "config_version = 1\n[station]\nnmae = 1\n"
START = """
import sys
from gateway.__main__ import main
try:
    main()
except SystemExit as end:
    print(end.code, "typer" in sys.modules, "pydantic" in sys.modules)
"""
LOADED = """
import sys
sys.argv[1:] = {words}
from gateway.__main__ import main
try:
    main()
except SystemExit:
    pass
import {module}
print(*sorted({{name.partition(".")[2].partition(".")[0] for name in sys.modules if name.startswith("gateway.")}}))
"""


def started(*words: str) -> tuple[list[str], str]:
    """Return the exit code, whether a command line was loaded, and what was said."""
    found = subprocess.run([sys.executable, "-c", START, *words], capture_output=True, text=True, check=True)
    return found.stdout.split(), found.stderr


def test_a_process_is_started_without_a_command_line_and_refused_in_the_same_words(tmp_path):
    path = tmp_path / "scopegate.toml"
    path.write_text(BROKEN)
    as_systemd, said = started("capture", "--config", str(path))
    by_hand, said_by_hand = started("capture", f"--config={path}")
    assert as_systemd == ["2", "False", "False"]
    assert by_hand == ["2", "True", "True"]
    assert said == said_by_hand
    assert "nmae" in said


def parts_of_the_product(module: str, *words: str) -> set[str]:
    """Return which folders and files of the product a command loads that does nothing, and one module's work."""
    code = LOADED.format(words=list(words), module=module)
    return set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )


def test_a_command_of_a_start_loads_its_own_work_alone():
    """A start of the box runs a dozen of them, on a slow processor."""
    few = {"__main__", "cli", "errors", "log", "threads", "clock"}
    opens_data = parts_of_the_product("gateway.machine.encryption.service", "machine", "nothing")
    assert opens_data <= few | {"machine", "config"}
    assert parts_of_the_product("gateway.cli.app", "update", "nothing") <= few | {"model"}
