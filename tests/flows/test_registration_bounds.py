"""What a registration cannot do: read this server's secrets out, reach this machine, take another's launches."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from app.errors import Corrupt, LaunchEnded, Misconfigured
from app.ids import TenantId
from app.onboarding.addresses import addresses_of
from app.publication.retirement import retire_tenant
from app.settings import Settings
from app.tenants.registering import RegistrationRefused
from app.tenants.tables import grants, sealed_secrets
from app.wiring import create_app
from launch.completion import Completion
from tests.flows.conftest import Clinic
from tests.service import Service
from vendors.egress import EgressRefused

pytestmark = pytest.mark.either_database

SEALED = {"method": "client_secret_basic", "secret": "sealed:ehr"}


def refused_for(clinic: Clinic, **changed: Any) -> RegistrationRefused:
    with pytest.raises(RegistrationRefused) as refused:
        clinic.register(**changed)
    return refused.value


def fields(refused: RegistrationRefused) -> set[str]:
    return {problem.field for problem in refused.problems}


def respelled(base: str, how: str) -> str:
    """The same address, written in another way."""
    scheme, _, rest = base.partition("://")
    host, _, path = rest.partition("/")
    return {
        "a slash more": f"{base}/",
        "upper case host": f"{scheme}://{host.upper()}/{path}",
        "the port that https has anyway": f"{scheme}://{host}:443/{path}",
    }[how]


def test_a_sealed_secret_is_sent_to_no_other_address_than_it_was_kept_for(service: Service) -> None:
    """A62."""
    tenant_id, secrets = "lakeside-athenaone", service.parts.secrets
    tenants = service.parts.tenants
    proof = tenants.require(tenant_id).authentication.model_copy(update={"secret": "sealed:ehr"})
    service.change_tenant(tenant_id, authentication=proof)
    secrets.keep(tenants.require(tenant_id), "ehr", "s3cret", "cli:test")
    assert secrets.of(tenants.require(tenant_id)) == "s3cret"

    service.change_tenant(tenant_id, fhir_base="https://elsewhere.example/fhir/r4")

    with pytest.raises(Misconfigured, match="Seal it again for the new address"):
        secrets.of(tenants.require(tenant_id))
    with service.parts.database.write() as tx:
        tx.execute(update(sealed_secrets).values(origin="https://elsewhere.example"))
    with pytest.raises(Corrupt):
        secrets.of(tenants.require(tenant_id))
    secrets.keep(tenants.require(tenant_id), "ehr", "the new one", "cli:test")
    assert secrets.of(tenants.require(tenant_id)) == "the new one"


@pytest.mark.parametrize(
    "reference",
    [
        "${COUNTERSIGN_LAKESIDE_SECRET}",
        "file:/etc/hostname",
        "file:{files}/sealing_keys",
        "file:{files}/another-tenant/secret",
        "file:{own}",
        "file:{own}/../sealing_keys",
    ],
)
def test_pages_and_commands_name_no_secret_that_is_not_their_tenants_own(clinic: Clinic, reference: str) -> None:
    """A62: the variables and files of this server belong to whoever runs it."""
    files = clinic.service.parts.settings.secret_files
    secret = reference.replace("{files}", str(files)).replace("{own}", str(files / clinic.tenant_id))
    refused = refused_for(clinic, authentication={"method": "client_secret_basic", "secret": secret})
    assert fields(refused) == {"authentication.secret"}
    assert f"file:{files}/{clinic.tenant_id}/" in str(refused)


def test_a_file_in_a_tenants_own_folder_may_be_its_secret(clinic: Clinic, tmp_path: Path) -> None:
    own = clinic.service.parts.settings.secret_files / clinic.tenant_id / "client"
    clinic.register(authentication={"method": "client_secret_basic", "secret": f"file:{own}"})
    assert clinic.service.parts.tenants.require(clinic.tenant_id).authentication.secret == f"file:{own}"


def test_a_tenants_ehr_does_not_move_to_another_host_in_place(clinic: Clinic) -> None:
    """A62, E15, F45."""
    clinic.register(authentication=SEALED)
    registering, document = clinic.service.parts.registering, clinic.document | {"authentication": SEALED}
    with pytest.raises(RegistrationRefused) as refused:
        registering.change(clinic.tenant_id, document | {"fhir_base": "http://evil.localhost:9/fhir"}, "admin:1")
    assert fields(refused.value) == {"fhir_base"}
    assert "new tenant" in str(refused.value)

    moved = registering.change(clinic.tenant_id, document | {"fhir_base": f"{document['fhir_base']}/v2"}, "admin:1")
    assert moved.fhir_base.endswith("/v2")


def elsewhere(settings: Settings) -> Settings:
    """The same installation, reached from the network."""
    return settings.model_copy(update={"public_url": "https://countersign.example"})


@pytest.mark.parametrize("base", ["", "http://127.0.0.1:9/fhir", "https://localhost/fhir", "https://[::1]/fhir"])
def test_a_sandbox_on_this_machine_is_for_an_installation_on_this_machine(clinic: Clinic, base: str) -> None:
    """E16."""
    other = create_app(elsewhere(clinic.service.parts.settings), clinic.service.clock).extensions["countersign"]
    with pytest.raises(RegistrationRefused) as refused:
        other.registering.register(clinic.document | ({"fhir_base": base} if base else {}), "cli:test")
    assert fields(refused.value) == {"fhir_base"}
    tenant = other.tenants.require("harbor-epic")
    with pytest.raises(EgressRefused):
        other.ehrs.session(tenant).get(tenant.fhir_base, timeout=1)
    other.database.engine.dispose()


@pytest.mark.parametrize("how", ["a slash more", "upper case host", "the port that https has anyway"])
def test_a_base_that_is_spelled_in_another_way_is_the_same_base(clinic: Clinic, how: str) -> None:
    """A38."""
    base = "https://ehr.shared.example/fhir"
    clinic.register(fhir_base=base, expected_context={"tenant": "a"})
    register = clinic.service.parts.registering.register
    twin = clinic.document | {"id": f"{clinic.tenant_id}-b", "fhir_base": respelled(base, how)}
    with pytest.raises(RegistrationRefused) as refused:
        register(twin, "cli:test")
    assert fields(refused.value) == {"fhir_base"}
    assert "expected_context" in str(refused.value)

    register(twin | {"expected_context": {"tenant": "b"}}, "cli:test")
    tenants = clinic.service.parts.tenants
    first = addresses_of(tenants.require(clinic.tenant_id), clinic.service.origin, tenants)
    assert first.launch_url == f"{clinic.service.origin}/launch/{clinic.tenant_id}"


def test_origins_are_compared_however_they_are_spelled(clinic: Clinic) -> None:
    """E15: a registration that is taken can be sent to."""
    clinic.register(
        fhir_base="https://EHR.example:443/fhir",
        endpoint_origins=["https://Login.EHR.example:443"],
        frame_origins=["https://Pages.EHR.example"],
    )
    parts = clinic.service.parts
    tenant = parts.tenants.require(clinic.tenant_id)
    assert tenant.fhir_base == "https://EHR.example:443/fhir"
    assert tenant.origins == {"https://ehr.example", "https://login.ehr.example"}
    assert tenant.frame_origins == ("https://pages.ehr.example",)
    assert parts.ehrs.session(tenant)


def test_a_launch_that_ends_while_its_tenant_is_retired_opens_nothing_and_its_tokens_go_back(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A53."""
    clinic.register()
    clinic.tell_the_ehr()
    parts, browser = clinic.service.parts, clinic.service.browser()
    callback = clinic.begin(browser)
    complete = Completion.complete

    def late(*given: Any) -> Any:
        completed = complete(*given)
        retire_tenant(parts.registering, parts.giving_back, TenantId(clinic.tenant_id), "admin:1")
        return completed

    monkeypatch.setattr(Completion, "complete", late)
    answer = clinic.service.callback(browser, callback)

    assert answer.status_code == LaunchEnded.status
    assert "ended its use" in answer.text
    with parts.database.read() as tx:
        assert tx.execute(grants.select()).all()
    assert parts.giving_back.sweep() == 1


