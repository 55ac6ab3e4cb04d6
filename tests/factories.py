"""Values with good defaults, for tests that care about one or two of their fields."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from app.drafting.draft import (
    Claim,
    ClaimState,
    ClinicianIdentity,
    Draft,
    Evidence,
    PatientIdentity,
    Source,
    SourceKind,
    Tier,
    VisitIdentity,
)
from app.drafting.material import Entry, VisitMaterial
from app.event_log.event import ArtifactRef, Event
from app.event_log.recorded import Recorded
from app.policy.route import Landing, Route
from app.policy.rules import SigningFacts
from app.writebacks.events import WritebackQueued

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
REF = ArtifactRef(artifact_id="a" * 32, digest="d" * 64)
CLINICIAN = ClinicianIdentity(reference="Practitioner/7", name="Dr. Kwame Osei")
PATIENT = PatientIdentity(
    reference="Patient/1",
    version="2",
    family="Rivera",
    given="Ana",
    sex="female",
    birth_date=date(1962, 3, 14),
    mrn="1002345",
)
VISIT = VisitIdentity(
    reference="Encounter/9", version="1", title="Cough", start=NOON, end=None, organization="Organization/1"
)


def a_source(
    text: str, *, source_id: str = "transcript", kind: SourceKind = SourceKind.TRANSCRIPT, **fields: Any
) -> Source:
    known = {"reference": "DocumentReference/5", "version": "1", "title": "Visit transcript"}
    return Source(id=source_id, kind=kind, text=text, **(known | fields))


def a_medication(name: str = "lisinopril", text: str = "lisinopril 20 mg tablet, once daily") -> Entry:
    reference = f"MedicationRequest/{name}"
    source = a_source(text, source_id=reference, kind=SourceKind.CHART, reference=reference, title=name)
    return Entry(source, "medication", name, "", in_this_visit=False)


def material(transcript: str | None = None, *entries: Entry) -> VisitMaterial:
    source = a_source(transcript) if transcript is not None else None
    return VisitMaterial(PATIENT, VISIT, CLINICIAN, source, entries, (), ())


def a_claim(text: str = "Cough for five weeks.", **fields: Any) -> Claim:
    known = {
        "id": "c001",
        "section": "hpi",
        "tier": Tier.ROUTINE,
        "state": ClaimState.SUPPORTED,
        "evidence": (Evidence(source_id="transcript", start=0, end=21),),
    }
    return Claim(text=text, **(known | fields))


def a_draft(*claims: Claim, sources: tuple[Source, ...] = ()) -> Draft:
    return Draft(
        drafter="extractive",
        drafter_version="1",
        prompt_version="none",
        template_version="visit-note-1",
        gate_version="gate-1",
        patient=PATIENT,
        visit=VISIT,
        clinician=CLINICIAN,
        claims=claims or (a_claim(),),
        sources=sources or (a_source("Cough for five weeks. No fever."),),
    )


def recorded(event: Event, version: int = 1) -> Recorded:
    return Recorded("t", version, "s", version, event, "actor", "because", NOON)


def an_order(**fields: Any) -> WritebackQueued:
    known = {
        "note_id": "n",
        "note_version": 1,
        "launch_id": "launch-1",
        "fhir_base": "https://ehr.example/fhir",
        "author_issuer": "https://ehr.example/oauth2",
        "author_subject": "osei",
        "author": "Practitioner/7",
        "patient": "Patient/1",
        "encounter": "Encounter/9",
        "workflow": "primary-care",
        "resource_type": "DocumentReference",
        "mutation": "create",
        "idempotency_key": "k" * 64,
        "identifier": "urn:countersign:note|abc",
        "payload": REF,
        "payload_digest": "p" * 64,
        "mapping_version": "note-1",
        "profile": "epic",
        "profile_version": "1",
        "provenance": REF,
        "provenance_route": "kept",
    }
    return WritebackQueued(**(known | fields))


def signing_facts(**changed: Any) -> SigningFacts:
    good = SigningFacts(
        launch_actor="issuer#osei",
        note_actor="issuer#osei",
        launch_user="Practitioner/7",
        draft_user="Practitioner/7",
        launch_patient="Patient/1",
        note_patient="Patient/1",
        posted_patient="Patient/1",
        chart_patient="Patient/1",
        launch_encounter="Encounter/9",
        note_encounter="Encounter/9",
        posted_encounter="Encounter/9",
        chart_encounter_status="in-progress",
        open_claims=0,
        statements=3,
        landing=Landing(Route.FILE),
    )
    return replace(good, **changed)
