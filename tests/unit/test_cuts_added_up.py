"""Lines of power cuts are added up as they fell."""

import pytest

from tests.appliance.cuts import Cut, seconds_of, summary


def cut(day: int, way: str, step: str, *, lost: tuple[str, ...] = (), memory: int = 3) -> Cut:
    return Cut(
        day=day, seed=1, way=way, step=step, after_s=7.5, acknowledged=4, lost=list(lost), wrong=[],
        careless={"memory": memory, "disk": 0}, start_s=60.0 + day, waited_s=2, journal_mb=9, used_mb=100 + day,
    )  # fmt: skip


def test_cuts_are_counted_by_what_went_on() -> None:
    cuts = [cut(1, "exams", "still"), cut(2, "exams", "still", lost=("2.25.1",)), cut(3, "sending", "clip")]
    text = summary(cuts)
    assert "| exams: still | 2 | 8 | 1 | 0 |" in text
    assert "| sending: clip | 1 | 4 | 0 | 0 |" in text
    assert "| all | 3 | 12 | 1 | 0 |" in text
    assert "start_s: first 61, last 63, most 63" in text


def test_a_cut_that_took_nothing_with_it_is_told() -> None:
    assert "something after 1 of 2 cuts" in summary([cut(1, "exams", "still"), cut(2, "exams", "still", memory=0)])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Startup finished in 2.1s (firmware) + 1.2s (kernel) + 50.7s (userspace) = 54.0s", 54.0),
        ("Startup finished in 10s (kernel) + 2min 3.5s (userspace) = 2min 13.500s\nreached after 9s", 133.5),
        ("Startup finished in 900ms (kernel) = 900ms", 0.9),
    ],
)
def test_what_systemd_says_of_a_start_is_read_in_seconds(text: str, seconds: float) -> None:
    assert seconds_of(text) == pytest.approx(seconds)
