"""docs/following.md says who wins and what ends a write exactly as the code does."""

import pytest

from tests.docs.following_tables import authority_table, endings_table, who_table
from tests.docs.tables import between


@pytest.mark.parametrize(
    ("name", "drawn"), [("authority", authority_table()), ("endings", endings_table()), ("who", who_table())]
)
def test_the_tables_are_those_of_the_code(name: str, drawn: str) -> None:
    assert between("docs/following.md", name) == drawn
