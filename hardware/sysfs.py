"""Files in which the kernel says one thing each; they may go while they are read (sysfs(5), proc(5))."""

from pathlib import Path


def text(path: Path) -> str:
    """Return what a file says, without white space around it; "" when it is not there or gives nothing."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
