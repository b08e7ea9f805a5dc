"""How long a destination that is away is left alone."""

from gateway.forward.backoff import delay_before


def test_waits_double_from_a_quarter_of_a_minute_to_ten_minutes_and_never_end() -> None:
    assert [delay_before(n).total_seconds() for n in range(1, 9)] == [15, 30, 60, 120, 240, 480, 600, 600]
    assert delay_before(100_000).total_seconds() == 600
