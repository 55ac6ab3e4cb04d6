"""Notes as FHIR R4 DocumentReference: rendering what was signed, and taking apart what the chart holds.

Rendering is pure, so that the log can rebuild every payload byte for byte. What is written is validated
with fhir.resources R4B; what is read is not, because a chart's oddity must not hide a filed note (C18).

Sources: FHIR R4 documentreference.html; US Core DocumentReference; conformance C28 to C37, D03.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from fhir.resources.R4B.documentreference import DocumentReference
from pydantic import ValidationError

from vendors.contract import Related, SignedNote, Stored, StoredNote
from vendors.errors import InvalidResource, Throttled, TokenRefused, Unavailable, VendorError
from vendors.profile import Profile
from vendors.transport import FHIRTransport

LOINC = "http://loinc.org"
CLINICAL_NOTE = {
    "system": "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category",
    "code": "clinical-note",
    "display": "Clinical Note",
}
# "AI was involved in making this"; it does not say whether a human reviewed it (D03).
AI_ASSERTED = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "AIAST",
    "display": "Artificial Intelligence asserted",
}
# What EHRs turn a plain note into; the comparison reads the words that they show.
RENDERINGS = frozenset({"text/html", "application/xhtml+xml", "text/rtf", "application/rtf"})


def render(note: SignedNote, profile: Profile) -> bytes:
    """Return the note as canonical JSON: sorted keys, no spaces, UTF-8. Raises InvalidResource."""
    problem = _problem(note, profile)
    if problem:
        raise InvalidResource(profile.name, "render DocumentReference", issue_codes=(problem,))
    resource = _document_reference(note, profile)
    try:
        DocumentReference.model_validate(resource)
    except ValidationError:  # its text quotes the note
        raise InvalidResource(profile.name, "render DocumentReference", issue_codes=("structure",)) from None
    return canonical_json(resource)


def canonical_json(resource: dict[str, Any]) -> bytes:
    """Return the one spelling of a resource that is hashed, stored and sent."""
    return json.dumps(resource, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _problem(note: SignedNote, profile: Profile) -> str | None:
    """Return the code of the first rule that the note breaks."""
    rules = profile.note
    encoded = _encoded(note.text)
    words = (note.text, note.title, note.author_name, note.type_display)
    checks = (
        (any(_encoded(one) is None for one in words), "text-not-unicode"),
        (not note.text.strip(), "text-empty"),
        (len(encoded or b"") > rules.max_bytes.value, "text-too-long"),
        (rules.encounter_required.value and not note.encounter, "encounter-missing"),
        (note.type_code in rules.excluded_types.value, "type-not-accepted"),
        (rules.doc_status[note.file_as].value == "refused", "doc-status-not-accepted"),
        (any(at is not None and at.tzinfo is None for at in _moments(note)), "time-without-zone"),
        # Amended means changed after final, and complete and verified again.
        (note.doc_status == "amended" and note.file_as != "final", "amended-not-final"),
        (note.relates_to is not None and not note.relates_to.identifier_value, "related-without-identifier"),
    )
    return next((code for broken, code in checks if broken), None)


def _encoded(text: str) -> bytes | None:
    try:
        return text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return None


def _moments(note: SignedNote) -> tuple[datetime | None, ...]:
    return (note.signed_at, note.visit_start, note.visit_end)


def _document_reference(note: SignedNote, profile: Profile) -> dict[str, Any]:
    resource: dict[str, Any] = {
        "resourceType": "DocumentReference",
        "identifier": [{"system": note.identifier_system, "value": note.identifier_value}],
        "status": "current",
        "docStatus": note.doc_status or note.file_as,
        "type": {
            "coding": [{"system": LOINC, "code": note.type_code, "display": note.type_display}],
            "text": note.type_display,
        },
        "category": [{"coding": [CLINICAL_NOTE]}],
        "subject": {"reference": note.patient},
        "date": _instant(note.signed_at),
        "author": [{"reference": note.author, "display": note.author_name}],
        "description": note.title,
        "content": [{"attachment": _attachment(note, profile.note.content_type.value)}],
    }
    if note.custodian:
        resource["custodian"] = {"reference": note.custodian}
    if note.ai_assisted:
        resource["meta"] = {"security": [AI_ASSERTED]}
    if note.relates_to:
        resource["relatesTo"] = [_relation(note.relates_to)]
    context = _context(note)
    return {**resource, "context": context} if context else resource


def _relation(related: Related) -> dict[str, Any]:
    identifier = {"system": related.identifier_system, "value": related.identifier_value}
    reference = {"reference": related.reference} if related.reference else {}
    return {"code": related.code, "target": {**reference, "identifier": identifier}}


def _attachment(note: SignedNote, content_type: str) -> dict[str, Any]:
    body = note.text.encode()
    return {
        "contentType": content_type,
        "data": base64.b64encode(body).decode("ascii"),
        "size": len(body),
        "title": note.title,
        "creation": _instant(note.signed_at),
    }


def _context(note: SignedNote) -> dict[str, Any]:
    context: dict[str, Any] = {}
    if note.encounter:
        context["encounter"] = [{"reference": note.encounter}]
    bounds = {"start": note.visit_start, "end": note.visit_end}
    period = {name: _instant(at) for name, at in bounds.items() if at is not None}
    return {**context, "period": period} if period else context


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def stored_note(stored: Stored, transport: FHIRTransport) -> StoredNote:
    """Take a stored DocumentReference apart; fetches the text where the attachment only points to it."""
    resource = stored.resource
    context = _object(resource.get("context"))
    return StoredNote(
        resource_id=stored.resource_id,
        version=stored.version,
        identifiers=tuple(identifiers(resource)),
        patient=subject_of(resource, transport),
        encounter=next(iter(_references(context.get("encounter"), transport)), None),
        authors=tuple(_references(resource.get("author"), transport)),
        status=str(resource.get("status", "")),
        doc_status=resource.get("docStatus"),
        type_codes=tuple(_codings(_object(resource.get("type")).get("coding"))),
        labels=tuple(_codings(_object(resource.get("meta")).get("security"))),
        text=note_text(resource, transport),
        raw=stored.body,
        relates_to=tuple(_relations(resource.get("relatesTo"), transport)),
        etag=stored.etag,
    )


def _relations(value: object, transport: FHIRTransport) -> Iterator[Related]:
    for one in _objects(value):
        target = _object(one.get("target"))
        identifier = _object(target.get("identifier"))
        if one.get("code") in ("replaces", "appends"):
            yield Related(
                one["code"],
                _reference(target, transport),
                str(identifier.get("system", "")),
                str(identifier.get("value", "")),
            )


def note_text(resource: dict[str, Any], transport: FHIRTransport) -> str:
    """Return the text of the first plain-text attachment, else the first HTML or RTF as it is, "" where there is none.

    Undecodable bytes become U+FFFD: a comparison then says "differs", and the raw bytes are kept.
    Text that is said to be there and cannot be fetched is Unavailable: it says nothing about the note itself.
    """
    for attachment in (*plain_text_attachments(resource), *_renderings(resource)):
        try:
            return decoded(attachment, attachment_bytes(attachment, transport), errors="replace")
        except (TokenRefused, Throttled):
            raise
        except VendorError as failure:
            raise _without_text(failure) from None
    return ""


def _without_text(failure: VendorError) -> Unavailable:
    return Unavailable(
        failure.vendor,
        failure.operation,
        status=failure.status,
        issue_codes=(*failure.issue_codes, "text-not-fetched"),
        correlation_id=failure.correlation_id,
        retry_after_seconds=failure.retry_after_seconds,
    )


def plain_text_attachments(resource: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the attachments that say they are text/plain, or do not say what they are."""
    for content in _objects(resource.get("content")):
        attachment = _object(content.get("attachment"))
        if str(attachment.get("contentType", "text/plain")).lower().startswith("text/plain"):
            yield attachment


