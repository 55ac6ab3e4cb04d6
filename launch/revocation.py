"""Giving a token back (RFC 7009; conformance A53)."""

from datetime import datetime

import requests

from launch.registration import Registration
from launch.token_endpoint import oauth_error, post_as_client
from launch.wire import NoAnswer

REVOKE_SECONDS = 10


class RevocationFailed(Exception):
    """The server did not say that the token is revoked. `client_refused` where it does not accept us."""

    def __init__(self, reason: str, *, client_refused: bool = False) -> None:
        super().__init__(reason)
        self.client_refused = client_refused


def revoke(
    session: requests.Session,
    *,
    registration: Registration,
    token_endpoint: str,
    revocation_endpoint: str,
    token: str,
    hint: str,
    now: datetime,
) -> None:
    """Revoke one token; `hint` is `refresh_token` or `access_token`. A token that the server does not know is revoked.

    Raises `RevocationFailed` for every answer but a 200. `unsupported_token_type` is no failure: the server says that
    it never revokes such tokens, and they end by themselves (RFC 7009 2.2.1).
    """
    try:
        answer = post_as_client(
            session,
            revocation_endpoint,
            {"token": token, "token_type_hint": hint},
            registration=registration,
            token_endpoint=token_endpoint,
            now=now,
            seconds=REVOKE_SECONDS,
        )
    except NoAnswer as failure:
        raise RevocationFailed(f"revocation endpoint: {failure}") from failure
    error = oauth_error(answer)
    if error and error != "unsupported_token_type":
        raise RevocationFailed(f"revocation endpoint: error {error}", client_refused=error == "invalid_client")
    if not error and answer.status != 200:
        raise RevocationFailed(f"revocation endpoint: status {answer.status}")
