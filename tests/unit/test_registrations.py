from pathlib import Path
from typing import get_args

import pytest

from app.errors import Misconfigured
from app.policy.rulesets import RULESETS
from app.tenants.directory import load_tenants
from app.tenants.registrations import Phase, Workflow
from app.tenants.secrets import outside, require_secrets

GOOD = """\
id: harbor
organization: Harbor
vendor: epic
environment: sandbox
fhir_base: ${EHR}/fhir
client_id: c
authentication: {method: private_key_jwt}
frame_origins: ["${EHR}"]
"""
ENVIRONMENT = {"EHR": "http://ehr.localhost:1"}


def load(tmp_path: Path, text: str):
    (tmp_path / "harbor.yaml").write_text(text)
    return load_tenants(tmp_path, ENVIRONMENT)


def test_a_reference_to_the_environment_is_filled_in(tmp_path: Path) -> None:
    tenant = load(tmp_path, GOOD).require("harbor")
    assert tenant.fhir_base == "http://ehr.localhost:1/fhir"
    assert tenant.origins == {"http://ehr.localhost:1"}


def test_the_issuer_is_compared_as_the_same_string(tmp_path: Path) -> None:
    tenants = load(tmp_path, GOOD)
    assert tenants.by_issuer("http://ehr.localhost:1/fhir")
    assert not tenants.by_issuer("http://ehr.localhost:1/FHIR")
    assert not tenants.by_issuer("http://ehr.localhost:1/fhir/../fhir")


