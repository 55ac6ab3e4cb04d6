"""One guarded HTTP session for each tenant: pooled, kept for the life of the process, bound to the tenant's origins."""

from threading import Lock

import requests

from app.tenants.registrations import Tenant
from vendors.egress import EgressPolicy, guarded_session


class TenantSessions:
    """Hands out the session of a tenant, made at its first use."""

    def __init__(self) -> None:
        self._sessions: dict[str, requests.Session] = {}
        self._lock = Lock()

    def __call__(self, tenant: Tenant) -> requests.Session:
        """The tenant's session; it reaches the tenant's registered origins and nothing else."""
        with self._lock:
            if tenant.id not in self._sessions:
                policy = EgressPolicy(tenant.origins, allow_loopback=tenant.is_sandbox)
                self._sessions[tenant.id] = guarded_session(policy)
            return self._sessions[tenant.id]
