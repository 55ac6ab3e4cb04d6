"""One guarded HTTP session for each tenant: pooled, kept for the life of the process, bound to the tenant's origins."""

from threading import Lock

import requests

from app.tenants.registrations import Tenant
from vendors.egress import EgressPolicy, guarded_session


class TenantSessions:
    """Hands out the session of a tenant, made at its first use."""

    def __init__(self, *, loopback: bool) -> None:
        """`loopback`: whether sandbox tenants may be on this machine, as `Settings.on_this_machine` says."""
        self._loopback = loopback
        self._sessions: dict[str, tuple[EgressPolicy, requests.Session]] = {}
        self._lock = Lock()

    def __call__(self, tenant: Tenant) -> requests.Session:
        """The tenant's session; it reaches the origins that are registered now and nothing else."""
        policy = EgressPolicy(tenant.origins, allow_loopback=self._loopback and tenant.is_sandbox)
        with self._lock:
            made_for, session = self._sessions.get(tenant.id, (None, None))
            if session is None or made_for != policy:  # a registration may change while we run
                session = guarded_session(policy)
                self._sessions[tenant.id] = (policy, session)
            return session
