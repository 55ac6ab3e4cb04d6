"""Which addresses of an EHR may be used: absolute, https, plain, and on an origin that the tenant pinned."""

import re
from urllib.parse import SplitResult, urljoin, urlsplit

PLAIN_URL = re.compile(r"[\x21-\x7e]+")
AUTHORITY = re.compile(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
DEFAULT_PORTS = {"https": 443, "http": 80}


class EndpointRefused(ValueError):
    """The address may not be used; the text says why without repeating it."""


def origin_of(url: str, *, allow_loopback: bool = False) -> str:
    """Return the `scheme://host[:port]` of an absolute URL, lower case, without a default port.

    Raises `EndpointRefused` for anything that two parsers could read differently (userinfo, backslash,
    blanks, non-ASCII hosts) and for plain http other than to loopback where that is allowed. Source:
    conformance E16.
    """
    parts = _split(url)
    _require_secure(parts.scheme, parts.hostname or "", allow_loopback=allow_loopback)
    return canonical_origin(url)


def canonical_origin(url: str) -> str:
    """Return the same for any http or https URL, only to compare it: `origin_of` says whether it may be used.

    Raises `EndpointRefused` for anything that two parsers could read differently.
    """
    parts = _split(url)
    host, port = parts.hostname or "", parts.port
    if parts.scheme not in DEFAULT_PORTS:
        raise EndpointRefused("is neither http nor https")
    shown = f"[{host}]" if ":" in host else host
    suffix = "" if port in (None, DEFAULT_PORTS[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{shown}{suffix}"


def pinned_endpoint(value: object, fhir_base: str, origins: frozenset[str], *, allow_loopback: bool) -> str:
    """Return the absolute URL of an endpoint found in a document of the EHR.

    A relative value is resolved against the FHIR base (SMART App Launch 2.2, conformance). Raises
    `EndpointRefused` when it is no URL, not https, or on an origin that is not pinned (conformance A03, E15).
    """
    if not isinstance(value, str) or not PLAIN_URL.fullmatch(value) or "\\" in value:
        raise EndpointRefused("is not a plain URL")
    try:
        url = urljoin(fhir_base.rstrip("/") + "/", value)
    except ValueError as error:
        raise EndpointRefused("is not a plain URL") from error
    if origin_of(url, allow_loopback=allow_loopback) not in origins:
        raise EndpointRefused("is on a host that the registration does not list")
    return url


def _split(url: str) -> SplitResult:
    # urlsplit drops tabs and line ends silently, so they are refused before it sees them.
    if not PLAIN_URL.fullmatch(url) or "\\" in url:
        raise EndpointRefused("is not a plain URL")
    try:
        parts = urlsplit(url)
        port_is_valid = parts.port != 0
    except ValueError as error:
        raise EndpointRefused("has no valid host and port") from error
    if not AUTHORITY.fullmatch(parts.netloc) or not port_is_valid:
        raise EndpointRefused("has no plain host and port")
    if parts.fragment:
        raise EndpointRefused("has a fragment")
    return parts


def _require_secure(scheme: str, host: str, *, allow_loopback: bool) -> None:
    if scheme == "https":
        return
    is_loopback = host in LOOPBACK_HOSTS or host.endswith(".localhost")
    if scheme != "http" or not (allow_loopback and is_loopback):
        raise EndpointRefused("is not https")
