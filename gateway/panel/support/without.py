"""Takes words out of texts, however many words there are.

One pattern of all words would be tried at every sign of a text, word after word: with 20,000 exams for minutes.
Here every sign costs three looks into a table of how words begin.
"""

from collections.abc import Iterable, Iterator, Sequence

REMOVED = "[removed]"
_STEM = 3  # signs of a word's beginning; a shorter word of letters stands by itself
Span = tuple[int, int]


def without(texts: Sequence[str], batches: Iterable[set[str]]) -> list[str]:
    """Return the texts without any of the words, in any case; only one batch of words is kept at a time."""
    found: list[list[Span]] = [[] for _ in texts]
    for words in batches:
        table = _Table(words)
        for text, spans in zip(texts, found, strict=True):
            spans.extend(table.spans(text))
    return [_cut(text, spans) for text, spans in zip(texts, found, strict=True)]


class _Table:
    """Words by how they begin."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = {_folded(word) for word in words}
        lengths: dict[str, set[int]] = {}
        for word in self._words:
            lengths.setdefault(word[:_STEM], set()).add(len(word))
        self._lengths = {stem: sorted(found, reverse=True) for stem, found in lengths.items()}

    def spans(self, text: str) -> Iterator[Span]:
        """Yield the longest word at every place where one begins."""
        folded, known = _folded(text), self._lengths
        for at in range(len(folded)):
            for size in (_STEM, 2, 1):
                lengths = known.get(folded[at : at + size])
                if lengths and (end := self._end(folded, at, lengths)):
                    yield at, end
                    break

    def _end(self, folded: str, at: int, lengths: Sequence[int]) -> int:
        for length in lengths:
            word, end = folded[at : at + length], at + length
            if word in self._words and (length >= _STEM or not word.isascii() or _stands_alone(folded, at, end)):
                return end
        return 0


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Say whether it is a word by itself: "Li", and not the beginning of "Lied"."""
    around = text[max(0, start - 1) : start] + text[end : end + 1]
    return not any(each.isalnum() or each == "_" for each in around)


def _folded(text: str) -> str:
    """Return small letters, as many as there were."""
    small = text.lower()
    if len(small) != len(text):  # İ becomes two
        small = "".join(low if len(low := each.lower()) == 1 else each for each in text)
    return small.replace("ς", "\N{GREEK SMALL LETTER SIGMA}")


def _cut(text: str, spans: Iterable[Span]) -> str:
    """Return the text without these places; those that overlap go as one."""
    parts, kept, end = list[str](), 0, 0
    for start, stop in sorted(spans):
        if start >= end:
            parts += (text[kept:start], REMOVED)
        end = kept = max(end, stop)
    return "".join([*parts, text[kept:]])
