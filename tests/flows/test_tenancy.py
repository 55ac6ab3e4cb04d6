"""Tenants added, changed and retired while everything runs."""

import json

import pytest

from app.errors import NotFound, Refused
from app.event_log.read import read_stream
from app.ids import TenantId
from app.publication.retirement import retire_tenant
from app.tenants.registering import RegistrationRefused
from app.wiring import create_app
from tests.flows.conftest import Clinic
from tests.service import Service
from vendors.egress import EgressRefused, NotConnected

pytestmark = pytest.mark.either_database


def story(service: Service, tenant_id: str) -> list[tuple[str, str]]:
    with service.parts.database.read() as tx:
        return [(one.event.tag, one.actor) for one in read_stream(tx, tenant_id, f"tenant:{tenant_id}")]


def fields(refused: RegistrationRefused) -> set[str]:
    assert all(problem.wrong and problem.write for problem in refused.problems)
    return {problem.field for problem in refused.problems}


def test_a_tenant_added_by_data_only_launches_under_its_own_key(clinic: Clinic) -> None:
    """A15, A61: one redirect URI and one key for each tenant; no code, no file, no restart."""
    clinic.register()
    clinic.tell_the_ehr()

    chart = clinic.open_chart()

    assert chart.get().status_code == 200
    assert [key["kid"][: -len("-16-of-its-digest")] for key in clinic.published(clinic.tenant_id)] == [clinic.tenant_id]
    own = {key["kid"] for key in clinic.published(clinic.tenant_id)}
    assert not own & {key["kid"] for key in clinic.published("harbor-epic")}
    assert own < {key["kid"] for key in clinic.published()}


def test_a_note_of_a_tenant_added_by_data_only_is_filed(clinic: Clinic) -> None:
    clinic.register()
    clinic.tell_the_ehr()
    chart = clinic.open_chart()
    chart.draft()
    chart.settle()
    assert chart.sign().status_code == 303

    clinic.service.work()

    assert chart.writeback().stage == "verified"


def test_another_process_knows_a_new_tenant_at_its_next_look(clinic: Clinic) -> None:
    other = create_app(clinic.service.parts.settings, clinic.service.clock)
    tenants = other.extensions["countersign"].tenants
    assert tenants.get(clinic.tenant_id) is None

    clinic.register()
    assert tenants.get(clinic.tenant_id).organization == "Clinic by Data"
    clinic.service.parts.registering.change(
        clinic.tenant_id, clinic.document | {"organization": "New Name"}, "cli:test"
    )
    assert tenants.get(clinic.tenant_id).organization == "New Name"
    clinic.service.parts.registering.retire(clinic.tenant_id, "cli:test")
    assert tenants.get(clinic.tenant_id) is None
    assert tenants.is_retired(clinic.tenant_id)
    other.extensions["countersign"].database.engine.dispose()


def test_every_mistake_of_a_registration_is_named_beside_its_field_and_no_secret_is_repeated(clinic: Clinic) -> None:
    wrong = clinic.document | {
        "id": "Not An Id",
        "fhir_base": "nowhere",
        "timezone": "Mars",
        "colour": "blue",
        "authentication": {"method": "client_secret_basic", "secret": "hunter2"},
        "workflows": [{"id": "a", "title": "A", "phase": "someday"}],
    }
    with pytest.raises(RegistrationRefused) as refused:
        clinic.service.parts.registering.register(wrong, "cli:test")

    expected = {"id", "fhir_base", "timezone", "colour", "authentication.secret", "workflows.phase"}
    assert fields(refused.value) == expected
    assert "hunter2" not in str(refused.value.problems)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"id": "harbor-epic"}, "id"),
        ({"id": "console"}, "id"),
        ({"id": "check"}, "id"),
        ({"vendor": "paper"}, "vendor"),
        ({"authentication": {"method": "client_secret_basic", "secret": "${PATH}"}}, "authentication.secret"),
        ({"authentication": {"method": "public"}, "environment": "production"}, "authentication.method"),
        ({"authentication": {"method": "private_key_jwt", "audience": "issuer"}}, "authentication.audience"),
        ({"endpoint_origins": ["http://ehr.example"]}, "endpoint_origins"),
    ],
    ids=str,
)
def test_what_one_tenant_may_not_be_is_refused(clinic: Clinic, changed: dict, field: str) -> None:
    """A54."""
    with pytest.raises(RegistrationRefused) as refused:
        clinic.register(**changed)
    assert fields(refused.value) == {field}


