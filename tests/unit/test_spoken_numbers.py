import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.drafting.spoken_numbers import numbers_in


@pytest.mark.parametrize(
    ("said", "figure"),
    [
        ("twenty five milligrams", "25"),
        ("twenty-five milligrams", "25"),
        ("two point five", "2.5"),
        ("ninety eight . two", "98.2"),
        ("one twenty eight over seventy six", "128"),
        ("one thousand milligrams", "1000"),
        ("five hundred twice a day", "500"),
        ("quit in two thousand eight", "2008"),
        ("10.50 mg", "10.5"),
        ("1,000 units", "1000"),
    ],
)
def test_a_number_is_understood_as_it_is_said_in_a_visit(said: str, figure: str) -> None:
    assert figure in numbers_in(said)


def test_words_that_only_sound_like_numbers_are_none() -> None:
    assert numbers_in("someone else often wonders") == set()


@given(st.integers(min_value=0, max_value=99_999))
def test_every_figure_is_found_as_itself(number: int) -> None:
    assert numbers_in(f"take {number} now") == {str(number)}


@given(st.text(max_size=200))
def test_no_text_makes_it_fail(text: str) -> None:
    assert all(value.replace(".", "", 1).isdigit() for value in numbers_in(text))
