"""What a command says to somebody who never saw the code: a mistake is named before anything is done."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from app.cli.__main__ import countersign
from app.cli.reporting import counted


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["chaos", "--histories", "0"], "0 is not in the range x>=1"),
        (["bench", "--only", "P99"], "'P99' is not one of 'P1'"),
        (["log", "replay", "--approve", "abc"], "--approve goes with --mapping"),
        (["log", "canary", "harbor-epic", "--most", "0"], "0 is not in the range x>=1"),
    ],
)
def test_what_cannot_be_asked_is_said_and_is_no_success(asked: list[str], words: str) -> None:
    said = CliRunner().invoke(countersign, asked)
    assert (said.exit_code, words in said.output) == (2, True), said.output


@pytest.mark.parametrize("asked", [["log", "export", "harbor-epic"], ["log", "proof", "harbor-epic", "1"]])
def test_what_is_written_for_a_stranger_is_not_mixed_with_what_is_there(asked: list[str], tmp_path: Path) -> None:
    said = CliRunner().invoke(countersign, [*asked, str(tmp_path)])
    assert (said.exit_code, "is there already; name a new directory" in said.output) == (2, True), said.output


def test_one_is_not_counted_as_many() -> None:
    assert [counted(number, "write") for number in (0, 1, 2)] == ["0 writes", "1 write", "2 writes"]
    assert [counted(number, "history", "histories") for number in (1, 2)] == ["1 history", "2 histories"]
