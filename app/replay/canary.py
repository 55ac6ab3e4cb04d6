"""The canary: filed notes of a sandbox tenant are filed there once more, as new documents, to see what changed.

It runs at night, before clinicians do: our mapping, the vendor's profile or the vendor's sandbox may behave otherwise
than when the note was filed. Each copy has an identifier of the canary's own, is sent once, under the grant of the
note's own signer, and is compared with what was signed, and with how it compared then. No production tenant is touched.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection
from structlog import get_logger

from app.artifacts.store import ArtifactStore
from app.clock import Clock
from app.db import Database
from app.errors import CountersignError, Refused
from app.event_log.canonical import canonical_json, digest
from app.event_log.read import read_streams
from app.ids import TenantId
from app.notes.mappings import NOTES
from app.notes.snapshot import MAPPING_VERSION, Snapshot
from app.reconciliation.compare import compare
from app.replay.orders import Ordered, all_ordered
from app.tenants.directory import Tenants
from app.tenants.ehr import EHRs, Signer
from app.tenants.standing import may_send
from app.writebacks.fold import fold
from app.writebacks.state import Stage, WritebackState
from vendors.contract import Write
from vendors.errors import VendorError

IDENTIFIER_SYSTEM = "urn:countersign:canary"

log = get_logger()


@dataclass(frozen=True)
class Sung:
    """What became of one copy: `same`, `different`, or what stopped it; and the differences then and now."""

    stream: str
    outcome: str
    before: tuple[str, ...] = ()
    now: tuple[str, ...] = ()


class Canary:
    """Files copies of a sandbox tenant's notes."""

    def __init__(
        self, database: Database, artifacts: ArtifactStore, tenants: Tenants, ehrs: EHRs, clock: Clock
    ) -> None:
        self._database = database
        self._artifacts = artifacts
        self._tenants = tenants
        self._ehrs = ehrs
        self._clock = clock

    def sing(self, tenant_id: TenantId, most: int) -> list[Sung]:
        """File copies of the newest verified notes, at most so many. Raises `Refused` where this is no sandbox."""
        if self._tenants.require(tenant_id).environment != "sandbox":
            raise Refused("The canary files documents that nobody signed.", "Only a sandbox tenant may be given to it.")
        now = self._clock()
        with self._database.read() as tx:
            chosen = list(self._verified(tx, tenant_id))[-most:]
            allowed = [
                may_send(tx, self._tenants, tenant_id, state.queued.workflow, state.queued.resource_type)
                for _, state in chosen
            ]
        return [
            self._sung(one, state, now) if may else Sung(one.stream, "switched_off")
            for (one, state), may in zip(chosen, allowed, strict=True)
        ]

    def _verified(self, tx: Connection, tenant_id: TenantId) -> Iterator[tuple[Ordered, WritebackState]]:
        notes = [one for one in all_ordered(tx, self._artifacts) if one.tenant_id == tenant_id and _is_note(one)]
        told = read_streams(tx, tenant_id, [one.stream for one in notes])
        histories = {stream: fold(history) for stream, history in told}
        yield from ((one, histories[one.stream]) for one in notes if histories[one.stream].stage is Stage.VERIFIED)

    def _sung(self, ordered: Ordered, state: WritebackState, now: datetime) -> Sung:
        try:
            found = self._filed_again(ordered, state, now)
        except CountersignError as error:
            return Sung(ordered.stream, error.code, state.differences)
        except VendorError as error:
            log.warning("canary_failed", tenant=ordered.tenant_id, error=type(error).__name__)
            return Sung(ordered.stream, "unclear", state.differences)
        outcome = "same" if found == state.differences else "different"
        return Sung(ordered.stream, outcome, state.differences, found)

    def _filed_again(self, ordered: Ordered, state: WritebackState, now: datetime) -> tuple[str, ...]:
        """The differences between the copy and what the EHR holds of it; it is sent once, and never again."""
        order, adapter = ordered.order, self._ehrs.adapter(ordered.tenant_id)
        signer = Signer(order.author_issuer, order.author_subject, order.author, order.patient, order.fhir_base)
        transport = self._ehrs.under_signers_grant(ordered.tenant_id, state.launch_id, signer)
        note = NOTES[MAPPING_VERSION](Snapshot.model_validate_json(ordered.snapshot or b""))
        value = digest(canonical_json([ordered.stream, now.isoformat()]))[:40]
        payload = adapter.render_note(replace(note, identifier_system=IDENTIFIER_SYSTEM, identifier_value=value))
        receipt = adapter.send(transport, Write(order.resource_type, "create", payload))
        if receipt.resource_id is None:
            return ("not_located",)
        return compare(payload, adapter.read_note(transport, receipt.resource_id)).all


def _is_note(ordered: Ordered) -> bool:
    """Whether it is a note's first version: what changes a filed document has no copy to change."""
    order = ordered.order
    return ordered.snapshot is not None and order.mutation == "create" and not order.proposal_id
