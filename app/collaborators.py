"""The wired parts as one value: what pages and jobs receive, so that nothing is reached through globals."""

from dataclasses import dataclass

from app.administrators.sign_in import SignIn
from app.artifacts.store import ArtifactStore
from app.clock import Clock
from app.db import Database
from app.event_log.checkpoints import Checkpoints
from app.notes.amend import AmendmentCommands
from app.notes.handlers import NoteCommands
from app.notes.prepare import Preparation
from app.notes.proposal_handlers import ProposalCommands
from app.notes.retract import Retraction
from app.notes.sign import Signing
from app.onboarding.doctor import LaunchDoctor
from app.onboarding.sheets import Sheets
from app.outbox.relay import Relay
from app.publication.drain import Drain
from app.publication.giving_back import GivingBack
from app.reconciliation.after_restore import AfterRestore
from app.reconciliation.following import Following
from app.reconciliation.notices import Notices
from app.reconciliation.stopped import Stopped
from app.settings import Settings
from app.tenants.client_keys import ClientKeys
from app.tenants.directory import Tenants
from app.tenants.ehr import EHRs
from app.tenants.grants import Grants
from app.tenants.moved_bases import MovedBases
from app.tenants.registering import Registering
from app.tenants.rollout import Rollout
from app.tenants.secrets import Secrets
from app.tenants.switches import Switches
from app.tenants.traces import Traces
from app.writebacks.handlers import WritebackCommands

EXTENSION = "countersign"


@dataclass(frozen=True)
class Collaborators:
    """Every part that a page or a job calls."""

    settings: Settings
    clock: Clock
    database: Database
    sign_in: SignIn
    tenants: Tenants
    registering: Registering
    secrets: Secrets
    client_keys: ClientKeys
    rollout: Rollout
    switches: Switches
    moved_bases: MovedBases
    grants: Grants
    traces: Traces
    giving_back: GivingBack
    checkpoints: Checkpoints
    ehrs: EHRs
    artifacts: ArtifactStore
    notes: NoteCommands
    proposals: ProposalCommands
    preparation: Preparation
    signing: Signing
    amendments: AmendmentCommands
    retraction: Retraction
    writebacks: WritebackCommands
    relay: Relay
    drain: Drain
    following: Following
    stopped: Stopped
    notices: Notices
    after_restore: AfterRestore
    sheets: Sheets
    doctor: LaunchDoctor
