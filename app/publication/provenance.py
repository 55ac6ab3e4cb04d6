"""Filing the Provenance after the note was verified, where the EHR takes it. It fails and retries alone."""

from structlog import get_logger

from app.artifacts.store import ArtifactStore
from app.clock import Clock
from app.db import Database
from app.errors import NeedsSignIn
from app.outbox import rows as outbox
from app.outbox.pause import pause
from app.outbox.rows import Lease
from app.provenance.records import targeting
from app.tenants.ehr import EHRs
from app.writebacks.commands import Command, RecordProvenance, RefuseProvenance
from app.writebacks.handlers import WritebackCommands
from app.writebacks.state import WritebackState
from vendors.contract import VendorAdapter
from vendors.errors import Rejected, Unsupported, VendorError
from vendors.transport import FHIRTransport

log = get_logger()


class ProvenancePublication:
    """Sends the kept Provenance, once."""

    def __init__(
        self,
        database: Database,
        artifacts: ArtifactStore,
        writebacks: WritebackCommands,
        ehrs: EHRs,
        clock: Clock,
    ) -> None:
        self._database = database
        self._artifacts = artifacts
        self._writebacks = writebacks
        self._ehrs = ehrs
        self._clock = clock

    def send(self, lease: Lease, state: WritebackState) -> None:
        """File the Provenance unless the EHR already holds ours: R4 Provenance has no identifier to be found by."""
        try:
            transport = self._ehrs.under_grant_of(lease.tenant_id, state.launch_id, lease.writeback_id)
            self._record(lease, self._file(lease, state, transport))
        except NeedsSignIn:
            self._record(lease, RefuseProvenance("reauth"))
        except (Rejected, Unsupported) as error:
            self._record(lease, RefuseProvenance(type(error).__name__))
        except VendorError as error:
            log.warning(
                "provenance_failed",
                writeback=lease.writeback_id,
                tenant=lease.tenant_id,
                error=type(error).__name__,
            )
            with self._database.write() as tx:
                outbox.release(tx, lease, self._clock() + pause(state.attempts))

    def _file(self, lease: Lease, state: WritebackState, transport: FHIRTransport) -> Command:
        adapter = self._ehrs.adapter(lease.tenant_id)
        order = state.queued
        with self._database.read() as tx:
            kept = self._artifacts.open(tx, lease.tenant_id, order.provenance)
        known = _ours(adapter, transport, f"{order.resource_type}/{state.resource_id}", order.author)
        if known:
            return RecordProvenance(known, found=True)
        body = targeting(kept, order.resource_type, state.resource_id or "", state.resource_version)
        return RecordProvenance(adapter.create_provenance(transport, body).resource_id, found=False)

    def _record(self, lease: Lease, command: Command) -> None:
        with self._database.write() as tx:
            self._writebacks.by_worker(tx, lease, command, self._clock())


def _ours(adapter: VendorAdapter, transport: FHIRTransport, target: str, author: str) -> str | None:
    """The id of the Provenance of this target that our signer already has there, if any."""
    for provenance in adapter.find_provenance(transport, target):
        agents = [str((agent.get("who") or {}).get("reference", "")) for agent in provenance.get("agent", ())]
        if any(agent.endswith(author) for agent in agents) and provenance.get("contained"):
            return str(provenance.get("id"))
    return None
