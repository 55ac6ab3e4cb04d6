"""How often one address or one clinician may ask for what costs something (conformance E26).

Counted in Redis, so that all web processes count together, and in each process alone while Redis is away: a limit is
no reason to refuse people. The keys are keyed hashes: no address and no user stands in Redis. An address is limited
where nobody is known yet, a clinician of a tenant where they are, so neither slows another.
"""

from collections.abc import Callable, Mapping
from ipaddress import IPv6Address, ip_address
from typing import Any

from flask import Flask, g, request
from flask_limiter import Limiter, RequestLimit
from flask_limiter.util import get_remote_address
from structlog import get_logger
from werkzeug.middleware.proxy_fix import ProxyFix

from app.pages.sessions import current_launch
from app.sealing import Keyring
from app.settings import Settings

PURPOSE = "rate limits"
# Whoever has one IPv6 address has a whole network of them.
NETWORK_BITS = 64
REDIS_SECONDS = 1

log = get_logger()


def limit_requests(app: Flask, settings: Settings, keyring: Keyring) -> None:
    """Put the limits on the endpoints of `app`, which must all be registered. Raises `KeyError` for one that is not."""
    if settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=settings.trusted_proxies, x_proto=0)  # type: ignore[method-assign]

    if not settings.rate_limits:
        return

    def by_address() -> str:
        return keyring.mac(_network(get_remote_address()), PURPOSE)

    def by_clinician() -> str:
        launch = current_launch()
        return keyring.mac(f"{launch.tenant_id} {launch.actor}", PURPOSE)

    limiter = Limiter(
        by_address,
        app=app,
        storage_uri=storage_uri(settings.redis),
        storage_options={"socket_connect_timeout": REDIS_SECONDS, "socket_timeout": REDIS_SECONDS},
        strategy="moving-window",
        in_memory_fallback_enabled=True,
        swallow_errors=True,
        on_breach=_stopped,
        key_prefix="countersign:limits",
    )
    app.extensions["countersign_limits"] = limiter  # its wrappers do not hold it
    for endpoint, (rate, key) in _limits(app, settings, by_address, by_clinician).items():
        limited: Callable[..., Any] = limiter.limit(rate, key_func=key)(app.view_functions[endpoint])
        app.view_functions[endpoint] = limited


def _limits(
    app: Flask, settings: Settings, by_address: Callable[[], str], by_clinician: Callable[[], str]
) -> Mapping[str, tuple[str, Callable[[], str]]]:
    """Which endpoint is limited to what, and counted by whom."""
    launching = [name for name in app.view_functions if name.startswith("launch.")]
    signing_in = [f"admin_sign_in.{name}" for name in ("with_password", "ask_provider", "answered")]
    return {
        **dict.fromkeys(launching, (settings.limit_launch, by_address)),
        **dict.fromkeys(signing_in, (settings.limit_admin_sign_in, by_address)),
        "callbacks.take": (settings.limit_callbacks, by_address),
        "charts.draft": (settings.limit_draft, by_clinician),
        "signature.sign": (settings.limit_sign, by_clinician),
    }


def storage_uri(redis_url: str) -> str:
    """The Redis URL as the parts that count know it: a socket is `redis+unix://` there."""
    return redis_url.replace("unix://", "redis+unix://", 1) if redis_url.startswith("unix://") else redis_url


def _stopped(limit: RequestLimit) -> None:
    """Leave for the error page after how many seconds the request certainly succeeds, and say so in the log."""
    log.warning("rate_limited", endpoint=request.endpoint, tenant=g.get("tenant_id", ""))
    g.retry_after = limit.limit.get_expiry()


def _network(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and not parsed.ipv4_mapped:
        return str(int(parsed) >> NETWORK_BITS)
    return str(parsed)
