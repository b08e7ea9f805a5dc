"""Each part of the day has its styles in a file of its own, which its pages link after panel.css."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PANEL = Path(__file__).parents[2] / "gateway/panel"
STYLES = {path.name: path.read_text() for path in (PANEL / "static").glob("*.css")}
TEMPLATES = {path.name: path.read_text() for path in (PANEL / "templates").glob("*.html")}
_CLASSES = re.compile(r'class="((?:{{.*?}}|{%.*?%}|[^"{])*)"')
_SCREEN = re.compile(r"{% block screen %}(.*?){% endblock %}")


def with_what_it_is_made_of(name: str) -> Iterator[str]:
    yield TEMPLATES[name]
    for inner in re.findall(r'{% (?:extends|include) "([^"]+)"', TEMPLATES[name]):
        yield from with_what_it_is_made_of(inner)


PAGES = {name: text for name in TEMPLATES if "<!doctype" in (text := "\n".join(with_what_it_is_made_of(name)))}


def linked(text: str) -> list[str]:
    return re.findall(r'href="/static/([\w-]+\.css)"', text)


def classes(text: str) -> set[str]:
    """Return the classes that stand in a page as they are: what a value makes of one is not known here."""
    found = " ".join(_CLASSES.findall(text) + _SCREEN.findall(text))
    return set(re.findall(r"[\w-]+", re.sub(r"{{.*?}}|{%.*?%}", " ", found)))


def begun(sheet: str) -> set[str]:
    """Return the classes with which the selectors of a file begin."""
    text = re.sub(r"/\*.*?\*/|{[^{}]*}|@media[^{]*{", ",", STYLES[sheet], flags=re.DOTALL)
    return set(re.findall(r",\s*\.([\w-]+)", f",{text}"))


@pytest.mark.parametrize("page", sorted(PAGES))
def test_a_page_links_the_styles_of_its_part(page):
    links = linked(PAGES[page])
    assert links
    assert set(links) <= set(STYLES)
    for word in classes(PAGES[page]) - begun("panel.css"):
        sheets = {sheet for sheet in STYLES if word in begun(sheet)}
        assert not sheets or sheets & set(links), f"{word} is styled in {sheets}"


def test_every_file_of_styles_is_linked_by_a_page():
    assert {link for text in PAGES.values() for link in linked(text)} == set(STYLES)


@pytest.mark.parametrize("sheet", sorted(STYLES))
def test_what_is_larger_on_a_wide_screen_stands_after_what_it_replaces(sheet):
    replaced = list(re.finditer(r"@media \(min-width[^{]*{((?:[^{}]*{[^{}]*})*)", STYLES[sheet]))
    for wide in replaced:
        later = re.sub(r"@media[^{]*{(?:[^{}]*{[^{}]*})*", "", STYLES[sheet][wide.end() :])
        for selector in re.findall(r"\s*([^{}]+?)\s*{", wide[1]):
            assert f"\n{selector} {{" not in later, selector
