"""A new pair for an old refresh token: what is asked, what is kept, and what ends a grant."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from launch_harness import Clock, registration_for, session_for
from small_ehr import SmallEHR, as_json
from werkzeug.wrappers import Response

from launch.discovery import ServerMetadata, read_metadata
from launch.grant import Grant
from launch.id_token import IDTokens
from launch.refresh import AnswerLost, ClientRefused, GrantEnded, Held, NotNow, Refreshed, refresh
from launch.registration import PrivateKeyJWT, Registration, SecretBasic
from launch.scopes import GrantedScopes, scopes_to_request
from launch.signing_keys import SigningKeys

TOKEN = "/oauth2/token"
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
SCOPES = "launch openid fhirUser offline_access user/Patient.rs user/DocumentReference.crs"
OLD = Grant("old-access", "old-refresh", NOW, GrantedScopes(SCOPES))
HELD = Held(OLD, issuer="", subject="user-7", patient="pat-1", encounter="enc-1")
SIGNER = PrivateKeyJWT("ec-1", ECKey.generate_key("P-384"), "ES384")


def answered(ehr: SmallEHR, answer: Callable[[Any], Response] | None = None, **members: Any) -> None:
    body = {"access_token": "new-access", "token_type": "Bearer", "expires_in": 3600, "scope": SCOPES, **members}
    said = {name: value for name, value in body.items() if value is not None}
    ehr.answers[TOKEN] = answer or (lambda _: as_json(said))


def refreshed(ehr: SmallEHR, held: Held = HELD, **changes: Any) -> Refreshed:
    registration = registration_for(ehr, **changes)
    metadata = read_metadata(ehr.configuration(), registration)
    return asked(registration, replace(held, issuer=held.issuer or ehr.issuer), metadata)


def asked(registration: Registration, held: Held, metadata: ServerMetadata) -> Refreshed:
    clock = Clock()
    id_tokens = IDTokens(SigningKeys(session_for, clock), clock)
    return refresh(
        session_for(registration),
        registration=registration,
        metadata=metadata,
        id_tokens=id_tokens,
        held=held,
        now=NOW,
    )


def test_the_request_names_no_scope_and_proves_the_client_as_at_the_code(ehr: SmallEHR) -> None:
    """A24, A49, A62: the whole body."""
    answered(ehr)
    refreshed(ehr, authentication=SecretBasic("secret"))

    [(headers, form)] = ehr.requests_to(TOKEN)
    assert form == {"grant_type": "refresh_token", "refresh_token": "old-refresh"}
    assert headers["Authorization"].startswith("Basic ")


def test_a_public_client_says_its_id(ehr: SmallEHR) -> None:
    """A24, A49."""
    answered(ehr)
    refreshed(ehr)
    assert set(ehr.requests_to(TOKEN)[0][1]) == {"grant_type", "refresh_token", "client_id"}


def test_every_request_has_an_assertion_of_its_own(ehr: SmallEHR) -> None:
    """A55: a second try is no replay."""
    answered(ehr)
    for _ in range(3):
        refreshed(ehr, authentication=SIGNER)

    claims = [
        jwt.decode(form["client_assertion"], SIGNER.key, algorithms=["ES384"]).claims
        for _, form in ehr.requests_to(TOKEN)
    ]
    assert len({claim["jti"] for claim in claims}) == 3
    assert {claim["aud"] for claim in claims} == {ehr.origin + TOKEN}


@pytest.mark.parametrize(
    ("returned", "kept"), [("new-refresh", "new-refresh"), (None, "old-refresh"), ("", "old-refresh")]
)
def test_a_refresh_token_that_came_replaces_the_old_one_which_stays_otherwise(
    ehr: SmallEHR, returned: str | None, kept: str
) -> None:
    """A50."""
    answered(ehr, refresh_token=returned)
    assert refreshed(ehr).grant.refresh_token == kept


@pytest.mark.parametrize(("said", "seconds"), [(3600, 3600), ("600", 600), (None, 300), ("soon", 300)])
def test_the_new_tokens_life_is_what_was_said_and_short_where_nothing_was(
    ehr: SmallEHR, said: object, seconds: int
) -> None:
    """A25."""
    answered(ehr, expires_in=said)
    assert refreshed(ehr).grant.expires_at == NOW + timedelta(seconds=seconds)


def test_a_response_without_scope_grants_what_was_granted(ehr: SmallEHR) -> None:
    """A49: RFC 6749 5.1, as the request asked for no other."""
    answered(ehr, scope=None)
    found = refreshed(ehr)
    assert (found.grant.scopes.text, found.ended_for) == (SCOPES, "")


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"patient": "pat-2"}, "patient_changed"),
        ({"encounter": "enc-2"}, "encounter_changed"),
        ({"patient": "../Patient/2"}, "context_missing"),
        ({"scope": "openid fhirUser user/Patient.rs user/DocumentReference.rs"}, "scope_narrowed"),
        ({"scope": ""}, "scope_narrowed"),
        ({"tenant": "another"}, "tenant_mismatch"),
    ],
)
def test_a_grant_that_is_not_what_the_launch_was_opened_with_must_not_be_used(
    ehr: SmallEHR, members: dict[str, str], reason: str
) -> None:
    """A52: another patient or visit, less access, another organisation."""
    answered(ehr, **members)
    assert refreshed(ehr, expected_context={"tenant": "ours"}).ended_for == reason


@pytest.mark.parametrize(
    "members",
    [
        {"patient": "pat-1", "encounter": "enc-1", "tenant": "ours"},
        {},
        {"scope": "user/*.cruds"},
        {"scope": "patient/Patient.read user/DocumentReference.Read user/DocumentReference.write"},
    ],
    ids=["repeated", "left out", "wider", "spelled in v1"],
)
def test_the_same_access_said_in_another_way_is_the_same(ehr: SmallEHR, members: dict[str, str]) -> None:
    """A26, A52: what is left out is unchanged; names of the launch itself are not repeated by every server."""
    answered(ehr, **members)
    assert refreshed(ehr, expected_context={"tenant": "ours"}).ended_for == ""


def test_a_visit_that_the_launch_did_not_have_changes_nothing(ehr: SmallEHR) -> None:
    """A52."""
    answered(ehr, encounter="enc-9")
    assert refreshed(ehr, replace(HELD, encounter=None)).ended_for == ""


def test_an_id_token_of_the_same_user_changes_nothing_and_needs_no_nonce(ehr: SmallEHR) -> None:
    """A40, A52: OIDC Core 12.2."""
    ehr.claim_changes = {"nonce": None}
    answered(ehr, id_token=ehr.id_token())
    assert refreshed(ehr).ended_for == ""


def test_an_id_token_of_another_user_ends_the_grant(ehr: SmallEHR) -> None:
    """A45, A52: another subject, or the same one of another issuer; the pair is kept so that it can be given back."""
    ehr.claim_changes = {"sub": "user-8"}
    answered(ehr, id_token=ehr.id_token())
    found = refreshed(ehr)
    assert (found.ended_for, found.grant.access_token) == ("user_changed", "new-access")

    ehr.claim_changes = {}
    answered(ehr, id_token=ehr.id_token())
    assert refreshed(ehr, replace(HELD, issuer="https://issuer-of-the-launch.example")).ended_for == "user_changed"


@pytest.mark.parametrize(
    "claims", [{"iss": "https://evil.example"}, {"aud": "someone-else"}, {"sub": None}, {"exp": 1}], ids=str
)
def test_an_id_token_that_is_not_good_ends_the_grant(ehr: SmallEHR, claims: dict[str, Any]) -> None:
    """A40, A52."""
    ehr.claim_changes = claims
    answered(ehr, id_token=ehr.id_token())
    assert refreshed(ehr).ended_for == "identity_unverified"


@pytest.mark.parametrize("id_token", ["not-a-jwt", 7, ""])
def test_what_stands_in_the_place_of_an_id_token_ends_the_grant_too(ehr: SmallEHR, id_token: object) -> None:
    """A40, A52, A66."""
    answered(ehr, id_token=id_token)
    assert refreshed(ehr).ended_for == "identity_unverified"


def test_a_token_with_a_system_scope_is_refused(ehr: SmallEHR) -> None:
    """A63: it would be nobody's own."""
    answered(ehr, scope=f"{SCOPES} system/DocumentReference.c")
    with pytest.raises(GrantEnded, match="system_scope"):
        refreshed(ehr)


@pytest.mark.parametrize(
    ("answer", "raised", "reason"),
    [
        (lambda _: as_json({"error": "invalid_grant"}, 400), GrantEnded, "invalid_grant"),
        (lambda _: as_json({"error": "invalid_grant"}, 200), GrantEnded, "invalid_grant"),
        (lambda _: as_json({"error": "unauthorized_client"}, 400), GrantEnded, "unauthorized_client"),
        (lambda _: as_json({"error": "<b>!"}, 400), GrantEnded, "unrecognised"),
        (lambda _: as_json({"resourceType": "OperationOutcome"}, 400), GrantEnded, "unrecognised"),
        (lambda _: as_json({"error": "invalid_client"}, 401), ClientRefused, "invalid_client"),
        (lambda _: Response("busy", 429), NotNow, "429"),
        (lambda _: Response("<h1>Bad gateway</h1>", 502), NotNow, "502"),
        (lambda _: Response("", 307, {"Location": "https://elsewhere.example"}), NotNow, "307"),
        (lambda _: Response("<h1>Sign in</h1>", 200), AnswerLost, "200"),
        (lambda _: as_json({"token_type": "Bearer"}), AnswerLost, "access_token"),
    ],
)
def test_each_failure_says_what_to_do_next(
    ehr: SmallEHR, answer: Callable[[Any], Response], raised: type[Exception], reason: str
) -> None:
    """A51, A66: sign in again, tell the operator, ask later, or ask once more."""
    answered(ehr, answer)
    with pytest.raises(raised, match=reason):
        refreshed(ehr)


def test_a_server_that_nobody_can_connect_to_has_used_nothing_up(ehr: SmallEHR) -> None:
    """A51: unlike a server that answers too late."""
    registration = registration_for(ehr)
    listed = replace(registration, endpoint_origins=frozenset({"http://127.0.0.1:1"}))
    nobody = replace(read_metadata(ehr.configuration(), listed), token_endpoint="http://127.0.0.1:1/oauth2/token")
    with pytest.raises(NotNow):
        asked(listed, HELD, nobody)


def test_tokens_are_not_in_what_can_be_logged(ehr: SmallEHR) -> None:
    """A52: neither of the old pair nor of the new."""
    answered(ehr, refresh_token="new-refresh")
    shown = repr(refreshed(ehr)) + repr(HELD)
    assert not any(token in shown for token in ("old-access", "old-refresh", "new-access", "new-refresh"))


@pytest.mark.parametrize(
    ("asked", "capability"), [("offline_access", "permission-offline"), ("online_access", "permission-online")]
)
def test_lasting_access_is_asked_for_only_where_the_server_lists_it(asked: str, capability: str) -> None:
    """A47: one unknown scope fails a whole launch at some EHRs."""
    registered = ("launch", "openid", asked)
    assert scopes_to_request(registered, frozenset({capability})) == registered
    assert scopes_to_request(registered, frozenset({"permission-v2"})) == ("launch", "openid")
