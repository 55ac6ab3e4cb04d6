"""One end in time for a whole exchange: connect, request, headers and body, however slowly bytes trickle.

A socket's own timeout starts anew with every byte, so a server that sends one now and then could hold a thread for as
long as it likes. The sockets here wait for each piece only as long as the exchange has left. No timer, no thread.

Source: conformance E16 (OWASP ASVS 5 15.3.2, and 13.2.6 on timeouts).
"""

from __future__ import annotations

import math
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from typing_extensions import Buffer
from urllib3.util.ssl_ import create_urllib3_context


class Deadline:
    """When the headers of an answer must be complete, and then its body; `total_seconds` bounds both together."""

    def __init__(self, head_seconds: float, body_seconds: float, total_seconds: float | None = None) -> None:
        now = time.monotonic()
        self._body_seconds = body_seconds
        self._end = math.inf if total_seconds is None else now + total_seconds
        self._at = min(now + head_seconds, self._end)

    @property
    def is_over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self._at

    def head_is_here(self) -> None:
        """From now on the time of the body runs."""
        self._at = min(time.monotonic() + self._body_seconds, self._end)

    def shortened(self, timeout: float | None) -> float:
        """Return how long one wait may be: `timeout`, or what is left if that is less. Raises `TimeoutError`."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the exchange has taken too long")
        return left if timeout is None else min(timeout, left)

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Hold whatever this thread connects and sends meanwhile to this deadline, and its answers too."""
        before = _IN_FORCE.set(self)
        try:
            yield
        finally:
            _IN_FORCE.reset(before)


# urllib3 makes and reuses connections out of our hands; this is how they learn for which exchange.
_IN_FORCE: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


def deadline_in_force() -> Deadline | None:
    """The deadline of the exchange that this thread is in."""
    return _IN_FORCE.get()


if TYPE_CHECKING:
    _Socket = socket.socket
else:
    _Socket = object


class HeldToDeadline(_Socket):
    """A socket whose every wait ends with its deadline; mixed into plain and TLS sockets alike."""

    deadline: Deadline | None = None
    _patience: float | None = None

    def settimeout(self, value: float | None) -> None:
        """Keep what was asked for: the deadline may shorten one wait and be moved before the next."""
        self._patience = value
        super().settimeout(value)

    # Plain and TLS sockets have different defaults for what is left out, so it stays left out.
    def recv(self, *args: Any, **named: Any) -> bytes:
        """Receive, waiting no longer than the deadline. Raises `TimeoutError`, as all of these do."""
        self._shorten()
        return super().recv(*args, **named)

    def recv_into(self, *args: Any, **named: Any) -> int:
        """Receive into a buffer."""
        self._shorten()
        return super().recv_into(*args, **named)

    def send(self, data: Buffer, flags: int = 0) -> int:
        """Send some; a TLS socket sends all by repeating this."""
        self._shorten()
        return super().send(data, flags)

    def sendall(self, data: Buffer, flags: int = 0) -> None:
        """Send everything."""
        self._shorten()
        super().sendall(data, flags)

    def _shorten(self) -> None:
        if self.deadline is not None:
            super().settimeout(self.deadline.shortened(self._patience))


class HeldSocket(HeldToDeadline, socket.socket):
    """A plain socket that keeps to its deadline."""


class HeldTLSSocket(HeldToDeadline, ssl.SSLSocket):
    """A TLS socket that keeps to its deadline."""


def connected(address: tuple[str, int], timeout: float | None) -> HeldSocket:
    """Return a socket connected to an address, its deadline the one in force. Raises `OSError`."""
    deadline = deadline_in_force()
    patience = timeout if deadline is None else deadline.shortened(timeout)
    opened = socket.create_connection(address, patience)
    held = HeldSocket(opened.family, opened.type, opened.proto, fileno=opened.detach())
    held.deadline = deadline
    # A TLS handshake takes this over as the limit for the whole of it.
    held.settimeout(timeout if deadline is None else deadline.shortened(timeout))
    return held


def held_tls_context() -> ssl.SSLContext:
    """Return urllib3's own TLS settings, certificates verified, with sockets that keep to their deadline."""
    context = create_urllib3_context()
    context.sslsocket_class = HeldTLSSocket
    return context
