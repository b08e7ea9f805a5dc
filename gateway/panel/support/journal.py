"""The last lines of the machine's journal: of the box's own units, root's too, and what troubles the kernel.

Read by whoever may, root or the group systemd-journal. Why an update was taken back, or a disk gave nothing, stands
nowhere else.
"""

import shutil
import subprocess
from collections.abc import Iterator, Sequence

from gateway.panel.support.bundle import Part

_PATIENCE_S = 20
_AS_TEXT = ("--no-pager", "--quiet", "--output=short-iso")
_NONE = "There is none here, or this user may not read it."
_ASKED = {
    "journal.log": (
        "The last lines of the services in the journal.",
        ("journalctl", "--unit=scopegate*", "--unit=rauc.service", "--since=-7d", "--lines=4000", *_AS_TEXT),
    ),
    "kernel.log": (
        "What the kernel warned of last.",
        ("journalctl", "--dmesg", "--priority=warning", "--lines=1000", *_AS_TEXT),
    ),
}


def parts(missing: dict[str, str]) -> Iterator[Part]:
    """Yield what the journal has; note in `missing` what is not to be had."""
    for name, (about, command) in _ASKED.items():
        if text := said(command):
            yield Part(name=name, about=about, made=lambda text=text: text)  # type: ignore[misc]
        else:
            missing[name] = _NONE


def said(command: Sequence[str]) -> str:
    """Return what a program of the system says; "" where there is none, or it has nothing to say."""
    if (program := shutil.which(command[0])) is None:
        return ""
    try:
        done = subprocess.run(
            [program, *command[1:]], capture_output=True, timeout=_PATIENCE_S, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""
