"""Every item of the checklist that we promise has a test that names it, or a reason why it has none."""

from tests.docs.conformance import LEFT_OUT, items_of, promised, proof, proving_tests, rows


def test_every_promised_item_has_a_row() -> None:
    assert [item for item in promised() if item not in rows()] == []


def test_every_item_has_a_test_or_a_reason() -> None:
    found = proving_tests()
    unproven = [item for item, (_, cell) in rows().items() if item not in found and not cell.startswith(LEFT_OUT)]
    assert unproven == []


def test_the_tests_in_the_table_are_the_tests_that_name_the_item() -> None:
    """To mend it: python -m tests.docs.conformance"""
    found = proving_tests()
    assert {item: cell for item, (_, cell) in rows().items()} == {
        item: proof(item, found, cell) for item, (_, cell) in rows().items()
    }


def test_items_are_read_from_the_beginning_of_a_docstring_only() -> None:
    assert items_of("A24, A33 and E02: the server fetches our keys; see A99.") == ["A24", "A33", "E02"]
    assert items_of("A40 to A43, E17.") == ["A40", "A41", "A42", "A43", "E17"]
    assert items_of("Nothing of A40.") == []
