"""Documents of the chart as text, or the code of why their text cannot be read."""

from __future__ import annotations

from typing import Any

from fhirclient.models.documentreference import DocumentReference

from vendors.chart_items import moment, referenced, version
from vendors.chart_values import Document
from vendors.fhirclient_models import understood
from vendors.notes import attachment_bytes, decoded, plain_text_attachments
from vendors.quantities import concept_words
from vendors.transport import FHIRTransport

MOST_TEXT_BYTES = 2 * 1024 * 1024
_NOT_CURRENT = frozenset({"entered-in-error", "superseded"})


def document_or_reason(resource: dict[str, Any], transport: FHIRTransport) -> Document | str | None:
    """Return the document, the code of why its text is unread, or None for one that no longer counts.

    Codes: not-text, too-large, unreadable. Raises the transport's read errors for the attachment.
    """
    if resource.get("status") in _NOT_CURRENT:
        return None
    attachment = next(plain_text_attachments(resource), None)
    if attachment is None:
        return "not-text"
    body = attachment_bytes(attachment, transport)
    if len(body) > MOST_TEXT_BYTES:
        return "too-large"
    try:
        text = decoded(attachment, body, errors="strict")
    except UnicodeDecodeError:
        return "unreadable"
    # A NUL is what binary files have and no text has.
    return "unreadable" if "\0" in text else _document(resource, attachment, text, transport)


def _document(resource: dict[str, Any], attachment: dict[str, Any], text: str, transport: FHIRTransport) -> Document:
    model, _ = understood(DocumentReference, resource)
    context = model.context
    kind = model.type.coding or [] if model.type else []
    return Document(
        reference=f"DocumentReference/{resource.get('id')}",
        version=version(model),
        type_codes=tuple((coding.system or "", coding.code or "") for coding in kind),
        title=str(attachment.get("title") or model.description or concept_words(model.type) or "Document"),
        date=moment(model.date),
        encounter=referenced((context.encounter or [None])[0], transport.relative) if context else None,
        content_type=str(attachment.get("contentType", "text/plain")),
        text=text,
    )
