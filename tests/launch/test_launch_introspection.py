"""What a server says of a token is advice: inactive stops, active proves nothing."""

import ast
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from launch_harness import registration_for, session_for
from small_ehr import CLIENT_ID, SmallEHR, as_json
from werkzeug.wrappers import Response

from launch.introspection import Inactive, IntrospectionFailed, SaidActive, introspect
from launch.registration import SecretBasic

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
INTROSPECT = "/oauth2/introspect"
ACTIVE = {"active": True, "scope": "user/Patient.rs", "client_id": CLIENT_ID, "exp": 1800000000, "patient": "pat-1"}
ROOT = Path(__file__).parents[2]


def introspected(ehr: SmallEHR, answer: Callable[[Any], Response]) -> Inactive | SaidActive:
    ehr.answers[INTROSPECT] = answer
    registration = registration_for(ehr, authentication=SecretBasic("secret"))
    return introspect(
        session_for(registration),
        registration=registration,
        token_endpoint=f"{ehr.origin}/oauth2/token",
        introspection_endpoint=ehr.origin + INTROSPECT,
        token="the-access-token",
        now=NOW,
    )


def test_an_active_token_comes_with_scope_client_end_and_context(ehr: SmallEHR) -> None:
    """A64."""
    said = introspected(ehr, lambda _: as_json(ACTIVE))

    assert isinstance(said, SaidActive)
    assert (said.client_id, said.patient, said.encounter) == (CLIENT_ID, "pat-1", None)
    assert said.scopes.allows("Patient", "r")
    assert said.expires_at == datetime.fromtimestamp(1800000000, UTC)
    [(headers, form)] = ehr.requests_to(INTROSPECT)
    assert form == {"token": "the-access-token", "token_type_hint": "access_token"}
    assert headers["Authorization"].startswith("Basic ")


def test_inactive_means_stop(ehr: SmallEHR) -> None:
    """A64: whatever else the body holds."""
    assert introspected(ehr, lambda _: as_json({"active": False, "scope": "user/*.cruds"})) == Inactive()


@pytest.mark.parametrize("member", ["scope", "client_id", "exp"])
@pytest.mark.parametrize("wrong", [None, [], True], ids=repr)
def test_an_active_token_without_what_must_be_said_is_no_answer(ehr: SmallEHR, member: str, wrong: object) -> None:
    """A64."""
    body = {name: value for name, value in {**ACTIVE, member: wrong}.items() if value is not None}
    with pytest.raises(IntrospectionFailed):
        introspected(ehr, lambda _: as_json(body))


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: as_json({**ACTIVE, "active": "true"}),
        lambda _: as_json({**ACTIVE, "exp": 1e300}),
        lambda _: as_json({"error": "invalid_client"}, 401),
        lambda _: Response("<h1>Away</h1>", 503),
        lambda _: Response("", 200),
    ],
    ids=["a string", "no time", "refused", "away", "empty"],
)
def test_whatever_does_not_conform_says_nothing_about_the_token(
    ehr: SmallEHR, answer: Callable[[Any], Response]
) -> None:
    """A64, A66."""
    with pytest.raises(IntrospectionFailed) as failure:
        introspected(ehr, answer)
    assert "the-access-token" not in str(failure.value)


def test_no_write_is_decided_by_it() -> None:
    """A64: nothing that sends, signs or hands out tokens knows of introspection."""
    rooms = ("publication", "reconciliation", "notes", "writebacks", "policy", "tenants", "pages")
    files = [path for room in rooms for path in (ROOT / "app" / room).glob("*.py")]
    imported = {
        node.module
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
    }
    assert "launch.introspection" not in imported
