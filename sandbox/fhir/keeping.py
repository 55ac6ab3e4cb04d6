"""How what was sent is kept: as vendor and knobs make it, with whose token wrote it, and what else it changes."""

import json
from datetime import UTC, datetime
from typing import Any

from flask import g, request

from sandbox.ehr import EHR
from sandbox.fhir.access import Access, require_access
from sandbox.fhir.attachments import kept_as_binaries
from sandbox.fhir.bodies import validate
from sandbox.fhir.outcomes import Refused

Resource = dict[str, Any]


def keep_new(ehr: EHR, access: Access, resource: Resource, alter: Any = None) -> Resource:
    """Store a new resource, and whose it is; in the caller's transaction or one of its own."""
    with ehr.database.transaction():
        lag = g.get("searchable_after_seconds", 0)
        stored = ehr.store.create(_as_it_is_kept(ehr, resource, alter), searchable_after_seconds=lag)
        record_write(ehr, access, "create", stored)
        _supersede_what_it_replaces(ehr, access, stored)
    return stored


def keep_version(ehr: EHR, access: Access, interaction: str, resource: Resource, expected: int | None) -> Resource:
    """Store the next version (or the first, under the client's id). Raises VersionConflict."""
    with ehr.database.transaction():
        stored = ehr.store.update(_as_it_is_kept(ehr, resource, g.get("alter_stored")), expected)
        record_write(ehr, access, interaction, stored)
        _supersede_what_it_replaces(ehr, access, stored)
    return stored


def keep_sent_provenance(ehr: EHR, stored: Resource) -> None:
    """The Provenance that came in the X-Provenance header (https://hl7.org/fhir/R4/provenance.html#header).

    Raises Refused, and then the resource that it came with must not be kept either.
    """
    header = request.headers.get("X-Provenance")
    takes = "create" in ehr.personality.fhir.resources.get("Provenance", ())
    if header is None or g.get("ignore_x_provenance") or not takes:
        return
    access = require_access(ehr, "Provenance", "c")
    try:
        sent = {**json.loads(header), "resourceType": "Provenance"}
    except (ValueError, TypeError) as error:
        raise Refused(400, "structure", "X-Provenance is not a JSON object.") from error
    place = f"{stored['resourceType']}/{stored['id']}/_history/{stored['meta']['versionId']}"
    provenance = {**sent, "target": [{"reference": place}]}
    validate(provenance)
    keep_new(ehr, access, provenance)


def record_write(ehr: EHR, access: Access, interaction: str, stored: Resource) -> None:
    """Remember whose token wrote what."""
    token = access.token
    ehr.database.change(
        "INSERT INTO writes (time, interaction, resource_type, id, version, token_sha256, subject, client_id,"
        " patient, encounter) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        datetime.fromtimestamp(ehr.clock.now(), UTC).isoformat(timespec="milliseconds"),
        interaction,
        stored["resourceType"],
        stored["id"],
        int(stored["meta"]["versionId"]),
        token.token_sha256,
        token.launch.practitioner,
        token.client_id,
        ehr.store.patient_of(stored["resourceType"], stored["id"]),
        token.launch.encounter,
    )


def _as_it_is_kept(ehr: EHR, resource: Resource, alter: Any) -> Resource:
    if alter is not None:
        alter(resource)
    if resource["resourceType"] == "DocumentReference" and ehr.personality.fhir.attachments == "binary":
        patient = resource.get("subject", {}).get("reference", "").rpartition("/")[2]
        return kept_as_binaries(ehr.store, resource, patient)
    return resource


def _supersede_what_it_replaces(ehr: EHR, access: Access, stored: Resource) -> None:
    """https://hl7.org/fhir/R4/documentreference.html: `superseded`, "by another reference", which `replaces` names."""
    if stored["resourceType"] != "DocumentReference" or g.get("ignore_replaces"):
        return
    for related in stored.get("relatesTo", []):
        target = _replaced(ehr, stored, related) if related.get("code") == "replaces" else None
        if target is not None and target["status"] == "current":
            superseded = ehr.store.update({**target, "status": "superseded"})
            record_write(ehr, access, "supersede", superseded)


def _replaced(ehr: EHR, stored: Resource, related: Resource) -> Resource | None:
    """The document of the same chart that is meant: by reference, else by identifier where only one has it."""
    chart = ehr.store.patient_of("DocumentReference", stored["id"])
    target = related.get("target", {})
    place = str(target.get("reference", "")).partition("/_history/")[0].split("/")
    found = ehr.store.read("DocumentReference", place[-1]) if place[-2:-1] == ["DocumentReference"] else None
    if found is None and "value" in target.get("identifier", {}):
        wanted = target["identifier"]
        same = ehr.store.current("DocumentReference", chart, wanted["value"])
        exact = [one for one in same if one["id"] != stored["id"] and _has(one, wanted)]
        found = exact[0] if len(exact) == 1 else None
    in_this_chart = found is not None and ehr.store.patient_of("DocumentReference", found["id"]) == chart
    return found if in_this_chart else None


def _has(resource: Resource, wanted: Resource) -> bool:
    return any(
        (one.get("system"), one.get("value")) == (wanted.get("system"), wanted["value"])
        for one in resource.get("identifier", [])
    )
