"""The commands on administrators' accounts, as an operator types them."""

import io
import json
import shutil
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from app.cli.__main__ import main

PASSWORD = "four unrelated words here"


class Ended(NamedTuple):
    """How a command ended, as its shell would see it."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def run(migrated_sqlite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    shutil.copy(migrated_sqlite, tmp_path / "countersign.db")
    monkeypatch.setenv("COUNTERSIGN_HOME", str(tmp_path))
    monkeypatch.setenv("COUNTERSIGN_LAKESIDE_SECRET", "of-the-sandbox")

    def run(*words: str, typed: str = "") -> Ended:
        monkeypatch.setattr(sys, "argv", ["countersign", "admin", *words])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed.encode())))
        # Not pytest's own streams: loggers keep the one that they were made with, and those are closed after the test.
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        # A text for a code is what the interpreter prints on standard error before it ends with 1.
        words_of_code = f"{code}\n" if isinstance(code, str) else ""
        return Ended(1 if isinstance(code, str) else int(code or 0), out.getvalue(), err.getvalue() + words_of_code)

    return run


def test_the_first_account_is_made_with_a_password_from_standard_input(run: Any) -> None:
    """E11: the password is no argument, which every process of the machine could read."""
    added = run("add", "Dana", "--role", "it_admin", "--role", "product", "--json", typed=f"{PASSWORD}\n")
    assert added.returncode == 0, added.stderr
    account = json.loads(added.stdout)
    assert (account["roles"], account["disabled"]) == (["it_admin", "product"], False)
    assert PASSWORD not in added.stdout + added.stderr
    assert json.loads(run("list", "--json").stdout) == {"accounts": [account]}


def test_the_first_account_looks_after_accounts_or_reads_the_trail_but_not_both(run: Any) -> None:
    """E11, E30."""
    refused = run("add", "Dana", "--role", "it_admin", "--role", "compliance", typed=f"{PASSWORD}\n")
    assert refused.returncode == 1
    assert "two accounts" in refused.stderr
    assert json.loads(run("list", "--json").stdout) == {"accounts": []}


def test_roles_are_explained_and_changed(run: Any) -> None:
    run("add", "Dana", "--role", "it_admin", typed=f"{PASSWORD}\n")
    eve = json.loads(run("add", "Eve", "--role", "product", "--json", typed=f"{PASSWORD}\n").stdout)["account_id"]
    assert "reads the audit trail" in run("roles").stdout
    changed = run("roles", eve, "--role", "compliance", "--json")
    assert json.loads(changed.stdout)["roles"] == ["compliance"]
    assert run("roles", eve).returncode == 2


def test_an_account_is_disabled_but_not_the_last_that_looks_after_accounts(run: Any) -> None:
    """E11."""
    dana = json.loads(run("add", "Dana", "--role", "it_admin", "--json", typed=f"{PASSWORD}\n").stdout)["account_id"]
    eve = json.loads(run("add", "Eve", "--role", "product", "--json", typed=f"{PASSWORD}\n").stdout)["account_id"]
    assert json.loads(run("disable", eve, "--json").stdout)["disabled"] is True
    refused = run("disable", dana)
    assert (refused.returncode, "last account" in refused.stderr) == (1, True)


@pytest.mark.parametrize("words", [("Dana", "--role", "emperor"), ("Dana",), ("D", "--role", "product")])
def test_what_cannot_be_added_is_said_in_one_line(run: Any, words: tuple[str, ...]) -> None:
    refused = run("add", *words, typed=f"{PASSWORD}\n")
    assert refused.returncode != 0
    assert "Traceback" not in refused.stderr


def test_a_command_on_an_unknown_account_says_so(run: Any) -> None:
    assert "no such account" in run("disable", "nobody").stderr
