"""Code for tokens (RFC 6749 4.1.3 and 5; conformance A23 to A25, A66)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import requests

from launch.client_authentication import prove_client
from launch.errors import TokenExchangeFailed
from launch.registration import Registration
from launch.transaction import LaunchTransaction
from launch.wire import Answer, NoAnswer, post_form

EXCHANGE_SECONDS = 20
TOKEN_ERRORS = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
        "access_denied",
    }
)


def exchange_code(
    session: requests.Session,
    *,
    registration: Registration,
    token_endpoint: str,
    transaction: LaunchTransaction,
    code: str,
    now: datetime,
) -> Mapping[str, Any]:
    """Return the token response to one authorization code. One request, never repeated: a code works once.

    Raises `TokenExchangeFailed` for every answer but a 200 with a JSON object that is no error.
    """
    proof = prove_client(registration, token_endpoint, now)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": transaction.redirect_uri,
        "code_verifier": transaction.code_verifier,
        **proof.form,
    }
    try:
        answer = post_form(session, token_endpoint, proof.headers, form, seconds=EXCHANGE_SECONDS)
    except NoAnswer as error:
        raise TokenExchangeFailed(f"token endpoint: {error}") from error
    return _token_response(answer)


def _token_response(answer: Answer) -> Mapping[str, Any]:
    document = answer.document
    error = document.get("error") if document else None
    if error is not None:
        raise _refusal(error)
    if answer.status == 429:
        raise TokenExchangeFailed("token endpoint: too many requests (429)")
    if answer.status != 200 or document is None:
        shape = "no JSON object" if document is None else "JSON that is no token response"
        raise TokenExchangeFailed(f"token endpoint: status {answer.status} with {shape}")
    return document


def _refusal(error: object) -> TokenExchangeFailed:
    # Only the codes of the specification are repeated; what else the server wrote stays out of pages and
    # logs.
    known = error if isinstance(error, str) and error in TOKEN_ERRORS else "unrecognised"
    return TokenExchangeFailed(f"token endpoint: error {known}", oauth_error=known)
