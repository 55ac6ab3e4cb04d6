"""FHIR R4 Provenance for one signed note: who drafted, who wrote and verified, from what. Built with fhir.resources.

The drafting software is a Device agent (`assembler`, role Artificial-Intelligence); the clinician is the author and
the verifier. Sources: HL7 R4 provenance.html; US Core Provenance (onBehalfOf wherever the agent is a Practitioner or a
Device); HL7 AI Transparency on FHIR, a guide still in motion, to which no conformance is claimed.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fhir.resources.R4B.provenance import Provenance

from app.drafting.draft import Draft, Evidence
from app.event_log.canonical import canonical_json

AGENT_TYPE = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
AI_ROLE = "http://hl7.org/fhir/uv/aitransparency/CodeSystem/AIdeviceTypeCS"
DATA_OPERATION = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
OBSERVATION_VALUE = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"
DIGEST_SYSTEM = "urn:countersign:sha256"
IDENTIFIER_SYSTEM = "urn:countersign:note"
DEVICE_ID = "drafter"


@dataclass(frozen=True)
class Provenanced:
    """What the record is about: the signed note and where it came from."""

    identifier: str
    draft: Draft
    draft_digest: str
    signed_at: datetime
    organization_name: str
    # The note; for an entry beside it: which resource, under which of our systems, from which passages.
    identifier_system: str = IDENTIFIER_SYSTEM
    resource_type: str = "DocumentReference"
    activity: str = "CREATE"
    evidence: tuple[Evidence, ...] | None = None
    # False for what the clinician wrote or did without the draft; and the version that this one changes.
    assisted: bool = True
    revises: str = ""


def build_provenance(about: Provenanced, target: dict[str, Any] | None = None) -> bytes:
    """The Provenance as canonical JSON, validated. `target` is the filed resource; None: our identifier for it."""
    draft = about.draft
    organization = _organization(about)
    resource = {
        "resourceType": "Provenance",
        **({"contained": [_device(draft)]} if about.assisted else {}),
        "target": [target or _identified(about)],
        "recorded": about.signed_at.isoformat(timespec="seconds"),
        **({"reason": [{"coding": [{"system": OBSERVATION_VALUE, "code": "AIAST"}]}]} if about.assisted else {}),
        "activity": {"coding": [{"system": DATA_OPERATION, "code": about.activity}]},
        "agent": [
            *([_assembler(organization)] if about.assisted else []),
            *(
                {"type": _agent_type(role), "who": _clinician(draft), "onBehalfOf": organization}
                for role in ("author", "verifier")
            ),
        ],
        "entity": [*_revised(about), *([_draft_entity(about), *_source_entities(about)] if about.assisted else [])],
    }
    said = {name: value for name, value in resource.items() if value != []}
    return canonical_json(Provenance.model_validate(said).model_dump(mode="json", exclude_none=True))


def _identified(about: Provenanced) -> dict[str, Any]:
    """A reference by our identifier, for as long as the EHR has given it no id."""
    identifier = {"system": about.identifier_system, "value": about.identifier}
    return {"type": about.resource_type, "identifier": identifier}


def _assembler(organization: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": _agent_type("assembler"),
        "role": [{"coding": [{"system": AI_ROLE, "code": "Artificial-Intelligence"}]}],
        "who": {"reference": f"#{DEVICE_ID}"},
        "onBehalfOf": organization,
    }


def _revised(about: Provenanced) -> list[dict[str, Any]]:
    """The version that this one changes, by our identifier for it."""
    value = {"system": IDENTIFIER_SYSTEM, "value": about.revises}
    return [{"role": "revision", "what": {"identifier": value}}] if about.revises else []


def _device(draft: Draft) -> dict[str, Any]:
    """One immutable Device for each drafter and prompt version."""
    return {
        "resourceType": "Device",
        "id": DEVICE_ID,
        "manufacturer": "Countersign",
        "deviceName": [{"name": f"Countersign {draft.drafter}", "type": "model-name"}],
        "modelNumber": draft.drafter,
        "version": [{"value": draft.drafter_version}, {"value": f"prompt {draft.prompt_version}"}],
        "type": {
            "coding": [{"system": AI_ROLE, "code": "Artificial-Intelligence"}],
            "text": "Drafting software",
        },
    }


def _agent_type(code: str) -> dict[str, Any]:
    return {"coding": [{"system": AGENT_TYPE, "code": code}]}


def _clinician(draft: Draft) -> dict[str, Any]:
    return {"reference": draft.clinician.reference, "display": draft.clinician.name}


def _organization(about: Provenanced) -> dict[str, Any]:
    reference = about.draft.visit.organization if about.draft.visit else None
    named = {"display": about.organization_name}
    return {"reference": reference} | named if reference else named


def _draft_entity(about: Provenanced) -> dict[str, Any]:
    """The AI original stays with us; the chart gets its digest only."""
    value = {"system": DIGEST_SYSTEM, "value": about.draft_digest}
    return {"role": "derivation", "what": {"identifier": value, "display": "AI draft kept by Countersign"}}


def _source_entities(about: Provenanced) -> list[dict[str, Any]]:
    draft = about.draft
    of_note = tuple(evidence for claim in draft.claims for evidence in claim.evidence)
    cited = {evidence.source_id for evidence in (of_note if about.evidence is None else about.evidence)}
    references = dict.fromkeys(
        source.reference + (f"/_history/{source.version}" if source.version else "")
        for source in draft.sources
        if source.id in cited
    )
    return [{"role": "source", "what": {"reference": reference}} for reference in references]


def targeting(provenance: bytes, resource_type: str, resource_id: str, version: str | None) -> bytes:
    """The kept Provenance with the filed resource as its target, version-specific where the EHR told a version."""
    reference = f"{resource_type}/{resource_id}" + (f"/_history/{version}" if version else "")
    return canonical_json(json.loads(provenance) | {"target": [{"reference": reference}]})