def test_a_base_that_another_tenant_has_is_refused_unless_the_context_tells_them_apart(clinic: Clinic) -> None:
    """A38."""
    clinic.register(expected_context={"tenant": "a"})
    second = clinic.document | {"id": f"{clinic.tenant_id}-b"}
    register = clinic.service.parts.registering.register

    with pytest.raises(RegistrationRefused) as refused:
        register(second, "cli:test")
    assert fields(refused.value) == {"fhir_base"}

    register(second | {"expected_context": {"tenant": "b"}}, "cli:test")
    assert len(clinic.service.parts.tenants.by_issuer(clinic.document["fhir_base"])) == 2


def test_each_change_of_a_tenant_is_in_its_own_log_with_who_did_it(clinic: Clinic) -> None:
    """E24."""
    parts = clinic.service.parts
    clinic.register()
    parts.registering.change(clinic.tenant_id, clinic.document | {"timezone": "America/Chicago"}, "admin:7")
    parts.registering.change(clinic.tenant_id, clinic.document | {"timezone": "America/Chicago"}, "admin:7")
    tenant = parts.tenants.require(clinic.tenant_id)
    parts.rollout.change(tenant, "primary-care", "low_risk", "admin:8")
    parts.switches.turn_off(tenant, "", "", "a drill", "admin:9")
    parts.secrets.keep(tenant, "client", "s3cret-in-nobodys-log", "admin:7")
    parts.registering.retire(clinic.tenant_id, "cli:ada")

    assert story(clinic.service, clinic.tenant_id) == [
        ("tenant:registered", "cli:test"),
        ("tenant:changed", "admin:7"),
        ("tenant:phase:changed", "admin:8"),
        ("tenant:switch:turned", "admin:9"),
        ("tenant:secret:kept", "admin:7"),
        ("tenant:retired", "cli:ada"),
    ]
    with parts.database.read() as tx:
        events = [one.event.fields() for one in read_stream(tx, clinic.tenant_id, f"tenant:{clinic.tenant_id}")]
    assert events[1]["fields_changed"] == ["timezone"]
    assert "s3cret-in-nobodys-log" not in json.dumps(events)


def test_requests_reach_the_origins_that_a_tenant_has_now(clinic: Clinic) -> None:
    """E15."""
    parts = clinic.service.parts
    login = "http://login.localhost:9"
    clinic.register(endpoint_origins=[login])
    before = parts.ehrs.session(parts.tenants.require(clinic.tenant_id))
    assert parts.ehrs.session(parts.tenants.require(clinic.tenant_id)) is before
    with pytest.raises(NotConnected):
        before.get(login, timeout=1)

    parts.registering.change(clinic.tenant_id, clinic.document, "cli:test")

    after = parts.ehrs.session(parts.tenants.require(clinic.tenant_id))
    with pytest.raises(EgressRefused):
        after.get(login, timeout=1)


@pytest.mark.parametrize("changed", [{"fhir_base": "{origin}/moved/fhir"}, {"client_id": "another"}])
def test_a_registration_that_changes_during_a_sign_in_gets_neither_the_code_nor_our_assertion(
    clinic: Clinic, changed: dict[str, str]
) -> None:
    """A17, A23: whoever the registration names by then, the launch is not theirs."""
    clinic.register()
    clinic.tell_the_ehr()
    browser = clinic.service.browser()
    callback = clinic.begin(browser)
    issued = len(clinic.service.ehr.qa("reference", "tokens"))
    told = {name: value.format(origin=clinic.service.ehr.origin) for name, value in changed.items()}
    clinic.service.parts.registering.change(clinic.tenant_id, clinic.document | told, "admin:a1")

    answer = clinic.service.callback(browser, callback)

    assert (answer.status_code, "not open any more" in answer.text) == (400, True)
    assert len(clinic.service.ehr.qa("reference", "tokens")) == issued


def test_a_retired_tenants_id_is_never_used_again_and_nobody_launches_for_it(clinic: Clinic) -> None:
    clinic.register()
    clinic.tell_the_ehr()
    clinic.open_chart()
    clinic.service.parts.registering.retire(clinic.tenant_id, "cli:test")

    opened = clinic.service.ehr.open_app(
        "reference", clinic.service.ehr.patient("reference", "Rivera, Ana"), client=clinic.tenant_id
    )
    refused = clinic.service.browser().get(clinic.service._path(opened["url"]), base_url=clinic.service.origin)
    assert refused.status_code >= 400

    with pytest.raises(RegistrationRefused):
        clinic.register()
    with pytest.raises(Refused):
        clinic.service.parts.registering.change(clinic.tenant_id, clinic.document, "cli:test")


