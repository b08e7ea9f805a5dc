"""Every screen in every state: layout, words, contrast and pictures are checked over this one list.

Each part of the day has its module in `screens`; a screen that is in none of them is checked by nobody.
"""

from importlib import import_module
from pathlib import Path

from tests.browser.screens.registry import SCREENS, look, show

for _part in sorted((Path(__file__).parent / "screens").glob("*.py")):
    import_module(f"tests.browser.screens.{_part.stem}")

__all__ = ["SCREENS", "look", "show"]
