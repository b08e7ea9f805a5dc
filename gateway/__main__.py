"""The command `scopegate`: turns errors into words and exit codes. 0 done, 1 a problem, 2 wrong use."""

import os
import sys
from pathlib import Path

from gateway import threads
from gateway.errors import ConfigurationError, ScopegateError


def main() -> None:
    """Run the command line."""
    sys.excepthook = threads.hook
    os.umask(0o007)  # what one process or person of the group makes, the others can write
    try:
        _run(sys.argv[1:])
    except ConfigurationError as error:
        sys.stderr.write(f"{error.what}\n{error.safe} {error.action}\n")
        raise SystemExit(2) from None
    except ScopegateError as error:
        parts = [part for part in (error.what, error.safe, error.action) if part]
        sys.stderr.write(" ".join(parts) + f" [{error.code}]\n")
        raise SystemExit(1) from None


def _run(words: list[str]) -> None:
    """Run a process as systemd and `scopegate run` start it, or else any command.

    Each loads what it needs and no more: the libraries of a command line alone take as long as the first picture
    may take to come, and a start of the box begins a dozen of these.
    """
    match words:
        case ["capture" | "forward" | "panel" as name, "--config", path]:
            from gateway.cli import processes

            processes.RUN[name](Path(path))
        case ["machine", word] if not word.startswith("-"):
            from gateway.cli import machine

            machine.run(word)
        case _:
            from gateway.cli.app import app

            app()


if __name__ == "__main__":
    main()
