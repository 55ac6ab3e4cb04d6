"""From signature to chart, through the real sandbox: filed once, under the signer's token, verified by reading back."""

from datetime import timedelta

import pytest
from fhir.resources.R4B.documentreference import DocumentReference
from fhir.resources.R4B.provenance import Provenance
from sqlalchemy import update

from app.event_log.canonical import digest
from app.publication.publish import MOST_UNCLEAR
from app.tenants.tables import grants
from app.writebacks.state import Stage
from tests.service import Service


def filed(service: Service, ehr: str, resource_id: str, kind: str = "DocumentReference") -> dict:
    resources = service.ehr.qa(ehr, f"resources/{kind}")
    return next(resource for resource in resources if resource["id"] == resource_id)


def our_notes(service: Service, ehr: str) -> list[dict]:
    ours = "urn:countersign:note"
    return [
        resource
        for resource in service.ehr.qa(ehr, "resources/DocumentReference")
        if any(one.get("system") == ours for one in resource.get("identifier", []))
    ]


def test_a_signed_note_is_filed_once_and_verified(service: Service) -> None:
    """C19."""
    before = len(our_notes(service, "epic"))
    chart = service.signed()

    service.work()

    assert chart.writeback().stage is Stage.VERIFIED
    assert len(our_notes(service, "epic")) == before + 1
    assert "In the chart" in chart.status()["html"]


def test_the_filed_note_says_who_wrote_what_in_which_visit(service: Service) -> None:
    """C28, C29, C34."""
    chart = service.signed()
    service.work()

    note = filed(service, "epic", chart.writeback().resource_id)

    DocumentReference.model_validate({k: v for k, v in note.items() if k != "_sandbox"})
    launch = chart.launch()
    assert [author["reference"] for author in note["author"]] == [launch.fhir_user]
    assert note["context"]["encounter"][0]["reference"] == launch.encounter
    assert note["type"]["coding"][0]["system"] == "http://loinc.org"
    assert {"AIAST"} <= {label["code"] for label in note["meta"]["security"]}


def test_the_payload_is_utf8_text_with_its_size(service: Service) -> None:
    """C33."""
    chart = service.signed(patient="Ortega, María Guadalupe")
    with service.parts.database.read() as tx:
        payload = DocumentReference.model_validate_json(
            service.parts.artifacts.open(tx, "harbor-epic", chart.writeback().queued.payload)
        )

    attachment = payload.content[0].attachment
    text = attachment.data  # the library has decoded it already
    assert attachment.size == len(text)
    assert "hormigas" in text.decode("utf-8")


def test_the_write_used_the_signers_own_token(service: Service) -> None:
    """E29, E38, I6."""
    chart = service.signed()
    service.work()

    with service.parts.database.read() as tx:
        grant = service.parts.grants.open(tx, "harbor-epic", chart.launch_id, service.clock())
    writes = service.ehr.qa("epic", "writes")
    write = next(one for one in writes if one["id"] == chart.writeback().resource_id)
    assert write["token_sha256"] == digest(grant.access_token.encode())
    assert write["subject"] == chart.launch().subject


def test_two_clinicians_write_under_their_own_tokens(service: Service) -> None:
    """E29, E38, I6."""
    users = [token["fhir_user"] for token in service.ehr.qa("epic", "tokens")]
    practitioners = {resource["id"] for resource in service.ehr.qa("epic", "resources/Practitioner")}
    assert len(practitioners) >= 2, users
    charts = [service.signed(user=practitioner) for practitioner in sorted(practitioners)[:2]]

    service.work()

    writes = {one["id"]: one for one in service.ehr.qa("epic", "writes")}
    subjects = [writes[chart.writeback().resource_id]["subject"] for chart in charts]
    assert subjects == [chart.launch().subject for chart in charts]
    assert subjects[0] != subjects[1]


def test_where_the_ehr_takes_provenance_it_is_posted_with_the_filed_version_as_target(service: Service) -> None:
    """C24, C31, C39: after the note, and of its version."""
    chart = service.signed(ehr="reference")

    service.work()

    state = chart.writeback()
    assert state.stage is Stage.VERIFIED
    stored = [
        one
        for one in service.ehr.qa("reference", "resources/Provenance")
        if one["target"][0]["reference"].startswith(f"DocumentReference/{state.resource_id}/_history/")
    ]
    assert len(stored) == 1
    provenance = Provenance.model_validate({k: v for k, v in stored[0].items() if k != "_sandbox"})
    roles = [agent.type.coding[0].code for agent in provenance.agent]
    assert roles == ["assembler", "author", "verifier"]
    assert all(agent.onBehalfOf for agent in provenance.agent)


def test_where_the_ehr_takes_no_provenance_it_is_kept_and_shown(service: Service) -> None:
    """C26."""
    chart = service.signed()
    service.work()

    page = chart.get("/record").text

    assert "Provenance" in page
    assert "Artificial-Intelligence" in page
    assert not service.ehr.qa("epic", "resources/Provenance") or all(
        chart.writeback().resource_id not in one["target"][0].get("reference", "")
        for one in service.ehr.qa("epic", "resources/Provenance")
    )


def test_athenaone_gets_no_write_and_the_clinician_gets_the_text_to_copy(service: Service) -> None:
    writes = len(service.ehr.qa("athenaone", "writes"))
    chart = service.drafted(ehr="athenaone")
    assert "athenaOne takes no notes through its FHIR API" in chart.get().text
    chart.settle()
    chart.sign()

    assert service.work() == 0
    assert chart.writeback().stage is Stage.AWAITING_COPY
    chart.post("/note/copied")

    assert chart.writeback().stage is Stage.COPIED
    assert len(service.ehr.qa("athenaone", "writes")) == writes