@pytest.mark.parametrize(
    ("wrong", "names"),
    [
        (GOOD.replace("vendor: epic\n", ""), "vendor"),
        (GOOD.replace("${EHR}/fhir", "not a url"), "fhir_base"),
        (GOOD.replace("${EHR}/fhir", "${NOT_SET}/fhir"), "NOT_SET"),
        (GOOD + "colour: blue\n", "colour"),
        (GOOD.replace("private_key_jwt", "client_secret_basic"), "authentication"),
        (GOOD.replace("{method: private_key_jwt}", "{method: client_secret_basic, secret: hunter2}"), "secret"),
        (GOOD.replace("{method: private_key_jwt}", "{method: private_key_jwt, audience: issuer}"), "oauth_issuer"),
        (GOOD.replace('["${EHR}"]', "['${EHR}; script-src *']"), "frame_origins"),
        (GOOD.replace('["${EHR}"]', "['https://ehr.example:99999']"), "frame_origins"),
        (GOOD + "endpoint_origins: ['https://ehr.example:99999']\n", "endpoint_origins"),
        (GOOD.replace("${EHR}/fhir", "https://ehr.example:99999/fhir"), "fhir_base"),
        (GOOD.replace("${EHR}/fhir", "'https://ehr.example\\\\@elsewhere.example/fhir'"), "fhir_base"),
        (GOOD + "contacts: [nobody]\n", "contacts"),
        (GOOD + "workflows: []\n", "workflows"),
        (GOOD + "workflows: [{id: a, title: A}, {id: a, title: B}]\n", "workflows"),
        (GOOD + "workflows: [{id: a, title: A, matches: [{}]}]\n", "encounter_class"),
        (GOOD + "workflows: [{id: a, title: A, phase: someday}]\n", "phase"),
        ("{", "YAML"),
    ],
)
def test_a_wrong_file_is_refused_naming_file_and_field(tmp_path: Path, wrong: str, names: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        load(tmp_path, wrong)
    assert "harbor.yaml" in str(refused.value)
    assert names in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_two_tenants_may_not_share_an_issuer(tmp_path: Path) -> None:
    (tmp_path / "second.yaml").write_text(GOOD.replace("id: harbor", "id: second"))
    with pytest.raises(Misconfigured):
        load(tmp_path, GOOD)


@pytest.mark.parametrize("other", ["http://ehr.localhost:1/fhir/", "http://EHR.localhost:1/fhir"])
def test_an_issuer_that_differs_by_a_slash_or_by_case_of_its_host_is_shared_too(tmp_path: Path, other: str) -> None:
    """A38."""
    (tmp_path / "second.yaml").write_text(GOOD.replace("id: harbor", "id: second").replace("${EHR}/fhir", other))
    with pytest.raises(Misconfigured, match="expected_context"):
        load(tmp_path, GOOD)


def test_a_secret_stays_a_reference_and_must_be_set_before_serving(tmp_path: Path) -> None:
    tenants = load(tmp_path, GOOD.replace("{method: private_key_jwt}", "{method: client_secret_basic, secret: '${S}'}"))
    assert tenants.require("harbor").authentication.secret == "${S}"
    with pytest.raises(Misconfigured, match="S"):
        require_secrets(tenants, ENVIRONMENT, tmp_path)
    require_secrets(tenants, ENVIRONMENT | {"S": "x"}, tmp_path)


@pytest.mark.parametrize("environment", ["nonproduction", "production"])
def test_this_server_is_a_public_client_nowhere_but_in_a_sandbox(tmp_path: Path, environment: str) -> None:
    """A54."""
    public = GOOD.replace("private_key_jwt", "public")
    assert load(tmp_path, public).require("harbor").authentication.method == "public"

    elsewhere = public.replace("environment: sandbox", f"environment: {environment}")
    with pytest.raises(Misconfigured, match="private_key_jwt"):
        load(tmp_path, elsewhere.replace("${EHR}", "https://ehr.example"))


def test_plain_http_is_for_a_sandbox(tmp_path: Path) -> None:
    """A54."""
    with pytest.raises(Misconfigured, match="https"):
        load(tmp_path, GOOD.replace("environment: sandbox", "environment: production"))


def test_organisations_under_one_address_are_told_apart_by_their_context(tmp_path: Path) -> None:
    """A38."""
    (tmp_path / "second.yaml").write_text(GOOD.replace("id: harbor", "id: second") + "expected_context: {tenant: b}\n")

    with pytest.raises(Misconfigured, match="expected_context"):
        load(tmp_path, GOOD)
    with pytest.raises(Misconfigured, match="expected_context"):
        load(tmp_path, GOOD + "expected_context: {tenant: b}\n")
    with pytest.raises(Misconfigured, match="expected_context"):
        load(tmp_path, GOOD + "expected_context: {practice: a}\n")

    tenants = load(tmp_path, GOOD + "expected_context: {tenant: a}\n")
    assert {one.id for one in tenants.by_issuer("http://ehr.localhost:1/fhir")} == {"harbor", "second"}


def test_a_workflow_may_do_everything_in_a_sandbox_and_nothing_is_filed_elsewhere_until_somebody_says_so(
    tmp_path: Path,
) -> None:
    assert load(tmp_path, GOOD).require("harbor").registered_phase("primary-care") is Phase.FULL

    real = GOOD.replace("sandbox", "production").replace("${EHR}", "https://ehr.example")
    assert load(tmp_path, real).require("harbor").registered_phase("primary-care") is Phase.DRAFT_ONLY
    said = real + "workflows: [{id: primary-care, title: Primary care, phase: low_risk}]\n"
    assert load(tmp_path, said).require("harbor").registered_phase("primary-care") is Phase.LOW_RISK


def test_a_secret_can_be_in_a_file_of_one_directory_and_in_no_other(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "lakeside").write_text("s3cret\n")
    (tmp_path / "elsewhere").write_text("another")
    method = "{method: client_secret_basic, secret: 'file:%s'}"
    inside = load(tmp_path, GOOD.replace("{method: private_key_jwt}", method % (tmp_path / "secrets" / "lakeside")))
    assert outside(inside.require("harbor"), {}, tmp_path / "secrets") == "s3cret"

    for path in (tmp_path / "elsewhere", tmp_path / "secrets" / ".." / "elsewhere", tmp_path / "secrets" / "missing"):
        tenants = load(tmp_path, GOOD.replace("{method: private_key_jwt}", method % path))
        with pytest.raises(Misconfigured):
            outside(tenants.require("harbor"), {}, tmp_path / "secrets")


def test_the_templates_and_rulesets_that_a_workflow_may_name_are_those_that_exist() -> None:
    assert get_args(Workflow.model_fields["ruleset"].annotation) == tuple(RULESETS)
