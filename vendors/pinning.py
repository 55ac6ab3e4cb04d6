"""Connections that resolve a name once, check every address, and connect to exactly what was checked.

A name that answers harmlessly at the check and with an internal address at the connect (DNS rebinding)
finds no gap here: there is one resolution, and its result is what the socket gets.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    LocationValueError,
    NameResolutionError,
    NewConnectionError,
    SSLError,
)
from urllib3.util.ssl_match_hostname import CertificateError

from vendors.deadline import HeldToDeadline, connected, deadline_in_force, held_tls_context

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# Azure's wire server: a metadata service on an address that looks public.
_METADATA_ON_PUBLIC_ADDRESSES = frozenset({ipaddress.IPv4Address("168.63.129.16")})


class AddressRefused(LocationValueError):
    """The name leads to an address that must not be reached; raised before connecting.

    Not an OSError, which urllib3 would take for a broken connection and wrap.
    """


def is_loopback_name(host: str) -> bool:
    """Tell whether a host is loopback by its spelling: localhost, names under it, or a loopback address."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    literal = _literal(name)
    return literal is not None and literal.is_loopback


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def checked_addresses(host: str, port: int, *, allow_loopback: bool) -> list[str]:
    """Resolve a host and return its addresses, all of them permitted; raises AddressRefused or gaierror."""
    if is_loopback_name(host) and _literal(host) is None:
        found = ["127.0.0.1"]  # RFC 6761: never asked of DNS
    else:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        found = list(dict.fromkeys(str(answer[4][0]) for answer in answers))
    for address in found:
        if not _permitted(ipaddress.ip_address(address.split("%")[0]), allow_loopback):
            raise AddressRefused("refused: the name leads to a private or reserved address")
    return found


def _permitted(address: Address, allow_loopback: bool) -> bool:
    reached = _embedded(address)
    if reached.is_loopback:
        return allow_loopback
    return reached.is_global and not reached.is_multicast and reached not in _METADATA_ON_PUBLIC_ADDRESSES


def _embedded(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address only wraps, or the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


class _PinnedConnection(HTTPConnection):
    """Opens its socket to a checked address; any failure to do so is a connection never made.

    Each request holds the socket to the deadline in force, also where the connection comes out of the pool.
    """

    allow_loopback = False

    def connect(self) -> None:
        super().connect()
        self._hold()

    def request(self, *args: Any, **named: Any) -> None:
        self._hold()
        super().request(*args, **named)

    def _hold(self) -> None:
        if isinstance(self.sock, HeldToDeadline):
            self.sock.deadline = deadline_in_force()

    def _new_conn(self) -> socket.socket:
        try:
            addresses = checked_addresses(self._dns_host, self.port, allow_loopback=self.allow_loopback)
        except socket.gaierror as failure:
            raise NameResolutionError(self.host, self, failure) from failure
        return self._open(addresses)

    def _open(self, addresses: list[str]) -> socket.socket:
        failure: OSError = OSError("no address")
        for address in addresses:
            try:
                opened = connected((address, self.port), self.timeout)
                opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as refused:
                failure = refused
            else:
                return opened
        if isinstance(failure, TimeoutError):
            raise ConnectTimeoutError(self, "the connection was not accepted in time") from failure
        raise NewConnectionError(self, "the connection was not accepted") from failure


class _PinnedTLSConnection(_PinnedConnection, HTTPSConnection):
    """The same under TLS; a failed handshake too is a connection never made."""

    def connect(self) -> None:
        self.ssl_context = self.ssl_context or held_tls_context()
        try:
            super().connect()
        except (OSError, SSLError, CertificateError) as failure:  # OSError: ssl's own errors, and timeouts
            self.close()
            raise NewConnectionError(self, "the TLS handshake failed") from failure


def pinned_pools(allow_loopback: bool) -> dict[str, Any]:
    """Return urllib3's pool class per scheme, with connections that obey the loopback rule."""
    plain = type("PinnedConnection", (_PinnedConnection,), {"allow_loopback": allow_loopback})
    secure = type("PinnedTLSConnection", (_PinnedTLSConnection,), {"allow_loopback": allow_loopback})
    return {
        "http": type("PinnedPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("PinnedTLSPool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
    }
