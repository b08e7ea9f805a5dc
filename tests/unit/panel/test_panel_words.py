"""English is the key: whatever was written from messages is shown in the clinic's language, and nothing else is."""

from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po
from starlette.requests import HTTPConnection

from gateway.panel.words import Languages, Words

GERMAN = {
    "The box is full.": "Die Box ist voll.",
    "Try again.": "Nochmals versuchen.",
    "The picture was NOT stored: {why}": "Bild NICHT gespeichert: {why}",
    "{who} did not answer: {why}.": "{who} hat nicht geantwortet: {why}.",
    "the archive {name}": "das Archiv {name}",
    "nothing listens at {where}": "unter {where} hört niemand zu",
    "{who} {says} (status {status}).": "{who} {says} (Status {status}).",
    "refuses a value in it": "lehnt einen Wert darin ab",
    "1 image": "1 Bild",
    "{count} clips": "{count} Clips",
    "{day}-Mar-{year}": "{day}. März {year}",
}


@pytest.fixture
def german(tmp_path: Path) -> Words:
    catalogue = Catalog(locale="de", fuzzy=False)
    for message, text in GERMAN.items():
        catalogue.add(message, text)
    with (tmp_path / "de.po").open("wb") as file:
        write_po(file, catalogue)
    return Languages(tmp_path)["de"]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("The box is full.", "Die Box ist voll."),
        ("The picture was NOT stored: The box is full.", "Bild NICHT gespeichert: Die Box ist voll."),
        ("The box is full. Try again.", "Die Box ist voll. Nochmals versuchen."),
        (
            "The box is full. Nobody knows this. Try again.",
            "Die Box ist voll. Nobody knows this. Nochmals versuchen.",
        ),
        (
            "The archive pacs did not answer: nothing listens at 10.0.0.6:104. Try again.",
            "Das Archiv pacs hat nicht geantwortet: unter 10.0.0.6:104 hört niemand zu. Nochmals versuchen.",
        ),
        (
            "The archive pacs refuses a value in it (status 0106).",
            "Das Archiv pacs lehnt einen Wert darin ab (Status 0106).",
        ),
        ("1 image · 2 clips", "1 Bild · 2 Clips"),
        ("14-Mar-1968", "14. März 1968"),
        ("14-Mar-2026 09:10", "14. März 2026 09:10"),
        ("", ""),
    ],
)
def test_what_was_written_from_messages_is_shown_in_the_language(german: Words, written: str, shown: str) -> None:
    assert german.said(written) == shown


@pytest.mark.parametrize(
    "written",
    [
        "Nobody knows this.",
        "Somebody over there said so (status 0106).",  # few words of the message's own, and values that are none
        "A list of many clips",
        "MEIER, Anna · 4711-0815",
    ],
)
def test_what_is_no_message_stays_as_it_is(german: Words, written: str) -> None:
    assert german.said(written) == written


def test_of_an_answer_only_what_people_read_is_translated(german: Words) -> None:
    answer = {
        "what": "The box is full.",
        "code": "disk-full",
        "name": "The box is full.",
        "sources": [{"what": "The box is full.", "state": "live"}],
    }
    assert german.of(answer) == {
        "what": "Die Box ist voll.",
        "code": "disk-full",
        "name": "The box is full.",
        "sources": [{"what": "Die Box ist voll.", "state": "live"}],
    }


def asking(query: str = "", **headers: str) -> HTTPConnection:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return HTTPConnection({"type": "http", "headers": raw, "query_string": query.encode()})


@pytest.mark.parametrize(
    ("connection", "tag"),
    [
        (asking(), "en"),
        (asking(accept_language="de-CH,de;q=0.9,en;q=0.8"), "de"),
        (asking(accept_language="fr, it;q=0.5"), "it"),
        (asking(accept_language="zh-CN"), "zh-Hans"),
        (asking(accept_language="*"), "en"),
        (asking("language=zh-Hans", accept_language="de"), "zh-Hans"),
        (asking("language=%00xx"), "en"),
    ],
)
def test_a_call_gets_the_language_that_it_asks_for_and_a_program_english(
    connection: HTTPConnection, tag: str
) -> None:
    assert Languages().of_call(connection).language == tag


def test_a_page_has_the_language_of_the_box_unless_this_browser_chose_another() -> None:
    assert Languages().of_page(asking(), "de").language == "de"
    assert Languages().of_page(asking(cookie="language=it"), "de").language == "it"
    assert Languages().of_page(asking(cookie="language=../../x"), "de").language == "de"
