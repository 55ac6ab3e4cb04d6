"""The interface for EHRs as an OpenAPI 3.1 document; a test compares it with what the code takes and answers."""

from typing import Any

from app.reconciliation.notices import Notice

FAILURE = {
    "type": "object",
    "required": ["error", "message"],
    "properties": {"error": {"type": "string"}, "message": {"type": "string"}},
}


def _answer(words: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": words, "content": {"application/json": {"schema": schema}}}


def _header(name: str, words: str, pattern: str) -> dict[str, Any]:
    schema = {"type": "string", "pattern": pattern}
    return {"name": name, "in": "header", "required": True, "description": words, "schema": schema}


DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {
        "title": "Countersign",
        "version": "1",
        "description": "Where an EHR says that something changed. A notice is a reason to read the chart again; "
        "nothing of it is believed, so copies, delays and disorder do no harm.",
    },
    "paths": {
        "/api/v1/callbacks/{tenant_id}": {
            "post": {
                "summary": "Say that a resource changed",
                "parameters": [
                    {"name": "tenant_id", "in": "path", "required": True, "schema": {"type": "string"}},
                    _header("X-Signature-Timestamp", "When it is sent: seconds since 1970.", r"^\d{1,12}$"),
                    _header(
                        "X-Signature",
                        "HMAC-SHA256 under the shared secret over the timestamp, a dot and the body, in hexadecimal. "
                        "The clocks may differ by five minutes.",
                        "^sha256=[0-9a-f]{64}$",
                    ),
                ],
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": Notice.model_json_schema()}},
                },
                "responses": {
                    "202": _answer(
                        "Taken; `new` is false for a copy.",
                        {
                            "type": "object",
                            "required": ["taken", "new"],
                            "properties": {"taken": {"const": True}, "new": {"type": "boolean"}},
                        },
                    ),
                    "400": _answer("It is no notice, or larger than 16 KiB. Sending it again does not help.", FAILURE),
                    "401": _answer("The signature or its time is not right, or nobody here knows the tenant.", FAILURE),
                    "429": {"description": "Too many from one address. Send it again after `Retry-After` seconds."},
                    "503": {"description": "Not now. Send it again."},
                },
            }
        }
    },
}
