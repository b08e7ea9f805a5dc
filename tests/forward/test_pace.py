"""How fast an archive takes objects: known from those that it stored last."""

from gateway.forward.sending.pace import Pace


def test_nothing_is_foreseen_before_the_first_object() -> None:
    assert Pace().bytes_per_s is None


def test_a_network_that_became_slow_is_foreseen_as_slow_after_some_pictures() -> None:
    pace = Pace()
    for _ in range(200):
        pace.took(1_000_000, 0.1)
    assert pace.bytes_per_s == 10_000_000
    for _ in range(50):
        pace.took(1_000_000, 1.0)
    assert pace.bytes_per_s
    assert pace.bytes_per_s < 2_000_000
