"""What is wrong with a value of the configuration is said in every language of the screen, with its values."""

import re

import pytest

from gateway.config.reader import check
from gateway.config.settings import ENGLISH, LANGUAGES
from gateway.panel.shown.setting_values import label
from gateway.panel.words import Languages
from tests.unit.config.test_mistakes import ALL_AT_ONCE, WRONG
from tests.unit.config.test_web_destination import STOW
from tests.unit.config.test_web_destination import WRONG as WRONG_OF_THE_WEB

_QUOTED = re.compile(r'"[^"{}]*"')


@pytest.fixture(scope="module")
def reasons(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return what `config check` says of every mistake that its own tests know."""
    file = tmp_path_factory.mktemp("box") / "scopegate.toml"
    found: dict[str, None] = {}
    texts = [f"{before}{line}\n" for before, line, _, _ in WRONG]
    texts += [f"{STOW}{before}{line}\n" for before, line, _, _ in WRONG_OF_THE_WEB]
    for text in (*texts, ALL_AT_ONCE):
        file.write_text(text)
        found |= dict.fromkeys(problem.reason for problem in check(file, {}))
    return list(found)


@pytest.mark.parametrize("tag", [tag for tag in LANGUAGES if tag != ENGLISH])
def test_no_mistake_is_said_in_english_alone(reasons: list[str], tag: str) -> None:
    words = Languages()[tag]
    assert len(reasons) > 150
    assert [each for each in reasons if words.said(each) == each] == []
    assert [each for each in reasons if not _kept(each, words.said(each))] == []


def _kept(reason: str, said: str) -> bool:
    """Say whether what somebody typed stands in the translation too."""
    refused = reason.rpartition(", not ")[2].partition("; did you")[0]
    return all(quoted in said for quoted in _QUOTED.findall(refused))


def test_a_mistake_is_named_as_the_screen_names_its_key() -> None:
    assert label("destination.host") == "Address"
    assert label("destination.tls.ca") == "File of the authorities that are trusted"
    assert label("destination") == "Archive"
    assert label("stray") == "stray"