def _renderings(resource: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the attachments that hold the text in a format of their own."""
    for content in _objects(resource.get("content")):
        attachment = _object(content.get("attachment"))
        if str(attachment.get("contentType", "")).lower().partition(";")[0].strip() in RENDERINGS:
            yield attachment


def attachment_bytes(attachment: dict[str, Any], transport: FHIRTransport) -> bytes:
    """Return an attachment's bytes, inline or behind its address; raises the transport's read errors."""
    if isinstance(attachment.get("data"), str):
        try:
            return base64.b64decode(attachment["data"])
        except ValueError:  # binascii.Error, and text that is not even ASCII
            return b""
    return transport.fetch(attachment["url"]) if isinstance(attachment.get("url"), str) else b""


def decoded(attachment: dict[str, Any], body: bytes, errors: str) -> str:
    """Decode bytes by the attachment's own charset, UTF-8 where it names none or an unknown one."""
    named = re.search(r"charset=\"?([A-Za-z0-9_\-]+)", str(attachment.get("contentType", "")))
    try:
        return body.decode(named[1] if named else "utf-8", errors)
    except LookupError:
        return body.decode("utf-8", errors)


def identifiers(resource: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (system, value) of every identifier, the master identifier first."""
    for one in (_object(resource.get("masterIdentifier")), *_objects(resource.get("identifier"))):
        if "value" in one:
            yield str(one.get("system", "")), str(one["value"])


def subject_of(resource: dict[str, Any], transport: FHIRTransport) -> str:
    """Return whose resource this is, relative to the FHIR base; "" where it does not say."""
    return _reference(resource.get("subject"), transport)


def _codings(value: object) -> Iterator[tuple[str, str]]:
    for coding in _objects(value):
        yield str(coding.get("system", "")), str(coding.get("code", ""))


def _references(value: object, transport: FHIRTransport) -> Iterator[str]:
    for one in _objects(value):
        if "reference" in one:
            yield _reference(one, transport)


def _reference(value: object, transport: FHIRTransport) -> str:
    return transport.relative(str(_object(value).get("reference", "")))


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
