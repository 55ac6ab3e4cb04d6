"""Vendors that hand note text out through Binary instead of inline."""

from typing import Any

from sandbox.fhir.store import Store


def kept_as_binaries(store: Store, document: dict[str, Any], patient: str | None) -> dict[str, Any]:
    """The document with each inline attachment moved into a Binary of its own.

    https://hl7.org/fhir/R4/documentreference.html: attachment.url may point to a Binary on the same server.
    """
    contents = [_moved(store, content, patient) for content in document.get("content", [])]
    return {**document, "content": contents}


def _moved(store: Store, content: dict[str, Any], patient: str | None) -> dict[str, Any]:
    attachment = dict(content["attachment"])
    if "url" in attachment:
        return content
    binary = {"resourceType": "Binary", "contentType": attachment["contentType"]}
    if "data" in attachment:  # an empty document has none: FHIR knows no empty strings
        binary["data"] = attachment.pop("data")
    stored = store.create(binary, patient=patient)
    return {**content, "attachment": {**attachment, "url": f"Binary/{stored['id']}"}}
