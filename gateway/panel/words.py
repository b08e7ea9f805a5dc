"""The words of the screen in the language that was chosen (docs/decisions/0027-words-and-languages.md).

English is the key. Translates only for showing; what it does not know it gives back as it is.
"""

import gettext
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

from starlette.requests import HTTPConnection

from gateway.config.settings import ENGLISH, LANGUAGES

_HERE = Path(__file__).parent
NAMES = {"en": "English", "de": "Deutsch", "it": "Italiano", "zh-Hans": "简体中文"}  # each in its own words
COOKIE = "language"  # what somebody chose for this browser
_PLACE = re.compile(r"\{(\w+)\}")
_SPOKEN = frozenset({"what", "safe", "action", "detail", "reason", "problem", "title"})  # keys of what people read
_END = re.compile(r"(?<=[.?!]) (?=[A-Z])")  # of a sentence, before the next one
_BETWEEN = " · "  # facts side by side, each a message
_DAY_AND_TIME = re.compile(r"(.+) (\d\d:\d\d)")
_KNOWN = 1024  # sentences that are remembered
_FEW = 12  # letters
_DEEPEST = 3  # sentences within sentences
_TO_THE_LEFT = frozenset({"ar", "fa", "he", "ur"})  # languages that are written to the left


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A message with places, and what a sentence made from it looks like."""

    message: str
    shape: re.Pattern[str]

    @property
    def is_short(self) -> bool:
        return sum(map(str.isalpha, _PLACE.sub("", self.message))) < _FEW


class Words:
    """One language. `translate` is a gettext function of it."""

    def __init__(self, language: str, translations: gettext.NullTranslations, messages: Iterable[str]) -> None:
        self.language = language
        self.direction = "rtl" if language.split("-", maxsplit=1)[0] in _TO_THE_LEFT else "ltr"
        self.gettext = translations.gettext
        self.ngettext = translations.ngettext
        # The one with the most words of its own decides: "{a} of {b}" fits nearly everything.
        longest_first = sorted(filter(_PLACE.search, messages), key=lambda m: len(_PLACE.sub("", m)), reverse=True)
        self._patterns = [_Pattern(message, shape(message)) for message in longest_first]
        self.said: Callable[[str], str] = lru_cache(_KNOWN)(self._said)

    def of(self, document: Any) -> Any:  # noqa: ANN401 - JSON
        """Return a JSON value with the sentences in it translated that are for people."""
        if isinstance(document, dict):
            return {
                k: self.said(v) if k in _SPOKEN and isinstance(v, str) else self.of(v) for k, v in document.items()
            }
        if isinstance(document, list):
            return [self.of(each) for each in document]
        return document

    def _said(self, text: str, depth: int = 0) -> str:
        """Translate what was written from messages: facts side by side, sentences one after the other."""
        if whole := self._message(text, depth):
            return whole
        if (at := _DAY_AND_TIME.fullmatch(text)) and (day := self._message(at[1], depth)):
            return f"{day} {at[2]}"
        if _BETWEEN in text:
            return _BETWEEN.join(self._said(part, depth) for part in text.split(_BETWEEN))
        sentences, done = _END.split(text), []
        while sentences:
            for count in range(len(sentences), 0, -1):
                if found := self._message(" ".join(sentences[:count]), depth):
                    break
            done.append(found or sentences[0])
            del sentences[:count]
        return " ".join(done)

    def _message(self, text: str, depth: int) -> str | None:
        """Translate what stands in the catalogue, or was made from one message that does."""
        if not text:
            return None
        for known, finish in ((text, str), (text[0].lower() + text[1:], capital)):
            if (found := self.gettext(known)) != known:
                return finish(found)
            for pattern in self._patterns:
                match = pattern.shape.fullmatch(known)
                if match and (values := self._values(pattern, match.groupdict(), depth)) is not None:
                    return finish(_PLACE.sub(lambda place: values[place[1]], self.gettext(pattern.message)))
        return None

    def _values(self, pattern: _Pattern, values: dict[str, str], depth: int) -> dict[str, str] | None:
        """Translate the values of a message; None when this sentence was not made from it.

        No value goes over the end of a sentence. With few words of its own it would be found in any sentence: then
        each value of several words must be a message too.
        """
        found = {}
        for name, value in values.items():
            if _END.search(value):
                return None
            known = self._said(value, depth + 1) if depth < _DEEPEST else value
            if pattern.is_short and " " in value and known == value:
                return None
            found[name] = known
        return found


class Languages:
    """The languages of a folder of catalogues, each read when it is first asked for."""

    def __init__(self, folder: Path = _HERE / "locale", tags: Sequence[str] = LANGUAGES) -> None:
        self._folder = folder
        self._tags = tags
        self._read: dict[str, Words] = {}

    def __getitem__(self, tag: str) -> Words:
        """Return a language; English for one that there is none of."""
        if tag not in self._tags:
            tag = ENGLISH
        if tag not in self._read:
            self._read[tag] = _english() if tag == ENGLISH else _of_catalogue(self._folder, tag)
        return self._read[tag]

    def of_page(self, request: HTTPConnection, usual: str) -> Words:
        """Return the language of a page: what was chosen in this browser, else the box's."""
        chosen = request.cookies.get(COOKIE, "")
        return self[chosen if chosen in self._tags else usual]

    def of_call(self, request: HTTPConnection) -> Words:
        """Return the language that a call asks for (RFC 9110 12.5.4; a WebSocket says `?language=`), else English.

        A program that names none gets the same words in every clinic.
        """
        asked = [request.query_params.get("language", ""), *request.headers.get("accept-language", "").split(",")]
        for each in asked:
            whole = each.partition(";")[0].strip().lower()
            main = whole.split("-")[0]
            exact = (tag for tag in self._tags if whole == tag.lower())
            near = (tag for tag in self._tags if main == tag.lower().split("-")[0])
            if found := next(exact, "") or next(near, ""):
                return self[found]
        return self[ENGLISH]


def of_call(request: HTTPConnection) -> Words:
    """Return the language that a call of this application asks for."""
    languages: Languages = request.app.state.languages
    return languages.of_call(request)


def _english() -> Words:
    return Words(ENGLISH, gettext.NullTranslations(), ())


def _of_catalogue(folder: Path, tag: str) -> Words:
    # English does without: 40 ms and a library.
    from babel.messages.mofile import write_mo  # noqa: PLC0415
    from babel.messages.pofile import read_po  # noqa: PLC0415

    name = tag.replace("-", "_")
    with (folder / f"{name}.po").open("rb") as file:
        catalogue = read_po(file, name, abort_invalid=True)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    singular = [message.id if isinstance(message.id, str) else message.id[0] for message in catalogue if message.id]
    return Words(tag, gettext.GNUTranslations(compiled), singular)


def shape(message: str) -> re.Pattern[str]:
    """Return what a sentence looks like that was made from a message with places."""
    parts = _PLACE.split(message)  # text, name, text, name ... text
    text, seen = "", set()
    for number, part in enumerate(parts):
        if number % 2 == 0:
            text += re.escape(part)
        else:
            text += f"(?P={part})" if part in seen else f"(?P<{part}>.+?)"
            seen.add(part)
    return re.compile(text, re.DOTALL)


def capital(text: str) -> str:
    """Return it as a line of its own begins."""
    return text[:1].upper() + text[1:]
