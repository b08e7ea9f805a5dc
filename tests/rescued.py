"""A PC on which somebody reads what a box carried out onto sticks, as docs/recovery.md says."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

_PAGE = Path(__file__).resolve().parents[1] / "docs/recovery.md"


def read_on_a_pc(sticks: Sequence[Path], code: str, place: Path) -> tuple[Path, str]:
    """Run the page's commands in a new folder; return what came out and what was said. `sticks`: their folders."""
    home = place / "gnupg"
    home.mkdir(parents=True, mode=0o700)
    said = ""
    for stick in sticks:
        for listed in stick.rglob("SHA256SUMS"):
            said += _followed("stick", listed.parent, home)
        for path in sorted(stick.rglob("*.tar.gpg")):
            shutil.copyfile(path, place / path.name)
    (place / "code").write_text(f"{code}\n")
    return place / "rescued", said + _followed("rescue", place, home)


def _followed(block: str, where: Path, home: Path) -> str:
    """Run one block of the page; return what was said."""
    (commands,) = re.findall(
        rf"<!-- tested: {block} -->\n```sh\n(.*?)^```", _PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
    done = subprocess.run(
        ["sh", "-eu", "-c", commands],
        cwd=where,
        env={"PATH": os.environ["PATH"], "GNUPGHOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr
