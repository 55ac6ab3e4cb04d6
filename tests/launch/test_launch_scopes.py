"""Granted versus needed, in every spelling that servers use."""

import pytest
from launch_harness import Harness, registration_for
from small_ehr import SmallEHR

from launch.scopes import GrantedScopes, parse_resource_scope, scopes_to_request


@pytest.mark.parametrize(
    ("granted", "letters"),
    [
        ("user/Observation.rs", "rs"),
        ("user/Observation.cruds", "cruds"),
        ("user/Observation.r user/Observation.s", "rs"),
        ("user/*.rs", "rs"),
        ("user/*.cruds", "cruds"),
        ("patient/Observation.rs", "rs"),
        ("user/Observation.read", "rs"),
        ("user/Observation.write", "cud"),
        ("user/Observation.*", "cruds"),
        ("user/*.*", "cruds"),
        ("user/*.read", "rs"),
        ("USER/observation.READ", "rs"),
        ("user/Observation.Read user/Observation.read", "rs"),
        ("user/Observation.create", "c"),
        ("user/Observation.r", "r"),
        ("user/Patient.cruds", ""),
        ("user/Observation.sr", ""),
        ("user/Observation.xyz", ""),
        ("user/Observation.", ""),
        ("user/Observation", ""),
        ("system/Observation.cruds", ""),
        ("system/*.*", ""),
        ("user/Observation.rs?category=laboratory", ""),
        ("openid launch/patient", ""),
        ("", ""),
    ],
)
def test_what_a_grant_means_for_observations(granted: str, letters: str) -> None:
    """A26, A28, A63: v1, v2, split, merged, wildcard, wider, narrower, mixed case, ?param, system, empty."""
    scopes = GrantedScopes(granted)

    assert "".join(letter for letter in "cruds" if scopes.allows("Observation", letter)) == letters


@pytest.mark.parametrize(
    ("granted", "query", "allowed"),
    [
        ("user/DocumentReference.c?category=clinical-note", "category=clinical-note", True),
        ("user/DocumentReference.c?category=clinical-note", "category=clinical-note&type=x", True),
        ("user/DocumentReference.c?category=clinical-note&type=x", "category=clinical-note", False),
        ("user/DocumentReference.c?category=clinical-note", "category=other", False),
        ("user/DocumentReference.c?category=clinical-note", "", False),
        ("user/DocumentReference.c", "category=clinical-note", True),
    ],
)
def test_parameters_narrow_a_grant(granted: str, query: str, allowed: bool) -> None:
    """A26, A30."""
    assert GrantedScopes(granted).allows("DocumentReference", "c", query) is allowed


def test_missing_compares_meaning_and_names_what_was_needed() -> None:
    """A26, A27: across syntaxes; split grants add up."""
    granted = GrantedScopes("launch OPENID user/Patient.r user/Patient.s user/DocumentReference.read")

    assert granted.missing(("openid", "user/Patient.rs", "user/DocumentReference.rs", "launch")) == ()
    assert granted.missing(("fhirUser", "user/DocumentReference.c", "user/Condition.read")) == (
        "fhirUser",
        "user/DocumentReference.c",
        "user/Condition.read",
    )


def test_a_launch_without_what_it_must_read_stops_and_names_it(harness: Harness, ehr: SmallEHR) -> None:
    """A26."""
    ehr.token_changes = {"scope": "launch openid fhirUser"}

    answer = harness.complete(harness.browser(), ehr)

    assert (answer.status_code, answer.json["code"]) == (403, "scope_shortfall")
    assert "user/Patient.rs" in answer.json["what_to_do"][0]


def test_scopes_that_prove_themselves_need_not_be_repeated(harness: Harness, ehr: SmallEHR) -> None:
    """A25, A26: the id_token and the patient are there, whatever the scope member lists."""
    harness.registrations.all = [registration_for(ehr, required_scopes=("launch", "openid", "user/Patient.rs"))]
    ehr.token_changes = {"scope": "user/Patient.rs"}

    assert harness.complete(harness.browser(), ehr).status_code == 303


def test_a_launch_without_write_access_opens_and_says_so(harness: Harness, ehr: SmallEHR) -> None:
    """A27: known before the review, not at filing time."""
    ehr.token_changes = {"scope": "launch openid fhirUser user/Patient.read"}

    assert harness.complete(harness.browser(), ehr).status_code == 303
    assert not harness.completed[0].grant.scopes.allows("DocumentReference", "c")


def test_scopes_are_asked_in_v1_where_v2_is_not_listed() -> None:
    """A28."""
    registered = (
        "openid",
        "user/Patient.rs",
        "user/DocumentReference.c?category=x",
        "user/Task.cru",
        "user/A.read",
    )

    assert scopes_to_request(registered, frozenset({"permission-v2"})) == registered
    assert scopes_to_request(registered, frozenset()) == (
        "openid",
        "user/Patient.read",
        "user/DocumentReference.write",
        "user/Task.*",
        "user/A.read",
    )


@pytest.mark.parametrize("scopes", [("launch", "openid"), ("fhirUser",), ("openid", "fhirUser", "user/*.rs")])
def test_a_registration_asks_for_identity_and_for_no_wildcards(ehr: SmallEHR, scopes: tuple[str, ...]) -> None:
    """A30."""
    with pytest.raises(ValueError, match="scopes"):
        registration_for(ehr, scopes=scopes)


def test_a_scope_that_is_no_resource_scope_is_not_one() -> None:
    """A26."""
    for text in (
        "openid",
        "launch/patient",
        "user/",
        "user/Patient.rs junk",
        "user/Pat ient.rs",
        "/.",
        "user/Patient.?a=b",
    ):
        assert parse_resource_scope(text) is None
