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

from app.drafting.draft import Draft
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


def build_provenance(about: Provenanced, target: dict[str, Any] | None = None) -> bytes:
    """The Provenance as canonical JSON, validated. `target` is the filed resource; None: our identifier for it."""
    draft = about.draft
    organization = _organization(about)
    resource = {
        "resourceType": "Provenance",
        "contained": [_device(draft)],
        "target": [target or identified(about.identifier)],
        "recorded": about.signed_at.isoformat(timespec="seconds"),
        "reason": [{"coding": [{"system": OBSERVATION_VALUE, "code": "AIAST"}]}],
        "activity": {"coding": [{"system": DATA_OPERATION, "code": "CREATE"}]},
        "agent": [
            {
                "type": _agent_type("assembler"),
                "role": [{"coding": [{"system": AI_ROLE, "code": "Artificial-Intelligence"}]}],
                "who": {"reference": f"#{DEVICE_ID}"},
                "onBehalfOf": organization,
            },
            *(
                {"type": _agent_type(role), "who": _clinician(draft), "onBehalfOf": organization}
                for role in ("author", "verifier")
            ),
        ],
        "entity": [_draft_entity(about), *_source_entities(draft)],
    }
    return canonical_json(Provenance.model_validate(resource).model_dump(mode="json", exclude_none=True))


def identified(identifier: str) -> dict[str, Any]:
    """A reference to the note by our identifier, for as long as the EHR has given it no id."""
    return {"type": "DocumentReference", "identifier": {"system": IDENTIFIER_SYSTEM, "value": identifier}}


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


def _source_entities(draft: Draft) -> list[dict[str, Any]]:
    cited = {evidence.source_id for claim in draft.claims for evidence in claim.evidence}
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
