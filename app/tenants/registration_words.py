"""What is wrong with a registration, in words: pydantic's errors as field, mistake and what to write instead."""

from typing import Any

from app.tenants.registrations import (
    BackendReading,
    Callbacks,
    ClientAuthentication,
    NotePolicy,
    Registered,
    Tenant,
    VisitMatch,
    Workflow,
)

WRITE = {
    "id": "Write 2 to 63 lower-case letters, digits and hyphens, such as harbor-epic.",
    "organization": "Write the organisation's name.",
    "vendor": "Write the EHR product, such as epic.",
    "environment": "Write sandbox, nonproduction or production.",
    "fhir_base": "Write the FHIR base URL, letter for letter as the EHR sends it in iss.",
    "client_id": "Write the client id that the EHR gave this registration.",
    "authentication": "Write method: private_key_jwt, or client_secret_basic with a reference to its secret.",
    "authentication.method": "Write private_key_jwt, client_secret_basic, or public in a sandbox.",
    "authentication.algorithm": "Write ES384 or RS384.",
    "authentication.audience": "Write token_endpoint or issuer.",
    "authentication.secret": "Write sealed:NAME, or file:/path in the tenant's own folder; never the secret itself.",
    "expected_context": "Write names and values of the token response, such as tenant: a-123.",
    "oauth_issuer": "Write the issuer of the id_token as an absolute URL, or leave it out.",
    "nonce_may_be_missing": "Write true or false.",
    "sign_in": "Write in_frame or top_window, or leave it out.",
    "background_access": "Write offline, online or none.",
    "endpoint_origins": "Write origins such as https://oauth.harbor.example, one a line.",
    "frame_origins": "Write the origins of the EHR's own pages, such as https://hyperdrive.harbor.example.",
    "style_hosts": "Write host names, one a line.",
    "timezone": "Write an IANA name such as America/Chicago.",
    "encounter_required": "Write true or false.",
    "reconfirm_always": "Write true or false.",
    "concurrency": "Write a number from 1 to 32.",
    "transcript_type": "Write system|code.",
    "contacts": "Write e-mail addresses, one a line.",
    "note": "Write the fields of note, or leave it out.",
    "note.type_code": "Write a LOINC code such as 11506-3.",
    "note.type_display": "Write the code's name.",
    "note.file_as": "Write final or preliminary.",
    "note.ai_label": "Write true or false.",
    "reading": "Write client_id, or leave it out.",
    "reading.client_id": "Write the client id of the EHR's registration that may only read.",
    "callbacks": "Write a reference to the secret, or leave it out.",
    "callbacks.secret": "Write sealed:NAME, or file:/path in the tenant's own folder; never the secret itself.",
    "workflows": "Write a list with at least one workflow, each with an id of its own and a title.",
    "workflows.id": "Write up to 32 lower-case letters, digits and hyphens.",
    "workflows.title": "Write its name.",
    "workflows.template": "Write visit-note.",
    "workflows.ruleset": "Write standard-1 or standard-2.",
    "workflows.queue": "Write up to 32 lower-case letters, digits and hyphens, or leave it out.",
    "workflows.phase": "Write read_only, draft_only, low_risk or full, or leave it out.",
    "workflows.matches": "Write a list of encounter_class, service_type or type, each system|code.",
    "workflows.matches.encounter_class": "Write system|code.",
    "workflows.matches.service_type": "Write system|code.",
    "workflows.matches.type": "Write system|code.",
}
WRONG = {
    "missing": "This is missing.",
    "extra_forbidden": "There is no such field.",
    "string_pattern_mismatch": "This is not written as it must be.",
    "string_too_short": "This is empty.",
    "literal_error": "This is none of the possible values.",
    "enum": "This is none of the possible values.",
    "bool_parsing": "This is neither true nor false.",
}
# Checks of two fields together name the one to change first.
BLAMED = ("reading", "authentication.method", "authentication.audience", "fhir_base")


def every_field() -> set[str]:
    """Every field of a registration, as its document names it."""
    parts: dict[str, type[Registered]] = {
        "": Tenant,
        "authentication.": ClientAuthentication,
        "note.": NotePolicy,
        "reading.": BackendReading,
        "callbacks.": Callbacks,
        "workflows.": Workflow,
        "workflows.matches.": VisitMatch,
    }
    return {f"{prefix}{name}" for prefix, part in parts.items() for name in part.model_fields}


if missing := every_field() ^ WRITE.keys():
    raise TypeError(f"each field of a registration needs its words: {sorted(missing)}")


def problem_of(error: Any) -> tuple[str, str, str]:
    """The field, what is wrong with it and what to write, of one of pydantic's errors; never the value itself."""
    field = ".".join(str(part) for part in error["loc"] if isinstance(part, str) and part != "[key]")
    said = error["msg"].removeprefix("Value error, ")
    if error["type"] == "value_error" and not field:
        field = next(name for name in BLAMED if said.startswith(name))
    wrong = WRONG.get(error["type"], f"{said[:1].upper()}{said[1:]}.")
    return field, wrong, "Remove it." if error["type"] == "extra_forbidden" else WRITE.get(field, "")
