"""Administrators sign in through `oidc-provider`, an identity provider that shares no code with ours."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.administrators import accounts
from app.administrators.record import CONSOLE
from app.administrators.roles import Role
from app.administrators.tables import admin_sign_ins
from app.collaborators import EXTENSION, Collaborators
from app.errors import Misconfigured
from app.event_log.read import read_after
from app.settings import Settings
from app.wiring import create_app
from tests.databases import ROOT
from tests.ehr import free_port
from tests.peers.oidc_provider import OIDCProvider, running_oidc_provider
from tests.service import SettableClock

ORIGIN = "http://app.localhost:8410"
ANSWER = f"{ORIGIN}/admin/sign-in/answer"
SECRET = "s3:cr%et +/&= with all that a form must encode"
CLIENTS = {"confidential": "client_secret_basic", "public": "none"}


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OIDCProvider]:
    clients = [
        {
            "client_id": name,
            "redirect_uris": [ANSWER],
            "id_token_signed_response_alg": "RS256",
            "token_endpoint_auth_method": method,
            **({} if method == "none" else {"client_secret": SECRET}),
        }
        for name, method in CLIENTS.items()
    ]
    # The peer's launches need a launch parameter; an administrator's sign-in has none.
    settings = {"clients": clients, "scopes": ["openid", "profile", "email"], "launches": {}}
    with running_oidc_provider(tmp_path_factory.mktemp("oidc"), settings) as running:
        yield running


@dataclass
class Console:
    """The app with its identity provider, and an administrator's browser that talks to both."""

    app: Flask
    client: FlaskClient
    clock: SettableClock
    issuer: str

    @property
    def parts(self) -> Collaborators:
        return self.app.extensions[EXTENSION]

    def get(self, url: str) -> TestResponse:
        parts = urlsplit(url)
        return self.client.get(f"{parts.path}?{parts.query}", base_url=ORIGIN)

    def begin(self) -> str:
        """Choose the organisation's sign-in: the authorization request."""
        self.get("/admin/sign-in")
        return self.get("/admin/sign-in/provider").location

    def authorize(self, url: str) -> str:
        """Sign in at the provider: what it sends to our address."""
        browser = requests.Session()
        while not url.startswith(ANSWER):
            answer = browser.get(url, allow_redirects=False, timeout=10)
            assert answer.is_redirect, answer.text
            url = urljoin(url, answer.headers["Location"])
        return url

    def sign_in(self) -> TestResponse:
        return self.get(self.authorize(self.begin()))

    def accounts(self) -> list[accounts.Account]:
        with self.parts.database.read() as tx:
            return accounts.everyone(tx)

    def log(self) -> list[tuple[str, dict[str, Any]]]:
        with self.parts.database.read() as tx:
            return [(one.event.tag, one.event.fields()) for one in read_after(tx, CONSOLE, 0)]

    def is_inside(self) -> bool:
        return self.get("/admin/").status_code == 200


