"""What Countersign sends to the EHR, seen where it leaves: between its own guards and the network."""

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import requests
from requests.adapters import BaseAdapter
from sqlalchemy import Connection, select

from app.event_log.read import read_stream
from app.event_log.tables import events
from tests.service import Service

CHANGING = ("POST", "PUT", "PATCH")


@dataclass(frozen=True)
class Sent:
    """One request that changes a chart, and what our log held of it at that moment."""

    method: str
    resource_type: str
    digest: str
    identifiers: frozenset[str]
    begun: frozenset[str]


class Watched(BaseAdapter):
    """Passes everything on to the guarded adapter, and notes down what changes a chart before it leaves."""

    def __init__(self, service: Service, tenant_id: str, inner: Any, base: str) -> None:
        super().__init__()
        self.inner = inner
        self.sent: list[Sent] = []
        self._service, self._tenant_id, self._base = service, tenant_id, base

    def send(self, request: requests.PreparedRequest, *positional: Any, **asked: Any) -> requests.Response:
        path = str(request.url).removeprefix(self._base)
        if request.method in CHANGING and not path.endswith("/_search"):
            body = request.body.encode() if isinstance(request.body, str) else request.body or b""
            kind = path.strip("/").partition("?")[0].partition("/")[0]
            begun = frozenset(begun_now(self._service, self._tenant_id))
            self.sent.append(Sent(request.method, kind, sha256(body).hexdigest(), _identifiers(body), begun))
        response: requests.Response = self.inner.send(request, *positional, **asked)
        return response

    def close(self) -> None:
        self.inner.close()


def watched(service: Service, tenant_id: str) -> list[Sent]:
    """Watch this tenant's wire from now on; the list grows as things leave."""
    tenant = service.parts.tenants.require(tenant_id)
    session = service.parts.ehrs.session(tenant)
    adapter = Watched(service, tenant_id, session.get_adapter(tenant.fhir_base), tenant.fhir_base)
    session.mount(tenant.fhir_base, adapter)
    return adapter.sent


def begun_now(service: Service, tenant_id: str) -> set[str]:
    """The payload digests of the attempts whose beginning is committed by now."""
    with service.parts.database.read() as tx:
        history = [one.event for stream in streams(tx, tenant_id) for one in read_stream(tx, tenant_id, stream)]
    return {event.payload_digest for event in history if event.tag == "writeback:attempt:begun"}


def streams(tx: Connection, tenant_id: str) -> list[str]:
    """Every write-back of the tenant, from the log alone."""
    ours = events.c.tenant_id == tenant_id, events.c.stream.startswith("writeback:")
    return list(tx.execute(select(events.c.stream).where(*ours).distinct()).scalars())


def _identifiers(body: bytes) -> frozenset[str]:
    found = json.loads(body)
    named = found.get("identifier", []) if isinstance(found, dict) else []
    return frozenset(f"{one.get('system')}|{one.get('value')}" for one in named)