def test_no_page_opens_for_a_tenant_that_is_not_there_any_more(clinic: Clinic) -> None:
    clinic.register()
    clinic.tell_the_ehr()
    chart = clinic.open_chart()
    assert chart.get().status_code == 200
    clinic.service.parts.registering.retire(clinic.tenant_id, "cli:test")  # and nobody has ended its launches yet
    assert chart.get().status_code == LaunchEnded.status


def test_one_tenants_unreadable_key_leaves_the_others_in_the_key_set(clinic: Clinic) -> None:
    """A61."""
    clinic.register()
    others = {key["kid"] for key in clinic.published() if not key["kid"].startswith(clinic.tenant_id)}
    assert others
    parts = clinic.service.parts
    own = clinic.published(clinic.tenant_id)[0]["kid"]
    parts.client_keys._keyring, kept = _without(parts, own)
    try:
        assert {key["kid"] for key in clinic.published()} == others
        assert clinic.published(clinic.tenant_id) == []
    finally:
        parts.client_keys._keyring = kept


def _without(parts: Any, kid: str) -> tuple[Any, Any]:
    """A keyring that opens everything but one key, as after a rotation that lost one; and the real one."""
    real = parts.client_keys._keyring
    parts.client_keys._opened.clear()

    class Lacking:
        def open(self, sealed: Any, context: str) -> bytes:
            if kid in context:
                raise Corrupt("The sealing key k0 is not in the keyring.")
            return real.open(sealed, context)

    return Lacking(), real
