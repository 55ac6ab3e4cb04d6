"""Accounts, passwords and sessions of administrators, on a real database."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from sqlalchemy import create_engine, select, update

from app.administrators import accounts, passwords
from app.administrators.accounts import Account
from app.administrators.record import CONSOLE
from app.administrators.roles import Role
from app.administrators.sign_in import SignedIn, SignIn
from app.administrators.tables import admin_sessions, administrators
from app.db import Database
from app.errors import BadInput, SignInEnded, SignInRefused
from app.event_log.read import read_after
from app.event_log.recorded import Recorded
from app.event_log.verify import verify
from app.sealing import load_keyring
from app.settings import Settings
from tests.service import SettableClock

PASSWORD = "four unrelated words here"


pytestmark = pytest.mark.either_database


class Console:
    """The administrators' side of the app, without pages."""

    def __init__(self, url: str, home: Path) -> None:
        self.clock = SettableClock()
        self.database = Database(create_engine(url))
        keyring = load_keyring("test:" + base64.b64encode(bytes(32)).decode(), home)
        self.sign_in = SignIn(self.database, keyring, Settings(home=home), self.clock)

    def add(self, name: str = "Dana", *roles: Role) -> Account:
        with self.database.write() as tx:
            return accounts.add_local(tx, name, PASSWORD, roles or (Role.IT_ADMIN,), "cli:root", self.clock())

    def disable(self, account: Account) -> Account:
        with self.database.write() as tx:
            return accounts.disable(tx, account.account_id, "admin:somebody", self.clock())

    def enter(self, name: str = "Dana", password: str = PASSWORD, **known: str) -> SignedIn:
        return self.sign_in.with_password(name, password, **known)

    def is_open(self, signed: SignedIn) -> bool:
        try:
            self.sign_in.open(signed.secret)
        except SignInEnded:
            return False
        return True

    def log(self) -> list[Recorded]:
        with self.database.read() as tx:
            return read_after(tx, CONSOLE, 0)

    def last(self) -> dict[str, Any]:
        last = self.log()[-1]
        return {"tag": last.event.tag, "actor": last.actor, **last.event.fields()}


@pytest.fixture
def console(migrated_url: str, tmp_path: Path) -> Iterator[Console]:
    console = Console(migrated_url, tmp_path)
    yield console
    with console.database.read() as tx:
        assert not verify(tx).problems
    console.database.engine.dispose()


def test_a_password_is_kept_as_argon2id_and_opens_the_account_by_any_spelling_of_its_name(console: Console) -> None:
    """E11."""
    dana = console.add("Dana  Okafor")
    with console.database.read() as tx:
        [stored] = tx.execute(select(administrators.c.password_hash)).scalars()
    assert stored.startswith("$argon2id$")
    assert console.enter(" dana okafor ").account == dana
    assert dana.name == "Dana Okafor"


def test_a_session_is_new_at_every_sign_in_and_stored_by_its_digest(console: Console) -> None:
    """E11: what was planted before the sign-in is worth nothing after it."""
    console.add()
    first = console.enter()
    second = console.enter(replaced=first.secret)
    assert first.secret != second.secret
    assert (console.is_open(first), console.is_open(second)) == (False, True)
    with console.database.read() as tx:
        rows = tx.execute(select(admin_sessions)).all()
    assert second.secret not in str(rows)


def test_an_invented_session_opens_nothing(console: Console) -> None:
    """E11."""
    with pytest.raises(SignInEnded):
        console.sign_in.open("invented")
    with pytest.raises(SignInEnded):
        console.sign_in.open("")


def test_a_session_that_lay_idle_is_over_and_one_in_use_is_not(console: Console) -> None:
    """E12."""
    console.add()
    signed = console.enter()
    for _ in range(3):
        console.clock.advance(minutes=14)
        assert console.is_open(signed)
    console.clock.advance(minutes=15, seconds=1)
    assert not console.is_open(signed)


def test_a_session_ends_after_eight_hours_however_busy_it_was(console: Console) -> None:
    """E12."""
    console.add()
    signed = console.enter()
    for _ in range(47):
        console.clock.advance(minutes=10)
        assert console.is_open(signed)
    console.clock.advance(minutes=10)
    assert not console.is_open(signed)


def test_signing_out_ends_the_session_on_the_server(console: Console) -> None:
    """E11, E30."""
    dana = console.add()
    signed = console.enter()
    console.sign_in.sign_out(dana, signed.secret)
    assert not console.is_open(signed)
    assert console.last() == {"tag": "admin:signed:out", "actor": dana.actor, "account_id": dana.account_id}


def test_disabling_an_account_ends_its_sessions_and_lets_nobody_in_again(console: Console) -> None:
    """E11."""
    console.add("Dana")
    console.add("Eve")
    sessions = [console.enter("Eve"), console.enter("Eve")]
    eve = console.disable(sessions[0].account)
    assert console.last()["sessions_ended"] == 2
    assert not any(map(console.is_open, sessions))
    with pytest.raises(SignInRefused) as refused:
        console.enter("Eve")
    assert refused.value.reason == "disabled"
    assert console.last()["account_id"] == eve.account_id
    with pytest.raises(BadInput):
        console.disable(eve)


def test_the_last_account_that_looks_after_accounts_stays(console: Console) -> None:
    dana = console.add("Dana")
    console.add("Eve", Role.OPERATIONS)
    with pytest.raises(BadInput, match="last account"):
        console.disable(dana)
    with console.database.write() as tx, pytest.raises(BadInput, match="last account"):
        accounts.change_roles(tx, dana.account_id, (Role.PRODUCT,), "admin:x", console.clock())


