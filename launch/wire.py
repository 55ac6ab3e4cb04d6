"""One exchange with an authorization server: capped, timed, redirects not followed, exceptions translated."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
import urllib3

CONNECT_SECONDS = 5
LARGEST_ANSWER = 256 * 1024
CHUNK = 16 * 1024
PLAIN_JSON = {"Accept": "application/json", "Accept-Encoding": "identity"}


@dataclass(frozen=True)
class Answer:
    """A complete answer of bounded size. The body may hold tokens and stays out of the repr."""

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def document(self) -> dict[str, Any] | None:
        """The body as a JSON object, or None for anything else (HTML, nothing, a list, endless nesting)."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None


class NoAnswer(Exception):
    """Nothing usable came back; the text says why in words of ours, without the address.

    `unsent` is true where no connection was made, so that the server cannot have acted on the request.
    """

    def __init__(self, reason: str, *, unsent: bool = False) -> None:
        super().__init__(reason)
        self.unsent = unsent


def fetch(session: requests.Session, url: str, headers: Mapping[str, str], *, seconds: float) -> Answer:
    """GET a document within `seconds`. Raises `NoAnswer`."""
    return _exchange(session, requests.Request("GET", url, headers=dict(headers)), seconds)


def post_form(
    session: requests.Session,
    url: str,
    headers: Mapping[str, str],
    form: Mapping[str, str],
    *,
    seconds: float,
) -> Answer:
    """POST `application/x-www-form-urlencoded` within `seconds`. Raises `NoAnswer`. Never sent twice."""
    return _exchange(session, requests.Request("POST", url, headers=dict(headers), data=form), seconds)


def _exchange(session: requests.Session, request: requests.Request, seconds: float) -> Answer:
    deadline = time.monotonic() + seconds
    request.headers.update(PLAIN_JSON)
    # The guarded session takes the total for the whole exchange, so that headers cannot trickle in either.
    timeout: Any = urllib3.Timeout(total=seconds, connect=CONNECT_SECONDS, read=seconds)
    try:
        prepared = session.prepare_request(request)
        with session.send(prepared, timeout=timeout, allow_redirects=False, stream=True) as response:
            return Answer(response.status_code, _read(response, deadline), response.headers)
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
        raise NoAnswer(_reason(error), unsent=_never_connected(error)) from error


def _read(response: requests.Response, deadline: float) -> bytes:
    # read1 hands over what has arrived. Reading in chunks would wait until a chunk is full, and a server that
    # sends a byte every few seconds could hold us for hours.
    received = bytearray()
    while arrived := response.raw.read1(CHUNK, decode_content=True):
        received += arrived
        if len(received) > LARGEST_ANSWER:
            raise NoAnswer("its answer is larger than any real one")
        if time.monotonic() > deadline:
            raise NoAnswer("it took too long")
    return bytes(received)


def _never_connected(error: BaseException) -> bool:
    # requests keeps what urllib3 raised as its own first argument, and that one its cause as `reason`.
    causes = (error.__cause__, *error.args[:1], getattr(error, "reason", None))
    never = requests.exceptions.ConnectTimeout | urllib3.exceptions.ConnectTimeoutError
    return isinstance(error, never | urllib3.exceptions.NewConnectionError) or any(
        _never_connected(cause) for cause in causes if isinstance(cause, BaseException)
    )


def _reason(error: Exception) -> str:
    if isinstance(error, requests.exceptions.Timeout | urllib3.exceptions.TimeoutError):
        return "it took too long"
    if isinstance(error, requests.exceptions.SSLError):
        return "its TLS certificate was not accepted"
    if isinstance(error, requests.exceptions.ConnectionError | urllib3.exceptions.ProtocolError):
        return "no connection, or it broke off"
    return "the request was not allowed or the answer was unreadable"
