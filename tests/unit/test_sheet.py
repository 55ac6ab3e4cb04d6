"""The registration sheet: every vendor's is complete, filled from the registration, and holds no secret."""

from pathlib import Path

import pytest

from app.onboarding.addresses import Addresses
from app.onboarding.sheet import Sheet, make_sheet
from app.onboarding.sheet_text import WIDTH, sheet_lines
from app.tenants.registrations import ClientAuthentication, Tenant
from vendors.registry import ADAPTERS, load_adapters

PROFILES = Path(__file__).parents[2] / "smart-config" / "vendors"
ORIGIN = "https://countersign.harbor.example"
ADDRESSES = Addresses(ORIGIN, f"{ORIGIN}/launch", f"{ORIGIN}/callback/harbor", f"{ORIGIN}/.well-known/jwks/harbor.json")


def tenant(vendor: str, method: str = "private_key_jwt") -> Tenant:
    secret = "${HARBOR_SECRET}" if method == "client_secret_basic" else ""
    return Tenant(
        id="harbor",
        organization="Harbor Family Medicine",
        vendor=vendor,
        environment="nonproduction",
        fhir_base="https://ehr.harbor.example/api/FHIR/R4",
        client_id="1f2e3d",
        authentication=ClientAuthentication(method=method, secret=secret),
        frame_origins=("https://hyperspace.harbor.example",),
    )


def sheet(vendor: str, method: str = "private_key_jwt") -> Sheet:
    profile = load_adapters(PROFILES)[vendor].profile
    return make_sheet(tenant(vendor, method), profile, ADDRESSES, profile.scope_strings(v2=True))


def values(made: Sheet) -> dict[str, str]:
    return {line.name: line.value for line in made.entries}


@pytest.mark.parametrize("vendor", sorted(ADAPTERS))
def test_every_vendors_sheet_asks_for_our_addresses_letter_by_letter(vendor: str) -> None:
    """A15, A59: one redirect URI and one JWKS URL for each tenant."""
    entered = values(sheet(vendor)).values()

    assert ADDRESSES.launch_url in entered
    assert ADDRESSES.redirect_uri in entered
    assert ADDRESSES.jwks_url in entered


@pytest.mark.parametrize("vendor", sorted(ADAPTERS))
def test_every_scope_has_its_reason_and_none_is_a_wildcard(vendor: str) -> None:
    """A29, A30: what is asked for is what is used, and finding what was filed is asked for with filing."""
    scopes = sheet(vendor).scopes

    assert all(scope.reason for scope in scopes)
    names = {scope.scope for scope in scopes}
    assert not [name for name in names if "*" in name or name.startswith("system/")]
    if "user/DocumentReference.c" in names:
        assert "user/DocumentReference.rs" in names


@pytest.mark.parametrize("vendor", sorted(ADAPTERS))
def test_every_source_that_is_cited_is_listed(vendor: str) -> None:
    made = sheet(vendor)

    listed = {source.key for source in made.sources}
    cited = {line.source for line in (*made.entries, *made.steps, *made.wanted_back, *made.keys, *made.test_users)}
    assert cited - {""} <= listed


def test_epics_sheet_has_its_apis_with_the_numbers_that_are_documented() -> None:
    numbers = {api.number: api.required for api in sheet("epic").apis if api.number}

    assert numbers == {"1047": True, "1048": True, "1044": True, "1046": False}


def test_athenaones_sheet_has_the_consent_form() -> None:
    steps = " ".join(step.says for step in sheet("athenaone").steps)

    assert "Authorization & Consent form" in steps
    assert "marketplace@athenahealth.com" in steps


def test_ecws_sheet_has_the_activation_and_what_a_contract_would_be_for() -> None:
    steps = " ".join(step.says for step in sheet("ecw").steps)

    assert "App Activation Code" in steps
    assert "interop@eclinicalworks.com" in steps


def test_veradigms_sheet_knows_no_route_by_its_other_interface() -> None:
    made = sheet("veradigm")

    assert "SaveNote" not in "\n".join(sheet_lines(made))
    assert "License Management Portal" in " ".join(step.says for step in made.steps)


def test_a_tenant_that_authenticates_by_secret_is_not_asked_for_keys() -> None:
    """A62: the sheet says where the secret is referred to and never what it is."""
    made = sheet("athenaone", "client_secret_basic")

    assert ADDRESSES.jwks_url not in values(made).values()
    wanted = {line.name: line.value for line in made.wanted_back}
    assert wanted["authentication.secret"] == "${HARBOR_SECRET}"


def test_what_is_not_known_yet_is_said_on_paper() -> None:
    text = "\n".join(sheet_lines(sheet("epic")))

    assert "endpoint_origins: (not known yet)" in text
    assert "client_id: 1f2e3d" in text


@pytest.mark.parametrize("vendor", sorted(ADAPTERS))
def test_the_text_fits_on_paper_but_for_values_that_must_not_break(vendor: str) -> None:
    made = sheet(vendor)
    unbroken = {line.value for line in made.entries} | {source.address for source in made.sources}

    long = [line for line in sheet_lines(made) if len(line) > WIDTH and line.strip() not in unbroken]

    assert long == []


def test_older_spelling_where_a_console_wants_it() -> None:
    """A28: v1 and v2 say the same."""
    profile = load_adapters(PROFILES)["reference"].profile
    spelling = profile.onboarding.scope_spelling.model_copy(update={"value": "v1"})
    older = profile.model_copy(
        update={"onboarding": profile.onboarding.model_copy(update={"scope_spelling": spelling})}
    )

    made = make_sheet(tenant("reference"), older, ADDRESSES, profile.scope_strings(v2=True))

    assert [scope.scope for scope in made.scopes] == list(profile.scope_strings(v2=False))


def test_lasting_access_has_its_reason_too() -> None:
    """A47."""
    profile = load_adapters(PROFILES)["epic"].profile

    made = make_sheet(tenant("epic"), profile, ADDRESSES, (*profile.scope_strings(v2=True), "offline_access"))

    assert "after the clinician has left" in made.scopes[-1].reason
