"""Code for tokens (RFC 6749 4.1.3 and 5; conformance A23 to A25, A66)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import requests

from launch.errors import TokenExchangeFailed
from launch.registration import Registration
from launch.token_endpoint import oauth_error, post_as_client
from launch.transaction import LaunchTransaction
from launch.wire import Answer, NoAnswer

EXCHANGE_SECONDS = 20


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
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": transaction.redirect_uri,
        "code_verifier": transaction.code_verifier,
    }
    try:
        answer = post_as_client(
            session,
            token_endpoint,
            form,
            registration=registration,
            token_endpoint=token_endpoint,
            now=now,
            seconds=EXCHANGE_SECONDS,
        )
    except NoAnswer as error:
        raise TokenExchangeFailed(f"token endpoint: {error}") from error
    return _token_response(answer)


def _token_response(answer: Answer) -> Mapping[str, Any]:
    error = oauth_error(answer)
    if error:
        raise TokenExchangeFailed(f"token endpoint: error {error}", error, answer.status)
    if answer.status == 429:
        raise TokenExchangeFailed("token endpoint: too many requests (429)", ehr_status=answer.status)
    if answer.status != 200 or answer.document is None:
        shape = "no JSON object" if answer.document is None else "JSON that is no token response"
        raise TokenExchangeFailed(f"token endpoint: status {answer.status} with {shape}", ehr_status=answer.status)
    return answer.document