def test_roles_count_from_the_next_request_on(console: Console) -> None:
    """E30."""
    console.add("Dana")
    eve = console.add("Eve", Role.OPERATIONS)
    signed = console.enter("Eve")
    with console.database.write() as tx:
        accounts.change_roles(tx, eve.account_id, (Role.COMPLIANCE,), "admin:dana", console.clock())
    assert console.sign_in.open(signed.secret)[0].roles == (Role.COMPLIANCE,)
    changed = console.log()[-1]
    assert changed.event.fields() == {
        "account_id": eve.account_id, "before": "operations", "after": "compliance", "because": "asked",
    }  # fmt: skip
    assert changed.actor == "admin:dana"


def test_who_looks_after_accounts_does_not_read_the_trail_under_the_same_account(console: Console) -> None:
    """E11, E30: the very first account neither; whoever does both has two accounts."""
    both = (Role.COMPLIANCE, Role.IT_ADMIN)
    with pytest.raises(BadInput, match="it_admin and compliance") as refused:
        console.add("Dana", *both)
    assert "two accounts" in " ".join(refused.value.what_to_do)
    console.add("Dana")
    eve = console.add("Eve", Role.COMPLIANCE)
    with console.database.write() as tx, pytest.raises(BadInput, match="it_admin and compliance"):
        accounts.change_roles(tx, eve.account_id, both, "cli:root", console.clock())
    with console.database.write() as tx, pytest.raises(BadInput, match="it_admin and compliance"):
        accounts.of_provider(tx, "https://sign-in.example", "user-1", "Una", both, console.clock())


def test_nobody_changes_their_own_roles(console: Console) -> None:
    """E11, E30."""
    dana = console.add("Dana")
    console.add("Eve")
    for roles in ((Role.PRODUCT,), (Role.IT_ADMIN, Role.PRODUCT)):
        with console.database.write() as tx, pytest.raises(BadInput, match="your own roles"):
            accounts.change_roles(tx, dana.account_id, roles, dana.actor, console.clock())


def test_every_reason_not_to_let_somebody_in_sounds_the_same_and_is_told_apart_in_the_log(console: Console) -> None:
    """E11, E23, E30: no name is recorded, and none can be found out."""
    console.add("Dana")
    eve = console.add("Eve")
    console.disable(eve)
    said, logged = set(), []
    for name, password in (("Dana", "wrong but long enough"), ("Nobody", PASSWORD), ("Eve", PASSWORD), ("Dana", "")):
        with pytest.raises(SignInRefused) as refused:
            console.enter(name, password)
        said.add((refused.value.what_happened, refused.value.what_to_do))
        logged.append(console.last())
    assert len(said) == 1
    assert [one["reason"] for one in logged] == ["wrong_password", "unknown_name", "disabled", "wrong_password"]
    assert {one["tag"] for one in logged} == {"admin:sign:in:failed"}
    assert "nobody" not in str(logged[1]["name_mark"]).lower()
    assert [len(one["name_mark"]) for one in logged] == [0, 8, 0, 0]


def test_an_unknown_name_costs_the_work_of_a_known_one(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    """E11."""
    checked = []

    class Counting(PasswordHasher):
        def verify(self, hash: str, password: str) -> bool:  # noqa: A002
            checked.append(hash)
            return super().verify(hash, password)

    console.add("Dana")
    monkeypatch.setattr(passwords, "_hasher", Counting())
    for name in ("Dana", "Nobody"):
        with pytest.raises(SignInRefused):
            console.enter(name, "wrong but long enough")
    parameters = [one.rsplit("$", 2)[0] for one in checked]
    assert len(parameters) == 2
    assert parameters[0] == parameters[1]


def test_a_hash_of_weaker_days_is_made_anew_at_the_next_sign_in(console: Console) -> None:
    dana = console.add("Dana")
    weak = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1).hash(PASSWORD)
    with console.database.write() as tx:
        tx.execute(update(administrators).values(password_hash=weak))
    console.enter("Dana")
    with console.database.read() as tx:
        _, stored = accounts.find_local(tx, "Dana") or (None, None)
    assert stored
    assert stored != weak
    assert not passwords.is_outdated(stored)
    assert console.enter("Dana").account == dana


@pytest.mark.parametrize(
    ("name", "password"), [("D", PASSWORD), ("D" * 101, PASSWORD), ("Da\x00na", PASSWORD), ("Dana", "short")]
)
def test_what_cannot_be_an_account_is_refused(console: Console, name: str, password: str) -> None:
    with console.database.write() as tx, pytest.raises(BadInput):
        accounts.add_local(tx, name, password, (Role.PRODUCT,), "cli:root", console.clock())


def test_a_name_is_taken_for_ever(console: Console) -> None:
    console.add("Dana")
    console.disable(console.add("Eve"))
    for name in ("dana", "EVE"):
        with pytest.raises(BadInput, match="already"):
            console.add(name)


def test_making_an_account_is_an_event_without_its_name(console: Console) -> None:
    """E30."""
    dana = console.add("Dana")
    [created] = console.log()
    assert (created.event.tag, created.actor, created.stream) == (
        "admin:created",
        "cli:root",
        f"admin:{dana.account_id}",
    )
    assert "dana" not in str(created.event.fields()).lower()
