"""A PC on which somebody reads what a box carried out onto sticks, as docs/recovery.md says."""

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

_PAGE = Path(__file__).resolve().parents[1] / "docs/recovery.md"


def read_on_a_pc(sticks: Sequence[Path], code: str, place: Path) -> tuple[Path, str]:
    """Run the page's commands in a new folder; return what came out and what was said. `sticks`: their folders."""
    (commands,) = re.findall(
        r"<!-- tested: rescue -->\n```sh\n(.*?)^```", _PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
    home = place / "gnupg"
    home.mkdir(parents=True, mode=0o700)
    for stick in sticks:
        for path in sorted([*stick.rglob("*.tar.gpg"), *stick.rglob("SHA256SUMS")]):
            with (place / path.name).open("ab") as out:  # the lists of all sticks are one
                out.write(path.read_bytes())
    (place / "code").write_text(f"{code}\n")
    done = subprocess.run(
        ["sh", "-eu", "-c", commands],
        cwd=place,
        env={"PATH": os.environ["PATH"], "GNUPGHOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    return place / "rescued", done.stdout + done.stderr
