import socket

import pytest
import requests

from tests.ehr import RunningSandbox
from tests.sandbox.smart_app import TIMEOUT, App, get_json

EHRS = [("epic", "e1001"), ("athenaone", "a-195900.E-1001"), ("reference", "1001")]


@pytest.mark.parametrize(("ehr", "patient"), EHRS)
def test_b12_smart_configuration_is_complete_and_offers_s256_only(
    sandbox: RunningSandbox, ehr: str, patient: str
) -> None:
    """B12."""
    app = App(sandbox, ehr, patient)
    reply = requests.get(f"{app.base}/.well-known/smart-configuration", timeout=TIMEOUT)
    assert reply.status_code == 200
    assert reply.headers["Content-Type"] == "application/json"
    document = reply.json()
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert {"authorization_code", "refresh_token"} <= set(document["grant_types_supported"])
    for name in ("authorization", "token", "introspection", "revocation"):
        assert document[f"{name}_endpoint"].startswith(sandbox.origin)
    has_identity = "sso-openid-connect" in document["capabilities"]
    assert has_identity == ("issuer" in document) == ("jwks_uri" in document)
    assert {"launch-ehr", "context-ehr-patient", "context-ehr-encounter"} <= set(document["capabilities"])


@pytest.mark.parametrize("path", ["/fhir/.well-known/smart-configuration", "/fhir/metadata", "/oauth2/keys"])
def test_b13_documents_may_be_read_from_any_origin(sandbox: RunningSandbox, path: str) -> None:
    """B13."""
    url = f"{sandbox.local}/reference{path}"
    reply = requests.get(url, headers={"Origin": "https://elsewhere.example"}, timeout=TIMEOUT)
    assert reply.headers["Access-Control-Allow-Origin"] == "*"


def test_b13_the_token_endpoint_answers_a_browsers_preflight(sandbox: RunningSandbox) -> None:
    """B13."""
    headers = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"}
    reply = requests.options(f"{sandbox.local}/reference/oauth2/token", headers=headers, timeout=TIMEOUT)
    assert reply.ok
    assert "POST" in reply.headers["Access-Control-Allow-Methods"]


def test_b14_without_tls_the_sandbox_listens_on_loopback_only(sandbox: RunningSandbox) -> None:
    """B14."""
    port = int(sandbox.local.rpartition(":")[2])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing: asks which address this machine has outwards
        outward = probe.getsockname()[0]
    if outward.startswith("127."):
        return
    with socket.socket() as caller:
        caller.settimeout(2)
        assert caller.connect_ex((outward, port)) != 0


@pytest.mark.parametrize(("ehr", "patient"), EHRS)
def test_b19_openid_discovery_names_the_issuer_and_its_rsa_keys(
    sandbox: RunningSandbox, ehr: str, patient: str
) -> None:
    """B19."""
    smart = App(sandbox, ehr, patient).discovery()
    document = get_json(sandbox.reachable(f"{smart['issuer']}/.well-known/openid-configuration"))
    assert document["issuer"] == smart["issuer"]
    assert document["id_token_signing_alg_values_supported"] == ["RS256"]
    assert document["subject_types_supported"] == ["public"]
    assert document["response_types_supported"] == ["code"]
    keys = get_json(sandbox.reachable(document["jwks_uri"]))["keys"]
    assert [key["kty"] for key in keys] == ["RSA"]
    assert all(key["kid"] for key in keys)
    assert not {"d", "p", "q", "dp", "dq", "qi"} & set(keys[0])


def test_athenaone_has_no_openid_configuration_under_its_fhir_base(sandbox: RunningSandbox) -> None:
    url = f"{sandbox.local}/athenaone/fhir/r4/.well-known/openid-configuration"
    assert requests.get(url, timeout=TIMEOUT).status_code == 404


@pytest.mark.parametrize(("ehr", "patient"), EHRS)
def test_the_capability_statement_tells_what_the_vendor_really_takes(
    sandbox: RunningSandbox, ehr: str, patient: str
) -> None:
    statement = get_json(f"{App(sandbox, ehr, patient).base}/metadata")
    note = next(r for r in statement["rest"][0]["resource"] if r["type"] == "DocumentReference")
    offered = {interaction["code"] for interaction in note["interaction"]}
    assert ("create" in offered) == (ehr != "athenaone")
    assert ("update" in offered) == (ehr == "reference")
    assert note["conditionalCreate"] == (ehr == "reference")
    assert ("identifier" in {parameter["name"] for parameter in note["searchParam"]}) == (ehr == "reference")
