"""fhirUser: a clinician of this very FHIR base, or nobody."""

import pytest
from launch_harness import Harness
from small_ehr import SmallEHR

from launch.errors import IdentityUnverified, NotAClinician
from launch.identity import identify, resolve_fhir_user

BASE = "https://ehr.example/api/FHIR/R4"


@pytest.mark.parametrize(
    "fhir_user",
    ["Practitioner/7", f"{BASE}/Practitioner/7", "https://EHR.example:443/api/FHIR/R4/Practitioner/7"],
)
def test_absolute_and_relative_users_of_the_base_are_the_same(fhir_user: str) -> None:
    """A44."""
    assert resolve_fhir_user(fhir_user, BASE) == "Practitioner/7"
    assert resolve_fhir_user(fhir_user, BASE + "/") == "Practitioner/7"


@pytest.mark.parametrize(
    "fhir_user",
    [
        None,
        7,
        "",
        "Practitioner/",
        "Practitioner/7/_history/1",
        "Device/7",
        "Practitioner/../Patient/1",
        "Practitioner/7?x=1",
        "Practitioner/7\n",
        "https://evil.example/api/FHIR/R4/Practitioner/7",
        "https://ehr.example/api/FHIR/R40/Practitioner/7",
        "https://ehr.example/other/Practitioner/7",
        "http://ehr.example/api/FHIR/R4/Practitioner/7",
        "https://ehr.example@evil.example/api/FHIR/R4/Practitioner/7",
        "https://ehr.example:8443/api/FHIR/R4/Practitioner/7",
    ],
)
def test_a_user_that_is_not_under_the_base_is_nobody(fhir_user: object) -> None:
    """A44, E15."""
    with pytest.raises(IdentityUnverified):
        resolve_fhir_user(fhir_user, BASE)


@pytest.mark.parametrize("fhir_user", ["Patient/1", "RelatedPerson/1", "Person/1"])
def test_only_clinicians_may_launch(harness: Harness, ehr: SmallEHR, fhir_user: str) -> None:
    """A44."""
    ehr.claim_changes = {"fhirUser": fhir_user}

    answer = harness.complete(harness.browser(), ehr)

    assert (answer.status_code, answer.json["code"]) == (403, "not_a_clinician")
    with pytest.raises(NotAClinician):
        identify({"iss": "x", "sub": "y", "fhirUser": fhir_user}, BASE)


def test_a_practitioner_role_may_launch(harness: Harness, ehr: SmallEHR) -> None:
    """A44."""
    ehr.claim_changes = {"fhirUser": "PractitionerRole/9"}

    assert harness.complete(harness.browser(), ehr).status_code == 303
    assert harness.completed[0].identity.fhir_user == "PractitionerRole/9"


def test_the_same_subject_at_two_issuers_is_two_users() -> None:
    """A45."""
    claims = {"sub": "7", "fhirUser": "Practitioner/7"}

    assert identify({**claims, "iss": "https://a.example"}, BASE) != identify(
        {**claims, "iss": "https://b.example"}, BASE
    )


@pytest.mark.parametrize(("name", "kept"), [("Dr. Osei", "Dr. Osei"), (7, None), ("a\x00b", None), (" ", None)])
def test_a_name_is_kept_only_when_it_can_be_shown(name: object, kept: str | None) -> None:
    """A44."""
    claims = {"iss": "https://a.example", "sub": "7", "fhirUser": "Practitioner/7", "name": name}

    assert identify(claims, BASE).name == kept
