"""The options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_CONFIG = Path("/etc/scopegate/scopegate.toml")
Config = Annotated[
    Path, typer.Option("--config", envvar="SCOPEGATE_CONFIG", help="The configuration file.", show_default=True)
]
