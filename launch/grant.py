"""The access that a launch was given, read strictly from a token response (RFC 6749 5.1)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from launch.errors import TokenExchangeFailed
from launch.scopes import GrantedScopes

# The token goes into a header: RFC 6750's alphabet and no blanks, so that nothing can be smuggled behind it.
BEARER_TOKEN = re.compile(r"[\x21-\x7e]+")
REFRESH_TOKEN = re.compile(r"[\x20-\x7e]+")
# expires_in is only recommended. Without it we assume a short life: asking again too early costs a sign-in,
# trusting a dead token costs a filing.
ASSUMED_LIFETIME_SECONDS = 300
LONGEST_LIFETIME_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Grant:
    """One launch's tokens and what they allow. The tokens never show in a repr."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_at: datetime
    scopes: GrantedScopes


def read_grant(response: Mapping[str, Any], now: datetime) -> Grant:
    """Return the grant in a token response.

    Raises `TokenExchangeFailed` for a missing member (A25), and for a token that is not the user's alone (A63).
    """
    grant = read_any_grant(response, now)
    if grant.scopes.reaches_beyond_the_user:
        raise TokenExchangeFailed("the token response grants a system scope")
    return grant


def read_any_grant(response: Mapping[str, Any], now: datetime) -> Grant:
    """Return the grant in a token response, whosever it is. Raises `TokenExchangeFailed` for a missing member (A25)."""
    access_token, scope = response.get("access_token"), response.get("scope")
    if not isinstance(access_token, str) or not BEARER_TOKEN.fullmatch(access_token):
        raise TokenExchangeFailed("the token response has no usable access_token")
    if str(response.get("token_type")).lower() != "bearer":
        raise TokenExchangeFailed("the token response's token_type is not Bearer")
    if not isinstance(scope, str) or not scope.isprintable():
        raise TokenExchangeFailed("the token response has no scope")
    lifetime = timedelta(seconds=_lifetime(response.get("expires_in")))
    return Grant(access_token, _refresh_token(response), now + lifetime, GrantedScopes(scope))


def _refresh_token(response: Mapping[str, Any]) -> str | None:
    value = response.get("refresh_token")
    return value if isinstance(value, str) and REFRESH_TOKEN.fullmatch(value) else None


def _lifetime(value: object) -> int:
    # Some servers send the number as a string.
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) == 0:
        return ASSUMED_LIFETIME_SECONDS
    return min(int(text), LONGEST_LIFETIME_SECONDS)
