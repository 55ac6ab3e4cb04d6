"""Which launch a request descends from: by launch token, code, or token. The name of a launch is its family."""

from flask import request

from sandbox.authorization.launches import family_of_launch
from sandbox.authorization.tokens import find_access_token, find_refresh_token
from sandbox.ehr import EHR
from sandbox.fingerprint import fingerprint


def family_of_request(ehr: EHR) -> str | None:
    """The family of the current request, or None when it names no launch (documents, keys, backend)."""
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and bearer:
        return _of_token(ehr, bearer)
    sent = request.values
    for name in ("refresh_token", "token"):
        if name in sent:
            return _of_token(ehr, sent[name])
    if "code" in sent:
        row = ehr.database.row("SELECT family FROM codes WHERE code_sha256 = ?", fingerprint(sent["code"]))
        return str(row["family"]) if row else None
    return family_of_launch(ehr.database, sent.get("launch"), sent.get("client_id", ""))


def _of_token(ehr: EHR, token: str) -> str | None:
    found = find_access_token(ehr.database, token) or find_refresh_token(ehr.database, token)
    return found.family if found else None
