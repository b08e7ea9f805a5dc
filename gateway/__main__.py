"""The command `scopegate`: turns errors into words and exit codes. 0 done, 1 a problem, 2 wrong use."""

import os
import sys

from gateway import threads
from gateway.cli.app import app
from gateway.errors import ConfigurationError, ScopegateError


def main() -> None:
    """Run the command line."""
    sys.excepthook = threads.hook
    os.umask(0o007)  # what one process or person of the group makes, the others can write
    try:
        app()
    except ConfigurationError as error:
        sys.stderr.write(f"{error.what}\n{error.safe} {error.action}\n")
        raise SystemExit(2) from None
    except ScopegateError as error:
        parts = [part for part in (error.what, error.safe, error.action) if part]
        sys.stderr.write(" ".join(parts) + f" [{error.code}]\n")
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
