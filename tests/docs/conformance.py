"""Which test proves which item of the conformance checklist: read from the docstrings of the tests.

A test that proves items begins its docstring with them: "A48, A50." or "A40 to A43, E17: in words".
`python -m tests.docs.conformance` writes the found tests into `docs/conformance.md`.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs/conformance.md"
ITEM = r"[A-FI]\d{1,2}"
LEADING_ITEMS = re.compile(rf"(?:{ITEM}(?: to {ITEM})?(?:, | and )?)+(?=[.:;])")
ONE_OR_RANGE = re.compile(rf"({ITEM})(?: to ({ITEM}))?")
ROW = re.compile(rf"^\| ({ITEM}) \| ([^|]*) \| ([^|]*) \|$", re.MULTILINE)
LEFT_OUT = "Left out: "
# Sections whose every item must have a row, and so a test or a reason.
PROMISED = {"A": range(1, 73), "B": range(23, 24), "C": range(1, 42), "E": range(1, 18), "F": range(1, 51)}
INVARIANTS = [f"I{number}" for number in range(1, 8)]


def promised() -> list[str]:
    """Every item that `docs/conformance.md` must account for."""
    return [f"{section}{number:02d}" for section, numbers in PROMISED.items() for number in numbers] + INVARIANTS


def proving_tests() -> dict[str, list[str]]:
    """Each item with the tests that name it, as `file::test`, in the order of the files."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for test in _tests(path):
            for item in items_of(ast.get_docstring(test) or ""):
                found[item].append(f"{path.stem}::{test.name}")
    return dict(found)


def items_of(docstring: str) -> list[str]:
    """The items that a docstring begins with; ranges are written out."""
    leading = LEADING_ITEMS.match(docstring)
    return [item for first, last in ONE_OR_RANGE.findall(leading[0] if leading else "") for item in _range(first, last)]


def rows() -> dict[str, tuple[str, str]]:
    """What the document says of each item: its words, and its tests or the reason why there are none."""
    return {item: (words, proof) for item, words, proof in ROW.findall(DOCUMENT.read_text(encoding="utf-8"))}


def proof(item: str, found: dict[str, list[str]], written: str) -> str:
    """The last cell of an item's row: its tests, one below the other, or the reason that was written there."""
    tests = found.get(item, [])
    return "<br>".join(f"`{test}`" for test in tests) if tests else written


def _range(first: str, last: str) -> list[str]:
    if not last:
        return [first]
    return [f"{first[0]}{number:0{len(first) - 1}d}" for number in range(int(first[1:]), int(last[1:]) + 1)]


def _tests(path: Path) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node


def rewrite() -> None:
    """Bring the document's last column up to date; rows without a test keep what stands there."""
    found = proving_tests()
    text = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(ROW.sub(lambda row: f"| {row[1]} | {row[2]} | {proof(row[1], found, row[3])} |", text))


if __name__ == "__main__":
    rewrite()
