"""Launches that do not name one EHR by `iss` alone: without a chart, and of organisations that share a FHIR base."""

import pytest
from launch_harness import Harness, query_of, registration_for
from small_ehr import SmallEHR


@pytest.fixture
def shared(harness: Harness, ehr: SmallEHR) -> Harness:
    """Two practices behind one FHIR base, told apart by a member of the token response."""
    harness.registrations.all = [
        registration_for(
            ehr,
            tenant_id=practice,
            redirect_uri=f"http://app.localhost/callback/{practice}",
            expected_context={"tenant": practice},
        )
        for practice in ("north", "south")
    ]
    return harness


@pytest.mark.parametrize("query", ["tenant=clinic", "iss={base}", "iss={base}&tenant=clinic", "iss={base}/"])
def test_a_standalone_launch_asks_the_ehr_for_patient_and_visit(harness: Harness, ehr: SmallEHR, query: str) -> None:
    """A12: no `launch`, neither as a parameter nor as a scope."""
    answer = harness.browser().get(f"/launch/standalone?{query.format(base=ehr.base)}")

    asked = query_of(answer.location)
    assert answer.status_code == 303
    assert "launch" not in asked
    assert asked["scope"].split() == [
        *("launch/patient", "launch/encounter", "openid", "fhirUser"),
        *("user/Patient.rs", "user/DocumentReference.crs"),
    ]
    assert asked["aud"].rstrip("/") == ehr.base


def test_a_standalone_launch_completes_without_an_ehr_session(harness: Harness, ehr: SmallEHR) -> None:
    """A12, A33: patient and visit come from the token response, as ever."""
    browser = harness.browser()
    started = browser.get("/launch/standalone?tenant=clinic")
    answer = browser.get("/callback/clinic", query_string=ehr.authorize(started.location))

    assert answer.status_code == 303
    assert harness.completed[0].context.patient == "pat-1"
    assert harness.facts[-1].kind == "standalone"


def test_a_standalone_launch_that_names_nobody_is_told_nothing(harness: Harness, ehr: SmallEHR) -> None:
    """A12: no list of organisations, and no request."""
    answer = harness.browser().get("/launch/standalone")

    assert (answer.status_code, answer.json["code"]) == (400, "no_organisation_named")
    assert "clinic" not in answer.text
    assert not ehr.requests


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("tenant=nobody", 404, "unknown_tenant"),
        ("iss=https://evil.example/fhir", 403, "unknown_issuer"),
        ("tenant=clinic&iss=https://evil.example/fhir", 403, "unknown_issuer"),
        ("tenant=clinic&tenant=clinic", 400, "malformed_request"),
        ("tenant=", 400, "malformed_request"),
    ],
)
def test_a_standalone_launch_of_nobody_we_know_asks_nobody(
    harness: Harness, ehr: SmallEHR, query: str, status: int, code: str
) -> None:
    """A08, A12, E14."""
    answer = harness.browser().get(f"/launch/standalone?{query}")

    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert not harness.sessions
    assert "evil" not in answer.text


def test_an_iss_that_several_tenants_share_is_refused_with_the_way_out(shared: Harness, ehr: SmallEHR) -> None:
    """A08, A38: which of them cannot be guessed; the administrator enters an address that says it."""
    answer = shared.launch(shared.browser(), ehr)

    assert (answer.status_code, answer.json["code"]) == (403, "ambiguous_issuer")
    assert "/launch/<tenant id>" in " ".join(answer.json["what_to_do"])
    assert "north" not in answer.text
    assert not shared.sessions


def test_tenants_whose_bases_differ_in_a_slash_only_share_it(harness: Harness, ehr: SmallEHR) -> None:
    """A11, A38: otherwise the spelling of one EHR's launch would decide whose launch it is."""
    harness.registrations.all.append(registration_for(ehr, tenant_id="other", fhir_base=f"{ehr.base}/"))

    assert harness.launch(harness.browser(), ehr).json["code"] == "ambiguous_issuer"


def test_each_tenant_of_a_shared_base_has_a_launch_address_of_its_own(shared: Harness, ehr: SmallEHR) -> None:
    """A15, A38: its own redirect URI, and the practice that the EHR then names must be this one."""
    browser = shared.browser()
    for practice, status in (("south", 303), ("north", 403)):
        started = shared.launch(browser, ehr, f"/launch/{practice}")
        assert query_of(started.location)["redirect_uri"].endswith(f"/callback/{practice}")
        ehr.token_changes = {"tenant": "south"}
        answer = browser.get(f"/callback/{practice}", query_string=ehr.authorize(started.location))
        assert answer.status_code == status

    assert answer.json["code"] == "tenant_mismatch"
    assert [completed.tenant_id for completed in shared.completed] == ["south"]


@pytest.mark.parametrize("issuer", ["https://evil.example/fhir", "{base}/other", "{base}//"])
def test_the_launch_address_of_a_tenant_takes_its_own_iss_only(harness: Harness, ehr: SmallEHR, issuer: str) -> None:
    """A08, E14: zero outbound requests."""
    answer = harness.launch(harness.browser(), ehr, "/launch/clinic", iss=issuer.format(base=ehr.base))

    assert (answer.status_code, answer.json["code"], answer.json["tenant"]) == (403, "unknown_issuer", None)
    assert not harness.sessions


def test_the_launch_address_of_nobody_is_not_in_use(harness: Harness, ehr: SmallEHR) -> None:
    """A08."""
    answer = harness.launch(harness.browser(), ehr, "/launch/nobody")

    assert (answer.status_code, answer.json["code"]) == (404, "unknown_tenant")
    assert not harness.sessions


@pytest.mark.parametrize("word", ["check", "continue", "standalone"])
def test_no_tenant_can_have_the_name_of_an_address_of_ours(ehr: SmallEHR, word: str) -> None:
    """A15."""
    with pytest.raises(ValueError, match=word):
        registration_for(ehr, tenant_id=word)
