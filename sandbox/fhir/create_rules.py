"""What vendors demand of a note, or do to it, when it is created. Personalities name these rules."""

import base64
import binascii
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sandbox.authorization.launches import Launch
from sandbox.clock import right_clock
from sandbox.fhir.outcomes import Refused
from sandbox.fhir.store import Store

Resource = dict[str, Any]
Rule = Callable[[Store, Launch, Resource], Resource]

CLINICAL_NOTE = {
    "system": "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category",
    "code": "clinical-note",
    "display": "Clinical Note",
}
NOT_CLINICAL_NOTES = frozenset({"18842-5", "34105-7", "69730-0"})
LOINC = "http://loinc.org"


def status_current(_store: Store, _launch: Launch, resource: Resource) -> Resource:
    """The reference itself must be current."""
    if resource.get("status") != "current":
        raise _bad("status must be current.", "59102", "DocumentReference.status")
    return resource


def subject_known(store: Store, _launch: Launch, resource: Resource) -> Resource:
    """The subject must be a patient of this server."""
    reference = resource.get("subject", {}).get("reference", "")
    if "Patient/" not in reference or store.read("Patient", reference.rpartition("/")[2]) is None:
        raise _bad("Invalid subject received.", "59102", "DocumentReference.subject")
    return resource


def encounter_required(store: Store, _launch: Launch, resource: Resource) -> Resource:
    """A visit of the same patient must be named."""
    references = resource.get("context", {}).get("encounter", [])
    encounter = store.read("Encounter", references[0].get("reference", "").rpartition("/")[2]) if references else None
    subject = resource["subject"]["reference"].rpartition("/")[2]
    if encounter is None or encounter["subject"]["reference"].rpartition("/")[2] != subject:
        raise _bad("Valid encounter required.", "59108", "DocumentReference.context.encounter")
    return resource


def doc_status_final_or_preliminary(_store: Store, _launch: Launch, resource: Resource) -> Resource:
    """Final files a signed note, preliminary one that waits for signing in the EHR."""
    if resource.get("docStatus") not in ("final", "preliminary"):
        raise _bad("docStatus must be final or preliminary.", "59102", "DocumentReference.docStatus")
    return resource


def note_type_accepted(_store: Store, _launch: Launch, resource: Resource) -> Resource:
    """A LOINC type that is a clinical note."""
    codes = {c.get("code") for c in resource.get("type", {}).get("coding", []) if c.get("system") == LOINC}
    if not codes or codes & NOT_CLINICAL_NOTES:
        raise _bad("The note type is not accepted.", "59102", "DocumentReference.type")
    return resource


def first_attachment_plain_text_only(_store: Store, _launch: Launch, resource: Resource) -> Resource:
    """Further attachments vanish without a word; the first must be base64 text/plain."""
    first = resource["content"][0]
    attachment = first["attachment"]
    if attachment.get("contentType", "").split(";")[0].strip() != "text/plain":
        raise _bad("Only text/plain is accepted.", "59102", "DocumentReference.content.attachment.contentType")
    try:
        base64.b64decode(attachment["data"], validate=True).decode()
    except (KeyError, binascii.Error, UnicodeDecodeError) as error:
        text = "Attachment data must be base64 of UTF-8 text."
        raise _bad(text, "59102", "DocumentReference.content.attachment.data") from error
    return {**resource, "content": [first]}


def category_clinical_note_added(_store: Store, _launch: Launch, resource: Resource) -> Resource:
    """The US Core category is put on every note."""
    categories = resource.get("category", [])
    codes = {coding.get("code") for category in categories for coding in category.get("coding", [])}
    if "clinical-note" in codes:
        return resource
    return {**resource, "category": [*categories, {"coding": [CLINICAL_NOTE]}]}


def dated_when_filed(_store: Store, _launch: Launch, resource: Resource) -> Resource:
    """A note without a date gets the moment of its filing."""
    return {"date": datetime.fromtimestamp(right_clock().now(), UTC).isoformat(timespec="seconds"), **resource}


def author_is_token_user(_store: Store, launch: Launch, resource: Resource) -> Resource:
    """Whoever is signed in wrote it."""
    reference = f"Practitioner/{launch.practitioner}"
    named = [author for author in resource.get("author", []) if author.get("reference", "").endswith(reference)]
    return {**resource, "author": named or [{"reference": reference}]}


def _bad(text: str, vendor_code: str, expression: str) -> Refused:
    return Refused(400, "business-rule", text, vendor_code=vendor_code, expression=expression)


RULES: dict[str, Rule] = {
    rule.__name__: rule
    for rule in (
        status_current,
        subject_known,
        encounter_required,
        doc_status_final_or_preliminary,
        note_type_accepted,
        first_attachment_plain_text_only,
        category_clinical_note_added,
        dated_when_filed,
        author_is_token_user,
    )
}
