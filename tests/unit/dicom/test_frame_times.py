import pytest

from gateway.dicom.frame_times import LONGEST_VECTOR, frame_time, is_even, vector

MS = 1_000_000


def test_a_steady_clip_has_one_frame_time():
    times = [int(1e9 + number * 1001 / 30 * MS) for number in range(300)]

    assert is_even(times)
    assert frame_time(times) == pytest.approx(33.3667, abs=1e-4)


def test_a_lost_frame_makes_a_clip_uneven():
    times = [number * 40 * MS for number in range(50) if number != 20]

    assert not is_even(times)
    assert vector(times).split("\\")[19:22] == ["40.000", "80.000", "40.000"]


def test_rounding_does_not_add_up_over_a_long_clip():
    times = [int(number * 133.333333 * MS) for number in range(3000)]
    values = vector(times).split("\\")

    assert all(len(value) <= 6 for value in values)
    assert sum(map(float, values)) == pytest.approx(times[-1] / MS, abs=0.06)
    assert values[0] == "0"


def test_a_vector_too_long_for_its_length_field_is_not_written():
    fits = [number * 40 * MS for number in range(9362)]

    assert 65_520 < len(vector(fits)) <= LONGEST_VECTOR
    assert vector([number * 40 * MS for number in range(9364)]) == ""


def test_a_gap_of_a_quarter_of_an_hour_fits_no_vector():
    assert vector([0, 900_000 * MS]) == "0\\900000"
    assert vector([0, 1_100_000 * MS]) == ""


def test_one_frame_has_no_frame_time():
    assert frame_time([5]) == 0
