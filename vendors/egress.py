"""The one guard for every outbound request: where it may go, how long it may take, how much may come back.

Launch, FHIR calls and the chart reader all get their `requests.Session` here. The guard refuses before a
byte leaves (`EgressRefused`), and it tells a connection that was never made (`NotConnected`) from one that
broke later, because only the first may be repeated.

Sources: conformance E14 to E16 (OWASP ASVS 5 13.2.4, 13.2.5, 15.3.2), RFC 6761 section 6.3 (localhost).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import ConnectionError as RequestsConnectionError
from requests.exceptions import ReadTimeout, RequestException
from typing_extensions import override
from urllib3 import BaseHTTPResponse, PoolManager, Timeout
from urllib3.exceptions import MaxRetryError, NewConnectionError, ReadTimeoutError
from urllib3.util import Url, parse_url

from vendors.deadline import Deadline, deadline_in_force
from vendors.pinning import AddressRefused, is_loopback_name, pinned_pools

# urllib3 logs request lines, and FHIR request lines hold patient ids (E21).
logging.getLogger("urllib3").setLevel(logging.CRITICAL + 1)

POOLED_CONNECTIONS = 32
_CHUNK_BYTES = 64 * 1024
_NEVER_IN_A_URL = re.compile(r"[\x00-\x20\x7f\\]")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class EgressRefused(RequestException):
    """The guard refused the request; nothing was sent."""


class NotConnected(RequestsConnectionError):
    """No connection could be made (DNS, refused, TLS handshake); no byte of the request has left."""


class ResponseTooLarge(RequestException):
    """The answer is longer than the policy allows; what was sent may have been applied."""


class ResponseTooSlow(ReadTimeout):
    """The answer came in too slowly to end within the policy's time; what was sent may have been applied."""


@dataclass(frozen=True)
class EgressPolicy:
    """Where a session may go: exact origins (`scheme://host[:port]`), and its limits.

    The headers of an answer are complete after the first two times together, its body after the third.
    """

    origins: frozenset[str]
    allow_loopback: bool = False
    connect_timeout_seconds: float = 5
    read_timeout_seconds: float = 20
    body_timeout_seconds: float = 60
    max_response_bytes: int = 16 * 1024 * 1024

    def __post_init__(self) -> None:
        for origin in self.origins:
            if origin_of(origin) != origin:
                raise ValueError(f"{origin!r} is not an exact origin such as https://ehr.example")


def origin_of(url: str) -> str:
    """Return the normalised `scheme://host[:port]` of an absolute URL; raises EgressRefused on odd ones."""
    parts = _parse(url)
    port = "" if parts.port in (None, _DEFAULT_PORTS[str(parts.scheme)]) else f":{parts.port}"
    return f"{parts.scheme}://{parts.host}{port}"


def _parse(url: str) -> Url:
    # The parser that requests itself uses, so that what is checked is what is connected to.
    if _NEVER_IN_A_URL.search(url):
        raise EgressRefused("refused: a URL with a space, a control character or a backslash")
    try:
        parts = parse_url(url)
    except ValueError:
        raise EgressRefused("refused: not a URL") from None
    if parts.scheme not in _DEFAULT_PORTS or not parts.host:
        raise EgressRefused("refused: not an absolute http(s) URL")
    if parts.auth is not None:
        raise EgressRefused("refused: a URL that carries a user name")
    return parts


def guarded_session(policy: EgressPolicy) -> requests.Session:
    """Return a pooled session that reaches the policy's origins only, and never retries or redirects."""
    session = _GuardedSession()
    session.trust_env = False  # no proxies, .netrc or CA bundles from the environment
    session.headers["User-Agent"] = "Countersign"
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # one pool serves many users
    adapter = _GuardedAdapter(policy)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


class _GuardedSession(requests.Session):
    """A session in which a redirect is an answer, not an instruction."""

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        # Checked as written: preparing a URL would already have escaped a backslash away.
        _parse(str(request.url))
        return super().prepare_request(request)

    @override
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None