@pytest.fixture
def console_of(
    peer: OIDCProvider, migrated_sqlite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    monkeypatch.setenv("COUNTERSIGN_LAKESIDE_SECRET", "a-secret-of-the-sandbox-only")
    made = []

    def make(**changed: Any) -> Console:
        database = tmp_path / "test.db"
        if not database.exists():
            database.write_bytes(migrated_sqlite.read_bytes())
        known = {
            "home": tmp_path,
            "database_url": f"sqlite:///{database}",
            "redis_url": f"unix://{tmp_path}/nobody-listens.sock",
            "sealing_keys": "test:" + base64.b64encode(bytes(32)).decode(),
            "public_url": ORIGIN,
            "smart_config": ROOT / "smart-config",
            "admin_oidc_issuer": peer.issuer,
            "admin_oidc_client_id": "confidential",
            "admin_oidc_client_secret": SECRET,
            "admin_oidc_roles_claim": "sub",
            "admin_oidc_roles": "user-7=it_admin, user-7=product",
        }
        clock = SettableClock()
        app = create_app(Settings(**(known | changed)), clock)
        made.append(app)
        return Console(app, app.test_client(), clock, peer.issuer)

    yield make
    for app in made:
        app.extensions[EXTENSION].database.engine.dispose()


def changed(url: str, **parameters: str | None) -> str:
    head, _, query = url.partition("?")
    pairs = {**dict(parse_qsl(query)), **parameters}
    return f"{head}?{urlencode({name: value for name, value in pairs.items() if value is not None})}"


def refused(answer: TestResponse, console: Console, reason: str) -> None:
    assert answer.status_code == 403
    assert "not signed in" in answer.text or 'role="alert"' in answer.text
    assert not console.is_inside()
    tag, fields = console.log()[-1]
    assert (tag, fields["method"], fields["reason"]) == ("admin:sign:in:failed", "provider", reason)


@pytest.mark.parametrize(("client", "secret"), [("confidential", SECRET), ("public", "")])
def test_somebody_whom_the_claim_gives_a_role_is_let_in(console_of: Any, client: str, secret: str) -> None:
    """E11: an account by issuer and subject, made at the first visit and found at the next."""
    console = console_of(admin_oidc_client_id=client, admin_oidc_client_secret=secret)
    for _ in range(2):
        assert console.sign_in().location == "/admin/"
        assert console.is_inside()
    [account] = console.accounts()
    assert (account.issuer, account.subject) == (console.issuer, "user-7")
    assert account.roles == (Role.IT_ADMIN, Role.PRODUCT)
    assert [tag for tag, _ in console.log()] == ["admin:created", "admin:signed:in", "admin:signed:in"]


def test_somebody_whom_the_claim_gives_both_keys_to_the_house_is_told_to_have_two_accounts(console_of: Any) -> None:
    """E11, E30: looking after accounts and reading the trail stay apart, whatever the directory says."""
    console = console_of(admin_oidc_roles="user-7=it_admin, user-7=compliance")
    answer = console.sign_in()
    refused(answer, console, "roles_conflict")
    assert "two accounts" in answer.text
    assert console.accounts() == []


def test_the_request_carries_state_nonce_and_a_challenge_and_nothing_is_kept_in_the_clear(console_of: Any) -> None:
    """E11."""
    console = console_of()
    query = dict(parse_qsl(urlsplit(console.begin()).query))
    assert query["code_challenge_method"] == "S256"
    assert query["redirect_uri"] == ANSWER
    assert query["scope"] == "openid profile email"
    assert min(len(query["state"]), len(query["nonce"]), len(query["code_challenge"])) >= 43
    with console.parts.database.read() as tx:
        [row] = tx.execute(admin_sign_ins.select()).all()
    assert query["state"] not in str(row)
    assert query["nonce"].encode() not in row.ciphertext


def test_somebody_without_a_role_is_told_so_and_gets_no_account(console_of: Any) -> None:
    """E11, E23."""
    console = console_of(admin_oidc_roles="somebody-else=it_admin")
    answer = console.sign_in()
    refused(answer, console, "no_role")
    assert "has given you no role" in answer.text
    assert console.accounts() == []


def test_roles_follow_the_claim_at_each_sign_in(console_of: Any) -> None:
    """E11."""
    console_of().sign_in()
    console = console_of(admin_oidc_roles="user-7=product")
    console.sign_in()
    [account] = console.accounts()
    assert account.roles == (Role.PRODUCT,)
    assert ("admin:roles:changed", "provider") in [(tag, fields.get("because")) for tag, fields in console.log()]


def test_a_disabled_account_stays_out_whatever_the_provider_says(console_of: Any) -> None:
    """E11."""
    console = console_of(admin_oidc_roles="user-7=product")
    console.sign_in()
    [account] = console.accounts()
    with console.parts.database.write() as tx:
        accounts.disable(tx, account.account_id, "admin:other", console.clock())
    assert not console.is_inside()
    refused(console.sign_in(), console, "disabled")


def test_an_answer_counts_once_in_the_browser_that_asked(console_of: Any) -> None:
    """E11: not in another browser, not twice, not after ten minutes, not with another state."""
    console = console_of()
    url = console.authorize(console.begin())
    other = Console(console.app, console.app.test_client(), console.clock, console.issuer)
    other.get("/admin/sign-in")
    refused(other.get(url), other, "unasked")
    refused(console.get(changed(url, state="invented")), console, "unasked")
    assert console.get(url).status_code == 303
    console.client.delete_cookie("__Host-countersign-admin", domain="app.localhost")
    refused(console.get(url), console, "unasked")

    late = console.authorize(console.begin())
    console.clock.advance(minutes=10, seconds=1)
    refused(console.get(late), console, "unasked")


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"code": "invented"}, "token_refused"),
        ({"code": None}, "provider_refused"),
        ({"iss": "https://elsewhere.example"}, "issuer_mismatch"),
        ({"iss": None}, "issuer_mismatch"),
        ({"error": "access_denied"}, "provider_refused"),
    ],
)
def test_a_false_answer_is_refused(console_of: Any, parameters: dict[str, str | None], reason: str) -> None:
    """E11, E23: the mix-up of RFC 9207 among them."""
    console = console_of()
    url = console.authorize(console.begin())
    refused(console.get(changed(url, **parameters)), console, reason)


