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