class _GuardedAdapter(HTTPAdapter):
    """Checks each request against the policy, bounds it, and connects only to checked addresses."""

    def __init__(self, policy: EgressPolicy) -> None:
        self._policy = policy
        super().__init__(pool_connections=POOLED_CONNECTIONS, pool_maxsize=POOLED_CONNECTIONS)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **_: Any) -> None:
        self.poolmanager = PoolManager(num_pools=connections, maxsize=maxsize, block=block)
        self.poolmanager.pool_classes_by_scheme = pinned_pools(self._policy.allow_loopback)

    def send(self, request: requests.PreparedRequest, *_: Any, **asked: Any) -> requests.Response:
        """Send within the policy: TLS verification, no proxy, and timeouts that a caller can only shorten.

        A caller who says a `total` (by urllib3's `Timeout`) has the whole exchange end within it, body included.
        """
        self._check(str(request.url))
        timeout = self._timeouts(asked.get("timeout"))
        deadline = Deadline(sum(timeout), self._policy.body_timeout_seconds, _total(asked.get("timeout")))
        try:
            with deadline.in_force():
                return super().send(request, stream=bool(asked.get("stream")), timeout=timeout, verify=True)
        except AddressRefused as refusal:
            raise EgressRefused(str(refusal)) from None
        except ReadTimeout as failure:
            if deadline.is_over:
                raise ResponseTooSlow("the headers did not end in time", request=request) from failure
            raise
        except RequestsConnectionError as failure:
            if _never_connected(failure):
                raise NotConnected("no connection could be made", request=request) from failure
            raise

    def build_response(self, req: requests.PreparedRequest, resp: BaseHTTPResponse) -> requests.Response:
        """Hand out a response whose body cannot grow or trickle beyond the policy."""
        response = super().build_response(req, resp)
        deadline = deadline_in_force() or Deadline(0, self._policy.body_timeout_seconds)
        deadline.head_is_here()
        response.raw = _BoundedBody(resp, self._policy.max_response_bytes, deadline)
        return response

    def _timeouts(self, asked: Any) -> tuple[float, float]:
        if isinstance(asked, Timeout):
            # Where there is a total, its reading time cannot be asked for before it has begun to connect.
            total = _total(asked)
            asked = _seconds(asked.connect_timeout), total or _seconds(asked.read_timeout)
        connect, read = asked if isinstance(asked, tuple) else (asked, asked)
        bounds = self._policy.connect_timeout_seconds, self._policy.read_timeout_seconds
        return min(connect or bounds[0], bounds[0]), min(read or bounds[1], bounds[1])

    def _check(self, url: str) -> None:
        parts = _parse(url)
        if origin_of(url) not in self._policy.origins:
            raise EgressRefused("refused: this origin is not registered for the tenant")
        if parts.scheme == "http" and not (self._policy.allow_loopback and is_loopback_name(str(parts.host))):
            raise EgressRefused("refused: plain http is for loopback sandboxes only")


def _total(asked: object) -> float | None:
    return _seconds(asked.total) if isinstance(asked, Timeout) else None


def _seconds(asked: object) -> float | None:
    # urllib3 marks what was left out with an enum member.
    return float(asked) if isinstance(asked, int | float) and not isinstance(asked, Enum) else None


def _never_connected(failure: RequestsConnectionError) -> bool:
    cause = failure.args[0] if failure.args else None
    return isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError)


class _BoundedBody:
    """A urllib3 response that stops reading at the policy's size and time."""

    def __init__(self, response: BaseHTTPResponse, limit: int, deadline: Deadline) -> None:
        self._response = response
        self._limit = limit
        self._deadline = deadline

    def __getattr__(self, name: str) -> Any:
        return getattr(self._response, name)

    def stream(self, amt: int = _CHUNK_BYTES, decode_content: bool | None = None) -> Iterator[bytes]:
        """Yield the decoded body; raises ResponseTooLarge or ResponseTooSlow and drops the connection."""
        length = 0
        # read1 hands out what has arrived; read would wait, unbounded, until a whole chunk is there.
        while chunk := self._arrived(min(amt, _CHUNK_BYTES), decode_content):
            length += len(chunk)
            if length > self._limit:
                self._response.close()
                raise ResponseTooLarge("the answer is longer than allowed")
            if self._deadline.is_over:
                self._response.close()
                raise ResponseTooSlow("the answer did not end in time")
            yield chunk

    def _arrived(self, amt: int, decode_content: bool | None) -> bytes:
        try:
            return self._response.read1(amt, decode_content=decode_content)
        except ReadTimeoutError:
            if self._deadline.is_over:
                raise ResponseTooSlow("the answer did not end in time") from None
            raise
