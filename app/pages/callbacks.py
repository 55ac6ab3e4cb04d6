"""Where an EHR tells us that something changed in its charts. Whoever is not let in learns nothing about why."""

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue
from structlog import get_logger

from app.errors import BadInput, Misconfigured
from app.ids import TenantId
from app.pages.openapi import DOCUMENT
from app.pages.sessions import collaborators
from app.reconciliation.notices import is_signed

LARGEST = 16 * 1024
log = get_logger()

callbacks = Blueprint("callbacks", __name__, url_prefix="/api/v1")


@callbacks.get("/openapi.json")
def openapi() -> ResponseReturnValue:
    """What this interface takes and answers, for whoever sets the EHR up."""
    return jsonify(DOCUMENT)


@callbacks.post("/callbacks/<tenant_id>")
def take(tenant_id: str) -> ResponseReturnValue:
    """Take one notice: 202 also for a copy, 401 without a good signature, 400 for what is no notice."""
    if (request.content_length or 0) > LARGEST:
        return _answer(400, "too_large", "A notice is at most 16 KiB.")
    body = request.get_data(cache=False)
    if not _is_from(tenant_id, body):
        return _answer(401, "not_signed", "The signature, its time or the address is not right.")
    try:
        is_new = collaborators().notices.take(TenantId(tenant_id), body)
    except BadInput as problem:
        return _answer(400, problem.code, problem.what_happened)
    return jsonify(taken=True, new=is_new), 202


def _is_from(tenant_id: str, body: bytes) -> bool:
    parts = collaborators()
    tenant = parts.tenants.get(tenant_id)
    if tenant is None or parts.tenants.is_retired(tenant_id):
        return False
    try:
        secret = parts.secrets.of_callbacks(tenant)
    except Misconfigured as error:
        log.critical("callback_secret_missing", tenant=tenant_id, error=str(error))
        return False
    if secret is None:
        return False
    headers = request.headers
    timestamp, signature = headers.get("X-Signature-Timestamp", ""), headers.get("X-Signature", "")
    return is_signed(secret, timestamp, body, signature, parts.clock())


def _answer(status: int, code: str, words: str) -> tuple[Response, int]:
    return jsonify(error=code, message=words), status
