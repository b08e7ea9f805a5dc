"""The table of C-STORE statuses, row by row."""

import itertools

import pytest

from gateway.errors import NeedsConfiguration, NeverAccepted, TryLater
from gateway.net.statuses import TABLE, Meaning, as_markdown, failure, is_warning, rule_for


@pytest.mark.parametrize("status", [0xB000, 0xB006, 0xB007, 0xB001, 0xB101, 0xBFFF, 0x0001, 0x0107, 0x0116])
def test_a_warning_means_stored(status):
    assert rule_for(status).meaning is Meaning.STORED_WITH_WARNING


@pytest.mark.parametrize("status", [0xA700, 0xA7FF, 0x0213, 0x0110, 0x0210])
def test_an_archive_in_trouble_is_asked_again(status):
    assert type(failure(status, who="the archive pacs")) is TryLater


@pytest.mark.parametrize("status", [0x0122, 0x0112, 0x0124, 0x0214])
def test_a_matter_of_settings_waits_for_somebody(status):
    assert type(failure(status, who="the archive pacs")) is NeedsConfiguration


@pytest.mark.parametrize(
    "status",
    [0xA900, 0xA9FF, 0xC000, 0xC123, 0xCFFF, 0x0106, 0x0115, 0x0117, 0x0119, 0x0120, 0x0121, 0x0211, 0x0212],
)
def test_an_object_that_does_not_fit_is_held(status):
    assert type(failure(status, who="the archive pacs")) is NeverAccepted


@pytest.mark.parametrize("status", [0x0002, 0xA6FF, 0xA800, 0xAA00, 0xAFFF, 0xD000, 0xFE00, 0xFF00, 0xFFFF])
def test_an_unknown_answer_is_asked_again_and_never_taken_for_stored(status):
    error = failure(status, who="the archive pacs")
    assert type(error) is TryLater
    assert (error.code, error.status) == ("unknown-status", f"{status:04X}")


def test_only_success_and_what_is_of_the_class_warning_count_as_stored():
    stored = [s for s in range(0x10000) if rule_for(s).meaning in (Meaning.STORED, Meaning.STORED_WITH_WARNING)]
    assert stored == [0x0000, 0x0001, 0x0107, 0x0116, *range(0xB000, 0xC000)]
    assert [s for s in stored if is_warning(s)] == stored[1:]


def test_no_status_is_in_two_rows():
    spans = sorted((rule.first, rule.last) for rule in TABLE)
    assert all(first <= last for first, last in spans)
    assert all(before[1] < after[0] for before, after in itertools.pairwise(spans))


def test_the_words_name_the_archive_and_the_status():
    assert failure(0xA700, who="the archive pacs").what == "The archive pacs is out of resources (status A700)."


def test_the_documents_show_every_row():
    assert as_markdown().count("\n") == len(TABLE) + 3
    assert "| A700-A7FF |" in as_markdown()
