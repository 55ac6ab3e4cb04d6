"""What an EHR is asked for, by name: single interactions, and words for several of them."""

from flask import request

FHIR = ("read", "vread", "search", "create", "update", "patch", "delete", "history")
WRITES = frozenset({"create", "update", "patch", "delete"})
# A token request is also called by the grant that it uses.
GRANTS = {"authorization_code": "code", "refresh_token": "refresh", "client_credentials": "backend"}
DOCUMENTS = ("discovery", "openid", "jwks", "metadata")
SINGLE = (*FHIR, *DOCUMENTS, "authorize", "token", *GRANTS.values(), "introspect", "revoke", "callback")
# Words for several of them.
GROUPS = ("write", "fhir", "any")
NAMES = frozenset({*SINGLE, *GROUPS})


def names_of(interaction: str) -> frozenset[str]:
    """Every name that the current request goes by."""
    names = {interaction, "any"}
    if interaction in FHIR:
        names.add("fhir")
    if interaction in WRITES:
        names.add("write")
    if interaction == "token":
        names |= {GRANTS[grant] for grant in GRANTS if request.form.get("grant_type") == grant}
    return frozenset(names)
