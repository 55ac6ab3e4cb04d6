"""One request of ours to an EHR's token, revocation or introspection endpoint, and reading which error it answered."""

from collections.abc import Mapping
from datetime import datetime

import requests

from launch.client_authentication import prove_client
from launch.registration import Registration
from launch.wire import Answer, post_form

TOKEN_ERRORS = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
        "access_denied",
        "unsupported_token_type",
    }
)
UNRECOGNISED = "unrecognised"


def post_as_client(
    session: requests.Session,
    endpoint: str,
    form: Mapping[str, str],
    *,
    registration: Registration,
    token_endpoint: str,
    now: datetime,
    seconds: float,
) -> Answer:
    """POST `form` to `endpoint` with a proof of who we are, made for this one request (RFC 6749 2.3; A24, A55).

    The audience of an assertion is the token endpoint wherever it is used, as RFC 7523 section 3 says. Raises
    `NoAnswer`. Never sent twice.
    """
    proof = prove_client(registration, token_endpoint, now)
    return post_form(session, endpoint, proof.headers, {**form, **proof.form}, seconds=seconds)


def oauth_error(answer: Answer) -> str:
    """The error code of an answer (RFC 6749 5.2, RFC 7009 2.2.1), empty where it has none.

    Only the codes of the specifications are repeated; what else a server wrote stays out of pages and logs.
    """
    document = answer.document
    error = document.get("error") if document else None
    if error is None:
        return ""
    return error if isinstance(error, str) and error in TOKEN_ERRORS else UNRECOGNISED
