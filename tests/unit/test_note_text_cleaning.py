import pytest

from app.notes.handlers import clean


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("BP 120\t80", "BP 120 80"),
        ("no\u00a0pain", "no pain"),
        ("20\u202fmg", "20 mg"),
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("a\x00b\u200bc", "abc"),
        ("  náuseas, ½ tableta  ", "náuseas, ½ tableta"),
    ],
)
def test_no_white_space_that_separates_words_or_figures_is_lost(typed: str, kept: str) -> None:
    assert clean(typed) == kept