def test_a_tenant_of_a_file_is_changed_in_its_file(clinic: Clinic) -> None:
    registering = clinic.service.parts.registering
    assert clinic.service.parts.tenants.origin("harbor-epic") == "file"
    document = registering.document("harbor-epic")
    with pytest.raises(Refused, match="file"):
        registering.change("harbor-epic", document, "cli:test")
    with pytest.raises(Refused, match="file"):
        registering.retire("harbor-epic", "cli:test")
    with pytest.raises(NotFound):
        registering.change("nobody", document, "cli:test")


def test_a_workflow_that_notes_may_belong_to_is_not_taken_away(clinic: Clinic) -> None:
    clinic.register()
    other = clinic.document | {"workflows": [{"id": "surgery", "title": "Surgery"}]}
    with pytest.raises(RegistrationRefused) as refused:
        clinic.service.parts.registering.change(clinic.tenant_id, other, "cli:test")
    assert fields(refused.value) == {"workflows"}


def test_a_sealed_secret_opens_for_its_own_tenant_and_reaches_the_token_endpoint_only(clinic: Clinic) -> None:
    """A62."""
    parts = clinic.service.parts
    clinic.register(authentication={"method": "client_secret_basic", "secret": "sealed:client"})
    tenant = parts.tenants.require(clinic.tenant_id)
    parts.secrets.keep(tenant, "client", "the first", "cli:test")
    parts.secrets.keep(tenant, "client", "a colon: and %", "cli:test")
    clinic.tell_the_ehr(method="client_secret_basic", secret="a colon: and %")

    clinic.open_chart()

    assert [kept.name for kept in parts.secrets.kept(clinic.tenant_id)] == ["client"]
    assert parts.secrets.kept("harbor-epic") == ()
    assert clinic.published(clinic.tenant_id) == []


def test_a_visits_class_chooses_the_workflow_of_its_note(service: Service) -> None:
    ehr = service.ehr
    chart = service.open_chart("epic", "Rivera, Ana")
    reference = chart.launch().encounter.removeprefix("Encounter/")
    visit = next(one for one in ehr.qa("epic", "resources/Encounter") if one["id"] == reference)
    try:
        ehr.edit("epic", "Encounter", visit | {"class": visit["class"] | {"code": "EMER", "display": "emergency"}})
        chart.draft()
    finally:
        ehr.edit("epic", "Encounter", visit)

    assert chart.note().state.draft_recorded.workflow == "emergency"
    chart.settle()
    assert chart.sign().status_code == 303
    assert chart.writeback().order.workflow == "emergency"
    assert service.parts.tenants.queue_of("harbor-epic", "emergency") == "emergency"
    service.work()
    assert chart.writeback().stage == "verified"


def test_a_tenant_that_no_database_can_be_asked_about_stands_as_it_was_known(clinic: Clinic) -> None:
    clinic.register()
    tenants = clinic.service.parts.tenants
    assert tenants.get(clinic.tenant_id)
    asked = tenants._database
    tenants._database = (
        create_app(clinic.service.parts.settings.model_copy(update={"database_url": "sqlite:////nowhere/at/all.db"}))
        .extensions["countersign"]
        .database
    )
    try:
        assert tenants.get(clinic.tenant_id)
        assert tenants.get("harbor-epic")
    finally:
        tenants._database = asked


def test_a_retired_tenants_tokens_go_back_once_its_last_note_has_stopped(clinic: Clinic) -> None:
    """A53."""
    clinic.register()
    clinic.tell_the_ehr()
    idle, busy = clinic.open_chart(), clinic.open_chart()
    busy.draft()
    busy.settle()
    assert busy.sign().status_code == 303
    parts = clinic.service.parts

    ended = retire_tenant(parts.registering, parts.giving_back, TenantId(clinic.tenant_id), "cli:test")

    assert (ended.launches, ended.returned, ended.unfinished) == (2, 1, 1)
    assert idle.get().status_code == busy.get().status_code == 401
    clinic.service.work()
    assert parts.giving_back.sweep() == 1
