from pathlib import Path

import pytest

from app.errors import Misconfigured
from app.tenants.registrations import load_tenants, require_secrets

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
    assert tenants.by_issuer("http://ehr.localhost:1/FHIR") is None
    assert tenants.by_issuer("http://ehr.localhost:1/fhir/../fhir") is None


@pytest.mark.parametrize(
    ("wrong", "names"),
    [
        (GOOD.replace("vendor: epic\n", ""), "vendor"),
        (GOOD.replace("${EHR}/fhir", "not a url"), "fhir_base"),
        (GOOD.replace("${EHR}/fhir", "${NOT_SET}/fhir"), "NOT_SET"),
        (GOOD + "colour: blue\n", "colour"),
        (GOOD.replace("private_key_jwt", "client_secret_basic"), "authentication"),
        (GOOD.replace("{method: private_key_jwt}", "{method: client_secret_basic, secret: hunter2}"), "secret"),
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


def test_a_secret_stays_a_reference_and_must_be_set_before_serving(tmp_path: Path) -> None:
    tenants = load(tmp_path, GOOD.replace("{method: private_key_jwt}", "{method: client_secret_basic, secret: '${S}'}"))
    assert tenants.require("harbor").authentication.secret == "${S}"
    with pytest.raises(Misconfigured, match="S"):
        require_secrets(tenants, ENVIRONMENT)
    require_secrets(tenants, ENVIRONMENT | {"S": "x"})
