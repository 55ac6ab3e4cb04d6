"""The worst failures: another person's hands, another person's token, another address, another text than displayed."""

import json

import pytest

from app.event_log.canonical import digest
from app.notes.snapshot import Snapshot, as_signed_note
from app.writebacks.state import Stage
from tests.service import OpenChart, Service


def payload(service: Service, chart: OpenChart) -> dict:
    with service.parts.database.read() as tx:
        return json.loads(service.parts.artifacts.open(tx, "harbor-epic", chart.writeback().queued.payload))


def test_another_user_in_the_same_browser_ends_the_first_ones_launches(service: Service) -> None:
    """A71, E11, E38."""
    browser = service.browser()
    first = service.drafted(client=browser)
    first.settle()
    form, token = first.sign_form(), first.csrf()

    service.open_chart(client=browser, user=service.another_practitioner(first))

    refused = first.post("/sign", token=token, **form)
    assert refused.status_code == 401
    assert "another person" in refused.text
    assert first.note().state.signed is None


def test_the_same_user_keeps_all_charts_open_in_one_browser(service: Service) -> None:
    """A69."""
    browser = service.browser()
    first = service.drafted(client=browser)
    service.drafted(client=browser, patient="Nair, Priya")
    assert first.get().status_code == 200


def test_cookies_of_many_launches_do_not_pile_up_until_nothing_works(service: Service) -> None:
    browser = service.browser()
    charts = [service.open_chart(client=browser) for _ in range(34)]
    kept = [cookie for cookie in browser._cookies if cookie[-1].startswith("__Host-countersign-")]
    assert len(kept) <= 31
    assert charts[-1].get().status_code == 200


def test_a_token_goes_only_to_the_address_that_it_was_granted_for(service: Service) -> None:
    """E15, F45."""
    chart = service.signed()
    before = len(service.ehr.qa("reference", "requests"))
    tenant = service.parts.tenants.require("harbor-epic")
    service.change_tenant("harbor-epic", fhir_base=tenant.fhir_base.replace("/epic/api/FHIR/R4", "/reference/fhir"))

    service.work()

    assert chart.writeback().stage is Stage.PARKED
    assert chart.writeback().parked_for == "address_changed"
    assert len(service.ehr.qa("reference", "requests")) == before


def test_a_write_is_not_resumed_by_a_launch_that_may_not_write(service: Service) -> None:
    chart = service.signed(patient="Cho, Raymond")
    service.end_tokens()
    service.work()
    narrow = "launch openid fhirUser user/Patient.rs user/Encounter.rs user/DocumentReference.rs user/Binary.r"
    service.ehr.arm("epic", interaction="token", fault="token_changed", times=1, options={"scope": narrow})

    service.open_chart(patient="Cho, Raymond")
    service.work()
    assert chart.writeback().stage is Stage.PARKED

    service.open_chart(patient="Cho, Raymond")
    service.work()
    assert chart.writeback().stage is Stage.VERIFIED


@pytest.mark.parametrize("unread", ["Encounter", "Practitioner"])
def test_a_visit_or_clinician_that_cannot_be_read_stops_the_draft_instead_of_being_frozen_into_it(
    service: Service, unread: str
) -> None:
    chart = service.open_chart()
    service.ehr.arm("epic", interaction="read", resource_type=unread, fault="answer_500", times=1)
    service.ehr.arm("epic", interaction="search", resource_type=unread, fault="answer_500", times=1)

    first = chart.draft()
    if first.status_code == 303:  # the clinician's name came with the sign-in
        assert chart.note().review.draft.clinician.name == "Dr. Kwame Osei"
        return
    assert first.status_code == 503
    assert chart.draft().status_code == 303
    assert "Visit 2" in chart.get().text


def test_a_clinician_whose_provider_record_changed_cannot_sign_a_draft_that_names_another(service: Service) -> None:
    """E29, E38."""
    first = service.drafted(patient="Nair, Priya")
    first.settle()
    other = {"fhirUser": f"Practitioner/{service.another_practitioner(first)}"}
    service.ehr.arm("epic", interaction="token", fault="id_token_changed", times=1, options=other)

    chart = service.open_chart(patient="Nair, Priya")
    answer = chart.sign()

    assert answer.status_code == 409
    assert "another provider record" in " ".join(answer.text.split())
    assert chart.note().state.signed is None


def test_a_destination_that_changed_after_the_page_was_read_stops_the_signature(service: Service) -> None:
    """E37."""
    chart = service.drafted()
    chart.settle()
    form, token = chart.sign_form(), chart.csrf()
    policy = service.parts.tenants.require("harbor-epic").note
    service.change_tenant("harbor-epic", note=policy.model_copy(update={"file_as": "preliminary"}))

    assert chart.post("/sign", token=token, **form).status_code == 409
    assert chart.sign().status_code == 303
    assert payload(service, chart)["docStatus"] == "preliminary"


def test_the_payload_is_a_function_of_the_signed_snapshot_alone(service: Service) -> None:
    """E36, I5."""
    chart = service.signed()
    signed = chart.note().state.signed
    with service.parts.database.read() as tx:
        kept = service.parts.artifacts.open(tx, "harbor-epic", signed.snapshot)
    rendered = service.parts.ehrs.adapter("harbor-epic").render_note(as_signed_note(Snapshot.model_validate_json(kept)))
    assert digest(rendered) == chart.writeback().queued.payload_digest


def test_a_line_that_was_emptied_is_shown_as_removed_before_signing(service: Service) -> None:
    chart = service.drafted()
    allergy = next(claim for claim in chart.note().review.claims if claim.claim.section == "allergies")
    chart.post(f"/claims/{allergy.claim.id}/text", revision=0, text="")
    page = " ".join(chart.get("/sign").text.split())
    assert "Penicillin" in page.split("What differs from the AI draft")[1].split("The note you are signing")[0]
