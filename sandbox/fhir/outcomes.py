"""Errors as OperationOutcome (https://hl7.org/fhir/R4/operationoutcome.html)."""

import json
from typing import Any

from flask import Response

CONTENT_TYPE = "application/fhir+json"


class Refused(Exception):
    """A request that gets an OperationOutcome (or, at some vendors, an empty body) instead of an answer."""

    def __init__(
        self,
        status: int,
        code: str,
        text: str,
        *,
        vendor_code: str | None = None,
        expression: str | None = None,
        headers: dict[str, str] | None = None,
        empty_body: bool = False,
    ) -> None:
        super().__init__(text)
        self.status = status
        self.headers = headers or {}
        self.empty_body = empty_body
        self.outcome = operation_outcome("error", code, text, vendor_code=vendor_code, expression=expression)


def operation_outcome(
    severity: str, code: str, text: str, *, vendor_code: str | None = None, expression: str | None = None
) -> dict[str, Any]:
    """An OperationOutcome with one issue; a vendor's own code goes where Epic puts it, in details.coding."""
    issue: dict[str, Any] = {
        "severity": severity,
        "code": code,
        "details": {"text": text},
        "diagnostics": text,
    }
    if vendor_code:
        issue["details"]["coding"] = [
            {"system": "urn:oid:1.2.840.114350.1.13.0.1.7.2.657369", "code": vendor_code, "display": text}
        ]
    if expression:
        issue["expression"] = [expression]
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def refused_response(error: Refused) -> Response:
    """The HTTP answer for a refusal."""
    body = "" if error.empty_body else json.dumps(error.outcome)
    return Response(body, error.status, headers=error.headers, content_type=CONTENT_TYPE)
