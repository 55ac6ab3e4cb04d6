"""The wired parts as one value: what pages and jobs receive, so that nothing is reached through globals."""

from dataclasses import dataclass

from app.administrators.sign_in import SignIn
from app.artifacts.store import ArtifactStore
from app.clock import Clock
from app.db import Database
from app.notes.handlers import NoteCommands
from app.notes.prepare import Preparation
from app.notes.sign import Signing
from app.onboarding.doctor import LaunchDoctor
from app.onboarding.sheets import Sheets
from app.outbox.relay import Relay
from app.publication.drain import Drain
from app.publication.giving_back import GivingBack
from app.settings import Settings
from app.tenants.client_keys import ClientKeys
from app.tenants.directory import Tenants
from app.tenants.ehr import EHRs
from app.tenants.grants import Grants
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
    grants: Grants
    traces: Traces
    giving_back: GivingBack
    ehrs: EHRs
    artifacts: ArtifactStore
    notes: NoteCommands
    preparation: Preparation
    signing: Signing
    writebacks: WritebackCommands
    relay: Relay
    drain: Drain
    sheets: Sheets
    doctor: LaunchDoctor