@pytest.mark.parametrize(
    ("fault", "stage_after_one_pass"),
    [
        ("answer_500", Stage.OUTCOME_UNKNOWN),
        ("answer_html", Stage.OUTCOME_UNKNOWN),
        ("drop_connection", Stage.OUTCOME_UNKNOWN),
    ],
)
def test_an_unclear_answer_is_asked_about_and_never_sent_again_before_absence_is_proven(
    service: Service, fault: str, stage_after_one_pass: Stage
) -> None:
    """C10, C15, F10, F11, I3: the second sending is the same bytes under the same identifier."""
    before = len(our_notes(service, "reference"))
    chart = service.signed(ehr="reference")
    service.ehr.arm("reference", interaction="create", resource_type="DocumentReference", fault=fault, times=1)

    service.work()
    assert chart.writeback().stage is stage_after_one_pass
    for _ in range(20):
        service.clock.advance(seconds=10)
        service.work()

    assert chart.writeback().stage is Stage.VERIFIED
    assert chart.writeback().attempts == 2
    assert len(our_notes(service, "reference")) == before + 1


def test_where_absence_cannot_be_proven_an_unclear_answer_ends_with_a_person_and_not_with_a_second_send(
    service: Service,
) -> None:
    """F11, I3, I7."""
    before = len(our_notes(service, "epic"))
    chart = service.signed()
    service.ehr.arm("epic", interaction="create", resource_type="DocumentReference", fault="answer_500", times=1)

    for _ in range(10):
        service.work()
        service.clock.advance(seconds=60)

    state = chart.writeback()
    assert (state.stage, state.parked_for, state.attempts) == (Stage.PARKED, "unproven", 1)
    assert len(our_notes(service, "epic")) == before
    assert "Look in the chart" in chart.status()["html"]


def test_a_commit_followed_by_500_is_adopted_not_repeated(service: Service) -> None:
    """C15, C20, F11, I1."""
    before = len(our_notes(service, "epic"))
    chart = service.signed()
    service.ehr.arm("epic", interaction="create", resource_type="DocumentReference", fault="commit_then_500", times=1)

    for _ in range(4):
        service.work()
        service.clock.advance(seconds=10)

    assert chart.writeback().stage is Stage.VERIFIED
    assert chart.writeback().attempts == 1
    assert len(our_notes(service, "epic")) == before + 1


def test_an_ehr_that_never_gives_a_clear_answer_is_not_sent_to_for_ever(service: Service) -> None:
    chart = service.signed(ehr="reference")
    service.ehr.arm("reference", interaction="create", resource_type="DocumentReference", fault="answer_500", times=50)

    for _ in range(50):
        service.clock.advance(seconds=60)
        service.work()

    assert chart.writeback().stage is Stage.PARKED
    assert chart.writeback().attempts == MOST_UNCLEAR
    chart.still_here()
    assert "administrator" in chart.status()["html"]


def test_an_ehr_that_is_down_is_waited_for_without_giving_up(service: Service) -> None:
    """F13."""
    chart = service.signed()
    service.ehr.arm("epic", interaction="create", resource_type="DocumentReference", fault="answer_429", times=12)

    for _ in range(40):
        service.clock.advance(minutes=11)
        with service.parts.database.write() as tx:
            tx.execute(update(grants).values(expires_at=service.clock() + timedelta(hours=1)))
        service.work()

    assert chart.writeback().stage is Stage.VERIFIED


@pytest.mark.either_database
def test_nothing_of_a_note_is_sent_before_it_is_signed(service: Service) -> None:
    """C35."""
    before = len(service.ehr.qa("reference", "writes"))
    chart = service.drafted(ehr="reference")
    chart.settle()
    assert (service.work(), len(service.ehr.qa("reference", "writes"))) == (0, before)


@pytest.mark.either_database
def test_a_note_that_was_only_accepted_is_looked_for_until_it_is_filed(service: Service) -> None:
    """C03, C04, F17: 202 is no receipt, and no reason to send again."""
    before = len(our_notes(service, "reference"))
    chart = service.signed(ehr="reference")
    arm = {"interaction": "create", "resource_type": "DocumentReference", "fault": "accept_then_file", "times": 1}
    service.ehr.arm("reference", **arm, options={"requests": 2})

    service.work()
    assert chart.writeback().stage is Stage.OUTCOME_UNKNOWN
    assert "it is not in the chart yet" in chart.get("/note").text
    for _ in range(10):
        service.clock.advance(seconds=10)
        service.work()

    assert (chart.writeback().stage, chart.writeback().attempts) == (Stage.VERIFIED, 1)
    assert len(our_notes(service, "reference")) == before + 1


@pytest.mark.either_database
def test_what_a_conditional_create_matched_is_read_before_it_is_called_ours(service: Service) -> None:
    """C06, C09, F24, F43: the EHR had put the first sending into another chart, and answered as if it had failed."""
    chart = service.signed(ehr="reference")
    for fault in ("change_patient", "commit_then_500"):
        service.ehr.arm("reference", interaction="create", resource_type="DocumentReference", fault=fault, times=1)

    for _ in range(20):
        service.clock.advance(seconds=10)
        service.work()

    state = chart.writeback()
    assert (state.stage, "patient" in state.differences) == (Stage.DRIFTED, True)