def test_a_repeated_parameter_is_refused(console_of: Any) -> None:
    """E11."""
    console = console_of()
    url = console.authorize(console.begin())
    answer = console.get(f"{url}&code=another")
    assert answer.status_code == 403
    assert not console.is_inside()


def test_a_code_without_its_challenge_is_refused(console_of: Any) -> None:
    """E11: PKCE. The peer refuses a request whose challenge was taken away."""
    console = console_of()
    url = changed(console.begin(), code_challenge=None, code_challenge_method=None)
    refused(console.get(console.authorize(url)), console, "provider_refused")


def test_another_nonce_is_refused(console_of: Any) -> None:
    """E11: an id_token of another sign-in does not answer this one."""
    console = console_of()
    url = changed(console.begin(), nonce="another-nonce-of-forty-three-characters-and-more")
    refused(console.get(console.authorize(url)), console, "id_token_refused")


def test_a_wrong_secret_is_refused(console_of: Any) -> None:
    console = console_of(admin_oidc_client_secret="wrong")
    refused(console.sign_in(), console, "token_refused")


def test_a_provider_that_is_down_is_said_to_be(console_of: Any) -> None:
    """E23."""
    console = console_of(admin_oidc_issuer=f"http://127.0.0.1:{free_port()}")
    console.get("/admin/sign-in")
    answer = console.get("/admin/sign-in/provider")
    assert answer.status_code == 502
    assert "does not answer" in answer.text


def test_only_a_page_of_ours_starts_a_sign_in(console_of: Any) -> None:
    """E08."""
    console = console_of()
    console.get("/admin/sign-in")
    headers = {"Sec-Fetch-Site": "cross-site"}
    answer = console.client.get("/admin/sign-in/provider", base_url=ORIGIN, headers=headers)
    assert answer.location == "/admin/sign-in"


@pytest.mark.parametrize(
    "wrong",
    [
        {"admin_oidc_client_id": ""},
        {"admin_oidc_issuer": "not an address"},
        {"admin_oidc_origins": "https://user@host"},
        {"public_url": "https://app.example", "admin_oidc_issuer": "http://id.example"},
    ],
)
def test_settings_that_contradict_themselves_stop_the_start(console_of: Any, wrong: dict[str, str]) -> None:
    with pytest.raises(Misconfigured, match="COUNTERSIGN_ADMIN_OIDC"):
        console_of(**wrong)
