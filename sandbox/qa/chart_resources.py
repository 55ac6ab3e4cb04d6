"""How a resource comes out of what a person did to it: pure, but for where this EHR keeps the text of a note."""

import base64
import copy
import json
from typing import Any

from sandbox.ehr import EHR
from sandbox.fhir.attachments import kept_as_binaries

Resource = dict[str, Any]
PLAIN = "text/plain; charset=utf-8"
VERIFICATION = {
    "Condition": "http://terminology.hl7.org/CodeSystem/condition-ver-status",
    "AllergyIntolerance": "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification",
}


def with_text(ehr: EHR, resource: Resource, text: str | None) -> Resource:
    """The note with another text (None: a line more), or a coded entry under another name."""
    if resource["resourceType"] != "DocumentReference":
        return {**resource, "code": {"text": text or "Changed in the EHR"}} if "code" in resource else resource
    changed = copy.deepcopy(resource)
    attachment = changed["content"][0]["attachment"]
    new = text if text is not None else text_of(ehr, resource) + "\nEdited in the EHR.\n"
    content = new.encode()
    attachment |= {"contentType": PLAIN, "data": base64.b64encode(content).decode(), "size": len(content)}
    for stale in ("url", "hash"):
        attachment.pop(stale, None)
    if ehr.personality.fhir.attachments == "binary":
        return kept_as_binaries(ehr.store, changed, ehr.store.patient_of("DocumentReference", resource["id"]))
    return changed


def text_of(ehr: EHR, document: Resource) -> str:
    """The text of a note, wherever this EHR keeps it."""
    attachment = document["content"][0]["attachment"]
    data = attachment.get("data")
    if data is None and "url" in attachment:
        binary = ehr.store.read("Binary", attachment["url"].rpartition("/")[2])
        data = binary.get("data", "") if binary else ""
    return base64.b64decode(data or "").decode("utf-8", "replace")


def invalidated(resource: Resource) -> Resource:
    """Entered in error, as its type says that (https://hl7.org/fhir/R4/lifecycle.html)."""
    system = VERIFICATION.get(resource["resourceType"])
    if system is None:
        return {**resource, "status": "entered-in-error"}
    # con-5, ait-2: no clinical status beside it.
    rest = {name: value for name, value in resource.items() if name != "clinicalStatus"}
    return {**rest, "verificationStatus": {"coding": [{"system": system, "code": "entered-in-error"}]}}


def about_another_patient(resource: Resource, old: str, new: str) -> Resource:
    """The same about another patient."""
    text = json.dumps(resource)
    moved: Resource = json.loads(text.replace(f'"Patient/{old}"', f'"Patient/{new}"'))
    return moved
