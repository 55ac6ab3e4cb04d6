"""Reading what an EHR sent back, without trusting that it is well formed.

A reply to a write is evidence even when it is empty or odd (conformance C02, C03, C18), so nothing here
validates against a model.
"""

from __future__ import annotations

import re
from typing import Any

import requests

from vendors.contract import ACCEPTED, Receipt
from vendors.outcomes import has_error, parsed_json

# Wider than FHIR's own rule (64 characters, no underscore), because vendors are; never a dot path.
RESOURCE_ID = re.compile(r"(?!\.+\Z)[A-Za-z0-9\-._]{1,255}\Z")


def receipt_of(response: requests.Response, resource_type: str) -> Receipt:
    """Read id and version from Location (absolute, relative, with or without history), else from the body."""
    located = re.search(
        rf"(?:\A|/){resource_type}/([A-Za-z0-9\-._]{{1,255}})(?:/_history/([^/?#]{{1,255}}))?/?\Z",
        response.headers.get("Location", ""),
    )
    body = parsed_json(response.content)
    resource = body if isinstance(body, dict) and body.get("resourceType") == resource_type else {}
    etag = response.headers.get("ETag")
    resource_id = located[1] if located else resource.get("id")
    version = (located[2] if located else None) or version_of(resource, etag)
    known = resource_id if isinstance(resource_id, str) and RESOURCE_ID.match(resource_id) else None
    return Receipt(response.status_code, known, version, etag, response.content)


def version_of(resource: dict[str, Any], etag: str | None) -> str | None:
    """Return a resource's version id, else the text inside a (weak) ETag such as W/"3"."""
    meta = resource.get("meta")
    version = meta.get("versionId") if isinstance(meta, dict) else None
    if isinstance(version, str):
        return version
    weak = re.fullmatch(r'(?:W/)?"([^"]+)"', etag or "")
    return weak[1] if weak else None


def contradicts_success(response: requests.Response) -> bool:
    """Tell whether a 2xx without an id speaks against itself: an error outcome, or a gateway's HTML page.

    A 202 never does: it may be filed at any time, whatever else is said, and must not be taken for unclear (C04).
    """
    if response.status_code == ACCEPTED:
        return False
    if has_error(parsed_json(response.content)):
        return True
    return response.status_code != 201 and "html" in response.headers.get("Content-Type", "")


def resources(bundle: object) -> list[Any]:
    """Return whatever a Bundle's entries hold, outcomes included; nothing where it is no Bundle."""
    entries = bundle.get("entry") if isinstance(bundle, dict) else None
    listed = entries if isinstance(entries, list) else []
    return [entry.get("resource") for entry in listed if isinstance(entry, dict)]


def matches(bundle: dict[str, Any], resource_type: str) -> list[dict[str, Any]]:
    """Return a searchset's resources of the type that was asked for."""
    return [
        resource
        for resource in resources(bundle)
        if isinstance(resource, dict) and resource.get("resourceType") == resource_type
    ]


def next_link(bundle: dict[str, Any]) -> str | None:
    """Return the address of the next page, unchecked."""
    links = bundle.get("link")
    for link in links if isinstance(links, list) else []:
        if isinstance(link, dict) and link.get("relation") == "next" and link.get("url"):
            return str(link["url"])
    return None
