"""Every word of the screen exists in every language, with the same values in it.

`python tests/rules/test_words.py` brings the catalogues up to date; what is new in them waits for its translation.
"""

import re
from functools import cache
from io import BytesIO
from itertools import permutations
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from gateway.config.settings import ENGLISH, LANGUAGES
from gateway.panel.words import NAMES, shape
from tests.rules.messages import messages

LOCALE = Path(__file__).resolve().parents[2] / "gateway/panel/locale"
OTHERS = [tag for tag in LANGUAGES if tag != ENGLISH]
PLACES = re.compile(r"\{\w+\}|%\(\w+\)s")
QUOTED = re.compile(r"“([^”]+)”")
GERMAN = "de"
NAMED = 14  # letters: a shorter word may be the same in two languages
FEW = 3  # letters: a message that has fewer of its own is found in too many sentences
HEADER = """\
# The words of Scopegate's screen. English is the key; {{name}} and %(name)s stand for values.
msgid ""
msgstr ""
"Language: {name}\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: {plurals}\\n"

"""


def catalogue(tag: str) -> Catalog:
    name = tag.replace("-", "_")
    path = LOCALE / f"{name}.po"
    content = path.read_bytes() if path.exists() else b""
    return read_po(BytesIO(content), name, abort_invalid=True)


@cache
def template() -> Catalog:
    found = Catalog(project="Scopegate", copyright_holder="the Scopegate authors", fuzzy=False)
    for message, places in sorted(messages().items(), key=lambda item: item[1]):
        found.add(message, locations=[(place.rpartition(":")[0], 1) for place in places])
    return found


def test_each_language_has_a_name_in_its_own_words() -> None:
    assert set(NAMES) == set(LANGUAGES)


@pytest.mark.parametrize("tag", OTHERS)
def test_every_message_is_translated_with_its_values(tag: str) -> None:
    held = {str(message.id): message for message in catalogue(tag) if message.id}
    wanted = {str(message.id) for message in template() if message.id}
    assert wanted - set(held) == set(), "new: python tests/rules/test_words.py"
    assert set(held) - wanted == set(), "said no more: python tests/rules/test_words.py"
    unsure = [one for one, message in held.items() if message.fuzzy or not message.string]
    assert unsure == []
    other = [one for one, message in held.items() if places(one) != places(str(message.string))]
    assert other == []


@pytest.mark.parametrize("tag", OTHERS)
def test_what_a_sentence_quotes_is_called_as_the_screen_calls_it(tag: str) -> None:
    held = {str(message.id): str(message.string) for message in catalogue(tag) if message.id}
    quoted = [(one, name) for one in held for name in QUOTED.findall(one)]
    assert quoted
    assert [name for _, name in quoted if name not in held] == []
    assert [(one, name) for one, name in quoted if held[name] not in held[one]] == []


@pytest.mark.parametrize("tag", [tag for tag in OTHERS if tag != GERMAN])
def test_no_language_has_the_words_of_another(tag: str) -> None:
    german = {str(message.id): str(message.string) for message in catalogue(GERMAN) if message.id}
    held = {str(message.id): str(message.string) for message in catalogue(tag) if message.id}
    assert [one for one, words in held.items() if words == german[one] != one and len(words) > NAMED] == []


def test_a_finished_sentence_is_found_as_its_own_message_and_no_other() -> None:
    with_values = [str(message.id) for message in template() if "{" in str(message.id)]
    assert [one for one in with_values if len(re.sub(r"\{\w+\}|\W", "", one)) < FEW] == []
    sentences = {one: re.sub(r"\{(\w+)\}", "17", one) for one in with_values}
    wrong = [
        (one, other)
        for one, other in permutations(with_values, 2)
        if len(PLACES.sub("", other)) >= len(PLACES.sub("", one))
        and PLACES.sub("", other) != PLACES.sub("", one)  # as good
        and shape(other).fullmatch(sentences[one])
    ]
    assert wrong == []


def places(message: str) -> list[str]:
    return sorted(PLACES.findall(message))


def main() -> None:
    for tag in OTHERS:
        held = catalogue(tag)
        held.update(template(), no_fuzzy_matching=True)
        held.obsolete.clear()
        content = BytesIO()
        write_po(content, held, width=116, include_lineno=False, ignore_obsolete=True, omit_header=True)
        name, left = tag.replace("-", "_"), sum(not message.string for message in held if message.id)
        header = HEADER.format(name=name, plurals=held.plural_forms)
        (LOCALE / f"{name}.po").write_bytes(header.encode() + content.getvalue())
        print(f"{tag}: {len(held)} messages, {left} to translate")


if __name__ == "__main__":
    LOCALE.mkdir(exist_ok=True)
    main()
